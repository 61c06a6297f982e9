//! The life of a request over HTTP, with its effect in a database session.

use pgwarrant_tests::Shop;
use serde_json::json;

use crate::{Served, ask, email, grant};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_approved_over_http_is_seen_in_psql_until_it_is_revoked() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let session = served.proxy.connect("ada").await;
    let (ada, petra) = (served.sign_in("ada"), served.sign_in("petra"));
    assert!(!email(&session).await.contains("@example"));

    let id = ask(&served, &ada);
    let waiting = served.get(&petra, "/v1/requests?waits_for_me=true").json();
    let request = &waiting["items"][0];
    assert_eq!((request["id"].as_u64(), request["rows"].as_str()), (Some(id), Some("id = 42")), "{waiting}");
    assert_eq!(request["may"], json!(["approve", "deny"]));
    assert_eq!(served.get(&ada, &format!("/v1/requests/{id}")).json()["may"], json!(["withdraw"]));

    let approved =
        served.post(&petra, &format!("/v1/requests/{id}/approve"), &json!({ "reason": "fine" })).json();
    assert_eq!(approved["request"]["state"], "approved", "{approved}");
    assert_eq!(approved["grant"]["approved_by"], json!(["petra"]));
    assert!(email(&session).await.contains("@example"));

    // A result that is running is cut off.
    let mut session = session;
    let running = session.transaction().await.expect("a transaction");
    let portal = running
        .bind("SELECT c.email FROM customers c, generate_series(1, 100000) WHERE c.id = 42", &[])
        .await
        .expect("a portal");
    assert_eq!(running.query_portal(&portal, 3).await.expect("three rows").len(), 3);
    let grant = approved["grant"]["id"].as_u64().expect("a number");
    let revoked =
        served.post(&petra, &format!("/v1/grants/{grant}/revoke"), &json!({ "reason": "enough" })).json();
    assert_eq!(
        (&revoked["grant"]["state"], &revoked["grant"]["end_reason"]),
        (&json!("revoked"), &json!("enough"))
    );
    let error = running.query_portal(&portal, 3).await.expect_err("no row after the end");
    assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{error:?}");
    drop(running);
    let session = served.proxy.connect("ada").await;
    assert!(!email(&session).await.contains("@example"));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_denied_and_withdrawn_and_grants_extended_and_released() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let (ada, petra) = (served.sign_in("ada"), served.sign_in("petra"));
    let id = ask(&served, &ada);
    let denied =
        served.post(&petra, &format!("/v1/requests/{id}/deny"), &json!({ "reason": "too much" })).json();
    assert_eq!(
        (&denied["request"]["state"], &denied["request"]["decision_reason"]),
        (&json!("denied"), &json!("too much"))
    );
    let again = served.post(&petra, &format!("/v1/requests/{id}/approve"), &json!({}));
    assert_eq!((again.status, again.problem().as_str()), (409, "state"));

    let id = ask(&served, &ada);
    let withdrawn = served.post(&ada, &format!("/v1/requests/{id}/withdraw"), &json!({})).json();
    assert_eq!(withdrawn["request"]["state"], "withdrawn");

    let id = grant(&served, &ada, &petra);
    let more = served.post(
        &ada,
        &format!("/v1/grants/{id}/extend"),
        &json!({ "duration": "20 min", "reason": "not done" }),
    );
    assert_eq!((more.status, more.json()["request"]["extends"].as_u64()), (201, Some(id)), "{more:?}");
    let location = more.header("location").expect("where the request is").to_owned();
    let explained = served.get(&petra, &format!("{location}/explain")).json();
    assert_eq!((&explained["ruling"], &explained["today"]), (&json!("ask"), &json!("ask")), "{explained}");
    assert_eq!(explained["facts"]["live_grants"], 1, "{explained}");
    let extended = served.post(&petra, &format!("{location}/approve"), &json!({})).json();
    assert_eq!(extended["grant"]["id"].as_u64(), Some(id), "{extended}");
    let released = served.post(&ada, &format!("/v1/grants/{id}/release"), &json!({})).json();
    assert_eq!(released["grant"]["state"], "released");
    assert_eq!(served.get(&ada, &format!("/v1/grants/{id}")).json()["may"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_from_psql_and_over_http_is_the_same() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let session = served.proxy.connect("ada").await;
    let ada = served.sign_in("ada");
    ask(&served, &ada);
    session
        .query_one(
            "SELECT state FROM pgwarrant.request('customers.email', rows => 'id = 42', reason => 'a test', duration => '10 min')",
            &[],
        )
        .await
        .expect("a request");
    let listed = served.get(&ada, "/v1/requests").json();
    let (mut one, mut other) = (listed["items"][0].clone(), listed["items"][1].clone());
    for item in [&mut one, &mut other] {
        for own in ["id", "requested_at", "lapses_at", "message"] {
            item[own] = json!(null);
        }
    }
    assert_eq!(one, other);
    // The same mistakes have the same words.
    for (body, sql) in [
        (json!({ "columns": "customers.emial", "reason": "r" }), "'customers.emial', reason => 'r'"),
        (
            json!({ "columns": "customers.email", "reason": "r", "duration": "9 days" }),
            "'customers.email', reason => 'r', duration => '9 days'",
        ),
        (
            json!({ "columns": "customers.email", "reason": "r", "others": "hide" }),
            "'customers.email', reason => 'r', others => 'hide'",
        ),
        (json!({ "columns": "customers.email", "reason": "" }), "'customers.email', reason => ''"),
        (
            json!({ "columns": "customers.email", "reason": "r", "rows": "email = 1" }),
            "'customers.email', reason => 'r', rows => 'email = 1'",
        ),
    ] {
        let problem = served.post(&ada, "/v1/requests", &body);
        assert_eq!(problem.status, 422, "{problem:?}");
        let error = session
            .query(&format!("SELECT * FROM pgwarrant.request({sql})"), &[])
            .await
            .expect_err("an error");
        let error = error.as_db_error().expect("an error of the proxy's");
        let problem = problem.json();
        assert_eq!(problem["message"].as_str(), Some(error.message()), "{body}");
        assert_eq!(problem["sqlstate"].as_str(), Some(error.code().code()), "{body}");
        assert_eq!(problem["hint"].as_str(), error.hint(), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_and_ended() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let (mine, other) = (served.proxy.connect("ada").await, served.proxy.connect("ben").await);
    let (ada, ben, petra) = (served.sign_in("ada"), served.sign_in("ben"), served.sign_in("petra"));
    let listed = served.get(&ada, "/v1/sessions").json();
    let items = listed["items"].as_array().expect("a list");
    assert!(items.iter().all(|session| session["user"] == "ada") && items.len() == 1, "{listed}");
    let number = items[0]["number"].as_u64().expect("a number");
    let path = format!("/v1/sessions/{number}");
    assert_eq!(served.call(&ben, "DELETE", &path, None).status, 404, "ben does not see it");
    assert_eq!(served.get(&petra, "/v1/sessions").json()["items"].as_array().map(Vec::len), Some(2));
    let aud = served.sign_in("aud");
    let refused = served.call(&aud, "DELETE", &path, None);
    assert_eq!((refused.status, refused.problem().as_str()), (403, "not_allowed"), "an auditor only looks");
    assert_eq!(served.call(&petra, "DELETE", &path, None).status, 204);
    let error = mine.query("SELECT 1", &[]).await.expect_err("the session has ended");
    assert!(error.is_closed() || error.code().is_some_and(|code| code.code() == "57P01"), "{error:?}");
    other.query("SELECT 1", &[]).await.expect("the other one goes on");
    let gone = std::iter::repeat_with(|| served.call(&petra, "DELETE", &path, None).status);
    assert!(gone.take(200).any(|status| status == 404), "it is gone");
}
