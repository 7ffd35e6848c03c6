// The test of channels, and a new token, which is shown once.

import { element } from "./html.mjs";

document.querySelector("[data-test]")?.addEventListener("answered", (event) => {
  const { deliveries, isOver } = event.detail;
  const said = deliveries.map((one) => `${one.channel}: ${one.status}${one.error ? ` (${one.error})` : ""}`);
  if (!isOver) said.push("still being sent, see your notices later");
  document.querySelector("[data-test-result]").textContent = said.join("; ") || "No channel is meant for you.";
});

document.querySelector("[data-new-token]")?.addEventListener("answered", (event) => {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-label", "The new token");
  const text = element("p", event.detail.token, "mono notice");
  text.dataset.madeToken = "";
  const copy = element("button", "Copy", "primary");
  copy.type = "button";
  copy.addEventListener("click", async () => {
    await navigator.clipboard?.writeText(event.detail.token);
    copy.textContent = "Copied";
  });
  const close = element("button", "I have it");
  close.type = "button";
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => location.reload());
  const actions = element("div", "", "actions");
  actions.append(copy, close);
  dialog.append(element("p", "Keep this token now: it is not shown again."), text, actions);
  document.body.append(dialog);
  dialog.showModal();
});
