//! Statements and portals that outlive the message that made them, checked again at every use.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pgwarrant_sql::{Class, Piece, Refusal, Touched, Verdict};

use crate::assemble::Sent;
use crate::cache::Analysed;
use crate::session::Session;

/// How a prepared statement was made: it must be made anew in the same way.
#[derive(Debug, PartialEq, Eq)]
pub enum Origin {
    /// A Parse message with these parameter types.
    Protocol { types: Vec<u32> },
    /// `PREPARE name AS …`; the analysed text is the message that holds it.
    Sql,
}

/// A prepared statement: what the server has, and what the user wrote.
#[derive(Debug)]
pub struct Prepared {
    pub origin: Origin,
    /// Which statement of the analysed text; 0 for a Parse message.
    pub index: usize,
    /// What was sent for the message that made it.
    pub sent: Sent,
    /// The server has it. False: it was closed to be made anew, and that failed.
    pub present: bool,
    /// The latest analysis that came out as what was sent.
    current: Mutex<Analysed>,
    /// The version of the catalogue by which the wire guard last saw a description of its result,
    /// plus one; 0: never.
    guarded: AtomicU64,
}

impl Prepared {
    pub fn new(origin: Origin, analysed: Analysed, index: usize, sent: Sent) -> Self {
        Self { origin, index, sent, present: true, current: Mutex::new(analysed), guarded: AtomicU64::new(0) }
    }

    /// The same, but the server does not have it.
    pub fn absent(&self) -> Self {
        let origin = match &self.origin {
            Origin::Protocol { types } => Origin::Protocol { types: types.clone() },
            Origin::Sql => Origin::Sql,
        };
        Self { present: false, ..Self::new(origin, self.analysed(), self.index, self.sent.clone()) }
    }

    pub fn analysed(&self) -> Analysed {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn adopt(&self, analysed: &Analysed) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = analysed.clone();
    }

    /// Has the wire guard seen what this statement returns, as of this version of the catalogue?
    pub fn guarded(&self, catalogue: u64) -> bool {
        self.guarded.load(Ordering::Relaxed) == catalogue.wrapping_add(1)
    }

    pub fn set_guarded(&self, catalogue: u64) {
        self.guarded.store(catalogue.wrapping_add(1), Ordering::Relaxed);
    }

    /// Is what it returns another statement's, and so another description each time?
    pub fn varies(&self) -> bool {
        let class = self.analysed().statements().get(self.index).map(|statement| statement.class);
        matches!(class, Some(Class::Execute | Class::Fetch))
    }

    /// Are there holes to be filled with live state at each Bind?
    pub fn has_console(&self) -> bool {
        has_console(&self.analysed(), self.index)
    }
}

pub fn has_console(analysed: &Analysed, index: usize) -> bool {
    analysed.statements().get(index).is_some_and(|statement| match &statement.verdict {
        Verdict::Spliced(splices) => {
            splices.iter().flat_map(|splice| &splice.with).any(|piece| matches!(piece, Piece::Console(_)))
        }
        Verdict::AsWritten | Verdict::Refused(_) => false,
    })
}

/// A bound portal, or a cursor made by DECLARE.
#[derive(Debug)]
pub struct Portal {
    pub prepared: Arc<Prepared>,
    /// The analysis by which it was bound.
    pub analysed: Analysed,
    /// `DECLARE … WITH HOLD`: survives its transaction.
    pub hold: bool,
    /// Its grants have been charged a use; reading on is not another one.
    pub charged: AtomicBool,
    /// The values that it was bound to, where it compares them with masked columns.
    pub probes: Vec<u64>,
}

impl Portal {
    /// Notes that its grants are charged.
    pub fn charge(&self) {
        self.charged.store(true, Ordering::Relaxed);
    }

    pub fn varies(&self) -> bool {
        self.prepared.varies()
    }

    pub fn index(&self) -> usize {
        self.prepared.index
    }

    pub fn touched(&self) -> Arc<Touched> {
        self.analysed.touched(self.prepared.index)
    }
}

/// Does a prepared statement still mean what the server has?
pub enum Validity {
    /// Yes, by this analysis.
    Same(Analysed),
    /// No: it must be made anew from this one.
    Changed(Analysed),
    Refused(Refusal),
}

impl Session {
    /// Analyses a prepared statement again, if what it depends on has changed.
    pub fn revalidate(&self, prepared: &Prepared) -> Validity {
        let before = prepared.analysed();
        if before.basis().equals(&self.basis) && prepared.present {
            return Validity::Same(before);
        }
        let again = match self.analyse(&before.text) {
            Ok(again) => again,
            Err(refusal) => return Validity::Refused(refusal),
        };
        let old = before.statements().get(prepared.index).map(|statement| &statement.verdict);
        match again.statements().get(prepared.index).map(|statement| &statement.verdict) {
            Some(Verdict::Refused(refusal)) => Validity::Refused(refusal.clone()),
            new if new == old && prepared.present => {
                prepared.adopt(&again);
                Validity::Same(again)
            }
            _ => Validity::Changed(again),
        }
    }

    /// May what a portal or cursor returns still go out? A portal cannot be made anew: it has its
    /// own snapshot and position.
    pub fn still_covered(&self, portal: &Portal) -> bool {
        let live = portal.touched().grants.iter().all(|grant| self.shared.live.is_live(*grant));
        if !live {
            return false;
        }
        if portal.analysed.basis().catalogue.version == self.basis.catalogue.version {
            return true;
        }
        // A label may have come: what was bound must be what would be bound now.
        let verdict = |analysed: &Analysed| {
            analysed.statements().get(portal.index()).map(|statement| statement.verdict.clone())
        };
        self.analyse(&portal.analysed.text).is_ok_and(|again| verdict(&again) == verdict(&portal.analysed))
    }
}

/// `DECLARE … CURSOR WITH HOLD FOR …`
pub fn declared_with_hold(analysed: &Analysed, index: usize) -> bool {
    let text: &str = &analysed.text;
    let head = analysed.statement_tokens(index).iter().take_while(|token| !token.is_keyword(text, "for"));
    let words: Vec<_> = head.collect();
    words.windows(2).any(
        |pair| matches!(pair, [with, hold] if with.is_keyword(text, "with") && hold.is_keyword(text, "hold")),
    )
}
