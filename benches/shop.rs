//! The catalogue of a shop, for benchmarks of the analysis.

use std::collections::HashMap;
use std::sync::Arc;

use pgwarrant_catalog::{
    Catalogue, Column, ColumnId, FunctionSafety, Oid, Protection, Relation, RelationKind, Ungranted,
};
use pgwarrant_masking::{BaseType, Method, SqlType, compile};

/// The first of [`PROTECTED`].
pub const CUSTOMERS: Oid = 16_384;

/// Relation, columns; those with an exclamation mark are protected.
const PROTECTED: [(&str, &str, &str); 4] = [
    ("public", "customers", "id !name !email city country"),
    ("public", "addresses", "id customer_id kind !street !zip"),
    ("public", "cards", "id customer_id !number !holder expires"),
    (
        "pg_catalog",
        "pg_attribute",
        "attrelid attname atttypid attstattarget attlen attnum attndims attcacheoff atttypmod attbyval attstorage \
         attalign attnotnull atthasdef atthasmissing attidentity attgenerated attisdropped attislocal attinhcount \
         attacl attoptions attfdwoptions !attmissingval attcompression attcollation",
    ),
];
const UNPROTECTED: [(&str, &str); 13] = [
    ("public", "pgbench_accounts"),
    ("public", "orders"),
    ("public", "order_items"),
    ("public", "products"),
    ("public", "page_views"),
    ("public", "payments"),
    ("pg_catalog", "pg_class"),
    ("pg_catalog", "pg_namespace"),
    ("pg_catalog", "pg_attrdef"),
    ("pg_catalog", "pg_collation"),
    ("pg_catalog", "pg_type"),
    ("pg_catalog", "pg_index"),
    ("pg_catalog", "pg_constraint"),
];
const FUNCTIONS: [&str; 7] =
    ["count", "sum", "max", "now", "format_type", "pg_get_expr", "pg_table_is_visible"];

fn text() -> SqlType {
    SqlType {
        sql: "pg_catalog.text".to_owned(),
        base: BaseType::Text,
        array: false,
        max_length: None,
        enum_labels: Vec::new(),
        domain: false,
        oid: 25,
        base_oid: 25,
        typmod: -1,
    }
}

fn protection(id: ColumnId) -> Protection {
    Protection {
        category: "contact".to_owned(),
        mask: compile(&Method::Redact, &text(), "contact", false).expect("text can be redacted"),
        method: "redact".to_owned(),
        ungranted: Ungranted::Mask,
        sensitivity: Default::default(),
        sources: vec![id],
        uncovered_by: vec![vec![id]],
        built_in: false,
    }
}

fn relation(oid: Oid, schema: &str, name: &str, columns: &str) -> Relation {
    let columns = columns.split_whitespace().zip(1i16..).map(|(name, attnum)| Column {
        attnum,
        name: name.trim_start_matches('!').to_owned(),
        column_type: text(),
        protection: name.starts_with('!').then(|| protection(ColumnId { relation: oid, attnum })),
    });
    Relation {
        oid,
        schema: schema.to_owned(),
        name: name.to_owned(),
        kind: RelationKind::Table,
        columns: columns.collect(),
        primary_key: vec![1],
        ancestors: Vec::new(),
        unreadable: HashMap::new(),
        read_risk: None,
        write_risk: None,
    }
}

pub fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue {
        version: 1,
        unprotected: UNPROTECTED
            .iter()
            .map(|(schema, name)| ((*schema).to_owned(), (*name).to_owned()))
            .collect(),
        schemas: ["public", "pg_catalog"].map(str::to_owned).into(),
        functions: FUNCTIONS.iter().map(|name| ((*name).to_owned(), FunctionSafety::Safe)).collect(),
        ..Catalogue::default()
    };
    for ((schema, name, columns), oid) in PROTECTED.into_iter().zip(CUSTOMERS..) {
        catalogue.relations.insert(oid, Arc::new(relation(oid, schema, name, columns)));
        catalogue.by_name.insert((schema.to_owned(), name.to_owned()), oid);
        catalogue.names.insert(name.to_owned(), vec![oid]);
    }
    catalogue
}
