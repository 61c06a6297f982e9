//! What a statement costs the proxy before it is sent: taking a message apart, which each one costs,
//! and the analysis, which is for those of a template that was never seen.
//!
//! Measured is the thread's CPU time.

mod cpu_time;
mod shop;

use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use pgwarrant_sql::{Access, Context, Limits, Message, SessionState, analyse, lex, template};

use self::cpu_time::CpuTime;

const STATEMENTS: [(&str, &str); 9] = [
    ("unprotected", "SELECT abalance FROM pgbench_accounts WHERE aid = 4711;"),
    ("protected", "SELECT id, name, email FROM customers WHERE id = 4711"),
    (
        "update",
        "UPDATE customers SET city = 'Lisboa', country = 'PT' WHERE id = 4711 RETURNING id, name, city",
    ),
    (
        "insert",
        "INSERT INTO orders (customer_id, ordered_at) SELECT id, now() FROM customers WHERE email = 'a@b.pt'",
    ),
    (
        "ddl",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_by_day ON orders USING btree (ordered_at DESC, id)",
    ),
    ("joined", JOINED),
    ("report", REPORT),
    ("psql_relation", PSQL_RELATION),
    ("psql_columns", PSQL_COLUMNS),
];

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

/// Twenty lines, three protected relations.
const REPORT: &str = "SELECT o.id, c.email, c.name, a.street, a.zip,
       count(*) AS lines, sum(i.quantity * p.price) AS total,
       max(y.paid_at) AS last_paid
  FROM orders o
  JOIN customers c ON c.id = o.customer_id
  JOIN addresses a ON a.customer_id = c.id AND a.kind = 'delivery'
  JOIN order_items i ON i.order_id = o.id
  JOIN products p ON p.id = i.product_id
  LEFT JOIN payments y ON y.order_id = o.id
  LEFT JOIN cards k ON k.id = y.card_id AND k.number IS NOT NULL
 WHERE o.ordered_at >= '2026-01-01' AND o.ordered_at < '2026-02-01'
   AND c.country IN ('DE', 'FR', 'PT')
   AND (y.amount > 100 OR y.amount IS NULL)
   AND EXISTS (SELECT 1 FROM page_views v
                WHERE v.path = '/p/' || p.id AND v.viewed_at > o.ordered_at)
 GROUP BY o.id, c.email, c.name, a.street, a.zip
HAVING sum(i.quantity) > 2
 ORDER BY total DESC NULLS LAST LIMIT 50 OFFSET 100";

/// The first and the third that psql 15 sends for `\d customers`.
const PSQL_RELATION: &str = "SELECT c.oid,
  n.nspname,
  c.relname
FROM pg_catalog.pg_class c
     LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname OPERATOR(pg_catalog.~) '^(customers)$' COLLATE pg_catalog.default
  AND pg_catalog.pg_table_is_visible(c.oid)
ORDER BY 2, 3;";
const PSQL_COLUMNS: &str = "SELECT a.attname,
  pg_catalog.format_type(a.atttypid, a.atttypmod),
  (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true)
   FROM pg_catalog.pg_attrdef d
   WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef),
  a.attnotnull,
  (SELECT c.collname FROM pg_catalog.pg_collation c, pg_catalog.pg_type t
   WHERE c.oid = a.attcollation AND t.oid = a.atttypid AND a.attcollation <> t.typcollation) AS attcollation,
  a.attidentity,
  a.attgenerated
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = '16384' AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum;";

fn statements(criterion: &mut Criterion<CpuTime>) {
    let (catalogue, access, limits) = (shop::catalogue(), Access::default(), Limits::default());
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
    let mut elsewhere = vec![0_u8; EVICTING_BYTES];
    for (name, sql) in STATEMENTS {
        let mut group = criterion.benchmark_group(name);
        group.bench_function("lex", |bencher| bencher.iter(|| lex(black_box(sql), &limits)));
        let tokens = lex(sql, &limits).expect("a statement");
        group.bench_function("template", |bencher| {
            bencher.iter(|| template::template(black_box(sql), black_box(&tokens)))
        });
        group.bench_function("analyse", |bencher| bencher.iter(|| analyse(black_box(sql), &context)));
        group.bench_function("analyse, caches cold", |bencher| {
            bencher.iter_batched(
                || evict(&mut elsewhere),
                |()| analyse(black_box(sql), &context),
                BatchSize::PerIteration,
            );
        });
        // What is done for each statement that the cache has.
        let (hasher, mut message) = (RandomState::new(), Message::default());
        group.bench_function("hit", |bencher| {
            bencher.iter(|| {
                message.read(black_box(sql), &limits).map(|()| hasher.hash_one((1_u64, message.key())))
            })
        });
        group.finish();
    }
}

/// More than a core's own caches hold.
const EVICTING_BYTES: usize = 8 << 20;

/// Leaves the processor's caches as a server that works on the same core between two statements does.
/// A template that was never seen is analysed so, and not in a loop.
fn evict(elsewhere: &mut [u8]) {
    for line in elsewhere.chunks_mut(64) {
        if let Some(byte) = line.first_mut() {
            *byte = black_box(byte.wrapping_add(1));
        }
    }
}

criterion_group! { name = benches; config = CpuTime::criterion(); targets = statements }
criterion_main!(benches);
