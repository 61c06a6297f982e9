//! `pgwarrant.wait`: a statement that would be refused or masked, and would not if a pending request
//! of its user's were approved, waits until that request is decided.
//!
//! Whether it would is found out by analysing it as if it were: so nobody waits for a decision that
//! makes no difference. A statement that is masked while nobody has been asked does not wait.

use std::time::Instant;

use pgwarrant_grants::{Request, RequestId, format_duration};
use pgwarrant_sql::{Access, Context, GrantId, Statement, Verdict};

use crate::cache::Analysed;
use crate::diagnostics;
use crate::prepared::Prepared;
use crate::session::{Session, Step, Waited};

/// The number of the grant that there would be.
const IF_APPROVED: GrantId = GrantId::MAX;

/// What the message at the front of the input waits for.
#[derive(Clone, Copy, Debug)]
pub struct Awaited {
    until: Instant,
    request: RequestId,
    /// It has waited long enough, and the client was told.
    over: bool,
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
        let request = pending.iter().find(|request| self.would_help(request, analysed))?.id;
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

    /// Would some statement run that is refused, or show more than it does, if this were approved?
    fn would_help(&self, request: &Request, analysed: &Analysed) -> bool {
        let basis = analysed.basis();
        let more = request.scope.bind(IF_APPROVED, &basis.catalogue);
        if more.is_empty() {
            return false;
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
        let Ok(granted) = pgwarrant_sql::analyse(&analysed.text, &context) else { return false };
        let refused = |statement: &Statement| matches!(statement.verdict, Verdict::Refused(_));
        granted
            .statements
            .iter()
            .zip(analysed.statements())
            .any(|(then, now)| !refused(then) && (refused(now) || then.touched.grants.contains(&IF_APPROVED)))
    }

    /// A NOTICE, as soon as there is room for it between two frames.
    fn tell(&mut self, message: &str, hint: Option<&str>) {
        let mut frame = bytes::BytesMut::new();
        diagnostics::notice(message, None, hint, &mut frame);
        self.notices.push_back(frame.to_vec());
    }
}
