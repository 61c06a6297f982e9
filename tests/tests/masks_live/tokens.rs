//! Tokens join: one for a value, whatever the table and the session, and another for each domain and key.

use std::collections::HashSet;

use pgwarrant_masking::{Method, compile};
use pgwarrant_tests::server_url;

use crate::kinds::Kind;
use crate::server::{KEY, Scratch, column_type, connect, literal, rows, table};

#[tokio::test]
async fn equal_values_get_one_token_across_tables_and_types_of_a_family_and_another_in_each_domain() {
    let scratch = Scratch::new("joins").await;
    let client = &scratch.client;
    let one = |sql, values| Kind { sql, values };
    let mails = &["maya@example.com", "", "it's \\ me"];
    let texts = ["text", "varchar(64)", "varchar(20)", "varchar", "d_text", "char(30)", "name"];
    let mut tokens = HashSet::new();
    for (number, sql) in texts.into_iter().enumerate() {
        let name = format!("m{number}");
        let column = table(client, &name, &one(sql, mails)).await;
        let mask = compile(&Method::Token, &column, "contact", true).expect(sql).render("r.c");
        tokens.insert(
            rows(client, &format!("SELECT pg_catalog.rtrim(({mask})::text) FROM {name} r ORDER BY id")).await,
        );
    }
    assert_eq!(tokens.len(), 1, "one token for a value, whatever the text type: {tokens:?}");

    let numbers = &["0", "4711", "-3"];
    for (method, families) in
        [(Method::Hash, ["int8", "numeric", "numeric(12,2)"]), (Method::Token, ["int4", "uuid", "bytea"])]
    {
        for sql in families {
            let values: &[&str] = match sql {
                "uuid" => &["00000000-0000-4000-8000-000000000001"],
                "bytea" => &["\\xdeadbeef"],
                _ => numbers,
            };
            client.batch_execute("DROP TABLE IF EXISTS a, b").await.expect("dropped");
            let a = table(client, "a", &one(sql, values)).await;
            table(client, "b", &one(sql, values)).await;
            let mask =
                |domain: &str, column: &str| compile(&method, &a, domain, true).expect(sql).render(column);
            let join = format!(
                "SELECT count(*) FROM a JOIN b ON a.id = b.id AND {} = {}",
                mask("contact", "a.c"),
                mask("contact", "b.c")
            );
            assert_eq!(rows(client, &join).await[0][0], Some(values.len().to_string()), "{sql}");
            for other in ["contact2", "c", "ontact", "payment", "7:contact", ""] {
                let apart = join.replacen(&mask("contact", "a.c"), &mask(other, "a.c"), 1);
                assert_eq!(rows(client, &apart).await[0][0].as_deref(), Some("0"), "{sql}: domain {other:?}");
            }
        }
    }
    // Equal numbers with unequal digits.
    client
        .batch_execute(
            "CREATE TABLE n (id int, c numeric); INSERT INTO n VALUES (1, 1.0), (2, 1.000), (3, 1)",
        )
        .await
        .expect("n");
    client.batch_execute("SET search_path = ''").await.expect("path");
    let column = column_type(client, "public.n").await;
    let mask = compile(&Method::Token, &column, "x", true).expect("numeric").render("r.c");
    let distinct = rows(client, &format!("SELECT count(DISTINCT {mask}) FROM public.n r")).await;
    assert_eq!(distinct[0][0].as_deref(), Some("1"));
}

#[tokio::test]
async fn tokens_depend_on_the_key_and_on_no_session_setting() {
    let scratch = Scratch::new("settings").await;
    let client = &scratch.client;
    for (number, sql) in ["text", "int4", "numeric", "uuid", "bytea", "text[]"].into_iter().enumerate() {
        let value = match sql {
            "uuid" => "00000000-0000-4000-8000-000000000001",
            "bytea" => "\\xdead",
            "text[]" => "{ab,cd}",
            _ => "47110",
        };
        let name = format!("s{number}");
        let column = table(client, &name, &Kind { sql, values: &[] }).await;
        client
            .batch_execute(&format!("INSERT INTO {name} VALUES (1, {})", literal(value)))
            .await
            .expect("a row");
        let mask = compile(&Method::Hash, &column, "contact", true).expect(sql).render("r.c");
        let query = format!("SELECT {mask} FROM public.{name} AS r WHERE r.id OPERATOR(pg_catalog.=) 1");
        let before = rows(client, &query).await;
        for setting in [
            "bytea_output = 'escape'",
            "extra_float_digits = -15",
            "lc_numeric = 'C'",
            "DateStyle = 'German'",
            "search_path = ''",
            "backslash_quote = off",
            "max_parallel_workers_per_gather = 4; SET debug_parallel_query = on; SET parallel_setup_cost = 0",
        ] {
            // Not every version has every setting.
            let _ = client.batch_execute(&format!("SET {setting}")).await;
            let after = rows(client, &query).await;
            if !(sql == "bytea" && setting.starts_with("bytea_output")) {
                let again = rows(client, &format!("SET bytea_output = 'hex'; {query}")).await;
                assert_eq!(again, before, "{sql} under {setting}");
            }
            assert_eq!(after.len(), 1);
        }
        client
            .batch_execute("RESET search_path; SET pgwarrant.key = 'another key, another token for all'")
            .await
            .expect("key");
        assert_ne!(rows(client, &query).await, before, "{sql} under another key");
        client.batch_execute(&format!("SET pgwarrant.key = '{KEY}'")).await.expect("key");
    }
    // No key, no token.
    let column = column_type(client, "public.s0").await;
    let mask = compile(&Method::Token, &column, "contact", true).expect("text").render("r.c");
    let other = connect(&server_url(&scratch.name)).await;
    let error =
        other.simple_query(&format!("SELECT {mask} FROM public.s0 AS r")).await.expect_err("no key is set");
    assert_eq!(error.code().map(|code| code.code()), Some("42704"));
}
