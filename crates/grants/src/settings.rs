//! What the operator configures about grants.

use std::time::Duration;

use crate::Principal;

/// What the members of a group may do (`[[group]]`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    pub may_request: bool,
    pub may_approve: bool,
    /// See everybody's requests and grants, and the audit trail.
    pub may_audit: bool,
}

/// `[grants]` and the groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub groups: Vec<Group>,
    /// Of a grant whose request names no duration; at most `max_duration`.
    pub default_duration: Duration,
    pub max_duration: Duration,
    /// A request that nobody decided in this time lapses.
    pub request_lapses_after: Duration,
    pub max_pending_per_user: usize,
    pub max_pending: usize,
    /// Live grants in all, and of one user or group.
    pub max_live: usize,
    pub max_live_per_holder: usize,
    /// Ended grants, and decided requests, that listings show.
    pub history: usize,
    /// The same, kept in the store; older ones are removed now and then.
    pub history_stored: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            groups: Vec::new(),
            default_duration: Duration::from_secs(60 * 60),
            max_duration: Duration::from_secs(24 * 60 * 60),
            request_lapses_after: Duration::from_secs(24 * 60 * 60),
            max_pending_per_user: 20,
            max_pending: 10_000,
            max_live: 100_000,
            max_live_per_holder: 1_000,
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
