//! One person is one person, by whichever way and with whichever account; and who loses a group, or
//! is removed, loses what came with it.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use pgwarrant_tests::providers::certificates::{Certificates, Validity};
use pgwarrant_tests::providers::slapd::Slapd;
use pgwarrant_tests::{Proxy, Shop, psql};
use pgwarrant_wire::auth::{DEFAULT_ITERATIONS, make_verifier};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::json;

use crate::{AS_PASSWORD, House, by_password, call, proxy, refusal};

/// Writes what clients and the proxy show to each other, and NAME.crt, NAME.key for the client.
fn certificates(directory: &std::path::Path, common_name: &str) {
    let write = |name: &str, content: String| {
        let path = directory.join(name);
        std::fs::write(&path, content).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    };
    let key = KeyPair::generate().expect("a key");
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, "an authority");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    write("ca.crt", parameters.self_signed(&key).expect("a certificate").pem());
    let issuer = Issuer::new(parameters, key);
    for (file, name) in [("server", "localhost"), ("client", common_name)] {
        let key = KeyPair::generate().expect("a key");
        let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
        parameters.distinguished_name.push(DnType::CommonName, name);
        write(&format!("{file}.crt"), parameters.signed_by(&key, &issuer).expect("a certificate").pem());
        write(&format!("{file}.key"), key.serialize_pem());
    }
}

/// A proxy that knows the person `staff#E1` by a verifier, a certificate, a token and a password.
struct Office {
    proxy: Proxy,
    house: House,
    tls: tempfile::TempDir,
    _slapd: Slapd,
    _shop: Shop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Scram,
    Certificate,
    Token,
    Directory,
}

impl Office {
    async fn open() -> Self {
        let (shop, house) = (Shop::new().await, House::new().await);
        let of_directory = Certificates::new(Validity::Now);
        let slapd = Slapd::start(&of_directory);
        let tls = tempfile::tempdir().expect("a directory");
        certificates(tls.path(), "e1@shop.example");
        let file = |name: &str| tls.path().join(name).display().to_string();
        let verifier = make_verifier("e1-demo", DEFAULT_ITERATIONS).expect("a verifier");
        let append = format!(
            "\n[identity]\ndefault = \"corp\"\n{}\n\
             [[identity.ldap]]\nname = \"ds\"\nurls = \"{}\"\nbind = \"uid={{user}},ou=people,dc=shop,dc=example\"\n\
             person_attribute = \"employeeNumber\"\nrealm = \"staff\"\n\
             [listen.tls]\ncertificate = \"{}\"\nkey = \"{}\"\nclient_ca = \"{}\"\n\
             [[group]]\nname = \"both\"\nmay_request = true\nmay_approve = true\n\
             [[user]]\nname = \"e1\"\nperson = \"staff#E1\"\nscram = \"{verifier}\"\ngroups = \"both\"\n\
             [[user]]\nname = \"e1.laptop\"\nperson = \"staff#E1\"\ncertificate = \"e1@shop.example\"\ngroups = \"both\"\n\
             [[user]]\nname = \"ada.admin\"\nprovider = \"ds\"\ngroups = \"both\"\n",
            house
                .section("corp", "realm = \"staff\"\ngroups_claim = \"roles\"")
                .replace("privacy = ", "both = \"both\", privacy = "),
            slapd.plain,
            file("server.crt"),
            file("server.key"),
            file("ca.crt"),
        );
        let proxy = proxy(&shop, append);
        Self { proxy, house, tls, _slapd: slapd, _shop: shop }
    }

    /// The first row or the error of a statement of this person's.
    async fn call(&self, way: Way, sql: &str) -> String {
        let client = match way {
            Way::Scram => by_password(&self.proxy, "e1", "e1-demo", "").await,
            Way::Token => {
                let token = self.house.token("e1.token", json!({"sub": "E1", "roles": ["both"]}));
                by_password(&self.proxy, "e1.token", &token, AS_PASSWORD).await
            }
            Way::Directory => by_password(&self.proxy, "ada.admin", "wonderland-too", "").await,
            Way::Certificate => return self.by_certificate(sql),
        };
        call(&client.unwrap_or_else(|error| panic!("{way:?}: {error:?}")), sql).await
    }

    fn by_certificate(&self, sql: &str) -> String {
        let file = |name: &str| -> PathBuf { self.tls.path().join(name) };
        let conninfo = format!(
            "host=localhost port={} dbname=shop user=e1.laptop sslmode=verify-full sslrootcert={} sslcert={} sslkey={}",
            self.proxy.port,
            file("ca.crt").display(),
            file("client.crt").display(),
            file("client.key").display()
        );
        let run = psql(&conninfo, &["-A", "-t", "-w", "-v", "VERBOSITY=verbose"], sql);
        if run.success && run.stderr.is_empty() { run.stdout } else { run.stderr }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_approves_their_own_request_by_another_way_to_sign_in() {
    let office = Office::open().await;
    let ways = [Way::Scram, Way::Certificate, Way::Token, Way::Directory];
    for way in ways {
        let said = office.call(way, "SELECT person, groups FROM pgwarrant.whoami").await;
        assert_eq!(said, "staff#E1|both", "{way:?}");
    }
    let ask = "SELECT request_id FROM pgwarrant.request('customers.email', reason => 'r')";
    for asker in ways {
        let request = office.call(asker, ask).await;
        for approver in ways {
            let said =
                office.call(approver, &format!("SELECT state FROM pgwarrant.approve({request})")).await;
            assert!(
                said.contains("42501") && said.contains(&format!("may not approve request {request}")),
                "{asker:?} asked, {approver:?} approved: {said}"
            );
        }
        let petra = office.proxy.connect("petra").await;
        let state = call(&petra, &format!("SELECT state FROM pgwarrant.approve({request})")).await;
        assert_eq!(state, "approved", "somebody else may");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_does_not_get_in_any_more_and_has_nothing_left() {
    let mut office = Office::open().await;
    let ask = "SELECT request_id FROM pgwarrant.request('customers.email', reason => 'r')";
    let petra = office.proxy.connect("petra").await;
    for way in [Way::Certificate, Way::Token] {
        let request = office.call(way, ask).await;
        call(&petra, &format!("SELECT state FROM pgwarrant.approve({request})")).await;
    }
    let states = async |proxy: &Proxy| {
        let petra = proxy.connect("petra").await;
        call(&petra, "SELECT string_agg(who || ' ' || state, ', ' ORDER BY id) FROM pgwarrant.grants").await
    };
    assert_eq!(states(&office.proxy).await, "e1.laptop live, e1.token live");
    let config = std::fs::read_to_string(office.proxy.config()).expect("the configuration");
    std::fs::write(office.proxy.config(), config.replace("name = \"e1.laptop\"", "name = \"another\""))
        .expect("the configuration");
    office.proxy.crash_and_restart();
    assert_eq!(
        states(&office.proxy).await,
        "e1.laptop removed, e1.token live",
        "the issuer's users are not in the file"
    );
    let said = office.by_certificate("SELECT 1");
    assert!(said.contains("SASL authentication mechanisms"), "asked for a token, like any stranger: {said}");

    let config = std::fs::read_to_string(office.proxy.config()).expect("the configuration");
    std::fs::write(office.proxy.config(), config.replace("default = \"corp\"", "default = \"scram\""))
        .expect("the configuration");
    office.proxy.crash_and_restart();
    assert_eq!(states(&office.proxy).await, "e1.laptop removed, e1.token removed");
    let token = office.house.token("e1.token", json!({"sub": "E1", "roles": ["both"]}));
    let outcome = by_password(&office.proxy, "e1.token", &token, AS_PASSWORD).await;
    assert!(refusal(outcome).starts_with("28000"), "nobody but those in the file");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_group_gave_ends_at_the_next_sign_in() {
    let (shop, house) = (Shop::new().await, House::new().await);
    let proxy = proxy(&shop, format!("\n[identity]\ndefault = \"corp\"\n{}", house.section("corp", "")));
    let sign_in = async |changes| {
        by_password(&proxy, "zoe", &house.token("zoe", changes), AS_PASSWORD).await.expect("zoe")
    };
    let zoe = sign_in(json!({})).await;
    let petra = proxy.connect("petra").await;
    for columns in ["customers.email", "customers.name"] {
        call(&zoe, &format!("SELECT * FROM pgwarrant.request('{columns}', reason => 'r')")).await;
    }
    assert_eq!(call(&petra, "SELECT state FROM pgwarrant.approve(1)").await, "approved");
    let email = "SELECT email FROM customers WHERE id = 42";
    let raw = call(&zoe, email).await;
    let masked = call(&petra, email).await;
    assert_ne!(raw, masked);

    assert_eq!(call(&sign_in(json!({"groups": ["staff"]})).await, email).await, raw, "she has not lost it");
    let without = sign_in(json!({"groups": ["others"]})).await;
    assert_eq!(call(&without, email).await, masked);
    assert_eq!(call(&zoe, email).await, masked, "nor in the session from before");
    assert_eq!(call(&petra, "SELECT state FROM pgwarrant.grants WHERE id = 1").await, "removed");
    assert_eq!(call(&petra, "SELECT state FROM pgwarrant.requests WHERE id = 2").await, "withdrawn");

    // A name that was given to somebody else.
    let zoe = sign_in(json!({})).await;
    call(&zoe, "SELECT * FROM pgwarrant.request('customers.email', reason => 'r')").await;
    assert_eq!(call(&petra, "SELECT state FROM pgwarrant.approve(3)").await, "approved");
    let another = sign_in(json!({"sub": "somebody else"})).await;
    assert_eq!(call(&another, email).await, masked);
    assert_eq!(call(&petra, "SELECT state FROM pgwarrant.grants WHERE id = 2").await, "removed");
}
