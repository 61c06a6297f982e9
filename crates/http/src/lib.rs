//! One HTTP call at a time, to a place that the configuration names: an OpenID Connect issuer, a
//! webhook's receiver, a proxy's own API.
//!
//! Invariants:
//! - Over HTTPS with a checked certificate, or on this machine.
//! - One attempt, no redirect followed, no proxy, a limit for everything; whatever the other side
//!   sends, there is an answer or an error within the time-out.
//! - No header or body is in an error or in a log.
//!
//! Absent on purpose: connections that are kept, cookies, HTTP/2, compression, retries (whoever calls
//! knows whether a call may be made twice).

mod client;
mod trust;
mod url;

pub use client::{Answer, Call, Client, Error};
pub use trust::{TrustError, tls};
pub use url::{Url, UrlError};
// What calls and answers are made of.
pub use hyper::body::Bytes;
pub use hyper::header;
pub use hyper::header::{HeaderMap, HeaderName, HeaderValue};
pub use hyper::{Method, StatusCode};
