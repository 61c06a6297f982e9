//! Conditions beside people.

use pgwarrant_tests::Shop;

use crate::service::{Says, Service};
use crate::{ask, decided, proxy, sees};

async fn approve(client: &tokio_postgres::Client, request: i64) {
    client.execute("SELECT * FROM pgwarrant.approve($1)", &[&request]).await.expect("approved");
}

async fn waits_for(client: &tokio_postgres::Client, request: i64) -> Option<String> {
    let sql = "SELECT waits_for FROM pgwarrant.requests WHERE id = $1";
    client.query_one(sql, &[&request]).await.expect("a request").get(0)
}

/// How often the condition was asked, once it was asked so often.
async fn asked(service: &Service, count: usize) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while service.asked().len() < count {
        assert!(std::time::Instant::now() < deadline, "{:?}", service.asked());
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_a_person_approves_is_asked_about_once_more() {
    let (shop, service) = (Shop::new().await, Service::start());
    let proxy = proxy(&shop, &service);
    let (ada, petra) = (proxy.connect("ada").await, proxy.connect("petra").await);
    service.body("/ticket", r#"{"allow": true}"#);
    let request = ask(&ada, "customers.name").await;
    asked(&service, 1).await;
    assert_eq!(waits_for(&ada, request).await.as_deref(), Some("group privacy, and then condition ticket"));
    assert!(!sees(&ada, &shop, "name").await);
    approve(&petra, request).await;
    assert_eq!(decided(&ada, request).await.1, format!("request {request} was approved by petra: grant 1"));
    assert!(sees(&ada, &shop, "name").await);
    let stages: Vec<String> = service
        .asked()
        .iter()
        .map(|question| question.json()["stage"].as_str().unwrap_or("").to_owned())
        .collect();
    assert_eq!(stages, ["asked", "deciding"]);
    assert_eq!(service.asked()[1].json()["request"]["approved_by"], serde_json::json!(["petra"]));
}

#[tokio::test]
async fn a_ticket_that_was_closed_meanwhile_denies_what_a_person_approved() {
    let (shop, service) = (Shop::new().await, Service::start());
    let proxy = proxy(&shop, &service);
    let (ada, petra) = (proxy.connect("ada").await, proxy.connect("petra").await);
    service.body("/ticket", r#"{"allow": true}"#);
    let request = ask(&ada, "customers.name").await;
    asked(&service, 1).await;
    service.body("/ticket", r#"{"allow": false, "reason": "closed meanwhile"}"#);
    approve(&petra, request).await;
    let (state, said) = decided(&ada, request).await;
    assert_eq!(
        (state.as_str(), said),
        ("denied", format!("request {request} was denied by condition ticket: closed meanwhile"))
    );
    assert!(!sees(&ada, &shop, "name").await);
}

#[tokio::test]
async fn a_no_bothers_nobody_and_silence_leaves_it_to_people() {
    let (shop, service) = (Shop::new().await, Service::start());
    let proxy = proxy(&shop, &service);
    let (ada, petra) = (proxy.connect("ada").await, proxy.connect("petra").await);
    service.body("/ticket", r#"{"allow": false}"#);
    let request = ask(&ada, "customers.name").await;
    assert_eq!(decided(&ada, request).await.1, format!("request {request} was denied by condition ticket"));

    service.says(
        "/ticket",
        Says::Raw("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_owned()),
    );
    let request = ask(&ada, "customers.name").await;
    asked(&service, 2).await;
    service.body("/ticket", r#"{"allow": true}"#);
    approve(&petra, request).await;
    assert_eq!(decided(&ada, request).await.0, "approved");
    assert!(sees(&ada, &shop, "name").await);
}
