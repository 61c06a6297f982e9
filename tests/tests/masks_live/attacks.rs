//! What a user could put in a mask's way, and where the key could show.

use pgwarrant_masking::{Method, compile};

use crate::kinds::{Kind, kinds, methods};
use crate::server::{KEY, Scratch, masked, rows, table};

/// Functions, operators, types, casts and relations named like those that masks use.
const HIJACK: &str = r#"
    CREATE SCHEMA evil;
    GRANT ALL ON SCHEMA evil TO PUBLIC;
    CREATE FUNCTION evil.stolen() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
    DO $do$
    DECLARE
        f record;
    BEGIN
        FOR f IN SELECT p.proname, pg_get_function_arguments(p.oid) AS args, pg_get_function_result(p.oid) AS result
                 FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f'
                   AND p.proname IN ('left', 'right', 'textcat', 'byteacat', 'char_length', 'repeat', 'int4ge',
                       'int4mi', 'int8mod', 'textlike', 'textnlike', 'ascii', 'translate', 'texteq', 'lower',
                       'convert_to', 'encode', 'sha256', 'current_setting', 'int8send', 'uuid_send', 'trim_scale',
                       'gen_random_uuid', 'to_timestamp', 'timezone', 'inetpl', 'date_pli', 'int4eq', 'int4mod', 'int4pl',
                       'numeric_mul')
        LOOP
            EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L', f.proname, f.args, f.result,
                           $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$);
        END LOOP;
    END $do$;
    CREATE FUNCTION evil.unnest(anyarray) RETURNS SETOF anyelement LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
    CREATE FUNCTION evil.yes(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
    CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.yes);
    CREATE OPERATOR evil.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.textcat);
    CREATE DOMAIN evil.text AS pg_catalog.text CHECK (false);
    CREATE DOMAIN evil.int8 AS pg_catalog.int8 CHECK (false);
    CREATE DOMAIN evil.int4 AS pg_catalog.int4 CHECK (false);
    CREATE DOMAIN evil.int2 AS pg_catalog.int2 CHECK (false);
    CREATE DOMAIN evil.bit AS pg_catalog.bit CHECK (false);
    CREATE DOMAIN evil.bytea AS pg_catalog.bytea CHECK (false);
    CREATE DOMAIN evil.uuid AS pg_catalog.uuid CHECK (false);
    CREATE DOMAIN evil.numeric AS pg_catalog.numeric CHECK (false);
    CREATE DOMAIN evil.varchar AS pg_catalog.varchar CHECK (false);
    CREATE TEMP TABLE text (v pg_catalog.int4);
    CREATE TEMP TABLE pgwarrant_element (v pg_catalog.text);
    INSERT INTO pgwarrant_element VALUES ('hijacked');
    SET search_path = evil, pg_temp, public, pg_catalog;
"#;

#[tokio::test]
async fn a_search_path_full_of_look_alikes_changes_nothing() {
    let scratch = Scratch::new("hijack").await;
    let client = &scratch.client;
    let mut before = Vec::new();
    for (number, kind) in kinds().iter().enumerate() {
        let name = format!("t{number}");
        let column = table(client, &name, kind).await;
        for method in methods() {
            let Ok(mask) = compile(&method, &column, "contact", true) else { continue };
            let result = masked(client, &name, &column, &mask.render("r.c")).await;
            before.push((name.clone(), column.clone(), mask.render("r.c"), result));
        }
    }
    client.batch_execute(HIJACK).await.expect("the look-alikes");
    let caught =
        client.simple_query("SELECT \"left\"('abc'::pg_catalog.text, 1)").await.expect_err("unqualified");
    assert!(format!("{caught:?}").contains("hijacked"), "the look-alikes work: {caught:?}");
    for (name, column, mask, result) in before {
        let after = masked(client, &name, &column, &mask).await;
        // It runs; what it draws is never the same.
        if !mask.contains("gen_random_uuid") {
            assert_eq!(after, result, "{} {mask}", column.sql);
        }
    }
}

#[tokio::test]
async fn no_cast_that_an_ordinary_owner_can_define_gets_into_a_mask() {
    let scratch = Scratch::new("casts").await;
    let client = &scratch.client;
    // Roles belong to the whole server: a name of this run's own.
    let owner = format!("masks_owner_{}", std::process::id());
    client
        .batch_execute(&format!(
            "CREATE ROLE {owner}; GRANT CREATE ON SCHEMA public TO {owner}; SET ROLE {owner};
             CREATE TYPE public.own_enum AS ENUM ('x', 'y');
             CREATE DOMAIN public.own_domain AS text;
             CREATE FUNCTION public.boom(public.own_enum) RETURNS text LANGUAGE plpgsql
                 AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
             CREATE FUNCTION public.boom(text) RETURNS public.own_enum LANGUAGE plpgsql
                 AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
             CREATE FUNCTION public.boom(public.own_domain) RETURNS bytea LANGUAGE plpgsql
                 AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
             CREATE CAST (public.own_enum AS text) WITH FUNCTION public.boom(public.own_enum) AS IMPLICIT;
             CREATE CAST (text AS public.own_enum) WITH FUNCTION public.boom(text) AS IMPLICIT;
             CREATE CAST (public.own_domain AS bytea) WITH FUNCTION public.boom(public.own_domain) AS IMPLICIT;"
        ))
        .await
        .expect("an owner's casts");
    // Casts between built-in types, or from citext, are not an ordinary owner's to define or drop.
    for statement in [
        "CREATE CAST (int4 AS text) WITH INOUT AS IMPLICIT",
        "CREATE CAST (text AS uuid) WITH INOUT AS IMPLICIT",
        "CREATE CAST (citext AS bytea) WITHOUT FUNCTION",
        "DROP CAST (citext AS text)",
    ] {
        assert!(client.batch_execute(statement).await.is_err(), "{statement}");
    }
    for (name, sql, values) in [("e", "own_enum", &["x", "y"][..]), ("d", "own_domain", &["some text"][..])] {
        let column = table(client, name, &Kind { sql, values }).await;
        for method in methods() {
            if let Ok(mask) = compile(&method, &column, "contact", false) {
                let mask = mask.render("r.c");
                client.batch_execute(&format!("SET pgwarrant.key = '{KEY}'")).await.expect("a key");
                masked(client, name, &column, &mask).await;
                let scoped = format!("CASE WHEN r.id OPERATOR(pg_catalog.=) 0 THEN r.c ELSE {mask} END");
                masked(client, name, &column, &scoped).await;
            }
        }
    }
    client
        .batch_execute(&format!("RESET ROLE; DROP OWNED BY {owner} CASCADE; DROP ROLE {owner}"))
        .await
        .expect("gone");
}

#[tokio::test]
async fn the_key_shows_in_no_plan_and_no_activity() {
    let scratch = Scratch::new("key").await;
    let client = &scratch.client;
    let column = table(client, "k", &Kind { sql: "text", values: &["maya@example.com"] }).await;
    for method in [Method::Hash, Method::Token] {
        let mask = compile(&method, &column, "contact", true).expect("text").render("r.c");
        assert!(!mask.contains(KEY));
        let query =
            format!("SELECT c FROM (SELECT CAST({mask} AS text) AS c FROM k AS r) AS k WHERE c = 'tok_1'");
        for explain in
            ["EXPLAIN (VERBOSE)", "EXPLAIN (ANALYZE, VERBOSE, SETTINGS)", "EXPLAIN (VERBOSE, FORMAT JSON)"]
        {
            let plan = format!("{:?}", rows(client, &format!("{explain} {query}")).await);
            assert!(plan.contains("pgwarrant.key"), "{plan}");
            assert!(!plan.contains(KEY) && !plan.contains(&KEY[..16]), "{plan}");
        }
        let activity = rows(client, &format!("SELECT query FROM pg_stat_activity, ({query}) AS q RIGHT JOIN (SELECT 1) o ON true WHERE pid = pg_backend_pid()")).await;
        assert!(!format!("{activity:?}").contains(KEY));
    }
    let shown = rows(client, "SELECT name, setting FROM pg_settings").await;
    assert!(!format!("{shown:?}").contains(KEY));
}
