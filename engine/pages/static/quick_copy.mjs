// A quick copy: checked without sending, then placed once. Each dialog has one key, so that whatever is pressed or sent twice
// is the same order.

import { ask } from "./api.mjs";
import { element } from "./html.mjs";
import { cents } from "./prices.mjs";

const POLL_MS = 2_000;
const POLLS_MAX = 60;
const PRICE_MAX = 0.9999;
const STATES = new WeakMap(); // dialog part → what it is doing

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `copy-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

function stateOf(part) {
  if (!STATES.has(part)) STATES.set(part, { key: newKey(), body: null, isPlacing: false });
  return STATES.get(part);
}

const number = (text) => Number(String(text).trim().replace(",", "."));
const usd = (value) => `${Number(value).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 4 })} USD`;

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

/** Whether nobody can know if the order was taken: then only the very same order may be sent again. */
const isUnknown = (error) => error.status === 0 || error.status === 408 || error.status >= 500 || error.code === "not_json";

async function place(part) {
  const state = stateOf(part);
  if (!state.body || state.isPlacing) return;
  state.isPlacing = true;
  const button = part.querySelector("[data-place]");
  button.disabled = true;
  lock(part, true);
  say(part, "Sending …");
  try {
    await follow(part, await ask("POST", "/api/polymarket/orders/place", { ...state.body, confirm: true }));
  } catch (error) {
    if (isUnknown(error) || error.status === 429) {
      say(part, `${error.message} Nobody knows yet whether the order was taken. Sending it again is the same order, not a second one.`, true);
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

function described(order) {
  if (!order.isKnown) return "It was sent, and nobody knows yet whether the venue has it. Its status is asked for; do not place another one.";
  const filled = Number(order.filledShares) ? ` ${Number(order.filledShares).toLocaleString("en-US", { maximumFractionDigits: 2 })} shares for ${usd(order.filledUsd)}.` : "";
  const why = order.reason ? ` ${order.reason}${order.detail ? `: ${order.detail}` : ""}.` : "";
  const words = {
    PLACED: "It is on its way.",
    PENDING: "The venue has it; it is not filled yet.",
    PARTIAL: order.ended ? "A part was bought:" : "A part is bought, the rest is open:",
    FILLED: "Bought:",
    CANCELLED: "It was cancelled.",
    REJECTED: "The order was refused.",
    LOST: "Nobody can tell what became of it. Look at your account at the venue.",
  };
  return `${words[order.status] ?? order.status}${filled}${why}`;
}

/** Shows what became of an order until that is certain, or for two minutes. */
async function follow(part, first) {
  part.querySelector("[data-checked]").hidden = true;
  let order = first;
  for (let polls = 0; ; polls += 1) {
    say(part, described(order), ["REJECTED", "LOST"].includes(order.status));
    if (order.ended || !part.isConnected) return;
    if (polls >= POLLS_MAX) break;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    order = await ask("GET", `/api/polymarket/orders/${order.orderId}/status`).catch(() => order);
  }
  say(part, `${described(order)} It is no longer asked for here: see the page of live trading.`);
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
