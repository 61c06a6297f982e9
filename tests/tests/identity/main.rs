//! Proves: who signs in through the real proxy is who an issuer, a directory, a certificate or a
//! verifier says; nobody else does; and one person is one person however they come.

mod directory;
mod factors;
mod issuers;
mod persons;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pgwarrant_tests::providers::issuer::Issuer;
use pgwarrant_tests::providers::keys::SigningKey;
use pgwarrant_tests::raw::{Event, Frame, PATIENCE, Raw, message, startup, text};
use pgwarrant_tests::{Proxy, Settings, Shop};
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// Has a client without OAUTHBEARER show a token, or a client with SCRAM a directory's password.
pub const AS_PASSWORD: &str = "-c pgwarrant.sign_in=password";

/// Seconds since 1970.
pub fn unix() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock that is set");
    since.as_secs().try_into().expect("a time")
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

    /// What tokens of `user` say, but for these; null removes one.
    pub fn claims(&self, user: &str, changes: &Value) -> String {
        let mut claims = json!({
            "iss": self.issuer.url, "aud": "pgwarrant", "sub": format!("number of {user}"),
            "preferred_username": user, "iat": unix(), "exp": unix() + 300, "groups": ["staff", "others"],
        });
        for (name, value) in changes.as_object().expect("claims") {
            claims[name] = value.clone();
        }
        claims.as_object_mut().expect("claims").retain(|_, value| !value.is_null());
        claims.to_string()
    }

    pub fn token(&self, user: &str, changes: Value) -> String {
        self.key.sign(r#"{"alg":"ES256","kid":"k","typ":"JWT"}"#, &self.claims(user, &changes))
    }

    /// The section of this issuer, with more keys in it.
    pub fn section(&self, name: &str, more: &str) -> String {
        format!(
            "\n[[identity.oidc]]\nname = \"{name}\"\nissuer = \"{}\"\naudiences = \"pgwarrant\"\n\
             groups = {{ staff = \"engineering\", privacy = \"privacy\" }}\n{more}\n",
            self.issuer.url
        )
    }
}

/// The proxy with this at the end of its configuration.
pub fn proxy(shop: &Shop, append: String) -> Proxy {
    Proxy::start_with(shop, &Settings { append, ..Settings::default() })
}

/// Signs in with a password, or with a token in its place.
pub async fn by_password(
    proxy: &Proxy,
    user: &str,
    password: &str,
    options: &str,
) -> Result<Client, tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(proxy.port).dbname("shop").user(user).password(password).options(options);
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// SQLSTATE and message of the refusal.
pub fn refusal(outcome: Result<Client, tokio_postgres::Error>) -> String {
    match outcome {
        Ok(_) => "let in".to_owned(),
        Err(error) => said(&error),
    }
}

pub fn said(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => format!("{} {}", error.code().code(), error.message()),
        None => error.to_string(),
    }
}

/// The first row, its values joined by `|`, or the error.
pub async fn call(client: &Client, sql: &str) -> String {
    let messages = match client.simple_query(sql).await {
        Ok(messages) => messages,
        Err(error) => return said(&error),
    };
    let first = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            let values: Vec<&str> =
                (0..row.len()).map(|column| row.get(column).unwrap_or_default()).collect();
            Some(values.join("|"))
        }
        _ => None,
    });
    first.unwrap_or_default()
}

pub async fn whoami(client: &Client) -> String {
    call(client, "SELECT user_name, groups, person, sign_in FROM pgwarrant.whoami").await
}

/// So many sign-ins of this user are on record as failed, and no more come: a client is told before
/// the record is written.
pub async fn failed(auditor: &Client, user: &str, expected: usize) {
    let sql =
        format!("SELECT count(*) FROM pgwarrant.audit WHERE kind = 'login_failed' AND user_name = '{user}'");
    for _ in 0..50 {
        if call(auditor, &sql).await == expected.to_string() {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    sleep(Duration::from_millis(200)).await;
    assert_eq!(call(auditor, &sql).await, expected.to_string(), "failed sign-ins of {user}");
}

/// A client that speaks OAUTHBEARER, up to ReadyForQuery or an error.
pub fn by_token(proxy: &Proxy, user: &str, auth: &str) -> (Raw, Vec<Frame>) {
    let mut raw = Raw::open(proxy.port);
    raw.send(&startup(3, 0, &[("user", user), ("database", "shop")]));
    let mut frames = raw.until(b'R', 1);
    assert_eq!(frames[0].body, [&10_u32.to_be_bytes()[..], b"OAUTHBEARER\0\0"].concat());
    let first = format!("n,,\u{1}auth={auth}\u{1}\u{1}");
    let length = u32::try_from(first.len()).expect("a short token").to_be_bytes();
    raw.send(&message(b'p', &[&text("OAUTHBEARER")[..], &length, first.as_bytes()].concat()));
    while let Event::Frame(frame) = raw.frame(PATIENCE) {
        frames.push(frame.clone());
        let kind = frame.body.get(..4).map(|kind| u32::from_be_bytes(kind.try_into().expect("four bytes")));
        match (frame.tag, kind) {
            // What is wrong, for the client's library, which answers with one byte.
            (b'R', Some(11)) => raw.send(&message(b'p', b"\x01")),
            (b'Z' | b'E', _) => break,
            _ => {}
        }
    }
    (raw, frames)
}
