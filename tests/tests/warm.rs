//! Proves: a connection that was kept ready is a new one to whoever gets it, and the ones kept ready
//! are in nobody's way.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use pgwarrant_tests::{Proxy, Settings, Shop};
use tokio_postgres::Client;

/// `warm` and `warm_age`, as proxy.toml has them.
fn settings(warm: usize, age: &str) -> Settings {
    let replace = |from: &str, to: String| (from.to_owned(), to);
    Settings {
        replace: vec![
            replace("# warm = 4", format!("warm = {warm}")),
            replace("# warm_age = \"1 min\"", format!("warm_age = \"{age}\"")),
        ],
        ..Settings::default()
    }
}

async fn login(proxy: &Proxy, application: &str) -> Client {
    pgwarrant_tests::connect(&format!("{} application_name={application}", proxy.conninfo("ada"))).await
}

async fn process(client: &Client) -> i32 {
    client.query_one("SELECT pg_backend_pid()", &[]).await.expect("a process").get(0)
}

/// The server's processes of sessions and spares, oldest first.
async fn processes(shop: &Shop, application: &str) -> Vec<i32> {
    let text = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND usename = 'shop_app' \
                AND (application_name = $1 OR $1 = '') ORDER BY backend_start";
    let rows = shop.direct.query(text, &[&application]).await.expect("the activity");
    rows.iter().map(|row| row.get(0)).collect()
}

/// Asks again until it holds.
macro_rules! eventually {
    ($what:literal, $condition:expr) => {{
        let deadline = Instant::now() + Duration::from_secs(20);
        while !$condition {
            assert!(Instant::now() < deadline, $what);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }};
}

/// Signs in and out until spares are there, and nothing else; their processes.
async fn warm_up(shop: &Shop, proxy: &Proxy, application: &str, logins: usize, spares: usize) -> Vec<i32> {
    for _ in 0..logins {
        drop(login(proxy, application).await);
    }
    let mut before = Vec::new();
    eventually!("no spares", {
        let now = processes(shop, application).await;
        let settled = now.len() == spares && now == before;
        before = now;
        // Those of the sessions end a little later than these do.
        tokio::time::sleep(Duration::from_millis(100)).await;
        settled
    });
    before
}

#[tokio::test(flavor = "multi_thread")]
async fn each_login_gets_a_connection_of_its_own_and_one_that_waited_if_there_is_one() {
    let shop = Shop::new().await;
    let proxy = Proxy::start_with(&shop, &settings(4, "1 h"));
    let spares = warm_up(&shop, &proxy, "pool", 8, 4).await;
    let mut clients = Vec::new();
    let mut seen = HashSet::new();
    for _ in 0..12 {
        let client = login(&proxy, "pool").await;
        assert!(seen.insert(process(&client).await), "two sessions have one connection");
        clients.push(client);
    }
    assert!(spares.iter().all(|spare| seen.contains(spare)), "{spares:?} of {seen:?}");
}

/// What a session can leave behind.
const TRACES: &str = "SET work_mem = '77MB'; SET application_name = 'left'; SET search_path = pg_catalog; \
    SET TIME ZONE 'Asia/Tokyo'; SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; \
    PREPARE left_behind AS SELECT 1; LISTEN left_behind; SELECT pg_advisory_lock(77)";

/// What a session finds that must be a new one's.
async fn found(client: &Client) -> Vec<String> {
    let mut found = Vec::new();
    let questions = [
        "SELECT concat_ws(' ', current_setting('work_mem'), current_setting('application_name'), \
         current_setting('search_path'), current_setting('TimeZone'), \
         current_setting('default_transaction_read_only'), current_user, pg_my_temp_schema())",
        "SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())::text",
        "SELECT count(*)::text FROM pg_listening_channels()",
    ];
    for question in questions {
        let row = client.query_one(question, &[]).await.unwrap_or_else(|error| panic!("{error:?}"));
        found.push(row.get(0));
    }
    for gone in ["EXECUTE left_behind", "FETCH 1 FROM left_behind", "SELECT * FROM left_table"] {
        let error = client.batch_execute(gone).await.expect_err("it is of another session");
        found.push(error.code().map(|code| code.code().to_owned()).unwrap_or_default());
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_session_shows_in_a_later_one() {
    let shop = Shop::new().await;
    let proxy = Proxy::start_with(&shop, &settings(2, "1 h"));
    let cold = found(&login(&proxy, "trace").await).await;
    let mut waited = 0;
    for _ in 0..8 {
        let spares: HashSet<_> = warm_up(&shop, &proxy, "trace", 4, 2).await.into_iter().collect();
        let client = login(&proxy, "trace").await;
        waited += usize::from(spares.contains(&process(&client).await));
        assert_eq!(found(&client).await, cold);
        client.batch_execute("CREATE TEMP TABLE left_table (a int)").await.expect("a table");
        client.batch_execute("DECLARE left_behind CURSOR WITH HOLD FOR SELECT 1").await.expect("a cursor");
        client.batch_execute(TRACES).await.unwrap_or_else(|error| panic!("{error:?}"));
        let left: String = client.query_one("SHOW work_mem", &[]).await.expect("a setting").get(0);
        assert_eq!(left, "77MB", "or this proves nothing");
    }
    assert_eq!(waited, 8, "or this proves nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_with_other_settings_never_share() {
    let shop = Shop::new().await;
    let proxy = Proxy::start_with(&shop, &settings(8, "1 h"));
    let show = "SELECT concat_ws(' ', current_setting('application_name'), current_setting('geqo'), \
                current_setting('statement_timeout'))";
    let packets = [
        ("one", "", "one on 0"),
        ("two", "", "two on 0"),
        ("one", " options='-c geqo=off'", "one off 0"),
        ("one", " options='-c geqo=off -c statement_timeout=9s'", "one off 9s"),
    ];
    let conninfo = |(application, options, _): (&str, &str, &str)| {
        format!("{} application_name={application}{options}", proxy.conninfo("ada"))
    };
    let mut spares = HashSet::new();
    let mut waited = [0; 4];
    for _ in 0..12 {
        for (index, packet) in packets.into_iter().enumerate() {
            let client = pgwarrant_tests::connect(&conninfo(packet)).await;
            waited[index] += usize::from(spares.contains(&process(&client).await));
            let shown: String = client.query_one(show, &[]).await.expect("settings").get(0);
            assert_eq!(shown, packet.2);
            drop(client);
            tokio::time::sleep(Duration::from_millis(30)).await;
            spares.extend(processes(&shop, "").await);
        }
    }
    assert!(waited.iter().all(|count| *count > 0), "or this proves nothing: {waited:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_decides_at_a_login_takes_effect_when_spares_are_too_old() {
    let shop = Shop::new().await;
    let proxy = Proxy::start_with(&shop, &settings(2, "1 s"));
    let spares = warm_up(&shop, &proxy, "aged", 8, 2).await;
    let alter = format!("ALTER ROLE shop_app IN DATABASE {} SET work_mem = '7MB'", shop.database);
    shop.direct.batch_execute(&alter).await.expect("a setting");
    // Nobody signs in meanwhile.
    eventually!("the spares stay", {
        let now = processes(&shop, "aged").await;
        !now.is_empty() && !now.iter().any(|process| spares.contains(process))
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let client = login(&proxy, "aged").await;
    let shown: String = client.query_one("SHOW work_mem", &[]).await.expect("a setting").get(0);
    assert_eq!(shown, "7MB");
}

#[tokio::test(flavor = "multi_thread")]
async fn spares_that_the_server_has_closed_are_not_handed_out() {
    let shop = Shop::new().await;
    let proxy = Proxy::start_with(&shop, &settings(4, "1 h"));
    for _ in 0..3 {
        let spares = warm_up(&shop, &proxy, "closed", 8, 4).await;
        shop.direct
            .execute("SELECT pg_terminate_backend(pid, 5000) FROM unnest($1::int[]) AS pid", &[&spares])
            .await
            .expect("they end");
        let client = login(&proxy, "closed").await;
        assert!(!spares.contains(&process(&client).await));
        client.batch_execute("SELECT count(*) FROM orders").await.expect("it works");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_went_silent_is_noticed_and_not_waited_for() {
    let shop = Shop::new().await;
    let proxy = Proxy::start_with(&shop, &settings(2, "1 h"));
    let spares = warm_up(&shop, &proxy, "silent", 8, 2).await;
    let signal = |name: &str| {
        for process in &spares {
            let status = std::process::Command::new("kill").args([name, &process.to_string()]).status();
            assert!(status.is_ok_and(|status| status.success()), "kill {name} {process}");
        }
    };
    signal("-STOP");
    let client = login(&proxy, "silent").await;
    let process = process(&client).await;
    signal("-CONT");
    assert!(!spares.contains(&process));
}

#[tokio::test(flavor = "multi_thread")]
async fn spares_give_way_to_logins_when_the_server_is_full() {
    let shop = Shop::new().await;
    let proxy = Proxy::start_with(&shop, &settings(4, "1 h"));
    let spares = warm_up(&shop, &proxy, "full", 8, 4).await;
    let limit = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()";
    let limit: i64 = shop.direct.query_one(limit, &[]).await.expect("a count").get(0);
    let limit = format!("ALTER DATABASE {} CONNECTION LIMIT {limit}", shop.database);
    shop.direct.batch_execute(&limit).await.expect("a limit");
    let mut clients = Vec::new();
    for number in 0..4 {
        let client = login(&proxy, &format!("other_{number}")).await;
        assert!(!spares.contains(&process(&client).await));
        clients.push(client);
    }
    // Then it is full of sessions, and says so itself.
    let conninfo = proxy.conninfo("ada");
    let Err(error) = tokio_postgres::connect(&conninfo, tokio_postgres::NoTls).await else {
        panic!("there is no place");
    };
    assert_eq!(error.code().map(|code| code.code()), Some("53300"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_makes_up_settings_gets_no_more_spares_than_there_may_be() {
    let shop = Shop::new().await;
    let mut proxy = Proxy::start_with(&shop, &settings(3, "1 h"));
    let mut most = 0;
    for number in 0..40 {
        for _ in 0..2 {
            drop(login(&proxy, &format!("made_up_{number}")).await);
        }
        let text = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                    AND usename = 'shop_app' AND backend_start < now() - interval '300 ms'";
        let count: i64 = shop.direct.query_one(text, &[]).await.expect("a count").get(0);
        most = most.max(count);
    }
    assert!(most <= 3, "{most} spares");
    eventually!("the sessions stay", processes(&shop, "").await.len() == 3);
    assert!(proxy.terminate().success());
    eventually!("the spares stay", processes(&shop, "").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn none_are_kept_where_none_are_wanted() {
    let shop = Shop::new().await;
    let proxy = Proxy::start_with(&shop, &settings(0, "1 min"));
    for _ in 0..8 {
        let client = login(&proxy, "none").await;
        let process = process(&client).await;
        eventually!("there are others", processes(&shop, "none").await == [process]);
    }
}
