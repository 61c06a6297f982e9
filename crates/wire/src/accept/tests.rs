use std::sync::Arc;

use bytes::BytesMut;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::frontend::build as to_server;
use crate::testing::{
    Certificates, accepting, accepting_until, encrypted, error, handshake, rest, session, soon, startup,
};
use crate::tls::Verify;

const SSL: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x2f";
const GSS: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x30";
const ADA: &[(&str, &str)] = &[("user", "ada"), ("database", "shop"), ("application_name", "psql")];

fn remote() -> Peer {
    Peer::Tcp("192.0.2.7:40000".parse().unwrap())
}

/// What a client gets that sends `bytes` in plaintext from this machine.
async fn answer(bytes: &[u8]) -> Vec<u8> {
    let (mut client, accepted) = accepting(Settings::default(), Peer::Memory);
    client.write_all(bytes).await.unwrap();
    let answer = rest(&mut client).await;
    let refused = accepted.await.unwrap().unwrap_err();
    assert!(matches!(refused, WireError::Refused(_)), "{refused:?}");
    answer
}

#[tokio::test]
async fn a_plain_start_up_from_this_machine_is_a_session() {
    let (mut client, accepted) = accepting(Settings::default(), Peer::Memory);
    client.write_all(&[GSS, SSL].concat()).await.unwrap();
    let mut refusals = [0; 2];
    client.read_exact(&mut refusals).await.unwrap();
    assert_eq!(&refusals, b"NN");
    client.write_all(&startup(ADA)).await.unwrap();
    let session = session(accepted.await.unwrap());
    assert_eq!((session.startup.user.as_str(), session.startup.database.as_str()), ("ada", "shop"));
    assert_eq!(session.startup.parameter("application_name"), Some("psql"));
    assert_eq!(session.startup.parameters.len(), 1);
    assert_eq!(session.startup.protocol, Protocol { minor: 0 });
}

#[tokio::test]
async fn the_database_is_the_users_where_none_is_named() {
    let (mut client, accepted) = accepting(Settings::default(), Peer::Memory);
    client.write_all(&startup(&[("user", "ada")])).await.unwrap();
    assert_eq!(session(accepted.await.unwrap()).startup.database, "ada");
}

#[tokio::test]
async fn tls_is_offered_and_known_afterwards() {
    let certificates = Certificates::new();
    let settings = Settings { tls: Some(certificates.server()), plaintext: Plaintext::Never };
    let (client, accepted) = accepting(settings, remote());
    let config = Arc::clone(&certificates.client(Verify::AuthorityAndHost).config);
    let mut client = encrypted(client, config).await;
    client.write_all(&startup(ADA)).await.unwrap();
    client.flush().await.unwrap();
    let session = session(accepted.await.unwrap());
    let facts = session.stream.tls().unwrap();
    assert_eq!(facts.version, "TLSv1.3");
    assert!(facts.cipher.starts_with("TLS13_"), "{}", facts.cipher);
    assert_eq!(facts.peer_common_name(), None);
    assert_eq!(client.tls().unwrap().peer_common_name().as_deref(), Some("db"));
}

#[tokio::test]
async fn plaintext_injected_before_the_handshake_never_reaches_the_session() {
    let certificates = Certificates::new();
    // A whole start-up packet in plaintext behind the SSLRequest (CVE-2021-23214).
    let settings = Settings { tls: Some(certificates.server()), plaintext: Plaintext::Always };
    let (mut client, accepted) = accepting(settings, remote());
    client.write_all(&[SSL, &startup(ADA)].concat()).await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), b'S');
    let config = Arc::clone(&certificates.client(Verify::Nothing).config);
    assert!(handshake(client, config).await.is_err());
    assert!(matches!(accepted.await.unwrap(), Err(WireError::Tls(_))));
}

#[tokio::test]
async fn direct_tls_needs_the_protocols_name() {
    let certificates = Certificates::new();
    for (alpn, allowed) in [(Some("postgresql"), true), (Some("http/1.1"), false), (None, false)] {
        let settings = Settings { tls: Some(certificates.server()), plaintext: Plaintext::Never };
        let (client, accepted) = accepting(settings, remote());
        let mut config = rustls::ClientConfig::clone(&certificates.client(Verify::AuthorityAndHost).config);
        config.alpn_protocols = alpn.map(|name| name.as_bytes().to_vec()).into_iter().collect();
        if let Ok(mut client) = handshake(client, Arc::new(config)).await {
            let _ = client.write_all(&startup(ADA)).await;
            let _ = client.flush().await;
            let accepted = accepted.await.unwrap();
            assert_eq!(accepted.is_ok(), allowed, "{alpn:?}: {accepted:?}");
        } else {
            assert!(!allowed, "{alpn:?}");
            assert!(matches!(accepted.await.unwrap(), Err(WireError::Tls(_))));
        }
    }
}

#[tokio::test]
async fn a_tls_handshake_where_there_is_no_tls_is_not_answered() {
    let (mut client, accepted) = accepting(Settings::default(), Peer::Memory);
    client.write_all(b"\x16\x03\x01\x02\0\x01\0").await.unwrap();
    assert!(rest(&mut client).await.is_empty());
    assert!(matches!(accepted.await.unwrap(), Err(WireError::Tls(_))));
}

#[tokio::test]
async fn plaintext_is_refused_before_any_password() {
    for (peer, plaintext, allowed) in [
        (remote(), Plaintext::Loopback, false),
        (remote(), Plaintext::Never, false),
        (remote(), Plaintext::Always, true),
        (Peer::Tcp("127.0.0.1:1".parse().unwrap()), Plaintext::Loopback, true),
        (Peer::Tcp("[::1]:1".parse().unwrap()), Plaintext::Loopback, true),
        (Peer::Tcp("[::ffff:127.0.0.1]:1".parse().unwrap()), Plaintext::Loopback, true),
        (Peer::Tcp("[::ffff:192.0.2.7]:1".parse().unwrap()), Plaintext::Loopback, false),
        (Peer::Unix, Plaintext::Loopback, true),
        (Peer::Unix, Plaintext::Never, false),
    ] {
        let (mut client, accepted) = accepting(Settings { tls: None, plaintext }, peer);
        client.write_all(&startup(ADA)).await.unwrap();
        if allowed {
            session(accepted.await.unwrap());
        } else {
            let (sqlstate, message) = error(&rest(&mut client).await);
            assert_eq!(sqlstate, "28000", "{peer} {plaintext:?}");
            assert!(message.starts_with("unencrypted connection from"), "{message}");
        }
    }
}

#[tokio::test]
async fn cancel_requests_come_with_and_without_tls() {
    let certificates = Certificates::new();
    let mut request = BytesMut::new();
    to_server::cancel_request(&mut request, 7, &[9; 32]);
    let settings = Settings { tls: Some(certificates.server()), plaintext: Plaintext::Never };
    let (client, accepted) = accepting(settings.clone(), remote());
    let config = Arc::clone(&certificates.client(Verify::Nothing).config);
    let mut client = encrypted(client, config).await;
    client.write_all(&request).await.unwrap();
    client.flush().await.unwrap();
    let Accepted::Cancel { pid, key, .. } = accepted.await.unwrap().unwrap() else { panic!() };
    assert_eq!((pid, key), (7, vec![9; 32]));

    let (mut client, accepted) = accepting(settings, remote());
    client.write_all(&request).await.unwrap();
    assert!(matches!(accepted.await.unwrap(), Ok(Accepted::Cancel { pid: 7, .. })));
}

#[tokio::test]
async fn newer_versions_and_unknown_options_are_negotiated() {
    for (minor, options, agreed) in [
        (0, &[][..], None),
        (2, &[], None),
        (1, &[], Some((0, vec![]))),
        (9, &[], Some((2, vec![]))),
        (0, &["_pq_.x"], Some((0, vec!["_pq_.x"]))),
        (9999, &["_pq_.x", "_pq_.y"], Some((2, vec!["_pq_.x", "_pq_.y"]))),
    ] {
        let (mut client, accepted) = accepting(Settings::default(), Peer::Memory);
        let mut out = BytesMut::new();
        let parameters = options.iter().map(|name| (*name, "1")).chain([("user", "ada")]);
        to_server::startup(&mut out, minor, parameters);
        client.write_all(&out).await.unwrap();
        let session = session(accepted.await.unwrap());
        assert!(session.startup.parameters.is_empty());
        let expected = agreed.as_ref().map_or(minor, |(minor, _)| *minor);
        assert_eq!(session.startup.protocol, Protocol { minor: expected });
        drop(session);
        let answer = rest(&mut client).await;
        match agreed {
            None => assert!(answer.is_empty()),
            Some(agreed) => {
                let frame = frame::next(&answer, 1000).unwrap().unwrap();
                assert_eq!(frame.tag, b'v');
                assert_eq!(crate::backend::negotiate_protocol_version(frame.body(&answer)), Ok(agreed));
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_a_start_up_of_protocol_3_is_refused() {
    assert_eq!(
        answer(b"\0\0\0\x08\0\x02\0\0").await,
        b"EFATAL:  unsupported frontend protocol 2.0: server supports 3.0 to 3.2\n\0"
    );
    for (what, bytes, sqlstate) in [
        ("version 4", b"\0\0\0\x08\0\x04\0\0".to_vec(), "0A000"),
        ("a second SSLRequest", [SSL, SSL].concat(), "0A000"),
        ("a second GSSENCRequest", [GSS, GSS].concat(), "0A000"),
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec(), "08P01"),
        ("a length below eight", b"\0\0\0\x07\0\x03\0".to_vec(), "08P01"),
        ("a length beyond the limit", b"\0\0\x27\x11\0\x03\0\0".to_vec(), "08P01"),
        ("a long SSLRequest", b"\0\0\0\x09\x04\xd2\x16\x2fx".to_vec(), "08P01"),
        ("a cancel key of three bytes", b"\0\0\0\x0f\x04\xd2\x16\x2e\0\0\0\x01abc".to_vec(), "08P01"),
        ("no user", startup(&[("database", "shop")]).to_vec(), "28000"),
        ("an empty user", startup(&[("user", "")]).to_vec(), "28000"),
        ("a parameter twice", startup(&[("user", "ada"), ("user", "root")]).to_vec(), "08P01"),
        ("replication", startup(&[("user", "ada"), ("replication", "database")]).to_vec(), "0A000"),
        ("no terminator", b"\0\0\0\x11\0\x03\0\0user\0ada\0".to_vec(), "08P01"),
        ("bytes after the terminator", b"\0\0\0\x14\0\x03\0\0user\0ada\0\0xx".to_vec(), "08P01"),
        ("a name without a value", b"\0\0\0\x0d\0\x03\0\0user\0".to_vec(), "08P01"),
        ("no parameters at all", b"\0\0\0\x08\0\x03\0\0".to_vec(), "08P01"),
        ("no UTF-8", b"\0\0\0\x12\0\x03\0\0user\0a\xff\0\0\0".to_vec(), "22021"),
    ] {
        let mut answer = answer(&bytes).await;
        while answer.first() == Some(&b'N') {
            answer.remove(0);
        }
        assert_eq!(error(&answer).0, sqlstate, "{what}");
    }
}

#[tokio::test]
async fn replication_that_is_off_is_no_replication() {
    let (mut client, accepted) = accepting(Settings::default(), Peer::Memory);
    client.write_all(&startup(&[("user", "ada"), ("replication", "false")])).await.unwrap();
    assert!(session(accepted.await.unwrap()).startup.parameters.is_empty());
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed_quietly() {
    let (client, accepted) = accepting(Settings::default(), Peer::Memory);
    drop(client);
    assert!(matches!(accepted.await.unwrap(), Err(WireError::Closed)));
}

#[tokio::test]
async fn a_client_that_is_too_slow_is_dropped() {
    for bytes in [&b""[..], b"\0", b"\0\0\0\x20\0\x03\0\0user", SSL] {
        let (mut client, accepted) = accepting_until(Settings::default(), Peer::Memory, soon());
        client.write_all(bytes).await.unwrap();
        assert!(matches!(accepted.await.unwrap(), Err(WireError::Timeout)));
    }
}

proptest! {
    #[test]
    fn any_packet_is_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn a_packet_cut_short_or_run_on_is_refused(user in "[a-z]{1,8}", extra in any::<u8>()) {
        let mut bytes = startup(&[("user", &user), ("options", "-c x=1")]).to_vec().split_off(4);
        prop_assert!(parse(&bytes).is_ok());
        for end in 0..bytes.len() {
            prop_assert!(parse(&bytes[..end]).is_err(), "cut at {}", end);
        }
        bytes.push(extra);
        prop_assert!(parse(&bytes).is_err());
    }
}
