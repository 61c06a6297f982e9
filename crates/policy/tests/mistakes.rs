//! Policies with mistakes, and how each is told. `UPDATE_EXPECT=1` as in rulings.rs.

mod support;

use pgwarrant_policy::{MAX_BYTES, MAX_POLICIES, MAX_POLICY_BYTES};
use support::{check, documented, load, read, told};

#[test]
fn every_mistake_is_told_where_it_is() {
    let file = read("mistakes.txt");
    let count = check(&file, |case| match load([("p.cedar", case.input.as_str())]) {
        Ok(policies) => format!("loads, {} policies", policies.len()),
        Err(problems) => told(&problems),
    });
    assert!(count >= 30, "{count} cases");
}

#[test]
fn the_starter_policies_load_each_alone_and_all_together() {
    let starter = documented("starter.cedar");
    let who = documented("who-may-ask.cedar");
    for files in [
        vec![("starter.cedar", starter.as_str())],
        vec![("who-may-ask.cedar", who.as_str())],
        vec![("starter.cedar", starter.as_str()), ("who-may-ask.cedar", who.as_str())],
    ] {
        load(files).unwrap_or_else(|problems| panic!("{}", told(&problems)));
    }
}

#[test]
fn every_file_in_the_documentation_is_tested() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/policies");
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .expect("the starter policies")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["starter.cedar", "who-may-ask.cedar"]);
}

#[test]
fn an_id_is_unique_over_all_files() {
    let one = "@id(\"a\")\nforbid (principal, action, resource);";
    let problems = load([("one.cedar", one), ("two.cedar", one)]).err().expect("a mistake");
    assert_eq!(
        told(&problems),
        "two.cedar:1:1: policy id \"a\" is used twice\nHINT:  one.cedar:1 has it. Choose another."
    );
}

#[test]
fn more_than_the_limits_is_refused() {
    let many: String =
        (0..=MAX_POLICIES).map(|n| format!("@id(\"{n}\") forbid (principal, action, resource);\n")).collect();
    let long = format!("@id(\"a\") forbid (principal, action, resource); // {}", "x".repeat(MAX_BYTES));
    let one = format!(
        "@id(\"a\") forbid (principal, action, resource) when {{ context.reason == \"{}\" }};",
        "x".repeat(MAX_POLICY_BYTES)
    );
    for (text, message) in
        [(&many, "more than 5000 policies"), (&long, "policies of more than"), (&one, "policy of more than")]
    {
        let problems = load([("p.cedar", text.as_str())]).err().expect("a limit");
        let [problem] = &problems[..] else { panic!("{}", told(&problems)) };
        assert!(problem.message.starts_with(message), "{problem}");
        assert!(problem.hint.is_some());
    }
}

/// As deep as the longest policy allows; no test may end the process.
#[test]
fn deep_expressions_are_read_or_refused() {
    let body = |condition: String| {
        format!("@id(\"a\") forbid (principal, action, resource) when {{ {condition} }};")
    };
    let room = MAX_POLICY_BYTES - 100;
    for condition in [
        format!("{}true{}", "(".repeat(room / 2), ")".repeat(room / 2)),
        format!("{}true{}", "[".repeat(room / 2), "]".repeat(room / 2)),
        format!("{}true", "!".repeat(room)),
        format!("1{} > 0", "+1".repeat(room / 2 - 5)),
        format!("1{} > 0", "-1".repeat(room / 2 - 5)),
        format!("true{}", "||true".repeat(room / 6)),
        format!("true{}", "&&true".repeat(room / 6)),
        format!("{}true{}", "if true then ".repeat(room / 24), " else false".repeat(room / 24)),
        format!("context{}", ".reason".repeat(room / 7)),
        format!("{}true", "!".repeat(1_900)),
        format!("1{} > 0", "+1".repeat(1_900)),
        format!("true{}", "||true".repeat(900)),
        format!("true{}", "&&true".repeat(900)),
        format!("{}true{}", "if true then ".repeat(900), " else false".repeat(900)),
        format!("context{}", ".reason".repeat(1_900)),
        format!("{}true{}", "(".repeat(38), ")".repeat(38)),
        format!("{}true{}", "[".repeat(38), "]".repeat(38)),
        "{".repeat(room),
        "{\"a\":".repeat(room / 5),
        "\"".repeat(room),
    ] {
        let _ = load([("p.cedar", body(condition).as_str())]);
    }
}
