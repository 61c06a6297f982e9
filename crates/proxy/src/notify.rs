//! Notifications: whose payloads a session gets.
//!
//! A payload is data of whoever sent it, and commonly a trigger did (`row_to_json(NEW)`). What may
//! hold nothing that this user may not see passes: from a session of this proxy that has neither
//! been shown raw values nor written what it may not see, and on channels that the operator
//! vouches for. From anybody else the notification comes without its payload.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dashmap::DashMap;
use pgwarrant_wire::backend;
use pgwarrant_wire::frame::HEADER;
use pgwarrant_wire::upstream::CancelTarget;

use crate::error::{End, Fatal};
use crate::session::Session;
use crate::work::Run;

/// How long what is known of a session outlives it: its last notifications may be on their way.
const LINGER: Duration = Duration::from_secs(10);

/// What a session may have put into a payload.
#[derive(Debug, Default)]
pub struct Sender {
    /// Values that a grant shows to its user.
    raw: AtomicBool,
    /// Values that its user may not see: of rows that it wrote.
    unseen: AtomicBool,
}

/// The sessions of this proxy, by database and the process id of their server's side.
#[derive(Debug, Default)]
pub struct Senders(DashMap<(Arc<str>, u32), Known>);

#[derive(Debug)]
struct Known {
    sender: Arc<Sender>,
    ended: Option<Instant>,
}

/// Forgets the session a while after it is dropped.
pub struct Entered {
    senders: Arc<Senders>,
    key: (Arc<str>, u32),
    pub sender: Arc<Sender>,
}

impl Senders {
    /// A session has begun. `process`: None where the server did not tell.
    pub fn enter(self: &Arc<Self>, database: Arc<str>, process: Option<u32>) -> Option<Entered> {
        self.0.retain(|_, known| known.ended.is_none_or(|ended| ended.elapsed() < LINGER));
        let key = (database, process?);
        let sender = Arc::<Sender>::default();
        self.0.insert(key.clone(), Known { sender: sender.clone(), ended: None });
        Some(Entered { senders: self.clone(), key, sender })
    }

    fn find(&self, database: &Arc<str>, process: u32) -> Option<Arc<Sender>> {
        self.0.get(&(database.clone(), process)).map(|known| known.sender.clone())
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some(mut known) = self.senders.0.get_mut(&self.key)
            && Arc::ptr_eq(&known.sender, &self.sender)
        {
            known.ended = Some(Instant::now());
        }
    }
}

impl Session {
    /// A statement is about to be sent: what it may put into payloads.
    pub fn may_notify(&self, run: &Run) {
        let Some(entered) = &self.sender else { return };
        if !run.touched.raw.is_empty() {
            entered.sender.raw.store(true, Ordering::Relaxed);
        }
        if self.writes_unseen(run) {
            entered.sender.unseen.store(true, Ordering::Relaxed);
        }
    }

    /// A NotificationResponse on its way to the client.
    pub fn notification(&mut self, frame: &[u8]) -> Result<(), End> {
        let body = frame.get(HEADER..).unwrap_or_default();
        let malformed = "malformed NotificationResponse";
        let mut notification =
            backend::notification(body).map_err(|_| Fatal::protocol(malformed).incident(malformed))?;
        let own = self.upstream_cancel.as_ref().map(CancelTarget::pid) == Some(notification.pid);
        let trusted = &self.shared.settings.trusted_channels;
        let passes = trusted.iter().any(|channel| channel.as_bytes() == notification.channel)
            || self.shared.senders.find(&self.identity.database, notification.pid).is_some_and(|sender| {
                let unseen = sender.unseen.load(Ordering::Relaxed);
                !unseen && (own || !sender.raw.load(Ordering::Relaxed))
            });
        if own {
            // A client knows its own notifications by the process id that we told it.
            notification.pid = self.pid;
        }
        if !passes {
            notification.payload = b"";
        }
        backend::build::notification(self.client.output.building(), &notification);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_known_until_a_while_after_its_end() {
        let senders = Arc::<Senders>::default();
        let shop: Arc<str> = "shop".into();
        let entered = senders.enter(shop.clone(), Some(7)).unwrap();
        entered.sender.raw.store(true, Ordering::Relaxed);
        assert!(senders.find(&shop, 7).is_some_and(|sender| sender.raw.load(Ordering::Relaxed)));
        assert!(senders.find(&"other".into(), 7).is_none() && senders.find(&shop, 8).is_none());
        drop(entered);
        assert!(senders.find(&shop, 7).is_some(), "its last words are on their way");
        // The server has given its process id to another session of ours.
        let again = senders.enter(shop.clone(), Some(7)).unwrap();
        assert!(!senders.find(&shop, 7).unwrap().raw.load(Ordering::Relaxed));
        drop(again);
    }
}
