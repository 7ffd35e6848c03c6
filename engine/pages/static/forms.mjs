// Forms and buttons that change something through the API.
//
// <form data-api="POST /api/…">: its fields become the JSON body. A field's `data-type` says how (number, integer, boolean,
// list, lines; `member`: a checkbox whose value belongs to a list); one that is empty is left out, with
// `data-empty="null|text|list"` it is null, "" or []. `{name}` in the path is taken from the field of that name. `data-confirm`
// asks first, `data-done` is said afterwards, `data-then="reload|none|/path"` says what follows.

import { ask } from "./api.mjs";
import { confirmed, tell } from "./dialogs.mjs";

const READ = {
  number: Number,
  integer: Number,
  boolean: (text) => text === "true" || text === "on" || text === "1",
  list: (text) => text.split(/[\s,]+/).filter(Boolean),
  lines: (text) => text.split(/\r?\n/).map((line) => line.trim()).filter(Boolean),
};

const EMPTY = { null: null, text: "", list: [] };

/** Puts a value at a dotted name, so that `settings.max_bet` becomes a member of `settings`. */
function put(body, name, value) {
  const parts = name.split(".");
  const last = parts.pop();
  let place = body;
  for (const part of parts) place = place[part] ??= {};
  place[last] = value;
}

/** Returns path and body of what a form sends. */
export function requestOf(form) {
  let [method, path] = form.dataset.api.split(" ");
  const body = {};
  for (const field of form.elements) {
    if (!field.name || field.disabled || (field.type === "radio" && !field.checked)) continue;
    if (path.includes(`{${field.name}}`)) {
      path = path.replace(`{${field.name}}`, encodeURIComponent(field.value));
      continue;
    }
    if (field.dataset.type === "member") {
      if (field.checked) put(body, field.name, [...(body[field.name] ?? []), field.value]);
    } else if (field.type === "checkbox") {
      put(body, field.name, field.checked);
    } else if (field.value === "") {
      if (field.dataset.empty in EMPTY) put(body, field.name, EMPTY[field.dataset.empty]);
    } else {
      const read = READ[field.dataset.type];
      put(body, field.name, read ? read(field.value) : field.value);
    }
  }
  return { method, path, body: Object.keys(body).length || form.dataset.body === "always" ? body : undefined };
}

/** Takes away what was said of fields. */
export function clearProblems(form) {
  for (const each of form.querySelectorAll(".wrong")) each.remove();
  for (const each of form.querySelectorAll("[aria-invalid]")) {
    each.removeAttribute("aria-invalid");
    each.removeAttribute("aria-describedby");
  }
}

function showProblem(form, name, message) {
  const field = [...form.elements].find((one) => one.name === name || one.name.split(".").pop() === name);
  if (!field) return false;
  const text = document.createElement("p");
  text.className = "wrong";
  text.id = `wrong-${field.name}-${Math.random().toString(36).slice(2, 8)}`;
  text.textContent = message;
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", text.id);
  (field.closest(".field") ?? field.parentElement).append(text);
  return field;
}

/** Shows what the server refused beside the fields it named, else as a message. */
export function showRefusal(form, error) {
  const isOurs = form.dispatchEvent(new CustomEvent("refused", { detail: error, bubbles: true, cancelable: true }));
  if (!isOurs) return;
  const problems = error.problems?.length ? error.problems : error.field ? [{ field: error.field, message: error.message }] : [];
  const shown = problems.map(({ field, message }) => showProblem(form, field, message)).filter(Boolean);
  if (shown.length) shown[0].focus();
  if (shown.length < Math.max(1, problems.length)) tell(error.message, true);
}

async function submit(form) {
  clearProblems(form);
  const question = form.dataset.confirm;
  if (question && !(await confirmed(question, { yes: form.dataset.yes || "Yes", isDanger: "danger" in form.dataset }))) return;
  const buttons = [...form.querySelectorAll("button")].filter((one) => !one.disabled);
  for (const each of buttons) each.disabled = true;
  form.setAttribute("aria-busy", "true");
  try {
    const { method, path, body } = requestOf(form);
    const answer = await ask(method, path, body);
    form.dispatchEvent(new CustomEvent("answered", { detail: answer, bubbles: true }));
    const then = form.dataset.then ?? "reload";
    if (then !== "reload" && form.dataset.done) tell(form.dataset.done);
    if (then === "reload") {
      if (form.dataset.done) sessionStorage.setItem("said", form.dataset.done);
      location.reload();
    } else if (then.startsWith("/")) {
      if (form.dataset.done) sessionStorage.setItem("said", form.dataset.done);
      location.assign(then);
    }
  } catch (error) {
    showRefusal(form, error);
  } finally {
    for (const each of buttons) each.disabled = false;
    form.removeAttribute("aria-busy");
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset?.api) {
    event.preventDefault();
    submit(form);
  }
});
