//! One statement's tokens, with the questions that hand-written parsers ask of them.

use std::borrow::Cow;
use std::ops::Range;

use super::keywords::{Category, Keyword};
use crate::{Token, TokenKind};

/// A run of a message's tokens. Indexes are into the message's list; outside of the run there is
/// nothing.
#[derive(Clone, Debug)]
pub(crate) struct Source<'a> {
    pub text: &'a str,
    pub tokens: &'a [Token],
    /// The keyword that each of `tokens` is.
    pub keywords: &'a [Option<&'static Keyword>],
    pub range: Range<usize>,
}

impl<'a> Source<'a> {
    pub(crate) fn part(&self, range: Range<usize>) -> Self {
        Self { text: self.text, tokens: self.tokens, keywords: self.keywords, range }
    }

    #[inline]
    pub(crate) fn token(&self, index: usize) -> Option<&'a Token> {
        if self.range.contains(&index) { self.tokens.get(index) } else { None }
    }

    pub(crate) fn is_end(&self, index: usize) -> bool {
        index >= self.range.end
    }

    /// The keyword that stands there without quotes.
    #[inline]
    pub(crate) fn known(&self, index: usize) -> Option<&'static Keyword> {
        if self.range.contains(&index) { self.keywords.get(index).copied().flatten() } else { None }
    }

    /// The value of an identifier, keywords included.
    pub(crate) fn name(&self, index: usize) -> Option<Cow<'a, str>> {
        match self.known(index) {
            // Without a copy of one in capitals, which most of them are.
            Some(keyword) => Some(Cow::Borrowed(keyword.text)),
            None => self.token(index)?.identifier(self.text),
        }
    }

    /// The keyword, folded, that stands there without quotes.
    pub(crate) fn any_keyword(&self, index: usize) -> Option<&'static str> {
        self.known(index).map(|keyword| keyword.text)
    }

    /// The value of an identifier that may be a name: not a reserved word without quotes.
    pub(crate) fn plain_name(&self, index: usize) -> Option<Cow<'a, str>> {
        match self.known(index) {
            Some(keyword) if keyword.category == Category::Reserved => None,
            _ => self.name(index),
        }
    }

    #[inline]
    pub(crate) fn keyword(&self, index: usize, keyword: &str) -> bool {
        self.token(index).is_some_and(|token| token.is_keyword(self.text, keyword))
    }

    /// These keywords, one after the other.
    pub(crate) fn keywords(&self, index: usize, keywords: &[&str]) -> bool {
        keywords.iter().enumerate().all(|(offset, keyword)| self.keyword(index + offset, keyword))
    }

    #[inline]
    pub(crate) fn one_of(&self, index: usize, keywords: &[&str]) -> bool {
        self.token(index).is_some_and(|token| {
            token.kind == TokenKind::Identifier
                && keywords.iter().any(|keyword| token.is_keyword(self.text, keyword))
        })
    }

    #[inline]
    pub(crate) fn punct(&self, index: usize, punctuation: &str) -> bool {
        self.token(index).is_some_and(|token| token.is_punct(self.text, punctuation))
    }

    pub(crate) fn operator(&self, index: usize, operator: &str) -> bool {
        self.token(index).is_some_and(|token| token.is_operator(self.text, operator))
    }

    pub(crate) fn is_operator(&self, index: usize) -> bool {
        self.token(index).is_some_and(|token| token.kind == TokenKind::Operator)
    }

    /// The value of a character string constant.
    pub(crate) fn string(&self, index: usize) -> Option<String> {
        let token = self.token(index)?;
        if token.kind.is_string() { token.string_value(self.text) } else { None }
    }

    pub(crate) fn raw(&self, index: usize) -> &'a str {
        self.token(index).map_or("", |token| token.text(self.text))
    }

    /// The byte at which a token starts; the end of the text where there is none.
    pub(crate) fn byte(&self, index: usize) -> usize {
        self.tokens.get(index).map_or(self.text.len(), |token| token.start as usize)
    }

    /// The bytes from one token to the one before another.
    pub(crate) fn bytes(&self, range: Range<usize>) -> Range<usize> {
        let last = range.end.checked_sub(1).and_then(|last| self.tokens.get(last));
        match last {
            Some(last) if range.start < range.end => self.byte(range.start)..last.end as usize,
            _ => self.byte(range.start)..self.byte(range.start),
        }
    }

    /// The index of the bracket that closes the one at `open`.
    pub(crate) fn closing(&self, open: usize) -> Option<usize> {
        let mut depth = 0_usize;
        for index in open..self.range.end {
            match self.raw(index) {
                "(" | "[" => depth += 1,
                ")" | "]" => {
                    depth = depth.checked_sub(1)?;
                    if depth == 0 {
                        return Some(index);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Is the token directly inside the parentheses of EXTRACT, SUBSTRING, TRIM or OVERLAY, in which
    /// FROM stands before an expression? A query there would have parentheses of its own.
    pub(crate) fn in_call_grammar(&self, index: usize) -> bool {
        let mut depth = 0_usize;
        for before in (self.range.start..index).rev() {
            match self.raw(before) {
                ")" | "]" => depth += 1,
                "(" | "[" if depth > 0 => depth -= 1,
                "(" => {
                    let word = before.checked_sub(1);
                    let named = |word: usize| {
                        self.one_of(word, &["extract", "substring", "trim", "overlay"])
                            && !word.checked_sub(1).is_some_and(|point| self.punct(point, "."))
                    };
                    return word.is_some_and(named);
                }
                "[" => return false,
                _ => {}
            }
        }
        false
    }

    /// Is the token at `index` the first of a statement that can stand in parentheses?
    pub(crate) fn starts_query(&self, index: usize) -> bool {
        self.one_of(index, &["select", "with", "values", "table", "insert", "update", "delete", "merge"])
    }

    /// A name with points (`a.b.c`) that starts at `index`: the indexes of its parts, and the index
    /// after it.
    pub(crate) fn dotted(&self, index: usize) -> Option<(Vec<usize>, usize)> {
        self.plain_name(index)?;
        let mut parts = vec![index];
        let mut next = index + 1;
        // After a point any word is a name (`ColLabel`).
        while self.punct(next, ".") && self.name(next + 1).is_some() {
            parts.push(next + 1);
            next += 2;
        }
        Some((parts, next))
    }
}
