// Who is signed in, the frame around the pages, and which pages there are.

import { all, get, remove, session } from "./call.js";
import { fill, h } from "./dom.js";
import * as keys from "./keys.js";
import * as live from "./live.js";
import * as router from "./router.js";
import { Problem, orNull, problemBox } from "./problem.js";
import { say } from "./say.js";
import { me } from "./me.js";
import { askPage } from "./pages/ask.js";
import { audit } from "./pages/audit.js";
import { catalog } from "./pages/catalog.js";
import { grant, grants } from "./pages/grants.js";
import { inbox } from "./pages/inbox.js";
import { request } from "./pages/request.js";
import { requests } from "./pages/requests.js";
import { reviews } from "./pages/reviews.js";
import { sessions } from "./pages/sessions.js";
import { signIn } from "./pages/sign-in.js";

const STATES = { live: "Live", connecting: "Connecting…", off: "Paused" };

/// What waits for whoever is signed in: numbers of requests, and of grants.
const waits = { inbox: new Set(), reviews: new Set() };

router.route([
  ["", start],
  ["inbox", inbox],
  ["requests", requests],
  ["requests/:id", request],
  ["ask", askPage],
  ["grants", grants],
  ["grants/:id", grant],
  ["reviews", reviews],
  ["audit", audit],
  ["catalog", catalog],
  ["sessions", sessions],
]);
keys.start();
frame();
enter();

async function enter() {
  try {
    welcome(await get("/v1/whoami"));
  } catch (problem) {
    // Of 401 the session has told already.
    if (problem instanceof Problem && problem.status !== 401) {
      fill(document.getElementById("main"), h("h1", {}, "pgwarrant"), problemBox(problem));
    }
  }
}

function welcome(whoami) {
  me.set(whoami);
  frameHidden(false);
  document.getElementById("me").textContent = whoami.user;
  document.getElementById("me").title = `${whoami.user}: ${whoami.groups.join(", ") || "no group"}`;
  live.start();
  orNull(count);
  router.start();
}

/// Where somebody begins: those who decide with what waits for them.
async function start() {
  location.replace(me.get().may_approve ? "#/inbox" : "#/requests");
}

function leave() {
  live.stop();
  router.stop();
  me.set(null);
  waits.inbox.clear();
  waits.reviews.clear();
  showCounts();
  frameHidden(true);
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  signIn(document.getElementById("main"), welcome);
}

function frameHidden(hidden) {
  document.body.classList.toggle("alone", hidden);
  document.getElementById("top").hidden = hidden;
  document.getElementById("pages").hidden = hidden;
}

function frame() {
  session.addEventListener("signed-out", leave);
  document.getElementById("leave").addEventListener("click", async () => {
    try {
      await remove("/v1/session");
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (problem.status !== 401) return say(`${problem.message}: you are still signed in`);
    }
    location.hash = "#/";
    leave();
  });
  // A fragment of its own would be taken for a page.
  document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById("main").focus();
  });
  const more = document.getElementById("more");
  const open = (is) => {
    document.getElementById("pages").classList.toggle("open", is);
    more.setAttribute("aria-expanded", String(is));
  };
  more.addEventListener("click", () => open(more.getAttribute("aria-expanded") !== "true"));
  addEventListener("hashchange", () => open(false));
  document.getElementById("pages").addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || more.getAttribute("aria-expanded") !== "true") return;
    open(false);
    more.focus();
  });
  live.news.addEventListener("state", ({ detail }) => {
    const link = document.getElementById("link");
    link.dataset.state = detail;
    link.title = STATES[detail];
    fill(link, h("span", {}, STATES[detail]));
  });
  live.news.addEventListener("request", ({ detail }) => onRequest(detail));
  live.news.addEventListener("grant", ({ detail }) => onGrant(detail));
  live.news.addEventListener("missed", () => orNull(count));
  addEventListener("titled", showCounts);
}

async function count() {
  const [requests, grants] = await Promise.all([
    all("/v1/requests", { waits_for_me: true }, 200),
    all("/v1/grants", { unreviewed: true }, 200),
  ]);
  waits.inbox = new Set(requests.filter((item) => item.may.includes("approve")).map((item) => item.id));
  waits.reviews = new Set(grants.filter((item) => item.may.includes("review")).map((item) => item.id));
  showCounts();
}

function onRequest({ kind, item }) {
  const waitsForMe = item.state === "pending" && item.may.includes("approve");
  const isNew = waitsForMe && !waits.inbox.has(item.id);
  waits.inbox[waitsForMe ? "add" : "delete"](item.id);
  showCounts();
  if (isNew) say(`request ${item.id} of ${item.by} waits for you: ${item.columns}`);
  else if (kind === "decided" && item.by === me.get()?.user) say(item.message);
}

function onGrant({ kind, item }) {
  const mine = item.may.includes("review");
  if (kind === "break_glass" && mine) say(`break-glass: ${item.message}`);
  waits.reviews[mine ? "add" : "delete"](item.id);
  showCounts();
}

function showCounts() {
  for (const [name, ids] of Object.entries(waits)) {
    const count = document.getElementById(`count-${name}`);
    fill(count, ids.size === 0 ? null : [String(ids.size), h("span", { class: "unseen" }, " waiting")]);
  }
  const title = document.title.replace(/^\(\d+\) /, "");
  document.title = waits.inbox.size === 0 ? title : `(${waits.inbox.size}) ${title}`;
}
