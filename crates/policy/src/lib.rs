//! Requests decided by [Cedar](https://docs.cedarpolicy.com) policies.
//!
//! [`Policies::load`] reads files of policies and finds every mistake in them; the result is an
//! [`Arbiter`](pgwarrant_grants::ruling::Arbiter). Policies are written against [`SCHEMA`]: a
//! `User` asks for an action on a `Column`, in a context that holds the rest of the request. Their
//! annotations say what follows. `@decision` names one of four stages, put one after the other:
//!
//! 1. `refuse`, what a `forbid` without `@decision` says: one that matches any action on any
//!    column of the request refuses it as a whole.
//! 2. `break_glass`, if the request's urgency says so: at once, to be reviewed.
//! 3. `approve`: at once.
//! 4. `ask`: other persons decide.
//!
//! The first stage that says yes decides. It does if a `permit` of its own matches *each* action on
//! *each* column, and no `forbid` of its own matches any. Where several policies match, the
//! strictest of each holds: all panels, the shortest window, the later escalation.
//!
//! Invariants:
//! - What is not permitted is refused, and so is what cannot be evaluated: an overflow in one
//!   policy refuses all requests that it is about.
//! - A policy that loads means what it says: every attribute, action, group, category, annotation
//!   and duration in it exists, and no access to an optional attribute is unguarded.
//! - A ruling depends on the facts and the policies alone: on no clock, and on no order of columns.
//! - It takes bounded work ([`MAX_ASKED`], [`MAX_TEXT`]), and no lock.
//! - Policies never grant more than was asked, and never know who decides: that nobody approves
//!   their own request is the business of `grants`, which no policy can change.
//!
//! Absent on purpose: I/O, clocks, tokio; templates, which would be policies that no file shows;
//! Cedar's partial evaluation; entities other than those of the request (no attribute of a group or
//! of another user can be looked at, so nothing has to be kept in step with a directory).

mod conjuncts;
mod decide;
mod explain;
mod load;
mod looks;
mod merge;
mod model;
mod names;
mod problem;
mod question;
mod refusal;
mod replay;
mod scope;
mod snippet;
mod terms;

pub use decide::Verdict;
pub use explain::{Explained, Said};
pub use load::{MAX_BYTES, MAX_POLICIES, MAX_POLICY_BYTES, Policies};
pub use model::SCHEMA;
pub use problem::Problem;
pub use question::{MAX_ASKED, MAX_TEXT};
pub use replay::{
    Change, MAX_LINE, MAX_REQUESTS, Row, asks, compare, outcome, read_requests, test, write_request,
};
pub use scope::Part;
pub use terms::Stage;
