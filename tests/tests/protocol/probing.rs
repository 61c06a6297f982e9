//! Trying values against masked columns: counted, told, and stopped.

use pgwarrant_tests::Settings;
use pgwarrant_tests::raw::{Raw, bind, errors, execute, parse, shapes, sync};

use crate::Bench;

async fn bench(limits: &str) -> Bench {
    let limits = ("[limits]\n".to_owned(), format!("[limits]\n{limits}\n"));
    Bench::with(&Settings { replace: vec![limits], ..Settings::default() }).await
}

fn probe(raw: &mut Raw, value: usize) -> Vec<String> {
    errors(&raw.query(&format!("SELECT id FROM customers WHERE email = 'm{value}@example.com'")))
}

async fn incidents(bench: &Bench) -> i64 {
    let auditor = bench.proxy.connect("aud").await;
    let row = auditor
        .query_one("SELECT count(*) FROM pgwarrant.audit WHERE kind = 'incident' AND user_name = 'ada'", &[])
        .await;
    row.expect("a count").get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_tries_many_values_is_recorded_and_stopped() {
    let bench = bench("probes = 20\nprobe_window = \"1 h\"").await;
    let (mut raw, mut second) = (bench.connect(), bench.connect());
    for value in 0..10 {
        assert_eq!(probe(&mut raw, value), [""; 0], "{value}");
    }
    // Over and over again, in whatever way it comes: no new value.
    raw.send(&[parse("s", "SELECT id FROM customers WHERE email = $1"), sync()].concat());
    raw.until(b'Z', 1);
    let bound = |raw: &mut Raw, value: String| {
        raw.send(&[bind("", "s", &[Some(value.as_bytes())], &[]), execute("", 0), sync()].concat());
        errors(&raw.until(b'Z', 1))
    };
    for _ in 0..30 {
        assert_eq!(probe(&mut raw, 3), [""; 0]);
        assert_eq!(bound(&mut raw, "same@example.com".to_owned()), [""; 0]);
    }
    assert_eq!(incidents(&bench).await, 0);
    let refused: Vec<bool> =
        (0..30).map(|value| bound(&mut raw, format!("p{value}@example.com")) == ["53400"]).collect();
    assert!(!refused[0] && refused[29], "{refused:?}");
    assert_eq!(probe(&mut second, 100), ["53400"], "it is the user's, not the session's");
    assert_eq!(probe(&mut second, 3), [""; 0], "what was tried before is not new");
    let list = "SELECT count(*) FROM customers WHERE email = ANY ('{a1,a2,a3,a4,a5,a6,a7,a8,a9,b1,b2,b3}')";
    assert_eq!(errors(&second.query(list)), ["53400"]);
    let frames =
        second.query("PREPARE q AS SELECT id FROM customers WHERE email = $1; EXECUTE q('new@example.com')");
    assert_eq!(errors(&frames), ["53400"], "{:?}", shapes(&frames));
    assert_eq!(
        errors(&second.query("SELECT id, email FROM customers WHERE id = 77 ORDER BY email")),
        [""; 0]
    );
    assert_eq!(incidents(&bench).await, 1, "once a window");
    let mut other = bench.connect_as("ben", 0, &[]);
    assert_eq!(probe(&mut other, 200), [""; 0]);
    bench.is_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_forgotten_after_the_window_and_refusing_can_be_turned_off() {
    let bench = bench("probes = 5\nprobe_window = \"1 s\"\nrefuse_probes = false").await;
    let mut raw = bench.connect();
    for value in 0..20 {
        assert_eq!(probe(&mut raw, value), [""; 0], "recorded alone");
    }
    assert!(incidents(&bench).await >= 1);
    let bench = self::bench("probes = 5\nprobe_window = \"1 s\"").await;
    let mut raw = bench.connect();
    while probe(&mut raw, rand()).is_empty() {}
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    assert_eq!(probe(&mut raw, 1_000_000), [""; 0]);
    bench.is_well();
}

/// A number that was not there before.
fn rand() -> usize {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

/// What an application does all day, over a masked table, with other values each time.
#[tokio::test(flavor = "multi_thread")]
async fn ordinary_work_is_not_probing() {
    let bench = bench("probes = 10").await;
    let mut raw = bench.connect();
    for id in 0..40 {
        for statement in [
            format!("SELECT id, email, city FROM customers WHERE id = {id}"),
            format!(
                "SELECT id FROM customers WHERE id = {id} AND city <> 'x{id}' ORDER BY email LIMIT {}",
                id + 1
            ),
            format!("SELECT count(*) FROM orders JOIN customers c ON c.id = customer_id WHERE total > {id}"),
            format!("SELECT id FROM customers WHERE id > {id} AND email IS NOT NULL AND email <> ''"),
        ] {
            let frames = raw.query(&statement);
            assert_eq!(errors(&frames), [""; 0], "{statement}: {:?}", shapes(&frames));
        }
    }
    assert_eq!(incidents(&bench).await, 0);
    bench.is_well();
}
