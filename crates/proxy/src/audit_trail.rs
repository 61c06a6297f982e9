//! From what happened in a session to records in the audit trail.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::task::{Context, Poll};

use pgwarrant_audit::{Decision, Kind, Phase, Record, RecordedError, Trail};
use pgwarrant_grants::{Event, Grant, Request};
use pgwarrant_sql::{Class, Reason, Refusal, Touched};

use crate::cache::Analysed;
use crate::error::{End, Fatal};
use crate::guard;
use crate::identity::Identity;
use crate::plan::Planned;
use crate::refuse;
use crate::session::{Session, Step, Waited, Waiting};
use crate::work::{Cut, Run};

/// Records of a session that wait for room in the trail; past it, its client waits.
const WAITING: usize = 64;

/// The records of one session on their way to the trail, in order.
pub struct Pending {
    trail: Trail,
    records: VecDeque<Record>,
    sending: Option<Waiting<Result<(), pgwarrant_audit::Error>>>,
}

impl Pending {
    pub fn new(trail: Trail) -> Self {
        Self { trail, records: VecDeque::new(), sending: None }
    }

    pub fn push(&mut self, record: Record) {
        self.records.push_back(record);
    }

    pub fn is_full(&self) -> bool {
        self.records.len() >= WAITING
    }

    /// Hands records over. True: there was no room, and now there is. An error: the trail takes
    /// nothing any more, so nothing may be done any more.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Result<bool, End> {
        let full = self.is_full();
        loop {
            if self.sending.is_none() {
                let Some(record) = self.records.pop_front() else { break };
                let trail = self.trail.clone();
                self.sending = Some(Box::pin(async move { trail.append(record).await }));
            }
            let Some(sending) = &mut self.sending else { break };
            let Poll::Ready(result) = sending.as_mut().poll(context) else { break };
            self.sending = None;
            result.map_err(|error| no_trail(&error))?;
        }
        Ok(full && !self.is_full())
    }

    /// Hands over what is left, at the end of a session.
    pub async fn finish(mut self) {
        if let Some(sending) = self.sending.take() {
            let _ = sending.await;
        }
        for record in self.records {
            if self.trail.append(record).await.is_err() {
                return;
            }
        }
    }
}

fn no_trail(error: &pgwarrant_audit::Error) -> End {
    Fatal::new("58030", "the audit trail cannot be written")
        .hint("Tell whoever runs the proxy.")
        .incident(error.to_string())
        .into()
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
    /// Sees to it that every statement that may pass raw data has a durable record. Some: held.
    pub fn make_durable(&mut self, analysed: &Analysed, planned: &[Planned]) -> Option<Step> {
        let mut missing = Vec::new();
        for (index, planned) in planned.iter().enumerate() {
            if planned.refusal.is_some() || !planned.releases() {
                continue;
            }
            let known =
                self.front.intents.get(&index).is_some_and(|(touched, _)| **touched == *planned.touched);
            if !known {
                let record = self.statement(analysed, index, &planned.touched, Decision::Raw);
                missing.push((index, planned.touched.clone(), Record { phase: Phase::Intent, ..record }));
            }
        }
        if missing.is_empty() {
            return None;
        }
        let trail = self.shared.trail.clone();
        Some(self.wait(Box::pin(async move {
            let mut intents = Vec::with_capacity(missing.len());
            for (index, touched, record) in missing {
                let number = trail.durable(record).await.map_err(|error| {
                    tracing::error!(%error, "a statement was refused because its audit record could not be written");
                    not_recorded()
                });
                intents.push((index, touched, number));
            }
            Waited::Durable(intents)
        })))
    }

    /// The record of a statement, with nothing yet of how it went.
    fn statement(&self, analysed: &Analysed, index: usize, touched: &Touched, decision: Decision) -> Record {
        let mut record = record(&self.identity, Kind::Statement, decision);
        let catalogue = &analysed.basis().catalogue;
        let class = analysed.statements().get(index).map_or(Class::Empty, |statement| statement.class);
        record.class = Cow::Borrowed(class_name(class));
        record.fingerprint = analysed.fingerprint(index);
        record.text =
            pgwarrant_sql::template::redact(&analysed.text, analysed.statement_tokens(index)).into();
        if !touched.relations.is_empty() {
            record.relations = touched
                .relations
                .iter()
                .filter_map(|oid| catalogue.relations.get(oid))
                .map(|relation| format!("{}.{}", relation.schema, relation.name))
                .collect();
            let names =
                |columns: &[_]| columns.iter().map(|column| guard::full_name(catalogue, *column)).collect();
            record.masked = names(&touched.masked);
            record.raw = names(&touched.raw);
            record.grants.clone_from(&touched.grants);
            if !touched.written.is_empty() {
                let written: Vec<String> = names(&touched.written);
                record.note = Some(format!("writes {}", written.join(", ")));
            }
            self.add_purpose(&mut record);
        }
        record
    }

    /// Reason and ticket of the grants that a statement uses.
    fn add_purpose(&self, record: &mut Record) {
        let grants = record.grants.iter().filter_map(|id| self.shared.live.grant(*id));
        for live in grants {
            let grant = live.grant();
            let purpose = record.purpose.get_or_insert_default();
            if !purpose.is_empty() {
                purpose.push_str("; ");
            }
            purpose.push_str(&grant.reason);
            if let Some(ticket) = &grant.ticket {
                record.ticket = Some(
                    record
                        .ticket
                        .take()
                        .map_or_else(|| ticket.clone(), |before| format!("{before}; {ticket}")),
                );
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
        let mut record = self.outcome(run, decision);
        record.error = error.map(|(sqlstate, message)| RecordedError {
            sqlstate: sqlstate.to_owned(),
            message: message.to_owned(),
        });
        self.trail.push(record);
    }

    fn outcome(&self, run: &Run, decision: Decision) -> Record {
        let mut record = self.statement(&run.analysed, run.index, &run.touched, decision);
        let duration = i64::try_from(run.started.elapsed().as_micros()).unwrap_or(i64::MAX);
        record.at = record.at.saturating_sub(duration);
        record.duration_us = duration.unsigned_abs();
        record.intent_of = run.intent;
        record.rows = run.rows;
        record.bytes = run.bytes;
        record
    }

    pub fn record_refusal(&mut self, run: &Run, refusal: &Refusal) {
        let mut record = self.outcome(run, Decision::Refused);
        record.error =
            Some(RecordedError { sqlstate: refusal.sqlstate.to_owned(), message: refusal.message.clone() });
        record.note = reason_name(refusal.reason);
        self.trail.push(record);
    }

    pub fn record_cut_off(&mut self, run: &Run, cut: &Cut) {
        let mut record = self.outcome(run, Decision::CutOff);
        let message = format!("grant {} {} while the statement was running", cut.grant, cut.why);
        record.error = Some(RecordedError { sqlstate: "42501".to_owned(), message });
        self.trail.push(record);
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

fn not_recorded() -> Refusal {
    refuse::refusal(
        Reason::Unresolved,
        "58030",
        "the audit trail cannot be written, so no protected data may pass",
        None,
        Some("Try again; if it goes on, tell whoever runs the proxy."),
    )
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
        Event::Requested { request } => {
            Some(about(Kind::Request, Decision::Allowed, request, request.summary()))
        }
        Event::Decided { request } => {
            let decision = if request.grant.is_some() { Decision::Approved } else { Decision::Denied };
            Some(about(Kind::Decision, decision, request, request.summary()))
        }
        Event::Started { grant } => Some(of_grant(Kind::GrantStarted, grant)),
        Event::Ended { grant, .. } => Some(of_grant(Kind::GrantEnded, grant)),
        Event::CutOff { .. } => None,
    }
}
