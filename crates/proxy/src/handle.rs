//! A running proxy, for the rest of the program: its databases, and the sessions with them.

use std::sync::Arc;
use std::time::SystemTime;

use pgwarrant_catalog::Catalogue;
use pgwarrant_grants::{Estimate, Principal, SignIn};

use crate::server::Shared;

/// Cheap to clone.
#[derive(Clone)]
pub struct Handle(pub(crate) Arc<Shared>);

/// A session, as it is at one moment.
#[derive(Clone, Debug)]
pub struct SessionInfo {
    /// The proxy's number of it, as in the audit trail.
    pub number: u64,
    pub who: Arc<Principal>,
    /// The name that the client asked for.
    pub database: Arc<str>,
    /// The role of PostgreSQL that it signed in as.
    pub role: String,
    /// With port.
    pub address: Arc<str>,
    pub application: Arc<str>,
    pub tls: bool,
    pub sign_in: SignIn,
    pub since: SystemTime,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl Handle {
    /// Names of the databases that somebody has a role in, in the settings' order.
    pub fn databases_of(&self, who: &Principal) -> Vec<String> {
        let databases = self.0.settings.databases.iter();
        let theirs = databases.filter(|database| database.login(&who.user, &who.groups).is_some());
        theirs.map(|database| database.name.clone()).collect()
    }

    /// What is protected in a database now. None: there is none of this name.
    pub fn catalogue(&self, database: &str) -> Option<Arc<Catalogue>> {
        self.0.databases.get(database).map(|database| database.catalogue())
    }

    /// How many rows a request is about. None: that is not known.
    pub async fn estimated_rows(&self, database: &str, estimate: Estimate) -> Option<u64> {
        self.0.databases.get(database)?.counts.estimated(estimate).await
    }

    /// Those that have signed in.
    pub fn sessions(&self) -> Vec<SessionInfo> {
        self.0.registry.described()
    }

    /// Ends a session as `pg_terminate_backend` would, as soon as it gets to it. False: there is none
    /// of this number.
    pub fn end_session(&self, number: u64) -> bool {
        self.0.registry.end(number)
    }
}
