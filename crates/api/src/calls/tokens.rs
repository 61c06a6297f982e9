//! `/v1/tokens`: of one's own, for programs.

use std::sync::Arc;

use axum::extract::State;
use pgwarrant_grants::{format_duration, parse_duration};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer::{Created, Json, NoContent};
use crate::api::{self, Api, time};
use crate::caller::{By, Oneself, Read, Scope, Somebody, Via};
use crate::input::{Body, Name, Query};
use crate::page::{self, Page};
use crate::problem::{Problem, What};
use crate::tokens::{self, Wanted};

const DEFAULT_LIFETIME: &str = "30 d";
/// Of a token's name, in bytes.
const MAX_NAME: usize = 100;

/// What a program shows instead of a password; not the token itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Token {
    pub id: String,
    pub name: String,
    pub scopes: Vec<Scope>,
    pub created_at: String,
    pub expires_at: String,
    /// To the minute.
    pub last_used_at: Option<String>,
    /// It approves this request, once, and is good for nothing else.
    pub approves_request: Option<u64>,
}

impl Token {
    fn of(token: &tokens::Token) -> Self {
        Self {
            id: token.id.clone(),
            name: token.name.clone(),
            scopes: token.scopes.clone(),
            created_at: time(token.created_at),
            expires_at: time(token.expires_at),
            last_used_at: token.last_used_at().map(time),
            approves_request: token.once,
        }
    }
}

/// A token that was just made: the one time that it is told.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MadeToken {
    pub id: String,
    pub name: String,
    pub scopes: Vec<Scope>,
    pub created_at: String,
    pub expires_at: String,
    pub last_used_at: Option<String>,
    /// To be sent as `Authorization: Bearer …`.
    pub token: String,
}

/// What a token is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for.
    name: String,
    /// `30 d`, where nothing else is said.
    lifetime: Option<String>,
    /// `read`, where nothing else is said.
    scopes: Option<Vec<Scope>>,
}

/// Make a token for a program; it takes who has signed in
pub async fn make(
    State(api): State<Arc<Api>>,
    by: By<Oneself>,
    Body(new): Body<NewToken>,
) -> Result<Created<MadeToken>, Problem> {
    let user = by.who.user.clone();
    must_have_tokens(&api, &user)?;
    let wanted = Wanted {
        user,
        name: name(new.name)?,
        scopes: scopes(new.scopes)?,
        lifetime: lifetime(new.lifetime.as_deref(), api.settings.limits.max_token_lifetime)?,
        once: None,
    };
    api.blocking(move |api| {
        let (token, text) = api.tokens.make(wanted, api::now())?;
        let Token { id, name, scopes, created_at, expires_at, last_used_at, .. } = Token::of(&token);
        let location = format!("/v1/tokens/{id}");
        let body = MadeToken { id, name, scopes, created_at, expires_at, last_used_at, token: text };
        Ok(Created { location, body })
    })
    .await
}

/// Only who is a user of the configuration can have tokens: of others their issuer knows.
pub fn must_have_tokens(api: &Api, user: &str) -> Result<(), Problem> {
    if api.sign_ins.user(user).is_some() {
        return Ok(());
    }
    Err(Problem::new(What::NotAllowed, format!("user \"{user}\" can have no tokens"))
        .detail("They are for users of pgwarrant's configuration.")
        .hint("Use tokens of your issuer."))
}

fn name(text: String) -> Result<String, Problem> {
    let name = text.trim();
    let good = !name.is_empty() && name.len() <= MAX_NAME && !name.contains(char::is_control);
    good.then(|| name.to_owned()).ok_or_else(|| {
        Problem::new(What::Invalid, "name cannot be the name of a token")
            .hint(format!("Say in 1 to {MAX_NAME} bytes what it is for."))
    })
}

fn scopes(given: Option<Vec<Scope>>) -> Result<Vec<Scope>, Problem> {
    let mut scopes = given.unwrap_or_else(|| vec![Scope::Read]);
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.is_empty() {
        return Err(Problem::new(What::Invalid, "the token would be good for nothing")
            .hint(format!("Name some of {}.", Scope::ALL.map(Scope::text).join(", "))));
    }
    Ok(scopes)
}

fn lifetime(text: Option<&str>, longest: std::time::Duration) -> Result<std::time::Duration, Problem> {
    let lifetime = match text {
        None => parse_duration(DEFAULT_LIFETIME)?.min(longest),
        Some(text) => parse_duration(text)?,
    };
    if lifetime <= longest {
        return Ok(lifetime);
    }
    let longest = format_duration(longest);
    Err(Problem::new(What::Invalid, "lifetime is longer than allowed")
        .hint(format!("Ask for {longest} or less, and make another token then.")))
}

/// Which tokens.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// How many at once.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
    /// `next` of the page before.
    after: Option<String>,
}

/// The caller's tokens that have not ended, in the order of their ids
pub async fn list(
    State(api): State<Arc<Api>>,
    by: By<Read>,
    Query(filter): Query<Filter>,
) -> Result<Json<Page<Token>>, Problem> {
    let limit = page::limit(filter.limit)?;
    let theirs = api.tokens.of(&by.who.user, api::now());
    let shape = |token: Arc<tokens::Token>| Token::of(&token);
    Ok(Json(Page::cut(theirs, limit, filter.after, |token| token.id.clone(), String::clone, shape)))
}

/// End a token of one's own at once; a token can end itself, so that it can be given back
pub async fn revoke(
    State(api): State<Arc<Api>>,
    by: By<Somebody>,
    Name(id): Name,
) -> Result<NoContent, Problem> {
    if by.via != (Via::Token { id: id.clone() }) {
        by.check_oneself()?;
    }
    let found = api
        .blocking(move |api| {
            let found = api.tokens.revoke(&by.who.user, &id);
            // Also where it could not be written: it has ended.
            api.announce_end();
            found
        })
        .await?;
    match found {
        true => Ok(NoContent),
        false => Err(Problem::unknown("you have no token of this id").hint("GET /v1/tokens lists yours.")),
    }
}
