//! `[[inbound]]`

use std::path::Path;

use super::{GOOD, said};
use crate::config::{Surroundings, parse};

const INBOUND: &str = r#"
[api]
[[user]]
name = "tickets"
groups = ["privacy"]
[[inbound]]
name = "tickets"
secret_env = "SECRET"
former_secret_env = "SECRET"
acts_as = "tickets"
"#;

#[test]
fn a_system_is_read_whole_and_its_user_needs_no_password() {
    let variable = |name: &str| (name == "SECRET").then(|| format!("whsec_{}=", "A".repeat(43)));
    let surroundings = Surroundings { directory: Path::new("/nowhere"), variable: &variable };
    let text = format!("{GOOD}{INBOUND}");
    let config = parse(&text, "f", &surroundings).unwrap_or_else(|problems| panic!("{problems}"));
    let inbound = config.api.map(|api| api.inbound).unwrap_or_default();
    let [inbound] = inbound.as_slice() else { panic!("one system") };
    assert_eq!((inbound.name.as_str(), inbound.acts_as.as_str()), ("tickets", "tickets"));
    assert_eq!(inbound.secrets.len(), 2);
}

#[test]
fn a_system_has_a_name_a_secret_and_a_user_and_there_is_an_api() {
    for (from, to, told) in [
        ("secret_env = \"SECRET\"\nformer", "former", "[[inbound]] has no secret_file"),
        (
            "secret_env = \"SECRET\"\nformer",
            "secret = \"x\"\nformer",
            "secret may not be in the configuration file",
        ),
        (
            "former_secret_env = \"SECRET\"",
            "former_secret_env = \"UNSET\"",
            "the environment variable UNSET is not set",
        ),
        ("acts_as = \"tickets\"", "acts_as = \"tikcets\"", "there is no user \"tikcets\""),
        ("acts_as = \"tickets\"", "", "[[inbound]] has no acts_as"),
        ("[api]\n", "", "there is no [api] to take messages"),
        (
            "\n[[inbound]]\nname = \"tickets\"",
            "\n[[inbound]]\nname = \"a/b\"",
            "\"a/b\" cannot be the name of a system",
        ),
        // Another user needs a way to sign in as before.
        (
            "name = \"tickets\"\ngroups",
            "name = \"desk\"\ngroups",
            "[[user]] has neither scram nor certificate nor provider",
        ),
    ] {
        assert!(INBOUND.contains(from), "{from}");
        let said = said("", &INBOUND.replacen(from, to, 1));
        assert!(said.contains(told), "{to}: {said}");
    }
}
