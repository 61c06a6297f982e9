//! The parts of the `pgwarrant` program: its configuration and its verbs.
//!
//! This crate joins the others and holds no rule of its own: what a statement may do is decided in
//! `pgwarrant-sql`, who holds a grant in `pgwarrant-grants`.

pub mod api;
pub mod audit_cli;
pub mod check;
pub mod cli;
pub mod config;
pub mod demo;
pub mod logging;
pub mod pages;
pub mod policy;
pub mod reload;
pub mod serve;
pub mod user;
pub mod webhooks;
pub mod wiring;
