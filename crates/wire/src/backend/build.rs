//! Appends backend messages to a buffer, one frame each. Errors and notices are written by
//! [`super::Diagnostic`] and [`crate::error::Report`].
//!
//! Texts end at a NUL if they hold one.

use bytes::{BufMut, BytesMut};

use super::{Field, Notification, TransactionStatus, tag};
use crate::cursor::{count16, frame, put_text, put_value};

pub fn authentication_ok(out: &mut BytesMut) {
    frame(out, tag::AUTHENTICATION, |out| out.put_u32(0));
}

/// Asks for a password as it is: see [`crate::auth::Ask::Password`] for where that may be done.
pub fn authentication_cleartext_password(out: &mut BytesMut) {
    frame(out, tag::AUTHENTICATION, |out| out.put_u32(3));
}

pub fn authentication_sasl(out: &mut BytesMut, mechanisms: &[&str]) {
    frame(out, tag::AUTHENTICATION, |out| {
        out.put_u32(10);
        mechanisms.iter().for_each(|mechanism| put_text(out, mechanism));
        out.put_u8(0);
    });
}

pub fn authentication_sasl_continue(out: &mut BytesMut, challenge: &[u8]) {
    frame(out, tag::AUTHENTICATION, |out| {
        out.put_u32(11);
        out.extend_from_slice(challenge);
    });
}

pub fn authentication_sasl_final(out: &mut BytesMut, outcome: &[u8]) {
    frame(out, tag::AUTHENTICATION, |out| {
        out.put_u32(12);
        out.extend_from_slice(outcome);
    });
}

pub fn negotiate_protocol_version(out: &mut BytesMut, minor: u16, unknown_options: &[String]) {
    frame(out, tag::NEGOTIATE_PROTOCOL_VERSION, |out| {
        out.put_u16(3);
        out.put_u16(minor);
        out.put_u32(u32::try_from(unknown_options.len()).unwrap_or(u32::MAX));
        unknown_options.iter().for_each(|option| put_text(out, option));
    });
}

pub fn parameter_status(out: &mut BytesMut, name: &str, value: &str) {
    frame(out, tag::PARAMETER_STATUS, |out| {
        put_text(out, name);
        put_text(out, value);
    });
}

/// What is read of one: [`super::notification`].
pub fn notification(out: &mut BytesMut, notification: &Notification<'_>) {
    frame(out, tag::NOTIFICATION_RESPONSE, |out| {
        out.put_u32(notification.pid);
        for text in [notification.channel, notification.payload] {
            out.extend_from_slice(text);
            out.put_u8(0);
        }
    });
}

pub fn backend_key_data(out: &mut BytesMut, pid: u32, key: &[u8]) {
    frame(out, tag::BACKEND_KEY_DATA, |out| {
        out.put_u32(pid);
        out.extend_from_slice(key);
    });
}

pub fn ready_for_query(out: &mut BytesMut, status: TransactionStatus) {
    frame(out, tag::READY_FOR_QUERY, |out| {
        out.put_u8(match status {
            TransactionStatus::Idle => b'I',
            TransactionStatus::Transaction => b'T',
            TransactionStatus::Failed => b'E',
        });
    });
}

/// At most 65535 fields.
pub fn row_description<'f>(out: &mut BytesMut, fields: impl ExactSizeIterator<Item = Field<'f>>) {
    frame(out, tag::ROW_DESCRIPTION, |out| {
        let count = count16(fields.len());
        out.put_u16(count);
        for field in fields.take(count.into()) {
            put_text(out, field.name);
            out.put_u32(field.table);
            out.put_i16(field.attnum);
            out.put_u32(field.type_oid);
            out.put_i16(field.type_size);
            out.put_i32(field.typmod);
            out.put_i16(field.format);
        }
    });
}

/// At most 65535 values; `None` is NULL.
pub fn data_row<'v>(out: &mut BytesMut, values: impl ExactSizeIterator<Item = Option<&'v [u8]>>) {
    frame(out, tag::DATA_ROW, |out| {
        let count = count16(values.len());
        out.put_u16(count);
        values.take(count.into()).for_each(|value| put_value(out, value));
    });
}

pub fn command_complete(out: &mut BytesMut, command_tag: &str) {
    frame(out, tag::COMMAND_COMPLETE, |out| put_text(out, command_tag));
}

/// At most 65535 types.
pub fn parameter_description(out: &mut BytesMut, types: impl ExactSizeIterator<Item = u32>) {
    frame(out, tag::PARAMETER_DESCRIPTION, |out| {
        let count = count16(types.len());
        out.put_u16(count);
        types.take(count.into()).for_each(|oid| out.put_u32(oid));
    });
}

pub fn parse_complete(out: &mut BytesMut) {
    frame(out, tag::PARSE_COMPLETE, |_| {});
}

pub fn bind_complete(out: &mut BytesMut) {
    frame(out, tag::BIND_COMPLETE, |_| {});
}

pub fn close_complete(out: &mut BytesMut) {
    frame(out, tag::CLOSE_COMPLETE, |_| {});
}

pub fn no_data(out: &mut BytesMut) {
    frame(out, tag::NO_DATA, |_| {});
}

pub fn portal_suspended(out: &mut BytesMut) {
    frame(out, tag::PORTAL_SUSPENDED, |_| {});
}

pub fn empty_query_response(out: &mut BytesMut) {
    frame(out, tag::EMPTY_QUERY_RESPONSE, |_| {});
}
