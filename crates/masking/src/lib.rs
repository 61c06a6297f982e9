//! Mask methods as SQL expressions.
//!
//! A mask is an expression over built-in functions of PostgreSQL that stands in a privacy view
//! where a protected column would stand. It is evaluated by the database, so the proxy never sees
//! the raw value.
//!
//! Invariants: every function, operator and type in an expression is schema-qualified (a user's
//! `search_path` must not be able to replace it), no form with a hidden operator is used (`IN`,
//! `BETWEEN`, `NULLIF`, `CASE x WHEN`, `IS DISTINCT FROM`), and the expression has exactly the
//! type of the column. Absent on purpose: I/O, tokio, knowledge of grants.

pub mod method;
pub mod sql_type;

pub use method::{Mask, MaskError, Method};
pub use sql_type::{BaseType, SqlType};
