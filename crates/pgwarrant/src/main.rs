//! `pgwarrant`: just-in-time access to personal data in PostgreSQL, enforced on the wire.

use std::process::ExitCode;

fn main() -> ExitCode {
    pgwarrant::cli::run()
}
