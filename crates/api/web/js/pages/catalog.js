// Every protected column: its label, its mask, and what whoever is signed in sees of it now.

import { all } from "../call.js";
import { fill, h } from "../dom.js";
import { empty } from "../parts/empty.js";
import { heading, waiting } from "../router.js";
import { code, name } from "../text.js";

const MOST = 5000;
const COLOURS = { raw: "warn", masked: "", blocked: "bad" };

export async function catalog(main, { signal }) {
  const words = h("input", {
    type: "search",
    "aria-label": "Filter columns",
    placeholder: "Filter: name, category, mask …",
    "data-key": "filter",
  });
  const shown = h("p", { class: "status", role: "status" });
  const place = h("div", {}, waiting());
  main.append(
    heading("Catalogue"),
    h("div", { class: "bar" }, h("div", { class: "field" }, words), shown),
    place,
  );
  const found = await all("/v1/catalog", {}, MOST);
  if (signal.aborted) return;
  words.addEventListener("input", draw);
  draw();

  function draw() {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const matching = found.filter((column) => {
      const text = Object.values(column).join(" ").toLowerCase();
      return wanted.every((word) => text.includes(word));
    });
    shown.textContent = `${matching.length} of ${found.length} protected columns`;
    if (found.length === 0)
      fill(
        place,
        empty(
          "Nothing is protected",
          "Labels in the proxy's configuration say which columns hold personal data.",
        ),
      );
    else if (matching.length === 0)
      fill(place, empty("No column matches", "Try fewer words, or part of a name."));
    else fill(place, byRelation(matching).map(section));
  }
}

/// Lists of the columns of one relation each.
export function byRelation(columns) {
  const relations = new Map();
  for (const column of columns) {
    const key = JSON.stringify([column.database, column.relation]);
    if (!relations.has(key)) relations.set(key, []);
    relations.get(key).push(column);
  }
  return [...relations.values()];
}

function section(columns) {
  const [{ database, relation }] = columns;
  return h(
    "section",
    { class: "section" },
    h(
      "h2",
      { class: "bar" },
      h("span", {}, code(relation), h("span", { class: "status" }, " in ", name(database))),
      askFor(database, columns, `Ask for all ${columns.length}`, relation),
    ),
    h(
      "ol",
      { class: "lines" },
      columns.map((column) => h("li", {}, line(column))),
    ),
  );
}

function line(column) {
  const { database, category, sensitivity, mask, ungranted, access } = column;
  const without = ungranted === "block" ? "refused without a grant" : `masked with ${mask}`;
  return h(
    "div",
    { class: "line column-of" },
    h("strong", { class: "name" }, code(column.column)),
    h(
      "span",
      { class: "labelled" },
      name(category),
      sensitivity ? h("span", { class: "dim" }, ` · ${sensitivity}`) : null,
    ),
    h("span", { class: "dim without" }, without),
    h(
      "span",
      { class: "access" },
      h(
        "span",
        { class: `tag ${COLOURS[access] ?? "warn"}`.trim() },
        access.startsWith("raw for") ? "raw for some rows" : access,
      ),
    ),
    askFor(database, [column], "Ask", `${column.relation}.${column.column}`),
  );
}

function askFor(database, columns, text, of) {
  const wanted = columns.map((column) => `${column.relation}.${column.column}`).join(", ");
  return h(
    "a",
    { class: "button", href: `#/ask?${new URLSearchParams({ database, columns: wanted })}` },
    text,
    h("span", { class: "unseen" }, ` of ${of}`),
  );
}
