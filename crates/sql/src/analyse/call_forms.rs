//! Calls with a grammar of their own: SQL/JSON, XML, TRIM.
//!
//! To the parser they become plain calls. What stands between the arguments is left out, or becomes
//! a comma; nothing that could hold a column or a query is.

use sqlparser::tokenizer::Token as Parsed;

use super::account::Role;
use super::normalise::{Normaliser, Open};
use super::source::Source;

/// The index after the form, if there is one at `index`.
pub(crate) fn rewrite(to: &mut Normaliser<'_, '_>, index: usize) -> Option<usize> {
    let source = to.source;
    let before = index.checked_sub(1).filter(|before| source.range.contains(before));
    let after_point = before.is_some_and(|before| source.punct(before, "."));
    if after_point {
        return None;
    }
    let opens = source.punct(index + 1, "(");
    if opens && source.keyword(index, "json_table") {
        to.emit_name(index, "json_table");
        return Some(index + 1);
    }
    // The parser has ideas of its own about these two.
    for word in ["trim", "xmlparse"] {
        if opens && source.keyword(index, word) {
            to.facts.grammar_functions.insert(index);
            to.emit_name(index, word);
            return Some(index + 1);
        }
    }
    let grouping = ["rollup", "cube"];
    if to.inside() == Some(Open::Query) {
        // JSON_ARRAY(SELECT …)
        return None;
    }
    let head = to.head()?;
    if opens && source.one_of(index, &grouping) && source.keyword(head, "sets") {
        to.facts.grammar_functions.insert(index);
        return None;
    }
    let first = index == head + 2;
    match source.any_keyword(head)? {
        "trim" if is_call(source, head) => trim(to, index, first),
        "xmlparse" | "xmlserialize" | "xmlroot" | "xmlexists" if is_call(source, head) => {
            xml(to, index, head)
        }
        "json_table" if is_call(source, head) && source.keyword(index, "columns") => columns(to, index),
        "json_object" | "json_objectagg" | "json_array" | "json_arrayagg" | "json_value" | "json_query"
        | "json_exists" | "json_scalar" | "json_serialize" | "json_table" | "json"
            if is_call(source, head) =>
        {
            json(to, index, first)
        }
        _ => None,
    }
}

/// Is it the word itself, and no quoted or qualified name?
fn is_call(source: &Source<'_>, head: usize) -> bool {
    let word = source.token(head).is_some_and(|token| token.kind == crate::TokenKind::Identifier);
    word && !head.checked_sub(1).is_some_and(|before| source.punct(before, "."))
}

/// `TRIM([BOTH | LEADING | TRAILING] [x] FROM y)`, `TRIM(FROM y)`, `TRIM(BOTH y)`
fn trim(to: &mut Normaliser<'_, '_>, index: usize, first: bool) -> Option<usize> {
    let source = to.source;
    if first && source.one_of(index, &["both", "leading", "trailing"]) {
        return Some(index + 1);
    }
    if source.keyword(index, "from") {
        let compares = source.keyword(index - 1, "distinct");
        if compares {
            return None;
        }
        let nothing = first || source.one_of(index - 1, &["both", "leading", "trailing"]);
        if !nothing {
            to.emit(index, Parsed::Comma);
        }
        return Some(index + 1);
    }
    None
}

fn xml(to: &mut Normaliser<'_, '_>, index: usize, head: usize) -> Option<usize> {
    let source = to.source;
    let opens = index == head + 2;
    let ends = |next: usize| source.punct(next, ")") || source.punct(next, ",");
    match source.name(head).as_deref()? {
        "xmlexists" if source.keyword(index, "passing") => {
            to.emit(index, Parsed::Comma);
            Some(passing_mechanism(source, index + 1))
        }
        "xmlexists" => by_reference(source, index),
        "xmlroot" if source.keyword(index, "version") && source.punct(index - 1, ",") => {
            if source.keywords(index + 1, &["no", "value"]) && ends(index + 3) {
                to.emit_keyword(index, "NULL");
                return Some(index + 3);
            }
            Some(index + 1)
        }
        "xmlroot" if source.keyword(index, "standalone") && source.punct(index - 1, ",") => {
            let next = match source.keywords(index + 1, &["no", "value"]) {
                true => index + 3,
                false if source.one_of(index + 1, &["yes", "no"]) => index + 2,
                false => return None,
            };
            to.emit_keyword(index, "NULL");
            ends(next).then_some(next)
        }
        "xmlparse" | "xmlserialize" if opens && source.one_of(index, &["content", "document"]) => {
            to.role(index, Role::Alias);
            Some(index + 1)
        }
        "xmlparse"
            if source.one_of(index, &["preserve", "strip"]) && source.keyword(index + 1, "whitespace") =>
        {
            ends(index + 2).then_some(index + 2)
        }
        "xmlserialize" if source.keyword(index, "as") => {
            let next = type_name(to, index + 1, &["no", "indent"]);
            let next = if source.keyword(next, "no") { next + 1 } else { next };
            let next = if source.keyword(next, "indent") { next + 1 } else { next };
            source.punct(next, ")").then_some(next)
        }
        _ => None,
    }
}

/// BY REF or BY VALUE after PASSING: the index after it.
fn passing_mechanism(source: &Source<'_>, index: usize) -> usize {
    let by = source.keyword(index, "by") && source.one_of(index + 1, &["ref", "value"]);
    if by { index + 2 } else { index }
}

/// BY REF or BY VALUE after what is passed.
fn by_reference(source: &Source<'_>, index: usize) -> Option<usize> {
    let next = passing_mechanism(source, index);
    let follows = source.punct(next, ")") || source.keyword(next, "columns");
    let orders = source.one_of(index.checked_sub(1)?, &["order", "group", "partition", "first"]);
    (next > index && follows && !orders).then_some(next)
}

/// `PASSING BY REF x` in XMLTABLE, and what follows it.
pub(crate) fn xml_passing(to: &Normaliser<'_, '_>, index: usize) -> Option<usize> {
    let source = to.source;
    let head = to.head().filter(|head| source.keyword(*head, "xmltable"))?;
    let after = index.checked_sub(1).filter(|before| *before > head && source.keyword(*before, "passing"));
    match after {
        Some(_) => Some(passing_mechanism(source, index)).filter(|next| *next > index),
        None => by_reference(source, index),
    }
}

fn json(to: &mut Normaliser<'_, '_>, index: usize, first: bool) -> Option<usize> {
    let source = to.source;
    let argument = first || source.punct(index - 1, ",");
    if source.punct(index, ":") {
        to.emit(index, Parsed::Comma);
        return Some(index + 1);
    }
    if let Some(next) = behaviour(source, index) {
        return Some(next);
    }
    if argument {
        return None;
    }
    let ends = source.punct(index + 1, ",") || source.punct(index + 1, ")");
    match source.name(index).as_deref()? {
        "value" if !ends && source.keyword(index, "value") && ends_operand(source, index - 1) => {
            to.emit(index, Parsed::Comma);
            Some(index + 1)
        }
        "passing" if !ends && source.keyword(index, "passing") => {
            to.emit(index, Parsed::Comma);
            Some(index + 1)
        }
        // PASSING x AS y, '$' AS name
        "as" if source.keyword(index, "as") => {
            source.name(index + 1)?;
            to.role(index + 1, Role::Alias);
            Some(index + 2)
        }
        "returning" if source.keyword(index, "returning") => Some(type_name(to, index + 1, &ENDS)),
        "default" if source.keyword(index, "default") => {
            to.emit(index, Parsed::Comma);
            Some(index + 1)
        }
        "on" if source.keyword(index, "on") && source.one_of(index + 1, &["empty", "error"]) => {
            Some(index + 2)
        }
        _ => None,
    }
}

/// Can an operand end with this token?
fn ends_operand(source: &Source<'_>, index: usize) -> bool {
    let Some(token) = source.token(index) else { return false };
    token.kind.is_literal()
        || token.kind == crate::TokenKind::Parameter
        || source.punct(index, ")")
        || source.punct(index, "]")
        || (source.name(index).is_some() && !source.keyword(index, "value"))
}

/// Words that end a type's name in these calls.
const ENDS: [&str; 17] = [
    "format", "null", "absent", "error", "empty", "default", "true", "false", "unknown", "keep", "omit",
    "without", "path", "exists", "on", "order", "columns",
];

/// FORMAT JSON, NULL ON NULL, WITH UNIQUE KEYS, WITH WRAPPER, KEEP QUOTES, ERROR ON EMPTY and their
/// like, which hold no expression: the index after it.
fn behaviour(source: &Source<'_>, index: usize) -> Option<usize> {
    if source.keywords(index, &["format", "json"]) {
        return Some(if source.keyword(index + 2, "encoding") { index + 4 } else { index + 2 });
    }
    let on = |next: usize| {
        (source.keyword(next, "on") && source.one_of(next + 1, &["null", "empty", "error"]))
            .then_some(next + 2)
    };
    if source.one_of(index, &["null", "absent", "error", "true", "false", "unknown"]) {
        return on(index + 1);
    }
    if source.keyword(index, "empty") {
        return on(if source.one_of(index + 1, &["array", "object"]) { index + 2 } else { index + 1 });
    }
    if source.one_of(index, &["with", "without"]) {
        let mut next = index + 1;
        if source.keyword(next, "unique") {
            return Some(if source.keyword(next + 1, "keys") { next + 2 } else { next + 1 });
        }
        if source.one_of(next, &["conditional", "unconditional"]) {
            next += 1;
        }
        if source.keyword(next, "array") {
            next += 1;
        }
        return source.keyword(next, "wrapper").then_some(next + 1);
    }
    if source.one_of(index, &["keep", "omit"]) && source.keyword(index + 1, "quotes") {
        let on_scalar = source.keywords(index + 2, &["on", "scalar", "string"]);
        return Some(if on_scalar { index + 5 } else { index + 2 });
    }
    None
}

/// A type's name, with its modifiers: the index after it.
fn type_name(to: &mut Normaliser<'_, '_>, index: usize, ends: &[&str]) -> usize {
    let source = to.source;
    let mut next = index;
    loop {
        if source.one_of(next, ends) || (source.keyword(next, "with") && !source.keyword(next + 1, "time")) {
            return next;
        }
        if source.name(next).is_some() {
            to.role(next, Role::Type);
            next += 1;
        } else if source.punct(next, ".")
            || source.punct(next, "]")
            || (next > index && source.punct(next, "["))
        {
            next += 1;
        } else if next > index && source.punct(next, "(") {
            match constants(source, next) {
                Some(after) => next = after,
                None => return next,
            }
        } else if source.token(next).is_some_and(|token| token.kind == crate::TokenKind::Integer)
            && source.punct(next - 1, "[")
        {
            next += 1;
        } else {
            return next;
        }
    }
}

/// A parenthesised list of constants: the index after it.
fn constants(source: &Source<'_>, open: usize) -> Option<usize> {
    let close = source.closing(open)?;
    let constant = |index: usize| {
        source.token(index).is_some_and(|token| token.kind.is_literal()) || source.punct(index, ",")
    };
    (open + 1..close).all(constant).then_some(close + 1)
}

/// `COLUMNS (a int PATH '$.a', NESTED PATH '$[*]' COLUMNS (…))` in JSON_TABLE, of constants only.
fn columns(to: &mut Normaliser<'_, '_>, index: usize) -> Option<usize> {
    let source = to.source;
    let close = source.closing(index + 1).filter(|_| source.punct(index + 1, "("))?;
    let mut roles = vec![(index, Role::Alias)];
    let mut next = index + 2;
    // Does a column's name come now?
    let mut begins = true;
    while next < close {
        let token = source.token(next)?;
        if source.punct(next, ",") {
            begins = true;
            next += 1;
        } else if source.keyword(next, "nested") && begins {
            begins = false;
            next += 1;
        } else if source.keyword(next, "columns") && source.punct(next + 1, "(") {
            roles.push((next, Role::Alias));
            begins = true;
            next += 2;
        } else if source.keyword(next, "default") && !begins {
            // Anything but a constant could be a call.
            let sign = usize::from(source.operator(next + 1, "-"));
            let value = next + 1 + sign;
            let constant = source.token(value).is_some_and(|token| token.kind.is_literal())
                || source.one_of(value, &["null", "true", "false"]);
            next = (constant && source.keyword(value + 1, "on")).then_some(value + 1)?;
        } else if token.kind.is_literal() {
            next += 1;
        } else if source.name(next).is_some() {
            roles.push((next, if begins { Role::Alias } else { Role::Type }));
            begins = false;
            next += 1;
        } else if source.punct(next, ".") || source.punct(next, "[") || source.punct(next, "]") {
            next += 1;
        } else if source.punct(next, "(") {
            next = constants(source, next)?;
        } else if source.punct(next, ")") {
            next += 1;
        } else {
            return None;
        }
    }
    roles.into_iter().for_each(|(token, role)| to.role(token, role));
    Some(close + 1)
}
