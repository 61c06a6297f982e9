//! Statements in, spliced statements or refusals out.
//!
//! Each block of `tests/cases/*.txt` is a title, directives, a statement, and what becomes of it.
//! `UPDATE_EXPECT=1 cargo nextest run -p pgwarrant-sql --test cases` writes the outcomes anew; they
//! are the specification, so read what changed.

mod support;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use pgwarrant_catalog::{Catalogue, ColumnId, DefinitionRisk, FunctionSafety};
use pgwarrant_sql::{
    Access, Analysis, ConsoleArgument, ConsoleCall, Context, Limits, Piece, Reason, SessionState, Statement,
    Verdict, analyse, splice,
};

struct Case {
    title: String,
    directives: Vec<String>,
    text: String,
    expected: String,
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("the cases").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

fn read(text: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for block in text.split("\n## ").skip(1) {
        let (title, rest) = block.split_once('\n').expect("a title");
        let (given, expected) = rest.split_once("\n=>").unwrap_or((rest, ""));
        let directives =
            given.lines().filter_map(|line| line.strip_prefix("> ")).map(str::to_owned).collect();
        let text: Vec<&str> = given.lines().filter(|line| !line.starts_with("> ")).collect();
        cases.push(Case {
            title: title.trim().to_owned(),
            directives,
            text: text.join("\n").trim().to_owned(),
            expected: expected.trim().to_owned(),
        });
    }
    cases
}

/// The privacy views that a session without grants gets, which most outcomes abbreviate to
/// `«customers»`.
fn views(catalogue: &Catalogue) -> Vec<(String, String)> {
    let (access, session, limits) = (Access::default(), support::session(), Limits::default());
    let context =
        Context { catalogue, access: &access, session: &session, limits: &limits, database: "shop" };
    let protected = catalogue.relations.values().filter(|relation| relation.is_protected());
    protected
        .map(|relation| {
            let text = format!("SELECT 1 FROM \"{}\".\"{}\" AS x", relation.schema, relation.name);
            let analysis = analyse(&text, &context).expect("it is lexed");
            let Verdict::Spliced(splices) = &analysis.statements[0].verdict else { panic!("{analysis:?}") };
            let [Piece::Text(view)] = splices[0].with.as_slice() else { panic!("{splices:?}") };
            (view.clone(), format!("«{}»", relation.name))
        })
        .collect()
}

/// What a case's directives make of the session.
struct Setting {
    access: Access,
    session: SessionState,
    limits: Limits,
}

fn setting(case: &Case, catalogue: &Catalogue) -> Setting {
    let mut session = support::session();
    let mut scopes = Vec::new();
    let mut limits = Limits::default();
    let mut deciding = HashSet::new();
    for directive in &case.directives {
        let (word, rest) = directive.split_once(' ').unwrap_or((directive, ""));
        match word {
            "grant" => scopes.push(support::scope(rest, catalogue)),
            "path" => session.search_path = rest.split(',').map(|schema| schema.trim().to_owned()).collect(),
            "temp" => session.temp_relations = rest.split(',').map(|name| name.trim().to_owned()).collect(),
            "settled" => session.settled = rest == "yes",
            "pristine" => session.pristine = rest == "yes",
            "role" => session.role = rest.to_owned(),
            "nesting" => limits.nesting = rest.parse().expect("a number"),
            "full" => {}
            // They change the catalogue.
            "unsafe" | "fires" => {}
            "decides" => {
                let (relation, column) = rest.split_once('.').expect("relation.column");
                let relation = catalogue.relation("public", relation).expect("a relation of the catalogue");
                let attnum = relation.column(column).expect("a column").attnum;
                deciding.insert(ColumnId { relation: relation.oid, attnum });
            }
            "tokens" => limits.statement_tokens = rest.parse().expect("a number"),
            other => panic!("{}: what is {other}?", case.title),
        }
    }
    let access = Access { deciding: deciding.into(), ..support::access(scopes) };
    Setting { access, session, limits }
}

/// What a case's directives make of the catalogue.
fn changed<'c>(case: &Case, catalogue: &'c Catalogue) -> Cow<'c, Catalogue> {
    let mut changed = Cow::Borrowed(catalogue);
    for directive in &case.directives {
        let (word, rest) = directive.split_once(' ').unwrap_or((directive, ""));
        let listed = rest.split(',').filter(|part| !part.is_empty()).map(str::to_owned);
        match word {
            "unsafe" => {
                let safety = |name: &String| FunctionSafety::Unsafe {
                    culprit: format!("function public.{name}, which reads public.customers"),
                    pg_catalog_safe: false,
                };
                let functions = listed.map(|name| (name.clone(), safety(&name)));
                changed.to_mut().functions.extend(functions);
            }
            "fires" => changed.to_mut().definition_risks.push(DefinitionRisk {
                culprit: "event trigger noisy, which reads public.customers".to_owned(),
                tags: listed.collect(),
            }),
            _ => {}
        }
    }
    changed
}

fn column(catalogue: &Catalogue, id: ColumnId) -> String {
    let relation = &catalogue.relations[&id.relation];
    let column = relation.by_attnum(id.attnum).expect("a column");
    format!("{}.{}", relation.name, column.name)
}

fn columns<'a>(catalogue: &Catalogue, ids: impl Iterator<Item = &'a ColumnId>) -> String {
    let mut ids: Vec<ColumnId> = ids.copied().collect();
    ids.sort_unstable();
    ids.into_iter().map(|id| column(catalogue, id)).collect::<Vec<_>>().join(", ")
}

fn console(call: &ConsoleCall) -> String {
    let arguments = call.arguments.as_ref().map(|arguments| {
        let each: Vec<String> = arguments
            .iter()
            .map(|(name, value)| {
                let value = match value {
                    ConsoleArgument::Null => "NULL".to_owned(),
                    ConsoleArgument::Literal(text) => format!("{text:?}"),
                    ConsoleArgument::Parameter(number) => format!("${number}"),
                };
                format!("{} = {value}", name.as_deref().unwrap_or("?"))
            })
            .collect();
        format!("({})", each.join(", "))
    });
    let place = if call.in_from { "rows" } else { "message" };
    format!("⟨{place} of {}{}⟩{}", call.name, arguments.unwrap_or_default(), call.alias)
}

fn show(analysis: &Analysis, text: &str, catalogue: &Catalogue) -> String {
    let mut out = String::new();
    for statement in &analysis.statements {
        show_statement(&mut out, analysis, statement, text, catalogue).expect("a String takes any text");
    }
    out.trim().to_owned()
}

fn show_statement(
    out: &mut String,
    analysis: &Analysis,
    statement: &Statement,
    text: &str,
    catalogue: &Catalogue,
) -> std::fmt::Result {
    let class = format!("{:?}", statement.class).to_lowercase();
    match &statement.verdict {
        Verdict::AsWritten => writeln!(out, "{class}: as written")?,
        Verdict::Spliced(splices) => {
            let (sent, _) =
                splice::apply(text, &analysis.tokens, statement.tokens.clone(), splices, &mut |call| {
                    Ok(console(call))
                })
                .expect("the splices fit");
            writeln!(out, "{class}: {sent}")?;
        }
        Verdict::Refused(refusal) => {
            writeln!(out, "{class}: refused, {:?} {}", refusal.reason, refusal.sqlstate)?;
            writeln!(out, "  {}", refusal.message)?;
            if let Some(detail) = &refusal.detail {
                writeln!(out, "  DETAIL  {detail}")?;
            }
            if let Some(hint) = &refusal.hint {
                writeln!(out, "  HINT  {hint}")?;
            }
            match refusal.position {
                Some(position) => {
                    let rest = text.get(position..).expect("a character's start");
                    let at: String =
                        rest.chars().take_while(|character| !character.is_whitespace()).take(24).collect();
                    writeln!(out, "  AT  {at}")?;
                }
                None => writeln!(out, "  AT  nowhere")?,
            }
        }
    }
    let touched = &statement.touched;
    if !touched.relations.is_empty() {
        let names: Vec<&str> =
            touched.relations.iter().map(|oid| catalogue.relations[oid].name.as_str()).collect();
        write!(out, "  touches {}", names.join(", "))?;
        for (what, list) in [
            ("masked", columns(catalogue, touched.masked.iter())),
            ("raw", columns(catalogue, touched.raw.iter())),
            ("plain", columns(catalogue, touched.plain.iter())),
            ("written", columns(catalogue, touched.written.iter())),
        ] {
            if !list.is_empty() {
                write!(out, "; {what} {list}")?;
            }
        }
        if !touched.probed.is_empty() {
            let probed = columns(catalogue, touched.probed.iter());
            let values: Vec<&str> =
                touched.probe_tokens.iter().map(|token| analysis.tokens[*token].text(text)).collect();
            write!(out, "; probed {probed} with {}", touched.probe_values)?;
            if !values.is_empty() {
                write!(out, ": {}", values.join(" "))?;
            }
        }
        if !touched.grants.is_empty() {
            write!(out, "; grants {:?}", touched.grants)?;
        }
        writeln!(out)?;
    }
    for effect in &statement.effects {
        writeln!(out, "  then {effect:?}")?;
    }
    if statement.literals_decide {
        writeln!(out, "  literals decide")?;
    }
    Ok(())
}

fn outcome(case: &Case, catalogue: &Catalogue, views: &[(String, String)]) -> String {
    let (setting, catalogue) = (setting(case, catalogue), &*changed(case, catalogue));
    let context = Context {
        catalogue,
        access: &setting.access,
        session: &setting.session,
        limits: &setting.limits,
        database: "shop",
    };
    match analyse(&case.text, &context) {
        Ok(analysis) => {
            let shown = show(&analysis, &case.text, catalogue);
            if case.directives.iter().any(|directive| directive == "full views") {
                return shown;
            }
            views.iter().fold(shown, |shown, (view, short)| shown.replace(view, short))
        }
        Err(refusal) => {
            format!("message: refused, {:?} {}\n  {}", refusal.reason, refusal.sqlstate, refusal.message)
        }
    }
}

#[test]
fn every_case_comes_out_as_it_says() {
    let catalogue = support::catalogue();
    let views = views(&catalogue);
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let (mut count, mut wrong) = (0, String::new());
    for file in files() {
        let text = std::fs::read_to_string(&file).expect("a case file");
        let (head, _) = text.split_once("\n## ").expect("cases");
        let mut anew = head.to_owned();
        for case in read(&text) {
            count += 1;
            let outcome = outcome(&case, &catalogue, &views);
            if outcome != case.expected {
                let _ = writeln!(
                    wrong,
                    "{}: {}\n{}\nis now\n{outcome}\n",
                    file.display(),
                    case.title,
                    case.expected
                );
            }
            let directives: String =
                case.directives.iter().map(|directive| format!("> {directive}\n")).collect();
            let _ = write!(anew, "\n## {}\n{directives}{}\n=>\n{outcome}\n", case.title, case.text);
        }
        if update {
            std::fs::write(&file, anew).expect("a writable case file");
        }
    }
    assert!(update || wrong.is_empty(), "{wrong}");
    assert!(count >= 300, "{count} cases");
}

#[test]
fn every_reason_to_refuse_has_a_case() {
    let catalogue = support::catalogue();
    let mut seen = BTreeSet::new();
    for file in files() {
        for case in read(&std::fs::read_to_string(&file).expect("a case file")) {
            let (setting, catalogue) = (setting(&case, &catalogue), changed(&case, &catalogue));
            let context = Context {
                catalogue: &catalogue,
                access: &setting.access,
                session: &setting.session,
                limits: &setting.limits,
                database: "shop",
            };
            match analyse(&case.text, &context) {
                Err(refusal) => {
                    seen.insert(format!("{:?}", refusal.reason));
                }
                Ok(analysis) => {
                    seen.extend(analysis.statements.iter().filter_map(|statement| match &statement.verdict {
                        Verdict::Refused(refusal) => Some(format!("{:?}", refusal.reason)),
                        _ => None,
                    }))
                }
            }
        }
    }
    // Exhaustive, so that a new reason does not compile without a line here.
    let all = [
        Reason::TooLarge,
        Reason::Lexical,
        Reason::NotUnderstood,
        Reason::UnknownForm,
        Reason::Unaccounted,
        Reason::Blocked,
        Reason::Write,
        Reason::Ddl,
        Reason::Code,
        Reason::UnsafeFunction,
        Reason::UnknownFunction,
        Reason::UnsafeRelation,
        Reason::Export,
        Reason::ServerAccess,
        Reason::Setting,
        Reason::Unresolved,
        Reason::Console,
    ];
    for reason in all {
        assert!(seen.contains(&format!("{reason:?}")), "no case is refused for {reason:?}");
    }
}
