//! Calls of the API.

use std::path::Path;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pgwarrant_http::{
    Answer, Bytes, Call, Client, Error, HeaderName, HeaderValue, Method, StatusCode, TrustError, Url, header,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::failure::{Failure, Status};

/// For one call. Whoever checks a password or reads the whole trail may take a while.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Of one answer, in bytes: 200 of the longest requests.
const MOST: usize = 8 << 20;
/// Of one page of a list.
const PAGE: usize = 200;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const CSRF: HeaderName = HeaderName::from_static("x-pgwarrant-csrf");

/// Unreserved characters (RFC 3986, section 2.3) stay.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text as a part of a path, a query or a form.
pub fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// A client that believes `ca`, or the system's authorities, and nobody where there is no TLS.
pub fn client(url: &Url, ca: Option<&Path>) -> Result<Client, Failure> {
    let client = if url.is_tls() { Client::new(ca, TIMEOUT) } else { Client::local(TIMEOUT) };
    client.map_err(|error| {
        let failure = Failure::unusable(error.to_string());
        match error {
            TrustError::File { .. } => failure.hint("Name a PEM file with the authority's certificate."),
            TrustError::NoSystemRoots => failure.hint("Or name one with --ca."),
            TrustError::Tls(_) => failure,
        }
    })
}

/// A proxy's API.
#[derive(Clone, Debug)]
pub struct Server {
    /// `https://pgwarrant.example.com`, without a slash at its end.
    pub origin: String,
    client: Client,
}

/// Somebody who makes calls.
pub struct Caller {
    pub server: Server,
    shows: Vec<(HeaderName, HeaderValue)>,
}

/// What a problem (RFC 9457) says, as the API sends it.
#[derive(Debug, Deserialize)]
struct Problem {
    #[serde(rename = "type", default)]
    of_type: String,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
}

/// Why there is no result.
#[derive(Debug)]
pub struct Refusal {
    pub failure: Failure,
    /// The same call would be made with a second factor.
    pub lacks_second_factor: bool,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self { failure, lacks_second_factor: false }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        refusal.failure
    }
}

/// The origin of an address as it is typed.
pub fn origin(text: &str) -> Result<String, Failure> {
    let url = parse(text)?;
    let origin = url.origin().to_ascii_lowercase();
    let rest = text.get(origin.len()..).unwrap_or_default();
    match rest {
        "" | "/" => Ok(origin),
        _ => Err(Failure::unusable(format!("\"{text}\" is not the address of a server"))
            .detail("It holds more than scheme, host and port.")
            .hint(format!("Write \"{origin}\"."))),
    }
}

fn parse(text: &str) -> Result<Url, Failure> {
    Url::parse(text).map_err(|error| {
        Failure::unusable(error.to_string())
            .hint("Write an address such as https://pgwarrant.example.com, or http://127.0.0.1:6480 for a proxy on this machine.")
    })
}

impl Server {
    /// `origin`: of [`origin`].
    pub fn new(origin: String, ca: Option<&Path>) -> Result<Self, Failure> {
        let client = client(&parse(&origin)?, ca)?.max_body(MOST);
        Ok(Self { origin, client })
    }

    /// Somebody with a bearer token.
    pub fn bearer(self, token: &str) -> Result<Caller, Failure> {
        let shown = secret(format!("Bearer {token}")).ok_or_else(|| {
            Failure::new(Status::SignIn, "the token cannot be one").hint("Run \"pgwarrant login\".")
        })?;
        Ok(Caller { server: self, shows: vec![(header::AUTHORIZATION, shown)] })
    }

    /// Signs in as a browser does; the session is to be ended with [`Caller::sign_out`].
    pub async fn sign_in(self, user: &str, password: &str, code: Option<&str>) -> Result<Caller, Refusal> {
        let mut body = json!({ "user": user, "password": password });
        if let (Some(body), Some(code)) = (body.as_object_mut(), code) {
            body.insert("code".to_owned(), code.into());
        }
        let nobody = Caller { server: self, shows: vec![(CSRF, HeaderValue::from_static("1"))] };
        let answer = nobody.send(Method::POST, "/v1/session", Some(&body)).await?;
        let cookie = answer.headers.get(header::SET_COOKIE).and_then(|value| value.to_str().ok());
        let cookie = cookie.and_then(|cookie| cookie.split(';').next()).map(str::to_owned);
        let cookie = cookie.and_then(secret).ok_or_else(|| nobody.server.not_ours("it sets no cookie"))?;
        let shows = vec![(header::COOKIE, cookie), (CSRF, HeaderValue::from_static("1"))];
        Ok(Caller { shows, ..nobody })
    }

    fn not_ours(&self, why: &str) -> Failure {
        Failure::new(Status::Unreachable, format!("{} does not answer as pgwarrant does", self.origin))
            .detail(format!("It was reached, but {why}."))
            .hint("--server, or PGWARRANT_SERVER, names the address in [api] listen of its configuration.")
    }

    fn unreachable(&self, error: &Error) -> Failure {
        let failure = Failure::new(Status::Unreachable, format!("no answer from {}: {error}", self.origin));
        match error {
            Error::Tls(_) | Error::Name(_) => {
                failure.hint("Is that its address, and is the authority of its certificate known? --ca names it.")
            }
            Error::TooLong(_) | Error::Redirect | Error::Http(_) => {
                failure.hint("Is it pgwarrant's API? --server, or PGWARRANT_SERVER, names another address.")
            }
            _ => failure
                .hint("Is pgwarrant running there, with [api] in its configuration? --server names another address."),
        }
    }
}

impl Caller {
    pub async fn get(&self, path: &str) -> Result<Value, Refusal> {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Refusal> {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Result<(), Refusal> {
        self.call(Method::DELETE, path, None).await.map(|_| ())
    }

    /// Up to `most` items of a list; true: there are more. `query`: names, and values where they are
    /// given.
    pub async fn list(
        &self,
        path: &str,
        query: &[(&str, Option<String>)],
        most: usize,
    ) -> Result<(Vec<Value>, bool), Failure> {
        let mut items = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let limit = (most - items.len()).min(PAGE);
            let mut target = format!("{path}?limit={limit}");
            let cursor = [("after", after.take())];
            for (name, value) in query.iter().chain(&cursor) {
                if let Some(value) = value {
                    target.push_str(&format!("&{name}={}", escape(value)));
                }
            }
            let page = self.get(&target).await?;
            let found = page.get("items").and_then(Value::as_array).map(Vec::as_slice);
            let found = found.ok_or_else(|| self.server.not_ours("its answer is no list"))?;
            items.extend(found.iter().take(limit).cloned());
            after = page.get("next").and_then(Value::as_str).map(str::to_owned);
            let full = items.len() >= most;
            if full || after.is_none() || found.is_empty() {
                return Ok((items, full && after.is_some()));
            }
        }
    }

    /// Ends a session of [`Server::sign_in`]. Where that fails it ends by itself.
    pub async fn sign_out(self) {
        let _ = self.delete("/v1/session").await;
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Refusal> {
        let answer = self.send(method, path, body).await?;
        if answer.status == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        let read = serde_json::from_slice::<Value>(&answer.body).ok().filter(Value::is_object);
        Ok(read.ok_or_else(|| self.server.not_ours("its answer is not JSON"))?)
    }

    /// An answer that is no error. What changes requests and grants carries a key, so that it can be
    /// sent again where the network has lost the answer.
    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, Refusal> {
        let url = parse(&format!("{}{path}", self.server.origin))?;
        let mut headers = self.shows.clone();
        headers.push((header::ACCEPT, HeaderValue::from_static("application/json")));
        let body = body.map(Value::to_string).unwrap_or_default();
        if !body.is_empty() {
            headers.push((header::CONTENT_TYPE, HeaderValue::from_static("application/json")));
        }
        let repeats =
            method == Method::POST && (path.starts_with("/v1/requests") || path.starts_with("/v1/grants"));
        if repeats {
            headers.push((IDEMPOTENCY_KEY, key()?));
        }
        let call = Call { method, url: &url, headers: &headers, body: Bytes::from(body) };
        let answer = match self.server.client.call(&call).await {
            Err(Error::Http(_) | Error::Truncated | Error::Timeout(_)) if repeats => {
                self.server.client.call(&call).await
            }
            answered => answered,
        };
        let answer = answer.map_err(|error| self.server.unreachable(&error))?;
        match answer.status.is_success() {
            true => Ok(answer),
            false => Err(self.refusal(&answer)),
        }
    }

    fn refusal(&self, answer: &Answer) -> Refusal {
        let Ok(problem) = serde_json::from_slice::<Problem>(&answer.body) else {
            return self
                .server
                .not_ours(&format!("it answers with status {}", answer.status.as_u16()))
                .into();
        };
        let status = match answer.status {
            StatusCode::UNAUTHORIZED => Status::SignIn,
            StatusCode::MISDIRECTED_REQUEST => Status::Unusable,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Status::Unreachable,
            status if status.is_server_error() => Status::Unreachable,
            _ => Status::Refused,
        };
        let lacks_second_factor = problem.of_type == "urn:pgwarrant:second_factor";
        let hint = match status {
            Status::SignIn => Some("Run \"pgwarrant login\".".to_owned()),
            _ if lacks_second_factor => Some("Run it on a terminal, or with --second-factor.".to_owned()),
            _ => problem.hint.as_deref().map(own_words),
        };
        let failure = Failure { status, message: problem.message, detail: problem.detail, hint };
        Refusal { failure, lacks_second_factor }
    }
}

/// The API's hints name its calls; people of the command line know verbs.
fn own_words(hint: &str) -> String {
    const WORDS: [(&str, &str); 7] = [
        ("GET /v1/requests", "\"pgwarrant request list\""),
        ("GET /v1/grants", "\"pgwarrant grant list\""),
        ("GET /v1/sessions", "\"pgwarrant session list\""),
        ("GET /v1/tokens", "\"pgwarrant token list\""),
        ("GET /v1/whoami", "\"pgwarrant whoami\""),
        ("with POST /v1/session", "with \"pgwarrant login\""),
        ("; follow /v1/events instead of asking again and again", ""),
    ];
    WORDS.iter().fold(hint.to_owned(), |text, (call, verb)| text.replace(call, verb))
}

fn secret(text: String) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// 128 random bits.
fn key() -> Result<HeaderValue, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::try_from(text).map_err(|error| Failure::unusable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_scheme_host_and_port() {
        for (text, read) in [
            ("https://pgwarrant.example.com", "https://pgwarrant.example.com"),
            ("https://PGwarrant.example.com/", "https://pgwarrant.example.com"),
            ("http://127.0.0.1:6480", "http://127.0.0.1:6480"),
            ("http://[::1]:6480/", "http://[::1]:6480"),
        ] {
            assert_eq!(origin(text).as_deref(), Ok(read));
        }
        for wrong in [
            "http://pgwarrant.example.com",
            "http://localhost:6480",
            "127.0.0.1:6480",
            "https://a.example/v1",
            "https://a.example/?x=1",
            "https://ada:pw@a.example",
            "",
        ] {
            let failure = origin(wrong).expect_err(wrong);
            assert!(failure.status == Status::Unusable && failure.hint.is_some(), "{failure}");
        }
    }

    #[test]
    fn hints_speak_of_verbs() {
        assert_eq!(own_words("GET /v1/requests lists them."), "\"pgwarrant request list\" lists them.");
        assert_eq!(escape("a b&c=ö/"), "a%20b%26c%3D%C3%B6%2F");
    }
}
