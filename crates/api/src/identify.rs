//! From the headers of a call to who makes it.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::http::{HeaderMap, header};
use pgwarrant_grants::{Context, Principal, SignIn, Source, WallMs};

use crate::api::{self, Api};
use crate::browsers::Browser;
use crate::caller::{Caller, Ends, Scope, Via};
use crate::ports::Refusal;
use crate::problem::{Problem, What};
use crate::rate::neighbourhood;
use crate::record;

/// The cookie's name. Where it is Secure, `__Host-` keeps others from setting it (RFC 6265bis, 4.1.3.2).
pub const COOKIE: &str = "pgwarrant";
pub const SECURE_COOKIE: &str = "__Host-pgwarrant";

/// None: they show nothing, or a cookie that is not good any more. A token that is not good is
/// refused.
pub async fn identify(api: &Api, ends: Ends, headers: &HeaderMap) -> Result<Option<Arc<Caller>>, Problem> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    match (given.next(), given.next()) {
        (None, _) => Ok(of_cookie(api, ends, headers).map(Arc::new)),
        (Some(given), None) => {
            let text = given.to_str().unwrap_or_default();
            match of_token(api, ends, text).await {
                Ok(caller) => Ok(Some(Arc::new(caller))),
                Err(problem) => Err(note_failure(api, ends, problem).await),
            }
        }
        (Some(_), Some(_)) => Err(Problem::sign_in("there are two headers Authorization")),
    }
}

async fn of_token(api: &Api, ends: Ends, given: &str) -> Result<Caller, Problem> {
    let refused = || Problem::sign_in("the token is not good");
    let (scheme, token) = given.split_once(' ').ok_or_else(refused)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || !is_b64token(token) {
        return Err(Problem::sign_in("the header Authorization holds no bearer token"));
    }
    if token.starts_with("pgw_") {
        let token = api.tokens.check(token, api::now()).ok_or_else(refused)?;
        let who = api.sign_ins.user(&token.user).ok_or_else(refused)?;
        let via = Via::Token { id: token.id.clone() };
        let scopes = token.scopes.clone();
        let caller = caller(api, ends, who, SignIn::Token, via, scopes, Some(token.expires_at));
        return Ok(Caller { approves_only: token.once, ..caller });
    }
    let signed_in = api.sign_ins.bearer(token, source(ends)).await.map_err(|refusal| match refusal {
        Refusal::Wrong => refused(),
        other => of_refusal(other),
    })?;
    let until = signed_in.until.map(wall);
    Ok(caller(api, ends, signed_in.who, signed_in.how, Via::Bearer, Scope::ALL.to_vec(), until))
}

fn of_cookie(api: &Api, ends: Ends, headers: &HeaderMap) -> Option<Caller> {
    let value = cookie(headers, cookie_name(api, ends))?;
    let browser = api.browsers.find(value, Instant::now())?;
    Some(of_browser(api, ends, browser))
}

/// Who signed in with a password.
pub fn of_browser(api: &Api, ends: Ends, browser: Browser) -> Caller {
    let now = Instant::now();
    let until = Some(wall(browser.ends_at(now)));
    let via = Via::Browser(browser.key);
    let mut caller = caller(api, ends, browser.who, browser.how, via, Scope::ALL.to_vec(), until);
    let shown = browser.second_factor_at.filter(|at| !api.sign_ins.second_factor_removed(&caller.who, *at));
    caller.context.second_factor_age = shown.map(|at| now.saturating_duration_since(at));
    caller
}

pub fn caller(
    api: &Api,
    ends: Ends,
    who: Principal,
    how: SignIn,
    via: Via,
    scopes: Vec<Scope>,
    expires_at: Option<WallMs>,
) -> Caller {
    let databases = api.proxy.databases_of(&who);
    let context =
        Context { source: source(ends), sign_in: how, second_factor_age: None, estimated_rows: None };
    Caller { who, context, via, scopes, approves_only: None, ends, expires_at, databases }
}

pub fn source(ends: Ends) -> Source {
    Source { address: Some(ends.peer.ip().to_canonical()), tls: ends.tls }
}

/// Is the cookie for https alone?
pub fn is_secure(api: &Api, ends: Ends) -> bool {
    ends.tls || api.settings.public_url.as_ref().is_some_and(crate::settings::Origin::is_https)
}

pub fn cookie_name(api: &Api, ends: Ends) -> &'static str {
    if is_secure(api, ends) { SECURE_COOKIE } else { COOKIE }
}

/// RFC 6750, section 2.1.
fn is_b64token(text: &str) -> bool {
    let letters = text.trim_end_matches('=');
    !letters.is_empty()
        && letters.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

/// The cookie's value; None also where it is there twice, since one of them is somebody else's.
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(found, _)| *found == name).map(|(_, value)| value);
    values.next().filter(|_| values.next().is_none())
}

pub fn of_refusal(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Wrong => Problem::sign_in("password authentication failed").sqlstate("28P01"),
        Refusal::SecondFactor => Problem::new(What::SecondFactor, "a code of the second factor is needed")
            .sqlstate("28000")
            .hint("Send it as \"code\"."),
        Refusal::Unavailable(why) => {
            tracing::warn!(why, "who signs in could not be asked");
            Problem::new(What::Unavailable, "who you are cannot be asked at the moment").hint("Try again.")
        }
    }
}

/// Counts and records a token, or a message, that is not good; past the limit neither it nor another is looked at.
pub async fn note_failure(api: &Api, ends: Ends, problem: Problem) -> Problem {
    if problem.status >= 500 {
        return problem;
    }
    match api.failures_of_address.take(neighbourhood(ends.peer.ip()), Instant::now()) {
        Ok(()) => {
            if let Err(error) = api.trail.append(record::failed_sign_in(ends, "", &problem)).await {
                tracing::error!(%error, "a failed sign-in could not be recorded");
            }
            problem
        }
        Err(after) => too_many_failures(after),
    }
}

pub fn too_many_failures(after: std::time::Duration) -> Problem {
    Problem::new(What::Rate, "too many failed sign-ins")
        .hint("Wait as long as Retry-After says.")
        .retry_after(after)
}

fn wall(at: SystemTime) -> WallMs {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_cookie_that_is_there_twice_is_nobody_s() {
        let read = |texts: &[&'static str]| {
            let mut headers = HeaderMap::new();
            texts.iter().for_each(|text| _ = headers.append(header::COOKIE, HeaderValue::from_static(text)));
            cookie(&headers, COOKIE).map(str::to_owned)
        };
        for (texts, value) in [
            (&["pgwarrant=abc"][..], Some("abc")),
            (&["a=b; pgwarrant=abc; c=d"], Some("abc")),
            (&["pgwarrant=abc; pgwarrant=evil"], None),
            (&["pgwarrant=abc", "pgwarrant=evil"], None),
            (&["__Host-pgwarrant=abc"], None),
            (&["xpgwarrant=abc"], None),
            (&["pgwarrant"], None),
            (&[], None),
        ] {
            assert_eq!(read(texts).as_deref(), value, "{texts:?}");
        }
    }
}
