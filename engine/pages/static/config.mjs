// Gathers what was changed and sends it together: all of it is taken, or none.

import { ask } from "./api.mjs";
import { confirmed } from "./dialogs.mjs";
import { clearProblems, showRefusal } from "./forms.mjs";

const form = document.querySelector("[data-config]");
const bar = document.querySelector("[data-save-bar]");
const toDefault = new Set();

const READ = { boolean: (text) => text === "true", integer: Number, number: Number, text: (text) => text };

function changes() {
  const found = {};
  for (const field of form.elements) {
    if (!field.dataset?.kind) continue;
    const isChanged = toDefault.has(field.name) || field.value !== field.dataset.was;
    field.closest(".setting").toggleAttribute("data-changed", isChanged);
    if (toDefault.has(field.name)) found[field.name] = null;
    else if (isChanged) found[field.name] = READ[field.dataset.kind](field.value.trim());
  }
  return found;
}

function refresh() {
  const count = Object.keys(changes()).length;
  bar.hidden = count === 0;
  document.querySelector("[data-save-count]").textContent = count === 1 ? "1 change" : `${count} changes`;
}

form.addEventListener("input", (event) => {
  toDefault.delete(event.target.name);
  refresh();
});
form.addEventListener("reset", () => {
  toDefault.clear();
  clearProblems(form);
  setTimeout(refresh);
});
form.addEventListener("click", (event) => {
  const path = event.target.dataset?.default;
  if (path) {
    toDefault.add(path);
    refresh();
  }
});
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const wanted = changes();
  const listed = Object.entries(wanted).map(([path, value]) => `${path} = ${value === null ? "its default" : value}`);
  if (!(await confirmed(`Write to the file: ${listed.join("; ")}?`, { yes: "Write" }))) return;
  clearProblems(form);
  try {
    const done = await ask("PATCH", "/api/admin/config", { changes: wanted, version: form.dataset.version });
    const waits = done.needsRestart.map((one) => one.path);
    const said = waits.length ? `Written. After a restart: ${waits.join(", ")}.` : "Written, and in force.";
    sessionStorage.setItem("said", said);
    location.reload();
  } catch (error) {
    showRefusal(form, error);
  }
});
addEventListener("beforeunload", (event) => {
  if (!bar.hidden && Object.keys(changes()).length && !sessionStorage.getItem("said")) event.preventDefault();
});
