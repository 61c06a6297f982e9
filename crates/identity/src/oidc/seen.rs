//! Tokens that have been used, where each may be used once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use ring::digest;

use super::Refused;

/// Tokens that are kept: at 100 sign-ins a second, those of a quarter of an hour.
const MAX: usize = 100_000;

/// In memory: a restart forgets them.
#[derive(Default)]
pub(super) struct Seen(Mutex<HashMap<[u8; 32], u64>>);

impl Seen {
    /// Uses the token `id`, which is accepted until `until` (both in seconds since 1970).
    pub(super) fn spend(&self, id: &str, until: u64, now: u64) -> Result<(), Refused> {
        let id: [u8; 32] =
            digest::digest(&digest::SHA256, id.as_bytes()).as_ref().try_into().unwrap_or_default();
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MAX {
            seen.retain(|_, until| *until > now);
        }
        if seen.contains_key(&id) {
            return Err(Refused::Replayed);
        }
        if seen.len() >= MAX {
            return Err(Refused::TooMany);
        }
        seen.insert(id, until);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_memory_forgets_what_has_expired_and_nothing_else() {
        let seen = Seen::default();
        for id in 0..MAX {
            assert_eq!(seen.spend(&id.to_string(), 100 + (id as u64) % 2, 50), Ok(()));
        }
        assert_eq!(seen.spend("new", 200, 99), Err(Refused::TooMany));
        assert_eq!(seen.spend("new", 200, 100), Ok(()));
        assert_eq!(seen.spend("1", 200, 100), Err(Refused::Replayed));
        assert_eq!(seen.spend("0", 200, 100), Ok(()), "it had expired, so its token is refused by its time");
    }
}
