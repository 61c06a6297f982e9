// What changes while the page is looked at: requests and grants, as /v1/events tells of them.

import { stream } from "./stream.js";

const KINDS = [
  "requested",
  "partly_approved",
  "escalated",
  "decided",
  "scheduled",
  "break_glass",
  "started",
  "extended",
  "ended",
  "cut_off",
  "reviewed",
];

/// Fires "request" and "grant" (detail: `{kind, item}`), "missed" when lists are to be loaded again,
/// and "state" (detail: `live`, `connecting` or `off`).
export const news = new EventTarget();

let running = null;

export function start() {
  stop();
  running = new AbortController();
  const handlers = KINDS.map((kind) => [
    kind,
    ({ request, grant }) => {
      if (request) tell("request", { kind, item: request });
      if (grant) tell("grant", { kind, item: grant });
    },
  ]);
  stream("/v1/events", Object.fromEntries(handlers), {
    onState: (state) => tell("state", state),
    onGap: () => tell("missed", null),
    signal: running.signal,
  });
}

export function stop() {
  running?.abort();
  running = null;
}

function tell(type, detail) {
  news.dispatchEvent(new CustomEvent(type, { detail }));
}
