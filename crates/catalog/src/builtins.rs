//! What initdb and well-known extensions make, reviewed once: PostgreSQL 13 to 18.

/// Functions of `pg_catalog` that must not be called, by every overload's name, with the reason as
/// a verb phrase. Everything else that initdb makes was looked at and is harmless.
pub(crate) fn unsafe_builtin(name: &str) -> Option<&'static str> {
    let reason = match name {
        "query_to_xml" | "query_to_xmlschema" | "query_to_xml_and_xmlschema" | "ts_stat" | "ts_rewrite" => {
            "executes text"
        }
        "cursor_to_xml" | "cursor_to_xmlschema" => "reads a cursor by its name",
        "table_to_xml"
        | "table_to_xmlschema"
        | "table_to_xml_and_xmlschema"
        | "schema_to_xml"
        | "schema_to_xmlschema"
        | "schema_to_xml_and_xmlschema"
        | "database_to_xml"
        | "database_to_xmlschema"
        | "database_to_xml_and_xmlschema" => "reads relations by their names",
        "pg_read_file"
        | "pg_read_file_old"
        | "pg_read_binary_file"
        | "pg_stat_file"
        | "pg_file_read"
        | "pg_logdir_ls" => "reads files of the server",
        "pg_show_all_file_settings" | "pg_hba_file_rules" => "reads configuration files of the server",
        "loread" | "lowrite" => "reads or writes large objects",
        "pg_stat_get_activity" | "pg_stat_get_backend_activity" => "shows the statements of other sessions",
        "pg_prepared_statement" | "pg_cursor" => "shows statements as the server got them",
        "pg_mcv_list_items" => "shows statistics, which hold values",
        "pg_logical_emit_message" => "writes to the write-ahead log",
        "pg_create_logical_replication_slot"
        | "pg_create_physical_replication_slot"
        | "pg_copy_logical_replication_slot"
        | "pg_copy_physical_replication_slot"
        | "pg_replication_slot_advance"
        | "pg_drop_replication_slot"
        | "pg_sync_replication_slots" => "controls replication",
        "pg_start_backup" | "pg_stop_backup" | "pg_backup_start" | "pg_backup_stop" => {
            "controls base backups"
        }
        "pg_restore_relation_stats"
        | "pg_restore_attribute_stats"
        | "pg_clear_relation_stats"
        | "pg_clear_attribute_stats" => "changes statistics",
        // They run a type's input function, which is named in a string.
        "pg_input_is_valid" | "pg_input_error_info" => "reads a type by its name",
        // currtid and currtid2 look into a relation by its name.
        "currtid" | "currtid2" => "reads relations by their names",
        _ if name.starts_with("lo_") => "reads or writes large objects",
        _ if name.starts_with("pg_ls_") => "lists files of the server",
        _ if name.starts_with("pg_logical_slot_") => "reads the replication stream",
        _ if name.starts_with("pg_get_wal_record") || name.starts_with("pg_get_wal_block") => {
            "reads the write-ahead log"
        }
        _ if name.starts_with("binary_upgrade_") => "changes the system catalogs",
        _ => return None,
    };
    Some(reason)
}

/// Extensions of PostgreSQL's own distribution whose C functions compute from their arguments
/// alone, whatever their volatility label says.
pub(crate) const REVIEWED_EXTENSIONS: [&str; 20] = [
    "plpgsql",
    "btree_gin",
    "btree_gist",
    "citext",
    "cube",
    "dict_int",
    "dict_xsyn",
    "earthdistance",
    "fuzzystrmatch",
    "hstore",
    "intarray",
    "isn",
    "ltree",
    "moddatetime",
    "pg_trgm",
    "pgcrypto",
    "seg",
    "tsm_system_rows",
    "unaccent",
    "uuid-ossp",
];

/// Functions of extensions that show what a relation below protects column by column: harmless as
/// part of that view, not on their own.
pub(crate) fn is_reviewed_view(extension_function: &str) -> bool {
    matches!(extension_function, "pg_stat_statements" | "pg_stat_statements_info")
}

/// Columns of system relations that hold data of users or secrets. A relation of `pg_catalog` or
/// `information_schema` unless `schema` is None, which is the case for an extension's: those count
/// in any schema.
pub(crate) struct ProtectedSystemRelation {
    pub schema: Option<&'static str>,
    pub relation: &'static str,
    /// Names, or prefixes where they end in `*`.
    pub columns: &'static [&'static str],
}

pub(crate) const PROTECTED_SYSTEM_RELATIONS: [ProtectedSystemRelation; 20] = [
    pg_catalog(
        "pg_stats",
        &[
            "null_frac",
            "avg_width",
            "n_distinct",
            "correlation",
            "most_common*",
            "histogram_bounds",
            "elem_count_histogram",
            "range_*",
        ],
    ),
    pg_catalog("pg_stats_ext", &["n_distinct", "dependencies", "most_common*"]),
    pg_catalog(
        "pg_stats_ext_exprs",
        &[
            "null_frac",
            "avg_width",
            "n_distinct",
            "correlation",
            "most_common*",
            "histogram_bounds",
            "elem_count_histogram",
            "range_*",
        ],
    ),
    pg_catalog("pg_statistic", &["stanullfrac", "stawidth", "stadistinct", "stanumbers*", "stavalues*"]),
    pg_catalog("pg_statistic_ext_data", &["stxdndistinct", "stxddependencies", "stxdmcv", "stxdexpr"]),
    pg_catalog("pg_stat_activity", &["query"]),
    pg_catalog("pg_prepared_statements", &["statement"]),
    pg_catalog("pg_cursors", &["statement"]),
    pg_catalog("pg_authid", &["rolpassword"]),
    pg_catalog("pg_shadow", &["passwd"]),
    pg_catalog("pg_user_mapping", &["umoptions"]),
    pg_catalog("pg_user_mappings", &["umoptions"]),
    pg_catalog("pg_largeobject", &["data"]),
    pg_catalog("pg_subscription", &["subconninfo"]),
    pg_catalog("pg_file_settings", &["setting"]),
    pg_catalog("pg_hba_file_rules", &["options"]),
    ProtectedSystemRelation {
        schema: Some("information_schema"),
        relation: "_pg_user_mappings",
        columns: &["umoptions"],
    },
    ProtectedSystemRelation {
        schema: Some("information_schema"),
        relation: "user_mapping_options",
        columns: &["option_value"],
    },
    ProtectedSystemRelation { schema: None, relation: "pg_stat_statements", columns: &["query"] },
    ProtectedSystemRelation { schema: None, relation: "pg_stat_monitor", columns: &["query", "comments"] },
];

const fn pg_catalog(relation: &'static str, columns: &'static [&'static str]) -> ProtectedSystemRelation {
    ProtectedSystemRelation { schema: Some("pg_catalog"), relation, columns }
}

impl ProtectedSystemRelation {
    pub fn protects(&self, column: &str) -> bool {
        self.columns.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => column.starts_with(prefix),
            None => column == *pattern,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dangerous_are_listed_and_everyday_ones_are_not() {
        for name in [
            "query_to_xml",
            "ts_stat",
            "pg_read_file",
            "lo_get",
            "pg_ls_dir",
            "pg_logical_slot_peek_changes",
            "pg_stat_get_activity",
        ] {
            assert!(unsafe_builtin(name).is_some(), "{name}");
        }
        for name in [
            "lower",
            "now",
            "nextval",
            "currval",
            "pg_sleep",
            "has_table_privilege",
            "pg_get_viewdef",
            "format",
            "log",
            "localtimestamp",
            "pg_get_wal_resource_managers",
            "json_agg",
            "xpath",
        ] {
            assert_eq!(unsafe_builtin(name), None, "{name}");
        }
    }
}
