//! An issuer's keys as far as we know them: fetched when they are needed, kept for a while, and
//! never asked for more often than the issuer can bear.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use pgwarrant_http::{Client, Url};
use serde_json::Value;
use tokio::sync::Mutex;

use super::jwk::{self, Algorithm, Key};
use crate::json;

const JSON: &str = "application/json";

/// Between two attempts, whoever asks: so that tokens with made-up keys do not make us a nuisance,
/// and an issuer that is down is not waited for by everybody.
pub(super) const BETWEEN: Duration = Duration::from_secs(10);

/// Where keys come from, and how long they are good.
pub(super) struct Source {
    pub(super) client: Client,
    pub(super) issuer: String,
    pub(super) place: Place,
    /// Older keys are fetched again.
    pub(super) refresh: Duration,
    /// Older keys are not used.
    pub(super) grace: Duration,
}

pub(super) enum Place {
    /// The issuer's description of itself, which names the place of the keys.
    Discovery(Url),
    Keys(Url),
}

pub(super) struct Keys {
    source: Source,
    known: RwLock<Option<Known>>,
    last: Mutex<Option<Attempt>>,
}

#[derive(Clone)]
struct Known {
    keys: Arc<[Key]>,
    since: Instant,
}

struct Attempt {
    at: Instant,
    failure: Option<Arc<str>>,
}

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The issuer does not publish it.
    Unknown,
    /// The issuer does not answer, or not usefully.
    Unavailable(Arc<str>),
}

impl Keys {
    pub(super) fn new(source: Source) -> Self {
        Self { source, known: RwLock::default(), last: Mutex::default() }
    }

    /// The key that a token names. It is fetched if we do not have it, within limits.
    pub(super) async fn find(
        self: &Arc<Self>,
        kid: Option<&str>,
        algorithm: Algorithm,
        now: Instant,
    ) -> Result<Key, Missing> {
        if let Some((key, age)) = self.known(kid, algorithm, now) {
            if age >= self.source.refresh {
                drop(self.refresh(now));
            }
            return Ok(key);
        }
        let failure = self.refresh(now).await.unwrap_or_else(|_| Some("the attempt broke off".into()));
        match (self.known(kid, algorithm, now), failure) {
            (Some((key, _)), _) => Ok(key),
            (None, None) => Err(Missing::Unknown),
            (None, Some(failure)) => Err(Missing::Unavailable(failure)),
        }
    }

    /// The one key that fits, and how old our knowledge of it is.
    fn known(&self, kid: Option<&str>, algorithm: Algorithm, now: Instant) -> Option<(Key, Duration)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        let age = now.saturating_duration_since(known.since);
        if age >= self.source.grace {
            return None;
        }
        let mut fitting = known
            .keys
            .iter()
            .filter(|key| key.fits(algorithm) && (kid.is_none() || key.kid.as_deref() == kid));
        // Two that fit: nothing says which of them it is.
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Some((key.clone(), age)),
            _ => None,
        }
    }

    /// Fetches the keys, unless somebody has just tried; why the last attempt failed, if it did.
    /// It goes on when nobody waits for it: who hangs up early must not make the next one ask again.
    pub(super) fn refresh(self: &Arc<Self>, now: Instant) -> tokio::task::JoinHandle<Option<Arc<str>>> {
        let keys = Arc::clone(self);
        tokio::spawn(async move { keys.attempt(now).await })
    }

    async fn attempt(&self, now: Instant) -> Option<Arc<str>> {
        let mut last = self.last.lock().await;
        if let Some(last) = &*last
            && now.saturating_duration_since(last.at) < BETWEEN
        {
            return last.failure.clone();
        }
        let failure = match self.source.fetch().await {
            Ok(keys) => {
                let known = Known { keys: keys.into(), since: now };
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
                None
            }
            Err(failure) => {
                let issuer = &self.source.issuer;
                tracing::warn!(%issuer, %failure, "an issuer's keys could not be fetched");
                Some(Arc::from(failure))
            }
        };
        *last = Some(Attempt { at: now, failure: failure.clone() });
        failure
    }
}

impl Source {
    async fn fetch(&self) -> Result<Vec<Key>, String> {
        let discovered;
        let url = match &self.place {
            Place::Keys(url) => url,
            Place::Discovery(url) => {
                discovered = self.discover(url).await.map_err(|problem| format!("discovery: {problem}"))?;
                &discovered
            }
        };
        let body = self.client.get(url, JSON).await.map_err(|problem| format!("keys: {problem}"))?;
        jwk::key_set(&body).map_err(|problem| format!("keys: {problem}"))
    }

    /// OpenID Connect Discovery 1.0, section 4.3.
    async fn discover(&self, url: &Url) -> Result<Url, String> {
        let body = self.client.get(url, JSON).await.map_err(|problem| problem.to_string())?;
        let document = json::object(&body).map_err(|problem| problem.to_string())?;
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        if text("issuer") != Some(&self.issuer) {
            return Err("it names another issuer: write issuer as the provider does".to_owned());
        }
        let keys = text("jwks_uri").ok_or("it has no jwks_uri")?;
        let keys = Url::parse(keys).map_err(|problem| problem.to_string())?;
        if url.is_tls() && !keys.is_tls() {
            return Err("its jwks_uri is not https".to_owned());
        }
        Ok(keys)
    }
}
