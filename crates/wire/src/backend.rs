//! Messages that servers send (PostgreSQL documentation, "Message Formats"): borrowed, fully checked
//! parses of a frame's body, and in [`build`] what a proxy sends to a client.
//!
//! Texts that only people read are kept as bytes, or read lossily: a database in `SQL_ASCII` sends
//! what it has.

use crate::cursor::Cursor;
use crate::error::Violation;

pub mod build;
mod diagnostic;

pub use diagnostic::{Diagnostic, Severity, field};

/// Type bytes.
pub mod tag {
    pub const AUTHENTICATION: u8 = b'R';
    pub const BACKEND_KEY_DATA: u8 = b'K';
    pub const BIND_COMPLETE: u8 = b'2';
    pub const CLOSE_COMPLETE: u8 = b'3';
    pub const COMMAND_COMPLETE: u8 = b'C';
    pub const COPY_BOTH_RESPONSE: u8 = b'W';
    pub const COPY_DATA: u8 = b'd';
    pub const COPY_DONE: u8 = b'c';
    pub const COPY_IN_RESPONSE: u8 = b'G';
    pub const COPY_OUT_RESPONSE: u8 = b'H';
    pub const DATA_ROW: u8 = b'D';
    pub const EMPTY_QUERY_RESPONSE: u8 = b'I';
    pub const ERROR_RESPONSE: u8 = b'E';
    pub const FUNCTION_CALL_RESPONSE: u8 = b'V';
    pub const NEGOTIATE_PROTOCOL_VERSION: u8 = b'v';
    pub const NOTICE_RESPONSE: u8 = b'N';
    pub const NOTIFICATION_RESPONSE: u8 = b'A';
    pub const NO_DATA: u8 = b'n';
    pub const PARAMETER_DESCRIPTION: u8 = b't';
    pub const PARAMETER_STATUS: u8 = b'S';
    pub const PARSE_COMPLETE: u8 = b'1';
    pub const PORTAL_SUSPENDED: u8 = b's';
    pub const READY_FOR_QUERY: u8 = b'Z';
    pub const ROW_DESCRIPTION: u8 = b'T';
}

/// A column of a RowDescription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'b> {
    pub name: &'b [u8],
    /// The oid of the relation of which this is a column as it is; 0: it is computed.
    pub table: u32,
    /// `pg_attribute.attnum` of that column; 0: it is computed.
    pub attnum: i16,
    pub type_oid: u32,
    pub type_size: i16,
    pub typmod: i32,
    /// 0 text, 1 binary; always 0 in the answer to Describe of a statement.
    pub format: i16,
}

/// The columns of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowDescription<'b> {
    count: u16,
    bytes: &'b [u8],
}

impl<'b> RowDescription<'b> {
    /// # Errors
    /// 08P01
    pub fn parse(body: &'b [u8]) -> Result<Self, Violation> {
        let mut cursor = Cursor::new(body);
        let count = cursor.u16()?;
        let bytes = cursor.rest();
        for _ in 0..count {
            Field::read(&mut cursor)?;
        }
        cursor.end()?;
        Ok(Self { count, bytes })
    }

    pub fn len(self) -> usize {
        usize::from(self.count)
    }

    pub fn is_empty(self) -> bool {
        self.count == 0
    }

    pub fn fields(self) -> impl Iterator<Item = Field<'b>> {
        let mut cursor = Cursor::new(self.bytes);
        // Walked once already, in `parse`: no field ends the iteration early.
        (0..self.count).map_while(move |_| Field::read(&mut cursor).ok())
    }
}

impl<'b> Field<'b> {
    fn read(cursor: &mut Cursor<'b>) -> Result<Self, Violation> {
        Ok(Self {
            name: cursor.terminated()?,
            table: cursor.u32()?,
            attnum: cursor.i16()?,
            type_oid: cursor.u32()?,
            type_size: cursor.i16()?,
            typmod: cursor.i32()?,
            format: cursor.i16()?,
        })
    }
}

/// The values of a row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DataRow<'b> {
    count: u16,
    bytes: &'b [u8],
}

impl<'b> DataRow<'b> {
    /// # Errors
    /// 08P01
    pub fn parse(body: &'b [u8]) -> Result<Self, Violation> {
        let mut cursor = Cursor::new(body);
        let count = cursor.u16()?;
        let bytes = cursor.rest();
        for _ in 0..count {
            cursor.value()?;
        }
        cursor.end()?;
        Ok(Self { count, bytes })
    }

    pub fn len(self) -> usize {
        usize::from(self.count)
    }

    pub fn is_empty(self) -> bool {
        self.count == 0
    }

    /// `None` is NULL.
    pub fn values(self) -> impl Iterator<Item = Option<&'b [u8]>> {
        let mut cursor = Cursor::new(self.bytes);
        (0..self.count).map_while(move |_| cursor.value().ok())
    }
}

/// The types of a statement's parameters, in order.
///
/// # Errors
/// 08P01
pub fn parameter_description(body: &[u8]) -> Result<impl ExactSizeIterator<Item = u32>, Violation> {
    let mut cursor = Cursor::new(body);
    let count = usize::from(cursor.u16()?);
    let types = cursor.bytes(4 * count)?;
    cursor.end()?;
    Ok(types.as_chunks().0.iter().map(|oid| u32::from_be_bytes(*oid)))
}

/// The tag of a CommandComplete: `SELECT 5`, `INSERT 0 1`, `BEGIN`.
///
/// # Errors
/// 08P01, 22021
pub fn command_complete(body: &[u8]) -> Result<CommandTag<'_>, Violation> {
    text(body).map(CommandTag)
}

/// What a command was and how many rows it touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandTag<'b>(pub &'b str);

impl<'b> CommandTag<'b> {
    /// Rows read or written; `None`: this command does not count them.
    pub fn rows(self) -> Option<u64> {
        let (_, last) = self.0.rsplit_once(' ')?;
        if last.bytes().all(|byte| byte.is_ascii_digit()) { last.parse().ok() } else { None }
    }

    /// The first word.
    pub fn command(self) -> &'b str {
        self.0.split(' ').next().unwrap_or_default()
    }
}

/// Where the session is, in ReadyForQuery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    Idle,
    Transaction,
    /// Everything until ROLLBACK is refused.
    Failed,
}

/// # Errors
/// 08P01
pub fn ready_for_query(body: &[u8]) -> Result<TransactionStatus, Violation> {
    match body {
        b"I" => Ok(TransactionStatus::Idle),
        b"T" => Ok(TransactionStatus::Transaction),
        b"E" => Ok(TransactionStatus::Failed),
        _ => Err(Violation::protocol("invalid transaction status")),
    }
}

/// Name and value of a ParameterStatus.
///
/// # Errors
/// 08P01, 22021
pub fn parameter_status(body: &[u8]) -> Result<(&str, &str), Violation> {
    let mut cursor = Cursor::new(body);
    let pair = (cursor.text()?, cursor.text()?);
    cursor.end()?;
    Ok(pair)
}

/// What cancels this connection's statements: process id and key (of 4 to 256 bytes).
///
/// # Errors
/// 08P01
pub fn backend_key_data(body: &[u8]) -> Result<(u32, &[u8]), Violation> {
    let mut cursor = Cursor::new(body);
    let pid = cursor.u32()?;
    let key = cursor.take_rest();
    if !crate::cancel::KEY_LENGTHS.contains(&key.len()) {
        return Err(Violation::protocol("invalid length of cancellation key"));
    }
    Ok((pid, key))
}

/// A message of NOTIFY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notification<'b> {
    pub pid: u32,
    pub channel: &'b [u8],
    pub payload: &'b [u8],
}

/// # Errors
/// 08P01
pub fn notification(body: &[u8]) -> Result<Notification<'_>, Violation> {
    let mut cursor = Cursor::new(body);
    let notification =
        Notification { pid: cursor.u32()?, channel: cursor.terminated()?, payload: cursor.terminated()? };
    cursor.end()?;
    Ok(notification)
}

/// CopyInResponse, CopyOutResponse or CopyBothResponse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyResponse {
    pub binary: bool,
    pub columns: u16,
}

/// # Errors
/// 08P01
pub fn copy_response(body: &[u8]) -> Result<CopyResponse, Violation> {
    let mut cursor = Cursor::new(body);
    let binary = match cursor.u8()? {
        0 => false,
        1 => true,
        _ => return Err(Violation::protocol("invalid COPY format")),
    };
    let columns = cursor.u16()?;
    cursor.bytes(2 * usize::from(columns))?;
    cursor.end()?;
    Ok(CopyResponse { binary, columns })
}

/// The minor version of protocol 3 that the server goes on with, and the `_pq_.` options that it
/// does not know. (On the wire the version is whole, in spite of what the documentation says.)
///
/// # Errors
/// 08P01, 22021
pub fn negotiate_protocol_version(body: &[u8]) -> Result<(u16, Vec<&str>), Violation> {
    let mut cursor = Cursor::new(body);
    let (major, minor, count) = (cursor.u16()?, cursor.u16()?, cursor.u32()?);
    if major != 3 {
        return Err(Violation::protocol("invalid protocol version in negotiation"));
    }
    let mut options = Vec::new();
    for _ in 0..count {
        options.push(cursor.text()?);
    }
    cursor.end()?;
    Ok((minor, options))
}

/// What a server asks of, or tells, a client that signs in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Authentication<'b> {
    Ok,
    CleartextPassword,
    Md5Password {
        salt: [u8; 4],
    },
    /// The names of mechanisms, each with its NUL: [`Authentication::mechanisms`].
    Sasl(&'b [u8]),
    SaslContinue(&'b [u8]),
    SaslFinal(&'b [u8]),
    /// Kerberos, GSSAPI, SSPI, …
    Other(u32),
}

impl<'b> Authentication<'b> {
    /// # Errors
    /// 08P01, 22021
    pub fn parse(body: &'b [u8]) -> Result<Self, Violation> {
        let mut cursor = Cursor::new(body);
        let message = match cursor.u32()? {
            0 => Self::Ok,
            3 => Self::CleartextPassword,
            5 => Self::Md5Password { salt: cursor.u32()?.to_be_bytes() },
            10 => {
                let names = cursor.rest();
                while !cursor.text()?.is_empty() {}
                Self::Sasl(names)
            }
            11 => Self::SaslContinue(cursor.take_rest()),
            12 => Self::SaslFinal(cursor.take_rest()),
            other => {
                cursor.take_rest();
                Self::Other(other)
            }
        };
        cursor.end()?;
        Ok(message)
    }

    /// The names in the body of [`Authentication::Sasl`].
    pub fn mechanisms(names: &'b [u8]) -> impl Iterator<Item = &'b str> {
        let mut cursor = Cursor::new(names);
        std::iter::from_fn(move || cursor.text().ok().filter(|name| !name.is_empty()))
    }
}

fn text(body: &[u8]) -> Result<&str, Violation> {
    let mut cursor = Cursor::new(body);
    let text = cursor.text()?;
    cursor.end()?;
    Ok(text)
}

#[cfg(test)]
mod tests;
