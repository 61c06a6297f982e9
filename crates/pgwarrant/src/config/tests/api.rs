//! `[api]`

use super::{GOOD, check, read};

#[test]
fn there_is_no_api_unless_it_is_asked_for() {
    assert!(read(GOOD).expect("a good file").api.is_none());
    let api = read(&format!("{GOOD}\n[api]\n")).expect("a good file").api.expect("there is one");
    assert_eq!(format!("{:?}", api.listen), "[127.0.0.1:6480]");
    assert!(api.tls.is_none() && api.public_url.is_none());
    let (here, there) = (api.limits, pgwarrant_api::settings::Limits::default());
    assert_eq!(format!("{here:?}"), format!("{there:?}"), "the defaults are the crate's own");
}

#[test]
fn no_password_crosses_the_network_unencrypted() {
    check(&[
        (
            "",
            "[api]\nlisten = \"10.0.0.1:6480\"\n",
            "f:24: passwords would cross the network to 10.0.0.1:6480 unencrypted\n\
             HINT:  Add [api.tls] or [listen.tls] with certificate and key, or listen on 127.0.0.1 only.",
        ),
        (
            "",
            "[api]\npublic_url = \"http://warrant.example\"\n",
            "f:24: passwords would cross the network to http://warrant.example unencrypted\n\
             HINT:  Write \"https://\": what ends TLS before the proxy counts, too.",
        ),
        ("", "[api]\npublic_url = \"http://localhost:6480\"\n", ""),
        (
            "",
            "[api]\npublic_url = \"warrant.example/inbox\"\n",
            "f:24: public_url cannot be \"warrant.example/inbox\"\n\
             HINT:  Write \"https://\" and a host, with a port if it is not 443, and nothing behind it.",
        ),
        (
            "",
            "[api]\n[api.tls]\n",
            "f:24: [api.tls] has no certificate\nHINT:  Name a PEM file.\n\
             f:24: [api.tls] has no key\nHINT:  Name a PEM file.",
        ),
        ("", "[api]\nlisen = 3\n", "f:24: unknown key \"lisen\" in [api]\nHINT:  Did you mean \"listen\"?"),
    ]);
}
