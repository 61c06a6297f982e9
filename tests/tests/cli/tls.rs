//! Over TLS: whose certificate is believed.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use pgwarrant_tests::providers::certificates::{Certificates, Validity};
use pgwarrant_tests::{Proxy, Settings, Shop, free_port};

use crate::Desk;

fn start(shop: &Shop, certificates: &Certificates) -> (Proxy, u16) {
    let port = free_port();
    let key = certificates.path("server.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("a mode");
    let append = format!(
        "\n[api]\nlisten = \"127.0.0.1:{port}\"\n[api.tls]\ncertificate = \"{}\"\nkey = \"{}\"\n",
        certificates.path("server.crt").display(),
        key.display()
    );
    let proxy = Proxy::start_with(shop, &Settings { append, ..Settings::default() });
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(std::time::Instant::now() < deadline, "the API does not answer");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    (proxy, port)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_believed_of_the_authority_that_is_named() {
    let shop = Shop::new().await;
    let (good, other) = (Certificates::new(Validity::Now), Certificates::new(Validity::Now));
    let (_proxy, port) = start(&shop, &good);
    let desk = Desk::new(&format!("https://127.0.0.1:{port}"));
    let login = |ca: &std::path::Path| {
        desk.run_with(&["login", "--user", "ada", "--ca", ca.to_str().expect("a path")], "ada-demo\n")
    };
    let refused = login(&other.ca());
    assert!(refused.status == 5 && refused.stderr.contains("the TLS handshake failed"), "{refused:?}");
    assert!(refused.stderr.contains("--ca names it"), "{refused:?}");
    assert_eq!(login(&good.ca()).status, 0);
    // It is remembered.
    let who = desk.run(&["whoami", "--json"]);
    assert_eq!((who.status, &who.json()[0]["tls"]), (0, &true.into()), "{who:?}");
    assert_eq!(desk.run(&["request", "create", "customers.email", "--reason", "r"]).status, 3);
    let plain = Desk::new(&format!("http://127.0.0.1:{port}"));
    assert_eq!(plain.run_with(&["login", "--user", "ada"], "ada-demo\n").status, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_has_expired_is_not_believed() {
    let shop = Shop::new().await;
    let old = Certificates::new(Validity::Expired);
    let (_proxy, port) = start(&shop, &old);
    let desk = Desk::new(&format!("https://127.0.0.1:{port}"));
    let ca = old.ca();
    let refused =
        desk.run_with(&["login", "--user", "ada", "--ca", ca.to_str().expect("a path")], "ada-demo\n");
    assert!(refused.status == 5 && refused.stderr.contains("expired"), "{refused:?}");
}
