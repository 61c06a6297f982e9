//! What the session sends ahead of a client's statement, unseen by the client.
//!
//! Two things: a statement of SQL's PREPARE that is made anew before EXECUTE runs it, and the query
//! inside of `COPY … TO STDOUT` for a description of its columns, which COPY itself does not give.
//! Both go in the extended protocol under a name of ours. Ahead of a Query they are ended with a
//! Sync; within a pipeline they are a part of it.
//!
//! What fails ahead of a Query would fail in the Query as well, but in a transaction block the
//! server then says of the Query only that the transaction is aborted: so the error is kept, and
//! told in the place of that.

use std::ops::Range;
use std::sync::Arc;

use pgwarrant_sql::{Class, Limits, Token, Touched, lexer};
use pgwarrant_wire::backend::{Diagnostic, field};
use pgwarrant_wire::frontend;

use crate::assemble::{Assembled, Sent, assemble_one};
use crate::cache::Analysed;
use crate::error::{End, Fatal};
use crate::ledger::Kind;
use crate::plan::Planned;
use crate::prepared::{Origin, Prepared};
use crate::session::Session;
use crate::state::PROBE_NAME;
use crate::work::Work;

/// What came of what was sent ahead of the Query at the head.
#[derive(Debug, Default)]
pub struct Ahead {
    /// The columns that a COPY will send were described, and passed the wire guard.
    described: bool,
    /// What failed.
    error: Option<Diagnostic<'static>>,
}

/// A statement of SQL's PREPARE that is to be made anew.
pub struct Anew {
    pub name: Box<str>,
    pub old: Arc<Prepared>,
    pub analysed: Analysed,
}

impl Session {
    /// Sends what must go ahead of a Query. True: a description of its COPY is on its way.
    pub fn send_ahead(
        &mut self,
        analysed: &Analysed,
        planned: &mut [Planned],
        assembled: &Assembled,
    ) -> Result<bool, End> {
        self.ahead = Ahead::default();
        // A Query may follow a pipeline that has not been ended: a Sync of ours would end it.
        let alone = self.scope == self.ledger.upcoming();
        let mut sent = false;
        for index in 0..planned.len() {
            let refused = assembled.refused.get(index).is_some_and(Option::is_some);
            let anew = planned.get_mut(index).and_then(|planned| planned.anew.take());
            if let Some(anew) = anew.filter(|_| alone && !refused) {
                self.prepare_anew(&anew)?;
                sent = true;
            }
        }
        let mut described = false;
        // What an earlier statement of the message changes is not there yet.
        if let Some(first) = planned.first()
            && alone
            && self.state.status != b'E'
            && class(analysed, 0) == Class::CopyTo
            && !assembled.refused.first().is_some_and(Option::is_some)
        {
            let touched = first.touched.clone();
            described = self.describe_copy(assembled, 0, touched, None)?;
            sent |= described;
        }
        if sent {
            frontend::build::sync(self.upstream.output.building());
            self.ledger.sent(Kind::Sync, true, Work::Sync)?;
            self.scope = self.ledger.upcoming();
        }
        Ok(described)
    }

    /// The same ahead of the Execute message of a portal, as a part of its pipeline.
    pub fn send_ahead_of_execute(
        &mut self,
        analysed: &Analysed,
        index: usize,
        planned: &mut Planned,
        sent: &Sent,
    ) -> Result<bool, End> {
        self.ahead = Ahead::default();
        if let Some(anew) = planned.anew.take() {
            self.prepare_anew(&anew)?;
        }
        if class(analysed, index) == Class::CopyTo {
            let touched = planned.touched.clone();
            return self.describe_copy(&sent.assembled(), index, touched, Some(sent.clone()));
        }
        Ok(false)
    }

    /// Replaces what the server has under this name by what `PREPARE` comes out as now.
    pub fn prepare_anew(&mut self, anew: &Anew) -> Result<Arc<Prepared>, End> {
        let index = anew.old.index;
        let assembled = Arc::new(assemble_one(&anew.analysed, index));
        let out = self.upstream.output.building();
        if anew.old.present {
            frontend::build::close(out, frontend::Name::Statement(&anew.name));
            let sequence = self.ledger.upcoming();
            self.statements.change(&anew.name, sequence, Some(Arc::new(anew.old.absent())));
            let work = Work::Close { statement: Some(anew.name.clone()), portal: None };
            self.ledger.sent(Kind::Close, true, work)?;
        }
        let own = frontend::Name::Statement(PROBE_NAME);
        let out = self.upstream.output.building();
        frontend::build::close(out, own);
        frontend::build::parse(out, PROBE_NAME, &assembled.text, std::iter::empty());
        frontend::build::bind(out, PROBE_NAME, PROBE_NAME, &[], &[], &[]);
        frontend::build::execute(out, PROBE_NAME, 0);
        frontend::build::close(out, frontend::Name::Portal(PROBE_NAME));
        frontend::build::close(out, own);
        self.unflushed = true;
        for kind in [Kind::Close, Kind::Parse, Kind::Bind] {
            self.ledger.sent(kind, true, Work::Ahead)?;
        }
        let sequence = self.ledger.upcoming();
        let prepared =
            Arc::new(Prepared::new(Origin::Sql, anew.analysed.clone(), index, Sent::As(assembled)));
        self.statements.change(&anew.name, sequence, Some(prepared.clone()));
        self.ledger.sent(Kind::Execute, true, Work::Anew { name: anew.name.clone() })?;
        for kind in [Kind::Close, Kind::Close] {
            self.ledger.sent(kind, true, Work::Ahead)?;
        }
        Ok(prepared)
    }

    /// Asks what columns a `COPY … TO STDOUT` will send. False: it is none that has any.
    fn describe_copy(
        &mut self,
        assembled: &Assembled,
        index: usize,
        touched: Arc<Touched>,
        pipeline: Option<Sent>,
    ) -> Result<bool, End> {
        let Some((bytes, characters)) = assembled.part(index) else { return Ok(false) };
        let Some(sent) = assembled.text.get(bytes) else { return Ok(false) };
        let Some(query) = query_of(sent) else { return Ok(false) };
        let shift = match &query {
            Query::Inner(range) => {
                Some(characters.start + sent.get(..range.start).unwrap_or_default().chars().count())
            }
            Query::Made(_) => None,
        };
        let text = match &query {
            Query::Inner(range) => sent.get(range.clone()).unwrap_or_default(),
            Query::Made(text) => text,
        };
        let own = frontend::Name::Statement(PROBE_NAME);
        let out = self.upstream.output.building();
        frontend::build::close(out, own);
        frontend::build::parse(out, PROBE_NAME, text, std::iter::empty());
        frontend::build::describe(out, own);
        frontend::build::close(out, own);
        self.unflushed = true;
        self.ledger.sent(Kind::Close, true, Work::Ahead)?;
        for kind in [Kind::Parse, Kind::DescribeStatement] {
            let (touched, sent) = (touched.clone(), pipeline.clone());
            self.ledger.sent(kind, true, Work::CopyShape { touched, shift, sent })?;
        }
        self.ledger.sent(Kind::Close, true, Work::Ahead)?;
        Ok(true)
    }

    /// The columns of a COPY have passed the wire guard.
    pub fn copy_described(&mut self) {
        self.ahead.described = true;
    }

    /// COPY data are about to come: were their columns described, where that was asked for?
    pub fn check_copy(&mut self) -> Result<(), End> {
        if self.ahead.described {
            return Ok(());
        }
        Err(Fatal::protocol("the server sends a copy of what it could not describe")
            .incident("COPY data without a description")
            .into())
    }

    /// Something that was sent ahead of a Query has failed.
    pub fn ahead_failed(&mut self, work: &Work, error: Diagnostic<'_>) {
        self.ahead.error = Some(in_place(work, error).into_owned());
    }

    /// The error to tell in place of one that says no more than that the transaction has failed, or
    /// that there is no such statement.
    pub fn error_ahead<'e>(&mut self, error: Diagnostic<'e>) -> Diagnostic<'e> {
        match self.ahead.error.take() {
            Some(ahead) if matches!(error.sqlstate(), "25P02" | "26000") => ahead,
            _ => error,
        }
    }
}

/// The error of something that was sent ahead, with its position in the text that it was taken from.
pub fn in_place<'e>(work: &Work, mut error: Diagnostic<'e>) -> Diagnostic<'e> {
    match (error.position(), work) {
        (Some(position), Work::CopyShape { shift: Some(shift), .. }) => {
            error.set(field::POSITION, (position + shift).to_string());
        }
        (Some(_), Work::CopyShape { .. } | Work::Ahead | Work::Anew { .. }) => error.remove(field::POSITION),
        _ => {}
    }
    error
}

fn class(analysed: &Analysed, index: usize) -> Class {
    analysed.statements().get(index).map_or(Class::Empty, |statement| statement.class)
}

/// The query whose columns a COPY sends.
#[derive(Debug, PartialEq, Eq)]
enum Query {
    /// The bytes of it in the statement.
    Inner(Range<usize>),
    Made(String),
}

/// `COPY (query) TO …`, `COPY [BINARY] relation [(column, …)] TO …`
fn query_of(text: &str) -> Option<Query> {
    let tokens =
        lexer::lex(text, &Limits { statement_bytes: usize::MAX, statement_tokens: usize::MAX, nesting: 0 })
            .ok()?;
    let is =
        |index: usize, word: &str| tokens.get(index).is_some_and(|token: &Token| token.text(text) == word);
    let close = |open: usize| {
        let mut depth = 0_usize;
        (open..tokens.len()).find(|index| {
            match tokens.get(*index).map(|token| token.text(text)) {
                Some("(") => depth += 1,
                Some(")") => depth -= 1,
                _ => {}
            }
            depth == 0
        })
    };
    if is(1, "(") {
        let (open, close) = (tokens.get(1)?, tokens.get(close(1)?)?);
        return Some(Query::Inner(open.end as usize..close.start as usize));
    }
    let binary = tokens.get(1)?.is_keyword(text, "binary")
        && !is(2, ".")
        && !tokens.get(2)?.is_keyword(text, "to")
        && !is(2, "(");
    let first = if binary { 2 } else { 1 };
    let mut last = first;
    while is(last + 1, ".") {
        last += 2;
    }
    let name = text.get(tokens.get(first)?.start as usize..tokens.get(last)?.end as usize)?;
    let columns = if is(last + 1, "(") {
        text.get(tokens.get(last + 1)?.end as usize..tokens.get(close(last + 1)?)?.start as usize)?
    } else {
        "*"
    };
    Some(Query::Made(format!("SELECT {columns} FROM {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_of_a_copy_is_found() {
        let cases = [
            ("COPY (SELECT (1), ')' FROM x) TO STDOUT", "SELECT (1), ')' FROM x"),
            ("COPY x TO STDOUT", "SELECT * FROM x"),
            (
                "COPY public . \"x y\" (a, \"b)\") TO STDOUT (FORMAT csv)",
                "SELECT a, \"b)\" FROM public . \"x y\"",
            ),
            ("COPY BINARY x TO STDOUT", "SELECT * FROM x"),
            ("COPY binary TO STDOUT", "SELECT * FROM binary"),
            ("copy binary (a) to stdout", "SELECT a FROM binary"),
            ("COPY binary.x TO STDOUT", "SELECT * FROM binary.x"),
        ];
        for (statement, expected) in cases {
            let found = match query_of(statement).unwrap() {
                Query::Inner(range) => statement[range].to_owned(),
                Query::Made(text) => text,
            };
            assert_eq!(found, expected, "{statement}");
        }
        assert_eq!(query_of("COPY (SELECT 1"), None);
        assert_eq!(query_of("COPY"), None);
    }
}
