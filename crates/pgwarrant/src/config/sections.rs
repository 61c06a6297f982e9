//! The file as a whole, and its small sections.

use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::tz::TimeZone;

use super::reader::{Item, Reader, Table};
use super::{
    Audit, Config, Grants, Limits, Listen, ListenTls, Masking, MaskingKey, Notices, Plaintext, Problems,
    Secret, Store, Trust, secret,
};
use super::{api, conditions, databases, identity, inbound, labels, people, policy, webhooks};

/// Reads every section; `None` where a part without a default is missing or wrong, which is then
/// among the reader's problems.
pub(super) fn config(reader: &mut Reader<'_>, mut root: Table<'_>) -> Option<Config> {
    let listen = listen(reader, &mut root);
    let groups = people::groups(reader, &mut root);
    let identity = identity::identity(reader, &mut root, &groups, listen.as_ref());
    let systems = inbound::Systems::read(reader, &mut root);
    let users = people::users(reader, &mut root, &groups, &identity, listen.as_ref(), &systems);
    let databases = databases::databases(reader, &mut root, &users, &groups);
    let labels = labels::labels(reader, &mut root);
    let policy = policy::policy(reader, &mut root);
    let conditions = conditions::conditions(reader, &mut root);
    let profiles = policy::profiles(reader, &mut root, &groups);
    let grants = grants(reader, &mut root);
    let store = store(reader, &mut root);
    let masking = masking(reader, &mut root, store.as_ref());
    let audit = audit(reader, &mut root);
    let limits = limits(reader, &mut root);
    let notices = notices(reader, &mut root);
    let trust = trust(reader, &mut root);
    let has_api = root.has("api").is_some();
    let api = api::api(reader, &mut root, listen.as_ref());
    let webhooks = webhooks::webhooks(reader, &mut root, &databases);
    let inbound = systems.finish(reader, &users, has_api);
    let api = api.map(|api| pgwarrant_api::Settings { inbound, ..api });
    root.finish(reader);
    Some(Config {
        listen: listen?,
        databases,
        groups: groups.into_iter().map(|group| group.value).collect(),
        users,
        identity,
        labels,
        policy,
        conditions,
        profiles,
        grants,
        masking: masking?,
        audit,
        store: store?,
        limits,
        notices,
        trust,
        api,
        webhooks,
        warnings: Problems::default(),
    })
}

fn listen(reader: &mut Reader<'_>, root: &mut Table<'_>) -> Option<Listen> {
    let mut table = section(reader, root, "listen", "[listen]");
    let addresses = addresses(reader, &mut table, "address", DEFAULT_ADDRESS);
    let tls = table.table(reader, "tls", "[listen.tls]").map(|table| listen_tls(reader, table));
    const CHOICES: [(&str, Plaintext); 3] =
        [("loopback", Plaintext::Loopback), ("never", Plaintext::Never), ("always", Plaintext::Always)];
    let plaintext = table.choice(reader, "plaintext", &CHOICES);
    let threads = table.integer(reader, "threads", 1..=256, default_threads());
    let line = plaintext.as_ref().map_or(table.line, |item| item.line);
    let plaintext = plaintext.map_or(Plaintext::Loopback, |item| item.value);
    table.finish(reader);

    // Asked for but wrong: reported, and not to be taken for absent here.
    let has_tls = tls.is_some();
    let tls = tls.flatten();
    let reachable = addresses.iter().find(|item| !item.value.ip().is_loopback());
    match (plaintext, reachable) {
        (Plaintext::Never, _) if !has_tls => {
            let hint =
                "Add [listen.tls] with certificate and key, or allow plaintext = \"loopback\".".to_owned();
            reader.error(
                line,
                "nobody could connect: plaintext is refused and there is no [listen.tls]",
                Some(hint),
            );
        }
        (Plaintext::Loopback, Some(item)) if !has_tls => {
            let hint = "Add [listen.tls] with certificate and key, or listen on 127.0.0.1 only.".to_owned();
            let message =
                format!("nobody could connect to {} from elsewhere without [listen.tls]", item.value);
            reader.error(item.line, message, Some(hint));
        }
        (Plaintext::Always, Some(_)) => {
            reader.warning(
                line,
                "plaintext = \"always\" lets personal data cross the network unencrypted",
                "Use \"loopback\" with [listen.tls] unless something else encrypts the connection.",
            );
        }
        _ => {}
    }
    let addresses: Vec<SocketAddr> = addresses.into_iter().map(|item| item.value).collect();
    (!addresses.is_empty()).then_some(Listen { addresses, tls, plaintext, threads })
}

fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(256)
}

const DEFAULT_ADDRESS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 6432);

/// IP addresses with ports under `key`; the default where there is none.
pub(super) fn addresses(
    reader: &mut Reader<'_>,
    table: &mut Table<'_>,
    key: &'static str,
    default: SocketAddr,
) -> Vec<Item<SocketAddr>> {
    let line = table.has(key).unwrap_or(table.line);
    let Some(texts) = table.strings(reader, key) else {
        return vec![Item { value: default, line }];
    };
    if texts.is_empty() {
        reader.error(line, format!("{key} is empty"), Some(format!("Write {key} = \"{default}\".")));
    }
    let mut addresses: Vec<Item<SocketAddr>> = Vec::new();
    for text in texts {
        match text.value.parse::<SocketAddr>() {
            Ok(value) if addresses.iter().any(|other| other.value == value) => {
                reader.error(text.line, format!("{key} {value} is there twice"), None);
            }
            Ok(value) => addresses.push(Item { value, line: text.line }),
            Err(_) => {
                let port = default.port();
                let hint = format!(
                    "Write an IP address and a port: \"127.0.0.1:{port}\", \"[::1]:{port}\" or \"0.0.0.0:{port}\"."
                );
                reader.error(text.line, format!("{key} cannot be \"{}\"", text.value), Some(hint));
            }
        }
    }
    addresses
}

fn listen_tls(reader: &mut Reader<'_>, mut table: Table<'_>) -> Option<ListenTls> {
    let certificate = existing(reader, &mut table, "certificate");
    let client_ca = existing(reader, &mut table, "client_ca");
    let key = table.path(reader, "key");
    if let Some(key) = &key {
        secret::check_private(reader, &key.value, key.line);
    }
    for (name, found) in [("certificate", &certificate), ("key", &key)] {
        if found.is_none() && table.was_absent(name) {
            reader.error(table.line, format!("[listen.tls] has no {name}"), Some("Name a PEM file.".into()));
        }
    }
    table.finish(reader);
    Some(ListenTls {
        certificate: certificate?.value,
        key: key?.value,
        client_ca: client_ca.map(|item| item.value),
    })
}

/// A file that must be there; not read here.
pub(super) fn existing(
    reader: &mut Reader<'_>,
    table: &mut Table<'_>,
    key: &'static str,
) -> Option<Item<PathBuf>> {
    let path = table.path(reader, key)?;
    if let Err(error) = std::fs::File::open(&path.value) {
        let message = format!("could not read {}: {error}", path.value.display());
        reader.error(
            path.line,
            message,
            Some("Name a PEM file; relative paths start at this file's directory.".into()),
        );
    }
    Some(path)
}

fn grants(reader: &mut Reader<'_>, root: &mut Table<'_>) -> Grants {
    let mut table = section(reader, root, "grants", "[grants]");
    let default_duration = table.duration(reader, "default_duration", "1 s"..="366 days", "60 min");
    let max_duration = table.duration(reader, "max_duration", "1 s"..="366 days", "8 h");
    let pending_lapse = table.duration(reader, "pending_lapse", "1 min"..="366 days", "24 h");
    let max_pending_per_user = table.integer(reader, "max_pending_per_user", 1..=10_000, 20);
    let max_ahead = table.duration(reader, "max_ahead", "1 min"..="366 days", "30 d").value;
    let time_zone = time_zone(reader, &mut table);
    table.finish(reader);
    if default_duration.value > max_duration.value {
        let hint = "Raise max_duration or lower default_duration.".to_owned();
        reader.error(default_duration.line, "default_duration is longer than max_duration", Some(hint));
    }
    Grants {
        default_duration: default_duration.value,
        max_duration: max_duration.value,
        pending_lapse: pending_lapse.value,
        max_pending_per_user,
        max_ahead,
        time_zone,
    }
}

fn time_zone(reader: &mut Reader<'_>, table: &mut Table<'_>) -> TimeZone {
    let Some(item) = table.string(reader, "time_zone") else { return TimeZone::UTC };
    TimeZone::get(&item.value).unwrap_or_else(|_| {
        let hint = "Write a name of the IANA time zone database: \"Europe/Lisbon\", \"UTC\".".to_owned();
        reader.error(item.line, format!("there is no time zone \"{}\"", item.value), Some(hint));
        TimeZone::UTC
    })
}

fn store(reader: &mut Reader<'_>, root: &mut Table<'_>) -> Option<Store> {
    let mut table = section(reader, root, "store", "[store]");
    let missing = table.has("path").is_none();
    let path = table.path(reader, "path");
    if missing {
        let hint = "Write [store] path = \"/var/lib/pgwarrant\": grants and the audit trail are kept there."
            .to_owned();
        reader.error(table.line, "[store] has no path", Some(hint));
    }
    table.finish(reader);
    Some(Store { path: path?.value })
}

fn masking(reader: &mut Reader<'_>, root: &mut Table<'_>, store: Option<&Store>) -> Option<Masking> {
    const KEY: secret::Keys = secret::Keys { inline: Some("key"), file: "key_file", variable: "key_env" };
    let mut table = section(reader, root, "masking", "[masking]");
    let wanted = table.has("key_file").or(table.has("key_env")).is_some();
    let key = secret::read(reader, &mut table, &KEY);
    table.finish(reader);
    match key {
        Some((secret, line)) if !secret::is_masking_key(Secret::expose(&secret)) => {
            let message = format!(
                "the masking key must have {} characters or more, of letters, digits and +/=_-",
                secret::MIN_KEY_LENGTH
            );
            reader.error(line, message, Some("Make one with: openssl rand -hex 32".into()));
            None
        }
        Some((secret, _)) => Some(Masking { key: MaskingKey::Given(secret) }),
        None if wanted => None,
        None => Some(Masking { key: MaskingKey::Generated(store?.path.join("masking.key")) }),
    }
}

fn audit(reader: &mut Reader<'_>, root: &mut Table<'_>) -> Audit {
    let mut table = section(reader, root, "audit", "[audit]");
    let seal_after = table.duration(reader, "seal_after", "1 ms"..="10 s", "100 ms").value;
    let sync_after = table.duration(reader, "sync_after", "1 ms"..="1 min", "1 s").value;
    let queue = table.size(reader, "queue", "64 KiB"..="1 GiB", "8 MiB");
    table.finish(reader);
    Audit { seal_after, sync_after, queue }
}

fn limits(reader: &mut Reader<'_>, root: &mut Table<'_>) -> Limits {
    let mut table = section(reader, root, "limits", "[limits]");
    let limits = Limits {
        startup_timeout: table.duration(reader, "startup_timeout", "100 ms"..="10 min", "10 s").value,
        connections: table.integer(reader, "connections", 1..=100_000, 1_000),
        connections_per_user: table.integer(reader, "connections_per_user", 1..=100_000, 100),
        message: table.size(reader, "message", "8 KiB"..="1 GiB", "64 MiB"),
        statement: table.size(reader, "statement", "1 KiB"..="16 MiB", "1 MiB"),
        statement_tokens: table.integer(reader, "statement_tokens", 100..=1_000_000, 50_000),
        nesting: table.integer(reader, "nesting", 20..=1_000, 200),
        names: table.integer(reader, "names", 10..=1_000_000, 10_000),
        statement_cache: table.size(reader, "statement_cache", "64 KiB"..="4 GiB", "16 MiB"),
        probes: table.integer(reader, "probes", 1..=1_000_000, 1_000),
        probe_window: table.duration(reader, "probe_window", "1 s"..="7 d", "1 h").value,
        refuse_probes: table.boolean(reader, "refuse_probes").unwrap_or(true),
    };
    table.finish(reader);
    limits
}

fn notices(reader: &mut Reader<'_>, root: &mut Table<'_>) -> Notices {
    let mut table = section(reader, root, "notices", "[notices]");
    let masked = table.boolean(reader, "masked").unwrap_or(true);
    table.finish(reader);
    Notices { masked }
}

fn trust(reader: &mut Reader<'_>, root: &mut Table<'_>) -> Trust {
    let mut table = section(reader, root, "trust", "[trust]");
    let functions = table.strings(reader, "functions").unwrap_or_default();
    let channels = table.strings(reader, "channels").unwrap_or_default();
    table.finish(reader);
    for function in &functions {
        let plain =
            |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || "(),".contains(c));
        let extension =
            function.value.strip_prefix("extension:").is_some_and(|name| plain(name) && !name.contains('.'));
        let qualified = function
            .value
            .split_once('.')
            .is_some_and(|(schema, name)| plain(schema) && plain(name) && !schema.contains(':'));
        if !extension && !qualified {
            let hint = "Write \"schema.function\" without arguments, or \"extension:name\" for all of an extension's.";
            reader.error(
                function.line,
                format!("functions cannot hold \"{}\"", function.value),
                Some(hint.into()),
            );
        }
    }
    Trust {
        functions: functions.into_iter().map(|item| item.value).collect(),
        channels: channels.into_iter().map(|item| item.value).collect(),
    }
}

/// A section, or an empty one where it is not there.
fn section<'a>(reader: &mut Reader<'_>, root: &mut Table<'a>, key: &'static str, place: &str) -> Table<'a> {
    root.table(reader, key, place).unwrap_or_else(|| Table::empty(place))
}
