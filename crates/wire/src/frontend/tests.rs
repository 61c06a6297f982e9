use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::frame::{self, HEADER};

const TAGS: &[u8] = b"BCdcfDEHFPpQSX";

fn body(write: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
    let mut out = BytesMut::new();
    write(&mut out);
    let found = frame::next(&out, frame::MAX_FRONTEND).unwrap().unwrap();
    assert_eq!(found.len, out.len(), "one frame");
    out[HEADER..].to_vec()
}

fn sqlstate(tag: u8, body: &[u8]) -> &'static str {
    parse(tag, body).unwrap_err().sqlstate
}

#[test]
fn what_is_built_is_read_again() {
    let query = body(|out| build::query(out, "SELECT 1"));
    assert_eq!(parse(tag::QUERY, &query), Ok(Message::Query("SELECT 1")));

    let parsed = body(|out| build::parse(out, "s", "SELECT $1", [23, 0].into_iter()));
    let Ok(Message::Parse(parsed)) = parse(tag::PARSE, &parsed) else { panic!() };
    assert_eq!((parsed.statement, parsed.query), ("s", "SELECT $1"));
    assert_eq!(parsed.types.iter().collect::<Vec<_>>(), [23, 0]);

    for name in [Name::Statement("s"), Name::Portal("")] {
        assert_eq!(
            parse(tag::DESCRIBE, &body(|out| build::describe(out, name))),
            Ok(Message::Describe(name))
        );
        assert_eq!(parse(tag::CLOSE, &body(|out| build::close(out, name))), Ok(Message::Close(name)));
    }
    let execute = body(|out| build::execute(out, "p", 10));
    assert_eq!(parse(tag::EXECUTE, &execute), Ok(Message::Execute(Execute { portal: "p", max_rows: 10 })));
    let copy = body(|out| build::copy_data(out, b"1\t2\n"));
    assert_eq!(parse(tag::COPY_DATA, &copy), Ok(Message::CopyData(b"1\t2\n")));
    let failed = body(|out| build::copy_fail(out, "enough"));
    assert_eq!(parse(tag::COPY_FAIL, &failed), Ok(Message::CopyFail("enough")));
    for (tag, message, write) in [
        (tag::SYNC, Message::Sync, build::sync as fn(&mut BytesMut)),
        (tag::FLUSH, Message::Flush, build::flush),
        (tag::COPY_DONE, Message::CopyDone, build::copy_done),
        (tag::TERMINATE, Message::Terminate, build::terminate),
    ] {
        assert_eq!(parse(tag, &body(write)), Ok(message));
    }
}

#[test]
fn a_bind_goes_on_under_other_names_with_the_same_values() {
    let values = [None, Some(&b""[..]), Some(b"\0binary")];
    let original = body(|out| build::bind(out, "p", "s", &[1], &values, &[0, 1]));
    let Ok(Message::Bind(bind)) = parse(tag::BIND, &original) else { panic!() };
    assert_eq!(bind.values.iter().collect::<Vec<_>>(), values);
    assert_eq!(
        (bind.parameter_formats.of(2), bind.result_formats.of(0), bind.result_formats.of(1)),
        (1, 0, 1)
    );
    let renamed = body(|out| build::rebind(out, &bind, "", "other"));
    let Ok(Message::Bind(again)) = parse(tag::BIND, &renamed) else { panic!() };
    assert_eq!((again.portal, again.statement), ("", "other"));
    assert_eq!((again.rest, again.values), (bind.rest, bind.values));
}

#[test]
fn a_name_with_a_nul_cannot_begin_another_field() {
    let close = body(|out| build::close(out, Name::Statement("a\0b")));
    assert_eq!(parse(tag::CLOSE, &close), Ok(Message::Close(Name::Statement("a"))));
}

#[test]
fn malformed_messages_are_refused() {
    for (what, tag, body) in [
        ("no NUL", tag::QUERY, &b"SELECT 1"[..]),
        ("a byte after the NUL", tag::QUERY, b"SELECT 1\0x"),
        ("a second statement after the NUL", tag::QUERY, b"SELECT 1\0SELECT 2\0"),
        ("nothing at all", tag::QUERY, b""),
        ("one text of two", tag::PARSE, b"s\0SELECT 1"),
        ("no count of types", tag::PARSE, b"s\0SELECT 1\0"),
        ("fewer types than counted", tag::PARSE, b"s\0SELECT 1\0\0\x02\0\0\0\x17"),
        ("more types than there can be", tag::PARSE, b"s\0SELECT 1\0\xff\xff"),
        ("a value longer than the message", tag::BIND, b"\0\0\0\0\0\x01\0\0\0\x09abc\0\0"),
        ("a negative length", tag::BIND, b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0"),
        ("no result formats", tag::BIND, b"\0\0\0\0\0\0"),
        ("an unknown kind", tag::DESCRIBE, b"Xs\0"),
        ("no kind", tag::CLOSE, b""),
        ("a body", tag::SYNC, b"\0"),
        ("a body", tag::FLUSH, b"\0"),
        ("a body", tag::TERMINATE, b"\0"),
        ("no row limit", tag::EXECUTE, b"p\0"),
        ("a password", tag::PASSWORD, b"secret\0"),
        ("an unknown type", b'!', b""),
        ("a function without arguments", tag::FUNCTION_CALL, b"\0\0\0\x01"),
    ] {
        assert_eq!(sqlstate(tag, body), "08P01", "{what} in {:?}", char::from(tag));
    }
    assert_eq!(sqlstate(tag::QUERY, b"SELECT '\xff'\0"), "22021");
    assert_eq!(sqlstate(tag::PARSE, b"\xc0\x80\0SELECT 1\0\0\0"), "22021");
}

#[test]
fn sasl_messages_are_read_from_exactly_their_body() {
    let initial = body(|out| build::sasl_initial(out, "SCRAM-SHA-256", b"n,,"));
    let read = sasl_initial(&initial).unwrap();
    assert!(read.mechanism == "SCRAM-SHA-256" && read.response == Some(b"n,,"));
    assert!(sasl_initial(b"SCRAM-SHA-256\0\xff\xff\xff\xff").unwrap().response.is_none());
    assert!(sasl_initial(b"SCRAM-SHA-256\0\0\0\0\x05n,,").is_err());
    assert!(sasl_initial(b"SCRAM-SHA-256\0\0\0\0\x03n,,x").is_err());
    assert_eq!(password(b"secret\0"), Ok("secret"));
    assert!(password(b"secret").is_err() && password(b"secret\0\0").is_err());
}

#[test]
fn pgwire_reads_what_is_built_too() {
    use pgwire::messages::{DecodeContext, PgWireFrontendMessage as Other, ProtocolVersion};
    let mut out = BytesMut::new();
    build::parse(&mut out, "s", "SELECT $1", [23].into_iter());
    build::bind(&mut out, "p", "s", &[1], &[Some(b"\0\0\0\x07"), None], &[]);
    build::execute(&mut out, "p", 3);
    let mut context = DecodeContext::new(ProtocolVersion::PROTOCOL3_0);
    context.awaiting_frontend_ssl = false;
    context.awaiting_frontend_startup = false;
    let mut next = || Other::decode(&mut out, &context).unwrap().unwrap();
    let Other::Parse(parse) = next() else { panic!() };
    assert_eq!(
        (parse.name.as_deref(), parse.query.as_str(), &parse.type_oids[..]),
        (Some("s"), "SELECT $1", &[23][..])
    );
    let Other::Bind(bind) = next() else { panic!() };
    assert_eq!((bind.parameter_format_codes, bind.parameters.len()), (vec![1], 2));
    let Other::Execute(execute) = next() else { panic!() };
    assert_eq!((execute.name.as_deref(), execute.max_rows), (Some("p"), 3));
}

fn any_message() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let text = "[a-zé ]{0,8}";
    let values =
        proptest::collection::vec(proptest::option::of(proptest::collection::vec(any::<u8>(), 0..6)), 0..4);
    prop_oneof![
        text.prop_map(|query| (tag::QUERY, body(|out| build::query(out, &query)))),
        (text, text, proptest::collection::vec(any::<u32>(), 0..4)).prop_map(|(name, query, types)| {
            (tag::PARSE, body(|out| build::parse(out, &name, &query, types.into_iter())))
        }),
        (text, text, values).prop_map(|(portal, statement, values)| {
            let values: Vec<_> = values.iter().map(Option::as_deref).collect();
            (tag::BIND, body(|out| build::bind(out, &portal, &statement, &[0], &values, &[1])))
        }),
        (text, any::<i32>())
            .prop_map(|(portal, rows)| (tag::EXECUTE, body(|out| build::execute(out, &portal, rows)))),
        text.prop_map(|name| (tag::DESCRIBE, body(|out| build::describe(out, Name::Portal(&name))))),
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(index in 0..TAGS.len(), bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(Message::Bind(bind)) = parse(TAGS[index], &bytes) {
            prop_assert_eq!(bind.values.iter().count(), bind.values.len());
        }
        let _ = (sasl_initial(&bytes), password(&bytes));
    }

    #[test]
    fn a_message_cut_short_or_run_on_is_refused((tag, body) in any_message(), extra in any::<u8>()) {
        prop_assert!(parse(tag, &body).is_ok());
        for end in 0..body.len() {
            prop_assert!(parse(tag, &body[..end]).is_err(), "cut at {}", end);
        }
        let mut longer = body;
        longer.push(extra);
        prop_assert!(parse(tag, &longer).is_err());
    }
}
