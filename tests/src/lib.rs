//! What the end-to-end tests share: a real PostgreSQL, a copy of the sample shop for each test, and
//! the real proxy in front of it.
//!
//! The server is started once for a whole run by `with-postgres` (which `make test` uses); each
//! test copies the shop into a database of its own, so tests neither see nor disturb each other.

pub mod browser;
mod console;
pub mod generate;
pub mod providers;
mod proxy;
pub mod raw;
mod shop;
pub mod standard_webhooks;

pub use console::{ask, grant};
pub use proxy::{Proxy, Run, Settings, binary, free_port, psql, workspace};
pub use shop::{Shop, connect};

/// The environment variable that names the server: `postgres://user@host:port/postgres`.
pub const SERVER_VARIABLE: &str = "PGWARRANT_TEST_PG";

/// The database that each test copies.
pub const TEMPLATE: &str = "shop_template";

/// The superuser's URL for `database` on the run's server.
///
/// # Panics
/// When the tests were not started through `with-postgres`.
pub fn server_url(database: &str) -> String {
    let url = std::env::var(SERVER_VARIABLE).unwrap_or_else(|_| {
        panic!(
            "{SERVER_VARIABLE} is not set: run the tests with `make test`, or one of them with\n    \
             cargo run -p pgwarrant-tests --bin with-postgres -- cargo nextest run -p pgwarrant-tests NAME"
        )
    });
    match url.rsplit_once('/') {
        Some((server, _)) => format!("{server}/{database}"),
        None => panic!("{SERVER_VARIABLE} must look like postgres://user@host:port/postgres, not {url}"),
    }
}

/// The run's server: host and port.
pub fn server_port() -> u16 {
    let url = server_url("postgres");
    url.rsplit_once('/')
        .and_then(|(server, _)| server.rsplit_once(':'))
        .and_then(|(_, port)| port.parse().ok())
        .unwrap_or_else(|| panic!("no port in {url}"))
}
