//! Who may see what until when: requests, approvals, grants and the live table.
//!
//! A *request* asks for a [`Scope`] with a reason; approved, it becomes a *grant*, which ends by
//! itself. [`Live`] holds the grants that are live now, looked up on every statement; the durable
//! copy is behind the small trait [`Store`].
//!
//! Invariants:
//! - What gives access is on disk before it takes effect. What takes access away takes effect
//!   first, and is reported when it is on disk: a slow disk never keeps a grant alive.
//! - Once `revoke` or `release` has returned, no `access` returns the grant and `is_live` denies it.
//! - A grant ends on time however the wall clock jumps: time is counted on a monotonic clock that
//!   was anchored to the wall clock when the table was opened ([`clock`]).
//! - Nobody approves a request that they gain from.
//! - A limit in uses or rows is never exceeded, a crash included: spending is reserved on disk
//!   ahead of use ([`spend`]).
//! - Numbers of grants and requests are never used twice. Every text and every list is bounded.
//!
//! Absent on purpose: sessions, SQL, the network; the policy engine (who may ask and approve is a
//! matter of groups, [`Settings`]); the audit trail, which follows [`Live::subscribe`].

pub mod ask;
pub mod clock;
mod decide;
mod deciding;
mod duration;
mod error;
mod expiry;
mod live;
mod model;
mod nearest;
mod saving;
pub mod scope;
mod settings;
pub mod spend;
pub mod store;
mod table;
mod text;

pub use ask::Ask;
pub use clock::{Clock, SystemClock, TestClock};
pub use decide::Approved;
pub use duration::{format_duration, parse_duration};
pub use error::{Error, Kind};
pub use live::{Live, Watch};
pub use model::{
    Approval, Decision, End, EndReason, Event, Grant, GrantId, GrantState, Limits, Principal, Request,
    RequestId, RequestState, Spent, WallMs, Who,
};
pub use scope::{ColumnPattern, RowScope, Scope};
pub use settings::{Group, Settings};
pub use spend::Ended;
pub use store::{MemoryStore, SledStore, Store, StoreError};
pub use table::LiveGrant;
