//! The statements that read a snapshot, for a connection of the proxy's own.
//!
//! They work on PostgreSQL 13 to 18, need no privilege beyond what every role has on the catalogs,
//! and take no lock on user relations, except that `pg_get_viewdef` locks what a view reads
//! (ACCESS SHARE): hence the `lock_timeout`. References of stored expressions are read from their
//! node trees: `pg_depend` leaves out everything that initdb made, so a view that calls
//! `pg_read_file` or reads `pg_authid` has no entry for it, and deparsing them all costs ten times
//! as much.

/// One statement of a snapshot. Its rows, as text, go to [`crate::Snapshot::from_rows`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    pub name: &'static str,
    pub sql: &'static str,
    /// Columns of its result.
    pub width: usize,
}

/// To be run once on the connection, before any of the others: they rely on it. It is one simple
/// query message of several statements, and its results are of no interest.
pub const SESSION_SETUP: &str = "SET search_path = ''; SET standard_conforming_strings = on; \
     SET quote_all_identifiers = off; SET lock_timeout = '5s'; SET statement_timeout = '60s'; \
     SET idle_in_transaction_session_timeout = '60s'; SET jit = off; \
     SET default_transaction_read_only = on";

/// The statements of a snapshot, in any order, one at a time. [`CHANGE_PROBE`] before and after
/// them shows whether they saw one state of the schema.
pub fn queries() -> &'static [Query] {
    &QUERIES
}

const QUERIES: [Query; 17] = [
    Query { name: "schemas", width: 1, sql: "SELECT nspname FROM pg_catalog.pg_namespace" },
    // Every role that SET ROLE could name.
    Query { name: "roles", width: 1, sql: "SELECT rolname FROM pg_catalog.pg_roles" },
    // Temporary tables are their session's own business, but a temporary view can show anything.
    // Indexes, composite types and TOAST tables are no relations that a statement can read by name,
    // save TOAST tables, whose schemas' names are refused.
    Query {
        name: "relations",
        width: 4,
        sql: "SELECT c.oid, n.nspname, c.relname, c.relkind \
              FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
              WHERE c.relkind NOT IN ('i', 'I', 't', 'c') \
                AND (c.relpersistence <> 't' OR c.relkind = 'v')",
    },
    Query {
        name: "columns",
        width: 8,
        sql: "SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attgenerated <> '', a.attnotnull, \
                     CASE WHEN a.attcollation <> t.typcollation AND a.attcollation <> 0 \
                          THEN (SELECT pg_catalog.format('%I.%I', n.nspname, k.collname) \
                                FROM pg_catalog.pg_collation k JOIN pg_catalog.pg_namespace n \
                                     ON n.oid = k.collnamespace WHERE k.oid = a.attcollation) END \
              FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
                   JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
              WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
                AND (c.relpersistence <> 't' OR c.relkind = 'v')",
    },
    Query {
        name: "primary_keys",
        width: 2,
        sql: "SELECT conrelid, conkey FROM pg_catalog.pg_constraint WHERE contype = 'p'",
    },
    // Partial ones do not count: what they leave out cannot be told here.
    Query {
        name: "unique_indexes",
        width: 5,
        sql: "SELECT i.indrelid, c.relname, \
                     ARRAY(SELECT k.attnum FROM pg_catalog.unnest(i.indkey) WITH ORDINALITY AS k (attnum, place) \
                           WHERE k.place <= i.indnkeyatts AND k.attnum > 0 \
                           UNION SELECT d.refobjsubid FROM pg_catalog.pg_depend d \
                           WHERE i.indexprs IS NOT NULL AND d.classid = 'pg_catalog.pg_class'::regclass \
                             AND d.objid = i.indexrelid AND d.refclassid = 'pg_catalog.pg_class'::regclass \
                             AND d.refobjid = i.indrelid AND d.refobjsubid > 0), \
                     i.indexprs IS NULL, \
                     COALESCE((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) \
              FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
              WHERE i.indisunique AND i.indpred IS NULL AND i.indrelid >= 16384 AND c.relpersistence <> 't' \
              ORDER BY i.indrelid, c.relname",
    },
    Query {
        name: "event_triggers",
        width: 3,
        sql: "SELECT oid, evtname, pg_catalog.array_to_string(evttags, E'\\n') FROM pg_catalog.pg_event_trigger \
              WHERE evtenabled <> 'D' AND evtevent <> 'login'",
    },
    Query {
        name: "foreign_keys",
        width: 6,
        sql: "SELECT conrelid, conkey, confrelid, confkey, confdeltype, confupdtype FROM pg_catalog.pg_constraint \
              WHERE contype = 'f' AND (confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd')) \
              ORDER BY oid",
    },
    Query {
        name: "inheritance",
        width: 2,
        sql: "SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits ORDER BY inhrelid, inhseqno",
    },
    // A true array is what its element's typarray points to; typelem alone is set for name and
    // point as well.
    Query {
        name: "types",
        width: 9,
        sql: "SELECT t.oid, n.nspname, t.typname, t.typtype, \
                     CASE WHEN t.typtype = 'd' THEN t.typbasetype END, t.typtypmod, e.oid, \
                     CASE WHEN t.typtype = 'c' THEN t.typrelid END, \
                     COALESCE(r.rngsubtype, m.rngsubtype) \
              FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace \
                   LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND e.typarray = t.oid \
                   LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid \
                   LEFT JOIN (SELECT (pg_catalog.to_jsonb(x) ->> 'rngmultitypid')::oid AS oid, x.rngsubtype \
                              FROM pg_catalog.pg_range x) m ON m.oid = t.oid",
    },
    Query {
        name: "enum_labels",
        width: 2,
        sql: "SELECT enumtypid, enumlabel FROM pg_catalog.pg_enum ORDER BY enumtypid, enumsortorder",
    },
    // format_type writes name and modifier; what follows the bare name is the modifier.
    Query {
        name: "modifiers",
        width: 4,
        sql: "SELECT typid, typmod, pg_catalog.format_type(typid, typmod), \
                     pg_catalog.substr(pg_catalog.format_type(typid, typmod), \
                                       pg_catalog.length(pg_catalog.format_type(typid, NULL)) + 1) \
              FROM (SELECT DISTINCT CASE WHEN e.oid IS NULL THEN a.atttypid ELSE e.oid END AS typid, \
                                    a.atttypmod AS typmod \
                    FROM pg_catalog.pg_attribute a \
                         JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
                         LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND e.typarray = t.oid \
                    WHERE a.atttypmod >= 0 AND a.attnum > 0) x",
    },
    Query {
        name: "views",
        width: 2,
        sql: "SELECT c.oid, pg_catalog.pg_get_viewdef(c.oid) FROM pg_catalog.pg_class c \
              WHERE c.relkind IN ('v', 'm') AND c.oid >= 16384",
    },
    // Of what initdb made only the names: it has been reviewed (builtins.rs).
    Query {
        name: "functions",
        width: 12,
        sql: "SELECT p.oid, n.nspname, p.proname, l.lanname, p.provolatile, p.prokind, e.extname, \
                     CASE WHEN p.oid >= 16384 AND l.lanname IN ('sql', 'plpgsql') THEN p.prosrc END, \
                     CASE WHEN p.oid >= 16384 \
                          THEN pg_catalog.concat_ws(' ', p.prorettype::text, p.proargtypes::text, \
                                                    pg_catalog.array_to_string(p.proallargtypes, ' ')) END, \
                     CASE WHEN p.oid >= 16384 THEN pg_catalog.array_to_string(p.proconfig, E'\\n') END, \
                     CASE WHEN p.prokind IN ('a', 'p') THEN 0 ELSE p.pronargs - p.pronargdefaults END, \
                     CASE WHEN p.prokind IN ('a', 'p') OR p.provariadic <> 0 THEN 65535 ELSE p.pronargs END \
              FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
                   JOIN pg_catalog.pg_language l ON l.oid = p.prolang \
                   LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::regclass \
                             AND d.objid = p.oid AND d.deptype = 'e' \
                             AND d.refclassid = 'pg_catalog.pg_extension'::regclass \
                   LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid",
    },
    Query {
        name: "operators",
        width: 2,
        sql: "SELECT oid, oprname FROM pg_catalog.pg_operator WHERE oid >= 16384",
    },
    Query { name: "references", width: 6, sql: REFERENCES },
    // Without a right on the whole table, column rights decide; a role with neither gets
    // PostgreSQL's own refusal. Relations with column rights are few.
    Query {
        name: "privileges",
        width: 3,
        sql: "SELECT x.attrelid, r.rolname, pg_catalog.array_agg(a.attnum ORDER BY a.attnum) \
              FROM (SELECT DISTINCT attrelid FROM pg_catalog.pg_attribute \
                    WHERE attacl IS NOT NULL AND attnum > 0 AND NOT attisdropped) x \
                   CROSS JOIN pg_catalog.pg_roles r \
                   JOIN pg_catalog.pg_attribute a ON a.attrelid = x.attrelid AND a.attnum > 0 \
                                                 AND NOT a.attisdropped \
              WHERE NOT pg_catalog.has_table_privilege(r.oid, x.attrelid, 'SELECT') \
                AND pg_catalog.has_any_column_privilege(r.oid, x.attrelid, 'SELECT') \
                AND NOT pg_catalog.has_column_privilege(r.oid, x.attrelid, a.attnum, 'SELECT') \
              GROUP BY x.attrelid, r.rolname",
    },
];

/// Who refers to what: source kind, oid, column; target kind, oid, column.
const REFERENCES: &str = "\
WITH tree (kind, oid, sub, tree) AS ( \
     SELECT CASE WHEN ev_type = '1' THEN 'view' ELSE 'rule' END, ev_class, 0, \
            ev_action::text || COALESCE(ev_qual::text, '') \
     FROM pg_catalog.pg_rewrite WHERE oid >= 16384 \
     UNION ALL SELECT 'default', adrelid, adnum, adbin::text FROM pg_catalog.pg_attrdef \
     WHERE adbin::text NOT LIKE '{CONST %' \
     UNION ALL SELECT CASE WHEN conrelid <> 0 THEN 'constraint' ELSE 'type' END, \
                      CASE WHEN conrelid <> 0 THEN conrelid ELSE contypid END, 0, conbin::text \
     FROM pg_catalog.pg_constraint WHERE conbin IS NOT NULL AND oid >= 16384 \
     UNION ALL SELECT 'policy', polrelid, 0, COALESCE(polqual::text, '') || COALESCE(polwithcheck::text, '') \
     FROM pg_catalog.pg_policy \
     UNION ALL SELECT 'index', indrelid, 0, COALESCE(indexprs::text, '') || COALESCE(indpred::text, '') \
     FROM pg_catalog.pg_index WHERE indexprs IS NOT NULL OR indpred IS NOT NULL \
     UNION ALL SELECT 'expression', partrelid, 0, partexprs::text FROM pg_catalog.pg_partitioned_table \
     WHERE partexprs IS NOT NULL \
     UNION ALL SELECT 'expression', s.stxrelid, 0, pg_catalog.to_jsonb(s) ->> 'stxexprs' \
     FROM pg_catalog.pg_statistic_ext s WHERE pg_catalog.to_jsonb(s) ->> 'stxexprs' IS NOT NULL \
     UNION ALL SELECT 'trigger', tgrelid, 0, tgqual::text FROM pg_catalog.pg_trigger \
     WHERE tgqual IS NOT NULL AND tgenabled <> 'D' \
     UNION ALL SELECT 'function', oid, 0, proargdefaults::text FROM pg_catalog.pg_proc \
     WHERE proargdefaults IS NOT NULL AND oid >= 16384 \
     UNION ALL SELECT 'function', p.oid, 0, pg_catalog.to_jsonb(p) ->> 'prosqlbody' \
     FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang \
     WHERE p.oid >= 16384 AND l.lanname = 'sql' AND p.prosrc = '' \
     UNION ALL SELECT 'type', oid, 0, typdefaultbin::text FROM pg_catalog.pg_type \
     WHERE typdefaultbin IS NOT NULL AND oid >= 16384 \
), found AS ( \
     SELECT t.kind, t.oid, t.sub, pg_catalog.split_part(m[1], ' ', 1) AS field, \
            pg_catalog.split_part(m[1], ' ', 2)::oid AS target \
     FROM tree t, LATERAL pg_catalog.regexp_matches( \
              t.tree, ':(?:funcid|opfuncid|aggfnoid|winfnoid|relid) [0-9]+', 'g') m \
), depend (kind, oid, sub, refclassid, refobjid, refobjsubid) AS ( \
     SELECT CASE WHEN r.ev_type = '1' THEN 'view' ELSE 'rule' END, r.ev_class, 0, \
            d.refclassid, d.refobjid, d.refobjsubid \
     FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid \
     WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.deptype IN ('n', 'a') \
       AND NOT (d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = r.ev_class) \
     UNION ALL SELECT 'default', a.adrelid, a.adnum, d.refclassid, d.refobjid, d.refobjsubid \
     FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attrdef a ON a.oid = d.objid \
     WHERE d.classid = 'pg_catalog.pg_attrdef'::regclass \
       AND NOT (d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = a.adrelid \
                AND d.refobjsubid = a.adnum) \
     UNION ALL SELECT 'default', a.attrelid, a.attnum, d.refclassid, d.refobjid, d.refobjsubid \
     FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.objid AND a.attnum = d.objsubid \
     WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objsubid > 0 AND a.attgenerated <> '' \
     UNION ALL SELECT CASE WHEN c.conrelid <> 0 THEN 'constraint' ELSE 'type' END, \
                      CASE WHEN c.conrelid <> 0 THEN c.conrelid ELSE c.contypid END, 0, \
                      d.refclassid, d.refobjid, d.refobjsubid \
     FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_constraint c ON c.oid = d.objid \
     WHERE d.classid = 'pg_catalog.pg_constraint'::regclass AND c.contype IN ('c', 'x') \
       AND d.refclassid <> 'pg_catalog.pg_class'::regclass \
       AND NOT (d.refclassid = 'pg_catalog.pg_type'::regclass AND d.refobjid = c.contypid) \
     UNION ALL SELECT 'policy', p.polrelid, 0, d.refclassid, d.refobjid, d.refobjsubid \
     FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_policy p ON p.oid = d.objid \
     WHERE d.classid = 'pg_catalog.pg_policy'::regclass AND d.refclassid <> 'pg_catalog.pg_class'::regclass \
     UNION ALL SELECT 'index', i.indrelid, 0, d.refclassid, d.refobjid, d.refobjsubid \
     FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_index i ON i.indexrelid = d.objid \
     WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objsubid = 0 \
       AND d.refclassid IN ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass) \
     UNION ALL SELECT 'function', p.oid, 0, d.refclassid, d.refobjid, d.refobjsubid \
     FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_proc p ON p.oid = d.objid \
     WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.deptype = 'n' \
       AND NOT (d.refclassid = 'pg_catalog.pg_proc'::regclass AND d.refobjid = p.prosupport) \
     UNION ALL SELECT 'type', d.objid, 0, d.refclassid, d.refobjid, d.refobjsubid \
     FROM pg_catalog.pg_depend d \
     WHERE d.classid = 'pg_catalog.pg_type'::regclass \
       AND d.refclassid IN ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass) \
), opclasses (relation, opclass) AS ( \
     SELECT indrelid, k FROM pg_catalog.pg_index, LATERAL pg_catalog.unnest(indclass) k \
     UNION SELECT partrelid, k FROM pg_catalog.pg_partitioned_table, LATERAL pg_catalog.unnest(partclass) k \
), all_references (kind, oid, sub, target_kind, target, target_sub) AS ( \
     SELECT kind, oid, sub, CASE WHEN field = ':relid' THEN 'relation' ELSE 'function' END, target, 0 \
     FROM found WHERE target <> 0 \
     UNION ALL \
     SELECT kind, oid, sub, \
            CASE refclassid WHEN 'pg_catalog.pg_class'::regclass THEN 'relation' \
                            WHEN 'pg_catalog.pg_proc'::regclass THEN 'function' \
                            WHEN 'pg_catalog.pg_operator'::regclass THEN 'operator' \
                            ELSE 'type' END, refobjid, refobjsubid \
     FROM depend WHERE refclassid IN ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_proc'::regclass, \
                                      'pg_catalog.pg_operator'::regclass, 'pg_catalog.pg_type'::regclass) \
     UNION ALL SELECT 'trigger', tgrelid, 0, 'function', tgfoid, 0 FROM pg_catalog.pg_trigger \
     WHERE tgenabled <> 'D' AND tgfoid >= 16384 \
     UNION ALL SELECT 'event trigger', oid, 0, 'function', evtfoid, 0 FROM pg_catalog.pg_event_trigger \
     WHERE evtenabled <> 'D' AND evtevent <> 'login' \
     UNION ALL SELECT 'operator class', k.relation, 0, 'function', p.amproc::oid, 0 \
     FROM opclasses k JOIN pg_catalog.pg_opclass c ON c.oid = k.opclass \
          JOIN pg_catalog.pg_amproc p ON p.amprocfamily = c.opcfamily \
     WHERE p.amproc::oid >= 16384 \
     UNION ALL SELECT 'operator class', k.relation, 0, 'operator', o.amopopr, 0 \
     FROM opclasses k JOIN pg_catalog.pg_opclass c ON c.oid = k.opclass \
          JOIN pg_catalog.pg_amop o ON o.amopfamily = c.opcfamily \
     WHERE o.amopopr >= 16384 \
     UNION ALL SELECT 'foreign key', conrelid, 0, 'relation', confrelid, 0 FROM pg_catalog.pg_constraint \
     WHERE contype = 'f' AND (confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd')) \
     UNION ALL SELECT 'operator', oid, 0, 'function', oprcode, 0 FROM pg_catalog.pg_operator \
     WHERE oid >= 16384 AND oprcode <> 0 \
     UNION ALL SELECT CASE WHEN c.castcontext = 'e' AND NOT (c.castsource >= 16384 AND c.casttarget < 16384) \
                           THEN 'explicit cast' ELSE 'implicit cast' END, t.oid, 0, 'function', c.castfunc, 0 \
     FROM pg_catalog.pg_cast c JOIN pg_catalog.pg_type t ON \
          CASE WHEN c.castsource >= 16384 AND (c.castcontext <> 'e' OR c.casttarget < 16384) \
               THEN t.oid = c.castsource \
               WHEN c.casttarget >= 16384 OR c.castcontext = 'e' THEN t.oid = c.casttarget \
               ELSE t.oid IN (c.castsource, c.casttarget) END \
     WHERE c.oid >= 16384 AND c.castfunc <> 0 \
     UNION ALL SELECT 'function', a.aggfnoid::oid, 0, 'function', f::oid, 0 \
     FROM pg_catalog.pg_aggregate a, \
          LATERAL pg_catalog.unnest(ARRAY[a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, \
                     a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn]) f \
     WHERE a.aggfnoid::oid >= 16384 AND f::oid <> 0 \
     UNION ALL SELECT 'type', t.oid, 0, 'type', a.atttypid, 0 \
     FROM pg_catalog.pg_type t JOIN pg_catalog.pg_class c ON c.oid = t.typrelid AND c.relkind = 'c' \
          JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND a.atttypid >= 16384 \
     UNION ALL SELECT 'type', c.opcintype, 0, 'function', p.amproc::oid, 0 \
     FROM pg_catalog.pg_opclass c JOIN pg_catalog.pg_amproc p ON p.amprocfamily = c.opcfamily \
     WHERE p.amproc::oid >= 16384 AND c.opcintype IN (p.amproclefttype, p.amprocrighttype) \
     UNION ALL SELECT 'type', c.opcintype, 0, 'operator', o.amopopr, 0 \
     FROM pg_catalog.pg_opclass c JOIN pg_catalog.pg_amop o ON o.amopfamily = c.opcfamily \
     WHERE o.amopopr >= 16384 AND c.opcintype IN (o.amoplefttype, o.amoprighttype) \
) \
SELECT DISTINCT kind, oid, sub, target_kind, target, target_sub FROM all_references";

/// The text of [`CHANGE_PROBE`].
macro_rules! exact_probe {
    () => {
        "\
SELECT pg_catalog.md5(pg_catalog.string_agg(part, ' ' ORDER BY part)) FROM ( \
        SELECT 'a' || pg_catalog.sum(pg_catalog.hashtextextended(xmin::text, n))::text AS part FROM ( \
            SELECT xmin, pg_catalog.count(*) AS n FROM pg_catalog.pg_attribute WHERE attrelid NOT IN \
                (SELECT oid FROM pg_catalog.pg_class WHERE relpersistence = 't' AND relkind <> 'v') \
            GROUP BY xmin) x \
        UNION ALL SELECT 'b' || pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', \
                relname, relnamespace, relowner, relkind, relnatts, relpersistence, relacl), oid::bigint))::text \
            FROM pg_catalog.pg_class WHERE relkind NOT IN ('i', 'I', 't', 'c') \
                AND (relpersistence <> 't' OR relkind = 'v') \
        UNION ALL SELECT 'c' || pg_catalog.sum(pg_catalog.hashtextextended(xmin::text, n))::text FROM ( \
            SELECT xmin, pg_catalog.count(*) AS n FROM pg_catalog.pg_proc GROUP BY xmin) x \
        UNION ALL SELECT 'd' || pg_catalog.sum(pg_catalog.hashtextextended(xmin::text, n))::text FROM ( \
            SELECT xmin, pg_catalog.count(*) AS n FROM pg_catalog.pg_rewrite GROUP BY xmin) x \
        UNION ALL SELECT 'e' || pg_catalog.sum(pg_catalog.hashtextextended(xmin::text, n))::text FROM ( \
            SELECT xmin, pg_catalog.count(*) AS n FROM pg_catalog.pg_trigger WHERE tgrelid NOT IN \
                (SELECT oid FROM pg_catalog.pg_class WHERE relpersistence = 't' AND relkind <> 'v') \
            GROUP BY xmin) x \
        UNION ALL SELECT 'f' || pg_catalog.sum(pg_catalog.hashtextextended(xmin::text, n))::text FROM ( \
            SELECT xmin, pg_catalog.count(*) AS n FROM pg_catalog.pg_inherits WHERE inhrelid NOT IN \
                (SELECT oid FROM pg_catalog.pg_class WHERE relpersistence = 't') \
            GROUP BY xmin) x \
        UNION ALL SELECT 'g' || pg_catalog.sum(pg_catalog.hashtextextended(xmin::text, n))::text FROM ( \
            SELECT xmin, pg_catalog.count(*) AS n FROM pg_catalog.pg_type WHERE typnamespace NOT IN \
                (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname LIKE 'pg\\_temp\\_%') \
            GROUP BY xmin) x \
        UNION ALL SELECT 'h' || pg_catalog.sum(pg_catalog.hashtextextended(xmin::text, n))::text FROM ( \
            SELECT xmin, pg_catalog.count(*) AS n FROM pg_catalog.pg_operator GROUP BY xmin) x \
        UNION ALL SELECT 'i' || pg_catalog.sum(pg_catalog.hashtextextended(xmin::text, n))::text FROM ( \
            SELECT xmin, pg_catalog.count(*) AS n FROM pg_catalog.pg_cast GROUP BY xmin) x \
        UNION ALL SELECT 'j' || pg_catalog.sum(pg_catalog.hashtextextended(xmin::text, n))::text FROM ( \
            SELECT xmin, pg_catalog.count(*) AS n FROM pg_catalog.pg_namespace \
            WHERE nspname !~ '^pg_(toast_)?temp_' GROUP BY xmin) x \
        UNION ALL SELECT 'k' || pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', \
                rolname, rolsuper, rolinherit), oid::bigint))::text FROM pg_catalog.pg_roles \
        UNION ALL SELECT 'l' || pg_catalog.sum(pg_catalog.hashtextextended(xmin::text, n))::text FROM ( \
            SELECT xmin, pg_catalog.count(*) AS n FROM pg_catalog.pg_auth_members GROUP BY xmin) x \
        UNION ALL SELECT 'm' || pg_catalog.sum(pg_catalog.hashtextextended(xmin::text, n))::text FROM ( \
            SELECT xmin, pg_catalog.count(*) AS n FROM pg_catalog.pg_attrdef WHERE adrelid NOT IN \
                (SELECT oid FROM pg_catalog.pg_class WHERE relpersistence = 't' AND relkind <> 'v') \
            GROUP BY xmin) x \
        UNION ALL SELECT 'n' || pg_catalog.sum(pg_catalog.hashtextextended(xmin::text, n))::text FROM ( \
            SELECT xmin, pg_catalog.count(*) AS n FROM pg_catalog.pg_constraint WHERE connamespace NOT IN \
                (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname LIKE 'pg\\_temp\\_%') \
            GROUP BY xmin) x \
        UNION ALL SELECT 'o' || pg_catalog.sum(pg_catalog.hashtextextended(xmin::text, n))::text FROM ( \
            SELECT xmin, pg_catalog.count(*) AS n FROM pg_catalog.pg_policy GROUP BY xmin) x \
        UNION ALL SELECT 'p' || pg_catalog.sum(pg_catalog.hashtextextended(xmin::text, n))::text FROM ( \
            SELECT xmin, pg_catalog.count(*) AS n FROM pg_catalog.pg_aggregate GROUP BY xmin) x \
        UNION ALL SELECT 'q' || pg_catalog.sum(pg_catalog.hashtextextended(xmin::text, n))::text FROM ( \
            SELECT xmin, pg_catalog.count(*) AS n FROM pg_catalog.pg_enum GROUP BY xmin) x \
        UNION ALL SELECT 'r' || pg_catalog.sum(pg_catalog.hashtextextended(xmin::text, n))::text FROM ( \
            SELECT xmin, pg_catalog.count(*) AS n FROM pg_catalog.pg_opclass GROUP BY xmin) x \
        UNION ALL SELECT 's' || pg_catalog.sum(pg_catalog.hashtextextended(xmin::text, n))::text FROM ( \
            SELECT xmin, pg_catalog.count(*) AS n FROM pg_catalog.pg_amproc GROUP BY xmin) x \
        UNION ALL SELECT 't' || pg_catalog.sum(pg_catalog.hashtextextended(xmin::text, n))::text FROM ( \
            SELECT xmin, pg_catalog.count(*) AS n FROM pg_catalog.pg_amop GROUP BY xmin) x \
        UNION ALL SELECT 'u' || pg_catalog.sum(pg_catalog.hashtextextended(xmin::text, n))::text FROM ( \
            SELECT xmin, pg_catalog.count(*) AS n FROM pg_catalog.pg_extension GROUP BY xmin) x \
        UNION ALL SELECT 'v' || pg_catalog.sum(indexrelid::bigint)::text FROM pg_catalog.pg_index \
            WHERE indexprs IS NOT NULL OR indpred IS NOT NULL \
        UNION ALL SELECT 'w' || pg_catalog.sum(pg_catalog.hashtextextended(xmin::text, n))::text FROM ( \
            SELECT xmin, pg_catalog.count(*) AS n FROM pg_catalog.pg_event_trigger GROUP BY xmin) x \
        UNION ALL SELECT 'x' || pg_catalog.sum(pg_catalog.hashtextextended(xmin::text, n))::text FROM ( \
            SELECT xmin, pg_catalog.count(*) AS n FROM pg_catalog.pg_statistic_ext GROUP BY xmin) x \
     ) parts"
    };
}

/// One row, one column: a text that changes whenever something that a snapshot depends on changes.
/// Run it before and after [`queries`]: where the two differ, the snapshot is to be read again.
/// Outside of a transaction block.
///
/// It hashes the inserting transactions of all rows of the catalogs, which takes tens of
/// milliseconds where there are thousands of relations (`pg_attribute`): run it when a change is
/// known or likely, and [`CHANGE_POLL`] to look for changes now and then. The rows of temporary
/// tables do not count, nor do TRUNCATE, VACUUM, ANALYZE, REFRESH.
pub const CHANGE_PROBE: &str = exact_probe!();

/// The same answer as [`CHANGE_PROBE`]'s for a millisecond or two, but it can be some seconds old.
///
/// It asks the server's own counters of catalog writes; while they do not move, the last exact
/// answer (kept in the connection's setting `pgwarrant.probe`) holds. They lag behind commits by up
/// to ten seconds, and a crash can lose some, hence the exact answer is made anew in any case, as
/// often as takes one per cent of a core.
pub const CHANGE_POLL: &str = concat!(
    "\
WITH counters AS MATERIALIZED ( \
     SELECT pg_catalog.current_setting('track_counts') || pg_catalog.sum( \
              pg_catalog.pg_stat_get_tuples_inserted(c) + pg_catalog.pg_stat_get_tuples_updated(c) \
              + pg_catalog.pg_stat_get_tuples_deleted(c))::text AS now \
     FROM pg_catalog.unnest(ARRAY['pg_catalog.pg_attribute'::regclass, 'pg_catalog.pg_class', \
          'pg_catalog.pg_proc', 'pg_catalog.pg_rewrite', 'pg_catalog.pg_trigger', 'pg_catalog.pg_inherits', \
          'pg_catalog.pg_type', 'pg_catalog.pg_operator', 'pg_catalog.pg_cast', 'pg_catalog.pg_namespace', \
          'pg_catalog.pg_authid', 'pg_catalog.pg_auth_members', 'pg_catalog.pg_attrdef', \
          'pg_catalog.pg_constraint', 'pg_catalog.pg_policy', 'pg_catalog.pg_aggregate', 'pg_catalog.pg_enum', \
          'pg_catalog.pg_opclass', 'pg_catalog.pg_amproc', 'pg_catalog.pg_amop', 'pg_catalog.pg_extension', \
          'pg_catalog.pg_index', 'pg_catalog.pg_event_trigger', 'pg_catalog.pg_statistic_ext']) c \
), kept AS MATERIALIZED ( \
     SELECT pg_catalog.string_to_array(pg_catalog.current_setting('pgwarrant.probe', true), ' ') AS k \
) \
SELECT CASE WHEN k[1] = now AND now LIKE 'on%' \
                 AND k[3]::float8 > pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) \
            THEN k[2] \
            ELSE pg_catalog.split_part(pg_catalog.set_config('pgwarrant.probe', \
                     pg_catalog.concat_ws(' ', now, (",
    exact_probe!(),
    "), \
                         pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) \
                         + 100 * pg_catalog.date_part('epoch', \
                               pg_catalog.clock_timestamp() - pg_catalog.statement_timestamp())), \
                     false), ' ', 2) END AS probe \
FROM counters, kept"
);
