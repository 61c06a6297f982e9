//! Signing in to a server: what to answer to each of its authentication messages.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::BytesMut;
use pgwire::api::auth::md5pass::hash_md5_password;
use ring::digest;

use super::{ConnectError, Login, Server, unexpected};
use crate::backend::{self, Authentication, Diagnostic, tag};
use crate::certificate;
use crate::frontend::build;
use crate::scram::client::{Expected, First};
use crate::scram::{self, Flag, Keys};
use crate::stream::Stream;

/// Passwords of which SCRAM's keys are kept, per server.
const MAX_CACHED: usize = 64;

/// Where a sign-in stands.
enum State {
    /// The server may ask for anything.
    Start,
    Challenged(First),
    /// The server must prove that it knows the password.
    Proof(Expected),
    /// An answer was sent that the server takes or refuses.
    Answered,
    Done,
}

pub(super) struct SignIn<'a> {
    login: &'a Login<'a>,
    keys: &'a KeyCache,
    state: State,
    encrypted: bool,
    /// Nobody who listens or sits in the middle gets a password in cleartext.
    confidential: bool,
    end_point: Option<Box<[u8]>>,
}

impl<'a> SignIn<'a> {
    pub(super) fn new(login: &'a Login<'a>, server: &'a Server, stream: &Stream) -> Self {
        let tls = stream.tls();
        let verified = tls.is_some() && server.tls.as_ref().is_some_and(|tls| tls.is_verified());
        Self {
            login,
            keys: &server.keys,
            state: State::Start,
            encrypted: tls.is_some(),
            confidential: verified || stream.peer().is_local(),
            end_point: tls.and_then(|tls| certificate::end_point(tls.peer_certificate.as_ref()?)),
        }
    }

    /// Has the server said AuthenticationOk?
    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// What to send back, if anything.
    pub(super) async fn answer(&mut self, tag: u8, body: &[u8]) -> Result<Option<BytesMut>, ConnectError> {
        match tag {
            tag::AUTHENTICATION => {}
            tag::ERROR_RESPONSE => return Err(ConnectError::Server(Diagnostic::parse(body)?.into_owned())),
            tag::NEGOTIATE_PROTOCOL_VERSION => {
                let (minor, options) = backend::negotiate_protocol_version(body)?;
                if minor > self.login.minor || !options.is_empty() {
                    return Err(ConnectError::Protocol(
                        "it negotiated a protocol that was not asked for".into(),
                    ));
                }
                return Ok(None);
            }
            tag::NOTICE_RESPONSE => return Ok(None),
            tag => return Err(unexpected(tag)),
        }
        let mut out = BytesMut::new();
        let state = std::mem::replace(&mut self.state, State::Answered);
        self.state = match (state, Authentication::parse(body)?) {
            (State::Start, Authentication::CleartextPassword) => {
                if !self.confidential {
                    let problem = "it asks for a password in cleartext, which goes out only over verified TLS (verify-full) or on this machine";
                    return Err(ConnectError::SignIn(problem));
                }
                build::password(&mut out, self.password()?);
                State::Answered
            }
            (State::Start, Authentication::Md5Password { salt }) => {
                build::password(&mut out, &hash_md5_password(self.login.user, self.password()?, &salt));
                State::Answered
            }
            (State::Start, Authentication::Sasl(names)) => {
                let (mechanism, flag) = self.mechanism(names)?;
                let nonce =
                    scram::nonce().map_err(|_| ConnectError::SignIn("the system has no random numbers"))?;
                let first = First::new(nonce, flag);
                build::sasl_initial(&mut out, mechanism, first.message.as_bytes());
                State::Challenged(first)
            }
            (State::Challenged(first), Authentication::SaslContinue(challenge)) => {
                let server =
                    first.server_first(challenge).map_err(|problem| ConnectError::SignIn(problem.0))?;
                let keys = self.keys.get(self.password()?, &server.salt, server.iterations).await?;
                let (message, expected) = first.client_final(&server, &keys, self.end_point.as_deref());
                build::sasl_response(&mut out, message.as_bytes());
                State::Proof(expected)
            }
            (State::Proof(expected), Authentication::SaslFinal(outcome)) => {
                if !expected.is(outcome) {
                    return Err(ConnectError::SignIn("it could not prove that it knows the password"));
                }
                State::Answered
            }
            (State::Start | State::Answered, Authentication::Ok) => State::Done,
            (State::Start, Authentication::Other(_)) => {
                return Err(ConnectError::SignIn(
                    "it asks for a method of authentication that is not supported",
                ));
            }
            _ => return Err(ConnectError::SignIn("it sent an authentication message out of turn")),
        };
        Ok(Some(out).filter(|out| !out.is_empty()))
    }

    fn password(&self) -> Result<&'a str, ConnectError> {
        self.login.password.ok_or(ConnectError::SignIn("it asks for a password, and none is configured"))
    }

    /// The strongest that both have, and what to say of channel binding so that a server which we
    /// were kept from hearing notices.
    fn mechanism(&self, names: &[u8]) -> Result<(&'static str, Flag), ConnectError> {
        let offers = |wanted: &str| Authentication::mechanisms(names).any(|name| name == wanted);
        let can_bind = self.encrypted && self.end_point.is_some();
        if can_bind && offers(scram::MECHANISM_PLUS) {
            return Ok((scram::MECHANISM_PLUS, Flag::Used));
        }
        if offers(scram::MECHANISM) {
            return Ok((scram::MECHANISM, if can_bind { Flag::NotOffered } else { Flag::Unsupported }));
        }
        Err(ConnectError::SignIn("it offers no SASL mechanism that is supported here"))
    }
}

type Cached = VecDeque<([u8; 32], Keys)>;

/// Keys by password, salt and iterations: computed once, slowly, off the thread of the sessions.
#[derive(Clone, Default)]
pub(super) struct KeyCache(Arc<Mutex<Cached>>);

impl KeyCache {
    async fn get(&self, password: &str, salt: &[u8], iterations: u32) -> Result<Keys, ConnectError> {
        let id = identity(password, salt, iterations);
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = lock().iter().find(|(found, _)| *found == id).map(|(_, keys)| keys.clone());
        if let Some(keys) = found {
            return Ok(keys);
        }
        let (password, salt) = (password.to_owned(), salt.to_owned());
        let keys = tokio::task::spawn_blocking(move || Keys::derive(&password, &salt, iterations))
            .await
            .map_err(|_| ConnectError::SignIn("its challenge could not be answered"))?;
        let mut cached = lock();
        // Others may have been as quick.
        cached.retain(|(found, _)| *found != id);
        cached.push_back((id, keys.clone()));
        if cached.len() > MAX_CACHED {
            cached.pop_front();
        }
        Ok(keys)
    }
}

fn identity(password: &str, salt: &[u8], iterations: u32) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&iterations.to_be_bytes());
    context.update(&(salt.len() as u64).to_be_bytes());
    context.update(salt);
    context.update(password.as_bytes());
    context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeyCache(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keys_are_derived_once_for_a_password_salt_and_count_and_so_many_are_kept() {
        let cache = KeyCache::default();
        let kept = || cache.0.lock().unwrap().len();
        let one = || cache.get("pw", b"salt", 1);
        let (first, _, _) = tokio::join!(one(), one(), one());
        first.unwrap();
        one().await.unwrap();
        assert_eq!(kept(), 1);
        for (password, salt, iterations) in [("pw", b"salt", 2), ("pw", b"SALT", 1), ("PW", b"salt", 1)] {
            cache.get(password, salt, iterations).await.unwrap();
        }
        assert_eq!(kept(), 4);
        for number in 0..2 * MAX_CACHED {
            cache.get("pw", &number.to_be_bytes(), 1).await.unwrap();
        }
        assert_eq!(kept(), MAX_CACHED);
    }

    #[tokio::test]
    async fn what_is_kept_is_not_derived_again() {
        let cache = KeyCache::default();
        let planted = Keys::derive("another", b"salt", 1);
        cache.0.lock().unwrap().push_back((identity("pw", b"salt", 4096), planted.clone()));
        let (given, made_up) =
            (cache.get("pw", b"salt", 4096).await.unwrap(), Keys::derive("pw", b"salt", 4096));
        assert!(verifier(&given) == verifier(&planted));
        assert!(verifier(&given) != verifier(&made_up));
    }

    fn verifier(keys: &Keys) -> scram::Verifier {
        scram::Verifier::of(keys, b"salt".to_vec(), 4096)
    }
}
