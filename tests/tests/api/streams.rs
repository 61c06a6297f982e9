//! Server-Sent Events: what concerns somebody, as it happens, and no longer than they may see it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use pgwarrant_tests::Shop;
use serde_json::{Value, json};

use crate::{Served, Shows, ask, client};

/// A stream of events.
pub struct Stream {
    pub status: u16,
    reader: BufReader<TcpStream>,
}

/// One event.
#[derive(Debug)]
struct Event {
    name: String,
    id: String,
    data: Value,
}

impl Stream {
    pub fn open(served: &Served, shows: &Shows, path: &str) -> Stream {
        Stream::open_with(served, shows, path, "")
    }

    fn open_with(served: &Served, shows: &Shows, path: &str, more: &str) -> Stream {
        let shown = match shows {
            Shows::Nothing => String::new(),
            Shows::Cookie(cookie) => format!("Cookie: {cookie}\r\n"),
            Shows::Token(token) => format!("Authorization: Bearer {token}\r\n"),
        };
        let mut stream = client::connect(served.port);
        let head = format!(
            "GET {path} HTTP/1.1\r\nConnection: close\r\nHost: 127.0.0.1:{}\r\n{shown}{more}\r\n",
            served.port
        );
        stream.write_all(head.as_bytes()).expect("it is connected");
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).expect("a status");
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        while reader.read_line(&mut line).expect("a header") > 2 {}
        Stream { status, reader }
    }

    /// The next event that is not a sign of life. None: the stream has ended.
    fn next(&mut self) -> Option<Event> {
        let mut event = Event { name: String::new(), id: String::new(), data: Value::Null };
        let mut line = String::new();
        loop {
            line.clear();
            if self.reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let text = line.trim_end();
            match text.split_once(':') {
                Some(("event", name)) => event.name = name.trim().to_owned(),
                Some(("id", id)) => event.id = id.trim().to_owned(),
                Some(("data", data)) => event.data = serde_json::from_str(data.trim()).expect("JSON"),
                // The sizes of chunks are between the events.
                _ if text.is_empty() && !event.name.is_empty() => return Some(event),
                _ => {}
            }
        }
    }

    fn names(&mut self, count: usize) -> Vec<String> {
        (0..count).filter_map(|_| self.next()).map(|event| event.name).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_told_what_they_may_see_and_nothing_else() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let (ada, ben, petra) = (served.sign_in("ada"), served.sign_in("ben"), served.sign_in("petra"));
    let mut of_petra = Stream::open(&served, &petra, "/v1/events");
    let mut of_ben = Stream::open(&served, &ben, "/v1/events");
    let mut of_ada = Stream::open(&served, &ada, "/v1/events");
    let id = ask(&served, &ada);
    let told = of_petra.next().expect("an event");
    assert_eq!((told.name.as_str(), told.data["request"]["id"].as_u64()), ("requested", Some(id)));
    assert_eq!(told.data["request"]["may"], json!(["approve", "deny"]), "as petra sees it");
    let approved = served.post(&petra, &format!("/v1/requests/{id}/approve"), &json!({})).json();
    served.post(&petra, &format!("/v1/grants/{}/revoke", approved["grant"]["id"]), &json!({}));
    assert_eq!(of_petra.names(4), ["decided", "started", "ended", "cut_off"]);
    assert_eq!(of_ada.names(5), ["requested", "decided", "started", "ended", "cut_off"]);
    let own = ask(&served, &ben);
    let first = of_ben.next().expect("an event");
    assert_eq!(first.data["request"]["id"].as_u64(), Some(own), "nothing of ada's came before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_the_credential_that_it_was_opened_with() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let (petra, token) = (served.sign_in("petra"), served.token("petra", &["read"]));
    let mut streams = [
        Stream::open(&served, &token, "/v1/events"),
        Stream::open(&served, &token, "/v1/audit/events?kind=incident"),
    ];
    let mut of_cookie = Stream::open(&served, &petra, "/v1/events");
    let id = served.get(&petra, "/v1/tokens").json()["items"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(served.call(&petra, "DELETE", &format!("/v1/tokens/{id}"), None).status, 204);
    for stream in &mut streams {
        let last = stream.next().expect("it says why");
        assert_eq!((last.name.as_str(), &last.data["type"]), ("end", &json!("urn:pgwarrant:sign_in")));
        assert!(stream.next().is_none(), "there is no more");
    }
    ask(&served, &served.sign_in("ada"));
    assert_eq!(of_cookie.next().expect("an event").name, "requested", "the other one goes on");
    served.call(&petra, "DELETE", "/v1/session", None);
    assert_eq!(of_cookie.next().expect("it says why").name, "end");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trail_is_followed_and_gone_on_with() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let (aud, ada) = (served.sign_in("aud"), served.sign_in("ada"));
    let path = "/v1/audit/events?kind=statement&user=ada";
    let mut stream = Stream::open(&served, &aud, path);
    let mut own = Stream::open(&served, &ada, "/v1/audit/events?kind=statement");
    assert_eq!(Stream::open(&served, &ada, "/v1/audit/events?user=ben").status, 403);
    for user in ["ben", "ada"] {
        let session = served.proxy.connect(user).await;
        for number in 1..=3 {
            session
                .simple_query(&format!("SELECT count(*) AS n{number} FROM customers"))
                .await
                .expect("a count");
        }
    }
    let first = stream.next().expect("a record");
    assert_eq!((first.name.as_str(), &first.data["user"]), ("record", &json!("ada")));
    assert_eq!(first.id, first.data["seq"].to_string());
    assert_eq!(own.next().expect("a record").id, first.id, "one's own, without asking for it");
    let rest = [stream.next().expect("a record").id, stream.next().expect("a record").id];
    let mut again = Stream::open_with(&served, &aud, path, &format!("Last-Event-ID: {}\r\n", first.id));
    assert_eq!([again.next().expect("a record").id, again.next().expect("a record").id], rest);
}
