//! Signing in, the cookie, and pages of somebody else's.

use pgwarrant_tests::Shop;
use serde_json::json;

use crate::{Served, Shows, client};

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_is_for_this_server_s_own_pages_alone() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let port = served.port;
    let body = json!({ "user": "ada", "password": "ada-demo" }).to_string();
    let answer = client::call(port, "POST", "/v1/session", &[("X-Pgwarrant-CSRF", "1")], Some(&body));
    let cookie = answer.header("set-cookie").expect("a cookie").to_owned();
    assert!(
        cookie.starts_with("pgwarrant=")
            && cookie.ends_with("; Path=/; Max-Age=28800; HttpOnly; SameSite=Strict"),
        "{cookie}"
    );
    assert_eq!(answer.json()["via"], "session");
    let Shows::Cookie(cookie) = served.sign_in("ada") else { unreachable!() };
    let own = format!("http://127.0.0.1:{port}");
    let ask = json!({ "columns": "customers.email", "reason": "r" }).to_string();
    for (headers, status) in [
        (vec![("X-Pgwarrant-CSRF", "1")], 201),
        (vec![("X-Pgwarrant-CSRF", "1"), ("Origin", own.as_str()), ("Sec-Fetch-Site", "same-origin")], 201),
        (vec![], 403),
        (vec![("Origin", own.as_str()), ("Sec-Fetch-Site", "same-origin")], 403),
        (vec![("X-Pgwarrant-CSRF", "1"), ("Origin", "http://evil.example")], 403),
        (vec![("X-Pgwarrant-CSRF", "1"), ("Origin", "null")], 403),
        (vec![("X-Pgwarrant-CSRF", "1"), ("Sec-Fetch-Site", "cross-site")], 403),
        (vec![("X-Pgwarrant-CSRF", "1"), ("Sec-Fetch-Site", "same-site")], 403),
    ] {
        let mut all = vec![("Cookie", cookie.as_str())];
        all.extend(headers.iter());
        let answer = client::call(port, "POST", "/v1/requests", &all, Some(&ask));
        assert_eq!(answer.status, status, "{headers:?}: {answer:?}");
        assert_eq!(answer.problem(), if status == 403 { "csrf" } else { "" });
    }
    // A form of somebody else's page cannot sign anybody in, either.
    let forged = client::call(port, "POST", "/v1/session", &[("Origin", "http://evil.example")], Some(&body));
    assert_eq!((forged.status, forged.problem().as_str()), (403, "csrf"));
    let read = client::call(
        port,
        "GET",
        "/v1/whoami",
        &[("Cookie", &cookie), ("Sec-Fetch-Site", "cross-site")],
        None,
    );
    assert_eq!(read.problem(), "csrf");

    // No answer lets another origin read it.
    let preflight = [("Origin", "http://evil.example"), ("Access-Control-Request-Method", "POST")];
    let answer = client::call(port, "OPTIONS", "/v1/requests", &preflight, None);
    assert_eq!(answer.status, 405);
    assert!(answer.headers.iter().all(|(name, _)| !name.starts_with("access-control-")), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_out_is_out_and_a_restart_signs_everybody_out() {
    let shop = Shop::new().await;
    let mut served = Served::start(&shop);
    let (one, other) = (served.sign_in("ada"), served.sign_in("ada"));
    let out = served.call(&one, "DELETE", "/v1/session", None);
    assert_eq!(out.status, 204);
    assert!(
        out.header("set-cookie").is_some_and(|cookie| cookie.starts_with("pgwarrant=; Path=/; Max-Age=0")),
        "{out:?}"
    );
    assert_eq!(served.get(&one, "/v1/whoami").status, 401);
    assert_eq!(served.get(&other, "/v1/whoami").status, 200);
    served.proxy.crash_and_restart();
    served.wait();
    assert_eq!(served.get(&other, "/v1/whoami").status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_sign_ins_say_nothing_are_recorded_and_become_slow() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let sign_in = |user: &str, password: &str| {
        let body = json!({ "user": user, "password": password }).to_string();
        client::call(served.port, "POST", "/v1/session", &[("X-Pgwarrant-CSRF", "1")], Some(&body))
    };
    let (wrong, unknown) = (sign_in("ada", "guess"), sign_in("nobody", "guess"));
    assert_eq!((wrong.status, wrong.problem().as_str()), (401, "sign_in"));
    assert_eq!(wrong.body, unknown.body, "a user that exists is not told from one that does not");
    let tried: Vec<u16> = (0..12).map(|_| sign_in("ada", "guess").status).collect();
    assert!(tried.contains(&429) && tried[0] == 401, "{tried:?}");
    let slow = sign_in("ada", "ada-demo");
    assert_eq!((slow.status, slow.problem().as_str()), (429, "rate"), "also with the right password");
    assert!(
        slow.header("retry-after").and_then(|after| after.parse::<u64>().ok()).is_some_and(|after| after > 0)
    );
    let session = served.proxy.connect("petra").await;
    let failed = session
        .query_one(
            "SELECT count(*) FROM pgwarrant.audit WHERE kind = 'login_failed' AND user_name = 'ada'",
            &[],
        )
        .await
        .expect("the trail");
    assert!(failed.get::<_, i64>(0) >= 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_others_that_lead_here_are_not_answered() {
    let shop = Shop::new().await;
    let served = Served::start_with(&shop, "public_url = \"https://warrant.example\"", "");
    let status = |host: &str| client::call(served.port, "GET", "/v1/healthz", &[("Host", host)], None).status;
    let (own, local) = (format!("127.0.0.1:{}", served.port), format!("localhost:{}", served.port));
    for (host, expected) in [
        (own.as_str(), 200),
        (local.as_str(), 200),
        ("warrant.example", 200),
        ("warrant.example:443", 200),
        ("evil.example", 421),
        ("evil.example:6480", 421),
        ("127.0.0.1", 421),
    ] {
        assert_eq!(status(host), expected, "{host}");
    }
    // Behind https the cookie is Secure, whatever the last hop was.
    let body = json!({ "user": "ada", "password": "ada-demo" }).to_string();
    let headers =
        [("Host", "warrant.example"), ("Origin", "https://warrant.example"), ("X-Pgwarrant-CSRF", "1")];
    let answer = client::call(served.port, "POST", "/v1/session", &headers, Some(&body));
    let cookie = answer.header("set-cookie").expect("a cookie");
    assert!(cookie.starts_with("__Host-pgwarrant=") && cookie.ends_with("; Secure"), "{cookie}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_the_headers_that_protect_a_browser() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let ada = served.sign_in("ada");
    for (shows, path) in
        [(&ada, "/v1/whoami"), (&Shows::Nothing, "/v1/whoami"), (&ada, "/nothing"), (&ada, "/v1/healthz")]
    {
        let answer = served.get(shows, path);
        for (name, part) in [
            ("content-security-policy", "default-src 'none'"),
            ("content-security-policy", "frame-ancestors 'none'"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert!(
                answer.header(name).is_some_and(|value| value.contains(part)),
                "{name} of {path}: {answer:?}"
            );
        }
        assert_eq!(answer.header("strict-transport-security"), None, "that is for https");
    }
}
