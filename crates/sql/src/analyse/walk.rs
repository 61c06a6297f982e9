//! The walk over one statement's tree: what it has met, and what it makes of it.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use pgwarrant_catalog::{ColumnId, FunctionSafety, Relation};
use sqlparser::ast::Ident;

use super::account::{Account, Role};
use super::cover::{Cover, Shown};
use super::names::State;
use super::normalise::Facts;
use super::parse::token_of;
use super::source::Source;
use super::{refuse, view};
use crate::screen::{Finding, Risk};
use crate::{Context, Effect, Piece, Refusal, Splice, Touched};

/// A reference to a relation with protected columns.
pub(crate) struct Entry {
    pub relation: Arc<Relation>,
    pub cover: Cover,
    /// The tokens that name it, with ONLY and parentheses or a star around them.
    pub tokens: Range<usize>,
    /// What its columns are qualified by.
    pub alias: String,
    pub has_alias: bool,
    /// New names for its first columns (`customers c(a, b)`).
    pub renamed: Vec<String>,
    pub only: bool,
    pub sample: Option<Range<usize>>,
    /// The target of a write: left as it is, its every column granted.
    pub raw: bool,
    /// Columns that the statement names, as indexes.
    pub used: BTreeSet<usize>,
    /// Those of them that a grouped query names outside of aggregates.
    pub grouped: BTreeSet<usize>,
    pub system: BTreeSet<&'static str>,
    /// Its rows are named as values (`row_to_json(c)`).
    pub as_row: bool,
}

impl Entry {
    /// The column that goes by this name here.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        let renamed = self.renamed.iter().position(|column| column == name);
        renamed.or_else(|| {
            let index = self.relation.columns.iter().position(|column| column.name == name)?;
            (index >= self.renamed.len()).then_some(index)
        })
    }

    /// What a column goes by here.
    pub(crate) fn column_name(&self, index: usize) -> Option<&str> {
        let renamed = self.renamed.get(index).map(String::as_str);
        renamed.or_else(|| self.relation.columns.get(index).map(|column| column.name.as_str()))
    }
}

/// One item of a FROM clause, or something else that columns are qualified by.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub alias: Option<String>,
    /// The relation's schema, where no alias hides its name.
    pub schema: Option<String>,
    pub what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    /// Index of an [`Entry`].
    Entry(usize),
    /// Nothing protected: an unprotected relation, a sub-select, a function, a CTE.
    Other,
    /// A relation or function of the schema `pgwarrant`.
    Console,
    /// A join with an alias of its own.
    Join(Vec<Item>),
}

impl What {
    /// The entries in it.
    pub(crate) fn entries(&self, to: &mut Vec<usize>) {
        match self {
            Self::Entry(entry) => to.push(*entry),
            Self::Other | Self::Console => {}
            Self::Join(items) => items.iter().for_each(|item| item.what.entries(to)),
        }
    }
}

/// A star in a select list.
pub(crate) struct Star {
    /// With its qualifier.
    pub tokens: Range<usize>,
    /// The item it is of; None: all of FROM.
    pub item: Option<usize>,
}

/// A query block while the walk is in it: SELECT, or a write with its target.
#[derive(Default)]
pub(crate) struct Block {
    pub items: Vec<Item>,
    /// A sub-select without LATERAL in its FROM clause does not see it.
    pub hidden: bool,
    /// Are we in the parts that are computed after grouping?
    pub output: bool,
    /// Depth of calls of aggregates.
    pub aggregates: usize,
    /// USING or NATURAL merges columns.
    pub merges: bool,
    pub stars: Vec<Star>,
    /// GROUP BY with a whole primary key: where to put more columns.
    pub group_by: Option<super::group_by::Grouping>,
}

/// What surrounds the statement, as far as it decides what is allowed in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Plain,
    /// EXPLAIN, PREPARE, DECLARE, COPY, CREATE TABLE AS, CALL: no console function may act.
    Inner,
}

pub(crate) struct Walk<'a> {
    pub source: &'a Source<'a>,
    pub context: &'a Context<'a>,
    pub state: &'a State,
    pub facts: Facts,
    pub account: Account,
    pub splices: Vec<Splice>,
    pub entries: Vec<Entry>,
    pub blocks: Vec<Block>,
    /// Names of CTEs, by the WITH clauses that are in scope.
    pub ctes: Vec<Vec<String>>,
    pub touched: Touched,
    pub effects: Vec<Effect>,
    pub literals_decide: bool,
    /// What the statement reads goes to a place that outlives it.
    pub stores: bool,
    pub frame: Frame,
    /// A console function acts in it.
    pub acts: bool,
    /// Queries that we are inside of.
    pub depth: usize,
}

pub(crate) type Walked = Result<(), Refusal>;

impl<'a> Walk<'a> {
    pub(crate) fn new(
        source: &'a Source<'a>,
        context: &'a Context<'a>,
        state: &'a State,
        frame: Frame,
        facts: Facts,
    ) -> Self {
        let mut account = Account::new(source.range.clone());
        for (token, role) in &facts.roles {
            account.set(*token, *role);
        }
        Self {
            source,
            context,
            state,
            facts,
            account,
            splices: Vec::new(),
            entries: Vec::new(),
            blocks: Vec::new(),
            ctes: Vec::new(),
            touched: Touched::default(),
            effects: Vec::new(),
            literals_decide: false,
            stores: false,
            frame,
            acts: false,
            depth: 0,
        }
    }

    /// Takes note of a reference; its index.
    pub(crate) fn enter(&mut self, entry: Entry) -> Result<usize, Refusal> {
        if self.entries.len() >= REFERENCES {
            let byte = self.source.byte(entry.tokens.start);
            return Err(super::too_large("statement has too many references to protected relations").at(byte));
        }
        self.entries.push(entry);
        Ok(self.entries.len() - 1)
    }

    /// The token of a name in the tree.
    pub(crate) fn token(&self, ident: &Ident) -> Result<usize, Refusal> {
        token_of(ident).filter(|token| self.source.range.contains(token)).ok_or_else(|| {
            refuse::unsupported("a form of this statement", self.source.byte(self.source.range.start))
        })
    }

    pub(crate) fn role(&mut self, ident: &Ident, role: Role) -> Walked {
        let token = self.token(ident)?;
        self.account.set(token, role);
        Ok(())
    }

    pub(crate) fn byte(&self, ident: &Ident) -> usize {
        token_of(ident).map_or(0, |token| self.source.byte(token))
    }

    /// A refusal of a form at the start of the statement or at a name.
    pub(crate) fn unsupported(&self, what: &str, at: Option<&Ident>) -> Refusal {
        let token = at.and_then(token_of).unwrap_or(self.source.range.start);
        refuse::unsupported(what, self.source.byte(token))
    }

    pub(crate) fn splice(&mut self, tokens: Range<usize>, text: impl Into<String>) {
        let text = text.into();
        let with = if text.is_empty() { Vec::new() } else { vec![Piece::Text(text)] };
        self.splices.push(Splice { tokens, with });
    }

    /// Ends the walk: what it met becomes splices, and every risky token must have been met.
    pub(crate) fn finish(mut self, findings: &[Finding]) -> Result<Finished, Refusal> {
        for finding in findings {
            judge(self.source, self.context, self.account.role(finding.token), *finding)?;
        }
        for entry in std::mem::take(&mut self.entries) {
            self.settle(&entry)?;
        }
        self.splices.sort_by_key(|splice| (splice.tokens.start, splice.tokens.end));
        let overlap = self.splices.windows(2).any(|pair| match pair {
            [first, second] => first.tokens.end > second.tokens.start,
            _ => false,
        });
        if overlap {
            return Err(self.unsupported("this combination of clauses", None));
        }
        let bytes: usize = self.splices.iter().flat_map(|splice| &splice.with).map(piece_bytes).sum();
        if bytes > SPLICED_BYTES {
            return Err(super::too_large("statement has too many references to protected relations"));
        }
        self.touched.relations.sort_unstable();
        self.touched.relations.dedup();
        for columns in [&mut self.touched.masked, &mut self.touched.raw] {
            columns.sort_unstable();
            columns.dedup();
        }
        // Raw in one place is more than masked in another.
        let Touched { masked, raw, .. } = &mut self.touched;
        masked.retain(|column| raw.binary_search(column).is_err());
        self.touched.grants.sort_unstable();
        self.touched.grants.dedup();
        Ok(Finished {
            splices: self.splices,
            touched: self.touched,
            effects: self.effects,
            literals_decide: self.literals_decide,
        })
    }

    /// Notes what a reference showed, and whether it may go where it goes.
    fn settle(&mut self, entry: &Entry) -> Walked {
        if !entry.relation.is_protected() {
            return Ok(());
        }
        self.touched.relations.push(entry.relation.oid);
        self.touched.grants.extend(&entry.cover.only_by);
        let mut kept = Vec::new();
        for (index, (column, cover)) in entry.relation.columns.iter().zip(&entry.cover.columns).enumerate() {
            if column.protection.is_none() || !(entry.used.contains(&index) || entry.raw) {
                continue;
            }
            let id = ColumnId { relation: entry.relation.oid, attnum: column.attnum };
            match &cover.shown {
                Shown::Open => {}
                Shown::Masked | Shown::Blocked => self.touched.masked.push(id),
                Shown::Rows(_) | Shown::Raw => {
                    self.touched.raw.push(id);
                    self.touched.grants.extend(&cover.grants);
                    if cover.shown == Shown::Raw {
                        self.touched.plain.insert(id);
                    }
                    if !cover.export {
                        kept.push(column);
                    }
                }
            }
        }
        if self.stores && !entry.raw && !kept.is_empty() {
            let byte = self.source.byte(entry.tokens.start);
            return Err(refuse::not_exported(&entry.relation, &kept).at(byte));
        }
        Ok(())
    }

    /// Makes a reference's privacy view, once everything that the statement asks of it is known.
    pub(crate) fn replace(&mut self, index: usize) -> Walked {
        let Some(entry) = self.entries.get(index) else { return Ok(()) };
        if entry.raw || !entry.relation.is_protected() {
            return Ok(());
        }
        let reference = view::Reference {
            only: entry.only,
            sample: entry.sample.clone(),
            system: entry.system.iter().copied().collect(),
        };
        let mut with = view::pieces(&entry.relation, &entry.cover, &self.state.session.role, &reference);
        if !entry.has_alias {
            with.push(Piece::Text(format!(" AS {}", super::text::name(&entry.alias))));
        }
        let command =
            entry.tokens.start.checked_sub(1).filter(|before| self.facts.table_commands.contains(before));
        let (tokens, sample) = (entry.tokens.clone(), entry.sample.clone());
        if let Some(command) = command {
            self.splice(command..command + 1, "SELECT * FROM");
        }
        self.splices.push(Splice { tokens, with });
        if let Some(sample) = sample {
            self.splices.push(Splice { tokens: sample, with: Vec::new() });
        }
        Ok(())
    }
}

/// The accounting rule.
pub(crate) fn judge(
    source: &Source<'_>,
    context: &Context<'_>,
    role: Option<Role>,
    finding: Finding,
) -> Walked {
    let byte = source.byte(finding.token);
    let name = source.name(finding.token).unwrap_or_default();
    match finding.risk {
        Risk::Relation => {
            // A relation stands here in PostgreSQL's grammar, whatever the parser made of it.
            let before = finding.token.checked_sub(1);
            let follows = |keywords: &[&str]| before.is_some_and(|before| source.one_of(before, keywords));
            let compared = before
                .and_then(|before| before.checked_sub(1))
                .is_some_and(|before| source.keyword(before, "distinct"));
            let must_be_one = follows(&["from", "join", "only"]) && !compared;
            match role {
                None => Err(refuse::unaccounted(&name, byte)),
                Some(
                    Role::Relation | Role::Cte | Role::Schema | Role::Function | Role::Console | Role::Cursor,
                ) => Ok(()),
                Some(_) if must_be_one => Err(refuse::unaccounted(&name, byte)),
                Some(_) => Ok(()),
            }
        }
        Risk::UnsafeFunction => match role {
            // Judged where it was called.
            Some(Role::Function) => Ok(()),
            Some(role)
                if role != Role::Field && !(role == Role::Column && source.punct(finding.token + 1, "(")) =>
            {
                Ok(())
            }
            _ => {
                let culprit = match context.catalogue.function(&name) {
                    FunctionSafety::Unsafe { culprit, .. } => culprit,
                    FunctionSafety::Safe | FunctionSafety::Unknown => String::new(),
                };
                Err(refuse::unsafe_call(&format!("function {name}"), &culprit, byte))
            }
        },
        Risk::UnknownFunction => match role {
            None | Some(Role::Column) => Err(refuse::unknown_function(&name, byte)),
            Some(_) => Ok(()),
        },
        Risk::Type => match role {
            None | Some(Role::Type) => Err(unsafe_type(context, &name, byte)),
            Some(_) => Ok(()),
        },
        Risk::Operator => Err(unsafe_operator(context, source.raw(finding.token), byte)),
        Risk::Console => match role {
            None => Err(refuse::console(
                "schema \"pgwarrant\" cannot be used here",
                "Use its relations in FROM, and its functions in FROM or in a select list.",
                byte,
            )),
            Some(_) => Ok(()),
        },
        Risk::Setting => match role {
            None | Some(Role::Field) => {
                Err(refuse::setting(&name, "The parameter's name must be a literal in a plain call.", byte))
            }
            Some(_) => Ok(()),
        },
        Risk::Toast => match role {
            Some(Role::Column | Role::Alias | Role::Cte) => Ok(()),
            _ => Err(toast(&name, byte)),
        },
    }
}

/// References to protected relations in one statement: each name is looked up in all of them.
const REFERENCES: usize = 1_000;

/// What all replacements in one statement may add.
const SPLICED_BYTES: usize = 8 << 20;

fn piece_bytes(piece: &Piece) -> usize {
    match piece {
        Piece::Text(text) => text.len(),
        Piece::Tokens(_) | Piece::Console(_) => 0,
    }
}

/// What a walk came to.
#[derive(Debug, Default)]
pub(crate) struct Finished {
    pub splices: Vec<Splice>,
    pub touched: Touched,
    pub effects: Vec<Effect>,
    pub literals_decide: bool,
}

pub(crate) fn unsafe_type(context: &Context<'_>, name: &str, byte: usize) -> Refusal {
    let culprit = context.catalogue.unsafe_types.get(name).map_or("", String::as_str);
    refuse::unsafe_call(&format!("type {name}"), culprit, byte)
}

pub(crate) fn unsafe_operator(context: &Context<'_>, written: &str, byte: usize) -> Refusal {
    let operators = &context.catalogue.unsafe_operators;
    let hidden = written.to_ascii_lowercase();
    let operator = if written == "!=" { "<>" } else { written };
    let (operator, culprit) = std::iter::once(operator)
        .chain(crate::screen::hidden_operators(&hidden).iter().copied())
        .find_map(|operator| operators.get_key_value(operator))
        .map_or((written, ""), |(operator, culprit)| (operator.as_str(), culprit.as_str()));
    refuse::unsafe_call(&format!("operator {operator}"), culprit, byte)
}

pub(crate) fn toast(name: &str, byte: usize) -> Refusal {
    Refusal::new(crate::Reason::UnsafeRelation, format!("permission denied for relation {name}"))
        .detail("A TOAST table holds pieces of any column of its table.")
        .hint("Read the table itself.")
        .at(byte)
}
