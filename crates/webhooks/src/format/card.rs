//! What people are told in a chat: a title, what they need to know, and where to go.
//!
//! Links lead to pages where somebody signs in and decides; following one decides nothing, since chats
//! follow links by themselves to show what is behind them.

use pgwarrant_grants::{Decision, Grant, GrantState, Request, RequestState, Scope, Urgency, format_duration};

use crate::format::Formats;
use crate::format::text::visible;
use crate::happened::{Happened, Kind};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// With names that others chose in it.
    pub title: String,
    /// Labels, which are ours, and texts, which are others'.
    pub facts: Vec<(&'static str, String)>,
    pub link: Option<Link>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub label: &'static str,
    pub url: String,
    /// Somebody should follow it.
    pub asks: bool,
}

pub fn card(happened: &Happened, formats: &Formats) -> Card {
    let (request, grant) = (happened.request.as_deref(), happened.grant.as_deref());
    let title = match (happened.kind, request, grant) {
        (Kind::BreakGlass, _, Some(grant)) => {
            format!("Break-glass: {} took grant {}", grant.asked_by, grant.id)
        }
        (Kind::Extended, _, Some(grant)) => format!("Grant {} of {} lasts longer", grant.id, grant.who),
        (kind, Some(request), _) => of_request(kind, request),
        (kind, None, Some(grant)) => of_grant(kind, grant),
        (_, None, None) => String::new(),
    };
    let mut facts = match (request, grant) {
        (_, Some(grant)) => facts_of_grant(grant),
        (Some(request), None) => facts_of_request(request),
        (None, None) => Vec::new(),
    };
    for (_, text) in &mut facts {
        *text = visible(text);
    }
    facts.retain(|(_, text)| !text.is_empty());
    Card { title: visible(&title), facts, link: link(happened, formats) }
}

fn of_request(kind: Kind, request: &Request) -> String {
    let Request { id, by, .. } = request;
    let wanted = if request.extends.is_some() { "more time" } else { "access" };
    match kind {
        Kind::Requested => format!("Request {id}: {by} asks for {wanted}"),
        Kind::PartlyApproved => match request.approvals.last() {
            Some(approval) => format!("Request {id} of {by}: {} approved it, others must too", approval.by),
            None => format!("Request {id} of {by}: others must approve it too"),
        },
        Kind::Escalated => format!("Request {id} of {by} has waited too long: others may decide it now"),
        _ => decided(request, request.decision.as_ref()),
    }
}

fn decided(request: &Request, decision: Option<&Decision>) -> String {
    let (id, by, state) = (request.id, &request.by, request.state);
    let decider = decision.and_then(|decision| decision.by.as_deref());
    match (state, decider) {
        (RequestState::Lapsed, _) => format!("Request {id} of {by} lapsed: nobody decided in time"),
        (_, Some(decider)) => format!("Request {id} of {by} was {} by {decider}", state.text()),
        (RequestState::Approved, None) if request.urgency == Urgency::BreakGlass => {
            format!("Request {id} of {by} was approved by break-glass")
        }
        (_, None) => format!("Request {id} of {by} was {} by rule", state.text()),
    }
}

fn of_grant(kind: Kind, grant: &Grant) -> String {
    let Grant { id, who, .. } = grant;
    match (kind, &grant.state) {
        (Kind::Scheduled, _) => format!("Grant {id} of {who} begins later"),
        (Kind::Started, _) => format!("Grant {id} of {who} has begun"),
        (Kind::Reviewed, _) => {
            let verdict = grant.review.as_ref().and_then(|review| review.verdict.as_ref());
            match verdict {
                Some(verdict) if verdict.justified => {
                    format!("Grant {id} of {who} was justified, says {}", verdict.by)
                }
                Some(verdict) => format!("Grant {id} of {who} was not justified, says {}", verdict.by),
                None => format!("Grant {id} of {who} was reviewed"),
            }
        }
        (_, GrantState::Ended(end)) => match &end.by {
            Some(by) => format!("Grant {id} of {who} has ended: {} by {by}", end.why.text()),
            None => format!("Grant {id} of {who} has ended: {}", end.why.text()),
        },
        _ => format!("Grant {id} of {who}"),
    }
}

fn facts_of_request(request: &Request) -> Vec<(&'static str, String)> {
    let said = request.decision.as_ref().and_then(|decision| decision.reason.clone());
    let mut facts = scope(&request.database, &request.scope);
    facts.extend([
        ("For", format_duration(request.duration)),
        ("Reason", request.reason.clone()),
        ("Ticket", request.ticket.clone().unwrap_or_default()),
        ("Urgency", urgency(request.urgency)),
        ("Waits for", request.missing().unwrap_or_default()),
        ("Comment", said.unwrap_or_default()),
    ]);
    facts
}

fn facts_of_grant(grant: &Grant) -> Vec<(&'static str, String)> {
    let ended = match &grant.state {
        GrantState::Ended(end) => end.reason.clone(),
        GrantState::Scheduled | GrantState::Live => None,
    };
    let verdict = grant.review.as_ref().and_then(|review| review.verdict.as_ref());
    let said = verdict.map(|verdict| verdict.comment.clone()).or(ended);
    let time = |at: i64| pgwarrant_audit::record::rfc3339(at.saturating_mul(1000));
    let mut facts = scope(&grant.database, &grant.scope);
    facts.extend([
        ("From", time(grant.from)),
        ("Until", time(grant.until)),
        ("Reason", grant.reason.clone()),
        ("Ticket", grant.ticket.clone().unwrap_or_default()),
        ("Comment", said.unwrap_or_default()),
    ]);
    facts
}

fn scope(database: &str, scope: &Scope) -> Vec<(&'static str, String)> {
    vec![
        ("Database", database.to_owned()),
        ("Columns", scope.columns_text()),
        ("Rows", scope.rows_text().unwrap_or("all").to_owned()),
        ("Actions", scope.actions_text()),
    ]
}

/// Empty: as usual.
fn urgency(urgency: Urgency) -> String {
    if urgency == Urgency::Normal { String::new() } else { urgency.text().to_owned() }
}

fn link(happened: &Happened, formats: &Formats) -> Option<Link> {
    let pending = happened.request.as_ref().is_some_and(|request| request.state == RequestState::Pending);
    let (label, url, asks) = match happened.kind {
        Kind::BreakGlass => ("Review", formats.page("reviews")?, true),
        _ if pending => ("Approve or deny", formats.link(happened)?, true),
        _ => ("Open", formats.link(happened)?, false),
    };
    Some(Link { label, url, asks })
}
