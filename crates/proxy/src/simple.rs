//! Query messages.

use std::collections::VecDeque;
use std::sync::Arc;

use pgwarrant_sql::{ConsoleCall, Reason, Refusal, Verdict};
use pgwarrant_wire::frontend;

use crate::assemble::{Assembled, Refused, assemble};
use crate::cache::Analysed;
use crate::error::End;
use crate::ledger::Kind;
use crate::plan::Planned;
use crate::refuse::{self, Nonce};
use crate::session::{Session, Step};
use crate::work::{Query, Run, Work};

impl Session {
    /// A Query message of the client; `length` is what it takes in the input.
    pub fn query(&mut self, text: &str, length: usize) -> Result<Step, End> {
        if self.refresh_basis().is_none() {
            return Ok(Step::Held);
        }
        let analysed = match self.analyse(text) {
            Ok(analysed) => analysed,
            Err(refusal) => return self.refuse_query(text, refusal, length),
        };
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
        if let Some(step) = self.make_durable(&analysed, &planned) {
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

    /// What each statement is refused for, once its audit record and its limits are known too.
    pub fn final_refusals<'p>(&mut self, planned: impl Iterator<Item = &'p Planned>) -> Vec<Option<Refusal>> {
        planned
            .enumerate()
            .map(|(index, planned)| {
                if planned.refusal.is_some() {
                    return planned.refusal.clone();
                }
                if let Some((_, Err(refusal))) = self.front.intents.get(&index) {
                    return Some(refusal.clone());
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
        let assembled = Arc::new(assembled);
        let mut runs = VecDeque::with_capacity(planned.len());
        for (index, (planned, refused)) in planned.into_iter().zip(refused).enumerate() {
            let mut run = Run::new(analysed, index, planned.touched.clone(), first + index as u64);
            run.intent = self.front.intents.get(&index).and_then(|(_, number)| number.clone().ok());
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
                self.change_names(&mut run, &assembled);
            }
            run.refused = refused;
            runs.push_back(run);
        }
        let count = runs.len() as u64;
        let last = first + count.saturating_sub(1);
        let query = Query { assembled: Some(assembled), runs, last, failed: false };
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
        let mut run =
            Run::new(&Analysed::of_nothing(text, &self.basis), 0, Arc::default(), self.ledger.upcoming());
        run.refused = Some(refused);
        let last = run.sequence;
        let query = Query { assembled: None, runs: VecDeque::from([run]), last, failed: false };
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
