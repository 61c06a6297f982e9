//! What all calls share.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgwarrant_audit::Trail;
use pgwarrant_grants::{Live, WallMs};
use tokio::sync::{Semaphore, watch};

use crate::browsers::Browsers;
use crate::caller::{Caller, Via};
use crate::ports::{Proxy, SignIns};
use crate::problem::Problem;
use crate::rate::Rate;
use crate::repeats::Repeats;
use crate::settings::Settings;
use crate::streams::Streams;
use crate::tokens::Tokens;

/// Queries of the trail at once: each may read all of it.
const QUERIES: usize = 2;
/// Failed sign-ins: so many at once, and then one each.
const FAILURES: u32 = 10;
const FAILURE_OF_ADDRESS: Duration = Duration::from_secs(6);
const FAILURE_OF_USER: Duration = Duration::from_secs(15);

/// What the API stands on.
pub struct Parts {
    pub live: Live,
    pub trail: Trail,
    pub proxy: Arc<dyn Proxy>,
    pub sign_ins: Arc<dyn SignIns>,
    pub tokens: Tokens,
    pub repeats: Repeats,
    /// Messages of other systems.
    pub deliveries: Repeats,
    pub settings: Settings,
}

pub struct Api {
    pub live: Live,
    pub trail: Trail,
    pub proxy: Arc<dyn Proxy>,
    pub sign_ins: Arc<dyn SignIns>,
    pub tokens: Tokens,
    pub browsers: Browsers,
    pub repeats: Repeats,
    pub deliveries: Repeats,
    pub streams: Streams,
    pub queries: Semaphore,
    pub rate_of_address: Rate<IpAddr>,
    pub rate_of_user: Rate<String>,
    /// By the name of its `[[inbound]]`.
    pub rate_of_webhook: Rate<String>,
    pub failures_of_address: Rate<IpAddr>,
    pub failures_of_user: Rate<String>,
    /// Changes when a credential ends before its time: who still acts on one looks again.
    pub ended: watch::Sender<u64>,
    pub settings: Settings,
}

impl Api {
    pub fn new(parts: Parts) -> Self {
        let limits = &parts.settings.limits;
        Self {
            browsers: Browsers::new(limits.session_lifetime),
            streams: Streams::new(limits.streams_per_user),
            queries: Semaphore::new(QUERIES),
            rate_of_address: rate(limits.requests_per_address),
            rate_of_user: rate(limits.requests_per_user),
            rate_of_webhook: rate(limits.requests_per_user),
            failures_of_address: Rate::new(FAILURE_OF_ADDRESS, FAILURES),
            failures_of_user: Rate::new(FAILURE_OF_USER, FAILURES),
            ended: watch::channel(0).0,
            live: parts.live,
            trail: parts.trail,
            proxy: parts.proxy,
            sign_ins: parts.sign_ins,
            tokens: parts.tokens,
            repeats: parts.repeats,
            deliveries: parts.deliveries,
            settings: parts.settings,
        }
    }

    /// Is the credential still good, with which somebody called?
    pub fn is_good(&self, caller: &Caller) -> bool {
        let now = now();
        caller.expires_at.is_none_or(|until| now < until)
            && match &caller.via {
                Via::Browser(key) => self.browsers.is_live(key, Instant::now()),
                Via::Token { id } => self.tokens.is_live(id, now),
                Via::Bearer | Via::Webhook { .. } => true,
            }
    }

    /// To be called after somebody has approved: a token for that has done what it was for. Should it
    /// stay in the store, it is good for nothing: who has approved a request cannot approve it again.
    pub fn spend(&self, caller: &Caller) {
        if let (Some(_), Via::Token { id }) = (caller.approves_only, &caller.via) {
            if let Err(problem) = self.tokens.revoke(&caller.who.user, id) {
                tracing::warn!(
                    problem = problem.message,
                    "a spent token could not be removed from the store"
                );
            }
            self.announce_end();
        }
    }

    /// To be called after a credential was ended.
    pub fn announce_end(&self) {
        self.ended.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Does what waits for the disk where a thread may block.
    pub async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Api) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let api = self.clone();
        tokio::task::spawn_blocking(move || work(&api)).await.unwrap_or_else(|error| {
            tracing::error!(%error, "a call panicked");
            Err(Problem::internal())
        })
    }
}

fn rate<K: Eq + std::hash::Hash>((each_second, burst): (u32, u32)) -> Rate<K> {
    Rate::new(Duration::from_secs(1) / each_second.max(1), burst)
}

/// Milliseconds since 1970 UTC.
pub fn now() -> WallMs {
    pgwarrant_audit::record::now() / 1000
}

/// As all times are written: RFC 3339 in UTC.
pub fn time(at: WallMs) -> String {
    pgwarrant_audit::record::rfc3339(at.saturating_mul(1000))
}
