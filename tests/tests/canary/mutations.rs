//! Statements that nobody wrote on purpose disclose nothing either: words of the corpus are cut,
//! doubled, swapped and mixed, from a fixed seed, and every answer is searched for canaries.
//! `PGWARRANT_MUTATIONS` says how many; the default is for every day.

use pgwarrant_sql::{Limits, lex};
use pgwarrant_tests::raw::Raw;

use crate::bench::{Bench, Salt};
use crate::entries::{How, Message, Role, read};
use crate::play::{Transcript, exchange};

const STATEMENTS: usize = 3000;
/// Settings and roles that a statement changed do not stay for longer than this many statements.
const PER_SESSION: usize = 100;

/// A small generator of pseudo-random numbers (xorshift64*), the same for everybody.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit
    }
}

/// Names that fit in many places, so that a good part of the statements still runs.
const NAMES: &[&str] = &[
    "people",
    "vault",
    "items",
    "orders",
    "accounts",
    "visits",
    "v_people",
    "v_barrier",
    "v_counts",
    "v_union",
    "hr",
    "p",
    "o",
    "id",
    "region",
    "points",
    "name",
    "email",
    "phone",
    "serial",
    "birth",
    "salary",
    "note",
    "address",
    "c_text",
    "agent",
    "max",
    "min",
    "count",
    "upper",
    "lower",
    "length",
    "first_mail",
    "row_to_json",
    "to_jsonb",
    "md5",
];

fn words(statement: &str) -> Vec<String> {
    match lex(statement, &Limits::default()) {
        Ok(tokens) => tokens.iter().map(|token| token.text(statement).to_owned()).collect(),
        Err(_) => vec![statement.to_owned()],
    }
}

/// Puts another name in the place of one; nearly every other word of SQL stays where it is.
fn rename(dice: &mut Dice, statement: &mut [String]) {
    let named: Vec<usize> =
        (0..statement.len()).filter(|at| NAMES.contains(&statement[*at].to_lowercase().as_str())).collect();
    if !named.is_empty() {
        NAMES[dice.below(NAMES.len())].clone_into(&mut statement[named[dice.below(named.len())]]);
    }
}

fn mutate(dice: &mut Dice, corpus: &[Vec<String>]) -> String {
    let mut statement = corpus[dice.below(corpus.len())].clone();
    let other = &corpus[dice.below(corpus.len())];
    if dice.below(3) > 0 {
        rename(dice, &mut statement);
        return statement.join(" ");
    }
    for _ in 0..=dice.below(3) {
        if statement.is_empty() {
            break;
        }
        let at = dice.below(statement.len());
        match dice.below(6) {
            0 => drop(statement.remove(at)),
            1 => statement.insert(at, statement[at].clone()),
            2 => {
                let with = dice.below(statement.len());
                statement.swap(at, with);
            }
            3 => statement[at] = other[dice.below(other.len())].clone(),
            4 => {
                let from = dice.below(other.len());
                let until = (from + 1 + dice.below(8)).min(other.len());
                statement.splice(at..at, other[from..until].iter().cloned());
            }
            _ => statement.truncate(at.max(2)),
        }
    }
    statement.join(" ")
}

fn session(bench: &Bench) -> Raw {
    let (mut raw, _) = bench.through(Salt::First, Role::App.user(), &[]);
    raw.query("SET statement_timeout = '2s'");
    raw
}

#[tokio::test(flavor = "multi_thread")]
async fn mutated_statements_disclose_nothing() {
    let bench = Bench::new(false, false).await;
    let corpus: Vec<Vec<String>> = [
        "attacks/wrapping.sql",
        "attacks/scope.sql",
        "attacks/carriage.sql",
        "attacks/errors.sql",
        "attacks/blind.sql",
        "attacks/code.sql",
        "harmless/queries.sql",
    ]
    .iter()
    .flat_map(|file| read(file))
    .filter(|entry| !entry.known && entry.role == Role::App)
    .flat_map(|entry| entry.messages)
    .filter(|message| message.how == How::Query)
    .map(|message| words(&String::from_utf8_lossy(&message.sql)))
    .filter(|words| words.len() > 2)
    .collect();
    let count = std::env::var("PGWARRANT_MUTATIONS").ok().and_then(|count| count.parse().ok());
    let mut dice = Dice(0x5EED_0F5A_17B0_0C5E);
    let (mut answered, mut wrong) = (0, Vec::new());
    let mut raw = session(&bench);
    let count = count.unwrap_or(STATEMENTS);
    for number in 0..count {
        let statement = mutate(&mut dice, &corpus);
        if number % PER_SESSION == 0 {
            raw = session(&bench);
        }
        let mut transcript = Transcript { answers: Vec::new(), hangs: false, closed: false };
        let message =
            Message { session: 0, how: How::Query, sql: statement.clone().into_bytes(), data: Vec::new() };
        exchange(&mut raw, &message, &mut transcript);
        let frames = transcript.frames();
        answered += usize::from(!frames.iter().any(|frame| frame.tag == b'E'));
        let found = bench.canaries.disclosed(&frames, &statement, |_| false);
        if !found.is_empty() {
            wrong.push(format!("disclosed {}: {statement}", found.join(", ")));
        }
        if frames.last().is_some_and(|ready| ready.body != b"I") {
            raw.query("ROLLBACK");
        }
        if transcript.hangs || transcript.closed {
            wrong.push(format!("ended or stalled its session: {statement}"));
            raw = session(&bench);
        }
    }
    assert!(answered > count / 10, "only {answered} statements ran: the hunt is blunt");
    assert!(wrong.is_empty(), "{} statements:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(bench.incidents(), [""; 0]);
    assert!(!bench.proxy.log().contains("panicked"), "{}", bench.proxy.log());
}
