//! Reading a message's body to exactly its end, and writing a frame.

use bytes::{BufMut, BytesMut};

use crate::error::Violation;

/// What is left of a message's body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'b> {
    rest: &'b [u8],
}

impl<'b> Cursor<'b> {
    pub(crate) fn new(body: &'b [u8]) -> Self {
        Self { rest: body }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn rest(&self) -> &'b [u8] {
        self.rest
    }

    pub(crate) fn take_rest(&mut self) -> &'b [u8] {
        std::mem::take(&mut self.rest)
    }

    /// The end of the message, nothing after it.
    pub(crate) fn end(&self) -> Result<(), Violation> {
        if self.rest.is_empty() { Ok(()) } else { Err(Violation::protocol("invalid message format")) }
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'b [u8], Violation> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(insufficient)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Violation> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(insufficient)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Violation> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn i16(&mut self) -> Result<i16, Violation> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Violation> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Violation> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Violation> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// Bytes up to a NUL, which is taken too.
    pub(crate) fn terminated(&mut self) -> Result<&'b [u8], Violation> {
        let end = memchr(self.rest).ok_or_else(|| Violation::protocol("invalid string in message"))?;
        let text = self.bytes(end)?;
        self.bytes(1)?;
        Ok(text)
    }

    /// Text in UTF-8 up to a NUL.
    pub(crate) fn text(&mut self) -> Result<&'b str, Violation> {
        std::str::from_utf8(self.terminated()?).map_err(|_| Violation::encoding())
    }

    /// A value with its length before it; `None` is NULL.
    pub(crate) fn value(&mut self) -> Result<Option<&'b [u8]>, Violation> {
        match self.i32()? {
            -1 => Ok(None),
            length => {
                let length = usize::try_from(length).map_err(|_| insufficient())?;
                self.bytes(length).map(Some)
            }
        }
    }
}

fn memchr(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == 0)
}

fn insufficient() -> Violation {
    Violation::protocol("insufficient data left in message")
}

/// Appends one frame whose body is what `body` appends. A body that no frame can hold makes it
/// [`crate::frame`]'s error at the reader; a caller's limits are far below.
pub(crate) fn frame(out: &mut BytesMut, tag: u8, body: impl FnOnce(&mut BytesMut)) {
    out.put_u8(tag);
    lengthy(out, body);
}

/// As [`frame`], without a type byte.
pub(crate) fn lengthy(out: &mut BytesMut, body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u32(0);
    body(out);
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

/// Appends a text and its NUL. A NUL in the text, which nothing in PostgreSQL can hold, ends it:
/// it must not begin another field.
pub(crate) fn put_text(out: &mut BytesMut, text: impl AsRef<[u8]>) {
    let text = text.as_ref();
    let end = memchr(text).unwrap_or(text.len());
    out.extend_from_slice(text.get(..end).unwrap_or_default());
    out.put_u8(0);
}

/// Appends a value with its length before it; `None` is NULL.
pub(crate) fn put_value(out: &mut BytesMut, value: Option<&[u8]>) {
    match value {
        None => out.put_i32(-1),
        Some(value) => {
            out.put_u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
            out.extend_from_slice(value);
        }
    }
}

/// A count as the protocol has it. More than that cannot be sent, and no caller has them.
pub(crate) fn count16(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}
