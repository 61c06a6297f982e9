//! ErrorResponse and NoticeResponse: ours, and the server's on their way to the client.
//!
//! Diagnostics are data. Where a statement writes a protected relation without seeing all of it,
//! the server's words may quote the row ("Failing row contains (…)", a trigger's RAISE), so only
//! severity, SQLSTATE and the names of schema, table, column, type and constraint pass.

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

/// What of the server's diagnostics the client gets.
pub struct Passing<'a> {
    /// What was sent: positions are mapped back to the user's text, and what quotes the sent text
    /// goes out.
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
        if self.withhold || self.assembled.is_some_and(Assembled::is_changed) {
            diagnostic.remove(field::INTERNAL_QUERY);
            diagnostic.remove(field::INTERNAL_POSITION);
            diagnostic.remove(field::WHERE);
        }
        if self.withhold {
            let message = withheld(diagnostic.sqlstate());
            diagnostic.set(field::MESSAGE, message);
            diagnostic.remove(field::HINT);
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
        "23502" => "null value violates a not-null constraint",
        "23503" => "row violates a foreign key constraint",
        "23505" => "duplicate key value violates a unique constraint",
        "23514" => "row violates a check constraint",
        "23P01" => "conflicting key value violates an exclusion constraint",
        "22001" => "value too long for the type of the column",
        "57014" => "canceling statement",
        "40001" => "could not serialize access",
        "40P01" => "deadlock detected",
        "42501" => "permission denied",
        _ if sqlstate.starts_with("22") => "invalid data",
        _ if sqlstate.starts_with("23") => "integrity constraint violation",
        _ if sqlstate.starts_with("00") || sqlstate.starts_with("01") => "a notice of the server",
        _ => "the statement failed",
    }
}
