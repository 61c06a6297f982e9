//! From what happened in a session to records in the audit trail.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pgwarrant_audit::{Decision, Entry, Kind, Record, RecordedError, Shape, Trail, Who};
use pgwarrant_grants::{Answer, Event, Facts, Grant, Request, Said};
use pgwarrant_sql::{Class, Reason, Refusal, Touched};

use crate::cache::Analysed;
use crate::error::{End, Fatal};
use crate::guard;
use crate::identity::Identity;
use crate::session::{Session, Waiting};
use crate::work::{Cut, Run, Work};

/// Records of a session that wait for room in the trail; past it, its client waits.
const WAITING: usize = 64;

/// How long the wall clock is told from the monotonic one before it is read again.
const ANCHORED: Duration = Duration::from_millis(100);

/// The way of a session's records to the trail, in order.
pub struct Pending {
    trail: Trail,
    /// Made with the first statement.
    who: Option<Arc<Who>>,
    /// None as long as there is room in the trail.
    behind: Option<Box<Behind>>,
}

/// Records that the trail had no room for.
#[derive(Default)]
struct Behind {
    entries: VecDeque<Entry>,
    sending: Option<Waiting<Result<(), pgwarrant_audit::Error>>>,
    /// The trail takes nothing any more.
    failed: Option<pgwarrant_audit::Error>,
}

impl Pending {
    pub fn new(trail: Trail) -> Self {
        Self { trail, who: None, behind: None }
    }

    pub fn push(&mut self, record: Record) {
        self.put(record.into());
    }

    /// Hands a record over, or keeps it where there is no room.
    fn put(&mut self, entry: Entry) {
        if self.behind.is_none() {
            match self.trail.try_append_parts(&entry.who, &entry.shape, &entry.event) {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => self.behind.get_or_insert_default().failed = Some(error),
            }
        }
        self.behind.get_or_insert_default().entries.push_back(entry);
    }

    /// Who acts in this session, for the trail.
    pub fn who(&mut self, identity: &Identity) -> Arc<Who> {
        let who = self.who.get_or_insert_with(|| {
            Arc::new(Who {
                session: identity.session,
                user: identity.user.clone(),
                groups: identity.groups.clone(),
                address: identity.address.clone(),
                application: identity.application.clone(),
                database: identity.database.clone(),
                tls: identity.tls,
                ..Who::default()
            })
        });
        who.clone()
    }

    pub fn is_full(&self) -> bool {
        self.behind.as_ref().is_some_and(|behind| behind.entries.len() >= WAITING)
    }

    /// Hands over what is left behind. True: there was no room, and now there is. An error: the
    /// trail takes nothing any more, so nothing may be done any more.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Result<bool, End> {
        let Some(behind) = &mut self.behind else { return Ok(false) };
        if let Some(error) = &behind.failed {
            return Err(no_trail(error));
        }
        let full = behind.entries.len() >= WAITING;
        loop {
            if behind.sending.is_none() {
                let Some(entry) = behind.entries.pop_front() else { break };
                let trail = self.trail.clone();
                behind.sending = Some(Box::pin(async move { trail.append_entry(entry).await }));
            }
            let Some(sending) = &mut behind.sending else { break };
            let Poll::Ready(result) = sending.as_mut().poll(context) else { break };
            behind.sending = None;
            result.map_err(|error| no_trail(&error))?;
        }
        if behind.sending.is_none() {
            self.behind = None;
        }
        Ok(full && !self.is_full())
    }

    /// Hands over what is left, at the end of a session.
    pub async fn finish(self) {
        let Some(behind) = self.behind else { return };
        if let Some(sending) = behind.sending {
            let _ = sending.await;
        }
        for entry in behind.entries {
            if self.trail.append_entry(entry).await.is_err() {
                return;
            }
        }
    }
}

pub fn no_trail(error: &pgwarrant_audit::Error) -> End {
    Fatal::new("58030", "the audit trail cannot be written")
        .hint("Tell whoever runs the proxy.")
        .incident(error.to_string())
        .into()
}

/// What the wall clock shows at that moment, which is about now, in µs since 1970 UTC. Of two clocks
/// that both take time to read, the second is read some times a second only.
pub fn wall_clock(moment: Instant) -> i64 {
    thread_local! {
        static ANCHOR: Cell<Option<(Instant, i64)>> = const { Cell::new(None) };
    }
    let anchor = ANCHOR.get().filter(|(anchor, _)| moment.saturating_duration_since(*anchor) < ANCHORED);
    let (anchor, shown) = anchor.unwrap_or_else(|| {
        let anchor = (Instant::now(), pgwarrant_audit::record::now());
        ANCHOR.set(Some(anchor));
        anchor
    });
    let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    shown
        .saturating_add(micros(moment.saturating_duration_since(anchor)))
        .saturating_sub(micros(anchor.saturating_duration_since(moment)))
}

/// A record with the fields that are the same for the whole session.
pub fn record(identity: &Identity, kind: Kind, decision: Decision) -> Record {
    let mut record = Record::new(kind, decision, pgwarrant_audit::record::now());
    record.session = identity.session;
    record.user = identity.user.clone();
    record.groups = identity.groups.clone();
    record.address = identity.address.clone();
    record.application = identity.application.clone();
    record.database = identity.database.clone();
    record.tls = identity.tls;
    record
}

impl Session {
    /// What the trail says of a statement, however it goes.
    pub fn shape(&self, analysed: &Analysed, index: usize, touched: &Arc<Touched>) -> Arc<Shape> {
        let make = || self.make_shape(analysed, index, touched);
        let own = if analysed.is_own(index, touched) { analysed.shape(index, make) } else { None };
        own.unwrap_or_else(|| Arc::new(make()))
    }

    fn make_shape(&self, analysed: &Analysed, index: usize, touched: &Touched) -> Shape {
        let catalogue = &analysed.basis().catalogue;
        let class = analysed.statements().get(index).map_or(Class::Empty, |statement| statement.class);
        let mut shape = Shape {
            class: Cow::Borrowed(class_name(class)),
            fingerprint: analysed.fingerprint(index),
            text: pgwarrant_sql::template::redact(&analysed.text, analysed.statement_tokens(index)).into(),
            ..Shape::default()
        };
        if !touched.relations.is_empty() {
            shape.relations = touched
                .relations
                .iter()
                .filter_map(|oid| catalogue.relations.get(oid))
                .map(|relation| format!("{}.{}", relation.schema, relation.name))
                .collect();
            let names =
                |columns: &[_]| columns.iter().map(|column| guard::full_name(catalogue, *column)).collect();
            shape.masked = names(&touched.masked);
            shape.raw = names(&touched.raw);
            shape.grants.clone_from(&touched.grants);
            if !touched.written.is_empty() {
                let written: Vec<String> = names(&touched.written);
                shape.note = Some(format!("writes {}", written.join(", ")));
            }
            self.add_purpose(&mut shape);
        }
        shape
    }

    /// Reason and ticket of the grants that a statement uses; neither changes in a grant's life.
    fn add_purpose(&self, shape: &mut Shape) {
        let add = |text: &mut Option<String>, more: &str| match text {
            Some(text) if !text.is_empty() => {
                text.push_str("; ");
                text.push_str(more);
            }
            text => *text = Some(more.to_owned()),
        };
        for live in shape.grants.iter().filter_map(|id| self.shared.live.grant(*id)) {
            let grant = live.grant();
            add(&mut shape.purpose, &grant.reason);
            if let Some(ticket) = &grant.ticket {
                add(&mut shape.ticket, ticket);
            }
        }
    }

    /// The record of a statement that is over; `error`: what it failed with.
    pub fn record_outcome(&mut self, run: &Run, error: Option<(&str, &str)>) {
        let decision = match error {
            Some(_) => Decision::Failed,
            None if !run.touched.raw.is_empty() => Decision::Raw,
            None if !run.touched.masked.is_empty() => Decision::Masked,
            None => Decision::AsWritten,
        };
        let mut event = self.outcome(run, decision);
        event.error = error.map(|(sqlstate, message)| RecordedError {
            sqlstate: sqlstate.to_owned(),
            message: message.to_owned(),
        });
        self.record_event(run, event);
    }

    fn outcome(&self, run: &Run, decision: Decision) -> pgwarrant_audit::Event {
        let duration = self.now.saturating_duration_since(run.started);
        let mut event = pgwarrant_audit::Event::new(Kind::Statement, decision, wall_clock(self.now));
        event.duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        event.at = event.at.saturating_sub_unsigned(event.duration_us);
        event.intent_of = run.intent;
        event.rows = run.rows;
        event.bytes = run.bytes;
        event
    }

    fn record_event(&mut self, run: &Run, event: pgwarrant_audit::Event) {
        let shape = self.shape(&run.analysed, run.index, &run.touched);
        let who = self.trail.who(&self.identity);
        self.trail.put(Entry { who, shape, event });
    }

    pub fn record_refusal(&mut self, run: &Run, refusal: &Refusal) {
        let mut event = self.outcome(run, Decision::Refused);
        event.error =
            Some(RecordedError { sqlstate: refusal.sqlstate.to_owned(), message: refusal.message.clone() });
        event.note = reason_name(refusal.reason);
        self.record_event(run, event);
    }

    pub fn record_cut_off(&mut self, run: &Run, cut: &Cut) {
        let mut event = self.outcome(run, Decision::CutOff);
        let message = format!("grant {} {} while the statement was running", cut.grant, cut.why);
        event.error = Some(RecordedError { sqlstate: "42501".to_owned(), message });
        self.record_event(run, event);
    }

    /// A user has compared more values with masked columns than is ordinary.
    pub fn record_probing(&mut self, columns: &[pgwarrant_catalog::ColumnId]) {
        let limit = self.shared.probes.limit();
        let names: Vec<String> =
            columns.iter().map(|column| guard::full_name(&self.basis.catalogue, *column)).collect();
        let with = if names.is_empty() { "keys that it may not see".to_owned() } else { names.join(", ") };
        let what = format!(
            "probing: more than {} different values tried on {with} within {} min",
            limit.values,
            limit.window.as_secs().div_ceil(60)
        );
        tracing::warn!(session = self.identity.session, user = %self.identity.user, what, "incident");
        let mut record = record(&self.identity, Kind::Incident, Decision::Incident);
        record.masked = names;
        record.note = Some(what);
        self.trail.push(record);
    }

    /// What was in flight when the session ended.
    pub fn record_end(&mut self, end: &End) {
        self.record_unused_intents();
        if let End::Fatal(Fatal { incident: Some(what), .. }) = end {
            tracing::error!(session = self.identity.session, user = %self.identity.user, what, "incident");
            let mut record = record(&self.identity, Kind::Incident, Decision::Incident);
            record.note = Some(what.clone());
            self.trail.push(record);
        }
        let mut open = Vec::new();
        while let Some(mut entry) = self.ledger.pop() {
            if let Some(run) = crate::replies::current(&mut entry.payload) {
                open.push(run.clone());
            }
            if let Work::Query(query) = &mut entry.payload {
                open.extend(query.rest.drain(..).filter(|run| run.intent.is_some()));
            }
        }
        for run in open {
            match run.cut.clone() {
                Some(cut) => self.record_cut_off(&run, &cut),
                None => {
                    self.record_outcome(&run, Some(("08006", "the session ended before the statement did")))
                }
            }
        }
    }

    /// Takes one use of each grant that a statement needs.
    pub fn take_use(&self, grants: &[u64]) -> Result<(), Refusal> {
        self.shared.live.use_grants(grants, 0).map_err(|ended| {
            let error = ended.to_error();
            Refusal {
                reason: Reason::Unresolved,
                sqlstate: error.sqlstate(),
                message: error.message,
                detail: error.detail,
                hint: error.hint,
                position: None,
            }
        })
    }
}

/// The name that serde gives, which the trail's readers search for.
fn reason_name(reason: Reason) -> Option<String> {
    serde_json::to_value(reason).ok()?.as_str().map(str::to_owned)
}

fn class_name(class: Class) -> &'static str {
    match class {
        Class::Empty => "empty",
        Class::Select => "select",
        Class::Insert => "insert",
        Class::Update => "update",
        Class::Delete => "delete",
        Class::Merge => "merge",
        Class::Explain => "explain",
        Class::CopyTo => "copy_to",
        Class::CopyFrom => "copy_from",
        Class::Prepare => "prepare",
        Class::Execute => "execute",
        Class::Deallocate => "deallocate",
        Class::DeclareCursor => "declare_cursor",
        Class::Fetch => "fetch",
        Class::CloseCursor => "close_cursor",
        Class::Transaction => "transaction",
        Class::Set => "set",
        Class::Show => "show",
        Class::Discard => "discard",
        Class::Listen => "listen",
        Class::Notify => "notify",
        Class::Lock => "lock",
        Class::Ddl => "ddl",
        Class::Do => "do",
        Class::Call => "call",
        Class::Maintenance => "maintenance",
        Class::Other => "other",
    }
}

/// What a request was decided on, as JSON, for `pgwarrant policy test` and for whoever asks later. As
/// of statements, no constant is kept: a row predicate may hold what it looks for.
fn facts_text(facts: &Facts) -> String {
    let rows = facts.rows.as_deref().map(|rows| {
        let tokens = pgwarrant_sql::lex(rows, &pgwarrant_sql::Limits::default());
        tokens.map_or_else(|_| "?".to_owned(), |tokens| pgwarrant_sql::template::redact(rows, &tokens))
    });
    serde_json::to_string(&Facts { rows, ..facts.clone() }).unwrap_or_default()
}

/// The record of what became of a request or a grant.
pub fn of_event(event: &Event) -> Option<Record> {
    let now = pgwarrant_audit::record::now();
    let about = |kind, decision, request: &Request, note: String| {
        let mut record = Record::new(kind, decision, now);
        record.user = request.by.as_str().into();
        record.database = request.database.as_str().into();
        record.grants = request.grant.into_iter().collect();
        record.purpose = Some(request.reason.clone());
        record.ticket.clone_from(&request.ticket);
        record.note = Some(note);
        record
    };
    let of_grant = |kind, grant: &Grant| {
        let mut record = Record::new(kind, Decision::Allowed, now);
        record.user = grant.asked_by.as_str().into();
        record.database = grant.database.as_str().into();
        record.grants = vec![grant.id];
        record.purpose = Some(grant.reason.clone());
        record.ticket.clone_from(&grant.ticket);
        record.note = Some(grant.summary());
        record
    };
    match event {
        Event::Requested { request, grounds } => {
            let mut record = about(Kind::Request, Decision::Allowed, request, request.summary());
            let why = grounds.ruling.why();
            let policies =
                if why.policies.is_empty() { "no policy".to_owned() } else { why.policies.join(", ") };
            let ruling = grounds.ruling.text();
            record.note = Some(match grounds.ruling.conditions() {
                [] => format!("{}; ruled {ruling} ({policies})", request.summary()),
                conditions => format!(
                    "{}; ruled {ruling} ({policies}), on condition: {}",
                    request.summary(),
                    conditions.join(", ")
                ),
            });
            record.text = facts_text(&grounds.facts).into();
            Some(record)
        }
        Event::PartlyApproved { request } => {
            Some(about(Kind::Decision, Decision::Approved, request, request.summary()))
        }
        Event::Checked { request, answers } => {
            let said = |wanted| answers.iter().any(|answer| answer.said == wanted);
            let decision = match (said(Said::Denies), said(Said::Nothing)) {
                (true, _) => Decision::Denied,
                (false, true) => Decision::Failed,
                (false, false) => Decision::Approved,
            };
            let answers: Vec<String> = answers.iter().map(Answer::text).collect();
            let note = format!("request {}: {}", request.id, answers.join("; "));
            Some(about(Kind::Decision, decision, request, note))
        }
        Event::Escalated { request } => {
            let note = format!("request {} was escalated: {}", request.id, request.summary());
            Some(about(Kind::Request, Decision::Allowed, request, note))
        }
        Event::Decided { request } => {
            let decision = if request.grant.is_some() { Decision::Approved } else { Decision::Denied };
            Some(about(Kind::Decision, decision, request, request.summary()))
        }
        Event::BreakGlass { grant, .. } => {
            let mut record = of_grant(Kind::Incident, grant);
            record.decision = Decision::Incident;
            record.note = Some(format!("break-glass: {}", grant.summary()));
            Some(record)
        }
        Event::Scheduled { grant } | Event::Started { grant } => Some(of_grant(Kind::GrantStarted, grant)),
        Event::Extended { grant, .. } => {
            let mut record = of_grant(Kind::GrantStarted, grant);
            record.note = Some(format!("extended: {}", grant.summary()));
            Some(record)
        }
        Event::Reviewed { grant } => {
            let verdict = grant.review.as_ref().and_then(|review| review.verdict.as_ref())?;
            let justified = verdict.justified;
            let mut record = of_grant(Kind::Decision, grant);
            record.decision = if justified { Decision::Approved } else { Decision::Denied };
            let said = if justified { "justified" } else { "not justified" };
            record.note = Some(format!(
                "the break-glass grant {} was found {said} by {}: {}",
                grant.id, verdict.by, verdict.comment
            ));
            Some(record)
        }
        Event::Ended { grant, .. } => Some(of_grant(Kind::GrantEnded, grant)),
        Event::CutOff { .. } => None,
    }
}
