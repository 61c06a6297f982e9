//! What it costs to decide a request by policies. Measured is the thread's CPU time.

mod cpu_time;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use pgwarrant_grants::Who;
use pgwarrant_grants::ruling::{
    Action, Arbiter, AskedColumn, Asker, Facts, LocalTime, Ruling, Sensitivity, SignIn, Source, Urgency,
};
use pgwarrant_policy::Policies;

use self::cpu_time::CpuTime;

const POLICIES: usize = 500;
const COLUMNS: usize = 10;
const GROUPS: usize = 50;
const CATEGORIES: usize = 20;

/// Names to borrow from: `group7`, `category3`.
fn names(kind: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{kind}{number}")).collect()
}

/// Half of them rules and half of them for people to decide, each about one group of 50 and a
/// category; every tenth is about everybody.
fn by_group(number: usize) -> String {
    let group = number % GROUPS;
    let category = number / GROUPS;
    let principal = match number % 10 {
        9 => "principal".to_owned(),
        _ => format!("principal in Group::\"group{group}\""),
    };
    let decision = match number % 2 {
        0 => "@decision(\"approve\") @max_duration(\"1 h\")",
        _ => "@decision(\"ask\") @approvers(\"group0\")",
    };
    format!(
        "@id(\"p{number}\") {decision} permit ({principal}, action, resource in Category::\"category{category}\")
         when {{ context has ticket && context.ticket like \"DSR-*\" && context.duration <= 60 }};"
    )
}

/// The worst form: each is about everybody, and its condition has to be looked at for each column.
fn by_condition(number: usize) -> String {
    let category = number / 2 % CATEGORIES;
    let (decision, effect) = match number % 2 {
        0 => ("@decision(\"approve\")", "permit"),
        _ => ("", "forbid"),
    };
    let urgent = if effect == "forbid" { "context.urgency == \"urgent\" &&" } else { "" };
    format!(
        "@id(\"p{number}\") {decision} {effect} (principal, action, resource)
         when {{ {urgent} resource.category == \"category{category}\" && context.duration <= 60 &&
                 resource.relation like \"public.*\" && resource.name like \"column*\" }};"
    )
}

fn load(policy: impl Fn(usize) -> String) -> Policies {
    let text: String = (0..POLICIES).map(policy).collect();
    let (groups, categories) = (names("group", GROUPS), names("category", CATEGORIES));
    let loaded = Policies::load(
        [("bench.cedar", text.as_str())],
        groups.iter().map(String::as_str),
        categories.iter().map(String::as_str),
        [],
    );
    loaded.unwrap_or_else(|problems| panic!("{}", problems[0]))
}

fn facts() -> Facts {
    let column = |number: usize| AskedColumn {
        relation: "public.customers".to_owned(),
        column: format!("column{number}"),
        category: format!("category{}", number % CATEGORIES),
        sensitivity: Sensitivity::Medium,
    };
    Facts {
        by: Asker {
            user: "ada".to_owned(),
            person: "ada".to_owned(),
            groups: vec!["group0".to_owned(), "group2".to_owned(), "group4".to_owned()],
            sign_in: SignIn::Oidc,
        },
        holder: Who::User("ada".to_owned()),
        database: "shop".to_owned(),
        actions: vec![Action::Select],
        columns: (0..COLUMNS).map(column).collect(),
        more_columns: 0,
        rows: Some("id = 42".to_owned()),
        estimated_rows: Some(1),
        duration: Duration::from_secs(1_800),
        starts_in: Duration::ZERO,
        uses: None,
        rows_limit: None,
        reason: "the customer asked what we hold about her".to_owned(),
        purpose: None,
        ticket: Some("DSR-4711".to_owned()),
        case: None,
        profile: None,
        urgency: Urgency::Normal,
        extends: None,
        at: 1_772_366_400_000,
        local: LocalTime { minute_of_day: 600, weekday: 3 },
        source: Source { address: Some([10, 0, 0, 1].into()), tls: true },
        second_factor_age: None,
        recent_grants: 2,
        live_grants: 1,
    }
}

fn rulings(criterion: &mut Criterion<CpuTime>) {
    let facts = facts();
    let mut group = criterion.benchmark_group("500 policies, 10 columns");
    for (name, policies) in [("by group", load(by_group)), ("by condition", load(by_condition))] {
        let ruling = policies.rule(&facts);
        assert!(matches!(ruling, Ruling::Approve { .. }), "{ruling:?}");
        group.bench_function(name, |bencher| bencher.iter(|| policies.rule(black_box(&facts))));
    }
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    group.bench_function("load", |bencher| bencher.iter(|| load(by_group)));
    group.finish();
}

criterion_group! { name = benches; config = CpuTime::criterion(); targets = rulings }
criterion_main!(benches);
