//! Every statement in the tests.

use pgwarrant_tests::{Shop, workspace};

use crate::corpus;
use crate::oracle::analysis::{Tally, compare};
use crate::oracle::world::World;
use crate::support;

/// The catalogue of the analysis' own cases.
fn by_hand() -> World {
    World::new(support::catalogue())
}

#[test]
fn the_cases_of_the_analysis_mean_to_postgresql_what_they_mean_to_us() {
    let mut tally = Tally::default();
    let mut complaints = Vec::new();
    for case in corpus::cases() {
        let mut world = by_hand();
        let mut scopes = Vec::new();
        for directive in &case.directives {
            let (word, rest) = directive.split_once(' ').unwrap_or((directive, ""));
            let names = || rest.split(',').map(|name| name.trim().to_owned()).collect();
            match word {
                "grant" => scopes.push(support::scope(rest, &world.catalogue)),
                "path" => world.session.search_path = names(),
                "temp" => world.session.temp_relations = names(),
                "settled" => world.session.settled = rest == "yes",
                "pristine" => world.session.pristine = rest == "yes",
                "role" => world.session.role = rest.to_owned(),
                _ => {}
            }
        }
        world.access = support::access(scopes);
        complaints.extend(
            compare(&case.text, &world, &mut tally)
                .err()
                .map(|complaint| format!("{}\n  {complaint}", case.title)),
        );
    }
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
    assert!(tally.parsed > 450 && tally.spliced > 200, "too few: {tally:?}");
}

#[tokio::test]
async fn the_statements_of_every_other_test_do_too() {
    let shop = Shop::new().await;
    let configuration = std::fs::read_to_string(workspace().join("proxy.toml")).expect("proxy.toml");
    let worlds = [by_hand(), World::live(&shop.direct, &configuration).await];
    let (understood, refused) = corpus::forms();
    let mut tally = Tally::default();
    let mut complaints = Vec::new();
    let texts = [corpus::lexer(), corpus::lexer_cases(), corpus::regressions(), understood, refused].concat();
    for (text, world) in texts.iter().flat_map(|text| worlds.iter().map(move |world| (text, world))) {
        complaints.extend(compare(text, world, &mut tally).err());
    }
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
    assert!(tally.parsed > 800 && tally.spliced > 50, "too few: {tally:?}");
}

#[tokio::test]
async fn forms_of_postgresqls_grammar_are_understood_beside_a_protected_relation() {
    let shop = Shop::new().await;
    let configuration = std::fs::read_to_string(workspace().join("proxy.toml")).expect("proxy.toml");
    let world = World::live(&shop.direct, &configuration).await;
    let complaint = |text: &String| {
        let mut tally = Tally::default();
        let problem = compare(text, &world, &mut tally).err();
        let refused = tally.unknown.into_keys().next();
        (tally.parsed == 0).then(|| "PostgreSQL does not parse it".to_owned()).or(problem).or(refused)
    };
    let (understood, _) = corpus::forms();
    assert!(understood.len() > 200, "only {} forms", understood.len());
    let complaints: Vec<String> =
        understood.iter().filter_map(|text| Some(format!("{text}\n  {}", complaint(text)?))).collect();
    assert!(complaints.is_empty(), "{} forms:\n{}", complaints.len(), complaints.join("\n"));
}
