//! `/v1/session`: signing in with a password, and out again.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Extension, State};
use axum::http::HeaderValue;
use pgwarrant_audit::{Decision, Kind};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::answer::{Json, SignedIn, SignedOut};
use crate::api::Api;
use crate::caller::{By, Caller, Ends, Oneself, Via};
use crate::calls::whoami::Whoami;
use crate::identify::{cookie_name, is_secure, of_browser, of_refusal, source, too_many_failures};
use crate::input::Body;
use crate::ports::Refusal;
use crate::problem::{Problem, What};
use crate::rate::neighbourhood;
use crate::record;

/// Of a user's name, a password and a code, in bytes.
const MAX_USER: usize = 63;
const MAX_PASSWORD: usize = 1_024;
const MAX_CODE: usize = 64;

/// What somebody shows to be let in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    user: String,
    #[schema(format = Password)]
    password: String,
    /// Of the second factor, where one is needed.
    code: Option<String>,
}

/// Sign in with a password; sets a cookie
///
/// The header X-Pgwarrant-CSRF must be there, here and wherever the cookie changes something.
pub async fn begin(
    State(api): State<Arc<Api>>,
    Extension(ends): Extension<Ends>,
    Body(given): Body<Credentials>,
) -> Result<SignedIn<Whoami>, Problem> {
    let Credentials { user, password, code } = given;
    let too_long = user.len() > MAX_USER
        || password.len() > MAX_PASSWORD
        || code.as_ref().is_some_and(|code| code.len() > MAX_CODE);
    if too_long || user.contains('\0') || password.contains('\0') {
        return Err(Problem::new(What::Invalid, "this cannot be a user and a password")
            .hint(format!("Names have {MAX_USER} bytes at most, passwords {MAX_PASSWORD}.")));
    }
    let attempt = Attempt::begin(&api, ends, &user)?;
    let signed_in = api.sign_ins.password(&user, &password, code.as_deref(), source(ends)).await;
    let signed_in = match signed_in {
        Ok(signed_in) => signed_in,
        Err(refusal) => return Err(attempt.failed(refusal).await),
    };
    attempt.forgive();
    let begun = api.browsers.begin(signed_in, Instant::now()).map_err(|error| {
        tracing::error!(%error, "the system has no random numbers");
        Problem::internal()
    })?;
    let (browser, value) = begun
        .ok_or_else(|| Problem::new(What::Limit, "too many people are signed in").hint("Try again later."))?;
    let key = browser.key;
    let caller = of_browser(&api, ends, browser);
    if let Err(error) = api.trail.append(record::by(&caller, Kind::Login, Decision::Allowed)).await {
        tracing::error!(%error, "a sign-in could not be recorded");
        api.browsers.end(&key);
        return Err(Problem::no_trail());
    }
    Ok(SignedIn { cookie: cookie(&api, ends, Some(&value))?, body: Whoami::of(&api, &caller) })
}

/// A sign-in that counts as failed until it has succeeded, so that many at once cannot pass.
struct Attempt<'a> {
    api: &'a Api,
    ends: Ends,
    user: &'a str,
}

impl<'a> Attempt<'a> {
    fn begin(api: &'a Api, ends: Ends, user: &'a str) -> Result<Self, Problem> {
        let (now, address) = (Instant::now(), neighbourhood(ends.peer.ip()));
        api.failures_of_address.take(address, now).map_err(too_many_failures)?;
        if let Err(after) = api.failures_of_user.take(user.to_owned(), now) {
            api.failures_of_address.give_back(&address);
            return Err(too_many_failures(after));
        }
        Ok(Self { api, ends, user })
    }

    fn forgive(&self) {
        self.api.failures_of_address.give_back(&neighbourhood(self.ends.peer.ip()));
        self.api.failures_of_user.give_back(&self.user.to_owned());
    }

    async fn failed(&self, refusal: Refusal) -> Problem {
        let is_their_fault = !matches!(refusal, Refusal::Unavailable(_));
        if !is_their_fault {
            self.forgive();
        }
        let problem = of_refusal(refusal);
        let record = record::failed_sign_in(self.ends, self.user, &problem);
        if let Err(error) = self.api.trail.append(record).await {
            tracing::error!(%error, "a failed sign-in could not be recorded");
        }
        problem
    }
}

/// Sign out
pub async fn end(
    State(api): State<Arc<Api>>,
    Extension(ends): Extension<Ends>,
    by: By<Oneself>,
) -> Result<SignedOut, Problem> {
    let key = browser(&by)?;
    api.browsers.end(&key);
    api.announce_end();
    if let Err(error) = api.trail.append(record::by(&by, Kind::Logout, Decision::Allowed)).await {
        tracing::error!(%error, "a sign-out could not be recorded");
    }
    Ok(SignedOut(cookie(&api, ends, None)?))
}

/// A code of the second factor.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Code {
    code: String,
}

/// Show the second factor in this session
pub async fn second_factor(
    State(api): State<Arc<Api>>,
    Extension(ends): Extension<Ends>,
    by: By<Oneself>,
    Body(Code { code }): Body<Code>,
) -> Result<Json<Whoami>, Problem> {
    let key = browser(&by)?;
    if code.len() > MAX_CODE {
        return Err(Problem::new(What::Invalid, "this cannot be a code").hint("Codes have six digits."));
    }
    let attempt = Attempt::begin(&api, ends, &by.who.user)?;
    match api.sign_ins.second_factor(&by.who, &code).await {
        Ok(()) => attempt.forgive(),
        Err(Refusal::Wrong) => {
            attempt.failed(Refusal::Wrong).await;
            return Err(Problem::new(What::SecondFactor, "the code is not right")
                .hint("Give the code that is shown now."));
        }
        Err(other) => return Err(attempt.failed(other).await),
    }
    api.trail.append(record::by(&by, Kind::SecondFactor, Decision::Allowed)).await.map_err(|error| {
        tracing::error!(%error, "a second factor could not be recorded");
        Problem::no_trail()
    })?;
    api.browsers.second_factor_shown(&key, Instant::now());
    let mut caller = Caller::clone(&by);
    caller.context.second_factor_age = Some(std::time::Duration::ZERO);
    Ok(Json(Whoami::of(&api, &caller)))
}

fn browser(caller: &Caller) -> Result<crate::secret::Digest, Problem> {
    match &caller.via {
        Via::Browser(key) => Ok(*key),
        Via::Token { .. } | Via::Bearer | Via::Webhook { .. } => {
            Err(Problem::new(What::NotAllowed, "you have no session").hint("Sign in with POST /v1/session."))
        }
    }
}

/// None: the cookie is taken back.
fn cookie(api: &Api, ends: Ends, value: Option<&str>) -> Result<HeaderValue, Problem> {
    let secure = if is_secure(api, ends) { "; Secure" } else { "" };
    let (value, age) = match value {
        Some(value) => (value, api.settings.limits.session_lifetime.as_secs()),
        None => ("", 0),
    };
    let name = cookie_name(api, ends);
    let text = format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::try_from(text).map_err(|_| Problem::internal())
}
