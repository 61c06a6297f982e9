// What became of requests: one's own, or all that one may see.

import { get } from "../call.js";
import { fill, h } from "../dom.js";
import { news } from "../live.js";
import { me } from "../me.js";
import { askButton, empty, tabs } from "../parts/empty.js";
import { newcomers } from "../parts/newcomers.js";
import { tag } from "../parts/states.js";
import { orNull, orShow } from "../problem.js";
import { heading, waiting } from "../router.js";
import { name } from "../text.js";
import { ago } from "../time.js";

export async function requests(main, { query, signal }) {
  const shown = query.get("show") === "all" ? "all" : "mine";
  const filter = shown === "mine" ? { mine: true } : {};
  const lines = new Map();
  const list = h("ol", { class: "lines" });
  const place = h("div", {}, waiting());
  const fresh = newcomers((found, asked) => {
    if (found === null) return orNull(load);
    for (const request of found.reverse()) put(request, true);
    if (asked) list.querySelector("a")?.focus();
  });
  const more = h("div", { class: "buttons section" });
  main.append(
    heading("Requests", askButton()),
    h(
      "div",
      { class: "bar" },
      tabs(
        "requests",
        [
          ["mine", "Mine"],
          ["all", "All"],
        ],
        shown,
      ),
      fresh.element,
    ),
    place,
    more,
  );
  news.addEventListener("request", ({ detail }) => take(detail.item), { signal });
  news.addEventListener("missed", () => orNull(load), { signal });
  await load();

  async function load() {
    const page = await get("/v1/requests", filter);
    if (signal.aborted) return;
    fresh.clear();
    lines.clear();
    list.replaceChildren();
    place.replaceChildren(list);
    if (page.items.length === 0) fill(place, nothing(shown));
    add(page);
  }

  function add(page) {
    for (const request of page.items) put(request, false);
    const button = h("button", { type: "button" }, "Older ones");
    const failed = h("div", {});
    button.addEventListener("click", async () => {
      const older = await orShow(failed, () => get("/v1/requests", { ...filter, after: page.next }));
      if (older) add(older);
    });
    fill(more, page.next === null ? null : [button, failed]);
  }

  function take(request) {
    if (shown === "mine" && request.by !== me.get().user) return;
    const line = lines.get(request.id);
    if (line) fill(line, ...content(request));
    else fresh.add(request);
  }

  function put(request, first) {
    if (lines.has(request.id)) return;
    if (!list.isConnected) fill(place, list);
    const line = h("a", { class: "line request", href: `#/requests/${request.id}` }, content(request));
    lines.set(request.id, line);
    list[first ? "prepend" : "append"](h("li", {}, line));
  }
}

function content(request) {
  return [
    h(
      "span",
      {},
      h("span", { class: "mono", dir: "ltr" }, name(request.columns)),
      h("br", {}),
      h(
        "span",
        { class: "dim" },
        `#${request.id} · `,
        name(request.by),
        " · ",
        name(short(request.reason)),
        " · ",
        request.duration,
        " · ",
        ago(request.requested_at),
      ),
    ),
    tag(request.state),
  ];
}

function short(reason) {
  const line = reason.split("\n", 1)[0];
  return line.length > 80 ? `${[...line].slice(0, 79).join("")}…` : line;
}

function nothing(shown) {
  if (shown === "all")
    return empty(
      "There are no requests",
      "Whoever is denied a column is told how to ask for it.",
      askButton(false),
    );
  return empty(
    "You have not asked for anything",
    "Personal data is masked until a request for it is approved.",
  );
}
