//! `pgwarrant.wait`: a statement waits for what is asked for, and for nothing else.

use std::time::{Duration, Instant};

use pgwarrant_tests::Shop;
use tokio::time::sleep;
use tokio_postgres::NoTls;

use crate::{call, email, proxy, said};

const ASK: &str = "SELECT state FROM pgwarrant.request('customers.name', reason => 'r')";
const NAME: &str = "SELECT name FROM customers WHERE id = 42";

/// Longer than a statement takes that does not wait.
const A_WHILE: Duration = Duration::from_millis(700);

/// As the sample data has it.
async fn raw_name(shop: &Shop) -> String {
    call(&shop.direct, NAME).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_masked_statement_waits_for_the_approval_and_comes_back_raw() {
    let shop = Shop::new().await;
    let proxy = proxy(&shop);
    let (ada, petra) = (proxy.connect("ada").await, proxy.connect("petra").await);
    let raw = raw_name(&shop).await;
    assert_eq!(call(&ada, "SET pgwarrant.wait = '1 min'").await, "");
    let masked = call(&ada, NAME).await;
    assert_ne!(masked, raw, "nobody was asked, so there is nothing to wait for");
    let prepared = ada.prepare(NAME).await.expect("prepared while masked");
    assert_eq!(call(&ada, ASK).await, "pending");
    // What no decision can change does not wait.
    assert_eq!(call(&ada, "SELECT count(*) FROM customers WHERE id = 42").await, "1");
    assert!(!email(&ada).await.contains("@example"), "another column");

    let decision = tokio::spawn(async move {
        sleep(A_WHILE).await;
        call(&petra, "SELECT state FROM pgwarrant.approve(1)").await
    });
    let began = Instant::now();
    let rows = ada.query(&prepared, &[]).await.expect("rows");
    assert_eq!(rows[0].get::<_, String>(0), raw);
    assert!(began.elapsed() >= A_WHILE);
    assert_eq!(decision.await.expect("a decision"), "approved");
    assert_eq!(call(&ada, NAME).await, raw);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_statement_waits_too_and_a_denial_refuses_it() {
    let shop = Shop::new().await;
    let proxy = proxy(&shop);
    let (ada, petra) = (proxy.connect("ada").await, proxy.connect("petra").await);
    let write = "UPDATE customers SET name = 'Somebody' WHERE id = 42";
    let refused = call(&ada, write).await;
    assert!(refused.starts_with("42501"), "{refused}");
    call(&ada, "SET pgwarrant.wait = '1 min'").await;
    let ask =
        "SELECT state FROM pgwarrant.request('customers.name', actions => 'select, update', reason => 'r')";
    assert_eq!(call(&ada, ask).await, "pending");
    let decision = tokio::spawn(async move {
        sleep(A_WHILE).await;
        let first = call(&petra, "SELECT state FROM pgwarrant.deny(1, reason => 'no')").await;
        (petra, first)
    });
    let began = Instant::now();
    assert_eq!(call(&ada, write).await, refused);
    assert!(began.elapsed() >= A_WHILE);
    let (petra, denied) = decision.await.expect("a decision");
    assert_eq!(denied, "denied");

    // In a transaction, and approved.
    call(&ada, "BEGIN").await;
    assert_eq!(call(&ada, ask).await, "pending");
    let decision = tokio::spawn(async move {
        sleep(A_WHILE).await;
        call(&petra, "SELECT state FROM pgwarrant.approve(2)").await
    });
    assert_eq!(call(&ada, write).await, "");
    assert_eq!(call(&ada, "COMMIT").await, "");
    assert_eq!(decision.await.expect("a decision"), "approved");
    assert_eq!(raw_name(&shop).await, "Somebody");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_takes_two_decisions_waits_for_both_and_for_no_third() {
    let shop = Shop::new().await;
    let proxy = proxy(&shop);
    let (ada, petra) = (proxy.connect("ada").await, proxy.connect("petra").await);
    let write = "UPDATE customers SET name = 'Somebody', phone = '0' WHERE id = 42";
    let ask = |columns: &str| {
        let arguments = "actions => 'select, update', reason => 'r'";
        format!("SELECT state FROM pgwarrant.request('{columns}', {arguments})")
    };
    call(&ada, "SET pgwarrant.wait = '1 min'").await;
    for column in ["customers.name", "customers.phone"] {
        assert_eq!(call(&ada, &ask(column)).await, "pending");
    }
    let decisions = tokio::spawn(async move {
        for id in [1, 2] {
            sleep(A_WHILE).await;
            call(&petra, &format!("SELECT state FROM pgwarrant.approve({id})")).await;
        }
    });
    let began = Instant::now();
    assert_eq!(call(&ada, write).await, "");
    assert!(began.elapsed() >= 2 * A_WHILE);
    decisions.await.expect("decisions");

    // More of what one has already is nothing to wait for.
    assert_eq!(call(&ada, &ask("customers.name")).await, "pending");
    let began = Instant::now();
    assert_eq!(call(&ada, NAME).await, "Somebody");
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_name_of_sql_stands_for_waits_as_well() {
    let shop = Shop::new().await;
    let proxy = proxy(&shop);
    let (ada, petra) = (proxy.connect("ada").await, proxy.connect("petra").await);
    let raw = raw_name(&shop).await;
    call(&ada, &format!("PREPARE named AS {NAME}")).await;
    call(&ada, "SET pgwarrant.wait = '1 min'").await;
    assert_eq!(call(&ada, ASK).await, "pending");
    let decision = tokio::spawn(async move {
        sleep(A_WHILE).await;
        call(&petra, "SELECT state FROM pgwarrant.approve(1)").await
    });
    let began = Instant::now();
    assert_eq!(call(&ada, "EXECUTE named").await, raw);
    assert!(began.elapsed() >= A_WHILE);
    assert_eq!(decision.await.expect("decided"), "approved");
}

/// The setting may come with the connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_is_given_at_the_connections_start() {
    let shop = Shop::new().await;
    let proxy = proxy(&shop);
    let connect = async |value: &str| {
        let conninfo = format!("{} options='-c pgwarrant.wait={value}'", proxy.conninfo("ada"));
        tokio_postgres::connect(&conninfo, NoTls).await
    };
    let error = connect("soon").await.err().expect("refused");
    assert!(said(&error).starts_with("22023 invalid value for parameter"), "{}", said(&error));
    let (ada, connection) = connect("700ms").await.expect("connected");
    tokio::spawn(connection);
    assert_eq!(call(&ada, ASK).await, "pending");
    let began = Instant::now();
    call(&ada, NAME).await;
    assert!(began.elapsed() >= A_WHILE);
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_in_time_on_request_and_with_the_client() {
    let shop = Shop::new().await;
    let proxy = proxy(&shop);
    let ada = proxy.connect("ada").await;
    assert_eq!(call(&ada, ASK).await, "pending");
    let masked = call(&ada, NAME).await;

    // In time, for one transaction only.
    call(&ada, "BEGIN; SET LOCAL pgwarrant.wait = '700 ms'").await;
    let began = Instant::now();
    assert_eq!(call(&ada, NAME).await, masked);
    assert!(began.elapsed() >= A_WHILE);
    call(&ada, "COMMIT").await;
    assert_eq!(call(&ada, NAME).await, masked, "the setting went with the transaction");

    // The client is told, and what a script says after it is still done.
    let script = format!("SET pgwarrant.wait = '700 ms'; {NAME};\n{NAME};\nSELECT 'after';\n");
    let run = proxy.psql_with("ada", &["-A", "-t"], &script);
    assert!(run.stderr.contains("waiting for request 1 to be decided, for at most"), "{}", run.stderr);
    assert!(run.stderr.contains("request 1 was not decided in"), "{}", run.stderr);
    assert!(run.stdout.contains(&masked) && run.stdout.trim_end().ends_with("after"), "{}", run.stdout);

    // On request.
    call(&ada, "SET pgwarrant.wait = '10 min'").await;
    let cancel = ada.cancel_token();
    let cancelling = tokio::spawn(async move {
        sleep(A_WHILE).await;
        cancel.cancel_query(NoTls).await
    });
    let error = ada.simple_query(NAME).await.expect_err("cancelled");
    assert!(said(&error).starts_with("57014 canceling statement due to user request"), "{}", said(&error));
    cancelling.await.expect("joined").expect("cancelled");
    let wrong = call(&ada, "SET pgwarrant.wait = 'for ever'").await;
    assert!(wrong.starts_with("22023 invalid value for parameter \"pgwarrant.wait\""), "{wrong}");
    call(&ada, "RESET pgwarrant.wait").await;
    assert_eq!(call(&ada, NAME).await, masked, "the session goes on");

    // With the client: its session is gone, and so is its connection to the database.
    let (gone, connection) = tokio_postgres::connect(&proxy.conninfo("ada"), NoTls).await.expect("connected");
    let connection = tokio::spawn(connection);
    call(&gone, "SET pgwarrant.wait = '10 min'; SET application_name = 'waiting'").await;
    tokio::spawn(async move { call(&gone, NAME).await });
    sleep(A_WHILE).await;
    connection.abort();
    let left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'waiting'";
    for attempt in 0.. {
        if call(&shop.direct, left).await == "0" {
            break;
        }
        assert!(attempt < 100, "the session waits for nobody");
        sleep(Duration::from_millis(100)).await;
    }
}
