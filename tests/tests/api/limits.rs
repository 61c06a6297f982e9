//! Everything that somebody could have too much of has a limit, and the others go on.

use std::io::{Read, Write};
use std::time::Duration;

use pgwarrant_tests::Shop;
use serde_json::json;

use crate::{Served, Shows, client};

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_of_a_user_wait_and_others_go_on() {
    let shop = Shop::new().await;
    let served = Served::start_with(&shop, "requests_per_user = 1\nburst_per_user = 5", "");
    let (ada, ben) = (served.sign_in("ada"), served.sign_in("ben"));
    let answers: Vec<client::Answer> = (0..20).map(|_| served.get(&ada, "/v1/whoami")).collect();
    let refused = answers.iter().find(|answer| answer.status == 429).expect("it becomes too much");
    assert_eq!(refused.problem(), "rate");
    assert!(
        refused.header("retry-after").is_some_and(|after| after.parse::<u64>().is_ok_and(|after| after >= 1))
    );
    assert!(answers.iter().take(5).all(|answer| answer.status == 200));
    assert_eq!(served.get(&ben, "/v1/whoami").status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_of_an_address_wait_whoever_they_are() {
    let shop = Shop::new().await;
    let served = Served::start_with(&shop, "requests_per_address = 1\nburst_per_address = 10", "");
    let statuses: Vec<u16> = (0..30).map(|_| served.get(&Shows::Nothing, "/v1/whoami").status).collect();
    assert!(statuses.contains(&429) && statuses.contains(&401), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_is_not_read() {
    let shop = Shop::new().await;
    let served = Served::start_with(&shop, "body = \"4 KiB\"", "");
    let ada = served.sign_in("ada");
    let body = json!({ "columns": "customers.email", "reason": "r".repeat(8 << 10) });
    let answer = served.post(&ada, "/v1/requests", &body);
    assert_eq!((answer.status, answer.problem().as_str()), (413, "too_large"));
    // Also where nobody says beforehand how large it is.
    let Shows::Cookie(cookie) = &ada else { unreachable!() };
    let head = format!(
        "POST /v1/requests HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nCookie: {cookie}\r\nX-Pgwarrant-CSRF: 1\r\nConnection: close\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        served.port
    );
    let chunks: String = (0..16).map(|_| format!("400\r\n{}\r\n", "x".repeat(1024))).collect();
    assert_eq!(client::raw(served.port, format!("{head}{chunks}0\r\n\r\n").as_bytes()).status, 413);
    assert_eq!(served.get(&ada, "/v1/requests").json()["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_slow_is_not_waited_for_and_who_has_many_connections_gets_no_more() {
    let shop = Shop::new().await;
    let lines = "header_timeout = \"500 ms\"\nidle_timeout = \"500 ms\"\nconnections_per_address = 8";
    let served = Served::start_with(&shop, lines, "");
    // A head that never ends, and a body that never comes.
    let mut head = client::connect(served.port);
    head.write_all(b"GET /v1/healthz HTTP/1.1\r\nX-Slow: ").expect("it is connected");
    let mut ended = Vec::new();
    let _ = head.read_to_end(&mut ended);
    assert!(!String::from_utf8_lossy(&ended).contains("200 OK"));
    let mut body = client::connect(served.port);
    let started = format!(
        "POST /v1/session HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nX-Pgwarrant-CSRF: 1\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 100\r\n\r\n{{",
        served.port
    );
    body.write_all(started.as_bytes()).expect("it is connected");
    let mut answer = Vec::new();
    let _ = body.read_to_end(&mut answer);
    assert_eq!(client::parse(&answer).status, 408, "{}", String::from_utf8_lossy(&answer));
    // An idle connection is closed, too.
    let mut idle = client::connect(served.port);
    assert_eq!(idle.read(&mut [0; 16]).unwrap_or(0), 0);

    let mut held: Vec<_> = (0..8).map(|_| client::connect(served.port)).collect();
    std::thread::sleep(Duration::from_millis(50));
    let one_more = client::raw(served.port, b"GET /v1/healthz HTTP/1.1\r\n\r\n");
    assert_eq!(one_more.status, 0, "{one_more:?}");
    held.clear();
    served.wait();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_so_many_streams() {
    let shop = Shop::new().await;
    let served = Served::start_with(&shop, "streams_per_user = 2", "");
    let (ada, ben) = (served.sign_in("ada"), served.sign_in("ben"));
    let open = |shows: &Shows| crate::streams::Stream::open(&served, shows, "/v1/events");
    let held = (open(&ada), open(&ada));
    assert_eq!((held.0.status, held.1.status, open(&ada).status), (200, 200, 409));
    assert_eq!(open(&ben).status, 200);
    drop(held);
    let again = std::iter::repeat_with(|| {
        std::thread::sleep(Duration::from_millis(20));
        served.call(
            &ada,
            "POST",
            "/v1/requests",
            Some(&json!({ "columns": "customers.email", "reason": "r" })),
        );
        open(&ada).status
    });
    assert!(
        again.take(10).any(|status| status == 200),
        "closed streams are noticed when there is something to send"
    );
}
