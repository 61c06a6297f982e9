//! Row predicates: a small checked grammar over the columns of one relation.
//!
//! `id = 42`, `region IN ('EU', 'UK') AND NOT closed`, `created_at >= '2026-01-01'`, `name IS NULL`:
//! comparisons of a column with a literal, IN lists, BETWEEN, IS [NOT] NULL, boolean columns, AND,
//! OR, NOT and parentheses. Never raw text: it is parsed, checked against the relation, and
//! rendered anew with qualified operators and casts.
//!
//! What an approver reads is what the database evaluates: literals are checked against the
//! column's type and brought into a form that means the same under every setting that the session
//! may choose (`DateStyle`, `TimeZone`, `lc_monetary`, `search_path`); a point in time without a
//! zone is UTC and shows as such. NULL behaves as in SQL: a comparison with a NULL column is not
//! true, and neither is its negation.

mod parse;
mod value;

use std::fmt::Write;

pub use parse::parse;

/// A checked row predicate. Equal predicates ask the same of the same columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predicate {
    condition: Condition,
    columns: Vec<i16>,
}

/// Why a text is no row predicate on a relation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PredicateError {
    pub message: String,
    pub hint: Option<String>,
    /// The byte of the predicate's text that the error is about, counted from 0.
    pub position: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    /// Two or more, none of them an `All`.
    All(Vec<Condition>),
    /// Two or more, none of them an `Any`.
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// A boolean column.
    Holds(Column),
    Compare(Column, Comparison, Value),
    In {
        column: Column,
        negated: bool,
        values: Vec<Value>,
    },
    Between {
        column: Column,
        negated: bool,
        low: Value,
        high: Value,
    },
    /// IS [NOT] NULL, TRUE, FALSE, UNKNOWN
    Is {
        column: Column,
        negated: bool,
        what: &'static str,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Column {
    attnum: i16,
    name: String,
    operand: Operand,
}

/// How a column is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Operand {
    /// With a literal cast to this type, by an operator in `pg_catalog`.
    Typed(String),
    /// Both sides as text: domains over an enum.
    Text,
    /// As `citext` compares, whose own operators are wherever the extension is: both sides in
    /// lower case by the database's default collation.
    CaseFolded,
    /// Not at all: no operator in `pg_catalog` compares it exactly. The type's name.
    None(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

/// A literal in the one form that its column's type reads the same under every setting.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Value {
    text: String,
    /// Do people read it without quotes (numbers, booleans)?
    bare: bool,
}

impl Predicate {
    /// SQL text of the condition on the row that `row` (SQL text: an alias) names. Every operator,
    /// function and type in it is schema-qualified and no form with a hidden operator is used.
    pub fn render(&self, row: &str) -> String {
        let mut sql = String::new();
        self.condition.render(row, &mut sql);
        sql
    }

    /// The predicate for people: text that parses, on the same relation, to an equal predicate.
    pub fn canonical(&self) -> String {
        let mut text = String::new();
        self.condition.canonical(&mut text);
        text
    }

    /// Attribute numbers of the columns that decide, ascending: who may write one of them moves
    /// rows into or out of the predicate.
    pub fn columns(&self) -> &[i16] {
        &self.columns
    }

    /// How many rows it is true of at most, where no two rows have the same values in the columns
    /// `key`. None: its literals do not say.
    pub fn at_most(&self, key: &[i16]) -> Option<u64> {
        if key.is_empty() { None } else { self.condition.at_most(key) }
    }
}

impl Condition {
    fn at_most(&self, key: &[i16]) -> Option<u64> {
        match self {
            Self::Any(parts) => {
                parts.iter().try_fold(0u64, |sum, part| Some(sum.saturating_add(part.at_most(key)?)))
            }
            Self::All(parts) => {
                parts.iter().filter_map(|part| part.at_most(key)).chain(product(parts, key)).min()
            }
            one => product(std::slice::from_ref(one), key),
        }
    }

    /// So many values at most are left for the column by this alone.
    fn values_of(&self, attnum: i16) -> Option<u64> {
        match self {
            Self::Compare(column, Comparison::Equal, _) if column.is_exactly(attnum) => Some(1),
            Self::In { column, negated: false, values } if column.is_exactly(attnum) => {
                u64::try_from(values.len()).ok()
            }
            _ => None,
        }
    }
}

/// Of conditions that all hold: the combinations of values that they leave for the key.
fn product(parts: &[Condition], key: &[i16]) -> Option<u64> {
    key.iter().try_fold(1u64, |product, attnum| {
        let values = parts.iter().filter_map(|part| part.values_of(*attnum)).min()?;
        Some(product.saturating_mul(values))
    })
}

impl Column {
    /// Does one literal mean one value? Not where several are equal to it, as in lower case.
    fn is_exactly(&self, attnum: i16) -> bool {
        self.attnum == attnum && matches!(self.operand, Operand::Typed(_))
    }
}

impl Condition {
    fn render(&self, row: &str, sql: &mut String) {
        match self {
            Self::All(parts) => list(sql, " AND ", parts, |part, sql| part.render(row, sql)),
            Self::Any(parts) => list(sql, " OR ", parts, |part, sql| part.render(row, sql)),
            Self::Not(inner) => {
                sql.push_str("(NOT ");
                inner.render(row, sql);
                sql.push(')');
            }
            Self::Holds(column) => column.render(row, sql),
            Self::Compare(column, comparison, value) => column.compare(row, *comparison, value, sql),
            Self::In { column, negated, values } => {
                sql.push_str(if *negated { "(NOT " } else { "" });
                list(sql, " OR ", values, |value, sql| column.compare(row, Comparison::Equal, value, sql));
                sql.push_str(if *negated { ")" } else { "" });
            }
            Self::Between { column, negated, low, high } => {
                sql.push_str(if *negated { "(NOT (" } else { "(" });
                column.compare(row, Comparison::GreaterOrEqual, low, sql);
                sql.push_str(" AND ");
                column.compare(row, Comparison::LessOrEqual, high, sql);
                sql.push_str(if *negated { "))" } else { ")" });
            }
            Self::Is { column, negated, what } => {
                sql.push('(');
                column.render(row, sql);
                let _ = write!(sql, " IS {}{what})", if *negated { "NOT " } else { "" });
            }
        }
    }

    fn canonical(&self, text: &mut String) {
        match self {
            Self::All(parts) => {
                for (index, part) in parts.iter().enumerate() {
                    text.push_str(if index > 0 { " AND " } else { "" });
                    part.canonical_inside(matches!(part, Self::Any(_)), text);
                }
            }
            Self::Any(parts) => {
                for (index, part) in parts.iter().enumerate() {
                    text.push_str(if index > 0 { " OR " } else { "" });
                    part.canonical(text);
                }
            }
            Self::Not(inner) => {
                text.push_str("NOT ");
                inner.canonical_inside(matches!(**inner, Self::Any(_) | Self::All(_)), text);
            }
            Self::Holds(column) => column.canonical(text),
            Self::Compare(column, comparison, value) => {
                column.canonical(text);
                let _ = write!(text, " {} ", comparison.symbol());
                value.canonical(text);
            }
            Self::In { column, negated, values } => {
                column.canonical(text);
                text.push_str(if *negated { " NOT IN (" } else { " IN (" });
                for (index, value) in values.iter().enumerate() {
                    text.push_str(if index > 0 { ", " } else { "" });
                    value.canonical(text);
                }
                text.push(')');
            }
            Self::Between { column, negated, low, high } => {
                column.canonical(text);
                text.push_str(if *negated { " NOT BETWEEN " } else { " BETWEEN " });
                low.canonical(text);
                text.push_str(" AND ");
                high.canonical(text);
            }
            Self::Is { column, negated, what } => {
                column.canonical(text);
                let _ = write!(text, " IS {}{what}", if *negated { "NOT " } else { "" });
            }
        }
    }

    fn canonical_inside(&self, parentheses: bool, text: &mut String) {
        text.push_str(if parentheses { "(" } else { "" });
        self.canonical(text);
        text.push_str(if parentheses { ")" } else { "" });
    }

    fn collect(&self, columns: &mut Vec<i16>) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.collect(columns)),
            Self::Not(inner) => inner.collect(columns),
            Self::Holds(column) | Self::Compare(column, _, _) => columns.push(column.attnum),
            Self::In { column, .. } | Self::Between { column, .. } | Self::Is { column, .. } => {
                columns.push(column.attnum);
            }
        }
    }
}

fn list<T>(sql: &mut String, separator: &str, parts: &[T], each: impl Fn(&T, &mut String)) {
    sql.push('(');
    for (index, part) in parts.iter().enumerate() {
        sql.push_str(if index > 0 { separator } else { "" });
        each(part, sql);
    }
    sql.push(')');
}

impl Column {
    fn render(&self, row: &str, sql: &mut String) {
        // After a point every keyword is a name.
        let _ = write!(sql, "{row}.{}", name(&self.name, &[]));
    }

    fn compare(&self, row: &str, comparison: Comparison, value: &Value, sql: &mut String) {
        let operator = comparison.symbol();
        let literal = quote(&value.text);
        let mut column = String::new();
        self.render(row, &mut column);
        let _ = match &self.operand {
            Operand::Typed(type_name) => {
                write!(sql, "({column} OPERATOR(pg_catalog.{operator}) {literal}::{type_name})")
            }
            Operand::Text => write!(
                sql,
                "(CAST({column} AS pg_catalog.text) OPERATOR(pg_catalog.{operator}) {literal}::pg_catalog.text)"
            ),
            Operand::CaseFolded => write!(
                sql,
                "(pg_catalog.lower(CAST({column} AS pg_catalog.text) COLLATE pg_catalog.\"default\") \
                 OPERATOR(pg_catalog.{operator}) \
                 pg_catalog.lower({literal}::pg_catalog.text COLLATE pg_catalog.\"default\"))"
            ),
            // The parser lets no comparison of such a column pass.
            Operand::None(_) => write!(sql, "NULL::pg_catalog.bool"),
        };
    }

    fn canonical(&self, text: &mut String) {
        text.push_str(&name(&self.name, &parse::KEYWORDS));
    }
}

impl Value {
    fn canonical(&self, text: &mut String) {
        match self.bare {
            true => text.push_str(&self.text),
            false => text.push_str(&quote(&self.text)),
        }
    }
}

fn quote(literal: &str) -> String {
    format!("'{}'", literal.replace('\'', "''"))
}

/// A name, in quotes unless it reads the same without.
fn name(name: &str, keywords: &[&str]) -> String {
    let plain = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
        && !keywords.contains(&name);
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}
