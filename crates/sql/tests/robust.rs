//! Whatever the text, the analysis answers: no panic, no overflow, in time, and never a splice that
//! does not fit or a protected name that goes out unaccounted for.

mod support;

use std::path::Path;

use pgwarrant_catalog::Catalogue;
use pgwarrant_sql::{Access, Context, Limits, SessionState, Verdict, analyse, splice};
use proptest::prelude::*;

struct Setting {
    catalogue: Catalogue,
    access: Access,
    session: SessionState,
    limits: Limits,
}

impl Setting {
    fn new() -> Self {
        let catalogue = support::catalogue();
        let scopes = ["7 customers.email", "8 customers.phone hide rows id = 42"];
        let access = support::access(scopes.iter().map(|scope| support::scope(scope, &catalogue)).collect());
        Self { catalogue, access, session: support::session(), limits: Limits::default() }
    }

    /// Analyses, and puts the splices into the text.
    fn run(&self, text: &str) -> Vec<Result<String, String>> {
        let context = Context {
            catalogue: &self.catalogue,
            access: &self.access,
            session: &self.session,
            limits: &self.limits,
            database: "shop",
        };
        let Ok(analysis) = analyse(text, &context) else { return Vec::new() };
        let tokens = &analysis.tokens;
        analysis
            .statements
            .iter()
            .map(|statement| match &statement.verdict {
                Verdict::AsWritten => Ok(text.get(statement.text.clone()).expect("its bytes").to_owned()),
                Verdict::Spliced(splices) => {
                    let fill = &mut |_: &_| Ok("(SELECT 1)".to_owned());
                    let (sent, _) = splice::apply(text, tokens, statement.tokens.clone(), splices, fill)
                        .unwrap_or_else(|refusal| panic!("{text}: {splices:?}: {refusal:?}"));
                    Ok(sent)
                }
                Verdict::Refused(refusal) => {
                    let position = refusal.position.unwrap_or_default();
                    assert!(text.is_char_boundary(position), "{text}: {refusal:?}");
                    assert_eq!(refusal.sqlstate.len(), 5);
                    assert!(!refusal.message.ends_with('.'), "{}", refusal.message);
                    Err(refusal.message.clone())
                }
            })
            .collect()
    }
}

fn statements() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut statements = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the cases") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("a case file");
        for block in text.split("\n## ").skip(1) {
            let given = block.split_once("\n=>").expect("an outcome").0;
            let lines: Vec<&str> = given.lines().skip(1).filter(|line| !line.starts_with("> ")).collect();
            statements.push(lines.join("\n"));
        }
    }
    statements.sort();
    statements
}

#[test]
fn every_case_cut_off_anywhere_is_answered() {
    let setting = Setting::new();
    for text in statements() {
        for (end, _) in text.char_indices() {
            setting.run(&text[..end]);
        }
    }
}

#[test]
fn every_case_without_one_word_is_answered() {
    let setting = Setting::new();
    for text in statements() {
        let words: Vec<&str> = text.split_inclusive(' ').collect();
        for left_out in 0..words.len() {
            let rest: String = words
                .iter()
                .enumerate()
                .filter(|(index, _)| *index != left_out)
                .map(|(_, word)| *word)
                .collect();
            setting.run(&rest);
        }
    }
}

#[test]
fn an_analysis_of_what_is_sent_would_find_nothing_to_mask_twice() {
    // What goes out names each relation once more inside of its privacy view, and nowhere else.
    let setting = Setting { access: Access::default(), ..Setting::new() };
    for text in
        ["SELECT email FROM customers", "TABLE crm.people", "SELECT * FROM crm.people p, customers_eu e(a)"]
    {
        for sent in setting.run(text).into_iter().flatten() {
            let bare = sent.matches(" AS r)").count();
            assert_eq!(bare, sent.matches("(SELECT r.").count(), "{sent}");
        }
    }
}

#[test]
fn long_chains_are_answered() {
    let setting = Setting::new();
    let long = |start: &str, link: &str, count: usize| format!("{start}{}", link.repeat(count));
    for text in [
        long("SELECT email FROM customers WHERE 1", "+1", 20_000),
        long("SELECT email FROM customers WHERE true", " AND true", 20_000),
        long("SELECT email FROM customers WHERE true", " OR NOT true", 12_000),
        long("SELECT email FROM customers", " UNION SELECT email FROM customers", 8_000),
        long("SELECT 1", " UNION SELECT 1", 15_000),
        long("SELECT email::text", "::text", 20_000) + " FROM customers",
        long("SELECT email", " IS NULL", 15_000) + " FROM customers",
        long("SELECT email", " || 'x'", 20_000) + " FROM customers",
        long("SELECT email FROM customers c", " JOIN customers ON true", 8_000),
        long("SELECT email FROM customers c", ", customers", 15_000),
        long("SELECT ARRAY[email]", "[1]", 15_000) + " FROM customers",
        long("SELECT CASE", " WHEN true THEN 1", 10_000) + " END FROM customers",
        long("SELECT email FROM customers WHERE id IN (1", ", 1", 20_000) + ")",
        long("SELECT email FROM customers; ", "SELECT 1; ", 10_000),
        long("VALUES ((SELECT email FROM customers))", ", (1)", 10_000),
    ] {
        setting.run(&text);
    }
}

#[test]
fn deep_nesting_is_refused_or_answered() {
    let setting = Setting::new();
    for depth in [50, 150, 199, 201, 5_000] {
        for (open, close) in [
            ("(", ")"),
            ("(SELECT ", ")"),
            ("NOT ", ""),
            ("- ", ""),
            ("CASE WHEN true THEN ", " END"),
            ("ARRAY[", "]"),
            ("lower(", ")"),
            ("(SELECT email FROM (SELECT ", " AS email) x)"),
            ("EXISTS (SELECT FROM customers WHERE ", ")"),
        ] {
            let text = format!("SELECT {}email{} FROM customers", open.repeat(depth), close.repeat(depth));
            setting.run(&text);
        }
        let from = format!("SELECT 1 FROM {}customers{}", "(".repeat(depth), ")".repeat(depth));
        setting.run(&from);
        let joins =
            format!("SELECT 1 FROM customers{}{}", " JOIN customers".repeat(depth), " ON true".repeat(depth));
        setting.run(&joins);
    }
}

/// Pieces that statements are made of, put together at random.
fn pieces() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "SELECT",
        "FROM",
        "WHERE",
        "customers",
        "public",
        "crm",
        "people",
        "email",
        "ctid",
        "c",
        "*",
        ".",
        ",",
        "(",
        ")",
        "ONLY",
        "TABLE",
        "UNION",
        "WITH",
        "RECURSIVE",
        "AS",
        "JOIN",
        "USING",
        "ON",
        "LATERAL",
        "VALUES",
        "GROUP",
        "BY",
        "ORDER",
        "FOR",
        "UPDATE",
        "OF",
        "NO",
        "KEY",
        "TABLESAMPLE",
        "system",
        "1",
        "'x'",
        "$1",
        "=",
        "||",
        "::",
        "text",
        "INSERT",
        "INTO",
        "SET",
        "DELETE",
        "MERGE",
        "RETURNING",
        "COPY",
        "TO",
        "STDOUT",
        "EXPLAIN",
        "PREPARE",
        "EXECUTE",
        "DECLARE",
        "CURSOR",
        "pgwarrant",
        "request",
        "grants",
        "=>",
        "current_setting",
        "CASE",
        "WHEN",
        "THEN",
        "END",
        "ARRAY",
        "[",
        "]",
        "ROWS",
        "CONFLICT",
        "DO",
        "NOTHING",
        "SEARCH",
        "DEPTH",
        "FIRST",
        "CYCLE",
        "COLLATE",
        "OPERATOR",
        "VARIADIC",
        "OVERRIDING",
        "EXCLUDE",
        "TIES",
        "ISNULL",
        "BETWEEN",
        "SYMMETRIC",
        ";",
        "CREATE",
        "VIEW",
        "TEMP",
        "ALTER",
        "DROP",
        "LOCK",
        "TRUNCATE",
        "dump_customers",
        "lower",
        "U&\"d\\0061\"",
        "\"E-Mail\"",
    ]);
    prop::collection::vec(words, 0..40).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn words_in_any_order_are_answered(text in pieces()) {
        Setting::new().run(&text);
    }

    #[test]
    fn any_text_is_answered(text in "\\PC{0,200}") {
        Setting::new().run(&text);
    }
}
