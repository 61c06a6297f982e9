//! What becomes of each statement of a message, beyond its analysis: what the prepared statements,
//! portals and cursors that it names add, and which names it changes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pgwarrant_sql::{Class, Effect, Reason, Refusal, Statement, Touched, Verdict};

use crate::ahead::Anew;
use crate::assemble::Sent;
use crate::cache::Analysed;
use crate::ledger::{Entry, Sequence};
use crate::names::Meaning;
use crate::prepared::{self, Origin, Portal, Prepared, Validity};
use crate::refuse;
use crate::session::{Session, Step, Waited};
use crate::withhold;
use crate::work::{Change, Run, Work, merged};

/// One statement, planned.
pub struct Planned {
    pub touched: Arc<Touched>,
    /// By the analysis or by the session.
    pub refusal: Option<Refusal>,
    pub class: Class,
    /// The portal or cursor that it reads has been charged to its grants already.
    pub charged: bool,
    /// Which is to be marked as charged once it is.
    pub portal: Option<Arc<Portal>>,
    /// Effects of the prepared statement that it executes.
    pub also: Vec<Effect>,
    /// What it executes or fetches may write.
    pub writes: bool,
    /// It, and what it executes or fetches, surely does nothing but read.
    pub reads: bool,
    /// The same names a view that computes with raw values.
    pub computes: bool,
    /// What it executes must be made anew before.
    pub anew: Option<Anew>,
}

impl Planned {
    /// May raw protected data come back? PREPARE and DECLARE return nothing yet.
    pub fn releases(&self) -> bool {
        !self.touched.raw.is_empty() && !matches!(self.class, Class::Prepare | Class::DeclareCursor)
    }

    /// It executes that prepared statement.
    fn runs(&mut self, analysed: &Analysed, index: usize) {
        self.adds(analysed, index);
        let inner = analysed.statements().get(index);
        let effects = inner.into_iter().flat_map(|inner| &inner.effects);
        let of_session = effects.filter(|effect| matches!(effect, Effect::SessionState | Effect::Ddl));
        self.also.extend(of_session.cloned());
    }

    /// It runs that statement too.
    fn adds(&mut self, analysed: &Analysed, index: usize) {
        self.touched = merged(&self.touched, &analysed.touched(index));
        self.writes |= analysed.writes(index);
        self.reads &= analysed.only_reads(index);
        self.computes |= withhold::names_computing(analysed, index);
    }
}

/// Names that earlier statements of the same message change: to what a statement of this index
/// makes, or (None) to nothing.
#[derive(Default)]
struct Earlier {
    statements: HashMap<String, Option<usize>>,
    portals: HashMap<String, Option<usize>>,
    no_statements: bool,
    no_portals: bool,
    /// The last of them that may change what names mean.
    renaming: Option<usize>,
}

impl Earlier {
    /// Would the server read the names of a prepared statement anew, and otherwise than they were
    /// analysed? `made`: by which statement of this message it was prepared.
    fn renames(&self, made: Option<usize>) -> bool {
        self.renaming.is_some_and(|renaming| made.is_none_or(|made| made < renaming))
    }
}

/// What a name in a statement stands for.
enum Found<T> {
    /// Made before this message.
    Before(Arc<T>),
    /// Made by an earlier statement of this message.
    Here(usize),
    Nowhere,
}

impl Session {
    /// Sees to it that the basis of the next analysis is the present one. None: held.
    pub fn refresh_basis(&mut self) -> Option<()> {
        let failed = self.state.status == b'E';
        if self.state.stale && !(failed && self.ledger.is_empty()) {
            if self.ledger.is_empty() {
                self.ask_state();
            }
            self.drain();
            return None;
        }
        if self.refresh_due && self.state.status != b'T' {
            self.refresh_due = false;
            self.refresh();
            return None;
        }
        let version = self.grants.version();
        let session = self.state.session();
        if version != self.grants_version
            || !Arc::ptr_eq(session, &self.basis.session)
            || !self.database.is_catalogue(&self.basis.catalogue)
        {
            let (catalogue, database) = (self.database.catalogue(), &self.database.settings.name);
            let access = self.shared.live.access(&self.identity.principal, database, &catalogue);
            if version != self.grants_version {
                self.cache.forget_ended(|grant| self.shared.live.is_live(grant));
            }
            self.grants_version = version;
            self.parsed = None;
            self.basis = self.cache.basis(catalogue, access, session.clone(), database);
        }
        Some(())
    }

    /// Is what a statement touches not known any more? (A look at the clock, so it comes last.)
    pub fn is_too_old(&self, statement: &Statement) -> bool {
        !statement.touched.relations.is_empty() && self.database.is_out_of_date()
    }

    /// A refusal because a function is not in the catalogue: it may be new. Once a message.
    pub fn refresh_for_unknown(&mut self, analysed: &Analysed) -> Option<Step> {
        let unknown = analysed.statements().iter().any(|statement| {
            matches!(&statement.verdict, Verdict::Refused(refusal) if refusal.reason == Reason::UnknownFunction)
        });
        if !unknown || self.front.refreshed {
            return None;
        }
        Some(self.refresh())
    }

    /// Waits for the catalogue to be read again, once a message.
    pub fn refresh(&mut self) -> Step {
        self.front.refreshed = true;
        let (database, patience) = (self.database.clone(), self.shared.settings.limits.refresh);
        self.wait(Box::pin(async move {
            database.refreshed(patience).await;
            Waited::Again
        }))
    }

    /// Plans every statement of a message. Err: held.
    pub fn plan(&mut self, analysed: &Analysed) -> Result<Vec<Planned>, Step> {
        let mut earlier = Earlier::default();
        let mut planned = Vec::with_capacity(analysed.statements().len());
        for index in 0..analysed.statements().len() {
            planned.push(self.plan_statement(analysed, index, &mut earlier)?);
        }
        Ok(planned)
    }

    /// Plans the statement that a portal runs. Err: held.
    pub fn plan_one(&mut self, analysed: &Analysed, index: usize) -> Result<Planned, Step> {
        self.plan_statement(analysed, index, &mut Earlier::default())
    }

    fn plan_statement(
        &mut self,
        analysed: &Analysed,
        index: usize,
        earlier: &mut Earlier,
    ) -> Result<Planned, Step> {
        let Some(statement) = analysed.statements().get(index) else {
            return Ok(Planned {
                touched: Arc::default(),
                refusal: None,
                class: Class::Empty,
                charged: false,
                portal: None,
                also: Vec::new(),
                writes: false,
                reads: false,
                anew: None,
                computes: false,
            });
        };
        let class = statement.class;
        let mut planned = Planned {
            touched: analysed.touched(index),
            refusal: None,
            class,
            charged: false,
            portal: None,
            also: Vec::new(),
            writes: analysed.writes(index),
            reads: analysed.only_reads(index),
            anew: None,
            computes: false,
        };
        if let Verdict::Refused(refusal) = &statement.verdict {
            planned.refusal = Some(refusal.clone());
            return Ok(planned);
        }
        if self.state.stale && index > 0 && statement.class != Class::Transaction {
            planned.refusal = Some(unresolved());
            return Ok(planned);
        }
        if self.is_too_old(statement) {
            planned.refusal = Some(out_of_date());
            return Ok(planned);
        }
        for effect in &statement.effects {
            match effect {
                Effect::Prepare { name, .. } => {
                    earlier.statements.insert(name.clone(), Some(index));
                }
                Effect::Deallocate { name: Some(name) } => {
                    earlier.statements.insert(name.clone(), None);
                }
                Effect::Deallocate { name: None } => {
                    earlier.statements.clear();
                    earlier.no_statements = true;
                }
                Effect::Declare { cursor } => {
                    earlier.portals.insert(cursor.clone(), Some(index));
                }
                Effect::CloseCursor { cursor: Some(cursor) } => {
                    earlier.portals.insert(cursor.clone(), None);
                }
                Effect::CloseCursor { cursor: None } => {
                    earlier.portals.clear();
                    earlier.no_portals = true;
                }
                Effect::DiscardAll => {
                    let renaming = Some(index);
                    *earlier =
                        Earlier { no_statements: true, no_portals: true, renaming, ..Earlier::default() };
                }
                Effect::Execute { name } => self.plan_execute(analysed, name, earlier, &mut planned)?,
                Effect::Fetch { cursor } => self.plan_fetch(analysed, cursor, earlier, &mut planned)?,
                // The end of a transaction changes back what was changed in it, if anything was.
                Effect::SessionState
                    if class == Class::Transaction
                        && self.basis.session.settled
                        && earlier.renaming.is_none() => {}
                Effect::SessionState => earlier.renaming = Some(index),
                Effect::Ddl => {}
            }
        }
        if planned.also.contains(&Effect::SessionState) {
            earlier.renaming = Some(index);
        }
        Ok(planned)
    }

    fn plan_execute(
        &mut self,
        analysed: &Analysed,
        name: &str,
        earlier: &Earlier,
        planned: &mut Planned,
    ) -> Result<(), Step> {
        let found = match earlier.statements.get(name) {
            Some(Some(index)) => Found::Here(*index),
            Some(None) => Found::Nowhere,
            None if earlier.no_statements => Found::Nowhere,
            None => match self.statements.meaning(name, self.scope, |sequence| self.ledger.is_over(sequence))
            {
                Meaning::Known(prepared) => Found::Before(prepared),
                Meaning::Unknown => Found::Nowhere,
                Meaning::Undecided => return Err(self.drain()),
            },
        };
        if let Found::Before(prepared) = &found
            && let Some(step) = self.await_decision_of_prepared(prepared)
        {
            return Err(step);
        }
        match found {
            Found::Here(index) if earlier.renames(Some(index)) => planned.refusal = Some(renamed(name)),
            Found::Before(_) if earlier.renames(None) => planned.refusal = Some(renamed(name)),
            Found::Here(index) => planned.runs(analysed, index),
            Found::Nowhere => planned.refusal = Some(refuse::unknown_statement(name)),
            Found::Before(prepared) if prepared.has_console() => {
                planned.refusal = Some(console_by_name(name));
            }
            Found::Before(prepared) => match self.revalidate(&prepared) {
                Validity::Same(current) | Validity::Changed(current) if !is_followed(&prepared, &current) => {
                    planned.refusal = Some(not_followed("EXECUTE", name));
                }
                Validity::Same(current) => planned.runs(&current, prepared.index),
                // The server would make nothing anew in a transaction that has failed.
                Validity::Changed(_) if self.state.status == b'E' || prepared.origin != Origin::Sql => {
                    let again = "DEALLOCATE it and prepare it again.";
                    planned.refusal = Some(refuse::stale("prepared statement", name, again));
                }
                Validity::Changed(current) => {
                    planned.runs(&current, prepared.index);
                    planned.anew = Some(Anew { name: name.into(), old: prepared, analysed: current });
                }
                Validity::Refused(refusal) => planned.refusal = Some(elsewhere(refusal)),
            },
        }
        Ok(())
    }

    fn plan_fetch(
        &mut self,
        analysed: &Analysed,
        cursor: &str,
        earlier: &Earlier,
        planned: &mut Planned,
    ) -> Result<(), Step> {
        let found = match earlier.portals.get(cursor) {
            Some(Some(index)) => Found::Here(*index),
            Some(None) => Found::Nowhere,
            None if earlier.no_portals => Found::Nowhere,
            None => {
                match self.portals.meaning(cursor, self.scope, |sequence| self.ledger.is_over(sequence)) {
                    Meaning::Known(portal) => Found::Before(portal),
                    Meaning::Unknown => Found::Nowhere,
                    Meaning::Undecided => return Err(self.drain()),
                }
            }
        };
        match found {
            Found::Here(index) => planned.adds(analysed, index),
            Found::Nowhere => planned.refusal = Some(refuse::unknown_cursor(cursor)),
            Found::Before(portal) if !is_followed(&portal.prepared, &portal.analysed) => {
                planned.refusal = Some(not_followed("FETCH", cursor));
            }
            Found::Before(portal) if self.still_covered(&portal) => {
                planned.adds(&portal.analysed, portal.index());
                planned.charged = portal.charged.load(Ordering::Relaxed);
                planned.portal = Some(portal);
            }
            Found::Before(_) => {
                planned.refusal = Some(refuse::stale("cursor", cursor, "CLOSE it and declare it again."));
            }
        }
        Ok(())
    }

    /// Notes the names that a statement is about to change; they are decided when it is over.
    pub fn change_names(&mut self, run: &mut Run, sent: &Sent) {
        if run.effects().is_empty() {
            return;
        }
        let sequence = run.sequence;
        let (analysed, index) = (run.analysed.clone(), run.index);
        let made = |hold| Portal {
            prepared: Arc::new(Prepared::new(Origin::Sql, analysed.clone(), index, sent.clone())),
            analysed: analysed.clone(),
            hold,
            charged: AtomicBool::new(false),
            probes: Vec::new(),
        };
        for effect in run.effects().to_vec() {
            match effect {
                Effect::Prepare { name, .. } => {
                    let prepared = Prepared::new(Origin::Sql, analysed.clone(), index, sent.clone());
                    self.change_statement(&name, sequence, Some(prepared), &mut run.changes);
                }
                Effect::Deallocate { name: Some(name) } => {
                    self.change_statement(&name, sequence, None, &mut run.changes);
                }
                Effect::Deallocate { name: None } => self.forget_statements(sequence, &mut run.changes),
                Effect::Declare { cursor } => {
                    let portal = made(prepared::declared_with_hold(&analysed, index));
                    self.portals.change(&cursor, sequence, Some(Arc::new(portal)));
                    run.changes.push(Change::Portal(cursor.into()));
                }
                Effect::CloseCursor { cursor: Some(cursor) } => {
                    self.portals.change(&cursor, sequence, None);
                    run.changes.push(Change::Portal(cursor.into()));
                }
                Effect::CloseCursor { cursor: None } => self.forget_portals(sequence, &mut run.changes),
                Effect::DiscardAll => {
                    self.forget_statements(sequence, &mut run.changes);
                    self.forget_portals(sequence, &mut run.changes);
                }
                Effect::Execute { .. } | Effect::Fetch { .. } | Effect::SessionState | Effect::Ddl => {}
            }
        }
    }

    fn change_statement(
        &mut self,
        name: &str,
        sequence: Sequence,
        value: Option<Prepared>,
        changes: &mut Vec<Change>,
    ) {
        self.statements.change(name, sequence, value.map(Arc::new));
        changes.push(Change::Statement(name.into()));
    }

    fn forget_statements(&mut self, sequence: Sequence, changes: &mut Vec<Change>) {
        // The unnamed one stays: DEALLOCATE ALL drops the named ones only (`DropAllPreparedStatements`).
        let names = self.statements.forget(sequence, |name| !name.is_empty());
        changes.extend(names.into_iter().map(Change::Statement));
    }

    fn forget_portals(&mut self, sequence: Sequence, changes: &mut Vec<Change>) {
        let names = self.portals.forget(sequence, |_| true);
        changes.extend(names.into_iter().map(Change::Portal));
    }

    /// The server has accepted, refused or skipped what an entry of the ledger stands for.
    pub fn decide_entry(&mut self, entry: &Entry<Work>, accepted: bool) {
        let sequence = entry.sequence;
        let (statement, portal) = match &entry.payload {
            Work::Parse { name, .. } | Work::Anew { name } => (Some(name), None),
            Work::Bind { portal, run: None, .. } => (None, Some(portal)),
            Work::Close { statement, portal } => (statement.as_ref(), portal.as_ref()),
            Work::Execute(run) => return self.decide(&run.changes, run.sequence, accepted),
            Work::Query(query) => {
                return query.runs().for_each(|run| self.decide(&run.changes, run.sequence, accepted));
            }
            Work::Bind { .. }
            | Work::Describe { .. }
            | Work::Sync
            | Work::Probe
            | Work::Ahead
            | Work::CopyShape { .. }
            | Work::Nothing => return,
        };
        if let Some(name) = statement {
            self.statements.decide(name, sequence, accepted);
        }
        if let Some(name) = portal {
            self.portals.decide(name, sequence, accepted);
        }
    }

    /// The server has decided on the changes of a statement.
    pub fn decide(&mut self, changes: &[Change], sequence: Sequence, accepted: bool) {
        for change in changes {
            match change {
                Change::Statement(name) => self.statements.decide(name, sequence, accepted),
                Change::Portal(name) => self.portals.decide(name, sequence, accepted),
            }
        }
    }
}

/// A refusal whose position lies in another text than the one at hand.
pub fn elsewhere(refusal: Refusal) -> Refusal {
    Refusal { position: None, ..refusal }
}

/// What EXECUTE and FETCH may run: statements whose analysis says all there is to say. (A Parse
/// message can prepare anything, `EXECUTE other` or `ROLLBACK` too.)
fn is_followed(prepared: &Prepared, analysed: &Analysed) -> bool {
    analysed.statements().get(prepared.index).is_some_and(|statement| match statement.class {
        Class::Select | Class::Insert | Class::Update | Class::Delete | Class::Merge => true,
        // `PREPARE x AS …` and `DECLARE x CURSOR FOR …` allow nothing else than those.
        Class::Prepare | Class::DeclareCursor => prepared.origin == Origin::Sql,
        _ => false,
    })
}

fn not_followed(by: &str, name: &str) -> Refusal {
    refuse::refusal(
        Reason::Unresolved,
        "0A000",
        format!("{by} cannot run the statement that \"{name}\" stands for through pgwarrant"),
        Some("Only queries and writes can be run by name.".to_owned()),
        Some("Send the statement itself."),
    )
}

fn unresolved() -> Refusal {
    refuse::refusal(
        Reason::Unresolved,
        "42501",
        "cannot tell what the names in this statement will mean",
        Some(
            "The transaction has failed after it changed search_path, the role or temporary tables."
                .to_owned(),
        ),
        Some("Send ROLLBACK in a message of its own."),
    )
}

fn renamed(name: &str) -> Refusal {
    refuse::refusal(
        Reason::Unresolved,
        "42501",
        format!("cannot tell what the names in prepared statement \"{name}\" will mean"),
        Some(
            "An earlier statement of the message may change search_path, the role or temporary tables."
                .to_owned(),
        ),
        Some("Send the EXECUTE in a message of its own."),
    )
}

fn out_of_date() -> Refusal {
    refuse::refusal(
        Reason::Unresolved,
        "57P03",
        "what is protected is not known at the moment",
        Some("The proxy has not been able to read the schema for too long.".to_owned()),
        Some("Try again; if it goes on, tell whoever runs the proxy."),
    )
}

fn console_by_name(name: &str) -> Refusal {
    refuse::refusal(
        Reason::Console,
        "0A000",
        format!("prepared statement \"{name}\" uses the schema pgwarrant and cannot be run by EXECUTE"),
        None,
        Some("Bind and execute it with the protocol, or send its text."),
    )
}
