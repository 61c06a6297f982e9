//! What the session must remember of each message in flight.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use pgwarrant_sql::{Class, Effect, GrantId, Statement, Touched};

use crate::assemble::{Refused, Sent};
use crate::cache::Analysed;
use crate::ledger::Sequence;
use crate::prepared::Prepared;

/// The payload of a ledger entry.
#[derive(Debug)]
pub enum Work {
    /// A simple Query, the client's.
    Query(Box<Query>),
    Parse {
        name: Box<str>,
        /// For the error's position.
        sent: Sent,
        /// For the record, if it fails; None: it is an ordinary statement.
        run: Option<Box<Run>>,
    },
    Bind {
        portal: Box<str>,
        /// For the error's position.
        sent: Option<Sent>,
        /// It was refused.
        run: Option<Box<Run>>,
    },
    /// Whose result is described, for the wire guard.
    Describe {
        prepared: Option<Arc<Prepared>>,
        touched: Arc<Touched>,
    },
    Execute(Box<Run>),
    Close {
        statement: Option<Box<str>>,
        portal: Option<Box<str>>,
    },
    Sync,
    /// The session's question about its own state; its rows are read.
    Probe,
    /// A statement that is made anew before it is used: if that fails, it is gone.
    Anew {
        name: Box<str>,
    },
    /// Sent ahead of a statement of the client, see [`crate::ahead`].
    Ahead,
    /// The query of a COPY, for the wire guard.
    CopyShape {
        touched: Arc<Touched>,
        /// Where it stands in what is sent, in characters; None: it is of our making.
        shift: Option<usize>,
        /// What that is, within a pipeline.
        sent: Option<Sent>,
    },
    /// Nothing to remember.
    Nothing,
}

/// A Query message of the client.
#[derive(Debug)]
pub struct Query {
    /// None: it was refused as a whole.
    pub sent: Option<Sent>,
    /// The first of its statements that are not over yet.
    pub first: Option<Run>,
    /// Those after it.
    pub rest: VecDeque<Run>,
    /// The sequence of its last statement.
    pub last: Sequence,
    /// An error was seen: only ReadyForQuery is to come.
    pub failed: bool,
}

impl Query {
    pub fn current(&mut self) -> Option<&mut Run> {
        if self.failed { None } else { self.first.as_mut() }
    }

    /// Its statements that are not over yet.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.first.iter().chain(&self.rest)
    }

    pub fn runs_mut(&mut self) -> impl Iterator<Item = &mut Run> {
        self.first.iter_mut().chain(&mut self.rest)
    }

    /// Takes out the first, which is over.
    pub fn pop(&mut self) -> Option<Run> {
        std::mem::replace(&mut self.first, self.rest.pop_front())
    }
}

/// A change of what a name stands for, decided when the statement that makes it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Statement(Box<str>),
    Portal(Box<str>),
}

/// One statement on its way.
#[derive(Clone, Debug)]
pub struct Run {
    pub analysed: Analysed,
    pub index: usize,
    /// What it touches; for EXECUTE, FETCH and portals with what they run added.
    pub touched: Arc<Touched>,
    pub refused: Option<Refused>,
    /// The audit record that was durable before it was sent.
    pub intent: Option<u64>,
    /// The sequence by which its changes of names are known.
    pub sequence: Sequence,
    pub changes: Vec<Change>,
    pub started: Instant,
    /// Rows and bytes of rows that were passed on.
    pub rows: u64,
    pub bytes: u64,
    /// The wire guard has seen what it returns.
    pub guarded: bool,
    /// A COPY whose columns were asked for ahead of it.
    pub described: bool,
    /// What it executes or fetches names a view that computes with raw values.
    pub computes: bool,
    /// It, or what it runs, may write.
    pub writes: bool,
    /// A grant that it uses has ended: not one more row.
    pub cut: Option<Cut>,
    /// What its statement was sent as, where that was not in the same message.
    pub sent: Option<Sent>,
}

/// Why a statement is cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    pub grant: GrantId,
    /// `was revoked`, `has expired`, …
    pub why: &'static str,
}

impl Run {
    pub fn new(
        analysed: &Analysed,
        index: usize,
        touched: Arc<Touched>,
        sequence: Sequence,
        started: Instant,
    ) -> Self {
        Self {
            analysed: analysed.clone(),
            index,
            touched,
            refused: None,
            intent: None,
            sequence,
            changes: Vec::new(),
            started,
            rows: 0,
            bytes: 0,
            guarded: false,
            described: false,
            computes: false,
            writes: analysed.writes(index),
            cut: None,
            sent: None,
        }
    }

    pub fn statement(&self) -> Option<&Statement> {
        self.analysed.statements().get(self.index)
    }

    pub fn class(&self) -> Class {
        self.statement().map_or(Class::Empty, |statement| statement.class)
    }

    pub fn effects(&self) -> &[Effect] {
        self.statement().map_or(&[], |statement| &statement.effects)
    }
}

/// What two statements touch together.
pub fn merged(first: &Arc<Touched>, second: &Arc<Touched>) -> Arc<Touched> {
    let nothing = |touched: &Touched| {
        touched.relations.is_empty() && touched.plain.is_empty() && touched.grants.is_empty()
    };
    if nothing(second) {
        return first.clone();
    }
    let mut both = Touched::clone(first);
    both.plain.extend(&second.plain);
    both.relations.extend(&second.relations);
    both.masked.extend(&second.masked);
    both.raw.extend(&second.raw);
    both.grants.extend(&second.grants);
    both.probed.extend(&second.probed);
    both.written.extend(&second.written);
    both.probe_values = both.probe_values.saturating_add(second.probe_values);
    // They are those of two texts.
    both.probe_tokens.clear();
    for list in [&mut both.masked, &mut both.raw, &mut both.probed, &mut both.written] {
        list.sort_unstable();
        list.dedup();
    }
    both.relations.sort_unstable();
    both.relations.dedup();
    both.grants.sort_unstable();
    both.grants.dedup();
    Arc::new(both)
}
