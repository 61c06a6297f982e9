//! `/v1/grants`

use std::cmp::Reverse;
use std::sync::Arc;

use axum::extract::State;
use pgwarrant_grants as grants;
use pgwarrant_grants::{AskMore, Context, Live, parse_verdict};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::answer::{Created, Json};
use crate::api::Api;
use crate::caller::{Ask, By, Caller, Decide, Read};
use crate::calls::requests::{Reason, named_nothing};
use crate::input::{Body, Number, Query};
use crate::page::{self, Page};
use crate::problem::{Problem, What};
use crate::shapes::{self, Grant, Outcome};

const STATES: [&str; 8] =
    ["scheduled", "live", "expired", "revoked", "released", "used up", "removed", "not recorded"];

/// Which grants.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// `scheduled`, `live`, `expired`, `revoked`, `released`, `used up`, `removed` or `not recorded`.
    state: Option<String>,
    database: Option<String>,
    /// Who asked.
    by: Option<String>,
    /// Those that the caller asked for, or holds.
    mine: Option<bool>,
    /// Break-glass grants that nobody has reviewed.
    unreviewed: Option<bool>,
    /// How many at once.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
    /// `next` of the page before.
    after: Option<String>,
}

/// Grants that the caller may see, the newest first
pub async fn list(
    State(api): State<Arc<Api>>,
    by: By<Read>,
    Query(filter): Query<Filter>,
) -> Result<Json<Page<Grant>>, Problem> {
    let (limit, after) = (page::limit(filter.limit)?, page::number(filter.after.as_deref())?);
    if filter.state.as_deref().is_some_and(|state| !STATES.contains(&state)) {
        return Err(Problem::new(What::Invalid, "state is not known")
            .hint(format!("It can be {}.", STATES.join(", "))));
    }
    let wanted = |grant: &Arc<grants::Grant>| {
        filter.database.as_ref().is_none_or(|database| grant.database == *database)
            && filter.by.as_ref().is_none_or(|by| grant.asked_by == *by)
            && filter.state.as_ref().is_none_or(|state| grant.state_text() == state)
            && filter.unreviewed.is_none_or(|unreviewed| grant.is_unreviewed() == unreviewed)
            && filter.mine.is_none_or(|mine| shapes::is_mine(&by.who, &grant.who, &grant.asked_by) == mine)
    };
    let all = visible(&api.live, &by).filter(wanted);
    let shape = |grant: Arc<grants::Grant>| Grant::of(&grant, &api.live, &by);
    let (cursor, shown) =
        (|grant: &Arc<grants::Grant>| Reverse(grant.id), |id: &Reverse<u64>| id.0.to_string());
    Ok(Json(Page::cut(all, limit, after.map(Reverse), cursor, shown, shape)))
}

/// Of databases that the caller may connect to, as the console shows those of its own.
fn visible<'a>(live: &Live, caller: &'a Caller) -> impl Iterator<Item = Arc<grants::Grant>> + use<'a> {
    live.grants_for(&caller.who).into_iter().filter(|grant| caller.may_use(&grant.database))
}

fn find(live: &Live, caller: &Caller, id: u64) -> Result<Arc<grants::Grant>, Problem> {
    visible(live, caller).find(|grant| grant.id == id).ok_or_else(|| {
        Problem::unknown(format!("there is no grant {id} that you may see"))
            .hint("GET /v1/grants lists them.")
    })
}

/// One grant
pub async fn show(
    State(api): State<Arc<Api>>,
    by: By<Read>,
    Number(id): Number,
) -> Result<Json<Grant>, Problem> {
    Ok(Json(Grant::of(&*find(&api.live, &by, id)?, &api.live, &by)))
}

/// End somebody's grant now; what runs under it is cut off
pub async fn revoke(
    State(api): State<Arc<Api>>,
    by: By<Decide>,
    Number(id): Number,
    Body(reason): Body<Reason>,
) -> Result<Json<Outcome>, Problem> {
    api.blocking(move |api| {
        find(&api.live, &by, id)?;
        let grant = api.live.revoke(&by.who, id, reason.text())?;
        Ok(Json(Outcome::of_grant(&grant, grant.summary(), &api.live, &by)))
    })
    .await
}

/// Nothing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Empty {}

/// Give one's own grant back, when the task is done
pub async fn release(
    State(api): State<Arc<Api>>,
    by: By<Ask>,
    Number(id): Number,
    Body(Empty {}): Body<Empty>,
) -> Result<Json<Outcome>, Problem> {
    api.blocking(move |api| {
        find(&api.live, &by, id)?;
        let grant = api.live.release(&by.who, id)?;
        Ok(Json(Outcome::of_grant(&grant, grant.summary(), &api.live, &by)))
    })
    .await
}

/// How much longer: the arguments of `pgwarrant.extend(…)`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct More {
    /// `30 min`: added to the end of the grant.
    duration: Option<String>,
    reason: String,
    /// `normal` or `urgent`
    urgency: Option<String>,
}

/// Ask for more time of one's own grant
pub async fn extend(
    State(api): State<Arc<Api>>,
    by: By<Ask>,
    Number(id): Number,
    Body(more): Body<More>,
) -> Result<Created<Outcome>, Problem> {
    let grant = find(&api.live, &by, id)?;
    let catalogue = api.proxy.catalogue(&grant.database).ok_or_else(|| {
        Problem::new(What::State, "the database of the grant is not served any more")
            .hint("Ask for a new grant.")
    })?;
    let ask = AskMore { duration: more.duration, reason: Some(more.reason), urgency: more.urgency };
    let estimated_rows = match api.live.estimate_more(id, &catalogue) {
        Some(estimate) => api.proxy.estimated_rows(&grant.database, estimate).await,
        None => None,
    };
    api.blocking(move |api| {
        let context = Context { estimated_rows, ..by.context };
        let asked = api.live.extend(&by.who, id, &catalogue, ask, &context);
        let outcome = asked.map_err(named_nothing)?;
        let location = format!("/v1/requests/{}", outcome.request.id);
        Ok(Created { location, body: Outcome::asked(&outcome, &api.live, &by) })
    })
    .await
}

/// What somebody else says of a break-glass grant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// `justified` or `not justified`
    verdict: String,
    reason: String,
}

/// Close the review of a break-glass grant
pub async fn review(
    State(api): State<Arc<Api>>,
    by: By<Decide>,
    Number(id): Number,
    Body(Verdict { verdict, reason }): Body<Verdict>,
) -> Result<Json<Outcome>, Problem> {
    api.blocking(move |api| {
        find(&api.live, &by, id)?;
        let justified = parse_verdict(&verdict)?;
        let grant = api.live.review(&by.who, id, justified, &reason, &by.context)?;
        let said = if justified { "justified" } else { "not justified" };
        let message = format!("grant {} was reviewed: {said}", grant.id);
        Ok(Json(Outcome::of_grant(&grant, message, &api.live, &by)))
    })
    .await
}
