//! Who is at the other end of a session.

use std::net::IpAddr;
use std::sync::Arc;

use pgwarrant_grants::{Context, Principal, SignIn, Source};

/// A signed-in user and how they came in; the same for every statement of a session.
#[derive(Clone, Debug)]
pub struct Identity {
    pub principal: Arc<Principal>,
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
    /// None: a Unix socket.
    pub ip: Option<IpAddr>,
    pub sign_in: SignIn,
}

impl Identity {
    /// What is kept of where a decision came from.
    pub fn context(&self) -> Context {
        Context {
            source: Source { address: self.ip, tls: self.tls },
            sign_in: self.sign_in,
            second_factor_age: None,
            estimated_rows: None,
        }
    }
}
