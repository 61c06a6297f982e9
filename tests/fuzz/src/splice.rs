//! Any text, analysed under no grant and under some, and what is sent in its place.

use std::sync::OnceLock;

use pgwarrant_catalog::Catalogue;
use pgwarrant_sql::{Access, Context, Limits, SessionState, Verdict, analyse, console, lex, splice};

// The catalogue that the tests of the analysis use: one of everything.
#[path = "../../../crates/sql/tests/support/mod.rs"]
mod support;

struct Setting {
    catalogue: Catalogue,
    session: SessionState,
    accesses: Vec<Access>,
}

fn setting() -> &'static Setting {
    static SETTING: OnceLock<Setting> = OnceLock::new();
    SETTING.get_or_init(|| {
        let catalogue = support::catalogue();
        let scopes = |lines: &[&str]| {
            support::access(lines.iter().map(|line| support::scope(line, &catalogue)).collect())
        };
        let accesses = vec![
            Access::default(),
            scopes(&["7 customers.email", "8 customers.phone hide rows id = 42"]),
            scopes(&["9 customers actions all rows id = 42", "10 visits actions all"]),
        ];
        Setting { session: support::session(), accesses, catalogue }
    })
}

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if text.len() > 4096 {
        return;
    }
    let setting = setting();
    for access in &setting.accesses {
        let context = Context {
            catalogue: &setting.catalogue,
            access,
            session: &setting.session,
            limits: &Limits::default(),
            database: "shop",
        };
        let Ok(analysis) = analyse(text, &context) else { continue };
        for statement in &analysis.statements {
            match &statement.verdict {
                Verdict::AsWritten => {}
                Verdict::Refused(refusal) => {
                    assert!(text.is_char_boundary(refusal.position.unwrap_or_default()));
                    assert_eq!(refusal.sqlstate.len(), 5);
                }
                Verdict::Spliced(splices) => {
                    let mut fill = |call: &pgwarrant_sql::ConsoleCall| Ok(console::fill(call, &[]));
                    let (sent, map) =
                        splice::apply(text, &analysis.tokens, statement.tokens.clone(), splices, &mut fill)
                            .unwrap_or_else(|refusal| panic!("{text:?}: {splices:?}: {refusal:?}"));
                    let user = &text[statement.text.clone()];
                    looked_at(user, &sent, &setting.catalogue, access);
                    for position in [1, sent.chars().count() / 2, sent.chars().count() + 1] {
                        assert!(map.to_user(position) <= text.chars().count() + 1);
                    }
                }
            }
        }
    }
}

/// What is sent is one statement; and without a grant a query names protected relations in privacy
/// views only.
fn looked_at(user: &str, sent: &str, catalogue: &Catalogue, access: &Access) {
    assert!(lex(sent, &Limits::default()).is_ok(), "{user:?} became {sent:?}");
    let Ok(parsed) = pg_query::parse(sent) else {
        assert!(pg_query::parse(user).is_err(), "{user:?} became what does not parse: {sent:?}");
        return;
    };
    assert_eq!(parsed.protobuf.stmts.len(), 1, "{user:?} became {sent:?}");
    let printed = format!("{:?}", parsed.protobuf);
    let writes = ["InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "is_from: true"];
    if !access.scopes.is_empty() || writes.iter().any(|write| printed.contains(write)) {
        return;
    }
    for (at, _) in printed.match_indices("RangeVar { catalogname: ") {
        let node = &printed[at..];
        let name = |of: &str| {
            let start = node.find(of).map_or(node.len(), |at| at + of.len());
            node[start..].split('"').next().unwrap_or_default()
        };
        let (schema, relation) = (name("schemaname: \""), name("relname: \""));
        let protected = catalogue.relation(schema, relation).is_some_and(|relation| relation.is_protected());
        let in_view = node
            .split_once("alias: Some(Alias {")
            .is_some_and(|(_, after)| after.trim_start().starts_with("aliasname: \"r\""));
        assert!(!protected || in_view, "{user:?} is sent with {schema}.{relation}: {sent:?}");
    }
}
