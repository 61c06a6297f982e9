//! Query messages.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BytesMut;
use pgwarrant_sql::{ConsoleCall, Reason, Refusal, Verdict};
use pgwarrant_wire::frontend;

use crate::ahead::Ahead;
use crate::assemble::{Assembled, Refused, Sent, assemble};
use crate::cache::Analysed;
use crate::error::{End, Fatal};
use crate::ledger::Kind;
use crate::plan::Planned;
use crate::refuse::{self, Nonce};
use crate::session::{Session, Step};
use crate::work::{Query, Run, Work};

impl Session {
    /// A Query message of the client, and the frame that it came in.
    pub fn query(&mut self, text: &str, frame: &[u8]) -> Result<Step, End> {
        let length = frame.len();
        if self.refresh_basis().is_none() {
            return Ok(Step::Held);
        }
        let analysed = match self.analyse(text) {
            Ok(analysed) => analysed,
            Err(refusal) => return self.refuse_query(text, refusal, length),
        };
        if let Some(step) = self.await_decision(&analysed) {
            return Ok(step);
        }
        if analysed.ordinary().is_some_and(|statement| !self.is_too_old(statement)) {
            return self.query_ordinary(analysed, length);
        }
        if let Some(refusal) = syntax_error(&analysed) {
            return self.refuse_query(text, refusal, length);
        }
        if let Some(step) = self.refresh_for_unknown(&analysed) {
            return Ok(step);
        }
        let mut planned = match self.plan(&analysed) {
            Ok(planned) => planned,
            Err(step) => return Ok(step),
        };
        // What is sent ahead would be a part of a pipeline that the client has not ended.
        let alone = self.scope == self.ledger.upcoming();
        for (index, planned) in planned.iter_mut().enumerate() {
            if let Some(anew) = planned.anew.take_if(|_| !alone) {
                planned.refusal = Some(refuse::stale("prepared statement", &anew.name, "Send a Sync first."));
            }
            self.count_probes(&analysed, index, planned, &[]);
        }
        if let Some(step) = self.intend(&analysed, &planned)? {
            return Ok(step);
        }
        if let Some(step) = self.act(&analysed, &planned, &[]) {
            return Ok(step);
        }
        let refusals = self.final_refusals(planned.iter());
        let mut answers = self.front.acted.take();
        let assembled = assemble(&analysed, refusals, &mut |call| self.fill(call, &mut answers));
        self.send_query(&analysed, planned, assembled)?;
        Ok(Step::Consumed(length))
    }

    fn query_ordinary(&mut self, analysed: Analysed, length: usize) -> Result<Step, End> {
        self.send_ordinary(&analysed, frontend::build::query)?;
        let sequence = self.ledger.upcoming();
        let mut first = Run::new(&analysed, 0, analysed.touched(0), sequence, self.now);
        first.intent = self.take_intent(0);
        let sent = Some(Sent::Ordinary(analysed));
        let query = Query { sent, first: Some(first), rest: VecDeque::new(), last: sequence, failed: false };
        self.ledger.sent(Kind::Query, false, Work::Query(Box::new(query)))?;
        self.scope = self.ledger.upcoming();
        self.unflushed = false;
        Ok(Step::Consumed(length))
    }

    /// Builds the message of an ordinary statement from what it is sent as.
    pub fn send_ordinary(
        &mut self,
        analysed: &Analysed,
        build: impl FnOnce(&mut BytesMut, &str),
    ) -> Result<(), End> {
        self.ahead = Ahead::default();
        let out = self.upstream.output.building();
        match analysed.ordinary().map(|statement| (statement, &statement.verdict)) {
            Some((statement, Verdict::Spliced(splices))) => {
                let built = self.cache.splice(analysed, statement, splices, |text| build(out, text));
                built
                    .map_err(|refusal| Fatal::new("XX000", refusal.message).incident("splices do not fit"))?;
            }
            _ => build(out, &analysed.text),
        }
        Ok(())
    }

    /// What each statement is refused for, once its limits are known too.
    pub fn final_refusals<'p>(&mut self, planned: impl Iterator<Item = &'p Planned>) -> Vec<Option<Refusal>> {
        planned
            .map(|planned| {
                if planned.refusal.is_some() {
                    return planned.refusal.clone();
                }
                if !planned.releases() || planned.charged {
                    return None;
                }
                let charged = self.take_use(&planned.touched.grants);
                if let (Ok(()), Some(portal)) = (&charged, &planned.portal) {
                    portal.charge();
                }
                charged.err()
            })
            .collect()
    }

    /// The text for a console call: from what was done already, or from live state.
    pub fn fill(
        &self,
        call: &ConsoleCall,
        answers: &mut Option<VecDeque<Result<String, Refusal>>>,
    ) -> Result<String, Refusal> {
        match answers.as_mut().and_then(VecDeque::pop_front) {
            Some(answer) => answer,
            None => self.look(call),
        }
    }

    fn send_query(
        &mut self,
        analysed: &Analysed,
        mut planned: Vec<Planned>,
        assembled: Assembled,
    ) -> Result<(), End> {
        let described = self.send_ahead(analysed, &mut planned, &assembled)?;
        let first = self.ledger.upcoming();
        let refused: Vec<Option<Refused>> = assembled.refused.clone();
        frontend::build::query(self.upstream.output.building(), &assembled.text);
        let sent = Sent::As(Arc::new(assembled));
        let mut runs = VecDeque::with_capacity(planned.len());
        for (index, (planned, refused)) in planned.into_iter().zip(refused).enumerate() {
            let sequence = first + index as u64;
            let mut run = Run::new(analysed, index, planned.touched.clone(), sequence, self.now);
            run.intent = self.take_intent(index);
            run.writes |= planned.writes;
            run.computes = planned.computes;
            run.described = described && index == 0;
            self.grants_in_flight |= !run.touched.grants.is_empty();
            self.may_notify(&run);
            if self.writes_unseen(&run) {
                self.state.writes_unseen(run.sequence);
            }
            if refused.is_none() {
                self.state.sending(run.class(), run.effects(), run.sequence);
                self.state.sending(run.class(), &planned.also, run.sequence);
                self.change_names(&mut run, &sent);
            }
            run.refused = refused;
            runs.push_back(run);
        }
        let count = runs.len() as u64;
        let last = first + count.saturating_sub(1);
        let (first, sent) = (runs.pop_front(), Some(sent));
        let query = Query { sent, first, rest: runs, last, failed: false };
        self.ledger.sent(Kind::Query, false, Work::Query(Box::new(query)))?;
        self.ledger.widen(count.saturating_sub(1));
        self.scope = self.ledger.upcoming();
        self.unflushed = false;
        Ok(())
    }

    /// The text as a whole is refused: it has no tokens, or too many.
    pub fn refuse_query(&mut self, text: &str, refusal: Refusal, length: usize) -> Result<Step, End> {
        let refused = Refused { nonce: Nonce::new(), refusal };
        frontend::build::query(self.upstream.output.building(), &refused.text());
        let nothing = Analysed::of_nothing(text, &self.basis);
        let mut run = Run::new(&nothing, 0, Arc::default(), self.ledger.upcoming(), self.now);
        run.refused = Some(refused);
        let last = run.sequence;
        let query = Query { sent: None, first: Some(run), rest: VecDeque::new(), last, failed: false };
        self.ledger.sent(Kind::Query, false, Work::Query(Box::new(query)))?;
        self.scope = self.ledger.upcoming();
        self.unflushed = false;
        Ok(Step::Consumed(length))
    }
}

/// The server parses a whole message before it runs any of it.
fn syntax_error(analysed: &Analysed) -> Option<Refusal> {
    analysed.statements().iter().find_map(|statement| match &statement.verdict {
        // What our parser does not know the server judges.
        Verdict::Refused(refusal) if refusal.sqlstate == "42601" && refusal.reason != Reason::UnknownForm => {
            Some(refusal.clone())
        }
        _ => None,
    })
}
