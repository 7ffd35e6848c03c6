// Open positions at prices that tick, totals that follow them, and the dialogs of what may be done.

import { ask } from "./api.mjs";
import { tell } from "./dialogs.mjs";
import { showRefusal } from "./forms.mjs";
import { element } from "./html.mjs";
import { cents, priceOf, watch } from "./prices.mjs";
import { ago, now } from "./times.mjs";

const grouped = { minimumFractionDigits: 2, maximumFractionDigits: 2 };

/** Returns an amount as the server writes it. */
export function usd(value, isSigned = false) {
  const rounded = Number(value.toFixed(2));
  const text = Math.abs(rounded).toLocaleString("en-US", grouped);
  return `${rounded < 0 ? "−" : isSigned && rounded > 0 ? "+" : ""}${text}`;
}

const tone = (value) => (Number(value.toFixed(2)) === 0 ? "flat" : value > 0 ? "gain" : "loss");

function put(cell, text, className) {
  if (cell.textContent === text) return;
  const shown = element("span", text, className ?? "");
  cell.replaceChildren(shown);
  shown.classList.add("moved");
}

// What the server counted of each row, and what the row is worth now: totals are the server's plus the differences, so that
// they cover all positions, also those on other pages.
const rows = new Map(); // row → { was, is, cost }
const totals = [...document.querySelectorAll("[data-total]")].map((place) => ({
  place, name: place.dataset.total, value: place.dataset.value === "" ? null : Number(place.dataset.value),
}));

function showTotals() {
  let worth = 0;
  let gain = 0;
  for (const { was, is, cost } of rows.values()) {
    if (is === null) continue;
    worth += is - (was ?? 0);
    gain += is - (was ?? cost);
  }
  const touched = [...rows.values()].some(({ is }) => is !== null);
  if (!touched) return;
  for (const { place, name, value } of totals) {
    const total = (value ?? 0) + (name === "openValueUsd" ? worth : gain);
    const isSigned = "signed" in place.dataset;
    put(place, usd(total, isSigned), isSigned ? tone(total) : "");
  }
}

let planned = false;
function planTotals() {
  if (planned) return;
  planned = true;
  requestAnimationFrame(() => {
    planned = false;
    showTotals();
  });
}

function tick(row, market) {
  const price = priceOf(market, row.dataset.token);
  if (price === null) return;
  const state = rows.get(row);
  state.is = Number(row.dataset.shares) * Number(price);
  put(row.querySelector("[data-price]"), cents(Number(price)));
  put(row.querySelector("[data-value]"), usd(state.is));
  put(row.querySelector("[data-gain]"), usd(state.is - state.cost, true), tone(state.is - state.cost));
  const age = row.querySelector("[data-price-age]");
  const at = market.asOf ? Date.parse(market.asOf) : now();
  if (age) {
    const time = age.querySelector("time") ?? document.createElement("time");
    time.dateTime = new Date(at).toISOString();
    time.title = time.dateTime;
    time.textContent = ago(at);
    if (!time.isConnected) age.replaceChildren(time);
    age.title = "By a quote";
  }
  planTotals();
}

const stops = new Map();
const visible = new IntersectionObserver((entries) => {
  for (const { target: row, isIntersecting } of entries) {
    if (isIntersecting && !stops.has(row)) {
      stops.set(row, watch(row.dataset.condition, (market) => tick(row, market)));
    } else if (!isIntersecting && stops.has(row)) {
      stops.get(row)();
      stops.delete(row);
    }
  }
}, { rootMargin: "200px" });

for (const row of document.querySelectorAll('[data-positions="open"] tr[data-condition]')) {
  const { worth, cost } = row.dataset;
  rows.set(row, { was: worth === "" ? null : Number(worth), is: null, cost: Number(cost) });
  visible.observe(row);
}

// Dialogs: a button fills one in and opens it.
function pairsOf(text) {
  return new Map(text.trim().split(/\s+/).filter(Boolean).map((pair) => pair.split("=")));
}

function fillAuto(form, opener) {
  const armed = pairsOf(opener.dataset.armed);
  const { copiedTrader, enabled, slippagePct } = form.elements;
  copiedTrader.replaceChildren(...opener.dataset.traders.split(" ").map((wallet) => {
    const option = element("option", `${wallet.slice(0, 6)}…${wallet.slice(-4)}${armed.has(wallet) ? " · on" : ""}`);
    option.value = wallet;
    return option;
  }));
  const show = () => {
    enabled.checked = armed.has(copiedTrader.value);
    slippagePct.value = Number(armed.get(copiedTrader.value) ?? 2);
  };
  copiedTrader.onchange = show;
  show();
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest?.("[data-open]");
  const dialog = opener && document.querySelector(`[data-dialog="${opener.dataset.open}"]`);
  if (dialog) {
    const form = dialog.querySelector("form");
    for (const field of form.elements) {
      // Attributes are lower case in a document: data-fill-tokenid.
      const given = opener.getAttribute(`data-fill-${field.name.toLowerCase()}`);
      if (field.name && given !== null) field.value = given;
    }
    dialog.querySelector("[data-about]").textContent = opener.dataset.about;
    if (opener.dataset.orders) form.dataset.orders = opener.dataset.orders;
    if (form.matches("[data-auto-form]")) fillAuto(form, opener);
    dialog.showModal();
  }
  event.target.closest?.("[data-dismiss]")?.closest("dialog").close();
});

// A position may consist of several copies: each is closed at the price. Doing it again changes nothing, so what failed half way may be tried anew.
async function close(form) {
  const ids = form.dataset.orders.split(" ");
  const price = form.elements.price.value.trim();
  const button = form.querySelector("button.primary");
  button.disabled = true;
  let done = 0;
  try {
    for (const id of ids) {
      await ask("POST", `/api/portfolio/orders/${encodeURIComponent(id)}/close`, { price });
      done += 1;
    }
    sessionStorage.setItem("said", done === 1 ? "The copy is closed." : `${done} copies are closed.`);
    location.reload();
  } catch (error) {
    showRefusal(form, error);
    if (ids.length > 1) tell(`${done} of ${ids.length} copies are closed.`, true);
  } finally {
    button.disabled = false;
  }
}

document.addEventListener("submit", (event) => {
  if (event.target.matches?.("[data-close-form]")) {
    event.preventDefault();
    event.stopImmediatePropagation();
    close(event.target);
  }
}, true);

// Whether the copied traders still hold it.
document.querySelector("[data-check-held]")?.addEventListener("answered", (event) => {
  const { positions } = event.detail;
  const count = (wanted) => positions.filter((one) => one.stillHolds === wanted).length;
  const place = document.querySelector("[data-held]");
  place.textContent = positions.length
    ? `Of ${positions.length} copied positions the trader still holds ${count(true)}, holds no more ${count(false)}; of ${count(null)} nobody has looked since.`
    : "Nothing is open that names its trader.";
  place.hidden = false;
});
