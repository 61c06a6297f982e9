//! What a token says (RFC 7519, section 4.1; OpenID Connect Core 1.0, section 3.1.3.7), once its
//! signature has been verified.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::{Refused, Settings};
use crate::{Now, Verified, groups, name};

/// The last second of the year 9999: a date beyond it is none.
const LAST: f64 = 253_402_300_799.0;
/// Bytes of the claim that says which person this is (OpenID Connect Core 1.0, section 2: 255).
const MAX_PERSON: usize = 255;

/// Checks the claims of a token that was shown by `user`; `None`: by whomever it names.
pub(super) fn check(
    claims: &Map<String, Value>,
    settings: &Settings,
    user: Option<&str>,
    now: Now,
) -> Result<Verified, Refused> {
    if claims.get("iss").and_then(Value::as_str) != Some(&settings.issuer) {
        return Err(Refused::Issuer);
    }
    let audiences = texts(claims.get("aud")).ok_or(Refused::Audience)?;
    if !audiences.iter().any(|found| settings.audiences.iter().any(|ours| ours == found)) {
        return Err(Refused::Audience);
    }
    // Something else that the issuer signs for us: news of what happened to an account (RFC 8417).
    if claims.contains_key("events") {
        return Err(Refused::Claim("events"));
    }
    // Good together with a key only, which nobody can show here (RFC 7800).
    if claims.contains_key("cnf") {
        return Err(Refused::Claim("cnf"));
    }
    let until = check_times(claims, settings, now)?;
    let text = |claim: &str| claims.get(claim).and_then(Value::as_str).filter(|text| !text.is_empty());
    let named = text(&settings.user_claim).filter(|name| name::is_plain(name));
    let named = named.ok_or_else(|| Refused::NoUser(settings.user_claim.clone()))?;
    // Anybody can write any address into an account of their own.
    if settings.user_claim == "email" && claims.get("email_verified") != Some(&Value::Bool(true)) {
        return Err(Refused::Claim("email_verified"));
    }
    if user.is_some_and(|user| user != named) {
        return Err(Refused::AnotherUser);
    }
    let person = text(&settings.person_claim)
        .filter(|person| person.len() <= MAX_PERSON && !person.contains(char::is_control))
        .ok_or_else(|| Refused::NoUser(settings.person_claim.clone()))?;
    let realm = settings.realm.as_deref().unwrap_or(&settings.issuer);
    let theirs = at(claims, &settings.groups_claim);
    let theirs = match theirs {
        None | Some(Value::Null) => Vec::new(),
        theirs => texts(theirs).ok_or(Refused::Groups)?,
    };
    Ok(Verified {
        user: named.to_owned(),
        // An issuer has no fragment, so this can be read in one way.
        person: format!("{realm}#{person}"),
        groups: groups(theirs.into_iter(), &settings.groups),
        until: Some(until),
    })
}

/// When the token ends.
fn check_times(claims: &Map<String, Value>, settings: &Settings, now: Now) -> Result<SystemTime, Refused> {
    let at = |claim: &'static str| match claims.get(claim) {
        None => Ok(None),
        Some(value) => time(value).map(Some).ok_or(Refused::Claim(claim)),
    };
    let (expires, not_before, issued) = (at("exp")?, at("nbf")?, at("iat")?);
    let expires = expires.ok_or(Refused::Claim("exp"))?;
    let skew = settings.clock_skew;
    if expires + skew <= now.wall {
        return Err(Refused::Expired);
    }
    if not_before.into_iter().chain(issued).any(|time| time > now.wall + skew) {
        return Err(Refused::NotYet);
    }
    if expires > now.wall + settings.longest + skew {
        return Err(Refused::TooLong);
    }
    Ok(expires)
}

/// A `NumericDate`, which may have a fraction.
fn time(value: &Value) -> Option<SystemTime> {
    let seconds = value.as_f64().filter(|seconds| (0.0..=LAST).contains(seconds))?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds))
}

/// One text or several; `None`: something else.
fn texts(value: Option<&Value>) -> Option<Vec<&str>> {
    match value? {
        Value::String(text) => Some(vec![text]),
        Value::Array(items) => items.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// The claim at the end of a path through objects.
fn at<'c>(claims: &'c Map<String, Value>, path: &[String]) -> Option<&'c Value> {
    let (last, objects) = path.split_last()?;
    let mut object = claims;
    for name in objects {
        object = object.get(name)?.as_object()?;
    }
    object.get(last)
}
