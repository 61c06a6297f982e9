//! libpg_query, PostgreSQL's own grammar, looks on: it must see the statements and the relations
//! that the analysis sees, and in what is sent in a statement's place it must find no protected
//! relation outside a privacy view.

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use pgwarrant_catalog::Catalogue;
use pgwarrant_sql::{Access, Context, Limits, Verdict, analyse, console, splice};

/// A reference to a relation as libpg_query reports it.
#[derive(Debug)]
struct Reference {
    schema: String,
    name: String,
    alias: String,
}

/// What libpg_query sees in a text: its statements, their relations, and the names of CTEs.
struct Seen {
    statements: usize,
    references: Vec<Reference>,
    ctes: BTreeSet<String>,
}

/// `None`: it is no statement of PostgreSQL 17's.
fn look(text: &str) -> Option<Seen> {
    let parsed = pg_query::parse(text).ok()?;
    // The generic walk of the tree skips some nodes; its printed form holds every one.
    let printed = format!("{:?}", parsed.protobuf);
    let mut references = Vec::new();
    for (at, _) in printed.match_indices("RangeVar { catalogname: ") {
        let (before, node) = printed.split_at(at);
        // What is made by this statement is not read by it, and FOR UPDATE OF names an alias.
        let made = ["CreateStmt { relation: Some(", "IntoClause { rel: Some("]
            .iter()
            .any(|end| before.ends_with(end));
        let locked = before.rsplit_once("locked_rels: [").is_some_and(|(_, since)| !since.contains(']'));
        if made || locked {
            continue;
        }
        references.push(Reference {
            schema: field(node, "schemaname"),
            name: field(node, "relname"),
            alias: node
                .split_once("alias: ")
                .filter(|(before, after)| before.len() < 400 && after.starts_with("Some(Alias {"))
                .map(|(_, after)| field(after, "aliasname"))
                .unwrap_or_default(),
        });
    }
    let ctes =
        printed.match_indices("CommonTableExpr { ").map(|(at, _)| field(&printed[at..], "ctename")).collect();
    Some(Seen { statements: parsed.protobuf.stmts.len(), references, ctes })
}

/// The first string field of that name in a printed node.
fn field(node: &str, name: &str) -> String {
    let start = format!("{name}: \"");
    let Some((_, rest)) = node.split_once(&start) else { return String::new() };
    let mut value = String::new();
    let mut characters = rest.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => value.extend(characters.next()),
            other => value.push(other),
        }
    }
    value
}

/// The statements of the cases that a session without grants sends under the usual search_path
/// (which libpg_query knows nothing of).
fn statements() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut statements = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the cases") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("a file of cases");
        for block in text.split("\n## ").skip(1) {
            let (_, rest) = block.split_once('\n').expect("a title");
            let given = rest.split_once("\n=>").map_or(rest, |(given, _)| given);
            let directive =
                |line: &str| line.starts_with("> ") && line != "> full" && !line.starts_with("> grant ");
            if !given.lines().any(directive) && !given.contains("search_path") {
                let lines: Vec<&str> = given.lines().filter(|line| !line.starts_with("> ")).collect();
                statements.push(lines.join("\n").trim().to_owned());
            }
        }
    }
    statements
}

fn is_protected(catalogue: &Catalogue, name: &str) -> bool {
    catalogue.names.get(name).is_some_and(|oids| {
        oids.iter().any(|oid| catalogue.relations.get(oid).is_some_and(|relation| relation.is_protected()))
    })
}

#[test]
fn libpg_query_sees_the_relations_that_the_analysis_sees() {
    let catalogue = support::catalogue();
    let (access, session, limits) = (Access::default(), support::session(), Limits::default());
    let context = Context {
        catalogue: &catalogue,
        access: &access,
        session: &session,
        limits: &limits,
        database: "shop",
    };
    let (mut compared, mut problems) = (0, Vec::new());
    for text in statements() {
        let Ok(analysis) = analyse(&text, &context) else { continue };
        let Some(seen) = look(&text) else { continue };
        if seen.statements != analysis.statements.len() {
            problems.push(format!(
                "{text}\n  {} statements for us, {} for libpg_query",
                analysis.statements.len(),
                seen.statements
            ));
            continue;
        }
        if analysis.statements.iter().any(|statement| matches!(statement.verdict, Verdict::Refused(_))) {
            continue;
        }
        compared += 1;
        let ours: BTreeSet<String> = analysis
            .statements
            .iter()
            .flat_map(|statement| &statement.touched.relations)
            .filter_map(|oid| catalogue.relations.get(oid))
            .filter(|relation| relation.is_protected())
            .map(|relation| relation.name.clone())
            .collect();
        let theirs: BTreeSet<String> = seen
            .references
            .iter()
            .filter(|reference| is_protected(&catalogue, &reference.name))
            // A CTE hides the relation for unqualified names; whether it is in scope is ours to
            // know, and the second test looks at what was made of it.
            .filter(|reference| !reference.schema.is_empty() || !seen.ctes.contains(&reference.name))
            .filter(|reference| {
                let path: &[&str] = if reference.schema.is_empty() {
                    &["pg_catalog", "public"]
                } else {
                    &[&reference.schema]
                };
                let found = path.iter().find_map(|schema| catalogue.relation(schema, &reference.name));
                found.is_some_and(|relation| relation.is_protected())
            })
            .map(|reference| reference.name.clone())
            .collect();
        let extra: Vec<&String> =
            ours.difference(&theirs).filter(|name| !seen.ctes.contains(name.as_str())).collect();
        let missed: Vec<&String> = theirs.difference(&ours).collect();
        if !missed.is_empty() || !extra.is_empty() {
            problems.push(format!("{text}\n  only libpg_query sees {missed:?}, only we see {extra:?}"));
        }
    }
    assert!(compared >= 150, "only {compared} statements were compared");
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn what_is_sent_names_a_protected_relation_only_inside_a_privacy_view() {
    let catalogue = support::catalogue();
    let (access, session, limits) = (Access::default(), support::session(), Limits::default());
    let context = Context {
        catalogue: &catalogue,
        access: &access,
        session: &session,
        limits: &limits,
        database: "shop",
    };
    let (mut sent, mut problems) = (0, Vec::new());
    for text in statements() {
        let Ok(analysis) = analyse(&text, &context) else { continue };
        for statement in &analysis.statements {
            let Verdict::Spliced(splices) = &statement.verdict else { continue };
            let mut empty = |call: &pgwarrant_sql::ConsoleCall| Ok(console::fill(call, &[]));
            let (spliced, _) =
                splice::apply(&text, &analysis.tokens, statement.tokens.clone(), splices, &mut empty)
                    .expect("splices fit");
            let Some(seen) = look(&spliced) else {
                if look(&text).is_some() {
                    problems.push(format!("{text}\n  became what PostgreSQL cannot parse: {spliced}"));
                }
                continue;
            };
            sent += 1;
            for reference in &seen.references {
                let in_view = reference.alias == "r" && !reference.schema.is_empty();
                let cte = reference.schema.is_empty() && seen.ctes.contains(&reference.name);
                let other = !reference.schema.is_empty()
                    && catalogue
                        .relation(&reference.schema, &reference.name)
                        .is_none_or(|relation| !relation.is_protected());
                if is_protected(&catalogue, &reference.name) && !in_view && !cte && !other {
                    problems.push(format!("{text}\n  is sent with {reference:?}: {spliced}"));
                }
            }
        }
    }
    assert!(sent >= 120, "only {sent} statements were looked at");
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}
