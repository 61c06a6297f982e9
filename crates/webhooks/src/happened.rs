//! What can happen to a request and to a grant, and what of it their records say has happened.

use std::sync::Arc;

use pgwarrant_grants::{EndReason, Grant, GrantState, Request, RequestId, RequestState, WallMs};
use serde::{Deserialize, Serialize};

/// Named as in the event stream of the HTTP API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Requested,
    /// By one of several approvers.
    PartlyApproved,
    /// Nobody decided for so long that others may, too.
    Escalated,
    /// Approved, denied, refused, withdrawn or lapsed.
    Decided,
    Scheduled,
    /// Nobody was asked.
    BreakGlass,
    Started,
    Extended,
    Ended,
    Reviewed,
}

impl Kind {
    pub const ALL: [Kind; 10] = [
        Kind::Requested,
        Kind::PartlyApproved,
        Kind::Escalated,
        Kind::Decided,
        Kind::Scheduled,
        Kind::BreakGlass,
        Kind::Started,
        Kind::Extended,
        Kind::Ended,
        Kind::Reviewed,
    ];
    /// What somebody may have to act on, or waits for: told unless the configuration says otherwise.
    pub const USUAL: [Kind; 7] = [
        Kind::Requested,
        Kind::PartlyApproved,
        Kind::Escalated,
        Kind::Decided,
        Kind::BreakGlass,
        Kind::Ended,
        Kind::Reviewed,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Requested => "requested",
            Kind::PartlyApproved => "partly_approved",
            Kind::Escalated => "escalated",
            Kind::Decided => "decided",
            Kind::Scheduled => "scheduled",
            Kind::BreakGlass => "break_glass",
            Kind::Started => "started",
            Kind::Extended => "extended",
            Kind::Ended => "ended",
            Kind::Reviewed => "reviewed",
        }
    }
}

/// What happened, as it waits to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happened {
    /// The same whenever it is told.
    pub id: String,
    pub kind: Kind,
    pub at: WallMs,
    /// The request that it all began with: what has the same is told in order.
    pub lane: RequestId,
    pub request: Option<Arc<Request>>,
    pub grant: Option<Arc<Grant>>,
}

impl Happened {
    pub fn database(&self) -> &str {
        let grant = self.grant.as_ref().map(|grant| grant.database.as_str());
        self.request.as_ref().map(|request| request.database.as_str()).or(grant).unwrap_or_default()
    }
}

/// One step of a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub kind: Kind,
    /// Of approvals, from 1; 0 of what happens once.
    pub number: usize,
    pub at: WallMs,
}

impl Step {
    fn once(kind: Kind, at: WallMs) -> Self {
        Self { kind, number: 0, at }
    }

    /// Its name among the steps of the same life; letters, digits and underscores.
    pub fn name(&self) -> String {
        match self.number {
            0 => self.kind.name().to_owned(),
            number => format!("{}_{number}", self.kind.name()),
        }
    }
}

/// The steps that a request has taken, in order.
pub fn of_request(request: &Request) -> Vec<Step> {
    let mut steps = vec![Step::once(Kind::Requested, request.requested_at)];
    // The last approval is the decision.
    let decisive = usize::from(request.state == RequestState::Approved);
    let partly = request.approvals.len().saturating_sub(decisive);
    for (index, approval) in request.approvals.iter().take(partly).enumerate() {
        steps.push(Step { kind: Kind::PartlyApproved, number: index + 1, at: approval.at });
    }
    if let Some(at) = request.escalates_at().filter(|_| request.escalated) {
        steps.push(Step::once(Kind::Escalated, at));
    }
    if let Some(decision) = &request.decision {
        steps.push(Step::once(Kind::Decided, decision.at));
        if request.state == RequestState::Approved && request.extends.is_some() {
            steps.push(Step::once(Kind::Extended, decision.at));
        }
    }
    in_order(steps)
}

/// The steps that a grant has taken, in order. `request`: the one that it was given for.
pub fn of_grant(grant: &Grant, request: Option<&Request>) -> Vec<Step> {
    let given_at = request.and_then(|request| request.decision.as_ref()).map_or(grant.from, |it| it.at);
    let mut steps = Vec::new();
    if grant.review.is_some() {
        steps.push(Step::once(Kind::BreakGlass, given_at));
    }
    if grant.state == GrantState::Scheduled || grant.from > given_at {
        steps.push(Step::once(Kind::Scheduled, given_at));
    }
    let end = match &grant.state {
        GrantState::Scheduled => return in_order(steps),
        GrantState::Live => None,
        // It was never given.
        GrantState::Ended(end) if end.why == EndReason::NotRecorded => return Vec::new(),
        GrantState::Ended(end) => Some(end),
    };
    // One that was scheduled may end before it begins.
    if end.is_none_or(|end| end.at >= grant.from) {
        steps.push(Step::once(Kind::Started, grant.from));
    }
    if let Some(end) = end {
        steps.push(Step::once(Kind::Ended, end.at));
    }
    if let Some(verdict) = grant.review.as_ref().and_then(|review| review.verdict.as_ref()) {
        steps.push(Step::once(Kind::Reviewed, verdict.at));
    }
    in_order(steps)
}

/// What happened at the same moment stays as it is.
fn in_order(mut steps: Vec<Step>) -> Vec<Step> {
    steps.sort_by_key(|step| step.at);
    steps
}
