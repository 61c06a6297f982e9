//! PostgreSQL's lexical structure, exact to `src/backend/parser/scan.l` (and the UESCAPE lookahead
//! of `parser.c`) of versions 15 to 18 with `standard_conforming_strings` on.
//!
//! Where those versions differ, the later one's reading is taken, because the earlier ones refuse
//! the same text outright, and a message is parsed as a whole before any of it runs:
//! - `0x1F`, `0o17`, `0b1` and `1_000` are numbers since 16; 15 says "trailing junk after numeric
//!   literal". (14 and older, which read `0` and an alias `x1F`, are not supported.)
//! - Vertical tab is white space in the later ones; before, it fits no rule of the grammar.
//! - A parameter number past 2^31 is an error in 18 and wraps around in 15: refused.
//!
//! Identifiers fold as in a database with a multi-byte encoding, that is, ASCII letters only.
//! What PostgreSQL's lexer refuses is a [`LexError`], and so is a character that no rule of its
//! grammar takes; so every string constant in the tokens has a value.

mod literal;
mod scan;
mod split;

use std::borrow::Cow;

pub use scan::{lex, lex_into};
pub use split::{split, split_into};

/// PostgreSQL's NAMEDATALEN less its terminating zero: names are cut to this many bytes.
pub const NAME_BYTES: usize = 63;

/// What a token is to PostgreSQL's grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// A name or keyword without quotes.
    Identifier,
    /// `"…"`, or `U&"…"` with its UESCAPE clause.
    QuotedIdentifier,
    /// `'…'`; like all string constants with its continuations on later lines.
    String,
    /// `E'…'`
    EscapeString,
    /// `$$…$$`, `$tag$…$tag$`
    DollarString,
    /// `U&'…'` with its UESCAPE clause.
    UnicodeString,
    /// `B'…'`
    BitString,
    /// `X'…'`
    HexString,
    /// `N'…'`: the type `nchar` and a plain string, to PostgreSQL.
    NationalString,
    /// Digits only, or `0x…`, `0o…`, `0b…`; of any size.
    Integer,
    /// A number with a point or an exponent.
    Float,
    /// `$1`
    Parameter,
    /// One or more of `~ ! @ # ^ & | ? + - * / % < > =` and the back quote, `=>` excepted.
    Operator,
    /// `, ; ( ) [ ] . : :: := => ..`
    Punctuation,
}

impl TokenKind {
    /// A constant of any type.
    pub fn is_literal(self) -> bool {
        self.is_string()
            || matches!(
                self,
                Self::BitString | Self::HexString | Self::NationalString | Self::Integer | Self::Float
            )
    }

    /// A constant that is a plain character string to the grammar (its `Sconst`).
    pub fn is_string(self) -> bool {
        matches!(self, Self::String | Self::EscapeString | Self::DollarString | Self::UnicodeString)
    }
}

/// One token of a text; bytes. Comments and white space are not tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    pub kind: TokenKind,
    pub start: u32,
    pub end: u32,
}

impl Token {
    /// The token as written. `text` is the text it was lexed from, here and below.
    #[inline]
    pub fn text<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// The name that an identifier stands for: folded or unescaped, cut to [`NAME_BYTES`].
    /// None for other kinds. Keywords are identifiers too.
    pub fn identifier<'t>(&self, text: &'t str) -> Option<Cow<'t, str>> {
        let raw = self.text(text);
        match self.kind {
            TokenKind::Identifier => Some(literal::fold(raw)),
            TokenKind::QuotedIdentifier => literal::quoted_identifier(raw),
            _ => None,
        }
    }

    /// The value of a character string constant, `N'…'` included. None for other kinds.
    pub fn string_value(&self, text: &str) -> Option<String> {
        literal::string_value(self.kind, self.text(text)).ok()
    }

    /// Is it this keyword (given in lower case), without quotes?
    #[inline]
    pub fn is_keyword(&self, text: &str, keyword: &str) -> bool {
        self.kind == TokenKind::Identifier
            && self.length() == keyword.len()
            && self.text(text).eq_ignore_ascii_case(keyword)
    }

    #[inline]
    pub fn is_punct(&self, text: &str, punctuation: &str) -> bool {
        self.kind == TokenKind::Punctuation
            && self.length() == punctuation.len()
            && self.text(text) == punctuation
    }

    #[inline]
    pub fn is_operator(&self, text: &str, operator: &str) -> bool {
        self.kind == TokenKind::Operator && self.text(text) == operator
    }

    /// Bytes.
    fn length(&self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }
}

/// Which SQLSTATE a [`LexError`] calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexErrorKind {
    /// 42601 `syntax_error`
    Syntax,
    /// 54000 `program_limit_exceeded`
    TooLarge,
}

/// Why a text has no tokens.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LexError {
    pub kind: LexErrorKind,
    pub message: String,
    /// The byte that the error is about, counted from 0.
    pub position: usize,
}
