// Keeps "3 s ago" true. The server's clock counts, not the browser's.

const began = performance.now();
const serverBegan = Number(document.body.dataset.now) || Date.now();

/** Returns the time of the server in milliseconds. */
export const now = () => serverBegan + (performance.now() - began);

const UNITS = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
  [1, "s"],
];

/** Returns how long ago a time was, or how far ahead it is, in one unit; the twin of `ago` on the server. */
export function ago(atMs) {
  const age = now() - atMs;
  const seconds = Math.floor(Math.abs(age) / 1000);
  const [size, unit] = UNITS.find(([size]) => seconds >= size) ?? [1, "s"];
  const text = `${Math.floor(seconds / size)} ${unit}`;
  return age < -999 ? `in ${text}` : `${text} ago`;
}

/** Writes the relative times below a node anew. */
export function refresh(root = document) {
  for (const each of root.querySelectorAll("time[datetime]")) {
    const text = ago(Date.parse(each.dateTime));
    if (each.textContent !== text) each.textContent = text;
  }
}

setInterval(() => document.hidden || refresh(), 1000);
document.addEventListener("visibilitychange", () => document.hidden || refresh());
