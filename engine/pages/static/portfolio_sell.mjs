// Selling by hand: checked without sending, then placed once. Each drawer has one key, so that whatever is pressed or sent twice
// is the same order.

import { ask } from "./api.mjs";
import { showRefusal } from "./forms.mjs";
import { element } from "./html.mjs";
import { described, follow, mayHaveBeenTaken, newKey, SAME_AGAIN, usd } from "./placed_order.mjs";
import { cents } from "./prices.mjs";

function bodyOf(form) {
  const key = form.elements.orderIntentId;
  key.value ||= newKey("sell");
  return Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]));
}

function say(part, text, isBad = false) {
  part.querySelector("[data-fate]").replaceChildren(element("p", text, isBad ? "notice bad" : "notice"));
}

function lock(part, isLocked) {
  for (const field of part.querySelector("[data-sell-form]").elements) field.disabled = isLocked;
}

const checked = new WeakMap(); // drawer part → the body that was checked

async function check(part, form) {
  const body = bodyOf(form);
  for (const each of form.querySelectorAll(".wrong")) each.remove();
  lock(part, true);
  say(part, "Checking …");
  try {
    const told = await ask("POST", "/api/polymarket/orders/dry-run", body);
    const facts = [
      ["Shares", String(told.sizeShares)],
      ["Takes at least, a share", cents(Number(told.limitPrice))],
      ["Brings at least, if all is sold", `${usd(told.sizeShares * told.limitPrice)} before the fee`],
    ];
    part.querySelector("[data-checked-facts]").replaceChildren(...facts.map(([name, value]) => {
      const row = document.createElement("div");
      row.append(element("dt", name), element("dd", value));
      return row;
    }));
    checked.set(part, body);
    part.querySelector("[data-checked]").hidden = false;
    const place = part.querySelector("[data-place]");
    place.textContent = `Sell ${told.sizeShares} shares for at least ${cents(Number(told.limitPrice))} each`;
    place.disabled = false;
    say(part, "Nothing was sent yet.");
    place.focus();
  } catch (error) {
    say(part, `It would not be placed: ${error.message}`, true);
    if (error.field) showRefusal(form, error);
  } finally {
    lock(part, false);
  }
}

const fateOf = (order) => described(order, "sold", String(order.filledShares));

async function place(part) {
  const body = checked.get(part);
  const button = part.querySelector("[data-place]");
  if (!body || button.disabled) return;
  button.disabled = true;
  lock(part, true);
  say(part, "Sending …");
  try {
    const placed = await ask("POST", "/api/polymarket/orders/place", { ...body, confirm: true });
    part.querySelector("[data-checked]").hidden = true;
    const order = await follow(placed, (one, isBad) => say(part, fateOf(one), isBad), () => part.isConnected);
    // The figures behind the drawer are of before.
    if (order.ended) part.closest("dialog").addEventListener("close", () => location.reload());
    else say(part, `${fateOf(order)} It is no longer asked for here: see the page of live trading.`);
  } catch (error) {
    if (mayHaveBeenTaken(error)) {
      say(part, `${error.message} ${SAME_AGAIN}`, true);
      button.textContent = "Send the same order again";
      button.disabled = false;
    } else {
      say(part, `It was not placed: ${error.message}`, true);
      part.querySelector("[data-checked]").hidden = true;
      lock(part, false);
    }
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches?.("[data-sell-form]")) return;
  // Before the handler of common forms: this one needs its key.
  event.preventDefault();
  event.stopImmediatePropagation();
  check(form.closest("[data-sell]"), form);
}, true);
document.addEventListener("input", (event) => {
  const part = event.target.closest?.("[data-sell-form]")?.closest("[data-sell]");
  if (part) {
    checked.delete(part);
    part.querySelector("[data-checked]").hidden = true;
  }
});
document.addEventListener("click", (event) => {
  const part = event.target.closest?.("[data-sell] [data-place]")?.closest("[data-sell]");
  if (part) place(part);
});
