//! `[api]`: where the HTTP API is, and its limits.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use pgwarrant_api::settings::{Limits, Origin, Settings, Tls};

use super::Listen;
use super::reader::{Item, Reader, Table};
use super::secret;
use super::sections::{addresses, existing};

const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 6480);

/// None: there is no `[api]`, or it is wrong, which is then among the reader's problems.
pub(super) fn api(
    reader: &mut Reader<'_>,
    root: &mut Table<'_>,
    listen: Option<&Listen>,
) -> Option<Settings> {
    let mut table = root.table(reader, "api", "[api]")?;
    let addresses = addresses(reader, &mut table, "listen", DEFAULT_ADDRESS);
    let own = table.table(reader, "tls", "[api.tls]").map(|table| tls(reader, table));
    let public_url = table.string(reader, "public_url");
    let limits = limits(reader, &mut table);
    table.finish(reader);
    // Asked for but wrong: reported, and not to be taken for absent here.
    let wants_own = own.is_some();
    let proxy_s = listen
        .and_then(|listen| listen.tls.as_ref())
        .map(|tls| Tls { certificate: tls.certificate.clone(), key: tls.key.clone() });
    let tls = if wants_own { own.flatten() } else { proxy_s };
    if let Some(item) = addresses.iter().find(|item| !item.value.ip().is_loopback())
        && tls.is_none()
        && !wants_own
    {
        let hint = "Add [api.tls] or [listen.tls] with certificate and key, or listen on 127.0.0.1 only.";
        let message = format!("passwords would cross the network to {} unencrypted", item.value);
        reader.error(item.line, message, Some(hint.to_owned()));
    }
    if let Some(item) = addresses.iter().find(|item| item.value.ip().is_unspecified())
        && public_url.is_none()
    {
        reader.warning(
            item.line,
            "no name leads to the API, only the machine's IP addresses",
            "Set public_url to what people type: public_url = \"https://pgwarrant.example.com\".",
        );
    }
    let wanted = public_url.is_some();
    let public_url = public_url.and_then(|item| origin(reader, &item));
    if addresses.is_empty() || (wanted && public_url.is_none()) {
        return None;
    }
    let listen = addresses.into_iter().map(|item| item.value).collect();
    Some(Settings { listen, tls, public_url, limits, inbound: Vec::new() })
}

fn origin(reader: &mut Reader<'_>, item: &Item<String>) -> Option<Origin> {
    let origin = Origin::parse(&item.value);
    match origin {
        None => {
            let hint = "Write \"https://\" and a host, with a port if it is not 443, and nothing behind it.";
            let message = format!("public_url cannot be \"{}\"", item.value);
            reader.error(item.line, message, Some(hint.to_owned()));
            None
        }
        Some(origin) if !origin.is_https() && !origin.is_loopback() => {
            let hint = "Write \"https://\": what ends TLS before the proxy counts, too.";
            let message = format!("passwords would cross the network to {origin} unencrypted");
            reader.error(item.line, message, Some(hint.to_owned()));
            None
        }
        other => other,
    }
}

fn tls(reader: &mut Reader<'_>, mut table: Table<'_>) -> Option<Tls> {
    let certificate = existing(reader, &mut table, "certificate");
    let key = table.path(reader, "key");
    if let Some(key) = &key {
        secret::check_private(reader, &key.value, key.line);
    }
    for (name, found) in [("certificate", &certificate), ("key", &key)] {
        if found.is_none() && table.was_absent(name) {
            reader.error(table.line, format!("[api.tls] has no {name}"), Some("Name a PEM file.".into()));
        }
    }
    table.finish(reader);
    Some(Tls { certificate: certificate?.value, key: key?.value })
}

fn limits(reader: &mut Reader<'_>, table: &mut Table<'_>) -> Limits {
    let mut rate = |name, burst, each_second, at_once| {
        let each_second = table.integer(reader, name, 1..=100_000, each_second);
        let at_once = table.integer(reader, burst, 1..=1_000_000, at_once);
        (u32::try_from(each_second).unwrap_or(u32::MAX), u32::try_from(at_once).unwrap_or(u32::MAX))
    };
    let requests_per_user = rate("requests_per_user", "burst_per_user", 20, 100);
    let requests_per_address = rate("requests_per_address", "burst_per_address", 50, 250);
    Limits {
        connections: table.integer(reader, "connections", 1..=100_000, 256),
        connections_per_address: table.integer(reader, "connections_per_address", 1..=100_000, 64),
        header_timeout: table.duration(reader, "header_timeout", "100 ms"..="5 min", "10 s").value,
        idle_timeout: table.duration(reader, "idle_timeout", "100 ms"..="1 h", "30 s").value,
        body: table.size(reader, "body", "1 KiB"..="16 MiB", "64 KiB"),
        requests_per_user,
        requests_per_address,
        streams_per_user: table.integer(reader, "streams_per_user", 1..=1_000, 8),
        session_lifetime: table.duration(reader, "session_lifetime", "1 min"..="30 d", "8 h").value,
        max_token_lifetime: table.duration(reader, "max_token_lifetime", "1 min"..="366 d", "90 d").value,
    }
}
