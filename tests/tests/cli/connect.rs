//! psql, opened by `pgwarrant connect`.

use pgwarrant_tests::Shop;
use serde_json::json;

use crate::device::{House, given};
use crate::{Desk, Ran, Served, finish};

const WHO: &str = "SELECT user_name, sign_in FROM pgwarrant.whoami";

/// Runs a statement in the psql that is opened, with these in the environment.
fn psql(served: &Served, desk: &Desk, environment: &[(&str, &str)], sql: &str) -> Ran {
    let port = served.proxy.port.to_string();
    let mut command =
        desk.command(&["connect", "shop", "--port", &port, "--", "-X", "-A", "-t", "-w", "-c", sql]);
    command.envs(environment.iter().copied());
    finish(command.spawn().expect("pgwarrant starts"), "")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_s_token_opens_psql_and_is_in_no_argument() {
    let (shop, house) = (Shop::new().await, House::new().await);
    let served = Served::start_with(&shop, &house.section());
    let desk = served.somebody();
    let token = house.token(300);
    house.issuer.authorizes(house.device(json!({})), [given(&token, json!({}))]);
    assert_eq!(house.login(&desk).status, 0);
    let ran = psql(&served, &desk, &[], WHO);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "zoe|oidc\n"), "{ran:?}");

    // What the environment says of another server is not followed: the token would go there.
    let elsewhere = [
        ("PGHOST", "203.0.113.1"),
        ("PGHOSTADDR", "203.0.113.1"),
        ("PGPORT", "1"),
        ("PGSERVICE", "x"),
        ("PGUSER", "adam"),
        ("PGOPTIONS", "-c statement_timeout=7s"),
    ];
    let ran = psql(&served, &desk, &elsewhere, "SHOW statement_timeout");
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "7s\n"), "{ran:?}");

    let arguments = psql(&served, &desk, &[], "\\! tr '\\\\0' ' ' < /proc/$PPID/cmdline");
    assert!(arguments.stdout.contains("-c") && !arguments.stdout.contains(&token), "{arguments:?}");
    // Its exit status is psql's.
    assert_eq!(psql(&served, &desk, &[], "SELECT nothing").status, 1);
    assert_eq!(psql(&served, &desk, &[], "\\q").status, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_a_password_is_asked_for_it_by_psql() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let ada = served.desk("ada");
    let ran = psql(&served, &ada, &[("PGPASSWORD", "ada-demo")], WHO);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "ada|scram\n"), "{ran:?}");
    let ran = psql(&served, &ada, &[], WHO);
    assert!(ran.status == 2 && ran.stderr.contains("no password supplied"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_psql_that_is_said() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let ada = served.desk("ada");
    let mut command = ada.command(&["connect"]);
    command.env("PATH", ada.home.path());
    let ran = finish(command.spawn().expect("pgwarrant starts"), "");
    assert!(ran.status == 2 && ran.stderr.contains("HINT: Install PostgreSQL's client programs"), "{ran:?}");
}
