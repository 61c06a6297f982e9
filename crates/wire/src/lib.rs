//! PostgreSQL's wire protocol for a proxy: framing, messages, start-up, TLS and SASL on both sides,
//! cancelling.
//!
//! A connection of a client goes through [`listen`] → [`accept`] (TLS, start-up packet) → [`auth`];
//! the connection to the database is made by [`upstream`]. From then on the two [`stream::Stream`]s
//! are the caller's: it finds frames in its buffers with [`frame`], reads the ones that it has to
//! understand with [`frontend`] and [`backend`], and passes on all others as they are.
//!
//! Invariants:
//! - No bytes from the network make this crate panic, or allocate more than what they themselves
//!   take plus a constant.
//! - A message is parsed from exactly the bytes of its frame: a missing terminator, a trailing byte
//!   or invalid UTF-8 is an error. What a builder writes is one well-formed frame.
//! - During start-up exactly the bytes that were asked for are read, so what somebody injects in
//!   plaintext before a TLS handshake can only break it (the CVE-2021-23214 class).
//! - Only types that implement [`error::ClientError`] have a text for the other end. Errors of the
//!   operating system and of TLS have none.
//! - Passwords, verifiers and keys have no readable `Debug`.
//!
//! Deliberately absent: any knowledge of SQL, grants, sessions or what is in flight; GSSAPI, and
//! replication connections. No other crate names `pgwire`, of which this one uses the parts that
//! are sound (see `docs/architecture.md`).

pub mod accept;
pub mod auth;
pub mod backend;
pub mod cancel;
pub mod error;
pub mod frame;
pub mod frontend;
pub mod listen;
pub mod stream;
pub mod tls;
pub mod upstream;

mod certificate;
mod cursor;
mod scram;

#[cfg(test)]
mod testing;
