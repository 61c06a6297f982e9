//! The HTTP API: the verbs of the console for browsers and programs (axum on hyper, HTTP/1.1).
//!
//! A map: [`server`] listens, `gate` is what every call passes (is it for us, too many, by whom, from
//! our own page, made before; and its record), `identify` tells who calls, `routes` lists the calls,
//! `calls` does them, through the same [`Live`](pgwarrant_grants::Live) as the console; `shapes` is
//! what they answer, [`problem`] what goes wrong, `describe` the OpenAPI description, made from the
//! handlers' own types. What only the proxy knows comes through the traits in [`ports`].
//!
//! Invariants:
//! - Nobody sees or does more than they could from psql: what may be seen and done says
//!   `pgwarrant-grants`, and what is of a database is there for those alone who may connect to it.
//! - A handler that needs somebody takes a `By`, and none can be made without a good credential.
//! - What changes something, what is refused, who signs in and who looks at the trail is recorded,
//!   with where it came from; bodies, queries, passwords and tokens are in no record and no log.
//! - A message of another system is believed by its signature, and acted on once.
//! - Of a secret only its digest is kept. A token of ours ends by itself, and can make no other.
//! - Every error is a problem (RFC 9457), but those of hyper's, whose requests are no HTTP.
//! - Everything is bounded: connections, heads, bodies, rates, streams, tokens, answers that are kept.
//!
//! Absent on purpose: CORS (pages of others have no business here), HTTP/2 (nothing here needs it,
//! and its streams have limits of their own to get wrong), `X-Forwarded-For` (which anybody can
//! send), who may do what, passwords.

mod answer;
mod api;
mod browsers;
mod caller;
mod calls;
mod describe;
mod following;
mod gate;
mod headers;
mod identify;
mod input;
mod origin;
mod page;
pub mod ports;
pub mod problem;
mod rate;
mod record;
pub mod repeats;
mod routes;
mod secret;
pub mod server;
pub mod settings;
mod shapes;
pub mod shown;
mod signed;
mod stall;
mod streams;
mod tls;
pub mod tokens;
mod web;

pub use api::Parts;
pub use routes::description;
pub use server::Listening;
pub use settings::Settings;
