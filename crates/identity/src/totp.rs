//! A second factor: codes of six digits that an app computes from a secret and the time (RFC 6238
//! with HMAC-SHA-1, 30 seconds, 6 digits: what every app can do).
//!
//! The codes of one step before and one after are accepted too, for clocks that differ. A code is
//! good once: after it, only those of later steps are. Wrong codes in a row lock the factor for a
//! while, longer each time, whoever gave them; the right code does not help until then.

use std::time::{Duration, SystemTime};

use ring::hmac;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::Now;

mod kept;
mod secret;

pub use kept::{SecondFactors, StoreError};
pub use secret::Secret;

/// Seconds of a step.
const STEP: u64 = 30;
const DIGITS: usize = 6;
/// Steps before and after now.
const WINDOW: u64 = 1;
/// Wrong codes in a row that are borne.
const FREE_FAILURES: u32 = 5;
const FIRST_LOCK: Duration = Duration::from_secs(30);
const LONGEST_LOCK: Duration = Duration::from_secs(3600);
/// Who was shown a secret must show a code of it within this time.
const CONFIRM_WITHIN: Duration = Duration::from_secs(600);

/// All that is kept of one person's factor. Whoever reads it can make codes: it is to be sealed
/// before it is written anywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factor {
    secret: Secret,
    state: State,
    /// The step of the last code that was accepted.
    last_step: Option<u64>,
    /// Wrong codes since the last right one.
    failures: u32,
    /// In seconds since 1970.
    locked_until: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    /// Shown, at this second since 1970; no code has come of it yet.
    Shown(u64),
    Confirmed,
}

/// Where factors are kept, by person (see [`crate::Verified::person`]).
pub trait Store {
    type Error;

    /// Has `change` look at a person's factor and change it, make it or remove it, with nobody else
    /// doing so meanwhile. What is left must be durable before this returns: a code whose use is
    /// forgotten is good again.
    ///
    /// # Errors
    /// It is unknown whether the change is durable. The code counts as wrong then.
    fn update<R>(
        &self,
        person: &str,
        change: impl FnOnce(&mut Option<Factor>) -> R,
    ) -> Result<R, Self::Error>;
}

/// Why a code is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("no second factor is enrolled")]
    NotEnrolled,
    #[error("a second factor is enrolled already")]
    Enrolled,
    #[error("the code does not have six digits")]
    Malformed,
    #[error("the code is wrong")]
    Wrong,
    #[error("the code has been used")]
    Used,
    #[error("too many wrong codes")]
    Locked { until: SystemTime },
}

impl Refused {
    /// 28000 `invalid_authorization_specification`; 22023 `invalid_parameter_value`; 53400
    /// `configuration_limit_exceeded`
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Self::Malformed => "22023",
            Self::Locked { .. } => "53400",
            Self::NotEnrolled | Self::Enrolled | Self::Wrong | Self::Used => "28000",
        }
    }

    /// What to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotEnrolled => "Enrol one first, and confirm it with a code within ten minutes.",
            Self::Enrolled => "Have an administrator remove it first.",
            Self::Malformed => "Give the six digits that the app shows.",
            Self::Wrong => "Give the code that the app shows now; if it stays wrong, a clock is.",
            Self::Used => "Wait for the next code.",
            Self::Locked { .. } => {
                "Wait, then give one right code; or have an administrator remove the factor."
            }
        }
    }
}

/// Or why it could not be told.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error<E> {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("the second factor's state cannot be kept")]
    Store(E),
    #[error("the system has no random numbers")]
    NoRandomness,
}

/// What a person is shown once, to put it into an app.
#[derive(Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// `otpauth://totp/…`, as text or as a QR code.
    pub uri: String,
    /// The secret in base 32, to be typed.
    pub secret: String,
}

impl std::fmt::Debug for Enrolment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Enrolment(…)")
    }
}

/// Begins to enrol a person. Who was shown a secret and did not confirm it may begin anew.
///
/// `issuer`, `account`: what the app shows beside the code.
///
/// # Errors
/// [`Refused::Enrolled`]; the store's; no random numbers.
pub fn enrol<S: Store>(
    store: &S,
    person: &str,
    issuer: &str,
    account: &str,
    now: Now,
) -> Result<Enrolment, Error<S::Error>> {
    let secret = Secret::new().map_err(|_| Error::NoRandomness)?;
    let enrolment = Enrolment { uri: secret.uri(issuer, account), secret: secret.base32() };
    let begin = |factor: &mut Option<Factor>| match factor {
        Some(Factor { state: State::Confirmed, .. }) => Err(Refused::Enrolled),
        _ => {
            let state = State::Shown(now.unix());
            *factor = Some(Factor { secret, state, last_step: None, failures: 0, locked_until: 0 });
            Ok(())
        }
    };
    store.update(person, begin).map_err(Error::Store)??;
    Ok(enrolment)
}

/// Ends an enrolment with the first code. It is used up by this.
///
/// # Errors
/// As [`verify`]; [`Refused::NotEnrolled`] if it was begun more than ten minutes ago.
pub fn confirm<S: Store>(store: &S, person: &str, code: &str, now: Now) -> Result<(), Error<S::Error>> {
    check(store, person, code, now, |factor| match factor.state {
        State::Confirmed => Err(Refused::Enrolled),
        State::Shown(at) if now.unix().saturating_sub(at) > CONFIRM_WITHIN.as_secs() => {
            Err(Refused::NotEnrolled)
        }
        State::Shown(_) => Ok(()),
    })
}

/// Is this a code of the person's, good now and not used before? It is used up by this.
///
/// # Errors
/// What is not right about it.
pub fn verify<S: Store>(store: &S, person: &str, code: &str, now: Now) -> Result<(), Error<S::Error>> {
    check(store, person, code, now, |factor| match factor.state {
        State::Confirmed => Ok(()),
        State::Shown(_) => Err(Refused::NotEnrolled),
    })
}

/// Whether a person has a factor that counts.
///
/// # Errors
/// The store's.
pub fn is_enrolled<S: Store>(store: &S, person: &str) -> Result<bool, S::Error> {
    store.update(person, |factor| factor.as_ref().is_some_and(|factor| factor.state == State::Confirmed))
}

fn check<S: Store>(
    store: &S,
    person: &str,
    code: &str,
    now: Now,
    may: impl FnOnce(&Factor) -> Result<(), Refused>,
) -> Result<(), Error<S::Error>> {
    let accept = |factor: &mut Option<Factor>| -> Result<(), Refused> {
        let factor = factor.as_mut().ok_or(Refused::NotEnrolled)?;
        may(factor)?;
        factor.accept(code, now.unix())?;
        factor.state = State::Confirmed;
        Ok(())
    };
    Ok(store.update(person, accept).map_err(Error::Store)??)
}

impl Factor {
    fn accept(&mut self, code: &str, now: u64) -> Result<(), Refused> {
        if now < self.locked_until {
            let until = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(self.locked_until));
            return Err(Refused::Locked { until: until.unwrap_or(SystemTime::UNIX_EPOCH) });
        }
        // People write the space that apps show.
        let digits: Vec<u8> = code.bytes().filter(|byte| *byte != b' ').collect();
        if digits.len() != DIGITS || !digits.iter().all(u8::is_ascii_digit) {
            return Err(Refused::Malformed);
        }
        let step = now / STEP;
        let mut found = None;
        // All of them each time: how long it takes says nothing.
        for step in step.saturating_sub(WINDOW)..=step + WINDOW {
            if bool::from(self.secret.code(step).as_slice().ct_eq(&digits)) {
                found = Some(step);
            }
        }
        match found {
            Some(step) if self.last_step.is_none_or(|last| step > last) => {
                self.last_step = Some(step);
                self.failures = 0;
                Ok(())
            }
            Some(_) => {
                self.failed(now);
                Err(Refused::Used)
            }
            None => {
                self.failed(now);
                Err(Refused::Wrong)
            }
        }
    }

    fn failed(&mut self, now: u64) {
        self.failures = self.failures.saturating_add(1);
        if let Some(beyond) = self.failures.checked_sub(FREE_FAILURES) {
            let lock = FIRST_LOCK.as_secs().saturating_mul(1 << beyond.min(16));
            self.locked_until = now.saturating_add(lock.min(LONGEST_LOCK.as_secs()));
        }
    }
}

impl Secret {
    /// The digits of a step (RFC 4226, section 5.3).
    fn code(&self, step: u64) -> [u8; DIGITS] {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.bytes());
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let offset = usize::from(tag.last().copied().unwrap_or_default() & 0xf);
        let chosen = tag.iter().skip(offset).take(4);
        let number = chosen.fold(0u32, |number, byte| number << 8 | u32::from(*byte)) & 0x7fff_ffff;
        let mut digits = [b'0'; DIGITS];
        let mut rest = number;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        digits
    }
}

#[cfg(test)]
mod tests;
