//! What people see of policies at work: explanations, and what a draft would change.

mod support;

use pgwarrant_grants::Principal;
use pgwarrant_grants::ruling::{Arbiter, Ruling};
use pgwarrant_policy::{Policies, Problem, compare, outcome, read_requests, test, write_request};
use support::{documented, facts, load, told};

const RULE: &str = r#"
@id("contact") @decision("approve") @reason("by rule")
permit (principal in Group::"engineering", action == Action::"select", resource in Category::"contact")
when { context has ticket };
"#;
const ASK: &str = r#"
@id("ask") @decision("ask") @approvers("privacy") @count("2")
permit (principal, action, resource in Category::"contact");
"#;
const SUM: &str = r#"
@id("sum") forbid (principal, action, resource) when { context.live_grants + 9223372036854775807 == 0 };
"#;

fn policies(text: &str) -> Policies {
    load([("p.cedar", text)]).unwrap_or_else(|problems| panic!("{}", told(&problems)))
}

#[test]
fn every_policy_is_explained_in_the_order_of_the_stages() {
    let policies = policies(&format!("{ASK}{RULE}{SUM}"));
    let explained = |request: &str| -> Vec<String> {
        let facts = facts(request);
        let explained = policies.explain(&facts).expect("an explanation");
        explained.iter().map(|policy| format!("{}:{} {}", policy.line, policy.id, policy.text())).collect()
    };
    for (request, expected) in [
        ("ticket = \"T\"", ["9:sum conditions do not hold", "5:contact matches", "2:ask matches"]),
        ("", ["9:sum conditions do not hold", "5:contact conditions do not hold", "2:ask matches"]),
        (
            "groups = []\nlive_grants = 1",
            [
                "9:sum cannot be evaluated: integer overflow while attempting to add the values `1` and \
                 `9223372036854775807`",
                "5:contact about another principal",
                "2:ask matches",
            ],
        ),
        (
            "ticket = \"T\"\ncolumns = [\"customers.email\", \"customers.ssn\"]",
            ["9:sum conditions do not hold", "5:contact matches a part", "2:ask matches a part"],
        ),
        (
            "ticket = \"T\"\nactions = [\"update\"]\ncolumns = [\"customers.ssn\"]",
            [
                "9:sum conditions do not hold",
                "5:contact about another action",
                "2:ask about another resource",
            ],
        ),
    ] {
        assert_eq!(explained(request), expected, "{request}");
    }
    let nothing = facts("columns = []");
    let refused = policies.explain(&nothing).expect_err("nothing to explain");
    assert_eq!(*refused, policies.rule(&nothing));
}

#[test]
fn a_draft_shows_what_it_would_change_and_nothing_else() {
    let today = policies(ASK);
    let draft = policies(&format!("{RULE}{ASK}"));
    let renamed = policies(&ASK.replace("@id(\"ask\")", "@id(\"asking\") @reason(\"another\")"));
    let requests = || ["", "ticket = \"T\"", "columns = [\"customers.ssn\"]"].map(facts);

    let changes = compare(&today, &draft, requests());
    let [change] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((change.place, change.facts.ticket.as_deref()), (1, Some("T")));
    assert_eq!(outcome(&change.before), "ask 2 of privacy");
    assert!(matches!(&change.after, Ruling::Approve { why, .. } if why.policies == ["contact"]));
    assert!(compare(&today, &renamed, requests()).is_empty());

    let rows: Vec<_> = test(Some(&today), &draft, requests()).collect();
    let shown: Vec<_> = rows
        .iter()
        .map(|row| (row.number, row.asks.as_str(), row.before.as_deref(), row.after.as_str(), row.changed))
        .collect();
    let (email, ssn) = ("select on public.customers.email", "select on public.customers.ssn");
    assert_eq!(
        shown,
        [
            (1, email, Some("ask 2 of privacy"), "ask 2 of privacy", false),
            (2, email, Some("ask 2 of privacy"), "approve", true),
            (3, ssn, Some("refuse"), "refuse", false),
        ]
    );
    assert_eq!(rows[1].reasons, ["By rule."]);
    assert!(test(None, &draft, requests()).all(|row| row.before.is_none() && !row.changed));
}

#[test]
fn requests_are_read_back_as_they_were_written() {
    let requests =
        ["", "for_group = \"engineering\"\nreason = \"a\\nb\"\nuses = 18446744073709551615"].map(facts);
    let lines: Vec<String> = requests.iter().map(|facts| write_request(facts).expect("JSON")).collect();
    let read = read_requests("r.jsonl", &format!("{}\n\n  \n{}", lines[0], lines[1])).expect("requests");
    assert_eq!(read, requests);
}

#[test]
fn mistakes_in_a_file_of_requests_are_told_with_their_lines() {
    let good = write_request(&facts("")).expect("JSON");
    let bad = good.replace("\"select\"", "\"selct\"");
    let text = format!("{good}\n{{\n{bad}\n{good}\n[1]\n");
    let problems = read_requests("r.jsonl", &text).expect_err("mistakes");
    let lines: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [2, 3, 5]);
    let Problem { column, message, hint, .. } = &problems[1];
    assert!(*column > 1 && message.starts_with("not a request: unknown variant `selct`"), "{message}");
    assert!(!message.contains("at line") && hint.is_some());
}

#[test]
fn who_may_ask_at_all_is_told_from_who_may_not() {
    let own = policies(RULE);
    let starter = load([("starter.cedar", documented("starter.cedar").as_str())])
        .unwrap_or_else(|problems| panic!("{}", told(&problems)));
    let who =
        |groups: &[&str]| Principal::new("ada", groups.iter().map(|group| (*group).to_owned()).collect());
    assert!(own.may_ask(&who(&["engineering"])));
    assert!(!own.may_ask(&who(&["privacy"])));
    assert!(!policies(SUM).may_ask(&who(&["engineering"])));
    assert!(starter.may_ask(&who(&[])));
}
