//! From our tokens to the parser's, through the forms that PostgreSQL has and the parser has not.
//!
//! The parser sees a copy in which such a form is left out or stands in simpler words; every token
//! of the copy says by its location which of ours it is, so that splices address the original.
//! What was left out and matters is noted in [`Facts`]; names in it that nobody accounts for fail
//! the accounting rule later. Words that are no keywords of PostgreSQL's become quoted names, and
//! constants lose their content: neither can change what the parser reads.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Span, Token as Parsed, TokenWithSpan, Word};

use super::account::Role;
use super::from_forms;
use super::keywords;
use super::source::Source;
use crate::TokenKind;

/// What the parser does not get to see.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// `ONLY t`, `ONLY (t)`: by the first token of the name, all tokens of the form.
    pub only: HashMap<usize, Range<usize>>,
    /// `t *`: by the first token of the name, the star.
    pub descendants: HashMap<usize, usize>,
    /// TABLESAMPLE clauses by the token before them.
    pub samples: HashMap<usize, Range<usize>>,
    /// `TABLE t` commands: the tokens TABLE, which the parser sees as `SELECT * FROM`.
    pub table_commands: HashSet<usize>,
    /// Tokens that the parser sees as functions' names and that are grammar (`ROWS FROM`).
    pub grammar_functions: HashSet<usize>,
    pub roles: Vec<(usize, Role)>,
}

/// Where a parenthesis or bracket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Open {
    Query,
    Call,
    Group,
    Bracket,
}

pub(crate) struct Normaliser<'a, 's> {
    pub source: &'s Source<'a>,
    pub facts: Facts,
    pub out: Vec<TokenWithSpan>,
    opened: Vec<Open>,
}

/// The parser's tokens for those of a query or DML statement.
///
/// `verb` goes before them, where they are the middle of a statement (`SELECT`, `VALUES`).
pub(crate) fn normalise(source: &Source<'_>, verb: Option<&str>) -> (Vec<TokenWithSpan>, Facts) {
    let mut normaliser = Normaliser {
        source,
        facts: Facts::default(),
        out: Vec::with_capacity(source.range.len() + 8),
        opened: Vec::new(),
    };
    let mut index = source.range.start;
    if let Some(verb) = verb {
        normaliser.emit_keyword(index, verb);
    }
    while index < source.range.end {
        index = match from_forms::rewrite(&mut normaliser, index).or_else(|| rewrite(&mut normaliser, index)) {
            Some(next) if next > index => next,
            _ => {
                normaliser.copy(index);
                index + 1
            }
        };
    }
    (normaliser.out, normaliser.facts)
}

impl Normaliser<'_, '_> {
    pub(crate) fn emit(&mut self, index: usize, token: Parsed) {
        let location = Location { line: index as u64 + 1, column: 1 };
        self.out.push(TokenWithSpan::new(token, Span::new(location, location)));
    }

    pub(crate) fn emit_keyword(&mut self, index: usize, keyword: &str) {
        self.emit(index, Parsed::make_word(keyword, None));
    }

    pub(crate) fn emit_name(&mut self, index: usize, name: &str) {
        self.emit(index, quoted(name));
    }

    pub(crate) fn role(&mut self, index: usize, role: Role) {
        self.facts.roles.push((index, role));
    }

    pub(crate) fn inside(&self) -> Option<Open> {
        self.opened.last().copied()
    }

    fn copy(&mut self, index: usize) {
        let Some(token) = self.source.token(index) else { return };
        let text = token.text(self.source.text);
        let parsed = match token.kind {
            TokenKind::Identifier => {
                let value = self.source.name(index).unwrap_or_default();
                match keywords::category(&value) {
                    Some(_) => Parsed::make_word(&value, None),
                    None => quoted(&value),
                }
            }
            TokenKind::QuotedIdentifier => quoted(&self.source.name(index).unwrap_or_default()),
            TokenKind::String | TokenKind::EscapeString | TokenKind::DollarString | TokenKind::UnicodeString => {
                Parsed::SingleQuotedString("x".to_owned())
            }
            TokenKind::NationalString => Parsed::NationalStringLiteral("x".to_owned()),
            TokenKind::BitString => Parsed::SingleQuotedByteStringLiteral("0".to_owned()),
            TokenKind::HexString => Parsed::HexStringLiteral("0".to_owned()),
            // A digit is enough: type modifiers are read as numbers, and nothing else is.
            TokenKind::Integer => Parsed::Number("1".to_owned(), false),
            TokenKind::Float => Parsed::Number("1.0".to_owned(), false),
            TokenKind::Parameter => Parsed::Placeholder("$1".to_owned()),
            TokenKind::Operator => operator(self.source, index, text),
            TokenKind::Punctuation => {
                self.follow(index, text);
                punctuation(text)
            }
        };
        self.emit(index, parsed);
    }

    /// Keeps track of what we are inside of.
    fn follow(&mut self, index: usize, text: &str) {
        match text {
            "(" => {
                let mut first = index + 1;
                while self.source.punct(first, "(") {
                    first += 1;
                }
                let called = index.checked_sub(1).is_some_and(|before| names_a_function(self.source, before))
                    || index.checked_sub(2).is_some_and(|first| self.source.keywords(first, &["rows", "from"]));
                self.opened.push(if self.source.starts_query(first) {
                    Open::Query
                } else if called {
                    Open::Call
                } else {
                    Open::Group
                });
            }
            "[" => self.opened.push(Open::Bracket),
            ")" | "]" => {
                self.opened.pop();
            }
            _ => {}
        }
    }
}

fn names_a_function(source: &Source<'_>, index: usize) -> bool {
    let Some(token) = source.token(index) else { return false };
    match token.kind {
        TokenKind::QuotedIdentifier => true,
        TokenKind::Identifier => {
            let name = source.name(index).unwrap_or_default();
            name == "row" || !keywords::is_grammar(&name)
        }
        _ => false,
    }
}

pub(crate) fn quoted(name: &str) -> Parsed {
    Parsed::Word(Word { value: name.to_owned(), quote_style: Some('"'), keyword: Keyword::NoKeyword })
}

/// Which operator it is makes no difference to what is read, only where an operand may follow. So
/// those that the parser might take for something of its own become a plus sign, which it takes
/// before and between operands, or, before ANY and ALL, an equals sign.
fn operator(source: &Source<'_>, index: usize, text: &str) -> Parsed {
    if text != "*" && source.one_of(index + 1, &["any", "some", "all"]) {
        return Parsed::Eq;
    }
    match text {
        "=" => Parsed::Eq,
        "<" => Parsed::Lt,
        ">" => Parsed::Gt,
        "<=" => Parsed::LtEq,
        ">=" => Parsed::GtEq,
        "<>" | "!=" => Parsed::Neq,
        "-" => Parsed::Minus,
        "*" => Parsed::Mul,
        "/" => Parsed::Div,
        "%" => Parsed::Mod,
        "^" => Parsed::Caret,
        _ => Parsed::Plus,
    }
}

fn punctuation(text: &str) -> Parsed {
    match text {
        "," => Parsed::Comma,
        ";" => Parsed::SemiColon,
        "(" => Parsed::LParen,
        ")" => Parsed::RParen,
        "[" => Parsed::LBracket,
        "]" => Parsed::RBracket,
        "." => Parsed::Period,
        ":" => Parsed::Colon,
        "::" => Parsed::DoubleColon,
        ":=" => Parsed::Assignment,
        "=>" => Parsed::RArrow,
        // `..`, which belongs to PL/pgSQL.
        _ => Parsed::Char('\u{fffd}'),
    }
}

/// Forms of expressions and clauses. The index after the form, if there is one at `index`.
fn rewrite(to: &mut Normaliser<'_, '_>, index: usize) -> Option<usize> {
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
            let word = source.name(index)?;
            match &*word {
                "isnull" | "notnull" if before.is_some() && !source.punct(index + 1, "(") => {
                    to.emit_keyword(index, "IS");
                    if word == "notnull" {
                        to.emit_keyword(index, "NOT");
                    }
                    to.emit_keyword(index, "NULL");
                    Some(index + 1)
                }
                "symmetric" | "asymmetric" if is_before(&["between"]) => Some(index + 1),
                "variadic" if before.is_some_and(|before| source.punct(before, "(") || source.punct(before, ",")) => {
                    Some(index + 1)
                }
                "exclude" if source.keyword(index + 1, "group") && !source.keyword(index + 2, "by") => Some(index + 2),
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
                        source.punct(before, "(") && before > 0 && source.one_of(before - 1, &["xmlelement", "xmlpi"])
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
                // TRIM(BOTH FROM x)
                "from" if is_before(&["both", "leading", "trailing"]) => Some(index + 1),
                // SUBSTRING(x SIMILAR y ESCAPE z)
                "similar" if to.inside() == Some(Open::Call) && !source.keyword(index + 1, "to") => {
                    to.emit_keyword(index, "LIKE");
                    Some(index + 1)
                }
                "at" if source.keyword(index + 1, "local") => Some(index + 2),
                "document" if is_before(&["is", "not"]) => {
                    to.emit_keyword(index, "NULL");
                    Some(index + 1)
                }
                "distinct" | "all" if is_before(&["by"]) => {
                    let first = index.checked_sub(2)?;
                    (source.keyword(first, "group") && !source.is_end(index + 1)).then_some(index + 1)
                }
                "overriding"
                    if source.one_of(index + 1, &["system", "user"]) && source.keyword(index + 2, "value") =>
                {
                    Some(index + 3)
                }
                "current" if source.keyword(index + 1, "of") && is_before(&["where"]) => {
                    to.emit_keyword(index, "TRUE");
                    to.role(index + 2, Role::Cursor);
                    Some(index + 3)
                }
                "conflict" if is_before(&["on"]) && source.punct(index + 1, "(") => conflict_target(to, index),
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
        "from", "into", "where", "group", "having", "window", "order", "limit", "offset", "fetch", "for", "union",
        "except", "intersect", "returning", "on", "as",
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
    let ordered = source.one_of(index + 1, &["depth", "breadth"]) && source.keywords(index + 2, &["first", "by"]);
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
pub(crate) fn name_list(to: &mut Normaliser<'_, '_>, index: usize, role: Role) -> Option<usize> {
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
