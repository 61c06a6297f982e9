//! How often somebody may do something: the generic cell rate algorithm (ITU-T I.371), a time for
//! each key.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Keys that are remembered at once. More of them within a burst's time are refused.
const KEYS: usize = 65_536;

/// So many at once, and then one each `interval`, for each key.
#[derive(Debug)]
pub struct Rate<K> {
    interval: Duration,
    burst: Duration,
    /// When each key will have made up for what it did.
    due: Mutex<HashMap<K, Instant>>,
}

impl<K: Eq + Hash> Rate<K> {
    /// `burst` is at least one.
    pub fn new(interval: Duration, burst: u32) -> Self {
        let burst = interval.saturating_mul(burst.max(1) - 1);
        Self { interval, burst, due: Mutex::default() }
    }

    /// Err: how long to wait.
    pub fn take(&self, key: K, now: Instant) -> Result<(), Duration> {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        if due.len() >= KEYS && !due.contains_key(&key) {
            due.retain(|_, at| *at > now);
            if due.len() >= KEYS {
                return Err(self.interval);
            }
        }
        let at = due.get(&key).copied().unwrap_or(now).max(now);
        let ahead = at.saturating_duration_since(now);
        if ahead > self.burst {
            return Err(ahead.saturating_sub(self.burst));
        }
        due.insert(key, at + self.interval);
        Ok(())
    }

    /// What was taken last was harmless.
    pub fn give_back(&self, key: &K) {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = due.get_mut(key) {
            *at = at.checked_sub(self.interval).unwrap_or(*at);
        }
    }
}

/// Whom an address stands for: of IPv6 a /64, of which one customer has all (RFC 6177).
pub fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_one_each_interval() {
        let second = Duration::from_secs(1);
        let (rate, start) = (Rate::new(second, 3), Instant::now());
        let taken: Vec<bool> = (0..5).map(|_| rate.take("ada", start).is_ok()).collect();
        assert_eq!(taken, [true, true, true, false, false]);
        assert_eq!(rate.take("ada", start), Err(second));
        assert!(rate.take("ben", start).is_ok());
        assert!(rate.take("ada", start + second).is_ok());
        assert!(rate.take("ada", start + second).is_err());
        rate.give_back(&"ada");
        assert!(rate.take("ada", start + second).is_ok());
        let later = start + 60 * second;
        assert!((0..3).all(|_| rate.take("ada", later).is_ok()) && rate.take("ada", later).is_err());
    }

    #[test]
    fn keys_are_bounded_and_forgotten_when_they_are_due() {
        let (rate, start) = (Rate::new(Duration::from_secs(1), 1), Instant::now());
        assert!((0..KEYS).all(|key| rate.take(key, start).is_ok()));
        assert!(rate.take(KEYS, start).is_err());
        assert!(rate.take(KEYS, start + Duration::from_secs(2)).is_ok());
    }

    #[test]
    fn neighbours_share_an_ipv6_network() {
        let place = |text: &str| neighbourhood(text.parse().unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)));
        assert_eq!(place("2001:db8:1:2::1"), place("2001:db8:1:2:ffff::9"));
        assert_ne!(place("2001:db8:1:2::1"), place("2001:db8:1:3::1"));
        assert_ne!(place("192.0.2.1"), place("192.0.2.2"));
        assert_eq!(place("::ffff:192.0.2.1"), place("192.0.2.1"));
    }
}
