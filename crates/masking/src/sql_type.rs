//! What a mask must know about the type of the column that it replaces.

/// The family a type belongs to once domains are unwrapped and array brackets removed; it decides
/// which mask methods fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BaseType {
    /// `text`, `varchar`, `bpchar`, `citext`, `name`
    Text,
    /// `int2`, `int4`, `int8`
    Integer,
    /// `numeric`, `float4`, `float8`, `money`
    Number,
    Boolean,
    Date,
    /// `timestamp`, `timestamptz`
    Timestamp,
    Uuid,
    /// `inet`, `cidr`
    Inet,
    Bytea,
    Json,
    Jsonb,
    Enum,
    /// Anything else; only `null` fits.
    Other,
}

/// The type of a column, ready to be spliced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlType {
    /// Fully qualified SQL text with its modifier, safe under any search_path, for example
    /// `pg_catalog.text`, `character varying(32)`, `public.citext`, `pg_catalog.text[]`.
    pub sql: String,
    pub base: BaseType,
    /// Is the column an array of `base`?
    pub array: bool,
    /// `varchar(n)` and `char(n)`: n
    pub max_length: Option<u32>,
    /// Labels of an enum type, in their sort order.
    pub enum_labels: Vec<String>,
    /// A domain, or a domain somewhere below: its CHECK or NOT NULL may refuse a mask's value, so
    /// a mask over it must be one that the caller has tried on the server.
    pub domain: bool,
    /// `pg_type.oid`
    pub oid: u32,
    /// `pg_type.oid` of the type that is left once domains are unwrapped and array brackets
    /// removed: 1043 for a domain over `varchar(32)`, 23 for `int4[]`. It tells `int2` from
    /// `int8` and `inet` from `cidr`; see [`oid`].
    pub base_oid: u32,
    /// The modifier that applies to `base_oid`: the column's `atttypmod`, a domain's `typtypmod`;
    /// -1 where there is none. It tells how many digits a `numeric(12,2)` holds.
    pub typmod: i32,
}

/// The fixed `pg_type.oid`s that masks tell apart (`src/include/catalog/pg_type.dat`).
pub mod oid {
    pub const BOOL: u32 = 16;
    pub const BYTEA: u32 = 17;
    pub const NAME: u32 = 19;
    pub const INT8: u32 = 20;
    pub const INT2: u32 = 21;
    pub const INT4: u32 = 23;
    pub const TEXT: u32 = 25;
    pub const JSON: u32 = 114;
    pub const CIDR: u32 = 650;
    pub const FLOAT4: u32 = 700;
    pub const FLOAT8: u32 = 701;
    pub const MONEY: u32 = 790;
    pub const INET: u32 = 869;
    pub const BPCHAR: u32 = 1042;
    pub const VARCHAR: u32 = 1043;
    pub const DATE: u32 = 1082;
    pub const TIMESTAMP: u32 = 1114;
    pub const TIMESTAMPTZ: u32 = 1184;
    pub const NUMERIC: u32 = 1700;
    pub const UUID: u32 = 2950;
    pub const JSONB: u32 = 3802;
}

impl BaseType {
    /// The family of a built-in type; `None` for a type whose oid is not fixed (enums, `citext`,
    /// every other extension's) and [`BaseType::Other`] is then for the caller to decide.
    pub fn of_built_in(base_oid: u32) -> Option<Self> {
        Some(match base_oid {
            oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME => Self::Text,
            oid::INT2 | oid::INT4 | oid::INT8 => Self::Integer,
            oid::NUMERIC | oid::FLOAT4 | oid::FLOAT8 | oid::MONEY => Self::Number,
            oid::BOOL => Self::Boolean,
            oid::DATE => Self::Date,
            oid::TIMESTAMP | oid::TIMESTAMPTZ => Self::Timestamp,
            oid::UUID => Self::Uuid,
            oid::INET | oid::CIDR => Self::Inet,
            oid::BYTEA => Self::Bytea,
            oid::JSON => Self::Json,
            oid::JSONB => Self::Jsonb,
            _ => return None,
        })
    }
}

/// Digits before the decimal point and scale of a `numeric(p,s)` from its modifier; `None` for a
/// `numeric` without one. (`src/backend/utils/adt/numeric.c`, `make_numeric_typmod`: precision in
/// the upper half less `VARHDRSZ`, scale in the lower 11 bits, signed.)
pub(crate) fn numeric_digits(typmod: i32) -> Option<(i32, i32)> {
    let packed = typmod.checked_sub(4).filter(|packed| *packed >= 0)?;
    let precision = (packed >> 16) & 0xffff;
    let scale = ((packed & 0x7ff) ^ 1024) - 1024;
    Some((precision - scale, scale))
}
