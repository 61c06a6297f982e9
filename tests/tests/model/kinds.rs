//! The types of columns, with values and masks' constants for each.

use pgwarrant_masking::{BaseType, SqlType, oid};

/// What expressions know of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    Text,
    /// Equal values need not be the same text.
    Citext,
    Int,
    Num,
    Bool,
    Date,
    Time,
    TimeZone,
    Uuid,
    Inet,
    Bytea,
    Json,
    Jsonb,
    Texts,
    Ints,
    Mood,
    Odd,
}

impl Class {
    /// What a literal of the class is cast to.
    pub fn sql(self) -> &'static str {
        match self {
            Class::Text => "text",
            Class::Citext => "public.citext",
            Class::Int => "integer",
            Class::Num => "numeric",
            Class::Bool => "boolean",
            Class::Date => "date",
            Class::Time => "timestamp",
            Class::TimeZone => "timestamptz",
            Class::Uuid => "uuid",
            Class::Inet => "inet",
            Class::Bytea => "bytea",
            Class::Json => "json",
            Class::Jsonb => "jsonb",
            Class::Texts => "text[]",
            Class::Ints => "integer[]",
            Class::Mood => "public.mood",
            Class::Odd => "public.\"Odd Type\"",
        }
    }

    /// Values that look the same wherever they are equal: what may be grouped and sorted by.
    pub fn exact(self) -> bool {
        !matches!(self, Class::Citext | Class::Num | Class::Json | Class::Jsonb)
    }

    pub const ALL: [Class; 17] = [
        Class::Text,
        Class::Citext,
        Class::Int,
        Class::Num,
        Class::Bool,
        Class::Date,
        Class::Time,
        Class::TimeZone,
        Class::Uuid,
        Class::Inet,
        Class::Bytea,
        Class::Json,
        Class::Jsonb,
        Class::Texts,
        Class::Ints,
        Class::Mood,
        Class::Odd,
    ];

    /// Values as PostgreSQL reads them in quotes.
    pub fn values(self) -> &'static [&'static str] {
        match self {
            Class::Text | Class::Citext => &TEXTS,
            Class::Int => &["0", "1", "2", "3", "7", "12", "40", "-5"],
            Class::Num => &["0.00", "1.50", "12.25", "99.99", "-3.10", "1250.00"],
            Class::Bool => &["true", "false"],
            Class::Date => &["1970-01-01", "1984-02-29", "2001-12-31", "1999-06-15"],
            Class::Time => &["1970-01-01 00:00:00", "2020-05-05 10:11:12", "1999-12-31 23:59:59.5"],
            Class::TimeZone => {
                &["1970-01-01 00:00:00+00", "2020-05-05 10:11:12+00", "1999-12-31 23:59:59+00"]
            }
            Class::Uuid => &[
                "00000000-0000-0000-0000-000000000000",
                "6f9619ff-8b86-d011-b42d-00c04fc964ff",
                "11111111-2222-4333-8444-555555555555",
            ],
            Class::Inet => &["0.0.0.0", "10.1.2.3", "192.168.0.0/16", "2001:db8::1"],
            Class::Bytea => &["\\x", "\\x00ff", "\\xdeadbeef0102"],
            Class::Json | Class::Jsonb => {
                &["{}", "[]", r#"{"a": 1, "b": "x"}"#, r#"{"a": [1, 2]}"#, "null", "7"]
            }
            Class::Texts => &["{}", "{a}", "{a,b,NULL}", r#"{"two words","x,y"}"#],
            Class::Ints => &["{}", "{1}", "{1,2,NULL}", "{3,4,5}"],
            Class::Mood => &["fine", "sad", "glad"],
            Class::Odd => &["A a", "b\\b", "c"],
        }
    }
}

/// E-mail addresses, telephone and card numbers, casts that work and that fail, odd letters.
const TEXTS: [&str; 24] = [
    "",
    "***",
    "a",
    "Ann",
    "ann",
    "ANN",
    "Ann Lee",
    "Bo",
    "42",
    "7",
    " 7 ",
    "ann.lee@example.com",
    "Ann.Lee@example.com",
    "bo@x.io",
    "robert.fripp@mail.example.org",
    "+44 20 7946 0958",
    "555-0123",
    "4111111111111111",
    "4000001234567899",
    "it's",
    "50%_of",
    "back\\slash",
    "Zoë Ångström",
    "quo\"te",
];

/// A column's type.
#[derive(Debug)]
pub struct Kind {
    /// As a column's definition has it, with its collation.
    pub sql: &'static str,
    /// As a cast has it.
    pub cast: &'static str,
    pub class: Class,
    base_oid: u32,
    base: BaseType,
    typmod: i32,
    array: bool,
    domain: bool,
    /// What the values are cut to.
    pub characters: Option<usize>,
}

const fn plain(sql: &'static str, class: Class, base_oid: u32, base: BaseType) -> Kind {
    Kind { sql, cast: sql, class, base_oid, base, typmod: -1, array: false, domain: false, characters: None }
}

const fn sized(sql: &'static str, base_oid: u32, characters: usize) -> Kind {
    let typmod = characters as i32 + 4;
    Kind { typmod, characters: Some(characters), ..plain(sql, Class::Text, base_oid, BaseType::Text) }
}

const fn domain(kind: Kind) -> Kind {
    Kind { domain: true, ..kind }
}

const fn array(kind: Kind) -> Kind {
    Kind { array: true, ..kind }
}

const fn collated(kind: Kind, sql: &'static str) -> Kind {
    Kind { sql, ..kind }
}

const INT: Kind = plain("pg_catalog.int4", Class::Int, oid::INT4, BaseType::Integer);
const TEXT: Kind = plain("pg_catalog.text", Class::Text, oid::TEXT, BaseType::Text);
const BIG: Kind = plain("pg_catalog.int8", Class::Int, oid::INT8, BaseType::Integer);

pub static KEY: Kind = INT;
pub static BIG_KEY: Kind = BIG;
pub static PLAIN_TEXT: Kind = TEXT;
pub static C_TEXT: Kind = collated(TEXT, "pg_catalog.text COLLATE \"C\"");
pub static PLAIN_COUNT: Kind = BIG;

pub static KINDS: [Kind; 30] = [
    TEXT,
    TEXT,
    collated(TEXT, "pg_catalog.text COLLATE \"C\""),
    collated(TEXT, "pg_catalog.text COLLATE \"und-x-icu\""),
    sized("character varying(32)", oid::VARCHAR, 32),
    sized("character varying(12)", oid::VARCHAR, 12),
    sized("character(5)", oid::BPCHAR, 5),
    plain("public.citext", Class::Citext, 0, BaseType::Text),
    domain(plain("public.d_text", Class::Text, oid::TEXT, BaseType::Text)),
    domain(sized("public.d_short", oid::VARCHAR, 24)),
    INT,
    plain("pg_catalog.int2", Class::Int, oid::INT2, BaseType::Integer),
    BIG,
    domain(plain("public.d_int", Class::Int, oid::INT4, BaseType::Integer)),
    // numeric(10,2): src/backend/utils/adt/numeric.c, make_numeric_typmod
    Kind {
        typmod: ((10 << 16) | 2) + 4,
        ..plain("numeric(10,2)", Class::Num, oid::NUMERIC, BaseType::Number)
    },
    plain("pg_catalog.numeric", Class::Num, oid::NUMERIC, BaseType::Number),
    plain("pg_catalog.bool", Class::Bool, oid::BOOL, BaseType::Boolean),
    plain("pg_catalog.date", Class::Date, oid::DATE, BaseType::Date),
    plain("pg_catalog.timestamp", Class::Time, oid::TIMESTAMP, BaseType::Timestamp),
    plain("pg_catalog.timestamptz", Class::TimeZone, oid::TIMESTAMPTZ, BaseType::Timestamp),
    plain("pg_catalog.uuid", Class::Uuid, oid::UUID, BaseType::Uuid),
    plain("pg_catalog.inet", Class::Inet, oid::INET, BaseType::Inet),
    plain("pg_catalog.bytea", Class::Bytea, oid::BYTEA, BaseType::Bytea),
    plain("pg_catalog.json", Class::Json, oid::JSON, BaseType::Json),
    plain("pg_catalog.jsonb", Class::Jsonb, oid::JSONB, BaseType::Jsonb),
    array(plain("pg_catalog.text[]", Class::Texts, oid::TEXT, BaseType::Text)),
    array(plain("pg_catalog.int4[]", Class::Ints, oid::INT4, BaseType::Integer)),
    plain("public.mood", Class::Mood, 0, BaseType::Enum),
    domain(plain("public.d_mood", Class::Mood, 0, BaseType::Enum)),
    plain("public.\"Odd Type\"", Class::Odd, 0, BaseType::Enum),
];

/// What the kinds need in `public`.
pub const TYPES: &str = "
    CREATE EXTENSION citext;
    CREATE TYPE public.mood AS ENUM ('fine', 'sad', 'glad');
    CREATE TYPE public.\"Odd Type\" AS ENUM ('A a', 'b\\b', 'c');
    CREATE DOMAIN public.d_text AS text;
    CREATE DOMAIN public.d_short AS varchar(24) CHECK (length(VALUE) < 25);
    CREATE DOMAIN public.d_int AS integer CHECK (VALUE >= -7);
    CREATE DOMAIN public.d_mood AS public.mood;
";

impl Kind {
    /// What a mask must know of the type.
    pub fn sql_type(&self) -> SqlType {
        SqlType {
            sql: self.cast_name().to_owned(),
            base: self.base,
            array: self.array,
            max_length: self.characters.and_then(|characters| u32::try_from(characters).ok()),
            enum_labels: match self.base {
                BaseType::Enum => self.class.values().iter().map(|label| (*label).to_owned()).collect(),
                _ => Vec::new(),
            },
            domain: self.domain,
            oid: self.base_oid,
            base_oid: self.base_oid,
            typmod: self.typmod,
        }
    }

    /// The type without a collation.
    pub fn cast_name(&self) -> &'static str {
        self.cast
    }

    pub fn values(&self) -> Vec<String> {
        let cut = |value: &&str| value.chars().take(self.characters.unwrap_or(usize::MAX)).collect();
        self.class.values().iter().map(cut).collect()
    }
}

/// A literal without a type.
pub fn quoted(value: &str) -> String {
    let value = value.replace('\'', "''");
    if value.contains('\\') { format!("E'{}'", value.replace('\\', "\\\\")) } else { format!("'{value}'") }
}
