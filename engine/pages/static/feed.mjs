// New trades appear on top, prices tick.

import { nodesOf } from "./html.mjs";
import { cents, priceOf, watch } from "./prices.mjs";
import { refresh } from "./times.mjs";

const CARDS_MAX = 200;
const feed = document.querySelector("[data-feed]");
const state = document.querySelector("[data-feed-state]");
const watched = new WeakMap();

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

function follow(root) {
  for (const card of root.querySelectorAll("[data-trade]")) visible.observe(card);
}

function forget(card) {
  visible.unobserve(card);
  watched.get(card)?.();
  watched.delete(card);
  card.remove();
}

function listen() {
  const source = new EventSource("/api/v2/feed/cards");
  source.addEventListener("open", () => (state.textContent = "Live"));
  source.addEventListener("error", () => (state.textContent = "Connection lost, trying again …"));
  source.addEventListener("message", (event) => {
    const card = nodesOf(event.data).querySelector("[data-trade]");
    if (!card || feed.querySelector(`[data-trade="${CSS.escape(card.dataset.trade)}"]`)) return;
    feed.prepend(card);
    refresh(card);
    visible.observe(card);
    document.querySelector("main .empty")?.remove();
    while (feed.children.length > CARDS_MAX) forget(feed.lastElementChild);
  });
  // Trades were missed: the page itself knows them.
  source.addEventListener("resync", () => location.reload());
}

follow(feed);
if ("live" in feed.dataset) listen();
