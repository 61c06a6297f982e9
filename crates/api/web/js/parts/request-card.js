// A request as whoever decides about it sees it: who, what, which rows, why, how long, what they had
// before; and the decision.

import { get, once } from "../call.js";
import { proven } from "../dialog.js";
import { fill, h, unique } from "../dom.js";
import { orNull, orShow } from "../problem.js";
import { name } from "../text.js";
import { ago, left } from "../time.js";
import { approvals, before, duration, entry, facts, labels } from "./facts.js";
import { revoke } from "./grant-card.js";
import { tag } from "./states.js";

/// `{element, update}`. `update` shows what became of the request meanwhile; it moves nothing, and
/// takes no comment away that is being written.
export function requestCard(first) {
  let request = first;
  let busy = false;
  /// What its own decision came to: news of the same say less.
  let outcome = null;
  const title = h("h2", { id: unique("request") }, asks(request));
  const had = h("dd", {}, "…");
  const labelled = h("dd", {}, "…");
  const list = facts(request, null);
  const beside = h(
    "dl",
    { class: "facts" },
    entry("For", duration(request), { class: "strong" }),
    h("dt", {}, "Before"),
    had,
    h("dt", {}, "Labels"),
    labelled,
  );
  const foot = h("div", { class: "stack" });
  const element = h(
    "article",
    {
      class: request.urgency === "normal" ? "card" : "card urgent",
      tabindex: "-1",
      "aria-labelledby": title.id,
    },
    h("header", {}, title, request.urgency === "normal" ? null : tag(request.urgency), number(request)),
    h("div", { class: "sides" }, list, beside),
    foot,
  );
  const seen = new IntersectionObserver(async ([entry]) => {
    if (!entry.isIntersecting) return;
    seen.disconnect();
    await tell(request, list, had, labelled);
  });
  seen.observe(element);
  const failed = h("div", { class: "wide" });
  const status = h("p", { class: "status wide" });
  const comment = h("input", {
    "aria-label": `Comment on request ${request.id}`,
    placeholder: "Comment (optional)",
    "data-key": "comment",
    autocomplete: "off",
  });
  const approve = button("Approve", "primary approve", "approve");
  const deny = button("Deny", "danger deny", "deny");
  const form = h(
    "form",
    { class: "decide" },
    h("div", { class: "field" }, comment),
    approve,
    deny,
    status,
    failed,
  );
  // Enter in the comment decides nothing: there are two ways to go on.
  form.addEventListener("submit", (event) => event.preventDefault());
  draw();
  return { element, update };

  function button(text, classes, verb) {
    const made = h(
      "button",
      { type: "button", class: classes, "data-key": verb, "aria-describedby": title.id },
      text,
    );
    made.addEventListener("click", () => decide(verb));
    return made;
  }

  async function decide(verb) {
    if (busy) return;
    busy = true;
    for (const made of [approve, deny]) made.setAttribute("aria-disabled", "true");
    const reason = comment.value.trim();
    const body = reason === "" ? {} : { reason };
    const answer = await orShow(failed, () => proven(() => once(`/v1/requests/${request.id}/${verb}`, body)));
    busy = false;
    for (const made of [approve, deny]) made.removeAttribute("aria-disabled");
    if (answer === null) return;
    outcome = answer;
    if (answer.request) request = answer.request;
    draw();
    foot.querySelector(".message")?.focus();
  }

  function update(next) {
    if (busy) return;
    const same = next.state === request.state && next.may.join() === request.may.join();
    request = next;
    if (same) fill(status, waits(request));
    else if (!outcome || next.state !== outcome.request?.state) draw();
  }

  function draw() {
    const decides = request.may.includes("approve") || request.may.includes("deny");
    approve.hidden = !request.may.includes("approve");
    deny.hidden = !request.may.includes("deny");
    element.classList.toggle("done", request.state !== "pending");
    fill(status, waits(request));
    fill(foot, outcome ? result() : null, decides ? form : outcome ? null : decided());
  }

  function result() {
    const good = ["approved", "pending"].includes(request.state) ? "good" : "";
    const grant = outcome.grant;
    const message = h(
      "div",
      { class: `message ${good}`, role: "status", tabindex: "-1" },
      h("p", {}, outcome.message),
    );
    if (!grant?.may.includes("revoke")) return message;
    const undo = h(
      "button",
      { type: "button", class: "danger", "data-key": "revoke" },
      `Revoke grant ${grant.id}`,
    );
    undo.addEventListener("click", async () => {
      const answer = await revoke(grant);
      if (!answer) return;
      undo.remove();
      message.className = "message";
      fill(message, h("p", {}, answer.message));
      message.focus();
    });
    return [message, h("div", { class: "buttons" }, undo)];
  }

  function decided() {
    const said = request.state === "pending" ? waits(request) : how(request);
    return h("p", { class: "status", role: "status" }, tag(request.state), " ", said);
  }
}

/// `ada asks to select`.
export function asks(request) {
  const group = request.who === request.by ? null : [" for ", name(request.who)];
  const what =
    request.extends === null
      ? ` asks to ${request.actions}`
      : ` asks for more time of grant ${request.extends}`;
  return [name(request.by), h("span", { class: "verb" }, what, group)];
}

/// How it was decided, in words.
export function how(request) {
  const by = request.decided_by ? ["by ", name(request.decided_by), " "] : null;
  const reason = request.decision_reason ? [": ", name(request.decision_reason)] : null;
  return [by, request.decided_at ? ago(request.decided_at) : null, reason];
}

function number(request) {
  return h(
    "span",
    { class: "aside" },
    h("a", { href: `#/requests/${request.id}` }, `request ${request.id}`),
    " · ",
    request.database,
    " · ",
    ago(request.requested_at),
  );
}

/// Whom it waits for, and until when.
function waits(request) {
  return [
    request.waits_for ? ["Waits for ", name(request.waits_for)] : null,
    request.second_factor ? ", with a second factor" : null,
    request.lapses_at ? [request.waits_for ? "; lapses in " : "Lapses in ", left(request.lapses_at)] : null,
    request.approvals.length > 0 && request.state === "pending"
      ? ["; approved by ", approvals(request.approvals)]
      : null,
  ];
}

async function tell(request, list, had, labelled) {
  const answer = await orNull(() => get(`/v1/requests/${request.id}/explain`));
  fill(had, before(answer?.facts));
  fill(labelled, labels(answer?.facts));
  if (answer?.facts) {
    const drawn = [...facts(request, answer.facts).children];
    // The first two terms are its columns and rows: they have become more precise.
    for (const at of [1, 3]) list.children[at].replaceWith(drawn[at]);
  }
}
