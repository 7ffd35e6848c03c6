// On every page: the theme, relative times, forms, drawers.

import { openDrawer, tell } from "./dialogs.mjs";
import "./forms.mjs";
import "./times.mjs";

const root = document.documentElement;

document.querySelector("[data-theme-switch]")?.addEventListener("click", () => {
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  document.cookie = `polycopy_theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
});

// Where the navigation or tabs scroll sideways, the page that is shown is in sight.
for (const current of document.querySelectorAll(':is(.nav, .tabs) a[aria-current="page"]')) {
  const box = current.closest(".nav, .tabs");
  box.scrollLeft += current.getBoundingClientRect().left - box.getBoundingClientRect().left - 24;
}

// <button data-drawer="/path" data-label="…"> opens a piece of a page beside the page.
document.addEventListener("click", (event) => {
  const opener = event.target.closest?.("[data-drawer]");
  if (opener) {
    event.preventDefault();
    openDrawer(opener.dataset.drawer, opener.dataset.label || opener.textContent.trim());
  }
});

// Filters with `data-auto` apply as soon as they change.
document.addEventListener("change", (event) => {
  const form = event.target.form;
  if (form?.matches("form[data-auto]")) form.requestSubmit();
});
// Empty filters do not stand in the address.
document.addEventListener("formdata", (event) => {
  if (event.target.matches("form.filters")) {
    for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
  }
});

if (document.querySelector(".chart-plot")) import("./chart.mjs");

const retry = document.querySelector("[data-retry]");
if (retry) setTimeout(() => location.reload(), Number(retry.dataset.retry) * 1000);

const said = sessionStorage.getItem("said");
if (said) {
  sessionStorage.removeItem("said");
  tell(said);
}
