//! Calls with an Idempotency-Key are made once.

use pgwarrant_tests::Shop;
use serde_json::{Value, json};

use crate::{Served, Shows};

fn ask(served: &Served, shows: &Shows, key: &str, body: &Value) -> crate::Answer {
    served.call_with(shows, "POST", "/v1/requests", &[("Idempotency-Key", key)], Some(body))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_with_a_key_is_made_once_also_over_a_restart() {
    let shop = Shop::new().await;
    let mut served = Served::start(&shop);
    let (ada, ben) = (served.token("ada", &["read", "request"]), served.token("ben", &["read", "request"]));
    let body = json!({ "columns": "customers.email", "reason": "a test" });
    let first = ask(&served, &ada, "k1", &body);
    let again = ask(&served, &ada, "k1", &body);
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!((&first.body, first.header("location")), (&again.body, again.header("location")));
    assert_eq!(
        (first.header("idempotency-replayed"), again.header("idempotency-replayed")),
        (None, Some("true"))
    );
    let other = json!({ "columns": "customers.phone", "reason": "a test" });
    let reused = ask(&served, &ada, "k1", &other);
    assert_eq!((reused.status, reused.problem().as_str()), (422, "invalid"));
    assert_eq!(ask(&served, &ben, "k1", &body).status, 201, "a key is its user's own");
    served.proxy.crash_and_restart();
    served.wait();
    assert_eq!(ask(&served, &ada, "k1", &body).body, first.body);
    let listed = served.get(&ada, "/v1/requests").json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");

    // What was refused is refused again, and is one refusal.
    let wrong = json!({ "columns": "customers.emial", "reason": "a test" });
    let (refused, again) = (ask(&served, &ada, "k2", &wrong), ask(&served, &ada, "k2", &wrong));
    assert_eq!((refused.status, &refused.body, again.problem().as_str()), (422, &again.body, "invalid"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_is_made() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let ada = served.token("ada", &["read", "request"]);
    let body = json!({ "columns": "customers.email", "reason": "a test" });
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let (served, ada, body) = (&served, &ada, &body);
        let calls: Vec<_> =
            (0..10).map(|_| scope.spawn(move || ask(served, ada, "k", body).status)).collect();
        calls.into_iter().map(|call| call.join().expect("an answer")).collect()
    });
    assert!(
        statuses.iter().all(|status| matches!(status, 201 | 409)) && statuses.contains(&201),
        "{statuses:?}"
    );
    assert_eq!(served.get(&ada, "/v1/requests").json()["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_refused_where_they_cannot_be_kept() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let ada = served.sign_in("ada");
    let body = json!({ "columns": "customers.email", "reason": "a test" });
    for key in ["two words", &"k".repeat(129)] {
        assert_eq!(ask(&served, &ada, key, &body).problem(), "malformed", "{key}");
    }
    let secret = served.call_with(
        &ada,
        "POST",
        "/v1/tokens",
        &[("Idempotency-Key", "k")],
        Some(&json!({ "name": "n" })),
    );
    assert_eq!(secret.problem(), "malformed", "a secret is not kept");
}
