//! `[[webhook]]`

use std::path::Path;

use pgwarrant_webhooks::{Format, Kind, MAX_WEBHOOKS};

use super::GOOD;
use crate::config::*;

const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const URL: &str = "https://hooks.example/T0/B0/token-of-the-url";
const BASIS: &str = "[[webhook]]\nname = \"ops\"\nurl = \"https://hooks.example/x\"\n";

fn read(lines: &str) -> Result<Config, Problems> {
    let variable = |name: &str| match name {
        "SECRET" => Some(SECRET.to_owned()),
        "SHORT" => Some("whsec_AAAA".to_owned()),
        "URL" => Some(URL.to_owned()),
        "PLAIN_URL" => Some(URL.replace("https", "http")),
        _ => None,
    };
    parse(
        &format!("{GOOD}\n{lines}"),
        "f",
        &Surroundings { directory: Path::new("/nowhere"), variable: &variable },
    )
}

#[test]
fn a_webhook_has_a_name_a_url_and_a_secret_and_shows_neither_secret() {
    let config =
        read(&format!("{BASIS}secret_env = \"SECRET\"\n")).unwrap_or_else(|problems| panic!("{problems}"));
    let ops = &config.webhooks[0];
    assert_eq!(
        (ops.name.as_str(), ops.format, ops.events.as_slice()),
        ("ops", Format::Json, &Kind::USUAL[..])
    );
    assert_eq!((ops.secrets.len(), ops.databases.len()), (1, 0));

    let lines = "[[webhook]]\nname = \"chat\"\nurl_env = \"URL\"\nformat = \"slack\"\nevents = [\"requested\", \"ended\"]\n\
                 databases = \"shop\"\n";
    let config = read(lines).unwrap_or_else(|problems| panic!("{problems}"));
    let chat = &config.webhooks[0];
    assert_eq!((chat.format, chat.events.as_slice()), (Format::Slack, &[Kind::Requested, Kind::Ended][..]));
    assert!(chat.secrets.is_empty(), "Slack looks at no signature");
    let shown = format!("{config:?}");
    assert!(shown.contains("https://hooks.example") && !shown.contains("token-of-the-url"), "{shown}");
}

#[test]
fn what_is_wrong_with_a_webhook_is_told() {
    let secret = "secret_env = \"SECRET\"\n";
    for (lines, said) in [
        (BASIS.to_owned(), "f:24: [[webhook]] has no secret"),
        (format!("{BASIS}secret = \"{SECRET}\"\n"), "f:27: secret may not be in the configuration file"),
        (
            format!("{BASIS}secret_env = \"SHORT\"\n"),
            "f:27: secret cannot be used: it has 3 bytes, not 24 to 64",
        ),
        (
            format!("{BASIS}{secret}previous_secret_env = \"URL\"\n"),
            "f:28: previous_secret cannot be used: it does not begin with \"whsec_\"",
        ),
        (format!("{BASIS}{secret}events = [\"desided\"]\n"), "Did you mean \"decided\"?"),
        (format!("{BASIS}{secret}databases = [\"shpo\"]\n"), "Did you mean \"shop\"?"),
        (format!("{BASIS}{secret}format = \"xml\"\n"), "f:28: format cannot be \"xml\""),
        (format!("{BASIS}{secret}timeout = \"2 min\"\n"), "f:28: timeout must be 1 s to 60 s"),
        (format!("{BASIS}{secret}ca = \"none.pem\"\n"), "/nowhere/none.pem"),
        (format!("{BASIS}{secret}retries = 3\n"), "f:28: unknown key \"retries\" in [[webhook]]"),
        (format!("{BASIS}{secret}{BASIS}{secret}"), "f:29: webhook \"ops\" is there twice"),
        (format!("[[webhook]]\nname = \"ops\"\n{secret}"), "f:24: [[webhook]] has no url"),
        (
            format!("{}{secret}", BASIS.replace("https", "http")),
            "f:26: \"http://hooks.example/x\" must begin with https://",
        ),
        (format!("{BASIS}{secret}url_env = \"URL\"\n"), "f:28: url is given twice"),
        (
            format!("[[webhook]]\nname = \"ops\"\nurl_env = \"PLAIN_URL\"\n{secret}"),
            "f:26: what should be the url is none that can be called",
        ),
        (
            (0..=MAX_WEBHOOKS)
                .map(|number| format!("{BASIS}{secret}").replace("ops", &format!("ops{number}")))
                .collect(),
            "there are more than 16 webhooks",
        ),
    ] {
        let problems = read(&lines).expect_err(&lines).to_string();
        assert!(problems.contains(said), "{lines}\n--- said\n{problems}");
        assert!(!problems.contains("token-of-the-url") && !problems.contains("AAECAwQF"), "{problems}");
    }
}
