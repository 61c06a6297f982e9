//! Passwords of a directory.

use pgwarrant_tests::providers::certificates::{Certificates, Validity};
use pgwarrant_tests::providers::slapd::Slapd;
use pgwarrant_tests::raw::{Raw, errors, message, startup};
use pgwarrant_tests::{Proxy, Shop};

use crate::{by_password, call, failed, proxy, refusal, whoami};

/// What the section of a directory needs besides its place.
fn section(slapd: &Slapd, certificates: &Certificates) -> String {
    let password = certificates.path("proxy.password");
    std::fs::write(&password, "proxy-password\n").expect("a file");
    std::fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
    format!(
        "\n[identity]\ndefault = \"ds\"\n\n[[identity.ldap]]\nname = \"ds\"\nurls = \"{}\"\nca = \"{}\"\n\
         account = \"cn=proxy,dc=shop,dc=example\"\npassword_file = \"{}\"\n\
         base = \"ou=people,dc=shop,dc=example\"\nfilter = \"(uid={{user}})\"\n\
         person_attribute = \"employeeNumber\"\nrealm = \"staff\"\n\
         group_base = \"ou=groups,dc=shop,dc=example\"\n\
         groups = {{ staff = \"engineering\", on-call = \"oncall\" }}\n\
         \n[[user]]\nname = \"gus\"\nprovider = \"ds\"\n",
        slapd.encrypted,
        certificates.ca().display(),
        password.display()
    )
}

/// What comes back to a password message of these bytes.
fn bytes(proxy: &Proxy, user: &str, password: &[u8]) -> Vec<String> {
    let mut raw = Raw::open(proxy.port);
    raw.send(&startup(3, 0, &[("user", user), ("database", "shop")]));
    assert_eq!(raw.until(b'R', 1)[0].body, 3_u32.to_be_bytes(), "a password in the clear");
    raw.send(&message(b'p', password));
    errors(&raw.until(b'E', 1))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_s_password_signs_in_its_user_and_nobody_else() {
    let shop = Shop::new().await;
    let certificates = Certificates::new(Validity::Now);
    let mut slapd = Slapd::start(&certificates);
    let proxy = proxy(&shop, section(&slapd, &certificates));

    for (user, password, expected) in [
        ("bob", "builder", "bob|engineering|staff#E2|ldap"),
        ("ada.admin", "wonderland-too", "ada.admin||staff#E1|ldap"),
        ("a*b(c)\\d", "brackets", "a*b(c)\\d|engineering|staff#E6|ldap"),
        ("Åsa", "blåbär", "Åsa||staff#E8|ldap"),
    ] {
        let client =
            by_password(&proxy, user, password, "").await.unwrap_or_else(|error| panic!("{user}: {error:?}"));
        assert_eq!(whoami(&client).await, expected);
    }
    let wrong = |user: &str| {
        format!(
            "28P01 LDAP authentication failed for user \"{user}\": the directory does not accept this user and password"
        )
    };
    for (user, password) in [
        ("bob", "Builder"),
        ("bob", "wonderland"),
        ("nobody", "builder"),
        // Names that would find somebody if they were read as a filter or as a path.
        ("*", "builder"),
        ("b*", "builder"),
        ("bob)(uid=*", "builder"),
        ("*)(|(uid=*", "builder"),
        ("bob,ou=people,dc=shop,dc=example", "builder"),
        // Two entries have it.
        ("twin", "same"),
        // In the configuration, and not to be found.
        ("gus", "unseen"),
    ] {
        assert_eq!(refusal(by_password(&proxy, user, password, "").await), wrong(user));
    }
    assert_eq!(bytes(&proxy, "bob", b"\0"), ["28P01"], "an empty password would be a bind as nobody");
    assert_eq!(bytes(&proxy, "bob", b"builder\0x\0"), ["08P01"]);
    let outcome = by_password(&proxy, "BOB", "builder", "").await;
    assert!(refusal(outcome).starts_with("28000 LDAP authentication failed"), "the directory ignores case");
    let outcome = by_password(&proxy, "bob", "builder", "-c pgwarrant.sign_in=oauth").await;
    assert_eq!(refusal(outcome), "28000 user \"bob\" does not sign in by token");
    // In the directory, too; but the configuration has its own way for her.
    assert_eq!(call(&proxy.connect("ada").await, "SELECT sign_in FROM pgwarrant.whoami").await, "scram");

    let aud = proxy.connect("aud").await;
    failed(&aud, "bob", 5).await;
    slapd.stop();
    let down = "57P03 LDAP authentication failed for user \"bob\": the directory cannot be reached";
    assert_eq!(refusal(by_password(&proxy, "bob", "builder", "").await), down);
    failed(&aud, "bob", 6).await;
    assert!(!proxy.log().contains("builder"));
}
