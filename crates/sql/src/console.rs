//! The schema `pgwarrant`, which exists only in the proxy: what its relations and functions are
//! called, what they take and return, and how live state becomes text in their place.
//!
//! A reference to one of them is replaced by a typed list of rows before the statement goes to
//! PostgreSQL, so any SQL over it works. Static: what the rows are is the proxy's business.

use crate::ConsoleCall;

/// A relation of the schema `pgwarrant`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsoleRelation {
    pub name: &'static str,
    /// Names and types, the types as qualified SQL text.
    pub columns: &'static [(&'static str, &'static str)],
}

/// A function of the schema `pgwarrant`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsoleFunction {
    pub name: &'static str,
    /// In order; the first `required` of them must be given unless named.
    pub arguments: &'static [&'static str],
    /// Names of the arguments that have no default.
    pub required: &'static [&'static str],
    pub columns: &'static [(&'static str, &'static str)],
}

const BOOL: &str = "pg_catalog.bool";
const FLOAT8: &str = "pg_catalog.float8";
const INT8: &str = "pg_catalog.int8";
const JSONB: &str = "pg_catalog.jsonb";
const INTERVAL: &str = "pg_catalog.interval";
const TEXT: &str = "pg_catalog.text";
const TIMESTAMPTZ: &str = "pg_catalog.timestamptz";

pub const RELATIONS: [ConsoleRelation; 6] = [
    ConsoleRelation {
        name: "grants",
        columns: &[
            ("id", INT8),
            ("who", TEXT),
            ("columns", TEXT),
            ("actions", TEXT),
            ("rows", TEXT),
            ("others", TEXT),
            ("reason", TEXT),
            ("ticket", TEXT),
            ("approved_by", TEXT),
            ("valid_from", TIMESTAMPTZ),
            ("valid_until", TIMESTAMPTZ),
            ("uses_left", INT8),
            ("rows_left", INT8),
            ("state", TEXT),
            ("review", TEXT),
            ("profile", TEXT),
            ("policies", TEXT),
        ],
    },
    ConsoleRelation {
        name: "requests",
        columns: &[
            ("id", INT8),
            ("who", TEXT),
            ("columns", TEXT),
            ("actions", TEXT),
            ("rows", TEXT),
            ("others", TEXT),
            ("duration", INTERVAL),
            ("reason", TEXT),
            ("ticket", TEXT),
            ("state", TEXT),
            ("requested_at", TIMESTAMPTZ),
            ("decided_by", TEXT),
            ("decided_at", TIMESTAMPTZ),
            ("grant_id", INT8),
            ("waits_for", TEXT),
            ("lapses_at", TIMESTAMPTZ),
            ("starts_at", TIMESTAMPTZ),
            ("urgency", TEXT),
            ("extends", INT8),
            ("profile", TEXT),
            ("purpose", TEXT),
            ("case_id", TEXT),
            ("policies", TEXT),
            ("reasons", TEXT),
        ],
    },
    ConsoleRelation {
        name: "catalog",
        columns: &[
            ("relation", TEXT),
            ("column_name", TEXT),
            ("category", TEXT),
            ("mask", TEXT),
            ("ungranted", TEXT),
            ("access", TEXT),
        ],
    },
    ConsoleRelation {
        name: "profiles",
        columns: &[
            ("profile", TEXT),
            ("columns", TEXT),
            ("actions", TEXT),
            ("rows", TEXT),
            ("max_duration", INTERVAL),
            ("schedule", TEXT),
            ("open_until", TIMESTAMPTZ),
        ],
    },
    ConsoleRelation {
        name: "whoami",
        columns: &[
            ("user_name", TEXT),
            ("groups", TEXT),
            ("database", TEXT),
            ("role", TEXT),
            ("tls", BOOL),
            ("client_certificate", BOOL),
            ("address", TEXT),
            ("may_approve", BOOL),
            ("person", TEXT),
            ("sign_in", TEXT),
            ("may_request", BOOL),
        ],
    },
    ConsoleRelation {
        name: "audit",
        columns: &[
            ("seq", INT8),
            ("at", TIMESTAMPTZ),
            ("kind", TEXT),
            ("user_name", TEXT),
            ("database", TEXT),
            ("statement", TEXT),
            ("decision", TEXT),
            ("relations", TEXT),
            ("masked", TEXT),
            ("raw", TEXT),
            ("grant_ids", TEXT),
            ("rows", INT8),
            ("bytes", INT8),
            ("duration_ms", FLOAT8),
            ("error", TEXT),
        ],
    },
];

const REQUEST_OUTCOME: &[(&str, &str)] =
    &[("request_id", INT8), ("state", TEXT), ("grant_id", INT8), ("message", TEXT)];
const DECISION_OUTCOME: &[(&str, &str)] = &[("request_id", INT8), ("state", TEXT), ("message", TEXT)];
const GRANT_OUTCOME: &[(&str, &str)] = &[("grant_id", INT8), ("state", TEXT), ("message", TEXT)];
const FACTOR_OUTCOME: &[(&str, &str)] = &[("person", TEXT), ("state", TEXT), ("message", TEXT)];

pub const FUNCTIONS: [ConsoleFunction; 13] = [
    ConsoleFunction {
        name: "request",
        arguments: &[
            "columns",
            "rows",
            "reason",
            "duration",
            "actions",
            "others",
            "ticket",
            "max_uses",
            "max_rows",
            "profile",
            "starts_at",
            "urgency",
            "purpose",
            "case_id",
            "for_group",
        ],
        // columns, or a profile that has them.
        required: &["reason"],
        columns: REQUEST_OUTCOME,
    },
    ConsoleFunction {
        name: "approve",
        arguments: &["request", "reason"],
        required: &["request"],
        columns: DECISION_OUTCOME,
    },
    ConsoleFunction {
        name: "deny",
        arguments: &["request", "reason"],
        required: &["request"],
        columns: DECISION_OUTCOME,
    },
    ConsoleFunction {
        name: "withdraw",
        arguments: &["request", "reason"],
        required: &["request"],
        columns: DECISION_OUTCOME,
    },
    ConsoleFunction {
        name: "extend",
        arguments: &["grant_id", "duration", "reason", "urgency"],
        required: &["grant_id", "reason"],
        columns: REQUEST_OUTCOME,
    },
    ConsoleFunction {
        name: "review",
        arguments: &["grant_id", "verdict", "reason"],
        required: &["grant_id", "verdict", "reason"],
        columns: GRANT_OUTCOME,
    },
    ConsoleFunction {
        name: "explain",
        arguments: &["request"],
        required: &["request"],
        columns: &[
            ("request_id", INT8),
            ("state", TEXT),
            ("ruling", TEXT),
            ("policies", TEXT),
            ("reasons", TEXT),
            ("facts", JSONB),
            ("decided_by", JSONB),
            ("today", TEXT),
            ("today_policies", TEXT),
            ("message", TEXT),
        ],
    },
    ConsoleFunction {
        name: "revoke",
        arguments: &["grant_id", "reason"],
        required: &["grant_id"],
        columns: GRANT_OUTCOME,
    },
    ConsoleFunction {
        name: "release",
        arguments: &["grant_id"],
        required: &["grant_id"],
        columns: GRANT_OUTCOME,
    },
    // The secret itself is in a notice: what a function returns passes through the database server.
    ConsoleFunction { name: "enrol_second_factor", arguments: &[], required: &[], columns: FACTOR_OUTCOME },
    ConsoleFunction {
        name: "confirm_second_factor",
        arguments: &["code"],
        required: &["code"],
        columns: FACTOR_OUTCOME,
    },
    ConsoleFunction {
        name: "second_factor",
        arguments: &["code"],
        required: &["code"],
        columns: FACTOR_OUTCOME,
    },
    ConsoleFunction {
        name: "remove_second_factor",
        arguments: &["person", "reason"],
        required: &["person"],
        columns: FACTOR_OUTCOME,
    },
];

pub fn relation(name: &str) -> Option<&'static ConsoleRelation> {
    RELATIONS.iter().find(|relation| relation.name == name)
}

pub fn function(name: &str) -> Option<&'static ConsoleFunction> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// Columns of the relation or of the function's outcome.
pub fn columns(name: &str) -> &'static [(&'static str, &'static str)] {
    relation(name)
        .map(|relation| relation.columns)
        .or_else(|| function(name).map(|function| function.columns))
        .unwrap_or(&[])
}

/// A parenthesised query for these rows, with the columns of the relation or function `name`:
/// `(SELECT CAST(v.c1 AS pg_catalog.int8) AS id, … FROM (VALUES ('7', …)) AS v(c1, …))`. Every
/// name is qualified, so that no search_path can replace it. Values that a row lacks are NULL.
pub fn values(name: &str, rows: &[Vec<Option<String>>]) -> String {
    let columns = columns(name);
    let list = |item: &dyn Fn(usize, &(&str, &str)) -> String| {
        columns.iter().enumerate().map(|(index, column)| item(index, column)).collect::<Vec<_>>().join(", ")
    };
    if rows.is_empty() {
        let nulls = list(&|_, (column, of)| format!("CAST(NULL AS {of}) AS {}", quoted(column)));
        return format!("(SELECT {nulls} WHERE false)");
    }
    let typed = list(&|index, (column, of)| format!("CAST(v.c{} AS {of}) AS {}", index + 1, quoted(column)));
    let names = list(&|index, _| format!("c{}", index + 1));
    let rows: Vec<String> = rows
        .iter()
        .map(|row| {
            // Text first: a VALUES column of NULLs only would be text, one of numbers would not.
            let cells = list(&|index, _| match row.get(index).and_then(Option::as_ref) {
                Some(value) => format!("CAST({} AS pg_catalog.text)", literal(value)),
                None => "CAST(NULL AS pg_catalog.text)".to_owned(),
            });
            format!("({cells})")
        })
        .collect();
    format!("(SELECT {typed} FROM (VALUES {}) AS v({names}))", rows.join(", "))
}

/// What stands in the place of a console call once its rows are known: in FROM the rows and an
/// alias, in an expression a scalar sub-select of the outcome's message.
pub fn fill(call: &ConsoleCall, rows: &[Vec<Option<String>>]) -> String {
    let values = values(&call.name, rows);
    if call.in_from {
        format!("{values}{}", call.alias)
    } else {
        format!("(SELECT v.message FROM {values} AS v)")
    }
}

/// `'…'`, whatever `standard_conforming_strings` says.
pub(crate) fn literal(value: &str) -> String {
    // PostgreSQL text holds no NUL.
    let doubled = value.replace('\0', "").replace('\'', "''");
    if doubled.contains('\\') {
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

/// All of the column names here are simple; `rows`, `at` and their like are keywords that may stand
/// after AS.
fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_leave_their_quotes() {
        let text = values("whoami", &[vec![Some("o'hara\\'; --".to_owned())]]);
        assert!(text.contains(r"CAST(E'o''hara\\''; --' AS pg_catalog.text)"), "{text}");
    }

    #[test]
    fn no_rows_keep_the_types() {
        let text = values("release", &[]);
        assert_eq!(
            text,
            "(SELECT CAST(NULL AS pg_catalog.int8) AS \"grant_id\", CAST(NULL AS pg_catalog.text) AS \"state\", \
             CAST(NULL AS pg_catalog.text) AS \"message\" WHERE false)"
        );
    }
}
