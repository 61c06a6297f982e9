//! The parts of the `pgwarrant` program: its configuration and its verbs.
//!
//! This crate joins the others and holds no rule of its own: what a statement may do is decided in
//! `pgwarrant-sql`, who holds a grant in `pgwarrant-grants`. It is a library so that the tests can
//! start what the program starts.

