// What people wrote, and names, shown so that nothing in them can pose as something else.

import { h } from "./dom.js";

// Characters that turn the direction of others around, have no width, or are controls. Joiners
// belong to emoji and to several scripts: in prose they stay.
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;
const HIDDEN_IN_CODE = new RegExp(`${HIDDEN.source}|[\\u00a0\\u200c\\u200d]`, "gu");
/// Prose longer than this is folded, with a button that shows the rest.
const FOLD = 320;

/// What somebody wrote. It keeps its own direction.
export function prose(text) {
  const element = h("span", { class: "text", dir: "auto" }, named(text, HIDDEN));
  if (text.length <= FOLD && text.split("\n").length <= 6) return element;
  element.classList.add("folded");
  const button = h("button", { type: "button", class: "unfold", "aria-expanded": "false" }, "Show all of it");
  button.addEventListener("click", () => {
    const folded = element.classList.toggle("folded");
    button.setAttribute("aria-expanded", String(!folded));
    button.textContent = folded ? "Show all of it" : "Show less";
  });
  return [element, button];
}

/// A name or an expression: left to right, whatever is in it.
export function code(text, attributes) {
  return h(
    "code",
    { dir: "ltr", ...attributes, class: `text ${attributes?.class ?? ""}`.trim() },
    named(text, HIDDEN_IN_CODE),
  );
}

/// A name of a person, a group, a ticket.
export function name(text) {
  return h("bdi", {}, named(text, HIDDEN_IN_CODE));
}

/// `public.customers.email, public.customers.name`, with the columns of one relation together.
/// `facts`: `[relation, column, category, sensitivity]` of those that it comes to.
export function columns(text, facts = []) {
  const about = new Map(
    facts.map(([relation, column, category, sensitivity]) => [
      `${relation}.${column}`,
      { category, sensitivity },
    ]),
  );
  const relations = new Map();
  for (const item of text.split(", ")) {
    const dot = item.lastIndexOf(".");
    const relation = dot < 0 ? "" : item.slice(0, dot);
    if (!relations.has(relation)) relations.set(relation, []);
    relations.get(relation).push(item);
  }
  return [...relations].map(([relation, items]) =>
    h(
      "div",
      { class: "relation" },
      relation === "" ? null : [code(relation), h("span", { class: "of" }, "·")],
      items.map((item) => column(item, relation, about.get(item))),
    ),
  );
}

function column(item, relation, about) {
  const shown =
    item === "*" ? "every protected column" : relation === "" ? item : item.slice(relation.length + 1);
  const high = about?.sensitivity === "high";
  const title = about ? `${about.category}, ${about.sensitivity} sensitivity` : null;
  return h(
    "span",
    { class: high ? "column high" : "column", dir: "ltr", title },
    named(shown === "*" ? "all of its protected columns" : shown, HIDDEN_IN_CODE),
    high ? h("span", { class: "unseen" }, " (high sensitivity)") : null,
  );
}

function named(text, hidden) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(hidden)) {
    parts.push(text.slice(end, match.index), character(match[0]));
    end = match.index + match[0].length;
  }
  parts.push(text.slice(end));
  return parts;
}

function character(one) {
  const number = one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
  return h("span", { class: "char", title: "a character that cannot be seen" }, `U+${number}`);
}
