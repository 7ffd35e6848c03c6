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

let isKnown = "";
document.addEventListener("submit", async (event) => {
  if (event.target !== form) return;
  for (const field of [conditionId, trader]) field.value = field.value.trim().toLowerCase();
  // What a browser writes has no zone: it is UTC here.
  at.type = "text";
  if (at.value && !/Z$/.test(at.value)) at.value = `${at.value}Z`;
  if (isKnown === conditionId.value) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  try {
    const { missing } = await ask("POST", "/api/markets/ensure", { conditionIds: [conditionId.value] });
    if (missing.length) {
      showRefusal(form, { message: "The venue has no such market.", field: "conditionId", problems: [] });
      return;
    }
    isKnown = conditionId.value;
    form.requestSubmit();
  } catch (error) {
    showRefusal(form, { ...error, message: error.message, field: error.field?.startsWith("conditionIds") ? "conditionId" : null });
  }
}, true);
