// Cards that were pinned stay on top for a day, in this browser only: their ids are kept, the server draws them.

import { askHtml } from "./api.mjs";
import { tell } from "./dialogs.mjs";
import { nodesOf } from "./html.mjs";
import { now, refresh } from "./times.mjs";

const KEY = "polycopy-pins";
const KEPT_MS = 86_400_000;
const PINS_MAX = 20;
const section = document.querySelector("[data-pinned]");
const place = document.querySelector("[data-pinned-cards]");

function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return Object.fromEntries(Object.entries(kept).filter(([, until]) => Number.isFinite(until) && until > now()));
  } catch {
    return {};
  }
}

function write(pins) {
  try {
    localStorage.setItem(KEY, JSON.stringify(pins));
  } catch {
    tell("This browser keeps nothing, so that the pin is gone with the page.", true);
  }
}

/** Whether a trade is pinned. */
export const isPinned = (id) => id in read();

const shownPin = (id) => place.querySelector(`[data-trade="${CSS.escape(id)}"]`);

/** Shows on every card of a trade whether it is pinned. */
function mark(id, pinned) {
  for (const one of document.querySelectorAll(`[data-trade="${CSS.escape(id)}"] [data-pin]`)) {
    one.setAttribute("aria-pressed", String(pinned));
    one.textContent = pinned ? "Pinned" : "Pin";
  }
  section.hidden = !place.children.length;
}

async function show(id, adopt) {
  const card = nodesOf(await askHtml(`/v2/feed/card/${encodeURIComponent(id)}`)).querySelector("[data-trade]");
  if (!card || shownPin(id)) return;
  place.append(card);
  refresh(card);
  adopt(card);
  mark(id, true);
}

/** Pins a card for a day, or takes its pin away. */
export async function togglePin(card, adopt, forget) {
  const id = card.dataset.trade;
  const pins = read();
  if (id in pins) {
    delete pins[id];
    write(pins);
    const shown = shownPin(id);
    if (shown) forget(shown);
    mark(id, false);
    return;
  }
  if (Object.keys(pins).length >= PINS_MAX) {
    tell(`At most ${PINS_MAX} cards can be pinned.`, true);
    return;
  }
  write({ ...pins, [id]: now() + KEPT_MS });
  mark(id, true);
  await show(id, adopt).catch((error) => tell(error.message, true));
}

/** Draws what was pinned before; a trade that is no longer kept loses its pin. */
export async function showPins(adopt) {
  const pins = read();
  for (const id of Object.keys(pins)) {
    try {
      await show(id, adopt);
    } catch (error) {
      if (error.status === 404) delete pins[id];
    }
  }
  write(pins);
}
