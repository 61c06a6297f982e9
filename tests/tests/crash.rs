//! Proves: a crash loses no audit record of a raw row that a client received, and no grant.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pgwarrant_tests::{Proxy, Shop, connect, grant};

const KILLS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn twenty_kills_under_load_lose_no_record_of_a_raw_row() {
    let shop = Shop::new().await;
    let mut proxy = Proxy::start(&shop);
    {
        let ada = proxy.connect("ada").await;
        let petra = proxy.connect("petra").await;
        grant(&ada, &petra, "customers.email, customers.phone", None).await;
    }
    // Each statement carries a number of its own as a column alias, which the trail's text keeps.
    let mut received: HashSet<String> = HashSet::new();
    for kill in 0..KILLS {
        let stop = Arc::new(AtomicBool::new(false));
        let mut workers = Vec::new();
        for worker in 0..4 {
            // Signed in before the clock starts: what is killed is load, not a sign-in.
            let client = connect(&proxy.conninfo("ada")).await;
            let stop = Arc::clone(&stop);
            workers.push(tokio::spawn(async move {
                let mut got = Vec::new();
                for number in 0.. {
                    let mark = format!("mark_{kill}_{worker}_{number}");
                    let sql =
                        format!("SELECT email AS {mark} FROM customers WHERE id = {}", 1 + number % 500);
                    let answer = match number % 2 {
                        0 => client.query(&sql, &[]).await.map(|rows| rows[0].get::<_, String>(0)),
                        _ => client.simple_query(&sql).await.map(first_value),
                    };
                    match answer {
                        Ok(email) => {
                            assert!(email.contains("@example"), "the grant has come back: {email}");
                            got.push(mark);
                        }
                        Err(_) => break,
                    }
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                }
                got
            }));
        }
        tokio::time::sleep(Duration::from_millis(60 + 23 * kill as u64)).await;
        proxy.kill();
        stop.store(true, Ordering::Relaxed);
        for worker in workers {
            received.extend(worker.await.expect("a worker"));
        }
        let verified =
            proxy.pgwarrant(&["audit", "--config", &proxy.config().display().to_string(), "verify"]);
        assert!(
            verified.success,
            "the chain holds after kill {kill}: {}{}",
            verified.stdout, verified.stderr
        );
        proxy.crash_and_restart();
    }
    assert!(received.len() > 200, "the load was a load: {} statements", received.len());
    proxy.terminate();
    let config = proxy.config().display().to_string();
    let all = proxy.pgwarrant(&["audit", "--config", &config, "query", "--json", "--limit", "1000000"]);
    assert!(all.success, "{}", all.stderr);
    let mut recorded = HashSet::new();
    for line in all.stdout.lines() {
        let record: serde_json::Value = serde_json::from_str(line).expect("a JSON line");
        let raw = record["raw"]
            .as_array()
            .is_some_and(|raw| raw.iter().any(|column| column == "public.customers.email"));
        if let Some(text) = record["text"].as_str()
            && raw
            && let Some(at) = text.find("mark_")
        {
            let mark: String = text[at..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            recorded.insert(mark);
        }
    }
    let missing: Vec<_> = received.difference(&recorded).collect();
    assert!(
        missing.is_empty(),
        "{} of {} received rows have no record: {missing:?}",
        missing.len(),
        received.len()
    );
}

fn first_value(messages: Vec<tokio_postgres::SimpleQueryMessage>) -> String {
    messages
        .into_iter()
        .find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_says_goodbye_and_leaves_a_trail_without_open_ends() {
    let shop = Shop::new().await;
    let mut proxy = Proxy::start(&shop);
    let run = proxy.psql("ada", "SELECT id, email FROM customers WHERE id = 1;");
    assert!(run.success, "{}", run.stderr);
    let mut waiting = std::process::Command::new("psql")
        .args(["-X", "-q", "-d", &proxy.conninfo("ada"), "-c", "SELECT pg_sleep(30)"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("psql starts");
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    let running = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(30)%' \
                   AND pid <> pg_backend_pid()";
    while shop.direct.query_one(running, &[]).await.expect("activity").get::<_, i64>(0) == 0 {
        assert!(std::time::Instant::now() < deadline, "the statement does not start");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(proxy.terminate().success());
    let mut said = String::new();
    std::io::Read::read_to_string(&mut waiting.stderr.take().expect("a pipe"), &mut said)
        .expect("psql's words");
    assert!(!waiting.wait().expect("psql ends").success());
    assert!(said.contains("FATAL") || said.contains("ERROR"), "{said}");
    let verified = proxy.pgwarrant(&["audit", "--config", &proxy.config().display().to_string(), "verify"]);
    assert!(verified.success, "{}{}", verified.stdout, verified.stderr);
}
