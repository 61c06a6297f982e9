//! A message's text, taken apart.

use std::ops::Range;

use crate::lexer::{self, LexError, Token};
use crate::template::{self, Tag};
use crate::{Context, Limits, Statement, analyse};

/// What the statement cache asks of a message. Made once and filled again for each message, it
/// allocates only for one that is longer than all before it.
#[derive(Clone, Debug, Default)]
pub struct Message {
    tokens: Vec<Token>,
    statements: Vec<Range<usize>>,
    key: Vec<u8>,
}

impl Message {
    /// Takes `text` apart.
    ///
    /// # Errors
    /// As [`lexer::lex`]; then nothing of any message is in it.
    pub fn read(&mut self, text: &str, limits: &Limits) -> Result<(), LexError> {
        self.statements.clear();
        self.key.clear();
        if let Err(error) = lexer::lex_into(text, limits, &mut self.tokens) {
            self.tokens.clear();
            return Err(error);
        }
        lexer::split_into(text, &self.tokens, &mut self.statements);
        for range in &self.statements {
            self.key.push(Tag::Statement as u8);
            // A text's tokens are fewer than its bytes, which 32 bits count.
            self.key.extend_from_slice(&(range.start as u32).to_be_bytes());
            let tokens = self.tokens.get(range.clone()).unwrap_or_default();
            template::spelled_into(text, tokens, &mut self.key);
        }
        Ok(())
    }

    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// The tokens of each statement, as [`lexer::split`] tells them apart.
    pub fn statements(&self) -> &[Range<usize>] {
        &self.statements
    }

    /// The statement cache's key: where each statement stands among the tokens, and what is left of
    /// it without its constants. Two texts with one key have the same [`template::template`] and
    /// the same [`template::redact`]ed text, statement by statement.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// [`crate::analyse`] without lexing again. `text` is the one that was read.
    pub fn analyse(&self, text: &str, context: &Context<'_>) -> Vec<Statement> {
        analyse::statements(text, &self.tokens, &self.statements, context)
    }
}
