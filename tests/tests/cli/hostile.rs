//! What others write, and servers that are not what they should be.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use pgwarrant_tests::Shop;
use serde_json::json;

use crate::{Desk, Served};

/// Clears the screen, sets the title, colours, moves up, and turns what follows around.
const REASON: &str =
    "parcel\x1b[2J\x1b]0;title\x07\u{9b}31m\r\n\u{202e}drahcir\u{2066}\u{200b}\u{61c} APPROVED";

fn is_harmless(text: &str) -> bool {
    text.chars().all(|c| c == '\n' || !c.is_control() && !"\u{202e}\u{2066}\u{200b}\u{61c}".contains(c))
}

/// The proxy takes no such reason; but who says that it is the proxy, and always was?
#[tokio::test(flavor = "multi_thread")]
async fn what_others_wrote_steers_no_terminal() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let refused = served.desk("ada").run(&["request", "create", "customers.email", "--reason", REASON]);
    assert!(refused.status == 1 && is_harmless(&refused.stderr), "{refused:?}");

    let one = json!({
        "id": 1, "number": 1, "state": REASON, "who": REASON, "columns": REASON, "rows": REASON, "reason": REASON,
        "message": REASON, "application": REASON, "name": REASON, "user": REASON, "profile": REASON,
        "column": REASON, "urgency": REASON, "requested_at": REASON, "approvals": [{ "by": REASON, "reason": REASON }],
        "request": { "id": 1, "state": "approved" }, "groups": [REASON], "token": REASON,
    });
    let mut page = one.clone();
    page["items"] = json!([one]);
    let (url, _told) = server(answer("200 OK", &page.to_string()));
    for arguments in [
        &["request", "list"][..],
        &["request", "show", "1"],
        &["request", "approve", "1"],
        &["request", "create", "a.b", "--reason", "r"],
        &["grant", "list"],
        &["grant", "show", "1"],
        &["grant", "revoke", "1"],
        &["session", "list"],
        &["token", "list"],
        &["profile", "list"],
        &["catalog"],
        &["whoami"],
    ] {
        for json in [false, true] {
            let more: &[&str] = if json { &["--json"] } else { &[] };
            let desk = Desk::new(&url);
            let mut command = desk.command(&[arguments, more].concat());
            let ran =
                crate::finish(command.env("PGWARRANT_TOKEN", "pgw_0_0").spawn().expect("it starts"), "");
            assert!(
                ran.status == 0 && is_harmless(&ran.stdout) && is_harmless(&ran.stderr),
                "{arguments:?}: {ran:?}"
            );
            assert!(ran.stdout.contains("drahcir") && ran.stdout.contains("\\u"), "{arguments:?}: {ran:?}");
            if json {
                // Programs get what was written.
                let read = &ran.json()[0];
                assert!(
                    read["reason"] == REASON && read["approvals"][0]["by"] == REASON,
                    "{arguments:?}: {read}"
                );
            }
        }
    }
}

/// Answers every connection with these bytes, and tells what came.
fn server(bytes: Vec<u8>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 4096];
            let read = stream.read(&mut head).unwrap_or(0);
            let _ = tell.send(String::from_utf8_lossy(&head[..read]).into_owned());
            let _ = stream.write_all(&bytes);
        }
    });
    (url, told)
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Type: application/json\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

#[test]
fn a_server_that_is_something_else_is_told_from_one_that_is_down() {
    let problem = json!({ "type": "urn:pgwarrant:state", "message": "no\x1b[2J", "detail": "A\u{202e}b.", "hint": "C\u{7}d." });
    let page = "<html>".repeat(2_000_000);
    let endless = json!({ "items": [{ "id": 1 }], "next": "1" }).to_string();
    for (bytes, status, says) in [
        (b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), 5, "HINT: Is it pgwarrant's API?"),
        (Vec::new(), 5, "HINT: Is it pgwarrant's API?"),
        (answer("200 OK", "<html>"), 5, "does not answer as pgwarrant does"),
        (answer("200 OK", "7"), 5, "does not answer as pgwarrant does"),
        (answer("200 OK", "{}"), 5, "its answer is no list"),
        (answer("404 Not Found", "<html>"), 5, "it answers with status 404"),
        (answer("200 OK", &page), 5, "the answer is longer than 8388608 bytes"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n".to_vec(), 5, "it redirects"),
        (
            answer("503 Unavailable", &problem.to_string()),
            5,
            "error: no\\u{1b}[2J\nDETAIL: A\\u{202e}b.\nHINT: C\\u{7}d.",
        ),
        (answer("401 Unauthorized", &problem.to_string()), 4, "HINT: Run \"pgwarrant login\"."),
        (answer("409 Conflict", &problem.to_string()), 1, "error: no\\u{1b}[2J"),
        (answer("200 OK", &endless), 0, "there are more"),
    ] {
        let (url, _told) = server(bytes);
        let desk = Desk::new(&url);
        let ran = crate::finish(
            desk.command(&["request", "list"]).env("PGWARRANT_TOKEN", "pgw_0_0").spawn().expect("it starts"),
            "",
        );
        assert_eq!(ran.status, status, "{ran:?}");
        assert!(ran.stderr.contains(says) && is_harmless(&ran.stderr), "{says}: {ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_goes_to_the_server_that_it_is_of_and_to_no_other() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let ada = served.desk("ada");
    let (url, told) = server(answer("200 OK", "{}"));
    let ran = ada.run(&["whoami", "--server", &url]);
    assert_eq!(ran.status, 4, "{ran:?}");
    assert!(told.try_recv().is_err(), "something was sent");
    let ran = crate::finish(
        ada.command(&["whoami", "--server", &url])
            .env("PGWARRANT_TOKEN", "of-another")
            .spawn()
            .expect("it starts"),
        "",
    );
    let sent = told.recv().expect("a call");
    assert!(sent.contains("of-another") && !sent.contains("pgw_"), "{ran:?}: {sent}");
}

#[test]
fn an_answer_that_is_lost_is_asked_for_again_with_the_same_key() {
    let (url, told) = server(Vec::new());
    let desk = Desk::new(&url);
    let run = |arguments: &[&str]| {
        let child = desk.command(arguments).env("PGWARRANT_TOKEN", "pgw_0_0").spawn().expect("it starts");
        assert_eq!(crate::finish(child, "").status, 5);
        let calls: Vec<String> = told.try_iter().collect();
        let key = |call: &String| {
            call.lines().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("idempotency-key: ").map(str::to_owned)
            })
        };
        calls.iter().map(key).collect::<Vec<_>>()
    };
    let keys = run(&["request", "approve", "1"]);
    assert!(
        keys.len() == 2 && keys[0] == keys[1] && keys[0].as_ref().is_some_and(|key| key.len() == 32),
        "{keys:?}"
    );
    assert_ne!(run(&["request", "approve", "1"]), keys, "another decision");
    assert_eq!(run(&["request", "list"]), [None]);
    assert_eq!(run(&["session", "kill", "1"]), [None], "it could be another session's number by then");
}
