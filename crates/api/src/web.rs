//! Static files, embedded: the pages of `crates/api/web`. Whatever is none of them is not there.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::problem::{Problem, What};
use crate::secret::Digest;

/// A file, and where it is served.
struct File {
    path: &'static str,
    media_type: &'static str,
    content: &'static [u8],
}

/// One line for each file below `web/`: `File { path: "/", media_type: HTML, content: include_bytes!("../web/index.html") }`.
const FILES: [File; 0] = [];

/// The file at a path, or the problem that there is nothing.
pub async fn serve(request: Request) -> Response {
    let Some(file) = FILES.iter().find(|file| file.path == request.uri().path()) else {
        return Problem::unknown("there is nothing at this path")
            .hint("GET /v1/openapi.json describes all calls.")
            .into_response();
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let problem = Problem::new(What::Method, "a page can only be read").hint("GET it.");
        return ([(header::ALLOW, "GET, HEAD")], problem).into_response();
    }
    send(file, request.headers())
}

fn send(file: &File, headers: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", Digest::of(file.content).hex());
    // RFC 9110, section 13.1.2; a list of tags is asked for anew, which is right and rare.
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = match known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => file.content.into_response(),
    };
    let answered = response.headers_mut();
    answered.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.media_type));
    // Looked at again each time: pages and the API change together.
    answered.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        answered.insert(header::ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_known_is_not_sent_again() {
        let file = File { path: "/", media_type: "text/html; charset=utf-8", content: b"<p>hello" };
        let first = send(&file, &HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        let mut known = HeaderMap::new();
        known.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        assert_eq!(send(&file, &known).status(), StatusCode::NOT_MODIFIED);
        known.insert(header::IF_NONE_MATCH, HeaderValue::from_static("\"another\""));
        assert_eq!(send(&file, &known).status(), StatusCode::OK);
    }
}
