//! Proves: a grant that ends takes what is in flight with it.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use pgwarrant_tests::{Proxy, Shop, ask, grant};

const MILLION: &str = "SELECT c.email, n FROM customers c, generate_series(1, 2000) AS n";
/// More rows than any machine reads in the seconds a short grant has.
const LONG: &str = "SELECT c.email, n FROM customers c, generate_series(1, 400000) AS n";

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_grant_stops_a_million_rows_at_once() {
    let shop = Shop::new().await;
    let proxy = Proxy::start(&shop);
    let ada = proxy.connect("ada").await;
    let petra = proxy.connect("petra").await;
    let id = grant(&ada, &petra, "customers.email", None).await;

    let rows = ada.query_raw(MILLION, std::iter::empty::<i32>()).await.expect("the statement starts");
    let mut rows = std::pin::pin!(rows);
    let mut seen = 0u64;
    for _ in 0..1000 {
        let row = rows.next().await.expect("a row").expect("a raw row");
        assert!(row.get::<_, String>(0).contains("@example"));
        seen += 1;
    }
    petra.execute("SELECT * FROM pgwarrant.revoke($1)", &[&id]).await.expect("revoked");
    let revoked = Instant::now();
    let error = loop {
        match rows.next().await {
            Some(Ok(_)) => seen += 1,
            Some(Err(error)) => break error,
            None => panic!("the result ended without an error after {seen} rows"),
        }
    };
    let error = error.as_db_error().expect("an error from the proxy");
    assert_eq!(error.code().code(), "42501");
    assert!(error.message().contains("revoked"), "{}", error.message());
    assert!(seen < 1_000_000, "all rows came");
    assert!(revoked.elapsed() < Duration::from_secs(5));

    // The session goes on, and the next statement is not hit by the cancel.
    for _ in 0..20 {
        let row = ada
            .query_one("SELECT email FROM customers WHERE id = 42", &[])
            .await
            .expect("the session goes on");
        assert!(!row.get::<_, String>(0).contains("@example"));
    }
    // The database does not go on working for nobody.
    let busy: i64 = shop
        .direct
        .query_one(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
             AND query LIKE '%generate_series(1, 2000)%' AND pid <> pg_backend_pid()",
            &[],
        )
        .await
        .expect("activity")
        .get(0);
    assert_eq!(busy, 0, "the statement goes on upstream");

    let aud = proxy.connect("aud").await;
    let record = aud
        .query_one("SELECT rows, error FROM pgwarrant.audit WHERE decision = 'cut_off'", &[])
        .await
        .expect("one record of the cut-off");
    assert!(record.get::<_, i64>(0) >= 1000, "the rows that went out are counted");
    assert!(record.get::<_, String>(1).contains("revoked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_ends_by_itself() {
    let shop = Shop::new().await;
    let proxy = Proxy::start(&shop);
    let ada = proxy.connect("ada").await;
    let petra = proxy.connect("petra").await;
    let request = ask(&ada, "customers.email", None, "3 s").await;
    petra.execute("SELECT * FROM pgwarrant.approve($1)", &[&request]).await.expect("approved");
    let approved = Instant::now();
    let statement = ada.prepare("SELECT email FROM customers WHERE id = 42").await.expect("prepared");
    assert!(ada.query_one(&statement, &[]).await.expect("a row").get::<_, String>(0).contains("@example"));
    let rows = ada.query_raw(LONG, std::iter::empty::<i32>()).await.expect("the statement starts");
    let mut rows = std::pin::pin!(rows);
    // A reader that stalls over the end, then goes on: what was in the sockets may still come, no more.
    tokio::time::sleep(Duration::from_millis(3200).saturating_sub(approved.elapsed())).await;
    let error = loop {
        match rows.next().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => break error,
            None => panic!("the result ended without an error"),
        }
        assert!(approved.elapsed() < Duration::from_secs(30), "rows still come");
    };
    let error = error.as_db_error().expect("an error from the proxy");
    assert_eq!(error.code().code(), "42501");
    assert!(error.message().contains("expired"), "{}", error.message());
    let row = ada.query_one(&statement, &[]).await.expect("the prepared statement survives");
    assert!(!row.get::<_, String>(0).contains("@example"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_and_a_portal_opened_under_a_grant_end_with_it() {
    let shop = Shop::new().await;
    let proxy = Proxy::start(&shop);
    let mut ada = proxy.connect("ada").await;
    let petra = proxy.connect("petra").await;
    for held in [false, true] {
        let id = grant(&ada, &petra, "customers.email", None).await;
        let hold = if held { "WITH HOLD" } else { "" };
        let declare = format!("BEGIN; DECLARE c CURSOR {hold} FOR SELECT email FROM customers");
        ada.batch_execute(&declare).await.expect("a cursor");
        if held {
            ada.batch_execute("COMMIT").await.expect("a held cursor");
        }
        let first = ada.query("FETCH 3 FROM c", &[]).await.expect("raw rows");
        assert!(first[0].get::<_, String>(0).contains("@example"));
        petra.execute("SELECT * FROM pgwarrant.revoke($1)", &[&id]).await.expect("revoked");
        let error = ada.query("FETCH 3 FROM c", &[]).await.expect_err("no row after the end");
        assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{error:?}");
        ada.batch_execute(if held { "CLOSE c" } else { "ROLLBACK" }).await.expect("the session goes on");
    }

    let id = grant(&ada, &petra, "customers.email", None).await;
    let transaction = ada.transaction().await.expect("a transaction");
    let portal = transaction.bind("SELECT email FROM customers", &[]).await.expect("a portal");
    let first = transaction.query_portal(&portal, 3).await.expect("raw rows");
    assert!(first[0].get::<_, String>(0).contains("@example"));
    petra.execute("SELECT * FROM pgwarrant.revoke($1)", &[&id]).await.expect("revoked");
    let error = transaction.query_portal(&portal, 3).await.expect_err("no row after the end");
    assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{error:?}");
}

/// The cancel comes while the server still prepares the statement, in the same pipeline.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_is_cut_off_before_it_runs_says_so() {
    let shop = Shop::new().await;
    let proxy = Proxy::start(&shop);
    let ada = proxy.connect("ada").await;
    let petra = proxy.connect("petra").await;
    let id = grant(&ada, &petra, "customers.email", None).await;
    // PostgreSQL waits for this lock when it reads the statement.
    shop.direct.batch_execute("BEGIN; LOCK TABLE customers").await.expect("locked");
    let statement = tokio::spawn(async move {
        let error = ada.query_typed("SELECT email FROM customers WHERE id = 42", &[]).await;
        let error = error.expect_err("cut off");
        let again = ada.query_typed("SELECT 1", &[]).await.expect("the session goes on");
        assert_eq!(again.len(), 1);
        error
    });
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted";
    while shop.direct.query_one(waiting, &[]).await.expect("locks").get::<_, i64>(0) == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    petra.execute("SELECT * FROM pgwarrant.revoke($1)", &[&id]).await.expect("revoked");
    let error = statement.await.expect("joined");
    let error = error.as_db_error().expect("an error from the proxy");
    assert_eq!(error.code().code(), "42501", "{error:?}");
    assert!(error.message().contains("revoked while the statement was running"), "{}", error.message());
}
