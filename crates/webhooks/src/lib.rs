//! Webhooks: what happens to requests and grants, told to others over HTTP; and the signatures of
//! Standard Webhooks, which both directions use.
//!
//! A map: `follow` looks at what [`Live`](pgwarrant_grants::Live) has on record, `happened` tells which
//! steps of a life that amounts to, and what of it is new goes into the `queue`; `deliver` sends what
//! waits there, in the order that `lanes` finds, in one of the shapes of `format`. [`sign`] and
//! [`verify`] are for whoever needs them.
//!
//! **Every event is told at least once**, also after `kill -9` at any instruction. An announcement of
//! the live table is a hint to look, and nothing else. What is told follows from *records*: a request
//! that has a decision was decided. A step is told when its record is on disk and it is not in the list
//! of steps that were told; that list and the queue change in one batch of sled. So there is no moment
//! in which an event exists nowhere: before the batch a look at the records finds it again, after it
//! the queue has it. At start, and whenever announcements were missed, all records are looked at. A
//! batch that a crash loses costs nothing but telling the same steps again, under the same ids, which
//! are made of the record's number and the step.
//!
//! Invariants:
//! - Nothing is told that a crash would undo: the records are on disk before they are looked at.
//! - Of one request (its grant and what prolongs that included) one message at a time is on its way, so
//!   a receiver has them in order; a message that is refused holds up its own request alone.
//! - Bounded: webhooks, messages that wait and their age, calls at once, bytes of an answer, the time
//!   of a call. What is given up is logged, counted and recorded in the trail.
//! - A receiver says nothing that matters: of its answer, the status and `Retry-After` are looked at.
//! - No secret, no path of a URL, and no body is in a log, an error or a record.
//!
//! Absent on purpose: which people may see what (a webhook sees what an approver does), redirects,
//! exactly once (nobody can promise that; ids are for telling repetitions apart), configuration files.

mod deliver;
mod follow;
mod format;
mod happened;
mod lanes;
mod queue;
mod settings;
mod sign;
mod state;
mod webhooks;

pub use format::Shapes;
pub use happened::Kind;
pub use queue::QueueError;
pub use settings::{Format, MAX_WEBHOOKS, Webhook};
pub use sign::{MAX_SIGNATURES, Refused, Secret, SecretError, sign, verify};
pub use webhooks::{Open, Webhooks};
