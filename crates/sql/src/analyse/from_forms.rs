//! Forms of FROM clauses, commands and targets that the parser does not know.

use super::account::Role;
use super::normalise::{Normaliser, Open};

/// The index after the form, if there is one at `index`.
pub(crate) fn rewrite(to: &mut Normaliser<'_, '_>, index: usize) -> Option<usize> {
    let source = to.source;
    let begins = source.one_of(index, &["only", "table", "tablesample", "rows", "as"])
        || source.operator(index, "*")
        || source.punct(index, "[");
    let before = index.checked_sub(1).filter(|before| source.range.contains(before));
    if !begins || before.is_some_and(|before| source.punct(before, ".")) {
        return None;
    }
    // After AS every word is a name.
    if before.is_some_and(|before| source.keyword(before, "as")) {
        return None;
    }
    let is_before = |keywords: &[&str]| before.is_some_and(|before| source.one_of(before, keywords));
    let after_paren = before.is_some_and(|before| source.punct(before, ")"));
    if source.keyword(index, "only") && !is_before(&["row", "rows"]) {
        return only(to, index);
    }
    if source.keyword(index, "table")
        && !is_before(&["into", "temp", "temporary", "unlogged"])
        && names_all_of_a_table(to, index + 1)
    {
        to.facts.table_commands.insert(index);
        to.emit_keyword(index, "SELECT");
        to.emit(index, sqlparser::tokenizer::Token::Mul);
        to.emit_keyword(index, "FROM");
        return Some(index + 1);
    }
    if source.keyword(index, "tablesample") {
        return sample(to, index);
    }
    // `SELECT rows FROM (SELECT …)` has a column of that name.
    if source.keywords(index, &["rows", "from"])
        && source.punct(index + 2, "(")
        && source.dotted(index + 3).is_some_and(|(_, next)| source.punct(next, "("))
    {
        to.facts.grammar_functions.insert(index);
        to.emit_name(index, "rows");
        return Some(index + 2);
    }
    if source.keyword(index, "as") && after_paren && source.punct(index + 1, "(") {
        return column_definitions(to, index);
    }
    if source.keyword(index, "as") && after_paren {
        return join_alias(to, index);
    }
    if source.operator(index, "*") {
        return descendants(to, index);
    }
    if source.punct(index, "[") {
        return target_subscript(to, index);
    }
    None
}

/// `TABLE t`, which takes no alias.
fn names_all_of_a_table(to: &Normaliser<'_, '_>, index: usize) -> bool {
    const AFTER: [&str; 11] = [
        "union",
        "intersect",
        "except",
        "order",
        "limit",
        "offset",
        "fetch",
        "for",
        "on",
        "returning",
        "with",
    ];
    let source = to.source;
    let only = source.keyword(index, "only");
    let parenthesis = only && source.punct(index + 1, "(");
    let name = index + usize::from(only) + usize::from(parenthesis);
    let Some((_, next)) = source.dotted(name) else { return false };
    let mut next = next + usize::from(parenthesis);
    if !only && source.operator(next, "*") {
        next += 1;
    }
    source.is_end(next) || source.punct(next, ")") || source.one_of(next, &AFTER)
}

/// `ONLY t`, `ONLY (t)`
fn only(to: &mut Normaliser<'_, '_>, index: usize) -> Option<usize> {
    let source = to.source;
    let first = if source.punct(index + 1, "(") { index + 2 } else { index + 1 };
    let (parts, next) = source.dotted(first)?;
    let end = if first == index + 1 {
        next
    } else if source.punct(next, ")") {
        next + 1
    } else {
        return None;
    };
    for part in parts {
        if part > first {
            to.emit(part - 1, sqlparser::tokenizer::Token::Period);
        }
        let name = source.name(part)?;
        to.emit_name(part, &name);
    }
    to.facts.only.insert(first, index..end);
    Some(end)
}

/// `TABLESAMPLE method (arguments) [REPEATABLE (seed)]`, of constants only.
fn sample(to: &mut Normaliser<'_, '_>, index: usize) -> Option<usize> {
    let source = to.source;
    let (method, open) = source.dotted(index + 1)?;
    let mut end = constants(to, open)?;
    if source.keyword(end, "repeatable") {
        end = constants(to, end + 1)?;
    }
    for part in method {
        to.role(part, Role::Function);
    }
    to.facts.samples.insert(index.checked_sub(1)?, index..end);
    Some(end)
}

/// A parenthesised list of constants and parameters: the index after it.
fn constants(to: &Normaliser<'_, '_>, open: usize) -> Option<usize> {
    let source = to.source;
    if !source.punct(open, "(") {
        return None;
    }
    let close = source.closing(open)?;
    let constant = |index: usize| {
        source
            .token(index)
            .is_some_and(|token| token.kind.is_literal() || token.kind == crate::TokenKind::Parameter)
            || source.punct(index, ",")
            || source.operator(index, "-")
    };
    (open + 1..close).all(constant).then_some(close + 1)
}

/// `f(x) AS (a int, b text)`, which names no alias.
fn column_definitions(to: &mut Normaliser<'_, '_>, index: usize) -> Option<usize> {
    let source = to.source;
    let first = index + 2;
    // A name and a type, not a query of WITH.
    if source.punct(first, "(") || source.starts_query(first) {
        return None;
    }
    source.plain_name(first)?;
    if to.inside() == Some(Open::Call) {
        // In ROWS FROM; types are left to the accounting rule.
        let close = source.closing(index + 1)?;
        to.role(first, Role::Alias);
        for part in first + 1..close {
            if source.punct(part - 1, ",") && source.plain_name(part).is_some() {
                to.role(part, Role::Alias);
            }
        }
        return Some(close + 1);
    }
    to.emit_keyword(index, "AS");
    to.emit_name(index, "?");
    Some(index + 1)
}

/// `JOIN … USING (a, b) AS j`
fn join_alias(to: &mut Normaliser<'_, '_>, index: usize) -> Option<usize> {
    let source = to.source;
    let mut open = index.checked_sub(2)?;
    while source.plain_name(open).is_some() || source.punct(open, ",") {
        open = open.checked_sub(1)?;
    }
    let joins = source.punct(open, "(") && open > 0 && source.keyword(open - 1, "using");
    if !joins || open + 2 > index {
        return None;
    }
    // DELETE … USING (…) AS x holds a query, which no list of names is.
    to.role(index + 1, Role::Alias);
    source.plain_name(index + 1)?;
    Some(index + 2)
}

/// `FROM t *`: the tables that inherit from it too, as without the star.
fn descendants(to: &mut Normaliser<'_, '_>, index: usize) -> Option<usize> {
    const AFTER: [&str; 24] = [
        "as",
        "where",
        "join",
        "left",
        "right",
        "inner",
        "full",
        "cross",
        "natural",
        "on",
        "using",
        "group",
        "having",
        "order",
        "limit",
        "offset",
        "fetch",
        "for",
        "union",
        "except",
        "intersect",
        "window",
        "set",
        "tablesample",
    ];
    let source = to.source;
    let mut first = index.checked_sub(1)?;
    source.name(first)?;
    while first >= 2 && source.punct(first - 1, ".") && source.name(first - 2).is_some() {
        first -= 2;
    }
    let head = first.checked_sub(1)?;
    let compared = head.checked_sub(1).is_some_and(|before| source.keyword(before, "distinct"));
    // After a comma an alias without AS would be an operand.
    let listed = source.punct(head, ",");
    if compared || !(listed || source.one_of(head, &["from", "join", "table", "update", "only"])) {
        return None;
    }
    let next = index + 1;
    // `EXTRACT(year FROM a * b)` multiplies.
    let alias = !listed
        && to.inside() != Some(Open::Call)
        && source.plain_name(next).is_some_and(|name| super::keywords::category(&name).is_none());
    let ends = alias
        || source.is_end(next)
        || source.punct(next, ")")
        || source.punct(next, ",")
        || source.one_of(next, &AFTER)
        || source.keyword(next, "returning");
    if !ends {
        return None;
    }
    to.facts.descendants.insert(first, index);
    Some(next)
}

/// `SET a[1] = …`, with constants only.
fn target_subscript(to: &mut Normaliser<'_, '_>, index: usize) -> Option<usize> {
    let source = to.source;
    let close = source.closing(index)?;
    let target = index.checked_sub(1)?;
    source.plain_name(target)?;
    let head = target.checked_sub(1)?;
    let assigned =
        source.operator(close + 1, "=") && (source.keyword(head, "set") || source.punct(head, ","));
    if !assigned || to.inside().is_some() {
        return None;
    }
    let constant = |part: usize| {
        source
            .token(part)
            .is_some_and(|token| token.kind.is_literal() || token.kind == crate::TokenKind::Parameter)
            || source.punct(part, ":")
            || source.operator(part, "-")
    };
    (index + 1..close).all(constant).then_some(close + 1)
}
