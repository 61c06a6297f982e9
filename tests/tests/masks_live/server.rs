//! A database to evaluate masks in, and what the tests ask of it.

use std::collections::BTreeMap;

use pgwarrant_masking::{BaseType, SqlType, oid};
use pgwarrant_tests::server_url;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::kinds::Kind;

pub(crate) const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A database of this test's own, dropped at its end.
pub(crate) struct Scratch {
    pub(crate) name: String,
    pub(crate) client: Client,
}

impl Scratch {
    pub(crate) async fn new(test: &str) -> Scratch {
        let name = format!("masks_{test}_{}", std::process::id());
        let admin = connect(&server_url("postgres")).await;
        admin.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("a database");
        let client = connect(&server_url(&name)).await;
        client.batch_execute(SCHEMA).await.expect("the schema");
        client.batch_execute(&format!("SET pgwarrant.key = '{KEY}'")).await.expect("a key");
        Scratch { name, client }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let _ = std::process::Command::new("psql")
            .args(["-X", "-q", "-d", &server_url("postgres"), "-c", &statement])
            .stderr(std::process::Stdio::null())
            .status();
    }
}

pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

const SCHEMA: &str = "
    CREATE EXTENSION citext;
    CREATE TYPE mood AS ENUM ('it''s \\ fine', 'sad', 'glad');
    CREATE DOMAIN d_text AS text;
    CREATE DOMAIN d_varchar AS varchar(20) CHECK (length(VALUE) < 21);
    CREATE DOMAIN d_citext AS citext;
    CREATE DOMAIN d_nested AS d_varchar;
    CREATE DOMAIN d_int AS integer CHECK (VALUE >= -7);
    CREATE DOMAIN d_mood AS mood;
    CREATE DOMAIN d_array AS text[];
    CREATE TYPE \"Odd Type\" AS ENUM ('a', 'b');
";

/// What a mask must know of a column, as the catalogue reads it.
pub(crate) async fn column_type(client: &Client, table: &str) -> SqlType {
    let row = client
        .query_one(
            "WITH RECURSIVE unwrapped(oid, typmod, is_array, is_domain) AS (
                 SELECT a.atttypid, a.atttypmod, false, false
                 FROM pg_attribute a WHERE a.attrelid = $1::text::regclass AND a.attname = 'c'
               UNION ALL
                 SELECT CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.typelem END,
                        CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE u.typmod END,
                        u.is_array OR t.typtype <> 'd', u.is_domain OR t.typtype = 'd'
                 FROM unwrapped u JOIN pg_type t ON t.oid = u.oid
                 WHERE t.typtype = 'd' OR (t.typcategory = 'A' AND t.typelem <> 0))
             SELECT u.oid, u.typmod, u.is_array, u.is_domain, t.typname::text, t.typtype = 'e',
                    (SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = $1::text::regclass AND a.attname = 'c'),
                    (SELECT CASE
                         WHEN a.atttypmod >= 0 OR t.typnamespace <> 'pg_catalog'::regnamespace
                             THEN format_type(a.atttypid, a.atttypmod)
                         WHEN t.typcategory = 'A' AND e.typnamespace = 'pg_catalog'::regnamespace
                             THEN format('pg_catalog.%I[]', e.typname)
                         WHEN t.typcategory = 'A' THEN format_type(a.atttypid, a.atttypmod)
                         ELSE format('pg_catalog.%I', t.typname)
                     END
                     FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type e ON e.oid = t.typelem
                     WHERE a.attrelid = $1::text::regclass AND a.attname = 'c'),
                    ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = u.oid ORDER BY e.enumsortorder)
             FROM unwrapped u JOIN pg_type t ON t.oid = u.oid
             WHERE t.typtype <> 'd' AND (t.typcategory <> 'A' OR t.typelem = 0)",
            &[&table],
        )
        .await
        .expect("the column's type");
    let base_oid: u32 = row.get(0);
    let typmod: i32 = row.get(1);
    let name: String = row.get(4);
    let base = match BaseType::of_built_in(base_oid) {
        Some(base) => base,
        None if row.get(5) => BaseType::Enum,
        None if name == "citext" => BaseType::Text,
        None => BaseType::Other,
    };
    let sized = base_oid == oid::VARCHAR || base_oid == oid::BPCHAR;
    SqlType {
        // With an empty search_path format_type qualifies all but pg_catalog's names; where there is a
        // modifier it writes those as keywords, which no search_path touches.
        sql: row.get(7),
        base,
        array: row.get(2),
        max_length: (sized && typmod > 4).then(|| u32::try_from(typmod - 4).expect("a length")),
        enum_labels: row.get(8),
        domain: row.get(3),
        oid: row.get(6),
        base_oid,
        typmod,
    }
}

/// Makes a table of that type with all its values and a NULL.
pub(crate) async fn table(client: &Client, name: &str, kind: &Kind) -> SqlType {
    client
        .batch_execute(&format!("CREATE TABLE {name} (id int PRIMARY KEY, c {})", kind.sql))
        .await
        .expect(kind.sql);
    for (id, value) in kind.values.iter().enumerate() {
        // What is too long for the type is cut, by an explicit cast.
        let insert = format!("INSERT INTO {name} SELECT {id}, CAST({} AS {})", literal(value), kind.sql);
        client.batch_execute(&insert).await.unwrap_or_else(|error| panic!("{insert}: {error:?}"));
    }
    client.batch_execute(&format!("INSERT INTO {name} VALUES (1000, NULL)")).await.expect("a NULL");
    client.batch_execute("SET search_path = ''").await.expect("an empty path");
    let column = column_type(client, &format!("public.{name}")).await;
    client.batch_execute("RESET search_path").await.expect("the path again");
    column
}

pub(crate) fn literal(value: &str) -> String {
    format!("E'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

/// The rows of a query in text form.
pub(crate) async fn rows(client: &Client, query: &str) -> Vec<Vec<Option<String>>> {
    let messages = client.simple_query(query).await.unwrap_or_else(|error| panic!("{query}\n{error:?}"));
    messages
        .into_iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect())
            }
            _ => None,
        })
        .collect()
}

/// id -> (raw, masked), as a privacy view would give them.
pub(crate) async fn masked(
    client: &Client,
    table: &str,
    column: &SqlType,
    mask: &str,
) -> BTreeMap<i32, (Option<String>, Option<String>)> {
    let view = format!(
        "(SELECT r.id, r.c AS raw, CAST({mask} AS {}) AS c FROM public.{table} AS r) AS v",
        column.sql
    );
    rows(client, &format!("SELECT v.id, v.raw, v.c FROM {view} ORDER BY v.id"))
        .await
        .into_iter()
        .map(|row| {
            let [id, raw, masked] = <[_; 3]>::try_from(row).expect("three columns");
            (id.expect("an id").parse().expect("a number"), (raw, masked))
        })
        .collect()
}
