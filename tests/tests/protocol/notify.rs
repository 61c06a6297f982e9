//! Notifications, and whose payloads pass.

use std::time::Duration;

use pgwarrant_tests::raw::{Event, Frame, Raw, tags};
use pgwarrant_tests::{Settings, ask};

use crate::Bench;

#[tokio::test]
async fn notifications_reach_other_sessions_and_name_the_sender_as_clients_know_it() {
    let bench = Bench::new().await;
    let (mut listener, mut sender) = (bench.connect(), bench.connect_as("ben", 0, &[]));
    listener.query("LISTEN news");
    sender.query("NOTIFY news, 'first'; NOTIFY news, 'second'");
    let frames = listener.until(b'A', 2);
    assert_eq!(tags(&frames), "AA", "they come while the session is idle");
    for (frame, payload) in frames.iter().zip(["first", "second"]) {
        assert!(frame.body[4..] == *format!("news\0{payload}\0").as_bytes(), "{:?}", frame);
    }
    let own = listener.query("NOTIFY news, 'mine'");
    let frame = own.iter().find(|frame| frame.tag == b'A').expect("a notification");
    assert_eq!(frame.body[..4], listener.process.to_be_bytes());
    // Within a transaction they wait for its end.
    listener.query("BEGIN");
    sender.query("NOTIFY news");
    assert_eq!(listener.frame(Duration::from_millis(100)), Event::Silence);
    let frames = listener.query("COMMIT");
    assert!(tags(&frames) == "CAZ" || tags(&frames) == "CZ" && tags(&listener.until(b'A', 1)) == "A");
    listener.query("UNLISTEN *");
    sender.query("NOTIFY news");
    assert_eq!(tags(&listener.query("SELECT 1")), "TDCZ");
    assert_eq!(listener.frame(Duration::from_millis(100)), Event::Silence);
    bench.is_well();
}

/// What a notification says, its sender left out.
fn heard(frame: &Frame) -> String {
    assert_eq!(frame.tag, b'A');
    String::from_utf8_lossy(&frame.body[4..]).replace('\0', "|")
}

fn next(listener: &mut Raw) -> String {
    heard(&listener.until(b'A', 1)[0])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_from_past_the_proxy_passes_on_trusted_channels_only() {
    let settings = Settings {
        replace: vec![("functions = []".to_owned(), "functions = []\nchannels = [\"jobs\"]".to_owned())],
        ..Settings::default()
    };
    let bench = Bench::with(&settings).await;
    let mut listener = bench.connect();
    listener.query("LISTEN jobs; LISTEN changes");
    let trigger = "CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS \
         $$BEGIN PERFORM pg_notify('changes', row_to_json(NEW)::text); RETURN NEW; END$$; \
         CREATE TRIGGER told AFTER UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION told()";
    bench.shop.direct.batch_execute(trigger).await.expect("a trigger that tells the row");
    bench
        .shop
        .direct
        .batch_execute("UPDATE customers SET city = 'Ulm' WHERE id = 42")
        .await
        .expect("an update");
    assert_eq!(next(&mut listener), "changes||", "that something changed is no secret; the row is");
    bench.shop.direct.batch_execute("NOTIFY jobs, 'number 7'").await.expect("a notification");
    assert_eq!(next(&mut listener), "jobs|number 7|");
    bench.is_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_from_who_sees_raw_values_reaches_nobody_else() {
    let bench = Bench::new().await;
    let mut listener = bench.connect_as("ben", 0, &[]);
    listener.query("LISTEN news");
    let ada = bench.proxy.connect("ada").await;
    ada.batch_execute("SELECT pg_notify('news', email) FROM customers WHERE id = 42").await.expect("masked");
    let masked = next(&mut listener);
    assert!(masked.starts_with("news|") && !masked.contains("example") && masked.len() > 8, "{masked}");
    let petra = bench.proxy.connect("petra").await;
    let request = ask(&ada, "customers.email", None, "10 min").await;
    petra.execute("SELECT * FROM pgwarrant.approve($1)", &[&request]).await.expect("approved");
    ada.query("SELECT email FROM customers WHERE id = 42", &[]).await.expect("raw");
    // Whatever it says from now on may be what it has seen.
    ada.batch_execute("NOTIFY news, 'copied by hand'").await.expect("a notification");
    assert_eq!(next(&mut listener), "news||");
    let mut other = bench.connect_as("olga", 0, &[]);
    other.query("NOTIFY news, 'not so from here'");
    assert_eq!(next(&mut listener), "news|not so from here|");
    bench.is_well();
}
