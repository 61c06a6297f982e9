// Keyboard shortcuts. They can be turned off (WCAG 2.2, 2.1.4): who dictates text would trigger them.

import { h } from "./dom.js";
import { go } from "./router.js";

const OFF = "pgwarrant.shortcuts.off";
const FOLLOWS_WITHIN = 1500;
const PAGES = {
  i: "inbox",
  r: "requests",
  g: "grants",
  b: "reviews",
  a: "audit",
  c: "catalog",
  s: "sessions",
};
/// Press the button with this attribute, of the card that has the focus or of the page.
const BUTTONS = {
  a: "approve",
  d: "deny",
  c: "comment",
  x: "revoke",
  n: "new",
  ".": "show-new",
  "/": "filter",
};

let began = 0;

export function start() {
  document.addEventListener("keydown", onKey);
  document.getElementById("help").addEventListener("click", help);
}

function onKey(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (document.querySelector("dialog[open]") || event.target.closest("input, textarea, select")) {
    if (event.key === "Escape" && event.target.closest(".card")) event.target.closest(".card").focus();
    return;
  }
  if (localStorage.getItem(OFF) || document.getElementById("pages").hidden) return;
  if (act(event.key)) event.preventDefault();
}

function act(key) {
  const second = Date.now() - began < FOLLOWS_WITHIN;
  began = 0;
  if (second && PAGES[key]) return (go(PAGES[key]), true);
  if (key === "g") return ((began = Date.now()), true);
  if (key === "?") return (help(), true);
  if (key === "j" || key === "k") return step(key === "j" ? 1 : -1);
  const button = BUTTONS[key];
  if (!button) return false;
  const card = document.activeElement?.closest(".card");
  const within = ["new", "show-new", "filter"].includes(button) ? document.getElementById("main") : card;
  const found = within?.querySelector(`[data-key="${button}"]`);
  if (!found) return false;
  if (found.matches("input, textarea")) found.focus();
  else found.click();
  return true;
}

function step(by) {
  const cards = [...document.querySelectorAll("main .card, main a.line, main summary.line")];
  if (cards.length === 0) return false;
  const at = cards.findIndex((card) => card.contains(document.activeElement));
  const next = cards[Math.max(0, Math.min(cards.length - 1, at < 0 ? 0 : at + by))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
  return true;
}

const LIST = [
  [["j", "k"], "next, previous entry of a list"],
  [["a", "d"], "approve, deny the request that has the focus"],
  [["c"], "write a comment to it; Escape goes back"],
  [["x"], "revoke the grant that has the focus"],
  [["."], "show what is new"],
  [["/"], "filter the list"],
  [["n"], "ask for access"],
  [["g", "i"], "inbox"],
  [["g", "r"], "requests"],
  [["g", "g"], "grants"],
  [["g", "b"], "break-glass reviews"],
  [["g", "a"], "audit"],
  [["g", "c"], "catalogue"],
  [["g", "s"], "sessions"],
  [["?"], "this list"],
];

function help() {
  const box = h("input", { type: "checkbox", id: "shortcuts", checked: !localStorage.getItem(OFF) });
  box.addEventListener("change", () => {
    if (box.checked) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, "1");
  });
  const close = h("button", { type: "button", class: "primary" }, "Close");
  const dialog = h(
    "dialog",
    { "aria-labelledby": "help-title" },
    h("h2", { id: "help-title" }, "Keyboard shortcuts"),
    h(
      "div",
      { class: "stack" },
      h(
        "dl",
        { class: "keys" },
        LIST.map(([keys, does]) => [
          h(
            "dt",
            {},
            keys.map((key) => [h("kbd", {}, key), " "]),
          ),
          h("dd", {}, does),
        ]),
      ),
      h("label", { class: "check", for: "shortcuts" }, box, "Use shortcuts of a single key"),
      h("div", { class: "buttons" }, close),
    ),
  );
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  close.focus();
}
