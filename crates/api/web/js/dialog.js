// Questions that are answered before anything else. The browser keeps the focus inside, closes on
// Escape, and gives the focus back.

import { fill, h, unique } from "./dom.js";
import { Problem, problemBox } from "./problem.js";
import { post } from "./call.js";

/// Asks for what `fields` hold and runs `act` with it; stays open where that fails. Gives what `act`
/// gave, or null when the answer was no.
export function ask({ title, text, fields = [], submit, danger = false, act }) {
  const heading = h("h2", { id: unique("dialog") }, title);
  const failed = h("div", {});
  const go = h("button", { type: "submit", class: danger ? "danger" : "primary" }, submit);
  const no = h("button", { type: "button", class: "quiet" }, "Cancel");
  const form = h(
    "form",
    { novalidate: true },
    text ? h("p", {}, text) : null,
    fields,
    failed,
    h("div", { class: "buttons" }, no, go),
  );
  const dialog = h("dialog", { "aria-labelledby": heading.id }, heading, form);
  document.body.append(dialog);
  return new Promise((resolve) => {
    let answer = null;
    let busy = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (busy) return;
      busy = true;
      go.setAttribute("aria-disabled", "true");
      try {
        answer = await act(Object.fromEntries(new FormData(form)));
        dialog.close();
      } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        fill(failed, problemBox(problem));
        form.querySelector("input, textarea, select")?.focus();
      } finally {
        busy = false;
        go.removeAttribute("aria-disabled");
      }
    });
    no.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    dialog.showModal();
    (form.querySelector("input, textarea, select") ?? no).focus();
  });
}

/// Runs `action`; where it wants a second factor, asks for its code and runs it once more. Gives null
/// when there was none.
export async function proven(action) {
  try {
    return await action();
  } catch (problem) {
    if (!(problem instanceof Problem) || !problem.is("second_factor")) throw problem;
    const shown = await askCode(problem);
    return shown === null ? null : action();
  }
}

function askCode(problem) {
  const code = codeInput();
  return ask({
    title: "Your second factor",
    text: problem.detail ?? "This needs a code of your second factor that was shown lately.",
    fields: h("div", { class: "field" }, h("label", { for: code.id }, "Code"), code),
    submit: "Continue",
    act: ({ code }) => post("/v1/session/second-factor", { code: code.replaceAll(" ", "") }),
  });
}

export function codeInput(attributes) {
  return h("input", {
    id: unique("code"),
    name: "code",
    inputmode: "numeric",
    autocomplete: "one-time-code",
    autocapitalize: "none",
    spellcheck: "false",
    maxlength: 32,
    ...attributes,
  });
}
