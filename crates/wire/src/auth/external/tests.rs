use std::net::SocketAddr;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

use super::*;
use crate::accept::{Plaintext, Settings, message};
use crate::auth::{Ask, Bearer, Choice, DEFAULT_ITERATIONS, Discovery, Mock, Proof, Wanted, authenticate};
use crate::backend::{Authentication, tag};
use crate::frontend::build as to_server;
use crate::stream::{Peer, Socket};
use crate::testing::{Certificates, accepting, deadline, encrypted, error, rest, session, soon, startup};
use crate::tls::Verify;

/// Knows one user, one password and one token.
struct House;

impl External for House {
    type Verified = &'static str;

    async fn verify(&self, user: &str, credential: Credential<'_>) -> Result<&'static str, Report> {
        match (user, credential) {
            ("ada", Credential::Password("wonderland")) => Ok("by password"),
            ("ada", Credential::Token("good.token")) => Ok("by token"),
            (_, Credential::Token("slow")) => std::future::pending().await,
            _ => Err(Report::fatal("28P01", "not accepted").hint("Try another.")),
        }
    }
}

#[derive(Clone, Copy)]
enum Way {
    Password,
    Token,
}

type Outcome = tokio::task::JoinHandle<Result<Proof<&'static str>, WireError>>;

fn serve(mut client: Client, way: Way, deadline: Instant) -> Outcome {
    tokio::spawn(async move {
        let discovery = Discovery::new("https://login.example", "openid").unwrap();
        let bearer = Bearer { external: &House, discovery: &discovery };
        let ask = match way {
            Way::Password => Ask::Password(&House),
            Way::Token => Ask::Token(bearer),
        };
        let mock = Mock::new(&[3; 32], DEFAULT_ITERATIONS);
        authenticate(&mut client, Wanted { certificate: Some("ada"), ask }, &mock, deadline).await
    })
}

async fn connected(way: Way) -> (DuplexStream, Outcome) {
    connected_as("ada", way, Peer::Memory, deadline()).await
}

async fn connected_as(user: &str, way: Way, peer: Peer, deadline: Instant) -> (DuplexStream, Outcome) {
    let (mut client, accepted) = accepting(Settings { tls: None, plaintext: Plaintext::Always }, peer);
    client.write_all(&startup(&[("user", user)])).await.unwrap();
    (client, serve(session(accepted.await.unwrap()), way, deadline))
}

async fn receive(client: DuplexStream) -> (u8, Vec<u8>, Stream) {
    let mut stream = Stream::Plain(Socket::memory(client));
    let (tag, body) = message(&mut stream, frame::MAX_CREDENTIAL).await.unwrap();
    (tag, body, stream)
}

fn framed(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    crate::cursor::frame(&mut out, tag, |out| out.extend_from_slice(body));
    out.to_vec()
}

fn initial(response: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    to_server::sasl_initial(&mut out, "OAUTHBEARER", response);
    out.to_vec()
}

fn token(token: &str) -> Vec<u8> {
    initial(format!("n,,\u{1}auth=Bearer {token}\u{1}\u{1}").as_bytes())
}

const OK: &[u8] = b"R\0\0\0\x08\0\0\0\0";
const QUESTION: &[u8] = b"R\0\0\0\x08\0\0\0\x03";

#[tokio::test]
async fn a_password_is_verified_elsewhere() {
    for (user, password, accepted) in [
        ("ada", "wonderland", true),
        ("ada", "Wonderland", false),
        ("bob", "wonderland", false),
        ("ada", "good.token", false),
    ] {
        let (mut client, outcome) = connected_as(user, Way::Password, Peer::Memory, deadline()).await;
        let mut question = [0; 9];
        client.read_exact(&mut question).await.unwrap();
        assert_eq!(question, QUESTION);
        client.write_all(&framed(b'p', format!("{password}\0").as_bytes())).await.unwrap();
        if accepted {
            assert_eq!(outcome.await.unwrap().unwrap(), Proof::Password("by password"));
            assert_eq!(rest(&mut client).await, OK);
        } else {
            assert_eq!(error(&rest(&mut client).await), ("28P01".into(), "not accepted".into()));
            assert_eq!(outcome.await.unwrap().unwrap_err().kind(), "authentication");
        }
    }
}

#[tokio::test]
async fn what_is_no_password_is_refused_before_anybody_is_asked() {
    let long = framed(b'p', &[&[b'x'; 65_530][..], b"\0"].concat());
    let too_long = framed(b'p', &[&[b'x'; 65_536][..], b"\0"].concat());
    for (what, bytes, sqlstate, said) in [
        ("an empty one", framed(b'p', b"\0"), "28P01", "empty password returned by client"),
        ("none at all", framed(b'p', b""), "08P01", "invalid string in message"),
        ("no terminator", framed(b'p', b"wonderland"), "08P01", "invalid string in message"),
        ("two in one", framed(b'p', b"wonderland\0x\0"), "08P01", "invalid message format"),
        ("not UTF-8", framed(b'p', b"wonder\xff\0"), "22021", "invalid byte sequence"),
        ("as long as it may be", long, "28P01", "not accepted"),
        ("longer", too_long, "54000", "too long"),
        ("a query", framed(b'Q', b"SELECT 1\0"), "08P01", "message type 81"),
        ("an impossible length", vec![b'p', 0, 0, 0, 3], "08P01", "invalid length"),
    ] {
        let (mut client, outcome) = connected(Way::Password).await;
        client.read_exact(&mut [0; 9]).await.unwrap();
        let _ = client.write_all(&bytes).await;
        let (found, message) = error(&rest(&mut client).await);
        assert!(found == sqlstate && message.contains(said), "{what}: {found} {message}");
        assert!(outcome.await.unwrap().is_err());
    }
}

#[tokio::test]
async fn a_message_that_ends_early_lets_nobody_in() {
    let whole = framed(b'p', b"wonderland\0");
    for (way, whole) in [(Way::Password, whole), (Way::Token, token("good.token"))] {
        for end in 0..whole.len() {
            let (mut client, outcome) = connected(way).await;
            client.write_all(&whole[..end]).await.unwrap();
            client.shutdown().await.unwrap();
            assert!(matches!(outcome.await.unwrap(), Err(WireError::Io(_))), "{end}");
        }
    }
}

/// What somebody puts behind the answer of a client is not part of the sign-in, and is not lost.
#[tokio::test]
async fn nothing_behind_the_password_is_read() {
    let (client, accepted) = accepting(Settings::default(), Peer::Memory);
    let mut client = client;
    client.write_all(&startup(&[("user", "ada")])).await.unwrap();
    let mut session = session(accepted.await.unwrap());
    client.write_all(&[framed(b'p', b"wonderland\0"), framed(b'Q', b"SELECT 1\0")].concat()).await.unwrap();
    assert_eq!(password(&mut session, &House).await.unwrap(), "by password");
    let next = message(&mut session.stream, frame::MAX_CREDENTIAL).await.unwrap();
    assert_eq!(next, (b'Q', b"SELECT 1\0".to_vec()));
}

#[tokio::test]
async fn neither_is_asked_for_where_others_can_read_it() {
    let far = Peer::Tcp(SocketAddr::from(([203, 0, 113, 7], 4711)));
    let near = Peer::Tcp(SocketAddr::from(([127, 0, 0, 1], 4711)));
    for way in [Way::Password, Way::Token] {
        let (mut client, outcome) = connected_as("ada", way, far, deadline()).await;
        let said = error(&rest(&mut client).await);
        assert_eq!(said.0, "28000", "{said:?}");
        assert!(said.1.contains("encrypted connection"), "{said:?}");
        assert!(outcome.await.unwrap().is_err());
        for peer in [near, Peer::Unix] {
            let (client, _) = connected_as("ada", way, peer, deadline()).await;
            assert_eq!(receive(client).await.0, tag::AUTHENTICATION);
        }
    }
}

#[tokio::test]
async fn over_tls_both_are_taken_from_afar() {
    let certificates = Certificates::new();
    for (way, answer) in [(Way::Password, framed(b'p', b"wonderland\0")), (Way::Token, token("good.token"))] {
        let far = Peer::Tcp(SocketAddr::from(([203, 0, 113, 7], 4711)));
        let settings = Settings { tls: Some(certificates.server()), plaintext: Plaintext::Never };
        let (client, accepted) = accepting(settings, far);
        let config = certificates.client(Verify::AuthorityAndHost).config;
        let mut client = encrypted(client, config).await;
        send(&mut client, &startup(&[("user", "ada")])).await.unwrap();
        let outcome = serve(session(accepted.await.unwrap()), way, deadline());
        message(&mut client, frame::MAX_CREDENTIAL).await.unwrap();
        send(&mut client, &answer).await.unwrap();
        assert!(outcome.await.unwrap().is_ok());
    }
}

/// Somebody in the middle who has a certificate of their own: the client that checks it breaks off
/// before it has said anything.
#[tokio::test]
async fn a_man_in_the_middle_is_not_told_the_password() {
    let (ours, theirs) = (Certificates::new(), Certificates::new());
    let (mut client, accepted) =
        accepting(Settings { tls: Some(theirs.server()), plaintext: Plaintext::Never }, Peer::Memory);
    let mut out = BytesMut::new();
    to_server::ssl_request(&mut out);
    client.write_all(&out).await.unwrap();
    client.read_u8().await.unwrap();
    let config = ours.client(Verify::AuthorityAndHost).config;
    assert!(crate::testing::handshake(client, config).await.is_err());
    assert!(matches!(accepted.await.unwrap(), Err(WireError::Tls(_))));
}

async fn mechanisms(client: DuplexStream) -> Vec<String> {
    let (_, body, _) = receive(client).await;
    let Ok(Authentication::Sasl(names)) = Authentication::parse(&body) else { panic!("{body:?}") };
    Authentication::mechanisms(names).map(str::to_owned).collect()
}

#[tokio::test]
async fn no_other_mechanism_is_offered_beside_tokens() {
    let (client, _) = connected(Way::Token).await;
    assert_eq!(mechanisms(client).await, ["OAUTHBEARER"]);
}

#[tokio::test]
async fn a_token_is_verified_elsewhere() {
    let (client, outcome) = connected(Way::Token).await;
    let (_, _, mut client) = receive(client).await;
    send(&mut client, &token("good.token")).await.unwrap();
    assert_eq!(outcome.await.unwrap().unwrap(), Proof::Token("by token"));
    // No SASLFinal: the mechanism has nothing to say at its end.
    assert_eq!(rest(&mut client).await, OK);
}

#[tokio::test]
async fn a_client_that_waits_to_be_asked_is_asked() {
    let (client, outcome) = connected(Way::Token).await;
    let (_, _, mut client) = receive(client).await;
    send(&mut client, &framed(b'p', b"OAUTHBEARER\0\xff\xff\xff\xff")).await.unwrap();
    let (_, body) = message(&mut client, frame::MAX_CREDENTIAL).await.unwrap();
    assert!(matches!(Authentication::parse(&body), Ok(Authentication::SaslContinue(b""))));
    let first = b"n,,\x01auth=Bearer good.token\x01\x01";
    send(&mut client, &framed(b'p', first)).await.unwrap();
    assert_eq!(outcome.await.unwrap().unwrap(), Proof::Token("by token"));
}

/// What a client reads in place of AuthenticationOk, and how it answers.
async fn refused(first: Vec<u8>, answer: &[u8]) -> (Vec<u8>, (String, String), WireError) {
    let (client, outcome) = connected(Way::Token).await;
    let (_, _, mut client) = receive(client).await;
    send(&mut client, &first).await.unwrap();
    let (_, body) = message(&mut client, frame::MAX_CREDENTIAL).await.unwrap();
    let Ok(Authentication::SaslContinue(challenge)) = Authentication::parse(&body) else { panic!() };
    send(&mut client, &framed(b'p', answer)).await.unwrap();
    let said = error(&rest(&mut client).await);
    (challenge.to_vec(), said, outcome.await.unwrap().unwrap_err())
}

#[tokio::test]
async fn a_refused_token_is_answered_twice() {
    for shown in [token("other"), initial(b"n,,\x01auth=Basic YTpi\x01\x01")] {
        let (challenge, said, error) = refused(shown, b"\x01").await;
        assert!(challenge.starts_with(b"{ \"status\": \"invalid_token\""));
        assert!(said.0.starts_with("28"), "{said:?}");
        assert_eq!(error.kind(), "authentication");
    }
    for answer in [&b""[..], b"\x01\x01", b"\x00", b"n,,\x01auth=Bearer good.token\x01\x01"] {
        let (_, said, _) = refused(token("other"), answer).await;
        assert_eq!(said.0, "08P01", "{answer:?}");
    }
}

#[tokio::test]
async fn asking_where_tokens_are_to_be_had_is_no_failed_sign_in() {
    let (challenge, said, error) = refused(initial(b"n,,\x01auth=\x01\x01"), b"\x01").await;
    let challenge = String::from_utf8(challenge).unwrap();
    assert!(challenge.contains("\"https://login.example/.well-known/openid-configuration\""), "{challenge}");
    assert_eq!(said.0, "28000");
    assert!(matches!(error, WireError::Closed));
}

#[tokio::test]
async fn a_mechanism_that_was_not_offered_cannot_be_chosen() {
    let mut scram = BytesMut::new();
    to_server::sasl_initial(&mut scram, "SCRAM-SHA-256", b"n,,n=,r=abc");
    for chosen in [
        scram.to_vec(),
        framed(b'p', b"SCRAM-SHA-256-PLUS\0\xff\xff\xff\xff"),
        framed(b'p', b"OAUTHBEARER-PLUS\0\xff\xff\xff\xff"),
    ] {
        let (client, _) = connected(Way::Token).await;
        let (_, _, mut client) = receive(client).await;
        send(&mut client, &chosen).await.unwrap();
        let said = error(&rest(&mut client).await);
        assert_eq!(said, ("08P01".into(), "client selected an invalid SASL authentication mechanism".into()));
    }
}

#[tokio::test]
async fn a_slow_provider_does_not_keep_a_client_for_ever() {
    let (client, outcome) = connected_as("ada", Way::Token, Peer::Memory, soon()).await;
    let (_, _, mut client) = receive(client).await;
    send(&mut client, &token("slow")).await.unwrap();
    assert_eq!(error(&rest(&mut client).await).0, "57014");
    assert!(matches!(outcome.await.unwrap(), Err(WireError::Timeout)));
}

#[test]
fn choices_are_spelled_in_one_way() {
    assert_eq!("oauth".parse(), Ok(Choice::Oauth));
    assert_eq!("password".parse(), Ok(Choice::Password));
    assert_eq!("scram".parse(), Ok(Choice::Scram));
    for other in ["", "OAuth", "scram ", "trust", "none"] {
        assert!(other.parse::<Choice>().is_err(), "{other}");
    }
}
