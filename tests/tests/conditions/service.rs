//! A system that is asked for conditions: HTTP by hand, so that it can answer as none should.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgwarrant_tests::standard_webhooks::{now, signature, signed};
use serde_json::Value;

/// What a path answers.
#[derive(Clone)]
pub enum Says {
    /// 200 with this body.
    Body(String),
    /// The same, signed with this secret for the question that was asked.
    Signed(String, Vec<u8>),
    /// The same, with these headers instead.
    Headed(String, Vec<(String, String)>),
    Raw(String),
    /// Nothing, until the other side gives up.
    Silence,
}

/// What was asked.
#[derive(Clone, Debug)]
pub struct Question {
    pub path: String,
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Question {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a question is JSON")
    }

    /// The signature, made anew with another implementation than the product's.
    pub fn is_signed_with(&self, key: &[u8]) -> bool {
        let (id, at) = (&self.headers["webhook-id"], &self.headers["webhook-timestamp"]);
        self.headers["webhook-signature"] == signature(key, id, at, &self.body)
    }
}

#[derive(Default)]
struct State {
    says: HashMap<String, Says>,
    asked: Vec<Question>,
}

pub struct Service {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

impl Service {
    pub fn start() -> Service {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                std::thread::spawn(move || answer(stream, &state));
            }
        });
        Service { port, state }
    }

    pub fn says(&self, path: &str, says: Says) {
        self.state.lock().expect("the state").says.insert(path.to_owned(), says);
    }

    pub fn body(&self, path: &str, body: &str) {
        self.says(path, Says::Body(body.to_owned()));
    }

    pub fn asked(&self) -> Vec<Question> {
        self.state.lock().expect("the state").asked.clone()
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
    let Some(question) = read(&mut stream) else { return };
    let says = {
        let mut state = state.lock().expect("the state");
        state.asked.push(question.clone());
        state.says.get(&question.path).cloned()
    };
    let ok = |body: &str, headers: &[(String, String)]| {
        let mut head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", body.len());
        headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        format!("{head}\r\n{body}")
    };
    let text = match says {
        None => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
        Some(Says::Body(body)) => ok(&body, &[]),
        Some(Says::Headed(body, headers)) => ok(&body, &headers),
        Some(Says::Signed(body, key)) => {
            let (id, at) = (question.headers["webhook-id"].clone(), now().to_string());
            ok(&body, &signed(&key, &id, &at, &body))
        }
        Some(Says::Raw(text)) => text,
        Some(Says::Silence) => {
            let _ = stream.read(&mut [0; 1]);
            return;
        }
    };
    let _ = stream.write_all(text.as_bytes());
}

fn read(stream: &mut TcpStream) -> Option<Question> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let mut lines = head.split("\r\n");
        let path = lines.next()?.split(' ').nth(1)?.to_owned();
        let headers: HashMap<String, String> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        if body.len() >= length {
            return Some(Question { path, headers, body: body.to_owned() });
        }
    }
}
