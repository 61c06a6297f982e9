//! A message's statements.

use std::ops::Range;

use super::Token;

/// The token ranges of the statements of a message, without their semicolons; empty statements
/// are left out.
///
/// In PostgreSQL's grammar (`stmtmulti`) a semicolon parts statements except in the parenthesised
/// actions of CREATE RULE and in the `BEGIN ATOMIC … END` body of CREATE FUNCTION or PROCEDURE.
/// For any text that PostgreSQL parses, the ranges are PostgreSQL's; a text that it does not parse
/// runs no statement at all.
pub fn split(text: &str, tokens: &[Token]) -> Vec<Range<usize>> {
    let mut statements = Vec::new();
    split_into(text, tokens, &mut statements);
    statements
}

/// As [`split`], into a list that is used again: what was in it is gone.
pub fn split_into(text: &str, tokens: &[Token], statements: &mut Vec<Range<usize>>) {
    statements.clear();
    // Where the top level statement, and where the innermost one, begins.
    let (mut start, mut inner) = (0, 0);
    let (mut parentheses, mut bodies) = (0_usize, 0_usize);
    for (index, token) in tokens.iter().enumerate() {
        match token.text(text) {
            "(" => parentheses += 1,
            ")" => parentheses = parentheses.saturating_sub(1),
            _ if parentheses > 0 => {}
            ";" if bodies > 0 => inner = index + 1,
            ";" => {
                if start < index {
                    statements.push(start..index);
                }
                (start, inner) = (index + 1, index + 1);
            }
            _ if token.is_keyword(text, "atomic")
                && index > inner
                && tokens.get(index - 1).is_some_and(|before| before.is_keyword(text, "begin"))
                && creates_routine(text, tokens.get(inner..index).unwrap_or_default()) =>
            {
                bodies += 1;
                inner = index + 1;
            }
            // No statement of a body begins with END (`TransactionStmtLegacy` is not among them)
            // and every one ends with a semicolon; so END in this place, and only here, ends it.
            // Elsewhere END belongs to CASE or is a column's label.
            _ if bodies > 0 && index == inner && token.is_keyword(text, "end") => bodies -= 1,
            _ => {}
        }
    }
    if start < tokens.len() {
        statements.push(start..tokens.len());
    }
}

/// Do they begin as CREATE [OR REPLACE] FUNCTION or PROCEDURE does?
fn creates_routine(text: &str, tokens: &[Token]) -> bool {
    let is = |index: usize, word| tokens.get(index).is_some_and(|token: &Token| token.is_keyword(text, word));
    let kind = if is(1, "or") && is(2, "replace") { 3 } else { 1 };
    is(0, "create") && (is(kind, "function") || is(kind, "procedure"))
}
