//! The open sessions, and what the rest of the proxy tells them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use dashmap::DashMap;
use pgwarrant_grants::Principal;

use crate::handle::SessionInfo;
use crate::identity::Identity;
use crate::mailbox::{Message, Receiver, Sender, mailbox};

#[derive(Debug)]
struct Handle {
    who: Arc<Principal>,
    sender: Sender,
    since: SystemTime,
    /// None: it is still being opened.
    identity: Option<Arc<Identity>>,
}

#[derive(Debug, Default)]
pub struct Registry {
    sessions: DashMap<u64, Handle>,
    last: AtomicU64,
    connections: AtomicUsize,
    users: Mutex<HashMap<Arc<str>, usize>>,
}

/// A session's place in the registry; dropping it leaves.
#[derive(Debug)]
pub struct Place {
    registry: Arc<Registry>,
    pub number: u64,
}

/// One connection, counted until it is dropped.
#[derive(Debug)]
pub struct Connection(Arc<Registry>);

/// One connection of a user, counted until it is dropped.
#[derive(Debug)]
pub struct UserConnection {
    registry: Arc<Registry>,
    user: Arc<str>,
}

impl Registry {
    /// Counts a connection; None: there are `most` already.
    pub fn connect(self: &Arc<Self>, most: usize) -> Option<Connection> {
        let before = self.connections.fetch_add(1, Ordering::Relaxed);
        let connection = Connection(self.clone());
        (before < most).then_some(connection)
    }

    /// Counts a connection of a user; None: there are `most` already.
    pub fn connect_user(self: &Arc<Self>, user: &Arc<str>, most: usize) -> Option<UserConnection> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let count = users.entry(user.clone()).or_insert(0);
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(UserConnection { registry: self.clone(), user: user.clone() })
    }

    pub fn enter(self: &Arc<Self>, who: &Arc<Principal>) -> (Place, Sender, Receiver) {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, receiver) = mailbox();
        let handle =
            Handle { who: who.clone(), sender: sender.clone(), since: SystemTime::now(), identity: None };
        self.sessions.insert(number, handle);
        (Place { registry: self.clone(), number }, sender, receiver)
    }

    /// Says who is at the other end of a session, once it is open.
    pub fn describe(&self, identity: &Arc<Identity>) {
        if let Some(mut session) = self.sessions.get_mut(&identity.session) {
            session.identity = Some(identity.clone());
        }
    }

    /// The sessions that are open.
    pub fn described(&self) -> Vec<SessionInfo> {
        let info = |session: &Handle| {
            let identity = session.identity.as_ref()?;
            Some(SessionInfo {
                number: identity.session,
                who: identity.principal.clone(),
                database: identity.database.clone(),
                role: identity.role.clone(),
                address: identity.address.clone(),
                application: identity.application.clone(),
                tls: identity.tls,
                sign_in: identity.sign_in,
                since: session.since,
            })
        };
        self.sessions.iter().filter_map(|session| info(&session)).collect()
    }

    /// Ends a session, as soon as it gets to it. False: there is none of this number.
    pub fn end(&self, number: u64) -> bool {
        self.sessions.get(&number).is_some_and(|session| session.sender.send(Message::Shutdown))
    }

    /// Wakes the sessions that may be using a grant, to look at it.
    pub fn grant_ended(&self) {
        for session in &self.sessions {
            session.sender.grant_ended();
        }
    }

    /// Tells the sessions of some users.
    pub fn tell(&self, whom: impl Fn(&Principal) -> bool, message: impl Fn() -> Message) {
        // Most users have many sessions: each is looked at once.
        let mut known: HashMap<String, bool> = HashMap::new();
        for session in &self.sessions {
            let concerned = match known.get(&session.who.user) {
                Some(concerned) => *concerned,
                None => *known.entry(session.who.user.clone()).or_insert(whom(&session.who)),
            };
            if concerned {
                // False: it has been told enough, or is leaving.
                let _ = session.sender.send(message());
            }
        }
    }

    /// Tells one session. False: the message is lost.
    pub fn tell_session(&self, number: u64, message: Message) -> bool {
        self.sessions.get(&number).is_some_and(|session| session.sender.send(message))
    }

    /// Ends every session, as soon as each gets to it.
    pub fn shut_down(&self) {
        for session in &self.sessions {
            let _ = session.sender.send(Message::Shutdown);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.registry.sessions.remove(&self.number);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for UserConnection {
    fn drop(&mut self) {
        let mut users = self.registry.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = users.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                users.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn connections_are_counted_in_all_and_for_each_user() {
        let registry = Arc::new(Registry::default());
        let first = registry.connect(1);
        assert!(first.is_some() && registry.connect(1).is_none());
        drop(first);
        assert!(registry.connect(1).is_some());
        let ada: Arc<str> = "ada".into();
        let held = registry.connect_user(&ada, 1);
        assert!(held.is_some() && registry.connect_user(&ada, 1).is_none());
        assert!(registry.connect_user(&"ben".into(), 1).is_some());
        drop(held);
        assert!(registry.connect_user(&ada, 1).is_some());
    }

    #[test]
    fn a_user_s_sessions_are_told_and_no_others() {
        let registry = Arc::new(Registry::default());
        let enter = |user: &str| registry.enter(&Arc::new(Principal::new(user, Vec::new())));
        let (_ada, _, mut to_ada) = enter("ada");
        let (_ben, _, mut to_ben) = enter("ben");
        registry.tell(|who| who.user == "ada", || Message::Notice(Vec::new()));
        let context = Context::from_waker(Waker::noop());
        assert!(to_ada.poll(&context).is_ready() && to_ben.poll(&context).is_pending());
    }
}
