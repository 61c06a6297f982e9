// Requests that wait for whoever is signed in: the urgent first, then the oldest. What comes in
// while they are read is put at the end, and what others decide stays where it is.

import { all } from "../call.js";
import { fill, h } from "../dom.js";
import { news } from "../live.js";
import { me } from "../me.js";
import { askButton, empty } from "../parts/empty.js";
import { requestCard } from "../parts/request-card.js";
import { orNull } from "../problem.js";
import { heading, waiting } from "../router.js";

const URGENCIES = ["break-glass", "urgent", "normal"];
const MOST = 200;

export async function inbox(main, { signal }) {
  const cards = new Map();
  const list = h("ol", { class: "cards" });
  const place = h("div", {}, waiting());
  main.append(heading("Inbox"), place);
  news.addEventListener("request", ({ detail }) => take(detail.item), { signal });
  news.addEventListener("missed", () => orNull(load), { signal });
  await load();

  async function load() {
    const found = await all("/v1/requests", { waits_for_me: true }, MOST);
    if (signal.aborted) return;
    found.sort((a, b) => URGENCIES.indexOf(a.urgency) - URGENCIES.indexOf(b.urgency) || a.id - b.id);
    const gone = new Set(cards.keys());
    for (const request of found) {
      gone.delete(request.id);
      take(request);
    }
    if (cards.size === 0) fill(place, nothing());
    // Decided while nobody told of it.
    for (const id of gone) (cards.get(id).element.parentElement?.remove(), cards.delete(id));
  }

  function take(request) {
    const card = cards.get(request.id);
    if (card) return card.update(request);
    if (!request.may.includes("approve")) return;
    const made = requestCard(request);
    cards.set(request.id, made);
    list.append(h("li", {}, made.element));
    if (!list.isConnected) fill(place, list);
  }
}

function nothing() {
  if (me.get().may_approve) {
    return empty(
      "Nothing waits for you",
      "Requests that you may decide appear here as soon as somebody asks.",
    );
  }
  return empty(
    "Nothing waits for you",
    "Who approves what is said by the groups and policies of the proxy. You can ask for access yourself.",
    askButton(),
  );
}
