//! Requests and grants as people see them and as they are stored.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Scope;
use crate::duration::format_duration;
use crate::text::time;

pub use pgwarrant_sql::GrantId;

/// The number of a request, as people see it. Requests and grants are numbered apart.
pub type RequestId = u64;

/// Milliseconds since 1970-01-01 00:00:00 UTC, by the clock of [`crate::clock`].
pub type WallMs = i64;

/// An authenticated user, with the groups that the configuration puts them in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Principal {
    pub user: String,
    pub groups: Vec<String>,
}

/// Who holds a grant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    User(String),
    /// Every member, for as long as they are one.
    Group(String),
}

impl Who {
    pub fn includes(&self, principal: &Principal) -> bool {
        match self {
            Who::User(user) => *user == principal.user,
            Who::Group(group) => principal.groups.contains(group),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::User(user) => f.write_str(user),
            Who::Group(group) => write!(f, "group {group}"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub by: String,
    pub at: WallMs,
    pub reason: Option<String>,
}

/// How much a grant may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Statements that see raw values under it.
    pub uses: Option<u64>,
    /// Rows that those statements return.
    pub rows: Option<u64>,
}

/// How much it was used; counted only where there is a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    pub uses: u64,
    pub rows: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    Expired,
    Revoked,
    Released,
    UsedUp,
    /// The store failed at the moment that mattered, so it is as if it had never been given.
    NotRecorded,
}

impl EndReason {
    pub fn text(self) -> &'static str {
        match self {
            EndReason::Expired => "expired",
            EndReason::Revoked => "revoked",
            EndReason::Released => "released",
            EndReason::UsedUp => "used up",
            EndReason::NotRecorded => "not recorded",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    pub why: EndReason,
    pub at: WallMs,
    /// Who revoked or released it.
    pub by: Option<String>,
    pub reason: Option<String>,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why.text())?;
        if let Some(by) = &self.by {
            write!(f, " by {by}")?;
        }
        write!(f, " at {}", time(self.at))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GrantState {
    Live,
    Ended(End),
}

/// A grant at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub id: GrantId,
    pub request: RequestId,
    pub who: Who,
    pub asked_by: String,
    /// The name clients know the database by.
    pub database: String,
    pub scope: Scope,
    pub from: WallMs,
    /// The first moment at which it is no longer live.
    pub until: WallMs,
    pub limits: Limits,
    pub spent: Spent,
    pub reason: String,
    pub ticket: Option<String>,
    pub approvals: Vec<Approval>,
    pub state: GrantState,
}

impl Grant {
    pub fn uses_left(&self) -> Option<u64> {
        self.limits.uses.map(|limit| limit.saturating_sub(self.spent.uses))
    }
    pub fn rows_left(&self) -> Option<u64> {
        self.limits.rows.map(|limit| limit.saturating_sub(self.spent.rows))
    }

    /// The column `state` of `pgwarrant.grants`: `live`, `expired`, `revoked`, …
    pub fn state_text(&self) -> &'static str {
        match &self.state {
            GrantState::Live => "live",
            GrantState::Ended(end) => end.why.text(),
        }
    }

    /// The column `message` of a console call's outcome.
    pub fn summary(&self) -> String {
        match &self.state {
            GrantState::Live => format!(
                "grant {} gives {} {} until {}",
                self.id,
                self.who,
                self.scope.columns_text(),
                time(self.until)
            ),
            GrantState::Ended(end) => format!("grant {} has ended: {end}", self.id),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestState {
    Pending,
    Approved,
    Denied,
    /// Taken back by who asked.
    Withdrawn,
    /// Nobody decided in time.
    Lapsed,
}

impl RequestState {
    pub fn text(self) -> &'static str {
        match self {
            RequestState::Pending => "pending",
            RequestState::Approved => "approved",
            RequestState::Denied => "denied",
            RequestState::Withdrawn => "withdrawn",
            RequestState::Lapsed => "lapsed",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// None: it lapsed.
    pub by: Option<String>,
    pub at: WallMs,
    pub reason: Option<String>,
}

/// A request at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub id: RequestId,
    pub by: String,
    /// Who will hold the grant: `by`, or a group that `by` is a member of.
    pub who: Who,
    pub database: String,
    pub scope: Scope,
    /// Counted from the approval.
    pub duration: Duration,
    pub limits: Limits,
    pub reason: String,
    pub ticket: Option<String>,
    pub requested_at: WallMs,
    pub lapses_at: WallMs,
    pub state: RequestState,
    pub decision: Option<Decision>,
    pub grant: Option<GrantId>,
}

impl Request {
    /// The column `message` of a console call's outcome.
    pub fn summary(&self) -> String {
        let by = self.decision.as_ref().and_then(|decision| decision.by.as_deref()).unwrap_or("nobody");
        match (self.state, self.grant) {
            (RequestState::Pending, _) => format!(
                "request {} for {} ({}) waits for approval until {}",
                self.id,
                self.scope.columns_text(),
                format_duration(self.duration),
                time(self.lapses_at)
            ),
            (RequestState::Approved, Some(grant)) => {
                format!("request {} was approved by {by}: grant {grant}", self.id)
            }
            (RequestState::Lapsed, _) => format!("request {} lapsed: nobody decided in time", self.id),
            (state, _) => format!("request {} was {} by {by}", self.id, state.text()),
        }
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    Requested {
        request: Arc<Request>,
    },
    /// Approved, denied, withdrawn or lapsed.
    Decided {
        request: Arc<Request>,
    },
    Started {
        grant: Arc<Grant>,
    },
    /// It gives nothing to further statements.
    Ended {
        grant: Arc<Grant>,
        why: EndReason,
    },
    /// Not one more row may pass under it. Follows `Ended` at once, except for a grant whose last
    /// use was taken: the statement that took it may go on until the window closes.
    CutOff {
        grant: Arc<Grant>,
    },
}
