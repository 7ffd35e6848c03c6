// Recording a copy: the market is made known first, and the same form sent twice is the same copy.

import { ask } from "./api.mjs";
import { showRefusal } from "./forms.mjs";

const form = document.querySelector("[data-record]");
const { conditionId, trader, price, shares, feeUsd, side, at, orderId } = form.elements;
const bytes = crypto.getRandomValues(new Uint8Array(12));
orderId.value = `recorded-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;

function showSum() {
  const [each, count, fee] = [price, shares, feeUsd].map((field) => Number(field.value || 0));
  const place = form.querySelector("[data-sum]");
  if (!(each > 0) || !(count > 0)) {
    place.textContent = "Price and shares tell what it came to.";
    return;
  }
  const isBuy = side.value === "BUY";
  const sum = each * count + (isBuy ? fee : -fee);
  const text = sum.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  place.textContent = `${isBuy ? "It cost" : "It brought"} ${text} USD${fee ? ", with the fee" : ""}.`;
}
form.addEventListener("input", showSum);
showSum();

// The market: made known, then its name and outcomes are shown. Resolves to whether there is such a market.
const outcome = form.elements.outcome;
let known = "";
async function meet() {
  const id = conditionId.value.trim().toLowerCase();
  if (id === known) return true;
  const { missing } = await ask("POST", "/api/markets/ensure", { conditionIds: [id] });
  if (missing.length) {
    showRefusal(form, { message: "The venue has no such market.", field: "conditionId", problems: [] });
    return false;
  }
  const { market } = await ask("GET", `/api/polymarket/market?conditionId=${encodeURIComponent(id)}`);
  known = id;
  form.querySelector("[data-market]").textContent = market.question ?? "";
  const names = market.outcomes ?? [];
  form.querySelector("#outcomes").replaceChildren(...names.map((name) => {
    const option = document.createElement("option");
    option.value = name;
    return option;
  }));
  check(names);
  outcome.oninput = () => check(names);
  return true;
}

function check(names) {
  const fits = !names.length || names.some((name) => name.toLowerCase() === outcome.value.trim().toLowerCase());
  outcome.setCustomValidity(fits || !outcome.value ? "" : `This market has the outcomes ${names.join(", ")}.`);
}

function told(error) {
  const field = error.field?.startsWith("conditionIds") ? "conditionId" : null;
  showRefusal(form, { message: error.message, field, problems: [] });
}

function forget() {
  for (const each of form.querySelectorAll(".wrong")) each.remove();
  conditionId.removeAttribute("aria-invalid");
}

conditionId.addEventListener("change", () => {
  forget();
  if (conditionId.checkValidity()) meet().catch(told);
});
if (conditionId.value) meet().catch(told);

document.addEventListener("submit", async (event) => {
  if (event.target !== form) return;
  for (const field of [conditionId, trader]) field.value = field.value.trim().toLowerCase();
  // What a browser writes has no zone: it is UTC here.
  at.type = "text";
  if (at.value && !/Z$/.test(at.value)) at.value = `${at.value}Z`;
  if (known === conditionId.value) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  forget();
  try {
    if (await meet()) form.requestSubmit();
  } catch (error) {
    told(error);
  }
}, true);
