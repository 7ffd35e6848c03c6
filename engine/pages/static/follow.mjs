// Following without loading the page anew: a button that was pressed says what is true now, wherever the trader stands.

import { tell } from "./dialogs.mjs";

function show(form, isFollowed) {
  form.dataset.api = `${isFollowed ? "DELETE" : "POST"} /api/follows`;
  const button = form.querySelector("button");
  button.setAttribute("aria-pressed", String(isFollowed));
  button.classList.toggle("primary", !isFollowed);
  form.querySelector("[data-follow-label]").textContent = isFollowed ? "Following" : "Follow";
}

document.addEventListener("answered", (event) => {
  const wallet = event.target.dataset.follow;
  if (wallet) {
    const isFollowed = event.target.dataset.api.startsWith("POST");
    for (const form of document.querySelectorAll(`[data-follow="${CSS.escape(wallet)}"]`)) show(form, isFollowed);
    tell(isFollowed ? "You follow this trader now." : "You do not follow this trader any more.");
  }
});

// Many wallets at once: what is none is said before anything is sent.
const WALLETS_MAX = 10_000;
const bulk = document.querySelector("[data-bulk-follow]");
const field = bulk?.querySelector("textarea");

function counted() {
  const words = field.value.split(/[\s,;]+/).filter(Boolean);
  const wrong = words.find((word) => !/^0[xX][0-9a-fA-F]{40}$/.test(word));
  const different = new Set(words.map((word) => word.toLowerCase())).size;
  const problem = wrong
    ? `“${wrong.slice(0, 50)}” is not a wallet.`
    : words.length > WALLETS_MAX ? `${words.length.toLocaleString("en-US")} are more than 10,000.` : "";
  field.setCustomValidity(problem);
  bulk.querySelector("[data-wallet-count]").textContent =
    problem || (words.length ? `${different.toLocaleString("en-US")} wallet${different === 1 ? "" : "s"}` : "");
}

field?.addEventListener("input", counted);
field?.addEventListener("change", () => (field.value = field.value.replaceAll(";", " ")));
bulk?.addEventListener("answered", (event) => {
  const { changed } = event.detail;
  sessionStorage.setItem("said", `${changed.toLocaleString("en-US")} more followed.`);
  location.assign("/following");
});
