// What a request is about and what a grant gives, as the terms of a list: the same words, in the
// same order, wherever they are shown.

import { h } from "../dom.js";
import { code, columns, name, prose } from "../text.js";
import { when } from "../time.js";

const OTHERS = { mask: "other rows stay masked", hide: "other rows are hidden" };

/// `facts`: what explain says of it, or null while that is not known.
export function facts(thing, facts, ...more) {
  return h(
    "dl",
    { class: "facts" },
    entry("Columns", columns(thing.columns, facts?.columns)),
    entry("Rows", rows(thing, facts)),
    thing.actions === "select" ? null : entry("May", thing.actions, { class: "strong" }),
    entry("Why", prose(thing.reason)),
    thing.ticket ? entry("Ticket", name(thing.ticket)) : null,
    thing.case_id ? entry("Case", name(thing.case_id)) : null,
    thing.purpose ? entry("Purpose", prose(thing.purpose)) : null,
    thing.profile ? entry("Profile", name(thing.profile)) : null,
    more,
  );
}

export function entry(term, what, attributes) {
  return [h("dt", {}, term), h("dd", attributes, what)];
}

/// `30 min, from 14:05, 5 statements at most`.
export function duration(request) {
  return [
    request.duration,
    request.starts_at ? [", from ", when(request.starts_at)] : null,
    request.max_uses === null ? null : `, ${count(request.max_uses, "statement")} at most`,
    request.max_rows === null ? null : `, ${count(request.max_rows, "row")} at most`,
  ];
}

export function count(number, of) {
  return `${number.toLocaleString("en")} ${of}${number === 1 ? "" : "s"}`;
}

/// Who agreed: `petra at 14:05: "fine"`, each on a line.
export function approvals(all) {
  return all.map((word) =>
    h("div", {}, name(word.by), " at ", when(word.at), word.reason ? [": ", prose(word.reason)] : null),
  );
}

/// What of this kind the person had before, in one line.
export function before(facts) {
  if (!facts) return "not known";
  const had =
    facts.recent_grants === 0
      ? "nothing like it in 30 days"
      : `${count(facts.recent_grants, "grant")} like it in 30 days`;
  return facts.live_grants === 0 ? had : `${had}; ${facts.live_grants} in force now`;
}

/// `contact (medium), identity (high)`.
export function labels(facts) {
  const found = new Map(
    (facts?.columns ?? []).map(([, , category, sensitivity]) => [
      `${category} (${sensitivity})`,
      sensitivity,
    ]),
  );
  if (found.size === 0) return "not known";
  return [...found].map(([label, sensitivity]) => [
    h("span", { class: sensitivity === "high" ? "tag bad" : "tag" }, label),
    " ",
  ]);
}

function rows(thing, facts) {
  const many =
    facts?.estimated_rows === null || facts?.estimated_rows === undefined
      ? null
      : `, at most about ${count(facts.estimated_rows, "row")}`;
  if (thing.rows === null) return [h("span", { class: "tag warn" }, "all rows"), many];
  return [
    code(thing.rows),
    many,
    thing.others === "hide" ? h("span", { class: "status" }, ` (${OTHERS.hide})`) : null,
  ];
}
