//! Tokens for programs: what they are good for, and how they end.

use pgwarrant_tests::Shop;
use serde_json::json;

use crate::{Served, Shows, client};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_works_after_a_restart_until_it_is_revoked() {
    let shop = Shop::new().await;
    let mut served = Served::start(&shop);
    let token = served.token("ada", &["read", "request"]);
    let who = served.get(&token, "/v1/whoami").json();
    assert_eq!(
        (&who["user"], &who["via"], &who["sign_in"]),
        (&json!("ada"), &json!("token"), &json!("token"))
    );
    assert_eq!(who["scopes"], json!(["read", "request"]));
    served.proxy.crash_and_restart();
    served.wait();
    assert_eq!(served.get(&token, "/v1/whoami").status, 200);
    let ada = served.sign_in("ada");
    let listed = served.get(&ada, "/v1/tokens").json();
    let item = &listed["items"][0];
    assert!(item["last_used_at"].is_string() && item.get("token").is_none(), "{listed}");
    let path = format!("/v1/tokens/{}", item["id"].as_str().expect("an id"));
    assert_eq!(served.call(&served.sign_in("ben"), "DELETE", &path, None).status, 404, "it is not ben's");
    assert_eq!(served.call(&ada, "DELETE", &path, None).status, 204);
    assert_eq!(served.get(&token, "/v1/whoami").status, 401);
    served.proxy.crash_and_restart();
    served.wait();
    assert_eq!(served.get(&token, "/v1/whoami").status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_tampered_with_or_has_expired_is_not_good() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let ada = served.sign_in("ada");
    let short = served.post(&ada, "/v1/tokens", &json!({ "name": "short", "lifetime": "1 s" })).json();
    let short = Shows::Token(short["token"].as_str().expect("a token").to_owned());
    let expired = std::iter::repeat_with(|| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        served.get(&short, "/v1/whoami").status
    });
    assert!(expired.take(100).any(|status| status == 401), "it lasts a second");

    let Shows::Token(text) = served.token("ada", &["read"]) else { unreachable!() };
    let flipped = |at: usize| {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        String::from_utf8(bytes).expect("ASCII")
    };
    let other = text.replace("pgw_", "pgx_");
    for wrong in [
        flipped(5),
        flipped(text.len() - 1),
        flipped(30),
        text[..text.len() - 1].to_owned(),
        format!("{text}0"),
        other,
        "pgw_".to_owned(),
        "pgw__".to_owned(),
    ] {
        let answer = served.get(&Shows::Token(wrong.clone()), "/v1/whoami");
        assert_eq!(answer.status, 401, "{wrong}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    let stolen = Shows::Token(text.clone());
    assert_eq!(served.get(&stolen, "/v1/whoami").status, 200, "only the wrong ones are refused");
    for header in [format!("Basic {text}"), text.clone(), "Bearer".to_owned(), String::new()] {
        let answer = client::call(served.port, "GET", "/v1/whoami", &[("Authorization", &header)], None);
        assert!(matches!(answer.status, 401 | 429), "{header}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_token_can_neither_make_another_nor_end_one() {
    let shop = Shop::new().await;
    let served = Served::start_with(&shop, "max_token_lifetime = \"10 d\"", "");
    let token = served.token("ada", &["read", "request", "approve"]);
    let refused = served.post(&token, "/v1/tokens", &json!({ "name": "more" }));
    assert_eq!((refused.status, refused.problem().as_str()), (403, "not_allowed"));
    let id = served.get(&token, "/v1/tokens").json()["items"][0]["id"].as_str().expect("an id").to_owned();
    let other = served.token("ada", &["approve"]);
    assert_eq!(served.call(&other, "DELETE", &format!("/v1/tokens/{id}"), None).status, 403);
    assert_eq!(
        served.call(&other, "DELETE", "/v1/tokens/0123456789abcdef", None).status,
        403,
        "nor look for one"
    );

    let ada = served.sign_in("ada");
    for (body, problem) in [
        (json!({ "name": "n", "lifetime": "11 d" }), "invalid"),
        (json!({ "name": "n", "lifetime": "for ever" }), "invalid"),
        (json!({ "name": "n", "scopes": [] }), "invalid"),
        (json!({ "name": "n", "scopes": ["root"] }), "invalid"),
        (json!({ "name": " " }), "invalid"),
        (json!({ "name": "a\nb" }), "invalid"),
    ] {
        assert_eq!(served.post(&ada, "/v1/tokens", &body).problem(), problem, "{body}");
    }
    let made = served.post(&ada, "/v1/tokens", &json!({ "name": "n" })).json();
    assert_eq!(made["scopes"], json!(["read"]), "no more than is asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_itself_and_nothing_else() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let (kept, given_back) = (served.token("ada", &["read"]), served.token("ada", &["approve"]));
    let Shows::Token(text) = &given_back else { unreachable!() };
    let id = text.split('_').nth(1).expect("an id");
    let path = format!("/v1/tokens/{id}");
    assert_eq!(served.call(&served.token("ben", &["read"]), "DELETE", &path, None).status, 403);
    assert_eq!(served.call(&given_back, "DELETE", &path, None).status, 204);
    assert_eq!(served.call(&given_back, "DELETE", &path, None).status, 401, "it has ended");
    assert_eq!(served.get(&kept, "/v1/whoami").status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_user_who_is_gone_is_gone_for_good() {
    let shop = Shop::new().await;
    let mut served = Served::start(&shop);
    let (ben, ada) = (served.token("ben", &["read"]), served.token("ada", &["read"]));
    let file = served.proxy.config();
    let with = std::fs::read_to_string(&file).expect("the configuration");
    let user = with.split("[[user]]").find(|part| part.contains("name = \"ben\"")).expect("ben is there");
    std::fs::write(&file, with.replace(&format!("[[user]]{user}"), "")).expect("a configuration without ben");
    served.proxy.crash_and_restart();
    served.wait();
    assert_eq!((served.get(&ben, "/v1/whoami").status, served.get(&ada, "/v1/whoami").status), (401, 200));
    std::fs::write(&file, with).expect("another ben");
    served.proxy.crash_and_restart();
    served.wait();
    assert_eq!(served.get(&ben, "/v1/whoami").status, 401, "that is another ben");
}
