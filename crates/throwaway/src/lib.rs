//! A PostgreSQL server that lives for one demo or one test run, and the sample shop to fill it.
//!
//! It runs from the system's own binaries, in a new directory, on loopback only, as an ordinary
//! user (PostgreSQL refuses to run as root, so root hands over to `postgres` or `nobody`). When the
//! value is dropped the server is stopped and its directory removed. Absent on purpose: any use by
//! the proxy itself, and any way to keep what is in it.

mod cluster;

pub use cluster::{Cluster, Error, Options, SUPERUSER, find_binaries};

/// The sample shop: a script for psql, to be run by a superuser in an empty database.
pub const SHOP: &str = include_str!("../shop.sql");
