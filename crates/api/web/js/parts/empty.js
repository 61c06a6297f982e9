// A list without entries: why, and what to do.

import { h } from "../dom.js";

export function empty(what, why, ...buttons) {
  return h(
    "div",
    { class: "empty" },
    h("p", {}, what),
    h("p", {}, why),
    buttons.length > 0 ? h("div", { class: "buttons" }, buttons) : null,
  );
}

export function askButton(primary = true) {
  return h(
    "a",
    { class: primary ? "button primary" : "button", href: "#/ask", "data-key": "new" },
    "Ask for access",
  );
}

/// Tabs of a page: `[["mine", "Mine"], …]`, each a link with `show=`.
export function tabs(page, all, shown) {
  return h(
    "nav",
    { class: "tabs", "aria-label": "Which to show" },
    all.map(([name, text]) =>
      h("a", { href: `#/${page}?show=${name}`, "aria-current": name === shown ? "true" : null }, text),
    ),
  );
}
