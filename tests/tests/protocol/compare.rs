//! The same bytes to the proxy and to PostgreSQL: the same answers.

use pgwarrant_tests::raw::{Frame, Raw, parse, query};
use pgwarrant_tests::server_port;

use crate::Bench;

/// What a client does, step by step.
pub enum Step {
    Send(Vec<u8>),
    /// Reads up to so many messages of a type, before anything more is sent.
    Until(u8, usize),
}

/// A name and what the client does.
pub type Case = (&'static str, Vec<Step>);

pub fn send(messages: &[Vec<u8>]) -> Step {
    Step::Send(messages.concat())
}

/// Up to ReadyForQuery.
pub const READY: Step = Step::Until(b'Z', 1);

/// Each a Query message of its own, answered before the next is sent.
pub fn queries(statements: &[&str]) -> Vec<Step> {
    statements.iter().flat_map(|statement| [send(&[query(statement)]), READY]).collect()
}

/// A statement that the proxy refuses, or in its place one that PostgreSQL cannot analyse.
#[derive(Clone, Copy)]
pub struct Refused(pub &'static str);

const REFUSED: Refused = Refused("SELECT blood FROM hr.employees");
const NOT_ANALYSED: Refused = Refused("SELECT nosuch FROM hr.employees");

impl Refused {
    pub fn query(self) -> Vec<u8> {
        query(self.0)
    }

    pub fn parse(self, name: &str) -> Vec<u8> {
        parse(name, self.0)
    }

    /// In the middle of other statements.
    pub fn between(self, before: &str, after: &str) -> String {
        format!("{before}; {}; {after}", self.0)
    }
}

/// Runs each case on both sides, in a session of its own, and then a statement that shows that the
/// session has stayed in step.
pub fn same(bench: &Bench, cases: impl Fn(Refused) -> Vec<Case>) {
    let database = &bench.shop.database;
    let mut different = Vec::new();
    for ((name, through), (_, direct)) in cases(REFUSED).into_iter().zip(cases(NOT_ANALYSED)) {
        let mut proxied = bench.connect();
        let mut plain = Raw::connect(server_port(), 0, "shop_app", "", database, &[]);
        let found = run(&mut proxied, through);
        let expected: Vec<String> = run(&mut plain, direct)
            .into_iter()
            .map(|shape| shape.replace("E ERROR 42703", "E ERROR 42501"))
            .collect();
        if found != expected {
            different.push(format!(
                "{name}\n  PostgreSQL: {}\n  pgwarrant:  {}",
                expected.join(" | "),
                found.join(" | ")
            ));
        }
    }
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
    bench.is_well();
}

fn run(raw: &mut Raw, steps: Vec<Step>) -> Vec<String> {
    let mut shapes = Vec::new();
    for step in steps {
        match step {
            Step::Send(bytes) => raw.send(&bytes),
            Step::Until(tag, count) => shapes.extend(raw.until(tag, count).iter().map(shape)),
        }
    }
    shapes.extend(raw.query("SELECT 'in step'").iter().map(shape));
    shapes
}

/// As [`Frame::shape`], but for the numbers of relations: temporary ones differ between sessions.
fn shape(frame: &Frame) -> String {
    if frame.tag != b'T' {
        return frame.shape();
    }
    let mut rest = frame.body.get(2..).expect("a count");
    let mut fields = Vec::new();
    while let Some(end) = rest.iter().position(|byte| *byte == 0) {
        let (name, after) = rest.split_at(end);
        let (numbers, next) = after[1..].split_at(18);
        let relation = if numbers.starts_with(&[0; 4]) { "" } else { "relation " };
        fields.push(format!("{relation}{}{:?}", name.escape_ascii(), &numbers[4..]));
        rest = next;
    }
    format!("T {}", fields.join(","))
}
