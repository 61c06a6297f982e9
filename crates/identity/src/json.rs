//! JSON in which no name occurs twice.
//!
//! RFC 8259 leaves open which of two counts (section 4), so two readers of one signed text may
//! understand different things; RFC 7515 (section 4) and RFC 7519 (section 4) let a reader refuse.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// # Errors
/// This is not JSON, not an object, or an object in it has a name twice. Nothing of it is in the
/// error.
pub(crate) fn object(text: &[u8]) -> Result<Map<String, Value>, NotAnObject> {
    match serde_json::from_slice(text) {
        Ok(Strict(Value::Object(object))) => Ok(object),
        _ => Err(NotAnObject),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a JSON object in which each name occurs once")]
pub(crate) struct NotAnObject;

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON in which each name occurs once")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Strict(value))) = entries.next_entry::<String, Strict>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a name occurs twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_occurs_once_at_every_depth() {
        assert!(object(br#"{"a": {"b": [1, -1, 1.5, "x", true, null]}, "b": 2}"#).is_ok());
        for bad in [
            &br#"{"a": 1, "a": 1}"#[..],
            br#"{"a": 1, "\u0061": 2}"#,
            br#"{"x": [{"a": 1, "b": 2, "a": 3}]}"#,
            br"[]",
            br"1",
            br#"{"a": 1} {"b": 2}"#,
            br#"{"a": 1"#,
            b"{\"a\": \"\xff\"}",
            b"",
        ] {
            assert_eq!(object(bad), Err(NotAnObject), "{}", String::from_utf8_lossy(bad));
        }
        let deep = [&[b'['; 10_000][..], &[b']'; 10_000][..]].concat();
        assert!(object(&[&b"{\"a\":"[..], &deep, b"}"].concat()).is_err());
    }
}
