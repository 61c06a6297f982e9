use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::error::Report;
use crate::frame::{self, HEADER};

fn body(write: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
    let mut out = BytesMut::new();
    write(&mut out);
    let found = frame::next(&out, frame::MAX_BACKEND).unwrap().unwrap();
    assert_eq!(found.len, out.len(), "one frame");
    out[HEADER..].to_vec()
}

const EMAIL: Field<'static> =
    Field { name: b"email", table: 16_385, attnum: 3, type_oid: 1043, type_size: -1, typmod: 36, format: 0 };

#[test]
fn a_row_description_keeps_the_source_of_each_column() {
    let computed =
        Field { name: b"?column?", table: 0, attnum: 0, type_oid: 23, type_size: 4, typmod: -1, format: 1 };
    let bytes = body(|out| build::row_description(out, [EMAIL, computed].into_iter()));
    let description = RowDescription::parse(&bytes).unwrap();
    assert_eq!(description.fields().collect::<Vec<_>>(), [EMAIL, computed]);
    assert!(RowDescription::parse(&[0, 0]).unwrap().is_empty());
}

#[test]
fn rows_keep_null_and_empty_apart() {
    let values = [None, Some(&b""[..]), Some(b"x")];
    let bytes = body(|out| build::data_row(out, values.into_iter()));
    assert_eq!(DataRow::parse(&bytes).unwrap().values().collect::<Vec<_>>(), values);
}

#[test]
fn fields_of_an_error_keep_their_order_and_can_be_changed() {
    let from_server =
        b"SFEHLER\0VERROR\0C23505\0Mduplicate key\0DKey (email)=(a@b.c) already exists.\0P17\0?new\0\0";
    let mut error = Diagnostic::parse(from_server).unwrap();
    assert_eq!(
        (error.severity(), error.sqlstate(), error.position()),
        (Some(Severity::Error), "23505", Some(17))
    );
    assert_eq!(error.get(b'?'), Some("new"));
    assert!(!format!("{error:?} {error}").contains("a@b.c"), "details are data");
    error.remove(field::DETAIL);
    error.set(field::POSITION, "9");
    error.set(field::HINT, "Ask.");
    let mut out = BytesMut::new();
    error.write_error(&mut out);
    assert_eq!(out[0], tag::ERROR_RESPONSE);
    assert_eq!(&out[HEADER..], b"SFEHLER\0VERROR\0C23505\0Mduplicate key\0P9\0?new\0HAsk.\0\0");
}

#[test]
fn a_report_becomes_an_error_response() {
    let report = Report::fatal("28000", "no").detail("Why.").hint("What.");
    let bytes = body(|out| report.write(out));
    let read = Diagnostic::parse(&bytes).unwrap();
    assert_eq!((read.severity(), read.sqlstate(), read.message()), (Some(Severity::Fatal), "28000", "no"));
    assert_eq!((read.detail(), read.hint()), (Some("Why."), Some("What.")));
}

#[test]
fn command_tags_tell_rows() {
    for (text, rows, command) in [
        ("SELECT 5", Some(5), "SELECT"),
        ("INSERT 0 12", Some(12), "INSERT"),
        ("COPY 18446744073709551615", Some(u64::MAX), "COPY"),
        ("CREATE TABLE", None, "CREATE"),
        ("BEGIN", None, "BEGIN"),
        ("SELECT -1", None, "SELECT"),
        ("", None, ""),
    ] {
        let bytes = body(|out| build::command_complete(out, text));
        let tag = command_complete(&bytes).unwrap();
        assert_eq!((tag.rows(), tag.command()), (rows, command), "{text}");
    }
}

#[test]
fn keys_have_the_lengths_that_the_protocol_allows() {
    for (length, valid) in [(0, false), (3, false), (4, true), (32, true), (256, true), (257, false)] {
        let bytes = body(|out| build::backend_key_data(out, 7, &vec![1; length]));
        assert_eq!(backend_key_data(&bytes).is_ok(), valid, "{length}");
    }
}

#[test]
fn small_messages_are_read_again() {
    for status in [TransactionStatus::Idle, TransactionStatus::Transaction, TransactionStatus::Failed] {
        assert_eq!(ready_for_query(&body(|out| build::ready_for_query(out, status))), Ok(status));
    }
    let status = body(|out| build::parameter_status(out, "TimeZone", "UTC"));
    assert_eq!(parameter_status(&status), Ok(("TimeZone", "UTC")));
    let types = body(|out| build::parameter_description(out, [23, 25].into_iter()));
    assert_eq!(parameter_description(&types).unwrap().collect::<Vec<_>>(), [23, 25]);
    let options = ["_pq_.a".to_owned(), "_pq_.b".to_owned()];
    let negotiate = body(|out| build::negotiate_protocol_version(out, 2, &options));
    assert_eq!(negotiate_protocol_version(&negotiate), Ok((2, vec!["_pq_.a", "_pq_.b"])));
    let notified = notification(b"\0\0\0\x07jobs\0done\0").unwrap();
    assert_eq!(notified, Notification { pid: 7, channel: b"jobs", payload: b"done" });
    let mut built = BytesMut::new();
    build::notification(&mut built, &notified);
    assert_eq!(&built[..], b"A\0\0\0\x12\0\0\0\x07jobs\0done\0");
    let copy = copy_response(&[0, 0, 2, 0, 0, 0, 0]);
    assert_eq!(copy, Ok(CopyResponse { binary: false, columns: 2 }));
    let sasl = body(|out| build::authentication_sasl(out, &["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]));
    let Ok(Authentication::Sasl(names)) = Authentication::parse(&sasl) else { panic!() };
    assert_eq!(
        Authentication::mechanisms(names).collect::<Vec<_>>(),
        ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]
    );
}

#[test]
fn malformed_messages_are_refused() {
    assert!(RowDescription::parse(b"\0\x01email\0").is_err(), "a field cut short");
    assert!(RowDescription::parse(b"\0\0x").is_err(), "a byte too many");
    assert!(DataRow::parse(b"\0\x01\0\0\0\x09abc").is_err(), "a value longer than the row");
    assert!(Diagnostic::parse(b"SERROR\0").is_err(), "no end");
    assert!(Diagnostic::parse(b"SERROR\0\0x").is_err(), "a byte after the end");
    assert!(Diagnostic::parse(&[b"Mx\0".repeat(100), vec![0]].concat()).is_err(), "too many fields");
    assert!(
        ready_for_query(b"").is_err() && ready_for_query(b"X").is_err() && ready_for_query(b"II").is_err()
    );
    assert!(parameter_status(b"a\0b").is_err() && parameter_status(b"a\0b\0\0").is_err());
    assert!(copy_response(&[2, 0, 0]).is_err() && copy_response(&[0, 0, 2, 0, 0]).is_err());
    assert!(negotiate_protocol_version(b"\0\x03\0\0\xff\xff\xff\xff").is_err(), "a count beyond the message");
    assert!(Authentication::parse(b"\0\0\0\x05abc").is_err(), "a short salt");
    assert!(Authentication::parse(b"\0\0\0\x0aSCRAM-SHA-256\0").is_err(), "mechanisms without an end");
}

#[test]
fn pgwire_reads_what_is_built_too() {
    use pgwire::messages::{DecodeContext, PgWireBackendMessage as Other, ProtocolVersion};
    let mut out = BytesMut::new();
    build::row_description(&mut out, [EMAIL].into_iter());
    build::data_row(&mut out, [Some(&b"a"[..]), None].into_iter());
    build::command_complete(&mut out, "SELECT 1");
    build::backend_key_data(&mut out, 9, &[1, 2, 3, 4]);
    Report::fatal("28000", "no").hint("What.").write(&mut out);
    let context = DecodeContext::new(ProtocolVersion::PROTOCOL3_0);
    let mut next = || Other::decode(&mut out, &context).unwrap().unwrap();
    let Other::RowDescription(description) = next() else { panic!() };
    let field = &description.fields[0];
    assert_eq!(
        (field.name.as_str(), field.table_id, field.column_id, field.type_id),
        ("email", 16_385, 3, 1043)
    );
    let Other::DataRow(row) = next() else { panic!() };
    assert_eq!(row.field_count, 2);
    let Other::CommandComplete(complete) = next() else { panic!() };
    assert_eq!(complete.tag, "SELECT 1");
    let Other::BackendKeyData(key) = next() else { panic!() };
    assert_eq!(key.pid, 9);
    let Other::ErrorResponse(error) = next() else { panic!() };
    assert!(error.fields.iter().any(|(code, text)| *code == b'H' && text == "What."));
}

fn read_everything(bytes: &[u8]) {
    if let Ok(description) = RowDescription::parse(bytes) {
        assert_eq!(description.fields().count(), description.len());
    }
    if let Ok(row) = DataRow::parse(bytes) {
        assert_eq!(row.values().count(), row.len());
    }
    if let Ok(Authentication::Sasl(names)) = Authentication::parse(bytes) {
        let _ = Authentication::mechanisms(names).count();
    }
    let _ = Diagnostic::parse(bytes).map(|diagnostic| (diagnostic.position(), diagnostic.severity()));
    let _ =
        (parameter_description(bytes).map(Iterator::count), command_complete(bytes).map(CommandTag::rows));
    let _ = (ready_for_query(bytes), parameter_status(bytes), backend_key_data(bytes), notification(bytes));
    let _ = (copy_response(bytes), negotiate_protocol_version(bytes));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        read_everything(&bytes);
    }

    #[test]
    fn a_description_cut_short_or_run_on_is_refused(fields in 1usize..5, extra in any::<u8>()) {
        let mut bytes = body(|out| build::row_description(out, std::iter::repeat_n(EMAIL, fields)));
        for end in 0..bytes.len() {
            prop_assert!(RowDescription::parse(&bytes[..end]).is_err());
            read_everything(&bytes[..end]);
        }
        bytes.push(extra);
        prop_assert!(RowDescription::parse(&bytes).is_err());
    }
}
