use super::*;

const USUAL: &str = "n,,\u{1}auth=Bearer abc.def-_~+/==\u{1}\u{1}";

#[test]
fn a_first_message_is_read_as_postgresql_reads_it() {
    for (message, expected) in [
        (USUAL, Shown::Token("abc.def-_~+/==")),
        ("y,,\u{1}auth=Bearer a\u{1}\u{1}", Shown::Token("a")),
        ("n,,\u{1}auth=BEARER   a\u{1}\u{1}", Shown::Token("a")),
        ("n,,\u{1}host=db\u{1}port=5432\u{1}auth=bearer a\u{1}x=\t\r\n\u{1}\u{1}", Shown::Token("a")),
        ("n,,\u{1}auth=\u{1}\u{1}", Shown::Nothing),
        ("n,,\u{1}auth=Bearer \u{1}\u{1}", Shown::Malformed),
        ("n,,\u{1}auth=Bearer ==\u{1}\u{1}", Shown::Malformed),
        ("n,,\u{1}auth=Bearer\u{1}\u{1}", Shown::Malformed),
        ("n,,\u{1}auth=Basic YTpi\u{1}\u{1}", Shown::Malformed),
        ("n,,\u{1}auth=Bearer a=b\u{1}\u{1}", Shown::Malformed),
        ("n,,\u{1}auth=Bearer a b\u{1}\u{1}", Shown::Malformed),
        ("n,,\u{1}auth=Bearer a\tb\u{1}\u{1}", Shown::Malformed),
    ] {
        assert_eq!(credential(message.as_bytes()), Ok(expected), "{message:?}");
    }
}

#[test]
fn malformed_first_messages_are_refused_without_repeating_them() {
    for (message, sqlstate) in [
        ("", "08P01"),
        ("\u{1}", "08P01"),
        ("n", "08P01"),
        ("n,", "08P01"),
        ("n,,", "08P01"),
        ("n,,\u{1}", "08P01"),
        ("n,,\u{1}\u{1}", "08P01"),
        ("p=tls-server-end-point,,\u{1}auth=Bearer secret\u{1}\u{1}", "08P01"),
        ("p=,,\u{1}auth=Bearer secret\u{1}\u{1}", "08P01"),
        ("x,,\u{1}auth=Bearer secret\u{1}\u{1}", "08P01"),
        ("nn,,\u{1}auth=Bearer secret\u{1}\u{1}", "08P01"),
        ("n,a=admin,\u{1}auth=Bearer secret\u{1}\u{1}", "0A000"),
        ("n,b=admin,\u{1}auth=Bearer secret\u{1}\u{1}", "08P01"),
        ("n,,auth=Bearer secret\u{1}\u{1}", "08P01"),
        ("n,,\u{1}auth=Bearer secret\u{1}", "08P01"),
        ("n,,\u{1}auth=Bearer secret", "08P01"),
        ("n,,\u{1}auth=Bearer secret\u{1}\u{1}more", "08P01"),
        ("n,,\u{1}auth=Bearer secret\u{1}\u{1}\u{1}", "08P01"),
        ("n,,\u{1}auth=Bearer secret\u{1}auth=Bearer other\u{1}\u{1}", "08P01"),
        ("n,,\u{1}auth=\u{1}auth=Bearer secret\u{1}\u{1}", "08P01"),
        ("n,,\u{1}Auth=Bearer secret\u{1}\u{1}", "08P01"),
        ("n,,\u{1}au th=Bearer secret\u{1}\u{1}", "08P01"),
        ("n,,\u{1}=Bearer secret\u{1}\u{1}", "08P01"),
        ("n,,\u{1}auth\u{1}\u{1}", "08P01"),
        ("n,,\u{1}auth=Bearer secré\u{1}\u{1}", "08P01"),
        ("n,,\u{1}auth=Bearer a\u{0}secret\u{1}\u{1}", "08P01"),
    ] {
        let report = credential(message.as_bytes()).expect_err(message);
        assert_eq!(report.sqlstate, sqlstate, "{message:?}");
        assert!(!format!("{report:?}").contains("secr"), "{report:?}");
    }
    assert_eq!(credential(b"n,,\x01auth=Bearer \xff\x01\x01").unwrap_err().sqlstate, "08P01");
}

/// No prefix of a message is a message: nothing is made of what was cut off.
#[test]
fn a_truncated_first_message_is_never_a_token() {
    for end in 0..USUAL.len() {
        assert!(credential(&USUAL.as_bytes()[..end]).is_err(), "{end}");
    }
}

#[test]
fn a_discovery_is_json_whatever_is_asked_of_it() {
    let discovery = Discovery::new("https://login.example/realms/shop/", "openid groups").unwrap();
    assert_eq!(
        discovery.challenge,
        r#"{ "status": "invalid_token", "openid-configuration": "https://login.example/realms/shop//.well-known/openid-configuration", "scope": "openid groups" }"#
    );
    for (issuer, scope) in [
        ("", "openid"),
        ("https://a\"b", "openid"),
        ("https://a b", "openid"),
        ("https://a\\b", "openid"),
        ("https://ä", "openid"),
        ("https://a", "open\"id"),
        ("https://a", "open\u{1}id"),
    ] {
        assert!(Discovery::new(issuer, scope).is_err(), "{issuer:?} {scope:?}");
    }
}
