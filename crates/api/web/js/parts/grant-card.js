// A grant, the time it has left, and what can be done with it.

import { once } from "../call.js";
import { ask, proven } from "../dialog.js";
import { field, fill, h, unique } from "../dom.js";
import { name } from "../text.js";
import { ago, left, leftMeter, when } from "../time.js";
import { count, entry, facts } from "./facts.js";
import { tag } from "./states.js";

/// `{element, update}`.
export function grantCard(first) {
  let grant = first;
  const title = h(
    "h2",
    { id: unique("grant") },
    name(grant.who),
    h("span", { class: "verb" }, ` may ${grant.actions}`),
  );
  const element = h("article", { class: "card", tabindex: "-1", "aria-labelledby": title.id });
  const said = h("div", {});
  draw();
  return { element, update };

  function update(next) {
    grant = next;
    const focus = element.contains(document.activeElement);
    draw();
    if (focus && !element.contains(document.activeElement)) element.focus();
  }

  function draw() {
    const over = !isOpen(grant);
    element.classList.toggle("done", over);
    element.classList.toggle("urgent", grant.urgency === "break-glass");
    fill(
      element,
      h("header", {}, title, time(), aside()),
      over ? null : leftMeter(grant.valid_from, grant.valid_until),
      h("div", { class: "sides" }, facts(grant, null), h("dl", { class: "facts" }, beside(over))),
      said,
      h(
        "div",
        { class: "buttons" },
        act("revoke", "Revoke", "danger", revoke),
        act("release", "Release", "", release),
        act("extend", "Ask for more time", "", extend),
        h("a", { class: "button quiet", href: `#/audit?grant=${grant.id}` }, "What was done under it"),
      ),
    );
  }

  function beside(over) {
    return [
      over ? null : entry("Until", when(grant.valid_until)),
      limits(),
      entry("Approved", approvedBy()),
      over ? entry("Ended", ended(grant)) : null,
    ];
  }

  function aside() {
    return h(
      "span",
      { class: "aside below" },
      h("a", { href: `#/grants/${grant.id}` }, `grant ${grant.id}`),
      " · ",
      name(grant.database),
      " ",
      grant.urgency === "normal" ? null : tag(grant.urgency),
    );
  }

  function time() {
    if (grant.state === "live") return left(grant.valid_until, { class: "left" });
    return grant.state === "scheduled"
      ? [tag("scheduled"), h("span", { class: "status" }, "from ", when(grant.valid_from))]
      : tag(grant.state);
  }

  function limits() {
    const left = [
      grant.uses_left === null ? null : count(grant.uses_left, "statement"),
      grant.rows_left === null ? null : count(grant.rows_left, "row"),
    ].filter(Boolean);
    return left.length === 0 ? null : entry("Left", left.join(", "));
  }

  function approvedBy() {
    if (grant.approved_by.length === 0) return grant.urgency === "break-glass" ? "by break-glass" : "by rule";
    return grant.approved_by.map((by, index) => [index === 0 ? "by " : ", ", name(by)]);
  }

  function act(verb, text, classes, run) {
    if (!grant.may.includes(verb)) return null;
    const button = h(
      "button",
      { type: "button", class: classes, "data-key": verb, "aria-describedby": title.id },
      text,
    );
    button.addEventListener("click", async () => {
      const answer = await run(grant);
      if (!answer) return;
      fill(said, h("p", { class: "message", role: "status" }, answer.message));
      if (answer.grant) update(answer.grant);
    });
    return button;
  }
}

export function isOpen(grant) {
  return grant.state === "live" || grant.state === "scheduled";
}

/// Each asks first. They give the outcome, or null.
export function revoke(grant) {
  const reason = h("input", { name: "reason", autocomplete: "off" });
  return ask({
    title: `Revoke grant ${grant.id} of ${grant.who}?`,
    text: "It ends now, and what runs under it is cut off.",
    fields: field("Reason (optional)", reason),
    submit: "Revoke",
    danger: true,
    act: ({ reason }) =>
      proven(() => once(`/v1/grants/${grant.id}/revoke`, reason.trim() ? { reason: reason.trim() } : {})),
  });
}

function release(grant) {
  return ask({
    title: `Release grant ${grant.id}?`,
    text: "The task is done: the grant ends now, and what runs under it is cut off.",
    submit: "Release",
    act: () => proven(() => once(`/v1/grants/${grant.id}/release`, {})),
  });
}

function extend(grant) {
  const time = h("input", {
    name: "duration",
    value: "30 min",
    required: true,
    autocomplete: "off",
  });
  const reason = h("textarea", { name: "reason", required: true });
  return ask({
    title: `More time of grant ${grant.id}`,
    text: "It is asked for like a new request. Approved, the same grant ends later.",
    fields: [field("How much more", time, "For example 30 min or 2 h."), field("Why", reason)],
    submit: "Ask",
    act: ({ duration, reason }) =>
      proven(() =>
        once(`/v1/grants/${grant.id}/extend`, { duration: duration.trim(), reason: reason.trim() }),
      ),
  });
}

function ended(grant) {
  return [
    grant.ended_at ? ago(grant.ended_at) : "by itself",
    grant.ended_by ? [", by ", name(grant.ended_by)] : null,
    grant.end_reason ? [": ", name(grant.end_reason)] : null,
  ];
}
