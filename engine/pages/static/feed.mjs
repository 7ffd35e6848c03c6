// New trades appear in order, prices tick, cards can be pinned and traders followed.

import { ask, askHtml } from "./api.mjs";
import { tell } from "./dialogs.mjs";
import { isPinned, showPins, togglePin } from "./feed_pins.mjs";
import { nodesOf } from "./html.mjs";
import { cents, priceOf, watch } from "./prices.mjs";
import "./quick_copy.mjs";
import { refresh } from "./times.mjs";

const CARDS_MAX = 200;
const SCROLLED_PX = 160;
const feed = document.querySelector("[data-feed]");
const state = document.querySelector("[data-feed-state]");
const button = document.querySelector("[data-new-trades]");
const watched = new WeakMap();
const waiting = []; // cards that came while the reader looked at others

function showPrice(card, market) {
  const price = priceOf(market, card.dataset.token);
  const now = card.querySelector("[data-now-price]");
  const change = card.querySelector("[data-change]");
  const text = cents(price);
  if (now.textContent !== text) {
    now.textContent = text;
    now.classList.remove("moved");
    void now.offsetWidth; // the animation begins anew
    now.classList.add("moved");
  }
  if (price === null) {
    change.textContent = "–";
    return;
  }
  const difference = (price - Number(card.dataset.then)) * 100;
  const rounded = Number(difference.toFixed(2));
  change.textContent = `${rounded > 0 ? "+" : rounded < 0 ? "−" : ""}${Math.abs(rounded)}¢`;
  change.className = rounded > 0 ? "gain" : rounded < 0 ? "loss" : "";
}

const visible = new IntersectionObserver((entries) => {
  for (const { target: card, isIntersecting } of entries) {
    const stop = watched.get(card);
    if (isIntersecting && !stop) {
      watched.set(card, watch(card.dataset.condition, (market) => showPrice(card, market)));
    } else if (!isIntersecting && stop) {
      stop();
      watched.delete(card);
    }
  }
}, { rootMargin: "200px" });

function adopt(card) {
  visible.observe(card);
  card.querySelector("[data-pin]").setAttribute("aria-pressed", String(isPinned(card.dataset.trade)));
}

function forget(card) {
  visible.unobserve(card);
  watched.get(card)?.();
  watched.delete(card);
  card.remove();
}

/** Whether a card is newer than another: as the server sorts them, by time and then by id. */
function isNewer(card, other) {
  const difference = Number(card.dataset.at) - Number(other.dataset.at);
  return difference === 0 ? card.dataset.trade > other.dataset.trade : difference > 0;
}

function isKnown(id) {
  return feed.querySelector(`[data-trade="${CSS.escape(id)}"]`) || waiting.some((card) => card.dataset.trade === id);
}

function insert(card) {
  const next = [...feed.children].find((other) => isNewer(card, other)) ?? null;
  feed.insertBefore(card, next);
  refresh(card);
  adopt(card);
  document.querySelector("main .empty")?.remove();
}

/** Whether new cards would move what somebody looks at or is about to press. */
function isReading() {
  return scrollY > feed.offsetTop - SCROLLED_PX && scrollY > SCROLLED_PX
    || document.querySelector("dialog[open]") !== null
    || feed.contains(document.activeElement)
    || feed.querySelector("button:hover, a:hover") !== null;
}

function showWaiting() {
  const count = waiting.length;
  button.hidden = !count;
  if (count) button.textContent = `${count} new trade${count === 1 ? "" : "s"}`;
}

function letIn() {
  for (const card of waiting.splice(0)) insert(card);
  while (feed.children.length > CARDS_MAX) forget(feed.lastElementChild);
  showWaiting();
}

function take(card) {
  if (isKnown(card.dataset.trade)) return;
  waiting.push(card);
  if (waiting.length > CARDS_MAX) waiting.shift();
  if (isReading()) showWaiting();
  else letIn();
}

button.addEventListener("click", () => {
  if (feed.contains(document.activeElement)) document.activeElement.blur();
  letIn();
  scrollTo({ top: 0 });
  document.querySelector("main").focus({ preventScroll: true });
});
addEventListener("scroll", () => waiting.length && !isReading() && letIn(), { passive: true });

function listen(address) {
  const source = new EventSource(address);
  source.addEventListener("open", () => (state.textContent = "Live"));
  source.addEventListener("error", () => {
    state.textContent = source.readyState === EventSource.CLOSED
      ? "No new trades arrive. Reload the page to try again."
      : "Connection lost, trying again …";
  });
  source.addEventListener("message", (event) => {
    const card = nodesOf(event.data).querySelector("[data-trade]");
    if (card) take(card);
  });
  // Trades were missed: the page itself knows them.
  source.addEventListener("resync", () => location.reload());
}

async function lookAgain() {
  if (document.hidden) return;
  try {
    const cards = [...nodesOf(await askHtml(location.href)).querySelectorAll("[data-feed] > [data-trade]")];
    for (const card of cards.reverse()) take(card);
    state.textContent = `Looked at again every ${feed.dataset.again} s`;
  } catch (error) {
    state.textContent = error.message;
  }
}

async function follow(opener) {
  const wallet = opener.dataset.follow;
  const was = opener.dataset.following === "true";
  opener.disabled = true;
  try {
    await ask(was ? "DELETE" : "POST", "/api/follows", { wallets: [wallet] });
    for (const one of document.querySelectorAll(`[data-follow="${CSS.escape(wallet)}"]`)) {
      one.dataset.following = String(!was);
      one.textContent = was ? "Follow" : "Unfollow";
    }
    tell(was ? "You follow him no longer." : "You follow him now.");
  } catch (error) {
    tell(error.message, true);
  } finally {
    opener.disabled = false;
  }
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest?.("[data-follow], [data-pin]");
  if (opener?.dataset.follow) follow(opener);
  else if (opener) togglePin(opener.closest("[data-trade]"), adopt, forget);
});

const filters = document.querySelector(".feed-filters");
filters?.addEventListener("toggle", async () => {
  const place = filters.querySelector("[data-filters]");
  if (!filters.open || place.querySelector("form")) return;
  try {
    place.replaceChildren(nodesOf(await askHtml(place.dataset.filters)));
  } catch (error) {
    tell(error.message, true);
  }
});

for (const card of feed.querySelectorAll("[data-trade]")) adopt(card);
showPins(adopt, forget);
if (feed.dataset.stream) listen(feed.dataset.stream);
if (feed.dataset.again) setInterval(lookAgain, Number(feed.dataset.again) * 1000);
