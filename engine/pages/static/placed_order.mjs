// An order by hand, from its key to its end: what both who buys and who sells has to know.

import { ask } from "./api.mjs";

const POLL_MS = 2_000;
const POLLS_MAX = 60;

export const usd = (value) => `${Number(value).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 4 })} USD`;

/** Returns a new key: what is sent with the same one again is the same order. */
export function newKey(prefix) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `${prefix}-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** Whether nobody can know if the order was taken: then only the very same order may be sent again. */
export const mayHaveBeenTaken = (error) =>
  error.status === 0 || error.status === 408 || error.status === 429 || error.status >= 500 || error.code === "not_json";

export const SAME_AGAIN = "Nobody knows yet whether the order was taken. Sending it again is the same order, not a second one.";

/** Returns what became of an order, in words. `done` is "bought" or "sold", `shares` how many were, as text. */
export function described(order, done, shares) {
  if (!order.isKnown) return "It was sent, and nobody knows yet whether the venue has it. Its status is asked for; do not place another one.";
  const filled = Number(order.filledShares) ? ` ${shares} shares for ${usd(order.filledUsd)}.` : "";
  const why = order.reason ? ` ${order.reason}${order.detail ? `: ${order.detail}` : ""}.` : "";
  const words = {
    PLACED: "It is on its way.",
    PENDING: "The venue has it; it is not filled yet.",
    PARTIAL: order.ended ? `A part was ${done}:` : `A part is ${done}, the rest is open:`,
    FILLED: `${done[0].toUpperCase()}${done.slice(1)}:`,
    CANCELLED: "It was cancelled.",
    REJECTED: "The order was refused.",
    LOST: "Nobody can tell what became of it. Look at your account at the venue.",
  };
  return `${words[order.status] ?? order.status}${filled}${why}`;
}

/** Shows an order until it has ended, nobody looks on, or two minutes are over; returns how it stood last. */
export async function follow(first, show, isWatched) {
  let order = first;
  for (let polls = 0; ; polls += 1) {
    show(order, ["REJECTED", "LOST"].includes(order.status));
    if (order.ended || !isWatched() || polls >= POLLS_MAX) return order;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    order = await ask("GET", `/api/polymarket/orders/${order.orderId}/status`).catch(() => order);
  }
}
