//! A session: the place where wire, sql, grants, catalog and audit meet.
//!
//! [`serve`] listens; each connection becomes a session, one task between one client and one
//! upstream connection. What the client sends is framed, statements are analysed and sent on as the
//! analysis says; what the server sends is matched with what is in flight, guarded, and passed on
//! as raw runs of frames.
//!
//! A map: [`server`](crate::server) accepts and limits, `login` signs clients in as `sign_in` and the
//! `provider`s say, `ends` ends what has an end, `upstream_login` signs
//! in to the database, `warm` keeps connections to it ready, `session` is
//! the loop, `pump` its buffers, `mailbox` what it is told from outside, `ledger` what is in flight, `names` what names will stand for,
//! `client` and `replies` handle the messages of either side, `simple` and `extended` the two
//! protocols, `plan` what statements rest on, `prepared` re-checks, `assemble` makes the text that
//! is sent, `ahead` what goes before it, `refuse` makes statements fail, `guard` is the last layer, `cutoff` ends what a grant no
//! longer covers, `state` asks what names mean, `database` keeps catalogues, `console` is the schema
//! `pgwarrant`, `withhold` says which of the server's words may quote a value, `probing` counts
//! values that are tried, `handle` is what the rest of the program may ask, `notify` says whose payloads pass, `audit_trail` makes the records, `intents`
//! sees to it that raw rows come after theirs.
//!
//! Invariants:
//! - What a statement may show is decided before it is sent; the wire guard only finds mistakes.
//! - A refusal is a statement that fails in the server, so transaction and pipeline stay in step.
//! - Every reply is matched with what it answers; one that fits nothing ends the session.
//! - Raw protected data pass only when their audit record is durable, and not after one of their
//!   grants has ended, not even from our own buffers.
//! - Everything is bounded: buffers, names, notices, records that wait. A panic ends one session.
//!
//! Absent on purpose: SQL (that is `pgwarrant-sql`'s), the form of messages (`pgwarrant-wire`'s),
//! who may have which grant (`pgwarrant-grants`'s), configuration files.

mod ahead;
mod assemble;
mod audit_trail;
mod cache;
mod client;
mod console;
mod counting;
mod cutoff;
mod database;
mod decisions;
mod diagnostics;
mod ends;
mod error;
mod extended;
mod guard;
mod handle;
mod identity;
mod inspect;
mod intents;
mod ledger;
mod line;
mod login;
mod mailbox;
mod names;
mod notices;
mod notify;
mod plan;
mod pool;
mod prepared;
pub mod probing;
mod provider;
mod pump;
mod refuse;
mod registry;
mod replies;
mod server;
mod session;
pub mod settings;
mod sign_in;
mod simple;
mod startup;
mod state;
mod upstream_login;
mod warm;
mod withhold;
mod work;

pub use error::Error;
pub use handle::{Handle, SessionInfo};
pub use inspect::inspect;
pub use provider::Provider;
pub use server::{Listening, serve};
pub use settings::Settings;
pub use sign_in::{Admitted, SignInService};
