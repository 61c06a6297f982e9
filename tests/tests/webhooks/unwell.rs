//! Receivers that are slow, broken or malicious.

use std::time::{Duration, Instant};

use pgwarrant_tests::{Proxy, Shop, ask};
use serde_json::Value;

use crate::receiver::Receiver;
use crate::{act, first_times, name, proxy, section, until};

fn failures(came: &[Value]) -> usize {
    came.iter().filter(|message| message["how"] != "ok").count()
}

/// Resident memory, in KiB.
fn memory(proxy: &Proxy) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.process_id())).expect("a status");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a line");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_receiver_answers_the_same_message_comes_again_until_it_is_taken() {
    for mode in ["status 500", "status 404", "redirect /elsewhere", "cut", "huge", "endless", "hang"] {
        let (shop, receiver) = (Shop::new().await, Receiver::start());
        receiver.set(mode);
        let proxy = proxy(&shop, section(&receiver, "timeout = \"1 s\""));
        let ada = proxy.connect("ada").await;
        let before = memory(&proxy);
        let started = Instant::now();
        ask(&ada, "customers.email", Some("id = 42"), "10 min").await;
        assert!(started.elapsed() < Duration::from_secs(1), "{mode}: nobody waits for receivers");
        until(&receiver, mode, |came| failures(came) >= 2);
        assert!(memory(&proxy) < before + 32_768, "{mode}: {} KiB, before {before}", memory(&proxy));
        receiver.set("ok");
        let came = until(&receiver, mode, |came| !first_times(came).is_empty());
        assert!(came.iter().all(|message| message["path"] == "/hook"), "{mode}: {came:#?}");
        assert!(came.iter().all(|message| message["id"] == came[0]["id"] && message["signed"] == true));
        assert!(came.iter().all(|message| message["body"] == came[0]["body"]));
        let warnings =
            proxy.log().lines().filter(|line| line.contains("WARN") && line.contains("ops")).count();
        assert_eq!(warnings, 1, "{mode}: once, not for each attempt: {}", proxy.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_asks_for_time_has_it_and_one_that_is_gone_is_left_alone() {
    let (shop, receiver) = (Shop::new().await, Receiver::start());
    receiver.set("status 429 Retry-After: 4");
    let mut proxy = proxy(&shop, section(&receiver, ""));
    let ada = proxy.connect("ada").await;
    ask(&ada, "customers.email", Some("id = 1"), "10 min").await;
    until(&receiver, "an attempt", |came| came.len() == 1);
    receiver.set("ok");
    // Another request is not sent either: the receiver asked for time, not for this message's.
    ask(&ada, "customers.email", Some("id = 2"), "10 min").await;
    let came = until(&receiver, "both", |came| first_times(came).len() == 2);
    let at = |message: &Value| message["at"].as_f64().expect("a time");
    assert!(came[1..].iter().all(|message| at(message) - at(&came[0]) > 3.9), "{came:#?}");

    receiver.set("status 410");
    ask(&ada, "customers.email", Some("id = 3"), "10 min").await;
    let came = until(&receiver, "it is gone", |came| {
        came.iter().any(|message| message["how"] == "status" && name(message) == "request 3 requested")
    });
    receiver.set("ok");
    ask(&ada, "customers.email", Some("id = 4"), "10 min").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(receiver.came().len(), came.len(), "it is left alone");
    assert!(proxy.log().contains("gone for good"), "{}", proxy.log());
    proxy.crash_and_restart();
    until(&receiver, "after a restart", |came| first_times(came).len() == 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_message_that_fails_does_not_hold_up_others() {
    let (shop, receiver) = (Shop::new().await, Receiver::start());
    let good = Receiver::start();
    receiver.set("hang");
    let others = section(&good, "").replace("\"ops\"", "\"good\"");
    let proxy = proxy(&shop, format!("{}{others}", section(&receiver, "timeout = \"60 s\"")));
    let (ada, petra) = (proxy.connect("ada").await, proxy.connect("petra").await);
    let request = ask(&ada, "customers.email", Some("id = 1"), "10 min").await;
    act(&petra, &format!("deny({request})")).await;
    until(&good, "another receiver has its own queue", |came| first_times(came).len() == 2);
    until(&receiver, "the first hangs", |came| came.len() == 1);
    receiver.set("ok");
    ask(&ada, "customers.email", Some("id = 2"), "10 min").await;
    let came = until(&receiver, "another request's", |came| came.len() == 2);
    assert_eq!(first_times(&came), ["request 2 requested"]);
}
