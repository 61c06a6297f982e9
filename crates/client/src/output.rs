//! Standard output: JSON for programs, tables for people.

use std::io::{self, IsTerminal, Write};

use jiff::Timestamp;
use serde_json::Value;

use crate::failure::Failure;
use crate::table::{self, Cell, Look};
use crate::text::{printable, printable_json};

/// Where and how results are shown.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
    look: Look,
}

impl Output {
    /// Colours and a width are for terminals alone; no colours where NO_COLOR says so.
    pub fn new(json: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        Self { json, look: Look { width: width.filter(|_| terminal), colour: terminal && !no_colour } }
    }

    /// One thing: its JSON, or its fields.
    pub fn thing(self, value: &Value, fields: &[(&str, Cell)]) -> Result<(), Failure> {
        if self.json {
            return self.json(value);
        }
        table::fields(&mut io::stdout().lock(), self.look, fields).map_err(Failure::of_output)
    }

    /// What came of a call: its JSON, or what it says.
    pub fn outcome(self, value: &Value, message: &str) -> Result<(), Failure> {
        if self.json {
            return self.json(value);
        }
        line(message)
    }

    /// A list: a line of JSON each, or a table.
    pub fn list<const N: usize>(
        self,
        items: &[Value],
        head: [&str; N],
        row: impl Fn(&Value) -> [Cell; N],
    ) -> Result<(), Failure> {
        if self.json {
            return items.iter().try_for_each(|item| self.json(item));
        }
        if items.is_empty() {
            note("there are none");
            return Ok(());
        }
        let rows: Vec<[Cell; N]> = items.iter().map(row).collect();
        table::table(&mut io::stdout().lock(), self.look, head, &rows).map_err(Failure::of_output)
    }

    fn json(self, value: &Value) -> Result<(), Failure> {
        raw(&printable_json(&value.to_string()))
    }
}

/// A text of somebody's, on a line.
pub fn line(text: &str) -> Result<(), Failure> {
    raw(&printable(text))
}

fn raw(text: &str) -> Result<(), Failure> {
    writeln!(io::stdout().lock(), "{text}").map_err(Failure::of_output)
}

/// For people beside the results, on standard error.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{}", printable(text));
}

/// A member that is a text; empty where there is none.
pub fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A member as it is shown: texts, numbers, lists of texts.
pub fn member(value: &Value, name: &str) -> String {
    match value.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            texts.join(", ")
        }
        Some(other) => other.to_string(),
    }
}

/// A member that is a time, to the second.
pub fn time(value: &Value, name: &str) -> String {
    let text = text(value, name);
    text.parse::<Timestamp>().map_or_else(|_| text.to_owned(), |time| format!("{time:.0}").replace('T', " "))
}

/// How long until a time, by the clock of this machine; empty where it is over.
pub fn left(value: &Value, name: &str) -> String {
    let Ok(time) = text(value, name).parse::<Timestamp>() else { return String::new() };
    let seconds = time.as_second().saturating_sub(Timestamp::now().as_second());
    match seconds {
        ..=0 => String::new(),
        1..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// The state of a request or a grant.
pub fn state(value: &Value) -> Cell {
    let state = text(value, "state");
    let colour = match state {
        "pending" | "scheduled" => "33",
        "approved" | "live" => "32",
        "denied" | "refused" | "revoked" => "31",
        _ => "2",
    };
    Cell::coloured(state, colour)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_are_shown_whatever_the_server_sends() {
        let value = json!({ "a": "x", "n": 7, "l": ["x", 1, "y"], "o": { "k": 1 }, "at": "2026-11-22T03:19:52.123456Z" });
        assert_eq!(
            ["a", "n", "l", "o", "-"].map(|name| member(&value, name)),
            ["x", "7", "x, y", "{\"k\":1}", ""]
        );
        assert_eq!((time(&value, "at").as_str(), time(&value, "a").as_str()), ("2026-11-22 03:19:52Z", "x"));
        assert_eq!(
            (left(&value, "a"), left(&json!({ "at": "2001-01-01T00:00:00Z" }), "at")),
            Default::default()
        );
    }
}
