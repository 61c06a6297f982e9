//! Messages from the server.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use pgwarrant_catalog::{Catalogue, ColumnId};
use pgwarrant_sql::{Class, Effect};
use pgwarrant_wire::backend::{self, DataRow, Diagnostic, RowDescription, Severity};
use pgwarrant_wire::frame::{self, Frame, HEADER};

use crate::ahead::in_place;
use crate::assemble::{Assembled, Sent};
use crate::cache::Analysed;
use crate::database::Database;
use crate::diagnostics::{self, Passing};
use crate::error::{End, Fatal};
use crate::guard;
use crate::ledger::{Desync, Entry, Kind, Reply};
use crate::session::{Session, Streaming};
use crate::withhold::Moment;
use crate::work::{Run, Work};

/// A frame of rows that is larger than this is passed on in pieces.
const PIECES: usize = 64 * 1024;
/// Most bytes of any other message from the server.
const MESSAGE: usize = 256 << 20;
/// `query_canceled`
const CANCELLED: &str = "57014";

/// What handling the server's messages has come to.
pub enum Progress {
    Handled,
    /// More of the message at the front is needed.
    Incomplete,
}

fn body(frame: &[u8]) -> &[u8] {
    frame.get(HEADER..).unwrap_or_default()
}

impl Session {
    /// Handles the start of what the server has sent, and takes it out of `input`.
    pub fn server_message(&mut self, input: &mut BytesMut) -> Result<Progress, End> {
        if let Some(streaming) = &mut self.streaming {
            let count = streaming.left.min(input.len());
            if streaming.pass {
                self.client.output.push_rest(input, count);
            } else {
                input.advance(count);
            }
            streaming.left -= count;
            if streaming.left == 0 {
                self.streaming = None;
            }
            return Ok(Progress::Handled);
        }
        let Ok(header) = frame::header(input, frame::MAX_BACKEND) else {
            return Err(self.protocol("the server sent a message of an impossible length"));
        };
        let Some(Frame { tag, len: length }) = header else { return Ok(Progress::Incomplete) };
        if matches!(tag, b'D' | b'd') {
            return self.server_rows(tag, length, input);
        }
        if length > MESSAGE {
            return Err(self.protocol("the server sent a message that is too large"));
        }
        let Some(frame) = input.get(..length) else { return Ok(Progress::Incomplete) };
        self.server_frame(tag, frame)?;
        input.advance(length);
        Ok(Progress::Handled)
    }

    fn protocol(&self, what: &'static str) -> End {
        Fatal::protocol(what).incident(what).into()
    }

    /// A run of row frames, or the beginning of a large one.
    fn server_rows(&mut self, tag: u8, length: usize, input: &mut BytesMut) -> Result<Progress, End> {
        let run = frame::run(input, tag, frame::MAX_BACKEND).unwrap_or_default();
        if run.frames > 0 {
            self.rows(tag, input, run.len, run.frames)?;
            return Ok(Progress::Handled);
        }
        if length <= PIECES {
            return Ok(Progress::Incomplete);
        }
        let left = length - input.len();
        let pass = self.rows(tag, input, input.len(), 1)?;
        self.streaming = Some(Streaming { left, pass });
        Ok(Progress::Handled)
    }

    /// Passes the row frames in so many bytes at the front of `input` on, if they may pass. False:
    /// they may not, and neither may what is yet to come of the last one.
    fn rows(&mut self, tag: u8, input: &mut BytesMut, length: usize, count: u64) -> Result<bool, End> {
        self.ledger.reply(tag)?;
        let Some(head) = self.ledger.head_mut() else { return Err(Desync::Unexpected(tag).into()) };
        let swallow = head.swallow;
        if matches!(head.payload, Work::Probe) {
            self.probe_rows(input.get(..length).unwrap_or_default())?;
            input.advance(length);
            return Ok(false);
        }
        let Some(run) = current(&mut head.payload) else {
            return Err(Fatal::protocol("the server sent rows of nothing")
                .incident("rows without a statement")
                .into());
        };
        if tag == b'D' && !run.guarded {
            return Err(Fatal::protocol("the server sent rows that it did not describe")
                .incident("rows without a description")
                .into());
        }
        if swallow || run.cut.is_some() {
            input.advance(length);
            return Ok(false);
        }
        if !run.touched.grants.is_empty() {
            return self.rows_under_grants(input, length, count);
        }
        run.rows += count;
        run.bytes += length as u64;
        self.client.output.push_front_of(input, length);
        Ok(true)
    }

    /// Rows that pass under grants: none after one of these has ended, and no more than their
    /// limits allow. False: not all of them passed, and none will from here on.
    fn rows_under_grants(&mut self, input: &mut BytesMut, length: usize, count: u64) -> Result<bool, End> {
        let Some(run) = self.ledger.head_mut().and_then(|head| current(&mut head.payload)) else {
            return Err(self.protocol("the server sent rows of nothing"));
        };
        let live = &self.shared.live;
        if !run.touched.grants.iter().all(|grant| live.is_live(*grant)) {
            self.cut_off_ended();
            input.advance(length);
            return Ok(false);
        }
        let allowed = live.take_rows(&run.touched.grants, count).unwrap_or(0);
        let frames = input.get(..length).unwrap_or_default();
        let passing = if allowed < count { first(frames, allowed).len() } else { length };
        run.rows += allowed;
        run.bytes += passing as u64;
        self.client.output.push_rows(input, passing);
        if allowed == count {
            return Ok(true);
        }
        input.advance(length - passing);
        // They were paid for: what follows is what is dropped.
        self.client.output.settle();
        let grant = run.touched.grants.first().copied().unwrap_or_default();
        let cut = self.used_up(grant);
        self.cut_off_head_for(cut);
        Ok(false)
    }

    fn probe_rows(&mut self, mut frames: &[u8]) -> Result<(), End> {
        while let Ok(Some(header)) = frame::next(frames, frame::MAX_BACKEND) {
            let row = DataRow::parse(header.body(frames)).map_err(|_| self.protocol("malformed DataRow"))?;
            let values = row
                .values()
                .map(|value| value.map(|value| String::from_utf8_lossy(value).into_owned()))
                .collect();
            if !self.state.row(values) {
                return Err(Fatal::new("54000", "too many temporary tables in this session").into());
            }
            frames = frames.get(header.len..).unwrap_or_default();
        }
        Ok(())
    }

    fn server_frame(&mut self, tag: u8, frame: &[u8]) -> Result<(), End> {
        if tag == b'E' && self.ledger.is_empty() && is_fatal(frame) {
            // The server ends an idle session: a shutdown, a timeout, an administrator.
            let error =
                Diagnostic::parse(body(frame)).map_err(|_| self.protocol("malformed ErrorResponse"))?;
            self.last_words(error);
            return Err(End::Server);
        }
        match self.ledger.reply(tag)? {
            Reply::Asynchronous => self.asynchronous(tag, frame),
            Reply::Within => self.within(tag, frame),
            Reply::Last => self.last(tag, frame),
            Reply::Error => self.error(frame),
        }
    }

    fn asynchronous(&mut self, tag: u8, frame: &[u8]) -> Result<(), End> {
        let head = self.ledger.head_mut();
        match tag {
            b'S' => {
                let (name, value) = backend::parameter_status(body(frame))
                    .map_err(|_| self.protocol("malformed ParameterStatus"))?;
                self.pinned(name, value)?;
                self.client.output.push(frame);
            }
            b'N' => {
                if head.as_ref().is_some_and(|head| head.swallow) {
                    return Ok(());
                }
                let mut notice =
                    Diagnostic::parse(body(frame)).map_err(|_| self.protocol("malformed NoticeResponse"))?;
                let head = self.ledger.head();
                let assembled = head.and_then(|head| sent(&head.payload)).map(Sent::assembled);
                let deferred = head.is_some_and(|head| self.is_deferred(&head.payload));
                let run = head.and_then(|head| running(&head.payload));
                let withhold = self.withholds(Moment { run, deferred }, &notice);
                Passing { assembled: assembled.as_deref(), withhold }.apply(&mut notice);
                notice.write_notice(self.client.output.building());
            }
            _ => self.notification(frame)?,
        }
        Ok(())
    }

    /// Settings by which our lexer reads as the server's does: they were set at start-up, and what
    /// changes them is refused. Should one change nevertheless, nothing can be trusted any more.
    fn pinned(&mut self, name: &str, value: &str) -> Result<(), End> {
        let ok = match name {
            "standard_conforming_strings" => value == "on",
            "client_encoding" => value == "UTF8",
            // Reported since PostgreSQL 18.
            "search_path" => {
                self.state.stale = true;
                true
            }
            _ => true,
        };
        if ok {
            return Ok(());
        }
        Err(Fatal::new("42501", format!("parameter \"{name}\" must not be changed through pgwarrant"))
            .incident(format!("{name} became {value}"))
            .into())
    }

    /// One of several replies for the head.
    fn within(&mut self, tag: u8, frame: &[u8]) -> Result<(), End> {
        if tag == b'T' {
            self.guard_run(frame)?;
        }
        let Some(head) = self.ledger.head_mut() else { return Ok(()) };
        let swallow = head.swallow;
        match (&mut head.payload, tag) {
            (Work::Query(_), b'C' | b'I') => return self.statement_over(tag, frame),
            (Work::Query(_) | Work::Execute(_), b'H' | b'G') => {
                if let Some(run) = current(&mut head.payload) {
                    run.guarded = true;
                    if tag == b'H' && run.described {
                        self.check_copy()?;
                    }
                }
            }
            _ => {}
        }
        let head = self.ledger.head_mut();
        let cut = head.and_then(|head| current(&mut head.payload)).is_some_and(|run| run.cut.is_some());
        if !(swallow || cut && tag == b'c') {
            self.client.output.push(frame);
        }
        Ok(())
    }

    /// A statement of a Query message is over.
    fn statement_over(&mut self, tag: u8, frame: &[u8]) -> Result<(), End> {
        let Some(head) = self.ledger.head_mut() else { return Ok(()) };
        let swallow = head.swallow;
        let Work::Query(query) = &mut head.payload else { return Ok(()) };
        let Some(run) = query.pop() else {
            // An empty query has no statements.
            self.client.output.push(frame);
            return Ok(());
        };
        let more = query.first.is_some();
        if run.cut.is_some() {
            self.completed_before_cut(&run, more)?;
            if let Some(Entry { payload: Work::Query(query), .. }) = self.ledger.head_mut() {
                query.failed = true;
            }
            return Ok(());
        }
        self.completed(&run, tag, frame);
        if !swallow {
            self.mask_notice(&run);
            self.client.output.push(frame);
        }
        self.client.output.settle();
        self.record_outcome(&run, None);
        Ok(())
    }

    /// A statement has run: what it changed is decided.
    fn completed(&mut self, run: &Run, tag: u8, frame: &[u8]) {
        if tag == b'C' {
            self.state.completed(body(frame));
        }
        self.decide(&run.changes, run.sequence, true);
    }

    /// The last reply for the head.
    fn last(&mut self, tag: u8, frame: &[u8]) -> Result<(), End> {
        let Some(mut entry) = self.ledger.pop() else { return Ok(()) };
        let sequence = entry.sequence;
        match &mut entry.payload {
            Work::Describe { prepared, touched } => {
                let catalogue = self.database.catalogue();
                let breaches =
                    if tag == b'T' { self.breaches(frame, &catalogue, &touched.plain)? } else { Vec::new() };
                if breaches.is_empty() {
                    if let Some(prepared) = prepared {
                        prepared.set_guarded(catalogue.version);
                    }
                } else if entry.kind == Kind::DescribePortal {
                    // Its rows may be right behind. After the description of a statement there is a
                    // Bind, where it is checked again.
                    return Err(breached(&catalogue, &breaches));
                }
            }
            Work::CopyShape { touched, .. } if tag == b'T' => {
                let catalogue = self.database.catalogue();
                let breaches = self.breaches(frame, &catalogue, &touched.plain)?;
                if !breaches.is_empty() {
                    return Err(breached(&catalogue, &breaches));
                }
                self.copy_described();
            }
            // COPY of what returns nothing fails.
            Work::CopyShape { .. } if tag == b'n' => self.copy_described(),
            Work::Execute(run) => {
                if run.cut.is_some() {
                    let more = self.ledger.head().is_some_and(|next| next.kind != Kind::Sync);
                    self.completed_before_cut(run, more)?;
                    if self.ledger.head().is_none() {
                        self.ledger.skip_to_sync();
                    }
                    return Ok(());
                }
                self.completed(run, tag, frame);
                if !entry.swallow && tag == b'C' {
                    self.mask_notice(run);
                }
                self.client.output.settle();
                self.record_outcome(run, None);
            }
            Work::Probe if tag == b'C' => self.state.answered(),
            _ if tag == b'Z' => {
                let last = match &entry.payload {
                    Work::Query(query) => query.last,
                    _ => sequence,
                };
                self.ready(frame, last)?;
            }
            _ => self.decide_entry(&entry, true),
        }
        if !entry.swallow {
            self.client.output.push(frame);
        }
        Ok(())
    }

    fn ready(&mut self, frame: &[u8], sequence: u64) -> Result<(), End> {
        let Some(status @ (b'I' | b'T' | b'E')) = body(frame).first().copied() else {
            return Err(self.protocol("malformed ReadyForQuery"));
        };
        if self.state.ready(status, sequence) {
            self.refresh_due = true;
        }
        if status == b'I' {
            self.portals.expire(sequence, |portal| !portal.hold);
        }
        Ok(())
    }

    /// The wire guard, on the description of what the head returns.
    fn guard_run(&mut self, frame: &[u8]) -> Result<(), End> {
        let Some(run) = self.ledger.head_mut().and_then(|head| current(&mut head.payload)) else {
            return Err(self.protocol("the server described the result of nothing"));
        };
        run.guarded = true;
        if has_passed(run, frame, &self.database) {
            return Ok(());
        }
        let (analysed, index, touched) = (run.analysed.clone(), run.index, run.touched.clone());
        let catalogue = self.database.catalogue();
        let breaches = self.breaches(frame, &catalogue, &touched.plain)?;
        if !breaches.is_empty() {
            return Err(breached(&catalogue, &breaches));
        }
        if analysed.basis().catalogue.version == catalogue.version && analysed.is_own(index, &touched) {
            analysed.set_passed(index, frame);
        }
        Ok(())
    }

    /// The statement of a Parse message that has failed, if it is an ordinary one.
    fn ordinary_parse(&self, entry: &Entry<Work>) -> Option<Run> {
        let Work::Parse { sent: Sent::Ordinary(analysed), run: None, .. } = &entry.payload else {
            return None;
        };
        Some(Run::new(analysed, 0, analysed.touched(0), entry.sequence, self.now))
    }

    /// Protected columns of a RowDescription that were not meant to pass.
    fn breaches(
        &self,
        frame: &[u8],
        catalogue: &Catalogue,
        plain: &HashSet<ColumnId>,
    ) -> Result<Vec<ColumnId>, End> {
        let description =
            RowDescription::parse(body(frame)).map_err(|_| self.protocol("malformed RowDescription"))?;
        let sources =
            description.fields().map(|field| ColumnId { relation: field.table, attnum: field.attnum });
        Ok(guard::breaches(sources, catalogue, plain))
    }

    /// The head has failed.
    fn error(&mut self, frame: &[u8]) -> Result<(), End> {
        let error = Diagnostic::parse(body(frame)).map_err(|_| self.protocol("malformed ErrorResponse"))?;
        if is_fatal(frame) {
            self.last_words(error);
            return Err(End::Server);
        }
        let deferred = self.ledger.head().is_some_and(|head| self.is_deferred(&head.payload));
        let mut failed = self.ledger.fail()?;
        if failed.is_empty() {
            match self.ledger.head().map(|head| head.kind) {
                Some(Kind::Sync) => self.sync_failed(error),
                _ => self.query_failed(error, deferred),
            }
            return Ok(());
        }
        // The message that waits is skipped.
        self.stop_holding();
        for entry in failed.iter().rev() {
            self.decide_entry(entry, false);
        }
        let first = failed.remove(0);
        if first.swallow && self.ledger.head().is_some_and(|head| head.swallow) {
            // Ahead of a Query, which will fail as well.
            self.record_skipped(failed.iter().filter_map(|entry| running(&entry.payload)));
            self.ahead_failed(&first.payload, error);
            return Ok(());
        }
        // The cancel that cuts a statement off may come while the server still prepares it.
        let cut_off = failed.iter().position(|entry| {
            error.sqlstate() == CANCELLED && running(&entry.payload).is_some_and(|run| run.cut.is_some())
        });
        let cut_off = cut_off.map(|at| failed.remove(at));
        self.record_skipped(failed.iter().filter_map(|entry| running(&entry.payload)));
        let error = in_place(&first.payload, error);
        if let Work::Parse { name, .. } = &first.payload
            && name.is_empty()
        {
            // The server drops the old unnamed statement before it looks at the new one.
            self.statements.change("", first.sequence, None);
            self.statements.accepted("", first.sequence);
        }
        if let Some(run) = cut_off.as_ref().and_then(|entry| running(&entry.payload))
            && let Some(cut) = &run.cut
        {
            self.tell_cut_off(run, cut);
            self.client.output.settle();
            return Ok(());
        }
        let assembled = sent(&first.payload).map(Sent::assembled);
        let ordinary = self.ordinary_parse(&first);
        let run = match &first.payload {
            Work::Parse { run: Some(run), .. } | Work::Execute(run) | Work::Bind { run: Some(run), .. } => {
                Some(&**run)
            }
            _ => ordinary.as_ref(),
        };
        self.fail(Moment { run, deferred }, assembled.as_deref(), error);
        self.client.output.settle();
        Ok(())
    }

    /// The server ends the session.
    fn last_words(&mut self, mut error: Diagnostic<'_>) {
        let head = self.ledger.head();
        let run = head.and_then(|head| running(&head.payload));
        let withhold = self.withholds(Moment { run, deferred: true }, &error);
        let assembled = head.and_then(|head| sent(&head.payload)).map(Sent::assembled);
        Passing { assembled: assembled.as_deref(), withhold }.apply(&mut error);
        error.write_error(self.client.output.building());
    }

    /// The transaction of a pipeline could not be committed.
    fn sync_failed(&mut self, error: Diagnostic<'_>) {
        let nothing = Analysed::of_nothing("", &self.basis);
        let run = Run::new(&nothing, 0, Arc::default(), self.ledger.upcoming(), self.now);
        self.fail(Moment { run: Some(&run), deferred: true }, None, error);
    }

    fn query_failed(&mut self, error: Diagnostic<'_>, deferred: bool) {
        let Some(head) = self.ledger.head_mut() else { return };
        let swallow = head.swallow;
        let Work::Query(query) = &mut head.payload else { return };
        let already = std::mem::replace(&mut query.failed, true);
        let (run, rest) = (query.first.take(), std::mem::take(&mut query.rest));
        let assembled = query.sent.as_ref().map(Sent::assembled);
        for run in rest.iter().rev().chain(&run) {
            self.decide(&run.changes, run.sequence, false);
        }
        self.record_skipped(rest.iter());
        let error = self.error_ahead(error);
        // After a cut-off the client has been told already.
        if !swallow && !already {
            self.fail(Moment { run: run.as_ref(), deferred }, assembled.as_deref(), error);
        }
        self.client.output.settle();
    }

    /// Tells the client of an error: in our words if it is ours, in the server's otherwise.
    fn fail(&mut self, moment: Moment<'_>, assembled: Option<&Assembled>, mut error: Diagnostic<'_>) {
        let run = moment.run;
        if let Some(run) = run {
            if let Some(cut) = run.cut.clone() {
                self.tell_cut_off(run, &cut);
                return;
            }
            if let Some(refused) = run.refused.as_ref().filter(|refused| refused.nonce.is_in(error.message()))
            {
                diagnostics::refusal(&refused.refusal, &run.analysed.text, self.client.output.building());
                self.record_refusal(run, &refused.refusal);
                return;
            }
        }
        if let Some(refusal) = pgwarrant_sql::runtime::refusal(error.message()) {
            diagnostics::refusal(&refusal, "", self.client.output.building());
            if let Some(run) = run {
                self.record_refusal(run, &refusal);
            }
            return;
        }
        let withhold = self.withholds(moment, &error);
        if let Some(run) = run.filter(|_| self.tells_existence(&error)) {
            self.count_failure(run);
        }
        Passing { assembled, withhold }.apply(&mut error);
        error.write_error(self.client.output.building());
        if let Some(run) = run {
            let sqlstate = error.sqlstate();
            self.record_outcome(run, Some((sqlstate, sqlstate_class(sqlstate))));
        }
    }
}

/// Did the wire guard let these very bytes pass for the same analysis, of a catalogue that is still
/// the present one?
fn has_passed(run: &Run, frame: &[u8], database: &Database) -> bool {
    run.analysed.passed(run.index) == Some(frame)
        && run.analysed.is_own(run.index, &run.touched)
        && database.is_catalogue(&run.analysed.basis().catalogue)
}

fn is_fatal(frame: &[u8]) -> bool {
    Diagnostic::parse(body(frame))
        .is_ok_and(|error| matches!(error.severity(), Some(Severity::Fatal | Severity::Panic)))
}

fn breached(catalogue: &Catalogue, breaches: &[ColumnId]) -> End {
    let names: Vec<String> = breaches.iter().map(|column| guard::name(catalogue, *column)).collect();
    Fatal::new("42501", "the result holds protected columns that were not meant to pass")
        .detail("Nothing of it was sent, and the incident was recorded.")
        .hint("Write the statement in a simpler form, and report it to whoever runs the proxy.")
        .incident(format!("wire guard: {}", names.join(", ")))
        .into()
}

/// So many frames at the front of whole ones.
fn first(frames: &[u8], count: u64) -> &[u8] {
    let mut end = 0;
    for _ in 0..count {
        let rest = frames.get(end..).unwrap_or_default();
        let Ok(Some(frame)) = frame::next(rest, frame::MAX_BACKEND) else { break };
        end += frame.len;
    }
    frames.get(..end).unwrap_or_default()
}

/// The statement that a payload is running.
pub fn current(work: &mut Work) -> Option<&mut Run> {
    match work {
        Work::Query(query) => query.current(),
        Work::Execute(run) => Some(run),
        _ => None,
    }
}

/// The same, to look at.
fn running(work: &Work) -> Option<&Run> {
    match work {
        Work::Query(query) if !query.failed => query.first.as_ref(),
        Work::Execute(run) => Some(run),
        _ => None,
    }
}

/// What the server was sent for it.
fn sent(work: &Work) -> Option<&Sent> {
    match work {
        Work::Query(query) => query.sent.as_ref(),
        Work::Parse { sent, .. } => Some(sent),
        Work::Bind { sent, .. } | Work::CopyShape { sent, .. } => sent.as_ref(),
        Work::Execute(run) => run.sent.as_ref(),
        _ => None,
    }
}

/// For the record, which must not quote a row.
fn sqlstate_class(sqlstate: &str) -> &'static str {
    match sqlstate.get(..2) {
        Some("22") => "data exception",
        Some("23") => "integrity constraint violation",
        Some("25") => "invalid transaction state",
        Some("26" | "34") => "no such statement or cursor",
        Some("40") => "transaction rollback",
        Some("42") => "syntax error or access rule violation",
        Some("53" | "54") => "insufficient resources or limit exceeded",
        Some("57") => "operator intervention",
        Some("P0") => "raised by a function",
        _ => "error of the server",
    }
}

/// Is nothing lost when what this entry stands for is cancelled?
pub fn is_idle_work(work: &Work) -> bool {
    match work {
        Work::Query(query) => query.runs().all(only_reads),
        Work::Execute(run) => only_reads(run),
        _ => true,
    }
}

/// Statements after which it makes no difference whether they ran or were cancelled.
pub fn only_reads(run: &Run) -> bool {
    matches!(run.class(), Class::Select | Class::Explain | Class::Fetch | Class::Show | Class::CopyTo)
        && !run.effects().iter().any(|effect| matches!(effect, Effect::SessionState | Effect::Ddl))
}
