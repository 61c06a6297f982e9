//! Where a database is: `postgres://host:port/dbname`, or a Unix-domain socket.

use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    pub host: Host,
    pub port: u16,
    pub database: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A name or an address; an IPv6 address without brackets.
    Tcp(String),
    /// The directory of the socket.
    Unix(PathBuf),
}

/// As libpq's `sslmode`, without the modes that protect nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    Disable,
    /// Encrypted, but the server may be anybody.
    Require,
    /// The certificate is signed by a trusted authority.
    VerifyCa,
    /// And is for that host.
    VerifyFull,
}

impl Upstream {
    /// Do its bytes stay on this machine?
    pub fn is_local(&self) -> bool {
        match &self.host {
            Host::Unix(_) => true,
            Host::Tcp(host) => {
                host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }
}

/// `postgres://shop.internal:5432/shop`, `postgres://[::1]/shop`, `postgres:///shop?host=/run/postgresql`
/// (libpq, section "Connection URIs"). `Err` is a message and a hint.
pub(super) fn parse(url: &str) -> Result<Upstream, (String, String)> {
    const FORM: &str =
        "Write postgres://host:port/dbname, or postgres:///dbname?host=/directory/of/the/socket.";
    let wrong = |message: &str| (message.to_owned(), FORM.to_owned());
    let rest = url
        .strip_prefix("postgres://")
        .or_else(|| url.strip_prefix("postgresql://"))
        .ok_or_else(|| wrong("upstream is not a postgres:// URL"))?;
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = place.split_once('/').unwrap_or((place, ""));
    if authority.contains('@') {
        return Err((
            "upstream names a user".into(),
            "Name the role in [[database.role]], and its password with password_file or password_env.".into(),
        ));
    }
    let (mut host, mut port) =
        host_and_port(authority).ok_or_else(|| wrong("upstream has no valid host and port"))?;
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = decode(value).ok_or_else(|| wrong("upstream has a bad percent-encoding"))?;
        match key {
            "host" => host = value,
            "port" => port = value.parse().map_err(|_| wrong("upstream has no valid port"))?,
            "user" | "password" | "sslmode" | "sslrootcert" => {
                return Err((
                    format!("upstream has the parameter \"{key}\""),
                    "Write role in [[database.role]], and tls and ca beside upstream.".into(),
                ));
            }
            _ => return Err((format!("upstream has an unknown parameter \"{key}\""), FORM.into())),
        }
    }
    let database = decode(database).ok_or_else(|| wrong("upstream has a bad percent-encoding"))?;
    if database.is_empty() || database.contains(['\0', '/']) {
        return Err(wrong("upstream names no database"));
    }
    if host.is_empty() {
        return Err(wrong("upstream names no host"));
    }
    if port == 0 || host.contains(',') {
        return Err(wrong("upstream has no valid host and port"));
    }
    let host = if host.starts_with('/') { Host::Unix(PathBuf::from(host)) } else { Host::Tcp(host) };
    Ok(Upstream { host, port, database })
}

fn host_and_port(authority: &str) -> Option<(String, u16)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, after) = rest.split_once(']')?;
        address.parse::<Ipv6Addr>().ok()?;
        return Some((
            address.to_owned(),
            port_or_default(after.strip_prefix(':').or(after.is_empty().then_some(""))?)?,
        ));
    }
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    Some((decode(host)?, port_or_default(port)?))
}

fn port_or_default(port: &str) -> Option<u16> {
    if port.is_empty() { Some(5432) } else { port.parse().ok() }
}

/// Percent-decoding (RFC 3986, section 2.1); `None` where it is malformed or no UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}
