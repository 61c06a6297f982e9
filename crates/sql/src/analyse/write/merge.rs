//! MERGE.

use std::collections::BTreeSet;

use sqlparser::ast::{Merge, MergeAction, MergeClause, MergeClauseKind, MergeInsertKind, MergeUpdateKind};

use super::Target;
use super::clauses::{self, Clauses};
use super::insert::{Places, not_provable};
use super::permit::{self, Confines};
use crate::analyse::parse::index_of;
use crate::analyse::walk::{Block, Walk, Walked};
use crate::{Piece, Refusal, Splice};

impl Walk<'_> {
    pub(super) fn merge(&mut self, merge: &Merge) -> Walked {
        let Merge { merge_token: _, optimizer_hints, into: _, table, source, on, clauses, output } = merge;
        if !optimizer_hints.is_empty() {
            return Err(self.unsupported("such a MERGE", None));
        }
        let target = self.target_factor(table)?;
        self.storing();
        self.blocks.push(Block::default());
        self.from(&[sqlparser::ast::TableWithJoins { relation: source.clone(), joins: Vec::new() }])?;
        self.sees(&target);
        self.condition(on)?;
        for clause in clauses {
            self.merge_clause(&target, clause)?;
        }
        if let Some(block) = self.blocks.last_mut() {
            // What RETURNING * lists first.
            block.items.rotate_left(1);
        }
        self.output(&target, output.as_ref())?;
        self.close_block()
    }

    fn merge_clause(&mut self, target: &Target, clause: &MergeClause) -> Walked {
        let when = index_of(&clause.when_token.0)
            .filter(|token| self.source.range.contains(token))
            .ok_or_else(|| self.unsupported("such a MERGE", None))?;
        let clauses = Clauses::new(self.source, when);
        let then = clauses.keyword(when, &["then"]).ok_or_else(|| self.unsupported("such a MERGE", None))?;
        let unmatched =
            matches!(clause.clause_kind, MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget);
        if unmatched {
            self.target_in_sight(false);
        }
        clause.predicate.iter().try_for_each(|expr| self.condition(expr))?;
        let confines = match &clause.action {
            MergeAction::Insert(insert) => {
                insert.columns.iter().try_for_each(|column| self.target_column(column))?;
                let MergeInsertKind::Values(values) = &insert.kind else {
                    return Err(self.unsupported("such a MERGE", None));
                };
                let ([row], None) = (values.rows.as_slice(), &insert.insert_predicate) else {
                    return Err(self.unsupported("such a MERGE", None));
                };
                row.content.iter().try_for_each(|expr| self.expr(expr))?;
                let word = clauses
                    .keyword(then, &["values"])
                    .ok_or_else(|| self.unsupported("such a MERGE", None))?;
                self.merge_insert(target, &insert.columns, word + 1, row.content.len())?;
                Confines::default()
            }
            MergeAction::Update(update) => {
                if update.update_predicate.is_some() || update.delete_predicate.is_some() {
                    return Err(self.unsupported("such a MERGE", None));
                }
                let MergeUpdateKind::Set(assignments) = &update.kind else {
                    return Err(self.unsupported("such a MERGE", None));
                };
                let assigned = match &target.relation {
                    Some(relation) => self.assigned(relation, assignments),
                    None => BTreeSet::new(),
                };
                let confines = self.may_update(target, &assigned)?;
                self.note(&confines);
                self.assignments(target, assignments, &Clauses::new(self.source, then))?;
                confines
            }
            MergeAction::Delete { .. } => {
                let mut confines = match &target.relation {
                    Some(relation) => permit::delete(relation, "delete from", self.context, target.byte)?,
                    None => Confines::default(),
                };
                self.only_shown(target, &mut confines);
                self.note(&confines);
                confines
            }
            MergeAction::DoNothing { .. } => Confines::default(),
        };
        if unmatched {
            self.target_in_sight(true);
        }
        self.confine_clause(target, &confines, clause.predicate.is_some(), when, then)
    }

    /// Where nothing matched there is no row of the target.
    fn target_in_sight(&mut self, seen: bool) {
        if let Some(block) = self.blocks.last_mut() {
            block.from = usize::from(!seen);
        }
    }

    /// A row that the grants do not cover is left alone: it must not fall through to a later clause.
    fn confine_clause(
        &mut self,
        target: &Target,
        confines: &Confines,
        has_condition: bool,
        when: usize,
        then: usize,
    ) -> Walked {
        let Some(rows) = confines.condition(&target.row) else { return Ok(()) };
        // WHEN MATCHED, WHEN NOT MATCHED BY SOURCE
        let kind = if self.source.keyword(when + 1, "not") { when..when + 5 } else { when..when + 2 };
        let first = kind.end + 1;
        let has_and = self.source.keyword(kind.end, "and");
        if has_and != has_condition || has_and && first > then {
            return Err(self.unsupported("such a MERGE", None));
        }
        let mut others = vec![Piece::Tokens(kind.clone())];
        others.push(Piece::Text(format!(" AND ({rows}) IS NOT TRUE")));
        if has_and {
            others.push(Piece::Text(" AND (".to_owned()));
            others.extend(self.pieces_of(first..then)?);
            others.push(Piece::Text(")".to_owned()));
        }
        others.push(Piece::Text(" THEN DO NOTHING ".to_owned()));
        self.splices.push(Splice { tokens: when..when, with: others });
        if has_and {
            self.splice(first..first, format!("{rows} AND ("));
            self.splice(then..then, ") ");
        } else {
            self.splice(then..then, format!(" AND {rows} "));
        }
        Ok(())
    }

    fn merge_insert(
        &mut self,
        target: &Target,
        columns: &[sqlparser::ast::ObjectName],
        open: usize,
        width: usize,
    ) -> Result<(), Refusal> {
        let Some(relation) = target.relation.clone() else { return Ok(()) };
        let values = clauses::list(self.source, open)
            .filter(|values| values.len() == width)
            .ok_or_else(|| self.unsupported("such a MERGE", None))?;
        let expanded = values.iter().any(|value| clauses::expands(self.source, value));
        let places = match columns {
            [] if expanded => Places::all(0..relation.columns.len()),
            [] => Places::all((0..relation.columns.len()).take(width)),
            columns => Places::listed(&relation, columns),
        };
        let default =
            |value: &std::ops::Range<usize>| value.len() == 1 && self.source.keyword(value.start, "default");
        let given: BTreeSet<usize> = match expanded {
            true => places.0.iter().copied().flatten().collect(),
            false => {
                let given = places.0.iter().zip(&values).filter(|(_, value)| !default(value));
                given.filter_map(|(place, _)| *place).collect()
            }
        };
        let confines = self.may_insert_columns(&relation, &given, target.byte)?;
        match places.known().filter(|_| !expanded) {
            Some(places) => self.guard_row(&relation, &confines, &places, &values),
            None if confines.each.is_empty() => Ok(()),
            None => Err(not_provable(&relation, &confines, target.byte)),
        }
    }
}
