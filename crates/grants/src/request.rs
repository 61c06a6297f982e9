//! Requests as people see them and as they are stored; older records stay readable, as in
//! [`crate::model`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration::format_duration;
use crate::text::time;
use crate::{
    Approval, Conditions, Context, Escalation, GrantId, Limits, Panel, RequestId, Scope, Urgency, WallMs,
    Who, Why, panels,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestState {
    Pending,
    Approved,
    /// By who may decide, or by an outside condition.
    Denied,
    /// By rule, at once.
    Refused,
    /// Taken back by who asked, or with their removal.
    Withdrawn,
    /// Nobody decided in time, or the grant to be extended ended first.
    Lapsed,
}

impl RequestState {
    pub fn text(self) -> &'static str {
        match self {
            RequestState::Pending => "pending",
            RequestState::Approved => "approved",
            RequestState::Denied => "denied",
            RequestState::Refused => "refused",
            RequestState::Withdrawn => "withdrawn",
            RequestState::Lapsed => "lapsed",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The last one whose word it took. None: it was decided by rule or by a condition, or lapsed.
    pub by: Option<String>,
    pub at: WallMs,
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Context>,
}

/// A request at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub id: RequestId,
    pub by: String,
    /// As in [`crate::Principal`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub person: String,
    /// Who will hold the grant: `by`, or a group that `by` is a member of.
    pub who: Who,
    pub database: String,
    pub scope: Scope,
    /// Counted from the approval or from `starts_at`, whichever is later: who is approved late has
    /// the whole of it nevertheless. Of an extension: added to the end of the grant's window.
    pub duration: Duration,
    /// None: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<WallMs>,
    /// The grant's window ends here at the latest, however late it was approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<WallMs>,
    pub limits: Limits,
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
    /// The grant whose window it asks to prolong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<GrantId>,
    pub requested_at: WallMs,
    pub lapses_at: WallMs,
    /// Why it was refused, given, or had to be asked.
    #[serde(default)]
    pub why: Why,
    /// Who must approve. None: one member of a group that may approve.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub panels: Vec<Panel>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<Escalation>,
    /// It was told of.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub escalated: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approval>,
    /// None: it depends on none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Conditions>,
    pub state: RequestState,
    pub decision: Option<Decision>,
    pub grant: Option<GrantId>,
}

impl Request {
    /// When the groups of its escalation may decide too.
    pub fn escalates_at(&self) -> Option<WallMs> {
        let after = i64::try_from(self.escalation.as_ref()?.after.as_millis()).unwrap_or(i64::MAX);
        Some(self.requested_at.saturating_add(after))
    }

    /// What is still to come before it is approved: `group privacy, and 2 of groups oncall and
    /// security`, `condition ticket`. None: it is decided.
    pub fn missing(&self) -> Option<String> {
        (self.state == RequestState::Pending).then(|| self.waits_for())
    }

    fn waits_for(&self) -> String {
        let conditions = self.conditions.as_ref();
        if let Some(conditions) = conditions.filter(|conditions| conditions.decide_now()) {
            return conditions.text();
        }
        let people = panels::missing_text(&self.panels, &self.approvals);
        conditions.map_or(people.clone(), |conditions| format!("{people}, and then {}", conditions.text()))
    }

    /// By whom or what it was decided: `petra`, `rule`, `break-glass`, `condition ticket`.
    pub fn decider(&self) -> String {
        let by = self.decision.as_ref().and_then(|decision| decision.by.clone());
        by.unwrap_or_else(|| match (self.state, &self.conditions) {
            (RequestState::Denied, Some(conditions)) => conditions.denier(),
            (RequestState::Approved, _) if self.urgency == Urgency::BreakGlass => "break-glass".to_owned(),
            _ => "rule".to_owned(),
        })
    }

    /// The column `message` of a console call's outcome.
    pub fn summary(&self) -> String {
        let by = self.decision.as_ref().and_then(|decision| decision.by.as_deref());
        let id = self.id;
        match (self.state, self.grant) {
            (RequestState::Pending, _) => self.waits(),
            (RequestState::Approved, Some(grant)) => {
                let what = if self.extends.is_some() { "more of grant" } else { "grant" };
                format!("request {id} was approved by {}: {what} {grant}", self.decider())
            }
            (RequestState::Denied, _) if by.is_none() => {
                let reason = self.decision.as_ref().and_then(|decision| decision.reason.as_ref());
                let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
                format!("request {id} was denied by {}{reason}", self.decider())
            }
            (RequestState::Lapsed, _) if self.extends.is_some() => {
                format!("request {id} lapsed: it was not decided before the grant ended")
            }
            (RequestState::Lapsed, _) => format!("request {id} lapsed: nobody decided in time"),
            (RequestState::Refused, _) => format!("request {id} was refused by rule"),
            (RequestState::Withdrawn, _) if by.is_none() => {
                format!("request {id} was withdrawn: who asked was removed")
            }
            (state, _) => format!("request {id} was {} by {}", state.text(), by.unwrap_or("nobody")),
        }
    }

    fn waits(&self) -> String {
        let what = match self.extends {
            Some(grant) => format!("{} more of grant {grant}", format_duration(self.duration)),
            None => format!("{} ({})", self.scope.columns_text(), format_duration(self.duration)),
        };
        format!(
            "request {} for {what} waits for {} until {}",
            self.id,
            self.waits_for(),
            time(self.lapses_at)
        )
    }
}
