//! Which session a CancelRequest means.
//!
//! Clients get keys of our own, never the server's: what they know cannot be used past the proxy,
//! and theirs are of the length that their version of the protocol allows.

use std::ops::RangeInclusive;
use std::sync::Arc;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use subtle::ConstantTimeEq;

use crate::accept::Protocol;

/// What a cancellation key may have (PostgreSQL documentation, "BackendKeyData").
pub const KEY_LENGTHS: RangeInclusive<usize> = 4..=256;

/// The system gave no random numbers.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the system has no random numbers: {0}")]
pub struct NoRandomness(getrandom::Error);

struct Known<T> {
    key: Box<[u8]>,
    target: T,
}

/// The sessions that can be cancelled, and what cancels each. Cheap to clone; all clones are one.
pub struct Registry<T> {
    sessions: Arc<DashMap<u32, Known<T>>>,
}

impl<T> Clone for Registry<T> {
    fn clone(&self) -> Self {
        Self { sessions: Arc::clone(&self.sessions) }
    }
}

impl<T> Default for Registry<T> {
    fn default() -> Self {
        Self { sessions: Arc::default() }
    }
}

impl<T> std::fmt::Debug for Registry<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Registry({} sessions)", self.sessions.len())
    }
}

impl<T: Clone> Registry<T> {
    /// Makes a process id and a key that nobody can guess, for BackendKeyData, and remembers them
    /// until the registration is dropped.
    ///
    /// # Errors
    /// There are no random numbers.
    pub fn register(&self, protocol: Protocol, target: T) -> Result<Registration<T>, NoRandomness> {
        let mut key = vec![0; protocol.key_length()].into_boxed_slice();
        getrandom::fill(&mut key).map_err(NoRandomness)?;
        let mut target = Some(target);
        loop {
            let pid = random_pid()?;
            if let Entry::Vacant(place) = self.sessions.entry(pid)
                && let Some(target) = target.take()
            {
                place.insert(Known { key: key.clone(), target });
                return Ok(Registration { pid, key, registry: self.clone() });
            }
        }
    }

    /// What to cancel for a CancelRequest; `None`: nobody's, or the key is wrong (compared in
    /// constant time). The client is told nothing in any case.
    pub fn find(&self, pid: u32, key: &[u8]) -> Option<T> {
        let known = self.sessions.get(&pid)?;
        bool::from(known.key.ct_eq(key)).then(|| known.target.clone())
    }

    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }
}

/// Positive, as clients print and store it as a signed number; zero is no process.
fn random_pid() -> Result<u32, NoRandomness> {
    loop {
        let mut bytes = [0; 4];
        getrandom::fill(&mut bytes).map_err(NoRandomness)?;
        let pid = u32::from_be_bytes(bytes) >> 1;
        if pid != 0 {
            return Ok(pid);
        }
    }
}

/// A session's entry in a [`Registry`]; dropped, it is forgotten.
pub struct Registration<T> {
    pid: u32,
    key: Box<[u8]>,
    registry: Registry<T>,
}

impl<T> Registration<T> {
    /// For BackendKeyData.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// For BackendKeyData.
    pub fn key(&self) -> &[u8] {
        &self.key
    }
}

impl<T> Drop for Registration<T> {
    fn drop(&mut self) {
        self.registry.sessions.remove(&self.pid);
    }
}

impl<T> std::fmt::Debug for Registration<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Registration({})", self.pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_key_finds_the_session() {
        let registry = Registry::default();
        let one = registry.register(Protocol { minor: 0 }, "one").unwrap();
        let two = registry.register(Protocol { minor: 2 }, "two").unwrap();
        assert_eq!((one.key().len(), two.key().len()), (4, 32));
        assert_eq!(registry.find(one.pid(), one.key()), Some("one"));
        assert_eq!(registry.find(two.pid(), two.key()), Some("two"));
        assert_eq!(registry.find(one.pid(), two.key()), None);
        assert_eq!(registry.find(two.pid(), &two.key()[..4]), None);
        assert_eq!(registry.find(two.pid(), &[]), None);
        assert_eq!(registry.find(two.pid(), &[two.key(), &[0]].concat()), None);
    }

    #[test]
    fn an_ended_session_is_forgotten() {
        let registry = Registry::default();
        let registration = registry.register(Protocol { minor: 0 }, ()).unwrap();
        let (pid, key) = (registration.pid(), registration.key().to_vec());
        drop(registration);
        assert_eq!(registry.find(pid, &key), None);
        assert!(registry.is_empty());
    }

    #[test]
    fn process_ids_are_unique_positive_and_not_zero() {
        let registry = Registry::default();
        let all: Vec<_> = (0..1000).map(|_| registry.register(Protocol { minor: 0 }, ()).unwrap()).collect();
        assert_eq!(registry.len(), 1000);
        assert!(
            all.iter().all(|registration| registration.pid() > 0 && registration.pid() <= i32::MAX as u32)
        );
    }
}
