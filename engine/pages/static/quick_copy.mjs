// A quick copy: checked without sending, then placed once. Each dialog has one key, so that whatever is pressed or sent twice
// is the same order.

import { ask } from "./api.mjs";
import { element } from "./html.mjs";
import { described, follow, mayHaveBeenTaken, newKey, SAME_AGAIN, usd } from "./placed_order.mjs";
import { cents } from "./prices.mjs";

const PRICE_MAX = 0.9999;
const STATES = new WeakMap(); // dialog part → what it is doing

function stateOf(part) {
  if (!STATES.has(part)) STATES.set(part, { key: newKey("copy"), body: null, isPlacing: false });
  return STATES.get(part);
}

const number = (text) => Number(String(text).trim().replace(",", "."));

/** Returns the highest tick that is not above best price and slippage. */
export function limitPrice(ask_, slippagePct, tick) {
  const steps = Math.round(1 / tick);
  const most = Math.min(PRICE_MAX, 1 - tick);
  const wanted = Math.floor(ask_ * (1 + slippagePct / 100) * steps + 1e-9) / steps;
  return Number(Math.max(tick, Math.min(most, wanted)).toFixed(4));
}

function bodyOf(form, key) {
  const { token, condition, trader, outcome, ask: best, tick } = form.dataset;
  const values = Object.fromEntries(new FormData(form));
  return {
    orderIntentId: key,
    account: values.account,
    conditionId: condition,
    tokenId: token,
    side: "BUY",
    price: limitPrice(Number(best), number(values.slippage) || 0, Number(tick)),
    amount: number(values.amount),
    inputMode: "usd",
    orderType: values.orderType,
    copiedTrader: trader,
    autoClose: values.autoClose === "on",
    ...(outcome ? { outcome } : {}),
  };
}

function showLimit(form) {
  form.querySelector("[data-limit]").textContent = cents(bodyOf(form, "").price);
}

function facts(place, rows) {
  place.replaceChildren(
    ...rows.map(([name, value]) => {
      const row = document.createElement("div");
      row.append(element("dt", name), element("dd", value));
      return row;
    }),
  );
}

function say(part, text, isBad = false) {
  part.querySelector("[data-fate]").replaceChildren(element("p", text, isBad ? "notice bad" : "notice"));
}

function lock(part, isLocked) {
  for (const field of part.querySelector("[data-copy-form]").elements) field.disabled = isLocked;
}

function uncheck(part) {
  stateOf(part).body = null;
  part.querySelector("[data-checked]").hidden = true;
}

async function check(part) {
  const form = part.querySelector("[data-copy-form]");
  const state = stateOf(part);
  uncheck(part);
  const body = bodyOf(form, state.key);
  if (!(body.amount > 0) || !(number(form.elements.slippage.value) >= 0)) {
    say(part, "Amount and slippage have to be numbers above zero.", true);
    return;
  }
  lock(part, true);
  say(part, "Checking …");
  try {
    const told = await ask("POST", "/api/polymarket/orders/dry-run", body);
    const cost = told.sizeShares * told.limitPrice;
    facts(part.querySelector("[data-checked-facts]"), [
      ["Shares", String(told.sizeShares)],
      ["Pays at most, a share", cents(told.limitPrice)],
      ["For the shares, at most", usd(cost)],
      ["Fee, at most", usd(Math.max(0, told.lockUsd - cost))],
      ["Costs at most", usd(told.lockUsd)],
    ]);
    state.body = body;
    const place = part.querySelector("[data-place]");
    place.textContent = `Buy for at most ${usd(told.lockUsd)}`;
    place.disabled = false;
    part.querySelector("[data-checked]").hidden = false;
    say(part, "Nothing was sent yet.");
    place.focus();
  } catch (error) {
    say(part, `It would not be placed: ${error.message}`, true);
  } finally {
    lock(part, false);
  }
}


async function place(part) {
  const state = stateOf(part);
  if (!state.body || state.isPlacing) return;
  state.isPlacing = true;
  const button = part.querySelector("[data-place]");
  button.disabled = true;
  lock(part, true);
  say(part, "Sending …");
  try {
    const placed = await ask("POST", "/api/polymarket/orders/place", { ...state.body, confirm: true });
    part.querySelector("[data-checked]").hidden = true;
    const order = await follow(placed, (one, isBad) => say(part, fateOf(one), isBad), () => part.isConnected);
    if (!order.ended && part.isConnected) say(part, `${fateOf(order)} It is no longer asked for here: see the page of live trading.`);
  } catch (error) {
    if (mayHaveBeenTaken(error)) {
      say(part, `${error.message} ${SAME_AGAIN}`, true);
      button.textContent = "Send the same order again";
      button.disabled = false;
    } else {
      say(part, `It was not placed: ${error.message}`, true);
      lock(part, false);
      uncheck(part);
    }
  } finally {
    state.isPlacing = false;
  }
}

function fateOf(order) {
  return described(order, "bought", Number(order.filledShares).toLocaleString("en-US", { maximumFractionDigits: 2 }));
}

document.addEventListener("submit", (event) => {
  const part = event.target.closest?.("[data-quick-copy]");
  if (!part) return;
  // Before the handler of common forms: this one needs its key and its price.
  event.preventDefault();
  event.stopImmediatePropagation();
  check(part);
}, true);
document.addEventListener("input", (event) => {
  const form = event.target.closest?.("[data-copy-form]");
  if (!form) return;
  uncheck(form.closest("[data-quick-copy]"));
  showLimit(form);
});
document.addEventListener("click", (event) => {
  const part = event.target.closest?.("[data-place]")?.closest("[data-quick-copy]");
  if (part) place(part);
});
// A dialog that opens shows at once what it would pay at most.
new MutationObserver(() => {
  for (const form of document.querySelectorAll("[data-copy-form]:not([data-shown])")) {
    form.dataset.shown = "";
    showLimit(form);
  }
}).observe(document.body, { childList: true, subtree: true });
