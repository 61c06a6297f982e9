// One request: all that is known of it, why it was decided so, and what can be done with it.

import { get, once } from "../call.js";
import { ask, proven } from "../dialog.js";
import { fill, h } from "../dom.js";
import { news } from "../live.js";
import { me } from "../me.js";
import { before, entry } from "../parts/facts.js";
import { grantCard } from "../parts/grant-card.js";
import { requestCard } from "../parts/request-card.js";
import { orNull } from "../problem.js";
import { heading, waiting } from "../router.js";
import { code, name, prose } from "../text.js";
import { when } from "../time.js";

export async function request(main, { id, signal }) {
  const number = Number(id);
  const place = h("div", { class: "stack" }, waiting());
  const more = h("div", { class: "stack section" });
  main.append(heading(`Request ${id}`), place, more);
  const [first, why] = await Promise.all([
    get(`/v1/requests/${encodeURIComponent(id)}`),
    get(`/v1/requests/${encodeURIComponent(id)}/explain`),
  ]);
  if (signal.aborted) return;
  const card = requestCard(first);
  const own = h("div", { class: "buttons" });
  fill(place, card.element, own);
  drawOwn(first);
  drawMore(why);
  if (first.grant_id !== null) await drawGrant(first.grant_id);
  news.addEventListener("request", ({ detail }) => detail.item.id === number && take(detail.item), {
    signal,
  });
  news.addEventListener("missed", () => orNull(async () => take(await get(`/v1/requests/${number}`))), {
    signal,
  });

  async function take(request) {
    card.update(request);
    drawOwn(request);
    if (request.grant_id !== null && !place.querySelector("article + .buttons + article"))
      await drawGrant(request.grant_id);
  }

  function drawOwn(request) {
    const withdraw = h("button", { type: "button", class: "danger" }, "Withdraw");
    withdraw.addEventListener("click", async () => {
      const answer = await ask({
        title: `Withdraw request ${request.id}?`,
        text: "Nobody will be able to approve it any more.",
        submit: "Withdraw",
        danger: true,
        act: () => proven(() => once(`/v1/requests/${request.id}/withdraw`, {})),
      });
      if (answer?.request) take(answer.request);
    });
    const again = h("a", { class: "button", href: `#/ask?${sameAgain(request)}` }, "Ask for the same again");
    const mine = request.by === me.get().user && request.extends === null;
    fill(
      own,
      request.may.includes("withdraw") ? withdraw : null,
      mine && request.state !== "pending" ? again : null,
    );
  }

  async function drawGrant(grantId) {
    const grant = grantCard(await get(`/v1/grants/${grantId}`));
    if (signal.aborted) return;
    place.append(grant.element);
    news.addEventListener("grant", ({ detail }) => detail.item.id === grantId && grant.update(detail.item), {
      signal,
    });
  }

  function drawMore(why) {
    fill(more, decision(why), why.facts ? seen(why.facts) : null);
  }
}

function sameAgain(request) {
  const { database, columns, rows, reason, duration, ticket } = request;
  return new URLSearchParams(
    Object.entries({ database, columns, rows, reason, duration, ticket }).filter(([, value]) => value),
  );
}

/// How it is decided, by whom, and what it would get today.
function decision(why) {
  const policies = (names) =>
    names.length === 0 ? "none" : names.map((policy, index) => [index === 0 ? null : ", ", code(policy)]);
  return h(
    "section",
    { class: "panel" },
    h("h2", {}, "How it is decided"),
    h(
      "dl",
      { class: "facts" },
      why.ruling ? entry("Ruling", why.ruling) : null,
      entry("Policies", policies(why.policies)),
      why.reasons.length > 0
        ? entry(
            "Reasons",
            why.reasons.map((reason) => h("div", {}, prose(reason))),
          )
        : null,
      entry("People", why.decided_by.length === 0 ? "nobody yet" : why.decided_by.map(word)),
      entry("Today", [
        "it would get ",
        h("strong", {}, why.today),
        why.today_policies.length > 0 ? [" by ", policies(why.today_policies)] : null,
      ]),
    ),
  );
}

function word(word) {
  const from = [word.address, word.sign_in, word.tls === null ? null : word.tls ? "TLS" : "no TLS"]
    .filter(Boolean)
    .join(", ");
  return h(
    "div",
    {},
    name(word.by),
    " at ",
    when(word.at),
    word.reason ? [": ", prose(word.reason)] : null,
    from ? h("div", { class: "status" }, `from ${from}`) : null,
  );
}

/// What was known when it was asked.
function seen(facts) {
  return h(
    "section",
    { class: "panel" },
    h("h2", {}, "What was known when it was asked"),
    h(
      "dl",
      { class: "facts" },
      entry("Before", before(facts)),
      (facts.columns ?? []).map(([relation, column, category, sensitivity], index) => [
        h("dt", {}, index === 0 ? "Columns" : null),
        h(
          "dd",
          {},
          code(`${relation}.${column}`),
          h("span", { class: "status" }, ` ${category}, ${sensitivity} sensitivity`),
        ),
      ]),
    ),
  );
}
