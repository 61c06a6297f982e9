//! Proves: a write sees no more than a SELECT would, changes what its grants cover and nothing else,
//! loses no update of another session, and never stores a mask over what it masks.

use pgwarrant_tests::{Proxy, Settings, Shop};
use tokio_postgres::{Client, SimpleQueryMessage};

/// Tables of the tests' own, beside the sample shop.
const SCHEMA: &str = "
    CREATE TYPE mood AS ENUM ('unknown', 'glad', 'sad');
    CREATE TABLE persons (
        id bigint PRIMARY KEY, region text NOT NULL, email citext, mood mood, amount numeric(10, 2),
        doc jsonb, code varchar(10), tags text[], born date, hits int NOT NULL DEFAULT 0, note text,
        zone text GENERATED ALWAYS AS (upper(region)) STORED);
    INSERT INTO persons SELECT i, 'r' || i % 3, 'Real' || i || '@secret.example', 'sad', i * 10 + 0.25,
        jsonb_build_object('secret', i), 'code' || i, ARRAY['t' || i], date '1980-01-01' + i, 0, NULL
        FROM generate_series(1, 20) AS i;
    CREATE VIEW persons_shown AS SELECT id AS key, email, region FROM persons;
    CREATE VIEW persons_regions AS SELECT id AS key, region AS place FROM persons;
    CREATE TABLE events (id int, region text NOT NULL, email text, note text, PRIMARY KEY (id, region))
        PARTITION BY LIST (region);
    CREATE TABLE events_eu PARTITION OF events FOR VALUES IN ('eu');
    CREATE TABLE events_us PARTITION OF events FOR VALUES IN ('us');
    INSERT INTO events SELECT i, CASE WHEN i % 2 = 0 THEN 'eu' ELSE 'us' END, 'event' || i || '@secret.example', NULL
        FROM generate_series(1, 10) AS i;
    CREATE TABLE assets (id int PRIMARY KEY, owner text, note text);
    CREATE TABLE cars (plate text) INHERITS (assets);
    INSERT INTO assets VALUES (1, 'owner1-secret', NULL), (2, 'owner2-secret', NULL);
    INSERT INTO cars VALUES (3, 'owner3-secret', NULL, 'plate3-secret');
    CREATE TABLE countries (code text PRIMARY KEY);
    INSERT INTO countries VALUES ('pt'), ('de');
    CREATE TABLE citizens (id int PRIMARY KEY, country text REFERENCES countries ON DELETE CASCADE ON UPDATE CASCADE,
        name text);
    INSERT INTO citizens VALUES (1, 'pt', 'citizen1-secret'), (2, 'de', 'citizen2-secret');
    GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA public TO shop_app;";

const LABELS: &str = r#"
[[label]]
columns = ["persons.email", "persons.mood", "persons.amount", "persons.doc", "persons.tags", "persons.born"]
category = "test"

[[label]]
columns = ["persons.code", "events.email", "assets.owner", "citizens.name"]
category = "test"
mask = { partial = { first = 1, width = 3 } }

[[label]]
columns = "cars.plate"
category = "plates"
"#;

struct World {
    shop: Shop,
    proxy: Proxy,
    ada: Client,
    petra: Client,
}

impl World {
    async fn new() -> Self {
        let shop = Shop::new().await;
        shop.direct.batch_execute(SCHEMA).await.expect("the tests' tables");
        let settings = Settings { append: LABELS.to_owned(), ..Settings::default() };
        let proxy = Proxy::start_with(&shop, &settings);
        let (ada, petra) = (proxy.connect("ada").await, proxy.connect("petra").await);
        Self { shop, proxy, ada, petra }
    }

    /// Has a grant given to ada.
    async fn grant(&self, columns: &str, rows: Option<&str>, actions: &str) -> i64 {
        let request = request(&self.ada, columns, rows, actions).await;
        let approved = self.petra.execute("SELECT * FROM pgwarrant.approve($1)", &[&request]).await;
        approved.unwrap_or_else(|error| panic!("{columns}: {error:?}"));
        let listed = "SELECT grant_id FROM pgwarrant.requests WHERE id = $1";
        let given = self.ada.query_one(listed, &[&request]).await;
        given.unwrap_or_else(|error| panic!("{columns}: {error:?}")).get(0)
    }

    /// What really is in a relation, row by row, as text.
    async fn rows(&self, relation: &str) -> Vec<String> {
        let statement = format!("SELECT r::text FROM {relation} AS r ORDER BY 1");
        let rows = self.shop.direct.query(&statement, &[]).await.expect("rows");
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// One value as it really is.
    async fn value(&self, expression: &str, from: &str) -> Option<String> {
        let statement = format!("SELECT ({expression})::text FROM {from}");
        self.shop.direct.query_one(&statement, &[]).await.expect("a row").get(0)
    }

    /// Everything that a statement of ada's brings back: rows, tag and error.
    async fn all_of(&self, statement: &str) -> String {
        match self.ada.simple_query(statement).await {
            Ok(messages) => messages
                .iter()
                .map(|message| match message {
                    SimpleQueryMessage::Row(row) => {
                        let cells: Vec<&str> =
                            (0..row.len()).map(|cell| row.get(cell).unwrap_or("NULL")).collect();
                        cells.join("|")
                    }
                    SimpleQueryMessage::CommandComplete(count) => format!("{count} rows"),
                    _ => String::new(),
                })
                .collect::<Vec<_>>()
                .join("\n"),
            Err(error) => said(&error),
        }
    }
}

async fn request(asker: &Client, columns: &str, rows: Option<&str>, actions: &str) -> i64 {
    let asked = asker
        .query_one(
            "SELECT request_id FROM pgwarrant.request($1, rows => $2, actions => $3, reason => 'case 17')",
            &[&columns, &rows, &actions],
        )
        .await;
    asked.unwrap_or_else(|error| panic!("{columns}: {error:?}")).get(0)
}

fn said(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => format!(
            "{} {}\n{}\n{}",
            error.code().code(),
            error.message(),
            error.detail().unwrap_or_default(),
            error.hint().unwrap_or_default()
        ),
        None => format!("{error:?}"),
    }
}

/// The rows that a statement wrote.
async fn wrote(client: &Client, statement: &str) -> u64 {
    client.execute(statement, &[]).await.unwrap_or_else(|error| panic!("{statement}: {}", said(&error)))
}

/// What a statement is refused with.
async fn refused(client: &Client, statement: &str) -> String {
    match client.execute(statement, &[]).await {
        Ok(rows) => panic!("{statement}: {rows} rows"),
        Err(error) => said(&error),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_write_shows_or_stores_a_value_that_a_select_would_mask() {
    let world = World::new().await;
    const MARK: &str = "secret";
    assert!(world.rows("persons").await.concat().contains(MARK), "what is looked for is there");
    let attacks = [
        "UPDATE persons SET note = email",
        "UPDATE persons SET note = persons.email WHERE public.persons.email LIKE '%secret%'",
        "UPDATE persons p SET note = p::text",
        "UPDATE persons p SET note = row_to_json(p)::text",
        "UPDATE persons p SET note = to_jsonb(p.*)::text",
        "UPDATE persons p SET note = (p).email",
        "UPDATE persons p SET note = p.doc ->> 'secret'",
        "UPDATE persons p SET (note, hits) = (SELECT p.email, 1)",
        "UPDATE persons p SET (note, hits) = ROW(p.email, 1)",
        "UPDATE persons p SET note = (SELECT q.email FROM persons q WHERE q.id = p.id)",
        "UPDATE persons p SET note = (SELECT string_agg(x, '') FROM unnest(p.tags) AS x)",
        "UPDATE persons p SET note = q.email FROM persons q WHERE q.id = p.id",
        "UPDATE persons p SET note = l.e FROM LATERAL (SELECT p.email AS e) l",
        "UPDATE persons SET hits = 1 WHERE email::text::int = 1",
        "UPDATE persons SET hits = 1 WHERE code::int = 1 AND id = 3",
        "UPDATE persons SET hits = 1 / (CASE WHEN email = 'Real3@secret.example' THEN 0 ELSE 1 END)",
        "UPDATE persons SET hits = 1 RETURNING *",
        "UPDATE persons p SET hits = 1 RETURNING p.*, p, email::text, row_to_json(p)",
        "UPDATE persons p SET hits = 1 FROM events e WHERE e.id = p.id RETURNING *",
        "DELETE FROM persons RETURNING *",
        "INSERT INTO persons (id, region) VALUES (3, 'x') ON CONFLICT (id) DO UPDATE SET note = persons.email RETURNING *",
        "INSERT INTO persons (id, region) VALUES (3, 'x') ON CONFLICT (id) DO UPDATE SET hits = 7 WHERE persons.email LIKE '%secret%'",
        "INSERT INTO persons (id, region, note) SELECT id + 100, region, email FROM persons",
        "MERGE INTO persons p USING (VALUES ('Real3@secret.example')) v (e) ON p.email = v.e WHEN MATCHED THEN UPDATE SET note = 'hit'",
        "MERGE INTO persons p USING persons q ON p.id = q.id WHEN MATCHED AND p.email LIKE '%secret%' THEN UPDATE SET note = p.email",
        "MERGE INTO persons p USING persons q ON p.id = q.id WHEN MATCHED THEN UPDATE SET note = p.code || q.code",
        "WITH w AS (UPDATE persons SET hits = 2 RETURNING email) INSERT INTO products (name, price) SELECT email, 1 FROM w",
        "WITH w AS (UPDATE persons SET hits = 2 RETURNING *) SELECT * FROM w",
        "EXPLAIN (ANALYZE, VERBOSE) UPDATE persons SET note = email WHERE email = 'x'",
        "UPDATE events SET note = email",
        "UPDATE events_eu SET note = email RETURNING *",
        "UPDATE ONLY events_us SET note = events_us.email",
        "UPDATE assets SET note = owner",
        "UPDATE cars SET note = owner || plate RETURNING *",
        "UPDATE persons_shown SET region = email RETURNING *",
        "DELETE FROM persons_regions",
        "UPDATE persons SET note = (SELECT max(x) FROM (SELECT 1) a (i) JOIN (SELECT email) b (x) ON true)",
        "UPDATE persons p SET note = (SELECT 'y' FROM products JOIN orders ON p.email LIKE '%secret%' LIMIT 1)",
    ];
    for attack in attacks {
        let brought = world.all_of(attack).await;
        assert!(!brought.contains(MARK), "{attack}\n{brought}");
        for stored in [
            "SELECT coalesce(string_agg(note, ' '), '') || coalesce(string_agg(region, ' '), '') FROM persons",
            "SELECT coalesce(string_agg(note, ' '), '') FROM events",
            "SELECT coalesce(string_agg(note, ' '), '') FROM assets",
            "SELECT string_agg(name, ' ') FROM products",
        ] {
            let kept: String = world.shop.direct.query_one(stored, &[]).await.expect("notes").get(0);
            assert!(!kept.contains(MARK), "{attack}\nstored {kept}");
        }
    }
    // They ran, and did not merely fail: masks are there, and what was probed for was not found.
    assert_eq!(world.value("note", "events WHERE id = 2").await.as_deref(), Some("e***"));
    assert_eq!(world.value("note", "cars").await.as_deref(), Some("o******"));
    assert_eq!(world.value("max(hits)", "persons").await.as_deref(), Some("2"));
    assert_eq!(world.value("count(*)", "persons WHERE note IN ('hit', 'y')").await.as_deref(), Some("0"));
    // Rows and their columns are those of a SELECT.
    let shown = world.all_of("SELECT * FROM persons WHERE id = 3").await;
    let returned = world.all_of("UPDATE persons SET hits = hits WHERE id = 3 RETURNING *").await;
    assert_eq!(shown, returned);
    let statement =
        world.ada.prepare("UPDATE persons SET hits = 1 RETURNING *, email, (code), mood::text").await;
    let names: Vec<String> =
        statement.expect("it is prepared").columns().iter().map(|column| column.name().to_owned()).collect();
    let all =
        ["id", "region", "email", "mood", "amount", "doc", "code", "tags", "born", "hits", "note", "zone"];
    assert_eq!(names, [&all[..], &["email", "code", "mood"]].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_on_one_person_rectifies_and_erases_that_person_and_nobody_else() {
    let world = World::new().await;
    let before = world.rows("persons").await;
    world.grant("persons.*", Some("id = 7"), "select, update, delete").await;
    // Rectification, with a condition that would hit everybody.
    let change = "UPDATE persons SET email = 'right@new.example', mood = 'glad', amount = 12.345, code = 'c', \
                  doc = '{\"a\": 1}', tags = '{a,b}', born = '1999-12-31' WHERE id = 7 OR true";
    assert_eq!(wrote(&world.ada, change).await, 1);
    let person = "persons WHERE id = 7";
    let now = "concat_ws(' ', email, mood, amount, code, doc, tags, born)";
    assert_eq!(
        world.value(now, person).await.as_deref(),
        Some("right@new.example glad 12.35 c {\"a\": 1} {a,b} 1999-12-31")
    );
    // The types' own limits hold.
    assert!(
        refused(&world.ada, "UPDATE persons SET code = 'longer than ten' WHERE id = 7")
            .await
            .starts_with("22001")
    );
    // Parameters, as drivers send them.
    let statement =
        "UPDATE persons SET code = $1, born = $2::text::date, amount = $3::text::numeric WHERE id = $4";
    let rows = world.ada.execute(statement, &[&"p", &"2000-02-29", &"5", &7_i64]).await;
    assert_eq!(rows.unwrap_or_else(|error| panic!("{}", said(&error))), 1);
    assert_eq!(wrote(&world.ada, "UPDATE persons SET email = lower(email), code = upper(code)").await, 1);
    assert_eq!(world.value("code", person).await.as_deref(), Some("P"));
    // Erasure by NULL, then of the row.
    let erase = "UPDATE persons SET email = NULL, mood = NULL, amount = NULL, doc = NULL, code = NULL, tags = NULL, born = NULL";
    assert_eq!(wrote(&world.ada, erase).await, 1);
    assert_eq!(world.value(now, person).await.as_deref(), Some(""));
    assert_eq!(wrote(&world.ada, "DELETE FROM persons").await, 1);
    let after = world.rows("persons").await;
    let others: Vec<&String> = before.iter().filter(|row| !row.starts_with("(7,")).collect();
    assert_eq!(after.iter().collect::<Vec<_>>(), others, "everybody else is untouched");
    assert_eq!(wrote(&world.ada, "DELETE FROM persons WHERE email LIKE '%secret%'").await, 0);
    assert!(refused(&world.ada, "TRUNCATE persons").await.starts_with("42501"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mask_is_not_stored_over_the_value_that_it_masks() {
    let world = World::new().await;
    let before = world.rows("persons").await;
    let masks = world
        .ada
        .query_one("SELECT email::text, mood::text, amount::text, doc::text, code, tags::text, born::text FROM persons WHERE id = 3", &[])
        .await
        .expect("a masked row");
    // An application that may write but not read, and saves all that it was shown.
    world.grant("persons.*", None, "update").await;
    for (place, column) in ["email", "mood", "amount", "doc", "code", "tags", "born"].into_iter().enumerate()
    {
        let mask: &str = masks.get(place);
        let statements = [
            format!("UPDATE persons SET {column} = '{mask}' WHERE id = 3"),
            format!("UPDATE persons SET (hits, {column}) = (1, '{mask}') WHERE id = 3"),
            format!(
                "INSERT INTO persons (id, region, {column}) VALUES (3, 'r', '{mask}') ON CONFLICT (id) DO UPDATE SET {column} = excluded.{column}"
            ),
            format!(
                "MERGE INTO persons p USING (SELECT 1) s ON p.id = 3 WHEN MATCHED THEN UPDATE SET {column} = '{mask}'"
            ),
        ];
        for statement in statements {
            let said = refused(&world.ada, &statement).await;
            if statement.starts_with("INSERT") && said.contains("insert into") {
                // It has no grant to insert.
                continue;
            }
            assert!(
                said.starts_with("42501") && said.contains(&format!("persons.{column}")),
                "{statement}\n{said}"
            );
            assert!(
                said.contains("own mask") && said.contains("Leave the column out"),
                "{statement}\n{said}"
            );
            assert!(!said.contains("secret"), "{statement}\n{said}");
        }
        let bound = format!("UPDATE persons SET {column} = $1::text::{} WHERE id = 3", kind(column));
        let error = world.ada.execute(&bound, &[&mask]).await.expect_err("a mask as a parameter");
        assert!(said(&error).contains("own mask"), "{bound}: {}", said(&error));
    }
    let error =
        world.ada.execute("UPDATE persons SET code = $1 WHERE id = 3", &[&masks.get::<_, &str>(4)]).await;
    assert!(said(&error.expect_err("a mask as a parameter")).contains("own mask"));
    assert_eq!(world.rows("persons").await, before, "nothing was written");
    // What is no mask goes through, NULL as well; a value computed from a mask does not.
    assert_eq!(
        wrote(&world.ada, "UPDATE persons SET email = 'real@new.example', code = NULL WHERE id = 3").await,
        1
    );
    assert!(
        refused(&world.ada, "UPDATE persons SET email = lower(email)").await.contains("computed from a mask")
    );
    assert!(refused(&world.ada, "UPDATE persons SET code = email").await.contains("computed from a mask"));
}

fn kind(column: &str) -> &str {
    match column {
        "email" => "citext",
        "mood" => "mood",
        "amount" => "numeric",
        "doc" => "jsonb",
        "tags" => "text[]",
        "born" => "date",
        _ => "text",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_cannot_be_moved_into_a_grants_reach() {
    let world = World::new().await;
    // Each is allowed until a grant or a request decides by the column.
    assert_eq!(wrote(&world.ada, "UPDATE persons SET id = 100 WHERE id = 1").await, 1);
    assert_eq!(wrote(&world.ada, "UPDATE persons_regions SET place = 'q' WHERE key = 100").await, 1);
    let ben = world.proxy.connect("ben").await;
    let pending = request(&ben, "persons.email", Some("id = 4"), "select").await;
    let before = world.rows("persons").await;
    for statement in [
        "UPDATE persons SET id = 4 WHERE id = 5",
        "UPDATE persons_regions SET key = 4 WHERE key = 5",
        "INSERT INTO persons (id, region) VALUES (6, 'r') ON CONFLICT (id) DO UPDATE SET id = 4",
        "MERGE INTO persons p USING (SELECT 1) s ON p.id = 5 WHEN MATCHED THEN UPDATE SET id = 4",
        "WITH w AS (UPDATE persons SET id = 4 WHERE id = 5) SELECT 1",
    ] {
        let said = refused(&world.ada, statement).await;
        assert!(said.starts_with("42501") && said.contains("which rows it covers"), "{statement}\n{said}");
    }
    ben.execute("SELECT * FROM pgwarrant.deny($1)", &[&pending]).await.expect("ben takes it back");
    // A generated column decides by what it is computed from.
    world.grant("persons.email", Some("zone = 'R1'"), "select, update").await;
    let said = refused(&world.ada, "UPDATE persons SET region = 'r1' WHERE id = 5").await;
    assert!(said.contains("which rows it covers"), "{said}");
    assert_eq!(world.rows("persons").await, before);
    // A key that another table's rows follow.
    world.grant("citizens.name", Some("country = 'pt'"), "select, update, delete").await;
    let said = refused(&world.ada, "UPDATE countries SET code = 'pt2' WHERE code = 'de'").await;
    assert!(said.starts_with("42501"), "{said}");
    let said = refused(&world.ada, "DELETE FROM countries WHERE code = 'de'").await;
    assert!(said.starts_with("42501") && said.contains("foreign key"), "{said}");
    // Partitions and children have what their parents have.
    world.grant("events.email", Some("region = 'eu'"), "select, update").await;
    let said = refused(&world.ada, "UPDATE events_us SET region = 'eu'").await;
    assert!(said.contains("which rows it covers"), "{said}");
    assert_eq!(wrote(&world.ada, "UPDATE events SET email = 'new@x.example'").await, 5);
    assert_eq!(world.value("count(*)", "events_us WHERE email LIKE '%secret%'").await.as_deref(), Some("5"));
    assert_eq!(wrote(&world.ada, "UPDATE events_us SET email = 'new@x.example'").await, 0);
    world.grant("assets.owner", None, "select, delete").await;
    assert!(refused(&world.ada, "DELETE FROM assets").await.contains("cars.plate"), "a child's own column");
    let said = refused(&world.ada, "DELETE FROM persons_regions WHERE key = 3").await;
    assert!(said.starts_with("42501") && said.contains("persons."), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn new_rows_are_those_that_the_grant_covers() {
    let world = World::new().await;
    assert!(
        refused(&world.ada, "INSERT INTO persons (id, region, email) VALUES (50, 'r', 'x')")
            .await
            .starts_with("42501")
    );
    assert_eq!(
        wrote(&world.ada, "INSERT INTO persons (id, region, email) VALUES (50, 'r', DEFAULT)").await,
        1
    );
    world.grant("persons.email, persons.code", Some("region = 'new'"), "insert").await;
    let insert = "INSERT INTO persons (id, region, email, code) VALUES ";
    assert_eq!(
        wrote(&world.ada, &format!("{insert} (51, 'new', 'a@b.example', 'x'), (52, 'new', NULL, DEFAULT)"))
            .await,
        2
    );
    let text = refused(&world.ada, &format!("{insert} (53, 'new', 'a', 'x'), (54, 'old', 'b', 'y')")).await;
    assert!(text.starts_with("42501") && text.contains("outside of the rows"), "{text}");
    let with = "INSERT INTO persons (id, region, code) VALUES ($1, $2, $3)";
    assert_eq!(world.ada.execute(with, &[&55_i64, &"new", &"z"]).await.expect("a row of the grant's"), 1);
    let error = world.ada.execute(with, &[&56_i64, &"old", &"z"]).await.expect_err("a row outside");
    assert!(said_outside(&error), "{}", said(&error));
    assert!(
        refused(&world.ada, "INSERT INTO persons (id, region, code) SELECT 57, 'new', 'x'")
            .await
            .contains("cannot tell")
    );
    let merge = "MERGE INTO persons p USING (VALUES (58, 'new'), (59, 'old')) v (id, r) ON p.id = v.id \
                 WHEN NOT MATCHED THEN INSERT (id, region, code) VALUES (v.id, v.r, 'm')";
    assert!(refused(&world.ada, merge).await.contains("outside of the rows"));
    let merge = merge.replace("'old'", "'new'");
    assert_eq!(wrote(&world.ada, &merge).await, 2);
    assert_eq!(
        world.value("string_agg(id::text, ',' ORDER BY id)", "persons WHERE id > 50").await.as_deref(),
        Some("51,52,55,58,59")
    );
}

fn said_outside(error: &tokio_postgres::Error) -> bool {
    said(error).contains("outside of the rows")
}

#[tokio::test(flavor = "multi_thread")]
async fn merge_leaves_rows_outside_of_the_grant_alone() {
    let world = World::new().await;
    world.grant("persons.*", Some("region = 'r1'"), "update, delete").await;
    let before = world.rows("persons").await;
    let merge = "MERGE INTO persons p USING (SELECT generate_series(1, 20)) s (id) ON p.id = s.id \
                 WHEN MATCHED AND s.id < 10 THEN UPDATE SET code = 'merged' \
                 WHEN MATCHED THEN DELETE";
    let within = 7;
    assert_eq!(wrote(&world.ada, merge).await, within);
    let after = world.rows("persons").await;
    assert!(
        after
            .iter()
            .filter(|row| !row.contains(",r1,"))
            .eq(before.iter().filter(|row| !row.contains(",r1,")))
    );
    assert_eq!(
        world
            .value("string_agg(id || code, ' ' ORDER BY id)", "persons WHERE region = 'r1'")
            .await
            .as_deref(),
        Some("1merged 4merged 7merged")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sessions_lose_no_update() {
    let world = World::new().await;
    world.grant("persons.email", Some("id = 9"), "select, update").await;
    const TIMES: usize = 60;
    let counts = (0..2).map(|_| async {
        let session = world.proxy.connect("ada").await;
        let statement = session
            .prepare("UPDATE persons SET hits = hits + 1, email = email WHERE id = 9 AND email LIKE '%@%' RETURNING hits")
            .await
            .expect("it is prepared");
        let mut wrote = 0;
        for _ in 0..TIMES {
            wrote += session.query(&statement, &[]).await.unwrap_or_else(|error| panic!("{}", said(&error))).len();
        }
        wrote
    });
    let counts: Vec<usize> = futures_of(counts).await;
    assert_eq!(counts, [TIMES, TIMES]);
    assert_eq!(world.value("hits", "persons WHERE id = 9").await, Some((2 * TIMES).to_string()));
    assert_eq!(world.value("email", "persons WHERE id = 9").await.as_deref(), Some("Real9@secret.example"));
}

/// Runs two futures side by side.
async fn futures_of<F: Future<Output = usize>>(futures: impl Iterator<Item = F>) -> Vec<usize> {
    let mut futures = futures;
    match (futures.next(), futures.next()) {
        (Some(first), Some(second)) => {
            let (first, second) = tokio::join!(first, second);
            vec![first, second]
        }
        _ => Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_values_are_stored_elsewhere_by_a_grant_to_export_alone() {
    let world = World::new().await;
    world.grant("persons.email", Some("id = 2"), "select, update").await;
    for statement in [
        "UPDATE persons SET note = email WHERE id = 2",
        "INSERT INTO products (name, price) SELECT email, 1 FROM persons WHERE id = 2",
        "MERGE INTO products USING persons p ON p.id = products.id AND p.id = 2 WHEN MATCHED THEN UPDATE SET name = p.email",
        "WITH w AS (UPDATE persons SET hits = 1 WHERE id = 2 RETURNING email) UPDATE products SET name = w.email FROM w WHERE products.id = 1",
    ] {
        let said = refused(&world.ada, statement).await;
        assert!(said.starts_with("42501") && said.contains("export"), "{statement}\n{said}");
    }
    assert_eq!(
        wrote(&world.ada, "UPDATE persons SET email = upper(email) WHERE email LIKE '%secret%'").await,
        1
    );
    assert_eq!(
        wrote(
            &world.ada,
            "UPDATE products SET price = 2 WHERE id IN (SELECT id FROM persons WHERE email LIKE '%secret%')"
        )
        .await,
        1
    );
    world.grant("persons.email", Some("id = 2"), "select, export").await;
    let both = "UPDATE persons SET note = email WHERE id = 2";
    let said = world.all_of(both).await;
    assert!(said.contains("42501"), "one of two grants for the row does not let it go: {said}");
}
