//! An OpenID Connect issuer on loopback: discovery, keys and device authorization (RFC 8628) over HTTP
//! or HTTPS, well or unwell.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::certificates::Certificates;

/// What it answers with.
#[derive(Clone, Debug, Default)]
pub enum Mood {
    #[default]
    Well,
    /// It accepts connections and says nothing.
    Silent,
    /// This, in place of an answer.
    Raw(Vec<u8>),
    /// This, as a discovery document.
    Discovery(Value),
}

#[derive(Default)]
struct State {
    keys: Mutex<String>,
    mood: Mutex<Mood>,
    paths: Mutex<Vec<String>>,
    device: Mutex<Value>,
    /// Status and body of what the token endpoint answers; the last one again and again.
    tokens: Mutex<VecDeque<(u16, Value)>>,
    forms: Mutex<Vec<(String, String)>>,
}

pub struct Issuer {
    pub url: String,
    state: Arc<State>,
    task: JoinHandle<()>,
}

impl Issuer {
    pub async fn start(keys: &[Value]) -> Self {
        Self::listen(keys, None).await
    }

    pub async fn start_with_tls(keys: &[Value], certificates: &Certificates) -> Self {
        Self::listen(keys, Some(TlsAcceptor::from(certificates.server()))).await
    }

    async fn listen(keys: &[Value], tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let state = Arc::new(State::default());
        let task = tokio::spawn(serve(listener, tls, url.clone(), Arc::clone(&state)));
        let issuer = Self { url, state, task };
        issuer.publish(keys);
        issuer
    }

    pub fn publish(&self, keys: &[Value]) {
        *self.state.keys.lock().unwrap() = json!({ "keys": keys }).to_string();
    }

    pub fn is(&self, mood: Mood) {
        *self.state.mood.lock().unwrap() = mood;
    }

    /// What `/device` answers, and `/token` one call after the other; the last is answered again.
    pub fn authorizes(&self, device: Value, tokens: impl IntoIterator<Item = (u16, Value)>) {
        *self.state.device.lock().unwrap() = device;
        *self.state.tokens.lock().unwrap() = tokens.into_iter().collect();
    }

    /// Path and form of what was posted so far.
    pub fn posted(&self) -> Vec<(String, String)> {
        self.state.forms.lock().unwrap().clone()
    }

    /// The paths that were asked for so far.
    pub fn asked(&self) -> Vec<String> {
        self.state.paths.lock().unwrap().clone()
    }

    /// From now on connections are refused.
    pub async fn stop(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, url: String, state: Arc<State>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (tls, url, state) = (tls.clone(), url.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            // A client that does not like the certificate is none of our business.
            let _ = connection(stream, tls, &url, &state).await;
        });
    }
}

async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    url: &str,
    state: &State,
) -> std::io::Result<()> {
    match tls {
        Some(tls) => answer(tls.accept(stream).await?, url, state).await,
        None => answer(stream, url, state).await,
    }
}

async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    url: &str,
    state: &State,
) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await?);
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let length = request.lines().filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().unwrap())
    });
    let mut form = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut form).await?;
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    state.paths.lock().unwrap().push(path.clone());
    let mood = state.mood.lock().unwrap().clone();
    let body = match (mood, path.as_str()) {
        (Mood::Silent, _) => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            return Ok(());
        }
        (Mood::Raw(bytes), _) => {
            stream.write_all(&bytes).await?;
            return stream.shutdown().await;
        }
        (Mood::Discovery(document), "/.well-known/openid-configuration") => document.to_string(),
        (Mood::Well, "/.well-known/openid-configuration") => {
            let at = |path: &str| format!("{url}/{path}");
            json!({
                "issuer": url, "jwks_uri": at("keys"), "token_endpoint": at("token"),
                "device_authorization_endpoint": at("device"),
            })
            .to_string()
        }
        (_, "/device" | "/token") => {
            state.forms.lock().unwrap().push((path.clone(), String::from_utf8_lossy(&form).into_owned()));
            let (status, body) = match path.as_str() {
                "/device" => (200, state.device.lock().unwrap().clone()),
                _ => {
                    let mut answers = state.tokens.lock().unwrap();
                    let next = answers.pop_front().unwrap_or((500, Value::Null));
                    if answers.is_empty() {
                        answers.push_back(next.clone());
                    }
                    next
                }
            };
            let answer = String::from_utf8(ok(&body.to_string())).unwrap();
            stream.write_all(answer.replacen("200 OK", &format!("{status} Status"), 1).as_bytes()).await?;
            return stream.shutdown().await;
        }
        (_, "/keys") => state.keys.lock().unwrap().clone(),
        _ => {
            stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await?;
            return stream.shutdown().await;
        }
    };
    stream.write_all(&ok(&body)).await?;
    stream.shutdown().await
}

pub fn ok(body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
