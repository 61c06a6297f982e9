//! Requests and what becomes of them. `UPDATE_EXPECT=1 cargo nextest run -p pgwarrant-policy` writes
//! the outcomes anew; they are then read line by line before they are committed.

mod support;

use pgwarrant_grants::ruling::Arbiter;
use support::{check, facts, policies, read, shown};

const FILES: [&str; 7] = [
    "starter.txt",
    "annotations.txt",
    "context.txt",
    "stages.txt",
    "columns.txt",
    "names.txt",
    "hostile.txt",
];

#[test]
fn every_request_comes_out_as_its_case_says() {
    let mut count = 0;
    for name in FILES {
        let file = read(name);
        count += check(&file, |case| shown(&policies(&file, case).rule(&facts(&case.input))));
    }
    assert!(count >= 70, "{count} cases");
}

#[test]
fn the_order_of_columns_actions_and_groups_changes_nothing() {
    for name in FILES {
        let file = read(name);
        for case in &file.cases {
            let policies = policies(&file, case);
            let facts = facts(&case.input);
            let mut turned = facts.clone();
            turned.columns.reverse();
            turned.actions.reverse();
            turned.by.groups.reverse();
            let (ruling, other) = (policies.rule(&facts), policies.rule(&turned));
            assert_eq!(ruling.why().policies, other.why().policies, "{}", case.title);
            let outcomes = [&ruling, &other].map(pgwarrant_policy::outcome);
            assert_eq!(outcomes[0], outcomes[1], "{}", case.title);
        }
    }
}

#[test]
fn what_is_asked_twice_is_asked_once() {
    for name in FILES {
        let file = read(name);
        for case in &file.cases {
            let policies = policies(&file, case);
            let facts = facts(&case.input);
            let mut twice = facts.clone();
            twice.actions.extend(facts.actions.clone());
            twice.by.groups.extend(facts.by.groups.clone());
            assert_eq!(policies.rule(&facts), policies.rule(&twice), "{}", case.title);
        }
    }
}
