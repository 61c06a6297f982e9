//! Who may see what until when: requests, approvals, grants and the live table.
//!
//! A *request* asks for a [`Scope`] with a reason. An [`Arbiter`] rules on it: it is refused, given by
//! rule, given by break-glass and reviewed afterwards, or the members of some groups are asked.
//! Approved, it becomes a *grant*, at once or at a given time, which ends by itself and may be
//! extended before. [`Live`] holds the grants that are live now, looked up on every statement; the
//! durable copy is behind the small trait [`Store`].
//!
//! Invariants:
//! - What gives access is on disk before it takes effect. What takes access away takes effect
//!   first, and is reported when it is on disk: a slow disk never keeps a grant alive.
//! - Once `revoke` or `release` has returned, no `access` returns the grant and `is_live` denies it.
//! - A grant ends on time however the wall clock jumps: time is counted on a monotonic clock that
//!   was anchored to the wall clock when the table was opened ([`clock`]).
//! - Nobody approves, or reviews, what their *person* asked for or gains from, with whatever account;
//!   nor does a person count twice among approvers.
//! - What was decided, on which facts, by which policies and by whom from where, stays on record, and
//!   can be asked again ([`Live::replay`]).
//! - What depends on outside conditions becomes a grant when all of them have allowed it, asked after
//!   the last word of a person; without an answer it does not ([`Conditions`]).
//! - A limit in uses or rows is never exceeded, a crash included: spending is reserved on disk
//!   ahead of use ([`spend`]).
//! - Numbers of grants and requests are never used twice. Every text and every list is bounded.
//!
//! Absent on purpose: sessions, SQL, the network (who asks conditions calls
//! [`Live::answer_conditions`]); policies (an [`Arbiter`]; [`ByGroups`] is the one
//! where there are none); checking who somebody is; the audit trail, which follows
//! [`Live::subscribe`].

pub mod ask;
pub mod clock;
mod concerned;
mod conditions;
mod decide;
mod deciding;
mod duration;
mod error;
mod estimate;
mod event;
mod expiry;
mod explain;
mod facts;
mod filing;
mod giving;
mod groups;
mod interest;
mod live;
mod membership;
mod memory;
mod model;
mod nearest;
mod on_record;
mod panels;
mod profile;
mod recent;
mod replay;
mod request;
mod review;
pub mod ruling;
mod saving;
pub mod scope;
mod seen;
mod settings;
pub mod spend;
pub mod store;
mod table;
mod taking;
mod text;
mod waiting;

pub use ask::{Ask, AskMore};
pub use clock::{Clock, SystemClock, TestClock};
pub use conditions::{Answer, Conditions, Due, MAX_CONDITIONS, Said, Then};
pub use duration::{format_duration, parse_duration};
pub use error::{Error, Kind};
pub use estimate::Estimate;
pub use event::Event;
pub use explain::{Explanation, Word, parse_verdict};
pub use facts::Grounds;
pub use filing::Outcome;
pub use groups::ByGroups;
pub use live::{Live, Watch};
pub use model::{
    Approval, End, EndReason, Grant, GrantId, GrantState, Limits, Principal, RequestId, Review, Spent,
    Verdict, WallMs, Who,
};
pub use nearest::nearest;
pub use panels::MAX_APPROVERS;
pub use profile::{Profile, ProfileRows, Schedule};
pub use replay::Replay;
pub use request::{Decision, Request, RequestState};
pub use ruling::{
    Action, Arbiter, AskedColumn, Asker, Ceiling, Context, Escalation, Facts, LocalTime, Panel, Ruling,
    Sensitivity, SignIn, Source, Urgency, Why,
};
pub use scope::{ColumnPattern, RowScope, Scope};
pub use seen::{Seen, seen};
pub use settings::{Group, Settings};
pub use spend::Ended;
pub use store::{MemoryStore, SledStore, Store, StoreError};
pub use table::LiveGrant;
pub use taking::Removed;
