//! Proves: whatever an insider without a grant sends, no protected value comes out; and what is
//! harmless runs as past the proxy.

mod support;

use pgwarrant_tests::{Proxy, Run, Shop, server_url};
use support::{disclosed, secrets, statements};

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_discloses_a_protected_cell() {
    let shop = Shop::new().await;
    let proxy = Proxy::start(&shop);
    let secrets = secrets(&shop, &proxy).await;
    // The oracle must be able to fail: past the proxy the first attack shows what it looks for.
    let past = psql_direct(&shop, "SELECT * FROM customers");
    assert!(disclosed(&output(&past), "", &secrets).is_some());

    let mut leaks = Vec::new();
    for attack in statements("attacks.sql") {
        let script = attack.replace("; ", ";\n") + ";\n";
        for script in [script, format!("{attack} \\;\nSELECT 1;\n")] {
            let run = proxy.psql_with("ada", &["-A", "-t", "-v", "VERBOSITY=verbose"], &script);
            if let Some(secret) = disclosed(&output(&run), &attack, &secrets) {
                leaks.push(format!("{script}\n  printed {secret:?}:\n{}\n{}", run.stdout, run.stderr));
            }
            if run.stderr.contains("server closed the connection") || run.stderr.contains("FATAL") {
                leaks.push(format!("{script}\n  ended the session:\n{}", run.stderr));
            }
        }
    }
    assert!(leaks.is_empty(), "{} statements:\n{}", leaks.len(), leaks.join("\n---\n"));
    let untouched: i64 =
        shop.direct.query_one("SELECT count(*) FROM customers", &[]).await.expect("a count").get(0);
    assert_eq!(untouched, 500, "no attack changed a customer");
    assert!(!proxy.log().contains("panicked"), "{}", proxy.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_harmless_runs_as_past_the_proxy() {
    let shop = Shop::new().await;
    let proxy = Proxy::start(&shop);
    let mut differences = Vec::new();
    for statement in statements("harmless.sql") {
        let script = statement.replace("; ", ";\n") + ";\n";
        let past = psql_direct(&shop, &script);
        let through = proxy.psql_with("ada", &["-A", "-t", "-v", "VERBOSITY=sqlstate"], &script);
        if past.stdout != through.stdout || past.stderr != through.stderr {
            differences.push(format!(
                "{statement}\n  past:    {} {}\n  through: {} {}",
                past.stdout, past.stderr, through.stdout, through.stderr
            ));
        }
    }
    assert!(differences.is_empty(), "{} statements:\n{}", differences.len(), differences.join("\n---\n"));
}

/// Everything that psql printed.
fn output(run: &Run) -> String {
    format!("{}\n{}", run.stdout, run.stderr)
}

/// psql past the proxy, as the role that the proxy uses.
fn psql_direct(shop: &Shop, script: &str) -> Run {
    let url = server_url(&shop.database).replace("postgres://postgres@", "postgres://shop_app@");
    pgwarrant_tests::psql(&url, &["-A", "-t", "-v", "VERBOSITY=sqlstate"], script)
}
