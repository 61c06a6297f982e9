//! Calls that leave a value where it outlives the statement, or where other sessions see it.

use super::source::Source;
use crate::TokenKind;

/// Does a function of PostgreSQL's leave what it is given in a place that others can read, or this
/// session later: a setting, a sequence, a lock's number, a notification, the random seed?
pub(crate) fn keeps(function: &str) -> bool {
    matches!(function, "set_config" | "setval" | "setseed" | "pg_notify" | "pg_create_restore_point")
        || function.starts_with("pg_advisory_")
        || function.starts_with("pg_try_advisory_")
        || function.starts_with("pg_replication_origin_")
}

/// Are the arguments in the parentheses that open at `open` constants and parameters, which hold
/// nothing that the statement reads?
pub(crate) fn are_constant(source: &Source<'_>, open: usize) -> bool {
    let Some(close) = source.closing(open) else { return false };
    (open + 1..close).all(|index| {
        let word = source
            .token(index)
            .is_some_and(|token| matches!(token.kind, TokenKind::Identifier | TokenKind::QuotedIdentifier));
        let literal = source.one_of(index, &["null", "true", "false"]);
        let of_a_type = index.checked_sub(1).is_some_and(|before| {
            source.punct(before, "::")
                || source.punct(before, ".") && source.punct(before.saturating_sub(2), "::")
        });
        let argument = source.raw(index + 1) == "=>";
        !word || literal || of_a_type || argument
    })
}
