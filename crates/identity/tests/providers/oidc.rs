//! What tokens say: which are good, and everything that can be wrong with one.

use std::time::{Duration, Instant, SystemTime};

use pgwarrant_identity::oidc::{Provider, Refused, Settings};
use pgwarrant_identity::{Now, Verified};
use serde_json::{Value, json};

use crate::issuer::Issuer;
use crate::keys::{SigningKey, base64};

/// The wall's clock in these tests, in seconds since 1970.
pub const NOW: i64 = 1_800_000_000;

pub fn now() -> Now {
    at(0)
}

/// So many seconds later, on both clocks.
pub fn at(later: u64) -> Now {
    Now {
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(NOW as u64 + later),
        steady: Instant::now() + Duration::from_secs(later),
    }
}

pub fn settings(issuer: &Issuer) -> Settings {
    let mut settings = Settings::new(&issuer.url, "pgwarrant");
    settings.groups = [("staff", "dsr"), ("on-call", "oncall")].map(|(a, b)| (a.into(), b.into())).into();
    settings
}

pub fn claims(issuer: &Issuer) -> Value {
    json!({
        "iss": issuer.url, "aud": "pgwarrant", "sub": "42", "preferred_username": "ada",
        "iat": NOW, "exp": NOW + 300, "groups": ["staff", "on-call", "others"],
    })
}

pub fn header(algorithm: &str, kid: &str) -> String {
    json!({"alg": algorithm, "kid": kid, "typ": "JWT"}).to_string()
}

/// An issuer with one key, called `k`.
pub struct House {
    pub issuer: Issuer,
    pub key: SigningKey,
}

impl House {
    pub async fn new() -> Self {
        let key = SigningKey::p256();
        Self { issuer: Issuer::start(&[key.jwk("k")]).await, key }
    }

    pub fn provider(&self) -> Provider {
        Provider::new(settings(&self.issuer)).unwrap()
    }

    /// With the usual claims but for these; null removes one.
    pub fn token(&self, changes: Value) -> String {
        let mut claims = claims(&self.issuer);
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.key.sign(&header("ES256", "k"), &claims.to_string())
    }
}

#[tokio::test]
async fn a_good_token_says_who_somebody_is() {
    let house = House::new().await;
    let verified = house.provider().verify(&house.token(json!({})), "ada", now()).await.unwrap();
    let expected = Verified {
        user: "ada".into(),
        person: format!("{}#42", house.issuer.url),
        groups: vec!["dsr".into(), "oncall".into()],
        until: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW as u64 + 300)),
    };
    assert_eq!(verified, expected);
}

#[tokio::test]
async fn each_claim_is_looked_at() {
    let house = House::new().await;
    let provider = house.provider();
    let no_user = || Refused::NoUser("preferred_username".into());
    for (changes, expected) in [
        (json!({"iss": "https://evil.example"}), Refused::Issuer),
        (json!({"iss": format!("{}/", house.issuer.url)}), Refused::Issuer),
        (json!({"iss": null}), Refused::Issuer),
        (json!({"iss": [house.issuer.url]}), Refused::Issuer),
        (json!({"aud": "somebody else"}), Refused::Audience),
        (json!({"aud": "PGWARRANT"}), Refused::Audience),
        (json!({"aud": []}), Refused::Audience),
        (json!({"aud": null}), Refused::Audience),
        (json!({"aud": 7}), Refused::Audience),
        (json!({"aud": ["pgwarrant", 7]}), Refused::Audience),
        (json!({"aud": {"pgwarrant": true}}), Refused::Audience),
        (json!({"exp": null}), Refused::Claim("exp")),
        (json!({"exp": "1800000300"}), Refused::Claim("exp")),
        (json!({"exp": -1}), Refused::Claim("exp")),
        (json!({"exp": 1e300}), Refused::Claim("exp")),
        (json!({"exp": 253_402_300_799_i64}), Refused::TooLong),
        (json!({"exp": NOW + 24 * 3600 + 61}), Refused::TooLong),
        (json!({"nbf": "soon"}), Refused::Claim("nbf")),
        (json!({"iat": "now"}), Refused::Claim("iat")),
        (json!({"preferred_username": null}), no_user()),
        (json!({"preferred_username": ""}), no_user()),
        (json!({"preferred_username": 7}), no_user()),
        (json!({"preferred_username": ["ada"]}), no_user()),
        (json!({"preferred_username": "ada "}), no_user()),
        (json!({"preferred_username": "ada\u{0}"}), no_user()),
        (json!({"preferred_username": "bob"}), Refused::AnotherUser),
        (json!({"preferred_username": "Ada"}), Refused::AnotherUser),
        (json!({"sub": null}), Refused::NoUser("sub".into())),
        (json!({"sub": ""}), Refused::NoUser("sub".into())),
        (json!({"sub": 42}), Refused::NoUser("sub".into())),
        (json!({"sub": "x".repeat(256)}), Refused::NoUser("sub".into())),
        (json!({"sub": "4\n2"}), Refused::NoUser("sub".into())),
        (json!({"groups": {"staff": true}}), Refused::Groups),
        (json!({"groups": ["staff", 7]}), Refused::Groups),
        (json!({"groups": 7}), Refused::Groups),
        (json!({"events": {}}), Refused::Claim("events")),
        (json!({"cnf": {"jkt": "x"}}), Refused::Claim("cnf")),
    ] {
        let outcome = provider.verify(&house.token(changes.clone()), "ada", now()).await;
        assert_eq!(outcome, Err(expected), "{changes}");
    }
    for changes in [
        json!({"aud": ["another", "pgwarrant"]}),
        json!({"iat": null}),
        json!({"exp": NOW as f64 + 0.5}),
        json!({"exp": NOW + 24 * 3600}),
        json!({"whatever": [1, {"x": null}]}),
    ] {
        let outcome = provider.verify(&house.token(changes.clone()), "ada", now()).await;
        assert!(outcome.is_ok(), "{changes}: {outcome:?}");
    }
}

#[tokio::test]
async fn clocks_may_differ_by_so_much_and_no_more() {
    let house = House::new().await;
    let provider = house.provider();
    for (changes, expected) in [
        (json!({"exp": NOW - 59}), None),
        (json!({"exp": NOW - 60}), Some(Refused::Expired)),
        (json!({"exp": NOW - 3600}), Some(Refused::Expired)),
        (json!({"nbf": NOW + 60}), None),
        (json!({"nbf": NOW + 61}), Some(Refused::NotYet)),
        (json!({"iat": NOW + 60}), None),
        (json!({"iat": NOW + 61}), Some(Refused::NotYet)),
        (json!({"exp": NOW + 24 * 3600 + 60}), None),
    ] {
        let outcome = provider.verify(&house.token(changes.clone()), "ada", now()).await;
        assert_eq!(outcome.err(), expected, "{changes}");
    }
}

#[tokio::test]
async fn groups_come_in_several_forms_and_only_ours_count() {
    let house = House::new().await;
    let mut nested = settings(&house.issuer);
    nested.groups_claim = vec!["https://shop.example/access".into(), "roles".into()];
    let mut none = settings(&house.issuer);
    none.groups_claim = Vec::new();
    let (plain, nested, none) =
        (house.provider(), Provider::new(nested).unwrap(), Provider::new(none).unwrap());
    for (provider, changes, expected) in [
        (&plain, json!({"groups": "staff"}), &["dsr"][..]),
        (&plain, json!({"groups": ["on-call", "staff", "staff"]}), &["dsr", "oncall"]),
        (&plain, json!({"groups": []}), &[]),
        (&plain, json!({"groups": null}), &[]),
        // Our names mean nothing there, nor does another spelling.
        (&plain, json!({"groups": ["dsr", "oncall", "Staff", "staff "]}), &[]),
        (&nested, json!({"https://shop.example/access": {"roles": ["staff"]}}), &["dsr"]),
        (&nested, json!({"https://shop.example/access": "staff"}), &[]),
        (&nested, json!({"https://shop.example/access": {"roles": null}}), &[]),
        (&none, json!({}), &[]),
    ] {
        let verified = provider.verify(&house.token(changes.clone()), "ada", now()).await.unwrap();
        assert_eq!(verified.groups, expected, "{changes}");
    }
}

#[tokio::test]
async fn a_person_is_the_same_under_several_names_and_in_one_realm() {
    let house = House::new().await;
    let provider = house.provider();
    let person = async |provider: &Provider, changes: Value, user: &str| {
        provider.verify(&house.token(changes), user, now()).await.unwrap().person
    };
    let first = person(&provider, json!({}), "ada").await;
    assert_eq!(first, person(&provider, json!({"preferred_username": "ada.admin"}), "ada.admin").await);
    assert_ne!(first, person(&provider, json!({"sub": "43"}), "ada").await);
    let mut staff = settings(&house.issuer);
    (staff.realm, staff.person_claim) = (Some("staff".into()), "employee".into());
    let staff = Provider::new(staff).unwrap();
    assert_eq!(person(&staff, json!({"employee": "E7"}), "ada").await, "staff#E7");
}

#[tokio::test]
async fn an_address_counts_once_it_is_verified() {
    let house = House::new().await;
    let mut settings = settings(&house.issuer);
    settings.user_claim = "email".into();
    let provider = Provider::new(settings).unwrap();
    for (verified, good) in
        [(json!(true), true), (json!(false), false), (json!("true"), false), (json!(null), false)]
    {
        let token = house.token(json!({"email": "ada@shop.example", "email_verified": verified}));
        let outcome = provider.verify(&token, "ada@shop.example", now()).await;
        assert_eq!(outcome.is_ok(), good, "{verified}: {outcome:?}");
    }
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let house = House::new().await;
    let provider = house.provider();
    let good = house.token(json!({}));
    let parts: Vec<&str> = good.split('.').collect();
    let (header, payload, signature) = (parts[0], parts[1], parts[2]);
    for bad in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        "wonderland".into(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}.{signature}."),
        format!("{header}.{payload}.{signature}.{signature}"),
        format!("{header}.{header}.{payload}.{signature}.{signature}"),
        format!("{header}.{payload}.{signature}="),
        format!("{header}.{payload}.{signature}\n"),
        format!(" {good}"),
        format!("Bearer {good}"),
        format!("{}.{payload}.{signature}", base64("[]")),
        format!("{}.{payload}.{signature}", base64("\"ES256\"")),
        format!("{}.{payload}.{signature}", base64("{")),
        "é.é.é".into(),
    ] {
        assert!(provider.verify(&bad, "ada", now()).await.is_err(), "{bad}");
    }
    let huge = house.token(json!({"padding": "x".repeat(60_000)}));
    assert_eq!(provider.verify(&huge, "ada", now()).await, Err(Refused::Oversized));
    let big = house.token(json!({"padding": "x".repeat(40_000)}));
    assert!(provider.verify(&big, "ada", now()).await.is_ok());
}

/// Two readers of one text may take different ones.
#[tokio::test]
async fn a_name_that_occurs_twice_is_refused() {
    let house = House::new().await;
    let provider = house.provider();
    let claims = claims(&house.issuer).to_string();
    let twice = |text: &str, more: &str| format!("{{{more},{}", &text[1..]);
    for more in [
        r#""preferred_username":"root""#,
        r#""preferred_username":"ada""#,
        r#""aud":"x""#,
        r#""s\u0075b":"1""#,
        r#""x":{"y":1,"y":2}"#,
    ] {
        let token = house.key.sign(&header("ES256", "k"), &twice(&claims, more));
        assert_eq!(provider.verify(&token, "ada", now()).await, Err(Refused::Malformed), "{more}");
    }
    for more in [r#""alg":"none""#, r#""kid":"other""#] {
        let token = house.key.sign(&twice(&header("ES256", "k"), more), &claims);
        assert_eq!(provider.verify(&token, "ada", now()).await, Err(Refused::Malformed), "{more}");
    }
}

#[tokio::test]
async fn where_it_is_wanted_a_token_is_good_once() {
    let house = House::new().await;
    let mut settings = settings(&house.issuer);
    settings.single_use = true;
    let provider = Provider::new(settings).unwrap();
    let token = house.token(json!({"jti": "a"}));
    // Not used up by who it does not belong to, nor by what is wrong with it.
    assert_eq!(provider.verify(&token, "bob", now()).await, Err(Refused::AnotherUser));
    let forged = SigningKey::p256().sign(&header("ES256", "k"), &claims(&house.issuer).to_string());
    assert_eq!(provider.verify(&forged, "ada", now()).await, Err(Refused::Signature));
    let all = std::array::from_fn::<_, 8, _>(|_| {
        let (provider, token) = (provider.clone(), token.clone());
        tokio::spawn(async move { provider.verify(&token, "ada", now()).await })
    });
    let mut accepted = 0;
    for one in all {
        match one.await.unwrap() {
            Ok(_) => accepted += 1,
            Err(refused) => assert_eq!(refused, Refused::Replayed),
        }
    }
    assert_eq!(accepted, 1);
    assert!(provider.verify(&house.token(json!({"jti": "b"})), "ada", now()).await.is_ok());
    // Within the difference of clocks it is still good, and so still used.
    assert_eq!(provider.verify(&token, "ada", at(359)).await, Err(Refused::Replayed));
    for jti in [json!(null), json!(""), json!(7)] {
        let outcome = provider.verify(&house.token(json!({"jti": jti})), "ada", now()).await;
        assert_eq!(outcome, Err(Refused::Claim("jti")));
    }
}
