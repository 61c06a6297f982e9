//! `/v1/requests`

use std::cmp::Reverse;
use std::sync::Arc;

use axum::extract::State;
use pgwarrant_catalog::Catalogue;
use pgwarrant_grants as grants;
use pgwarrant_grants::{Ask as Asked, Context, Live, RequestState};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer::{Created, Json};
use crate::api::Api;
use crate::caller::{Ask, By, Caller, Decide, Read};
use crate::calls::once::Approver;
use crate::input::{Body, Number, Query};
use crate::page::{self, Page};
use crate::problem::{Problem, What};
use crate::shapes::{self, Approval, Outcome, Request};

/// Which requests.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// `pending`, `approved`, `denied`, `refused`, `withdrawn` or `lapsed`.
    state: Option<String>,
    database: Option<String>,
    /// Who asked.
    by: Option<String>,
    /// Those that the caller may decide.
    waits_for_me: Option<bool>,
    /// Those that the caller asked for, or would hold.
    mine: Option<bool>,
    /// How many at once.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
    /// `next` of the page before.
    after: Option<String>,
}

/// Requests that the caller may see, the newest first
pub async fn list(
    State(api): State<Arc<Api>>,
    by: By<Read>,
    Query(filter): Query<Filter>,
) -> Result<Json<Page<Request>>, Problem> {
    let (limit, after) = (page::limit(filter.limit)?, page::number(filter.after.as_deref())?);
    let state = filter.state.as_deref().map(parse_state).transpose()?;
    let live = &api.live;
    let wanted = |request: &Arc<grants::Request>| {
        filter.database.as_ref().is_none_or(|database| request.database == *database)
            && filter.by.as_ref().is_none_or(|by| request.by == *by)
            && state.is_none_or(|state| request.state == state)
            && filter.waits_for_me.is_none_or(|waits| live.may_decide(&by.who, request) == waits)
            && filter.mine.is_none_or(|mine| shapes::is_mine(&by.who, &request.who, &request.by) == mine)
    };
    let all = visible(live, &by).filter(wanted);
    let shape = |request: Arc<grants::Request>| Request::of(&request, live, &by);
    let (cursor, shown) =
        (|request: &Arc<grants::Request>| Reverse(request.id), |id: &Reverse<u64>| id.0.to_string());
    Ok(Json(Page::cut(all, limit, after.map(Reverse), cursor, shown, shape)))
}

fn parse_state(text: &str) -> Result<RequestState, Problem> {
    const ALL: [RequestState; 6] = [
        RequestState::Pending,
        RequestState::Approved,
        RequestState::Denied,
        RequestState::Refused,
        RequestState::Withdrawn,
        RequestState::Lapsed,
    ];
    ALL.into_iter().find(|state| state.text() == text).ok_or_else(|| {
        Problem::new(What::Invalid, "state is not known")
            .hint(format!("It can be {}.", ALL.map(RequestState::text).join(", ")))
    })
}

/// Of databases that the caller may connect to, as the console shows those of its own.
fn visible<'a>(live: &Live, caller: &'a Caller) -> impl Iterator<Item = Arc<grants::Request>> + use<'a> {
    live.requests_for(&caller.who).into_iter().filter(|request| caller.may_use(&request.database))
}

pub fn find(live: &Live, caller: &Caller, id: u64) -> Result<Arc<grants::Request>, Problem> {
    visible(live, caller).find(|request| request.id == id).ok_or_else(|| {
        Problem::unknown(format!("there is no request {id} that you may see"))
            .hint("GET /v1/requests lists them.")
    })
}

/// One request
pub async fn show(
    State(api): State<Arc<Api>>,
    by: By<Read>,
    Number(id): Number,
) -> Result<Json<Request>, Problem> {
    Ok(Json(Request::of(&*find(&api.live, &by, id)?, &api.live, &by)))
}

/// What somebody asks for: the arguments of `pgwarrant.request(…)`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRequest {
    /// May be left out by who may connect to one alone.
    pub database: Option<String>,
    /// `customers.email, customers.phone`, `hr.employees.*`, `category:contact` or `*`; or a profile.
    pub columns: Option<String>,
    /// A predicate over the one relation that `columns` names; without it all rows.
    pub rows: Option<String>,
    pub reason: String,
    /// `30 min`, `2 h`
    pub duration: Option<String>,
    /// `select`, `select, update`
    pub actions: Option<String>,
    /// What becomes of other rows: `mask` or `hide`.
    pub others: Option<String>,
    pub ticket: Option<String>,
    #[schema(minimum = 1)]
    pub max_uses: Option<u64>,
    #[schema(minimum = 1)]
    pub max_rows: Option<u64>,
    pub profile: Option<String>,
    /// `2026-03-02 09:00` or `in 2 h`
    pub starts_at: Option<String>,
    /// `normal`, `urgent` or `break-glass`
    pub urgency: Option<String>,
    pub purpose: Option<String>,
    pub case_id: Option<String>,
    pub for_group: Option<String>,
}

impl NewRequest {
    pub fn ask(self) -> Asked {
        Asked {
            columns: self.columns.unwrap_or_default(),
            rows: self.rows,
            reason: Some(self.reason),
            duration: self.duration,
            actions: self.actions,
            others: self.others,
            ticket: self.ticket,
            max_uses: self.max_uses.map(|uses| uses.to_string()),
            max_rows: self.max_rows.map(|rows| rows.to_string()),
            group: self.for_group,
            starts_at: self.starts_at,
            purpose: self.purpose,
            case: self.case_id,
            profile: self.profile,
            urgency: self.urgency,
            not_after: None,
        }
    }
}

/// Ask for a grant; a rule may give it at once
pub async fn ask(
    State(api): State<Arc<Api>>,
    by: By<Ask>,
    Body(new): Body<NewRequest>,
) -> Result<Created<Outcome>, Problem> {
    let (database, catalogue) = where_(&api, &by, new.database.as_deref())?;
    let ask = new.ask();
    let estimated_rows = match api.live.estimate(&by.who, &catalogue, &ask) {
        Some(estimate) => api.proxy.estimated_rows(&database, estimate).await,
        None => None,
    };
    api.blocking(move |api| {
        let context = Context { estimated_rows, ..by.context };
        let asked = api.live.request(&by.who, &database, &catalogue, ask, &context);
        let outcome = asked.map_err(named_nothing)?;
        let location = format!("/v1/requests/{}", outcome.request.id);
        Ok(Created { location, body: Outcome::asked(&outcome, &api.live, &by) })
    })
    .await
}

/// What the body names does not exist; what the path names does.
pub fn named_nothing(error: grants::Error) -> Problem {
    let problem = Problem::from(error);
    if problem.status == 404 {
        problem.clone().becoming(What::Invalid).sqlstate(problem.sqlstate)
    } else {
        problem
    }
}

/// The database that a call is about, and what is protected there.
pub fn where_(api: &Api, caller: &Caller, given: Option<&str>) -> Result<(String, Arc<Catalogue>), Problem> {
    let database = database(caller, given)?;
    let catalogue = api.proxy.catalogue(&database).ok_or_else(|| no_database(&database))?;
    Ok((database, catalogue))
}

/// The name of the database that a call is about.
pub fn database(caller: &Caller, given: Option<&str>) -> Result<String, Problem> {
    match (given, caller.databases.as_slice()) {
        (Some(given), _) if caller.may_use(given) => Ok(given.to_owned()),
        (Some(given), _) => Err(no_database(given)),
        (None, [only]) => Ok(only.clone()),
        (None, []) => Err(Problem::new(What::NotAllowed, "you may connect to no database")
            .hint("Have a [[database.role]] for you in pgwarrant's configuration.")),
        (None, several) => Err(Problem::new(What::Invalid, "database must be given")
            .hint(format!("It can be {}.", several.join(", ")))),
    }
}

fn no_database(name: &str) -> Problem {
    let shown: String = name.chars().take(63).collect();
    Problem::new(What::Invalid, format!("database \"{}\" does not exist", shown.escape_debug()))
        .sqlstate("3D000")
        .detail("There is none of this name, or you have no role in it.")
        .hint("GET /v1/whoami lists those that you may connect to.")
}

/// Why somebody decides so.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    reason: Option<String>,
}

impl Reason {
    pub fn text(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

/// Approve a request of somebody else
pub async fn approve(
    State(api): State<Arc<Api>>,
    by: Approver,
    Number(id): Number,
    Body(Reason { reason }): Body<Reason>,
) -> Result<Json<Outcome>, Problem> {
    by.check(id)?;
    api.blocking(move |api| {
        let live = &api.live;
        let request = find(live, &by, id)?;
        let outcome = live
            .approve(&by.who, id, reason.as_deref(), &by.context)
            .map_err(|error| lacking_factor(error, live, &by, &request))?;
        api.spend(&by);
        Ok(Json(Outcome::decided(&outcome, live, &by)))
    })
    .await
}

/// A refusal that a second factor would have turned.
fn lacking_factor(error: grants::Error, live: &Live, caller: &Caller, request: &grants::Request) -> Problem {
    let refused = error.kind == grants::Kind::NotAllowed;
    let asked = request.panels.iter().any(|panel| panel.second_factor);
    let lacks = asked && !live.settings().is_second_factor_fresh(&caller.context);
    let problem = Problem::from(error);
    if refused && lacks && live.may_decide(&caller.who, request) {
        let problem = problem.becoming(What::SecondFactor);
        return problem.hint("POST /v1/session/second-factor takes its code; then approve again.");
    }
    problem
}

/// Deny a request of somebody else
pub async fn deny(
    State(api): State<Arc<Api>>,
    by: By<Decide>,
    Number(id): Number,
    Body(Reason { reason }): Body<Reason>,
) -> Result<Json<Outcome>, Problem> {
    api.blocking(move |api| {
        find(&api.live, &by, id)?;
        let request = api.live.deny(&by.who, id, reason.as_deref(), &by.context)?;
        Ok(Json(Outcome::of_request(&request, &api.live, &by)))
    })
    .await
}

/// Take one's own request back
pub async fn withdraw(
    State(api): State<Arc<Api>>,
    by: By<Ask>,
    Number(id): Number,
    Body(Reason { reason }): Body<Reason>,
) -> Result<Json<Outcome>, Problem> {
    api.blocking(move |api| {
        find(&api.live, &by, id)?;
        let request = api.live.withdraw(&by.who, id, reason.as_deref(), &by.context)?;
        Ok(Json(Outcome::of_request(&request, &api.live, &by)))
    })
    .await
}

/// Why a request was decided as it was.
#[derive(Debug, Serialize, ToSchema)]
pub struct Explanation {
    pub request: Request,
    /// `refuse`, `approve`, `break-glass` or `ask`. None: from before rulings were kept.
    pub ruling: Option<String>,
    pub policies: Vec<String>,
    pub reasons: Vec<String>,
    /// What the policies saw.
    #[schema(value_type = Option<Object>)]
    pub facts: Option<serde_json::Value>,
    pub decided_by: Vec<Approval>,
    /// What the same request would get today.
    pub today: String,
    pub today_policies: Vec<String>,
    pub today_reasons: Vec<String>,
    pub message: String,
}

/// Why a request was decided as it was, and what it would get today
pub async fn explain(
    State(api): State<Arc<Api>>,
    by: By<Read>,
    Number(id): Number,
) -> Result<Json<Explanation>, Problem> {
    let request = find(&api.live, &by, id)?;
    let catalogue = api.proxy.catalogue(&request.database).ok_or_else(|| no_database(&request.database))?;
    api.blocking(move |api| {
        let explained = api.live.explain(&by.who, id, &request.database, &catalogue)?;
        let (request, today) = (&explained.request, explained.why_today());
        let then = explained.replay.then.as_ref();
        Ok(Json(Explanation {
            ruling: explained.ruling().map(str::to_owned),
            policies: request.why.policies.clone(),
            reasons: request.why.reasons.clone(),
            facts: then.and_then(|then| serde_json::to_value(&then.facts).ok()),
            decided_by: request.words().iter().map(Approval::of).collect(),
            today: explained.today().to_owned(),
            today_policies: today.policies.clone(),
            today_reasons: today.reasons.clone(),
            message: explained.summary(),
            request: Request::of(request, &api.live, &by),
        }))
    })
    .await
}
