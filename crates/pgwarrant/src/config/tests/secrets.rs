//! Secrets and private files: who may read them, and what never shows.

use std::os::unix::fs::PermissionsExt;

use super::{GOOD, check};
use crate::config::*;

#[test]
fn a_secret_is_read_from_a_private_file_or_the_environment_and_never_shown() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, content: &str, mode: u32| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("restricted");
    };
    file("good", "secret-of-shop-app\n", 0o600);
    file("group", "secret-of-shop-app", 0o640);
    file("open", "secret-of-shop-app\n", 0o644);
    file("empty", "", 0o600);
    file("two", "a\nb\n", 0o600);
    let variable = |_: &str| None;
    let with = |name: &str| {
        let role = format!("{{ name = \"shop_app\", password_file = \"{name}\" }}");
        let text = GOOD.replace("{ name = \"shop_app\" }", &role);
        parse(&text, "f", &Surroundings { directory: directory.path(), variable: &variable })
    };
    for name in ["good", "group"] {
        let config = with(name).unwrap_or_else(|problems| panic!("{problems}"));
        let password = config.databases[0].roles[0].login.password.clone().expect("a password");
        assert_eq!(password.expose(), "secret-of-shop-app");
        assert!(!format!("{config:?}").contains("secret-of-shop-app"));
    }
    let shown = directory.path().display();
    for (name, message) in [
        ("open", format!("{shown}/open holds a secret, and everybody on this machine may open it")),
        ("empty", format!("{shown}/empty does not hold one line")),
        ("two", format!("{shown}/two does not hold one line")),
        ("", "password_file is empty".to_owned()),
        ("..", format!("{shown}/.. is not a file")),
        ("none", format!("could not read {shown}/none: No such file or directory (os error 2)")),
    ] {
        let said = with(name).expect_err(name).to_string();
        assert!(said.starts_with(&format!("f:6: {message}")), "{name}: {said}");
    }
}

#[test]
fn a_masking_key_is_given_or_made_once_for_this_user_alone() {
    check(&[
        (
            "",
            "[masking]\nkey = \"x\"",
            "f:24: key may not be in the configuration file\nHINT:  Put it into a file of its own and name that in key_file.",
        ),
        (
            "",
            "[masking]\nkey_env = \"UNSET\"",
            "f:24: the environment variable UNSET is not set\nHINT:  Set it before the program starts.",
        ),
        // With blanks in it.
        (
            "",
            "[masking]\nkey_env = \"SET\"",
            "f:24: the masking key must have 32 characters or more, of letters, digits and +/=_-\nHINT:  Make one with: openssl rand -hex 32",
        ),
    ]);
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store").join("masking.key");
    let key = MaskingKey::Generated(path.clone());
    let first = key.get().expect("a new key");
    assert_eq!(first.expose().len(), 64);
    assert!(secret::is_masking_key(first.expose()));
    assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    assert_eq!(
        std::fs::read_dir(directory.path().join("store")).expect("there").count(),
        1,
        "no draft is left"
    );
    assert!(key.get().expect("the same key") == first);

    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o604)).expect("opened");
    assert!(key.get().is_err(), "a key that others can read is not used");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("closed");
    std::fs::write(&path, "short").expect("written");
    assert!(key.get().is_err(), "a damaged key is not used, nor replaced");
}

#[test]
fn a_private_key_of_tls_is_for_this_user_alone_and_a_client_certificate_signs_in() {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, mode) in
        [("server.crt", 0o644), ("clients.crt", 0o644), ("server.key", 0o600), ("open.key", 0o644)]
    {
        let path = directory.path().join(name);
        std::fs::write(&path, "PEM").expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("restricted");
    }
    let variable = |_: &str| None;
    let with = |tls: &str, user: &str| {
        let text = GOOD.replace("\"127.0.0.1:6432\"", &format!("\"0.0.0.0:6432\"\ntls = {{ {tls} }}")) + user;
        parse(&text, "f", &Surroundings { directory: directory.path(), variable: &variable })
    };
    let pair = "certificate = \"server.crt\", key = \"server.key\"";
    let ben = "[[user]]\nname = \"ben\"\ncertificate = \"ben\"\n";
    let config = with(&format!("{pair}, client_ca = \"clients.crt\""), ben)
        .unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.listen.tls.expect("TLS").client_ca, Some(directory.path().join("clients.crt")));
    assert_eq!(config.users[1].certificate.as_deref(), Some("ben"));

    let said = with(pair, ben).expect_err("nobody to trust").to_string();
    assert!(said.starts_with("f:26: no client certificate could be accepted\n"), "{said}");
    let said = with(
        &format!("{pair}, client_ca = \"clients.crt\""),
        &format!("{ben}{}", ben.replace("name = \"ben", "name = \"eve")),
    );
    let said = said.expect_err("one certificate for two").to_string();
    assert!(said.starts_with("f:29: two users have the certificate \"ben\"\n"), "{said}");
    let said =
        with("certificate = \"server.crt\", key = \"open.key\"", "").expect_err("an open key").to_string();
    let shown = directory.path().join("open.key");
    let message =
        format!("f:3: {} holds a private key, and everybody on this machine may open it\n", shown.display());
    assert!(said.starts_with(&message), "{said}");
}
