//! From the text of a statement to what may be sent in its place.
//!
//! A pure function of (text, session state, catalogue, access): [`analyse`]. Three steps, none of
//! which trusts the next: the [`lexer`], exact to PostgreSQL's `scan.l`; the [`screen`], which
//! asks whether any token names something protected or risky; and the analysis, which has
//! `sqlparser` parse those same tokens, replaces every reference to a protected relation by a
//! privacy view, and accounts for every token that names one. The tree is never printed:
//! replacements are spliced into the original text at token positions.
//!
//! Invariants: no I/O, no clock, no tokio; no panic on any input; whatever is not understood and
//! could touch something protected is refused; a refusal says what to do. Absent on purpose:
//! grants as such (only [`Access`], what they amount to for one session), names of users.

pub mod access;
mod analyse;
pub mod console;
pub mod lexer;
pub mod lineage;
mod message;
pub mod predicate;
pub mod runtime;
pub mod screen;
pub mod splice;
pub mod statement;
pub mod template;
mod wait;

pub use access::{Access, Actions, GrantId, GrantScope, OtherRows, Rows};
pub use analyse::{Analysis, analyse};
pub use lexer::{LexError, LexErrorKind, Token, TokenKind, lex, split};
pub use lineage::lineage;
pub use message::Message;
pub use predicate::{Predicate, PredicateError};
pub use splice::{Piece, PositionMap, Splice};
pub use statement::{
    Class, ConsoleArgument, ConsoleCall, Context, Effect, Limits, Reason, Refusal, SessionState, Statement,
    Touched, Verdict,
};
pub use wait::{WAIT, wait};
