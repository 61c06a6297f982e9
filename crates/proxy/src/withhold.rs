//! Which of the server's errors and notices may quote protected values.
//!
//! What a statement reads goes through privacy views, so what it fails on is what the user may see
//! anyway. But what it writes fails on whole rows ("Failing row contains (…)", a trigger's RAISE),
//! at once or, for deferred constraints, when its transaction ends; and a view, a foreign table or
//! the constraint of a table further down a foreign key computes with raw values before any mask
//! is applied.

use pgwarrant_catalog::{Catalogue, ColumnId, Relation, RelationKind};
use pgwarrant_sql::{Access, Class, Rows, Token, Touched};
use pgwarrant_wire::backend::{Diagnostic, field};

use crate::cache::Analysed;
use crate::session::Session;
use crate::work::{Run, Work};

/// When a diagnostic came.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'r> {
    pub run: Option<&'r Run>,
    /// Deferred constraints and triggers may be running: those of earlier statements.
    pub deferred: bool,
}

impl Session {
    pub fn withholds(&self, moment: Moment<'_>, diagnostic: &Diagnostic<'_>) -> bool {
        if is_about_the_text(diagnostic) {
            return false;
        }
        let (catalogue, access) = (&*self.basis.catalogue, &*self.basis.access);
        moment.deferred && self.state.wrote_unseen()
            || moment.run.is_some_and(|run| may_quote(run, catalogue, access))
            || names_unseen(diagnostic, catalogue, access)
    }

    /// Does the statement write what the user may not see?
    pub fn writes_unseen(&self, run: &Run) -> bool {
        run.writes && self.touches_unseen(&run.touched)
    }

    /// Is there something protected among it that the user may not see?
    pub fn touches_unseen(&self, touched: &Touched) -> bool {
        touches_unseen(touched, &self.basis.catalogue, &self.basis.access, |_| true)
    }

    /// Does this error tell that a value exists which the user may not see?
    pub fn tells_existence(&self, error: &Diagnostic<'_>) -> bool {
        matches!(error.sqlstate(), "23505" | "23P01" | "23503")
            && names_unseen(error, &self.basis.catalogue, &self.basis.access)
    }

    /// May deferred constraints be checked at this point?
    pub fn is_deferred(&self, work: &Work) -> bool {
        match work {
            Work::Sync => true,
            Work::Execute(run) => ends_or_checks(run),
            Work::Query(query) => match &query.first {
                Some(run) => ends_or_checks(run) || query.rest.is_empty() && self.state.status == b'I',
                None => true,
            },
            _ => false,
        }
    }
}

/// COMMIT, SET CONSTRAINTS, …
fn ends_or_checks(run: &Run) -> bool {
    matches!(run.class(), Class::Transaction | Class::Set | Class::Call)
}

/// What the server found before it looked at any row, or that has nothing to do with one.
fn is_about_the_text(diagnostic: &Diagnostic<'_>) -> bool {
    if diagnostic.get(field::WHERE).is_some() || diagnostic.get(field::INTERNAL_QUERY).is_some() {
        return false;
    }
    // The executor knows no position.
    let class = diagnostic.sqlstate().get(..2).unwrap_or_default();
    diagnostic.position().is_some()
        || matches!(
            class,
            "08" | "0A"
                | "21"
                | "24"
                | "25"
                | "26"
                | "2D"
                | "34"
                | "3B"
                | "3D"
                | "3F"
                | "40"
                | "42"
                | "53"
                | "54"
                | "55"
                | "57"
        )
}

fn may_quote(run: &Run, catalogue: &Catalogue, access: &Access) -> bool {
    run.computes
        || names_computing(&run.analysed, run.index)
        || touches_unseen(&run.touched, catalogue, access, |relation| run.writes || computes(relation))
}

/// Does reading it compute with raw values, whatever is read?
fn computes(relation: &Relation) -> bool {
    matches!(relation.kind, RelationKind::View | RelationKind::ForeignTable)
}

/// Is there something protected among it, in a relation of which `which` is true, that the grants do
/// not show?
pub fn touches_unseen(
    touched: &Touched,
    catalogue: &Catalogue,
    access: &Access,
    which: impl Fn(&Relation) -> bool,
) -> bool {
    let relations = touched.relations.iter().filter_map(|oid| catalogue.relations.get(oid));
    relations.filter(|relation| which(relation)).any(|relation| !is_seen(relation, access))
}

/// Does the statement name a view that shows nothing protected and yet is in the catalogue, because
/// its condition computes with raw values?
pub fn names_computing(analysed: &Analysed, index: usize) -> bool {
    let (text, catalogue): (&str, _) = (&analysed.text, &analysed.basis().catalogue);
    let names = analysed.statement_tokens(index).iter().filter_map(|token| token.identifier(text));
    let named = names.filter_map(|name| catalogue.names.get(&*name)).flatten();
    named
        .filter_map(|oid| catalogue.relations.get(oid))
        .any(|relation| computes(relation) && !relation.is_protected())
}

/// Is it about a protected relation, whichever statement made the server look there?
fn names_unseen(diagnostic: &Diagnostic<'_>, catalogue: &Catalogue, access: &Access) -> bool {
    let Some((schema, table)) = diagnostic.get(field::SCHEMA).zip(diagnostic.get(field::TABLE)) else {
        return false;
    };
    catalogue.relation(schema, table).is_some_and(|relation| !is_seen(relation, access))
}

/// Do the grants show all of it?
fn is_seen(relation: &Relation, access: &Access) -> bool {
    let granted = |column: ColumnId| {
        let all_rows = access.scopes.iter().filter(|scope| scope.actions.select && scope.rows == Rows::All);
        all_rows.into_iter().any(|scope| scope.columns.contains(&column))
    };
    relation.columns.iter().all(|column| match &column.protection {
        Some(protection) => {
            let own = ColumnId { relation: relation.oid, attnum: column.attnum };
            !protection.built_in && granted(own) || protection.is_uncovered(granted)
        }
        None => true,
    })
}

/// Could the statement write anything? Told by its words: also WITH and EXPLAIN can.
pub fn writes(class: Class, text: &str, tokens: &[Token]) -> bool {
    match class {
        Class::Select | Class::Explain | Class::DeclareCursor | Class::CopyTo | Class::Prepare => {
            let is = |at: usize, word| tokens.get(at).is_some_and(|token| token.is_keyword(text, word));
            (0..tokens.len()).any(|at| {
                let locks = at > 0 && (is(at - 1, "for") || is(at - 1, "key"));
                is(at, "insert")
                    || is(at, "delete")
                    || is(at, "merge")
                    || is(at, "refresh")
                    || is(at, "update") && !locks
            })
        }
        // What FETCH and EXECUTE run is asked for itself.
        Class::Empty | Class::Fetch | Class::Execute | Class::Show => false,
        _ => true,
    }
}
