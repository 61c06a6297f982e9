//! A second factor over HTTP, with codes of oathtool's.

use std::process::Command;

use pgwarrant_tests::{Proxy, Shop};
use serde_json::json;

use crate::{Served, ask};

const POLICIES: &str = r#"
@id("ask-privacy")
@decision("ask")
@approvers("privacy")
@second_factor("approver")
permit (principal, action, resource);
"#;

fn start(shop: &Shop) -> Served {
    let file = tempfile::tempdir().expect("a directory").keep().join("requests.cedar");
    std::fs::write(&file, POLICIES).expect("a file of policies");
    let sections = format!(
        "\n[policy]\nfiles = [\"{}\"]\n[[group]]\nname = \"security\"\nmay_administer = true\n\
         [[user]]\nname = \"sid\"\ngroups = [\"security\"]\nscram = \"{}\"\n",
        file.display(),
        pgwarrant_wire::auth::make_verifier("sid-demo", 4096).expect("a verifier")
    );
    Served::start_with(shop, "", &sections)
}

/// The code of the step so many steps from now.
fn code(secret: &str, steps: i64) -> String {
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock that is set");
    let at = i64::try_from(now.as_secs()).expect("a time") + 30 * steps;
    let output = Command::new("oathtool")
        .args(["--totp", "--base32", &format!("--now=@{at}"), secret])
        .output()
        .expect("oathtool must be installed: tests/bin/install tests");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Enrols petra's, from psql, with the code of a step; the secret.
fn enrol(proxy: &Proxy, step: i64) -> String {
    let run = proxy.psql("petra", "SELECT state FROM pgwarrant.enrol_second_factor();");
    let secret = run.stderr.split("Secret: ").nth(1).and_then(|rest| rest.lines().next());
    let secret = secret.unwrap_or_else(|| panic!("no secret in {}", run.stderr)).to_owned();
    let confirm = format!("SELECT state FROM pgwarrant.confirm_second_factor('{}');", code(&secret, step));
    let run = proxy.psql("petra", &confirm);
    assert_eq!(run.stdout, "enrolled", "{}", run.stderr);
    secret
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_counts_in_its_session_until_it_is_removed() {
    let shop = Shop::new().await;
    let served = start(&shop);
    let (ada, petra, other) = (served.sign_in("ada"), served.sign_in("petra"), served.sign_in("petra"));
    let secret = enrol(&served.proxy, -1);
    let approve = |shows, id: u64| {
        let answer = served.post(shows, &format!("/v1/requests/{id}/approve"), &json!({}));
        (answer.status, answer.problem())
    };
    let lacking = (403, "second_factor".to_owned());
    let ids: Vec<u64> = (0..4).map(|_| ask(&served, &ada)).collect();
    assert_eq!(approve(&petra, ids[0]), lacking);
    let show = |shows, code: &str| served.post(shows, "/v1/session/second-factor", &json!({ "code": code }));
    let wrong = show(&petra, "000000");
    assert_eq!((wrong.status, wrong.problem()), lacking);
    let first = code(&secret, 0);
    assert_eq!(show(&petra, &first).json()["second_factor_age"], 0);
    assert_eq!(approve(&petra, ids[0]), (200, String::new()));
    assert_eq!(approve(&other, ids[1]), lacking, "in that session alone");
    assert_eq!(show(&other, &first).status, 403, "a code is good once");

    // Removed, it counts no longer; nor does it when another has been enrolled.
    let removed = "SELECT state FROM pgwarrant.remove_second_factor('petra', reason => 'lost');";
    assert_eq!(served.proxy.psql("sid", removed).stdout, "removed");
    assert_eq!(approve(&petra, ids[1]), lacking);
    assert!(served.get(&petra, "/v1/whoami").json()["second_factor_age"].is_null());
    let secret = enrol(&served.proxy, 0);
    assert_eq!(approve(&petra, ids[1]), lacking);
    assert_eq!(show(&petra, &code(&secret, 1)).status, 200);
    assert_eq!(approve(&petra, ids[1]), (200, String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_cannot_show_a_second_factor() {
    let shop = Shop::new().await;
    let served = start(&shop);
    let secret = enrol(&served.proxy, -1);
    let id = ask(&served, &served.sign_in("ada"));
    let token = served.token("petra", &["read", "approve"]);
    let shown = served.post(&token, "/v1/session/second-factor", &json!({ "code": code(&secret, 0) }));
    assert_eq!((shown.status, shown.problem().as_str()), (403, "not_allowed"));
    let refused = served.post(&token, &format!("/v1/requests/{id}/approve"), &json!({}));
    assert_eq!((refused.status, refused.problem().as_str()), (403, "second_factor"));
}
