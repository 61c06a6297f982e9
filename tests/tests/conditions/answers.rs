//! However the asked system answers.

use pgwarrant_tests::Shop;
use pgwarrant_tests::standard_webhooks::{now, signed};

use crate::service::{Says, Service};
use crate::{KEY, ask, decided, proxy, sees};

#[tokio::test]
async fn a_yes_gives_and_the_question_says_what_is_asked_for() {
    let (shop, service) = (Shop::new().await, Service::start());
    let proxy = proxy(&shop, &service);
    service.body("/ticket", r#"{"allow": true, "reason": "open, and ada's"}"#);
    let ada = proxy.connect("ada").await;
    let request = ask(&ada, "customers.email").await;
    let (state, said) = decided(&ada, request).await;
    assert_eq!((state.as_str(), said.as_str()), ("approved", "request 1 was approved by rule: grant 1"));
    assert!(sees(&ada, &shop, "email").await);

    let asked = service.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    let question = &asked[0];
    assert!(question.is_signed_with(&KEY) && !question.is_signed_with(&[8; 32]));
    let sent: u64 = question.headers["webhook-timestamp"].parse().expect("seconds");
    assert!(now().abs_diff(sent) < 60);
    let body = question.json();
    assert_eq!(
        (&body["type"], &body["condition"], &body["stage"]),
        (&"condition.check".into(), &"ticket".into(), &"deciding".into())
    );
    let of = &body["request"];
    assert_eq!((&of["user"], &of["person"], &of["database"]), (&"ada".into(), &"ada".into(), &"shop".into()));
    assert_eq!(
        (&of["ticket"], &of["rows"], &of["reason"]),
        (&"DSR-17".into(), &"id = 42".into(), &"a letter came back".into())
    );
    assert_eq!((&of["duration_s"], &of["categories"]), (&600.into(), &serde_json::json!(["contact"])));
    assert_eq!(of["columns"][0]["column"], "email");

    let sql = format!("SELECT decided_by FROM pgwarrant.explain({request})");
    let kept: serde_json::Value = ada
        .simple_query(&sql)
        .await
        .expect("an explanation")
        .iter()
        .find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => serde_json::from_str(row.get(0)?).ok(),
            _ => None,
        })
        .expect("JSON");
    assert_eq!(
        (&kept[0]["condition"], &kept[0]["said"], &kept[0]["reason"]),
        (&"ticket".into(), &"allows".into(), &"open, and ada's".into())
    );
    let aud = proxy.connect("aud").await;
    let recorded =
        "SELECT statement, decision FROM pgwarrant.audit WHERE statement LIKE '%condition ticket%allows%'";
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let row = loop {
        match aud.query_opt(recorded, &[]).await.expect("the trail") {
            Some(row) => break row,
            None => assert!(std::time::Instant::now() < deadline, "the answer is not in the trail"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert_eq!(row.get::<_, String>(0), "request 1: condition ticket allows it: open, and ada's");
    assert_eq!(row.get::<_, String>(1), "approved");
}

#[tokio::test]
async fn whatever_is_no_plain_yes_denies() {
    let (shop, service) = (Shop::new().await, Service::start());
    let proxy = proxy(&shop, &service);
    let ada = proxy.connect("ada").await;
    let body = |text: &str| Says::Body(text.to_owned());
    let raw = |text: &str| Says::Raw(text.to_owned());
    let not_understood = "its answer is not understood";
    let cases = [
        (body(r#"{"allow": false, "reason": "the ticket is closed"}"#), "the ticket is closed"),
        (body(r#"{"allow": "true"}"#), not_understood),
        (body(r#"{"allow": 1}"#), not_understood),
        (body(r#"{"reason": "open"}"#), not_understood),
        (body(r#"{"allow": true, "unless": "it is Monday"}"#), not_understood),
        (body(r#"{"allow": true} trailing"#), not_understood),
        (body("<html>signed in? allow: true</html>"), not_understood),
        (body(""), not_understood),
        (body("{\"allow\": true, \"reason\": \"\\u001b[2J\"}"), not_understood),
        (
            body(&format!(r#"{{"allow": true, "reason": "{}"}}"#, "x".repeat(10_000))),
            "its answer is too long",
        ),
        (
            raw("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 15\r\n\r\n{\"allow\": true}"),
            "it answered with status 500 Internal Server Error",
        ),
        (
            raw("HTTP/1.1 202 Accepted\r\nContent-Length: 15\r\n\r\n{\"allow\": true}"),
            "it answered with status 202 Accepted",
        ),
        (raw("HTTP/1.1 302 Found\r\nLocation: /ticket\r\nContent-Length: 0\r\n\r\n"), "it redirects"),
        (raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"allow\": true}"), "its answer is not HTTP"),
        (raw("SSH-2.0-OpenSSH_9.2\r\n"), "its answer is not HTTP"),
        (raw(""), "its answer is not HTTP"),
        (Says::Silence, "it did not answer in time"),
    ];
    for (says, why) in cases {
        service.says("/ticket", says);
        let request = ask(&ada, "customers.email").await;
        let (state, said) = decided(&ada, request).await;
        assert_eq!(
            (state.as_str(), said),
            ("denied", format!("request {request} was denied by condition ticket: {why}"))
        );
        assert!(!sees(&ada, &shop, "email").await, "{why}");
    }
    let request = ask(&ada, "customers.birth_date").await;
    let (_, said) = decided(&ada, request).await;
    assert_eq!(said, format!("request {request} was denied by condition gone: it could not be reached"));
    let live: i64 =
        ada.query_one("SELECT count(*) FROM pgwarrant.grants", &[]).await.expect("a count").get(0);
    assert_eq!(live, 0);
}

#[tokio::test]
async fn a_signed_answer_is_of_this_question_and_of_who_knows_the_secret() {
    let (shop, service) = (Shop::new().await, Service::start());
    let proxy = proxy(&shop, &service);
    let ada = proxy.connect("ada").await;
    let yes = r#"{"allow": true}"#.to_owned();
    service.says("/signed", Says::Signed(yes.clone(), KEY.to_vec()));
    let request = ask(&ada, "customers.last_ip").await;
    assert_eq!(decided(&ada, request).await.0, "approved");
    let grant: i64 = ada.query_one("SELECT id FROM pgwarrant.grants", &[]).await.expect("a grant").get(0);
    ada.execute("SELECT * FROM pgwarrant.release($1)", &[&grant]).await.expect("released");

    let before = service.asked().last().expect("a question").headers["webhook-id"].clone();
    let old = (now() - 3600).to_string();
    let question = service.asked().last().expect("a question").clone();
    let reflected: Vec<(String, String)> = question
        .headers
        .iter()
        .filter(|(name, _)| name.starts_with("webhook-"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for says in [
        Says::Body(yes.clone()),
        Says::Signed(yes.clone(), vec![8; 32]),
        Says::Headed(yes.clone(), signed(&KEY, &before, &now().to_string(), &yes)),
        Says::Headed(yes.clone(), signed(&KEY, "check_00000000000000000000000000000000", &old, &yes)),
        Says::Headed(question.body.clone(), reflected),
    ] {
        service.says("/signed", says);
        let request = ask(&ada, "customers.last_ip").await;
        let (_, said) = decided(&ada, request).await;
        assert_eq!(
            said,
            format!(
                "request {request} was denied by condition signed: its answer is not signed as it should be"
            )
        );
        assert!(!sees(&ada, &shop, "last_ip").await);
    }
}

#[tokio::test]
async fn what_waited_when_the_proxy_died_is_asked_again() {
    let (shop, service) = (Shop::new().await, Service::start());
    let mut proxy = proxy(&shop, &service);
    service.says("/ticket", Says::Silence);
    let request = {
        let ada = proxy.connect("ada").await;
        let request = ask(&ada, "customers.email").await;
        while service.asked().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        request
    };
    proxy.kill();
    service.body("/ticket", r#"{"allow": true}"#);
    proxy.crash_and_restart();
    let ada = proxy.connect("ada").await;
    let (state, said) = decided(&ada, request).await;
    assert_eq!((state.as_str(), service.asked().len()), ("approved", 2), "{said}");
    assert!(sees(&ada, &shop, "email").await);
}

#[tokio::test]
async fn all_of_several_must_allow() {
    let (shop, service) = (Shop::new().await, Service::start());
    let proxy = proxy(&shop, &service);
    let ada = proxy.connect("ada").await;
    let (yes, no) = (r#"{"allow": true}"#, r#"{"allow": false, "reason": "not on duty"}"#);
    for (ticket, duty, state) in
        [(yes, no, "denied"), (no, yes, "denied"), (no, no, "denied"), (yes, yes, "approved")]
    {
        service.body("/ticket", ticket);
        service.body("/duty", duty);
        let request = ask(&ada, "customers.address").await;
        assert_eq!(decided(&ada, request).await.0, state, "{ticket} {duty}");
        assert_eq!(sees(&ada, &shop, "address").await, state == "approved");
    }
}
