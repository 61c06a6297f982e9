use std::convert::Infallible;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::accept::{Plaintext, Settings};
use crate::backend::{Authentication, tag};
use crate::certificate;
use crate::frontend::build as to_server;
use crate::scram::Flag;
use crate::scram::client::First;
use crate::stream::{Peer, Stream};
use crate::testing::{Certificates, accepting, deadline, encrypted, error, rest, session, soon, startup};
use crate::tls::Verify;

fn verifier(password: &str) -> Verifier {
    make_verifier(password, DEFAULT_ITERATIONS).unwrap().parse().unwrap()
}

fn mock() -> Mock {
    Mock::new(&[3; 32], DEFAULT_ITERATIONS)
}

type Outcome = tokio::task::JoinHandle<Result<Method, WireError>>;

/// A client that has sent its start-up packet, and the server that asks it for its password.
async fn connected(
    certificates: Option<(&Certificates, bool)>,
    verifier: Option<Verifier>,
) -> (Stream, Outcome) {
    connected_until(certificates, verifier, deadline()).await
}

async fn connected_until(
    certificates: Option<(&Certificates, bool)>,
    verifier: Option<Verifier>,
    deadline: Instant,
) -> (Stream, Outcome) {
    let tls = certificates.map(|(certificates, _)| certificates.server());
    let (client, accepted) = accepting(Settings { tls, plaintext: Plaintext::Always }, Peer::Memory);
    let mut client = match certificates {
        None => Stream::Plain(crate::stream::Socket::memory(client)),
        Some((certificates, presents)) => {
            let config = if presents {
                Arc::new(certificates.client_with_certificate())
            } else {
                Arc::clone(&certificates.client(Verify::AuthorityAndHost).config)
            };
            encrypted(client, config).await
        }
    };
    send(&mut client, &startup(&[("user", "ada")])).await.unwrap();
    let mut session = session(accepted.await.unwrap());
    let outcome = tokio::spawn(async move {
        let wanted: Wanted<'_, Infallible> =
            Wanted { certificate: Some("ada"), ask: Ask::Scram(verifier.as_ref()) };
        match authenticate(&mut session, wanted, &mock(), deadline).await? {
            Proof::Here(method) => Ok(method),
            Proof::Password(never) | Proof::Token(never) => match never {},
        }
    });
    (client, outcome)
}

async fn receive(client: &mut Stream) -> (u8, Vec<u8>) {
    message(client, frame::MAX_BEFORE_AUTHENTICATION).await.unwrap()
}

/// Answers the whole exchange; what the server says last.
async fn exchange_as(
    client: &mut Stream,
    password: &str,
    mechanism: &str,
    flag: Flag,
    bind: Option<&[u8]>,
) -> Vec<u8> {
    let (tag, body) = receive(client).await;
    assert_eq!(tag, tag::AUTHENTICATION);
    assert!(matches!(Authentication::parse(&body), Ok(Authentication::Sasl(_))));
    let first = First::new(scram::nonce().unwrap(), flag);
    let mut out = BytesMut::new();
    to_server::sasl_initial(&mut out, mechanism, first.message.as_bytes());
    send(client, &out).await.unwrap();
    let (tag, body) = receive(client).await;
    if tag == tag::ERROR_RESPONSE {
        return framed(tag, &body);
    }
    let Ok(Authentication::SaslContinue(challenge)) = Authentication::parse(&body) else { panic!() };
    let server = first.server_first(challenge).unwrap();
    let keys = Keys::derive(password, &server.salt, server.iterations);
    let (last, expected) = first.client_final(&server, &keys, bind);
    out.clear();
    to_server::sasl_response(&mut out, last.as_bytes());
    send(client, &out).await.unwrap();
    let (tag, body) = receive(client).await;
    if let Ok(Authentication::SaslFinal(proof)) = Authentication::parse(&body)
        && tag == tag::AUTHENTICATION
    {
        assert!(expected.is(proof));
        let (tag, body) = receive(client).await;
        return framed(tag, &body);
    }
    framed(tag, &body)
}

fn framed(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    crate::cursor::frame(&mut out, tag, |out| out.extend_from_slice(body));
    out.to_vec()
}

const OK: &[u8] = b"R\0\0\0\x08\0\0\0\0";

#[tokio::test]
async fn the_right_password_is_let_in_and_a_wrong_one_is_not() {
    for (typed, right) in [("wonderland", true), ("Wonderland", false), ("", false)] {
        let (mut client, outcome) = connected(None, Some(verifier("wonderland"))).await;
        let said = exchange_as(&mut client, typed, scram::MECHANISM, Flag::Unsupported, None).await;
        if right {
            assert_eq!(said, OK);
            assert_eq!(outcome.await.unwrap().unwrap(), Method::Scram);
        } else {
            let expected = ("28P01".to_owned(), "password authentication failed for user \"ada\"".to_owned());
            assert_eq!(error(&said), expected);
            let refused = outcome.await.unwrap().unwrap_err();
            assert_eq!(refused.kind(), "authentication");
        }
    }
}

/// Type bytes and lengths of all that the server says.
async fn shape(verifier: Option<Verifier>) -> Vec<(u8, usize)> {
    let (mut client, outcome) = connected(None, verifier).await;
    let mut shape = Vec::new();
    let (tag, body) = receive(&mut client).await;
    shape.push((tag, body.len()));
    let first = First::new("a".repeat(24), Flag::Unsupported);
    let mut out = BytesMut::new();
    to_server::sasl_initial(&mut out, scram::MECHANISM, first.message.as_bytes());
    send(&mut client, &out).await.unwrap();
    let (tag, body) = receive(&mut client).await;
    shape.push((tag, body.len()));
    let Ok(Authentication::SaslContinue(challenge)) = Authentication::parse(&body) else { panic!() };
    let server = first.server_first(challenge).unwrap();
    let (last, _) = first.client_final(&server, &Keys::derive("guess", &server.salt, 4096), None);
    out.clear();
    to_server::sasl_response(&mut out, last.as_bytes());
    send(&mut client, &out).await.unwrap();
    let said = rest(&mut client).await;
    shape.push((said[0], said.len()));
    assert!(outcome.await.unwrap().is_err());
    shape
}

#[tokio::test]
async fn an_unknown_user_sees_what_a_wrong_password_sees() {
    assert_eq!(shape(None).await, shape(Some(verifier("wonderland"))).await);
}

#[tokio::test]
async fn nobody_gets_in_with_what_an_unknown_user_is_derived_from() {
    // Even somebody who could compute the proof for the mock verifier.
    let (mut client, outcome) = connected(None, None).await;
    let said = exchange_as(&mut client, "", scram::MECHANISM, Flag::Unsupported, None).await;
    assert_eq!(error(&said).0, "28P01");
    assert!(outcome.await.unwrap().is_err());
}

#[tokio::test]
async fn plus_is_bound_to_our_certificate() {
    let certificates = Certificates::new();
    for (right, flag, mechanism) in [
        (true, Flag::Used, scram::MECHANISM_PLUS),
        (false, Flag::Used, scram::MECHANISM_PLUS),
        (true, Flag::Unsupported, scram::MECHANISM),
    ] {
        let (mut client, outcome) = connected(Some((&certificates, false)), Some(verifier("pw"))).await;
        let seen = client.tls().unwrap().peer_certificate.unwrap();
        let end_point = certificate::end_point(&seen).unwrap();
        let bind = if right { &*end_point } else { b"of a man in the middle" };
        let said = exchange_as(&mut client, "pw", mechanism, flag, Some(bind)).await;
        if right {
            assert_eq!(said, OK);
            let method = if flag == Flag::Used { Method::ScramPlus } else { Method::Scram };
            assert_eq!(outcome.await.unwrap().unwrap(), method);
        } else {
            assert_eq!(error(&said).0, "08P01");
            assert!(outcome.await.unwrap().is_err());
        }
    }
}

#[tokio::test]
async fn a_downgrade_of_channel_binding_is_noticed() {
    let certificates = Certificates::new();
    // Somebody removed SCRAM-SHA-256-PLUS from what the server offers.
    let (mut client, _) = connected(Some((&certificates, false)), Some(verifier("pw"))).await;
    let said = exchange_as(&mut client, "pw", scram::MECHANISM, Flag::NotOffered, None).await;
    assert_eq!(error(&said), ("28000".into(), "SCRAM channel binding negotiation error".into()));
}

#[tokio::test]
async fn plus_cannot_be_chosen_without_tls() {
    let (mut client, _) = connected(None, Some(verifier("pw"))).await;
    let said = exchange_as(&mut client, "pw", scram::MECHANISM_PLUS, Flag::Used, Some(b"x")).await;
    assert_eq!(error(&said).0, "08P01");
}

#[tokio::test]
async fn a_replayed_final_message_does_not_fit_another_challenge() {
    let verifier = verifier("pw");
    let nonce = "always the same".replace(' ', "");
    let mut recorded = None;
    for attempt in 0..2 {
        let (mut client, outcome) = connected(None, Some(verifier.clone())).await;
        receive(&mut client).await;
        let first = First::new(nonce.clone(), Flag::Unsupported);
        let mut out = BytesMut::new();
        to_server::sasl_initial(&mut out, scram::MECHANISM, first.message.as_bytes());
        send(&mut client, &out).await.unwrap();
        let (_, body) = receive(&mut client).await;
        let Ok(Authentication::SaslContinue(challenge)) = Authentication::parse(&body) else { panic!() };
        let server = first.server_first(challenge).unwrap();
        let (last, _) = first.client_final(&server, &Keys::derive("pw", &server.salt, 4096), None);
        let last = recorded.get_or_insert(last);
        out.clear();
        to_server::sasl_response(&mut out, last.as_bytes());
        send(&mut client, &out).await.unwrap();
        assert_eq!(outcome.await.unwrap().is_ok(), attempt == 0);
    }
}

#[tokio::test]
async fn a_client_certificate_signs_in_its_user_alone() {
    let certificates = Certificates::new();
    let (mut client, outcome) = connected(Some((&certificates, true)), None).await;
    let mut said = [0; 9];
    client.read_exact(&mut said).await.unwrap();
    assert_eq!(said, OK);
    assert_eq!(outcome.await.unwrap().unwrap(), Method::Certificate);

    let (mut client, _) = connected(Some((&certificates, false)), None).await;
    let (_, body) = receive(&mut client).await;
    assert!(
        matches!(Authentication::parse(&body), Ok(Authentication::Sasl(_))),
        "no certificate, so a password"
    );
}

#[tokio::test]
async fn garbage_in_place_of_an_answer_is_refused() {
    let too_long = framed(b'p', &[b'x'; 20_000]);
    for (what, bytes, sqlstate) in [
        ("a query", framed(b'Q', b"SELECT 1\0"), "08P01"),
        ("a password in cleartext", framed(b'p', b"wonderland\0"), "08P01"),
        ("an unknown mechanism", framed(b'p', b"PLAIN\0\xff\xff\xff\xff"), "08P01"),
        ("an impossible length", vec![b'p', 0, 0, 0, 1], "08P01"),
        ("a long message", too_long, "54000"),
    ] {
        let (mut client, outcome) = connected(None, Some(verifier("pw"))).await;
        receive(&mut client).await;
        let _ = client.write_all(&bytes).await;
        assert_eq!(error(&rest(&mut client).await).0, sqlstate, "{what}");
        assert!(outcome.await.unwrap().is_err());
    }
}

#[tokio::test]
async fn a_client_that_does_not_answer_is_told_so() {
    let (mut client, outcome) = connected_until(None, Some(verifier("pw")), soon()).await;
    receive(&mut client).await;
    assert_eq!(error(&rest(&mut client).await).0, "57014");
    assert!(matches!(outcome.await.unwrap(), Err(WireError::Timeout)));
}

#[test]
fn verifiers_are_made_of_any_password_but_none() {
    assert_eq!(make_verifier("", 4096), Err(VerifierError::Empty));
    assert_eq!(make_verifier("pw", 1), Err(VerifierError::Iterations));
    assert_eq!(make_verifier("pw", u32::MAX), Err(VerifierError::Iterations));
    assert_ne!(make_verifier("pw", 4096), make_verifier("pw", 4096), "the salt is random");
    // SASLprep refuses a control character, and then the password counts as it is.
    assert!(make_verifier("tab\there", 4096).is_ok());
}

#[test]
fn a_password_told_in_the_clear_is_compared_with_the_verifier() {
    let of_ada: Verifier = make_verifier("wonderland", DEFAULT_ITERATIONS).unwrap().parse().unwrap();
    assert!(is_password("wonderland", "ada", Some(&of_ada), &mock()));
    for wrong in ["Wonderland", "wonderland ", ""] {
        assert!(!is_password(wrong, "ada", Some(&of_ada), &mock()), "{wrong:?}");
    }
    assert!(!is_password("wonderland", "eve", None, &mock()));
}
