//! The verbs of the command line that talk to a running proxy: asking, deciding, looking, signing in,
//! and opening psql. Each is one call of the HTTP API, or a few.
//!
//! Invariants:
//! - A credential goes to the server that it was made for, and to no other; over https, or on this
//!   machine. It is in no argument of a program, in no message, and on disk in a file for its owner
//!   alone.
//! - What other people wrote steers no terminal: every text that is shown passes [`text::printable`].
//! - The exit status says what came of it ([`Status`]).
//! - A call that changes something is made once, also where the network lost its answer.
//!
//! Absent on purpose: rules of any kind (the proxy decides, and says why), kept connections, streams.

mod args;
mod asking;
mod call;
mod credentials;
mod failure;
mod oauth;
mod output;
mod signed_in;
mod table;
pub mod text;
mod verbs;

pub use args::{EXIT_STATUS, Verb};
pub use failure::{Failure, Status};
pub use verbs::run;
