//! libpg_query, PostgreSQL's own lexer and grammar, looks on: what it sees in a text, and whether
//! our lexer, splitter and analysis see the same.

pub mod analysis;
pub mod minimise;
pub mod tokens;
pub mod tree;
pub mod world;
