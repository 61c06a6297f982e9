// "Show 3 new": what arrives does not push away what is being read.

import { fill, h } from "../dom.js";

/// More are not kept: the list is then to be loaded again.
const MOST = 500;

/// `{element, add, flush, clear}`; the room for it is always there. `show` is given what was added,
/// the newest first, or null where that was too much; and whether somebody asked for it.
export function newcomers(show) {
  let waiting = [];
  let tooMany = false;
  const element = h("div", { class: "push" });
  const label = h("span", {});
  const button = h("button", { type: "button", "data-key": "show-new", hidden: true }, label);
  button.addEventListener("click", () => flush(true));
  element.append(button);
  return { element, add, flush, clear };

  function add(item) {
    waiting.unshift(item);
    tooMany ||= waiting.length > MOST;
    if (tooMany) waiting = [];
    fill(label, tooMany ? "Show what is new" : `Show ${waiting.length} new`);
    button.hidden = false;
  }

  function flush(asked = false) {
    const all = tooMany ? null : waiting;
    clear();
    show(all, asked);
  }

  function clear() {
    waiting = [];
    tooMany = false;
    button.hidden = true;
  }
}
