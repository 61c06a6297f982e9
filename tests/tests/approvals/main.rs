//! Proves: a request is decided by the policies, or by the persons that they name, and a grant lives
//! and ends as it was asked for; all of it from psql, through the real proxy.

mod break_glass;
mod life;
mod policies;
mod removal;
mod wait;

use pgwarrant_tests::{Proxy, Settings, Shop};
use pgwarrant_wire::auth::{DEFAULT_ITERATIONS, make_verifier};

/// Groups, users and policies that the tests add to the repository's own configuration.
const POLICIES: &str = r#"
@id("by-ticket")
@decision("approve")
@max_duration("30 min")
@reason("contact data of one row, on a ticket")
permit (principal in Group::"engineering", action == Action::"select", resource in Category::"contact")
when { context has ticket && context.ticket like "DSR-*" }
when { !context.all_rows };

@id("ask-privacy")
@decision("ask")
@approvers("privacy")
permit (principal, action, resource)
unless { resource in Category::"payment" };

@id("payment-two")
@decision("ask")
@approvers("privacy, oncall")
@count("2")
permit (principal, action, resource in Category::"payment");

@id("no-health")
@reason("nobody needs health data here")
forbid (principal, action, resource in Category::"health");

@id("on-call")
@decision("break_glass")
@reviewers("privacy")
@max_duration("15 min")
permit (principal in Group::"oncall", action == Action::"select", resource);
"#;

const MORE: &str = r#"
[policy]
files = ["requests.cedar"]

# Another account of ada's, who approves.
[[user]]
name = "ada_lead"
person = "ada"
scram = "VERIFIER ada_lead"
groups = ["privacy"]

[[group]]
name = "dsr"

[[user]]
name = "dan"
scram = "VERIFIER dan"
groups = ["dsr"]

[[profile]]
name = "dsr-lookup"
columns = ["customers.email", "customers.name"]
rows = "some"
max_duration = "20 min"
groups = ["dsr"]

[[profile]]
name = "never"
columns = ["customers.name"]
groups = ["dsr"]
schedule = { from = "00:00", to = "00:01", days = ["mon"] }
"#;

/// The proxy with the policies above.
pub fn proxy(shop: &Shop) -> Proxy {
    with_policies(shop, POLICIES)
}

pub fn with_policies(shop: &Shop, policies: &str) -> Proxy {
    let directory = tempfile::tempdir().expect("a temporary directory").keep();
    let file = directory.join("requests.cedar");
    std::fs::write(&file, policies).expect("a file of policies");
    let verifier =
        |user: &str| make_verifier(&format!("{user}-demo"), DEFAULT_ITERATIONS).expect("a verifier");
    let append = MORE
        .replace("requests.cedar", &file.display().to_string())
        .replace("VERIFIER ada_lead", &verifier("ada_lead"))
        .replace("VERIFIER dan", &verifier("dan"));
    Proxy::start_with(shop, &Settings { append, ..Settings::default() })
}

/// The first row, its values joined by `|`, or the error.
pub async fn call(client: &tokio_postgres::Client, sql: &str) -> String {
    match client.simple_query(sql).await {
        Ok(messages) => messages
            .iter()
            .find_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => {
                    let values: Vec<&str> =
                        (0..row.len()).map(|column| row.get(column).unwrap_or_default()).collect();
                    Some(values.join("|"))
                }
                _ => None,
            })
            .unwrap_or_default(),
        Err(error) => said(&error),
    }
}

/// SQLSTATE, message, DETAIL and HINT.
pub fn said(error: &tokio_postgres::Error) -> String {
    let Some(error) = error.as_db_error() else { return error.to_string() };
    let mut text = format!("{} {}", error.code().code(), error.message());
    for more in [error.detail(), error.hint()].into_iter().flatten() {
        text = format!("{text} / {more}");
    }
    text
}

/// The e-mail address of customer 42, as this session sees it.
pub async fn email(client: &tokio_postgres::Client) -> String {
    client.query_one("SELECT email FROM customers WHERE id = 42", &[]).await.expect("a customer").get(0)
}
