//! PostgreSQL's keywords (`src/include/parser/kwlist.h`), those of versions 15 to 18 together.
//!
//! Which category a word is in decides where it can be a name: a word that no version knows as a
//! keyword is handed to the parser as a quoted name, so that keywords of other dialects (QUALIFY,
//! PIVOT, SAMPLE, …) cannot change what a statement means.

use sqlparser::keywords::{ALL_KEYWORDS, ALL_KEYWORDS_INDEX, Keyword as Parsed};

use crate::{Token, TokenKind};

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

/// One of PostgreSQL's keywords.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyword {
    /// In lower case.
    pub text: &'static str,
    pub category: Category,
    /// What it is to the parser; many are nothing.
    pub parsed: Parsed,
}

/// The keyword that each token is.
pub(crate) fn of_tokens(text: &str, tokens: &[Token]) -> Vec<Option<&'static Keyword>> {
    let keyword = |token: &Token| match token.kind {
        TokenKind::Identifier => find(token.text(text)),
        _ => None,
    };
    tokens.iter().map(keyword).collect()
}

/// The category of a folded word; None: no keyword.
pub(crate) fn category(word: &str) -> Option<Category> {
    find(word).filter(|keyword| keyword.text == word).map(|keyword| keyword.category)
}

/// The keyword that an unquoted word, as written, is.
pub(crate) fn find(word: &str) -> Option<&'static Keyword> {
    let word = word.as_bytes();
    let mut place = place(word)?;
    loop {
        let entry = PLACES.get(place).copied()?.checked_sub(1)?;
        let found = KEYWORDS.get(usize::from(entry))?;
        if found.text.as_bytes().eq_ignore_ascii_case(word) {
            return Some(found);
        }
        place = (place + 1) % PLACES.len();
    }
}

/// Where the search for a word begins; None where no keyword is as long. ASCII letters count the same
/// in either case.
const fn place(word: &[u8]) -> Option<usize> {
    if word.len() < 2 || word.len() > LONGEST {
        return None;
    }
    let (mut hash, mut index) = (word.len() as u32, 0);
    while index < word.len() {
        hash = (hash ^ (word[index] | 0x20) as u32).wrapping_mul(0x0100_0193);
        index += 1;
    }
    Some((hash >> 16) as usize % PLACES_LENGTH)
}

const LONGEST: usize = 17;
const COUNT: usize = RESERVED.len() + TYPE_FUNCTION.len() + COLUMN.len() + UNRESERVED.len();
const PLACES_LENGTH: usize = 2_048;

/// All keywords.
static KEYWORDS: [Keyword; COUNT] = {
    let none = Keyword { text: "", category: Category::Reserved, parsed: Parsed::NoKeyword };
    let mut all = [none; COUNT];
    let lists: [(&[&str], Category); 4] = [
        (&RESERVED, Category::Reserved),
        (&TYPE_FUNCTION, Category::TypeFunction),
        (&COLUMN, Category::Column),
        (&UNRESERVED, Category::Unreserved),
    ];
    let (mut list, mut next) = (0, 0);
    while list < lists.len() {
        let (words, category) = lists[list];
        let mut word = 0;
        while word < words.len() {
            all[next] = Keyword { text: words[word], category, parsed: parsed(words[word]) };
            word += 1;
            next += 1;
        }
        list += 1;
    }
    all
};

/// The parser's keyword of this word; its list is in the order of the alphabet.
const fn parsed(word: &str) -> Parsed {
    let word = word.as_bytes();
    let (mut low, mut high) = (0, ALL_KEYWORDS.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let candidate = ALL_KEYWORDS[middle].as_bytes();
        let mut at = 0;
        while at < word.len() && at < candidate.len() && word[at].to_ascii_uppercase() == candidate[at] {
            at += 1;
        }
        if at == word.len() && at == candidate.len() {
            return ALL_KEYWORDS_INDEX[middle];
        }
        let is_before =
            at == word.len() || (at < candidate.len() && word[at].to_ascii_uppercase() < candidate[at]);
        if is_before { high = middle } else { low = middle + 1 }
    }
    Parsed::NoKeyword
}

/// A hash table with open addressing: indexes in [`KEYWORDS`], counted from 1; 0 is free.
static PLACES: [u16; PLACES_LENGTH] = {
    let mut places = [0; PLACES_LENGTH];
    let mut index = 0;
    while index < COUNT {
        let Some(mut place) = place(KEYWORDS[index].text.as_bytes()) else { panic!("a keyword is too long") };
        while places[place] != 0 {
            place = (place + 1) % PLACES_LENGTH;
        }
        index += 1;
        places[place] = index as u16;
    }
    places
};

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
    use sqlparser::tokenizer::Token;

    use super::*;

    #[test]
    fn every_keyword_is_found_in_its_list_and_nothing_else_is() {
        let lists: [(&[&str], Category); 4] = [
            (&RESERVED, Category::Reserved),
            (&TYPE_FUNCTION, Category::TypeFunction),
            (&COLUMN, Category::Column),
            (&UNRESERVED, Category::Unreserved),
        ];
        for (word, found) in
            lists.into_iter().flat_map(|(list, found)| list.iter().map(move |word| (*word, found)))
        {
            let upper = word.to_ascii_uppercase();
            assert_eq!(category(word), Some(found), "{word}");
            let keyword = find(&upper).expect("a keyword");
            assert_eq!((keyword.text, keyword.category), (word, found), "{word}");
            let Token::Word(token) = Token::make_word(word, None) else { panic!("{word} is no word") };
            assert_eq!(keyword.parsed, token.keyword, "{word}");
            assert_eq!(category(&upper), None, "{word}");
            assert_eq!(category(&format!("{word}x")).or(category(&format!("x{word}"))), None, "{word}");
        }
        for word in ["", "s", "current\u{7f}user", "customers", "SELECTED", "a_very_long_name_indeed"] {
            assert!(find(word).is_none(), "{word}");
        }
    }
}
