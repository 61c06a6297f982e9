// Server-Sent Events that end when nobody looks, begin again when somebody does, and tell of gaps.

import { session } from "./call.js";

/// A page that nobody looks at gives its connection back: a browser has six to one server.
const HIDDEN_FOR = 60_000;
const AGAIN = 5_000;

/// `events`: handlers by the name of the event, given its data. `onState`: `live`, `connecting` or
/// `off`. `onGap`: something may have been missed. Ends with `signal`.
export function stream(path, events, { onState = () => {}, onGap, signal }) {
  let source = null;
  let hiding = null;
  let again = null;
  document.addEventListener("visibilitychange", onVisibility, { signal });
  // A page that the browser keeps for the way back would keep its connection, too.
  addEventListener("pagehide", disconnect, { signal });
  addEventListener("pageshow", (event) => event.persisted && resume(), { signal });
  signal.addEventListener("abort", disconnect);
  connect();

  function connect() {
    if (source || signal.aborted) return;
    onState("connecting");
    let before = false;
    source = new EventSource(path);
    source.addEventListener("open", () => {
      onState("live");
      if (before) onGap();
      before = true;
    });
    source.addEventListener("error", () => {
      onState("connecting");
      // Otherwise the browser tries again by itself.
      if (source?.readyState === EventSource.CLOSED) later();
    });
    source.addEventListener("missed", () => onGap());
    source.addEventListener("end", () => {
      disconnect();
      session.dispatchEvent(new Event("signed-out"));
    });
    for (const [name, handler] of Object.entries(events)) {
      source.addEventListener(name, (event) => handler(JSON.parse(event.data)));
    }
  }

  /// The answer was no stream: signed out, too many of them, or the proxy is starting.
  function later() {
    source?.close();
    source = null;
    again = setTimeout(async () => {
      const response = await fetch("/v1/whoami", { cache: "no-store" }).catch(() => null);
      if (response?.status === 401) session.dispatchEvent(new Event("signed-out"));
      else if (response?.ok) resume();
      else later();
    }, AGAIN);
  }

  function disconnect() {
    clearTimeout(again);
    clearTimeout(hiding);
    source?.close();
    source = null;
    onState("off");
  }

  function resume() {
    if (source || signal.aborted) return;
    connect();
    onGap();
  }

  function onVisibility() {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(disconnect, HIDDEN_FOR);
    else resume();
  }
}
