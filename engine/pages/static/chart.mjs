// A crosshair on charts: the value under the pointer, from the numbers that the drawing carries.

import { element } from "./html.mjs";

const SAY = {
  usd: (value) => `${value < 0 ? "−" : ""}$${Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`,
  percent: (value) => `${(value * 100).toFixed(2)}%`.replace("-", "−"),
  number: (value) => value.toLocaleString("en-US").replace("-", "−"),
};
const time = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" });
const tip = element("div", "", "chart-tip");
tip.hidden = true;
document.body.append(tip);

const read = new WeakMap();
function numbersOf(plot) {
  if (!read.has(plot)) {
    const parse = (text) => (text ? JSON.parse(text) : []);
    read.set(plot, { points: parse(plot.dataset.points), baseline: parse(plot.dataset.baseline) });
  }
  return read.get(plot);
}

/** Returns the point nearest to an offset, of points in order. */
function nearest(points, offset) {
  let low = 0;
  let high = points.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle][0] <= offset) low = middle;
    else high = middle;
  }
  if (!points.length) return null;
  return offset - points[low][0] <= points[high][0] - offset ? points[low] : points[high];
}

document.addEventListener("pointermove", (event) => {
  const plot = event.target.closest?.(".chart")?.querySelector(".chart-plot");
  if (!plot?.dataset.points) {
    tip.hidden = true;
    return;
  }
  const box = plot.getBoundingClientRect();
  const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  const start = Number(plot.dataset.start);
  const { points, baseline } = numbersOf(plot);
  const point = nearest(points, share * (Number(plot.dataset.end) - start));
  if (!point) return;
  const say = (value) => (value === null ? "unmarked" : SAY[plot.dataset.unit](value));
  const other = nearest(baseline, point[0]);
  tip.textContent = `${time.format(start + point[0])} UTC: ${say(point[1])}${other ? ` (${say(other[1])})` : ""}`;
  tip.hidden = false;
  const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${Math.max(8, event.clientY - tip.offsetHeight - 12)}px`;
});
addEventListener("scroll", () => (tip.hidden = true), { passive: true });
