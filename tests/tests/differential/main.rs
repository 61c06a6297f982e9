//! Proves: our lexer has PostgreSQL's tokens, our splitter its statements, our analysis its
//! relations; and what is sent in a statement's place names a protected relation nowhere but inside
//! a privacy view. The other view is libpg_query's, PostgreSQL's own lexer and grammar (17), on every
//! statement in the tests and on statements that are made up.

mod cases;
mod corpus;
mod generated;
mod lexer;
mod live;
mod oracle;
mod secrets;
#[path = "../../../crates/sql/tests/support/mod.rs"]
mod support;
