// Break-glass grants that somebody else has to look at afterwards.

import { all, once } from "../call.js";
import { proven } from "../dialog.js";
import { field, fill, h, unique } from "../dom.js";
import { news } from "../live.js";
import { empty } from "../parts/empty.js";
import { entry, facts } from "../parts/facts.js";
import { isOpen, revoke } from "../parts/grant-card.js";
import { tag } from "../parts/states.js";
import { orNull, orShow } from "../problem.js";
import { heading, waiting } from "../router.js";
import { name } from "../text.js";
import { ago, left } from "../time.js";

const MOST = 200;

export async function reviews(main, { signal }) {
  const cards = new Map();
  const list = h("ol", { class: "cards" });
  const place = h("div", {}, waiting());
  main.append(heading("Break-glass reviews"), place);
  news.addEventListener("grant", ({ detail }) => take(detail.item), { signal });
  news.addEventListener("missed", () => orNull(load), { signal });
  await load();

  async function load() {
    const found = await all("/v1/grants", { unreviewed: true }, MOST);
    if (signal.aborted) return;
    for (const grant of found.sort((a, b) => a.id - b.id)) take(grant);
    if (cards.size === 0) {
      fill(
        place,
        empty(
          "Nothing is to be reviewed",
          "Who takes access by break-glass gets it at once; afterwards somebody else says here whether that was justified.",
        ),
      );
    }
  }

  function take(grant) {
    const card = cards.get(grant.id);
    if (card) return card.update(grant);
    if (grant.review?.state !== "open") return;
    const made = reviewCard(grant);
    cards.set(grant.id, made);
    list.append(h("li", {}, made.element));
    if (!list.isConnected) fill(place, list);
  }
}

function reviewCard(first) {
  let grant = first;
  let busy = false;
  const title = h(
    "h2",
    { id: unique("review") },
    name(grant.by),
    h("span", { class: "verb" }, ` used break-glass to ${grant.actions}`),
  );
  const state = h("span", { class: "aside" });
  const comment = h("textarea", { "data-key": "comment" });
  const failed = h("div", {});
  const yes = verdict("Justified", "", "justified");
  const no = verdict("Not justified", "danger", "not justified");
  const stop = h(
    "button",
    { type: "button", class: "danger", "data-key": "revoke", "aria-describedby": title.id },
    "Revoke",
  );
  stop.addEventListener("click", async () => {
    const answer = await revoke(grant);
    if (answer?.grant) update(answer.grant);
  });
  const foot = h("div", { class: "stack" });
  const element = h(
    "article",
    { class: "card urgent", tabindex: "-1", "aria-labelledby": title.id },
    h("header", {}, title, state),
    facts(
      grant,
      null,
      entry("Taken", ago(grant.valid_from)),
      entry("Done", h("a", { href: `#/audit?grant=${grant.id}` }, "What was done under it")),
    ),
    foot,
  );
  draw();
  return { element, update };

  function update(next) {
    if (busy) return;
    const same = next.review?.state === grant.review?.state && next.may.join() === grant.may.join();
    grant = next;
    if (same) drawState();
    else draw();
  }

  function drawState() {
    fill(
      state,
      h("a", { href: `#/grants/${grant.id}` }, `grant ${grant.id}`),
      " · ",
      isOpen(grant) ? ["in force for ", left(grant.valid_until)] : grant.state,
    );
    stop.hidden = !grant.may.includes("revoke");
  }

  function draw() {
    drawState();
    const { review } = grant;
    element.classList.toggle("done", review?.state !== "open");
    if (grant.may.includes("review")) {
      fill(foot, field("What you found", comment), failed, h("div", { class: "buttons" }, yes, no, stop));
    } else if (review?.state === "open") {
      fill(
        foot,
        h("p", { class: "status" }, "Somebody else of the reviewers has to look at it."),
        h("div", { class: "buttons" }, stop),
      );
    } else {
      const said = [
        tag(review.state),
        " by ",
        name(review.by ?? ""),
        " ",
        review.at ? ago(review.at) : null,
        review.comment ? [": ", name(review.comment)] : null,
      ];
      fill(
        foot,
        h("p", { class: "message", role: "status", tabindex: "-1" }, said),
        h("div", { class: "buttons" }, stop),
      );
    }
  }

  function verdict(text, classes, word) {
    const button = h("button", { type: "button", class: classes, "aria-describedby": title.id }, text);
    button.addEventListener("click", async () => {
      if (busy) return;
      busy = true;
      const body = { verdict: word, reason: comment.value.trim() };
      const answer = await orShow(failed, () => proven(() => once(`/v1/grants/${grant.id}/review`, body)));
      busy = false;
      if (answer === null) return comment.focus();
      if (answer.grant) update(answer.grant);
      foot.querySelector(".message")?.focus();
    });
    return button;
  }
}
