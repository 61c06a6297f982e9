// Tells of what happened elsewhere on the page: read out politely, and shown for a moment.

import { h } from "./dom.js";

const SHOWN = 6000;
const AT_ONCE = 3;

export function say(text) {
  const said = document.getElementById("said");
  // The same words twice are a change, too.
  said.textContent = "";
  setTimeout(() => (said.textContent = text), 50);
  const toasts = document.getElementById("toasts");
  const toast = h("p", {}, text);
  while (toasts.children.length >= AT_ONCE) toasts.firstChild.remove();
  toasts.append(toast);
  setTimeout(() => toast.remove(), SHOWN);
}
