//! The analysis against PostgreSQL's grammar: the same statements, the same protected relations,
//! and in what is sent nothing but the user's own tokens and privacy views.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use pgwarrant_catalog::Oid;
use pgwarrant_sql::{
    Analysis, Class, ConsoleCall, Effect, Piece, PositionMap, Reason, Splice, Statement, Verdict, analyse,
    console, splice,
};
use serde_json::Value;

use super::minimise::minimise;
use super::tokens::{comparable, compare_statements, compare_tokens, theirs};
use super::tree::{self, Parsed, Reference, Use};
use super::world::World;

/// So many statements of each kind of refusal are kept.
const EXAMPLES: usize = 40;

/// What became of the texts that were compared.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub texts: usize,
    /// Texts that libpg_query parses.
    pub parsed: usize,
    pub as_written: usize,
    pub spliced: usize,
    /// Of those that libpg_query parses: refused, by reason and message.
    pub refused: BTreeMap<String, usize>,
    /// Statements that were refused as forms that are not known, by message; the first few of each.
    pub unknown: BTreeMap<String, Vec<String>>,
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { texts, parsed, as_written, spliced, refused, .. } = self;
        let count: usize = refused.values().sum();
        writeln!(
            out,
            "{texts} texts, {parsed} of them parsed; statements: {as_written} as written, {spliced} spliced, {count} refused"
        )?;
        refused.iter().try_for_each(|(reason, count)| writeln!(out, "  {count:>8} {reason}"))
    }
}

/// Compares everything about a text.
///
/// # Errors
/// What differs.
pub fn compare(text: &str, world: &World, tally: &mut Tally) -> Result<(), String> {
    compare_tokens(text)?;
    let text = comparable(text);
    tally.texts += 1;
    let parsed = tree::parse(&text);
    if let Some(parsed) = &parsed {
        let borders: Vec<Range<usize>> = parsed.iter().map(|statement| statement.text.clone()).collect();
        compare_statements(&text, &borders)?;
    }
    tally.parsed += usize::from(parsed.is_some());
    let analysis = match analyse(&text, &world.context()) {
        Ok(analysis) => analysis,
        Err(refusal) => {
            if parsed.is_some() {
                *tally.refused.entry(format!("{:?}: {}", refusal.reason, refusal.message)).or_default() += 1;
            }
            return Ok(());
        }
    };
    if let Some(parsed) = &parsed
        && parsed.len() != analysis.statements.len()
    {
        let (ours, theirs) = (analysis.statements.len(), parsed.len());
        return Err(format!("{text:?}: {ours} statements where PostgreSQL has {theirs}"));
    }
    let mut names_moved = false;
    for (number, statement) in analysis.statements.iter().enumerate() {
        let seen = parsed.as_ref().map(|parsed| &parsed[number]);
        let complain = |what: String| format!("{:?}: {what}", &text[statement.text.clone()]);
        match &statement.verdict {
            Verdict::Refused(refusal) => {
                if seen.is_some() {
                    let reason = format!("{:?}: {}", refusal.reason, refusal.message);
                    if matches!(
                        refusal.reason,
                        Reason::NotUnderstood
                            | Reason::UnknownForm
                            | Reason::Unaccounted
                            | Reason::UnknownFunction
                    ) {
                        let examples = tally.unknown.entry(refusal.message.clone()).or_default();
                        if examples.len() < EXAMPLES {
                            examples.push(text[statement.text.clone()].to_owned());
                        }
                    }
                    *tally.refused.entry(reason).or_default() += 1;
                }
            }
            verdict => {
                if let Some(seen) = seen.filter(|_| !names_moved) {
                    compare_relations(statement, seen, world).map_err(complain)?;
                }
                if let Verdict::Spliced(splices) = verdict {
                    tally.spliced += 1;
                    compare_sent(&text, &analysis, statement, splices, seen, world).map_err(complain)?;
                } else {
                    tally.as_written += 1;
                }
            }
        }
        names_moved |=
            statement.effects.iter().any(|effect| matches!(effect, Effect::SessionState | Effect::Ddl));
    }
    Ok(())
}

/// Where `PGWARRANT_FORMS` is set: what PostgreSQL parses and we do not, made as short as possible.
pub fn unknown_forms(tally: &Tally, world: &World) -> Vec<String> {
    if std::env::var_os("PGWARRANT_FORMS").is_none() {
        return Vec::new();
    }
    let is_unknown = |text: &str| {
        let mut tally = Tally::default();
        compare(text, world, &mut tally).is_ok() && tally.parsed == 1 && !tally.unknown.is_empty()
    };
    let shortest = |examples: &Vec<String>| examples.iter().min_by_key(|example| example.len()).cloned();
    tally
        .unknown
        .iter()
        .filter_map(|(message, examples)| Some((message, shortest(examples)?)))
        .filter(|(_, example)| example.len() < 300)
        .map(|(message, example)| format!("{message}: {}", minimise(&example, is_unknown)))
        .collect()
}

fn names(oids: &BTreeSet<Oid>, world: &World) -> Vec<String> {
    let name = |oid| {
        world.catalogue.relations.get(oid).map(|relation| format!("{}.{}", relation.schema, relation.name))
    };
    oids.iter().filter_map(name).collect()
}

/// The protected relations that a statement reads.
fn compare_relations(statement: &Statement, seen: &Parsed, world: &World) -> Result<(), String> {
    let is_protected =
        |oid: &&Oid| world.catalogue.relations.get(oid).is_some_and(|relation| relation.is_protected());
    let ours: BTreeSet<Oid> = statement.touched.relations.iter().filter(is_protected).copied().collect();
    let protected = |reference: &Reference| world.protected(&reference.schema, &reference.name);
    let named = seen.references.iter().filter(|reference| reference.usage != Use::Made);
    let theirs: BTreeSet<Oid> = named.filter_map(protected).collect();
    let missed = &theirs - &ours;
    // ANALYZE and its like look at relations that they do not name.
    let extra = if statement.class == Class::Maintenance { BTreeSet::new() } else { &ours - &theirs };
    if missed.is_empty() && extra.is_empty() {
        return Ok(());
    }
    Err(format!(
        "only PostgreSQL sees {:?}, only the analysis sees {:?}",
        names(&missed, world),
        names(&extra, world)
    ))
}

/// What is sent in the place of a statement.
fn compare_sent(
    text: &str,
    analysis: &Analysis,
    statement: &Statement,
    splices: &[Splice],
    seen: Option<&Parsed>,
    world: &World,
) -> Result<(), String> {
    let fill = &mut |call: &ConsoleCall| Ok(console::fill(call, &[]));
    let (sent, map) = splice::apply(text, &analysis.tokens, statement.tokens.clone(), splices, fill)
        .map_err(|refusal| format!("cannot be spliced: {refusal:?}"))?;
    user_tokens_stay(text, analysis, statement, splices, &sent)?;
    user_text_stays(text, &sent, &map)?;
    // In a message that PostgreSQL does not parse, this statement may be one nevertheless.
    let is_statement = seen.is_some() || tree::parse(&text[statement.text.clone()]).is_some();
    let after = match (is_statement, tree::parse(&sent)) {
        (true, Some(after)) => after,
        (true, None) => return Err(format!("became what PostgreSQL cannot parse: {sent}")),
        (false, Some(_)) => return Err(format!("is no statement of PostgreSQL's, and became one: {sent}")),
        (false, None) => return Ok(()),
    };
    let [after] = after.as_slice() else {
        return Err(format!("became {} statements: {sent}", after.len()));
    };
    if let Some(seen) = seen
        && seen.kind != after.kind
    {
        return Err(format!("was {} and became {}: {sent}", seen.kind, after.kind));
    }
    for reference in &after.references {
        if let Some(oid) = world.protected(&reference.schema, &reference.name)
            && reference.usage != Use::Made
        {
            in_view(reference, oid, &sent, &map, world)
                .map_err(|what| format!("{what} in what is sent: {sent}"))?;
        }
    }
    Ok(())
}

/// The tokens that are sent are the user's and those of the replacements, and no others: nothing
/// was glued together, split or left out.
fn user_tokens_stay(
    text: &str,
    analysis: &Analysis,
    statement: &Statement,
    splices: &[Splice],
    sent: &str,
) -> Result<(), String> {
    let own = |range: Range<usize>| analysis.tokens[range].iter().map(|token| token.text(text).to_owned());
    let scanned = |text: &str| -> Result<Vec<String>, String> {
        let tokens = theirs(text).map_err(|problem| format!("{text:?} has no tokens: {problem}"))?;
        Ok(tokens.into_iter().map(|(range, _)| text[range].to_owned()).collect())
    };
    let mut expected = Vec::new();
    let mut next = statement.tokens.start;
    for splice in splices {
        expected.extend(own(next..splice.tokens.start));
        for piece in &splice.with {
            match piece {
                Piece::Text(text) => expected.extend(scanned(text)?),
                Piece::Tokens(range) => expected.extend(own(range.clone())),
                Piece::Console(call) => expected.extend(scanned(&console::fill(call, &[]))?),
            }
        }
        next = splice.tokens.end;
    }
    expected.extend(own(next..statement.tokens.end));
    let found = scanned(&comparable(sent))?;
    let expected: Vec<String> = expected.iter().map(|token| comparable(token)).collect();
    match found == expected {
        true => Ok(()),
        false => {
            let differs = found.iter().zip(&expected).find(|(found, expected)| found != expected);
            Err(format!("has other tokens when sent ({differs:?} …): {sent}"))
        }
    }
}

/// What the map calls the user's is the user's, character for character.
fn user_text_stays(text: &str, sent: &str, map: &PositionMap) -> Result<(), String> {
    let characters = |text: &str, start: usize, length: usize| -> String {
        text.chars().skip(start).take(length).collect()
    };
    for (start, user, length) in &map.runs {
        let (ours, theirs) = (characters(sent, *start, *length), characters(text, *user, *length));
        if ours != theirs {
            return Err(format!("{theirs:?} is sent as {ours:?}"));
        }
    }
    Ok(())
}

/// A protected relation may be named by a privacy view of ours, which selects no protected column
/// as it is but those that a grant covers.
fn in_view(
    reference: &Reference,
    oid: Oid,
    sent: &str,
    map: &PositionMap,
    world: &World,
) -> Result<(), String> {
    let Some(relation) = world.catalogue.relations.get(&oid) else { return Ok(()) };
    // What may be written has rules and tests of its own.
    if reference.usage == Use::Written {
        return Ok(());
    }
    let location = sent.get(..reference.location).map_or(0, |before| before.chars().count());
    let after = map.runs.partition_point(|(start, _, _)| *start <= location);
    let of_user =
        map.runs.get(after.wrapping_sub(1)).is_some_and(|(start, _, length)| location < start + length);
    if of_user {
        return match relation.columns.iter().any(|column| world.is_masked(column)) {
            true => Err(format!("the user's own {} is named", relation.name)),
            false => Ok(()),
        };
    }
    for selected in &reference.selects {
        let Some(name) = plain_column(selected) else { continue };
        if name == "*" || relation.column(&name).is_some_and(|column| world.is_masked(column)) {
            return Err(format!("{}.{name} is shown raw", relation.name));
        }
    }
    Ok(())
}

/// The column that an output column is, with nothing done to it.
fn plain_column(selected: &Value) -> Option<String> {
    let (_, target) = tree::node(selected)?;
    let (kind, column) = tree::node(target.get("val")?)?;
    let last = column.get("fields").filter(|_| kind == "ColumnRef")?.as_array()?.last()?;
    match tree::node(last)? {
        ("String", name) => name.get("sval")?.as_str().map(str::to_owned),
        ("AStar", _) => Some("*".to_owned()),
        _ => None,
    }
}
