//! The fields of ErrorResponse and NoticeResponse (PostgreSQL documentation, "Error and Notice
//! Message Fields").

use std::borrow::Cow;
use std::fmt;

use bytes::{BufMut, BytesMut};

use super::tag;
use crate::cursor::{Cursor, frame, put_text};
use crate::error::Violation;

/// Field codes.
pub mod field {
    /// Localised; [`SEVERITY`] never is.
    pub const SEVERITY_LOCALISED: u8 = b'S';
    pub const SEVERITY: u8 = b'V';
    pub const SQLSTATE: u8 = b'C';
    pub const MESSAGE: u8 = b'M';
    pub const DETAIL: u8 = b'D';
    pub const HINT: u8 = b'H';
    /// In the client's text, in characters from 1.
    pub const POSITION: u8 = b'P';
    /// In [`INTERNAL_QUERY`].
    pub const INTERNAL_POSITION: u8 = b'p';
    pub const INTERNAL_QUERY: u8 = b'q';
    /// Context: a call stack.
    pub const WHERE: u8 = b'W';
    pub const SCHEMA: u8 = b's';
    pub const TABLE: u8 = b't';
    pub const COLUMN: u8 = b'c';
    pub const DATA_TYPE: u8 = b'd';
    pub const CONSTRAINT: u8 = b'n';
    pub const FILE: u8 = b'F';
    pub const LINE: u8 = b'L';
    pub const ROUTINE: u8 = b'R';
}

/// No server sends as many fields; there are eighteen.
const MAX_FIELDS: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Panic,
    /// The connection is closed.
    Fatal,
    /// The statement has failed.
    Error,
    Warning,
    Notice,
    Debug,
    Info,
    Log,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Panic => "PANIC",
            Self::Fatal => "FATAL",
            Self::Error => "ERROR",
            Self::Warning => "WARNING",
            Self::Notice => "NOTICE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Log => "LOG",
        }
    }

    fn of(text: &str) -> Option<Self> {
        [
            Self::Panic,
            Self::Fatal,
            Self::Error,
            Self::Warning,
            Self::Notice,
            Self::Debug,
            Self::Info,
            Self::Log,
        ]
        .into_iter()
        .find(|severity| severity.as_str() == text)
    }
}

/// An error or a notice: fields in the order in which they came, unknown ones too.
#[derive(Clone, PartialEq, Eq)]
pub struct Diagnostic<'b> {
    fields: Vec<(u8, Cow<'b, str>)>,
}

impl<'b> Diagnostic<'b> {
    pub fn new(severity: Severity, sqlstate: &'b str, message: &'b str) -> Self {
        let fields = vec![
            (field::SEVERITY_LOCALISED, severity.as_str().into()),
            (field::SEVERITY, severity.as_str().into()),
            (field::SQLSTATE, sqlstate.into()),
            (field::MESSAGE, message.into()),
        ];
        Self { fields }
    }

    /// Reads the body of an ErrorResponse or a NoticeResponse. What is not UTF-8 is replaced, as
    /// [`String::from_utf8_lossy`] does.
    ///
    /// # Errors
    /// 08P01
    pub fn parse(body: &'b [u8]) -> Result<Self, Violation> {
        let mut cursor = Cursor::new(body);
        let mut fields = Vec::new();
        loop {
            match cursor.u8()? {
                0 => break,
                code => fields.push((code, String::from_utf8_lossy(cursor.terminated()?))),
            }
            if fields.len() > MAX_FIELDS {
                return Err(Violation::protocol("too many fields in an error or notice"));
            }
        }
        cursor.end()?;
        Ok(Self { fields })
    }

    /// In the order in which they will be written: code and text.
    pub fn fields(&self) -> impl Iterator<Item = (u8, &str)> {
        self.fields.iter().map(|(code, text)| (*code, &**text))
    }

    pub fn get(&self, code: u8) -> Option<&str> {
        self.fields().find(|(found, _)| *found == code).map(|(_, text)| text)
    }

    /// Changes a field, or adds it at the end.
    pub fn set(&mut self, code: u8, text: impl Into<Cow<'b, str>>) {
        match self.fields.iter_mut().find(|(found, _)| *found == code) {
            Some((_, place)) => *place = text.into(),
            None => self.fields.push((code, text.into())),
        }
    }

    pub fn remove(&mut self, code: u8) {
        self.fields.retain(|(found, _)| *found != code);
    }

    /// Keeps only fields of which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(u8) -> bool) {
        self.fields.retain(|(code, _)| keep(*code));
    }

    /// `None`: not one that we know.
    pub fn severity(&self) -> Option<Severity> {
        self.get(field::SEVERITY).or_else(|| self.get(field::SEVERITY_LOCALISED)).and_then(Severity::of)
    }

    pub fn sqlstate(&self) -> &str {
        self.get(field::SQLSTATE).unwrap_or_default()
    }

    pub fn message(&self) -> &str {
        self.get(field::MESSAGE).unwrap_or_default()
    }

    pub fn detail(&self) -> Option<&str> {
        self.get(field::DETAIL)
    }

    pub fn hint(&self) -> Option<&str> {
        self.get(field::HINT)
    }

    /// In characters from 1.
    pub fn position(&self) -> Option<usize> {
        self.get(field::POSITION)?.parse().ok()
    }

    pub fn into_owned(self) -> Diagnostic<'static> {
        let own = |(code, text): (u8, Cow<'b, str>)| (code, Cow::Owned(text.into_owned()));
        Diagnostic { fields: self.fields.into_iter().map(own).collect() }
    }

    /// Appends this as an ErrorResponse.
    pub fn write_error(&self, out: &mut BytesMut) {
        self.write(tag::ERROR_RESPONSE, out);
    }

    /// Appends this as a NoticeResponse.
    pub fn write_notice(&self, out: &mut BytesMut) {
        self.write(tag::NOTICE_RESPONSE, out);
    }

    fn write(&self, tag: u8, out: &mut BytesMut) {
        frame(out, tag, |out| {
            for (code, text) in self.fields().filter(|(code, _)| *code != 0) {
                out.put_u8(code);
                put_text(out, text);
            }
            out.put_u8(0);
        });
    }
}

impl fmt::Display for Diagnostic<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = self.get(field::SEVERITY_LOCALISED).unwrap_or("ERROR");
        write!(formatter, "{severity}: {} (SQLSTATE {})", self.message(), self.sqlstate())
    }
}

/// Details of a server's error are data: only what [`fmt::Display`] prints.
impl fmt::Debug for Diagnostic<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Diagnostic({self})")
    }
}
