//! Proves: whatever an insider without a grant sends, no protected value comes out; and what is
//! harmless runs as past the proxy.

use std::collections::HashSet;
use std::fs;

use aho_corasick::AhoCorasick;

use pgwarrant_tests::{Proxy, Run, Shop, server_url, workspace};

/// Statements in a file of tests/data, comments at its top left out.
fn statements(file: &str) -> Vec<String> {
    let text = fs::read_to_string(workspace().join("tests/data").join(file)).expect("a data file");
    let body = text.split_once("\n\n").map_or(text.as_str(), |(_, body)| body);
    body.split("\n;;\n").map(|statement| statement.trim().to_owned()).filter(|s| !s.is_empty()).collect()
}

/// Every protected value of the shop that is long enough not to occur by chance.
async fn secrets(shop: &Shop) -> HashSet<String> {
    let columns = [
        "SELECT name FROM customers",
        "SELECT email::text FROM customers",
        "SELECT split_part(email::text, '@', 1) FROM customers",
        "SELECT phone FROM customers",
        "SELECT ssn FROM customers",
        "SELECT birth_date::text FROM customers",
        "SELECT address FROM customers",
        "SELECT host(last_ip) FROM customers",
        "SELECT card_number FROM payments",
        "SELECT iban FROM payments",
        "SELECT iban FROM hr.employees",
        "SELECT work_email FROM hr.employees",
        "SELECT host(ip) FROM page_views",
        // What hashes and encodings of a raw value would print.
        "SELECT encode(email::text::bytea, 'hex') FROM customers",
        "SELECT md5(email::text) FROM customers",
        "SELECT reverse(email::text) FROM customers",
        "SELECT upper(name) FROM customers",
        "SELECT translate(email::text, '@', '#') FROM customers",
    ];
    let mut secrets = HashSet::new();
    for column in columns {
        for row in shop.direct.query(column, &[]).await.expect("the shop's own data") {
            if let Some(value) = row.get::<_, Option<String>>(0)
                && value.len() >= 8
            {
                secrets.insert(value);
            }
        }
    }
    secrets
}

/// The first protected value that an output holds and the statement itself did not.
fn disclosed(run: &Run, statement: &str, secrets: &AhoCorasick) -> Option<String> {
    let told: HashSet<&str> =
        secrets.find_overlapping_iter(statement).map(|found| &statement[found.range()]).collect();
    let seen = format!("{}\n{}", run.stdout, run.stderr);
    secrets
        .find_overlapping_iter(&seen)
        .map(|found| &seen[found.range()])
        .find(|secret| !told.contains(secret))
        .map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_discloses_a_protected_cell() {
    let shop = Shop::new().await;
    let proxy = Proxy::start(&shop);
    let secrets = secrets(&shop).await;
    assert!(secrets.len() > 5000, "the shop holds personal data");
    let secrets = AhoCorasick::new(&secrets).expect("a search over all of them");
    // The oracle must be able to fail: past the proxy the first attack shows what it looks for.
    let past = psql_direct(&shop, "SELECT * FROM customers");
    assert!(disclosed(&past, "", &secrets).is_some());

    let mut leaks = Vec::new();
    for attack in statements("attacks.sql") {
        let script = attack.replace("; ", ";\n") + ";\n";
        for script in [script, format!("{attack} \\;\nSELECT 1;\n")] {
            let run = proxy.psql_with("ada", &["-A", "-t", "-v", "VERBOSITY=verbose"], &script);
            if let Some(secret) = disclosed(&run, &attack, &secrets) {
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

/// psql past the proxy, as the role that the proxy uses.
fn psql_direct(shop: &Shop, script: &str) -> Run {
    let url = server_url(&shop.database).replace("postgres://postgres@", "postgres://shop_app@");
    pgwarrant_tests::psql(&url, &["-A", "-t", "-v", "VERBOSITY=sqlstate"], script)
}
