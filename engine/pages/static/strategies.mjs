// Bots, forward tests and live strategies: fresh snapshots, comparing, what follows after something was made, conflicts of versions.

import { ask } from "./api.mjs";
import { tell } from "./dialogs.mjs";
import { element } from "./html.mjs";

const AT_ONCE = 25;
const FRESH_MS = 60_000;
const UNMARKED = "unmarked";
const money = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const minus = (text) => text.replace("-", "−");

/** The twins of `usd` and `signed_usd` on the server. */
const usd = (value) => (value === null ? UNMARKED : minus(money.format(Math.abs(value) < 0.005 ? 0 : value)));
const signed = (value) => (value === null ? UNMARKED : (value >= 0.005 ? "+" : "") + usd(value));
const tone = (value) => (value === null || Math.abs(value) < 0.005 ? "flat" : value > 0 ? "gain" : "loss");

const WRITE = {
  returnPct: (one) => [one.returnPct === null ? UNMARKED : `${signed(one.returnPct)}\u202f%`, tone(one.returnPct)],
  totalPnl: (one) => [signed(one.totalPnl), tone(one.totalPnl)],
  realizedPnl: (one) => [signed(one.realizedPnl), tone(one.realizedPnl)],
  unrealizedPnl: (one) => [signed(one.unrealizedPnl), tone(one.unrealizedPnl)],
  balance: (one) => [one.totalPnl === null ? UNMARKED : usd(one.startingBalance + one.totalPnl), ""],
  cash: (one) => [usd(one.cash), ""],
  openExposure: (one) => [usd(one.openExposure), ""],
};

function show(root, snapshot) {
  for (const cell of root.querySelectorAll("[data-cell]")) {
    const [text, className] = WRITE[cell.dataset.cell](snapshot);
    if (cell.textContent.trim() === text) continue;
    cell.replaceChildren(element("span", text, className));
  }
}

const opener = document.querySelector("[data-snapshot]");
const state = document.querySelector("[data-snapshot-state]");

/** Takes snapshots of the strategies on the page, and shows what they say. */
async function refresh(isAsked) {
  const names = opener.dataset.snapshot.split(" ").filter(Boolean).slice(0, AT_ONCE);
  if (!names.length) return;
  opener.disabled = true;
  state.textContent = "Taking a snapshot …";
  try {
    const { snapshots } = await ask("POST", "/api/ft/snapshots-refresh", { walletIds: names });
    for (const { walletId, snapshot } of snapshots) {
      const root = document.querySelector(`[data-snapshots="${CSS.escape(walletId)}"]`);
      if (root) show(root, snapshot);
    }
    state.textContent = "Prices of just now.";
    sessionStorage.setItem(`snapshot ${names.join(" ")}`, String(Date.now()));
    if (isAsked) {
      sessionStorage.setItem("said", "A snapshot was taken");
      location.reload(); // the curve has a point more
    }
  } catch (error) {
    state.textContent = "Prices as stored: a snapshot could not be taken.";
    if (isAsked) tell(error.message, true);
  }
  opener.disabled = false;
}

if (opener && state) {
  opener.addEventListener("click", () => refresh(true));
  const before = Number(sessionStorage.getItem(`snapshot ${opener.dataset.snapshot.split(" ").slice(0, AT_ONCE).join(" ")}`));
  // Not for each tab that is opened: a snapshot is kept for ever.
  if (!before || Date.now() - before > FRESH_MS) refresh(false);
}

const compare = document.querySelector("[data-compare]");
if (compare) {
  const most = Number(compare.dataset.compare);
  const boxes = [...compare.querySelectorAll('input[name="id"]')];
  const said = compare.querySelector("[data-compare-said]");
  const go = compare.querySelector("[data-compare-go]");
  const update = () => {
    const ticked = boxes.filter((one) => one.checked).length;
    for (const one of boxes) one.disabled = !one.checked && ticked >= most;
    go.disabled = ticked < 1;
    said.textContent = ticked ? `${ticked} of at most ${most}.` : `Tick up to ${most} strategies.`;
  };
  compare.addEventListener("change", update);
  addEventListener("pageshow", update);
  update();
}

document.addEventListener("answered", (event) => {
  const form = event.target;
  const answer = event.detail;
  if (form.matches("[data-open-bot]")) {
    sessionStorage.setItem("said", "The bot is made");
    location.assign(`/v2/bots/${encodeURIComponent(answer.strategies[0].walletId)}?tab=settings`);
  } else if (form.matches("[data-open-live]")) {
    sessionStorage.setItem("said", "Made, and paused");
    location.assign(`/lt/${encodeURIComponent(answer.strategy.strategyId)}?tab=risk`);
  }
});

// Somebody was faster: what was typed stays, and nothing of his is overwritten.
document.addEventListener("refused", (event) => {
  const { code, message } = event.detail;
  const place = event.target.querySelector("[data-conflict]");
  if (code !== "version_conflict" || !place) return;
  event.preventDefault();
  const notice = element("div", "", "notice bad");
  notice.setAttribute("role", "alert");
  notice.dataset.faster = "";
  notice.append(element("strong", "Somebody was faster. "), `Nothing was saved: ${message}. What you typed still stands here. `);
  const link = element("a", "Load the new version");
  link.href = location.href;
  notice.append(link);
  place.replaceChildren(notice);
  notice.scrollIntoView({ block: "center" });
});

const template = document.querySelector("[data-template]");
template?.addEventListener("change", () => {
  for (const one of document.querySelectorAll("[data-template-shown]")) one.open = one.dataset.templateShown === template.value;
});

// On a telephone the tab that is open may lie beside the screen.
const tab = document.querySelector('.tabs [aria-current="page"]');
if (tab) tab.parentElement.scrollLeft = tab.offsetLeft - (tab.parentElement.clientWidth - tab.offsetWidth) / 2;
