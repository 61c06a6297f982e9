//! Intents: the records in the trail that a statement has before the first raw row of it goes out.
//!
//! A statement that only reads is sent at once, and its intent becomes durable while the server works:
//! until it is, nothing that the server answers to it is looked at, so not one byte of it can pass.
//! All others wait until theirs is durable, because what they do cannot be held back. Either way an
//! intent has its number from the moment it is handed over, so that whatever becomes of the statement,
//! or of the session, can be recorded as its outcome.

use std::sync::Arc;
use std::task::{Context, Poll};

use pgwarrant_audit::{Decision, Entry, Event, Kind, Phase, Trail};
use pgwarrant_catalog::Catalogue;
use pgwarrant_sql::{Class, Token, Touched};

use crate::audit_trail::{no_trail, record, wall_clock};
use crate::cache::Analysed;
use crate::error::End;
use crate::ledger;
use crate::plan::Planned;
use crate::session::{Hold, Session, Step, Waited, Waiting};
use crate::work::{Run, Work};

/// A session's intents on their way to the disk.
pub struct Intents {
    trail: Trail,
    /// The number of the newest; 0: none yet.
    newest: u64,
    /// As far as the trail is known to be durable.
    durable: u64,
    waiting: Option<Waiting<Result<u64, pgwarrant_audit::Error>>>,
}

impl Intents {
    pub fn new(trail: Trail) -> Self {
        Self { trail, newest: 0, durable: 0, waiting: None }
    }

    /// Hands one over, and gives its number. None: there is no room in the trail now.
    fn begin(&mut self, entry: &Entry) -> Result<Option<u64>, End> {
        let number = self.trail.begin_durable(entry).map_err(|error| no_trail(&error))?;
        if let Some(number) = number {
            self.newest = number;
            self.durable = self.trail.durable_up_to();
        }
        Ok(number)
    }

    /// Is one of them not known to be durable?
    pub fn are_pending(&self) -> bool {
        self.newest > self.durable
    }

    fn is_pending(&self, run: &Run) -> bool {
        run.intent.is_some_and(|number| number > self.durable)
    }

    /// True: more of them are durable than were. An error: the trail has failed, so nothing raw may
    /// pass any more.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Result<bool, End> {
        let mut moved = false;
        while self.are_pending() {
            let (trail, next) = (&self.trail, self.durable + 1);
            let waiting = self.waiting.get_or_insert_with(|| Box::pin(trail.until_durable(next)));
            let Poll::Ready(result) = waiting.as_mut().poll(context) else { break };
            self.waiting = None;
            self.durable = result.map_err(|error| no_trail(&error))?;
            moved = true;
        }
        Ok(moved)
    }
}

impl Session {
    /// Sees to it that every statement which may pass raw data has an intent, and that those which do
    /// more than read are not sent before it is durable. Some: held.
    pub fn intend(&mut self, analysed: &Analysed, planned: &[Planned]) -> Result<Option<Step>, End> {
        let missing = self.missing_intents(planned);
        if !missing.is_empty() {
            if let Some(step) = self.reserve(&missing) {
                return Ok(Some(step));
            }
            for (index, touched) in missing {
                let Some(number) = self.begin_intent(analysed, index, &touched)? else {
                    let trail = self.shared.trail.clone();
                    let room = async move {
                        trail.room().await;
                        Waited::Again
                    };
                    return Ok(Some(self.wait(Box::pin(room))));
                };
                if let Some((_, before)) = self.front.intents.insert(index, (touched, number)) {
                    self.record_came_to_nothing(before, NOT_SENT);
                }
            }
        }
        let before = !self.front.intents.is_empty() && !planned.iter().all(Planned::may_go_before_its_record);
        if before && self.intents.are_pending() {
            self.hold = Hold::Record;
            return Ok(Some(Step::Held));
        }
        Ok(None)
    }

    fn missing_intents(&self, planned: &[Planned]) -> Vec<(usize, Arc<Touched>)> {
        let releasing =
            planned.iter().enumerate().filter(|(_, planned)| planned.refusal.is_none() && planned.releases());
        let missing = releasing.filter(|(index, planned)| {
            self.front.intents.get(index).is_none_or(|(touched, _)| **touched != *planned.touched)
        });
        missing.map(|(index, planned)| (index, planned.touched.clone())).collect()
    }

    /// So that taking a use of the grants does not wait for the disk, and this thread's sessions with
    /// it. Once a message: whether the disk took it is said when the use is taken.
    fn reserve(&mut self, missing: &[(usize, Arc<Touched>)]) -> Option<Step> {
        if self.front.reserved {
            return None;
        }
        let grants: Vec<u64> =
            missing.iter().flat_map(|(_, touched)| touched.grants.iter().copied()).collect();
        let reserved = self.shared.live.reserve(&grants, 1)?;
        self.front.reserved = true;
        Some(self.wait(Box::pin(async move {
            reserved.await;
            Waited::Again
        })))
    }

    fn begin_intent(
        &mut self,
        analysed: &Analysed,
        index: usize,
        touched: &Arc<Touched>,
    ) -> Result<Option<u64>, End> {
        let shape = self.shape(analysed, index, touched);
        let at = wall_clock(self.now);
        let mut event = Event::new(Kind::Statement, Decision::Raw, at);
        event.phase = Phase::Intent;
        let who = self.trail.who(&self.identity);
        self.intents.begin(&Entry { who, shape, event })
    }

    /// Must what the server says wait, because it is about a statement whose intent is not durable?
    pub fn awaits_record(&self) -> bool {
        if !self.intents.are_pending() {
            return false;
        }
        // (The server says nothing to the end of a COPY that was over.)
        let mut entries = self.ledger.iter().filter(|entry| entry.kind != ledger::Kind::CopyEnd);
        match entries.next().map(|head| &head.payload) {
            Some(Work::Query(query)) => query.runs().any(|run| self.intents.is_pending(run)),
            Some(Work::Execute(run)) => self.intents.is_pending(run),
            _ => false,
        }
    }

    /// The intent that is this statement's, whatever becomes of it now.
    pub fn take_intent(&mut self, index: usize) -> Option<u64> {
        if self.front.intents.is_empty() {
            return None;
        }
        self.front.intents.remove(&index).map(|(_, number)| number)
    }

    /// Intents of the message at the front that came to nothing: it was refused after all, or the
    /// session is over.
    pub fn record_unused_intents(&mut self) {
        if self.front.intents.is_empty() {
            return;
        }
        for (_, number) in std::mem::take(&mut self.front.intents).into_values() {
            self.record_came_to_nothing(number, NOT_SENT);
        }
    }

    /// The intents of statements that the server has skipped.
    pub fn record_skipped<'r>(&mut self, runs: impl Iterator<Item = &'r Run>) {
        for number in runs.filter_map(|run| run.intent) {
            self.record_came_to_nothing(number, NOT_RUN);
        }
    }

    /// The outcome of an intent whose statement did nothing: nothing has passed.
    fn record_came_to_nothing(&mut self, intent: u64, why: &str) {
        let mut record = record(&self.identity, Kind::Statement, Decision::Refused);
        record.intent_of = Some(intent);
        record.note = Some(why.to_owned());
        self.trail.push(record);
    }
}

const NOT_SENT: &str = "it was not sent";
const NOT_RUN: &str = "it was not run, because what came before it failed";

impl Planned {
    /// Is there nothing that it does but to read, so that all of it is in what the server answers?
    fn may_go_before_its_record(&self) -> bool {
        let of_its_class = matches!(self.class, Class::Select | Class::Fetch | Class::Execute);
        self.refusal.is_some() || of_its_class && self.reads && self.also.is_empty() && self.anew.is_none()
    }
}

/// Is it sure that the statement leaves nothing behind but what it returns: no row, no lock that lasts,
/// no setting, no notification? Where in doubt, no. Told by its words, and by what is known of the
/// functions among them. (Of PREPARE and DECLARE, the statement inside is meant.)
pub fn only_reads(class: Class, text: &str, tokens: &[Token], catalogue: &Catalogue) -> bool {
    let reading = matches!(
        class,
        Class::Select | Class::Fetch | Class::Execute | Class::Prepare | Class::DeclareCursor
    );
    reading
        && tokens.iter().enumerate().all(|(at, token)| {
            let Some(name) = token.identifier(text) else { return true };
            let called = tokens.get(at + 1).is_some_and(|next| next.is_punct(text, "("));
            let does_more = writes_or_locks(&name) || called && leaves(&name);
            !does_more && !catalogue.writers.contains(&*name)
        })
}

fn writes_or_locks(word: &str) -> bool {
    matches!(word, "insert" | "update" | "delete" | "merge" | "refresh" | "into" | "share" | "pgwarrant")
}

/// Does a function of PostgreSQL's of this name do anything but compute, as far as it can be told?
fn leaves(function: &str) -> bool {
    matches!(function, "nextval" | "setval" | "setseed" | "set_config")
        || ["pg_", "lo_", "dblink"].iter().any(|prefix| function.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use pgwarrant_sql::{Limits, lexer};

    use super::*;

    #[test]
    fn only_what_surely_reads_goes_before_its_record() {
        let catalogue = Catalogue { writers: ["note".to_owned()].into(), ..Catalogue::default() };
        let cases = [
            (Class::Select, "SELECT email FROM customers", true),
            (Class::Select, "TABLE customers", true),
            (Class::Select, "SELECT lower(email), count(*) FROM customers GROUP BY 1", true),
            (Class::Select, "SELECT pg_catalog.substring(email for 3) FROM customers", true),
            (Class::Select, "SELECT 'update', \"pg_column\" FROM customers", true),
            (Class::Fetch, "FETCH ALL FROM c", true),
            (Class::Execute, "EXECUTE a(1)", true),
            (Class::Prepare, "PREPARE a AS SELECT email FROM customers", true),
            (Class::DeclareCursor, "DECLARE c CURSOR FOR SELECT email FROM customers", true),
            (Class::Select, "WITH x AS (DELETE FROM plain RETURNING 1) SELECT email FROM customers", false),
            (Class::Select, "SELECT email FROM customers For Update", false),
            (Class::Select, "SELECT email FROM customers FOR KEY SHARE", false),
            (Class::Select, "SELECT email INTO TEMP t FROM customers", false),
            (Class::Select, "SELECT Note(1), email FROM customers", false),
            (Class::Select, "SELECT (c).note, email FROM customers AS c", false),
            (Class::Select, "SELECT \"note\"(1), email FROM customers", false),
            (Class::Select, "SELECT u&\"n\\006fte\"(1), email FROM customers", false),
            (Class::Select, "SELECT nextval ('s'), email FROM customers", false),
            (Class::Select, "SELECT pg_catalog.pg_notify('c', 'x'), email FROM customers", false),
            (Class::Select, "SELECT pgwarrant.release(1), email FROM customers", false),
            (Class::Execute, "EXECUTE a(setval('s', 1))", false),
            (Class::Prepare, "PREPARE a AS UPDATE customers SET email = email RETURNING email", false),
            (Class::Explain, "EXPLAIN ANALYZE SELECT email FROM customers", false),
            (Class::CopyTo, "COPY customers TO STDOUT", false),
            (Class::Call, "CALL p()", false),
        ];
        for (class, text, expected) in cases {
            let limits = Limits { statement_bytes: usize::MAX, statement_tokens: usize::MAX, nesting: 0 };
            let tokens = lexer::lex(text, &limits).unwrap();
            assert_eq!(only_reads(class, text, &tokens, &catalogue), expected, "{text}");
        }
    }
}
