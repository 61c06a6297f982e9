//! A token that approves one request, once.

use pgwarrant_tests::Shop;
use serde_json::{Value, json};

use crate::{Served, Shows, ask, email};

fn make(served: &Served, by: &Shows, request: u64) -> crate::client::Answer {
    served.post(by, &format!("/v1/requests/{request}/approval-tokens"), &json!({}))
}

fn token(served: &Served, by: &Shows, request: u64) -> Shows {
    let made = make(served, by, request);
    assert_eq!((made.status, &made.json()["request_id"]), (201, &request.into()), "{made:?}");
    Shows::Token(made.json()["token"].as_str().expect("a token").to_owned())
}

fn approve(served: &Served, by: &Shows, request: u64) -> crate::client::Answer {
    served.post(by, &format!("/v1/requests/{request}/approve"), &json!({}))
}

#[tokio::test]
async fn it_approves_the_request_it_names_and_is_spent() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let (ada, petra) = (served.sign_in("ada"), served.sign_in("petra"));
    let (one, other) = (ask(&served, &ada), ask(&served, &ada));
    let token = token(&served, &petra, one);
    let listed = served.get(&petra, "/v1/tokens").json();
    assert_eq!(
        (&listed["items"][0]["approves_request"], &listed["items"][0]["scopes"]),
        (&one.into(), &json!([]))
    );

    let wrong = approve(&served, &token, other);
    assert_eq!((wrong.status, wrong.problem().as_str()), (403, "not_allowed"), "{wrong:?}");
    let approved = approve(&served, &token, one);
    assert_eq!(approved.status, 200, "{approved:?}");
    assert_eq!(approved.json()["request"]["decided_by"], "petra");
    let client = served.proxy.connect("ada").await;
    assert_eq!(email(&client).await, email(&shop.direct).await);
    let spent = approve(&served, &token, one);
    assert_eq!((spent.status, spent.problem().as_str()), (401, "sign_in"), "{spent:?}");
    assert_eq!(served.get(&petra, "/v1/tokens").json()["items"], json!([]));

    let aud = served.proxy.connect("aud").await;
    let calls: Vec<String> = aud
        .query("SELECT statement FROM pgwarrant.audit WHERE kind = 'call' AND statement LIKE '%appro%' ORDER BY seq", &[])
        .await
        .expect("records")
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert!(calls.contains(&format!("POST /v1/requests/{one}/approval-tokens")), "{calls:?}");
    assert!(calls.contains(&format!("POST /v1/requests/{one}/approve")), "{calls:?}");
}

#[tokio::test]
async fn it_is_good_for_nothing_else() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let (ada, petra) = (served.sign_in("ada"), served.sign_in("petra"));
    let request = ask(&served, &ada);
    let token = token(&served, &petra, request);
    for (method, path) in [
        ("GET", "/v1/requests".to_owned()),
        ("GET", format!("/v1/requests/{request}")),
        ("GET", "/v1/whoami".to_owned()),
        ("GET", "/v1/tokens".to_owned()),
        ("GET", "/v1/events".to_owned()),
        ("GET", "/v1/audit".to_owned()),
        ("POST", "/v1/requests".to_owned()),
        ("POST", format!("/v1/requests/{request}/deny")),
        ("POST", format!("/v1/requests/{request}/withdraw")),
        ("POST", format!("/v1/requests/{request}/approval-tokens")),
        ("POST", "/v1/grants/1/revoke".to_owned()),
        ("POST", "/v1/tokens".to_owned()),
        ("DELETE", "/v1/sessions/1".to_owned()),
        ("DELETE", "/v1/session".to_owned()),
    ] {
        let body = match path.as_str() {
            "/v1/requests" => json!({ "columns": "customers.email", "reason": "r" }),
            "/v1/tokens" => json!({ "name": "more" }),
            _ => json!({}),
        };
        let answer = served.call(&token, method, &path, (method == "POST").then_some(&body));
        assert_eq!(answer.status, 403, "{method} {path}: {answer:?}");
    }
    assert_eq!(approve(&served, &token, request).status, 200, "it is as good as before");
}

#[tokio::test]
async fn nobody_makes_one_who_could_not_approve_it() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let (ada, olga, petra) = (served.sign_in("ada"), served.sign_in("olga"), served.sign_in("petra"));
    let of_olga = ask(&served, &olga);
    let own = make(&served, &olga, of_olga);
    assert_eq!((own.status, own.problem().as_str()), (403, "not_allowed"), "{own:?}");
    let of_ada = ask(&served, &ada);
    assert_eq!(make(&served, &ada, of_ada).status, 403);
    assert_eq!(make(&served, &served.token("petra", &["read", "approve"]), of_ada).status, 403);
    assert_eq!(make(&served, &petra, 99).status, 404);
    let longer = json!({ "lifetime": "25 h" });
    let path = format!("/v1/requests/{of_ada}/approval-tokens");
    assert_eq!(served.post(&petra, &path, &longer).status, 422);
    let keyed = served.call_with(&petra, "POST", &path, &[("Idempotency-Key", "k")], Some(&json!({})));
    assert_eq!(keyed.status, 400, "a secret is not kept to be answered again: {keyed:?}");
    assert_eq!(approve(&served, &petra, of_ada).status, 200);
    assert_eq!(make(&served, &petra, of_ada).status, 409);
}

#[tokio::test]
async fn it_is_void_when_its_maker_may_not_approve_any_more_and_when_it_is_revoked() {
    let shop = Shop::new().await;
    let mut served = Served::start(&shop);
    let (ada, petra) = (served.sign_in("ada"), served.sign_in("petra"));
    let request = ask(&served, &ada);
    let kept = token(&served, &petra, request);
    let revoked = make(&served, &petra, request).json();
    let id = revoked["id"].as_str().unwrap_or_default();
    assert_eq!(served.call(&petra, "DELETE", &format!("/v1/tokens/{id}"), None).status, 204);
    let revoked = Shows::Token(revoked["token"].as_str().unwrap_or_default().to_owned());
    assert_eq!(approve(&served, &revoked, request).status, 401);

    let config = served.proxy.config();
    let text = std::fs::read_to_string(&config).expect("the configuration");
    let (head, petra_s) = text.split_once("name = \"petra\"").expect("petra");
    let without =
        format!("{head}name = \"petra\"{}", petra_s.replacen("groups = [\"privacy\"]", "groups = []", 1));
    std::fs::write(&config, without).expect("written");
    served.proxy.crash_and_restart();
    served.wait();
    let refused = approve(&served, &kept, request);
    assert!(matches!(refused.status, 403 | 404), "{refused:?}");
    std::fs::write(&config, text).expect("written");
    served.proxy.crash_and_restart();
    served.wait();
    let approved = approve(&served, &kept, request);
    assert_eq!(approved.status, 200, "it outlives restarts: {approved:?}");
    let shown: Value = served.get(&served.sign_in("ada"), &format!("/v1/requests/{request}")).json();
    assert_eq!(shown["decided_by"], "petra");
}
