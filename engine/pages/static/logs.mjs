// New lines of the log every 10 s, until somebody pauses it.

import { askHtml } from "./api.mjs";
import { nodesOf } from "./html.mjs";
import { refresh } from "./times.mjs";

const EVERY_MS = 10_000;
const lines = document.querySelector("[data-lines][data-refresh]");
const state = document.querySelector("[data-log-state]");
const button = document.querySelector("[data-log-pause]");
let isPaused = false;

async function load() {
  if (isPaused || document.hidden) return;
  try {
    const nodes = nodesOf(await askHtml(lines.dataset.refresh));
    const box = lines.querySelector(".table");
    const [top, left] = [box?.scrollTop ?? 0, box?.scrollLeft ?? 0];
    const isWithin = lines.contains(document.activeElement);
    if (isPaused || isWithin) return; // whoever stands on a link keeps it
    lines.replaceChildren(nodes);
    lines.querySelector(".table")?.scrollTo(left, top);
    refresh(lines);
    state.textContent = "Refreshes every 10 s.";
  } catch (error) {
    state.textContent = `Not refreshed: ${error.message}`;
  }
}

if (lines && button) {
  setInterval(load, EVERY_MS);
  document.addEventListener("visibilitychange", load);
  button.addEventListener("click", () => {
    isPaused = !isPaused;
    button.setAttribute("aria-pressed", String(isPaused));
    button.textContent = isPaused ? "Go on" : "Pause";
    state.textContent = isPaused ? "Paused." : "Refreshes every 10 s.";
    load();
  });
}
