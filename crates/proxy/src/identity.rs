//! Who is at the other end of a session.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pgwarrant_grants::{Clock, Context, Principal, SignIn, Source, SystemClock};

/// A signed-in user and how they came in; but for the second factor the same for every statement of
/// a session.
#[derive(Debug)]
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
    /// Who verified that, where it was not us.
    pub provider: Option<Arc<str>>,
    pub second_factor: SecondFactor,
}

impl Identity {
    /// What is kept of where a decision came from.
    pub fn context(&self) -> Context {
        Context {
            source: Source { address: self.ip, tls: self.tls },
            sign_in: self.sign_in,
            second_factor_age: self.second_factor.age(),
            estimated_rows: None,
        }
    }
}

/// When a second factor was last shown in a session: in milliseconds of the clock that also runs
/// while the machine sleeps, plus one; 0: never.
#[derive(Debug, Default)]
pub struct SecondFactor(AtomicU64);

impl SecondFactor {
    pub fn shown(&self) {
        self.0.store(SystemClock.monotonic().saturating_add(1), Ordering::Relaxed);
    }

    pub fn forget(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn age(&self) -> Option<Duration> {
        let at = self.0.load(Ordering::Relaxed).checked_sub(1)?;
        Some(Duration::from_millis(SystemClock.monotonic().saturating_sub(at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_factor_has_an_age_once_it_was_shown() {
        let factor = SecondFactor::default();
        assert_eq!(factor.age(), None);
        factor.shown();
        assert!(factor.age().is_some());
        factor.forget();
        assert_eq!(factor.age(), None);
    }
}
