// Times in the reader's zone with UTC in the title, and clocks that run.

import { h } from "./dom.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/// Date headers have whole seconds, and an answer takes a while.
const UNNOTICED = 2 * SECOND;
/// Time left of which is shown that it ends soon.
const SOON = 2 * MINUTE;

let skew = 0;

/// From the Date header of an answer: what is left of a grant does not depend on the reader's clock.
export function sawServerTime(date, sent, received) {
  const server = Date.parse(date ?? "");
  if (Number.isNaN(server)) return;
  const off = server + SECOND / 2 - (sent + received) / 2;
  skew = Math.abs(off) > UNNOTICED + (received - sent) / 2 ? off : 0;
}

export function now() {
  return Date.now() + skew;
}

/// `14:05` of today, `20 Nov 14:05`, `20 Nov 2025 14:05`.
export function when(time, precise = false) {
  const date = new Date(time);
  return h("time", { datetime: time, title: inFull(date) }, short(date, precise));
}

/// How long ago, or in how long; it runs.
export function ago(time) {
  return clock("ago", time, h("time", { datetime: time, title: inFull(new Date(time)) }));
}

/// How long until then; it runs.
export function left(time, attributes) {
  return clock("left", time, h("time", { datetime: time, title: inFull(new Date(time)), ...attributes }));
}

/// How much of a time span is left, as a bar; it runs.
export function leftMeter(from, until) {
  const meter = h("meter", { min: 0, max: 1, value: 0, "aria-hidden": "true", "data-from": from });
  return clock("meter", until, meter);
}

/// `1 h 05 min`, `12 min 05 s`, `42 s`.
export function span(ms) {
  const two = (number) => String(number).padStart(2, "0");
  const [days, hours] = [Math.floor(ms / DAY), Math.floor((ms % DAY) / HOUR)];
  const [minutes, seconds] = [Math.floor((ms % HOUR) / MINUTE), Math.floor((ms % MINUTE) / SECOND)];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${two(minutes)} min`;
  if (minutes > 0) return `${minutes} min ${two(seconds)} s`;
  return `${seconds} s`;
}

function clock(kind, time, element) {
  element.dataset.clock = kind;
  element.dataset.time = time;
  tick(element);
  return element;
}

function tick(element) {
  const { clock: kind, time, from } = element.dataset;
  const at = Date.parse(time);
  if (kind === "meter") {
    element.value = Math.max(0, Math.min(1, (at - now()) / (at - Date.parse(from))));
  } else if (kind === "left") {
    show(element, at > now() ? span(at - now()) : "over");
    element.classList.toggle("soon", at - now() < SOON);
  } else {
    show(element, past(now() - at));
  }
}

function past(ms) {
  if (ms < -MINUTE) return `in ${span(-ms)}`;
  if (ms < MINUTE) return "just now";
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min ago`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h ago`;
  return `${Math.floor(ms / DAY)} d ago`;
}

function show(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function short(date, precise) {
  const today = new Date(now());
  const clockTime = {
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    ...(precise ? { second: "2-digit" } : {}),
  };
  const sameDay = date.toDateString() === today.toDateString();
  const sameYear = date.getFullYear() === today.getFullYear();
  const day = { day: "numeric", month: "short", ...(sameYear ? {} : { year: "numeric" }) };
  const time = date.toLocaleTimeString("en-GB", clockTime);
  return sameDay ? time : `${date.toLocaleDateString("en-GB", day)} ${time}`;
}

function inFull(date) {
  if (Number.isNaN(date.getTime())) return "";
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const utc = date
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, "");
  return `${utc} UTC (shown in ${zone})`;
}

setInterval(() => {
  for (const element of document.querySelectorAll("[data-clock]")) tick(element);
}, SECOND);
