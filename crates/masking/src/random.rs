//! The random mask: values that nothing of the original goes into.
//!
//! `gen_random_uuid` and not `random`: it draws from the operating system (`pg_strong_random`), so
//! a session cannot fix what comes next with `setseed`. It is volatile, so PostgreSQL evaluates a
//! privacy view with it for each row as it stands instead of merging it into the statement: a
//! statement pays for the mask whether or not it uses the column.

use crate::keyed::{hex, number};
use crate::literal::{quote, text_limit};
use crate::sql_type::numeric_digits;
use crate::{BaseType, SqlType, oid};

/// Hexadecimal digits of a random text: 64 bits, so that a UNIQUE column stays one.
const TEXT_DIGITS: u32 = 16;

/// An enum with more labels would make the expression too long.
const MAX_LABELS: usize = 256;

/// 32 random bytes.
const BYTES: &str = "pg_catalog.sha256(pg_catalog.uuid_send(pg_catalog.gen_random_uuid()))";

/// Days after 1970-01-01 that a date is drawn from: to the end of 2024.
const DAYS: u32 = 20_089;

/// A random value of the column's base type, or a hint.
pub(crate) fn expression(column_type: &SqlType) -> Result<String, String> {
    let integer = |bits: u32| number(BYTES, bits, "int4");
    // 30 bits of seconds: to the start of 2004.
    let moment = || format!("pg_catalog.to_timestamp(CAST({} AS pg_catalog.float8))", integer(30));
    Ok(match column_type.base {
        BaseType::Text => {
            let digits = text_limit(column_type).unwrap_or(TEXT_DIGITS).min(TEXT_DIGITS);
            format!("pg_catalog.\"left\"({}, {digits})", hex(BYTES))
        }
        BaseType::Integer => match column_type.base_oid {
            oid::INT2 => format!("CAST({} AS pg_catalog.int2)", integer(15)),
            oid::INT4 => integer(31),
            _ => number(BYTES, 63, "int8"),
        },
        BaseType::Number => decimal(column_type),
        BaseType::Boolean => format!("pg_catalog.int4eq({}, 1)", integer(1)),
        BaseType::Date => format!(
            "pg_catalog.date_pli(CAST('1970-01-01' AS pg_catalog.date), pg_catalog.int4mod({}, {DAYS}))",
            integer(31)
        ),
        BaseType::Timestamp if column_type.base_oid == oid::TIMESTAMPTZ => moment(),
        BaseType::Timestamp => format!("pg_catalog.timezone('UTC', {})", moment()),
        BaseType::Uuid => "pg_catalog.gen_random_uuid()".into(),
        BaseType::Inet => format!(
            "pg_catalog.inetpl(CAST('0.0.0.0' AS pg_catalog.inet), {})",
            // 31 bits: up to 127.255.255.255.
            number(BYTES, 31, "int8")
        ),
        BaseType::Bytea => BYTES.into(),
        BaseType::Json | BaseType::Jsonb => format!(
            "pg_catalog.textcat(pg_catalog.textcat('\"', pg_catalog.\"left\"({}, {TEXT_DIGITS})), '\"')",
            hex(BYTES)
        ),
        BaseType::Enum => label(column_type)?,
        BaseType::Other => return Err("Only mask = \"null\" fits this type.".into()),
    })
}

/// As many digits as the type holds, up to 18; all of them when it holds fewer.
fn decimal(column_type: &SqlType) -> String {
    let (digits, scale) = match column_type.base_oid {
        oid::NUMERIC => match numeric_digits(column_type.typmod) {
            Some((before, scale)) => ((before + scale).clamp(1, 18), scale),
            None => (18, 0),
        },
        oid::MONEY => (9, 2),
        _ => (9, 0),
    };
    let modulus = 10_i64.pow(digits.unsigned_abs());
    let whole = format!(
        "CAST(pg_catalog.int8mod({}, CAST('{modulus}' AS pg_catalog.int8)) AS pg_catalog.numeric)",
        number(BYTES, 63, "int8")
    );
    format!("pg_catalog.numeric_mul({whole}, CAST('1e{}' AS pg_catalog.numeric))", -scale)
}

/// One of the enum's labels, taken from an array literal: a cast from text is one that the enum's
/// owner could define.
fn label(column_type: &SqlType) -> Result<String, String> {
    let labels = &column_type.enum_labels;
    if labels.is_empty() || labels.len() > MAX_LABELS {
        return Err(format!("It fits an enum of 1 to {MAX_LABELS} labels. Use null or constant."));
    }
    let quoted = |label: &String| format!("\"{}\"", label.replace('\\', "\\\\").replace('"', "\\\""));
    let list: Vec<String> = labels.iter().map(quoted).collect();
    let list = quote(&format!("{{{}}}", list.join(",")));
    if column_type.array {
        return Err("It does not fit arrays of an enum. Use null, redact or constant.".into());
    }
    Ok(format!(
        "(CAST({list} AS {}[]))[pg_catalog.int4pl(1, pg_catalog.int4mod({}, {}))]",
        column_type.sql,
        number(BYTES, 31, "int4"),
        labels.len()
    ))
}
