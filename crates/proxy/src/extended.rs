//! Parse, Bind, Describe, Execute, Close and Sync messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pgwarrant_sql::{ConsoleArgument, Piece, Reason, Refusal, Verdict};
use pgwarrant_wire::frontend;

use crate::ahead::{Ahead, Anew};
use crate::assemble::{Assembled, Refused, Sent, assemble};
use crate::cache::Analysed;
use crate::console;
use crate::error::End;
use crate::ledger::Kind;
use crate::names::Meaning;
use crate::plan::elsewhere;
use crate::prepared::{Origin, Portal, Prepared, Validity, has_console};
use crate::refuse::{self, Nonce};
use crate::session::{Session, Step};
use crate::work::{Run, Work};

/// `pg_type.oid` of `text`
const TEXT: u32 = 25;
const INT8: u32 = 20;

/// The longest text of which a session remembers the analysis.
const REMEMBERED: usize = 4 * 1024;

impl Session {
    pub fn parse(&mut self, message: &frontend::Parse<'_>, length: usize) -> Result<Step, End> {
        if self.refresh_basis().is_none() {
            return Ok(Step::Held);
        }
        let text = message.query;
        let analysed = match self.analyse_again(text) {
            Ok(analysed) => analysed,
            Err(refusal) => {
                let nothing = Analysed::of_nothing(text, &self.basis);
                let assembled = Assembled::refused(Refused { nonce: Nonce::new(), refusal });
                self.send_parse(message.statement, Vec::new(), &nothing, Arc::new(assembled))?;
                return Ok(Step::Consumed(length));
            }
        };
        if let Some(step) = self.await_decision(&analysed) {
            return Ok(step);
        }
        if analysed.ordinary().is_some() && self.has_room_for_a_name() {
            self.send_ordinary_parse(message, analysed)?;
            return Ok(Step::Consumed(length));
        }
        if let Some(step) = self.refresh_for_unknown(&analysed) {
            return Ok(step);
        }
        if !self.has_room_for_a_name() {
            let assembled = Assembled::refused(Refused { nonce: Nonce::new(), refusal: too_many_names() });
            self.send_parse(message.statement, Vec::new(), &analysed, Arc::new(assembled))?;
            return Ok(Step::Consumed(length));
        }
        // The holes stay empty until Bind: a Describe needs their columns only.
        let assembled = assemble(&analysed, Vec::new(), &mut |call| Ok(console::empty(call)));
        let types = parameter_types(message.types.iter().collect(), &analysed);
        self.send_parse(message.statement, types, &analysed, Arc::new(assembled))?;
        Ok(Step::Consumed(length))
    }

    fn analyse_again(&mut self, text: &str) -> Result<Analysed, Refusal> {
        if let Some(parsed) = self.parsed.as_ref().filter(|parsed| *parsed.text == *text) {
            return Ok(parsed.clone());
        }
        let analysed = self.analyse(text)?;
        if analysed.ordinary().is_some() && text.len() <= REMEMBERED {
            self.parsed = Some(analysed.clone());
        }
        Ok(analysed)
    }

    fn has_room_for_a_name(&self) -> bool {
        self.statements.len() + self.portals.len() < self.shared.settings.limits.names
    }

    fn send_ordinary_parse(&mut self, message: &frontend::Parse<'_>, analysed: Analysed) -> Result<(), End> {
        let (name, types) = (message.statement, message.types);
        self.send_ordinary(&analysed, |out, text| frontend::build::parse(out, name, text, types.iter()))?;
        self.unflushed = true;
        let sequence = self.ledger.upcoming();
        let sent = Sent::Ordinary(analysed.clone());
        let origin = Origin::Protocol { types: types.iter().collect() };
        let prepared = Prepared::new(origin, analysed, 0, sent.clone());
        self.statements.change(name, sequence, Some(Arc::new(prepared)));
        self.ledger.sent(Kind::Parse, false, Work::Parse { name: name.into(), sent, run: None })?;
        Ok(())
    }

    fn send_parse(
        &mut self,
        name: &str,
        types: Vec<u32>,
        analysed: &Analysed,
        assembled: Arc<Assembled>,
    ) -> Result<(), End> {
        frontend::build::parse(self.upstream.output.building(), name, &assembled.text, types.iter().copied());
        self.unflushed = true;
        let sequence = self.ledger.upcoming();
        let mut run = Run::new(analysed, 0, analysed.touched(0), sequence, self.now);
        run.refused = assembled.refused.iter().flatten().next().cloned();
        let sent = Sent::As(assembled);
        let prepared = Prepared::new(Origin::Protocol { types }, analysed.clone(), 0, sent.clone());
        self.statements.change(name, sequence, Some(Arc::new(prepared)));
        let work = Work::Parse { name: name.into(), sent, run: Some(Box::new(run)) };
        self.ledger.sent(Kind::Parse, false, work)?;
        Ok(())
    }

    pub fn bind(&mut self, message: &frontend::Bind<'_>, frame: &[u8]) -> Result<Step, End> {
        if self.refresh_basis().is_none() {
            return Ok(Step::Held);
        }
        let meaning =
            self.statements.meaning(message.statement, self.scope, |sequence| self.ledger.is_over(sequence));
        let prepared = match meaning {
            Meaning::Known(prepared) => prepared,
            Meaning::Unknown => {
                return self.refuse_bind(
                    message,
                    None,
                    refuse::unknown_statement(message.statement),
                    frame.len(),
                );
            }
            Meaning::Undecided => return Ok(self.drain()),
        };
        if let Some(step) = self.await_decision_of_prepared(&prepared) {
            return Ok(step);
        }
        let current = match self.revalidate(&prepared) {
            Validity::Same(current)
                if current.ordinary().is_some() || !has_console(&current, prepared.index) =>
            {
                self.send_bind(message, &prepared, current, frame)?;
                return Ok(Step::Consumed(frame.len()));
            }
            Validity::Changed(current)
                if prepared.origin == Origin::Sql && !has_console(&current, prepared.index) =>
            {
                let anew = Anew { name: message.statement.into(), old: prepared, analysed: current.clone() };
                let prepared = self.prepare_anew(&anew)?;
                self.send_bind(message, &prepared, current, frame)?;
                return Ok(Step::Consumed(frame.len()));
            }
            Validity::Same(current) | Validity::Changed(current) => current,
            Validity::Refused(refusal) => {
                if refusal.reason == Reason::UnknownFunction && !self.front.refreshed {
                    return Ok(self.refresh());
                }
                return self.refuse_bind(message, Some(&prepared), elsewhere(refusal), frame.len());
            }
        };
        let Origin::Protocol { types } = &prepared.origin else {
            let refusal =
                refuse::stale("prepared statement", message.statement, "DEALLOCATE it and prepare it again.");
            return self.refuse_bind(message, Some(&prepared), refusal, frame.len());
        };
        let mut answers = None;
        if has_console(&current, 0) {
            let parameters = match console::parameters(message, types, &current) {
                Ok(parameters) => parameters,
                Err(refusal) => return self.refuse_bind(message, Some(&prepared), refusal, frame.len()),
            };
            let planned = match self.plan_one(&current, 0) {
                Ok(planned) => planned,
                Err(step) => return Ok(step),
            };
            if let Some(step) = self.act(&current, std::slice::from_ref(&planned), &parameters) {
                return Ok(step);
            }
            answers = Some(self.front.acted.take());
        }
        let assembled = assemble(&current, Vec::new(), &mut |call| match &mut answers {
            Some(answers) => self.fill(call, answers),
            None => Ok(console::empty(call)),
        });
        if let Some(refused) = assembled.refused.iter().flatten().next() {
            return self.refuse_bind(message, Some(&prepared), refused.refusal.clone(), frame.len());
        }
        let prepared = self.make_anew(message.statement, &prepared, &current, types.clone(), assembled)?;
        self.send_bind(message, &prepared, current, frame)?;
        Ok(Step::Consumed(frame.len()))
    }

    /// Replaces what the server has under this name, unseen by the client.
    fn make_anew(
        &mut self,
        name: &str,
        old: &Prepared,
        analysed: &Analysed,
        types: Vec<u32>,
        assembled: Assembled,
    ) -> Result<Arc<Prepared>, End> {
        let out = self.upstream.output.building();
        if old.present && !name.is_empty() {
            frontend::build::close(out, frontend::Name::Statement(name));
            let sequence = self.ledger.upcoming();
            self.statements.change(name, sequence, Some(Arc::new(old.absent())));
            let work = Work::Close { statement: Some(name.into()), portal: None };
            self.ledger.sent(Kind::Close, true, work)?;
        }
        let out = self.upstream.output.building();
        frontend::build::parse(out, name, &assembled.text, types.iter().copied());
        self.unflushed = true;
        let sequence = self.ledger.upcoming();
        let prepared = Arc::new(Prepared::new(
            Origin::Protocol { types },
            analysed.clone(),
            old.index,
            Sent::As(Arc::new(assembled)),
        ));
        self.statements.change(name, sequence, Some(prepared.clone()));
        self.ledger.sent(Kind::Parse, true, Work::Anew { name: name.into() })?;
        Ok(prepared)
    }

    fn send_bind(
        &mut self,
        message: &frontend::Bind<'_>,
        prepared: &Arc<Prepared>,
        analysed: Analysed,
        frame: &[u8],
    ) -> Result<(), End> {
        self.upstream.output.push(frame);
        self.unflushed = true;
        let sequence = self.ledger.upcoming();
        let charged = AtomicBool::new(false);
        let probes = self.shared.probes.parameters(message, &analysed.touched(prepared.index));
        let portal = Portal { prepared: prepared.clone(), analysed, hold: false, charged, probes };
        self.portals.change(message.portal, sequence, Some(Arc::new(portal)));
        let sent = Some(prepared.sent.clone());
        let work = Work::Bind { portal: message.portal.into(), sent, run: None };
        self.ledger.sent(Kind::Bind, false, work)?;
        Ok(())
    }

    fn refuse_bind(
        &mut self,
        message: &frontend::Bind<'_>,
        prepared: Option<&Prepared>,
        refusal: Refusal,
        length: usize,
    ) -> Result<Step, End> {
        let nonce = Nonce::new();
        frontend::build::bind(self.upstream.output.building(), "", &nonce.name(), &[], &[], &[]);
        self.unflushed = true;
        let analysed = prepared.map_or_else(|| Analysed::of_nothing("", &self.basis), Prepared::analysed);
        let index = prepared.map_or(0, |prepared| prepared.index);
        let sequence = self.ledger.upcoming();
        let mut run = Run::new(&analysed, index, analysed.touched(index), sequence, self.now);
        run.refused = Some(Refused { nonce, refusal });
        let work = Work::Bind { portal: message.portal.into(), sent: None, run: Some(Box::new(run)) };
        self.ledger.sent(Kind::Bind, false, work)?;
        Ok(Step::Consumed(length))
    }

    /// A message of the extended protocol whose content cannot be read.
    pub fn refuse_message(&mut self, refusal: Refusal, length: usize) -> Result<Step, End> {
        let nothing = Analysed::of_nothing("", &self.basis);
        self.refuse_execute(&nothing, 0, refusal, length)
    }

    pub fn describe(&mut self, target: frontend::Name<'_>, frame: &[u8]) -> Result<Step, End> {
        let over = |sequence| self.ledger.is_over(sequence);
        let (kind, prepared, touched) = match target {
            frontend::Name::Statement(name) => {
                let found = match self.statements.meaning(name, self.scope, over) {
                    Meaning::Known(prepared) => Some(prepared),
                    Meaning::Unknown => None,
                    Meaning::Undecided => return Ok(self.drain()),
                };
                let touched = found.as_ref().map(|prepared| prepared.analysed().touched(prepared.index));
                (Kind::DescribeStatement, found, touched)
            }
            frontend::Name::Portal(name) => {
                let found = match self.portals.meaning(name, self.scope, over) {
                    Meaning::Known(portal) => Some(portal),
                    Meaning::Unknown => None,
                    Meaning::Undecided => return Ok(self.drain()),
                };
                let touched = found.as_ref().map(|portal| portal.touched());
                (Kind::DescribePortal, found.map(|portal| portal.prepared.clone()), touched)
            }
        };
        self.upstream.output.push(frame);
        self.unflushed = true;
        // No row comes of a description. What FETCH and EXECUTE return is guarded when they run.
        let work = match prepared {
            Some(prepared) if !prepared.varies() => {
                Work::Describe { prepared: Some(prepared), touched: touched.unwrap_or_default() }
            }
            _ => Work::Nothing,
        };
        self.ledger.sent(kind, false, work)?;
        Ok(Step::Consumed(frame.len()))
    }

    pub fn execute(&mut self, message: &frontend::Execute<'_>, frame: &[u8]) -> Result<Step, End> {
        if self.refresh_basis().is_none() {
            return Ok(Step::Held);
        }
        let portal = match self
            .portals
            .meaning(message.portal, self.scope, |sequence| self.ledger.is_over(sequence))
        {
            Meaning::Known(portal) => portal,
            Meaning::Unknown => {
                let nothing = Analysed::of_nothing("", &self.basis);
                return self.refuse_execute(&nothing, 0, refuse::unknown_portal(message.portal), frame.len());
            }
            Meaning::Undecided => return Ok(self.drain()),
        };
        if self.is_ordinary(&portal) {
            return self.execute_ordinary(message.portal, &portal, frame);
        }
        let (analysed, index) = (portal.analysed.clone(), portal.index());
        if !self.still_covered(&portal) {
            let refusal = refuse::stale("portal", message.portal, "Bind the statement again.");
            return self.refuse_execute(&analysed, index, refusal, frame.len());
        }
        let mut planned = match self.plan_one(&analysed, index) {
            Ok(planned) => planned,
            Err(step) => return Ok(step),
        };
        planned.charged |= portal.charged.load(Ordering::Relaxed);
        self.count_probes(&analysed, index, &mut planned, &portal.probes);
        let planned = [planned];
        if let Some(step) = self.intend(&analysed, &planned)? {
            return Ok(step);
        }
        if let Some(refusal) = self.final_refusals(planned.iter()).pop().flatten() {
            return self.refuse_execute(&analysed, index, elsewhere(refusal), frame.len());
        }
        let [mut planned] = planned;
        portal.charge();
        self.grants_in_flight |= !planned.touched.grants.is_empty();
        let described = self.send_ahead_of_execute(&analysed, index, &mut planned, &portal.prepared.sent)?;
        self.guard_portal(message.portal, &portal, &planned.touched)?;
        self.upstream.output.push(frame);
        self.unflushed = true;
        let sequence = self.ledger.upcoming();
        let mut run = Run::new(&analysed, index, planned.touched.clone(), sequence, self.now);
        run.guarded = true;
        run.writes |= planned.writes;
        run.computes = planned.computes;
        run.described = described;
        self.may_notify(&run);
        if self.writes_unseen(&run) {
            self.state.writes_unseen(sequence);
        }
        run.sent = Some(portal.prepared.sent.clone());
        run.intent = self.take_intent(0);
        self.state.sending(run.class(), run.effects(), run.sequence);
        self.state.sending(run.class(), &planned.also, run.sequence);
        self.change_names(&mut run, &portal.prepared.sent);
        self.ledger.sent(Kind::Execute, false, Work::Execute(Box::new(run)))?;
        Ok(Step::Consumed(frame.len()))
    }

    /// Is there nothing to be found out before this portal is run?
    fn is_ordinary(&self, portal: &Portal) -> bool {
        portal.analysed.ordinary().is_some_and(|statement| !self.is_too_old(statement))
            && portal.analysed.basis().catalogue.version == self.basis.catalogue.version
    }

    fn execute_ordinary(&mut self, name: &str, portal: &Arc<Portal>, frame: &[u8]) -> Result<Step, End> {
        self.ahead = Ahead::default();
        let touched = portal.touched();
        portal.charge();
        self.guard_portal(name, portal, &touched)?;
        self.upstream.output.push(frame);
        self.unflushed = true;
        let sequence = self.ledger.upcoming();
        let mut run = Run::new(&portal.analysed, portal.index(), touched, sequence, self.now);
        run.guarded = true;
        run.intent = self.take_intent(0);
        run.sent = Some(portal.prepared.sent.clone());
        self.ledger.sent(Kind::Execute, false, Work::Execute(Box::new(run)))?;
        Ok(Step::Consumed(frame.len()))
    }

    /// The wire guard needs a description of what will come: asks for one where none is on its way.
    fn guard_portal(
        &mut self,
        name: &str,
        portal: &Portal,
        touched: &Arc<pgwarrant_sql::Touched>,
    ) -> Result<(), End> {
        let varies = portal.varies();
        // (Looking further back than a client puts it is not worth the time: asking twice is harmless.)
        let on_its_way = self.ledger.iter().rev().take(8).any(|entry| {
            entry.kind == Kind::DescribePortal
                && matches!(&entry.payload, Work::Describe { prepared: Some(described), .. } if Arc::ptr_eq(described, &portal.prepared))
        });
        if !varies && (portal.prepared.guarded(self.basis.catalogue.version) || on_its_way) {
            return Ok(());
        }
        frontend::build::describe(self.upstream.output.building(), frontend::Name::Portal(name));
        let prepared = (!varies).then(|| portal.prepared.clone());
        let work = Work::Describe { prepared, touched: touched.clone() };
        self.ledger.sent(Kind::DescribePortal, true, work)?;
        Ok(())
    }

    fn refuse_execute(
        &mut self,
        analysed: &Analysed,
        index: usize,
        refusal: Refusal,
        length: usize,
    ) -> Result<Step, End> {
        let nonce = Nonce::new();
        frontend::build::execute(self.upstream.output.building(), &nonce.name(), 0);
        self.unflushed = true;
        let sequence = self.ledger.upcoming();
        let mut run = Run::new(analysed, index, analysed.touched(index), sequence, self.now);
        run.refused = Some(Refused { nonce, refusal });
        // Raw values might have passed by it: now it is said that they did not.
        run.intent = self.take_intent(0);
        self.ledger.sent(Kind::Execute, false, Work::Execute(Box::new(run)))?;
        Ok(Step::Consumed(length))
    }

    pub fn close_name(&mut self, target: frontend::Name<'_>, frame: &[u8]) -> Result<Step, End> {
        self.upstream.output.push(frame);
        self.unflushed = true;
        let sequence = self.ledger.upcoming();
        let work = match target {
            frontend::Name::Statement(name) => {
                self.statements.change(name, sequence, None);
                Work::Close { statement: Some(name.into()), portal: None }
            }
            frontend::Name::Portal(name) => {
                self.portals.change(name, sequence, None);
                Work::Close { statement: None, portal: Some(name.into()) }
            }
        };
        self.ledger.sent(Kind::Close, false, work)?;
        Ok(Step::Consumed(frame.len()))
    }

    pub fn sync(&mut self, frame: &[u8]) -> Result<Step, End> {
        self.upstream.output.push(frame);
        self.ledger.sent(Kind::Sync, false, Work::Sync)?;
        self.scope = self.ledger.upcoming();
        self.unflushed = false;
        Ok(Step::Consumed(frame.len()))
    }
}

/// The types of the parameters, those that only console calls use made the argument's own: nothing
/// in what is sent will tell the server.
fn parameter_types(mut types: Vec<u32>, analysed: &Analysed) -> Vec<u32> {
    let splices = analysed.statements().iter().flat_map(|statement| match &statement.verdict {
        Verdict::Spliced(splices) => splices.as_slice(),
        Verdict::AsWritten | Verdict::Refused(_) => &[],
    });
    for piece in splices.flat_map(|splice| &splice.with) {
        let Piece::Console(call) = piece else { continue };
        for (name, argument) in call.arguments.iter().flatten() {
            // More parameters than a Bind can carry are the server's to refuse.
            if let ConsoleArgument::Parameter(number @ 1..=65535) = argument {
                if types.len() < *number {
                    types.resize(*number, 0);
                }
                if let Some(place) = types.get_mut(number - 1)
                    && *place == 0
                {
                    *place = match name.as_deref() {
                        Some("request" | "grant_id" | "max_uses" | "max_rows") => INT8,
                        _ => TEXT,
                    };
                }
            }
        }
    }
    types
}

fn too_many_names() -> Refusal {
    refuse::refusal(
        Reason::TooLarge,
        "54000",
        "too many prepared statements, portals and cursors in this session",
        None,
        Some("Close those that are no longer needed."),
    )
}
