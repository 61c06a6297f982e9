//! What is done over HTTP is in the audit trail, and the trail is read over HTTP by those who may.

use pgwarrant_tests::Shop;
use serde_json::{Value, json};

use crate::{Served, Shows, ask, grant};

fn records(served: &Served, shows: &Shows, query: &str) -> Vec<Value> {
    let answer = served.get(shows, &format!("/v1/audit?{query}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["items"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_decisions_and_refusals_are_recorded_with_where_they_came_from() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let (ada, petra) = (served.sign_in("ada"), served.sign_in("petra"));
    let id = grant(&served, &ada, &petra);
    served.post(&petra, &format!("/v1/grants/{id}/revoke"), &json!({ "reason": "a-secret-of-mine" }));
    let refused = ask(&served, &ada);
    served.post(&ada, &format!("/v1/requests/{refused}/approve"), &json!({}));

    let calls = records(&served, &petra, "kind=call&user=ada&limit=200");
    let refusal = calls.iter().find(|call| call["decision"] == "refused").expect("the refusal");
    assert_eq!(refusal["text"], format!("POST /v1/requests/{refused}/approve"));
    assert_eq!(refusal["error"]["sqlstate"], "42501");
    assert!(
        refusal["address"].as_str().is_some_and(|address| address.starts_with("127.0.0.1:")),
        "{refusal}"
    );
    assert_eq!(refusal["note"], "api, session, scram");
    let revoked = records(&served, &petra, &format!("kind=call&user=petra&grant={id}"));
    assert_eq!(revoked[0]["text"], format!("POST /v1/grants/{id}/revoke"));
    assert!(!records(&served, &petra, "kind=decision").is_empty(), "as of a decision from psql");
    let logins = records(&served, &petra, "kind=login&user=ada");
    assert_eq!(logins[0]["note"], "api, session, scram");
    // Constants of the row predicate are in no call's record; nor is a body.
    let all = served.get(&petra, "/v1/audit?kind=call&limit=200").body;
    assert!(!all.contains("a-secret-of-mine") && !all.contains("= 42"), "{all}");
    assert!(!served.proxy.log().contains("ada-demo"));
    // Who looks is seen.
    let looks = records(&served, &petra, "kind=call&text=/v1/audit");
    assert!(looks.iter().any(|look| look["user"] == "petra"), "{looks:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_reads_their_own_records_and_auditors_all_in_pages() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    for user in ["ada", "ben"] {
        let session = served.proxy.connect(user).await;
        for number in 0..5 {
            session
                .query(&format!("SELECT {number} AS n, count(*) FROM customers"), &[])
                .await
                .expect("a count");
        }
    }
    let (ada, aud) = (served.sign_in("ada"), served.sign_in("aud"));
    let own = records(&served, &ada, "limit=200");
    assert!(!own.is_empty() && own.iter().all(|record| record["user"] == "ada"), "{own:?}");
    let users: std::collections::BTreeSet<String> = records(&served, &aud, "kind=statement&limit=200")
        .iter()
        .map(|record| record["user"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert!(users.contains("ada") && users.contains("ben"), "{users:?}");
    let whole = records(&served, &aud, "kind=statement&user=ben&limit=200");
    let mut walked = Vec::new();
    let mut after = String::new();
    loop {
        let page = served.get(&aud, &format!("/v1/audit?kind=statement&user=ben&limit=2{after}")).json();
        walked.extend(page["items"].as_array().expect("a list").clone());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(walked, whole);
    assert!(whole.len() >= 5);
}
