//! Who makes the calls: which server, with which credential.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use crate::args::At;
use crate::call::{Caller, Server, origin};
use crate::credentials::{self, Entry, Issuer};
use crate::failure::{Failure, Status};
use crate::oauth::{self, Tokens};

/// Where a proxy's API is, if nothing else is said.
const HERE: &str = "http://127.0.0.1:6480";
/// A token that ends sooner is renewed first.
const SOON: SignedDuration = SignedDuration::from_secs(60);

/// A server, and what is kept for it.
pub struct Place {
    pub origin: String,
    pub ca: Option<PathBuf>,
    pub entry: Option<Entry>,
}

impl Place {
    /// By the argument, PGWARRANT_SERVER, the last login, or on this machine.
    pub fn find(at: &At) -> Result<Self, Failure> {
        let given = at.server.clone().or_else(|| variable("PGWARRANT_SERVER"));
        // Who brings everything needs no home.
        let kept = match credentials::directory() {
            Ok(directory) => credentials::load(&directory),
            Err(_) => Ok(credentials::Credentials::default()),
        };
        let mut kept = match kept {
            Ok(kept) => kept,
            Err(_) if given.is_some() && token().is_some() => credentials::Credentials::default(),
            Err(failure) => return Err(failure),
        };
        let given = given.or(kept.default.take());
        let origin = origin(given.as_deref().unwrap_or(HERE))?;
        let entry = kept.server.remove(&origin);
        let ca = at.ca.clone().or_else(|| entry.as_ref().and_then(|entry| entry.ca.clone()));
        Ok(Self { origin, ca, entry })
    }

    pub fn server(&self) -> Result<Server, Failure> {
        Server::new(self.origin.clone(), self.ca.as_deref())
    }

    /// With PGWARRANT_TOKEN, or what the last login has left.
    pub async fn caller(&self) -> Result<Caller, Failure> {
        self.server()?.bearer(&self.token().await?)
    }

    /// The bearer token of [`Place::caller`].
    pub async fn token(&self) -> Result<String, Failure> {
        if let Some(token) = token() {
            return Ok(token);
        }
        let not = |message: String| Failure::new(Status::SignIn, message).hint("Run \"pgwarrant login\".");
        let entry =
            self.entry.as_ref().ok_or_else(|| not(format!("you are not signed in at {}", self.origin)))?;
        let now = Timestamp::now();
        let ends = |within| entry.ends().is_some_and(|at| at.duration_since(now) <= within);
        match &entry.issuer {
            Some(issuer) if issuer.refresh_token.is_some() && ends(SOON) => {
                Ok(self.renew(entry, issuer).await?.token)
            }
            _ if ends(SignedDuration::ZERO) => {
                Err(not(format!("the sign-in of \"{}\" at {} has expired", entry.user, self.origin)))
            }
            _ => Ok(entry.token.clone()),
        }
    }

    async fn renew(&self, entry: &Entry, issuer: &Issuer) -> Result<Entry, Failure> {
        let refresh = issuer.refresh_token.as_deref().unwrap_or_default();
        let renewed = async {
            let found = oauth::Issuer::discover(&issuer.url, &issuer.client_id, issuer.ca.as_deref()).await?;
            found.refresh(refresh).await
        };
        let Tokens { access, id, refresh, expires_at } = match renewed.await {
            Ok(tokens) => tokens,
            // Another program may have been faster, or the old one may be good still.
            Err(failure) => {
                let is_good = entry.ends().is_some_and(|at| at > Timestamp::now());
                return self.newer(entry).or(is_good.then(|| entry.clone())).ok_or(failure);
            }
        };
        let token = match issuer.is_id_token {
            true => id.ok_or_else(|| {
                Failure::new(Status::SignIn, "the issuer has renewed the sign-in without an ID token")
                    .hint("Run \"pgwarrant login\" again.")
            })?,
            false => access,
        };
        let refresh_token = refresh.or_else(|| issuer.refresh_token.clone());
        let issuer = Some(Issuer { refresh_token, ..issuer.clone() });
        let expires_at = expires_at.map(|at| at.to_string());
        let renewed = Entry { token, expires_at, issuer, ..entry.clone() };
        keep(&self.origin, renewed.clone(), false)?;
        Ok(renewed)
    }

    /// What is kept by now, if it is another token.
    fn newer(&self, entry: &Entry) -> Option<Entry> {
        let kept = credentials::load(&credentials::directory().ok()?).ok()?;
        kept.server.get(&self.origin).filter(|kept| kept.token != entry.token).cloned()
    }
}

/// Keeps an entry; as that of the last login, where it is one.
pub fn keep(origin: &str, entry: Entry, is_login: bool) -> Result<(), Failure> {
    credentials::update(&credentials::directory()?, |kept| {
        if is_login {
            kept.default = Some(origin.to_owned());
        }
        kept.server.insert(origin.to_owned(), entry);
    })
}

/// Forgets what is kept for a server.
pub fn forget(directory: &Path, origin: &str) -> Result<(), Failure> {
    credentials::update(directory, |kept| {
        kept.server.remove(origin);
        kept.default.take_if(|default| default == origin);
    })
}

/// PGWARRANT_TOKEN.
pub fn token() -> Option<String> {
    variable("PGWARRANT_TOKEN")
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}
