//! Proves: a client certificate signs in the user whom the configuration names for it, and nobody
//! else.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use pgwarrant_tests::{Proxy, Settings, Shop, psql};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

struct Authority {
    directory: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let directory = tempfile::tempdir().expect("a directory");
        let key = KeyPair::generate().expect("a key");
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, "an authority");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = parameters.self_signed(&key).expect("a certificate");
        fs::write(directory.path().join("ca.crt"), certificate.pem()).expect("a file");
        Authority { directory, issuer: Issuer::new(parameters, key) }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes NAME.crt and NAME.key.
    fn issue(&self, name: &str, common_name: &str, usage: ExtendedKeyUsagePurpose) {
        let key = KeyPair::generate().expect("a key");
        let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
        parameters.distinguished_name.push(DnType::CommonName, common_name);
        parameters.extended_key_usages.push(usage);
        let certificate = parameters.signed_by(&key, &self.issuer).expect("a certificate");
        fs::write(self.file(&format!("{name}.crt")), certificate.pem()).expect("a file");
        let file = self.file(&format!("{name}.key"));
        fs::write(&file, key.serialize_pem()).expect("a file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("permissions");
    }
}

/// A connection string without a password.
fn conninfo(proxy: &Proxy, user: &str, authority: &Authority, certificate: Option<&Path>) -> String {
    let mut text = format!(
        "host=localhost port={} dbname=shop user={user} sslmode=verify-full sslrootcert={} connect_timeout=10",
        proxy.port,
        authority.file("ca.crt").display()
    );
    if let Some(stem) = certificate {
        text.push_str(&format!(" sslcert={0}.crt sslkey={0}.key", stem.display()));
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_signs_in_its_user_and_nobody_else() {
    let shop = Shop::new().await;
    let (ours, foreign) = (Authority::new(), Authority::new());
    ours.issue("server", "localhost", ExtendedKeyUsagePurpose::ServerAuth);
    ours.issue("ada", "ada@shop.example", ExtendedKeyUsagePurpose::ClientAuth);
    ours.issue("mallory", "mallory@shop.example", ExtendedKeyUsagePurpose::ClientAuth);
    foreign.issue("ada", "ada@shop.example", ExtendedKeyUsagePurpose::ClientAuth);
    let settings = Settings {
        replace: vec![(
            "name = \"ada\"".to_owned(),
            "name = \"ada\"\ncertificate = \"ada@shop.example\"".to_owned(),
        )],
        append: format!(
            "\n[listen.tls]\ncertificate = \"{}\"\nkey = \"{}\"\nclient_ca = \"{}\"\n",
            ours.file("server.crt").display(),
            ours.file("server.key").display(),
            ours.file("ca.crt").display()
        ),
    };
    let proxy = Proxy::start_with(&shop, &settings);
    let who = "SELECT user_name, tls, client_certificate FROM pgwarrant.whoami";
    let run = |user: &str, certificate: Option<PathBuf>| {
        psql(&conninfo(&proxy, user, &ours, certificate.as_deref()), &["-A", "-t", "-w"], who)
    };

    let signed_in = run("ada", Some(ours.file("ada")));
    assert_eq!(signed_in.stdout, "ada|t|t", "{}", signed_in.stderr);
    for (user, certificate, what) in [
        ("petra", Some(ours.file("ada")), "ada's certificate for petra"),
        ("ada", Some(ours.file("mallory")), "another's certificate for ada"),
        ("ada", Some(foreign.file("ada")), "a certificate of another authority"),
        ("ada", None, "neither certificate nor password"),
    ] {
        let refused = run(user, certificate);
        assert!(!refused.success && refused.stdout.is_empty(), "{what} signs in: {}", refused.stdout);
    }
    // A password still does where there is no certificate.
    let by_password = psql(
        &format!("{} password=ada-demo", conninfo(&proxy, "ada", &ours, None)),
        &["-A", "-t", "-w"],
        who,
    );
    assert_eq!(by_password.stdout, "ada|t|f", "{}", by_password.stderr);
}
