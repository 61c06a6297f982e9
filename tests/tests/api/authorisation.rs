//! Who may do what: every call by everybody, as data.

use pgwarrant_tests::Shop;
use serde_json::{Value, json};

use crate::{Served, Shows, ask, grant};

/// Nobody; ada, who asked; ben, of her group; olga, who asks and approves; petra, who approves and
/// audits; aud, who audits; and tokens of petra's that are good for one thing each.
const CALLERS: [&str; 9] =
    ["-", "ada", "ben", "olga", "petra", "aud", "petra:read", "petra:request", "petra:approve"];

#[tokio::test(flavor = "multi_thread")]
async fn everybody_may_do_what_the_console_lets_them_and_nothing_else() {
    let shop = Shop::new().await;
    let served = Served::start_with(&shop, "burst_per_user = 1000\nburst_per_address = 10000", "");
    let (ada, petra) = (served.sign_in("ada"), served.sign_in("petra"));
    let shown: Vec<Shows> = CALLERS
        .iter()
        .map(|caller| match caller.split_once(':') {
            None if *caller == "-" => Shows::Nothing,
            None => served.sign_in(caller),
            Some((user, scope)) => served.token(user, &[scope]),
        })
        .collect();
    let body = json!({ "columns": "customers.name", "reason": "a test" });
    let none = json!({});
    // {R} a pending request of ada's, {G} a live grant of hers; both are new for each call.
    #[rustfmt::skip]
    let table: [(&str, &str, Option<&Value>, [u16; 9]); 24] = [
        //                                              -    ada  ben  olga petra aud  read requ appr
        ("GET", "/v1/whoami", None,                    [401, 200, 200, 200, 200, 200, 200, 403, 403]),
        ("GET", "/v1/requests", None,                  [401, 200, 200, 200, 200, 200, 200, 403, 403]),
        ("GET", "/v1/requests/{R}", None,              [401, 200, 404, 200, 200, 200, 200, 403, 403]),
        ("GET", "/v1/requests/{R}/explain", None,      [401, 200, 404, 200, 200, 200, 200, 403, 403]),
        ("GET", "/v1/grants", None,                    [401, 200, 200, 200, 200, 200, 200, 403, 403]),
        ("GET", "/v1/grants/{G}", None,                [401, 200, 404, 200, 200, 200, 200, 403, 403]),
        ("GET", "/v1/profiles", None,                  [401, 200, 200, 200, 200, 200, 200, 403, 403]),
        ("GET", "/v1/catalog", None,                   [401, 200, 200, 200, 200, 200, 200, 403, 403]),
        ("GET", "/v1/sessions", None,                  [401, 200, 200, 200, 200, 200, 200, 403, 403]),
        ("GET", "/v1/tokens", None,                    [401, 200, 200, 200, 200, 200, 200, 403, 403]),
        ("GET", "/v1/audit", None,                     [401, 200, 200, 200, 200, 200, 200, 403, 403]),
        ("GET", "/v1/audit?user=ada", None,            [401, 200, 403, 403, 200, 200, 200, 403, 403]),
        ("POST", "/v1/requests", Some(&body),          [401, 201, 201, 201, 403, 403, 403, 403, 403]),
        ("POST", "/v1/requests/{R}/approve", Some(&none), [401, 403, 404, 200, 200, 403, 403, 403, 200]),
        ("POST", "/v1/requests/{R}/deny", Some(&none), [401, 200, 404, 200, 200, 403, 403, 403, 200]),
        ("POST", "/v1/requests/{R}/withdraw", Some(&none), [401, 200, 404, 403, 403, 403, 403, 403, 403]),
        ("POST", "/v1/grants/{G}/revoke", Some(&none), [401, 403, 404, 200, 200, 403, 403, 403, 200]),
        ("POST", "/v1/grants/{G}/release", Some(&none), [401, 200, 404, 403, 403, 403, 403, 403, 403]),
        ("POST", "/v1/grants/{G}/extend", Some(&json!({ "reason": "r" })), [401, 201, 404, 403, 403, 403, 403, 403, 403]),
        ("POST", "/v1/grants/{G}/review", Some(&json!({ "verdict": "justified", "reason": "r" })), [401, 403, 404, 409, 409, 403, 403, 403, 409]),
        ("DELETE", "/v1/sessions/999999", None,        [401, 404, 404, 404, 404, 404, 404, 403, 403]),
        ("DELETE", "/v1/tokens/nothing", None,         [401, 404, 404, 404, 404, 404, 403, 403, 403]),
        ("POST", "/v1/tokens", Some(&json!({ "name": "n" })), [401, 201, 201, 201, 201, 201, 403, 403, 403]),
        ("GET", "/v1/healthz", None,                   [200, 200, 200, 200, 200, 200, 200, 200, 200]),
    ];
    let mut wrong = Vec::new();
    for (method, path, body, expected) in table {
        for ((caller, shows), expected) in CALLERS.iter().zip(&shown).zip(expected) {
            let mut path = path.to_owned();
            let fresh = expected != 401;
            if path.contains("{R}") {
                let number = if fresh { ask(&served, &ada) } else { 1 };
                path = path.replace("{R}", &number.to_string());
            }
            if path.contains("{G}") {
                let number = if fresh { grant(&served, &ada, &petra) } else { 1 };
                path = path.replace("{G}", &number.to_string());
            }
            let answer = served.call(shows, method, &path, body);
            if answer.status != expected {
                wrong.push(format!(
                    "{caller} {method} {path}: {} not {expected}: {}",
                    answer.status, answer.body
                ));
            }
            assert_eq!(answer.status >= 400, !answer.problem().is_empty(), "{answer:?}");
            tidy(&served, &ada, &petra);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Nothing stays pending or live: there are limits on both.
fn tidy(served: &Served, ada: &Shows, petra: &Shows) {
    for request in
        served.get(petra, "/v1/requests?state=pending").json()["items"].as_array().into_iter().flatten()
    {
        served.post(petra, &format!("/v1/requests/{}/deny", request["id"]), &json!({}));
    }
    for grant in
        served.get(ada, "/v1/grants?state=live&mine=true").json()["items"].as_array().into_iter().flatten()
    {
        served.post(ada, &format!("/v1/grants/{}/release", grant["id"]), &json!({}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_database_only_those_see_something_who_have_a_role_in_it() {
    let shop = Shop::new().await;
    let served = Served::start_with(&shop, "", "");
    drop(served);
    let port = pgwarrant_tests::free_port();
    let settings = pgwarrant_tests::Settings {
        replace: vec![(
            "# groups = [\"engineering\"]      # example".to_owned(),
            "groups = [\"engineering\", \"privacy\"]".to_owned(),
        )],
        append: format!("\n[api]\nlisten = \"127.0.0.1:{port}\"\n"),
    };
    let served = Served { proxy: pgwarrant_tests::Proxy::start_with(&shop, &settings), port };
    served.wait();
    let (ada, aud) = (served.sign_in("ada"), served.sign_in("aud"));
    let id = ask(&served, &ada);
    assert_eq!(served.get(&ada, "/v1/requests").json()["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(served.get(&aud, "/v1/whoami").json()["databases"], json!([]));
    assert_eq!(served.get(&aud, "/v1/requests").json()["items"], json!([]));
    assert_eq!(served.get(&aud, &format!("/v1/requests/{id}")).status, 404);
    assert_eq!(served.get(&aud, "/v1/catalog?database=shop").status, 422);
    let petra = served.sign_in("petra");
    assert_eq!(served.get(&petra, &format!("/v1/requests/{id}")).status, 200);
}
