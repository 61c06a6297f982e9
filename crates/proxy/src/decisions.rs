//! `pgwarrant.wait`: a statement that would be refused or masked, and would not if pending requests of
//! its user's were approved, waits until these are decided, one after the other.
//!
//! Whether it would is found out by analysing it once as if they were: so nobody waits for a decision
//! that makes no difference. A statement that is masked while nobody has been asked does not wait.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use pgwarrant_grants::{Request, RequestId, format_duration};
use pgwarrant_sql::{Access, Context, GrantId, GrantScope, Verdict};

use crate::cache::Analysed;
use crate::diagnostics;
use crate::prepared::Prepared;
use crate::session::{Session, Step, Waited};

/// So many pending requests are looked at, the oldest first: colleagues can ask for a whole group, and
/// each makes the analysis longer.
const REQUESTS: usize = 32;

/// What the message at the front of the input waits for.
#[derive(Clone, Copy, Debug)]
pub struct Awaited {
    until: Instant,
    request: RequestId,
    /// It has waited long enough, and the client was told.
    pub over: bool,
}

impl Session {
    /// None: the message need not wait, or has waited long enough.
    pub fn await_decision(&mut self, analysed: &Analysed) -> Option<Step> {
        let wait = self.state.wait?;
        // In a failed transaction nothing runs, whatever is granted.
        if self.state.status == b'E' {
            return None;
        }
        let now = Instant::now();
        let before = self.front.decision;
        let until = before.map_or(now + wait, |before| before.until);
        let left = until.saturating_duration_since(now);
        let (user, database) = (&self.identity.principal, &self.database.settings.name);
        let pending = self.shared.live.pending_of(user, database);
        let request = self.helpful(&pending, analysed)?;
        let told = before.is_some_and(|before| before.request == request);
        let over = left.is_zero();
        if over && !before.is_some_and(|before| before.over) {
            self.tell(&format!("request {request} was not decided in {}", format_duration(wait)), None);
        } else if !over && !told {
            let message =
                format!("waiting for request {request} to be decided, for at most {}", format_duration(left));
            self.tell(&message, Some("Cancel the statement to go on without it."));
        }
        self.front.decision = Some(Awaited { until, request, over });
        if over {
            return None;
        }
        let decided = self.shared.live.wait_for(request);
        // What is in flight is answered meanwhile.
        self.flush_upstream();
        Some(self.wait(Box::pin(async move {
            let _ = tokio::time::timeout_at(until.into(), decided).await;
            Waited::Again
        })))
    }

    /// The same for a message that uses a prepared statement.
    pub fn await_decision_of_prepared(&mut self, prepared: &Prepared) -> Option<Step> {
        self.state.wait?;
        let analysed = self.analyse(&prepared.analysed().text).ok()?;
        self.await_decision(&analysed)
    }

    /// The oldest request without which a statement would go on being refused, or show less, if all of
    /// them were approved.
    fn helpful(&self, pending: &[Arc<Request>], analysed: &Analysed) -> Option<RequestId> {
        let (basis, pending) = (analysed.basis(), pending.get(..REQUESTS).unwrap_or(pending));
        // Numbers that no grant has, the highest for the oldest.
        let number = |place: usize| GrantId::MAX - place as GrantId;
        let bind =
            |(place, request): (usize, &Arc<Request>)| request.scope.bind(number(place), &basis.catalogue);
        let more: Vec<GrantScope> = pending.iter().enumerate().flat_map(bind).collect();
        if more.is_empty() {
            return None;
        }
        let scopes = basis.access.scopes.iter().cloned().chain(more).collect();
        let access = Access { scopes, ..Access::clone(&basis.access) };
        let context = Context {
            catalogue: &basis.catalogue,
            access: &access,
            session: &basis.session,
            limits: &self.shared.settings.limits.sql,
            database: &self.database.settings.name,
        };
        let granted = pgwarrant_sql::analyse(&analysed.text, &context).ok()?;
        let helped = granted.statements.iter().zip(analysed.statements()).filter(|(then, now)| {
            !matches!(then.verdict, Verdict::Refused(_)) && then.verdict != now.verdict
        });
        let used: HashSet<GrantId> =
            helped.flat_map(|(then, _)| then.touched.grants.iter().copied()).collect();
        let mut numbered = pending.iter().enumerate();
        numbered.find(|(place, _)| used.contains(&number(*place))).map(|(_, request)| request.id)
    }

    /// A NOTICE, as soon as there is room for it between two frames.
    fn tell(&mut self, message: &str, hint: Option<&str>) {
        let mut frame = bytes::BytesMut::new();
        diagnostics::notice(message, None, hint, &mut frame);
        self.notices.push_back(frame.to_vec());
    }
}
