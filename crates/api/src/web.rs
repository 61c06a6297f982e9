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

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const IMAGE: &str = "image/svg+xml";

/// A file below `web/`, served at its own path.
macro_rules! file {
    ($path:literal, $media_type:expr) => {
        File {
            path: concat!("/", $path),
            media_type: $media_type,
            content: include_bytes!(concat!("../web/", $path)),
        }
    };
}

const FILES: [File; 37] = [
    file!("icon.svg", IMAGE),
    file!("icons.svg", IMAGE),
    File { path: "/", ..file!("index.html", HTML) },
    file!("js/call.js", SCRIPT),
    file!("js/dialog.js", SCRIPT),
    file!("js/dom.js", SCRIPT),
    file!("js/keys.js", SCRIPT),
    file!("js/live.js", SCRIPT),
    file!("js/main.js", SCRIPT),
    file!("js/me.js", SCRIPT),
    file!("js/pages/ask.js", SCRIPT),
    file!("js/pages/audit.js", SCRIPT),
    file!("js/pages/catalog.js", SCRIPT),
    file!("js/pages/grants.js", SCRIPT),
    file!("js/pages/inbox.js", SCRIPT),
    file!("js/pages/request.js", SCRIPT),
    file!("js/pages/requests.js", SCRIPT),
    file!("js/pages/reviews.js", SCRIPT),
    file!("js/pages/sessions.js", SCRIPT),
    file!("js/pages/sign-in.js", SCRIPT),
    file!("js/parts/column-choice.js", SCRIPT),
    file!("js/parts/empty.js", SCRIPT),
    file!("js/parts/facts.js", SCRIPT),
    file!("js/parts/grant-card.js", SCRIPT),
    file!("js/parts/newcomers.js", SCRIPT),
    file!("js/parts/request-card.js", SCRIPT),
    file!("js/parts/states.js", SCRIPT),
    file!("js/problem.js", SCRIPT),
    file!("js/router.js", SCRIPT),
    file!("js/say.js", SCRIPT),
    file!("js/stream.js", SCRIPT),
    file!("js/text.js", SCRIPT),
    file!("js/time.js", SCRIPT),
    file!("style/layout.css", STYLE),
    file!("style/lists.css", STYLE),
    file!("style/parts.css", STYLE),
    file!("style/tokens.css", STYLE),
];

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

    #[test]
    fn every_file_of_the_directory_is_served_at_its_path() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
        let mut directories = vec![root.clone()];
        let mut found = Vec::new();
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).expect("a directory") {
                let path = entry.expect("an entry").path();
                match path.is_dir() {
                    true => directories.push(path),
                    false => found.push(path),
                }
            }
        }
        let mut found: Vec<String> = found
            .iter()
            .filter_map(|path| path.strip_prefix(&root).ok()?.to_str().map(|path| format!("/{path}")))
            .map(|path| if path == "/index.html" { "/".to_owned() } else { path })
            .collect();
        found.sort();
        let mut served: Vec<&str> = FILES.iter().map(|file| file.path).collect();
        served.sort_unstable();
        assert_eq!(served, found);
    }

    /// A phone far away waits once, not once for each import of an import.
    #[test]
    fn the_page_names_every_module_and_style_that_it_needs() {
        let page = std::str::from_utf8(include_bytes!("../web/index.html")).expect("text");
        for File { path, media_type, .. } in &FILES {
            let named = page.contains(&format!("\"{path}\""));
            assert!(named || !matches!(*media_type, SCRIPT | STYLE), "{path}");
        }
    }

    #[test]
    fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
        for File { path, content, .. } in &FILES {
            let text = std::str::from_utf8(content).expect("text");
            for forbidden in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "style=",
                " onclick=",
                "<style",
            ] {
                assert!(!text.contains(forbidden), "{path} has {forbidden}");
            }
            let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!elsewhere.contains("http:") && !elsewhere.contains("https:"), "{path}");
        }
    }
}
