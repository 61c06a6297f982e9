//! What PostgreSQL itself shows.

use std::collections::{BTreeMap, BTreeSet};

use crate::database::{Database, is_unsafe, protected, relation, unknown};

#[test]
fn what_the_system_shows_of_data_and_secrets_is_protected_out_of_the_box() {
    let database = Database::new("SELECT 1");
    let bound = database.bind(&[], &[], &unknown);
    assert_eq!(bound.errors, []);
    assert_eq!(bound.warnings, []);
    for (schema, name, columns) in [
        ("pg_catalog", "pg_stat_activity", "query"),
        ("pg_catalog", "pg_authid", "rolpassword"),
        ("pg_catalog", "pg_shadow", "passwd"),
        ("pg_catalog", "pg_prepared_statements", "statement"),
        ("pg_catalog", "pg_cursors", "statement"),
        ("pg_catalog", "pg_user_mapping", "umoptions"),
        ("pg_catalog", "pg_user_mappings", "umoptions"),
        ("pg_catalog", "pg_largeobject", "data"),
        ("pg_catalog", "pg_subscription", "subconninfo"),
        ("pg_catalog", "pg_file_settings", "setting"),
        ("pg_catalog", "pg_hba_file_rules", "options"),
        ("pg_catalog", "pg_foreign_server", "srvoptions"),
        ("pg_catalog", "pg_foreign_data_wrapper", "fdwoptions"),
        ("pg_catalog", "pg_stat_wal_receiver", "conninfo"),
        ("pg_catalog", "pg_db_role_setting", "setconfig"),
        ("information_schema", "foreign_server_options", "option_value"),
        ("information_schema", "foreign_data_wrapper_options", "option_value"),
        ("information_schema", "user_mapping_options", "option_value"),
    ] {
        assert_eq!(protected(relation(&bound, schema, name)).join(" "), columns, "{schema}.{name}");
        let protection = relation(&bound, schema, name).column(columns).unwrap().protection.clone().unwrap();
        assert!(protection.built_in && !protection.is_uncovered(|_| true));
    }
    for column in ["most_common_vals", "histogram_bounds", "most_common_elems", "most_common_freqs"] {
        assert!(protected(relation(&bound, "pg_catalog", "pg_stats")).contains(&column), "{column}");
    }
    for column in ["stavalues1", "stavalues5", "stanumbers1"] {
        assert!(protected(relation(&bound, "pg_catalog", "pg_statistic")).contains(&column), "{column}");
    }
    // Every mask can be run.
    for relation in bound.catalogue.relations.values() {
        let list: Vec<String> = relation
            .columns
            .iter()
            .filter_map(|column| Some((column, column.protection.as_ref()?)))
            .map(|(column, protection)| {
                format!(
                    "CAST({} AS {})",
                    protection.mask.render(&format!("r.{}", column.name)),
                    column.column_type.sql
                )
            })
            .collect();
        database.run(&format!(
            "SELECT {} FROM {}.{} r LIMIT 1",
            list.join(", "),
            relation.schema,
            relation.name
        ));
    }
    // No view that initdb made shows what an unsafe function gives without being on the list.
    let views = database.rows(&[
        "SELECT DISTINCT c.relname, p.proname FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class, \
         LATERAL regexp_matches(r.ev_action::text, ':funcid ([0-9]+)', 'g') m JOIN pg_proc p ON p.oid = m[1]::oid \
         WHERE r.oid < 16384",
    ]);
    assert!(views.len() > 50);
    // These use pg_stat_get_activity, but not its column `query`.
    let reviewed = ["pg_stat_replication", "pg_stat_ssl", "pg_stat_gssapi"];
    for row in views {
        let (Some(view), Some(function)) = (row[0].as_deref(), row[1].as_deref()) else { panic!("null") };
        if is_unsafe(&bound, function) && !reviewed.contains(&view) {
            assert!(
                bound.catalogue.relation("pg_catalog", view).is_some_and(|relation| relation.is_protected()),
                "{view} calls {function}"
            );
        }
    }
}

/// The lines of a table of the catalogue crate that speak of this major version.
fn reviewed(table: &str, major: u32) -> BTreeMap<&str, Vec<&str>> {
    let speaks = |versions: &str| {
        versions.split(',').any(|part| {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            (from.parse().unwrap()..=to.parse().unwrap()).contains(&major)
        })
    };
    table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .filter(|line| speaks(line[1]))
        .map(|line| (line[0].split('/').next().unwrap(), line))
        .collect()
}

/// The server's names, against the table's: none is missing, and none is made up.
fn compare(kind: &str, server: &BTreeSet<String>, table: &BTreeMap<&str, Vec<&str>>) {
    let missing: Vec<_> = server.iter().filter(|name| !table.contains_key(name.as_str())).collect();
    assert!(missing.is_empty(), "{kind} that nobody has reviewed (see tests/bin/builtins): {missing:?}");
    let gone: Vec<_> = table.keys().filter(|name| !server.contains(**name)).collect();
    assert!(gone.is_empty(), "{kind} that this server does not have: {gone:?}");
}

const FUNCTIONS: &str = include_str!("../../../crates/catalog/data/functions.tsv");
const RELATIONS: &str = include_str!("../../../crates/catalog/data/relations.tsv");
const EXTENSIONS: &str = include_str!("../../../crates/catalog/data/extensions.tsv");

#[test]
fn every_function_and_relation_of_this_server_has_been_reviewed() {
    let database = Database::new("SELECT 1");
    let major = database.value(&["SHOW server_version_num"]).parse::<u32>().unwrap() / 10_000;
    assert!((13..=18).contains(&major), "PostgreSQL {major} has not been reviewed: run tests/bin/builtins");
    let names = |query: &str| -> BTreeSet<String> {
        database.rows(&[query]).into_iter().flatten().flatten().collect()
    };
    let functions = names("SELECT DISTINCT proname FROM pg_proc WHERE oid < 16384");
    assert!(functions.len() > 2400);
    compare("functions", &functions, &reviewed(FUNCTIONS, major));
    let relations = names(
        "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.oid < 16384 AND c.relkind NOT IN ('i', 'I', 't', 'c')",
    );
    compare("relations", &relations, &reviewed(RELATIONS, major));
    // The columns of what is protected, each one.
    let columns = names(
        "SELECT n.nspname || '.' || c.relname || '.' || a.attname FROM pg_attribute a \
         JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.oid < 16384 AND a.attnum > 0 AND NOT a.attisdropped",
    );
    for (name, line) in reviewed(RELATIONS, major).into_iter().filter(|(_, line)| line.len() == 4) {
        let listed: BTreeSet<String> =
            line[3].split(' ').map(|column| format!("{name}.{}", column.trim_start_matches('!'))).collect();
        let prefix = format!("{name}.");
        let missing: Vec<_> = columns
            .iter()
            .filter(|column| column.starts_with(&prefix) && !listed.contains(*column))
            .collect();
        assert!(missing.is_empty(), "columns that nobody has reviewed: {missing:?}");
    }
}

#[test]
fn every_function_of_every_extension_of_this_server_has_its_verdict() {
    let database = Database::new("CREATE TABLE made (extension text)");
    let known: BTreeMap<&str, &str> = EXTENSIONS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('\t'))
        .collect();
    // Libraries of other languages need not be installed.
    database.run(
        "DO $$ DECLARE e text; BEGIN \
             FOR e IN SELECT name FROM pg_available_extensions ORDER BY 1 LOOP \
                 BEGIN EXECUTE format('CREATE EXTENSION IF NOT EXISTS %I CASCADE', e); \
                 EXCEPTION WHEN OTHERS THEN RAISE NOTICE '%: %', e, SQLERRM; END; \
             END LOOP; END $$",
    );
    let functions = database.rows(&[
        "SELECT DISTINCT e.extname, p.proname FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang \
         JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e' \
         JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass \
         WHERE l.lanname = 'c' AND p.prokind <> 'a' ORDER BY 1, 2",
    ]);
    let made: BTreeSet<&str> = functions.iter().filter_map(|row| row[0].as_deref()).collect();
    for extension in ["citext", "dblink", "tablefunc", "pageinspect", "postgres_fdw", "xml2"] {
        assert!(made.contains(extension), "{extension} could not be made: {made:?}");
    }
    let bound = database.bind(&[], &[], &unknown);
    let mut seen = BTreeSet::new();
    for row in &functions {
        let [Some(extension), Some(name)] = row.as_slice() else { panic!("{row:?}") };
        let own = known.get(format!("{extension}.{name}").as_str());
        let Some(verdict) = own.or_else(|| known.get(extension.as_str())) else { continue };
        seen.insert(*verdict == "harmless");
        if *verdict != "harmless" {
            assert!(is_unsafe(&bound, name), "{extension}: {name} {verdict}");
        } else if !is_unsafe(&bound, name) {
            continue;
        } else {
            // Another extension, or the server, has a dangerous one of the same name.
            let overloads = &bound.catalogue.unsafe_overloads[name];
            let all = database.value(&[&format!("SELECT count(*) FROM pg_proc WHERE proname = '{name}'")]);
            assert!(overloads.len() < all.parse().unwrap(), "{extension}: {name}: {overloads:?}");
        }
    }
    assert_eq!(seen.len(), 2, "both verdicts occur");
}

#[test]
fn no_setting_of_ours_shows_among_the_servers() {
    let database = Database::new("SELECT 1");
    for query in [
        "SELECT count(*) FROM pg_settings WHERE name LIKE 'pgwarrant%' OR setting LIKE '%s3cret%'",
        "SELECT count(*) FROM pg_show_all_settings() s WHERE s::text LIKE '%s3cret%'",
        "SELECT count(*) FROM pg_db_role_setting s WHERE s::text LIKE '%s3cret%'",
    ] {
        assert_eq!(database.value(&["SET pgwarrant.key = 's3cret'", query]), "0", "{query}");
    }
}

#[test]
fn the_value_that_a_column_was_added_with_is_protected_and_other_definitions_stay_open() {
    let database = Database::new(
        "CREATE FUNCTION columns_of(regclass) RETURNS SETOF name LANGUAGE sql AS \
             'SELECT a.attname FROM pg_attribute a WHERE a.attrelid = $1 AND a.attnum > 0'; \
         CREATE FUNCTION values_of(regclass) RETURNS SETOF text LANGUAGE sql AS \
             'SELECT a.attmissingval::text FROM pg_attribute a WHERE a.attrelid = $1'; \
         CREATE FUNCTION rows_of() RETURNS SETOF text LANGUAGE sql AS 'SELECT a::text FROM pg_attribute a'",
    );
    let bound = database.bind(&[], &[], &unknown);
    assert_eq!(protected(relation(&bound, "pg_catalog", "pg_attribute")), ["attmissingval"]);
    for (function, expected) in [("columns_of", false), ("values_of", true), ("rows_of", true)] {
        assert_eq!(is_unsafe(&bound, function), expected, "{function}");
    }
}
