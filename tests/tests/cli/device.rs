//! OAuth 2.0 device authorization (RFC 8628) at an issuer, and what its tokens are used for.

use std::fs;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use pgwarrant_tests::Shop;
use pgwarrant_tests::providers::issuer::{Issuer, Mood};
use pgwarrant_tests::providers::keys::SigningKey;
use serde_json::{Value, json};

use crate::{Desk, Ran, Served};

/// An issuer that the proxy trusts.
pub struct House {
    pub issuer: Issuer,
    key: SigningKey,
}

fn unix() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock that is set").as_secs()
}

impl House {
    pub async fn new() -> Self {
        let key = SigningKey::p256();
        Self { issuer: Issuer::start(&[key.jwk("k")]).await, key }
    }

    pub fn section(&self) -> String {
        format!(
            "\n[identity]\ndefault = \"corp\"\n[[identity.oidc]]\nname = \"corp\"\nissuer = \"{}\"\n\
             audiences = \"pgwarrant\"\nclock_skew = \"0 s\"\ngroups = {{ staff = \"engineering\" }}\n",
            self.issuer.url
        )
    }

    /// A token of zoe's that is good for so many seconds.
    pub fn token(&self, seconds: u64) -> String {
        let claims = json!({
            "iss": self.issuer.url, "aud": "pgwarrant", "sub": "number of zoe", "preferred_username": "zoe",
            "iat": unix(), "exp": unix() + seconds, "groups": ["staff"],
        });
        self.key.sign(r#"{"alg":"ES256","kid":"k","typ":"JWT"}"#, &claims.to_string())
    }

    pub fn device(&self, changes: Value) -> Value {
        let mut device = json!({
            "device_code": "a device & more", "user_code": "WDJB-MJHT", "verification_uri": format!("{}/activate", self.issuer.url),
            "expires_in": 60, "interval": 1,
        });
        for (name, value) in changes.as_object().expect("an object") {
            device[name] = value.clone();
        }
        device
    }

    pub fn login(&self, desk: &Desk) -> Ran {
        desk.run(&["login", "--issuer", &self.issuer.url])
    }
}

/// What a token endpoint gives, or says instead.
pub fn given(access: &str, more: Value) -> (u16, Value) {
    let mut given = json!({ "access_token": access, "token_type": "bearer", "expires_in": 300 });
    for (name, value) in more.as_object().expect("an object") {
        given[name] = value.clone();
    }
    (200, given)
}

fn says(error: &str) -> (u16, Value) {
    (400, json!({ "error": error, "error_description": "because\u{1b}[2J" }))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_at_an_issuer_is_signed_in_here() {
    let (shop, house) = (Shop::new().await, House::new().await);
    let served = Served::start_with(&shop, &house.section());
    let desk = served.somebody();
    let token = house.token(300);
    house
        .issuer
        .authorizes(house.device(json!({})), [says("authorization_pending"), given(&token, json!({}))]);
    let ran = house.login(&desk);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.stderr.contains("/activate\n") && ran.stderr.contains("    WDJB-MJHT\n"), "{ran:?}");
    assert!(
        ran.stdout.contains(" as zoe until ") && !ran.stdout.contains(&token) && !ran.stderr.contains(&token),
        "{ran:?}"
    );
    let forms = house.issuer.posted();
    assert_eq!(forms[0], ("/device".to_owned(), "client_id=pgwarrant&scope=openid".to_owned()));
    let poll = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=a%20device%20%26%20more&client_id=pgwarrant";
    assert_eq!(forms[1..], [("/token".to_owned(), poll.to_owned()), ("/token".to_owned(), poll.to_owned())]);

    let who = desk.run(&["whoami", "--json"]).json();
    assert_eq!(
        (&who[0]["user"], &who[0]["via"], &who[0]["sign_in"]),
        (&"zoe".into(), &"bearer".into(), &"oidc".into())
    );
    let asked = desk.run(&["request", "create", "customers.email", "--reason", "r"]);
    assert_eq!(asked.status, 3, "{asked:?}");
    assert_eq!(desk.run(&["logout"]).status, 0);
    assert!(!fs::read_to_string(desk.credentials()).expect("a file").contains(&token));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_asks_to_slow_down_is_asked_less_often() {
    let (shop, house) = (Shop::new().await, House::new().await);
    let served = Served::start_with(&shop, &house.section());
    let token = house.token(300);
    house.issuer.authorizes(house.device(json!({})), [says("slow_down"), given(&token, json!({}))]);
    let begun = Instant::now();
    assert_eq!(house.login(&served.somebody()).status, 0);
    // RFC 8628, section 3.5: 1 s, and then 5 s more.
    assert!(begun.elapsed().as_secs() >= 7, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_issuer_says_instead_ends_the_sign_in() {
    let (shop, mut house) = (Shop::new().await, House::new().await);
    let served = Served::start_with(&shop, &house.section());
    let other = SigningKey::p256().sign(r#"{"alg":"ES256","kid":"k"}"#, "{}");
    for (device, answer, status, told) in [
        (json!({}), says("access_denied"), 1, "the sign-in was denied"),
        (json!({}), says("expired_token"), 4, "nobody has signed in in time"),
        (json!({ "expires_in": 2 }), says("authorization_pending"), 4, "nobody has signed in in time"),
        (json!({}), says("invalid_client"), 1, "refuses: invalid_client\nDETAIL: because\\u{1b}[2J\n"),
        (json!({}), (400, json!("<html>")), 2, "answers with something else"),
        (json!({}), given(&other, json!({})), 4, "the proxy does not accept the issuer's tokens"),
        (json!({}), given("a b", json!({})), 5, "what it gives are no tokens"),
        (json!({}), given(&other, json!({ "token_type": "mac" })), 5, "no bearer tokens"),
        (
            json!({ "verification_uri": "http://evil.example" }),
            says("authorization_pending"),
            2,
            "must begin with https://",
        ),
        (json!({ "user_code": 7 }), says("authorization_pending"), 2, "answers with something else"),
    ] {
        house.issuer.authorizes(house.device(device), [answer]);
        let desk = served.somebody();
        let ran = house.login(&desk);
        assert!(ran.status == status && ran.stderr.contains(told), "{status} {told}: {ran:?}");
        assert!(!ran.stderr.contains('\x1b'), "{ran:?}");
        assert_eq!(desk.run(&["whoami"]).status, 4);
    }
    let document = |changes: Value| {
        let mut document =
            json!({ "issuer": house.issuer.url, "token_endpoint": format!("{}/token", house.issuer.url) });
        for (name, value) in changes.as_object().expect("an object") {
            document[name] = value.clone();
        }
        Mood::Discovery(document)
    };
    for (mood, status, told) in [
        (
            document(json!({ "issuer": "https://other.example" })),
            5,
            "it calls itself \"https://other.example\"",
        ),
        (document(json!({})), 5, "it has no device authorization"),
        (document(json!({ "token_endpoint": "http://10.0.0.1/token" })), 2, "must begin with https://"),
        (document(json!({ "token_endpoint": null })), 5, "cannot be understood"),
        (Mood::Raw(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec()), 5, "status 404"),
    ] {
        house.issuer.is(mood);
        let ran = house.login(&served.somebody());
        assert!(ran.status == status && ran.stderr.contains(told), "{status} {told}: {ran:?}");
    }
    house.issuer.stop().await;
    let ran = house.login(&served.somebody());
    assert!(ran.status == 5 && ran.stderr.contains("no connection"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_is_renewed_and_the_id_token_is_used_where_it_is_what_counts() {
    let (shop, house) = (Shop::new().await, House::new().await);
    let served = Served::start_with(&shop, &house.section());
    let desk = served.somebody();
    // The access token is opaque; the ID token ends in half a minute, which is soon.
    let first = json!({ "id_token": house.token(30), "refresh_token": "first/1" });
    let second = json!({ "id_token": house.token(300), "refresh_token": "second" });
    house.issuer.authorizes(house.device(json!({})), [given("opaque", first), given("opaque", second)]);
    let ran = desk.run(&[
        "login",
        "--issuer",
        &house.issuer.url,
        "--client-id",
        "cli",
        "--issuer-scope",
        "openid offline_access",
    ]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert_eq!(house.issuer.posted()[0].1, "client_id=cli&scope=openid%20offline_access");
    for _ in 0..2 {
        let who = desk.run(&["whoami"]);
        assert_eq!(who.status, 0, "{who:?}");
    }
    let renewals: Vec<_> = house.issuer.posted().split_off(2);
    let renewal = "grant_type=refresh_token&refresh_token=first%2F1&client_id=cli";
    assert_eq!(renewals, [("/token".to_owned(), renewal.to_owned())], "once: the new one is good for longer");
    assert!(fs::read_to_string(desk.credentials()).expect("a file").contains("second"));

    // One that the issuer does not renew any more is good until it ends.
    let desk = served.somebody();
    let short = json!({ "refresh_token": "r" });
    house.issuer.authorizes(house.device(json!({})), [given(&house.token(4), short), says("invalid_grant")]);
    assert_eq!(house.login(&desk).status, 0);
    assert_eq!(desk.run(&["whoami"]).status, 0);
    std::thread::sleep(std::time::Duration::from_secs(5));
    let ran = desk.run(&["whoami"]);
    assert!(ran.status == 4 && ran.stderr.contains("HINT: Run \"pgwarrant login\" again."), "{ran:?}");
}
