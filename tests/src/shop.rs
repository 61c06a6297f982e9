//! A copy of the sample shop that belongs to one test.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::{Client, NoTls};

use crate::{TEMPLATE, server_url};

/// A database with the sample shop, dropped at the end of the test.
pub struct Shop {
    pub database: String,
    /// A superuser's connection, past the proxy: what the data really is.
    pub direct: Client,
}

impl Shop {
    /// Copies the template.
    pub async fn new() -> Shop {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let database = format!("shop_{}_{number}", std::process::id());
        let admin = connect(&server_url("postgres")).await;
        // CREATE DATABASE takes a lock on its template: two tests at once wait for each other.
        for attempt in 0.. {
            match admin.batch_execute(&format!("CREATE DATABASE {database} TEMPLATE {TEMPLATE}")).await {
                Ok(()) => break,
                Err(error) if attempt < 100 && error.code().is_some_and(|code| code.code() == "55006") => {
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
                Err(error) => panic!("could not copy the sample shop: {error:?}"),
            }
        }
        let direct = connect(&server_url(&database)).await;
        Shop { database, direct }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.database);
        let _ = std::process::Command::new("psql")
            .args(["-X", "-q", "-d", &server_url("postgres"), "-c", &statement])
            .stderr(std::process::Stdio::null())
            .status();
    }
}

/// A connection that is driven in the background.
pub async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .unwrap_or_else(|error| panic!("could not connect to {url}: {error}"));
    tokio::spawn(connection);
    client
}
