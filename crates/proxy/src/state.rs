//! Session state that changes what names mean.
//!
//! search_path, role, temporary relations and `pgwarrant.wait` live in the server, and a client has many ways to
//! change them: SET, `set_config`, SET LOCAL, DISCARD, CREATE TEMP TABLE, a rollback of any of
//! these. They are not simulated here. Whatever may have changed them marks them stale, and before
//! the next analysis the session asks the server, with a statement of its own that touches neither
//! the unnamed statement nor the unnamed portal of the client.

use std::sync::Arc;
use std::time::Duration;

use pgwarrant_sql::{Class, Effect, SessionState};

use crate::ledger::Sequence;

/// The name of the statement and of the portal that ask.
pub const PROBE_NAME: &str = "pgwarrant_probe";

/// One row for each fact: its kind, its place, its text. Nothing in it can be shadowed by the
/// user's search_path. (No relation's namespace is 0; that is said so that a session without
/// temporary relations does not scan pg_class for them.)
pub const PROBE: &str = "SELECT 'p'::pg_catalog.text, u.o, u.n::pg_catalog.text \
     FROM pg_catalog.unnest(pg_catalog.current_schemas(true)) WITH ORDINALITY AS u(n, o) \
     UNION ALL SELECT 'r'::pg_catalog.text, 0::pg_catalog.int8, CURRENT_USER::pg_catalog.text \
     UNION ALL SELECT 't'::pg_catalog.text, 0::pg_catalog.int8, c.relname::pg_catalog.text \
     FROM pg_catalog.pg_class AS c WHERE c.relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema() \
     AND pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.<>) 0::pg_catalog.oid \
     UNION ALL SELECT 'w'::pg_catalog.text, 0::pg_catalog.int8, \
     pg_catalog.substr(COALESCE(pg_catalog.current_setting('pgwarrant.wait', true), ''::pg_catalog.text), 1, 64)";

/// What is known of the server's session.
#[derive(Debug)]
pub struct State {
    pub session: Arc<SessionState>,
    /// How long a statement waits for requests to be decided; None: not at all.
    pub wait: Option<Duration>,
    /// It may no longer hold.
    pub stale: bool,
    /// The last statement that changed it in the transaction that is open, whose end may change it
    /// back.
    changed: Option<Sequence>,
    /// It was never changed since the session began.
    pristine: bool,
    /// The last statement that was DDL in the transaction that is open.
    ddl: Option<Sequence>,
    /// The last statement that wrote what the user may not see, and its transaction is not over.
    wrote_unseen: Option<Sequence>,
    /// The transaction status of the last ReadyForQuery: `I`, `T` or `E`; corrected by the tags of
    /// statements that end a failed transaction.
    pub status: u8,
    /// What the running question has brought so far.
    answer: Vec<(String, i64, String)>,
}

/// Rows of one answer; more temporary relations than this and the session is refused.
const ANSWER_ROWS: usize = 100_000;

impl State {
    pub fn new(Gathered { session, wait }: Gathered) -> Self {
        Self {
            wait,
            session: Arc::new(SessionState { settled: true, pristine: true, ..session }),
            stale: false,
            changed: None,
            pristine: true,
            ddl: None,
            wrote_unseen: None,
            status: b'I',
            answer: Vec::new(),
        }
    }

    /// A statement is about to be sent, and will be known by this sequence.
    pub fn sending(&mut self, class: Class, effects: &[Effect], sequence: Sequence) {
        if effects.iter().any(|effect| matches!(effect, Effect::SessionState | Effect::DiscardAll)) {
            self.stale = true;
            self.changed = Some(sequence);
            // The end of a transaction brings back what there was.
            self.pristine &= class == Class::Transaction;
        }
        if effects.contains(&Effect::Ddl) {
            self.ddl = Some(sequence);
        }
        // ROLLBACK TO a savepoint undoes what came after it.
        if class == Class::Transaction && self.changed.is_some() {
            self.stale = true;
        }
    }

    /// The state as an analysis may rely on it now.
    pub fn session(&mut self) -> &Arc<SessionState> {
        let (settled, pristine) = (self.changed.is_none(), self.pristine);
        if (self.session.settled, self.session.pristine) != (settled, pristine) {
            self.session = Arc::new(SessionState { settled, pristine, ..SessionState::clone(&self.session) });
        }
        &self.session
    }

    /// A statement of this sequence is about to write what the user may not see: until its
    /// transaction is over, deferred constraints may quote it.
    pub fn writes_unseen(&mut self, sequence: Sequence) {
        self.wrote_unseen = Some(sequence);
    }

    pub fn wrote_unseen(&self) -> bool {
        self.wrote_unseen.is_some()
    }

    /// A statement that ends a failed transaction, wholly or to a savepoint, has run.
    pub fn completed(&mut self, tag: &[u8]) {
        if self.status == b'E' && (tag.starts_with(b"ROLLBACK") || tag.starts_with(b"COMMIT")) {
            self.status = b'T';
        }
    }

    /// ReadyForQuery, which answers what is known by this sequence. True: DDL was run in a
    /// transaction that is over now.
    pub fn ready(&mut self, status: u8, sequence: Sequence) -> bool {
        self.status = status;
        if status != b'I' {
            return false;
        }
        let over = |wrote: &mut Option<Sequence>| wrote.take_if(|wrote| *wrote <= sequence).is_some();
        if over(&mut self.changed) {
            self.stale = true;
        }
        over(&mut self.wrote_unseen);
        over(&mut self.ddl)
    }

    pub fn asked(&mut self) {
        self.answer.clear();
    }

    /// A row of the answer. False: it is not a row of ours.
    pub fn row(&mut self, mut values: Vec<Option<String>>) -> bool {
        let (Some(Some(text)), Some(Some(place)), Some(Some(kind)), true) =
            (values.pop(), values.pop(), values.pop(), self.answer.len() < ANSWER_ROWS)
        else {
            return false;
        };
        let Ok(place) = place.parse() else { return false };
        self.answer.push((kind, place, text));
        true
    }

    pub fn answered(&mut self) {
        let Gathered { session, wait } = gathered(std::mem::take(&mut self.answer));
        self.wait = wait;
        self.session =
            Arc::new(SessionState { settled: self.changed.is_none(), pristine: self.pristine, ..session });
        self.stale = false;
    }
}

/// What the rows of [`PROBE`] say.
#[derive(Debug, Default)]
pub struct Gathered {
    pub session: SessionState,
    pub wait: Option<Duration>,
}

/// The state from the rows of [`PROBE`].
pub fn gathered(mut rows: Vec<(String, i64, String)>) -> Gathered {
    rows.sort();
    let mut state = SessionState::default();
    let mut wait = None;
    for (kind, _, text) in rows {
        match kind.as_str() {
            "p" => state.search_path.push(text),
            "r" => state.role = text,
            "t" => state.temp_relations.push(text),
            // What nobody who came through us has set may be anything.
            "w" => wait = pgwarrant_sql::wait(&text).ok().filter(|wait| !wait.is_zero()),
            _ => {}
        }
    }
    Gathered { session: state, wait }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State::new(Gathered::default())
    }

    #[test]
    fn an_answer_becomes_the_state_whatever_its_order() {
        let row = |kind: &str, place, text: &str| (kind.to_owned(), place, text.to_owned());
        let state = gathered(vec![
            row("t", 0, "x"),
            row("p", 2, "public"),
            row("r", 0, "app"),
            row("p", 1, "pg_catalog"),
            row("w", 0, "5 min"),
        ]);
        assert_eq!(state.wait, Some(Duration::from_secs(300)));
        let state = state.session;
        assert_eq!(state.search_path, ["pg_catalog", "public"]);
        assert_eq!((state.role.as_str(), state.temp_relations), ("app", vec!["x".to_owned()]));
    }

    #[test]
    fn the_end_of_a_transaction_that_changed_the_state_makes_it_stale_again() {
        let mut state = state();
        state.sending(Class::Set, &[Effect::SessionState], 1);
        assert!(state.stale);
        state.answered();
        state.ready(b'T', 3);
        assert!(!state.stale);
        state.ready(b'I', 3);
        assert!(state.stale, "a rollback would have changed it back");
    }

    #[test]
    fn a_rollback_to_a_savepoint_makes_it_stale() {
        let mut state = state();
        state.sending(Class::Set, &[Effect::SessionState], 1);
        state.answered();
        state.sending(Class::Transaction, &[], 2);
        assert!(state.stale);
    }

    #[test]
    fn ddl_counts_when_its_transaction_is_over() {
        let mut state = state();
        state.sending(Class::Ddl, &[Effect::Ddl], 1);
        assert!(!state.ready(b'T', 3));
        assert!(state.ready(b'I', 3));
        assert!(!state.ready(b'I', 3));
    }

    #[test]
    fn the_end_of_an_earlier_transaction_decides_nothing() {
        let mut state = state();
        state.sending(Class::Ddl, &[Effect::Ddl, Effect::SessionState], 7);
        assert!(!state.ready(b'I', 6), "the answer to what was sent before");
        state.answered();
        assert!(!state.session().settled);
        assert!(state.ready(b'I', 7));
        assert!(state.stale && state.session().settled && !state.session().pristine);
    }

    #[test]
    fn the_end_of_a_transaction_leaves_a_pristine_session_so() {
        let mut state = state();
        state.sending(Class::Transaction, &[Effect::SessionState], 1);
        assert!(state.session().pristine);
        state.sending(Class::Set, &[Effect::SessionState], 2);
        assert!(!state.session().pristine);
    }

    #[test]
    fn a_failed_transaction_is_over_when_its_rollback_has_run() {
        let mut state = state();
        state.ready(b'E', 3);
        state.completed(b"SELECT 1");
        assert_eq!(state.status, b'E');
        state.completed(b"ROLLBACK");
        assert_eq!(state.status, b'T');
    }
}
