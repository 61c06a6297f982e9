// Asking: which columns of which rows, why, for how long. What the address says is filled in:
// `#/ask?columns=public.customers.email&rows=id = 42`.

import { all, once } from "../call.js";
import { proven } from "../dialog.js";
import { field, fill, h } from "../dom.js";
import { me } from "../me.js";
import { columnChoice } from "../parts/column-choice.js";
import { orShow } from "../problem.js";
import { go, heading, waiting } from "../router.js";
import { say } from "../say.js";
import { columns as shownColumns } from "../text.js";

const ACTIONS = ["select", "insert", "update", "delete", "export"];
const DURATIONS = ["15 min", "30 min", "1 h", "2 h", "8 h"];
const MOST = 5000;

export async function askPage(main, { query, signal }) {
  const place = h("div", {}, waiting());
  main.append(heading("Ask for access"), place);
  const [catalogue, profiles] = await Promise.all([
    all("/v1/catalog", {}, MOST),
    all("/v1/profiles", {}, MOST),
  ]);
  if (signal.aborted) return;
  const databases = me.get().databases;
  const given = (name) => query.get(name) ?? "";
  const database = select(
    "database",
    databases,
    databases.includes(given("database")) ? given("database") : databases[0],
  );
  const profile = select("profile", ["", ...profiles.map((one) => one.profile)], given("profile"), "none");
  const choice = columnChoice(catalogue, given("columns"));
  const profileShows = h("div", {});
  const rows = input("rows", {
    value: given("rows"),
    spellcheck: "false",
    autocapitalize: "none",
    class: "mono",
  });
  const reason = h("textarea", { name: "reason", required: true }, given("reason"));
  const ticket = input("ticket", { value: given("ticket") });
  const duration = input("duration", {
    value: given("duration"),
    list: "durations",
    placeholder: "as long as is usual",
  });
  const more = options(query);
  const failed = h("div", {});
  const send = h("button", { type: "submit", class: "primary" }, "Ask");
  const form = h(
    "form",
    { class: "stack", novalidate: true },
    h(
      "div",
      { class: "panel fields" },
      databases.length > 1 ? field("Database", database) : null,
      profiles.length > 0
        ? field("Profile", profile, "A bundle of columns that is asked for by name.")
        : null,
      h("div", { class: "wide stack" }, choice.element, profileShows),
      field(
        "Rows",
        rows,
        "Which rows of the one relation: id = 42 · country IN ('DE', 'FR'). Empty: all of them.",
        { class: "field wide" },
      ),
      field("Why", reason, "Who decides reads this, and so does the audit trail.", { class: "field wide" }),
      field("Ticket", ticket, "If there is one: DSR-17."),
      field("How long", duration, "30 min, 2 h …"),
      h(
        "datalist",
        { id: "durations" },
        DURATIONS.map((value) => h("option", { value })),
      ),
    ),
    more.element,
    failed,
    h("div", { class: "buttons" }, send),
  );
  for (const changed of [database, profile]) changed.addEventListener("change", drawChoice);
  form.addEventListener("submit", submit);
  drawChoice();
  fill(place, form);

  function drawChoice() {
    choice.of(database.value);
    const chosen = profiles.find((one) => one.profile === profile.value);
    choice.element.hidden = chosen !== undefined;
    fill(
      profileShows,
      chosen
        ? [
            shownColumns(chosen.columns),
            h(
              "p",
              { class: "status" },
              `${chosen.actions}, for ${chosen.max_duration} at most${chosen.rows === "some" ? "; it must be said which rows" : ""}${chosen.schedule ? `; ${chosen.schedule}` : ""}`,
            ),
          ]
        : null,
    );
  }

  let busy = false;
  async function submit(event) {
    event.preventDefault();
    if (busy) return;
    busy = true;
    send.setAttribute("aria-disabled", "true");
    const what = profile.value ? { profile: profile.value } : { columns: choice.chosen().join(", ") };
    const plain = { rows: rows.value, reason: reason.value, ticket: ticket.value, duration: duration.value };
    const body = { ...present({ database: database.value, ...what, ...plain }), ...more.body() };
    const answer = await orShow(failed, () => proven(() => once("/v1/requests", body)));
    busy = false;
    send.removeAttribute("aria-disabled");
    if (answer === null) return failed.scrollIntoView({ block: "nearest" });
    say(answer.message);
    go(`requests/${answer.request.id}`);
  }
}

/// What is rarely needed.
function options(query) {
  const given = (name) => query.get(name) ?? "";
  const wanted = (given("actions") || "select").split(/,\s*/);
  const actions = ACTIONS.map((action) =>
    h("input", { type: "checkbox", value: action, checked: wanted.includes(action) }),
  );
  const fields = {
    urgency: select("urgency", ["normal", "urgent", "break-glass"], given("urgency") || "normal"),
    others: select("others", ["mask", "hide"], given("others") || "mask"),
    starts_at: input("starts_at", { value: given("starts_at"), placeholder: "as soon as approved" }),
    max_uses: input("max_uses", { value: given("max_uses"), inputmode: "numeric", pattern: "[0-9]*" }),
    max_rows: input("max_rows", { value: given("max_rows"), inputmode: "numeric", pattern: "[0-9]*" }),
    for_group: select("for_group", ["", ...me.get().groups], given("for_group"), "me alone"),
    purpose: input("purpose", { value: given("purpose") }),
    case_id: input("case_id", { value: given("case_id") }),
  };
  const element = h(
    "details",
    { class: "options", open: ["actions", ...Object.keys(fields)].some((name) => given(name) !== "") },
    h("summary", {}, "More: writing, limits, urgency …"),
    h(
      "div",
      { class: "panel fields" },
      h(
        "fieldset",
        { class: "wide" },
        h("legend", {}, "To do what"),
        h(
          "div",
          { class: "bar" },
          actions.map((box) => h("label", { class: "check" }, box, box.value)),
        ),
      ),
      field(
        "Urgency",
        fields.urgency,
        "break-glass: given at once to those whom a policy lets, alarmed, and reviewed afterwards.",
      ),
      field("Other rows", fields.others, "Are masked, or not there."),
      field("From", fields.starts_at, "2026-03-02 09:00, or in 2 h."),
      field("Statements at most", fields.max_uses, "It ends after so many."),
      field("Rows at most", fields.max_rows, "It ends after so many."),
      field("For", fields.for_group, "All members of a group of yours would hold it."),
      field("Purpose", fields.purpose),
      field("Case", fields.case_id),
    ),
  );
  return { element, body };

  function body() {
    const chosen = actions
      .filter((box) => box.checked)
      .map((box) => box.value)
      .join(", ");
    const values = Object.fromEntries(Object.entries(fields).map(([name, control]) => [name, control.value]));
    const all = present({ ...values, actions: chosen === "select" ? "" : chosen });
    if (all.urgency === "normal") delete all.urgency;
    if (all.others === "mask") delete all.others;
    // What is no number is the server's to refuse, in its words.
    for (const name of ["max_uses", "max_rows"])
      if (/^\d+$/.test(all[name] ?? "")) all[name] = Number(all[name]);
    return all;
  }
}

/// Without what was left empty.
function present(values) {
  const filled = Object.entries(values).map(([name, value]) => [name, (value ?? "").trim()]);
  return Object.fromEntries(filled.filter(([, value]) => value !== ""));
}

function input(name, attributes) {
  return h("input", { name, autocomplete: "off", ...attributes });
}

function select(name, values, chosen, none) {
  return h(
    "select",
    { name },
    values.map((value) => h("option", { value, selected: value === chosen }, value === "" ? none : value)),
  );
}
