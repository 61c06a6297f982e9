//! A proxy in this process in front of the run's server, and clients that speak message by message.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use pgwarrant_grants::{Context, Live, Principal};
use pgwarrant_identity::totp::SecondFactors;
use pgwarrant_masking::Method;
use pgwarrant_proxy::SignInService;
use pgwarrant_proxy::settings::{Database, Limits, Login, Role, Secret, Settings, User, Warm};
use pgwarrant_wire::accept::Plaintext;
use pgwarrant_wire::backend::{Diagnostic, field};
use pgwarrant_wire::frontend::{Name, build};
use pgwarrant_wire::stream::Stream;
use pgwarrant_wire::upstream::{self, Address, Server};
use pgwarrant_wire::{auth, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

const SCHEMA: &str = "CREATE TABLE customers (id int PRIMARY KEY, email text NOT NULL, city text NOT NULL);
    INSERT INTO customers SELECT i, 'secret' || i || '@example.com', 'Lyon' FROM generate_series(1, 40) AS i;
    CREATE TABLE plain (a int); INSERT INTO plain SELECT generate_series(1, 1000)";

/// The run's server, host and port, and its superuser.
fn server() -> (String, u16, String) {
    let url = std::env::var("PGWARRANT_TEST_PG")
        .expect("PGWARRANT_TEST_PG names the server; `make test` starts one");
    let rest = url.strip_prefix("postgres://").expect("a URL");
    let (user, rest) = rest.split_once('@').expect("a user");
    let (address, _) = rest.split_once('/').expect("a database");
    let (host, port) = address.rsplit_once(':').expect("a port");
    (host.to_owned(), port.parse().expect("a port"), user.to_owned())
}

/// A database of its own with a proxy in front of it.
pub struct Fixture {
    pub database: String,
    pub proxy: SocketAddr,
    pub live: Live,
    pub trail: pgwarrant_audit::Trail,
    stop: Option<oneshot::Sender<()>>,
    _directory: tempfile::TempDir,
}

impl Fixture {
    pub async fn start(name: &str) -> Self {
        Self::start_on(name, pgwarrant_audit::MemoryStore::default()).await
    }

    /// The same with its audit trail in that store.
    pub async fn start_on(name: &str, disk: impl pgwarrant_audit::BlockStore) -> Self {
        let (host, port, superuser) = server();
        let database = format!("proxy_{name}_{}", std::process::id());
        let mut control = Client::direct("postgres").await;
        control.run(&format!("DROP DATABASE IF EXISTS {database}")).await;
        control.run(&format!("CREATE DATABASE {database}")).await;
        Client::direct(&database).await.run(SCHEMA).await;

        let group = |name: &str, may_approve| pgwarrant_grants::Group {
            name: name.to_owned(),
            may_request: true,
            may_approve,
            may_audit: may_approve,
            may_administer: false,
            max_duration: None,
        };
        let groups = vec![group("engineers", false), group("privacy", true)];
        let of_grants = pgwarrant_grants::Settings { groups: groups.clone(), ..Default::default() };
        let store = pgwarrant_grants::MemoryStore::default();
        let live = Live::open(store, pgwarrant_grants::SystemClock, of_grants).expect("grants open");
        let trail = pgwarrant_audit::Trail::with_store(disk, Default::default()).expect("the trail opens");
        let user = |name: &str, group: &str| User {
            name: name.to_owned(),
            scram: Some(auth::make_verifier(name, auth::DEFAULT_ITERATIONS).expect("a verifier")),
            certificate: None,
            groups: vec![group.to_owned()],
            person: String::new(),
            provider: None,
        };
        let login = Login { role: superuser, password: None };
        let settings = Settings {
            listen: vec!["127.0.0.1:0".parse().expect("an address")],
            tls: None,
            plaintext: Plaintext::Loopback,
            threads: 1,
            databases: vec![Database {
                name: database.clone(),
                upstream: Server::new(Address::Tcp { host, port }, None, Duration::from_secs(10)),
                upstream_database: database.clone(),
                roles: vec![Role { login: login.clone(), users: Vec::new(), groups: Vec::new() }],
                catalogue: login,
                poll: Duration::from_secs(1),
                warm: Warm::default(),
            }],
            users: vec![user("ada", "engineers"), user("petra", "privacy")],
            providers: Vec::new(),
            default_provider: None,
            groups,
            labels: vec![pgwarrant_catalog::Label {
                columns: vec!["customers.email".to_owned()],
                category: "contact".to_owned(),
                mask: Method::Redact,
                ungranted: Default::default(),
                sensitivity: Default::default(),
                nulls_show: false,
            }],
            trusted_functions: Vec::new(),
            trusted_channels: Vec::new(),
            mask_key: Secret::new("of this test"),
            notices: false,
            limits: Limits::default(),
        };
        let sign_in = SignInService::new(&settings).expect("ways to sign in");
        let directory = tempfile::tempdir().expect("a directory");
        let store = pgwarrant_audit::open_database(directory.path()).expect("a store");
        let factors = SecondFactors::open(&store, directory.path(), "of this test").expect("second factors");
        let (listening, bound) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let (grants, records) = (live.clone(), trail.clone());
        tokio::spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            pgwarrant_proxy::serve(settings, sign_in, factors, grants, records, listening, shutdown)
                .await
                .expect("the proxy runs");
        });
        let proxy = bound.await.expect("the proxy listens").addresses[0];
        Self { database, proxy, live, trail, stop: Some(stop), _directory: directory }
    }

    /// A session of ada's, through the proxy.
    pub async fn ada(&self) -> Client {
        let address = Address::Tcp { host: self.proxy.ip().to_string(), port: self.proxy.port() };
        Client::connect(address, "ada", Some("ada"), &self.database).await
    }

    /// A session with the server itself.
    pub async fn direct(&self) -> Client {
        Client::direct(&self.database).await
    }

    /// A live grant on e-mail addresses for ada.
    pub async fn grant(&self, rows: Option<&str>, max_rows: Option<u64>) -> u64 {
        let rows = rows.map_or(String::new(), |rows| format!(", rows => '{rows}'"));
        let most = max_rows.map_or(String::new(), |most| format!(", max_rows => {most}"));
        self.grant_with(&format!("{rows}{most}")).await
    }

    /// The same, asked for with `more` arguments.
    pub async fn grant_with(&self, more: &str) -> u64 {
        let mut ada = self.ada().await;
        let call =
            format!("SELECT request_id FROM pgwarrant.request('customers.email', reason => 'a test'{more})");
        let request = ada
            .run(&call)
            .await
            .into_iter()
            .find_map(|message| message.strip_prefix("D ").map(str::to_owned));
        let request = request.and_then(|row| row.parse().ok()).expect("a request's number");
        let (live, petra) = (self.live.clone(), petra());
        let approved =
            tokio::task::spawn_blocking(move || live.approve(&petra, request, None, &Context::default()))
                .await
                .expect("no panic");
        approved.expect("petra may").grant.expect("one approval is enough").id
    }

    pub async fn revoke(&self, grant: u64) {
        let (live, petra) = (self.live.clone(), petra());
        tokio::task::spawn_blocking(move || live.revoke(&petra, grant, None))
            .await
            .expect("no panic")
            .expect("petra may");
    }

    pub async fn end(mut self) {
        drop(self.stop.take());
        let mut control = Client::direct("postgres").await;
        control.run(&format!("DROP DATABASE {} WITH (FORCE)", self.database)).await;
    }
}

fn petra() -> Principal {
    Principal::new("petra", vec!["privacy".to_owned()])
}

/// One connection.
pub struct Client {
    stream: Stream,
    input: BytesMut,
    cancel: Option<upstream::CancelTarget>,
}

impl Client {
    async fn direct(database: &str) -> Self {
        let (host, port, user) = server();
        Self::connect(Address::Tcp { host, port }, &user, None, database).await
    }

    async fn connect(address: Address, user: &str, password: Option<&str>, database: &str) -> Self {
        let server = Server::new(address, None, Duration::from_secs(20));
        let parameters = [("client_encoding", "UTF8"), ("application_name", "test")];
        let login = upstream::Login { user, password, database, parameters: &parameters, minor: 0 };
        let connected = upstream::connect(&server, &login).await.expect("it signs in");
        Self { stream: connected.stream, input: connected.input, cancel: connected.cancel }
    }

    /// Sends a CancelRequest, which has arrived when this returns.
    pub async fn cancel(&self) {
        self.cancel.as_ref().expect("a key").cancel().await.expect("it arrives");
    }

    /// What comes until nothing has come for a while, or the connection has ended.
    pub async fn so_far(&mut self) -> Vec<String> {
        let mut seen = Vec::new();
        while let Ok(Some(message)) = tokio::time::timeout(Duration::from_millis(150), self.message()).await {
            seen.push(message);
        }
        seen
    }

    /// One Query, and what it brings up to ReadyForQuery.
    pub async fn run(&mut self, text: &str) -> Vec<String> {
        self.script(&format!("Q {text} | W Z")).await
    }

    /// Plays a script, steps parted by ` | `, and returns the messages that came, described.
    ///
    /// `Q text`, `P name text`, `B portal name`, `E portal max`, `DS name`, `DP portal`, `CS name`,
    /// `CP portal`, `S` Sync, `H` Flush, `d data`, `c` CopyDone, `f` CopyFail send (the unnamed
    /// statement or portal is written `-`); `W tag` waits for a message of that type.
    pub async fn script(&mut self, script: &str) -> Vec<String> {
        let mut seen = Vec::new();
        let mut out = BytesMut::new();
        for step in script.split(" | ").map(str::trim).filter(|step| !step.is_empty()) {
            let (kind, rest) = step.split_once(' ').unwrap_or((step, ""));
            let name = |text: &str| if text == "-" { String::new() } else { text.to_owned() };
            let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
            match kind {
                "Q" => build::query(&mut out, rest),
                "P" => build::parse(&mut out, &name(first), second, std::iter::empty()),
                "B" => build::bind(&mut out, &name(first), &name(second), &[], &[], &[]),
                "E" => build::execute(&mut out, &name(first), second.parse().unwrap_or(0)),
                "DS" => build::describe(&mut out, Name::Statement(&name(rest))),
                "DP" => build::describe(&mut out, Name::Portal(&name(rest))),
                "CS" => build::close(&mut out, Name::Statement(&name(rest))),
                "CP" => build::close(&mut out, Name::Portal(&name(rest))),
                "S" => build::sync(&mut out),
                "H" => build::flush(&mut out),
                "d" => build::copy_data(&mut out, format!("{rest}\n").as_bytes()),
                "c" => build::copy_done(&mut out),
                "f" => build::copy_fail(&mut out, "enough"),
                "W" => {
                    self.send(&out).await;
                    out.clear();
                    self.until(&mut seen, |message| message.starts_with(rest)).await;
                }
                other => panic!("unknown step {other}"),
            }
        }
        self.send(&out).await;
        seen
    }

    /// Plays a script, then brings the session to its end whatever state it is in.
    pub async fn script_to_end(&mut self, script: &str) -> Vec<String> {
        let mut seen = self.script(&format!("{script} | S | Q ROLLBACK | Q SELECT 'the end'")).await;
        self.until(&mut seen, |message| message == "D the end").await;
        self.until(&mut seen, |message| message.starts_with('Z')).await;
        seen
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        // A peer that has gone is found when reading.
        let _ = self.stream.write_all(bytes).await;
        let _ = self.stream.flush().await;
    }

    async fn until(&mut self, seen: &mut Vec<String>, last: impl Fn(&str) -> bool) {
        loop {
            match self.message().await {
                Some(message) => {
                    let over = last(&message);
                    seen.push(message);
                    if over {
                        return;
                    }
                }
                None => return seen.push("end of the connection".to_owned()),
            }
        }
    }

    /// The next message but ParameterStatus, described; None: the connection has ended.
    pub async fn message(&mut self) -> Option<String> {
        let pid = self.cancel.as_ref().map_or(0, upstream::CancelTarget::pid);
        loop {
            if let Some(header) = frame::next(&self.input, frame::MAX_BACKEND).expect("a frame") {
                let described = describe(header.tag, header.body(&self.input), pid);
                self.input.advance(header.len);
                if header.tag != b'S' {
                    return Some(described);
                }
                continue;
            }
            let read = tokio::time::timeout(Duration::from_secs(20), self.stream.read_buf(&mut self.input));
            match read.await.expect("an answer in time") {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }
}

/// A message as text in which two servers can be compared: without oids of tables, process ids and
/// lines of source.
fn describe(tag: u8, body: &[u8], own_pid: u32) -> String {
    let letter = char::from(tag);
    match tag {
        b'E' | b'N' => {
            let diagnostic = Diagnostic::parse(body).expect("a diagnostic");
            let shown = [field::SEVERITY, field::SQLSTATE, field::MESSAGE, field::DETAIL, field::POSITION];
            let shown: Vec<_> = shown.iter().filter_map(|code| diagnostic.get(*code)).collect();
            format!("{letter} {}", shown.join(" · "))
        }
        b'D' => {
            let row = pgwarrant_wire::backend::DataRow::parse(body).expect("a row");
            let values = row.values().map(|value| value.map_or("NULL".into(), String::from_utf8_lossy));
            format!("D {}", values.collect::<Vec<_>>().join(","))
        }
        b'T' => {
            let description = pgwarrant_wire::backend::RowDescription::parse(body).expect("a description");
            let fields = description.fields();
            let shown =
                fields.map(|field| format!("{}:{}", String::from_utf8_lossy(field.name), field.type_oid));
            format!("T {}", shown.collect::<Vec<_>>().join(","))
        }
        b'A' => {
            let notification = pgwarrant_wire::backend::notification(body).expect("a notification");
            let whose = if notification.pid == own_pid { "own" } else { "another's" };
            format!("A {whose} {}", String::from_utf8_lossy(notification.channel))
        }
        _ => format!("{letter} {}", String::from_utf8_lossy(body).trim_end_matches('\0')),
    }
}
