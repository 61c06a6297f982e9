//! Mask expressions as text: which method fits which type, what each looks like, and what none may
//! hold. Their values are tested on a real server, in the workspace's `tests`.

use pgwarrant_masking::{BaseType, Method, SqlType, compile, oid};

fn column(sql: &str, base: BaseType, base_oid: u32) -> SqlType {
    SqlType {
        sql: sql.into(),
        base,
        array: false,
        max_length: None,
        enum_labels: Vec::new(),
        domain: false,
        oid: base_oid,
        base_oid,
        typmod: -1,
    }
}

fn text() -> SqlType {
    column("pg_catalog.text", BaseType::Text, oid::TEXT)
}

fn varchar(n: u32) -> SqlType {
    SqlType {
        max_length: Some(n),
        ..column(&format!("character varying({n})"), BaseType::Text, oid::VARCHAR)
    }
}

fn numeric(precision: i32, scale: i32) -> SqlType {
    let typmod = ((precision << 16) | (scale & 0x7ff)) + 4;
    SqlType { typmod, ..column(&format!("numeric({precision},{scale})"), BaseType::Number, oid::NUMERIC) }
}

fn array(element: SqlType) -> SqlType {
    SqlType { sql: format!("{}[]", element.sql), array: true, ..element }
}

fn mood() -> SqlType {
    let enum_labels = vec!["it's fine".to_owned(), "sad".to_owned()];
    SqlType { enum_labels, ..column("public.mood", BaseType::Enum, 16_500) }
}

fn types() -> Vec<SqlType> {
    vec![
        text(),
        varchar(64),
        varchar(20),
        varchar(15),
        varchar(7),
        varchar(1),
        column("public.citext", BaseType::Text, 16_400),
        column("pg_catalog.int2", BaseType::Integer, oid::INT2),
        column("pg_catalog.int4", BaseType::Integer, oid::INT4),
        column("pg_catalog.int8", BaseType::Integer, oid::INT8),
        column("pg_catalog.\"numeric\"", BaseType::Number, oid::NUMERIC),
        numeric(12, 2),
        numeric(6, 2),
        numeric(3, 3),
        numeric(2, -1),
        column("pg_catalog.float8", BaseType::Number, oid::FLOAT8),
        column("pg_catalog.money", BaseType::Number, oid::MONEY),
        column("pg_catalog.bool", BaseType::Boolean, oid::BOOL),
        column("pg_catalog.date", BaseType::Date, oid::DATE),
        column("pg_catalog.timestamp", BaseType::Timestamp, oid::TIMESTAMP),
        column("pg_catalog.timestamptz", BaseType::Timestamp, oid::TIMESTAMPTZ),
        column("pg_catalog.uuid", BaseType::Uuid, oid::UUID),
        column("pg_catalog.inet", BaseType::Inet, oid::INET),
        column("pg_catalog.cidr", BaseType::Inet, oid::CIDR),
        column("pg_catalog.bytea", BaseType::Bytea, oid::BYTEA),
        column("pg_catalog.json", BaseType::Json, oid::JSON),
        column("pg_catalog.jsonb", BaseType::Jsonb, oid::JSONB),
        mood(),
        column("pg_catalog.\"interval\"", BaseType::Other, 1186),
        array(text()),
        array(column("pg_catalog.int8", BaseType::Integer, oid::INT8)),
        array(column("pg_catalog.date", BaseType::Date, oid::DATE)),
        array(mood()),
    ]
}

fn method(label: &str) -> Method {
    #[derive(serde::Deserialize)]
    struct Label {
        mask: Method,
    }
    toml::from_str::<Label>(&format!("mask = {label}"))
        .unwrap_or_else(|error| panic!("{label}: {error}"))
        .mask
}

fn methods() -> Vec<Method> {
    [
        "\"redact\"",
        "\"null\"",
        "{ partial = { first = 1 } }",
        "{ partial = { first = 1, last = 2, keep_length = true } }",
        "\"email\"",
        "\"phone\"",
        "\"card\"",
        "\"hash\"",
        "\"token\"",
        "\"random\"",
    ]
    .map(method)
    .into()
}

/// One column for each of [`methods`], in that order: x where it fits.
const FITS: &str = "
pg_catalog.text            xxxxxxxxxx
character varying(64)      xxxxxxxxxx
character varying(20)      xxxxxxxxxx
character varying(15)      xxxxxx.x.x
character varying(7)       xxxx.x...x
character varying(1)       xx.......x
public.citext              xxxxxxxxxx
pg_catalog.int2            xx.....x.x
pg_catalog.int4            xx.....xxx
pg_catalog.int8            xx.....xxx
pg_catalog.\"numeric\"       xx.....xxx
numeric(12,2)              xx.....xxx
numeric(6,2)               xx.....x.x
numeric(3,3)               xx.......x
numeric(2,-1)              xx.......x
pg_catalog.float8          xx.......x
pg_catalog.money           xx.......x
pg_catalog.bool            xx.......x
pg_catalog.date            xx.......x
pg_catalog.timestamp       xx.......x
pg_catalog.timestamptz     xx.......x
pg_catalog.uuid            xx.....xxx
pg_catalog.inet            xx.......x
pg_catalog.cidr            xx.......x
pg_catalog.bytea           xx.....xxx
pg_catalog.json            xx.......x
pg_catalog.jsonb           xx.......x
public.mood                xx.......x
pg_catalog.\"interval\"      .x........
pg_catalog.text[]          xxxxxxxxxx
pg_catalog.int8[]          xx.....xxx
pg_catalog.date[]          xx.......x
public.mood[]              xx........
";

#[test]
fn each_method_fits_the_types_that_the_table_says() {
    let mut found = String::from("\n");
    for column in types() {
        let marks: String = methods()
            .iter()
            .map(|method| match compile(method, &column, "contact", true) {
                Ok(_) => 'x',
                Err(error) => {
                    assert_eq!((error.method.as_str(), &error.type_name), (method.name(), &column.sql));
                    assert!(error.hint.ends_with('.'), "{}", error.hint);
                    '.'
                }
            })
            .collect();
        found += &format!("{:<27}{marks}\n", column.sql);
    }
    assert_eq!(found, FITS);
}

#[test]
fn masks_read_like_this() {
    let hidden = "{ constant = \"it's \\\\ hidden\" }";
    let cases: &[(&str, SqlType, bool, &str)] = &[
        ("\"redact\"", text(), false, "CAST(CAST('***' AS pg_catalog.text) AS pg_catalog.text)"),
        ("\"redact\"", varchar(2), false, "CAST(CAST('**' AS character varying(2)) AS character varying(2))"),
        (
            "\"redact\"",
            column("pg_catalog.date", BaseType::Date, oid::DATE),
            true,
            "CAST(CASE WHEN r.c IS NULL THEN NULL ELSE CAST('1970-01-01' AS pg_catalog.date) END AS pg_catalog.date)",
        ),
        ("\"redact\"", mood(), false, "CAST(CAST('it''s fine' AS public.mood) AS public.mood)"),
        ("\"redact\"", array(text()), false, "CAST(CAST('{}' AS pg_catalog.text[]) AS pg_catalog.text[])"),
        ("\"null\"", text(), true, "CAST(NULL AS pg_catalog.text)"),
        (hidden, text(), false, "CAST(CAST(E'it''s \\\\ hidden' AS pg_catalog.text) AS pg_catalog.text)"),
        (
            "{ partial = { first = 1 } }",
            text(),
            false,
            "CAST(CASE WHEN pg_catalog.int4ge(pg_catalog.char_length(CAST(r.c AS pg_catalog.text)), 4) \
             THEN pg_catalog.textcat(pg_catalog.\"left\"(CAST(r.c AS pg_catalog.text), 1), CAST('***' AS pg_catalog.text)) \
             ELSE CAST('***' AS pg_catalog.text) END AS pg_catalog.text)",
        ),
        (
            "\"token\"",
            text(),
            true,
            "CAST(pg_catalog.textcat('tok_', pg_catalog.\"left\"(pg_catalog.encode(pg_catalog.sha256(pg_catalog.byteacat(\
             pg_catalog.convert_to(pg_catalog.textcat('pgwarrant outer ', pg_catalog.current_setting('pgwarrant.key')), 'UTF8'), \
             pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.textcat(\
             pg_catalog.textcat('pgwarrant inner 7:contact:', pg_catalog.current_setting('pgwarrant.key')), \
             CAST(r.c AS pg_catalog.text)), 'UTF8')))), 'hex'), 16)) AS pg_catalog.text)",
        ),
    ];
    for (label, column, nulls_show, expected) in cases {
        let mask =
            compile(&method(label), column, "contact", *nulls_show).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(mask.render("r.c"), *expected, "{label}");
    }
}

/// Literals out, so that what is left is SQL alone.
fn without_literals(sql: &str) -> String {
    let mut left = String::new();
    let mut letters = sql.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' => {
                let escapes = left.ends_with('E');
                while let Some(letter) = letters.next() {
                    match letter {
                        '\\' if escapes => drop(letters.next()),
                        '\'' if letters.next_if_eq(&'\'').is_none() => break,
                        _ => {}
                    }
                }
                left.push('\'');
            }
            other => left.push(other),
        }
    }
    left
}

#[test]
fn nothing_in_a_mask_is_resolved_along_the_search_path_or_through_an_operator() {
    const WORDS: [&str; 18] = [
        "CAST",
        "AS",
        "CASE",
        "WHEN",
        "THEN",
        "ELSE",
        "END",
        "IS",
        "NULL",
        "AND",
        "COALESCE",
        "ARRAY",
        "SELECT",
        "FROM",
        "E",
        "v",
        "pgwarrant_element",
        "pg_catalog",
    ];
    let hostile = method("{ constant = \"' || pg_sleep(1) || '\\\\' IN (1)\" }");
    for column in types() {
        for method in methods().into_iter().chain([hostile.clone()]) {
            for (domain, nulls_show) in [("contact", true), ("it's \\ a 'domain", false)] {
                let Ok(mask) = compile(&method, &column, domain, nulls_show) else { continue };
                let sql = mask.render("HOLE").replace(&format!("AS {})", column.sql), "AS TYPE)");
                let sql = sql.replace(&format!("AS {}[])", column.sql), "AS TYPE)");
                let sql = without_literals(&sql);
                assert!(!sql.contains(|c: char| "=<>+-*/|&%~!@#^?:;$\0".contains(c)), "{sql}");
                assert!(!sql.contains("CASE HOLE") && !sql.contains("DISTINCT"), "{sql}");
                // Every word is the grammar's own, or stands behind pg_catalog.
                let mut before = "";
                for word in sql.split_inclusive(|c: char| !c.is_alphanumeric() && c != '_') {
                    let bare = word.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '_');
                    let qualified = before.ends_with("pg_catalog.")
                        || before.ends_with("pgwarrant_element.")
                        || before == "\"";
                    let known = WORDS.contains(&bare)
                        || bare == "HOLE"
                        || bare == "TYPE"
                        || bare.bytes().all(|b| b.is_ascii_digit());
                    assert!(known || qualified, "{word:?} is not qualified: {sql}");
                    before = word;
                }
            }
        }
    }
}

#[test]
fn the_column_is_named_in_holes_only() {
    for column in types() {
        for method in methods() {
            let Ok(mask) = compile(&method, &column, "contact", true) else { continue };
            let holes = mask.pieces.len() - 1;
            // A random value depends on NULL at most.
            let shows = !matches!(method, Method::Null);
            assert_eq!(holes > 0, shows, "{method:?} on {}", column.sql);
            assert_eq!(mask.render("r.\"odd \0 name\"").matches("odd \0 name").count(), holes);
        }
    }
    let random = compile(&Method::Random, &text(), "contact", false).expect("text");
    assert_eq!(random.pieces.len(), 1, "nothing of the column goes into it");
    let domain = compile(&Method::Hash, &text(), "a\0b", true);
    assert!(domain.is_err(), "a category cannot forge a hole");
}

#[test]
fn a_label_and_its_method_are_two_forms_of_one_thing() {
    for label in [
        "\"redact\"",
        "\"null\"",
        "\"email\"",
        "\"phone\"",
        "\"card\"",
        "\"hash\"",
        "\"token\"",
        "\"random\"",
        "{ constant = \"x\" }",
        "{ partial = { first = 1 } }",
        "{ partial = { last = 4, fill = \"•\", width = 9 } }",
        "{ partial = { first = 2, last = 2, keep_length = true } }",
    ] {
        let method = method(label);
        assert!(Method::NAMES.contains(&method.name()));
        let json = serde_json::to_string(&method).expect("JSON");
        assert_eq!(serde_json::from_str::<Method>(&json).expect(&json), method, "{json}");
    }
    assert_eq!(method("{ constant = 0 }"), Method::Constant("0".into()));
    assert_eq!(method("{ constant = false }"), Method::Constant("false".into()));
}

#[test]
fn constants_are_checked_against_the_type() {
    let cases: &[(&str, SqlType, &str)] = &[
        ("too long", varchar(3), "The constant may have 3 characters at most."),
        (
            "32768",
            column("int2", BaseType::Integer, oid::INT2),
            "The constant must be a whole number from -32768 to 32767.",
        ),
        ("1e3", numeric(12, 2), "The constant must be a decimal number such as 0 or -12.50."),
        (
            "0.001",
            numeric(12, 2),
            "The constant may have 10 digits before the decimal point and 2 after it at most.",
        ),
        ("yes", column("bool", BaseType::Boolean, oid::BOOL), "The constant must be true or false."),
        (
            "1900-02-29",
            column("date", BaseType::Date, oid::DATE),
            "The constant must be a date such as 1970-01-01.",
        ),
        (
            "1900-01-01 00:00",
            column("timestamptz", BaseType::Timestamp, oid::TIMESTAMPTZ),
            "The constant must be a time with its zone, such as 1970-01-01 00:00:00+00.",
        ),
        ("happy", mood(), "The constant must be one of the type's labels: it's fine, sad."),
        ("a,b", array(text()), "Write an array constant in braces, such as {} or {a,\"b c\"}."),
        ("{abcd}", array(varchar(3)), "The constant may have 3 characters at most."),
        ("0", column("interval", BaseType::Other, 1186), "Only mask = \"null\" fits this type."),
        ("a\0b", text(), "A constant cannot hold a NUL character."),
    ];
    for (value, column, hint) in cases {
        let error = compile(&Method::Constant((*value).into()), column, "contact", false).expect_err(value);
        assert_eq!(error.hint, *hint, "{value:?}");
        assert_eq!(error.to_string(), format!("mask constant does not fit type {}", column.sql));
    }
    let json = column("json", BaseType::Json, oid::JSON);
    assert!(compile(&Method::Constant("{\"a\":".into()), &json, "contact", false).is_err());
    let empty = SqlType { enum_labels: Vec::new(), ..mood() };
    let error = compile(&Method::Redact, &empty, "contact", false).expect_err("no label");
    assert_eq!(error.hint, "The enum type has no label. Use null.");
}
