//! The random mask: nothing of the original, and nothing twice.

use std::collections::HashSet;

use pgwarrant_masking::{Method, compile};

use crate::kinds::Kind;
use crate::server::{Scratch, masked, rows, table};

#[tokio::test]
async fn equal_values_and_nulls_cannot_be_told_from_others() {
    let scratch = Scratch::new("random").await;
    let client = &scratch.client;
    let same: Vec<&str> = std::iter::repeat_n("00000000-0000-4000-8000-000000000001", 40).collect();
    for (number, sql) in ["text", "varchar(40)", "uuid", "bytea", "jsonb", "text[]"].into_iter().enumerate() {
        let name = format!("same{number}");
        let values: Vec<&str> = match sql {
            "jsonb" => vec!["\"x\""; 40],
            "text[]" => vec!["{x,y,z}"; 40],
            _ => same.clone(),
        };
        let values: &'static [&'static str] = Box::leak(values.into_boxed_slice());
        let column = table(client, &name, &Kind { sql, values }).await;
        let mask = compile(&Method::Random, &column, "contact", Method::Random.shows_nulls())
            .expect(sql)
            .render("r.c");
        let mut drawn = HashSet::new();
        for _ in 0..2 {
            for (id, (_, shown)) in masked(client, &name, &column, &mask).await {
                let shown = shown.unwrap_or_else(|| panic!("{sql}: row {id} shows as NULL"));
                assert!(drawn.insert(shown.clone()), "{sql}: {shown} came twice");
            }
        }
        assert_eq!(drawn.len(), 2 * 41, "{sql}");
    }
}

#[tokio::test]
async fn a_session_cannot_fix_what_is_drawn() {
    let scratch = Scratch::new("seed").await;
    let client = &scratch.client;
    let column = table(client, "s", &Kind { sql: "int8", values: &["1"] }).await;
    let mask = compile(&Method::Random, &column, "contact", false).expect("int8").render("r.c");
    let query = format!("SELECT setseed(0.5); SELECT {mask} FROM s AS r ORDER BY r.id LIMIT 1");
    let first = rows(client, &query).await.pop();
    assert_ne!(rows(client, &query).await.pop(), first);
}

#[tokio::test]
async fn every_value_of_a_small_type_is_drawn() {
    let scratch = Scratch::new("small").await;
    let client = &scratch.client;
    for (name, sql, values, expected) in [
        ("b", "boolean", &["true"][..], 2),
        ("e", "mood", &["sad"][..], 3),
        ("i", "varchar(1)", &["a"][..], 16),
    ] {
        let column = table(client, name, &Kind { sql, values }).await;
        let mask = compile(&Method::Random, &column, "contact", false).expect(sql).render("r.c");
        let query =
            format!("SELECT DISTINCT {mask} FROM {name} AS r, generate_series(1, 2000) WHERE r.id = 0");
        assert_eq!(rows(client, &query).await.len(), expected, "{sql}");
    }
}
