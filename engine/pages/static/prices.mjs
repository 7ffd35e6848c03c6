// Live prices of whatever stands on the page: one stream for all markets, opened anew when they change.

const MARKETS_MAX = 100;
let source = null;
let asked = "";
const listeners = new Map(); // condition id → set of functions

/** Calls `changed(market)` with each new price of a market until the returned function is called. */
export function watch(conditionId, changed) {
  const set = listeners.get(conditionId) ?? new Set();
  set.add(changed);
  listeners.set(conditionId, set);
  plan();
  return () => {
    set.delete(changed);
    if (!set.size) listeners.delete(conditionId);
    plan();
  };
}

/** Returns the price of a token in a market, or null when nobody tells it. */
export function priceOf(market, tokenId) {
  const index = market.tokenIds?.indexOf(tokenId) ?? -1;
  return index < 0 || !market.outcomePrices ? null : market.outcomePrices[index];
}

/** Returns a price in cents as the server writes it. */
export function cents(price) {
  return price === null ? "unmarked" : `${Number((price * 100).toFixed(2))}¢`;
}

let planned = false;
function plan() {
  if (planned) return;
  planned = true;
  setTimeout(() => {
    planned = false;
    const wanted = [...listeners.keys()].slice(0, MARKETS_MAX).sort();
    const query = wanted.map((id) => `conditionId=${encodeURIComponent(id)}`).join("&");
    if (query === asked && source?.readyState !== 2) return;
    asked = query;
    source?.close();
    source = null;
    if (!wanted.length || document.hidden) return;
    source = new EventSource(`/api/polymarket/price/stream?${query}`);
    source.addEventListener("message", (event) => {
      const market = JSON.parse(event.data);
      for (const changed of listeners.get(market.conditionId) ?? []) changed(market);
    });
  }, 150);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    source?.close();
    source = null;
    asked = "";
  } else plan();
});
