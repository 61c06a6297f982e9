//! Outside conditions: policies name them (`@condition("ticket")`), and other systems are asked over
//! HTTP whether a request may become a grant. "Is ticket DSR-17 open, and assigned to this person?"
//!
//! [`Checks::run`] asks whatever [`Live`](pgwarrant_grants::Live) says is due, and hands the answers
//! back; what becomes of a request is decided there. A question is a signed message (Standard
//! Webhooks), and so is the answer where the configuration says so.
//!
//! Invariants:
//! - No answer is an answer that allows: a time-out, another status than 200, a redirect, a body that
//!   is too long, no JSON, without `allow` or with more than is known, a signature that is wrong, late,
//!   or of another question.
//! - A slow or dead system holds up nothing but the requests that depend on it.
//! - Every call is bounded in time and bytes, and so is how many there are at once (requests that
//!   wait are bounded with all pending ones). One attempt each: who asks again makes another request.
//! - What is told to people of a failed call is in our words; its cause is in the log.
//!
//! Absent on purpose: what a condition means, retries, caching of answers (a ticket may be closed a
//! second later).

mod ask;
mod message;
mod worker;

pub use ask::{Condition, Settings};
pub use worker::Checks;
