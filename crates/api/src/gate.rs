//! What every call passes, in this order: is it for us, is it too many, who calls, may a page do
//! that, is its body small, was it made before; and then what came of it is recorded.

use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use pgwarrant_audit::{Decision, Kind, Record};

use crate::api::{self, Api};
use crate::caller::{Caller, Ends, Via};
use crate::headers;
use crate::identify::identify;
use crate::origin;
use crate::problem::{Problem, What};
use crate::rate::neighbourhood;
use crate::record;
use crate::repeats::{Kept, MAX_ANSWER, Seen};
use crate::secret::Digest;
use crate::settings::Origin;

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const REPLAYED: &str = "idempotency-replayed";
pub const SESSION: &str = "/v1/session";
const APPROVAL_TOKENS: &str = "/approval-tokens";

pub async fn gate(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let ends = request.extensions().get::<Ends>().copied();
    let mut response = match ends {
        // A call goes on to its end, and to its record, also where the client has gone.
        Some(ends) => {
            let made = tokio::spawn(pass(api.clone(), ends, request, next));
            match made.await {
                Ok(outcome) => outcome.unwrap_or_else(IntoResponse::into_response),
                Err(error) => panicked(&api, ends, &error).await,
            }
        }
        None => Problem::internal().into_response(),
    };
    headers::secure(response.headers_mut(), ends.is_some_and(|ends| ends.tls));
    response
}

async fn pass(api: Arc<Api>, ends: Ends, mut request: Request, next: Next) -> Result<Response, Problem> {
    let settings = &api.settings;
    let own = origin::ours(request.headers(), request.uri(), ends, settings.public_url.as_ref())?;
    api.rate_of_address.take(neighbourhood(ends.peer.ip()), Instant::now()).map_err(too_many)?;
    let caller = match request.uri().path().starts_with("/v1/") {
        true => identify(&api, ends, request.headers()).await?,
        false => None,
    };
    if let Some(caller) = &caller {
        api.rate_of_user.take(caller.who.user.clone(), Instant::now()).map_err(too_many)?;
    }
    let called = Called::of(&request, caller.clone());
    request.extensions_mut().insert(own);
    if let Some(caller) = caller {
        request.extensions_mut().insert(caller);
    }
    let made = match admit(&api, &called, &request) {
        Ok(()) => make(&api, &called, request, next).await,
        Err(problem) => Err(problem),
    };
    if let Some(record) = called.record(&made) {
        api.trail.append(record).await.map_err(|error| {
            tracing::error!(%error, "a call could not be recorded");
            Problem::no_trail()
        })?;
    }
    made
}

fn admit(api: &Api, called: &Called, request: &Request) -> Result<(), Problem> {
    let changes = !called.method.is_safe();
    let own = request.extensions().get::<Origin>().ok_or_else(Problem::internal)?;
    match called.caller.as_deref().map(|caller| &caller.via) {
        Some(Via::Browser(_)) if changes => origin::check_own_page(request.headers(), own)?,
        Some(Via::Browser(_)) => origin::check_site(request.headers())?,
        None if changes && called.path == SESSION => origin::check_own_page(request.headers(), own)?,
        _ => {}
    }
    match changes && api.trail.failure().is_some() {
        true => Err(Problem::no_trail()),
        false => Ok(()),
    }
}

/// Reads the body, and makes the call unless it was made before.
async fn make(api: &Arc<Api>, called: &Called, request: Request, next: Next) -> Result<Response, Problem> {
    if request.method().is_safe() {
        return Ok(next.run(request).await);
    }
    let (head, body) = request.into_parts();
    let body = read(api, body).await?;
    let key = idempotency_key(&head.headers)?;
    let call =
        Digest::of(&[head.method.as_str().as_bytes(), b" ", called.path.as_bytes(), b"\n", &body].concat());
    let request = Request::from_parts(head, Body::from(body));
    let (Some(key), Some(caller)) = (key, &called.caller) else { return Ok(next.run(request).await) };
    if !may_repeat(&called.method, &called.path) {
        let is_secret = called.path.starts_with(SESSION)
            || called.path.starts_with("/v1/tokens")
            || called.path.ends_with(APPROVAL_TOKENS);
        if !is_secret || called.method != Method::POST {
            return Ok(next.run(request).await);
        }
        return Err(Problem::new(What::Malformed, "this call takes no Idempotency-Key")
            .detail("Its answer holds a secret, which is not kept.")
            .hint("Make it without one."));
    }
    match api.repeats.begin(&caller.who.user, &key, call, api::now())? {
        Seen::Answered(kept) => Ok(again(kept)),
        Seen::First(digest) => {
            let response = next.run(request).await;
            let (response, kept) = keep(response).await?;
            api.repeats.finish(digest, kept)?;
            Ok(response)
        }
    }
}

/// The body, if it is small and comes in time.
async fn read(api: &Api, body: Body) -> Result<Bytes, Problem> {
    let limits = &api.settings.limits;
    let reading = Limited::new(body, limits.body).collect();
    let body = tokio::time::timeout(limits.idle_timeout, reading).await.map_err(|_| {
        Problem::new(What::Timeout, "the body did not come in time").hint("Send the call again.")
    })?;
    let body = body.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
        Some(_) => Problem::new(What::TooLarge, "the body is too large")
            .detail(format!("At most {} bytes are read.", limits.body))
            .hint("Ask for less in one call."),
        None => Problem::new(What::Malformed, "the body cannot be read").hint("Send the call again."),
    })?;
    Ok(body.to_bytes())
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    match (keys.next(), keys.next()) {
        (None, _) => Ok(None),
        // What is not ASCII is refused where the key is looked at.
        (Some(key), None) => Ok(Some(String::from_utf8_lossy(key.as_bytes()).into_owned())),
        (Some(_), Some(_)) => {
            Err(Problem::new(What::Malformed, "there are two Idempotency-Keys")
                .hint("Send one with each call."))
        }
    }
}

pub fn may_repeat(method: &Method, path: &str) -> bool {
    let keeps = path.starts_with("/v1/requests") || path.starts_with("/v1/grants");
    method == Method::POST && keeps && !path.ends_with(APPROVAL_TOKENS)
}

/// The answer, and what is kept of it. None: the call did nothing, and may be made anew.
async fn keep(response: Response) -> Result<(Response, Option<Kept>), Problem> {
    let status = response.status();
    if status.is_server_error() || matches!(status, StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS)
    {
        return Ok((response, None));
    }
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAX_ANSWER).collect().await;
    let body = body.map_err(|_| Problem::internal())?.to_bytes();
    let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let kept = Kept {
        status: status.as_u16(),
        media_type: text(header::CONTENT_TYPE),
        location: text(header::LOCATION),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    Ok((Response::from_parts(head, Body::from(body)), Some(kept)))
}

pub fn again(kept: Kept) -> Response {
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    let mut response = (status, kept.body).into_response();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    for (name, value) in [(header::CONTENT_TYPE, kept.media_type), (header::LOCATION, kept.location)] {
        if let Some(value) = value.and_then(|value| value.try_into().ok()) {
            headers.insert(name, value);
        }
    }
    headers.insert(REPLAYED, header::HeaderValue::from_static("true"));
    response
}

/// What the record of a call says.
struct Called {
    method: Method,
    path: String,
    /// It is one of ours.
    known: bool,
    application: String,
    caller: Option<Arc<Caller>>,
}

impl Called {
    fn of(request: &Request, caller: Option<Arc<Caller>>) -> Self {
        let agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            known: request.extensions().get::<MatchedPath>().is_some(),
            application: record::application(agent.unwrap_or_default()),
            caller,
        }
    }

    /// What changes something, what is refused, and who looks at the trail. Sessions have records of
    /// their own.
    fn record(&self, made: &Result<Response, Problem>) -> Option<Record> {
        let caller = self.caller.as_ref().filter(|_| self.known)?;
        let (status, problem) = match made {
            Ok(response) => (response.status(), response.extensions().get::<Problem>()),
            Err(problem) => (problem.status(), Some(problem)),
        };
        let looks = self.path.starts_with("/v1/audit") && status.is_success();
        let matters = !self.method.is_safe() || status == StatusCode::FORBIDDEN || looks;
        let call = format!("{} {}", self.method, self.path);
        let recorded = matters && !self.path.starts_with(SESSION);
        recorded.then(|| record::call(caller, &call, &self.application, problem))
    }
}

pub fn too_many(after: std::time::Duration) -> Problem {
    Problem::new(What::Rate, "too many requests")
        .hint("Wait as long as Retry-After says; follow /v1/events instead of asking again and again.")
        .retry_after(after)
}

async fn panicked(api: &Api, ends: Ends, error: &tokio::task::JoinError) -> Response {
    tracing::error!(%error, "a call panicked");
    let mut record = Record::new(Kind::Incident, Decision::Incident, pgwarrant_audit::record::now());
    record.address = ends.peer.to_string().into();
    record.note = Some("a call of the API panicked".to_owned());
    let _ = api.trail.append(record).await;
    Problem::internal().into_response()
}
