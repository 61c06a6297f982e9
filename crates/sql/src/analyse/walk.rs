//! The walk over one statement's tree: what it has met, and what it makes of it.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use pgwarrant_catalog::{ColumnId, Relation};
use sqlparser::ast::Ident;

use super::account::{Account, Role};
use super::cover::{Cover, Shown};
use super::judge::judge;
use super::names::State;
use super::normalise::Facts;
use super::parse::token_of;
use super::probe::Probes;
use super::rows::Reference;
use super::source::Source;
use super::{refuse, view};
use crate::screen::Finding;
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
    /// In a NATURAL JOIN.
    pub natural: bool,
    /// Its row is named as a value outside of aggregates.
    pub row_grouped: bool,
    /// Its primary key is grouped by.
    pub regrouped: bool,
    pub references: Vec<Reference>,
    /// The target of a write: not it is replaced, but each reference to a column of it.
    pub target: bool,
    /// Columns whose values go where they outlive the statement, if it stores any.
    pub stored: BTreeSet<usize>,
}

impl Entry {
    /// A reference that the statement has asked nothing of yet.
    pub(crate) fn new(relation: Arc<Relation>, cover: Cover, tokens: Range<usize>, alias: String) -> Self {
        Self {
            relation,
            cover,
            tokens,
            alias,
            has_alias: false,
            renamed: Vec::new(),
            only: false,
            sample: None,
            raw: false,
            used: BTreeSet::new(),
            grouped: BTreeSet::new(),
            system: BTreeSet::new(),
            as_row: false,
            natural: false,
            row_grouped: false,
            regrouped: false,
            references: Vec::new(),
            target: false,
            stored: BTreeSet::new(),
        }
    }

    /// The column that goes by this name here.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        let renamed = self.renamed.iter().position(|column| column == name);
        renamed.or_else(|| {
            let index = self.relation.columns.iter().position(|column| column.name == name)?;
            (index >= self.renamed.len()).then_some(index)
        })
    }

    /// May the role not read this column, so that its privacy view has to do without?
    pub(crate) fn is_unreadable(&self, index: usize, role: &str) -> bool {
        let unreadable = self.relation.unreadable.get(role);
        let column = self.relation.columns.get(index);
        unreadable.zip(column).is_some_and(|(attnums, column)| attnums.contains(&column.attnum))
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
    /// Items before this one are out of sight: a join's ON sees what it joins.
    pub from: usize,
    /// ON CONFLICT DO UPDATE, where PostgreSQL finds a name without a point both in the target and in
    /// `excluded`.
    pub conflict: bool,
    /// `old` and `new` in RETURNING (PostgreSQL 18), by qualifier only.
    pub versions: Vec<Item>,
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
    pub state: &'a State<'a>,
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
    /// It is a dump's, in which blocked columns are blank.
    pub dumps: bool,
    pub frame: Frame,
    /// A console function acts in it.
    pub acts: bool,
    /// Queries that we are inside of.
    pub depth: usize,
    /// In a clause that decides over rows and whose values are stored nowhere.
    pub filters: bool,
    /// Before the first write, what [`Walk::stores`] was.
    pub kept: Option<bool>,
    /// Words in the statement that begin a write which may store what another one returns.
    pub storing_words: usize,
    /// In the value for a column of a write's target.
    pub assigning: Option<super::target::Assigning>,
    /// The token of the reference that gives an item of a select list its name.
    pub naming: Option<usize>,
    /// Masked columns that are compared with something.
    pub probes: Probes,
    /// Tokens of arguments that, if they are rows, need the type of their relation's.
    pub typed_rows: BTreeSet<usize>,
}

pub(crate) type Walked = Result<(), Refusal>;

impl<'a> Walk<'a> {
    pub(crate) fn new(
        source: &'a Source<'a>,
        context: &'a Context<'a>,
        state: &'a State<'a>,
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
            dumps: false,
            frame,
            acts: false,
            depth: 0,
            filters: false,
            kept: None,
            storing_words: storing_words(source),
            assigning: None,
            naming: None,
            probes: Probes::default(),
            typed_rows: BTreeSet::new(),
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
        for columns in [&mut self.touched.masked, &mut self.touched.raw, &mut self.touched.written] {
            columns.sort_unstable();
            columns.dedup();
        }
        // Raw in one place is more than masked in another.
        let Touched { masked, raw, .. } = &mut self.touched;
        masked.retain(|column| raw.binary_search(column).is_err());
        self.touched.grants.sort_unstable();
        self.touched.grants.dedup();
        let probed = self.probes.finish(self.source);
        self.touched.probed = probed.columns;
        self.touched.probe_tokens = probed.tokens;
        self.touched.probe_values = probed.values;
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
            let whole = entry.raw && !entry.target;
            if column.protection.is_none() || !(entry.used.contains(&index) || whole) {
                continue;
            }
            let id = ColumnId { relation: entry.relation.oid, attnum: column.attnum };
            match &cover.shown {
                Shown::Open => {}
                Shown::Masked | Shown::Blocked | Shown::Blank => self.touched.masked.push(id),
                Shown::Rows(_) | Shown::Raw => {
                    self.touched.raw.push(id);
                    self.touched.grants.extend(&cover.grants);
                    if cover.shown == Shown::Raw {
                        self.touched.plain.insert(id);
                    }
                    if !cover.export && entry.stored.contains(&index) {
                        kept.push(column);
                    }
                }
            }
        }
        if self.stores && !kept.is_empty() {
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
            natural: entry.natural,
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

/// How many of the tokens are words that begin a write which stores: at least as many as there are.
fn storing_words(source: &Source<'_>) -> usize {
    let writes = source.range.clone().filter(|token| {
        let follows = |word| token.checked_sub(1).is_some_and(|before| source.keyword(before, word));
        source.one_of(*token, &["insert", "merge"])
            || source.keyword(*token, "update") && !follows("for") && !follows("key") && !follows("do")
    });
    writes.count()
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
