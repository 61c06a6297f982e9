use super::client::First;
use super::server::{Challenge, Rejected, client_first};
use super::*;

/// RFC 7677, section 3.
mod rfc {
    pub const PASSWORD: &str = "pencil";
    pub const SALT: &str = "W22ZaJ0SNY7soEsUEjb6gQ==";
    pub const FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    pub const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    pub const SERVER_FIRST: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    pub const FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    pub const SERVER_FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
}

fn verifier() -> Verifier {
    let salt = BASE64.decode(rfc::SALT).unwrap();
    Verifier::of(&Keys::derive(rfc::PASSWORD, &salt, 4096), salt, 4096)
}

fn put(first: &str) -> Challenge {
    let first = client_first(first.as_bytes(), false, false).unwrap();
    Challenge::new(&first, rfc::SERVER_NONCE, &verifier())
}

#[test]
fn the_server_agrees_with_the_rfc() {
    let put = put(rfc::FIRST);
    assert_eq!(put.message, rfc::SERVER_FIRST);
    assert_eq!(put.client_final(rfc::FINAL.as_bytes(), None), Ok(Some(rfc::SERVER_FINAL.to_owned())));
}

#[test]
fn the_server_takes_no_altered_final_message() {
    let put = put(rfc::FIRST);
    let wrong_proof = rfc::FINAL.replace("p=d", "p=e");
    assert_eq!(put.client_final(wrong_proof.as_bytes(), None), Ok(None));
    for (what, message) in [
        ("an earlier nonce", rfc::FINAL.replace("k0,p", "k1,p")),
        ("the client's nonce alone", rfc::FINAL.replace(rfc::SERVER_NONCE, "")),
        ("another header", rfc::FINAL.replace("biws", "eSws")),
        ("a longer proof", rfc::FINAL.replace("dVQ=", "dVQAAA")),
        ("a shorter proof", rfc::FINAL.replace("dVQ=", "")),
        ("no proof", rfc::FINAL.split(",p=").next().unwrap().to_owned()),
        ("something after the proof", format!("{},x=1", rfc::FINAL)),
        ("a mandatory extension first", format!("m=1,{}", rfc::FINAL)),
        ("a NUL", format!("{}\0", rfc::FINAL)),
        ("nothing", String::new()),
    ] {
        assert!(put.client_final(message.as_bytes(), None).is_err(), "{what}");
    }
}

#[test]
fn channel_binding_is_negotiated_as_the_rfc_says() {
    use Rejected::{AuthorizationIdentity, Downgrade};
    let malformed = |outcome: &Result<_, _>| matches!(outcome, Err(Rejected::Malformed(_)));
    // first message, SCRAM-SHA-256-PLUS chosen, offered
    assert_eq!(client_first(b"y,,n=,r=abc", false, true), Err(Downgrade));
    assert!(client_first(b"y,,n=,r=abc", false, false).is_ok());
    assert!(client_first(b"n,,n=,r=abc", false, true).is_ok());
    assert!(client_first(b"p=tls-server-end-point,,n=,r=abc", true, true).is_ok());
    assert_eq!(client_first(b"n,a=root,n=,r=abc", false, true), Err(AuthorizationIdentity));
    for (message, plus) in [
        (&b"n,,n=,r=abc"[..], true),
        (b"y,,n=,r=abc", true),
        (b"p=tls-server-end-point,,n=,r=abc", false),
        (b"p=tls-unique,,n=,r=abc", true),
        (b"p=,,n=,r=abc", true),
        (b"n,,m=x,n=,r=abc", false),
        (b"n,,n=,r=", false),
        (b"n,,n=,r=a\x7fc", false),
        (b"n,,n=,r=\xc3\xa9", false),
        (b"n,,n=,r=abc,", false),
        (b"n,,n=,r=abc,1=x", false),
        (b"n,,r=abc", false),
        (b"n,n=,r=abc", false),
        (b"n,,n=,r=abc\0", false),
        (b"\xff", false),
        (b"", false),
    ] {
        assert!(malformed(&client_first(message, plus, true)), "{}", String::from_utf8_lossy(message));
    }
}

#[test]
fn both_halves_agree_and_the_channel_counts() {
    let keys = Keys::derive("I\u{AD}X", b"salt", 4096);
    let verifier = Verifier::of(&keys, b"salt".to_vec(), 4096);
    // SASLprep maps the soft hyphen to nothing.
    let typed = Keys::derive("IX", b"salt", 4096);
    for (flag, ours, theirs, outcome) in [
        (Flag::Unsupported, None, None, true),
        (Flag::NotOffered, None, None, true),
        (Flag::Used, Some(&b"certificate"[..]), Some(&b"certificate"[..]), true),
        (Flag::Used, Some(b"certificate"), Some(b"man in the middle"), false),
    ] {
        let first = First::new(nonce().unwrap(), flag);
        let used = flag == Flag::Used;
        let read = client_first(first.message.as_bytes(), used, used).unwrap();
        let put = Challenge::new(&read, &nonce().unwrap(), &verifier);
        let server = first.server_first(put.message.as_bytes()).unwrap();
        let (last, expected) = first.client_final(&server, &typed, theirs);
        match put.client_final(last.as_bytes(), ours) {
            Ok(Some(proof)) => {
                assert!(outcome && expected.is(proof.as_bytes()));
                assert!(!expected.is(b"v=") && !expected.is(b"") && !expected.is(b"e=other-error"));
            }
            other => assert!(!outcome && other.is_err()),
        }
    }
}

#[test]
fn the_client_takes_no_suspicious_challenge() {
    let first = First::new("abc".into(), Flag::Unsupported);
    assert!(first.server_first(b"r=abcX,s=c2FsdA==,i=4096").is_ok());
    assert!(first.server_first(b"r=abcX,s=c2FsdA==,i=1,x=later").is_ok());
    for (what, message) in [
        ("our own nonce", "r=abc,s=c2FsdA==,i=4096"),
        ("another nonce", "r=xyzabc,s=c2FsdA==,i=4096"),
        ("no salt", "r=abcX,s=,i=4096"),
        ("a broken salt", "r=abcX,s=c2Fs!,i=4096"),
        ("no iterations", "r=abcX,s=c2FsdA=="),
        ("zero iterations", "r=abcX,s=c2FsdA==,i=0"),
        ("absurd iterations", "r=abcX,s=c2FsdA==,i=4294967295"),
        ("iterations beyond any number", "r=abcX,s=c2FsdA==,i=99999999999999999999"),
        ("a sign", "r=abcX,s=c2FsdA==,i=+4096"),
        ("a mandatory extension", "m=x,r=abcX,s=c2FsdA==,i=4096"),
        ("nothing", ""),
    ] {
        assert!(first.server_first(message.as_bytes()).is_err(), "{what}");
    }
}

#[test]
fn verifiers_are_postgresqls() {
    let text = verifier().to_string();
    assert_eq!(
        text,
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    );
    assert_eq!(text.parse(), Ok(verifier()));
    assert_eq!(format!("{:?}", verifier()), "Verifier(…)");
    for (from, to) in [
        ("SHA-256", "SHA-1"),
        ("4096", "0"),
        ("4096", "-1"),
        ("4096", "99999999"),
        ("W22ZaJ0SNY7soEsUEjb6gQ==", ""),
        ("tl2KeoiWGPlZqQxSrmfPwDl2dU=", ""),
        (":wfPL", "wfPL"),
        ("$WG5d", "WG5d"),
    ] {
        assert_eq!(text.replace(from, to).parse::<Verifier>(), Err(NotAVerifier), "{from} -> {to}");
    }
}

#[test]
fn an_unknown_user_always_has_the_same_salt_and_another_one_than_others() {
    let mock = Mock::new(&[7; 32], 4096);
    assert_eq!(mock.verifier("eve"), mock.verifier("eve"));
    assert_ne!(mock.verifier("eve").salt, mock.verifier("mallory").salt);
    assert_ne!(mock.verifier("eve").salt, Mock::new(&[8; 32], 4096).verifier("eve").salt);
    assert_eq!(mock.verifier("eve").salt.len(), SALT);
}
