//! Tokens of an OpenID Connect issuer: OAuth 2.0 device authorization (RFC 8628) and refresh
//! (RFC 6749, section 6), as a public client.

use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pgwarrant_http::{Bytes, Call, Client, Error, HeaderValue, Method, Url, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

use crate::call::{client, escape};
use crate::failure::{Failure, Status};
use crate::output::note;

/// Where the issuer does not say (RFC 8628, section 3.2), and how much it asks for with `slow_down`
/// (section 3.5).
const INTERVAL: u64 = 5;
const SLOWER: Duration = Duration::from_secs(5);
/// What an issuer may ask for, in seconds.
const LONGEST_INTERVAL: u64 = 60;
const LONGEST_WAIT: u64 = 3_600;
/// Bytes of a token: as many as the proxy reads.
const MAX_TOKEN: usize = 60_000;

/// What the discovery document says (OpenID Connect Discovery 1.0, section 3; RFC 8628, section 4).
#[derive(Debug, Deserialize)]
struct Document {
    issuer: String,
    token_endpoint: String,
    device_authorization_endpoint: Option<String>,
}

/// An issuer as a client of it knows it.
#[derive(Debug)]
pub struct Issuer {
    name: String,
    client_id: String,
    client: Client,
    token: Url,
    device: Option<Url>,
}

/// RFC 8628, section 3.2.
#[derive(Debug, Deserialize)]
struct Device {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    interval: Option<u64>,
}

/// What an issuer gives (RFC 6749, section 5.1). Not `Debug`.
#[derive(Deserialize)]
struct Given {
    access_token: String,
    token_type: String,
    expires_in: Option<u64>,
    id_token: Option<String>,
    refresh_token: Option<String>,
}

/// The same, looked at. Not `Debug`.
pub struct Tokens {
    pub access: String,
    pub id: Option<String>,
    pub refresh: Option<String>,
    /// Of the access token.
    pub expires_at: Option<Timestamp>,
}

/// RFC 6749, section 5.2.
#[derive(Debug, Deserialize)]
struct Denied {
    error: String,
    error_description: Option<String>,
}

enum Answered<T> {
    Given(T),
    Denied(Denied),
}

impl Issuer {
    /// Reads what the issuer says of itself.
    pub async fn discover(name: &str, client_id: &str, ca: Option<&Path>) -> Result<Self, Failure> {
        let base = name.trim_end_matches('/');
        let url = url(&format!("{base}/.well-known/openid-configuration"))?;
        let client = client(&url, ca)?;
        let found = client.get(&url, "application/json").await.map_err(|error| {
            failed(name, &error.to_string()).hint("Is the address right, as in its tokens' claim \"iss\"?")
        })?;
        let document: Document = serde_json::from_slice(&found)
            .map_err(|_| failed(name, "its discovery document cannot be understood"))?;
        // Section 4.3: or somebody else could stand in for it.
        if document.issuer.trim_end_matches('/') != base {
            return Err(failed(name, &format!("it calls itself \"{}\"", document.issuer))
                .hint("Write the issuer as it calls itself, if that is the one that is meant."));
        }
        let endpoint = |text: &str| -> Result<Url, Failure> {
            let endpoint = self::url(text)?;
            match url.is_tls() && !endpoint.is_tls() {
                true => Err(failed(name, "it names an endpoint without https")),
                false => Ok(endpoint),
            }
        };
        Ok(Self {
            name: name.to_owned(),
            client_id: client_id.to_owned(),
            token: endpoint(&document.token_endpoint)?,
            device: document.device_authorization_endpoint.as_deref().map(endpoint).transpose()?,
            client,
        })
    }

    /// Has somebody sign in in a browser, wherever that is.
    pub async fn sign_in(&self, scope: &str) -> Result<Tokens, Failure> {
        let device = self.device.as_ref().ok_or_else(|| {
            failed(&self.name, "it has no device authorization")
                .hint("Have it enabled there, or get a token in another way and set PGWARRANT_TOKEN.")
        })?;
        let form = [("client_id", self.client_id.as_str()), ("scope", scope)];
        let device: Device = match self.post(device, &form).await? {
            Answered::Given(device) => device,
            Answered::Denied(denied) => return Err(self.denied(&denied)),
        };
        self.tell(&device)?;
        self.poll(&device).await
    }

    /// New tokens for those that end.
    pub async fn refresh(&self, refresh_token: &str) -> Result<Tokens, Failure> {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
            ("client_id", self.client_id.as_str()),
        ];
        match self.post::<Given>(&self.token, &form).await? {
            Answered::Given(given) => self.looked_at(given),
            Answered::Denied(denied) => Err(Failure { status: Status::SignIn, ..self.denied(&denied) }
                .hint("Run \"pgwarrant login\" again.")),
        }
    }

    fn tell(&self, device: &Device) -> Result<(), Failure> {
        // People open what is shown here.
        url(&device.verification_uri)?;
        note("To sign in, open this page in any browser, on any device:");
        note(&format!("    {}", device.verification_uri));
        note("and enter this code:");
        note(&format!("    {}", device.user_code));
        if let Some(complete) = &device.verification_uri_complete
            && url(complete).is_ok()
        {
            note("or open this one, and compare the code:");
            note(&format!("    {complete}"));
        }
        note("Waiting for it. Ctrl-C ends that.");
        Ok(())
    }

    /// RFC 8628, sections 3.4 and 3.5.
    async fn poll(&self, device: &Device) -> Result<Tokens, Failure> {
        let deadline = Instant::now() + Duration::from_secs(device.expires_in.min(LONGEST_WAIT));
        let mut interval =
            Duration::from_secs(device.interval.unwrap_or(INTERVAL).clamp(1, LONGEST_INTERVAL));
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", device.device_code.as_str()),
            ("client_id", self.client_id.as_str()),
        ];
        loop {
            sleep(interval).await;
            if Instant::now() >= deadline {
                return Err(expired());
            }
            let denied = match self.post::<Given>(&self.token, &form).await {
                Ok(Answered::Given(given)) => return self.looked_at(given),
                Ok(Answered::Denied(denied)) => denied,
                // "the client MUST unilaterally reduce its polling frequency"
                Err(failure) if failure.status == Status::Unreachable => {
                    interval = (interval * 2).min(Duration::from_secs(LONGEST_INTERVAL));
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            match denied.error.as_str() {
                "authorization_pending" => {}
                "slow_down" => interval = (interval + SLOWER).min(Duration::from_secs(LONGEST_INTERVAL)),
                "access_denied" => {
                    return Err(Failure::new(Status::Refused, "the sign-in was denied")
                        .hint("Run \"pgwarrant login\" again, and allow it."));
                }
                "expired_token" => return Err(expired()),
                _ => return Err(self.denied(&denied)),
            }
        }
    }

    fn looked_at(&self, given: Given) -> Result<Tokens, Failure> {
        if !given.token_type.eq_ignore_ascii_case("bearer") {
            return Err(failed(&self.name, "it gives tokens that are no bearer tokens"));
        }
        let good = |token: &String| {
            !token.is_empty() && token.len() <= MAX_TOKEN && token.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if !good(&given.access_token) || !given.id_token.iter().chain(&given.refresh_token).all(good) {
            return Err(failed(&self.name, "what it gives are no tokens"));
        }
        let lasts =
            given.expires_in.and_then(|seconds| i64::try_from(seconds).ok()).map(SignedDuration::from_secs);
        let expires_at = lasts.and_then(|lasts| Timestamp::now().checked_add(lasts).ok());
        Ok(Tokens {
            access: given.access_token,
            id: given.id_token,
            refresh: given.refresh_token,
            expires_at,
        })
    }

    async fn post<T: DeserializeOwned>(
        &self,
        url: &Url,
        form: &[(&str, &str)],
    ) -> Result<Answered<T>, Failure> {
        let form: Vec<String> =
            form.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
            (header::ACCEPT, HeaderValue::from_static("application/json")),
        ];
        let call = Call { method: Method::POST, url, headers: &headers, body: Bytes::from(form.join("&")) };
        let answer =
            self.client.call(&call).await.map_err(|error: Error| failed(&self.name, &error.to_string()))?;
        if answer.status.is_server_error() {
            return Err(failed(&self.name, &Error::Status(answer.status).to_string()));
        }
        let understood = match answer.status.is_success() {
            true => serde_json::from_slice(&answer.body).map(Answered::Given),
            false => serde_json::from_slice(&answer.body).map(Answered::Denied),
        };
        understood.map_err(|_| {
            Failure::unusable(format!("the issuer {} answers with something else", self.name))
                .detail(format!(
                    "It was asked for tokens, and its answer has status {}.",
                    answer.status.as_u16()
                ))
                .hint("Is it an OAuth 2.0 server with device authorization?")
        })
    }

    fn denied(&self, denied: &Denied) -> Failure {
        let failure =
            Failure::new(Status::Refused, format!("the issuer {} refuses: {}", self.name, denied.error))
                .hint(format!(
                    "Is \"{}\" registered there, as a public client that may use the device flow?",
                    self.client_id
                ));
        match &denied.error_description {
            Some(why) => failure.detail(why.clone()),
            None => failure,
        }
    }
}

fn url(text: &str) -> Result<Url, Failure> {
    Url::parse(text).map_err(|error| {
        Failure::unusable(error.to_string()).hint("An issuer and what it names have addresses with https.")
    })
}

fn failed(issuer: &str, why: &str) -> Failure {
    Failure::new(Status::Unreachable, format!("the issuer {issuer} cannot be used: {why}"))
        .hint("Try again later, or tell whoever runs it.")
}

fn expired() -> Failure {
    Failure::new(Status::SignIn, "nobody has signed in in time").hint("Run \"pgwarrant login\" again.")
}
