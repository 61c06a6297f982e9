//! Proves: what depends on an outside condition is live when the condition has allowed it, and never
//! before or otherwise, however the asked system behaves; through the real proxy and real HTTP.

mod answers;
mod people;
mod service;
mod words;

use std::time::{Duration, Instant};

use pgwarrant_tests::standard_webhooks::secret_file;
use pgwarrant_tests::{Proxy, Settings, Shop, free_port};
use service::Service;
use tokio_postgres::Client;

/// What both sides know.
pub const KEY: [u8; 32] = [7; 32];

const POLICIES: &str = r#"
@id("on-ticket") @decision("approve") @condition("ticket")
permit (principal in Group::"engineering", action == Action::"select", resource in Category::"contact");

@id("on-both") @decision("approve") @condition("ticket, duty")
permit (principal in Group::"engineering", action == Action::"select", resource in Category::"address");

@id("on-signed") @decision("approve") @condition("signed")
permit (principal in Group::"engineering", action == Action::"select", resource in Category::"online");

@id("on-gone") @decision("approve") @condition("gone")
permit (principal in Group::"engineering", action == Action::"select", resource in Category::"birth");

@id("ask-privacy") @decision("ask") @approvers("privacy") @condition("ticket")
permit (principal, action, resource in Category::"identity");
"#;

/// The proxy with the policies above, whose conditions are asked of `service`.
pub fn proxy(shop: &Shop, service: &Service) -> Proxy {
    let directory = tempfile::tempdir().expect("a temporary directory").keep();
    let policies = directory.join("requests.cedar");
    std::fs::write(&policies, POLICIES).expect("a file of policies");
    let secret = secret_file(&directory, "condition.secret", &KEY);
    let condition = |name: &str, port: u16, more: &str| {
        format!(
            "[[condition]]\nname = \"{name}\"\nurl = \"http://127.0.0.1:{port}/{name}\"\nsecret_file = \"{}\"\n{more}\n",
            secret.display()
        )
    };
    let append = [
        format!("\n[policy]\nfiles = [\"{}\"]\n", policies.display()),
        condition("ticket", service.port, "timeout = \"5 s\""),
        condition("duty", service.port, ""),
        condition("signed", service.port, "signed_answers = true"),
        condition("gone", free_port(), ""),
    ]
    .concat();
    Proxy::start_with(shop, &Settings { append, ..Settings::default() })
}

/// Asks for one row; the request's number.
pub async fn ask(client: &Client, column: &str) -> i64 {
    let sql = "SELECT request_id FROM pgwarrant.request($1, rows => 'id = 42', reason => 'a letter came back', \
               ticket => 'DSR-17', duration => '10 min')";
    client.query_one(sql, &[&column]).await.expect("the request is taken").get(0)
}

/// Its state once it is decided, and what is said of it.
pub async fn decided(client: &Client, request: i64) -> (String, String) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let sql = "SELECT state, message FROM pgwarrant.explain($1)";
        let row = client.query_one(sql, &[&request]).await.expect("an explanation");
        let (state, message): (String, String) = (row.get(0), row.get(1));
        if state != "pending" {
            let said = message.split("; ruled").next().unwrap_or_default().to_owned();
            return (state, said);
        }
        assert!(Instant::now() < deadline, "not decided: {message}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Does this session see the e-mail address of customer 42?
pub async fn sees(client: &Client, shop: &Shop, column: &str) -> bool {
    let sql = format!("SELECT {column}::text FROM customers WHERE id = 42");
    let seen: Option<String> = client.query_one(&sql, &[]).await.expect("a customer").get(0);
    let real: Option<String> = shop.direct.query_one(&sql, &[]).await.expect("a customer").get(0);
    seen == real
}
