//! Starting the HTTP API: what it asks of the proxy, and who its users are.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use pgwarrant_api::ports::{Answer, Proxy, Refusal, Session, SignIns, SignedIn};
use pgwarrant_api::repeats::Repeats;
use pgwarrant_api::tokens::Tokens;
use pgwarrant_api::{Listening, Parts, Settings};
use pgwarrant_audit::Trail;
use pgwarrant_catalog::Catalogue;
use pgwarrant_grants::{Estimate, Live, Principal, Source};
use pgwarrant_identity::Now;
use pgwarrant_identity::totp::{self, SecondFactors};
use pgwarrant_proxy::{Admitted, Handle, SignInService};
use pgwarrant_wire::auth::Credential;
use pgwarrant_wire::error::Report;
use tokio::sync::Semaphore;

use crate::cli::Failure;
use crate::config::Config;

/// Passwords that are checked at once: each keeps a processor busy for milliseconds.
const CHECKS: usize = 4;

/// What is opened before the proxy is, so that what is wrong is told at once.
pub struct Opened {
    listening: Listening,
    tokens: Tokens,
    repeats: Repeats,
    deliveries: Repeats,
    users: Users,
    settings: Settings,
}

impl Opened {
    /// None: there is no `[api]`. `directory` is the one that `store` was opened with.
    pub async fn open(
        config: &Config,
        users: Users,
        store: &sled::Db,
        directory: &Path,
    ) -> Result<Option<Self>, Failure> {
        let Some(settings) = config.api.clone() else { return Ok(None) };
        let listening = Listening::open(&settings)
            .await
            .map_err(|error| Failure::hint(format!("could not start the API: {error}"), "See [api]."))?;
        let is_user = |name: &str| config.users.iter().any(|user| user.name == name);
        let now = pgwarrant_audit::record::now() / 1000;
        let tokens = Tokens::open(store, directory, is_user, now)
            .map_err(|error| Failure::new(format!("could not open the tokens: {error}")))?;
        let repeats = Repeats::open(store)
            .map_err(|error| Failure::new(format!("could not open the answers of the API: {error}")))?;
        let deliveries = Repeats::deliveries(store)
            .map_err(|error| Failure::new(format!("could not open the messages of the API: {error}")))?;
        Ok(Some(Self { listening, tokens, repeats, deliveries, users, settings }))
    }

    /// Serves until it is dropped.
    pub async fn serve(self, handle: Handle, live: Live, trail: Trail) {
        let Self { listening, tokens, repeats, deliveries, users, settings } = self;
        for address in listening.addresses() {
            tracing::info!("the API listens on {address}");
        }
        let (proxy, sign_ins) = (Arc::new(Databases(handle)), Arc::new(users));
        listening.serve(Parts { live, trail, proxy, sign_ins, tokens, repeats, deliveries, settings }).await;
    }
}

struct Databases(Handle);

impl Proxy for Databases {
    fn databases_of(&self, who: &Principal) -> Vec<String> {
        self.0.databases_of(who)
    }

    fn catalogue(&self, database: &str) -> Option<Arc<Catalogue>> {
        self.0.catalogue(database)
    }

    fn estimated_rows<'a>(&'a self, database: &'a str, estimate: Estimate) -> Answer<'a, Option<u64>> {
        Box::pin(self.0.estimated_rows(database, estimate))
    }

    fn sessions(&self) -> Vec<Session> {
        let sessions = self.0.sessions().into_iter();
        sessions
            .map(|session| Session {
                number: session.number,
                who: session.who,
                database: session.database.to_string(),
                role: session.role,
                address: session.address.to_string(),
                application: session.application.to_string(),
                tls: session.tls,
                how: session.sign_in,
                since: session.since,
            })
            .collect()
    }

    fn end_session(&self, number: u64) -> bool {
        self.0.end_session(number)
    }
}

/// Who may sign in, with what.
pub struct Users {
    sign_in: SignInService,
    second_factors: SecondFactors,
    checks: Semaphore,
}

impl Users {
    pub fn new(sign_in: SignInService, second_factors: SecondFactors) -> Self {
        Self { sign_in, second_factors, checks: Semaphore::new(CHECKS) }
    }

    async fn check(&self, user: &str, password: &str, code: Option<&str>) -> Result<SignedIn, Refusal> {
        let unavailable = |_| Refusal::Unavailable("passwords cannot be checked".to_owned());
        let _turn = self.checks.acquire().await.map_err(unavailable)?;
        let shown = self.sign_in.verify(user, Credential::Password(password)).await;
        let mut signed_in = signed_in(shown)?;
        if let Some(code) = code {
            self.check_code(&signed_in.who, code).await.map_err(|refusal| match refusal {
                Refusal::Wrong => Refusal::SecondFactor,
                other => other,
            })?;
            signed_in.second_factor = true;
        }
        Ok(signed_in)
    }

    async fn check_code(&self, who: &Principal, code: &str) -> Result<(), Refusal> {
        let (factors, person, code) = (self.second_factors.clone(), who.person().to_owned(), code.to_owned());
        // Waits for the disk.
        let checked =
            tokio::task::spawn_blocking(move || totp::verify(&factors, &person, &code, Now::read()));
        match checked.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(totp::Error::Refused(_))) => Err(Refusal::Wrong),
            Ok(Err(error)) => Err(Refusal::Unavailable(error.to_string())),
            Err(error) => Err(Refusal::Unavailable(error.to_string())),
        }
    }
}

fn signed_in(shown: Result<Admitted, Report>) -> Result<SignedIn, Refusal> {
    match shown {
        Ok(Admitted { principal, sign_in, until, .. }) => {
            Ok(SignedIn { who: Principal::clone(&principal), how: sign_in, second_factor: false, until })
        }
        // 28: invalid authorization; whatever else it is, nobody knows.
        Err(report) if report.sqlstate.starts_with("28") => Err(Refusal::Wrong),
        Err(report) => Err(Refusal::Unavailable(report.message.into_owned())),
    }
}

impl SignIns for Users {
    fn password<'a>(
        &'a self,
        user: &'a str,
        password: &'a str,
        code: Option<&'a str>,
        _from: Source,
    ) -> Answer<'a, Result<SignedIn, Refusal>> {
        Box::pin(self.check(user, password, code))
    }

    fn bearer<'a>(&'a self, token: &'a str, _from: Source) -> Answer<'a, Result<SignedIn, Refusal>> {
        Box::pin(async move { signed_in(self.sign_in.verify_token(token).await) })
    }

    fn second_factor<'a>(&'a self, who: &'a Principal, code: &'a str) -> Answer<'a, Result<(), Refusal>> {
        Box::pin(self.check_code(who, code))
    }

    fn second_factor_removed(&self, who: &Principal, since: Instant) -> bool {
        self.second_factors.removed_since(who.person(), since)
    }

    fn user(&self, name: &str) -> Option<Principal> {
        self.sign_in.user(name).map(|who| Principal::clone(&who))
    }
}
