//! The staged ruling against Cedar's own authorizer over whole sets, with every column by itself.

use std::time::Duration;

use cedar_policy::{Decision, PolicySet};
use pgwarrant_grants::Who;
use pgwarrant_grants::ruling::{Action, AskedColumn, Asker, LocalTime, Sensitivity, SignIn, Source};

use super::*;

const GROUPS: [&str; 4] = ["engineering", "oncall", "privacy", "audit"];
const CATEGORIES: [&str; 5] = ["identity", "contact", "address", "payment", "health"];
const RELATIONS: [&str; 2] = ["public.customers", "hr.employees"];

/// Marsaglia's xorshift: the same numbers in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).expect("a small number")
    }
    fn of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }
    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }
}

fn policy(dice: &mut Dice, number: usize) -> String {
    let principal = match dice.below(6) {
        0..3 => "principal".to_owned(),
        3 => "principal is User".to_owned(),
        4 => format!("principal in Group::\"{}\"", dice.of(&GROUPS)),
        _ => format!("principal == User::\"{}\"", dice.of(&["ada", "privacy"])),
    };
    let action = match dice.below(5) {
        0..3 => "action".to_owned(),
        3 => format!("action in Action::\"{}\"", dice.of(&["read", "write"])),
        _ => {
            format!("action in [Action::\"select\", Action::\"{}\"]", dice.of(&["export", "update", "write"]))
        }
    };
    let resource = match dice.below(8) {
        0..3 => "resource".to_owned(),
        3 => format!("resource is Column in Category::\"{}\"", dice.of(&CATEGORIES)),
        4 => format!("resource in Category::\"{}\"", dice.of(&CATEGORIES)),
        5 => format!("resource in Relation::\"{}\"", dice.of(&RELATIONS)),
        6 => "resource in Database::\"shop\"".to_owned(),
        _ => format!("resource == Column::\"{}.email\"", dice.of(&RELATIONS)),
    };
    let conditions = [
        "",
        "",
        "when { resource.sensitivity != \"high\" }",
        "when { action in Action::\"read\" }",
        "unless { resource.name like \"e*\" }",
        "when { [Column::\"hr.employees.phone\"].contains(resource) }",
        "when { resource in [Category::\"contact\", Category::\"health\"] }",
        "when { {c: resource}.c.relation == \"hr.employees\" }",
        "when { context.duration + 9223372036854775792 > 5 || context.tls }",
        "when { context.tls }",
        "when { context.tls } when { context.duration + 9223372036854775792 > 5 }",
        "unless { context.duration + 9223372036854775792 > 5 } when { context.tls }",
        "when { context.tls && context.duration + 9223372036854775792 > 5 && resource.name == \"email\" }",
        "when { !(resource.name == \"email\" || context.duration + 9223372036854775792 > 5) }",
        "unless { context.tls } unless { resource.name like \"e*\" }",
        "unless { principal in Group::\"oncall\" }",
    ];
    let (head, effect) = match dice.below(7) {
        0 => ("", "forbid"),
        1 => ("@decision(\"approve\")", "forbid"),
        2 => ("@decision(\"break_glass\")", "forbid"),
        3 => ("@decision(\"ask\")", "forbid"),
        4 => ("@decision(\"break_glass\") @reviewers(\"privacy\")", "permit"),
        5 => ("@decision(\"approve\")", "permit"),
        _ => ("@decision(\"ask\") @approvers(\"privacy\")", "permit"),
    };
    let condition = dice.of(&conditions);
    format!("@id(\"p{number}\") {head} {effect} ({principal}, {action}, {resource}) {condition};\n")
}

fn facts(dice: &mut Dice) -> Facts {
    let mut columns = Vec::new();
    for _ in 0..=dice.below(3) {
        columns.push(AskedColumn {
            relation: dice.of(&RELATIONS).to_owned(),
            column: dice.of(&["email", "phone"]).to_owned(),
            category: dice.of(&CATEGORIES).to_owned(),
            sensitivity: dice.of(&[Sensitivity::Low, Sensitivity::High]),
        });
    }
    // In a catalogue a column has one category.
    columns.sort();
    columns.dedup_by(|a, b| (&a.relation, &a.column) == (&b.relation, &b.column));
    let user = dice.of(&["ada", "privacy"]);
    Facts {
        by: Asker {
            user: user.to_owned(),
            person: "Ada".to_owned(),
            groups: GROUPS.into_iter().filter(|_| dice.coin()).map(str::to_owned).collect(),
            sign_in: SignIn::Scram,
        },
        holder: Who::User(user.to_owned()),
        database: dice.of(&["shop", "crm"]).to_owned(),
        actions: vec![dice.of(&Action::ALL), Action::Select],
        columns,
        more_columns: 0,
        rows: None,
        estimated_rows: None,
        duration: Duration::from_secs(60 * dice.of(&[15, 16])),
        starts_in: Duration::ZERO,
        uses: None,
        rows_limit: None,
        reason: String::new(),
        purpose: None,
        ticket: None,
        case: None,
        profile: None,
        urgency: dice.of(&[Urgency::Normal, Urgency::BreakGlass]),
        extends: None,
        at: 0,
        local: LocalTime { minute_of_day: 0, weekday: 1 },
        source: Source { address: None, tls: dice.coin() },
        second_factor_age: None,
        recent_grants: 0,
        live_grants: 0,
    }
}

enum Answer {
    Yes,
    No,
    Error,
}

/// A stage as it is defined: Cedar over its policies and the refusing ones, for each column alone.
fn stage(policies: &Policies, facts: &Facts, stage: Stage) -> Answer {
    let chosen = policies.rules.iter().filter(|rule| [Stage::Refuse, stage].contains(&rule.terms.stage));
    let set = PolicySet::from_policies(chosen.enumerate().flat_map(|(place, rule)| {
        let named = move |policy: &cedar_policy::Policy| {
            policy.new_id(cedar_policy::PolicyId::new(place.to_string()))
        };
        rule.set.policies().map(named)
    }));
    let set = set.expect("a set");
    let mut answer = Answer::Yes;
    for column in &facts.columns {
        let alone = Facts { columns: vec![column.clone()], ..facts.clone() };
        let question = Question::new(policies, &alone).expect("a question");
        for asked in &question.asked {
            let response = Authorizer::new().is_authorized(&asked.request, &set, &question.entities);
            if response.diagnostics().errors().next().is_some() {
                return Answer::Error;
            }
            if response.decision() == Decision::Deny {
                answer = Answer::No;
            }
        }
    }
    answer
}

fn refused(policies: &Policies, facts: &Facts) -> bool {
    facts.columns.iter().any(|column| {
        let alone = Facts { columns: vec![column.clone()], ..facts.clone() };
        let question = Question::new(policies, &alone).expect("a question");
        question.asked.iter().any(|asked| {
            policies.rules.iter().filter(|rule| rule.terms.stage == Stage::Refuse).any(|rule| {
                let response = Authorizer::new().is_authorized(&asked.request, &rule.set, &question.entities);
                response.diagnostics().reason().next().is_some()
            })
        })
    })
}

fn expected(policies: &Policies, facts: &Facts) -> &'static str {
    if matches!(stage(policies, facts, Stage::Refuse), Answer::Error) || refused(policies, facts) {
        return "refuse";
    }
    let stages = [(Stage::BreakGlass, "break-glass"), (Stage::Approve, "approve"), (Stage::Ask, "ask")];
    for (stage_, outcome) in stages {
        if stage_ == Stage::BreakGlass && facts.urgency != Urgency::BreakGlass {
            continue;
        }
        match stage(policies, facts, stage_) {
            Answer::Yes => return outcome,
            Answer::Error => return "refuse",
            Answer::No => {}
        }
    }
    "refuse"
}

#[test]
fn rulings_agree_with_cedars_own_authorizer() {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut seen = std::collections::BTreeMap::new();
    for _ in 0..50 {
        let count = 1 + dice.below(12);
        // What can never match is a mistake, and thrown again.
        let loads = |text: &String| Policies::load([("p", text.as_str())], GROUPS, CATEGORIES, []).is_ok();
        let mut thrown = |number| (0..100).map(|_| policy(&mut dice, number)).find(loads);
        let text: String = (0..count).filter_map(&mut thrown).collect();
        let policies = Policies::load([("p", text.as_str())], GROUPS, CATEGORIES, [])
            .unwrap_or_else(|problems| panic!("{}", problems[0]));
        for _ in 0..40 {
            let facts = facts(&mut dice);
            let ruling = policies.rule(&facts);
            assert_eq!(ruling.text(), expected(&policies, &facts), "{text}\n{facts:#?}\n{ruling:#?}");
            *seen.entry(ruling.text()).or_insert(0) += 1;
        }
    }
    // Every outcome came about often enough for the comparison to mean something.
    assert_eq!(seen.len(), 4, "{seen:?}");
    assert!(seen.values().all(|count| *count >= 10), "{seen:?}");
}

/// As deep as a policy may be, on a thread with little stack: what is too deep for it is refused.
#[test]
fn deep_conditions_are_ruled_on_as_cedar_does() {
    let mut dice = Dice(7);
    let facts: Vec<Facts> = (0..10).map(|_| facts(&mut dice)).collect();
    let mut loaded = 0;
    for condition in [
        format!("{}context.tls", "!".repeat(1_900)),
        format!("1{} > 0", "+1".repeat(1_900)),
        format!("context.tls{}", "||context.tls".repeat(900)),
        format!("context.tls{}", "&&resource.name like \"e*\"".repeat(900)),
        format!("{}context.tls{}", "(".repeat(38), ")".repeat(38)),
    ] {
        let policy = format!(
            "@id(\"a\") @decision(\"approve\") permit (principal, action, resource) when {{ {condition} }};"
        );
        // Not all of them are let in.
        let Ok(policies) = Policies::load([("p", policy.as_str())], GROUPS, CATEGORIES, []) else { continue };
        loaded += 1;
        for facts in &facts {
            assert_eq!(policies.rule(facts).text(), expected(&policies, facts), "{policy}");
        }
    }
    assert!(loaded >= 2, "{loaded}");
}
