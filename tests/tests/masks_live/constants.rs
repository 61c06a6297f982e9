//! Constants: what the check lets through, the server must read.

use pgwarrant_masking::{BaseType, Method, compile};
use tokio_postgres::SimpleQueryMessage;

use crate::kinds::{Kind, kinds};
use crate::server::{Scratch, table};

/// Texts at the edges of what each type takes, or nearly takes.
const CANDIDATES: &[&str] = &[
    "",
    "0",
    "-0",
    "+7",
    " 7",
    "7 ",
    "1_000",
    "0x10",
    "007",
    "32767",
    "32768",
    "-32768",
    "2147483647",
    "2147483648",
    "9223372036854775807",
    "9223372036854775808",
    "9999999999.99",
    "9999999999.994",
    "9999999999.995",
    "9999999999.999",
    "10000000000",
    "0.999",
    "0.9994",
    "0.9995",
    "0.99951",
    "1",
    "9999",
    "9999.4",
    "9999.5",
    ".5",
    "5.",
    "1e3",
    "NaN",
    "Infinity",
    "92233720368547758.07",
    "999999999999999.994",
    "999999999999999.999",
    "0000000000000000000000000007",
    "99999999999999999999999999999999999999",
    "9999999999999999999999999999999999999.9",
    "true",
    "t",
    "TRUE",
    "yes",
    "1900-02-28",
    "1900-02-29",
    "2000-02-29",
    "2001-04-31",
    "0000-01-01",
    "0001-01-01",
    "9999-12-31",
    "1900-1-1",
    "01.02.1900",
    "1900-01-01 24:00:00",
    "1900-01-01 23:59:59.999999",
    "1900-01-01 23:59:60",
    "1900-01-01T10:20",
    "1900-01-01 10:20:30.1234567",
    "1900-01-01 10:20:30Z",
    "1900-01-01 10:20:30+14:59",
    "1900-01-01 10:20:30-14",
    "1900-01-01 10:20:30+15",
    "1900-01-01 10",
    "9999-12-31 23:59:59.999999-14",
    "00000000-0000-0000-0000-00000000000",
    "{00000000-0000-0000-0000-000000000000}",
    "00000000000000000000000000000000",
    "1.2.3",
    "1.2.3.4",
    "1.2.3.256",
    "01.2.3.4",
    "1.2.3.4/0",
    "1.2.3.4/33",
    "1.2.3.0/24",
    "1.2.3.4/24",
    "0.0.0.0/0",
    "::",
    "::/0",
    "::1/128",
    "::1/129",
    "::ffff:1.2.3.4",
    "2001:db8::/32",
    "2001:db8::1/32",
    "1::2::3",
    "fe80::1%eth0",
    "1.2.3.4/",
    "1.2.3.4/+8",
    "1.2.3.4/08",
    "\\x",
    "\\x0",
    "\\xGG",
    "\\x00Ff",
    "\\X00",
    "null",
    "{\"a\":1}",
    "{a:1}",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\ud83d\\ude00\"",
    "\"\\\\u0000\"",
    "[1,2",
    "1e400",
    "1E-400",
    "-",
    "\"tab\there\"",
    "{\"a\":1}{",
    "glad",
    "Glad",
    "it's \\ fine",
    "a",
    "b",
    "***",
    "日本語日本語日本語日本語",
    "{}",
    "{ }",
    "{a}",
    "{a,b}",
    "{a,}",
    "{,}",
    "{\"a\"}",
    "{\"a\\\"b\"}",
    "{\"a\\\\\"}",
    "{\"a\"b}",
    "{a\"b\"}",
    "{NULL}",
    "{null,\"null\"}",
    "{{a},{b}}",
    "{a}{",
    "{a b}",
    "{a, b}",
    "{1,2}",
    "{1.5}",
    "{t,f}",
    "{true,NULL}",
    "{1.2.3.4,::1}",
    "{1900-02-29}",
    "{1900-01-01}",
    "{glad,b}",
    "{\"{}\"}",
    "{\"[1]\"}",
    "{\"\\\\x00\"}",
    "{\"it's \\\\ fine\"}",
    "[0:1]={a,b}",
    "{\"\"}",
    "{00000000-0000-0000-0000-000000000000}",
    "{aaaaaaaaaaaaaaaaaaaaaaaaaaaa}",
    "{\u{a0}}",
    "{a\\,b}",
];

#[tokio::test]
async fn a_constant_that_passes_the_check_is_one_that_the_server_reads_alike_in_every_session() {
    let scratch = Scratch::new("constants").await;
    let client = &scratch.client;
    let (mut accepted, mut wrong) = (0, Vec::new());
    // What a domain's CHECK thinks of a constant only the server knows.
    for (number, kind) in kinds().iter().filter(|kind| kind.sql != "d_int").enumerate() {
        let column = table(client, &format!("t{number}"), &Kind { sql: kind.sql, values: &[] }).await;
        for candidate in CANDIDATES {
            let Ok(mask) = compile(&Method::Constant((*candidate).into()), &column, "contact", false) else {
                continue;
            };
            accepted += 1;
            let mut readings = Vec::new();
            for settings in
                ["DateStyle = 'ISO, MDY'", "DateStyle = 'SQL, DMY'; SET TimeZone = 'Asia/Kolkata'"]
            {
                let prepared = format!(
                    "SET TimeZone = UTC; SET {settings}; PREPARE p AS SELECT {} AS c; \
                     SET DateStyle = ISO; SET TimeZone = UTC; EXECUTE p; DEALLOCATE p",
                    mask.render("r.c")
                );
                match client.simple_query(&prepared).await {
                    Ok(messages) => readings.extend(messages.iter().find_map(|message| match message {
                        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                        _ => None,
                    })),
                    Err(error) => {
                        wrong.push(format!(
                            "{} does not read {candidate:?}: {:?}",
                            kind.sql,
                            error.as_db_error()
                        ));
                        let _ = client.batch_execute("DEALLOCATE ALL").await;
                    }
                }
            }
            if let [one, two] = &readings[..] {
                let cut =
                    column.base == BaseType::Text && !column.array && one.trim_end() != candidate.trim_end();
                if one != two || cut {
                    wrong.push(format!("{} reads {candidate:?} as {one:?} and {two:?}", kind.sql));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(accepted > 500, "only {accepted} accepted");
}
