//! What the calls do: each takes what it needs of its caller, acts through the crate that the
//! console acts through, and answers.

pub mod audit;
pub mod catalogue;
pub mod events;
pub mod grants;
pub mod inbound;
pub mod once;
pub mod requests;
pub mod service;
pub mod session;
pub mod sessions;
pub mod tokens;
pub mod trail_events;
pub mod whoami;
