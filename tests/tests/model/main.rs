//! Random schemas, labels, grants and queries: what comes through the proxy equals what the same
//! query gives on a database whose tables hold what the session may see, and no byte of it hangs on
//! what it may not see.
//!
//! `PGWARRANT_MODEL_WORLDS`, `PGWARRANT_MODEL_QUERIES` (in each world) and `PGWARRANT_MODEL_SEED`
//! make a longer run, which ends with its numbers.

mod bench;
mod compare;
mod expression;
mod flesh;
mod from;
mod grants;
mod kinds;
mod labels;
mod maker;
mod query;
mod random;
mod session;
mod sql;
mod tally;
mod world;
mod writes;

use std::io::Write;
use std::time::Instant;

use pgwarrant_tests::raw::Raw;

use crate::bench::{Bench, Place, described};
use crate::compare::{Verdict, compare};
use crate::flesh::{Copy, pages};
use crate::query::{Query, query};
use crate::random::Random;
use crate::session::{Way, frames, outcome};
use crate::sql::Node;
use crate::tally::Tally;
use crate::writes::{contents, write};

/// How much is tried.
struct Effort {
    worlds: usize,
    queries: usize,
    seed: u64,
}

impl Effort {
    /// As the environment says.
    fn or(worlds: usize, queries: usize, seed: u64) -> Effort {
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let size = |name: &str, fallback: usize| number(name).map_or(fallback, |number| number as usize);
        Effort {
            worlds: size("PGWARRANT_MODEL_WORLDS", worlds),
            queries: size("PGWARRANT_MODEL_QUERIES", queries),
            seed: number("PGWARRANT_MODEL_SEED").unwrap_or(seed),
        }
    }
}

/// Statements tried to make a failing one smaller.
const SHRINKING: usize = 400;

/// Failures that are made smaller and shown.
const SHOWN: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_equal_those_of_tables_that_were_really_masked() {
    let start = Instant::now();
    let effort = Effort::or(16, 26, 20_261_121);
    let mut random = Random::new(effort.seed);
    let bench = Bench::new("equality", Copy::Model, effort.worlds, &mut random).await;
    let ready = start.elapsed();
    let mut tally = Tally::default();
    for place in &bench.places {
        let mut sessions = Sessions::new(&bench, place);
        for _ in 0..effort.queries {
            let (query, way) = next(place, &mut random);
            let verdict = sessions.verdict(&query, way);
            if tally.add(&verdict) {
                let small = shrink(&query, &verdict, |query| sessions.verdict(query, way));
                let text = small.node.text();
                tally.failures.push(format!(
                    "{:?}\nworld {} of seed {}, {way:?}\n{text}\nparameters {:?}\n{}",
                    sessions.verdict(&small, way),
                    place.world.number,
                    effort.seed,
                    small.parameters,
                    described(place, &text)
                ));
            }
        }
    }
    let _ = writeln!(
        std::io::stderr(),
        "seed {}: {tally}; ready after {ready:.1?}, done after {:.1?}",
        effort.seed,
        start.elapsed()
    );
    tally.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_session_may_not_see_changes_no_byte_of_what_it_gets() {
    let start = Instant::now();
    let effort = Effort::or(12, 25, 47_110_815);
    let mut random = Random::new(effort.seed);
    let bench = Bench::new("interference", Copy::Other, effort.worlds, &mut random).await;
    assert!(bench.changed > 0, "no cell differs: nothing is tested");
    let ready = start.elapsed();
    let mut failures = Vec::new();
    let (mut same, mut errors) = (0, 0);
    for place in &bench.places {
        let (mut one, mut other) = (bench.proxied(place), bench.proxied_other(place));
        let (source, copy) = (&bench.databases.source.direct, &bench.databases.copy.direct);
        let plans = pages(source, &place.world).await == pages(copy, &place.world).await;
        for _ in 0..effort.queries {
            let (query, way) = next(place, &mut random);
            let mut check = |query: &Query| interference(&mut one, &mut other, query, way, plans);
            match check(&query) {
                Ok(failed) => {
                    same += 1;
                    errors += usize::from(failed);
                }
                Err(_) if failures.len() < SHOWN => {
                    let small = shrink_while(&query, |query| check(query).is_err());
                    let text = small.node.text();
                    let what = check(&small).err().unwrap_or_default();
                    failures.push(format!(
                        "{what}\nworld {} of seed {}, {way:?}\n{text}\nparameters {:?}\n{}",
                        place.world.number,
                        effort.seed,
                        small.parameters,
                        described(place, &text)
                    ));
                }
                Err(_) => {}
            }
        }
    }
    let _ = writeln!(
        std::io::stderr(),
        "seed {}: {} cells changed, {same} statements with the same bytes, {errors} of them errors; ready after \
         {ready:.1?}, done after {:.1?}",
        effort.seed,
        bench.changed,
        start.elapsed()
    );
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    // Errors say the same too, but most statements must say something.
    assert!(errors * 3 < same, "{errors} of {same} statements fail");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_change_the_rows_that_grants_cover_and_no_others() {
    let start = Instant::now();
    let effort = Effort::or(10, 30, 8_151_623);
    let mut random = Random::new(effort.seed);
    let bench = Bench::new("writes", Copy::Written, effort.worlds, &mut random).await;
    let (mut same, mut rows, mut errors, mut refused, mut guarded) = (0, 0, 0, 0, 0);
    for place in &bench.places {
        let (mut proxied, mut owner) = (bench.proxied(place), bench.owner(place));
        let mut truth = bench.truth(place);
        for _ in 0..effort.queries {
            let Some(write) = write(place, &mut random) else { break };
            let fails = |what: &str| {
                let world = place.world.number;
                let seed = effort.seed;
                let detail = described(place, &write.text);
                panic!("{what}\nworld {world} of seed {seed}\n{}\n{}\n{detail}", write.text, write.expected)
            };
            let ours = outcome(&frames(&mut proxied, &write.text, &[], Way::Simple));
            match &ours.error {
                Some(error) if error.sqlstate == "42501" && write.refused => refused += 1,
                _ if write.refused && ours.error.is_none() => fails("it runs without a grant"),
                Some(error) if error.sqlstate == "42501" && write.doubtful => guarded += 1,
                _ => {
                    let theirs = outcome(&frames(&mut owner, &write.expected, &[], Way::Simple));
                    match (&ours.error, &theirs.error) {
                        (Some(one), Some(other)) if one.sqlstate == other.sqlstate => errors += 1,
                        (Some(one), Some(other))
                            if one.sqlstate.starts_with("22") && other.sqlstate.starts_with("22") =>
                        {
                            errors += 1;
                        }
                        (None, None) => {
                            let sorted = |mut rows: Vec<Vec<u8>>| {
                                rows.sort();
                                rows
                            };
                            if sorted(ours.rows.clone()) != sorted(theirs.rows.clone()) {
                                fails(&format!("RETURNING differs: {ours:?}\n{theirs:?}"));
                            }
                            rows += ours.rows.len();
                            same += 1;
                        }
                        (ours, theirs) => fails(&format!("errors differ: {ours:?}, in the model {theirs:?}")),
                    }
                }
            }
            let contents = contents(place, write.relation);
            if outcome(&truth.query(&contents)).rows != outcome(&owner.query(&contents)).rows {
                fails("the table holds other rows than the model says");
            }
        }
    }
    let _ = writeln!(
        std::io::stderr(),
        "seed {}: {same} writes of {rows} rows, {errors} the same error, {refused} refused, {guarded} guarded; {:.1?}",
        effort.seed,
        start.elapsed()
    );
    assert!(same > 0 && rows > 0 && refused > 0, "nothing was written, or nothing refused");
    assert!(guarded * 3 < same, "too much is refused: {guarded} beside {same}");
}

/// The next query and how it is sent.
fn next(place: &Place, random: &mut Random) -> (Query, Way) {
    let way = match random.below(10) {
        0..=4 => Way::Simple,
        5 => Way::Extended { binary: false },
        6 => Way::Extended { binary: true },
        7 => Way::Prepared,
        8 => Way::Cursor,
        // Raw values may not be exported.
        _ if place.grants.is_empty() => Way::Copy,
        _ => Way::Simple,
    };
    let parameters = matches!(way, Way::Extended { .. } | Way::Prepared);
    (query(&place.world, &place.there, parameters, random), way)
}

/// The connections that a world's queries go over.
struct Sessions {
    proxied: Raw,
    model: Raw,
    reader: Raw,
    row_types: u32,
}

impl Sessions {
    fn new(bench: &Bench, place: &Place) -> Sessions {
        Sessions {
            proxied: bench.proxied(place),
            model: bench.model(place),
            reader: bench.reader(place),
            row_types: bench.databases.last_type,
        }
    }

    fn verdict(&mut self, query: &Query, way: Way) -> Verdict {
        let text = query.node.text();
        let proxied = outcome(&frames(&mut self.proxied, &text, &query.parameters, way));
        let model = outcome(&frames(&mut self.model, &text, &query.parameters, way));
        match compare(&proxied, &model, query.ordered, self.row_types) {
            // In the model there is no such column.
            Verdict::Blocked if model.error.as_ref().is_some_and(|error| error.sqlstate == "42703") => {
                Verdict::Blocked
            }
            // PostgreSQL's own privileges say whether a statement uses a column.
            Verdict::Blocked => {
                let read = outcome(&frames(&mut self.reader, &text, &query.parameters, way));
                match read.error {
                    Some(error) if error.sqlstate == "42501" => Verdict::Blocked,
                    // No statement of PostgreSQL's, whoever sends it.
                    Some(error) if error.sqlstate.starts_with("42") => Verdict::SameError(error.sqlstate),
                    _ => Verdict::Refused("a blocked column that the statement does not use".to_owned()),
                }
            }
            verdict => verdict,
        }
    }
}

/// A smaller query with a verdict of the same kind.
fn shrink(query: &Query, verdict: &Verdict, mut check: impl FnMut(&Query) -> Verdict) -> Query {
    shrink_while(query, |query| check(query).kind() == verdict.kind())
}

fn shrink_while(query: &Query, mut fails: impl FnMut(&Query) -> bool) -> Query {
    let mut best = query.clone();
    let mut tries = 0;
    'again: loop {
        let smaller: Vec<Node> = best.node.smaller();
        for node in smaller {
            tries += 1;
            if tries > SHRINKING {
                return best;
            }
            let candidate = Query { node, ..best.clone() };
            if fails(&candidate) {
                best = candidate;
                continue 'again;
            }
        }
        return best;
    }
}

/// Runs a query over both databases, and has it explained where their tables have the same size:
/// whether it fails, or how they differ.
fn interference(
    one: &mut Raw,
    other: &mut Raw,
    query: &Query,
    way: Way,
    plans: bool,
) -> Result<bool, String> {
    let text = query.node.text();
    let ours = frames(one, &text, &query.parameters, way);
    let theirs = frames(other, &text, &query.parameters, way);
    if let Some((a, b)) = ours.iter().zip(&theirs).find(|(a, b)| a != b) {
        return Err(format!("{} | {}", a.body.escape_ascii(), b.body.escape_ascii()));
    }
    if ours.len() != theirs.len() {
        return Err(format!("{} messages | {}", ours.len(), theirs.len()));
    }
    if plans && query.parameters.is_empty() {
        let explain = format!("EXPLAIN (VERBOSE, COSTS OFF) {text}");
        let (a, b) = (one.query(&explain), other.query(&explain));
        if a != b {
            return Err(format!("plans differ: {:?} | {:?}", outcome(&a), outcome(&b)));
        }
    }
    Ok(outcome(&ours).error.is_some())
}
