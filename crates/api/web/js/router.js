// Which page is shown: `#/requests/7?a=b`. After a change the focus is on the page's heading.

import { fill, h } from "./dom.js";
import { Problem, problemBox } from "./problem.js";

let pages = [];
let visit = null;
let shown = false;
let open = false;

/// `table`: `[["requests/:id", page], …]`; a page is `async (main, {id, query, signal, title})`.
/// What it listens to ends with `signal`.
export function route(table) {
  pages = table.map(([path, page]) => ({ parts: path.split("/"), page }));
  addEventListener("hashchange", show);
}

export function go(path) {
  if (location.hash === `#/${path}`) show();
  else location.hash = `#/${path}`;
}

/// From now on the page of the address is shown.
export function start() {
  open = true;
  return show();
}

/// The page of the address, anew.
export async function show() {
  if (!open) return;
  // Other fragments are places within a page.
  if (location.hash !== "" && !location.hash.startsWith("#/")) return;
  const [path, search = ""] = location.hash.slice(2).split("?", 2);
  const found = find(decode(path));
  const main = document.getElementById("main");
  visit?.abort();
  visit = new AbortController();
  const { signal } = visit;
  mark(path.split("/")[0]);
  fill(main);
  scrollTo(0, 0);
  try {
    await found.page(main, { ...found.named, query: new URLSearchParams(search), signal, title: settle });
  } catch (problem) {
    if (signal.aborted) return;
    if (!(problem instanceof Problem)) throw problem;
    main.querySelector(".wait")?.remove();
    if (!main.querySelector("h1")) main.append(heading("This did not work"));
    main.append(problemBox(problem));
  }
}

/// Nothing is shown any more. What is shown next gets the focus: what had it is gone.
export function stop() {
  open = false;
  visit?.abort();
  shown = true;
}

/// The heading of a page, with what can be done on it beside it.
export function heading(title, ...beside) {
  const h1 = h("h1", { tabindex: "-1" }, title);
  settle(title, h1);
  return h("div", { class: "head" }, h1, beside);
}

/// "Loading…", for those who would notice.
export function waiting() {
  return h("p", { class: "wait" }, "Loading…");
}

function settle(title, h1) {
  document.title = `${title} · pgwarrant`;
  dispatchEvent(new Event("titled"));
  // Who just loaded the page starts at its top, as everywhere.
  if (shown) queueMicrotask(() => h1?.focus({ preventScroll: true }));
  shown = true;
}

function find(path) {
  const parts = path.split("/");
  for (const { parts: wanted, page } of pages) {
    if (wanted.length !== parts.length) continue;
    const named = {};
    const fits = wanted.every((part, index) => {
      if (part.startsWith(":")) named[part.slice(1)] = parts[index];
      return part.startsWith(":") || part === parts[index];
    });
    if (fits) return { page, named };
  }
  return { page: missing, named: {} };
}

async function missing(main) {
  main.append(
    heading("There is no such page"),
    h(
      "div",
      { class: "empty" },
      h("p", {}, "Nothing is here"),
      h("p", {}, h("a", { href: "#/" }, "Go to the start")),
    ),
  );
}

function mark(first) {
  for (const link of document.querySelectorAll("#pages a")) {
    if (link.getAttribute("href") === `#/${first}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function decode(path) {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
