//! The mask methods as a label names them.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// A mask method as written in a label: `mask = "redact"`, `mask = { constant = "hidden" }`,
/// `mask = { partial = { first = 1 } }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// The type's blank: `***`, 0, false, 1970-01-01, the nil UUID, 0.0.0.0, `{}`, an enum's first
    /// label, the empty array.
    Redact,
    /// NULL
    Null,
    /// One value for every row, as PostgreSQL would read it in quotes.
    Constant(String),
    /// The first and last few characters.
    Partial(Partial),
    /// `a***@***.com`: the first character of a local part that hides at least three more, and a
    /// top-level domain of two or three letters; whatever is not such an address is `***`.
    Email,
    /// `***12`: the last two digits of a number of at least seven characters; else `***`.
    Phone,
    /// `************1234`: the last four digits of a number of at least twelve characters, as on a
    /// receipt (PCI DSS 3.4 allows more); else twelve fill characters.
    Card,
    /// A keyed digest that looks like one: hexadecimal, a number, a UUID, bytes.
    Hash,
    /// A keyed digest made for people and joins: `tok_` and 16 hexadecimal digits whatever the
    /// column's length; on other types than text as [`Method::Hash`].
    Token,
    /// A value that has nothing to do with the original, drawn anew for every row of every
    /// statement: neither equality nor frequency says anything.
    Random,
}

/// What [`Method::Partial`] shows.
///
/// A value shows nothing unless at least three characters, and at least as many as are shown, stay
/// hidden: no value comes out whole, and none more than half.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "RawPartial")]
pub struct Partial {
    /// Characters kept at the start.
    pub first: u32,
    /// Characters kept at the end.
    pub last: u32,
    /// The character that stands for what is hidden.
    pub fill: char,
    /// How many of them; `None`: as many as were hidden, which tells the value's length.
    pub width: Option<u32>,
}

/// The most characters a partial mask may keep on one side, and the widest fill.
const PARTIAL_MAX: u32 = 64;

/// Fill characters where a label does not say.
const DEFAULT_WIDTH: u32 = 3;

impl Partial {
    /// Characters kept on both sides together.
    pub fn kept(&self) -> u32 {
        self.first + self.last
    }

    /// The shortest value that shows anything, in characters.
    pub fn threshold(&self) -> u32 {
        self.kept() + self.kept().max(MIN_HIDDEN)
    }
}

/// A partial mask hides at least this many characters of a value, or all of it.
pub(crate) const MIN_HIDDEN: u32 = 3;

/// A partial mask as typed.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPartial {
    #[serde(default)]
    first: u32,
    #[serde(default)]
    last: u32,
    fill: Option<char>,
    width: Option<u32>,
    #[serde(default)]
    keep_length: bool,
}

impl TryFrom<RawPartial> for Partial {
    type Error = String;

    fn try_from(raw: RawPartial) -> Result<Self, String> {
        let fill = raw.fill.unwrap_or('*');
        if raw.first > PARTIAL_MAX || raw.last > PARTIAL_MAX {
            return Err(format!("a partial mask keeps at most {PARTIAL_MAX} characters on each side"));
        }
        if raw.first == 0 && raw.last == 0 {
            return Err("a partial mask keeps something: give first or last, or use mask = \"redact\"".into());
        }
        if fill.is_control() || fill.is_whitespace() || fill.is_alphanumeric() {
            return Err("fill must be a visible character that is neither a letter nor a digit".into());
        }
        let width = match (raw.width, raw.keep_length) {
            (Some(_), true) => return Err("give width or keep_length, not both".into()),
            (Some(width), false) if width == 0 || width > PARTIAL_MAX => {
                return Err(format!("width must be 1 to {PARTIAL_MAX}"));
            }
            (Some(width), false) => Some(width),
            (None, true) => None,
            (None, false) => Some(DEFAULT_WIDTH),
        };
        Ok(Self { first: raw.first, last: raw.last, fill, width })
    }
}

impl Method {
    /// Every name that a label may use, the ones with arguments last.
    pub const NAMES: [&'static str; 10] =
        ["redact", "null", "email", "phone", "card", "hash", "token", "random", "constant", "partial"];

    /// The method's name, as in a label.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Redact => "redact",
            Self::Null => "null",
            Self::Constant(_) => "constant",
            Self::Partial(_) => "partial",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Card => "card",
            Self::Hash => "hash",
            Self::Token => "token",
            Self::Random => "random",
        }
    }

    /// Does NULL show as NULL where the label does not say? Whether there is a value is a bit of
    /// information, and a constant mask would otherwise give none at all.
    pub fn shows_nulls(&self) -> bool {
        !matches!(self, Self::Redact | Self::Null | Self::Constant(_) | Self::Random)
    }

    /// Does the mask read the key ([`crate::KEY_SETTING`])?
    pub fn is_keyed(&self) -> bool {
        matches!(self, Self::Hash | Self::Token)
    }

    fn plain(name: &str) -> Option<Self> {
        Some(match name {
            "redact" => Self::Redact,
            "null" => Self::Null,
            "email" => Self::Email,
            "phone" => Self::Phone,
            "card" => Self::Card,
            "hash" => Self::Hash,
            "token" => Self::Token,
            "random" => Self::Random,
            _ => return None,
        })
    }
}

impl Serialize for Method {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Constant(value) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("constant", value)?;
                map.end()
            }
            Self::Partial(partial) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("partial", &TypedPartial::from(partial))?;
                map.end()
            }
            plain => serializer.serialize_str(plain.name()),
        }
    }
}

/// A partial mask as it would be typed.
#[derive(serde::Serialize)]
struct TypedPartial {
    first: u32,
    last: u32,
    fill: char,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    keep_length: bool,
}

impl From<&Partial> for TypedPartial {
    fn from(partial: &Partial) -> Self {
        let Partial { first, last, fill, width } = *partial;
        Self { first, last, fill, width, keep_length: width.is_none() }
    }
}

impl<'de> Deserialize<'de> for Method {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MethodVisitor)
    }
}

struct MethodVisitor;

impl<'de> Visitor<'de> for MethodVisitor {
    type Value = Method;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a mask: {}", known())
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Method, E> {
        match name {
            "constant" => Err(E::custom("mask constant needs its value: { constant = \"hidden\" }")),
            "partial" => {
                Err(E::custom("mask partial needs what it keeps: { partial = { first = 1, last = 0 } }"))
            }
            _ => Method::plain(name).ok_or_else(|| unknown(name)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Method, A::Error> {
        let Some(name) = map.next_key::<String>()? else {
            return Err(de::Error::custom(format!("a mask is missing; known masks: {}", known())));
        };
        let method = match name.as_str() {
            "constant" => Method::Constant(map.next_value::<ConstantText>()?.0),
            "partial" => Method::Partial(map.next_value()?),
            _ if Method::plain(&name).is_some() => {
                return Err(de::Error::custom(format!(
                    "mask {name} takes no arguments: write mask = \"{name}\""
                )));
            }
            _ => return Err(unknown(&name)),
        };
        match map.next_key::<String>()? {
            None => Ok(method),
            Some(second) => Err(de::Error::custom(format!("a label has one mask, not {name} and {second}"))),
        }
    }
}

fn unknown<E: de::Error>(name: &str) -> E {
    E::custom(format!("unknown mask \"{name}\"; known masks: {}", known()))
}

fn known() -> String {
    Method::NAMES.join(", ")
}

/// A constant may be typed as a number or a boolean: `{ constant = 0 }`.
struct ConstantText(String);

impl<'de> Deserialize<'de> for ConstantText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = ConstantText;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string, a number or a boolean")
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<ConstantText, E> {
                if value.contains('\0') {
                    return Err(E::custom("a constant cannot hold a NUL character"));
                }
                Ok(ConstantText(value.to_owned()))
            }
            fn visit_bool<E>(self, value: bool) -> Result<ConstantText, E> {
                Ok(ConstantText(value.to_string()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<ConstantText, E> {
                Ok(ConstantText(value.to_string()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<ConstantText, E> {
                Ok(ConstantText(value.to_string()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<ConstantText, E> {
                Ok(ConstantText(value.to_string()))
            }
        }
        deserializer.deserialize_any(Text)
    }
}
