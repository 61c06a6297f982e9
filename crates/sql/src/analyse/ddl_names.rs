//! Where in DDL a relation can stand.
//!
//! A name that cannot be a relation's there is a column's, an index's, a constraint's: it may be any
//! word, also one that a protected relation is called by.

use pgwarrant_catalog::Catalogue;

use super::source::Source;

/// Can the name at `token` be that of a relation whose data the statement reaches? Yes, unless the
/// words around it say otherwise.
pub(crate) fn may_be_relation(source: &Source<'_>, token: usize) -> bool {
    let first = source.range.start;
    match source.name(first).as_deref() {
        // A comment shows nothing of what it is on.
        Some("comment") => false,
        // In parentheses: the columns of a privilege, the types of a function's arguments.
        Some("grant" | "revoke") => depth(source, token) == 0,
        Some("create") => match kind(source) {
            "table" => !is_column(source, token) && !is_pattern(source, token),
            "index" => is_indexed(source, token),
            _ => true,
        },
        Some("alter") => kind(source) != "table" || !(is_column(source, token) || is_altered(source, token)),
        _ => true,
    }
}

/// What the statement makes or alters, as far as it matters here.
fn kind(source: &Source<'_>) -> &'static str {
    let first = source.range.start + 1;
    let after = (first..first + 4).find(|index| {
        !source.one_of(*index, &["global", "local", "temp", "temporary", "unlogged", "unique"])
    });
    match after {
        Some(index) if source.keyword(index, "table") => "table",
        Some(index) if source.keyword(index, "index") => "index",
        _ => "",
    }
}

/// Parentheses around a token.
fn depth(source: &Source<'_>, token: usize) -> usize {
    (source.range.start..token).fold(0, |depth: usize, index| match source.raw(index) {
        "(" => depth + 1,
        ")" => depth.saturating_sub(1),
        _ => depth,
    })
}

/// A query in the statement could have `FROM a, b alias`.
fn has_query(source: &Source<'_>) -> bool {
    source.range.clone().skip(6).any(|token| source.one_of(token, &["select", "with", "table", "values"]))
}

/// Is it the name of a column that CREATE TABLE or ALTER TABLE adds: before a type?
fn is_column(source: &Source<'_>, token: usize) -> bool {
    let Some(before) = token.checked_sub(1).filter(|_| !has_query(source)) else { return false };
    let added =
        source.punct(before, "(") || source.punct(before, ",") || source.one_of(before, &["add", "column"]);
    added && source.plain_name(token + 1).is_some()
}

/// `LIKE t` in CREATE TABLE: its columns, none of its rows.
fn is_pattern(source: &Source<'_>, token: usize) -> bool {
    let mut first = token;
    while first >= 2 && source.punct(first - 1, ".") {
        first -= 2;
    }
    let like = first.checked_sub(1).filter(|like| source.keyword(*like, "like"));
    like.and_then(|like| like.checked_sub(1))
        .is_some_and(|before| source.punct(before, "(") || source.punct(before, ","))
        && depth(source, token) == 1
        && !has_query(source)
}

/// Is it a column or constraint that ALTER TABLE names?
fn is_altered(source: &Source<'_>, token: usize) -> bool {
    let Some(mut before) = token.checked_sub(1) else { return false };
    if before >= 3 && source.keywords(before - 1, &["if", "exists"]) {
        before -= 2;
    }
    depth(source, token) == 0
        && before > source.range.start + 1
        && source.one_of(before, &["column", "constraint", "drop", "alter", "rename"])
}

/// Is it the relation that CREATE INDEX is on? No other can stand in it, for its expressions hold no
/// query.
fn is_indexed(source: &Source<'_>, token: usize) -> bool {
    let on = source.range.clone().find(|index| source.keyword(*index, "on"));
    let Some(on) = on else { return true };
    let name = if source.keyword(on + 1, "only") { on + 2 } else { on + 1 };
    source.dotted(name).is_none_or(|(parts, _)| parts.contains(&token))
}

/// Does a command of maintenance name no relation, and so mean all of them, or those of a schema, or
/// that of an index?
pub(crate) fn maintains_all(source: &Source<'_>) -> bool {
    let first = source.range.start;
    if source.keyword(first, "reindex") {
        return source
            .range
            .clone()
            .any(|token| source.one_of(token, &["schema", "database", "system", "index"]));
    }
    let mut next = first + 1;
    if source.punct(next, "(") {
        next = source.closing(next).map_or(source.range.end, |close| close + 1);
    }
    while source.one_of(next, &["full", "freeze", "verbose", "analyze", "analyse"]) {
        next += 1;
    }
    source.one_of(first, &["vacuum", "analyze", "analyse", "cluster"]) && source.is_end(next)
}

/// What an event trigger which the statement could fire does: one without tags, or one with a tag
/// all of whose words are among the statement's (`CREATE TABLE AS`), the first of them as its first.
pub(crate) fn fires<'c>(source: &Source<'_>, catalogue: &'c Catalogue) -> Option<&'c str> {
    let first = source.range.start;
    let has = |tag: &String| {
        let mut words = tag.split(' ').map(str::to_ascii_lowercase);
        words.next().is_some_and(|verb| source.keyword(first, &verb))
            && words.all(|word| source.range.clone().any(|token| source.keyword(token, &word)))
    };
    let risk =
        catalogue.definition_risks.iter().find(|risk| risk.tags.is_empty() || risk.tags.iter().any(has))?;
    Some(&risk.culprit)
}
