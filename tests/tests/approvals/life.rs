//! A grant that begins later, lasts longer, is taken back; and what others are told.

use pgwarrant_tests::Shop;

use crate::{call, email, proxy};

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_begins_when_it_was_asked_for_and_survives_a_crash_before() {
    let shop = Shop::new().await;
    let mut proxy = proxy(&shop);
    let ada = proxy.connect("ada").await;
    let asked = call(
        &ada,
        "SELECT state, grant_id FROM pgwarrant.request('customers.email', rows => 'id = 42', reason => 'r', \
         ticket => 'DSR-17', starts_at => 'in 4 s', duration => '10 min')",
    )
    .await;
    assert_eq!(asked, "approved|1");
    assert_eq!(call(&ada, "SELECT state FROM pgwarrant.grants").await, "scheduled");
    assert!(!email(&ada).await.contains("@example"));
    proxy.crash_and_restart();
    let ada = proxy.connect("ada").await;
    for _ in 0..100 {
        if call(&ada, "SELECT state FROM pgwarrant.grants").await == "live" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(email(&ada).await.contains("@example"), "the session that waited sees it");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_time_is_asked_for_and_given_to_the_same_grant() {
    let shop = Shop::new().await;
    let proxy = proxy(&shop);
    let (ada, petra) = (proxy.connect("ada").await, proxy.connect("petra").await);
    call(&ada, "SELECT * FROM pgwarrant.request('customers.name', reason => 'r', duration => '10 min')")
        .await;
    call(&petra, "SELECT * FROM pgwarrant.approve(1)").await;
    let asked =
        call(&ada, "SELECT request_id, state FROM pgwarrant.extend(1, '20 min', reason => 'not done')").await;
    assert_eq!(asked, "2|pending");
    let approved = call(&petra, "SELECT state FROM pgwarrant.approve(2)").await;
    assert_eq!(approved, "approved");
    let window = call(&ada, "SELECT id, valid_until - valid_from FROM pgwarrant.grants").await;
    assert_eq!(window, "1|00:30:00");
    let foreign = call(&petra, "SELECT * FROM pgwarrant.extend(1, '20 min', reason => 'r')").await;
    assert!(foreign.starts_with("42501 user \"petra\" may not extend grant 1"), "{foreign}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asked_takes_it_back_and_nobody_else() {
    let shop = Shop::new().await;
    let proxy = proxy(&shop);
    let (ada, ben, petra) =
        (proxy.connect("ada").await, proxy.connect("ben").await, proxy.connect("petra").await);
    call(&ada, "SELECT * FROM pgwarrant.request('customers.name', reason => 'r')").await;
    let foreign = call(&ben, "SELECT * FROM pgwarrant.withdraw(1)").await;
    assert!(foreign.starts_with("42501"), "{foreign}");
    assert_eq!(call(&ada, "SELECT state FROM pgwarrant.withdraw(1)").await, "withdrawn");
    let late = call(&petra, "SELECT * FROM pgwarrant.approve(1)").await;
    assert!(late.starts_with("55000"), "{late}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_decide_is_told_in_psql_and_who_may_not_is_not() {
    let shop = Shop::new().await;
    let proxy = proxy(&shop);
    // One session each, which asks in between.
    let script = |before: &str| format!("{before}\nSELECT pg_sleep(2);\nSELECT 1;\n");
    let run = |user: &'static str, script: String| {
        let conninfo = proxy.conninfo(user);
        std::thread::spawn(move || pgwarrant_tests::psql(&conninfo, &["-A", "-t"], &script))
    };
    let (petra, ben, lead) = (
        run("petra", script("SELECT 0;")),
        run("ben", script("SELECT 0;")),
        run("ada_lead", script("SELECT 0;")),
    );
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    let ada = proxy.connect("ada").await;
    call(&ada, "SELECT * FROM pgwarrant.request('customers.name', reason => 'a bug report')").await;
    let (petra, ben, lead) =
        (petra.join().expect("psql"), ben.join().expect("psql"), lead.join().expect("psql"));
    assert!(petra.stderr.contains("request 1 of ada for public.customers.name waits for you"), "{petra:?}");
    assert!(petra.stderr.contains("Reason: a bug report."), "{petra:?}");
    assert_eq!((ben.stderr.as_str(), lead.stderr.as_str()), ("", ""));
}
