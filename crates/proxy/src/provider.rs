//! Who verifies passwords and tokens that we have no verifier for, as `wire` wants to be told.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pgwarrant_grants::SignIn;
use pgwarrant_identity::{Now, Verified, ldap, oidc};
use pgwarrant_wire::auth::{Bearer, Credential, Discovery, External};
use pgwarrant_wire::error::Report;

use crate::error::Error;
use crate::settings::{self, ProviderKind};

/// An identity provider; it connects when it is asked.
#[derive(Debug)]
pub struct Provider {
    name: Arc<str>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Oidc { issuer: oidc::Provider, discovery: Discovery },
    Ldap { directory: ldap::Directory, max_lifetime: Duration },
}

/// What a provider said of a user.
#[derive(Debug)]
pub struct Known {
    pub user: Verified,
    pub sign_in: SignIn,
    pub provider: Arc<str>,
    /// Sessions end then.
    pub until: Option<SystemTime>,
}

impl Provider {
    /// Connects nowhere.
    ///
    /// # Errors
    /// The settings cannot mean anything safe.
    pub fn new(settings: &settings::Provider) -> Result<Self, Error> {
        let wrong = |problem: String| Error::Provider { provider: settings.name.clone(), problem };
        let kind = match &settings.kind {
            ProviderKind::Oidc { issuer, scope } => Kind::Oidc {
                discovery: Discovery::new(&issuer.issuer, scope).map_err(|error| wrong(error.to_string()))?,
                issuer: oidc::Provider::new((**issuer).clone()).map_err(|error| wrong(error.to_string()))?,
            },
            ProviderKind::Ldap { directory, max_lifetime } => Kind::Ldap {
                directory: ldap::Directory::new((**directory).clone())
                    .map_err(|error| wrong(error.to_string()))?,
                max_lifetime: *max_lifetime,
            },
        };
        Ok(Self { name: settings.name.as_str().into(), kind })
    }

    /// Fetches an issuer's keys ahead of the first sign-in, or connects to a directory: to see whether
    /// the settings are right. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// It does not answer usefully: why, for a person.
    pub async fn warm(&self) -> Result<(), Arc<str>> {
        match &self.kind {
            Kind::Oidc { issuer, .. } => issuer.warm(Now::read()).await,
            Kind::Ldap { directory, .. } => directory.warm().await,
        }
    }

    /// Where clients get tokens; none: this one knows passwords only.
    pub(crate) fn bearer(&self) -> Option<Bearer<'_, Self>> {
        match &self.kind {
            Kind::Oidc { discovery, .. } => Some(Bearer { external: self, discovery }),
            Kind::Ldap { .. } => None,
        }
    }

    /// Verifies a token of the user that it names. None: it is not of this provider, by its own word.
    pub(crate) async fn verify_bearer(&self, token: &str) -> Option<Result<Known, Report>> {
        let Kind::Oidc { issuer, .. } = &self.kind else { return None };
        if !issuer.claims_to_have_issued(token) {
            return None;
        }
        Some(match issuer.verify_bearer(token, Now::read()).await {
            Ok(verified) => {
                let until = end(issuer, &verified);
                Ok(self.known(verified, SignIn::Oidc, until))
            }
            Err(refused) => Err(refused_token("the user that it names", &refused)),
        })
    }

    fn known(&self, user: Verified, sign_in: SignIn, until: Option<SystemTime>) -> Known {
        Known { user, sign_in, provider: Arc::clone(&self.name), until }
    }
}

impl External for Provider {
    type Verified = Known;

    /// A token may be shown as a password, by clients that know nothing of OAUTHBEARER.
    async fn verify(&self, user: &str, credential: Credential<'_>) -> Result<Known, Report> {
        let now = Now::read();
        match (&self.kind, credential) {
            (Kind::Oidc { issuer, .. }, Credential::Token(token) | Credential::Password(token)) => {
                let verified = issuer.verify(token, user, now).await;
                let verified =
                    verified.map_err(|refused| refused_token(&format!("user \"{user}\""), &refused))?;
                let until = end(issuer, &verified);
                Ok(self.known(verified, SignIn::Oidc, until))
            }
            (Kind::Ldap { directory, max_lifetime }, Credential::Password(password)) => {
                let verified = directory.verify(user, password).await.map_err(|refused| {
                    let whose = format!("user \"{user}\"");
                    failed("LDAP", &whose, &refused, refused.sqlstate()).hint(refused.hint())
                })?;
                Ok(self.known(verified, SignIn::Ldap, now.wall.checked_add(*max_lifetime)))
            }
            (Kind::Ldap { .. }, Credential::Token(_)) => {
                let whose = format!("user \"{user}\"");
                Err(failed("token", &whose, &"this user signs in with a password", "28000")
                    .hint("Give the password of the directory."))
            }
        }
    }
}

/// As long as the token would have been let in.
fn end(issuer: &oidc::Provider, verified: &Verified) -> Option<SystemTime> {
    verified.until.and_then(|until| until.checked_add(issuer.settings().clock_skew))
}

fn refused_token(whose: &str, refused: &oidc::Refused) -> Report {
    failed("token", whose, refused, refused.sqlstate()).hint(refused.hint())
}

fn failed(what: &str, whose: &str, why: &dyn std::fmt::Display, sqlstate: &'static str) -> Report {
    Report::fatal(sqlstate, format!("{what} authentication failed for {whose}: {why}"))
}
