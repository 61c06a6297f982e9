// What went wrong, as RFC 9457 "problem details" with PostgreSQL's message, DETAIL and HINT.

import { h } from "./dom.js";

export class Problem extends Error {
  constructor({ type = "", status = 0, message = "something went wrong", detail = null, hint = null }) {
    super(message);
    Object.assign(this, { type, status, detail, hint });
  }

  /// `what`: the last part of its type.
  is(what) {
    return this.type === `urn:pgwarrant:${what}`;
  }

  static unreachable() {
    return new Problem({
      type: "urn:pgwarrant:unreachable",
      message: "the proxy cannot be reached",
      hint: "Check your connection and try again: nothing is done twice.",
    });
  }
}

/// Read out at once, wherever it is put.
export function problemBox(problem) {
  const lines = [problem.message, problem.detail, problem.hint].filter(Boolean);
  return h(
    "div",
    { class: "message bad", role: "alert" },
    lines.map((line) => h("p", { class: "text" }, line)),
  );
}

/// Where `action` fails, gives null: for what nobody waits for.
export async function orNull(action) {
  try {
    return await action();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return null;
  }
}

/// Where `action` fails, the problem is put into `place`; gives null then.
export async function orShow(place, action) {
  place.replaceChildren();
  try {
    return await action();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    place.replaceChildren(problemBox(problem));
    return null;
  }
}
