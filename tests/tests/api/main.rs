//! Proves: over HTTP people ask, decide and look as they do from psql, see nothing more, and who is
//! not let in gets a problem that says so; through the real program and a real PostgreSQL.

mod authorisation;
mod browsers;
mod client;
mod factors;
mod inbound;
mod life;
mod limits;
mod lists;
mod malformed;
mod once_tokens;
mod repeats;
mod streams;
mod tokens;
mod trail;

use client::Answer;
use pgwarrant_tests::{Proxy, Settings, Shop, free_port};
use serde_json::{Value, json};

/// A proxy with its API.
pub struct Served {
    pub proxy: Proxy,
    pub port: u16,
}

/// What a caller shows.
#[derive(Clone, Debug)]
pub enum Shows {
    Nothing,
    Cookie(String),
    Token(String),
}

impl Served {
    pub fn start(shop: &Shop) -> Served {
        Served::start_with(shop, "", "")
    }

    /// With more lines in `[api]`, and more sections.
    pub fn start_with(shop: &Shop, lines: &str, sections: &str) -> Served {
        let port = free_port();
        let append = format!("\n[api]\nlisten = \"127.0.0.1:{port}\"\n{lines}\n{sections}");
        let proxy = Proxy::start_with(shop, &Settings { append, ..Settings::default() });
        let served = Served { proxy, port };
        served.wait();
        served
    }

    /// The proxy tells of its own port before the API is served.
    pub fn wait(&self) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while self.call(&Shows::Nothing, "GET", "/v1/healthz", None).status != 200 {
            assert!(std::time::Instant::now() < deadline, "the API does not answer");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    pub fn call(&self, shows: &Shows, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.call_with(shows, method, path, &[], body)
    }

    pub fn call_with(
        &self,
        shows: &Shows,
        method: &str,
        path: &str,
        more: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let shown = match shows {
            Shows::Nothing => None,
            Shows::Cookie(cookie) => Some(("Cookie", cookie.clone())),
            Shows::Token(token) => Some(("Authorization", format!("Bearer {token}"))),
        };
        let mut headers: Vec<(&str, &str)> = more.to_vec();
        if let Some((name, value)) = &shown {
            headers.push((name, value));
        }
        if matches!(shows, Shows::Cookie(_)) {
            headers.push(("X-Pgwarrant-CSRF", "1"));
        }
        let body = body.map(Value::to_string);
        client::call(self.port, method, path, &headers, body.as_deref())
    }

    pub fn get(&self, shows: &Shows, path: &str) -> Answer {
        self.call(shows, "GET", path, None)
    }

    pub fn post(&self, shows: &Shows, path: &str, body: &Value) -> Answer {
        self.call(shows, "POST", path, Some(body))
    }

    /// Signs a user of the demo in, as a browser does.
    pub fn sign_in(&self, user: &str) -> Shows {
        let body = json!({ "user": user, "password": format!("{user}-demo") }).to_string();
        let answer =
            client::call(self.port, "POST", "/v1/session", &[("X-Pgwarrant-CSRF", "1")], Some(&body));
        assert_eq!(answer.status, 200, "{answer:?}");
        let cookie = answer.header("set-cookie").expect("a cookie");
        Shows::Cookie(cookie.split(';').next().unwrap_or_default().to_owned())
    }

    /// A token of a user of the demo.
    pub fn token(&self, user: &str, scopes: &[&str]) -> Shows {
        let made =
            self.post(&self.sign_in(user), "/v1/tokens", &json!({ "name": "a test", "scopes": scopes }));
        assert_eq!(made.status, 201, "{made:?}");
        Shows::Token(made.json()["token"].as_str().expect("a token").to_owned())
    }
}

/// Asks for the e-mail address of customer 42; the request's number.
pub fn ask(served: &Served, shows: &Shows) -> u64 {
    let body =
        json!({ "columns": "customers.email", "rows": "id = 42", "reason": "a test", "duration": "10 min" });
    let asked = served.post(shows, "/v1/requests", &body);
    assert_eq!(asked.status, 201, "{asked:?}");
    asked.json()["request"]["id"].as_u64().expect("a number")
}

/// Asks, and has it approved; the grant's number.
pub fn grant(served: &Served, asker: &Shows, approver: &Shows) -> u64 {
    let approved = served.post(approver, &format!("/v1/requests/{}/approve", ask(served, asker)), &json!({}));
    assert_eq!(approved.status, 200, "{approved:?}");
    approved.json()["grant"]["id"].as_u64().expect("a number")
}

/// The e-mail address of customer 42, as this session sees it.
pub async fn email(client: &tokio_postgres::Client) -> String {
    client.query_one("SELECT email FROM customers WHERE id = 42", &[]).await.expect("a customer").get(0)
}
