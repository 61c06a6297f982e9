//! Whatever is sent, what comes back is a problem that says what is wrong, and never a failure.

use pgwarrant_tests::Shop;
use serde_json::json;

use crate::{Served, Shows, client};

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_understood_is_answered_by_a_problem() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let Shows::Token(token) = served.token("ada", &["read", "request", "approve"]) else { unreachable!() };
    let bearer = format!("Bearer {token}");
    let send = |method: &str, path: &str, media_type: &str, body: &str| {
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", media_type)];
        client::call(served.port, method, path, &headers, Some(body))
    };
    let (json, path) = ("application/json", "/v1/requests");
    let deep = "[".repeat(10_000);
    let long = json!({ "columns": "customers.email", "reason": "r".repeat(10_000) }).to_string();
    for (method, path, media_type, body, status, problem) in [
        ("POST", path, json, "{", 400, "malformed"),
        ("POST", path, json, "", 422, "invalid"),
        ("POST", path, json, "null", 422, "invalid"),
        ("POST", path, json, "[]", 422, "invalid"),
        ("POST", path, json, "\"x\"", 422, "invalid"),
        ("POST", path, json, &deep, 422, "invalid"),
        ("POST", path, json, "{\"reason\": 7}", 422, "invalid"),
        ("POST", path, json, "{\"reason\": \"r\", \"colour\": \"red\"}", 422, "invalid"),
        ("POST", path, json, "{\"reason\": \"r\", \"reason\": \"s\"}", 422, "invalid"),
        ("POST", path, json, "{\"reason\": \"\\ud800\"}", 400, "malformed"),
        ("POST", path, json, "{\"reason\": \"r\", \"columns\": \"\"}", 422, "invalid"),
        ("POST", path, json, "{\"reason\": \"r\", \"columns\": \"a\\u0000b\"}", 422, "invalid"),
        ("POST", path, json, "{\"reason\": \"a\\u0000b\", \"columns\": \"customers.email\"}", 422, "invalid"),
        (
            "POST",
            path,
            json,
            "{\"reason\": \"r\", \"columns\": \"customers.email\", \"max_uses\": 0}",
            422,
            "invalid",
        ),
        (
            "POST",
            path,
            json,
            "{\"reason\": \"r\", \"columns\": \"customers.email\", \"max_uses\": -1}",
            422,
            "invalid",
        ),
        (
            "POST",
            path,
            json,
            "{\"reason\": \"r\", \"columns\": \"customers.email\", \"max_uses\": 18446744073709551615}",
            422,
            "invalid",
        ),
        (
            "POST",
            path,
            json,
            "{\"reason\": \"r\", \"columns\": \"customers.email\", \"max_uses\": 1e99}",
            422,
            "invalid",
        ),
        (
            "POST",
            path,
            json,
            "{\"reason\": \"r\", \"columns\": \"customers.email\", \"database\": \"\"}",
            422,
            "invalid",
        ),
        ("POST", path, json, &long, 422, "invalid"),
        ("POST", path, "text/plain", "{}", 415, "media_type"),
        ("POST", path, "application/x-www-form-urlencoded", "reason=r", 415, "media_type"),
        ("POST", path, "application/json; charset=utf-8", "{", 400, "malformed"),
        ("PUT", path, json, "{}", 405, "method"),
        ("DELETE", path, json, "{}", 405, "method"),
        ("POST", "/v1/whoami", json, "{}", 405, "method"),
        ("POST", "/v1/nothing", json, "{}", 404, "unknown"),
        ("GET", "/v1", json, "", 404, "unknown"),
        ("GET", "/v1/requests/", json, "", 404, "unknown"),
        ("GET", "/nothing.html", json, "", 404, "unknown"),
        ("GET", "/../../etc/passwd", json, "", 404, "unknown"),
        ("GET", "/v1/requests/0", json, "", 404, "unknown"),
        ("GET", "/v1/requests/-1", json, "", 404, "unknown"),
        ("GET", "/v1/requests/99999999999999999999999", json, "", 404, "unknown"),
        ("GET", "/v1/requests/%00", json, "", 404, "unknown"),
        ("GET", "/v1/requests/%ff", json, "", 404, "unknown"),
        ("GET", "/v1/requests/1%2Fapprove", json, "", 404, "unknown"),
        ("POST", "/v1/requests/1/approve", json, "{}", 404, "unknown"),
        ("DELETE", "/v1/tokens/%ff", json, "", 404, "unknown"),
        ("DELETE", "/v1/tokens/0", json, "", 403, "not_allowed"),
        ("GET", "/v1/requests?%ff=1", json, "", 400, "malformed"),
    ] {
        let answer = send(method, path, media_type, body);
        let shown: String = body.chars().take(80).collect();
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (status, problem),
            "{method} {path} {shown}: {answer:?}"
        );
        if status == 405 {
            assert!(answer.header("allow").is_some_and(|allow| !allow.is_empty()), "{answer:?}");
        }
    }
    // The constant that a predicate holds is not what the problem is about.
    assert_eq!(served.get(&Shows::Nothing, "/v1/healthz").status, 200);
    assert!(!served.proxy.log().contains("panicked"), "{}", served.proxy.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_http_is_refused_and_harms_nobody() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let host = format!("Host: 127.0.0.1:{}\r\n", served.port);
    let many: String = (0..200).map(|number| format!("X-{number}: y\r\n")).collect();
    let large = format!("X-Large: {}\r\n", "y".repeat(64 << 10));
    for (bytes, expected) in [
        (format!("GET /v1/healthz HTTP/1.1\r\n{host}Connection: close\r\n\r\n"), &[200][..]),
        (format!("GET /v1/healthz HTTP/1.0\r\n{host}\r\n"), &[200]),
        ("GET /v1/healthz HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(), &[421]),
        (
            format!("GET /v1/healthz HTTP/1.1\r\n{host}Host: evil.example\r\nConnection: close\r\n\r\n"),
            &[421],
        ),
        (format!("GET http://evil.example/v1/healthz HTTP/1.1\r\n{host}Connection: close\r\n\r\n"), &[421]),
        (format!("GET /v1/healthz HTTP/1.1\r\n{host}{many}\r\n"), &[431]),
        (format!("GET /v1/healthz HTTP/1.1\r\n{host}{large}\r\n"), &[431]),
        (
            format!(
                "POST /v1/session HTTP/1.1\r\n{host}Content-Length: 5\r\nContent-Length: 6\r\n\r\n{{}}   "
            ),
            &[400],
        ),
        (format!("POST /v1/session HTTP/1.1\r\n{host}Content-Length: x\r\n\r\n{{}}"), &[400]),
        (
            format!(
                "POST /v1/session HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\nConnection: close\r\nX-Pgwarrant-CSRF: 1\r\n\r\nzz\r\n"
            ),
            &[400],
        ),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}".to_owned(), &[0, 400]),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), &[0, 400, 405, 421]),
        ("\r\n\r\n\r\n\r\n".to_owned(), &[0, 400]),
    ] {
        let mut stream = client::connect(served.port);
        use std::io::{Read, Write};
        let _ = stream.write_all(bytes.as_bytes());
        // Whoever closes early need not be answered.
        if expected.contains(&0) {
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let status = client::parse(&answer).status;
        let shown: String = bytes.chars().take(60).collect();
        assert!(expected.contains(&status), "{shown:?}: {status}");
    }
    assert_eq!(served.get(&Shows::Nothing, "/v1/healthz").status, 200);
}
