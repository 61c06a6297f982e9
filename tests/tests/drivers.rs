//! Proves: real drivers in their own languages work through the proxy with TLS and SCRAM.

use std::fs;
use std::process::Command;

use pgwarrant_tests::{Proxy, Settings, Shop, grant, workspace};

/// A proxy with TLS, and the file of the authority that vouches for it.
async fn with_tls() -> (Shop, Proxy, tempfile::TempDir) {
    let shop = Shop::new().await;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])
        .and_then(|parameters| parameters.self_signed(&key))
        .expect("a certificate");
    let (certificate_file, key_file) =
        (directory.path().join("server.crt"), directory.path().join("server.key"));
    fs::write(&certificate_file, certificate.pem()).expect("a file");
    fs::write(&key_file, key.serialize_pem()).expect("a file");
    restrict(&key_file);
    let settings = Settings {
        replace: vec![("plaintext = \"loopback\"".to_owned(), "plaintext = \"never\"".to_owned())],
        append: format!(
            "\n[listen.tls]\ncertificate = \"{}\"\nkey = \"{}\"\n",
            certificate_file.display(),
            key_file.display()
        ),
    };
    let proxy = Proxy::start_with(&shop, &settings);
    (shop, proxy, directory)
}

fn restrict(file: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("permissions");
}

fn run(mut command: Command) {
    let output = command.output().expect("the driver's interpreter: run `make test`");
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("all checks passed"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn psycopg_sees_masks_then_a_grant_then_masks() {
    let (_shop, proxy, directory) = with_tls().await;
    let authority = directory.path().join("server.crt");
    // The strictest a client can ask: the server's name checked, and the password tied to this TLS session.
    let conninfo = |user: &str| {
        format!(
            "{} sslmode=verify-full sslrootcert={} channel_binding=require",
            proxy.conninfo(user).replace("host=127.0.0.1", "host=localhost"),
            authority.display()
        )
    };
    let mut command = Command::new(workspace().join("target/drivers/python/bin/python"));
    command
        .arg(workspace().join("tests/drivers/psycopg_grants.py"))
        .args([conninfo("ada"), conninfo("petra")]);
    run(command);
}

#[tokio::test(flavor = "multi_thread")]
async fn node_postgres_sees_masks_then_a_grant_then_masks() {
    let (_shop, proxy, directory) = with_tls().await;
    let mut command = Command::new("node");
    command
        .current_dir(workspace().join("target/drivers/node"))
        .arg(workspace().join("tests/drivers/node_grants.js").canonicalize().expect("the script"))
        .arg(proxy.port.to_string())
        .arg(directory.path().join("server.crt"));
    run(command);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokio_postgres_sees_masks_then_a_grant_then_masks() {
    let (_shop, proxy, directory) = with_tls().await;
    let authority = directory.path().join("server.crt");
    let ada = connect_tls(&proxy, "ada", &authority).await;
    let petra = connect_tls(&proxy, "petra", &authority).await;
    // tokio-postgres asks for binary formats in the extended protocol and text in the simple one.
    let statement = ada
        .prepare("SELECT email::text, birth_date, last_ip FROM customers WHERE id = $1")
        .await
        .expect("prepared");
    let extended = |row: &tokio_postgres::Row| row.get::<_, String>(0);
    for round in 0..2 {
        let row = ada.query_one(&statement, &[&42i64]).await.expect("a masked row");
        assert!(!extended(&row).contains("@example"), "round {round}: masked");
        assert!(!simple(&ada).await.contains("@example"), "round {round}: masked in the simple protocol");
        let grant = grant(&ada, &petra, "customers.email", Some("id = 42")).await;
        let row = ada.query_one(&statement, &[&42i64]).await.expect("a raw row");
        assert!(extended(&row).contains("@example"), "round {round}: granted");
        assert!(simple(&ada).await.contains("@example"), "round {round}: granted in the simple protocol");
        let other = ada.query_one(&statement, &[&43i64]).await.expect("a masked row");
        assert!(!extended(&other).contains("@example"), "round {round}: another row");
        // Pipelined: three statements on their way at once.
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&42i64];
        let (a, b, c) = tokio::join!(
            ada.query_one(&statement, &parameters),
            ada.query("SELECT blood FROM hr.employees", &[]),
            ada.query_one(&statement, &parameters),
        );
        assert!(extended(&a.expect("before the refusal")).contains("@example"));
        assert_eq!(b.expect_err("refused").code().map(|code| code.code()), Some("42501"));
        assert!(extended(&c.expect("after the refusal")).contains("@example"));
        ada.execute("SELECT * FROM pgwarrant.release($1)", &[&grant]).await.expect("given back");
    }
    let row = ada.query_one(&statement, &[&42i64]).await.expect("a masked row");
    assert!(!extended(&row).contains("@example"), "masked at the end");
}

async fn simple(client: &tokio_postgres::Client) -> String {
    let messages = client.simple_query("SELECT email FROM customers WHERE id = 42").await.expect("a row");
    messages
        .iter()
        .find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
        .expect("a row")
}

async fn connect_tls(proxy: &Proxy, user: &str, authority: &std::path::Path) -> tokio_postgres::Client {
    use rustls_pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(rustls_pki_types::CertificateDer::from_pem_file(authority).expect("a certificate"))
        .expect("a root certificate");
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let conninfo = format!(
        "{} sslmode=require channel_binding=require",
        proxy.conninfo(user).replace("host=127.0.0.1", "host=localhost")
    );
    let tls = tokio_postgres_rustls::MakeRustlsConnect::new(config);
    let (client, connection) =
        tokio_postgres::connect(&conninfo, tls).await.unwrap_or_else(|error| panic!("{user}: {error:?}"));
    tokio::spawn(connection);
    client
}
