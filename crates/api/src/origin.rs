//! Is a call meant for us, and does it come from our own page?
//!
//! A page of somebody else's can make a browser send calls. What stops it: the cookie is SameSite=
//! Strict; no answer allows another origin (there is no CORS); a Host that is not ours is refused, so
//! that no name of theirs can be pointed at us (DNS rebinding); and what is done with the cookie
//! needs a header that a page of another origin cannot set, and may not come from one as the browser
//! itself says (Fetch Metadata, Origin).

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderValue, Uri, header};

use crate::caller::Ends;
use crate::problem::{Problem, What};
use crate::settings::Origin;

/// The header that calls made with the cookie carry.
pub const CSRF: &str = "x-pgwarrant-csrf";
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// The origin that the client believes it talks to; Err where that is none of ours.
pub fn ours(
    headers: &HeaderMap,
    uri: &Uri,
    ends: Ends,
    public_url: Option<&Origin>,
) -> Result<Origin, Problem> {
    let misdirected = || {
        Problem::new(What::Misdirected, "this is not a name of this server")
            .hint("Use the address that it listens on, or have the name set as public_url in [api].")
    };
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().map_err(|_| misdirected())?,
        _ => return Err(misdirected()),
    };
    // RFC 9112, section 3.2.2: where the target is absolute, it is what counts.
    let host = uri.authority().map_or(host, |authority| authority.as_str());
    if let Some(public) = public_url
        && Origin::new(public.is_https(), host) == *public
    {
        return Ok(public.clone());
    }
    let named = Origin::new(ends.tls, host);
    let local = SocketAddr::new(ends.local.ip().to_canonical(), ends.local.port());
    let mut own = vec![Origin::new(ends.tls, &local.to_string())];
    if local.ip().is_loopback() {
        // However the client writes it.
        own.push(Origin::new(ends.tls, &format!("localhost:{}", local.port())));
        own.push(Origin::new(
            ends.tls,
            &SocketAddr::new(IpAddr::from([127, 0, 0, 1]), local.port()).to_string(),
        ));
    }
    if own.contains(&named) { Ok(named) } else { Err(misdirected()) }
}

/// Who changes something with the cookie, or gets one, must be our own page.
pub fn check_own_page(headers: &HeaderMap, own: &Origin) -> Result<(), Problem> {
    check_site(headers)?;
    if let Some(origin) = headers.get(header::ORIGIN)
        && origin.as_bytes() != own.to_string().as_bytes()
    {
        return Err(foreign("The call comes from a page of another origin."));
    }
    match headers.contains_key(CSRF) {
        true => Ok(()),
        false => Err(foreign("The header X-Pgwarrant-CSRF is missing.")),
    }
}

/// Who uses the cookie at all may not be a page of somebody else's.
pub fn check_site(headers: &HeaderMap) -> Result<(), Problem> {
    // Absent: not a browser, or an old one. `none`: typed by the user.
    let site = headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
    match site {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => Err(foreign("The browser says that the call comes from another site.")),
    }
}

fn foreign(detail: &str) -> Problem {
    Problem::new(What::Csrf, "the call does not come from this server's own pages")
        .detail(detail)
        .hint("Programs use a token; pages of this server set \"X-Pgwarrant-CSRF: 1\".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn ends(local: &str, tls: bool) -> Ends {
        let address = |text: &str| text.parse().expect("an address");
        Ends { peer: address("192.0.2.9:40000"), local: address(local), tls }
    }

    #[test]
    fn only_names_of_ours_are_answered() {
        let public = Origin::parse("https://warrant.example");
        for (local, tls, host, expected) in [
            ("127.0.0.1:6480", false, "127.0.0.1:6480", Some("http://127.0.0.1:6480")),
            ("127.0.0.1:6480", false, "localhost:6480", Some("http://localhost:6480")),
            ("127.0.0.1:6480", false, "LOCALHOST:6480", Some("http://localhost:6480")),
            ("[::1]:6480", false, "[::1]:6480", Some("http://[::1]:6480")),
            ("127.0.0.1:6480", false, "warrant.example", Some("https://warrant.example")),
            ("127.0.0.1:6480", false, "warrant.example:443", Some("https://warrant.example")),
            ("10.0.0.1:443", true, "10.0.0.1", Some("https://10.0.0.1")),
            ("10.0.0.1:443", true, "localhost", None),
            ("127.0.0.1:6480", false, "127.0.0.1", None),
            ("127.0.0.1:6480", false, "evil.example:6480", None),
            ("127.0.0.1:6480", false, "evil.example", None),
            ("127.0.0.1:6480", false, "warrant.example.evil.example", None),
            ("127.0.0.1:6480", false, "warrant.example:80", None),
            ("127.0.0.1:6480", false, "", None),
        ] {
            let uri = Uri::from_static("/v1/whoami");
            let found = ours(&headers(&[("host", host)]), &uri, ends(local, tls), public.as_ref());
            assert_eq!(found.ok().map(|own| own.to_string()).as_deref(), expected, "{local} {host}");
        }
    }

    #[test]
    fn two_hosts_or_none_or_another_target_are_refused() {
        let (local, uri) = (ends("127.0.0.1:6480", false), Uri::from_static("/v1/whoami"));
        let twice = headers(&[("host", "127.0.0.1:6480"), ("host", "evil.example")]);
        assert!(ours(&twice, &uri, local, None).is_err() && ours(&headers(&[]), &uri, local, None).is_err());
        let absolute = Uri::from_static("http://evil.example/v1/whoami");
        assert!(ours(&headers(&[("host", "127.0.0.1:6480")]), &absolute, local, None).is_err());
    }

    #[test]
    fn only_our_own_page_uses_the_cookie() {
        let own = Origin::parse("https://warrant.example").expect("an origin");
        for (sent, passes) in [
            (&[("x-pgwarrant-csrf", "1")][..], true),
            (&[("x-pgwarrant-csrf", "1"), ("sec-fetch-site", "same-origin")], true),
            (&[("x-pgwarrant-csrf", "1"), ("origin", "https://warrant.example")], true),
            (&[], false),
            (&[("sec-fetch-site", "same-origin"), ("origin", "https://warrant.example")], false),
            (&[("x-pgwarrant-csrf", "1"), ("origin", "https://evil.example")], false),
            (&[("x-pgwarrant-csrf", "1"), ("origin", "null")], false),
            (&[("x-pgwarrant-csrf", "1"), ("origin", "http://warrant.example")], false),
            (&[("x-pgwarrant-csrf", "1"), ("sec-fetch-site", "cross-site")], false),
            (&[("x-pgwarrant-csrf", "1"), ("sec-fetch-site", "same-site")], false),
        ] {
            assert_eq!(check_own_page(&headers(sent), &own).is_ok(), passes, "{sent:?}");
        }
    }
}
