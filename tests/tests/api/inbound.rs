//! Messages of a ticket system: believed by their signature, acted on once, and within what the user
//! that the system acts as may do.

use pgwarrant_tests::standard_webhooks::{now, secret_file, signed};
use pgwarrant_tests::{Shop, connect};
use serde_json::{Value, json};

use crate::client::{self, Answer};
use crate::{Served, Shows, email};

const KEY: [u8; 32] = [1; 32];
const FORMER: [u8; 32] = [2; 32];
const OTHER: [u8; 32] = [3; 32];

/// A proxy that takes messages of two systems: one that may do everything for people, one that only
/// asks.
fn served(shop: &Shop) -> Served {
    let directory = tempfile::tempdir().expect("a temporary directory").keep();
    let file = |name: &str, key: &[u8]| secret_file(&directory, name, key).display().to_string();
    let sections = format!(
        "[[group]]\nname = \"desk\"\nmay_request = true\nmay_approve = true\n\
         [[group]]\nname = \"intake\"\nmay_request = true\n\
         [[user]]\nname = \"tickets\"\nperson = \"olga\"\ngroups = [\"desk\"]\n\
         [[user]]\nname = \"forms\"\ngroups = [\"intake\"]\n\
         [[inbound]]\nname = \"tickets\"\nsecret_file = \"{}\"\nformer_secret_file = \"{}\"\nacts_as = \"tickets\"\n\
         [[inbound]]\nname = \"forms\"\nsecret_file = \"{}\"\nacts_as = \"forms\"\n",
        file("key", &KEY),
        file("former", &FORMER),
        file("other", &OTHER),
    );
    Served::start_with(shop, "", &sections)
}

/// A message as it goes over the wire.
struct Message {
    system: &'static str,
    headers: Vec<(String, String)>,
    body: String,
}

fn message(key: &[u8], id: &str, at: u64, body: &Value) -> Message {
    let body = body.to_string();
    Message { system: "tickets", headers: signed(key, id, &at.to_string(), &body), body }
}

fn send(served: &Served, message: &Message) -> Answer {
    let headers: Vec<(&str, &str)> =
        message.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let path = format!("/v1/webhooks/{}", message.system);
    client::call(served.port, "POST", &path, &headers, Some(&message.body))
}

/// Signed as it should be, with an id of its own.
fn say(served: &Served, body: &Value) -> Answer {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    send(served, &message(&KEY, &format!("own_{number}"), now(), body))
}

fn open(user: &str, ticket: &str) -> Value {
    json!({ "type": "request.open", "for": user, "columns": "customers.email", "rows": "id = 42",
            "reason": "a letter came back", "ticket": ticket, "duration": "10 min" })
}

fn approve(ticket: &str, by: &str) -> Value {
    json!({ "type": "request.approve", "ticket": ticket, "by": by })
}

fn close(ticket: &str) -> Value {
    json!({ "type": "request.close", "ticket": ticket, "reason": "done" })
}

async fn real_email(shop: &Shop) -> String {
    email(&shop.direct).await
}

#[tokio::test]
async fn a_ticket_is_opened_approved_and_closed() {
    let shop = Shop::new().await;
    let served = served(&shop);
    let opened = say(&served, &open("ada", "DSR-17"));
    assert_eq!(opened.status, 200, "{opened:?}");
    assert_eq!((&opened.json()["request_id"], &opened.json()["state"]), (&1.into(), &"pending".into()));
    let ada = served.proxy.connect("ada").await;
    let real = real_email(&shop).await;
    assert_ne!(email(&ada).await, real);

    let approved = say(&served, &approve("DSR-17", "petra"));
    assert_eq!((approved.status, &approved.json()["grant_id"]), (200, &1.into()), "{approved:?}");
    assert_eq!(email(&ada).await, real);
    let shown = served.get(&served.sign_in("petra"), "/v1/requests/1").json();
    assert_eq!((&shown["by"], &shown["decided_by"]), (&"ada".into(), &"tickets".into()));
    assert_eq!(shown["approvals"][0]["reason"], "on the word of petra");
    assert_eq!(shown["approvals"][0]["sign_in"], "webhook");

    let closed = say(&served, &close("DSR-17"));
    assert_eq!((closed.status, &closed.json()["ended_grants"]), (200, &json!([1])), "{closed:?}");
    assert_ne!(email(&ada).await, real);
    let again = say(&served, &close("DSR-17"));
    assert_eq!((again.status, &again.json()["ended_grants"]), (200, &json!([])), "{again:?}");
}

#[tokio::test]
async fn a_forged_late_or_stolen_message_is_refused_and_recorded() {
    let shop = Shop::new().await;
    let served = served(&shop);
    let petra = served.sign_in("petra");
    let body = open("ada", "DSR-17");
    let good = |id: &str| message(&KEY, id, now(), &body);
    let without = |name: &str| {
        let mut message = good("without");
        message.headers.retain(|(found, _)| found != name);
        message
    };
    let mut other_body = good("body");
    other_body.body = other_body.body.replace("ada", "ben");
    let mut other_id = good("one");
    other_id.headers[0].1 = "two".to_owned();
    let mut twice = good("twice");
    twice.headers.push(twice.headers[2].clone());
    let mut elsewhere = good("elsewhere");
    elsewhere.system = "forms";
    let mut nowhere = good("nowhere");
    nowhere.system = "tickets2";
    let refused = [
        without("webhook-id"),
        without("webhook-timestamp"),
        without("webhook-signature"),
        other_body,
        other_id,
        twice,
        elsewhere,
        nowhere,
    ];
    for message in &refused {
        let answer = send(&served, message);
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (401, "sign_in"),
            "{:?} {answer:?}",
            message.headers
        );
    }
    let aud = served.proxy.connect("aud").await;
    let failed = "SELECT count(*) FROM pgwarrant.audit WHERE kind = 'login_failed'";
    let recorded: i64 = aud.query_one(failed, &[]).await.expect("a count").get(0);
    assert_eq!(recorded, refused.len() as i64);

    // Whoever goes on is not even looked at, and leaves no more records.
    let answers: Vec<u16> =
        (0..10).map(|n| send(&served, &message(&OTHER, &format!("x{n}"), now(), &body)).status).collect();
    assert!(answers.contains(&429), "{answers:?}");
    let requests = served.get(&petra, "/v1/requests").json();
    assert_eq!(requests["items"], json!([]));
}

#[tokio::test]
async fn a_message_is_good_for_five_minutes() {
    let shop = Shop::new().await;
    let served = served(&shop);
    for (seconds, status) in [(-400, 401), (400, 401), (-200, 200), (200, 200)] {
        let at = now().saturating_add_signed(seconds);
        let answer = send(
            &served,
            &message(
                &KEY,
                &format!("at{}", seconds.unsigned_abs() * 2 + u64::from(seconds > 0)),
                at,
                &open("ada", "DSR-1"),
            ),
        );
        assert_eq!(answer.status, status, "{seconds} {answer:?}");
    }
}

#[tokio::test]
async fn a_message_is_acted_on_once_also_after_a_restart() {
    let shop = Shop::new().await;
    let mut served = served(&shop);
    let body = open("ada", "DSR-17");
    let at = now() - 20;
    let first = message(&KEY, "msg_1", at, &body);
    let answer = send(&served, &first);
    assert_eq!(answer.status, 200, "{answer:?}");
    for restarted in [false, true] {
        if restarted {
            served.proxy.crash_and_restart();
            served.wait();
        }
        let replayed = send(&served, &first);
        assert_eq!((replayed.status, replayed.problem().as_str()), (401, "sign_in"), "{replayed:?}");
        let again = send(&served, &message(&KEY, "msg_1", at + 5 + u64::from(restarted), &body));
        assert_eq!((again.status, again.json()), (200, answer.json()), "{again:?}");
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        let other =
            send(&served, &message(&KEY, "msg_1", at + 10 + u64::from(restarted), &open("ben", "DSR-17")));
        assert_eq!(other.status, 401, "{other:?}");
    }
    let requests = served.get(&served.sign_in("petra"), "/v1/requests").json();
    assert_eq!(requests["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn while_a_secret_is_replaced_the_former_is_good() {
    let shop = Shop::new().await;
    let served = served(&shop);
    let answer = send(&served, &message(&FORMER, "old", now(), &open("ada", "DSR-17")));
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn nobody_approves_their_own_by_way_of_a_ticket() {
    let shop = Shop::new().await;
    let served = served(&shop);
    assert_eq!(say(&served, &open("ada", "DSR-1")).status, 200);
    let own = say(&served, &approve("DSR-1", "ada"));
    assert_eq!((own.status, own.problem().as_str()), (403, "not_allowed"), "{own:?}");
    // The system acts as a user of olga's: what is hers it cannot approve, on whoever's word.
    assert_eq!(say(&served, &open("olga", "DSR-2")).status, 200);
    let hers = say(&served, &approve("DSR-2", "petra"));
    assert_eq!((hers.status, hers.problem().as_str()), (403, "not_allowed"), "{hers:?}");
    let unknown = say(&served, &approve("DSR-1", "mallory"));
    assert_eq!((unknown.status, unknown.problem().as_str()), (422, "invalid"), "{unknown:?}");
    let nobody = say(&served, &json!({ "type": "request.approve", "ticket": "DSR-1" }));
    assert_eq!(nobody.status, 422, "{nobody:?}");
    let direct = connect(&served.proxy.conninfo("ada")).await;
    assert_ne!(email(&direct).await, real_email(&shop).await);
}

#[tokio::test]
async fn a_system_does_what_its_user_s_groups_may_and_no_more() {
    let shop = Shop::new().await;
    let served = served(&shop);
    let forms = |id: &str, body: &Value| {
        send(&served, &Message { system: "forms", ..message(&OTHER, id, now(), body) })
    };
    assert_eq!(forms("f1", &open("ada", "DSR-1")).status, 200);
    assert_eq!(forms("f2", &approve("DSR-1", "petra")).status, 409, "it sees nothing that waits");
    let by_number = json!({ "type": "request.approve", "request": 1, "by": "petra" });
    assert_eq!(forms("f3", &by_number).status, 404);
    // What petra has not been asked by a message, a system that may not decide leaves alone.
    let ada = served.sign_in("ada");
    let body = json!({ "columns": "customers.email", "rows": "id = 42", "reason": "r", "ticket": "DSR-9" });
    assert_eq!(served.post(&ada, "/v1/requests", &body).status, 201);
    assert_eq!(forms("f4", &close("DSR-9")).status, 403);
    let closed = forms("f5", &close("DSR-1"));
    assert_eq!(closed.json()["closed_requests"], json!([1]), "{closed:?}");
    assert_eq!(served.get(&ada, "/v1/requests/1").json()["state"], "withdrawn");
    let denied = say(&served, &close("DSR-9"));
    assert_eq!(denied.json()["closed_requests"], json!([2]), "{denied:?}");
    assert_eq!(served.get(&ada, "/v1/requests/2").json()["state"], "denied");
    let nobody = say(&served, &open("aud", "DSR-3"));
    assert_eq!(nobody.status, 403, "who may not ask has nobody ask for them: {nobody:?}");
}

#[tokio::test]
async fn what_is_not_understood_is_refused_and_the_signed_page_is_small() {
    let shop = Shop::new().await;
    let served = served(&shop);
    for (body, status) in [
        (json!({ "type": "request.delete" }), 422),
        (json!({ "type": "request.open", "for": "ada" }), 422),
        (json!({ "type": "request.close" }), 422),
        (json!({ "type": "request.close", "ticket": "DSR-1", "request": 1 }), 422),
        (
            json!({ "type": "request.open", "for": "nobody", "columns": "customers.email", "reason": "r" }),
            422,
        ),
        (
            json!({ "type": "request.open", "for": "ada", "columns": "customers.email", "reason": "r", "urgency": "break-glass" }),
            422,
        ),
        (json!({ "type": "request.approve", "request": 99, "by": "petra" }), 404),
        (json!("x".repeat(70_000)), 413),
    ] {
        let answer = say(&served, &body);
        assert_eq!(answer.status, status, "{answer:?}");
    }
    let unsigned = served.post(&served.sign_in("petra"), "/v1/webhooks/tickets", &open("ada", "DSR-1"));
    assert_eq!(unsigned.status, 401, "a session is no signature: {unsigned:?}");
    let get = served.get(&Shows::Nothing, "/v1/webhooks/tickets");
    assert_eq!(get.status, 405, "{get:?}");
}
