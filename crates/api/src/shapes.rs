//! Requests and grants as people see them: the words of the console, and what the caller may do.

use std::sync::Arc;

use pgwarrant_grants as grants;
use pgwarrant_grants::{GrantState, Live, Principal, RequestState, Scope as Covered, format_duration};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::time;
use crate::caller::{Caller, Scope};

/// Who agreed, when and from where.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Approval {
    pub by: String,
    pub at: String,
    pub reason: Option<String>,
    /// None: not kept.
    pub address: Option<String>,
    pub tls: Option<bool>,
    pub sign_in: Option<String>,
}

impl Approval {
    pub fn of(word: &grants::Word) -> Self {
        Self {
            by: word.by.clone(),
            at: time(word.at),
            reason: word.reason.clone(),
            address: word.from.and_then(|from| from.source.address).map(|address| address.to_string()),
            tls: word.from.map(|from| from.source.tls),
            sign_in: word.from.map(|from| from.sign_in.text().to_owned()),
        }
    }
}

/// An outside condition of a request.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Condition {
    pub name: String,
    /// `allows`, `denies` or `no answer`. None: it has not been asked.
    pub said: Option<String>,
    pub reason: Option<String>,
    pub at: Option<String>,
}

impl Condition {
    fn all(conditions: &grants::Conditions) -> Vec<Self> {
        let condition = |name: &String| {
            let answer = conditions.answers.iter().find(|answer| answer.name == *name);
            Self {
                name: name.clone(),
                said: answer.map(|answer| answer.said.text().to_owned()),
                reason: answer.and_then(|answer| answer.reason.clone()),
                at: answer.map(|answer| time(answer.at)),
            }
        };
        conditions.names.iter().map(condition).collect()
    }
}

/// What somebody asked for, and what became of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Request {
    pub id: u64,
    pub database: String,
    pub by: String,
    pub person: String,
    /// Who will hold the grant: a user, or `group` and a name.
    pub who: String,
    pub columns: String,
    pub actions: String,
    /// None: all rows.
    pub rows: Option<String>,
    /// What becomes of other rows: `mask` or `hide`.
    pub others: Option<String>,
    pub duration: String,
    pub reason: String,
    pub ticket: Option<String>,
    pub purpose: Option<String>,
    pub case_id: Option<String>,
    pub profile: Option<String>,
    pub urgency: String,
    /// The grant that it asks to prolong.
    pub extends: Option<u64>,
    pub max_uses: Option<u64>,
    pub max_rows: Option<u64>,
    pub starts_at: Option<String>,
    pub requested_at: String,
    /// Of one that is pending.
    pub lapses_at: Option<String>,
    pub escalates_at: Option<String>,
    /// `pending`, `approved`, `denied`, `refused`, `withdrawn` or `lapsed`.
    pub state: String,
    /// Who is still to approve it, and which conditions.
    pub waits_for: Option<String>,
    /// An approver must have shown one lately.
    pub second_factor: bool,
    pub approvals: Vec<Approval>,
    /// What must allow it besides.
    pub conditions: Vec<Condition>,
    pub decided_by: Option<String>,
    pub decided_at: Option<String>,
    pub decision_reason: Option<String>,
    pub grant_id: Option<u64>,
    pub policies: Vec<String>,
    pub reasons: Vec<String>,
    pub message: String,
    /// What the caller may do with it now: `approve`, `deny`, `withdraw`.
    pub may: Vec<&'static str>,
}

impl Request {
    pub fn of(request: &grants::Request, live: &Live, caller: &Caller) -> Self {
        Self { may: may_with_request(live, caller, request), ..Self::shown(request) }
    }

    /// As everybody has it who may see it, with nothing that they may do.
    pub fn shown(request: &grants::Request) -> Self {
        let scope = &request.scope;
        let decision = request.decision.as_ref();
        let pending = request.state == RequestState::Pending;
        Self {
            id: request.id,
            database: request.database.clone(),
            by: request.by.clone(),
            person: match request.person.as_str() {
                "" => request.by.clone(),
                person => person.to_owned(),
            },
            who: request.who.to_string(),
            columns: scope.columns_text(),
            actions: scope.actions_text(),
            rows: scope.rows_text().map(str::to_owned),
            others: others(scope),
            duration: format_duration(request.duration),
            reason: request.reason.clone(),
            ticket: request.ticket.clone(),
            purpose: request.purpose.clone(),
            case_id: request.case.clone(),
            profile: request.profile.clone(),
            urgency: request.urgency.text().to_owned(),
            extends: request.extends,
            max_uses: request.limits.uses,
            max_rows: request.limits.rows,
            starts_at: request.starts_at.map(time),
            requested_at: time(request.requested_at),
            lapses_at: pending.then(|| time(request.lapses_at)),
            escalates_at: request.escalates_at().filter(|_| pending).map(time),
            state: request.state.text().to_owned(),
            waits_for: request.missing(),
            second_factor: request.panels.iter().any(|panel| panel.second_factor),
            approvals: request.words().iter().map(Approval::of).collect(),
            conditions: request.conditions.as_ref().map(Condition::all).unwrap_or_default(),
            decided_by: decision.and_then(|decision| decision.by.clone()),
            decided_at: decision.map(|decision| time(decision.at)),
            decision_reason: decision.and_then(|decision| decision.reason.clone()),
            grant_id: request.grant,
            policies: request.why.policies.clone(),
            reasons: request.why.reasons.clone(),
            message: request.summary(),
            may: Vec::new(),
        }
    }
}

fn may_with_request(live: &Live, caller: &Caller, request: &grants::Request) -> Vec<&'static str> {
    let who = &caller.who;
    let decides = caller.has(Scope::Approve) && live.may_decide(who, request);
    let own = caller.has(Scope::Request) && live.may_withdraw(who, request);
    let approves = decides && !request.has_approved(who);
    named([(approves, "approve"), (decides, "deny"), (own, "withdraw")])
}

/// What somebody else says of a break-glass grant.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Review {
    /// `open`, `justified` or `not justified`.
    pub state: String,
    pub by: Option<String>,
    pub at: Option<String>,
    pub comment: Option<String>,
}

/// What somebody may see until when.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Grant {
    pub id: u64,
    pub request_id: u64,
    pub database: String,
    /// Who asked.
    pub by: String,
    /// Who holds it: a user, or `group` and a name.
    pub who: String,
    pub columns: String,
    pub actions: String,
    pub rows: Option<String>,
    pub others: Option<String>,
    pub reason: String,
    pub ticket: Option<String>,
    pub purpose: Option<String>,
    pub case_id: Option<String>,
    pub profile: Option<String>,
    pub urgency: String,
    pub approvals: Vec<Approval>,
    pub approved_by: Vec<String>,
    pub valid_from: String,
    pub valid_until: String,
    pub uses_left: Option<u64>,
    pub rows_left: Option<u64>,
    /// `scheduled`, `live`, `expired`, `revoked`, `released`, `used up`, `removed` or `not recorded`.
    pub state: String,
    pub ended_at: Option<String>,
    pub ended_by: Option<String>,
    pub end_reason: Option<String>,
    /// None: it needs none.
    pub review: Option<Review>,
    pub policies: Vec<String>,
    pub message: String,
    /// What the caller may do with it now: `revoke`, `release`, `extend`, `review`.
    pub may: Vec<&'static str>,
}

impl Grant {
    pub fn of(grant: &grants::Grant, live: &Live, caller: &Caller) -> Self {
        Self { may: may_with_grant(live, caller, grant), ..Self::shown(grant) }
    }

    /// As everybody has it who may see it, with nothing that they may do.
    pub fn shown(grant: &grants::Grant) -> Self {
        let scope = &grant.scope;
        let end = match &grant.state {
            GrantState::Ended(end) => Some(end),
            GrantState::Scheduled | GrantState::Live => None,
        };
        let words: Vec<grants::Word> = grant.approvals.iter().map(grants::Word::of).collect();
        Self {
            id: grant.id,
            request_id: grant.request,
            database: grant.database.clone(),
            by: grant.asked_by.clone(),
            who: grant.who.to_string(),
            columns: scope.columns_text(),
            actions: scope.actions_text(),
            rows: scope.rows_text().map(str::to_owned),
            others: others(scope),
            reason: grant.reason.clone(),
            ticket: grant.ticket.clone(),
            purpose: grant.purpose.clone(),
            case_id: grant.case.clone(),
            profile: grant.profile.clone(),
            urgency: grant.urgency.text().to_owned(),
            approvals: words.iter().map(Approval::of).collect(),
            approved_by: grant.approvals.iter().map(|approval| approval.by.clone()).collect(),
            valid_from: time(grant.from),
            valid_until: time(grant.until),
            uses_left: grant.uses_left(),
            rows_left: grant.rows_left(),
            state: grant.state_text().to_owned(),
            ended_at: end.map(|end| time(end.at)),
            ended_by: end.and_then(|end| end.by.clone()),
            end_reason: end.and_then(|end| end.reason.clone()),
            review: grant.review.as_ref().map(review),
            policies: grant.policies.clone(),
            message: grant.summary(),
            may: Vec::new(),
        }
    }
}

fn may_with_grant(live: &Live, caller: &Caller, grant: &grants::Grant) -> Vec<&'static str> {
    let (who, open) = (&caller.who, !matches!(grant.state, GrantState::Ended(_)));
    let (decides, asks) = (caller.has(Scope::Approve), caller.has(Scope::Request));
    named([
        (open && decides && live.may_revoke(who, grant), "revoke"),
        (open && asks && live.may_release(who, grant), "release"),
        (open && asks && live.may_extend(who, grant), "extend"),
        (decides && live.may_review(who, grant), "review"),
    ])
}

fn review(review: &grants::Review) -> Review {
    let verdict = review.verdict.as_ref();
    Review {
        state: review.text().to_owned(),
        by: verdict.map(|verdict| verdict.by.clone()),
        at: verdict.map(|verdict| time(verdict.at)),
        comment: verdict.map(|verdict| verdict.comment.clone()),
    }
}

/// Of a grant for some rows only.
fn others(scope: &Covered) -> Option<String> {
    scope.rows_text().map(|_| scope.others_text().to_owned())
}

fn named<const N: usize>(all: [(bool, &'static str); N]) -> Vec<&'static str> {
    all.into_iter().filter(|(may, _)| *may).map(|(_, name)| name).collect()
}

/// What came of a call.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Outcome {
    pub request: Option<Request>,
    pub grant: Option<Grant>,
    pub message: String,
}

impl Outcome {
    /// Of asking.
    pub fn asked(outcome: &grants::Outcome, live: &Live, caller: &Caller) -> Self {
        let (request, grant) = (&outcome.request, outcome.grant.as_deref());
        let message = match grant {
            Some(grant) => format!("{}; {}", request.summary(), grant.summary()),
            None => request.summary(),
        };
        Self::of(Some(request), grant, message, live, caller)
    }

    /// Of deciding.
    pub fn decided(outcome: &grants::Outcome, live: &Live, caller: &Caller) -> Self {
        let (request, grant) = (&outcome.request, outcome.grant.as_deref());
        let message = grant.map_or_else(|| request.summary(), grants::Grant::summary);
        Self::of(Some(request), grant, message, live, caller)
    }

    pub fn of_request(request: &Arc<grants::Request>, live: &Live, caller: &Caller) -> Self {
        Self::of(Some(request), None, request.summary(), live, caller)
    }

    pub fn of_grant(grant: &grants::Grant, message: String, live: &Live, caller: &Caller) -> Self {
        Self::of(None, Some(grant), message, live, caller)
    }

    fn of(
        request: Option<&Arc<grants::Request>>,
        grant: Option<&grants::Grant>,
        message: String,
        live: &Live,
        caller: &Caller,
    ) -> Self {
        Self {
            request: request.map(|request| Request::of(request, live, caller)),
            grant: grant.map(|grant| Grant::of(grant, live, caller)),
            message,
        }
    }
}

/// Does what is somebody's, or was asked by them, belong to this person?
pub fn is_mine(who: &Principal, holder: &grants::Who, asked_by: &str) -> bool {
    holder.includes(who) || asked_by == who.user
}
