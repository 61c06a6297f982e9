//! Statements that a grammar makes up, run past the proxy and through it: those that touch nothing
//! protected have the same outcome, byte for byte; no other shows a protected value.

use std::collections::BTreeMap;

use pgwarrant_tests::generate::{Generator, Range, Schema};
use pgwarrant_tests::raw::{Frame, Raw, tags};
use pgwarrant_tests::{Proxy, Settings, Shop, server_port, workspace};
use tokio_postgres::Client;

use crate::oracle::tree::{self, Parsed};
use crate::oracle::world::World;
use crate::secrets::{disclosed, secrets};

/// So many statements are run.
const STATEMENTS: usize = 500;
const SEED: u64 = 1973;
/// `query_canceled`: it took too long, here or there.
const CANCELED: &str = "57014";
/// `syntax_error`
const SYNTAX: &str = "42601";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_grammar_makes_up_runs_as_past_the_proxy_or_shows_nothing() {
    let shop = Shop::new().await;
    // What a user may probe is bounded by the proxy, and not what this is about.
    let many = ("# probes = 1000 ".to_owned(), "probes = 1000000 ".to_owned());
    let proxy = Proxy::start_with(&shop, &Settings { replace: vec![many], ..Settings::default() });
    let secrets = secrets(&shop, &proxy).await;
    few_rows(&shop.direct).await;
    let configuration = std::fs::read_to_string(workspace().join("proxy.toml")).expect("proxy.toml");
    let world = World::live(&shop.direct, &configuration).await;
    let schema = Schema::live(&shop.direct).await;
    let asked = std::env::var("PGWARRANT_GENERATED_LIVE").ok().map(|count| count.parse().expect("a number"));
    let mut generator = Generator::new(SEED, &schema, Range::Repeatable);
    let mut past = session(Raw::connect(server_port(), 0, "shop_app", "", &shop.database, &[]));
    let mut through = session(Raw::connect(proxy.port, 0, "ada", "ada-demo", &proxy.database, &[]));
    let (mut harmless, mut same_rows, mut wrong) = (0, 0, Vec::new());
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..asked.unwrap_or(STATEMENTS) {
        let text = generator.message();
        let answer = run(&mut through, &text);
        if let Some(problem) = broken(&answer) {
            wrong.push(format!("{text}\n  {problem}"));
            through = session(Raw::connect(proxy.port, 0, "ada", "ada-demo", &proxy.database, &[]));
        }
        let seen = answer.iter().map(|frame| String::from_utf8_lossy(&frame.body)).collect::<String>();
        if let Some(secret) = disclosed(&seen, &text, &secrets) {
            wrong.push(format!("{text}\n  disclosed {secret:?}"));
        }
        if touches(&text, &world) {
            for error in answer.iter().filter(|frame| frame.tag == b'E') {
                *refused.entry(error.field(b'C')).or_default() += 1;
            }
            continue;
        }
        harmless += 1;
        let expected = run(&mut past, &text);
        let canceled = |frames: &[Frame]| frames.iter().any(|frame| frame.field(b'C') == CANCELED);
        let (expected_shape, shape) = (shape(&expected, &text), shape(&answer, &text));
        if expected_shape != shape && !canceled(&expected) && !canceled(&answer) {
            wrong.push(format!("{text}\n  past:    {expected_shape:?}\n  through: {shape:?}"));
        }
        same_rows += usize::from(tags(&expected).contains('C'));
    }
    assert!(wrong.is_empty(), "{} statements:\n{}", wrong.len(), wrong.join("\n---\n"));
    assert!(!proxy.log().contains("panicked") && !proxy.log().contains("incident"), "{}", proxy.log());
    let numbers = format!("{harmless} harmless, {same_rows} of them without an error; others: {refused:?}");
    assert!(harmless > STATEMENTS / 8 && same_rows > harmless / 4, "the generator is blunt: {numbers}");
    if asked.is_some() {
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{numbers}\n"));
    }
}

/// Products of whole tables must not take long.
async fn few_rows(direct: &Client) {
    direct
        .batch_execute(
            "TRUNCATE page_views; DELETE FROM order_items WHERE order_id > 6; DELETE FROM payments WHERE order_id > 6;
             DELETE FROM orders WHERE id > 6; DELETE FROM products WHERE id NOT IN (SELECT product_id FROM order_items);
             DELETE FROM customers WHERE id > 5 AND id NOT IN (SELECT customer_id FROM orders);
             INSERT INTO page_views (viewed_at, path, ip) VALUES ('2026-10-05', '/', '203.0.113.77'), ('2026-11-05', '/p', '203.0.113.78');
             DELETE FROM hr.employees WHERE name > 'Employee 12'; ANALYZE",
        )
        .await
        .expect("a small shop");
}

fn session(mut raw: Raw) -> Raw {
    raw.query("SET statement_timeout = '2s'");
    raw
}

/// What comes for a statement in a transaction that is rolled back.
fn run(raw: &mut Raw, text: &str) -> Vec<Frame> {
    raw.query("BEGIN");
    let frames = raw.query(text);
    raw.query("ROLLBACK");
    frames
}

/// What no statement may do to a session.
fn broken(frames: &[Frame]) -> Option<String> {
    let errors = frames.iter().filter(|frame| frame.tag == b'E');
    let fatal = errors.map(|error| (error.field(b'V'), error.field(b'C'), error.field(b'M')));
    let fatal: Vec<_> = fatal.filter(|(severity, code, _)| severity != "ERROR" || code == "08P01").collect();
    match frames.last().is_some_and(|frame| frame.tag == b'Z') && fatal.is_empty() {
        true => None,
        false => Some(format!("ended the session: {} {fatal:?}", tags(frames))),
    }
}

/// What must be the same: everything but notices; of what is no SQL, which both refuse in words of
/// their own, the SQLSTATE; of a write that takes numbers from sequences, no values.
fn shape(frames: &[Frame], text: &str) -> Vec<String> {
    let takes_numbers = tree::parse(text).is_some_and(|parsed| {
        parsed.iter().any(|statement| match statement.kind.as_str() {
            "InsertStmt" | "MergeStmt" => true,
            "UpdateStmt" => text.to_lowercase().contains("default"),
            _ => false,
        })
    });
    frames
        .iter()
        .filter(|frame| frame.tag != b'N')
        .map(|frame| match frame.tag {
            b'E' if takes_numbers || frame.field(b'C') == SYNTAX => frame.shape(),
            b'E' => ["V", "C", "M", "D", "H", "P"].map(|field| frame.field(field.as_bytes()[0])).join(" | "),
            b'D' if takes_numbers => "a row".to_owned(),
            _ => frame.shape(),
        })
        .collect()
}

/// Does it, or could it, touch something protected?
fn touches(text: &str, world: &World) -> bool {
    match tree::parse(text) {
        Some(parsed) => parsed.iter().any(|statement: &Parsed| {
            statement
                .references
                .iter()
                .any(|reference| world.protected(&reference.schema, &reference.name).is_some())
        }),
        // What is no SQL is refused by both in their own words, where it has such a name in it.
        None => {
            let lower = text.to_lowercase();
            lower.contains("u&") || world.catalogue.names.keys().any(|name| lower.contains(name))
        }
    }
}
