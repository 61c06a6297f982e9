//! Waiting until a request is decided.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use crate::saving::{lock, read};
use crate::{Live, Principal, Request, RequestId, RequestState};

type Told = Option<Arc<Request>>;

/// An entry for each pending request that somebody waits for, or did; it goes when the request is
/// decided.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<HashMap<RequestId, watch::Sender<Told>>>);

impl Waiting {
    fn join(&self, id: RequestId) -> watch::Receiver<Told> {
        lock(&self.0).entry(id).or_insert_with(|| watch::channel(None).0).subscribe()
    }

    /// It is not pending (any more).
    fn close(&self, id: RequestId) {
        lock(&self.0).remove(&id);
    }

    pub(crate) fn tell(&self, request: &Arc<Request>) {
        if let Some(waiting) = lock(&self.0).remove(&request.id) {
            waiting.send_replace(Some(request.clone()));
        }
    }
}

impl Live {
    /// Pending requests for grants that `who` would hold in this database and does not have yet,
    /// oldest first.
    pub fn pending_of(&self, who: &Principal, database: &str) -> Vec<Arc<Request>> {
        let now = self.0.clock.now();
        let requests = read(&self.0.requests);
        let pending = requests.pending.values().filter(|request| {
            request.database == database
                && request.extends.is_none()
                && request.lapses_at > now
                && request.who.includes(who)
        });
        pending.cloned().collect()
    }

    /// Resolves when the request is decided; approved, its grant is live or scheduled by then. Every
    /// request is decided at some time, or lapses ([`Live::run_expiry`]). None: it is neither pending
    /// nor among the most recently decided. May be dropped at any time.
    pub fn wait_for(&self, id: RequestId) -> impl Future<Output = Option<Arc<Request>>> + Send + use<> {
        let live = self.clone();
        async move {
            // Joined first: what is decided from here on is told, what was decided before is seen.
            let mut told = live.0.waiting.join(id);
            let known = live.0.known_request(id);
            if known.as_ref().is_none_or(|request| request.state != RequestState::Pending) {
                live.0.waiting.close(id);
                return known;
            }
            if let Ok(decided) = told.wait_for(Option::is_some).await {
                return decided.clone();
            }
            live.0.known_request(id)
        }
    }
}
