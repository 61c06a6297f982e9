//! PostgreSQL's keywords (`src/include/parser/kwlist.h`), those of versions 15 to 18 together.
//!
//! Which category a word is in decides where it can be a name: a word that no version knows as a
//! keyword is handed to the parser as a quoted name, so that keywords of other dialects (QUALIFY,
//! PIVOT, SAMPLE, …) cannot change what a statement means.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    /// Never a name without quotes.
    Reserved,
    /// A function's or type's name, never a column's or relation's.
    TypeFunction,
    /// A column's or relation's name, never a function's or type's: before a parenthesis it is
    /// grammar (COALESCE, EXTRACT, VALUES, …).
    Column,
    Unreserved,
}

/// The category of a folded word; None: no keyword.
pub(crate) fn category(word: &str) -> Option<Category> {
    let is_in = |list: &[&str]| list.binary_search(&word).is_ok();
    if is_in(&RESERVED) {
        Some(Category::Reserved)
    } else if is_in(&TYPE_FUNCTION) {
        Some(Category::TypeFunction)
    } else if is_in(&COLUMN) {
        Some(Category::Column)
    } else if is_in(&UNRESERVED) {
        Some(Category::Unreserved)
    } else {
        None
    }
}

/// Is an unquoted word of this value, before a parenthesis, grammar rather than a function's name?
pub(crate) fn is_grammar(word: &str) -> bool {
    matches!(category(word), Some(Category::Reserved | Category::Column))
}

/// `RESERVED_KEYWORD`
#[rustfmt::skip]
const RESERVED: [&str; 78] = [
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "both", "case", "cast",
    "check", "collate", "column", "constraint", "create", "current_catalog", "current_date",
    "current_role", "current_time", "current_timestamp", "current_user", "default", "deferrable", "desc",
    "distinct", "do", "else", "end", "except", "false", "fetch", "for", "foreign", "from", "grant",
    "group", "having", "in", "initially", "intersect", "into", "lateral", "leading", "limit", "localtime",
    "localtimestamp", "not", "null", "offset", "on", "only", "or", "order", "placing", "primary",
    "references", "returning", "select", "session_user", "some", "symmetric", "system_user", "table",
    "then", "to", "trailing", "true", "union", "unique", "user", "using", "variadic", "when", "where",
    "window", "with",
];

/// `TYPE_FUNC_NAME_KEYWORD`
#[rustfmt::skip]
const TYPE_FUNCTION: [&str; 23] = [
    "authorization", "binary", "collation", "concurrently", "cross", "current_schema", "freeze", "full",
    "ilike", "inner", "is", "isnull", "join", "left", "like", "natural", "notnull", "outer", "overlaps",
    "right", "similar", "tablesample", "verbose",
];

/// `COL_NAME_KEYWORD`
#[rustfmt::skip]
const COLUMN: [&str; 63] = [
    "between", "bigint", "bit", "boolean", "char", "character", "coalesce", "dec", "decimal", "exists",
    "extract", "float", "greatest", "grouping", "inout", "int", "integer", "interval", "json",
    "json_array", "json_arrayagg", "json_exists", "json_object", "json_objectagg", "json_query",
    "json_scalar", "json_serialize", "json_table", "json_value", "least", "merge_action", "national",
    "nchar", "none", "normalize", "nullif", "numeric", "out", "overlay", "position", "precision", "real",
    "row", "setof", "smallint", "substring", "time", "timestamp", "treat", "trim", "values", "varchar",
    "xmlattributes", "xmlconcat", "xmlelement", "xmlexists", "xmlforest", "xmlnamespaces", "xmlparse",
    "xmlpi", "xmlroot", "xmlserialize", "xmltable",
];

/// `UNRESERVED_KEYWORD`
#[rustfmt::skip]
const UNRESERVED: [&str; 331] = [
    "abort", "absent", "absolute", "access", "action", "add", "admin", "after", "aggregate", "also",
    "alter", "always", "asensitive", "assertion", "assignment", "at", "atomic", "attach", "attribute",
    "backward", "before", "begin", "breadth", "by", "cache", "call", "called", "cascade", "cascaded",
    "catalog", "chain", "characteristics", "checkpoint", "class", "close", "cluster", "columns",
    "comment", "comments", "commit", "committed", "compression", "conditional", "configuration",
    "conflict", "connection", "constraints", "content", "continue", "conversion", "copy", "cost", "csv",
    "cube", "current", "cursor", "cycle", "data", "database", "day", "deallocate", "declare", "defaults",
    "deferred", "definer", "delete", "delimiter", "delimiters", "depends", "depth", "detach",
    "dictionary", "disable", "discard", "document", "domain", "double", "drop", "each", "empty", "enable",
    "encoding", "encrypted", "enforced", "enum", "error", "escape", "event", "exclude", "excluding",
    "exclusive", "execute", "explain", "expression", "extension", "external", "family", "filter",
    "finalize", "first", "following", "force", "format", "forward", "function", "functions", "generated",
    "global", "granted", "groups", "handler", "header", "hold", "hour", "identity", "if", "immediate",
    "immutable", "implicit", "import", "include", "including", "increment", "indent", "index", "indexes",
    "inherit", "inherits", "inline", "input", "insensitive", "insert", "instead", "invoker", "isolation",
    "keep", "key", "keys", "label", "language", "large", "last", "leakproof", "level", "listen", "load",
    "local", "location", "lock", "locked", "logged", "mapping", "match", "matched", "materialized",
    "maxvalue", "merge", "method", "minute", "minvalue", "mode", "month", "move", "name", "names",
    "nested", "new", "next", "nfc", "nfd", "nfkc", "nfkd", "no", "normalized", "nothing", "notify",
    "nowait", "nulls", "object", "objects", "of", "off", "oids", "old", "omit", "operator", "option",
    "options", "ordinality", "others", "over", "overriding", "owned", "owner", "parallel", "parameter",
    "parser", "partial", "partition", "passing", "password", "path", "period", "plan", "plans", "policy",
    "preceding", "prepare", "prepared", "preserve", "prior", "privileges", "procedural", "procedure",
    "procedures", "program", "publication", "quote", "quotes", "range", "read", "reassign", "recheck",
    "recursive", "ref", "referencing", "refresh", "reindex", "relative", "release", "rename",
    "repeatable", "replace", "replica", "reset", "restart", "restrict", "return", "returns", "revoke",
    "role", "rollback", "rollup", "routine", "routines", "rows", "rule", "savepoint", "scalar", "schema",
    "schemas", "scroll", "search", "second", "security", "sequence", "sequences", "serializable",
    "server", "session", "set", "sets", "share", "show", "simple", "skip", "snapshot", "source", "sql",
    "stable", "standalone", "start", "statement", "statistics", "stdin", "stdout", "storage", "stored",
    "strict", "string", "strip", "subscription", "support", "sysid", "system", "tables", "tablespace",
    "target", "temp", "template", "temporary", "text", "ties", "transaction", "transform", "trigger",
    "truncate", "trusted", "type", "types", "uescape", "unbounded", "uncommitted", "unconditional",
    "unencrypted", "unknown", "unlisten", "unlogged", "until", "update", "vacuum", "valid", "validate",
    "validator", "value", "varying", "version", "view", "views", "virtual", "volatile", "whitespace",
    "within", "without", "work", "wrapper", "write", "xml", "year", "yes", "zone",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_for_the_search_in_them() {
        for list in [&RESERVED[..], &TYPE_FUNCTION, &COLUMN, &UNRESERVED] {
            assert!(list.is_sorted());
        }
    }
}
