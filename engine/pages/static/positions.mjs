// What live positions are worth now: prices tick, nothing is guessed where there is none.

import { cents, priceOf, watch } from "./prices.mjs";

const UNMARKED = "unmarked";
const money = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const rows = [...document.querySelectorAll("tr[data-token]")];
const worths = new Map();

function write(cell, value, isSigned) {
  if (!cell) return;
  const rounded = value === null ? null : Number(value.toFixed(2)) || 0;
  const text = rounded === null ? UNMARKED : (isSigned && rounded > 0 ? "+" : "") + money.format(rounded).replace("-", "−");
  if (cell.textContent !== text) cell.textContent = text;
  if (isSigned) {
    cell.classList.toggle("gain", rounded > 0);
    cell.classList.toggle("loss", rounded < 0);
  }
}

function sum() {
  const marked = rows.filter((row) => worths.has(row));
  if (marked.length < rows.length) return; // a sum of some would look like the sum of all
  const worth = marked.reduce((total, row) => total + worths.get(row), 0);
  const cost = rows.reduce((total, row) => total + Number(row.dataset.cost), 0);
  write(document.querySelector("[data-worth-sum]"), worth, false);
  write(document.querySelector("[data-profit-sum]"), worth - cost, true);
}

for (const row of rows) {
  watch(row.dataset.condition, (market) => {
    const price = priceOf(market, row.dataset.token);
    row.querySelector("[data-now-price]").textContent = cents(price);
    const worth = price === null ? null : price * Number(row.dataset.shares);
    if (worth === null) worths.delete(row);
    else worths.set(row, worth);
    write(row.querySelector("[data-worth]"), worth, false);
    write(row.querySelector("[data-profit]"), worth === null ? null : worth - Number(row.dataset.cost), true);
    sum();
  });
}
