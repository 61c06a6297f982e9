//! A second factor: enrolled, confirmed and shown from psql, with codes of oathtool's.

use std::path::Path;
use std::process::Command;

use pgwarrant_tests::{Proxy, Shop};

use crate::{call, proxy, unix};

const POLICIES: &str = r#"
@id("ask-privacy")
@decision("ask")
@approvers("privacy")
@second_factor("approver")
permit (principal, action, resource);
"#;

fn start(shop: &Shop) -> Proxy {
    let directory = tempfile::tempdir().expect("a directory").keep();
    let file = directory.join("requests.cedar");
    std::fs::write(&file, POLICIES).expect("a file of policies");
    let append = format!(
        "\n[policy]\nfiles = [\"{}\"]\n[[group]]\nname = \"security\"\nmay_administer = true\n\
         [[user]]\nname = \"sid\"\ngroups = [\"security\"]\nscram = \"{}\"\n",
        file.display(),
        pgwarrant_wire::auth::make_verifier("sid-demo", 4096).expect("a verifier")
    );
    proxy(shop, append)
}

/// The code of the step so many steps from now.
fn code(secret: &str, steps: i64) -> String {
    let output = Command::new("oathtool")
        .args(["--totp", "--base32", &format!("--now=@{}", unix() + 30 * steps), secret])
        .output()
        .expect("oathtool must be installed: tests/bin/install tests");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Enrols as a person does; the secret, as psql shows it.
fn enrol(proxy: &Proxy, user: &str) -> String {
    let run = proxy.psql(user, "SELECT state FROM pgwarrant.enrol_second_factor();");
    assert_eq!(run.stdout, "shown", "{}", run.stderr);
    let secret = run.stderr.split("Secret: ").nth(1).and_then(|rest| rest.lines().next());
    let secret = secret.unwrap_or_else(|| panic!("no secret in {}", run.stderr)).to_owned();
    let link = format!("otpauth://totp/pgwarrant:{user}?secret={secret}&issuer=pgwarrant");
    assert!(run.stderr.contains(&link), "{}", run.stderr);
    secret
}

/// Does any file below hold these bytes?
fn holds(directory: &Path, bytes: &[u8]) -> bool {
    let entries = std::fs::read_dir(directory).expect("a directory");
    entries.map(|entry| entry.expect("an entry").path()).any(|path| {
        if path.is_dir() {
            return holds(&path, bytes);
        }
        // A socket is no file.
        std::fs::read(&path).is_ok_and(|all| all.windows(bytes.len()).any(|window| window == bytes))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_needs_a_second_factor_is_given_with_one() {
    let shop = Shop::new().await;
    let mut proxy = start(&shop);
    let (ada, petra) = (proxy.connect("ada").await, proxy.connect("petra").await);
    for _ in 0..3 {
        call(&ada, "SELECT * FROM pgwarrant.request('customers.email', reason => 'r')").await;
    }
    let refused = "42501 user \"petra\" may not approve request";
    assert!(call(&petra, "SELECT state FROM pgwarrant.approve(1)").await.starts_with(refused));
    let said = call(&petra, "SELECT pgwarrant.second_factor('123456')").await;
    assert_eq!(said, "28000 no second factor is enrolled");

    let secret = enrol(&proxy, "petra");
    let said = call(&petra, &format!("SELECT pgwarrant.second_factor('{}')", code(&secret, 0))).await;
    assert_eq!(said, "28000 no second factor is enrolled", "it is not confirmed");
    let said = call(&petra, "SELECT pgwarrant.confirm_second_factor('12345')").await;
    assert_eq!(said, "22023 the code does not have six digits");
    let first = code(&secret, 0);
    let confirmed =
        call(&petra, &format!("SELECT state FROM pgwarrant.confirm_second_factor('{first}')")).await;
    assert_eq!(confirmed, "enrolled");
    assert_eq!(call(&petra, "SELECT state FROM pgwarrant.approve(1)").await, "approved");

    // Another session has not shown it, and a code is good once.
    let other = proxy.connect("petra").await;
    assert!(call(&other, "SELECT state FROM pgwarrant.approve(2)").await.starts_with(refused));
    let again = call(&other, &format!("SELECT pgwarrant.second_factor('{first}')")).await;
    assert_eq!(again, "28000 the code has been used");
    let next = code(&secret, 1);
    let said = call(&other, &format!("SELECT state FROM pgwarrant.second_factor('{next}')")).await;
    assert_eq!(said, "shown");
    assert_eq!(call(&other, "SELECT state FROM pgwarrant.approve(2)").await, "approved");
    let said = call(&petra, "SELECT pgwarrant.enrol_second_factor()").await;
    assert_eq!(said, "28000 a second factor is enrolled already");

    // On record is that, and whose; what was shown is nowhere.
    let aud = proxy.connect("aud").await;
    let notes =
        "SELECT string_agg(statement, '; ' ORDER BY seq) FROM pgwarrant.audit WHERE kind = 'second_factor'";
    let notes = call(&aud, notes).await;
    assert!(notes.contains("a second factor was enrolled, of person petra"), "{notes}");
    let texts = call(&aud, "SELECT string_agg(statement, ' ') FROM pgwarrant.audit").await;
    let found = |texts: &str| {
        [&secret, &first, &next].into_iter().find(|text| texts.contains(text.as_str())).cloned()
    };
    assert_eq!(found(&texts), None);
    assert_eq!(found(&proxy.log()), None);
    assert!(!holds(&proxy.store(), secret.as_bytes()));

    proxy.crash_and_restart();
    let petra = proxy.connect("petra").await;
    assert!(call(&petra, "SELECT state FROM pgwarrant.approve(3)").await.starts_with(refused));
    let again = call(&petra, &format!("SELECT pgwarrant.second_factor('{next}')")).await;
    assert_eq!(again, "28000 the code has been used", "also before the restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_removes_the_factor_of_somebody_else() {
    let shop = Shop::new().await;
    let proxy = start(&shop);
    let (ada, petra, sid) =
        (proxy.connect("ada").await, proxy.connect("petra").await, proxy.connect("sid").await);
    call(&ada, "SELECT * FROM pgwarrant.request('customers.email', reason => 'r')").await;
    let secret = enrol(&proxy, "petra");
    call(&petra, &format!("SELECT pgwarrant.confirm_second_factor('{}')", code(&secret, 0))).await;

    let remove = "SELECT state FROM pgwarrant.remove_second_factor('petra', reason => 'lost her telephone')";
    for client in [&ada, &petra] {
        assert!(call(client, remove).await.starts_with("42501"), "without the right");
    }
    let own = call(&sid, "SELECT pgwarrant.remove_second_factor('sid')").await;
    assert_eq!(own, "42501 nobody removes their own second factor");
    let nobody = call(&sid, "SELECT pgwarrant.remove_second_factor('eve')").await;
    assert_eq!(nobody, "42704 person \"eve\" has no second factor");
    assert_eq!(call(&sid, remove).await, "removed");

    // What was shown before counts no longer, and another factor can be enrolled.
    let said = call(&petra, "SELECT state FROM pgwarrant.approve(1)").await;
    assert!(said.starts_with("42501"), "{said}");
    let said = call(&petra, &format!("SELECT pgwarrant.second_factor('{}')", code(&secret, 1))).await;
    assert_eq!(said, "28000 no second factor is enrolled");
    assert_ne!(enrol(&proxy, "petra"), secret);
    let aud = proxy.connect("aud").await;
    let by =
        "SELECT user_name || ': ' || statement FROM pgwarrant.audit WHERE statement LIKE '%was removed%'";
    assert_eq!(call(&aud, by).await, "sid: a second factor was removed, of person petra");
}
