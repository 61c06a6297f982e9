//! `pgwarrant login` and `logout`

use serde_json::Value;

use super::tokens;
use crate::args::{At, LoginFlags, Wanted};
use crate::asking;
use crate::call::escape;
use crate::credentials::{self, Entry, Issuer};
use crate::failure::{Failure, Status};
use crate::oauth;
use crate::output::{line, note, text, time};
use crate::signed_in::{Place, forget, keep};

/// What pgwarrant's own tokens begin with; then their id, and the secret.
const OURS: &str = "pgw_";

pub async fn login(place: &Place, at: &At, login: &LoginFlags) -> Result<Status, Failure> {
    // Before anything is asked or made that could not be kept.
    credentials::update(&credentials::directory()?, |_| ())?;
    let ca = at.ca.as_ref().map(std::path::absolute).transpose();
    let ca = ca.map_err(|error| Failure::unusable(format!("--ca cannot be found: {error}")))?;
    let entry = match &login.issuer {
        Some(issuer) => at_issuer(place, issuer, login).await?,
        None => with_password(place, login).await?,
    };
    let entry = Entry { ca: ca.or_else(|| place.ca.clone()), ..entry };
    let until = entry.ends().map(|at| format!(" until {at:.0}").replace('T', " ")).unwrap_or_default();
    let said = format!("signed in at {} as {}{until}", place.origin, entry.user);
    keep(&place.origin, entry, true)?;
    line(&said)?;
    Ok(Status::Done)
}

async fn with_password(place: &Place, login: &LoginFlags) -> Result<Entry, Failure> {
    let user = login.user.clone().map_or_else(asking::user, Ok)?;
    let password = asking::secret("password", &format!("Password of {user}: "))?;
    let session = place.server()?.sign_in(&user, &password, None).await?;
    let scopes = match login.scopes.as_slice() {
        [] => ["read", "request", "approve"].map(str::to_owned).to_vec(),
        some => some.to_vec(),
    };
    let wanted = Wanted { scopes, lifetime: Some(login.lifetime.clone()) };
    let made = session.post("/v1/tokens", &tokens::body(&format!("login on {}", machine()), &wanted)).await;
    if made.is_ok()
        && let Some(old) = place.entry.as_ref().filter(|old| old.user == user).and_then(|old| id(&old.token))
    {
        // It takes the place of this one, and may have ended by itself.
        let _ = session.delete(&format!("/v1/tokens/{}", escape(old))).await;
    }
    session.sign_out().await;
    let made: Value = made?;
    let expires_at = Some(text(&made, "expires_at").to_owned()).filter(|text| !text.is_empty());
    Ok(Entry { user, token: text(&made, "token").to_owned(), expires_at, ca: None, issuer: None })
}

async fn at_issuer(place: &Place, url: &str, login: &LoginFlags) -> Result<Entry, Failure> {
    let server = place.server()?;
    let issuer_ca = login.issuer_ca.as_ref().map(std::path::absolute).transpose();
    let issuer_ca =
        issuer_ca.map_err(|error| Failure::unusable(format!("--issuer-ca cannot be found: {error}")))?;
    let issuer = oauth::Issuer::discover(url, &login.client_id, issuer_ca.as_deref()).await?;
    let tokens = issuer.sign_in(&login.issuer_scope).await?;
    // Which of them is meant for the proxy is the issuer's configuration and the proxy's: RFC 9068
    // has access tokens, OpenID Connect ID tokens.
    let access = server.clone().bearer(&tokens.access)?.get("/v1/whoami").await.map_err(Failure::from);
    let (who, token, is_id_token) = match (access, tokens.id) {
        (Ok(who), _) => (who, tokens.access, false),
        (Err(failure), Some(id)) if failure.status == Status::SignIn => {
            let who =
                server.bearer(&id)?.get("/v1/whoami").await.map_err(Failure::from).map_err(not_taken)?;
            (who, id, true)
        }
        (Err(failure), _) => return Err(not_taken(failure)),
    };
    let until = text(&who, "expires_at");
    let expires_at = match until.is_empty() {
        true => tokens.expires_at.map(|at| at.to_string()),
        false => Some(until.to_owned()),
    };
    let issuer = Issuer {
        url: url.to_owned(),
        client_id: login.client_id.clone(),
        is_id_token,
        refresh_token: tokens.refresh,
        ca: issuer_ca,
    };
    Ok(Entry { user: text(&who, "user").to_owned(), token, expires_at, ca: None, issuer: Some(issuer) })
}

fn not_taken(failure: Failure) -> Failure {
    match failure.status {
        Status::SignIn => Failure::new(Status::SignIn, "the proxy does not accept the issuer's tokens")
            .detail("You have signed in there, but none of its tokens is good here.")
            .hint("Is the issuer in [[identity.oidc]], with the audience of its tokens? The audit trail says why (login_failed)."),
        _ => failure,
    }
}

pub async fn logout(place: &Place) -> Result<Status, Failure> {
    let Some(entry) = &place.entry else {
        note(&format!("you are not signed in at {}", place.origin));
        return Ok(Status::Done);
    };
    // First: what is not here any more cannot be stolen here.
    forget(&credentials::directory()?, &place.origin)?;
    let ended = match id(&entry.token) {
        Some(id) => place.server()?.bearer(&entry.token)?.delete(&format!("/v1/tokens/{}", escape(id))).await,
        // An issuer's ends by itself.
        None => Ok(()),
    };
    match ended.map_err(Failure::from) {
        Ok(()) => {}
        // It has ended already.
        Err(failure) if failure.status == Status::SignIn => {}
        Err(failure) => {
            return Err(Failure::new(
                failure.status,
                format!("the token is forgotten here, but could not be ended: {}", failure.message),
            )
            .hint(format!(
                "It ends by itself{}; \"pgwarrant token list\" shows it, after a login.",
                until(entry)
            )));
        }
    }
    line(&format!("signed out at {}", place.origin))?;
    Ok(Status::Done)
}

fn until(entry: &Entry) -> String {
    let value = serde_json::json!({ "at": entry.expires_at });
    match time(&value, "at").as_str() {
        "" => String::new(),
        at => format!(" at {at}"),
    }
}

/// Of one of pgwarrant's own tokens, what names it.
fn id(token: &str) -> Option<&str> {
    token.strip_prefix(OURS)?.split_once('_').map(|(id, _)| id)
}

/// The name of this machine, so that its token is known among others.
fn machine() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name.trim().chars().filter(char::is_ascii_graphic).take(64).collect();
    if name.is_empty() { "some machine".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pgwarrant_s_own_tokens_have_an_id() {
        assert_eq!(id("pgw_bc5dbeecab0ed837_9kSN_llT3"), Some("bc5dbeecab0ed837"));
        assert_eq!((id("eyJhbGciOi.x.y"), id("pgw_"), id("")), (None, None, None));
    }
}
