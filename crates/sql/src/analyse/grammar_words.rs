//! Words of the grammar that a function can be called, too.

use super::source::Source;

/// Is the word at `token` one of PostgreSQL's grammar where it stands, whatever it is elsewhere? What
/// follows it in parentheses is then no list of arguments.
pub(crate) fn is_one(source: &Source<'_>, token: usize) -> bool {
    let Some(before) = token.checked_sub(1) else { return false };
    if !source.punct(token + 1, "(") {
        return false;
    }
    // No function's name follows GROUPING or AS, and no argument starts with WHERE.
    (source.keyword(token, "sets") && source.keyword(before, "grouping"))
        || (source.keyword(token, "filter")
            && source.punct(before, ")")
            && source.keyword(token + 2, "where"))
        || (source.keyword(token, "materialized") && source.keyword(before, "as"))
        || (source.keyword(token, "over") && ends_call(source, before))
}

/// Does the parenthesis at `close` end the arguments of a call, or what may stand between them and
/// OVER? After other parentheses an expression can start: `DISTINCT ON (a) f(b)`,
/// `a OPERATOR(pg_catalog.+) f(b)`.
fn ends_call(source: &Source<'_>, close: usize) -> bool {
    let mut depth = 0_usize;
    for index in (source.range.start..=close).rev() {
        match source.raw(index) {
            ")" | "]" => depth += 1,
            "(" | "[" => {
                let Some(outer) = depth.checked_sub(1) else { return false };
                depth = outer;
                if depth == 0 {
                    let Some(head) = index.checked_sub(1) else { return false };
                    return source.plain_name(head).is_some() && !source.one_of(head, &["operator", "with"]);
                }
            }
            _ if depth == 0 => return false,
            _ => {}
        }
    }
    false
}
