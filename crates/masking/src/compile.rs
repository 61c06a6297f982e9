//! From a method and a column's type to the expression.

use crate::literal::{self, quote, text_limit};
use crate::mask::HOLE;
use crate::method::MIN_HIDDEN;
use crate::{BaseType, Mask, MaskError, Method, Partial, SqlType, keyed, oid, random};

/// Makes the mask for a column of `column_type`. `domain` is the key domain (the label's
/// category): equal values in one domain get equal tokens. `nulls_show` says whether NULL comes
/// out as NULL ([`Method::shows_nulls`] where the label does not say); where it does not, NULL
/// looks like any other value.
///
/// An array is masked whole by `redact`, `null`, `constant` and `random` (one element), and element
/// by element by the others, which makes it one-dimensional and shows its length.
///
/// # Errors
/// Where the method does not fit the type; the hint says what does. Whether a domain's CHECK
/// accepts the masked values only the server can tell.
pub fn compile(
    method: &Method,
    column_type: &SqlType,
    domain: &str,
    nulls_show: bool,
) -> Result<Mask, MaskError> {
    let error = |hint: String| MaskError {
        method: method.name().to_owned(),
        type_name: column_type.sql.clone(),
        hint,
    };
    if domain.contains(HOLE) {
        return Err(error("A category cannot hold a NUL character.".into()));
    }
    let column = HOLE.to_string();
    let value = match method {
        Method::Null => "NULL".to_owned(),
        Method::Redact => {
            let blank = blank(column_type).map_err(error)?;
            unless_null(&column, &constant(&blank, column_type), nulls_show)
        }
        Method::Constant(value) => {
            literal::check(value, column_type).map_err(error)?;
            unless_null(&column, &constant(value, column_type), nulls_show)
        }
        Method::Random => {
            let value = random::expression(column_type).map_err(error)?;
            let value = if column_type.array { format!("ARRAY[{value}]") } else { value };
            unless_null(&column, &value, nulls_show)
        }
        _ if column_type.array => {
            let element =
                element(method, ELEMENT_REFERENCE, column_type, domain, nulls_show).map_err(error)?;
            let elements = format!("ARRAY(SELECT {element} FROM pg_catalog.unnest({column}) AS {ELEMENT})");
            unless_null(&column, &elements, nulls_show)
        }
        _ => element(method, &column, column_type, domain, nulls_show).map_err(error)?,
    };
    Ok(Mask::from_template(&format!("CAST({value} AS {})", column_type.sql)))
}

/// The alias of an array's elements; the hole is filled inside its scope, so it must not be a name
/// that a privacy view gives to a relation.
const ELEMENT: &str = "pgwarrant_element(v)";
const ELEMENT_REFERENCE: &str = "pgwarrant_element.v";

/// A mask of one value, an array's element or a whole column.
fn element(
    method: &Method,
    value: &str,
    column_type: &SqlType,
    domain: &str,
    nulls_show: bool,
) -> Result<String, String> {
    if method.is_keyed() {
        return keyed::expression(method, value, column_type, domain, nulls_show);
    }
    if column_type.base != BaseType::Text {
        return Err("It fits text only. Use redact, null or constant.".into());
    }
    let text = format!("CAST({value} AS pg_catalog.text)");
    let limit = text_limit(column_type).unwrap_or(u32::MAX);
    let Shown { condition, shown, hidden } = match method {
        Method::Partial(partial) => partial_text(partial, &text, limit)?,
        Method::Email => email(&text, limit)?,
        Method::Phone => phone(&text, limit)?,
        Method::Card => card(&text, limit)?,
        Method::Redact
        | Method::Null
        | Method::Constant(_)
        | Method::Hash
        | Method::Token
        | Method::Random => return Err("It masks arrays whole.".into()),
    };
    // A condition on NULL is not true, so NULL falls through to the hidden form by itself.
    let null = if nulls_show { format!("WHEN {value} IS NULL THEN NULL ") } else { String::new() };
    Ok(format!("CASE {null}WHEN {condition} THEN {shown} ELSE {hidden} END"))
}

/// A mask that shows a part of some values.
struct Shown {
    /// Whether a value is one of those, as SQL.
    condition: String,
    shown: String,
    /// What the others become.
    hidden: String,
}

fn partial_text(partial: &Partial, text: &str, limit: u32) -> Result<Shown, String> {
    if limit < partial.threshold() {
        return Err(format!(
            "It shows something of values of {} characters or more only, and this type holds fewer. Use redact.",
            partial.threshold()
        ));
    }
    let (middle, hidden) = match partial.width {
        Some(width) => {
            // The threshold leaves room for three at least.
            let fill = fill(partial.fill, width.min(limit - partial.kept()));
            (fill.clone(), fill)
        }
        None => {
            let one = quote(&partial.fill.to_string());
            let length = format!("pg_catalog.char_length({text})");
            (
                format!("pg_catalog.repeat({one}, pg_catalog.int4mi({length}, {}))", partial.kept()),
                format!("pg_catalog.repeat({one}, COALESCE({length}, {MIN_HIDDEN}))"),
            )
        }
    };
    let mut shown = middle;
    if partial.first > 0 {
        shown = format!("pg_catalog.textcat(pg_catalog.\"left\"({text}, {}), {shown})", partial.first);
    }
    if partial.last > 0 {
        shown = format!("pg_catalog.textcat({shown}, pg_catalog.\"right\"({text}, {}))", partial.last);
    }
    Ok(Shown { condition: at_least(text, partial.threshold()), shown, hidden })
}

/// LIKE on the whole and digits ruled out at the end, not a regular expression: a fifth of the
/// time, and what is shown of an address is bounded by construction.
fn email(text: &str, limit: u32) -> Result<Shown, String> {
    needs(limit, "a***@***.com".len() as u32)?;
    let ends = |pattern: &str| format!("pg_catalog.textlike({text}, '{pattern}')");
    let end = |length: u32| format!("pg_catalog.\"right\"({text}, {length})");
    let letters = format!("pg_catalog.int4ge(pg_catalog.ascii({}), {})", end(1), u32::from('A'));
    // Two letters or three: longer ones are rare enough to tell somebody.
    let domain = format!(
        "CASE WHEN {} AND {letters} THEN {} WHEN {} AND {letters} THEN {} ELSE '' END",
        ends("%.__"),
        end(3),
        ends("%.___"),
        end(4)
    );
    Ok(Shown {
        condition: format!(
            "pg_catalog.textlike({text}, '____%@_%._%') AND pg_catalog.textnlike({text}, '%@%@%')"
        ),
        shown: format!(
            "pg_catalog.textcat(pg_catalog.textcat(pg_catalog.\"left\"({text}, 1), '***@***'), {domain})"
        ),
        hidden: fill('*', 3),
    })
}

fn phone(text: &str, limit: u32) -> Result<Shown, String> {
    needs(limit, 7)?;
    Ok(last_digits(text, 7, 2, 3))
}

fn card(text: &str, limit: u32) -> Result<Shown, String> {
    needs(limit, 16)?;
    Ok(last_digits(text, 12, 4, 12))
}

/// The last `shown` characters, if they are digits, of values of `threshold` characters or more.
fn last_digits(text: &str, threshold: u32, shown: u32, width: u32) -> Shown {
    let end = format!("pg_catalog.\"right\"({text}, {shown})");
    let rest = format!("pg_catalog.translate({end}, '0123456789', '')");
    Shown {
        condition: format!("{} AND pg_catalog.texteq({rest}, '')", at_least(text, threshold)),
        shown: format!("pg_catalog.textcat({}, {end})", fill('*', width)),
        hidden: fill('*', width),
    }
}

fn needs(limit: u32, characters: u32) -> Result<(), String> {
    if limit < characters {
        return Err(format!("It needs {characters} characters. Use redact or partial."));
    }
    Ok(())
}

fn at_least(text: &str, characters: u32) -> String {
    format!("pg_catalog.int4ge(pg_catalog.char_length({text}), {characters})")
}

fn fill(character: char, width: u32) -> String {
    let fill: String = std::iter::repeat_n(character, width as usize).collect();
    format!("CAST({} AS pg_catalog.text)", quote(&fill))
}

/// A literal of exactly the column's type. A literal on its own, not text that is cast: the type's
/// input function reads it and no cast that the owner of an enum could define.
fn constant(value: &str, column_type: &SqlType) -> String {
    format!("CAST({} AS {})", quote(value), column_type.sql)
}

fn unless_null(column: &str, value: &str, nulls_show: bool) -> String {
    if nulls_show {
        format!("CASE WHEN {column} IS NULL THEN NULL ELSE {value} END")
    } else {
        value.to_owned()
    }
}

/// What `redact` puts in the place of a value, as PostgreSQL reads it in quotes under any DateStyle,
/// TimeZone or `lc_monetary`. Dates are the Unix epoch: a date that every client can hold and that
/// nobody takes for a real one.
fn blank(column_type: &SqlType) -> Result<String, String> {
    if column_type.base == BaseType::Other {
        return Err("Only mask = \"null\" fits this type.".into());
    }
    if column_type.array {
        return Ok("{}".into());
    }
    Ok(match column_type.base {
        BaseType::Text => "*".repeat(text_limit(column_type).unwrap_or(3).clamp(1, 3) as usize),
        BaseType::Integer | BaseType::Number => "0".into(),
        BaseType::Boolean => "false".into(),
        BaseType::Date => "1970-01-01".into(),
        BaseType::Timestamp if column_type.base_oid == oid::TIMESTAMPTZ => "1970-01-01 00:00:00+00".into(),
        BaseType::Timestamp => "1970-01-01 00:00:00".into(),
        BaseType::Uuid => "00000000-0000-0000-0000-000000000000".into(),
        BaseType::Inet if column_type.base_oid == oid::CIDR => "0.0.0.0/32".into(),
        BaseType::Inet => "0.0.0.0".into(),
        BaseType::Bytea => String::new(),
        BaseType::Json | BaseType::Jsonb => "{}".into(),
        BaseType::Enum => {
            column_type.enum_labels.first().cloned().ok_or("The enum type has no label. Use null.")?
        }
        BaseType::Other => return Err("Only mask = \"null\" fits this type.".into()),
    })
}
