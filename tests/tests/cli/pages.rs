//! Help, completions and manual pages, which come from the same definitions.

use std::process::Command;

use crate::Desk;

/// Verbs that talk to a proxy, as people type them.
const VERBS: [&str; 23] = [
    "request create",
    "request list",
    "request show",
    "request approve",
    "request deny",
    "request cancel",
    "grant list",
    "grant show",
    "grant revoke",
    "grant release",
    "grant extend",
    "grant review",
    "session list",
    "session kill",
    "token create",
    "token list",
    "token revoke",
    "profile list",
    "catalog",
    "whoami",
    "login",
    "logout",
    "connect",
];

#[test]
fn every_verb_tells_of_its_exit_status_in_its_help_and_its_page() {
    let desk = Desk::new("http://127.0.0.1:1");
    for verb in VERBS {
        let words: Vec<&str> = verb.split(' ').collect();
        for flag in ["-h", "--help"] {
            let help = desk.run(&[&words[..], &[flag]].concat());
            assert!(
                help.status == 0 && help.stdout.contains("Exit status: 0 done, 1 refused"),
                "{verb}: {help:?}"
            );
        }
        let page = desk.run(&[&["man"], &words[..]].concat());
        let title = format!(".TH pgwarrant-{}", verb.replace(' ', "-"));
        assert!(page.status == 0 && page.stdout.contains(&title), "{verb}: {page:?}");
        assert!(page.stdout.contains("not signed in"), "{verb}: {page:?}");
    }
    let page = desk.run(&["man"]);
    assert!(
        page.stdout.contains(".TH pgwarrant ") && page.stdout.contains("pgwarrant\\-request"),
        "{page:?}"
    );
    let into = desk.home.path().join("man1");
    let written = desk.run(&["man", "--into", into.to_str().expect("a path")]);
    assert_eq!(written.status, 0, "{written:?}");
    for page in ["pgwarrant.1", "pgwarrant-request-create.1", "pgwarrant-connect.1", "pgwarrant-serve.1"] {
        assert!(into.join(page).is_file(), "{page}");
    }
}

#[test]
fn completions_know_the_verbs_and_are_scripts() {
    let desk = Desk::new("http://127.0.0.1:1");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = desk.run(&["completions", shell]);
        assert!(script.status == 0 && script.stdout.contains("waiting-for-me"), "{shell}");
        if shell == "bash" {
            let file = desk.home.path().join("completions");
            std::fs::write(&file, &script.stdout).expect("written");
            let complete = format!(
                "source {}; COMP_WORDS=(pgwarrant request app); COMP_CWORD=2; _pgwarrant pgwarrant app request; echo \"${{COMPREPLY[@]}}\"",
                file.display()
            );
            let said = Command::new("bash").args(["-c", &complete]).output().expect("bash runs");
            assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), "approve", "{said:?}");
        }
    }
    assert_eq!(desk.run(&["completions", "cmd"]).status, 2);
}
