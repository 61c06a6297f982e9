//! Forms of expressions and of clauses around them that the parser does not know.

use sqlparser::tokenizer::Token as Parsed;

use super::account::Role;
use super::normalise::{self, Normaliser, Open, quoted};
use super::{call_forms, keywords};
use crate::TokenKind;

/// The index after the form, if there is one at `index`.
pub(crate) fn rewrite(to: &mut Normaliser<'_, '_>, index: usize) -> Option<usize> {
    let source = to.source;
    let before = index.checked_sub(1).filter(|before| source.range.contains(before));
    let is_before = |keywords: &[&str]| before.is_some_and(|before| source.one_of(before, keywords));
    let after_paren = before.is_some_and(|before| source.punct(before, ")"));
    let token = source.token(index)?;
    match token.kind {
        TokenKind::Punctuation if token.is_punct(source.text, ".") => whole_row(to, index),
        TokenKind::Identifier => {
            // After a point or AS every word is a name.
            if before.is_some_and(|before| source.punct(before, ".")) || is_before(&["as"]) {
                return None;
            }
            let Some(word) = source.any_keyword(index) else { return typed_constant(to, index) };
            match word {
                "isnull" | "notnull" if before.is_some() && !source.punct(index + 1, "(") => {
                    to.emit_keyword(index, "IS");
                    if word == "notnull" {
                        to.emit_keyword(index, "NOT");
                    }
                    to.emit_keyword(index, "NULL");
                    Some(index + 1)
                }
                "symmetric" | "asymmetric" if is_before(&["between"]) => Some(index + 1),
                "variadic"
                    if before
                        .is_some_and(|before| source.punct(before, "(") || source.punct(before, ",")) =>
                {
                    Some(index + 1)
                }
                "exclude" if source.keyword(index + 1, "group") && !source.keyword(index + 2, "by") => {
                    Some(index + 2)
                }
                "exclude" if source.keyword(index + 1, "ties") => Some(index + 2),
                "exclude" if source.keywords(index + 1, &["current", "row"]) => Some(index + 3),
                "exclude" if source.keywords(index + 1, &["no", "others"]) => Some(index + 3),
                "using" if source.is_operator(index + 1) => Some(index + 2),
                "using" if source.keyword(index + 1, "operator") => qualified_operator(to, index + 1),
                "operator" => {
                    let next = qualified_operator(to, index)?;
                    let compares = source.one_of(next, &["any", "some", "all"]);
                    to.emit(index, if compares { Parsed::Eq } else { Parsed::Plus });
                    Some(next)
                }
                "collate" => {
                    let (parts, next) = source.dotted(index + 1)?;
                    parts.into_iter().for_each(|part| to.role(part, Role::Alias));
                    Some(next)
                }
                // XMLELEMENT(NAME foo, …): to the parser, a constant.
                "name"
                    if before.is_some_and(|before| {
                        source.punct(before, "(")
                            && before > 0
                            && source.one_of(before - 1, &["xmlelement", "xmlpi"])
                    }) && source.name(index + 1).is_some() =>
                {
                    to.role(index + 1, Role::Alias);
                    to.emit(index, Parsed::Number("1".to_owned(), false));
                    Some(index + 2)
                }
                "collation" if source.keyword(index + 1, "for") && source.punct(index + 2, "(") => {
                    to.facts.grammar_functions.insert(index);
                    to.emit_name(index, "collation");
                    Some(index + 2)
                }
                "by" => call_forms::xml_passing(to, index),
                // Whatever order LIMIT, OFFSET and FETCH come in, the parser takes the first two.
                "fetch" if source.one_of(index + 1, &["first", "next"]) => {
                    to.emit_keyword(index, "LIMIT");
                    if source.one_of(index + 2, &["row", "rows"]) {
                        to.emit(index, Parsed::Number("1".to_owned(), false));
                    }
                    Some(index + 2)
                }
                "row" | "rows" if source.keyword(index + 1, "only") => Some(index + 2),
                "row" | "rows" if source.keywords(index + 1, &["with", "ties"]) => Some(index + 3),
                // A list of rows alone cannot be ordered or cut in an expression, to the parser.
                "values"
                    if before.is_some_and(|before| source.punct(before, "("))
                        && source.punct(index + 1, "(") =>
                {
                    for token in [
                        normalise::word("with"),
                        quoted("\0"),
                        normalise::word("as"),
                        Parsed::LParen,
                        normalise::word("select"),
                        Parsed::Number("1".to_owned(), false),
                        Parsed::RParen,
                        normalise::word("values"),
                    ] {
                        to.emit(index, token);
                    }
                    Some(index + 1)
                }
                // MERGE: INSERT DEFAULT VALUES
                "insert" if is_before(&["then"]) && source.keywords(index + 1, &["default", "values"]) => {
                    to.emit_keyword(index, "INSERT");
                    to.emit_keyword(index, "VALUES");
                    to.emit(index, Parsed::LParen);
                    to.emit_keyword(index, "DEFAULT");
                    to.emit(index, Parsed::RParen);
                    Some(index + 3)
                }
                "select" if source.punct(index + 1, ")") || source.is_end(index + 1) => {
                    to.emit_keyword(index, "SELECT");
                    to.emit_keyword(index, "NULL");
                    Some(index + 1)
                }
                // SUBSTRING(x SIMILAR y ESCAPE z)
                "similar" if to.inside() == Some(Open::Call) && !source.keyword(index + 1, "to") => {
                    to.emit_keyword(index, "LIKE");
                    Some(index + 1)
                }
                "at" if source.keyword(index + 1, "local") => Some(index + 2),
                "document"
                    if is_before(&["is"])
                        || (is_before(&["not"])
                            && before.is_some_and(|not| not > 0 && source.keyword(not - 1, "is"))) =>
                {
                    to.emit_keyword(index, "NULL");
                    Some(index + 1)
                }
                "distinct" | "all" if is_before(&["by"]) => {
                    let first = index.checked_sub(2)?;
                    (source.keyword(first, "group") && !source.is_end(index + 1)).then_some(index + 1)
                }
                "overriding"
                    if source.one_of(index + 1, &["system", "user"])
                        && source.keyword(index + 2, "value") =>
                {
                    Some(index + 3)
                }
                "current" if source.keyword(index + 1, "of") && is_before(&["where"]) => {
                    to.emit_keyword(index, "TRUE");
                    to.role(index + 2, Role::Cursor);
                    Some(index + 3)
                }
                "conflict" if is_before(&["on"]) && source.punct(index + 1, "(") => {
                    conflict_target(to, index)
                }
                "search" if after_paren => search_clause(to, index),
                "cycle" if after_paren => cycle_clause(to, index),
                "for" => lock_clause(to, index),
                _ => typed_constant(to, index),
            }
        }
        TokenKind::QuotedIdentifier if !before.is_some_and(|before| source.punct(before, ".")) => {
            typed_constant(to, index)
        }
        _ => None,
    }
}

/// `(x).*` and, where an expression is wanted, `t.*`.
fn whole_row(to: &mut Normaliser<'_, '_>, index: usize) -> Option<usize> {
    const CLAUSES: [&str; 17] = [
        "from",
        "into",
        "where",
        "group",
        "having",
        "window",
        "order",
        "limit",
        "offset",
        "fetch",
        "for",
        "union",
        "except",
        "intersect",
        "returning",
        "on",
        "as",
    ];
    let source = to.source;
    if !source.operator(index + 1, "*") {
        return None;
    }
    let before = index.checked_sub(1)?;
    if source.punct(before, ")") || source.punct(before, "]") {
        return Some(index + 2);
    }
    let next = index + 2;
    let ends = source.is_end(next)
        || source.punct(next, ",")
        || source.punct(next, ")")
        || source.punct(next, "]")
        || source.one_of(next, &CLAUSES);
    let in_list = !matches!(to.inside(), Some(Open::Group | Open::Bracket));
    // Left to the parser: an item of a select list, or a function's argument.
    (!ends || !in_list).then_some(next)
}

/// `type 'constant'`, of any type: to the parser, a date.
fn typed_constant(to: &mut Normaliser<'_, '_>, index: usize) -> Option<usize> {
    let source = to.source;
    let mut after = index + 1;
    while source.punct(after, ".") {
        after += 2;
    }
    source.token(after).filter(|token| token.kind.is_string())?;
    let (parts, next) = source.dotted(index)?;
    source.string(next)?;
    if let [only] = parts.as_slice()
        && source.token(*only)?.kind == TokenKind::Identifier
    {
        let word = source.name(*only)?;
        let names_a_type = matches!(&*word, "text" | "name" | "xml" | "json");
        if !names_a_type && keywords::category(&word).is_some() {
            return None;
        }
    }
    for part in &parts {
        to.role(*part, Role::Type);
    }
    to.emit_keyword(*parts.last()?, "DATE");
    Some(next)
}

/// `OPERATOR(schema.+)`: the index after it. Nothing but a schema and an operator may stand there,
/// lest it be the call of a function of that name.
fn qualified_operator(to: &mut Normaliser<'_, '_>, index: usize) -> Option<usize> {
    let source = to.source;
    source.punct(index + 1, "(").then_some(())?;
    let mut next = index + 2;
    while source.name(next).is_some() && source.punct(next + 1, ".") {
        to.role(next, Role::Schema);
        next += 2;
    }
    (source.is_operator(next) && source.punct(next + 1, ")")).then_some(next + 2)
}

/// `ON CONFLICT (…) [WHERE …] DO`: a target that is more than a list of columns is left out. A
/// query cannot stand in it; where there is one, this is something else.
fn conflict_target(to: &mut Normaliser<'_, '_>, index: usize) -> Option<usize> {
    let source = to.source;
    let close = source.closing(index + 1)?;
    let plain = (index + 2..close).all(|part| source.plain_name(part).is_some() || source.punct(part, ","));
    if plain && source.keyword(close + 1, "do") {
        return None;
    }
    if !source.one_of(close + 1, &["where", "do"]) {
        return None;
    }
    let mut action = close + 1;
    while !source.keywords(action, &["do", "nothing"]) && !source.keywords(action, &["do", "update"]) {
        if source.is_end(action) {
            return None;
        }
        action += 1;
    }
    if (index..action).any(|part| source.one_of(part, &["select", "table", "from"])) {
        return None;
    }
    for part in index + 2..close {
        if source.plain_name(part).is_some() && !source.punct(part + 1, "(") {
            to.role(part, Role::Column);
        }
    }
    to.emit_keyword(index, "CONFLICT");
    Some(action)
}

/// `SEARCH DEPTH FIRST BY a, b SET c`
fn search_clause(to: &mut Normaliser<'_, '_>, index: usize) -> Option<usize> {
    let source = to.source;
    let ordered =
        source.one_of(index + 1, &["depth", "breadth"]) && source.keywords(index + 2, &["first", "by"]);
    if !ordered {
        return None;
    }
    let set = name_list(to, index + 4, Role::Column)?;
    source.keyword(set, "set").then_some(())?;
    to.role(set + 1, Role::Alias);
    if source.keyword(set + 2, "cycle") {
        return cycle_clause(to, set + 2);
    }
    Some(set + 2)
}

/// `CYCLE a, b SET c [TO 1 DEFAULT 0] USING d`
fn cycle_clause(to: &mut Normaliser<'_, '_>, index: usize) -> Option<usize> {
    let source = to.source;
    let set = name_list(to, index + 1, Role::Column)?;
    source.keyword(set, "set").then_some(())?;
    to.role(set + 1, Role::Alias);
    let mut next = set + 2;
    if source.keyword(next, "to") && source.keyword(next + 2, "default") {
        next += 4;
    }
    source.keyword(next, "using").then_some(())?;
    to.role(next + 1, Role::Alias);
    Some(next + 2)
}

/// FOR UPDATE and its kin say which rows to lock, not what to read.
fn lock_clause(to: &mut Normaliser<'_, '_>, index: usize) -> Option<usize> {
    let source = to.source;
    if source.keywords(index + 1, &["read", "only"]) {
        return Some(index + 3);
    }
    let mut next = if source.one_of(index + 1, &["update", "share"]) {
        index + 2
    } else if source.keywords(index + 1, &["no", "key", "update"]) {
        index + 4
    } else if source.keywords(index + 1, &["key", "share"]) {
        index + 3
    } else {
        return None;
    };
    if source.keyword(next, "of") {
        // PostgreSQL takes only what FROM calls them here, without a schema.
        next = name_list(to, next + 1, Role::Alias)?;
    }
    if source.keyword(next, "nowait") {
        next += 1;
    } else if source.keywords(next, &["skip", "locked"]) {
        next += 2;
    }
    Some(next)
}

/// `a, b, c`: the index after it.
fn name_list(to: &mut Normaliser<'_, '_>, index: usize, role: Role) -> Option<usize> {
    let mut next = index;
    loop {
        to.source.plain_name(next)?;
        to.role(next, role);
        next += 1;
        if !to.source.punct(next, ",") {
            return Some(next);
        }
        next += 1;
    }
}
