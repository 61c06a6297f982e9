//! Replacing runs of tokens in a statement's text, and finding the way back.

use std::ops::Range;

use crate::statement::ConsoleCall;

/// A part of a replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text of ours.
    Text(String),
    /// The statement's own tokens, as written (literals and all, so that a splice does not depend
    /// on them and can be reused for every statement of the same template).
    Tokens(Range<usize>),
    /// A relation or function of the schema `pgwarrant`, to be filled with live state.
    Console(ConsoleCall),
}

/// Replaces tokens (indexes into the statement's token list; an empty range inserts).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splice {
    pub tokens: Range<usize>,
    pub with: Vec<Piece>,
}

/// Maps positions in the text that was sent to positions in the text that the user wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PositionMap {
    /// (first character of a run in the sent text, the same in the user's, length); characters,
    /// counted from 0. What lies between runs is ours and maps to the start of what it replaced.
    pub runs: Vec<(usize, usize, usize)>,
}
