// Who is connected to a database through the proxy.

import { all, remove } from "../call.js";
import { ask } from "../dialog.js";
import { fill, h } from "../dom.js";
import { empty } from "../parts/empty.js";
import { heading, waiting } from "../router.js";
import { name } from "../text.js";
import { ago } from "../time.js";
import { say } from "../say.js";

const MOST = 1000;

export async function sessions(main, { signal }) {
  const reload = h("button", { type: "button" }, "Load again");
  const place = h("div", {}, waiting());
  main.append(heading("Sessions", reload), place);
  reload.addEventListener("click", async () => {
    await load();
    say("the sessions were loaded again");
  });
  await load();

  async function load() {
    const found = await all("/v1/sessions", {}, MOST);
    if (signal.aborted) return;
    if (found.length === 0)
      fill(
        place,
        empty(
          "Nobody is connected",
          "Sessions of psql, drivers and tools through the proxy are listed here.",
        ),
      );
    else
      fill(
        place,
        h(
          "ol",
          { class: "lines" },
          found.map((session) => h("li", {}, line(session))),
        ),
      );
  }

  function line(session) {
    const kill = h(
      "button",
      { type: "button", class: "danger", "aria-label": `End session ${session.number} of ${session.user}` },
      "End",
    );
    kill.addEventListener("click", async () => {
      const done = await ask({
        title: `End session ${session.number} of ${session.user}?`,
        text: "The connection is closed, and what runs in it is stopped. Grants are not changed: a new session has them again.",
        submit: "End it",
        danger: true,
        act: async () => (await remove(`/v1/sessions/${session.number}`), true),
      });
      if (!done) return;
      say(`session ${session.number} was ended`);
      await load();
      main.querySelector("h1").focus();
    });
    return h(
      "div",
      { class: "line session" },
      h(
        "div",
        {},
        h("strong", {}, name(session.user)),
        " on ",
        name(session.database),
        session.application ? [" with ", name(session.application)] : null,
        h(
          "div",
          { class: "dim" },
          `session ${session.number} · as ${session.role} · from ${session.address} · ${session.tls ? "TLS" : "no TLS"}, ${session.sign_in} · since `,
          ago(session.since),
        ),
      ),
      session.may.includes("kill") ? kill : null,
    );
  }
}
