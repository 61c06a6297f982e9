//! Sessions that signed in with something that has an end, such as a token, end with it.
//!
//! One task sees to all of them: a session without an end costs nothing, one with an end an entry.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use pgwarrant_grants::clock::MonotonicMs;
use pgwarrant_grants::{Clock, SystemClock};
use tokio::sync::Notify;

use crate::mailbox::{Message, Sender};

/// Timers stand still while the machine sleeps, so with ends ahead the clock is looked at so often.
const LOOK: Duration = Duration::from_secs(1);
const LOOK_WHEN_IDLE: Duration = Duration::from_secs(60);

/// By when, and by the session's number.
type Due = BTreeMap<(MonotonicMs, u64), Sender>;

#[derive(Debug, Default)]
pub struct Ends {
    due: Mutex<Due>,
    /// Something ends earlier than was thought.
    sooner: Notify,
}

/// A session's place among those that have an end; dropping it leaves.
#[derive(Debug)]
pub struct Ending {
    ends: Arc<Ends>,
    key: (MonotonicMs, u64),
}

impl Ends {
    /// The session of this number is told when `until` has come.
    pub fn enter(self: &Arc<Self>, session: u64, until: SystemTime, sender: Sender) -> Ending {
        let left = until.duration_since(SystemTime::now()).unwrap_or_default();
        let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        let key = (SystemClock.monotonic().saturating_add(left), session);
        let mut due = self.lock();
        due.insert(key, sender);
        let is_first = due.first_key_value().is_some_and(|(first, _)| *first == key);
        drop(due);
        if is_first {
            self.sooner.notify_one();
        }
        Ending { ends: Arc::clone(self), key }
    }

    /// Tells sessions for as long as the proxy runs.
    pub async fn keep(&self) {
        loop {
            let wait = self.tell_due(SystemClock.monotonic());
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.sooner.notified() => {}
            }
        }
    }

    /// Tells those whose time has come; when to look again.
    fn tell_due(&self, now: MonotonicMs) -> Duration {
        let mut due = self.lock();
        let later = due.split_off(&(now.saturating_add(1), 0));
        for sender in std::mem::replace(&mut *due, later).into_values() {
            // False: it is leaving by itself.
            let _ = sender.send(Message::Expired);
        }
        match due.first_key_value() {
            Some(((next, _), _)) => Duration::from_millis(next.saturating_sub(now)).min(LOOK),
            None => LOOK_WHEN_IDLE,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Due> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.ends.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::mailbox::mailbox;

    #[test]
    fn sessions_are_told_in_time_and_no_others() {
        let ends = Arc::<Ends>::default();
        let (sender, mut receiver) = mailbox();
        let (other, mut untold) = mailbox();
        let now = SystemTime::now();
        let _soon = ends.enter(1, now + Duration::from_secs(60), sender.clone());
        let _late = ends.enter(2, now + Duration::from_secs(600), other.clone());
        drop(ends.enter(3, now + Duration::from_secs(60), other));
        let clock = SystemClock.monotonic();
        let context = Context::from_waker(Waker::noop());
        assert_eq!(ends.tell_due(clock), LOOK);
        assert!(receiver.poll(&context).is_pending());
        ends.tell_due(clock + 61_000);
        assert!(matches!(receiver.poll(&context), Poll::Ready(Message::Expired)));
        assert!(untold.poll(&context).is_pending());
        let _past = ends.enter(4, now - Duration::from_secs(1), sender);
        ends.tell_due(SystemClock.monotonic());
        assert!(matches!(receiver.poll(&context), Poll::Ready(Message::Expired)));
    }

    #[test]
    fn nothing_is_kept_of_who_has_left() {
        let ends = Arc::<Ends>::default();
        let (sender, _receiver) = mailbox();
        drop(ends.enter(1, SystemTime::now() + Duration::from_secs(60), sender));
        assert!(ends.lock().is_empty());
        assert_eq!(ends.tell_due(SystemClock.monotonic()), LOOK_WHEN_IDLE);
    }
}
