//! A catalogue, made by hand, that has one of everything the analysis must know about.

// Each test takes what it needs of it.
#![allow(dead_code)]

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pgwarrant_catalog::{
    Catalogue, Column, ColumnId, FunctionSafety, Oid, Protection, Relation, RelationKind, Ungranted,
};
use pgwarrant_masking::{BaseType, Method, SqlType, compile};
use pgwarrant_sql::{Access, Actions, GrantId, GrantScope, OtherRows, Rows, SessionState, predicate};

pub const CUSTOMERS: Oid = 1001;
pub const PEOPLE: Oid = 1002;
pub const CUSTOMERS_EU: Oid = 1003;
pub const CUSTOMER_NAMES: Oid = 1004;
pub const RISKY: Oid = 1005;
pub const TRIGGERED: Oid = 1006;
pub const ACTIVITY: Oid = 1007;
pub const VISITS: Oid = 1008;
pub const SENSITIVE: Oid = 1009;
pub const STAFF: Oid = 1010;
pub const ADDRESSES: Oid = 1011;

fn sql_type(of: &str) -> SqlType {
    let (base, oid, max_length) = match of {
        "int4" => (BaseType::Integer, 23, None),
        "int8" => (BaseType::Integer, 20, None),
        "numeric" => (BaseType::Number, 1700, None),
        "date" => (BaseType::Date, 1082, None),
        "timestamptz" => (BaseType::Timestamp, 1184, None),
        "json" => (BaseType::Json, 114, None),
        "name" => (BaseType::Text, 19, None),
        "varchar(32)" => (BaseType::Text, 1043, Some(32)),
        _ => (BaseType::Text, 25, None),
    };
    let sql = match of {
        "varchar(32)" => "character varying(32)".to_owned(),
        "postcode" => "public.postcode".to_owned(),
        of => format!("pg_catalog.{of}"),
    };
    let typmod = max_length.map_or(-1, |length: u32| length as i32 + 4);
    SqlType {
        sql,
        base,
        array: false,
        max_length,
        enum_labels: Vec::new(),
        domain: of == "postcode",
        oid,
        base_oid: oid,
        typmod,
    }
}

/// `name type`, and for a protected column `mask` (`!mask` where it is blocked).
type Spec = (&'static str, &'static str, &'static str);

struct Builder(Relation);

fn relation(oid: Oid, schema: &str, name: &str, kind: RelationKind, specs: &[Spec]) -> Builder {
    let columns = specs
        .iter()
        .enumerate()
        .map(|(index, (name, of, mask))| {
            let attnum = index as i16 + 1;
            let column_type = sql_type(of);
            let protection = (!mask.is_empty()).then(|| {
                let own = ColumnId { relation: oid, attnum };
                let (ungranted, method) = match mask.strip_prefix('!') {
                    Some(method) => (Ungranted::Block, method),
                    None => (Ungranted::Mask, *mask),
                };
                let method = match method {
                    "email" => Method::Email,
                    "phone" => Method::Phone,
                    "null" => Method::Null,
                    _ => Method::Redact,
                };
                Protection {
                    category: "contact".to_owned(),
                    mask: compile(&method, &column_type, "contact", true).expect("the mask fits"),
                    method: method.name().to_owned(),
                    ungranted,
                    sensitivity: Default::default(),
                    sources: vec![own],
                    uncovered_by: vec![vec![own]],
                    built_in: false,
                }
            });
            Column { attnum, name: (*name).to_owned(), column_type, protection }
        })
        .collect();
    Builder(Relation {
        oid,
        schema: schema.to_owned(),
        name: name.to_owned(),
        kind,
        columns,
        primary_key: vec![1],
        ancestors: Vec::new(),
        unreadable: HashMap::new(),
        read_risk: None,
        write_risk: None,
    })
}

impl Builder {
    fn with(mut self, change: impl FnOnce(&mut Relation)) -> Self {
        change(&mut self.0);
        self
    }
}

const CUSTOMER_COLUMNS: [Spec; 9] = [
    ("id", "int8", ""),
    ("name", "text", "redact"),
    ("email", "text", "null"),
    ("phone", "varchar(32)", "redact"),
    ("ssn", "text", "!redact"),
    ("birth", "date", "redact"),
    ("balance", "numeric", ""),
    ("region", "text", ""),
    ("created_at", "timestamptz", ""),
];

fn relations() -> Vec<Relation> {
    use RelationKind::{PartitionedTable, Table, View};
    let inherits = |relation: &mut Relation| {
        relation.ancestors = vec![CUSTOMERS];
        for column in &mut relation.columns {
            if let Some(protection) = &mut column.protection {
                let parent = ColumnId { relation: CUSTOMERS, attnum: column.attnum };
                protection.sources.push(parent);
                protection.uncovered_by.push(vec![parent]);
            }
        }
    };
    let derives = |relation: &mut Relation| {
        relation.primary_key.clear();
        for column in &mut relation.columns {
            if let Some(protection) = &mut column.protection {
                let bases = vec![
                    ColumnId { relation: CUSTOMERS, attnum: 2 },
                    ColumnId { relation: CUSTOMERS, attnum: 3 },
                ];
                protection.sources = bases.clone();
                protection.uncovered_by.push(bases);
            }
        }
    };
    let built_in = |relation: &mut Relation| {
        relation.primary_key.clear();
        for column in &mut relation.columns {
            if let Some(protection) = &mut column.protection {
                protection.built_in = true;
                protection.sources.clear();
                protection.uncovered_by.clear();
            }
        }
    };
    let builders = [
        relation(CUSTOMERS, "public", "customers", PartitionedTable, &CUSTOMER_COLUMNS),
        relation(
            PEOPLE,
            "crm",
            "people",
            Table,
            &[("id", "int8", ""), ("name", "text", "redact"), ("phone", "text", "null")],
        ),
        relation(CUSTOMERS_EU, "public", "customers_eu", Table, &CUSTOMER_COLUMNS).with(inherits),
        relation(
            CUSTOMER_NAMES,
            "public",
            "customer_names",
            View,
            &[("id", "int8", ""), ("label", "text", "null")],
        )
        .with(derives),
        relation(RISKY, "public", "risky", View, &[("id", "int8", "")]).with(|relation| {
            relation.read_risk =
                Some("view public.risky, which uses function public.dump_customers".to_owned())
        }),
        relation(TRIGGERED, "public", "triggered", Table, &[("id", "int8", ""), ("note", "text", "")])
            .with(|relation| relation.write_risk = Some("trigger log on public.triggered".to_owned())),
        relation(
            ACTIVITY,
            "pg_catalog",
            "pg_stat_activity",
            View,
            &[("pid", "int4", ""), ("usename", "name", ""), ("query", "text", "null")],
        )
        .with(built_in),
        relation(
            VISITS,
            "public",
            "visits",
            Table,
            &[
                ("customer_id", "int8", ""),
                ("day", "date", ""),
                ("place", "text", "redact"),
                ("note", "json", "null"),
            ],
        )
        .with(|relation| relation.primary_key = vec![1, 2]),
        relation(
            SENSITIVE,
            "public",
            "Sensitive Data",
            Table,
            &[("Key", "int8", ""), ("E-Mail", "text", "null"), ("user", "text", "null")],
        ),
        relation(
            ADDRESSES,
            "crm",
            "addresses",
            Table,
            &[("id", "int8", ""), ("postcode", "postcode", "redact")],
        ),
        relation(
            STAFF,
            "public",
            "staff",
            Table,
            &[("id", "int8", ""), ("name", "text", "redact"), ("salary", "numeric", "null")],
        )
        .with(|relation| relation.unreadable = HashMap::from([("intern".to_owned(), vec![3])])),
    ];
    builders.into_iter().map(|builder| builder.0).collect()
}

const UNPROTECTED: [(&str, &str); 8] = [
    ("public", "orders"),
    ("public", "regions"),
    ("public", "results"),
    ("archive", "customers"),
    ("archive", "orders"),
    ("crm", "tasks"),
    ("pg_catalog", "pg_class"),
    ("pg_catalog", "pg_type"),
];

const SAFE: &str = "abs age any_value array_agg array_length array_remove avg bernoulli btrim bool_or char_length coalesce concat count \
     cume_dist current_date date_part date_trunc dense_rank every extract first_value format generate_series \
     grouping hashtext int4 json_agg json_build_object json_each json_populate_record json_to_record json_to_recordset \
     jsonb_agg jsonb_array_elements jsonb_build_object lag last_value lead left length lower ltrim make_interval max md5 \
     min mode nextval now ntile num_nonnulls numeric octet_length overlaps percentile_cont pg_backend_pid pg_sleep \
     pg_typeof position quote_literal random rank regexp_matches regexp_replace repeat replace right round row_number \
     row_to_json sha256 split_part starts_with string_agg string_to_array strpos substr substring sum system text \
     to_char to_date to_json to_jsonb to_timestamp to_tsquery to_tsvector translate trim txid_current unnest upper \
     user_greeting version xmlagg refresh_totals";

pub fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue { version: 1, ..Catalogue::default() };
    for relation in relations() {
        catalogue.names.entry(relation.name.clone()).or_default().push(relation.oid);
        catalogue.by_name.insert((relation.schema.clone(), relation.name.clone()), relation.oid);
        catalogue.relations.insert(relation.oid, Arc::new(relation));
    }
    let pair = |(schema, name): &(&str, &str)| ((*schema).to_owned(), (*name).to_owned());
    catalogue.unprotected = UNPROTECTED.iter().map(pair).collect();
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<HashSet<_>>();
    catalogue.schemas = owned(&["public", "crm", "archive", "pg_catalog", "information_schema"]);
    catalogue.roles = owned(&["app", "intern"]);
    for name in SAFE.split_whitespace() {
        catalogue.functions.insert(name.to_owned(), FunctionSafety::Safe);
    }
    for name in ["current_setting", "set_config", "setval", "pg_notify", "pg_advisory_lock", "write_down"] {
        catalogue.functions.insert(name.to_owned(), FunctionSafety::Safe);
    }
    let unsafe_functions = [
        ("query_to_xml", "function pg_catalog.query_to_xml, which executes text", false),
        ("pg_read_file", "function pg_catalog.pg_read_file, which reads files", false),
        ("lo_from_bytea", "function pg_catalog.lo_from_bytea, which writes large objects", false),
        ("dump_customers", "function public.dump_customers, which reads public.customers", false),
        ("initcap", "function public.initcap, which reads public.customers", true),
    ];
    for (name, culprit, pg_catalog_safe) in unsafe_functions {
        let safety = FunctionSafety::Unsafe { culprit: culprit.to_owned(), pg_catalog_safe };
        catalogue.functions.insert(name.to_owned(), safety);
    }
    catalogue.writers = owned(&["write_down"]);
    let culprit = "function public.leak, which reads public.customers".to_owned();
    catalogue.unsafe_operators = HashMap::from([("===".to_owned(), culprit.clone())]);
    catalogue.unsafe_types = HashMap::from([("leaky".to_owned(), culprit)]);
    catalogue
}

/// A session of role `app` with the usual path.
pub fn session() -> SessionState {
    SessionState {
        search_path: vec!["pg_catalog".to_owned(), "public".to_owned()],
        role: "app".to_owned(),
        temp_relations: Vec::new(),
        settled: false,
        pristine: false,
    }
}

/// A scope as a line says it: `7 customers.email,phone actions select,export hide rows id = 42`.
/// Without columns, all protected ones; without actions, select; without rows, all.
pub fn scope(line: &str, catalogue: &Catalogue) -> GrantScope {
    let (line, rows) = match line.split_once(" rows ") {
        Some((line, rows)) => (line, Some(rows)),
        None => (line, None),
    };
    let mut words = line.split_whitespace();
    let id: GrantId = words.next().expect("a number").parse().expect("a number");
    let target = words.next().expect("a relation");
    let (schema, target) = target.split_once('/').unwrap_or(("public", target));
    let (name, columns) = match target.split_once('.') {
        Some((name, columns)) => (name, Some(columns)),
        None => (target, None),
    };
    let relation = catalogue.relation(schema, name).expect("a relation of the catalogue");
    let columns = relation
        .columns
        .iter()
        .filter(|column| match columns {
            Some(columns) => columns.split(',').any(|name| name == column.name),
            None => column.protection.is_some(),
        })
        .map(|column| ColumnId { relation: relation.oid, attnum: column.attnum })
        .collect();
    let mut actions = Actions { select: true, ..Actions::default() };
    let mut others = OtherRows::Mask;
    while let Some(word) = words.next() {
        match word {
            "hide" => others = OtherRows::Hide,
            "actions" => {
                let named = words.next().expect("actions");
                let has = |action: &str| named.split(',').any(|name| name == action || name == "all");
                actions = Actions {
                    select: has("select"),
                    insert: has("insert"),
                    update: has("update"),
                    delete: has("delete"),
                    export: has("export"),
                };
            }
            other => panic!("what is {other}?"),
        }
    }
    let rows = match rows {
        None => Rows::All,
        Some(rows) => Rows::Where(Arc::new(predicate::parse(rows, relation).expect("a predicate"))),
    };
    GrantScope { id, columns, actions, relation: relation.oid, rows, others }
}

pub fn access(scopes: Vec<GrantScope>) -> Access {
    Access { version: 1, scopes, ..Access::default() }
}
