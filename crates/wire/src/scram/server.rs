//! The server's half of an exchange.

use base64::Engine;

use super::{
    BASE64, BINDING, Flag, Key, Malformed, Verifier, are_extensions, attribute, bound, equal, hash, is_nonce,
    mac, xor,
};

/// What a client began with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClientFirst<'m> {
    flag: Flag,
    nonce: &'m str,
    /// The message without the channel binding's header.
    bare: &'m str,
}

/// Why a first message is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejected {
    Malformed(Malformed),
    /// The client does channel binding but was led to believe that we do not.
    Downgrade,
    /// It wants to act for somebody else.
    AuthorizationIdentity,
}

impl From<Malformed> for Rejected {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// Reads the first message. `plus`: the client chose SCRAM-SHA-256-PLUS; `offered`: it was offered.
pub(crate) fn client_first(message: &[u8], plus: bool, offered: bool) -> Result<ClientFirst<'_>, Rejected> {
    let message = std::str::from_utf8(message).map_err(|_| Malformed("message is not UTF-8"))?;
    if message.contains('\0') {
        return Err(Malformed("message holds a NUL").into());
    }
    let (flag, rest) = message.split_once(',').ok_or(Malformed("channel binding flag expected"))?;
    let flag = match flag {
        "n" => Flag::Unsupported,
        "y" => Flag::NotOffered,
        other => match other.strip_prefix("p=") {
            Some(BINDING) => Flag::Used,
            Some(_) => return Err(Malformed("unsupported channel binding type").into()),
            None => return Err(Malformed("unexpected channel binding flag").into()),
        },
    };
    match (flag, plus) {
        (Flag::Used, false) => return Err(Malformed("channel binding without SCRAM-SHA-256-PLUS").into()),
        (Flag::Unsupported | Flag::NotOffered, true) => {
            return Err(Malformed("SCRAM-SHA-256-PLUS without channel binding").into());
        }
        (Flag::NotOffered, false) if offered => return Err(Rejected::Downgrade),
        _ => {}
    }
    let bare = match rest.split_once(',') {
        Some(("", bare)) => bare,
        Some((identity, _)) if identity.starts_with("a=") => return Err(Rejected::AuthorizationIdentity),
        _ => return Err(Malformed("malformed authorization identity").into()),
    };
    let mut rest = bare;
    // The user is the one of the start-up packet, whatever this says, as in PostgreSQL. A mandatory
    // extension (m=) would be here.
    attribute(&mut rest, 'n').ok_or(Malformed("user name expected"))?;
    let nonce =
        attribute(&mut rest, 'r').filter(|nonce| is_nonce(nonce)).ok_or(Malformed("nonce expected"))?;
    if !are_extensions(rest) {
        return Err(Malformed("malformed extension").into());
    }
    Ok(ClientFirst { flag, nonce, bare })
}

/// A challenge that has been put to a client.
pub(crate) struct Challenge {
    /// The message to send.
    pub(crate) message: String,
    nonce: String,
    bare: String,
    flag: Flag,
    verifier: Verifier,
}

impl Challenge {
    /// `server_nonce`: see [`super::nonce`].
    pub(crate) fn new(first: &ClientFirst<'_>, server_nonce: &str, verifier: &Verifier) -> Self {
        let nonce = format!("{}{server_nonce}", first.nonce);
        let message = format!("r={nonce},s={},i={}", BASE64.encode(&verifier.salt), verifier.iterations);
        Self { message, nonce, bare: first.bare.to_owned(), flag: first.flag, verifier: verifier.clone() }
    }

    /// Reads the client's final message: `Ok(Some(…))` is our own last message, to a client that
    /// knows the password; `Ok(None)`: it does not.
    pub(crate) fn client_final(
        &self,
        message: &[u8],
        end_point: Option<&[u8]>,
    ) -> Result<Option<String>, Malformed> {
        let message = std::str::from_utf8(message).map_err(|_| Malformed("message is not UTF-8"))?;
        if message.contains('\0') {
            return Err(Malformed("message holds a NUL"));
        }
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(Malformed("proof expected"))?;
        let mut rest = without_proof;
        let binding = attribute(&mut rest, 'c').ok_or(Malformed("channel binding expected"))?;
        let nonce = attribute(&mut rest, 'r').ok_or(Malformed("nonce expected"))?;
        if !are_extensions(rest) {
            return Err(Malformed("malformed extension"));
        }
        if !equal(nonce.as_bytes(), self.nonce.as_bytes()) {
            return Err(Malformed("nonce does not match"));
        }
        if !equal(binding.as_bytes(), bound(self.flag, end_point).as_bytes()) {
            return Err(Malformed("channel binding check failed"));
        }
        let proof = BASE64.decode(proof).ok().and_then(|proof| Key::try_from(proof).ok());
        let proof = proof.ok_or(Malformed("malformed proof"))?;
        let signed = format!("{},{},{without_proof}", self.bare, self.message);
        let client_key = xor(&proof, &mac(&self.verifier.stored, signed.as_bytes()));
        let outcome = format!("v={}", BASE64.encode(mac(&self.verifier.server, signed.as_bytes())));
        Ok(equal(&hash(&client_key), &self.verifier.stored).then_some(outcome))
    }
}
