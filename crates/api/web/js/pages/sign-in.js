// Signing in with the same user and password as to the database.

import { post } from "../call.js";
import { codeInput } from "../dialog.js";
import { field, fill, h } from "../dom.js";
import { Problem, problemBox } from "../problem.js";

/// Calls `welcome` with the answer of /v1/whoami.
export function signIn(main, welcome) {
  const user = h("input", {
    name: "user",
    autocomplete: "username",
    autocapitalize: "none",
    spellcheck: "false",
    required: true,
  });
  const password = h("input", {
    name: "password",
    type: "password",
    autocomplete: "current-password",
    required: true,
  });
  const code = codeInput();
  const codeField = field(
    "Code of your second factor",
    code,
    "From your authenticator app, or a recovery code.",
    { hidden: true },
  );
  const failed = h("div", {});
  const go = h("button", { type: "submit", class: "primary" }, "Sign in");
  const form = h(
    "form",
    { class: "stack" },
    field("User", user),
    field("Password", password),
    codeField,
    failed,
    go,
  );
  let busy = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    go.setAttribute("aria-disabled", "true");
    fill(failed);
    try {
      const given = code.value.replaceAll(" ", "");
      const body = { user: user.value.trim(), password: password.value };
      welcome(await post("/v1/session", given ? { ...body, code: given } : body));
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      const codeIsAsked = problem.is("second_factor") && codeField.hidden;
      if (problem.is("second_factor")) codeField.hidden = false;
      if (!codeIsAsked) fill(failed, problemBox(problem));
      code.value = "";
      (codeField.hidden ? password : code).focus();
    } finally {
      busy = false;
      go.removeAttribute("aria-disabled");
    }
  });
  document.title = "Sign in · pgwarrant";
  fill(
    main,
    h(
      "div",
      { class: "head" },
      h("img", { src: "/icon.svg", alt: "", width: 40, height: 40 }),
      h("h1", {}, "Sign in to pgwarrant"),
    ),
    h("p", { class: "status" }, "With the user and password that you connect to the database with."),
    h("div", { class: "section" }, form),
  );
  user.focus();
}
