//! Row predicates: a small checked grammar over the columns of one relation.
//!
//! `id = 42`, `region IN ('EU', 'UK') AND NOT closed`, `created_at >= '2026-01-01'`, `name IS NULL`:
//! comparisons of a column with a literal, IN lists, BETWEEN, IS [NOT] NULL, boolean columns, AND,
//! OR, NOT and parentheses. Never raw text: it is parsed, checked against the relation, and
//! rendered anew with qualified operators and casts.

/// A checked row predicate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predicate {}
