//! From `pg_type` to a type's text that no `search_path` can bend.

use pgwarrant_masking::{BaseType, SqlType};

use crate::Oid;
use crate::snapshot::{Snapshot, TypeRow};

/// Domains over domains and arrays of them, at most so deep.
const MAX_DEPTH: usize = 32;

/// Types whose names are part of the grammar, which always means `pg_catalog`'s (`SystemTypeName`
/// in `src/backend/parser/gram.y`), and whose modifiers have a syntax of their own.
const GRAMMAR_TYPES: [&str; 16] = [
    "bit",
    "varbit",
    "bpchar",
    "varchar",
    "bool",
    "int2",
    "int4",
    "int8",
    "float4",
    "float8",
    "numeric",
    "interval",
    "time",
    "timetz",
    "timestamp",
    "timestamptz",
];

/// The type of a column. A type that the snapshot does not hold (dropped in between) becomes
/// `text`, of which only NULL is made.
pub(crate) fn sql_type(snapshot: &Snapshot, oid: Oid, typmod: i32) -> SqlType {
    let unknown = SqlType {
        sql: "pg_catalog.text".into(),
        base: BaseType::Other,
        array: false,
        max_length: None,
        enum_labels: Vec::new(),
        domain: false,
        oid,
        base_oid: oid,
        typmod: -1,
    };
    let Some(row) = snapshot.types.get(&oid) else { return unknown };
    // A polymorphic pseudo-type (`pg_stats.most_common_vals`) cannot be cast to.
    if row.kind == 'p' {
        let sql = if row.name.contains("array") { "pg_catalog.text[]" } else { "pg_catalog.text" };
        return SqlType { sql: sql.into(), array: row.name.contains("array"), ..unknown };
    }
    let sql = match row.element.and_then(|element| snapshot.types.get(&element).map(|row| (element, row))) {
        Some((element, row)) => format!("{}[]", text(snapshot, element, row, typmod)),
        None => text(snapshot, oid, row, typmod),
    };

    let mut array = false;
    let mut domain = false;
    let (mut base_oid, mut base_row, mut typmod) = (oid, row, typmod);
    for _ in 0..MAX_DEPTH {
        let next = match (base_row.base, base_row.element) {
            (Some((base, base_typmod)), _) => {
                domain = true;
                // A domain has no modifier of its own; the column's is -1.
                Some((base, base_typmod))
            }
            // An array of arrays (through a domain) is not a plain array of its element.
            (None, Some(_)) if array => return SqlType { sql, array, domain, ..unknown },
            (None, Some(element)) => {
                array = true;
                Some((element, typmod))
            }
            (None, None) => None,
        };
        let Some((next_oid, next_typmod)) = next else { break };
        let Some(next_row) = snapshot.types.get(&next_oid) else {
            return SqlType { sql, array, domain, ..unknown };
        };
        (base_oid, base_row, typmod) = (next_oid, next_row, next_typmod);
    }
    SqlType {
        sql,
        base: base_type(base_oid, base_row),
        array,
        max_length: max_length(base_row, typmod),
        enum_labels: base_row.enum_labels.clone(),
        domain,
        oid,
        base_oid,
        typmod,
    }
}

fn text(snapshot: &Snapshot, oid: Oid, row: &TypeRow, typmod: i32) -> String {
    let modifier = snapshot.modifiers.get(&(oid, typmod)).filter(|_| typmod >= 0);
    if row.schema == "pg_catalog" && GRAMMAR_TYPES.contains(&row.name.as_str()) {
        match modifier {
            Some(modifier) => return modifier.whole.clone(),
            // Without a modifier the grammar's name is qualified all the same: `bit` alone would
            // mean bit(1), `character` character(1).
            None => return format!("pg_catalog.{}", quote_identifier(&row.name)),
        }
    }
    let suffix = modifier.map_or("", |modifier| modifier.suffix.as_str());
    format!("{}.{}{suffix}", quote_identifier(&row.schema), quote_identifier(&row.name))
}

fn base_type(oid: Oid, row: &TypeRow) -> BaseType {
    match BaseType::of_built_in(oid) {
        Some(base) => base,
        None if row.kind == 'e' => BaseType::Enum,
        // The extension's type, whatever schema it was put into.
        None if row.kind == 'b' && row.name == "citext" => BaseType::Text,
        None => BaseType::Other,
    }
}

/// `varchar(n)` and `char(n)` keep n + 4 (`VARHDRSZ`) as their modifier.
fn max_length(row: &TypeRow, typmod: i32) -> Option<u32> {
    if row.schema == "pg_catalog" && matches!(row.name.as_str(), "varchar" | "bpchar") {
        return u32::try_from(typmod.checked_sub(4)?).ok();
    }
    None
}

/// As it must be written so that it means exactly this name, keyword or not.
pub(crate) fn quote_identifier(name: &str) -> String {
    const PLAIN: [&str; 12] =
        ["public", "text", "citext", "uuid", "inet", "cidr", "date", "json", "jsonb", "bytea", "name", "oid"];
    let word = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if PLAIN.contains(&name) || (word && name.starts_with("pg_")) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}
