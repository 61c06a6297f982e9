//! Passwords that a directory knows.

use std::time::Duration;

use pgwarrant_identity::Verified;
use pgwarrant_identity::ldap::{Account, Directory, Find, GroupSearch, Refused, Settings, SettingsError};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::certificates::{Certificates, Validity};
use crate::slapd::Slapd;

const PEOPLE: &str = "ou=people,dc=shop,dc=example";

fn template() -> Find {
    Find::Template(format!("uid={{user}},{PEOPLE}"))
}

fn search() -> Find {
    search_for("(&(objectClass=person)(uid={user}))")
}

fn search_for(filter: &str) -> Find {
    let account = Account { dn: "cn=proxy,dc=shop,dc=example".into(), password: "proxy-password".into() };
    Find::Search { account: Some(account), base: PEOPLE.into(), filter: filter.into() }
}

fn settings(url: &str, find: Find) -> Settings {
    let mut settings = Settings::new(url, find);
    settings.person_attribute = "employeeNumber".into();
    settings.realm = "staff".into();
    settings.groups = Some(GroupSearch {
        base: "ou=groups,dc=shop,dc=example".into(),
        filter: "(&(objectClass=groupOfNames)(member={dn}))".into(),
        attribute: "CN".into(),
        names: [("staff", "dsr"), ("on-call", "oncall")].map(|(a, b)| (a.into(), b.into())).into(),
    });
    settings
}

fn directory(url: &str, find: Find) -> Directory {
    Directory::new(settings(url, find)).unwrap()
}

fn attribute(name: &str) -> Refused {
    Refused::Attribute(name.into())
}

#[tokio::test]
async fn who_gets_in_and_who_does_not() {
    let slapd = Slapd::start(&Certificates::new(Validity::Now));
    for (what, directory) in
        [("by name", directory(&slapd.plain, template())), ("by search", directory(&slapd.plain, search()))]
    {
        for (user, password, person, groups) in [
            ("ada", "wonderland", "staff#E1", &["dsr", "oncall"][..]),
            ("ada.admin", "wonderland-too", "staff#E1", &[]),
            ("bob", "builder", "staff#E2", &["dsr"]),
            ("a*b(c)\\d", "brackets", "staff#E6", &["dsr"]),
            ("x,y+z#", "commas", "staff#E7", &["dsr"]),
            ("Åsa", "blåbär", "staff#E8", &[]),
        ] {
            let expected = Verified {
                user: user.into(),
                person: person.into(),
                groups: groups.iter().map(|group| (*group).to_owned()).collect(),
                until: None,
            };
            assert_eq!(directory.verify(user, password).await, Ok(expected), "{what}: {user}");
        }
        for (user, password, expected) in [
            ("ada", "Wonderland", Refused::Password),
            ("ada", "wonderland ", Refused::Password),
            ("ada", "builder", Refused::Password),
            ("nobody", "wonderland", Refused::Password),
            // Without a password a bind succeeds, as nobody.
            ("ada", "", Refused::Password),
            ("nobody", "", Refused::Password),
            ("eve", "", Refused::Password),
            ("eve", "x", Refused::Password),
            ("ada", "\0", Refused::Password),
            ("ada", &"x".repeat(5000), Refused::Password),
            // The directory takes these for ada.
            ("ADA", "wonderland", Refused::Spelling),
            ("Ada", "wonderland", Refused::Spelling),
            (" ada", "wonderland", Refused::Password),
            ("ada ", "wonderland", Refused::Password),
            ("ada\0", "wonderland", Refused::Password),
            ("", "wonderland", Refused::Password),
            // Injection.
            ("*", "wonderland", Refused::Password),
            ("a*", "wonderland", Refused::Password),
            (")(uid=*", "wonderland", Refused::Password),
            ("ada)(uid=*))(|(uid=*", "wonderland", Refused::Password),
            ("*)(&", "wonderland", Refused::Password),
            ("ada,ou=people", "wonderland", Refused::Password),
            ("ada+cn=Ada", "wonderland", Refused::Password),
            ("\\61da", "wonderland", Refused::Password),
            ("ad\\61", "wonderland", Refused::Password),
            ("{user}", "wonderland", Refused::Password),
            ("Asa", "blåbär", Refused::Password),
            // Two names, or none that tells people apart.
            ("carol", "kayles", attribute("uid")),
            ("dora", "rates", attribute("employeeNumber")),
        ] {
            assert_eq!(
                directory.verify(user, password).await,
                Err(expected),
                "{what}: {user:?} {password:?}"
            );
        }
    }
    // Found twice, each with this password.
    let found = directory(&slapd.plain, search()).verify("twin", "same").await;
    assert_eq!(found, Err(Refused::Password));
    let hidden = Find::Template("uid={user},ou=hidden,dc=shop,dc=example".into());
    assert_eq!(directory(&slapd.plain, hidden).verify("gus", "unseen").await, Err(attribute("uid")));
}

#[tokio::test]
async fn a_password_goes_where_the_directory_is_and_nowhere_else() {
    let slapd = Slapd::start(&Certificates::new(Validity::Now));
    let away = format!("ou=away,{PEOPLE}");
    let outcome = directory(&slapd.plain, Find::Template(format!("uid={{user}},{away}")));
    assert_eq!(outcome.verify("ada", "wonderland").await, Err(Refused::Password));
    let Find::Search { account, filter, .. } = search() else { panic!() };
    let outcome = directory(&slapd.plain, Find::Search { account, base: away, filter });
    let refers = Refused::Unavailable("it refers to another server".into());
    assert_eq!(outcome.verify("ada", "wonderland").await, Err(refers));
    // Among what a search finds there is a reference; it is passed over.
    let wide = search_for("(|(uid={user})(objectClass=referral))");
    assert!(directory(&slapd.plain, wide).verify("ada", "wonderland").await.is_ok());
}

#[tokio::test]
async fn tls_is_checked() {
    let (good, expired) = (Certificates::new(Validity::Now), Certificates::new(Validity::Expired));
    let (well, stale) = (Slapd::start(&good), Slapd::start(&expired));
    for (slapd, ca, accepted) in [(&well, &good, true), (&well, &expired, false), (&stale, &expired, false)] {
        for (url, starttls) in [(&slapd.encrypted, false), (&slapd.plain, true)] {
            for find in [template(), search()] {
                let mut settings = settings(url, find);
                settings.starttls = starttls;
                settings.ca = Some(ca.ca());
                let outcome = Directory::new(settings).unwrap().verify("ada", "wonderland").await;
                match outcome {
                    Ok(_) if accepted => {}
                    Err(Refused::Unavailable(_)) if !accepted => {}
                    other => panic!("{url} {starttls} {accepted}: {other:?}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn the_next_server_is_asked_and_when_all_are_down_nobody_gets_in() {
    let mut slapd = Slapd::start(&Certificates::new(Validity::Now));
    let mut settings = settings("ldap://127.0.0.1:1", search());
    settings.urls.push(slapd.plain.clone());
    let directory = Directory::new(settings).unwrap();
    assert!(directory.verify("ada", "wonderland").await.is_ok());
    slapd.stop();
    for (user, password) in [("ada", "wonderland"), ("nobody", "x")] {
        let outcome = directory.verify(user, password).await;
        assert!(matches!(outcome, Err(Refused::Unavailable(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_searching_account_that_is_refused_is_no_wrong_password() {
    let slapd = Slapd::start(&Certificates::new(Validity::Now));
    let account = Account { dn: "cn=proxy,dc=shop,dc=example".into(), password: "outdated".into() };
    for account in [Some(account), None] {
        let find = Find::Search { account, base: PEOPLE.into(), filter: "(uid={user})".into() };
        let outcome = directory(&slapd.plain, find).verify("ada", "wonderland").await;
        // Anonymously this directory shows nothing.
        assert!(matches!(outcome, Err(Refused::Unavailable(_) | Refused::Password)), "{outcome:?}");
    }
}

/// What listens there sends these bytes to whoever connects.
async fn impostor(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ldap://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut kept = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(bytes).await.unwrap();
            kept.push(stream);
        }
    });
    url
}

#[tokio::test]
async fn what_is_no_directory_lets_nobody_in() {
    for bytes in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"\x30\x84\x7f\xff\xff\xff",
        // A response of another kind: to a search that nobody made.
        b"\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\x00\x04\x00\x04\x00",
        // A bind's success without its texts, and with a code of no length.
        b"\x30\x08\x02\x01\x01\x61\x03\x0a\x01\x00",
        b"\x30\x0b\x02\x01\x01\x61\x06\x0a\x00\x04\x00\x04\x00",
        b"\x30\x00\x30\x00",
        b"\x02\x01\x01",
    ] {
        let url = impostor(bytes).await;
        for find in [template(), search()] {
            let mut settings = settings(&url, find);
            settings.timeout = Duration::from_millis(200);
            let outcome = Directory::new(settings).unwrap().verify("ada", "wonderland").await;
            assert!(outcome.is_err(), "{bytes:?}: {outcome:?}");
        }
    }
}

#[test]
fn settings_that_cannot_be_safe_are_refused() {
    let good = || settings("ldaps://ds.example", search());
    assert!(Directory::new(good()).is_ok());
    type Change = fn(&mut Settings);
    let bad: [(&str, Change); 15] = [
        ("urls", |settings| settings.urls.clear()),
        ("urls", |settings| settings.urls = vec!["ds.example".into()]),
        ("urls", |settings| settings.urls.push("ldap://ds.example".into())),
        ("urls", |settings| settings.urls = vec!["ldap://localhost".into()]),
        ("ca", |settings| settings.ca = Some("/nonexistent.pem".into())),
        ("user_attribute", |settings| settings.user_attribute.clear()),
        ("person_attribute", |settings| settings.person_attribute.clear()),
        ("realm", |settings| settings.realm.clear()),
        ("bind", |settings| settings.find = Find::Template("uid=ada,dc=shop".into())),
        ("filter", |settings| settings.find = search_for("(uid=ada)")),
        ("filter", |settings| settings.find = search_for("(uid={user}")),
        ("filter", |settings| settings.find = search_for("(uid={user}))")),
        ("filter", |settings| settings.find = search_for("(&(uid={user})(member={dn}))")),
        ("group_filter", |settings| settings.groups.as_mut().unwrap().filter = "(cn=staff)".into()),
        ("group_filter", |settings| settings.groups.as_mut().unwrap().filter = "(member={dn}".into()),
    ];
    for (place, change) in bad {
        let mut settings = good();
        change(&mut settings);
        let error = Directory::new(settings).expect_err(place).to_string();
        assert!(error.starts_with(place), "{error}");
    }
    let mut starttls = settings("ldap://ds.example", search());
    starttls.starttls = true;
    assert!(Directory::new(starttls).is_ok());
    let mut account = good();
    if let Find::Search { account: Some(account), .. } = &mut account.find {
        account.password.clear();
    }
    assert!(matches!(Directory::new(account), Err(SettingsError::Empty(_))));
}
