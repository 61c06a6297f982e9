//! `[[condition]]`

use std::path::Path;
use std::time::Duration;

use super::{GOOD, said};
use crate::config::{Surroundings, parse};

const CONDITION: &str = r#"
[[condition]]
name = "ticket"
url = "https://tickets.example.com/pgwarrant"
secret_env = "SECRET"
"#;

#[test]
fn a_condition_is_read_whole() {
    let variable = |name: &str| (name == "SECRET").then(|| format!("whsec_{}=", "A".repeat(43)));
    let surroundings = Surroundings { directory: Path::new("/nowhere"), variable: &variable };
    let text = format!("{GOOD}{CONDITION}");
    let config = parse(&text, "f", &surroundings).unwrap_or_else(|problems| panic!("{problems}"));
    let [entry] = config.conditions.as_slice() else { panic!("one condition") };
    assert_eq!((entry.condition.name.as_str(), entry.line), ("ticket", 24));
    assert_eq!(entry.condition.url.origin(), "https://tickets.example.com");
    assert_eq!((entry.condition.timeout, entry.condition.signed_answers), (Duration::from_secs(5), false));
}

#[test]
fn a_condition_has_a_name_a_place_and_a_secret() {
    for (from, to, told) in [
        (
            "secret_env = \"SECRET\"\n",
            "",
            "[[condition]] has no secret_file\nHINT:  Make one with: echo \"whsec_$(openssl rand -base64 32)\", and name its file in secret_file.",
        ),
        ("secret_env = \"SECRET\"", "secret = \"x\"", "secret may not be in the configuration file"),
        ("SECRET", "UNSET", "the environment variable UNSET is not set"),
        // It is set, to something else.
        ("SECRET", "SET", "the secret of [[condition]] is none: it does not begin with \"whsec_\""),
        ("\"ticket\"", "\"a ticket\"", "\"a ticket\" cannot be the name of a condition"),
        ("https://tickets", "http://tickets", "must begin with https://"),
        ("name = \"ticket\"", "", "[[condition]] has no name"),
        ("name = \"ticket\"", "name = \"ticket\"\ntimeout = \"1 min\"", "timeout must be 100 ms to 10 s"),
        ("name = \"ticket\"", "name = \"ticket\"\nsigned = true", "unknown key \"signed\" in [[condition]]"),
    ] {
        assert!(CONDITION.contains(from), "{from}");
        let said = said("", &CONDITION.replace(from, to));
        assert!(said.contains(told), "{to}: {said}");
    }
}
