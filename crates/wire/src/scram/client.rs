//! The client's half of an exchange.

use base64::Engine;

use super::{
    BASE64, Flag, Keys, MAX_ITERATIONS, Malformed, are_extensions, attribute, bound, equal, gs2_header,
    is_nonce, mac, number, xor,
};

/// A client's first message, sent.
pub(crate) struct First {
    /// The message to send.
    pub(crate) message: String,
    nonce: String,
    flag: Flag,
}

/// What a server answers to it.
pub(crate) struct ServerFirst<'m> {
    message: &'m str,
    nonce: &'m str,
    pub(crate) salt: Vec<u8>,
    pub(crate) iterations: u32,
}

impl First {
    /// `nonce`: see [`super::nonce`]. The user's name is left to the start-up packet, as libpq does.
    pub(crate) fn new(nonce: String, flag: Flag) -> Self {
        Self { message: format!("{}n=,r={nonce}", gs2_header(flag)), nonce, flag }
    }

    /// Reads the server's challenge. Its nonce must go on from ours, and it must not keep us busy
    /// for ever.
    pub(crate) fn server_first<'m>(&self, message: &'m [u8]) -> Result<ServerFirst<'m>, Malformed> {
        let message = std::str::from_utf8(message).map_err(|_| Malformed("its challenge is not UTF-8"))?;
        let mut rest = message;
        let nonce = attribute(&mut rest, 'r')
            .filter(|nonce| is_nonce(nonce))
            .ok_or(Malformed("its nonce is missing"))?;
        if nonce.strip_prefix(&self.nonce).is_none_or(str::is_empty) {
            return Err(Malformed("its nonce does not continue ours"));
        }
        let salt = attribute(&mut rest, 's').and_then(|salt| BASE64.decode(salt).ok());
        let salt = salt.filter(|salt| !salt.is_empty()).ok_or(Malformed("its salt is missing"))?;
        let iterations =
            attribute(&mut rest, 'i').and_then(number).ok_or(Malformed("its iteration count is missing"))?;
        if !(1..=MAX_ITERATIONS).contains(&iterations) {
            return Err(Malformed("its iteration count is absurd"));
        }
        if !are_extensions(rest) {
            return Err(Malformed("its challenge has a malformed extension"));
        }
        Ok(ServerFirst { message, nonce, salt, iterations })
    }

    /// The final message, and what the server must answer to prove that it knows the password too.
    pub(crate) fn client_final(
        &self,
        server: &ServerFirst<'_>,
        keys: &Keys,
        end_point: Option<&[u8]>,
    ) -> (String, Expected) {
        let without_proof = format!("c={},r={}", bound(self.flag, end_point), server.nonce);
        let bare = self.message.strip_prefix(gs2_header(self.flag)).unwrap_or_default();
        let signed = format!("{bare},{},{without_proof}", server.message);
        let proof = xor(&keys.client, &mac(&keys.stored, signed.as_bytes()));
        let message = format!("{without_proof},p={}", BASE64.encode(proof));
        (message, Expected(format!("v={}", BASE64.encode(mac(&keys.server, signed.as_bytes())))))
    }
}

/// The last message of a server that knows the password.
pub(crate) struct Expected(String);

impl Expected {
    pub(crate) fn is(&self, message: &[u8]) -> bool {
        // Extensions may follow.
        let signature = message.split(|byte| *byte == b',').next().unwrap_or_default();
        equal(self.0.as_bytes(), signature)
    }
}
