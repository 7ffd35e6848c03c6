// Messages, questions and drawers.

import { askHtml } from "./api.mjs";
import { element, nodesOf } from "./html.mjs";
import { refresh } from "./times.mjs";

const TOAST_MS = 8000;

/** Shows a message in the corner; it is read out by screen readers. */
export function tell(text, isBad = false) {
  const toast = element("div", text, isBad ? "toast bad" : "toast");
  document.querySelector("[data-toasts]").append(toast);
  setTimeout(() => toast.remove(), TOAST_MS);
}

/** Asks a question and resolves to whether the answer was yes. Escape and the backdrop mean no. */
export function confirmed(question, { yes = "Yes", isDanger = false } = {}) {
  const dialog = document.createElement("dialog");
  const form = document.createElement("form");
  form.method = "dialog";
  const text = element("p", question);
  text.id = "question";
  dialog.setAttribute("aria-labelledby", "question");
  const actions = element("div", "", "actions");
  const no = element("button", "Cancel");
  no.value = "no";
  const go = element("button", yes, isDanger ? "danger" : "primary");
  go.value = "yes";
  actions.append(no, go);
  form.append(text, actions);
  dialog.append(form);
  document.body.append(dialog);
  dialog.showModal();
  no.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}

/** Opens a drawer with a piece of a page of ours. */
export async function openDrawer(path, label) {
  const dialog = element("dialog", "", "drawer");
  dialog.setAttribute("aria-label", label);
  const close = element("button", "Close");
  close.type = "button";
  close.addEventListener("click", () => dialog.close());
  const body = element("div", "Loading …");
  body.setAttribute("aria-busy", "true");
  dialog.append(close, body);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  try {
    body.replaceChildren(nodesOf(await askHtml(path)));
    refresh(body);
  } catch (error) {
    body.replaceChildren(element("p", error.message, "notice bad"));
  }
  body.removeAttribute("aria-busy");
  return dialog;
}
