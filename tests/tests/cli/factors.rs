//! A decision that needs a second factor, with codes of oathtool's.

use std::process::Command;

use pgwarrant_tests::{Proxy, Shop};

use crate::Served;

const POLICIES: &str = r#"
@id("ask-privacy")
@decision("ask")
@approvers("privacy")
@second_factor("approver")
permit (principal, action, resource);
"#;

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

/// Enrols petra's, from psql; the secret.
async fn enrol(proxy: &Proxy) -> String {
    let run = proxy.psql("petra", "SELECT state FROM pgwarrant.enrol_second_factor();");
    let secret = run.stderr.split("Secret: ").nth(1).and_then(|rest| rest.lines().next());
    let secret = secret.unwrap_or_else(|| panic!("no secret in {}", run.stderr)).to_owned();
    let confirm = format!("SELECT state FROM pgwarrant.confirm_second_factor('{}');", code(&secret, -1));
    let run = proxy.psql("petra", &confirm);
    assert_eq!(run.stdout, "enrolled", "{}", run.stderr);
    secret
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_needs_a_second_factor_is_made_with_one() {
    let shop = Shop::new().await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("requests.cedar");
    std::fs::write(&file, POLICIES).expect("a file of policies");
    let served = Served::start_with(&shop, &format!("\n[policy]\nfiles = [\"{}\"]\n", file.display()));
    let (ada, petra) = (served.desk("ada"), served.desk("petra"));
    ada.ask("one");
    ada.ask("two");
    let secret = enrol(&served.proxy).await;

    let refused = petra.run(&["request", "approve", "1"]);
    assert!(
        refused.status == 1
            && refused.stderr.contains("HINT: Run it on a terminal, or with --second-factor."),
        "{refused:?}"
    );
    let with = ["request", "approve", "1", "--second-factor"];
    let wrong = petra.run_with(&with, "petra-demo\n000000\n");
    assert!(wrong.status == 1 && wrong.stderr.contains("second factor"), "{wrong:?}");
    let wrong = petra.run_with(&with, &format!("guess\n{}\n", code(&secret, 0)));
    assert_eq!(wrong.status, 4, "{wrong:?}");
    let approved = petra.run_with(&with, &format!("petra-demo\n{}\n", code(&secret, 0)));
    assert_eq!(approved.status, 0, "{approved:?}");

    // On a terminal it is asked for where it is needed. script gives it one.
    let program = format!("{} request approve 2", pgwarrant_tests::binary().display());
    let mut script = petra.command(&[]);
    let environment: Vec<_> =
        script.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    script = Command::new("script");
    script.args(["-q", "-e", "-c", &program, "/dev/null"]).envs(environment).env_remove("PGWARRANT_TOKEN");
    script
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let typed = format!("petra-demo\n{}\n", code(&secret, 1));
    let ran = crate::finish(script.spawn().expect("script must be installed: bsdutils"), &typed);
    assert!(ran.status == 0 && ran.stdout.contains("grant 2 gives ada"), "{ran:?}");
    assert!(
        ran.stdout.contains("Password of petra: ") && ran.stdout.contains("Code of the second factor: "),
        "{ran:?}"
    );
}
