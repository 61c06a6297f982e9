// The audit trail as it is written, with filters. Each record opens to all that it says.

import { get, query as search } from "../call.js";
import { field, fill, h } from "../dom.js";
import { empty } from "../parts/empty.js";
import { newcomers } from "../parts/newcomers.js";
import { orNull, orShow } from "../problem.js";
import { go, heading, show, waiting } from "../router.js";
import { stream } from "../stream.js";
import { code, name, prose } from "../text.js";
import { when } from "../time.js";

const KINDS = [
  "",
  "statement",
  "request",
  "decision",
  "grant_started",
  "grant_ended",
  "login",
  "login_failed",
  "logout",
  "call",
  "second_factor",
  "incident",
  "configuration",
  "start",
  "stop",
];
const DECISIONS = [
  "",
  "raw",
  "masked",
  "as_written",
  "refused",
  "cut_off",
  "failed",
  "incident",
  "allowed",
  "approved",
  "denied",
];
const COLOURS = {
  raw: "warn",
  masked: "accent",
  refused: "bad",
  denied: "bad",
  failed: "bad",
  cut_off: "bad",
  incident: "bad",
  approved: "good",
  allowed: "good",
};
const FILTERS = [
  "text",
  "user",
  "kind",
  "decision",
  "relation",
  "column",
  "database",
  "grant",
  "session",
  "since",
  "until",
  "raw",
];
/// What is kept on the page while records stream in.
const KEPT = 1000;

export async function audit(main, { query, signal }) {
  const filters = Object.fromEntries(
    FILTERS.map((filter) => [filter, query.get(filter)]).filter(([, value]) => value),
  );
  const seen = new Set();
  const list = h("ol", { class: "lines" });
  const place = h("div", {}, waiting());
  const more = h("div", { class: "buttons section" });
  const fresh = newcomers((records, asked) => {
    if (records === null) return show();
    for (const record of records.reverse()) put(record, true);
    if (asked) list.querySelector("summary")?.focus();
  });
  const follow = h("input", { type: "checkbox", id: "follow" });
  main.append(
    heading("Audit"),
    form(filters),
    h(
      "div",
      { class: "bar" },
      h("label", { class: "check", for: "follow" }, follow, "Show as they come"),
      fresh.element,
    ),
    place,
    more,
  );
  // It begins before the list is loaded, so that nothing falls between the two.
  stream(`/v1/audit/events${search(filters)}`, { record: take }, { onGap: () => orNull(catchUp), signal });
  const first = await get("/v1/audit", filters);
  if (signal.aborted) return;
  place.replaceChildren(list);
  add(first);
  if (first.items.length === 0) fill(place, nothing(filters));

  async function catchUp() {
    const page = await get("/v1/audit", filters);
    for (const record of page.items.reverse()) take(record);
  }

  function take(record) {
    if (seen.has(record.seq)) return;
    seen.add(record.seq);
    if (seen.size > 10 * KEPT) seen.delete(seen.values().next().value);
    fresh.add(record);
    // Many at once, where the trail grows fast.
    if (follow.checked) requestAnimationFrame(() => fresh.flush());
  }

  function add(page) {
    for (const record of page.items) {
      if (seen.has(record.seq)) continue;
      seen.add(record.seq);
      put(record, false);
    }
    const button = h("button", { type: "button" }, "Older ones");
    const failed = h("div", {});
    button.addEventListener("click", async () => {
      const older = await orShow(failed, () => get("/v1/audit", { ...filters, after: page.next }));
      if (older) add(older);
    });
    fill(more, page.next === null ? null : [button, failed]);
  }

  function put(record, newest) {
    if (!list.isConnected) fill(place, list);
    list[newest ? "prepend" : "append"](h("li", {}, entry(record)));
    if (newest && list.children.length > KEPT) list.lastChild.remove();
  }
}

function form(filters) {
  const value = (of) => filters[of] ?? "";
  const input = (of, attributes) =>
    h("input", { name: of, value: value(of), autocomplete: "off", spellcheck: "false", ...attributes });
  const select = (of, values) =>
    h(
      "select",
      { name: of },
      values.map((one) => h("option", { value: one, selected: one === value(of) }, one || "any")),
    );
  const element = h(
    "form",
    { class: "panel stack" },
    h(
      "div",
      { class: "fields" },
      field("Text", input("text", { type: "search", "data-key": "filter" })),
      field("User", input("user", {})),
      field("Kind", select("kind", KINDS)),
      field("Decision", select("decision", DECISIONS)),
      field("Relation", input("relation", { placeholder: "public.customers" })),
      field("Column", input("column", { placeholder: "email" })),
      field("Grant", input("grant", { inputmode: "numeric" })),
      field("Session", input("session", { inputmode: "numeric" })),
      field("Since", input("since", { placeholder: "2 h" })),
      field("Until", input("until", {})),
    ),
    h(
      "div",
      { class: "bar" },
      h(
        "label",
        { class: "check" },
        h("input", { type: "checkbox", name: "raw", value: "true", checked: value("raw") === "true" }),
        "Personal data was shown",
      ),
      h(
        "div",
        { class: "buttons" },
        h("button", { type: "submit", class: "primary" }, "Filter"),
        h("a", { class: "button quiet", href: "#/audit" }, "Clear"),
      ),
    ),
  );
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    const given = [...new FormData(element)]
      .map(([name, text]) => [name, text.trim()])
      .filter(([, text]) => text !== "");
    go(given.length === 0 ? "audit" : `audit?${new URLSearchParams(given)}`);
  });
  const set = Object.keys(filters).length;
  return h(
    "details",
    { class: "filters", open: set > 0 || matchMedia("(width >= 48rem)").matches },
    h("summary", {}, set > 0 ? `Filters (${set})` : "Filters"),
    element,
  );
}

function entry(record) {
  const element = h(
    "details",
    {},
    h(
      "summary",
      { class: "line record" },
      when(record.at, true),
      h(
        "span",
        {},
        h(
          "span",
          { class: `tag ${COLOURS[record.decision] ?? ""}`.trim() },
          record.decision.replace("_", " "),
        ),
      ),
      h("span", { class: "who" }, record.user ? name(record.user) : "–"),
      h("span", { class: "what" }, what(record)),
    ),
  );
  // A page of records has thousands of terms that nobody looks at.
  element.addEventListener("toggle", () => element.childElementCount === 1 && element.append(whole(record)));
  return element;
}

function what(record) {
  const kind =
    record.kind === "statement" ? null : [h("span", { class: "dim" }, record.kind.replace("_", " ")), " "];
  const text = record.text || record.note || record.error?.message || "";
  return [
    record.phase === "intent" ? h("span", { class: "dim" }, "about to: ") : null,
    kind,
    code(text.slice(0, 400)),
  ];
}

function whole(record) {
  const terms = Object.entries(record).map(([term, value]) => [
    h("dt", {}, term.replaceAll("_", " ")),
    h("dd", {}, shown(term, value)),
  ]);
  return h("div", { class: "whole" }, h("dl", { class: "facts" }, terms));
}

function shown(term, value) {
  if (term === "at") return when(value, true);
  if (term === "grants") return value.map((id) => [h("a", { href: `#/grants/${id}` }, `grant ${id}`), " "]);
  if (term === "note") return prose(value);
  if (Array.isArray(value)) return value.map((one) => h("div", {}, code(String(one))));
  if (value !== null && typeof value === "object")
    return Object.values(value).map((one) => h("div", {}, code(String(one))));
  return code(String(value));
}

function nothing(filters) {
  if (Object.keys(filters).length > 0)
    return empty(
      "No record matches",
      "Take a filter away, or look further back.",
      h("a", { class: "button", href: "#/audit" }, "Clear the filters"),
    );
  return empty("There is no record yet", "Every statement, request and decision leaves one.");
}
