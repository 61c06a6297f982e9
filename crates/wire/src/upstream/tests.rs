//! Servers that misbehave; how real ones are talked to is in `tests/live.rs`.

use bytes::BufMut;
use tokio::io::AsyncWrite;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::backend::build as to_client;
use crate::error::{ClientError, Report};
use crate::scram::server::{Challenge, client_first};
use crate::scram::{self, Keys, Verifier};
use crate::stream::Peer;
use crate::testing::Certificates;

const LOGIN: Login<'static> =
    Login { user: "shop_app", password: Some("pw"), database: "shop", parameters: &[], minor: 0 };

/// A server that does what `serve` does to its first connection.
async fn server<F, R>(serve: F) -> (Server, JoinHandle<R::Output>)
where
    F: FnOnce(TcpStream) -> R + Send + 'static,
    R: Future<Output: Send + 'static> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move { serve(listener.accept().await.unwrap().0).await });
    let address = Address::Tcp { host: "localhost".into(), port };
    (Server::new(address, None, Duration::from_secs(10)), served)
}

/// The parameters of the start-up packet.
async fn greeting(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let length = stream.read_u32().await.unwrap() as usize;
    let mut body = vec![0; length - 4];
    stream.read_exact(&mut body).await.unwrap();
    String::from_utf8(body.split_off(4)).unwrap()
}

async fn response(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Vec<u8> {
    assert_eq!(stream.read_u8().await.unwrap(), b'p');
    let length = stream.read_u32().await.unwrap() as usize;
    let mut body = vec![0; length - 4];
    stream.read_exact(&mut body).await.unwrap();
    body
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), write: impl FnOnce(&mut BytesMut)) {
    let mut out = BytesMut::new();
    write(&mut out);
    let _ = stream.write_all(&out).await;
    let _ = stream.flush().await;
}

/// What comes of a server that answers the start-up packet with these bytes and then waits.
async fn answered(bytes: impl Into<Vec<u8>>, login: Login<'static>) -> Result<Upstream, ConnectError> {
    let bytes = bytes.into();
    let (server, _served) = server(|mut stream| async move {
        greeting(&mut stream).await;
        let _ = stream.write_all(&bytes).await;
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    })
    .await;
    connect(&server, &login).await
}

fn message(write: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
    let mut out = BytesMut::new();
    write(&mut out);
    out.to_vec()
}

#[tokio::test]
async fn what_the_server_says_until_it_is_ready_is_kept() {
    let said = message(|out| {
        to_client::authentication_ok(out);
        to_client::parameter_status(out, "server_version", "15.0");
        Diagnostic::new(backend::Severity::Notice, "00000", "welcome").write_notice(out);
        to_client::parameter_status(out, "server_version", "16.0");
        to_client::backend_key_data(out, 9, &[1, 2, 3, 4]);
        to_client::ready_for_query(out, TransactionStatus::Idle);
        to_client::parameter_status(out, "later", "1");
    });
    let upstream = answered(said, LOGIN).await.unwrap();
    assert_eq!(upstream.parameters, [("server_version".to_owned(), "16.0".to_owned())]);
    assert_eq!(
        (upstream.cancel.as_ref().map(CancelTarget::pid), upstream.status),
        (Some(9), TransactionStatus::Idle)
    );
    assert_eq!(upstream.notices.len(), 1);
    assert_eq!(&upstream.input[..], message(|out| to_client::parameter_status(out, "later", "1")));
    assert!(!format!("{upstream:?}").contains("[1, 2, 3, 4]"), "the key is secret");
}

#[tokio::test]
async fn parameters_cannot_change_who_signs_in() {
    let (server, served) = server(|mut stream| async move { greeting(&mut stream).await }).await;
    let parameters =
        [("user", "root"), ("replication", "1"), ("_pq_.x", "1"), ("application_name", "psql\0user\0root")];
    let _ = connect(&server, &Login { parameters: &parameters, ..LOGIN }).await;
    assert_eq!(served.await.unwrap(), "user\0shop_app\0database\0shop\0application_name\0psql\0\0");
}

#[tokio::test]
async fn the_servers_own_error_is_kept_but_for_its_refusal_of_our_login() {
    for (sqlstate, shown) in [("3D000", "3D000"), ("57P03", "57P03"), ("28P01", "08004"), ("28000", "08004")]
    {
        let said =
            message(|out| Report::fatal(sqlstate, "about shop_app").detail("D.").hint("H.").write(out));
        let error = answered(said, LOGIN).await.unwrap_err();
        let ConnectError::Server(diagnostic) = &error else { panic!("{error:?}") };
        assert_eq!((diagnostic.sqlstate(), diagnostic.detail()), (sqlstate, Some("D.")));
        let report = error.report();
        assert_eq!(report.sqlstate, shown);
        assert_eq!(report.message.contains("shop_app"), shown != "08004", "who we are is nobody's business");
    }
}

#[tokio::test]
async fn what_is_not_a_start_up_is_an_error() {
    let ok = message(to_client::authentication_ok);
    let many = message(|out| {
        (0..300).for_each(|index| to_client::parameter_status(out, &format!("p{index}"), ""));
    });
    for (what, bytes) in [
        ("a row before it is ready", [&ok[..], b"D\0\0\0\x06\0\0"].concat()),
        ("a row before sign-in", b"D\0\0\0\x06\0\0".to_vec()),
        ("ready before sign-in", b"Z\0\0\0\x05I".to_vec()),
        ("a short length", [&ok[..], b"S\0\0\0\x03"].concat()),
        ("a huge message", [&ok[..], b"S\x3f\0\0\0"].concat()),
        ("a parameter without a value", [&ok[..], b"S\0\0\0\x06a\0"].concat()),
        ("too many parameters", [&ok[..], &many].concat()),
        ("HTTP", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
    ] {
        let error = answered(bytes, LOGIN).await.unwrap_err();
        assert!(matches!(error, ConnectError::Protocol(_)), "{what}: {error:?}");
        assert_eq!(error.report().sqlstate, "08001");
    }
}

#[tokio::test]
async fn unfit_authentication_is_refused() {
    let sasl = |mechanism: &str| message(|out| to_client::authentication_sasl(out, &[mechanism]));
    let no_password = Login { password: None, ..LOGIN };
    for (what, bytes, login) in [
        ("GSSAPI", b"R\0\0\0\x08\0\0\0\x07".to_vec(), LOGIN),
        ("an unknown mechanism", sasl("SCRAM-SHA-1"), LOGIN),
        ("-PLUS without TLS", sasl("SCRAM-SHA-256-PLUS"), LOGIN),
        ("a challenge out of turn", b"R\0\0\0\x09\0\0\0\x0br".to_vec(), LOGIN),
        ("cleartext without a password", b"R\0\0\0\x08\0\0\0\x03".to_vec(), no_password),
        ("MD5 without a password", b"R\0\0\0\x0c\0\0\0\x05abcd".to_vec(), no_password),
    ] {
        let error = answered(bytes, login).await.unwrap_err();
        assert!(matches!(error, ConnectError::SignIn(_)), "{what}: {error:?}");
    }
}

#[tokio::test]
async fn md5_is_postgresqls() {
    let (server, served) = server(|mut stream| async move {
        greeting(&mut stream).await;
        stream.write_all(b"R\0\0\0\x0c\0\0\0\x05\x01\x02\x03\x04").await.unwrap();
        response(&mut stream).await
    })
    .await;
    let _ = connect(&server, &LOGIN).await;
    // md5(md5('pw' || 'shop_app') || E'\\x01020304')
    assert_eq!(served.await.unwrap(), b"md55509b246f59c2882732068fc4b58e071\0");
}

/// A SCRAM server that goes wrong somewhere.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wrong {
    Nothing,
    /// It does not know the password, and lets us in all the same.
    NoProof,
    SkipsProof,
    OwnNonce,
    Iterations,
}

async fn scram_server(mut stream: TcpStream, wrong: Wrong) {
    greeting(&mut stream).await;
    say(&mut stream, |out| to_client::authentication_sasl(out, &[scram::MECHANISM])).await;
    let initial = response(&mut stream).await;
    let initial = crate::frontend::sasl_initial(&initial).unwrap();
    let verifier = Verifier::of(&Keys::derive("pw", b"salt", 4096), b"salt".to_vec(), 4096);
    let first = client_first(initial.response.unwrap(), false, false).unwrap();
    let put = Challenge::new(&first, "server", &verifier);
    let challenge = match wrong {
        Wrong::OwnNonce => "r=server,s=c2FsdA==,i=4096".to_owned(),
        Wrong::Iterations => put.message.replace("i=4096", "i=2000000000"),
        _ => put.message.clone(),
    };
    say(&mut stream, |out| to_client::authentication_sasl_continue(out, challenge.as_bytes())).await;
    if matches!(wrong, Wrong::OwnNonce | Wrong::Iterations) {
        let _ = stream.read_u8().await;
        return;
    }
    let last = response(&mut stream).await;
    let proof = put.client_final(&last, None).unwrap().unwrap();
    say(&mut stream, |out| {
        match wrong {
            Wrong::SkipsProof => {}
            Wrong::NoProof => to_client::authentication_sasl_final(out, b"v=AAAA"),
            _ => to_client::authentication_sasl_final(out, proof.as_bytes()),
        }
        to_client::authentication_ok(out);
        to_client::ready_for_query(out, TransactionStatus::Idle);
    })
    .await;
    let _ = stream.read_u8().await;
}

#[tokio::test]
async fn a_server_must_prove_that_it_knows_the_password() {
    for wrong in [Wrong::Nothing, Wrong::NoProof, Wrong::SkipsProof, Wrong::OwnNonce, Wrong::Iterations] {
        let (server, _served) = server(move |stream| scram_server(stream, wrong)).await;
        match connect(&server, &LOGIN).await {
            Ok(upstream) => assert!(wrong == Wrong::Nothing && upstream.cancel.is_none()),
            Err(error) => assert!(
                wrong != Wrong::Nothing && matches!(error, ConnectError::SignIn(_)),
                "{wrong:?}: {error:?}"
            ),
        }
    }
}

/// A TLS server that then asks for a password in cleartext; what it gets.
async fn cleartext_over(verify: Verify, local: bool) -> (Option<Vec<u8>>, Result<Upstream, ConnectError>) {
    let certificates = Certificates::new();
    let tls = certificates.server();
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let peer = if local { Peer::Memory } else { Peer::Tcp("192.0.2.7:5432".parse().unwrap()) };
    let served = tokio::spawn(async move {
        let mut theirs = theirs;
        let mut request = [0; 8];
        theirs.read_exact(&mut request).await.unwrap();
        theirs.write_all(b"S").await.unwrap();
        let mut stream = tokio_rustls::TlsAcceptor::from(tls.config).accept(theirs).await.ok()?;
        say(&mut stream, |out| {
            out.put_slice(b"R\0\0\0\x08\0\0\0\x03");
        })
        .await;
        stream.read_u8().await.ok()?;
        let length = stream.read_u32().await.ok()? as usize;
        let mut body = vec![0; length.checked_sub(4)?];
        stream.read_exact(&mut body).await.ok()?;
        Some(body)
    });
    let client = certificates.client(verify);
    let address = Address::Tcp { host: "localhost".into(), port: 1 };
    let server = Server::new(address, Some(client.clone()), Duration::from_secs(10));
    let stream = encrypt(Socket::memory(ours).seen_from(peer), "localhost", &client).await.unwrap();
    let mut connection = Connection { stream, input: BytesMut::new() };
    let mut sign_in = SignIn::new(&LOGIN, &server, &connection.stream);
    let (tag, body) = connection.receive().await.unwrap();
    let outcome = sign_in.answer(tag, &body).await;
    let outcome = match outcome {
        Ok(answer) => {
            connection.send(&answer.unwrap()).await.unwrap();
            Err(ConnectError::Timeout)
        }
        Err(error) => Err(error),
    };
    drop(connection);
    (served.await.unwrap(), outcome)
}

#[tokio::test]
async fn a_password_in_cleartext_goes_to_a_verified_server_or_stays_on_this_machine() {
    for (verify, local, given) in [
        (Verify::Nothing, false, false),
        (Verify::Authority, false, false),
        (Verify::AuthorityAndHost, false, true),
        (Verify::Nothing, true, true),
    ] {
        let (got, outcome) = cleartext_over(verify, local).await;
        assert_eq!(got.as_deref(), given.then_some(&b"pw\0"[..]), "{verify:?} {local}");
        assert_eq!(matches!(outcome, Err(ConnectError::SignIn(_))), !given);
    }
}

async fn tls_server(certificates: &Certificates, answer: &'static [u8]) -> Server {
    let tls = certificates.server();
    let client = certificates.client(Verify::AuthorityAndHost);
    let (server, _served) = server(move |mut stream| async move {
        let mut request = [0; 8];
        stream.read_exact(&mut request).await.unwrap();
        stream.write_all(answer).await.unwrap();
        if let Ok(mut stream) = tokio_rustls::TlsAcceptor::from(tls.config).accept(stream).await {
            say(&mut stream, |out| {
                to_client::authentication_ok(out);
                to_client::ready_for_query(out, TransactionStatus::Idle);
            })
            .await;
            let _ = stream.read_u8().await;
        }
    })
    .await;
    Server { tls: Some(client), ..server }
}

#[tokio::test]
async fn bytes_injected_before_the_servers_handshake_break_it() {
    let certificates = Certificates::new();
    assert!(connect(&tls_server(&certificates, b"S").await, &LOGIN).await.unwrap().stream.is_tls());
    let injected = connect(&tls_server(&certificates, b"SR\0\0\0\x08\0\0\0\0").await, &LOGIN).await;
    assert!(matches!(injected, Err(ConnectError::Tls(_))), "{injected:?}");
}

#[tokio::test]
async fn tls_that_is_required_is_never_left_out() {
    let certificates = Certificates::new();
    let refused = connect(&tls_server(&certificates, b"N").await, &LOGIN).await;
    assert!(matches!(refused, Err(ConnectError::NoTls)), "{refused:?}");
    let odd = connect(&tls_server(&certificates, b"E").await, &LOGIN).await;
    assert!(matches!(odd, Err(ConnectError::Protocol(_))), "{odd:?}");
}

#[tokio::test]
async fn a_certificate_must_be_of_the_authority_and_for_the_host() {
    let (certificates, others) = (Certificates::new(), Certificates::new());
    for (verify, trusted, host, taken) in [
        (Verify::AuthorityAndHost, &certificates, "localhost", true),
        (Verify::AuthorityAndHost, &certificates, "127.0.0.1", false),
        (Verify::AuthorityAndHost, &others, "localhost", false),
        (Verify::Authority, &certificates, "127.0.0.1", true),
        (Verify::Authority, &others, "localhost", false),
        (Verify::Nothing, &others, "127.0.0.1", true),
    ] {
        let mut server = tls_server(&certificates, b"S").await;
        let Address::Tcp { port, .. } = server.address else { panic!() };
        server.address = Address::Tcp { host: host.into(), port };
        server.tls = Some(trusted.client(verify));
        let outcome = connect(&server, &LOGIN).await;
        assert_eq!(outcome.is_ok(), taken, "{verify:?} {host}: {outcome:?}");
        if let Err(error) = outcome {
            assert!(matches!(error, ConnectError::Tls(_)) && error.hint().is_some(), "{error:?}");
            assert!(error.report().message.contains("securely"));
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_or_says_nothing_is_an_error_in_time() {
    let address = Address::Unix { directory: "/nonexistent".into(), port: 5432 };
    let missing = connect(&Server::new(address, None, Duration::from_secs(1)), &LOGIN).await.unwrap_err();
    assert_eq!((missing.kind(), missing.report().sqlstate), ("unreachable", "08001".into()));
    let (server, _served) = server(|stream| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
    .await;
    let server = Server { timeout: Duration::from_millis(50), ..server };
    assert!(matches!(connect(&server, &LOGIN).await, Err(ConnectError::Timeout)));
}
