//! What the operator configures about grants.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::{Context, Principal, Profile};

/// What the members of a group may do (`[[group]]`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    pub may_request: bool,
    pub may_approve: bool,
    /// See everybody's requests and grants, and the audit trail.
    pub may_audit: bool,
    /// Remove somebody else's second factor.
    pub may_administer: bool,
    /// None: [`Settings::max_duration`]. Of the groups that let somebody ask, the most generous holds.
    pub max_duration: Option<Duration>,
}

/// `[grants]` and the groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub groups: Vec<Group>,
    /// Accounts with their persons and groups, as far as they are known before anybody signs in: who
    /// has several gains by the groups of all of them.
    pub accounts: Vec<Principal>,
    /// What people can ask for by name.
    pub profiles: Vec<Profile>,
    /// Of a grant whose request names no duration; at most what the asker may ask for.
    pub default_duration: Duration,
    /// Of a group that says nothing else.
    pub max_duration: Duration,
    /// How far ahead a grant may start.
    pub max_ahead: Duration,
    /// Of times without an offset, and of [`crate::LocalTime`].
    pub time_zone: TimeZone,
    /// How long after it was shown a second factor counts as fresh.
    pub second_factor_lasts: Duration,
    /// A request that nobody decided in this time lapses.
    pub request_lapses_after: Duration,
    pub max_pending_per_user: usize,
    pub max_pending: usize,
    /// Live and scheduled grants in all, and of one user or group.
    pub max_live: usize,
    pub max_live_per_holder: usize,
    /// Break-glass grants whose review is open.
    pub max_unreviewed: usize,
    /// Ended grants, and decided requests, that listings show.
    pub history: usize,
    /// The same, kept in the store; older ones are removed now and then.
    pub history_stored: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            groups: Vec::new(),
            accounts: Vec::new(),
            profiles: Vec::new(),
            default_duration: Duration::from_secs(60 * 60),
            max_duration: Duration::from_secs(24 * 60 * 60),
            max_ahead: Duration::from_secs(30 * 24 * 60 * 60),
            time_zone: TimeZone::UTC,
            second_factor_lasts: Duration::from_secs(15 * 60),
            request_lapses_after: Duration::from_secs(24 * 60 * 60),
            max_pending_per_user: 20,
            max_pending: 10_000,
            max_live: 100_000,
            max_live_per_holder: 1_000,
            max_unreviewed: 1_000,
            history: 1_000,
            history_stored: 100_000,
        }
    }
}

impl Settings {
    pub fn may_request(&self, who: &Principal) -> bool {
        self.any_group(who, |group| group.may_request)
    }
    pub fn may_approve(&self, who: &Principal) -> bool {
        self.any_group(who, |group| group.may_approve)
    }
    pub fn may_audit(&self, who: &Principal) -> bool {
        self.any_group(who, |group| group.may_audit)
    }
    pub fn may_administer(&self, who: &Principal) -> bool {
        self.any_group(who, |group| group.may_administer)
    }

    /// How long a grant may last that they ask for.
    pub fn longest_for(&self, who: &Principal) -> Duration {
        let theirs = self.groups.iter().filter(|group| group.may_request && who.groups.contains(&group.name));
        let longest = theirs.map(|group| group.max_duration.unwrap_or(self.max_duration)).max();
        longest.unwrap_or(self.max_duration)
    }

    pub fn is_second_factor_fresh(&self, context: &Context) -> bool {
        context.second_factor_age.is_some_and(|age| age <= self.second_factor_lasts)
    }

    fn any_group(&self, who: &Principal, right: impl Fn(&Group) -> bool) -> bool {
        self.groups.iter().any(|group| right(group) && who.groups.contains(&group.name))
    }

    /// "group privacy", "groups oncall and privacy": for hints.
    pub(crate) fn groups_that(&self, right: impl Fn(&Group) -> bool) -> String {
        let names: Vec<&str> =
            self.groups.iter().filter(|group| right(group)).map(|group| group.name.as_str()).collect();
        match names.as_slice() {
            [] => "no group (none is configured with that right)".to_owned(),
            [one] => format!("group {one}"),
            [rest @ .., last] => format!("groups {} and {last}", rest.join(", ")),
        }
    }
}
