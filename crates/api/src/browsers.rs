//! Sessions of browsers: a random cookie, kept in memory alone, so that a restart signs everybody
//! out.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use pgwarrant_grants::{Principal, SignIn};

use crate::ports::SignedIn;
use crate::secret::{self, Digest};

/// Of one user; past it the one that was longest unused ends.
const MOST_PER_USER: usize = 16;
const MOST: usize = 10_000;
/// A session that is not used for so long ends.
const IDLE: Duration = Duration::from_secs(60 * 60);

/// A session, as it is at one moment.
#[derive(Clone, Debug)]
pub struct Browser {
    pub who: Principal,
    pub how: SignIn,
    pub second_factor_at: Option<Instant>,
    /// Of the cookie. Names the session.
    pub key: Digest,
    used: Instant,
    ends: Instant,
}

impl Browser {
    /// By the wall clock.
    pub fn ends_at(&self, now: Instant) -> SystemTime {
        SystemTime::now() + self.ends.saturating_duration_since(now)
    }
    fn is_live(&self, now: Instant) -> bool {
        now < self.ends && now.saturating_duration_since(self.used) < IDLE
    }
}

#[derive(Debug)]
pub struct Browsers {
    lifetime: Duration,
    open: Mutex<HashMap<Digest, Browser>>,
}

impl Browsers {
    pub fn new(lifetime: Duration) -> Self {
        Self { lifetime, open: Mutex::default() }
    }

    /// A new session, and the cookie's value. None: there are too many.
    pub fn begin(
        &self,
        signed_in: SignedIn,
        now: Instant,
    ) -> Result<Option<(Browser, String)>, getrandom::Error> {
        let value = secret::make()?;
        let left = signed_in.until.map(|until| until.duration_since(SystemTime::now()).unwrap_or_default());
        let browser = Browser {
            who: signed_in.who,
            how: signed_in.how,
            second_factor_at: signed_in.second_factor.then_some(now),
            key: Digest::of(value.as_bytes()),
            used: now,
            ends: now + left.map_or(self.lifetime, |left| left.min(self.lifetime)),
        };
        let mut open = self.lock();
        open.retain(|_, other| other.is_live(now));
        let theirs = open.values().filter(|other| other.who.user == browser.who.user);
        let theirs: Vec<(Instant, Digest)> = theirs.map(|other| (other.used, other.key)).collect();
        if theirs.len() >= MOST_PER_USER
            && let Some((_, oldest)) = theirs.iter().min_by_key(|(used, _)| *used)
        {
            open.remove(oldest);
        }
        if open.len() >= MOST {
            return Ok(None);
        }
        open.insert(browser.key, browser.clone());
        Ok(Some((browser, value)))
    }

    /// The session of a cookie; it is used.
    pub fn find(&self, value: &str, now: Instant) -> Option<Browser> {
        let mut open = self.lock();
        // Found by a digest: how long it takes says nothing of a value that is not known already.
        let browser = open.get_mut(&Digest::of(value.as_bytes())).filter(|browser| browser.is_live(now))?;
        browser.used = now;
        Some(browser.clone())
    }

    pub fn is_live(&self, key: &Digest, now: Instant) -> bool {
        self.lock().get(key).is_some_and(|browser| browser.is_live(now))
    }

    pub fn second_factor_shown(&self, key: &Digest, now: Instant) {
        if let Some(browser) = self.lock().get_mut(key) {
            browser.second_factor_at = Some(now);
        }
    }

    pub fn end(&self, key: &Digest) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Browser>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed_in(user: &str, until: Option<SystemTime>) -> SignedIn {
        SignedIn { who: Principal::new(user, Vec::new()), how: SignIn::Scram, second_factor: false, until }
    }
    fn begin(browsers: &Browsers, user: &str, now: Instant) -> (Browser, String) {
        browsers.begin(signed_in(user, None), now).expect("random numbers").expect("room")
    }

    #[test]
    fn a_session_ends_when_it_is_old_or_idle_or_signed_out() {
        let (browsers, start) = (Browsers::new(4 * IDLE), Instant::now());
        let (browser, cookie) = begin(&browsers, "ada", start);
        assert!(browsers.find(&cookie, start).is_some_and(|found| found.who.user == "ada"));
        assert!(browsers.find("", start).is_none() && browsers.find(&cookie[1..], start).is_none());
        let step = IDLE * 9 / 10;
        for used in 1..=4 {
            assert!(browsers.find(&cookie, start + step * used).is_some());
        }
        assert!(browsers.find(&cookie, start + step * 5).is_none(), "it is too old");
        let (idle, cookie) = begin(&browsers, "ada", start);
        assert!(browsers.find(&cookie, start + IDLE).is_none() && !browsers.is_live(&idle.key, start + IDLE));
        browsers.end(&browser.key);
        assert!(!browsers.is_live(&browser.key, start));
    }

    #[test]
    fn a_session_ends_with_the_credential_that_began_it() {
        let (browsers, start) = (Browsers::new(4 * IDLE), Instant::now());
        let until = Some(SystemTime::now() + Duration::from_secs(60));
        let (_, cookie) = browsers.begin(signed_in("ada", until), start).expect("random").expect("room");
        assert!(browsers.find(&cookie, start + Duration::from_secs(59)).is_some());
        assert!(browsers.find(&cookie, start + Duration::from_secs(61)).is_none());
    }

    #[test]
    fn of_too_many_sessions_the_one_longest_unused_ends() {
        let (browsers, start) = (Browsers::new(4 * IDLE), Instant::now());
        let cookies: Vec<String> = (0..=u32::try_from(MOST_PER_USER).unwrap_or(0))
            .map(|number| begin(&browsers, "ada", start + Duration::from_secs(number.into())).1)
            .collect();
        let later = start + Duration::from_secs(60);
        assert!(browsers.find(&cookies[0], later).is_none());
        assert!(cookies[1..].iter().all(|cookie| browsers.find(cookie, later).is_some()));
    }
}
