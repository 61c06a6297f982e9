//! ErrorResponse and NoticeResponse: ours, and the server's on their way to the client.
//!
//! Diagnostics are data. Where the server's words may quote a protected value ([`crate::withhold`]),
//! only severity, SQLSTATE and the names of schema, table, column, type and constraint pass.

use bytes::BytesMut;
use pgwarrant_sql::Refusal;
use pgwarrant_wire::backend::{Diagnostic, Severity, field};

use crate::assemble::Assembled;
use crate::error::Fatal;
use crate::refuse::character;

/// A refusal as an ErrorResponse. `text` is what its position counts in.
pub fn refusal(refusal: &Refusal, text: &str, out: &mut BytesMut) {
    let mut diagnostic = Diagnostic::new(Severity::Error, refusal.sqlstate, &refusal.message);
    add(&mut diagnostic, refusal.detail.as_deref(), refusal.hint.as_deref());
    if let Some(byte) = refusal.position {
        diagnostic.set(field::POSITION, character(text, byte).to_string());
    }
    diagnostic.write_error(out);
}

pub fn fatal(fatal: &Fatal, out: &mut BytesMut) {
    let mut diagnostic = Diagnostic::new(Severity::Fatal, &fatal.sqlstate, &fatal.message);
    add(&mut diagnostic, fatal.detail.as_deref(), fatal.hint.as_deref());
    diagnostic.write_error(out);
}

pub fn notice(message: &str, detail: Option<&str>, hint: Option<&str>, out: &mut BytesMut) {
    let mut diagnostic = Diagnostic::new(Severity::Notice, "00000", message);
    add(&mut diagnostic, detail, hint);
    diagnostic.write_notice(out);
}

fn add<'b>(diagnostic: &mut Diagnostic<'b>, detail: Option<&'b str>, hint: Option<&'b str>) {
    if let Some(detail) = detail {
        diagnostic.set(field::DETAIL, detail);
    }
    if let Some(hint) = hint {
        diagnostic.set(field::HINT, hint);
    }
}

/// What cannot quote a row. (A function's RAISE may set the names, but whoever writes functions
/// has the row anyway.)
const PASSING: [u8; 11] = [
    field::SEVERITY_LOCALISED,
    field::SEVERITY,
    field::SQLSTATE,
    field::SCHEMA,
    field::TABLE,
    field::COLUMN,
    field::DATA_TYPE,
    field::CONSTRAINT,
    field::FILE,
    field::LINE,
    field::ROUTINE,
];

/// What of the server's diagnostics the client gets.
pub struct Passing<'a> {
    /// What was sent: positions are mapped back to the user's text.
    pub assembled: Option<&'a Assembled>,
    /// Only what cannot quote a row.
    pub withhold: bool,
}

impl Passing<'_> {
    /// A diagnostic of the server, as the client may have it.
    pub fn apply(&self, diagnostic: &mut Diagnostic<'_>) {
        if let Some((position, assembled)) = diagnostic.position().zip(self.assembled) {
            diagnostic.set(field::POSITION, assembled.position(position).to_string());
        }
        if self.withhold {
            let message = withheld(diagnostic.sqlstate());
            diagnostic.retain(|code| PASSING.contains(&code));
            diagnostic.set(field::MESSAGE, message);
            diagnostic.set(
                field::DETAIL,
                "The server's own words are withheld, because they may quote protected values.",
            );
        }
    }
}

/// What a SQLSTATE means, without the row that caused it (PostgreSQL documentation, appendix A).
fn withheld(sqlstate: &str) -> &'static str {
    match sqlstate {
        "21000" => "a row was affected or returned more than once",
        "22001" => "value too long for its type",
        "22003" => "number out of range",
        "22004" => "null value not allowed",
        "22007" => "invalid date or time",
        "22008" => "date or time out of range",
        "22012" => "division by zero",
        "22023" => "invalid parameter value",
        "22026" => "string of the wrong length",
        "22P02" => "invalid input syntax",
        "22P03" => "invalid binary representation",
        "22P04" => "bad COPY data",
        "23001" => "row is still referenced",
        "23502" => "null value violates a not-null constraint",
        "23503" => "row violates a foreign key constraint",
        "23505" => "duplicate key value violates a unique constraint",
        "23514" => "row violates a check constraint",
        "23P01" => "conflicting key value violates an exclusion constraint",
        "40001" => "could not serialize access",
        "40P01" => "deadlock detected",
        "42501" => "permission denied",
        "44000" => "new row violates the check option of a view",
        "57014" => "canceling statement",
        "P0001" => "a function or trigger raised an exception",
        _ if sqlstate.starts_with("22") => "invalid data",
        _ if sqlstate.starts_with("23") => "integrity constraint violation",
        _ if sqlstate.starts_with("00") || sqlstate.starts_with("01") => "a notice of the server",
        _ => "the statement failed",
    }
}
