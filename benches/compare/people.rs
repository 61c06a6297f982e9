//! The tables that the figures are measured on: the same rows twice, once protected and once not.

/// Rows of each table.
pub const PEOPLE: u32 = 200_000;

/// Run by a superuser in the benchmark's database. Every value is generated.
pub const TABLES: &str = "
CREATE TABLE people (
    id         bigint PRIMARY KEY,
    name       text NOT NULL,
    email      text NOT NULL,
    phone      varchar(32),
    ssn        text,
    birth_date date,
    city       text NOT NULL,
    joined_at  timestamptz NOT NULL
);
CREATE TABLE orders (
    id          bigint PRIMARY KEY,
    person_id   bigint NOT NULL,
    status      text NOT NULL,
    total       numeric(10, 2) NOT NULL,
    ordered_at  timestamptz NOT NULL
);
CREATE TABLE order_items (
    order_id   bigint NOT NULL,
    line       integer NOT NULL,
    product_id bigint NOT NULL,
    quantity   integer NOT NULL,
    PRIMARY KEY (order_id, line)
);
CREATE TABLE products (id bigint PRIMARY KEY, name text NOT NULL, price numeric(10, 2) NOT NULL);
INSERT INTO people
SELECT i, 'Person ' || i, 'person' || i || '@example.com', '+1-555-01' || lpad((i % 100)::text, 2, '0'),
       '900-' || lpad(i::text, 6, '0'), date '1950-01-01' + (i * 97) % 18000,
       (ARRAY['Lisbon', 'Leipzig', 'Lyon', 'Leeds', 'Lagos', 'Lima'])[1 + i % 6],
       timestamptz '2024-01-01 00:00:00+00' + i * interval '1 minute'
FROM generate_series(1, 200000) AS i;
CREATE TABLE people_open (LIKE people INCLUDING ALL);
INSERT INTO people_open SELECT * FROM people;
INSERT INTO products SELECT i, 'product ' || i, 3 + i FROM generate_series(1, 40) AS i;
INSERT INTO orders
SELECT i, i, (ARRAY['open', 'paid', 'shipped'])[1 + i % 3], i, timestamptz '2026-01-01 00:00:00+00' + i * interval '1 hour'
FROM generate_series(1, 1000) AS i;
INSERT INTO order_items SELECT o, l, 1 + (o + l) % 40, l FROM generate_series(1, 1000) AS o, generate_series(1, 2) AS l;
CREATE INDEX ON orders (person_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON people, people_open, orders, order_items, products TO PUBLIC;
VACUUM ANALYZE people, people_open, orders, order_items, products;
";

/// What of them is protected, for the proxy's configuration.
pub const LABELS: &str = r#"
[[label]]
columns = "people.name"
category = "identity"
mask = { partial = { first = 1 } }

[[label]]
columns = "people.email"
category = "contact"
mask = "token"

[[label]]
columns = "people.phone"
category = "contact"
mask = "phone"

[[label]]
columns = "people.ssn"
category = "national_id"
mask = { partial = { last = 4 } }

[[label]]
columns = "people.birth_date"
category = "birth"
mask = { constant = "1900-01-01" }
"#;
