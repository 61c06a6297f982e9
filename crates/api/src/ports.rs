//! What only the proxy knows, and the API asks it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use pgwarrant_catalog::Catalogue;
use pgwarrant_grants::{Estimate, Principal, SignIn, Source};

pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Somebody whose credential is good.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub who: Principal,
    pub how: SignIn,
    /// A second factor was shown with it.
    pub second_factor: bool,
    /// The credential is good until then. None: it does not say.
    pub until: Option<SystemTime>,
}

/// Why somebody is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The credential is not good; says nothing of why.
    Wrong,
    /// It is good, and a code of the second factor must come with it.
    SecondFactor,
    /// Whoever would know cannot be asked. For the log.
    Unavailable(String),
}

/// Who somebody is.
pub trait SignIns: Send + Sync + 'static {
    /// The same work for users that do not exist.
    fn password<'a>(
        &'a self,
        user: &'a str,
        password: &'a str,
        code: Option<&'a str>,
        from: Source,
    ) -> Answer<'a, Result<SignedIn, Refusal>>;

    /// A token of an issuer that is trusted (RFC 6750), not one of our own.
    fn bearer<'a>(&'a self, token: &'a str, from: Source) -> Answer<'a, Result<SignedIn, Refusal>>;

    /// A code of somebody's second factor.
    fn second_factor<'a>(&'a self, who: &'a Principal, code: &'a str) -> Answer<'a, Result<(), Refusal>>;

    /// Was somebody's second factor removed after this moment?
    fn second_factor_removed(&self, who: &Principal, since: Instant) -> bool;

    /// A user with the groups they have now. None: there is none of this name any more.
    fn user(&self, name: &str) -> Option<Principal>;
}

/// A client's session with a database.
#[derive(Clone, Debug)]
pub struct Session {
    pub number: u64,
    pub who: Arc<Principal>,
    pub database: String,
    /// The role of PostgreSQL that it signed in as.
    pub role: String,
    /// With port.
    pub address: String,
    pub application: String,
    pub tls: bool,
    pub how: SignIn,
    pub since: SystemTime,
}

/// The databases and the sessions with them.
pub trait Proxy: Send + Sync + 'static {
    /// Names of the databases that somebody may connect to.
    fn databases_of(&self, who: &Principal) -> Vec<String>;

    /// What is protected in a database now. None: there is none of this name.
    fn catalogue(&self, database: &str) -> Option<Arc<Catalogue>>;

    /// How many rows a request is about. None: that is not known.
    fn estimated_rows<'a>(&'a self, database: &'a str, estimate: Estimate) -> Answer<'a, Option<u64>>;

    fn sessions(&self) -> Vec<Session>;

    /// Ends a session as soon as it gets to it. False: there is none of this number.
    fn end_session(&self, number: u64) -> bool;
}
