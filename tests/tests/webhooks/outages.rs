//! Receivers and proxies that are killed.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pgwarrant_tests::{Proxy, Shop, connect};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::receiver::Receiver;
use crate::{ALL, first_times, proxy, section, until};

/// Asks, has it approved and revokes it, again and again, until told to stop or the proxy is gone. Some
/// are denied, some left alone.
fn load(proxy: &Proxy, stop: &Arc<AtomicBool>) -> JoinHandle<()> {
    let (asker, approver, stop) = (proxy.conninfo("ada"), proxy.conninfo("petra"), stop.clone());
    tokio::spawn(async move {
        let (asker, approver) = (connect(&asker).await, connect(&approver).await);
        for round in 0.. {
            let sql = "SELECT request_id FROM pgwarrant.request('customers.email', rows => 'id = 42', reason => 'load')";
            let Ok(row) = asker.query_one(sql, &[]).await else { return };
            let request: i64 = row.get(0);
            let act = |call: String| {
                let approver = &approver;
                async move { approver.simple_query(&format!("SELECT * FROM pgwarrant.{call}")).await.is_ok() }
            };
            let going = match round % 8 {
                0 => act(format!("deny({request})")).await,
                _ => {
                    act(format!("approve({request})")).await
                        && match asker
                            .query_one("SELECT grant_id FROM pgwarrant.requests WHERE id = $1", &[&request])
                            .await
                        {
                            Ok(row) => act(format!("revoke({})", row.get::<_, i64>(0))).await,
                            Err(_) => false,
                        }
                }
            };
            if !going || stop.load(Ordering::Relaxed) {
                return;
            }
        }
    })
}

/// What must have been told, by what is on record.
async fn on_record(proxy: &Proxy) -> HashSet<String> {
    let petra = proxy.connect("petra").await;
    let mut wanted = HashSet::new();
    for row in petra.query("SELECT id, state FROM pgwarrant.requests", &[]).await.expect("requests") {
        let (id, state): (i64, String) = (row.get(0), row.get(1));
        wanted.insert(format!("request {id} requested"));
        if state != "pending" {
            wanted.insert(format!("request {id} decided"));
        }
    }
    for row in petra.query("SELECT id, state FROM pgwarrant.grants", &[]).await.expect("grants") {
        let (id, state): (i64, String) = (row.get(0), row.get(1));
        wanted.insert(format!("grant {id} started"));
        if state != "live" {
            wanted.insert(format!("grant {id} ended"));
        }
    }
    wanted
}

/// Everything on record was told, and each request's in order.
async fn is_told(proxy: &Proxy, receiver: &Receiver, at_least: usize) {
    let wanted = on_record(proxy).await;
    assert!(wanted.len() > at_least, "the load was a load: {}", wanted.len());
    let came = until(receiver, "everything that is on record", |came| {
        let told: HashSet<String> = first_times(came).into_iter().collect();
        wanted.is_subset(&told)
    });
    assert!(came.iter().all(|message| message["signed"] == true));
    let told: HashSet<String> = first_times(&came).into_iter().collect();
    assert_eq!(told.difference(&wanted).collect::<Vec<_>>(), Vec::<&String>::new(), "what is not on record");
    in_order(&came);
}

fn in_order(came: &[Value]) {
    const STEPS: [&str; 4] = ["requested", "decided", "started", "ended"];
    let mut lives: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    let mut seen = HashSet::new();
    for message in came.iter().filter(|message| message["how"] == "ok") {
        if !seen.insert(message["id"].clone()) {
            continue;
        }
        let body = &message["body"];
        let request =
            body["request"]["id"].as_u64().or(body["grant"]["request_id"].as_u64()).expect("a request");
        let step = STEPS.iter().position(|step| body["type"] == *step).expect("one of these");
        lives.entry(request).or_default().push(step);
    }
    for (request, steps) in lives {
        assert!(steps.is_sorted(), "request {request}: {steps:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_killed_misses_nothing() {
    let (shop, mut receiver) = (Shop::new().await, Receiver::start());
    let proxy = proxy(&shop, section(&receiver, ALL));
    let stop = Arc::new(AtomicBool::new(false));
    let workers = [load(&proxy, &stop), load(&proxy, &stop)];
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        receiver.kill();
        tokio::time::sleep(Duration::from_millis(300)).await;
        receiver.restart();
    }
    stop.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.await.expect("a worker");
    }
    is_told(&proxy, &receiver, 60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_killed_tells_everything_all_the_same() {
    let (shop, mut receiver) = (Shop::new().await, Receiver::start());
    let mut proxy = proxy(&shop, section(&receiver, ALL));
    for kill in 0..10_u64 {
        let stop = Arc::new(AtomicBool::new(false));
        let workers = [load(&proxy, &stop), load(&proxy, &stop)];
        tokio::time::sleep(Duration::from_millis(150 + 37 * kill)).await;
        if kill % 3 == 1 {
            receiver.kill();
        }
        proxy.kill();
        stop.store(true, Ordering::Relaxed);
        for worker in workers {
            worker.await.expect("a worker");
        }
        proxy.crash_and_restart();
        if kill % 3 == 1 {
            receiver.restart();
        }
    }
    is_told(&proxy, &receiver, 100).await;
}
