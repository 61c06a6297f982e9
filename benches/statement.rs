//! What a statement costs the proxy before it is sent: lexing, the cache's key, and the analysis
//! that a cache hit saves.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use pgwarrant_catalog::{
    Catalogue, Column, ColumnId, FunctionSafety, Protection, Relation, RelationKind, Ungranted,
};
use pgwarrant_masking::{BaseType, Method, SqlType, compile};
use pgwarrant_sql::{Access, Context, Limits, SessionState, analyse, lex, template};

const UNPROTECTED: &str = "SELECT abalance FROM pgbench_accounts WHERE aid = 4711";
const PROTECTED: &str = "SELECT id, name, email FROM customers WHERE id = 4711";
const JOINED: &str = "SELECT o.id, c.email, count(*) AS lines, sum(i.quantity * p.price) AS total
    FROM orders o JOIN customers c ON c.id = o.customer_id
    JOIN order_items i ON i.order_id = o.id
    JOIN products p ON p.id = i.product_id
    LEFT JOIN payments y ON y.order_id = o.id
    WHERE o.ordered_at >= '2026-01-01' AND o.ordered_at < '2026-02-01'
      AND c.country IN ('DE', 'FR', 'PT') AND (y.amount > 100 OR y.amount IS NULL)
      AND EXISTS (SELECT 1 FROM page_views v WHERE v.path = '/p/' || p.id AND v.viewed_at > o.ordered_at)
    GROUP BY o.id, c.email HAVING sum(i.quantity) > 2
    ORDER BY total DESC NULLS LAST LIMIT 50 OFFSET 100";

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

/// `public.customers`, of which the second and third columns are protected.
fn catalogue() -> Catalogue {
    let oid = 16_384;
    let columns =
        ["id", "name", "email", "city", "country"].iter().zip(1i16..).map(|(name, attnum)| Column {
            attnum,
            name: (*name).to_owned(),
            column_type: text(),
            protection: matches!(attnum, 2 | 3).then(|| {
                let id = ColumnId { relation: oid, attnum };
                Protection {
                    category: "contact".to_owned(),
                    mask: compile(&Method::Redact, &text(), "contact", false).expect("text can be redacted"),
                    method: "redact".to_owned(),
                    ungranted: Ungranted::Mask,
                    sources: vec![id],
                    uncovered_by: vec![vec![id]],
                    built_in: false,
                }
            }),
        });
    let relation = Relation {
        oid,
        schema: "public".to_owned(),
        name: "customers".to_owned(),
        kind: RelationKind::Table,
        columns: columns.collect(),
        primary_key: vec![1],
        ancestors: Vec::new(),
        unreadable: HashMap::new(),
        read_risk: None,
        write_risk: None,
    };
    let tables = ["pgbench_accounts", "orders", "order_items", "products", "payments", "page_views"];
    Catalogue {
        version: 1,
        relations: HashMap::from([(oid, Arc::new(relation))]),
        by_name: HashMap::from([(("public".to_owned(), "customers".to_owned()), oid)]),
        names: HashMap::from([("customers".to_owned(), vec![oid])]),
        unprotected: tables.iter().map(|name| ("public".to_owned(), (*name).to_owned())).collect(),
        schemas: ["public", "pg_catalog"].map(str::to_owned).into(),
        functions: ["count", "sum"].map(|name| (name.to_owned(), FunctionSafety::Safe)).into(),
        ..Catalogue::default()
    }
}

fn statements(criterion: &mut Criterion) {
    let (catalogue, access, limits) = (catalogue(), Access::default(), Limits::default());
    let session = SessionState {
        search_path: vec!["pg_catalog".to_owned(), "public".to_owned()],
        role: "shop_app".to_owned(),
        ..SessionState::default()
    };
    let context = Context {
        catalogue: &catalogue,
        access: &access,
        session: &session,
        limits: &limits,
        database: "shop",
    };
    for (name, sql) in [("unprotected", UNPROTECTED), ("protected", PROTECTED), ("joined", JOINED)] {
        let mut group = criterion.benchmark_group(name);
        group.bench_function("lex", |bencher| bencher.iter(|| lex(black_box(sql), &limits)));
        let tokens = lex(sql, &limits).expect("a statement");
        group.bench_function("template", |bencher| {
            bencher.iter(|| template::template(black_box(sql), black_box(&tokens)))
        });
        group.bench_function("analyse", |bencher| bencher.iter(|| analyse(black_box(sql), &context)));
        group.finish();
    }
}

criterion_group!(benches, statements);
criterion_main!(benches);
