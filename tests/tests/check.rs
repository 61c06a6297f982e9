//! Proves: `pgwarrant check` tells every problem at once, with its line, and what the live database
//! says of the labels and the roles.

use std::fs;

use pgwarrant_tests::{Proxy, Shop};
use serde_json::Value;

/// Runs `check --json` on the proxy's configuration with `replace` applied; exit status and findings.
fn check(proxy: &Proxy, replace: &[(&str, &str)]) -> (bool, Vec<Value>) {
    let mut text = fs::read_to_string(proxy.config()).expect("the configuration");
    for (from, to) in replace {
        assert!(text.contains(from), "{from:?} is in proxy.toml");
        text = text.replace(from, to);
    }
    let file = proxy.directory.path().join("checked.toml");
    fs::write(&file, text).expect("a file");
    let run = proxy.pgwarrant(&["check", "--json", "--config", &file.display().to_string()]);
    let findings = run.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    (run.success, findings)
}

fn has(findings: &[Value], severity: &str, text: &str) -> bool {
    findings.iter().any(|finding| {
        finding["severity"] == severity
            && finding["line"].is_u64()
            && ["message", "detail"]
                .iter()
                .any(|part| finding[*part].as_str().is_some_and(|message| message.contains(text)))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_is_told_at_once_with_its_line() {
    let shop = Shop::new().await;
    let proxy = Proxy::start(&shop);

    let (success, findings) = check(&proxy, &[]);
    assert!(success, "the repository's own file has no errors: {findings:#?}");
    assert!(!findings.iter().any(|finding| finding["severity"] == "error"), "{findings:#?}");

    let mistakes = [("startup_timeout", "startup_timeuot"), ("may_audit = true", "may_adit = true")];
    let (success, findings) = check(&proxy, &mistakes);
    assert!(!success);
    assert!(has(&findings, "error", "startup_timeuot"), "{findings:#?}");
    assert!(has(&findings, "error", "may_adit"), "{findings:#?}");
    assert!(findings.iter().any(|f| f["hint"].as_str().is_some_and(|hint| hint.contains("startup_timeout"))));

    let unbound = [("columns = \"customers.phone\"", "columns = \"customers.fone\"")];
    let (success, findings) = check(&proxy, &unbound);
    assert!(!success, "a label that binds to nothing is an error: {findings:#?}");
    assert!(has(&findings, "error", "customers.fone"), "{findings:#?}");

    let misfit = [
        ("mask = \"card\"", "mask = \"phone\""),
        ("mask = { constant = \"1900-01-01\" }", "mask = \"token\""),
    ];
    let (success, findings) = check(&proxy, &misfit);
    assert!(!success, "a token is no date: {findings:#?}");
    assert!(has(&findings, "error", "birth_date"), "{findings:#?}");

    let (_, findings) = check(&proxy, &[("name = \"shop_app\"", "name = \"postgres\"")]);
    assert!(has(&findings, "warning", "postgres"), "a superuser is told: {findings:#?}");

    let nowhere = [("127.0.0.1:", "127.0.0.1:1")];
    let (success, findings) = check(&proxy, &nowhere);
    assert!(!success && findings.iter().any(|finding| finding["severity"] == "error"), "{findings:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mask_that_does_not_fit_its_column_stops_the_start() {
    let shop = Shop::new().await;
    let proxy = Proxy::start(&shop);
    let text = fs::read_to_string(proxy.config()).expect("the configuration");
    let text = text
        .replace("mask = { constant = \"1900-01-01\" }", "mask = \"token\"")
        .replace(
            &proxy.store().display().to_string(),
            &proxy.directory.path().join("other").display().to_string(),
        )
        .replace(
            &format!("127.0.0.1:{}\"", proxy.port),
            &format!("127.0.0.1:{}\"", pgwarrant_tests::free_port()),
        );
    let file = proxy.directory.path().join("misfit.toml");
    fs::write(&file, text).expect("a file");
    let run = proxy.pgwarrant(&["serve", "--config", &file.display().to_string()]);
    assert!(!run.success);
    assert!(run.stderr.contains("birth_date"), "{}", run.stderr);
}
