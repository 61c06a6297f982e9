//! The keyed masks: a digest that only who has the key can repeat.
//!
//! `H(outer ‖ key ‖ H(inner ‖ domain ‖ key ‖ value))` with SHA-256, which PostgreSQL has built in
//! where HMAC would need pgcrypto. As in HMAC the second pass closes length extension, and the two
//! passes start differently, so that neither digest is ever an input of the other. The domain is
//! written with its length: no two of them begin alike.
//!
//! What is digested is a form of the value that no session setting changes and that equal values
//! of one type share: `1.0` and `1.00` get one token, as do `Ann` and `ann` in a `citext` column.

use crate::literal::{quote, text_limit};
use crate::sql_type::numeric_digits;
use crate::{BaseType, Method, SqlType, oid};

/// The setting that holds the key; the proxy sets it for the upstream session and refuses every
/// statement that could show or change it.
pub const KEY_SETTING: &str = "pgwarrant.key";

/// A token's hexadecimal digits: 64 bits, a collision is to be expected at four thousand million
/// values. The same in every text column, whatever its length, so that tokens join.
const TOKEN_DIGITS: u32 = 16;
const TOKEN_PREFIX: &str = "tok_";
/// Fewer hexadecimal digits (32 bits) do not tell values apart.
const HASH_MIN_DIGITS: u32 = 8;

/// The masked value of `value` (SQL text for a reference to it), of the column's base type, or a
/// hint.
pub(crate) fn expression(
    method: &Method,
    value: &str,
    column_type: &SqlType,
    domain: &str,
    nulls_show: bool,
) -> Result<String, String> {
    let token = *method == Method::Token;
    let digest = |form| digest(form, value, domain, nulls_show);
    match column_type.base {
        BaseType::Text => {
            let limit = text_limit(column_type);
            let form = if is_citext(column_type) { Form::FoldedText } else { Form::Text };
            if token {
                let length = TOKEN_PREFIX.len() as u32 + TOKEN_DIGITS;
                if limit.is_some_and(|limit| limit < length) {
                    return Err(format!("A token needs {length} characters. Use redact, partial or hash."));
                }
                let hex = hex(&digest(form));
                return Ok(format!(
                    "pg_catalog.textcat({}, pg_catalog.\"left\"({hex}, {TOKEN_DIGITS}))",
                    quote(TOKEN_PREFIX)
                ));
            }
            match limit {
                Some(limit) if limit < HASH_MIN_DIGITS => {
                    Err(format!("A hash needs {HASH_MIN_DIGITS} characters. Use redact or constant."))
                }
                Some(limit) if limit < 64 => {
                    Ok(format!("pg_catalog.\"left\"({}, {limit})", hex(&digest(form))))
                }
                _ => Ok(hex(&digest(form))),
            }
        }
        BaseType::Integer => match column_type.base_oid {
            oid::INT2 if token => Err(
                "A smallint is too small for tokens: they would not be distinct. Use hash, redact or null."
                    .into(),
            ),
            oid::INT2 => {
                Ok(format!("CAST({} AS pg_catalog.int2)", number(&digest(Form::Integer), 15, "int4")))
            }
            oid::INT4 => Ok(number(&digest(Form::Integer), 31, "int4")),
            _ => Ok(number(&digest(Form::Integer), 63, "int8")),
        },
        BaseType::Number if column_type.base_oid == oid::NUMERIC => {
            let digits = match numeric_digits(column_type.typmod) {
                None => 18,
                Some((_, scale)) if scale < 0 => return Err("Use redact, null or constant.".into()),
                Some((digits, _)) => digits.min(18),
            };
            let needed = if token { 9 } else { 4 };
            if digits < needed {
                return Err(format!(
                    "It needs {needed} digits before the decimal point to tell values apart. Use redact, null or constant."
                ));
            }
            let modulus = 10_i64.pow(digits.unsigned_abs());
            let number = number(&digest(Form::Numeric), 63, "int8");
            Ok(format!(
                "CAST(pg_catalog.int8mod({number}, CAST('{modulus}' AS pg_catalog.int8)) AS pg_catalog.numeric)"
            ))
        }
        BaseType::Uuid => {
            Ok(format!("CAST(pg_catalog.\"left\"({}, 32) AS pg_catalog.uuid)", hex(&digest(Form::Uuid))))
        }
        BaseType::Bytea => Ok(digest(Form::Bytes)),
        _ => {
            Err("Keyed masks fit text, integers, numeric, uuid and bytea. Use redact, null or constant."
                .into())
        }
    }
}

/// How a value becomes bytes.
#[derive(Clone, Copy)]
enum Form {
    Text,
    FoldedText,
    Integer,
    Numeric,
    Uuid,
    Bytes,
}

/// 32 bytes: NULL for NULL, or where `nulls_show` is off the digest of an empty value.
fn digest(form: Form, value: &str, domain: &str, nulls_show: bool) -> String {
    let key = format!("pg_catalog.current_setting({})", quote(KEY_SETTING));
    let start = quote(&format!("pgwarrant inner {}:{domain}:", domain.len()));
    let start = format!("pg_catalog.textcat({start}, {key})");
    let present = |value: String, empty: &str| {
        if nulls_show { value } else { format!("COALESCE({value}, {empty})") }
    };
    let utf8 = |text: &str| format!("pg_catalog.convert_to({text}, 'UTF8')");
    let text = |text: String| {
        let text = present(text, "CAST('' AS pg_catalog.text)");
        utf8(&format!("pg_catalog.textcat({start}, {text})"))
    };
    let bytes = |bytes: String| {
        let bytes = present(bytes, "CAST('' AS pg_catalog.bytea)");
        format!("pg_catalog.byteacat({}, {bytes})", utf8(&start))
    };
    let inner = match form {
        Form::Text => text(format!("CAST({value} AS pg_catalog.text)")),
        Form::FoldedText => text(format!("pg_catalog.lower(CAST({value} AS pg_catalog.text))")),
        Form::Integer => bytes(format!("pg_catalog.int8send(CAST({value} AS pg_catalog.int8))")),
        Form::Numeric => text(format!("CAST(pg_catalog.trim_scale({value}) AS pg_catalog.text)")),
        Form::Uuid => bytes(format!("pg_catalog.uuid_send({value})")),
        Form::Bytes => bytes(format!("CAST({value} AS pg_catalog.bytea)")),
    };
    let outer = utf8(&format!("pg_catalog.textcat({}, {key})", quote("pgwarrant outer ")));
    format!("pg_catalog.sha256(pg_catalog.byteacat({outer}, pg_catalog.sha256({inner})))")
}

pub(crate) fn hex(bytes: &str) -> String {
    format!("pg_catalog.encode({bytes}, 'hex')")
}

/// The first `bits` of a digest as a number that is not negative: a bit string of that many bits,
/// made of more (an explicit cast cuts it), has a zero where the sign would be.
pub(crate) fn number(digest: &str, bits: u32, integer: &str) -> String {
    let hex = format!("pg_catalog.\"left\"({}, 16)", hex(digest));
    format!(
        "CAST(CAST(pg_catalog.textcat('x', {hex}) AS pg_catalog.\"bit\"({bits})) AS pg_catalog.{integer})"
    )
}

/// The one text type without a fixed oid.
fn is_citext(column_type: &SqlType) -> bool {
    !matches!(column_type.base_oid, oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME)
}
