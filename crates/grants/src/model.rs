//! Grants as people see them and as they are stored. What was added since the first layout has a
//! default, so that older records stay readable.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::{same_name, time};
use crate::{Context, Scope, Urgency};

pub use pgwarrant_sql::GrantId;

/// The number of a request, as people see it. Requests and grants are numbered apart.
pub type RequestId = u64;

/// Milliseconds since 1970-01-01 00:00:00 UTC, by the clock of [`crate::clock`].
pub type WallMs = i64;

/// An authenticated user, with the groups that the configuration puts them in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Principal {
    pub user: String,
    /// Whose account it is, where one human being has several; empty: the user's name.
    #[serde(default)]
    pub person: String,
    pub groups: Vec<String>,
}

impl Principal {
    /// A person with one account.
    pub fn new(user: impl Into<String>, groups: Vec<String>) -> Self {
        Self { user: user.into(), person: String::new(), groups }
    }

    pub fn of_person(self, person: impl Into<String>) -> Self {
        Self { person: person.into(), ..self }
    }

    pub fn person(&self) -> &str {
        person_of(&self.person, &self.user)
    }

    /// Could these be accounts of one human being? For prohibitions only: with doubt, yes.
    pub(crate) fn may_be(&self, user: &str, person: &str) -> bool {
        let theirs = [user, person_of(person, user)];
        [self.user.as_str(), self.person()].iter().any(|own| theirs.iter().any(|name| same_name(own, name)))
    }

    pub(crate) fn in_one_of(&self, groups: &[String]) -> bool {
        self.groups.iter().any(|group| groups.contains(group))
    }
}

/// Records from before there were persons have none.
pub(crate) fn person_of<'a>(person: &'a str, user: &'a str) -> &'a str {
    if person.is_empty() { user } else { person }
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

/// Who agreed, from where and with which factor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub by: String,
    /// As in [`Principal`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub person: String,
    pub at: WallMs,
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Context>,
    /// Indices of the request's panels that it can count in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub panels: Vec<u8>,
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
    /// Whoever held it is no longer known, or no longer a member.
    Removed,
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
            EndReason::Removed => "removed",
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
    /// Approved; begins at [`Grant::from`].
    Scheduled,
    Live,
    Ended(End),
}

/// What somebody else must say about a break-glass grant, live or ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Groups. None: those that may approve.
    pub reviewers: Vec<String>,
    /// None: the review is open.
    pub verdict: Option<Verdict>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub by: String,
    /// As in [`Principal`].
    pub person: String,
    pub at: WallMs,
    pub justified: bool,
    pub comment: String,
    pub from: Context,
}

/// A grant at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub id: GrantId,
    pub request: RequestId,
    pub who: Who,
    pub asked_by: String,
    /// Whose account `asked_by` is, as in [`Principal`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub person: String,
    /// The name clients know the database by.
    pub database: String,
    pub scope: Scope,
    pub from: WallMs,
    /// The first moment at which it is no longer live.
    pub until: WallMs,
    /// No extension goes past it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<WallMs>,
    pub limits: Limits,
    pub spent: Spent,
    pub reason: String,
    pub ticket: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    #[serde(default)]
    pub urgency: Urgency,
    /// None: it was given by rule, or by break-glass. Those of extensions follow.
    pub approvals: Vec<Approval>,
    /// Ids of the policies by which it was given or asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
    pub state: GrantState,
}

impl Grant {
    pub fn uses_left(&self) -> Option<u64> {
        self.limits.uses.map(|limit| limit.saturating_sub(self.spent.uses))
    }
    pub fn rows_left(&self) -> Option<u64> {
        self.limits.rows.map(|limit| limit.saturating_sub(self.spent.rows))
    }

    /// The holder's, or a group's that `by` asked for.
    pub(crate) fn is_of(&self, by: &Principal) -> bool {
        match &self.who {
            Who::User(user) => *user == by.user,
            Who::Group(group) => self.asked_by == by.user && by.groups.contains(group),
        }
    }

    /// A break-glass grant that nobody has reviewed yet.
    pub fn is_unreviewed(&self) -> bool {
        self.review.as_ref().is_some_and(|review| review.verdict.is_none())
    }

    /// The column `state` of `pgwarrant.grants`: `scheduled`, `live`, `expired`, `revoked`, …
    pub fn state_text(&self) -> &'static str {
        match &self.state {
            GrantState::Scheduled => "scheduled",
            GrantState::Live => "live",
            GrantState::Ended(end) => end.why.text(),
        }
    }

    /// The column `message` of a console call's outcome.
    pub fn summary(&self) -> String {
        let (columns, until) = (self.scope.columns_text(), time(self.until));
        match &self.state {
            GrantState::Scheduled => {
                format!(
                    "grant {} gives {} {columns} from {} until {until}",
                    self.id,
                    self.who,
                    time(self.from)
                )
            }
            GrantState::Live if self.is_unreviewed() => {
                format!("grant {} gives {} {columns} until {until}, and will be reviewed", self.id, self.who)
            }
            GrantState::Live => format!("grant {} gives {} {columns} until {until}", self.id, self.who),
            GrantState::Ended(end) => format!("grant {} has ended: {end}", self.id),
        }
    }
}
