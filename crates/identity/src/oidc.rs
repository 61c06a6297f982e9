//! Sign-in with a token of an OpenID Connect issuer: a JWT that the client got by itself, shown as
//! a password or by OAUTHBEARER.
//!
//! A token that was revoked at the issuer is good until it expires: nobody tells us. Hence
//! [`Settings::longest`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pgwarrant_http::{Client, Url};
use serde_json::Value;

use crate::{GroupNames, Now, TrustError, UrlError, Verified};

mod claims;
mod jwk;
mod jws;
mod keys;
mod seen;

pub use jwk::Algorithm;
use jws::Unverified;
use keys::{Keys, Missing, Place, Source};
use seen::Seen;

/// Bytes of a token. More than a client can send in one message makes no sense.
const MAX_TOKEN: usize = 60_000;
/// Clocks that differ more than this are to be set right.
const MAX_SKEW: Duration = Duration::from_secs(300);

/// An issuer, and what its tokens mean here.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Exactly as in its tokens' claim `iss`: `https://login.example/realms/shop`.
    pub issuer: String,
    /// A token must be meant for one of these (`aud`): our client id, or the name of our resource.
    /// Not empty.
    pub audiences: Vec<String>,
    /// Where its keys are; `None`: where its `/.well-known/openid-configuration` says.
    pub jwks_uri: Option<String>,
    /// Authorities for its certificate, in PEM; `None`: the system's.
    pub ca: Option<PathBuf>,
    /// What tokens may be signed with. Not empty.
    pub algorithms: Vec<Algorithm>,
    /// The claim that holds the user's name. Of `preferred_username` the issuer must see to it that
    /// no two people have the same and nobody chooses their own; an `email` must be verified.
    pub user_claim: String,
    /// The claim that is the same for all accounts of a person, and for no one else.
    pub person_claim: String,
    /// Whose numbering of people `person_claim` is; `None`: the issuer's. Providers with the same
    /// realm mean the same person by the same value.
    pub realm: Option<String>,
    /// The path to the claim that holds the groups, one text or several: `["realm_access", "roles"]`.
    /// Empty: there are none.
    pub groups_claim: Vec<String>,
    pub groups: GroupNames,
    /// How far the issuer's clock and ours may differ; at most 5 minutes.
    pub clock_skew: Duration,
    /// Tokens that are good for longer are refused.
    pub longest: Duration,
    /// Each token signs in once, by its claim `jti`; in memory, so a restart forgets which have.
    /// Drivers that open several connections need several tokens then.
    pub single_use: bool,
    /// For one request to the issuer.
    pub timeout: Duration,
    /// Keys are fetched anew when they are older. A key that the issuer withdraws is good for as long.
    pub keys_refresh: Duration,
    /// While the issuer cannot be reached, keys are good until they are this old.
    pub keys_grace: Duration,
}

impl Settings {
    /// With what suits most issuers: `preferred_username`, `sub`, `groups`.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            audiences: vec![audience.into()],
            jwks_uri: None,
            ca: None,
            algorithms: vec![Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa],
            user_claim: "preferred_username".to_owned(),
            person_claim: "sub".to_owned(),
            realm: None,
            groups_claim: vec!["groups".to_owned()],
            groups: GroupNames::new(),
            clock_skew: Duration::from_secs(60),
            longest: Duration::from_secs(24 * 3600),
            single_use: false,
            timeout: Duration::from_secs(5),
            keys_refresh: Duration::from_secs(15 * 60),
            keys_grace: Duration::from_secs(8 * 3600),
        }
    }
}

/// What is wrong with [`Settings`].
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("issuer: {0}")]
    Issuer(UrlError),
    #[error("issuer: it must not have a query or a fragment, nor a space")]
    IssuerForm,
    #[error("jwks_uri: {0}")]
    JwksUri(UrlError),
    #[error("jwks_uri: must be https where the issuer is")]
    JwksPlain,
    #[error("ca: {0}")]
    Trust(#[from] TrustError),
    #[error("{0}: name at least one")]
    Empty(&'static str),
    #[error("clock_skew: at most {} s; set the clocks instead", MAX_SKEW.as_secs())]
    Skew,
    #[error("keys_grace: must not be less than keys_refresh")]
    Grace,
    #[error("{0}: longer than 100 years")]
    Duration(&'static str),
}

/// Why a token is refused. Nothing of the token is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the token is longer than {MAX_TOKEN} bytes")]
    Oversized,
    #[error("the token is not a signed JWT")]
    Malformed,
    #[error("the token's header has a \"{0}\" that is not accepted")]
    Header(&'static str),
    #[error("the token is signed with an algorithm that is not accepted")]
    Algorithm,
    #[error("the token is signed with a key that its issuer does not publish")]
    UnknownKey,
    #[error("the token's signature is wrong")]
    Signature,
    #[error("the token is of another issuer")]
    Issuer,
    #[error("the token is meant for somebody else")]
    Audience,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYet,
    #[error("the token is valid for too long")]
    TooLong,
    #[error("the token's claim \"{0}\" is missing or not accepted")]
    Claim(&'static str),
    #[error("the token's claim \"{0}\" names nobody")]
    NoUser(String),
    #[error("the token's groups are neither a text nor a list of texts")]
    Groups,
    #[error("the token belongs to another user")]
    AnotherUser,
    #[error("the token has been used")]
    Replayed,
    #[error("too many tokens have been used lately")]
    TooMany,
    /// Why is for the log.
    #[error("the identity provider cannot be reached")]
    Unavailable(Arc<str>),
}

impl Refused {
    /// 28000 `invalid_authorization_specification`; 57P03 `cannot_connect_now` where it may help to
    /// try again.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Self::Unavailable(_) | Self::TooMany => "57P03",
            _ => "28000",
        }
    }

    /// What to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unavailable(_) | Self::TooMany => "Try again later, or tell whoever runs the proxy.",
            Self::AnotherUser => "Connect as the user that the token was issued to.",
            Self::Expired | Self::Replayed => "Get a new token and connect again.",
            Self::NotYet => "Try again in a moment; if it stays, a clock is wrong.",
            Self::UnknownKey => "Get a new token; if it was new, try again in ten seconds.",
            Self::TooLong => "Get a token with a shorter lifetime, or have the limit raised.",
            _ => "Get a token from the identity provider that pgwarrant is configured for.",
        }
    }
}

/// An issuer whose tokens are accepted. A clone is the same issuer.
#[derive(Clone)]
pub struct Provider(Arc<Inner>);

impl std::fmt::Debug for Provider {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Provider").field(&self.0.settings.issuer).finish()
    }
}

struct Inner {
    settings: Settings,
    keys: Arc<Keys>,
    seen: Seen,
}

impl Provider {
    /// Connects nowhere.
    ///
    /// # Errors
    /// The settings cannot mean anything safe.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let issuer = Url::parse(&settings.issuer).map_err(SettingsError::Issuer)?;
        if settings.issuer.contains(['?', '#', ' ']) {
            return Err(SettingsError::IssuerForm);
        }
        if settings.audiences.iter().all(String::is_empty) {
            return Err(SettingsError::Empty("audiences"));
        }
        if settings.algorithms.is_empty() {
            return Err(SettingsError::Empty("algorithms"));
        }
        if settings.clock_skew > MAX_SKEW {
            return Err(SettingsError::Skew);
        }
        if settings.keys_grace < settings.keys_refresh {
            return Err(SettingsError::Grace);
        }
        if settings.longest > Duration::from_secs(100 * 366 * 24 * 3600) {
            return Err(SettingsError::Duration("longest"));
        }
        let place = match &settings.jwks_uri {
            Some(uri) => {
                let url = Url::parse(uri).map_err(SettingsError::JwksUri)?;
                if issuer.is_tls() && !url.is_tls() {
                    return Err(SettingsError::JwksPlain);
                }
                Place::Keys(url)
            }
            None => {
                let base = settings.issuer.trim_end_matches('/');
                let url = Url::parse(&format!("{base}/.well-known/openid-configuration"));
                Place::Discovery(url.map_err(SettingsError::Issuer)?)
            }
        };
        let client = Client::new(settings.ca.as_deref(), settings.timeout)?;
        let keys = Arc::new(Keys::new(Source {
            client,
            issuer: settings.issuer.clone(),
            place,
            refresh: settings.keys_refresh,
            grace: settings.keys_grace,
        }));
        Ok(Self(Arc::new(Inner { settings, keys, seen: Seen::default() })))
    }

    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Fetches the keys ahead of the first sign-in, or to see whether the settings are right.
    ///
    /// # Errors
    /// The issuer does not answer usefully: why, for a person.
    pub async fn warm(&self, now: Now) -> Result<(), Arc<str>> {
        match self.0.keys.refresh(now.steady).await {
            Ok(None) => Ok(()),
            Ok(Some(failure)) => Err(failure),
            Err(_) => Err("the attempt broke off".into()),
        }
    }

    /// Is this a token of `user`, good now? Must be called within a tokio runtime.
    ///
    /// # Errors
    /// Anything that is not right about it; [`Refused::Unavailable`] where it cannot be told.
    pub async fn verify(&self, token: &str, user: &str, now: Now) -> Result<Verified, Refused> {
        self.check(token, Some(user), now).await
    }

    /// As [`Provider::verify`], of the user that the token names: for clients that show a token and
    /// do not say who they are (RFC 6750).
    ///
    /// # Errors
    /// As [`Provider::verify`].
    pub async fn verify_bearer(&self, token: &str, now: Now) -> Result<Verified, Refused> {
        self.check(token, None, now).await
    }

    /// Is it one of this issuer's, by its own word? Nothing is verified by that.
    pub fn claims_to_have_issued(&self, token: &str) -> bool {
        token.len() <= MAX_TOKEN
            && jws::claimed_issuer(token).is_some_and(|issuer| issuer == self.0.settings.issuer)
    }

    async fn check(&self, token: &str, user: Option<&str>, now: Now) -> Result<Verified, Refused> {
        let Inner { settings, keys, seen } = &*self.0;
        if token.len() > MAX_TOKEN {
            return Err(Refused::Oversized);
        }
        let token = Unverified::parse(token, &settings.algorithms)?;
        let key = keys.find(token.kid.as_deref(), token.algorithm, now.steady).await;
        let key = key.map_err(|missing| match missing {
            Missing::Unknown => Refused::UnknownKey,
            Missing::Unavailable(why) => Refused::Unavailable(why),
        })?;
        let claims = token.claims(&key)?;
        let verified = claims::check(&claims, settings, user, now)?;
        if settings.single_use {
            let id = claims.get("jti").and_then(Value::as_str).filter(|id| !id.is_empty());
            let until = verified.until.unwrap_or(now.wall) + settings.clock_skew;
            let until = until.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() + 1);
            seen.spend(id.ok_or(Refused::Claim("jti"))?, until, now.unix())?;
        }
        Ok(verified)
    }
}
