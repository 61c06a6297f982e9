//! Both sides against PostgreSQL's own programs: the upstream side against real servers, with every
//! method of authentication, and psql against the accepting side.

use std::collections::HashMap;
use std::convert::Infallible;
use std::process::{Command, Output};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::BytesMut;
use pgwarrant_throwaway::{Cluster, Options, find_binaries};
use pgwarrant_wire::accept::{self, Accepted, Plaintext, ServerTls, Settings};
use pgwarrant_wire::auth::{Ask, Method, Mock, Proof, Verifier, Wanted, authenticate, make_verifier};
use pgwarrant_wire::backend::{self, DataRow, TransactionStatus, tag};
use pgwarrant_wire::cancel::Registry;
use pgwarrant_wire::error::ClientError;
use pgwarrant_wire::stream::Socket;
use pgwarrant_wire::upstream::{Address, ClientTls, ConnectError, Login, Server, Upstream, Verify, connect};
use pgwarrant_wire::{frame, frontend, listen};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const HBA: &str = "\
local   all postgres trust
local   all all      scram-sha-256
host    all postgres 127.0.0.1/32 trust
host    all trusted  127.0.0.1/32 trust
hostssl all tls_only 127.0.0.1/32 scram-sha-256
host    all md5_user 127.0.0.1/32 md5
host    all clear    127.0.0.1/32 password
host    all scram    127.0.0.1/32 scram-sha-256
";

const ROLES: &str = "
CREATE ROLE trusted LOGIN;
CREATE ROLE scram LOGIN PASSWORD 'pässword';
CREATE ROLE tls_only LOGIN PASSWORD 'pässword';
CREATE ROLE clear LOGIN PASSWORD 'pässword';
SET password_encryption = 'md5';
CREATE ROLE md5_user LOGIN PASSWORD 'pässword';
";

/// Certificates of an authority, in PEM files: `server` for localhost, `client` for ada.
fn certificates() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let write = |name: String, content: String| {
        use std::os::unix::fs::PermissionsExt;
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    write("ca.crt".into(), authority.pem());
    for (name, alternative, common) in
        [("server", vec!["localhost".to_owned()], "db"), ("client", vec![], "ada")]
    {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(alternative).unwrap();
        params.distinguished_name.push(DnType::CommonName, common);
        write(format!("{name}.crt"), params.signed_by(&key, &authority).unwrap().pem());
        write(format!("{name}.key"), key.serialize_pem());
    }
    directory
}

struct Live {
    certificates: TempDir,
    cluster: Cluster,
}

impl Live {
    fn start() -> Self {
        let certificates = certificates();
        let file = |name: &str| (name.to_owned(), std::fs::read(certificates.path().join(name)).unwrap());
        let cluster = Cluster::start(&Options {
            settings: vec!["ssl = on".into()],
            hba: Some(HBA.to_owned()),
            files: vec![file("server.crt"), file("server.key")],
            ..Options::default()
        })
        .unwrap();
        cluster.script("postgres", ROLES).unwrap();
        Self { certificates, cluster }
    }

    fn server(&self, host: &str, verify: Option<Verify>) -> Server {
        let ca = self.certificates.path().join("ca.crt");
        let tls = verify.map(|verify| ClientTls::new(verify, Some(&ca)).unwrap());
        let address = Address::Tcp { host: host.into(), port: self.cluster.port };
        Server::new(address, tls, Duration::from_secs(20))
    }
}

fn login<'a>(user: &'a str, password: Option<&'a str>) -> Login<'a> {
    const PARAMETERS: &[(&str, &str)] =
        &[("application_name", "wire test"), ("client_encoding", "UTF8"), ("DateStyle", "SQL, DMY")];
    Login { user, password, database: "postgres", parameters: PARAMETERS, minor: 0 }
}

/// The rows of a statement, or the SQLSTATE of its error.
async fn query(upstream: &mut Upstream, sql: &str) -> Result<Vec<Vec<Option<String>>>, String> {
    let mut out = BytesMut::new();
    frontend::build::query(&mut out, sql);
    upstream.stream.write_all(&out).await.unwrap();
    upstream.stream.flush().await.unwrap();
    let mut outcome = Ok(Vec::new());
    loop {
        while let Some(found) = frame::next(&upstream.input, frame::MAX_BACKEND).unwrap() {
            let whole = upstream.input.split_to(found.len);
            let body = found.body(&whole);
            match found.tag {
                tag::DATA_ROW => {
                    let text =
                        |value: Option<&[u8]>| value.map(|value| String::from_utf8(value.to_vec()).unwrap());
                    let row = DataRow::parse(body).unwrap().values().map(text).collect();
                    if let Ok(rows) = &mut outcome {
                        rows.push(row);
                    }
                }
                tag::ERROR_RESPONSE => {
                    outcome = Err(backend::Diagnostic::parse(body).unwrap().sqlstate().to_owned());
                }
                tag::READY_FOR_QUERY => return outcome,
                _ => {}
            }
        }
        assert_ne!(upstream.stream.read_buf(&mut upstream.input).await.unwrap(), 0);
    }
}

async fn one(upstream: &mut Upstream, sql: &str) -> String {
    query(upstream, sql).await.unwrap()[0][0].clone().unwrap()
}

#[tokio::test]
async fn every_method_of_authentication_signs_in_to_postgresql() {
    let live = Live::start();
    let password = Some("pässword");
    for (user, host, verify, password, fits) in [
        ("trusted", "127.0.0.1", None, None, true),
        ("scram", "127.0.0.1", None, password, true),
        ("scram", "127.0.0.1", None, Some("wrong"), false),
        ("scram", "localhost", Some(Verify::AuthorityAndHost), password, true),
        ("scram", "localhost", Some(Verify::AuthorityAndHost), Some("wrong"), false),
        ("tls_only", "127.0.0.1", Some(Verify::Authority), password, true),
        ("tls_only", "127.0.0.1", Some(Verify::Nothing), password, true),
        ("tls_only", "127.0.0.1", None, password, false),
        ("md5_user", "127.0.0.1", None, password, true),
        ("md5_user", "127.0.0.1", None, Some("wrong"), false),
        ("clear", "localhost", Some(Verify::AuthorityAndHost), password, true),
        ("clear", "127.0.0.1", None, password, true),
        ("nobody", "127.0.0.1", None, password, false),
    ] {
        let what = format!("{user} at {host} with {verify:?}");
        match connect(&live.server(host, verify), &login(user, password)).await {
            Err(error) => {
                assert!(!fits, "{what}: {error}");
                assert!(matches!(error, ConnectError::Server(_)), "{what}: {error:?}");
                assert_eq!(error.report().sqlstate, "08004", "{what}");
            }
            Ok(mut upstream) => {
                assert!(fits, "{what}");
                assert_eq!(one(&mut upstream, "SELECT current_user").await, user);
                assert_eq!(upstream.parameter("DateStyle"), Some("SQL, DMY"), "{what}");
                assert_eq!(upstream.parameter("application_name"), Some("wire test"), "{what}");
                assert_eq!(upstream.status, TransactionStatus::Idle);
                let ssl =
                    one(&mut upstream, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").await;
                assert_eq!(ssl == "t", verify.is_some(), "{what}");
            }
        }
    }

    let wrong_name =
        connect(&live.server("127.0.0.1", Some(Verify::AuthorityAndHost)), &login("scram", password)).await;
    assert!(matches!(wrong_name, Err(ConnectError::Tls(_))));
    let missing = Login { database: "missing", ..login("trusted", None) };
    let missing = connect(&live.server("127.0.0.1", None), &missing).await.unwrap_err();
    assert_eq!(missing.report().sqlstate, "3D000");

    // Over a Unix-domain socket; and the second sign-in takes its keys from the cache.
    let address = Address::Unix { directory: live.cluster.directory().to_owned(), port: live.cluster.port };
    let server = Server::new(address, None, Duration::from_secs(20));
    for _ in 0..2 {
        let mut upstream = connect(&server, &login("scram", password)).await.unwrap();
        assert_eq!(one(&mut upstream, "SELECT 1").await, "1");
    }

    // A server that only knows 3.0 makes 3.0 of 3.2.
    let newer = Login { minor: 2, ..login("trusted", None) };
    let mut upstream = connect(&live.server("127.0.0.1", None), &newer).await.unwrap();
    assert_eq!(one(&mut upstream, "SELECT 1").await, "1");
}

/// Somebody with a certificate of his own between us and the server; `strip`: he takes
/// SCRAM-SHA-256-PLUS out of what the server offers.
async fn man_in_the_middle(live: &Live, strip: bool) -> Server {
    let path = |name: &str| live.certificates.path().join(name);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(path("ca.crt")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let towards_server = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let own = certificates();
    let chain = vec![CertificateDer::from_pem_file(own.path().join("server.crt")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(own.path().join("server.key")).unwrap();
    let towards_client = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let listener = listen::tcp("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = listener.local_addr().unwrap().port();
    let real = live.cluster.port;
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut server = tokio::net::TcpStream::connect(("127.0.0.1", real)).await.unwrap();
        let mut request = [0; 8];
        client.read_exact(&mut request).await.unwrap();
        server.write_all(&request).await.unwrap();
        client.write_u8(server.read_u8().await.unwrap()).await.unwrap();
        let mut client =
            tokio_rustls::TlsAcceptor::from(Arc::new(towards_client)).accept(client).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut server =
            tokio_rustls::TlsConnector::from(Arc::new(towards_server)).connect(name, server).await.unwrap();
        let length = client.read_u32().await.unwrap();
        let mut startup = vec![0; length as usize - 4];
        client.read_exact(&mut startup).await.unwrap();
        server.write_u32(length).await.unwrap();
        server.write_all(&startup).await.unwrap();
        server.flush().await.unwrap();
        if strip {
            let mut header = [0; frame::HEADER];
            server.read_exact(&mut header).await.unwrap();
            let offered = frame::header(&header, 1000).unwrap().unwrap();
            let mut body = vec![0; offered.len - frame::HEADER];
            server.read_exact(&mut body).await.unwrap();
            assert!(String::from_utf8_lossy(&body).contains("SCRAM-SHA-256-PLUS"), "PostgreSQL offers it");
            let mut out = BytesMut::new();
            backend::build::authentication_sasl(&mut out, &["SCRAM-SHA-256"]);
            client.write_all(&out).await.unwrap();
        }
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    });
    let address = Address::Tcp { host: "localhost".into(), port };
    Server::new(address, Some(ClientTls::new(Verify::Nothing, None).unwrap()), Duration::from_secs(20))
}

#[tokio::test]
async fn channel_binding_keeps_a_man_in_the_middle_out_even_where_nothing_is_verified() {
    let live = Live::start();
    for strip in [false, true] {
        let server = man_in_the_middle(&live, strip).await;
        let error = connect(&server, &login("tls_only", Some("pässword"))).await.unwrap_err();
        let ConnectError::Server(refusal) = &error else { panic!("{error:?}") };
        assert!(refusal.message().contains("channel binding"), "{refusal}");
    }
}

#[tokio::test]
async fn a_cancel_stops_the_statement_over_tls_and_without() {
    let live = Live::start();
    for verify in [None, Some(Verify::AuthorityAndHost)] {
        let mut upstream =
            connect(&live.server("localhost", verify), &login("postgres", None)).await.unwrap();
        let cancel = upstream.cancel.clone().unwrap();
        let mut watcher = connect(&live.server("localhost", None), &login("postgres", None)).await.unwrap();
        let running =
            tokio::spawn(async move { (query(&mut upstream, "SELECT pg_sleep(60)").await, upstream) });
        let state = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE pid = {} AND state = 'active'",
            cancel.pid()
        );
        while one(&mut watcher, &state).await == "0" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        cancel.cancel().await.unwrap();
        let (outcome, mut upstream) = running.await.unwrap();
        assert_eq!(outcome.unwrap_err(), "57014");
        assert_eq!(one(&mut upstream, "SELECT 1").await, "1", "the session goes on");
    }
}

/// What the accepting side made of a connection.
#[derive(Debug, PartialEq)]
enum Seen {
    SignedIn(Method, Option<&'static str>),
    Cancel(bool),
    Refused(String),
}

/// A server that signs ada in and answers each query with one row.
async fn serve_ada(tls: Option<ServerTls>) -> (u16, tokio::sync::mpsc::UnboundedReceiver<Seen>) {
    let listener = listen::tcp("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (report, seen) = tokio::sync::mpsc::unbounded_channel();
    let registry = Registry::<()>::default();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (tls, report, registry) = (tls.clone(), report.clone(), registry.clone());
            tokio::spawn(async move {
                let seen = session(Socket::tcp(stream).unwrap(), tls, &registry, &report).await;
                if let Err(error) = seen {
                    report.send(Seen::Refused(error.kind().to_owned())).unwrap();
                }
            });
        }
    });
    (port, seen)
}

fn verifier() -> &'static Verifier {
    static VERIFIER: OnceLock<Verifier> = OnceLock::new();
    VERIFIER.get_or_init(|| make_verifier("wonderländ", 4096).unwrap().parse().unwrap())
}

async fn session(
    socket: Socket,
    tls: Option<ServerTls>,
    registry: &Registry<()>,
    report: &tokio::sync::mpsc::UnboundedSender<Seen>,
) -> Result<(), pgwarrant_wire::error::WireError> {
    let settings = Settings { tls, plaintext: Plaintext::Loopback };
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let mut client = match accept::accept(socket, &settings, deadline).await? {
        Accepted::Cancel { pid, key, .. } => {
            report.send(Seen::Cancel(registry.find(pid, &key).is_some())).unwrap();
            return Ok(());
        }
        Accepted::Session(client) => *client,
    };
    let is_ada = client.startup.user == "ada";
    let wanted: Wanted<'_, Infallible> =
        Wanted { certificate: is_ada.then_some("ada"), ask: Ask::Scram(is_ada.then(verifier)) };
    let mock = Mock::new(&[5; 32], 4096);
    let method = match authenticate(&mut client, wanted, &mock, deadline).await? {
        Proof::Here(method) => method,
        Proof::Password(never) | Proof::Token(never) => match never {},
    };
    let facts = client.stream.tls();
    report.send(Seen::SignedIn(method, facts.map(|facts| facts.version))).unwrap();
    let registration = registry.register(client.startup.protocol, ()).unwrap();
    let mut out = BytesMut::new();
    for (name, value) in
        [("server_version", "15.0"), ("client_encoding", "UTF8"), ("standard_conforming_strings", "on")]
    {
        backend::build::parameter_status(&mut out, name, value);
    }
    backend::build::backend_key_data(&mut out, registration.pid(), registration.key());
    backend::build::ready_for_query(&mut out, TransactionStatus::Idle);
    let mut input = BytesMut::new();
    loop {
        client.stream.write_all(&out).await?;
        client.stream.flush().await?;
        out.clear();
        let found = loop {
            if let Some(found) = frame::next(&input, frame::MAX_FRONTEND)? {
                break found;
            }
            if client.stream.read_buf(&mut input).await? == 0 {
                return Ok(());
            }
        };
        let whole = input.split_to(found.len);
        match frontend::parse(found.tag, found.body(&whole))? {
            frontend::Message::Query(text) => {
                let column = backend::Field {
                    name: b"said",
                    table: 0,
                    attnum: 0,
                    type_oid: 25,
                    type_size: -1,
                    typmod: -1,
                    format: 0,
                };
                backend::build::row_description(&mut out, [column].into_iter());
                backend::build::data_row(&mut out, [Some(text.as_bytes())].into_iter());
                backend::build::command_complete(&mut out, "SELECT 1");
                backend::build::ready_for_query(&mut out, TransactionStatus::Idle);
            }
            _ => return Ok(()),
        }
    }
}

async fn psql(port: u16, conninfo: &str, environment: HashMap<&'static str, String>) -> Output {
    let program = find_binaries().map_or("psql".into(), |binaries| binaries.join("psql"));
    let conninfo = format!("host=127.0.0.1 port={port} dbname=shop connect_timeout=20 {conninfo}");
    tokio::task::spawn_blocking(move || {
        Command::new(program)
            .args(["-X", "-A", "-t", "-w", "-d", &conninfo, "-c", "hello"])
            .env_remove("PGSSLMODE")
            .envs(environment)
            .output()
            .unwrap()
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn psql_signs_in() {
    let certificates = certificates();
    let path = |name: &str| certificates.path().join(name);
    let tls = ServerTls::from_files(&path("server.crt"), &path("server.key"), Some(&path("ca.crt"))).unwrap();
    let with_client = format!(
        "sslmode=require sslcert={} sslkey={}",
        path("client.crt").display(),
        path("client.key").display()
    );
    let verified = format!(
        "host=localhost hostaddr=127.0.0.1 sslmode=verify-full sslrootcert={}",
        path("ca.crt").display()
    );
    let v13 = Some("TLSv1.3");
    let refused = || Seen::Refused("authentication".into());
    for (tls, conninfo, password, expected) in [
        (
            None,
            "user=ada sslmode=prefer channel_binding=disable".to_owned(),
            "wonderländ",
            Seen::SignedIn(Method::Scram, None),
        ),
        (None, "user=ada sslmode=disable".to_owned(), "wrong", refused()),
        (None, "user=eve sslmode=disable".to_owned(), "wonderländ", refused()),
        (
            Some(tls.clone()),
            "user=ada sslmode=require".to_owned(),
            "wonderländ",
            Seen::SignedIn(Method::ScramPlus, v13),
        ),
        (
            Some(tls.clone()),
            format!("user=ada {verified} channel_binding=require"),
            "wonderländ",
            Seen::SignedIn(Method::ScramPlus, v13),
        ),
        (
            Some(tls.clone()),
            "user=ada sslmode=require channel_binding=disable".to_owned(),
            "wonderländ",
            Seen::SignedIn(Method::Scram, v13),
        ),
        (
            Some(tls.clone()),
            "user=ada sslmode=require ssl_max_protocol_version=TLSv1.2".to_owned(),
            "wonderländ",
            Seen::SignedIn(Method::ScramPlus, Some("TLSv1.2")),
        ),
        (Some(tls.clone()), format!("user=ada {with_client}"), "", Seen::SignedIn(Method::Certificate, v13)),
        (Some(tls), format!("user=eve {with_client}"), "wonderländ", refused()),
    ] {
        let (port, mut seen) = serve_ada(tls).await;
        let fits = matches!(expected, Seen::SignedIn(..));
        let output = psql(port, &conninfo, HashMap::from([("PGPASSWORD", password.to_owned())])).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(seen.recv().await.unwrap(), expected, "{conninfo}: {said}");
        assert_eq!(output.status.success(), fits, "{conninfo}: {said}");
        if fits {
            assert_eq!(String::from_utf8_lossy(&output.stdout), "hello\n", "{conninfo}");
        } else {
            assert!(said.contains("password authentication failed for user"), "{conninfo}: {said}");
        }
    }
}

#[tokio::test]
async fn both_sides_understand_each_other_and_a_cancel_finds_its_session() {
    let certificates = certificates();
    let path = |name: &str| certificates.path().join(name);
    let tls = ServerTls::from_files(&path("server.crt"), &path("server.key"), None).unwrap();
    for minor in [0, 2] {
        let (port, mut seen) = serve_ada(Some(tls.clone())).await;
        let client = ClientTls::new(Verify::AuthorityAndHost, Some(&path("ca.crt"))).unwrap();
        let address = Address::Tcp { host: "localhost".into(), port };
        let server = Server::new(address, Some(client), Duration::from_secs(20));
        let login = Login { minor, ..login("ada", Some("wonderländ")) };
        let mut upstream = connect(&server, &login).await.unwrap();
        assert_eq!(seen.recv().await, Some(Seen::SignedIn(Method::ScramPlus, Some("TLSv1.3"))));
        assert_eq!(one(&mut upstream, "hello").await, "hello");
        let cancel = upstream.cancel.clone().unwrap();
        cancel.cancel().await.unwrap();
        assert_eq!(seen.recv().await, Some(Seen::Cancel(true)));
        let wrong = Login { password: Some("guess"), ..login };
        assert!(matches!(connect(&server, &wrong).await, Err(ConnectError::Server(_))));
    }
}
