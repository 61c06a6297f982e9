//! `/v1/webhooks/{name}`: messages of other systems, a ticket system's for one, that ask, approve and
//! close for people.
//!
//! Whoever knows the secret of an `[[inbound]]` acts as its user, whose groups say what it may do, and
//! names the people it acts for; that it names the right ones is what it is trusted with. They must be
//! users of the configuration: of others nobody can tell whether they are the person who asked.

use std::sync::Arc;

use axum::extract::{Extension, State};
use pgwarrant_grants as grants;
use pgwarrant_grants::{Context, GrantState, Principal, RequestState, SignIn};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use utoipa::ToSchema;

use crate::answer::Again;
use crate::api::{self, Api};
use crate::caller::{Caller, Ends, Scope, Via};
use crate::calls::requests::{self, NewRequest};
use crate::gate::too_many;
use crate::identify;
use crate::input::Name;
use crate::problem::{Problem, What};
use crate::record;
use crate::repeats::{Kept, Seen};
use crate::secret::Digest;
use crate::settings::Inbound;
use crate::signed::{Believed, Signed, not_believed};

/// Requests and grants that one message closes, at most.
const MOST_CLOSED: usize = 100;

/// What another system says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type")]
pub enum Message {
    /// Ask for somebody.
    #[serde(rename = "request.open")]
    Open(Box<Open>),
    /// Approve, on somebody's word.
    #[serde(rename = "request.approve")]
    Approve(Approve),
    /// Take back what waits, and end what is live.
    #[serde(rename = "request.close")]
    Close(Close),
}

/// What somebody asks for; as `POST /v1/requests`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// Who asks, and would hold the grant: a user of the configuration.
    #[serde(rename = "for")]
    user: String,
    database: Option<String>,
    columns: Option<String>,
    rows: Option<String>,
    reason: String,
    ticket: Option<String>,
    duration: Option<String>,
    actions: Option<String>,
    others: Option<String>,
    #[schema(minimum = 1)]
    max_uses: Option<u64>,
    #[schema(minimum = 1)]
    max_rows: Option<u64>,
    profile: Option<String>,
    starts_at: Option<String>,
    purpose: Option<String>,
    case_id: Option<String>,
}

/// Which request is approved, and by whom.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// Its number; or the ticket of the only one that waits.
    request: Option<u64>,
    ticket: Option<String>,
    /// Who approved it there: a user of the configuration.
    by: String,
    reason: Option<String>,
}

/// What is closed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// One request, with its grant.
    request: Option<u64>,
    /// All of a ticket.
    ticket: Option<String>,
    reason: Option<String>,
}

/// What came of a message.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Delivered {
    /// The request that was opened or approved.
    pub request_id: Option<u64>,
    /// Its state.
    pub state: Option<String>,
    pub grant_id: Option<u64>,
    /// Requests that were denied or withdrawn.
    pub closed_requests: Vec<u64>,
    /// Grants that were revoked or released.
    pub ended_grants: Vec<u64>,
    pub message: String,
}

/// Take a signed message of another system
///
/// The headers are those of Standard Webhooks. A message that is sent again, signed anew, with the same
/// id has the first answer again; one that is sent again as it was is refused.
pub async fn deliver(
    State(api): State<Arc<Api>>,
    Extension(ends): Extension<Ends>,
    Name(name): Name,
    signed: Signed<Message>,
) -> Result<Again<Delivered>, Problem> {
    let inbound = api.settings.inbound.iter().find(|inbound| inbound.name == name).cloned();
    let agent = record::application(signed.header("user-agent").unwrap_or_default());
    let secrets = inbound.as_ref().map_or(&[][..], |inbound| &inbound.secrets);
    let believed = match signed.believe(secrets, api::now() / 1000) {
        Ok(believed) => believed,
        Err(problem) => return Err(identify::note_failure(&api, ends, problem).await),
    };
    let inbound = inbound.ok_or_else(not_believed)?;
    api.rate_of_webhook.take(name.clone(), std::time::Instant::now()).map_err(too_many)?;
    let digest = match first(&api, &name, &believed) {
        Ok(Seen::First(digest)) => digest,
        Ok(Seen::Answered(kept)) => return Ok(Again::Kept(kept)),
        Err(problem) if problem.status == 401 => {
            return Err(identify::note_failure(&api, ends, problem).await);
        }
        Err(problem) => return Err(problem),
    };
    let made = api.blocking(move |api| Ok(make(api, ends, &inbound, &believed))).await;
    let (by, made) = made.unwrap_or_else(|problem| (None, Err(problem)));
    let finished = api.deliveries.finish(digest, Kept::of(&made));
    if let Some(by) = by {
        let call = format!("POST /v1/webhooks/{name}");
        let record = record::call(&by, &call, &agent, made.as_ref().err());
        api.trail.append(record).await.map_err(|error| {
            tracing::error!(%error, "a message could not be recorded");
            Problem::no_trail()
        })?;
    }
    // Not before it is on record. A sender that hears nothing sends again, and is to hear the same.
    finished?;
    api.deliveries.kept().await?;
    made.map(Again::First)
}

/// Was it acted on before? What was sent once is not taken twice; signed anew it is the same message.
fn first(api: &Api, name: &str, message: &Believed<Message>) -> Result<Seen, Problem> {
    let (id, now) = (Digest::of(message.id.as_bytes()).hex(), api::now());
    let content = Digest::of(&message.body);
    let sending = format!("{id}.{}", message.sent_at);
    match api.deliveries.begin(name, &sending, content, now) {
        Ok(Seen::First(digest)) => api.deliveries.finish(digest, Some(Kept::nothing()))?,
        Err(problem) if problem.status >= 500 || problem.is_limit() => return Err(problem),
        Ok(Seen::Answered(_)) | Err(_) => {
            return Err(not_believed().detail("It has been sent before, at that very time."));
        }
    }
    api.deliveries.begin(name, &id, content, now).map_err(|problem| match problem.status {
        422 => not_believed().detail("Its id is that of another message."),
        _ => problem,
    })
}

type Made = (Option<Caller>, Result<Delivered, Problem>);

fn make(api: &Api, ends: Ends, inbound: &Inbound, message: &Believed<Message>) -> Made {
    let Some(acting) = api.sign_ins.user(&inbound.acts_as) else {
        let problem = Problem::new(What::NotAllowed, "the user that it acts as does not exist any more");
        return (None, Err(problem.hint("Tell whoever runs the proxy: see acts_as in [[inbound]].")));
    };
    let acting = caller(api, ends, inbound, acting);
    let made = message.read().and_then(|message| match message {
        Message::Open(open) => self::open(api, ends, inbound, &acting, *open),
        Message::Approve(approve) => self::approve(api, &acting, approve),
        Message::Close(close) => self::close(api, &acting, &close),
    });
    (Some(acting), made)
}

fn caller(api: &Api, ends: Ends, inbound: &Inbound, who: Principal) -> Caller {
    let via = Via::Webhook { name: inbound.name.clone() };
    identify::caller(api, ends, who, SignIn::Webhook, via, Scope::ALL.to_vec(), None)
}

fn user(api: &Api, name: &str) -> Result<Principal, Problem> {
    api.sign_ins.user(name).ok_or_else(|| {
        let shown: String = name.chars().take(63).collect();
        Problem::new(What::Invalid, format!("there is no user \"{}\"", shown.escape_debug()))
            .detail("Messages are about users of pgwarrant's configuration.")
            .hint("Send the name that they have in [[user]].")
    })
}

fn open(api: &Api, ends: Ends, inbound: &Inbound, acting: &Caller, open: Open) -> Result<Delivered, Problem> {
    if !api.live.settings().may_request(&acting.who) {
        return Err(not_allowed(acting, "open requests")
            .hint("Put it into a group with may_request = true, if it should."));
    }
    let by = caller(api, ends, inbound, user(api, &open.user)?);
    let new = NewRequest {
        database: open.database,
        columns: open.columns,
        rows: open.rows,
        reason: open.reason,
        duration: open.duration,
        actions: open.actions,
        others: open.others,
        ticket: open.ticket,
        max_uses: open.max_uses,
        max_rows: open.max_rows,
        profile: open.profile,
        starts_at: open.starts_at,
        // Break-glass access is for who takes it to answer for.
        urgency: None,
        purpose: open.purpose,
        case_id: open.case_id,
        for_group: None,
    };
    let (database, catalogue) = requests::where_(api, &by, new.database.as_deref())?;
    let ask = new.ask();
    let estimated_rows = api
        .live
        .estimate(&by.who, &catalogue, &ask)
        .and_then(|estimate| Handle::current().block_on(api.proxy.estimated_rows(&database, estimate)));
    let context = Context { estimated_rows, ..by.context };
    let outcome =
        api.live.request(&by.who, &database, &catalogue, ask, &context).map_err(requests::named_nothing)?;
    Ok(Delivered::of(&outcome))
}

/// The approval is of the person on whose word it is given, by the user that the message acts as: so
/// it counts once, and neither may have anything to gain.
fn approve(api: &Api, acting: &Caller, approve: Approve) -> Result<Delivered, Problem> {
    let live = &api.live;
    let word = user(api, &approve.by)?;
    let id = match (approve.request, approve.ticket) {
        (Some(id), None) => id,
        (None, Some(ticket)) => waiting(api, acting, &ticket)?,
        _ => return Err(which()),
    };
    let request = requests::find(live, acting, id)?;
    for who in [&acting.who, &word] {
        if live.gains_by(who, &request) {
            return Err(not_allowed(acting, &format!("approve request {id}"))
                .detail(format!("\"{}\" asked for it, or would gain by it.", who.user))
                .hint("Have somebody else approve it."));
        }
    }
    let reason = match approve.reason {
        Some(reason) => format!("on the word of {}: {reason}", word.user),
        None => format!("on the word of {}", word.user),
    };
    let approver =
        Principal::new(acting.who.user.clone(), acting.who.groups.clone()).of_person(word.person());
    let outcome = live.approve(&approver, id, Some(&reason), &acting.context)?;
    Ok(Delivered::of(&outcome))
}

/// The only request of a ticket that waits.
fn waiting(api: &Api, acting: &Caller, ticket: &str) -> Result<u64, Problem> {
    let all = api.live.requests_for(&acting.who).into_iter();
    let mut waiting = all.filter(|request| {
        request.state == RequestState::Pending && request.ticket.as_deref() == Some(ticket)
    });
    match (waiting.next(), waiting.next()) {
        (Some(only), None) => Ok(only.id),
        (None, _) => Err(Problem::new(What::State, "no request of this ticket waits")
            .hint("It may have been decided; GET /v1/requests lists them.")),
        (Some(_), Some(_)) => Err(Problem::new(What::State, "several requests of this ticket wait")
            .hint("Name one with \"request\".")),
    }
}

fn which() -> Problem {
    Problem::new(What::Invalid, "either request or ticket must be given")
        .hint("Name the number of the request, or the ticket.")
}

fn not_allowed(acting: &Caller, what: &str) -> Problem {
    Problem::new(What::NotAllowed, format!("user \"{}\" may not {what}", acting.who.user))
}

/// Of what nothing is left to close, nothing is: whoever closes twice has done no harm.
fn close(api: &Api, acting: &Caller, close: &Close) -> Result<Delivered, Problem> {
    let live = &api.live;
    let (number, ticket) = (close.request, close.ticket.as_deref());
    if number.is_some() == ticket.is_some() {
        return Err(which());
    }
    let is_meant = |id: u64, of: Option<&str>| number == Some(id) || (ticket.is_some() && of == ticket);
    let mut delivered = Delivered::default();
    let mut refused = None;
    let pending = live.requests().into_iter().filter(|request| {
        request.state == RequestState::Pending && is_meant(request.id, request.ticket.as_deref())
    });
    for request in pending.take(MOST_CLOSED) {
        match end_request(api, acting, &request, close.reason.as_deref()) {
            Ok(()) => delivered.closed_requests.push(request.id),
            Err(problem) => refused = Some(problem),
        }
    }
    let open = live.grants().into_iter().filter(|grant| {
        !matches!(grant.state, GrantState::Ended(_)) && is_meant(grant.request, grant.ticket.as_deref())
    });
    for grant in open.take(MOST_CLOSED) {
        match end_grant(api, acting, &grant, close.reason.as_deref()) {
            Ok(()) => delivered.ended_grants.push(grant.id),
            Err(problem) => refused = Some(problem),
        }
    }
    let (requests, ended) = (delivered.closed_requests.len(), delivered.ended_grants.len());
    match refused {
        Some(problem) if requests + ended == 0 => Err(problem),
        _ => {
            delivered.message = format!("requests closed: {requests}, grants ended: {ended}");
            Ok(delivered)
        }
    }
}

/// Denies it as somebody who may, or takes back what a message had asked for.
fn end_request(
    api: &Api,
    acting: &Caller,
    request: &grants::Request,
    reason: Option<&str>,
) -> Result<(), Problem> {
    let live = &api.live;
    if acting.may_use(&request.database) && live.may_see_request(&acting.who, request) {
        let denied = live.deny(&acting.who, request.id, reason, &acting.context);
        if !matches!(&denied, Err(error) if error.kind == grants::Kind::NotAllowed) {
            return Ok(denied.map(|_| ())?);
        }
    }
    let asker = asker(api, acting, request.id, &request.by)?;
    Ok(live.withdraw(&asker, request.id, reason, &acting.context).map(|_| ())?)
}

/// Revokes it as somebody who may, or gives back what a message had asked for.
fn end_grant(api: &Api, acting: &Caller, grant: &grants::Grant, reason: Option<&str>) -> Result<(), Problem> {
    let live = &api.live;
    if acting.may_use(&grant.database) && live.may_revoke(&acting.who, grant) {
        return Ok(live.revoke(&acting.who, grant.id, reason).map(|_| ())?);
    }
    let asker = asker(api, acting, grant.request, &grant.asked_by)?;
    Ok(live.release(&asker, grant.id).map(|_| ())?)
}

/// Who asked by a message.
fn asker(api: &Api, acting: &Caller, request: u64, by: &str) -> Result<Principal, Problem> {
    let grounds = api.live.grounds(request)?;
    let by_message = grounds.is_some_and(|grounds| grounds.facts.by.sign_in == SignIn::Webhook);
    if !by_message || !api.live.settings().may_request(&acting.who) {
        return Err(not_allowed(acting, &format!("close request {request}"))
            .hint("It may close what messages asked for, and what its groups decide."));
    }
    user(api, by)
}

impl Delivered {
    fn of(outcome: &grants::Outcome) -> Self {
        let request = &outcome.request;
        Self {
            request_id: Some(request.id),
            state: Some(request.state.text().to_owned()),
            grant_id: request.grant,
            message: request.summary(),
            ..Self::default()
        }
    }
}
