//! `/v1/whoami`

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::Json;
use crate::api::{Api, time};
use crate::caller::{By, Caller, Read, Scope};
use crate::problem::Problem;

/// Whom the API takes the caller for, and what they may do.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Whoami {
    pub user: String,
    pub person: String,
    pub groups: Vec<String>,
    /// Those that they may connect to.
    pub databases: Vec<String>,
    /// `scram`, `certificate`, `oidc`, `ldap` or `token`.
    pub sign_in: String,
    /// `session` (of a browser), `token` (one of ours) or `bearer` (an issuer's).
    pub via: String,
    pub scopes: Vec<Scope>,
    pub address: String,
    pub tls: bool,
    /// Seconds since a second factor was last shown in this session.
    pub second_factor_age: Option<u64>,
    pub may_request: bool,
    pub may_approve: bool,
    pub may_audit: bool,
    /// When the credential ends.
    pub expires_at: Option<String>,
}

impl Whoami {
    pub fn of(api: &Api, caller: &Caller) -> Self {
        let settings = api.live.settings();
        Self {
            user: caller.who.user.clone(),
            person: caller.who.person().to_owned(),
            groups: caller.who.groups.clone(),
            databases: caller.databases.clone(),
            sign_in: caller.context.sign_in.text().to_owned(),
            via: caller.via.text().to_owned(),
            scopes: caller.scopes.clone(),
            address: caller.ends.peer.to_string(),
            tls: caller.ends.tls,
            second_factor_age: caller.context.second_factor_age.map(|age| age.as_secs()),
            may_request: settings.may_request(&caller.who),
            may_approve: settings.may_approve(&caller.who),
            may_audit: settings.may_audit(&caller.who),
            expires_at: caller.expires_at.map(time),
        }
    }
}

/// Whom the API takes the caller for, and what they may do
pub async fn whoami(State(api): State<Arc<Api>>, by: By<Read>) -> Result<Json<Whoami>, Problem> {
    Ok(Json(Whoami::of(&api, &by)))
}
