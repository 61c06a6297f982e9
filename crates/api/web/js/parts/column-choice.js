// Which columns to ask for: those of the catalogue with their labels, to be ticked.

import { fill, h, unique } from "../dom.js";
import { byRelation } from "../pages/catalog.js";
import { code } from "../text.js";

/// `{element, of, chosen}`. `of` shows those of a database; `wanted` is ticked from the start, also
/// where it is no single column (`category:contact`).
export function columnChoice(catalogue, wanted) {
  const ticked = new Set(wanted.split(/,\s*/).filter(Boolean));
  const known = new Set(catalogue.map(full));
  const others = [...ticked].filter((item) => !known.has(item));
  let database = null;
  const words = h("input", {
    type: "search",
    "aria-label": "Filter columns",
    placeholder: "Filter: name, category …",
    "data-key": "filter",
  });
  // A list that scrolls can be reached with the keyboard by what is in it.
  const list = h("div", { class: "choice", role: "group", "aria-label": "Columns", tabindex: "0" });
  const summary = h("p", { class: "chosen status", role: "status" });
  const element = h(
    "div",
    { class: "field" },
    h("span", { class: "label" }, "Columns"),
    words,
    list,
    summary,
  );
  words.addEventListener("input", draw);
  // Enter here would send the form.
  words.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
  return { element, of, chosen };

  function of(name) {
    if (database === name) return;
    database = name;
    draw();
  }

  function chosen() {
    const theirs = catalogue.filter((column) => column.database === database).map(full);
    return [...ticked].filter((item) => others.includes(item) || theirs.includes(item));
  }

  function draw() {
    const filter = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const matching = catalogue.filter((column) => {
      const text = `${full(column)} ${column.category} ${column.sensitivity}`.toLowerCase();
      return column.database === database && filter.every((word) => text.includes(word));
    });
    fill(
      list,
      others.length > 0
        ? group(
            "Also",
            others.map((item) => tick(item, item, null)),
          )
        : null,
      byRelation(matching).map(relation),
    );
    if (list.childElementCount === 0) fill(list, h("p", { class: "status" }, "No column matches."));
    count();
  }

  function relation(columns) {
    return group(
      code(columns[0].relation),
      columns.map((column) => tick(full(column), column.column, column)),
    );
  }

  function group(title, ticks) {
    return h("fieldset", {}, h("legend", {}, title), h("ul", {}, ticks));
  }

  function tick(item, shown, column) {
    const box = h("input", { type: "checkbox", id: unique("column"), checked: ticked.has(item) });
    box.addEventListener("change", () => {
      ticked[box.checked ? "add" : "delete"](item);
      count();
    });
    const label = column
      ? h(
          "span",
          { class: column.sensitivity === "high" ? "tag bad" : "tag" },
          column.sensitivity === "high" ? `${column.category}, high` : column.category,
        )
      : null;
    return h("li", {}, h("label", { class: "check", for: box.id }, box, code(shown), label));
  }

  function count() {
    const all = chosen();
    summary.textContent = all.length === 0 ? "None chosen yet." : `Chosen: ${all.join(", ")}`;
  }
}

function full(column) {
  return `${column.relation}.${column.column}`;
}
