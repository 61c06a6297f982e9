//! Columns' types: a mask has exactly its column's.

use pgwarrant_masking::Method;

use crate::database::{Database, label, relation, unknown};

#[test]
fn every_mask_of_every_type_has_the_type_of_its_column_whatever_the_search_path() {
    let types = "text, varchar, varchar(32), char(5), bpchar, \"char\", name, smallint, integer, bigint, real, \
                 double precision, numeric, numeric(10,2), money, boolean, bit, bit(3), varbit, varbit(7), date, \
                 time, time(3), timetz, timetz(2), timestamp, timestamp(3), timestamptz, timestamptz(0), interval, \
                 interval(2), interval day to second(3), interval year, uuid, inet, cidr, macaddr, bytea, json, \
                 jsonb, xml, point, tsvector, int4range, oid, regclass, int2vector, text[], varchar(9)[], \
                 numeric(5,1)[], timestamp(1)[], \"Odd Types\".\"Mood \"\"x\"\"\", \"Odd Types\".\"Mood \"\"x\"\"\"[], \
                 odd.label, odd.label[], odd.labels, odd.pair, odd.pair[], odd.nested";
    let database = Database::new(
        "CREATE SCHEMA \"Odd Types\"; CREATE SCHEMA odd; \
         CREATE TYPE \"Odd Types\".\"Mood \"\"x\"\"\" AS ENUM ('b', 'a'); \
         CREATE DOMAIN odd.label AS varchar(12); CREATE DOMAIN odd.labels AS text[]; \
         CREATE DOMAIN odd.nested AS odd.label; CREATE TYPE odd.pair AS (a int, b text)",
    );
    let columns: Vec<String> = split_types(types)
        .iter()
        .enumerate()
        .map(|(place, sql_type)| format!("c{place} {sql_type}"))
        .collect();
    database.run(&format!("CREATE TABLE t ({})", columns.join(", ")));
    // A hostile search_path: names that mean something else first.
    database.run(
        "CREATE SCHEMA evil; CREATE DOMAIN evil.text AS pg_catalog.int4; CREATE DOMAIN evil.uuid AS pg_catalog.int4; \
         CREATE TYPE evil.label AS ENUM ('x'); CREATE DOMAIN evil.bpchar AS pg_catalog.int4; \
         CREATE DOMAIN evil.date AS pg_catalog.int4; CREATE DOMAIN evil.json AS pg_catalog.int4; \
         CREATE DOMAIN evil.varchar AS pg_catalog.int4; CREATE DOMAIN evil.bit AS pg_catalog.int4",
    );
    let bound = database.bind(&[label(&["t.*"], Method::Null)], &[], &unknown);
    assert_eq!(bound.errors, []);
    let columns = &relation(&bound, "public", "t").columns;
    assert_eq!(columns.len(), split_types(types).len());
    let masks: Vec<String> = columns
        .iter()
        .map(|column| {
            let mask = column.protection.as_ref().unwrap().mask.render("r.x");
            format!("CAST({mask} AS {}) AS {}", column.column_type.sql, column.name)
        })
        .collect();
    let made = format!("CREATE TABLE public.made AS SELECT {}", masks.join(", "));
    database.rows(&["SET search_path = evil, odd, pg_catalog", &made]);
    let different = database.rows(&[
        "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), pg_catalog.format_type(b.atttypid, b.atttypmod) \
         FROM pg_attribute a JOIN pg_attribute b USING (attname) \
         WHERE a.attrelid = 'public.t'::regclass AND b.attrelid = 'public.made'::regclass AND a.attnum > 0 \
           AND (a.atttypid, a.atttypmod) IS DISTINCT FROM (b.atttypid, b.atttypmod)",
    ]);
    assert_eq!(different, Vec::<Vec<Option<String>>>::new());

    let shape = |name: &str| {
        let place = split_types(types).iter().position(|sql_type| sql_type == name).unwrap();
        let sql_type = &columns[place].column_type;
        (format!("{:?}", sql_type.base), sql_type.array, sql_type.domain, sql_type.max_length)
    };
    assert_eq!(shape("varchar(32)"), ("Text".into(), false, false, Some(32)));
    assert_eq!(shape("odd.nested"), ("Text".into(), false, true, Some(12)));
    assert_eq!(shape("odd.labels"), ("Text".into(), true, true, None));
    assert_eq!(shape("odd.label[]"), ("Text".into(), true, true, Some(12)));
    assert_eq!(shape("varchar(9)[]"), ("Text".into(), true, false, Some(9)));
    assert_eq!(shape("\"Odd Types\".\"Mood \"\"x\"\"\"").0, "Enum");
    assert_eq!(shape("int2vector"), ("Other".into(), false, false, None));
    assert_eq!(shape("name"), ("Text".into(), false, false, None));
    assert_eq!(columns[split_types(types).len() - 8].column_type.enum_labels, ["b", "a"]);
}

/// At commas outside of parentheses.
fn split_types(types: &str) -> Vec<String> {
    let mut depth = 0;
    types
        .split(|c| {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            c == ',' && depth == 0
        })
        .map(|part| part.trim().to_owned())
        .collect()
}

#[test]
fn a_mask_has_its_columns_collation() {
    let database = Database::new(
        "CREATE COLLATION \"Odd one\" (provider = icu, locale = 'de-u-co-phonebk'); \
         CREATE DOMAIN sorted AS text COLLATE \"C\"; \
         CREATE TABLE t (plain text, c text COLLATE \"C\", odd varchar(9) COLLATE \"Odd one\", d sorted, \
                         list text[] COLLATE \"POSIX\", n int); \
         CREATE VIEW v AS SELECT t.odd FROM t",
    );
    let lineage = |_: &str| Some(vec![vec![("public".to_owned(), "t".to_owned(), "odd".to_owned())]]);
    let bound = database.bind(&[label(&["t.*"], Method::Redact)], &[], &lineage);
    for name in ["t", "v"] {
        let masks: Vec<String> = relation(&bound, "public", name)
            .columns
            .iter()
            .map(|column| {
                let mask = column.protection.as_ref().unwrap().mask.render("r.x");
                format!("CAST({mask} AS {}) AS {}", column.column_type.sql, column.name)
            })
            .collect();
        database.rows(&[
            "SET search_path = ''",
            &format!("CREATE TABLE public.made_{name} AS SELECT {}", masks.join(", ")),
        ]);
        let different = database.rows(&[&format!(
            "SELECT a.attname FROM pg_attribute a JOIN pg_attribute b USING (attname) \
             WHERE a.attrelid = '{name}'::regclass AND b.attrelid = 'made_{name}'::regclass AND a.attnum > 0 \
               AND a.attcollation <> b.attcollation"
        )]);
        assert_eq!(different, Vec::<Vec<Option<String>>>::new(), "{name}: {masks:?}");
    }
}
