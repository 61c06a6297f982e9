// Calls of the HTTP API. What fails throws a Problem.

import { Problem } from "./problem.js";
import { sawServerTime } from "./time.js";

/// Fires "signed-out" when a call was refused for want of a sign-in.
export const session = new EventTarget();

const SESSION = "/v1/session";
const PAGE = 200;
const RETRIES = [500, 2000];

export function get(path, parameters) {
  return call("GET", path + query(parameters));
}

/// A whole list, as far as `most` items.
export async function all(path, parameters, most = 1000) {
  const items = [];
  let after = null;
  do {
    const page = await get(path, { ...parameters, limit: Math.min(PAGE, most - items.length), after });
    items.push(...page.items);
    after = page.next;
  } while (after !== null && items.length < most);
  return items;
}

export function post(path, body, headers) {
  return call("POST", path, body, headers);
}

export function remove(path) {
  return call("DELETE", path);
}

/// Keys of calls whose answer has not arrived.
const open = new Map();

/// A call that must not happen twice: where its answer is lost, on the way or to a second press of
/// the button, it is made again with the same key, and answered what it was answered first.
export async function once(path, body) {
  const what = `${path} ${JSON.stringify(body)}`;
  const key = open.get(what) ?? crypto.randomUUID();
  open.set(what, key);
  for (const pause of [...RETRIES, null]) {
    try {
      const answer = await post(path, body, { "Idempotency-Key": key });
      open.delete(what);
      return answer;
    } catch (problem) {
      const lost = problem instanceof Problem && problem.is("unreachable");
      if (!lost) open.delete(what);
      if (!lost || pause === null) throw problem;
      await new Promise((done) => setTimeout(done, pause));
    }
  }
}

/// `?a=b&c=d` of what has a value.
export function query(parameters) {
  const given = Object.entries(parameters ?? {}).filter(
    ([, value]) => value !== null && value !== undefined && value !== "",
  );
  return given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
}

async function call(method, path, body, headers) {
  const started = Date.now();
  let response;
  try {
    response = await fetch(path, {
      method,
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      headers: {
        Accept: "application/json",
        ...(method === "GET" ? {} : { "X-Pgwarrant-CSRF": "1" }),
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw Problem.unreachable();
  }
  sawServerTime(response.headers.get("Date"), started, Date.now());
  if (response.status === 204) return null;
  const answer = await read(response);
  if (response.ok) return answer;
  const problem = new Problem({ ...answer, status: response.status });
  // Where a password or a code is being tried, 401 is about that.
  const trying = path === SESSION || path.startsWith(`${SESSION}/`);
  if (response.status === 401 && !trying) session.dispatchEvent(new Event("signed-out"));
  throw problem;
}

async function read(response) {
  let text;
  try {
    text = await response.text();
  } catch {
    throw Problem.unreachable();
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem({
      status: response.status,
      message: "the answer cannot be read",
      detail: `Status ${response.status}, ${text.length} characters that are not JSON.`,
      hint: "Something between this page and the proxy may have changed it. Load the page again.",
    });
  }
}
