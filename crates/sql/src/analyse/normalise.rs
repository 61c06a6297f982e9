//! From our tokens to the parser's, through the forms that PostgreSQL has and the parser has not.
//!
//! The parser sees a copy in which such a form is left out or stands in simpler words; every token
//! of the copy says by its location which of ours it is, so that splices address the original.
//! What was left out and matters is noted in [`Facts`]; names in it that nobody accounts for fail
//! the accounting rule later. Words that are no keywords of PostgreSQL's become quoted names, and
//! constants lose their content: neither can change what the parser reads.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use sqlparser::tokenizer::{Span, Token as Parsed, TokenWithSpan, Word};

use super::account::Role;
use super::keywords::{self, Category, Keyword};
use super::parse::place;
use super::source::Source;
use super::{call_forms, expr_forms, from_forms};
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
    /// With the token of the parenthesis or bracket.
    opened: Vec<(Open, usize)>,
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
        index = match from_forms::rewrite(&mut normaliser, index)
            .or_else(|| call_forms::rewrite(&mut normaliser, index))
            .or_else(|| expr_forms::rewrite(&mut normaliser, index))
        {
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
        let location = place(index);
        self.out.push(TokenWithSpan::new(token, Span::new(location, location)));
    }

    pub(crate) fn emit_keyword(&mut self, index: usize, keyword: &str) {
        self.emit(index, word(keyword));
    }

    pub(crate) fn emit_name(&mut self, index: usize, name: &str) {
        self.emit(index, quoted(name));
    }

    pub(crate) fn role(&mut self, index: usize, role: Role) {
        self.facts.roles.push((index, role));
    }

    pub(crate) fn inside(&self) -> Option<Open> {
        self.opened.last().map(|(open, _)| *open)
    }

    /// The token before the parenthesis that we are in.
    pub(crate) fn head(&self) -> Option<usize> {
        let (open, at) = self.opened.last()?;
        let head = at.checked_sub(1).filter(|head| self.source.range.contains(head))?;
        (*open != Open::Bracket).then_some(head)
    }

    fn copy(&mut self, index: usize) {
        let Some(token) = self.source.token(index) else { return };
        let text = token.text(self.source.text);
        let parsed = match token.kind {
            TokenKind::Identifier => match self.source.known(index) {
                Some(keyword) => parsed(keyword),
                None => quoted(self.source.name(index).unwrap_or_default()),
            },
            TokenKind::QuotedIdentifier => quoted(self.source.name(index).unwrap_or_default()),
            TokenKind::String
            | TokenKind::EscapeString
            | TokenKind::DollarString
            | TokenKind::UnicodeString => Parsed::SingleQuotedString("x".to_owned()),
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
                    || index
                        .checked_sub(2)
                        .is_some_and(|first| self.source.keywords(first, &["rows", "from"]));
                let open = if self.source.starts_query(first) {
                    Open::Query
                } else if called {
                    Open::Call
                } else {
                    Open::Group
                };
                self.opened.push((open, index));
            }
            "[" => self.opened.push((Open::Bracket, index)),
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
        TokenKind::Identifier => match source.known(index).map(|keyword| keyword.category) {
            None | Some(Category::TypeFunction | Category::Unreserved) => true,
            // COALESCE, SUBSTRING, ROW, …
            Some(Category::Column) => !source.one_of(index, &["values", "exists"]),
            Some(Category::Reserved) => false,
        },
        _ => false,
    }
}

/// A keyword, in any case; of PostgreSQL's or, which takes longer, of the parser's alone.
pub(crate) fn word(keyword: &str) -> Parsed {
    keywords::find(keyword).map_or_else(|| Parsed::make_word(keyword, None), parsed)
}

fn parsed(keyword: &Keyword) -> Parsed {
    Parsed::Word(Word { value: keyword.text.to_owned(), quote_style: None, keyword: keyword.parsed })
}

pub(crate) fn quoted<'n>(name: impl Into<Cow<'n, str>>) -> Parsed {
    Parsed::Word(Word {
        value: name.into().into_owned(),
        quote_style: Some('"'),
        keyword: sqlparser::keywords::Keyword::NoKeyword,
    })
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
