//! The parser, on our tokens.

use sqlparser::ast::{Ident, Statement};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use super::dialect::Postgres;

/// Why there is no tree.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotParsed {
    /// What the parser expected, for DETAIL.
    pub expected: String,
    /// The token that it stopped at; None: the end.
    pub token: Option<usize>,
}

/// Parses the tokens of one query or DML statement, all of them.
pub(crate) fn parse(tokens: Vec<TokenWithSpan>, nesting: usize) -> Result<Statement, NotParsed> {
    // The parser counts several steps for each level that a person would count.
    let parser = |tokens| {
        Parser::new(&Postgres).with_recursion_limit(nesting * 8 + 64).with_tokens_with_locations(tokens)
    };
    let mut first = parser(tokens);
    let Ok(statement) = first.parse_statement() else {
        // Once more, for an error with its place in it.
        let mut tokens = first.into_tokens();
        for token in &mut tokens {
            token.span.start.line = token.span.start.column;
        }
        let error = parser(tokens).parse_statement().err();
        return Err(not_parsed(error.unwrap_or(ParserError::RecursionLimitExceeded)));
    };
    let next = first.peek_token_ref();
    match next.token {
        Token::EOF => Ok(statement),
        _ => Err(NotParsed {
            expected: "Expected the end of the statement.".to_owned(),
            token: token_at(next.span.start),
        }),
    }
}

/// Where the parser is told that a token of ours is. It tries most things several ways, and writes
/// the place into an error each time that a try fails, except on line 0.
pub(crate) fn place(token: usize) -> Location {
    Location { line: 0, column: token as u64 + 1 }
}

/// Which of our tokens is there; None for what the parser made up.
pub(crate) fn token_at(place: Location) -> Option<usize> {
    usize::try_from(place.column).ok()?.checked_sub(1)
}

fn not_parsed(error: ParserError) -> NotParsed {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
        ParserError::RecursionLimitExceeded => {
            return NotParsed { expected: "It is nested too deeply.".to_owned(), token: None };
        }
    };
    // "Expected: an expression, found: FROM at Line: 3, Column: 3": tokens, here.
    let (said, place) = text.rsplit_once(" at Line: ").unwrap_or((&text, ""));
    let line: Option<usize> = place.split(',').next().and_then(|line| line.trim().parse().ok());
    let expected = said.split(", found:").next().unwrap_or(said).replace("Expected: ", "Expected ");
    NotParsed {
        expected: format!("{}.", expected.trim_end_matches('.')),
        token: line.and_then(|line| line.checked_sub(1)),
    }
}

/// Which of our tokens an identifier in the tree is; None for one that the parser made up.
pub(crate) fn token_of(ident: &Ident) -> Option<usize> {
    token_at(ident.span.start)
}

/// Which of our tokens a token in the tree is.
pub(crate) fn index_of(token: &TokenWithSpan) -> Option<usize> {
    token_at(token.span.start)
}
