// Grants in force with the time they have left, and those that have ended.

import { all, get } from "../call.js";
import { fill, h } from "../dom.js";
import { news } from "../live.js";
import { me } from "../me.js";
import { askButton, empty, tabs } from "../parts/empty.js";
import { grantCard, isOpen } from "../parts/grant-card.js";
import { orNull } from "../problem.js";
import { heading, waiting } from "../router.js";

const TABS = [
  ["active", "In force"],
  ["mine", "Mine"],
  ["ended", "Ended"],
];
const MOST = 200;

export async function grants(main, { query, signal }) {
  const shown = TABS.some(([name]) => name === query.get("show")) ? query.get("show") : "active";
  const cards = new Map();
  const list = h("ol", { class: "cards" });
  const place = h("div", {}, waiting());
  main.append(
    heading("Grants", askButton(false)),
    h("div", { class: "bar" }, tabs("grants", TABS, shown)),
    place,
  );
  news.addEventListener("grant", ({ detail }) => take(detail.item), { signal });
  news.addEventListener("missed", () => orNull(load), { signal });
  await load();

  async function load() {
    const found = await fetchShown(shown);
    if (signal.aborted) return;
    const gone = new Set(cards.keys());
    for (const grant of found) {
      gone.delete(grant.id);
      take(grant);
    }
    for (const id of gone) cards.get(id).update(await get(`/v1/grants/${id}`));
    if (cards.size === 0) fill(place, nothing(shown));
  }

  /// One that is there changes where it is; a new one comes last.
  function take(grant) {
    const card = cards.get(grant.id);
    if (card) return card.update(grant);
    if (!belongs(grant, shown)) return;
    const made = grantCard(grant);
    cards.set(grant.id, made);
    list.append(h("li", {}, made.element));
    if (!list.isConnected) fill(place, list);
  }
}

/// One grant.
export async function grant(main, { id, signal }) {
  const place = h("div", { class: "stack" }, waiting());
  main.append(heading(`Grant ${id}`), place);
  const found = await get(`/v1/grants/${encodeURIComponent(id)}`);
  if (signal.aborted) return;
  const card = grantCard(found);
  fill(
    place,
    card.element,
    h(
      "p",
      {},
      h("a", { href: `#/requests/${found.request_id}` }, `Request ${found.request_id}: why, and who decided`),
    ),
  );
  news.addEventListener("grant", ({ detail }) => detail.item.id === found.id && card.update(detail.item), {
    signal,
  });
  news.addEventListener(
    "missed",
    () => orNull(async () => card.update(await get(`/v1/grants/${found.id}`))),
    { signal },
  );
}

async function fetchShown(shown) {
  if (shown === "active") {
    const [live, scheduled] = await Promise.all([
      all("/v1/grants", { state: "live" }, MOST),
      all("/v1/grants", { state: "scheduled" }, MOST),
    ]);
    const ending = (a, b) => Date.parse(a.valid_until) - Date.parse(b.valid_until);
    return [...live.sort(ending), ...scheduled.sort(ending)];
  }
  const found = await all("/v1/grants", shown === "mine" ? { mine: true } : {}, MOST);
  return found.filter((grant) => belongs(grant, shown));
}

function belongs(grant, shown) {
  if (shown === "active") return isOpen(grant);
  if (shown === "ended") return !isOpen(grant);
  // The list says which are mine; of news, those that I asked for or hold are.
  const { user, groups } = me.get();
  return grant.by === user || grant.who === user || groups.some((group) => grant.who === `group ${group}`);
}

function nothing(shown) {
  if (shown === "mine")
    return empty(
      "You hold no grant",
      "Ask for the columns you need; once approved, they are shown for as long as you asked.",
      askButton(),
    );
  if (shown === "ended")
    return empty("No grant has ended yet", "Those that expire, are released or revoked are listed here.");
  return empty("No grant is in force", "Nobody sees personal data right now, as far as you may know.");
}
