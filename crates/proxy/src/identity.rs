//! Who is at the other end of a session.

use std::sync::Arc;

use pgwarrant_grants::Principal;

/// A signed-in user and how they came in; the same for every statement of a session.
#[derive(Clone, Debug)]
pub struct Identity {
    pub principal: Principal,
    /// The proxy's number of the session.
    pub session: u64,
    pub user: Arc<str>,
    pub groups: Arc<[String]>,
    /// With port.
    pub address: Arc<str>,
    pub application: Arc<str>,
    /// The name that the client asked for.
    pub database: Arc<str>,
    /// The role of PostgreSQL that the session signed in as.
    pub role: String,
    pub tls: bool,
    /// Signed in by a client certificate.
    pub certificate: bool,
}
