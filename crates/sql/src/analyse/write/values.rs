//! Values for protected columns: none of them may be the mask of what is there.

use std::ops::Range;

use pgwarrant_catalog::{Column, Relation};
use pgwarrant_masking::{BaseType, SqlType};

use super::permit::Confines;
use crate::analyse::cover::Shown;
use crate::analyse::source::Source;
use crate::analyse::target::any;
use crate::analyse::walk::{Walk, Walked};
use crate::analyse::{refuse, text};
use crate::{Piece, Refusal, Splice, TokenKind, runtime};

/// What the value is called in the sub-select around it.
const VALUE: &str = "pgwarrant_value";

/// The column of the value itself in it.
const OWN: &str = "pgwarrant_own";

impl Walk<'_> {
    /// Guards a value for a protected column of the target against being the mask of the row's own.
    /// The value is computed once; its type is what it was.
    pub(crate) fn guard_value(
        &mut self,
        entry: usize,
        index: usize,
        value: Range<usize>,
        row: &str,
    ) -> Walked {
        let constant = |word| value.len() == 1 && self.source.keyword(value.start, word);
        if constant("default") || constant("null") {
            return Ok(());
        }
        let Some(guarded) = self.guarded(entry, index, OWN, row) else { return Ok(()) };
        let Some(column) = self.entries.get(entry).and_then(|held| held.relation.columns.get(index)) else {
            return Ok(());
        };
        let (before, after) = around(self.source, &value, &column.column_type);
        self.splice(value.start..value.start, format!("(SELECT {guarded} FROM (SELECT {before}"));
        self.splice(value.end..value.end, format!("{after} AS {OWN}) AS {VALUE})"));
        Ok(())
    }

    /// The same for `(a, b) = (SELECT …)`, whose parentheses these tokens are.
    pub(crate) fn guard_query(
        &mut self,
        entry: usize,
        indexes: &[usize],
        query: Range<usize>,
        row: &str,
    ) -> Walked {
        let names: Vec<String> = (0..indexes.len()).map(|place| format!("{OWN}_{place}")).collect();
        let guarded: Vec<Option<String>> =
            indexes.iter().zip(&names).map(|(index, name)| self.guarded(entry, *index, name, row)).collect();
        if guarded.iter().all(Option::is_none) {
            return Ok(());
        }
        let list: Vec<String> = guarded
            .into_iter()
            .zip(&names)
            .map(|(guarded, name)| guarded.unwrap_or_else(|| format!("{VALUE}.{name}")))
            .collect();
        self.splice(query.start..query.start, format!("(SELECT {} FROM ", list.join(", ")));
        self.splice(query.end..query.end, format!(" AS {VALUE}({}))", names.join(", ")));
        Ok(())
    }

    /// The value of this name for a protected column, unless it is a mask; None: it needs no guard.
    fn guarded(&self, entry: usize, index: usize, name: &str, row: &str) -> Option<String> {
        let held = self.entries.get(entry)?;
        let (column, cover) = held.relation.columns.get(index).zip(held.cover.columns.get(index))?;
        // NULL equals nothing.
        let protection = column.protection.as_ref().filter(|protection| protection.method != "null")?;
        let of = &column.column_type;
        let current = format!("{row}.{}", text::name(&column.name));
        let as_text = |value: &str| format!("CAST({value} AS pg_catalog.text)");
        let new =
            format!("({} COLLATE pg_catalog.\"C\")", as_text(&format!("CAST({VALUE}.{name} AS {})", of.sql)));
        let equals = |other: &str| format!("({new} OPERATOR(pg_catalog.=) {})", as_text(other));
        // Who sees the value may write what they see, and a mask that says nothing may be meant.
        let telling = of.base == BaseType::Text && !of.array;
        let unless = match &cover.shown {
            Shown::Raw if telling => format!("WHEN {} THEN false ", equals(&current)),
            Shown::Rows(rows) if telling => format!(
                "WHEN CASE WHEN {} THEN {} ELSE false END THEN false ",
                any(rows, row),
                equals(&current)
            ),
            Shown::Rows(rows) => format!("WHEN {} THEN false ", any(rows, row)),
            Shown::Raw => return None,
            Shown::Open | Shown::Masked | Shown::Blocked | Shown::Blank => String::new(),
        };
        let fails = runtime::fails(runtime::MASKED, &refuse::column_name(&held.relation, column));
        let mask = equals(&protection.mask.render(&current));
        Some(format!(
            "CASE WHEN CASE {unless}WHEN {mask} THEN {fails} ELSE false END THEN NULL ELSE {VALUE}.{name} END"
        ))
    }

    /// Guards a new row: it must be one that the grants cover. `values` are those for `columns`.
    pub(crate) fn guard_row(
        &mut self,
        relation: &Relation,
        confines: &Confines,
        columns: &[usize],
        values: &[Range<usize>],
    ) -> Walked {
        let Some(condition) = confines.condition(VALUE) else { return Ok(()) };
        let deciding: Vec<&Column> =
            confines.columns().into_iter().filter_map(|attnum| relation.by_attnum(attnum)).collect();
        let byte = self.source.byte(values.first().map_or(self.source.range.start, |value| value.start));
        let refused = || refuse::not_provable(relation, &deciding, byte);
        let value_of = |column: &Column| {
            let listed = columns.iter().zip(values);
            let mut named = listed.filter(|(index, _)| {
                relation.columns.get(**index).is_some_and(|other| other.attnum == column.attnum)
            });
            named.next().map(|(_, value)| value.clone())
        };
        let default = |value: &Range<usize>| value.len() == 1 && self.source.keyword(value.start, "default");
        let guarded = columns.iter().zip(values).find_map(|(index, value)| {
            let column = relation.columns.get(*index)?;
            (column.protection.is_some() && !default(value)).then(|| (column, value.clone()))
        });
        // Every protected column gets its default.
        let Some((guarded, value)) = guarded else { return Ok(()) };
        let (before, after) = around(self.source, &value, &guarded.column_type);
        let fails = runtime::fails(runtime::OUTSIDE, &refuse::relation_name(relation));
        let mut end = vec![Piece::Text(format!("{after} AS {OWN}"))];
        for column in &deciding {
            let value = value_of(column).filter(|value| is_plain(self.source, value)).ok_or_else(refused)?;
            end.push(Piece::Text(", CAST(".to_owned()));
            end.push(Piece::Tokens(value));
            end.push(Piece::Text(format!(" AS {}) AS {}", column.column_type.sql, text::name(&column.name))));
        }
        end.push(Piece::Text(format!(") AS {VALUE})")));
        self.splice(
            value.start..value.start,
            format!(
                "(SELECT CASE WHEN CASE WHEN {condition} THEN false ELSE {fails} END THEN NULL \
                 ELSE {VALUE}.{OWN} END FROM (SELECT {before}"
            ),
        );
        self.splices.push(Splice { tokens: value.end..value.end, with: end });
        Ok(())
    }

    /// The tokens as they will be, with all replacements inside of them.
    pub(crate) fn pieces_of(&self, range: Range<usize>) -> Result<Vec<Piece>, Refusal> {
        let mut inside: Vec<&Splice> = self
            .splices
            .iter()
            .filter(|splice| range.start <= splice.tokens.start && splice.tokens.end <= range.end)
            .collect();
        inside.sort_by_key(|splice| (splice.tokens.start, splice.tokens.end));
        let mut pieces = Vec::new();
        let mut next = range.start;
        for splice in inside {
            if splice.tokens.start < next {
                return Err(self.unsupported("this combination of clauses", None));
            }
            if next < splice.tokens.start {
                pieces.push(Piece::Tokens(next..splice.tokens.start));
            }
            pieces.extend(splice.with.iter().cloned());
            next = splice.tokens.end;
        }
        if next < range.end {
            pieces.push(Piece::Tokens(next..range.end));
        }
        Ok(pieces)
    }
}

/// What gives a value the type that the column would have given it: constants and parameters have
/// none of their own, and rows need one.
fn around(source: &Source<'_>, value: &Range<usize>, of: &SqlType) -> (&'static str, String) {
    let (mut first, mut last) = (value.start, value.end);
    while first + 2 < last && source.punct(first, "(") && source.closing(first) == Some(last - 1) {
        first += 1;
        last -= 1;
    }
    let untyped = last == first + 1
        && source.token(first).is_some_and(|token| {
            token.kind == TokenKind::Parameter || token.kind.is_string() || source.keyword(first, "null")
        });
    let row = source.keyword(first, "row") && source.punct(first + 1, "(")
        || source.punct(value.start, "(")
            && source.closing(value.start) == Some(value.end - 1)
            && super::clauses::list(source, value.start).is_some_and(|parts| parts.len() > 1);
    if untyped {
        ("CAST(", format!(" AS {})", unmodified(of)))
    } else if row {
        ("CAST(", format!(" AS {})", of.sql))
    } else {
        ("", String::new())
    }
}

/// A constant, a parameter, or the name of a column of something that is no target.
fn is_plain(source: &Source<'_>, value: &Range<usize>) -> bool {
    let constant = |index: usize| {
        source.token(index).is_some_and(|token| {
            token.kind.is_literal()
                || token.kind == TokenKind::Parameter
                || source.one_of(index, &["null", "true", "false"])
        })
    };
    match value.len() {
        1 => {
            constant(value.start)
                || source.plain_name(value.start).is_some() && !source.keyword(value.start, "default")
        }
        2 => source.operator(value.start, "-") && constant(value.start + 1),
        3 => {
            source.plain_name(value.start).is_some()
                && source.punct(value.start + 1, ".")
                && source.name(value.start + 2).is_some()
        }
        _ => false,
    }
}

/// The type without its modifier, so that PostgreSQL, not a cast, says what is too long for it.
fn unmodified(of: &SqlType) -> String {
    if of.domain || of.typmod < 0 {
        return of.sql.clone();
    }
    let brackets = if of.array { "[]" } else { "" };
    let built_in = match of.base_oid {
        1042 => "bpchar",
        1043 => "\"varchar\"",
        1083 => "\"time\"",
        1114 => "\"timestamp\"",
        1184 => "timestamptz",
        1186 => "\"interval\"",
        1266 => "timetz",
        1560 => "\"bit\"",
        1562 => "varbit",
        1700 => "\"numeric\"",
        _ => {
            let name = of.sql.strip_suffix("[]").unwrap_or(&of.sql);
            let name = name.split_once('(').map_or(name, |(name, _)| name);
            return format!("{name}{brackets}");
        }
    };
    format!("pg_catalog.{built_in}{brackets}")
}
