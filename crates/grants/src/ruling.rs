//! Who decides about a request: the question as [`Facts`], the answer as a [`Ruling`].
//!
//! The crate asks an [`Arbiter`] and acts on what it says; what it looks at is its own matter. Both
//! are kept with the decision, so that it can be understood, and asked again, later.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

pub use pgwarrant_catalog::Sensitivity;
use pgwarrant_sql::Actions;
use serde::{Deserialize, Serialize};

use crate::{GrantId, Principal, WallMs, Who};

/// Who decides about requests.
pub trait Arbiter: Send + Sync + 'static {
    /// Never blocks, never panics; what cannot be evaluated is refused.
    fn rule(&self, facts: &Facts) -> Ruling;

    /// May any request of theirs have another outcome than a refusal? For whoami and hints; when in
    /// doubt yes.
    fn may_ask(&self, _who: &Principal) -> bool {
        true
    }
}

/// How somebody showed who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignIn {
    #[default]
    Scram,
    Certificate,
    Oidc,
    Ldap,
    /// A token of our own, which its user made for a program.
    Token,
    /// A signed message of a system that acts for its users.
    Webhook,
}

impl SignIn {
    pub fn text(self) -> &'static str {
        match self {
            SignIn::Scram => "scram",
            SignIn::Certificate => "certificate",
            SignIn::Oidc => "oidc",
            SignIn::Ldap => "ldap",
            SignIn::Token => "token",
            SignIn::Webhook => "webhook",
        }
    }
}

/// Where a session comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Source {
    /// None: a Unix socket.
    pub address: Option<IpAddr>,
    pub tls: bool,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => write!(f, "{address}"),
            None => f.write_str("a local socket"),
        }
    }
}

/// What only the session knows about who asks or decides; kept with what they did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    pub source: Source,
    pub sign_in: SignIn,
    /// Since a second factor was last shown in this session. None: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_factor_age: Option<Duration>,
    /// Of what is asked for, by the database's own estimate. None: unknown, or nothing is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_rows: Option<u64>,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    pub user: String,
    /// Accounts of one human being have the same.
    pub person: String,
    pub groups: Vec<String>,
    pub sign_in: SignIn,
}

/// One of the things that may be done with a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Select,
    Insert,
    Update,
    Delete,
    Export,
}

impl Action {
    pub const ALL: [Action; 5] =
        [Action::Select, Action::Insert, Action::Update, Action::Delete, Action::Export];

    pub fn text(self) -> &'static str {
        match self {
            Action::Select => "select",
            Action::Insert => "insert",
            Action::Update => "update",
            Action::Delete => "delete",
            Action::Export => "export",
        }
    }

    /// In the order of [`Action::ALL`].
    pub fn of(actions: Actions) -> Vec<Action> {
        let Actions { select, insert, update, delete, export } = actions;
        let asked = [select, insert, update, delete, export];
        Self::ALL.into_iter().zip(asked).filter_map(|(action, asked)| asked.then_some(action)).collect()
    }
}

/// A protected column that a request would uncover. Written as
/// `["public.customers", "email", "contact", "medium"]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "(String, String, String, Sensitivity)", into = "(String, String, String, Sensitivity)")]
pub struct AskedColumn {
    /// `public.customers`; never quoted.
    pub relation: String,
    pub column: String,
    pub category: String,
    pub sensitivity: Sensitivity,
}

impl From<(String, String, String, Sensitivity)> for AskedColumn {
    fn from((relation, column, category, sensitivity): (String, String, String, Sensitivity)) -> Self {
        Self { relation, column, category, sensitivity }
    }
}
impl From<AskedColumn> for (String, String, String, Sensitivity) {
    fn from(asked: AskedColumn) -> Self {
        (asked.relation, asked.column, asked.category, asked.sensitivity)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Urgency {
    #[default]
    Normal,
    Urgent,
    BreakGlass,
}

impl Urgency {
    pub fn text(self) -> &'static str {
        match self {
            Urgency::Normal => "normal",
            Urgency::Urgent => "urgent",
            Urgency::BreakGlass => "break-glass",
        }
    }
}

/// What clocks on the wall show, in the configured time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LocalTime {
    /// 0..1440
    pub minute_of_day: u16,
    /// 1 (Monday) to 7 (ISO 8601).
    pub weekday: u8,
}

impl LocalTime {
    /// Monday, 00:00 for a time that no calendar has.
    pub fn at(at: WallMs, zone: &jiff::tz::TimeZone) -> Self {
        let Ok(timestamp) = jiff::Timestamp::from_millisecond(at) else {
            return Self { minute_of_day: 0, weekday: 1 };
        };
        let local = zone.to_datetime(timestamp);
        let minute = i16::from(local.hour()) * 60 + i16::from(local.minute());
        Self {
            minute_of_day: u16::try_from(minute).unwrap_or(0),
            weekday: u8::try_from(local.date().weekday().to_monday_one_offset()).unwrap_or(1),
        }
    }
}

/// Everything that an arbiter may look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    pub by: Asker,
    /// Who would hold the grant: the user, or a group of theirs.
    pub holder: Who,
    /// The name clients know the database by.
    pub database: String,
    pub actions: Vec<Action>,
    /// What the request covers at the moment, patterns resolved.
    pub columns: Vec<AskedColumn>,
    /// How many more there are. Always 0 where an arbiter is asked; what is kept has a bound.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_columns: u32,
    /// The canonical row predicate. None: all rows.
    pub rows: Option<String>,
    pub estimated_rows: Option<u64>,
    pub duration: Duration,
    /// Until the wished start; zero: at once.
    pub starts_in: Duration,
    /// Limits of the grant.
    pub uses: Option<u64>,
    pub rows_limit: Option<u64>,
    pub reason: String,
    pub purpose: Option<String>,
    pub ticket: Option<String>,
    pub case: Option<String>,
    pub profile: Option<String>,
    pub urgency: Urgency,
    /// The live grant whose window is to be prolonged by `duration`.
    pub extends: Option<GrantId>,
    pub at: WallMs,
    pub local: LocalTime,
    pub source: Source,
    pub second_factor_age: Option<Duration>,
    /// Grants that this person got within the last 30 days, on the same database, that covered one
    /// of `columns`.
    pub recent_grants: u32,
    /// Grants that this person asked for and that are live or scheduled.
    pub live_grants: u32,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    Refuse {
        why: Why,
        /// What to do instead: sentences.
        hint: Option<String>,
    },
    /// By rule, at once.
    Approve { why: Why, limits: Ceiling },
    /// At once, to be reviewed by somebody else of one of these groups. No group: of those that may
    /// approve by [`crate::Settings`].
    BreakGlass { why: Why, limits: Ceiling, reviewers: Vec<String> },
    Ask {
        why: Why,
        limits: Ceiling,
        /// All must be satisfied. None: one member of a group that may approve by
        /// [`crate::Settings`], as they are when it is decided.
        panels: Vec<Panel>,
        /// None: [`crate::Settings::request_lapses_after`].
        lapses_after: Option<Duration>,
        escalation: Option<Escalation>,
    },
}

impl Ruling {
    pub fn why(&self) -> &Why {
        match self {
            Ruling::Refuse { why, .. }
            | Ruling::Approve { why, .. }
            | Ruling::BreakGlass { why, .. }
            | Ruling::Ask { why, .. } => why,
        }
    }

    fn limits(&self) -> Option<&Ceiling> {
        match self {
            Ruling::Refuse { .. } => None,
            Ruling::Approve { limits, .. }
            | Ruling::BreakGlass { limits, .. }
            | Ruling::Ask { limits, .. } => Some(limits),
        }
    }

    /// The longest that the grant may last. None: a refusal, or no bound of its own.
    pub(crate) fn longest(&self) -> Option<Duration> {
        self.limits()?.max_duration
    }

    /// Names of the outside conditions that must allow it.
    pub fn conditions(&self) -> &[String] {
        self.limits().map_or(&[], |limits| &limits.conditions)
    }

    /// `refuse`, `approve`, `break-glass`, `ask`
    pub fn text(&self) -> &'static str {
        match self {
            Ruling::Refuse { .. } => "refuse",
            Ruling::Approve { .. } => "approve",
            Ruling::BreakGlass { .. } => "break-glass",
            Ruling::Ask { .. } => "ask",
        }
    }
}

/// Ids of the policies that matched, and what they say: sentences.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    pub policies: Vec<String>,
    pub reasons: Vec<String>,
}

/// So many different persons, each of one of these groups, must approve. One person counts in one
/// panel only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Panel {
    pub groups: Vec<String>,
    /// At least 1.
    pub count: u32,
    /// They must have shown a second factor lately ([`crate::Settings::second_factor_lasts`]).
    pub second_factor: bool,
}

/// After so long without a decision these groups may decide too, in every panel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    pub after: Duration,
    pub groups: Vec<String>,
}

/// Bounds that a ruling puts on the grant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ceiling {
    /// A longer request is refused, and told the longest.
    pub max_duration: Option<Duration>,
    /// Names of outside conditions, all of which must allow it before it is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<String>,
}
