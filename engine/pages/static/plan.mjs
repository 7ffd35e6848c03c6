// "Replay this change": tries what stands in the form on stored trades before anything is saved, and shows what would have been
// copied otherwise. The engine does the work beside itself; here it is asked how far it is.

import { ask, askHtml } from "./api.mjs";
import { clearProblems, requestOf, showRefusal } from "./forms.mjs";
import { element, nodesOf } from "./html.mjs";
import { refresh } from "./times.mjs";

const FIRST_MS = 300;
const MOST_MS = 2_000;
const FAILURES_MAX = 5;
const count = new Intl.NumberFormat("en-US");
const button = document.querySelector("[data-plan]");
const place = document.querySelector("[data-plan-place]");

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Shows how far it is; returns what to call with each answer. */
function showProgress(planId) {
  const text = element("p", "Reading stored trades …");
  text.setAttribute("role", "status");
  const bar = element("progress");
  bar.setAttribute("aria-label", "Trades played");
  const end = element("button", "End it");
  end.type = "button";
  end.addEventListener("click", () => {
    end.disabled = true;
    ask("DELETE", `/api/ft/plans/${planId}`).catch(() => {});
  });
  place.replaceChildren(text, bar, end);
  return ({ played, total }) => {
    if (!total) return;
    bar.max = total;
    bar.value = played;
    text.textContent = `${count.format(played)} of ${count.format(total)} stored trades`;
  };
}

/** Waits until it has ended; a call that fails now and then is made again. */
async function ended(planId, show) {
  let failures = 0;
  for (let ms = FIRST_MS; ; ms = Math.min(MOST_MS, ms * 1.3)) {
    await pause(ms);
    try {
      const told = await ask("GET", `/api/ft/plans/${planId}`);
      if (told.state !== "running") return told;
      show(told);
      failures = 0;
    } catch (error) {
      failures += 1;
      if (error.code === "unknown_plan" || failures === FAILURES_MAX) throw error;
    }
  }
}

async function replay(form) {
  clearProblems(form);
  if (!form.reportValidity()) return;
  const days = Number(form.querySelector("[data-plan-days]").value);
  const { body } = requestOf(form);
  button.disabled = true;
  place.hidden = false;
  try {
    const begun = await ask("POST", button.dataset.plan, { ...body, days });
    place.scrollIntoView({ block: "nearest" });
    const told = await ended(begun.planId, showProgress(begun.planId));
    place.replaceChildren(nodesOf(await askHtml(`/v2/bot-plans/${told.planId}`)));
    refresh(place);
    const title = place.querySelector("h2");
    title?.focus({ preventScroll: true });
    (title ?? place).scrollIntoView({ block: "start" });
  } catch (error) {
    place.replaceChildren();
    place.hidden = true;
    if (error.code === "unknown_plan") return; // it was ended
    showRefusal(form, error);
  } finally {
    button.disabled = false;
  }
}

button?.addEventListener("click", () => replay(button.form));
