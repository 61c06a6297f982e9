//! Each contender's configuration: one thread, sessions kept whole, nothing switched off.

use std::path::Path;

use crate::people;

/// The database, as everybody calls it.
pub const DATABASE: &str = "bench";
/// Who runs the measured loads.
pub const BENCH: &str = "bench";
/// May ask for grants through pgwarrant.
pub const ASKER: &str = "asker";
/// May approve and revoke them.
pub const APPROVER: &str = "approver";
pub const USERS: [&str; 3] = [BENCH, ASKER, APPROVER];
/// As whom pgwarrant and the poolers sign in upstream; PostgreSQL trusts loopback.
pub const UPSTREAM: &str = "bench_app";
/// More than any row needs.
const CONNECTIONS: u32 = 8000;

/// A user's password.
pub fn password(user: &str) -> String {
    format!("{user}-bench")
}

/// A user who may ask, beside [`ASKER`] and with the same password.
pub fn asker(number: u32) -> String {
    format!("{ASKER}{number}")
}

/// How pgwarrant decides about requests, and where.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules<'a> {
    /// In Cedar; empty: groups decide.
    pub policies: &'a str,
    /// So many more users may ask.
    pub askers: u32,
    /// The port of the web inbox; None: there is none.
    pub page: Option<u16>,
}

/// Where [`Rules::policies`] are, in the contender's directory.
pub const POLICIES: &str = "policies.cedar";

/// What a contender is told.
pub struct Place<'a> {
    /// Where it keeps its files.
    pub directory: &'a Path,
    pub port: u16,
    /// PostgreSQL's.
    pub upstream: u16,
    /// Users with their SCRAM verifiers.
    pub verifiers: &'a [(String, String)],
    pub rules: Rules<'a>,
}

/// Everything a deployment would have: labels, audit, notices, the wire guard, TLS.
pub fn pgwarrant(place: &Place<'_>) -> String {
    let Place { port, upstream, .. } = place;
    let at = |name: &str| place.directory.join(name).display().to_string();
    let user = |name: &str, verifier: &str, group: &str| {
        format!("[[user]]\nname = \"{name}\"\nscram = \"{verifier}\"\ngroups = [\"{group}\"]\n")
    };
    let mut users: String =
        place.verifiers.iter().map(|(name, verifier)| user(name, verifier, name)).collect();
    if let Some((group, verifier)) = place.verifiers.iter().find(|(name, _)| name == ASKER) {
        users.extend((0..place.rules.askers).map(|number| user(&asker(number), verifier, group)));
    }
    let policy = match place.rules.policies {
        "" => String::new(),
        _ => format!("[policy]\nfiles = [\"{}\"]\n", at(POLICIES)),
    };
    format!(
        r#"[listen]
address = "127.0.0.1:{port}"
threads = 1
[listen.tls]
certificate = "{certificate}"
key = "{key}"
[[database]]
name = "{DATABASE}"
upstream = "postgres://127.0.0.1:{upstream}/{DATABASE}"
[[database.role]]
name = "{UPSTREAM}"
[database.catalogue]
role = "{UPSTREAM}"
poll = "1 s"
[[group]]
name = "{BENCH}"
[[group]]
name = "{ASKER}"
may_request = true
[[group]]
name = "{APPROVER}"
may_approve = true
may_audit = true
{users}{labels}
[store]
path = "{store}"
[limits]
connections = {CONNECTIONS}
connections_per_user = {CONNECTIONS}
# The loads read many rows by key, and people guess no values here.
probes = 1000000
[notices]
masked = true
{policy}{page}"#,
        certificate = at("server.crt"),
        key = at("server.key"),
        labels = people::LABELS,
        store = at("store"),
        page = place
            .rules
            .page
            .map(|port| format!("[api]\nlisten = \"127.0.0.1:{port}\"\n"))
            .unwrap_or_default(),
    )
}

/// A session pool, so that every session has a server connection of its own as elsewhere.
pub fn pgbouncer(place: &Place<'_>) -> String {
    let Place { port, upstream, .. } = place;
    format!(
        "[databases]
{DATABASE} = host=127.0.0.1 port={upstream} dbname={DATABASE} user={UPSTREAM}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {userlist}
pool_mode = session
max_client_conn = {CONNECTIONS}
default_pool_size = {CONNECTIONS}
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
",
        userlist = place.directory.join("userlist.txt").display(),
    )
}

/// The users' verifiers, as pgbouncer reads them.
pub fn userlist(place: &Place<'_>) -> String {
    let users = place.verifiers.iter().map(|(name, verifier)| format!("\"{name}\" \"{verifier}\"\n"));
    users.chain([format!("\"{UPSTREAM}\" \"\"\n")]).collect()
}

/// TCP mode, one thread.
pub fn haproxy(place: &Place<'_>) -> String {
    let Place { port, upstream, .. } = place;
    format!(
        "global
    nbthread 1
    maxconn {CONNECTIONS}
defaults
    mode tcp
    timeout connect 10s
    timeout client 1h
    timeout server 1h
listen postgres
    bind 127.0.0.1:{port}
    server postgres 127.0.0.1:{upstream}
"
    )
}

/// A session pool without its query parser.
pub fn pgcat(place: &Place<'_>) -> String {
    let Place { port, upstream, .. } = place;
    format!(
        r#"[general]
host = "127.0.0.1"
port = {port}
worker_threads = 1
admin_username = "admin"
admin_password = "{admin}"
[pools.{DATABASE}]
pool_mode = "session"
query_parser_enabled = false
[pools.{DATABASE}.users.0]
username = "{BENCH}"
password = "{bench}"
server_username = "{UPSTREAM}"
pool_size = 1000
[pools.{DATABASE}.shards.0]
servers = [["127.0.0.1", {upstream}, "primary"]]
database = "{DATABASE}"
"#,
        admin = password("admin"),
        bench = password(BENCH),
    )
}

/// A session pool; its parser stays off with one server and no shards.
pub fn pgdog(place: &Place<'_>) -> String {
    let Place { port, upstream, .. } = place;
    format!(
        r#"[general]
host = "127.0.0.1"
port = {port}
workers = 1
default_pool_size = 1000
pooler_mode = "session"
[[databases]]
name = "{DATABASE}"
host = "127.0.0.1"
port = {upstream}
"#
    )
}

/// PgDog keeps its users in a file of their own.
pub fn pgdog_users() -> String {
    format!(
        "[[users]]\nname = \"{BENCH}\"\ndatabase = \"{DATABASE}\"\npassword = \"{}\"\nserver_user = \"{UPSTREAM}\"\n",
        password(BENCH)
    )
}
