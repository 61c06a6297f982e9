// States of requests and grants, each with its colour; the word is always there, too.

import { h } from "../dom.js";

const COLOURS = {
  pending: "accent",
  approved: "good",
  denied: "bad",
  refused: "bad",
  scheduled: "accent",
  live: "good",
  revoked: "bad",
  "not recorded": "bad",
  open: "warn",
  justified: "good",
  "not justified": "bad",
  urgent: "warn",
  "break-glass": "bad",
};

export function tag(state) {
  return h("span", { class: `tag ${COLOURS[state] ?? ""}`.trim() }, state);
}
