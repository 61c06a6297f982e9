//! Databases that dumps are restored into.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use pgwarrant_tests::{Run, psql};

use crate::{run, superuser};

/// An empty database, dropped at the end of the test.
pub struct Copy {
    pub database: String,
}

impl Copy {
    pub fn new() -> Copy {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let database = format!("copy_{}_{number}", std::process::id());
        let made = psql(
            &superuser("postgres"),
            &["-v", "ON_ERROR_STOP=1"],
            &format!("CREATE DATABASE {database} TEMPLATE template0"),
        );
        assert!(made.success, "{}", made.stderr);
        Copy { database }
    }

    pub fn conninfo(&self) -> String {
        superuser(&self.database)
    }

    /// Restores a dump: a script with psql, anything else with pg_restore; stops at the first error.
    pub fn restore(&self, dump: &Path, script: bool) -> Run {
        let (dump, to) = (dump.to_string_lossy(), self.conninfo());
        match script {
            true => run("psql", &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &to, "-f", &dump]),
            false => run("pg_restore", &["--exit-on-error", "-d", &to, &dump]),
        }
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.database);
        let _ = psql(&superuser("postgres"), &[], &statement);
    }
}
