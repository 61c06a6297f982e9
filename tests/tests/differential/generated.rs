//! Statements that a grammar makes up (`pgwarrant_tests::generate`).
//!
//! `PGWARRANT_GENERATED=1000000` makes up so many messages instead, and tells what became of them.

use std::collections::BTreeMap;
use std::io::Write;

use pgwarrant_tests::generate::{Generator, Range, Schema};
use pgwarrant_tests::{Shop, workspace};

use crate::oracle::analysis::{Tally, compare, unknown_forms};
use crate::oracle::minimise::minimise;
use crate::oracle::world::World;

/// So many messages are compared.
const MESSAGES: usize = 4_000;
const SEED: u64 = 7119;
/// So many differences of each kind are told.
const TOLD: usize = 3;

#[tokio::test]
async fn what_a_grammar_makes_up_means_to_postgresql_what_it_means_to_us() {
    let shop = Shop::new().await;
    let configuration = std::fs::read_to_string(workspace().join("proxy.toml")).expect("proxy.toml");
    let world = World::live(&shop.direct, &configuration).await;
    let schema = Schema::live(&shop.direct).await;
    let asked = std::env::var("PGWARRANT_GENERATED").ok().map(|count| count.parse().expect("a number"));
    let mut generator = Generator::new(SEED, &schema, Range::Everything);
    let mut tally = Tally::default();
    let mut complaints: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for _ in 0..asked.unwrap_or(MESSAGES) {
        let text = generator.message();
        if let Err(complaint) = compare(&text, &world, &mut tally) {
            let of_a_kind = complaints.entry(kind(&complaint)).or_default();
            if of_a_kind.len() < TOLD {
                of_a_kind.push(shortest(&text, &world));
            }
        }
    }
    let complaints: Vec<String> = complaints.into_values().flatten().collect();
    if asked.is_some() {
        let mut stderr = std::io::stderr();
        let _ = writeln!(stderr, "{tally}{}", unknown_forms(&tally, &world).join("\n"));
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    let (parsed, spliced) = (tally.parsed * 100 / tally.texts, tally.spliced * 100 / tally.texts);
    assert!(parsed > 30 && spliced > 10, "the generator is blunt: {tally}");
}

/// A complaint without the text that it begins with.
fn kind(complaint: &str) -> String {
    let what = complaint.split_once("\": ").map_or(complaint, |(_, what)| what);
    what.split([':', '[', '(']).next().unwrap_or_default().to_owned()
}

/// What differs, of a text made as short as possible.
fn shortest(text: &str, world: &World) -> String {
    let differs = |text: &str| compare(text, world, &mut Tally::default()).err();
    let short = minimise(text, |text| differs(text).is_some());
    differs(&short).unwrap_or_default()
}
