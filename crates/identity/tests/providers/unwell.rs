//! Issuers that are down, slow, broken, or not who they say; and who tries to make us a nuisance to
//! one.

use std::time::Duration;

use pgwarrant_identity::oidc::{Provider, Refused, Settings, SettingsError};
use serde_json::json;

use crate::certificates::{Certificates, Validity};
use crate::issuer::{Issuer, Mood, ok};
use crate::keys::SigningKey;
use crate::oidc::{House, at, claims, header, now, settings};

const HOUR: u64 = 3600;

#[track_caller]
fn unavailable<T: std::fmt::Debug>(outcome: Result<T, Refused>, why: &str) {
    match outcome {
        Err(refused @ Refused::Unavailable(_)) => {
            assert!(format!("{refused:?}").contains(why), "{refused:?}");
            assert_eq!(refused.sqlstate(), "57P03");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn known_keys_go_on_for_a_while_and_then_nobody_gets_in() {
    let mut house = House::new().await;
    let provider = house.provider();
    let token = |later: u64| {
        let begun = crate::oidc::NOW as u64 + later;
        house.token(json!({"iat": begun, "exp": begun + 300}))
    };
    assert!(provider.verify(&token(0), "ada", now()).await.is_ok());
    let (tokens, new) = ([8 * HOUR - 60, 8 * HOUR + 1, 9 * HOUR].map(|later| (later, token(later))), {
        let key = SigningKey::p256();
        key.sign(&header("ES256", "new"), &claims(&house.issuer).to_string())
    });
    house.issuer.stop().await;
    unavailable(provider.verify(&new, "ada", at(60)).await, "no connection");
    for (later, token) in tokens {
        let outcome = provider.verify(&token, "ada", at(later)).await;
        if later < 8 * HOUR {
            assert!(outcome.is_ok(), "{later}: {outcome:?}");
        } else {
            unavailable(outcome, "no connection");
        }
    }
}

#[tokio::test]
async fn an_issuer_that_was_never_reached_lets_nobody_in() {
    let mut house = House::new().await;
    let (provider, token) = (house.provider(), house.token(json!({})));
    house.issuer.stop().await;
    unavailable(provider.verify(&token, "ada", now()).await, "no connection");
    assert!(provider.warm(now()).await.unwrap_err().contains("no connection"));
}

#[tokio::test]
async fn made_up_keys_do_not_make_us_hammer_the_issuer() {
    let house = House::new().await;
    let provider = house.provider();
    provider.warm(now()).await.unwrap();
    let forger = SigningKey::p256();
    let forged: Vec<String> = (0..200)
        .map(|number| {
            forger.sign(&header("ES256", &format!("x{number}")), &claims(&house.issuer).to_string())
        })
        .collect();
    for later in [1, 9, 11, 15, 20] {
        let all: Vec<_> = forged
            .iter()
            .cloned()
            .map(|token| {
                let provider = provider.clone();
                tokio::spawn(async move { provider.verify(&token, "ada", at(later)).await })
            })
            .collect();
        for one in all {
            assert_eq!(one.await.unwrap(), Err(Refused::UnknownKey));
        }
    }
    let fetched = house.issuer.asked().iter().filter(|path| *path == "/keys").count();
    assert_eq!(fetched, 2, "once at first, once after ten seconds: {:?}", house.issuer.asked());
    assert!(provider.verify(&house.token(json!({})), "ada", at(20)).await.is_ok());
}

/// Who hangs up at once must not make the next attempt free.
#[tokio::test]
async fn an_attempt_counts_although_nobody_waits_for_it() {
    let house = House::new().await;
    let provider = house.provider();
    let token = house.token(json!({}));
    for _ in 0..50 {
        let attempt = provider.verify(&token, "ada", now());
        let _ = tokio::time::timeout(Duration::ZERO, attempt).await;
    }
    assert!(provider.verify(&token, "ada", now()).await.is_ok());
    assert_eq!(house.issuer.asked().len(), 2, "{:?}", house.issuer.asked());
}

#[tokio::test]
async fn new_keys_are_found_and_withdrawn_ones_forgotten() {
    let house = House::new().await;
    let provider = house.provider();
    let old = house.token(json!({}));
    assert!(provider.verify(&old, "ada", now()).await.is_ok());
    let key = SigningKey::ed25519();
    house.issuer.publish(&[key.jwk("k2")]);
    let new = key.sign(&header("EdDSA", "k2"), &claims(&house.issuer).to_string());
    assert_eq!(provider.verify(&new, "ada", at(5)).await, Err(Refused::UnknownKey), "too soon to ask again");
    assert!(provider.verify(&new, "ada", at(11)).await.is_ok());
    assert_eq!(provider.verify(&old, "ada", at(12)).await, Err(Refused::UnknownKey));
}

#[tokio::test]
async fn keys_are_fetched_again_behind_the_scenes() {
    let house = House::new().await;
    let provider = house.provider();
    let begun = crate::oidc::NOW as u64 + 16 * 60;
    let token = house.token(json!({"iat": begun, "exp": begun + 300}));
    provider.warm(now()).await.unwrap();
    house.issuer.publish(&[]);
    let old_enough = at(16 * 60);
    assert!(provider.verify(&token, "ada", old_enough).await.is_ok(), "it does not wait for the new ones");
    // Waits for the attempt that is under way.
    provider.warm(old_enough).await.unwrap();
    assert_eq!(provider.verify(&token, "ada", old_enough).await, Err(Refused::UnknownKey));
}

#[tokio::test]
async fn what_is_not_what_an_issuer_says_is_not_believed() {
    let house = House::new().await;
    let keys = format!("{}/keys", house.issuer.url);
    let raw = |text: &str| Mood::Raw(text.as_bytes().to_vec());
    let endless = [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &[b' '; 300 << 10]].concat();
    for (mood, why) in [
        (raw(""), "did not speak HTTP"),
        (raw("SSH-2.0-OpenSSH\r\n"), "did not speak HTTP"),
        (raw(&format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(100 << 10))), "did not speak HTTP"),
        (raw("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"), "status 500"),
        (raw("HTTP/1.1 204 No Content\r\n\r\n"), "status 204"),
        (
            raw("HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n"),
            "redirects",
        ),
        (raw("HTTP/1.1 307 Moved\r\nLocation: /keys\r\nContent-Length: 0\r\n\r\n"), "redirects"),
        (raw("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"), "broke off"),
        (raw("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{"), "broke off"),
        (Mood::Raw(endless), "longer than"),
        (Mood::Raw(ok("<html>")), "not a JSON object"),
        (Mood::Raw(ok("[]")), "not a JSON object"),
        (Mood::Raw(ok(r#"{"issuer": "a", "issuer": "b"}"#)), "not a JSON object"),
        (Mood::Discovery(json!({"jwks_uri": keys})), "another issuer"),
        (Mood::Discovery(json!({"issuer": "https://evil.example", "jwks_uri": keys})), "another issuer"),
        (
            Mood::Discovery(json!({"issuer": format!("{}/", house.issuer.url), "jwks_uri": keys})),
            "another issuer",
        ),
        (Mood::Discovery(json!({"issuer": house.issuer.url})), "no jwks_uri"),
        (Mood::Discovery(json!({"issuer": house.issuer.url, "jwks_uri": 7})), "no jwks_uri"),
        (
            Mood::Discovery(json!({"issuer": house.issuer.url, "jwks_uri": "http://evil.example/keys"})),
            "https://",
        ),
        (Mood::Discovery(json!({"issuer": house.issuer.url, "jwks_uri": "file:///etc/passwd"})), "not a URL"),
        (
            Mood::Discovery(json!({"issuer": house.issuer.url, "jwks_uri": format!("{keys}/none")})),
            "status 404",
        ),
    ] {
        house.issuer.is(mood.clone());
        let outcome = house.provider().verify(&house.token(json!({})), "ada", now()).await;
        assert!(matches!(outcome, Err(Refused::Unavailable(_))), "{mood:?}: {outcome:?}");
        unavailable(outcome, why);
    }
    let mut direct = settings(&house.issuer);
    direct.jwks_uri = Some(keys);
    let direct = Provider::new(direct).unwrap();
    let many = vec![house.key.jwk("k"); 65];
    let broken = [json!([]), json!({}), json!({"keys": {}}), json!({"keys": many})];
    for (round, body) in broken.iter().enumerate() {
        house.issuer.is(Mood::Raw(ok(&body.to_string())));
        let outcome = direct.verify(&house.token(json!({})), "ada", at(round as u64 * 11)).await;
        unavailable(outcome, "not a JSON Web Key Set");
    }
    house.issuer.is(Mood::Well);
    assert!(direct.verify(&house.token(json!({})), "ada", at(60)).await.is_ok());
}

#[tokio::test]
async fn a_silent_issuer_is_not_waited_for() {
    let house = House::new().await;
    house.issuer.is(Mood::Silent);
    let mut settings = settings(&house.issuer);
    settings.timeout = Duration::from_millis(50);
    let provider = Provider::new(settings).unwrap();
    let token = house.token(json!({}));
    unavailable(provider.verify(&token, "ada", now()).await, "within 50 ms");
    // The next one is told at once.
    unavailable(provider.verify(&token, "ada", now()).await, "within 50 ms");
    assert_eq!(house.issuer.asked().len(), 1);
}

/// Garbage in place of keys does not take those away that are known.
#[tokio::test]
async fn a_broken_answer_takes_no_key_away() {
    let house = House::new().await;
    let provider = house.provider();
    provider.warm(now()).await.unwrap();
    house.issuer.is(Mood::Raw(ok("oops")));
    assert!(provider.warm(at(20)).await.is_err());
    assert!(provider.verify(&house.token(json!({})), "ada", at(20)).await.is_ok());
}

#[tokio::test]
async fn over_https_the_certificate_counts() {
    let (good, expired) = (Certificates::new(Validity::Now), Certificates::new(Validity::Expired));
    let key = SigningKey::p256();
    for (serving, trusting, why) in [
        (&good, Some(&good), None),
        (&good, Some(&expired), Some("TLS handshake failed")),
        (&good, None, Some("TLS handshake failed")),
        (&expired, Some(&expired), Some("TLS handshake failed")),
    ] {
        let issuer = Issuer::start_with_tls(&[key.jwk("k")], serving).await;
        let mut settings = settings(&issuer);
        settings.ca = trusting.map(Certificates::ca);
        let provider = match Provider::new(settings) {
            // A machine without any authorities is told so earlier.
            Err(SettingsError::Trust(_)) if trusting.is_none() => continue,
            provider => provider.unwrap(),
        };
        let token = key.sign(&header("ES256", "k"), &claims(&issuer).to_string());
        let outcome = provider.verify(&token, "ada", now()).await;
        match why {
            None => assert!(outcome.is_ok(), "{outcome:?}"),
            Some(why) => unavailable(outcome, why),
        }
    }
    // From https it does not go on without.
    let issuer = Issuer::start_with_tls(&[key.jwk("k")], &good).await;
    let plain = Issuer::start(&[key.jwk("k")]).await;
    let mut settings = settings(&issuer);
    settings.ca = Some(good.ca());
    issuer.is(Mood::Discovery(json!({"issuer": issuer.url, "jwks_uri": format!("{}/keys", plain.url)})));
    let token = key.sign(&header("ES256", "k"), &claims(&issuer).to_string());
    let provider = Provider::new(settings.clone()).unwrap();
    unavailable(provider.verify(&token, "ada", now()).await, "not https");
    settings.jwks_uri = Some(format!("{}/keys", plain.url));
    assert!(matches!(Provider::new(settings), Err(SettingsError::JwksPlain)));
}

#[test]
fn settings_that_cannot_be_safe_are_refused() {
    let good = || Settings::new("https://login.example/realms/shop", "pgwarrant");
    assert!(Provider::new(good()).is_ok());
    type Change = fn(&mut Settings);
    let bad: [(&str, Change); 14] = [
        ("issuer", |settings| settings.issuer = "http://login.example".into()),
        ("issuer", |settings| settings.issuer = "login.example".into()),
        ("issuer", |settings| settings.issuer = "https://login.example?x=1".into()),
        ("issuer", |settings| settings.issuer = "https://login.example#x".into()),
        ("issuer", |settings| settings.issuer = "https://a:b@login.example".into()),
        ("jwks_uri", |settings| settings.jwks_uri = Some("http://keys.example".into())),
        ("jwks_uri", |settings| settings.jwks_uri = Some("http://127.0.0.1/keys".into())),
        ("ca", |settings| settings.ca = Some("/nonexistent.pem".into())),
        ("ca", |settings| settings.ca = Some("/dev/null".into())),
        ("audiences", |settings| settings.audiences.clear()),
        ("audiences", |settings| settings.audiences = vec![String::new()]),
        ("algorithms", |settings| settings.algorithms.clear()),
        ("clock_skew", |settings| settings.clock_skew = Duration::from_secs(301)),
        ("keys_grace", |settings| settings.keys_grace = Duration::from_secs(60)),
    ];
    for (place, change) in bad {
        let mut settings = good();
        change(&mut settings);
        let error = Provider::new(settings.clone()).expect_err(place).to_string();
        assert!(error.starts_with(place), "{error}");
    }
}
