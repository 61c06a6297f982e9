//! Mask methods as SQL expressions.
//!
//! A mask is an expression over built-in functions of PostgreSQL that stands in a privacy view
//! where a protected column would stand. It is evaluated by the database, so the proxy never sees
//! the raw value. [`Method`] is what a label says, [`SqlType`] what the live schema says, and
//! [`compile`] makes the [`Mask`] of the two, or says why they do not fit.
//!
//! Invariants: every function, operator and type in an expression is schema-qualified (a user's
//! `search_path` must not be able to replace it), no form with a hidden operator is used (`IN`,
//! `BETWEEN`, `NULLIF`, `CASE x WHEN`, `IS DISTINCT FROM`), no cast is looked up that anybody but
//! a superuser can define, the expression has exactly the type of the column, and the key of the
//! keyed masks is never in the text: it is read from the setting [`KEY_SETTING`]. Nothing in an
//! expression can fail on a value, save the CHECK of a domain and the string functions that
//! PostgreSQL before 18 does not offer for nondeterministic collations; both fail for the whole
//! column, not for a telling row. Absent on purpose: I/O, tokio, knowledge of grants.

pub mod compile;
pub mod keyed;
pub mod literal;
pub mod mask;
pub mod method;
mod random;
pub mod sql_type;

pub use compile::compile;
pub use keyed::KEY_SETTING;
pub use mask::{Mask, MaskError};
pub use method::{Method, Partial};
pub use sql_type::{BaseType, SqlType, oid};
