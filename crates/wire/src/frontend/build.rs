//! Appends frontend messages to a buffer, one frame each.
//!
//! Texts end at a NUL if they hold one. No check is made that a message fits [`crate::frame`]'s
//! limits: what goes in came out of a frame within them.

use bytes::{BufMut, BytesMut};

use super::{Bind, Name, tag};
use crate::cursor::{count16, frame, lengthy, put_text, put_value};

pub fn query(out: &mut BytesMut, text: &str) {
    frame(out, tag::QUERY, |out| put_text(out, text));
}

/// `types`: of the first parameters, as in [`super::Parse`]; at most 65535.
pub fn parse(out: &mut BytesMut, statement: &str, query: &str, types: impl ExactSizeIterator<Item = u32>) {
    frame(out, tag::PARSE, |out| {
        put_text(out, statement);
        put_text(out, query);
        let count = count16(types.len());
        out.put_u16(count);
        types.take(count.into()).for_each(|oid| out.put_u32(oid));
    });
}

/// `bind` as it was read, but for the names.
pub fn rebind(out: &mut BytesMut, bind: &Bind<'_>, portal: &str, statement: &str) {
    frame(out, tag::BIND, |out| {
        put_text(out, portal);
        put_text(out, statement);
        out.extend_from_slice(bind.rest);
    });
}

/// A Bind of our own; at most 65535 of each.
pub fn bind(
    out: &mut BytesMut,
    portal: &str,
    statement: &str,
    parameter_formats: &[i16],
    values: &[Option<&[u8]>],
    result_formats: &[i16],
) {
    let formats = |out: &mut BytesMut, formats: &[i16]| {
        let count = count16(formats.len());
        out.put_u16(count);
        formats.iter().take(count.into()).for_each(|format| out.put_i16(*format));
    };
    frame(out, tag::BIND, |out| {
        put_text(out, portal);
        put_text(out, statement);
        formats(out, parameter_formats);
        let count = count16(values.len());
        out.put_u16(count);
        values.iter().take(count.into()).for_each(|value| put_value(out, *value));
        formats(out, result_formats);
    });
}

pub fn describe(out: &mut BytesMut, name: Name<'_>) {
    named(out, tag::DESCRIBE, name);
}

pub fn close(out: &mut BytesMut, name: Name<'_>) {
    named(out, tag::CLOSE, name);
}

fn named(out: &mut BytesMut, tag: u8, name: Name<'_>) {
    let (kind, name) = match name {
        Name::Statement(name) => (b'S', name),
        Name::Portal(name) => (b'P', name),
    };
    frame(out, tag, |out| {
        out.put_u8(kind);
        put_text(out, name);
    });
}

/// `max_rows`: zero for all.
pub fn execute(out: &mut BytesMut, portal: &str, max_rows: i32) {
    frame(out, tag::EXECUTE, |out| {
        put_text(out, portal);
        out.put_i32(max_rows);
    });
}

pub fn sync(out: &mut BytesMut) {
    frame(out, tag::SYNC, |_| {});
}

pub fn flush(out: &mut BytesMut) {
    frame(out, tag::FLUSH, |_| {});
}

pub fn terminate(out: &mut BytesMut) {
    frame(out, tag::TERMINATE, |_| {});
}

pub fn copy_data(out: &mut BytesMut, data: &[u8]) {
    frame(out, tag::COPY_DATA, |out| out.extend_from_slice(data));
}

pub fn copy_done(out: &mut BytesMut) {
    frame(out, tag::COPY_DONE, |_| {});
}

pub fn copy_fail(out: &mut BytesMut, reason: &str) {
    frame(out, tag::COPY_FAIL, |out| put_text(out, reason));
}

/// A password in cleartext, or an MD5 response.
pub fn password(out: &mut BytesMut, password: &str) {
    frame(out, tag::PASSWORD, |out| put_text(out, password));
}

pub fn sasl_initial(out: &mut BytesMut, mechanism: &str, response: &[u8]) {
    frame(out, tag::PASSWORD, |out| {
        put_text(out, mechanism);
        put_value(out, Some(response));
    });
}

pub fn sasl_response(out: &mut BytesMut, response: &[u8]) {
    frame(out, tag::PASSWORD, |out| out.extend_from_slice(response));
}

/// A StartupMessage for protocol 3.`minor`; among the parameters there must be `user`.
pub fn startup<'p>(out: &mut BytesMut, minor: u16, parameters: impl Iterator<Item = (&'p str, &'p str)>) {
    lengthy(out, |out| {
        out.put_u16(3);
        out.put_u16(minor);
        for (name, value) in parameters.filter(|(name, _)| !name.is_empty()) {
            put_text(out, name);
            put_text(out, value);
        }
        out.put_u8(0);
    });
}

pub fn ssl_request(out: &mut BytesMut) {
    lengthy(out, |out| out.put_u32(crate::accept::SSL_REQUEST));
}

/// A CancelRequest; `key` as it came in BackendKeyData.
pub fn cancel_request(out: &mut BytesMut, pid: u32, key: &[u8]) {
    lengthy(out, |out| {
        out.put_u32(crate::accept::CANCEL_REQUEST);
        out.put_u32(pid);
        out.extend_from_slice(key);
    });
}
