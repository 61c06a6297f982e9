//! Messages that clients send (PostgreSQL documentation, "Message Formats"): borrowed, fully checked
//! parses of a frame's body, and in [`build`] what a proxy sends to a server.

use crate::cursor::Cursor;
use crate::error::Violation;

pub mod build;

/// Type bytes.
pub mod tag {
    pub const BIND: u8 = b'B';
    pub const CLOSE: u8 = b'C';
    pub const COPY_DATA: u8 = b'd';
    pub const COPY_DONE: u8 = b'c';
    pub const COPY_FAIL: u8 = b'f';
    pub const DESCRIBE: u8 = b'D';
    pub const EXECUTE: u8 = b'E';
    pub const FLUSH: u8 = b'H';
    pub const FUNCTION_CALL: u8 = b'F';
    pub const PARSE: u8 = b'P';
    /// PasswordMessage, SASLInitialResponse, SASLResponse and GSSResponse.
    pub const PASSWORD: u8 = b'p';
    pub const QUERY: u8 = b'Q';
    pub const SYNC: u8 = b'S';
    pub const TERMINATE: u8 = b'X';
}

/// What a client may send once it is signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'b> {
    Query(&'b str),
    Parse(Parse<'b>),
    Bind(Bind<'b>),
    Describe(Name<'b>),
    Execute(Execute<'b>),
    Close(Name<'b>),
    Sync,
    Flush,
    CopyData(&'b [u8]),
    CopyDone,
    /// The client's reason.
    CopyFail(&'b str),
    FunctionCall(FunctionCall<'b>),
    Terminate,
}

/// Makes a prepared statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parse<'b> {
    /// Empty: the unnamed statement.
    pub statement: &'b str,
    pub query: &'b str,
    /// The types of the first parameters; 0 leaves one open.
    pub types: Types<'b>,
}

/// Makes a portal of a prepared statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bind<'b> {
    /// Empty: the unnamed portal.
    pub portal: &'b str,
    pub statement: &'b str,
    /// None: all text; one: of all parameters; else one a parameter (the server checks the count).
    pub parameter_formats: Formats<'b>,
    pub values: Values<'b>,
    /// None: all text; one: of all columns; else one a column.
    pub result_formats: Formats<'b>,
    /// The body after the two names, to be sent on under other names: [`build::rebind`].
    pub rest: &'b [u8],
}

/// What Describe and Close name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name<'b> {
    Statement(&'b str),
    Portal(&'b str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Execute<'b> {
    pub portal: &'b str,
    /// Rows after which the portal is suspended; zero or less: all.
    pub max_rows: i32,
}

/// Calls a function by its oid, without any SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionCall<'b> {
    pub function: u32,
    pub argument_formats: Formats<'b>,
    pub arguments: Values<'b>,
    pub result_format: i16,
}

/// Type oids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Types<'b>(&'b [u8]);

impl<'b> Types<'b> {
    pub fn iter(self) -> impl ExactSizeIterator<Item = u32> + 'b {
        self.0.as_chunks().0.iter().map(|oid| u32::from_be_bytes(*oid))
    }
}

/// Format codes: 0 text, 1 binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Formats<'b>(&'b [u8]);

impl<'b> Formats<'b> {
    pub fn iter(self) -> impl ExactSizeIterator<Item = i16> + 'b {
        self.0.as_chunks().0.iter().map(|code| i16::from_be_bytes(*code))
    }

    /// The format of the parameter, argument or column with this index.
    pub fn of(self, index: usize) -> i16 {
        let mut codes = self.iter();
        match codes.len() {
            0 => 0,
            1 => codes.next().unwrap_or(0),
            _ => codes.nth(index).unwrap_or(0),
        }
    }

    fn read(cursor: &mut Cursor<'b>) -> Result<Self, Violation> {
        let count = usize::from(cursor.u16()?);
        cursor.bytes(2 * count).map(Self)
    }
}

/// Values of parameters or arguments; `None` is NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Values<'b> {
    count: u16,
    bytes: &'b [u8],
}

impl<'b> Values<'b> {
    pub fn len(self) -> usize {
        usize::from(self.count)
    }

    pub fn is_empty(self) -> bool {
        self.count == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Option<&'b [u8]>> {
        let mut cursor = Cursor::new(self.bytes);
        // Walked once already, in `read`: no value ends the iteration early.
        (0..self.count).map_while(move |_| cursor.value().ok())
    }

    fn read(cursor: &mut Cursor<'b>) -> Result<Self, Violation> {
        let count = cursor.u16()?;
        let whole = cursor.rest();
        for _ in 0..count {
            cursor.value()?;
        }
        let len = whole.len() - cursor.rest().len();
        Ok(Self { count, bytes: whole.get(..len).unwrap_or_default() })
    }
}

/// Reads a message from exactly its body.
///
/// # Errors
/// 08P01 when the body does not have the form of its type, or the type is none that a client that
/// is signed in may send; 22021 when a text is not UTF-8.
pub fn parse(tag: u8, body: &[u8]) -> Result<Message<'_>, Violation> {
    let mut cursor = Cursor::new(body);
    let message = match tag {
        tag::QUERY => Message::Query(cursor.text()?),
        tag::PARSE => {
            let (statement, query) = (cursor.text()?, cursor.text()?);
            let count = usize::from(cursor.u16()?);
            Message::Parse(Parse { statement, query, types: Types(cursor.bytes(4 * count)?) })
        }
        tag::BIND => Message::Bind(bind(&mut cursor)?),
        tag::DESCRIBE => Message::Describe(name(&mut cursor, "DESCRIBE")?),
        tag::CLOSE => Message::Close(name(&mut cursor, "CLOSE")?),
        tag::EXECUTE => Message::Execute(Execute { portal: cursor.text()?, max_rows: cursor.i32()? }),
        tag::SYNC => Message::Sync,
        tag::FLUSH => Message::Flush,
        tag::COPY_DATA => Message::CopyData(cursor.take_rest()),
        tag::COPY_DONE => Message::CopyDone,
        tag::COPY_FAIL => Message::CopyFail(cursor.text()?),
        tag::FUNCTION_CALL => Message::FunctionCall(FunctionCall {
            function: cursor.u32()?,
            argument_formats: Formats::read(&mut cursor)?,
            arguments: Values::read(&mut cursor)?,
            result_format: cursor.i16()?,
        }),
        tag::TERMINATE => Message::Terminate,
        other => return Err(Violation::protocol(format!("invalid frontend message type {other}"))),
    };
    cursor.end()?;
    Ok(message)
}

fn bind<'b>(cursor: &mut Cursor<'b>) -> Result<Bind<'b>, Violation> {
    let (portal, statement) = (cursor.text()?, cursor.text()?);
    let rest = cursor.rest();
    Ok(Bind {
        portal,
        statement,
        parameter_formats: Formats::read(cursor)?,
        values: Values::read(cursor)?,
        result_formats: Formats::read(cursor)?,
        rest,
    })
}

fn name<'b>(cursor: &mut Cursor<'b>, message: &str) -> Result<Name<'b>, Violation> {
    match cursor.u8()? {
        b'S' => cursor.text().map(Name::Statement),
        b'P' => cursor.text().map(Name::Portal),
        other => Err(Violation::protocol(format!("invalid {message} message subtype {other}"))),
    }
}

/// The first message of a SASL exchange.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SaslInitial<'b> {
    pub mechanism: &'b str,
    /// `None`: the client waits for an empty challenge.
    pub response: Option<&'b [u8]>,
}

/// Reads the body of a SASLInitialResponse ([`tag::PASSWORD`]).
///
/// # Errors
/// 08P01, 22021
pub fn sasl_initial(body: &[u8]) -> Result<SaslInitial<'_>, Violation> {
    let mut cursor = Cursor::new(body);
    let initial = SaslInitial { mechanism: cursor.text()?, response: cursor.value()? };
    cursor.end()?;
    Ok(initial)
}

/// Reads the body of a PasswordMessage ([`tag::PASSWORD`]).
///
/// # Errors
/// 08P01, 22021
pub fn password(body: &[u8]) -> Result<&str, Violation> {
    let mut cursor = Cursor::new(body);
    let password = cursor.text()?;
    cursor.end()?;
    Ok(password)
}

#[cfg(test)]
mod tests;
