//! `/v1/sessions`: those of clients with databases.

use std::sync::Arc;

use axum::extract::State;
use pgwarrant_grants::Live;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer::{Json, NoContent};
use crate::api::{Api, time};
use crate::caller::{By, Caller, Read, Scope};
use crate::input::{Number, Query};
use crate::page::{self, Page};
use crate::ports;
use crate::problem::{Problem, What};

/// A client's session with a database.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Session {
    pub number: u64,
    pub user: String,
    pub database: String,
    /// The role of PostgreSQL that it signed in as.
    pub role: String,
    /// With port.
    pub address: String,
    pub application: String,
    pub tls: bool,
    pub sign_in: String,
    pub since: String,
    /// What the caller may do with it: `kill`.
    pub may: Vec<&'static str>,
}

/// Which sessions.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    user: Option<String>,
    database: Option<String>,
    /// How many at once.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
    /// `next` of the page before.
    after: Option<String>,
}

/// Sessions of clients: the caller's own, or everybody's for approvers and auditors
pub async fn list(
    State(api): State<Arc<Api>>,
    by: By<Read>,
    Query(filter): Query<Filter>,
) -> Result<Json<Page<Session>>, Problem> {
    let (limit, after) = (page::limit(filter.limit)?, page::number(filter.after.as_deref())?);
    let mut all = api.proxy.sessions();
    all.retain(|session| {
        may_see(&api.live, &by, session)
            && filter.user.as_ref().is_none_or(|user| session.who.user == *user)
            && filter.database.as_ref().is_none_or(|database| session.database == *database)
    });
    all.sort_by_key(|session| session.number);
    let shape = |session: ports::Session| {
        let may = may_end(&api.live, &by, &session).is_ok();
        Session {
            number: session.number,
            user: session.who.user.clone(),
            database: session.database,
            role: session.role,
            address: session.address,
            application: session.application,
            tls: session.tls,
            sign_in: session.how.text().to_owned(),
            since: time(
                session
                    .since
                    .duration_since(std::time::SystemTime::UNIX_EPOCH)
                    .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
            ),
            may: if may { vec!["kill"] } else { Vec::new() },
        }
    };
    Ok(Json(Page::cut(all, limit, after, |session| session.number, u64::to_string, shape)))
}

/// As of grants: approvers and auditors everybody's, others their own.
fn may_see(live: &Live, caller: &Caller, session: &ports::Session) -> bool {
    let (who, settings) = (&caller.who, live.settings());
    let own = session.who.user == who.user;
    own || (caller.may_use(&session.database) && (settings.may_approve(who) || settings.may_audit(who)))
}

/// One's own, or anybody's by who may take their grants away.
fn may_end(live: &Live, caller: &Caller, session: &ports::Session) -> Result<(), Problem> {
    if session.who.user == caller.who.user {
        return caller.check(Scope::Request);
    }
    if !live.settings().may_approve(&caller.who) {
        let message = format!("user \"{}\" may not end sessions of others", caller.who.user);
        return Err(
            Problem::new(What::NotAllowed, message).hint("Have somebody do it who may approve requests.")
        );
    }
    caller.check(Scope::Approve)
}

/// End a session: one's own, or anybody's for approvers
pub async fn end(
    State(api): State<Arc<Api>>,
    by: By<Read>,
    Number(number): Number,
) -> Result<NoContent, Problem> {
    let unknown = || {
        Problem::unknown(format!("there is no session {number} that you may see"))
            .hint("GET /v1/sessions lists them.")
    };
    let sessions = api.proxy.sessions();
    let session = sessions.iter().find(|session| session.number == number);
    let session = session.filter(|session| may_see(&api.live, &by, session)).ok_or_else(unknown)?;
    may_end(&api.live, &by, session)?;
    match api.proxy.end_session(number) {
        true => Ok(NoContent),
        false => Err(unknown()),
    }
}
