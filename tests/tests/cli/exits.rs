//! The exit status, and what is said with it.

use pgwarrant_tests::Shop;

use crate::{Desk, Served};

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_end_has_its_status_and_says_what_to_do() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let (ada, petra, nobody) = (served.desk("ada"), served.desk("petra"), served.somebody());
    let nowhere = Desk::new("http://127.0.0.1:1");
    ada.ask("a test");
    let create = ["request", "create", "customers.email", "--reason", "r"];
    let with = |more: &[&'static str]| create.iter().copied().chain(more.iter().copied()).collect::<Vec<_>>();
    let cases: Vec<(&Desk, Vec<&str>, i32, &str)> = vec![
        // Done.
        (&ada, vec!["request", "list"], 0, ""),
        (&ada, vec!["grant", "list"], 0, "there are none"),
        (&nobody, vec!["logout"], 0, "not signed in"),
        // Refused.
        (&ada, vec!["request", "approve", "1"], 1, "HINT: Members of groups oncall and privacy may."),
        (&petra, create.to_vec(), 1, "user \"petra\" may not request"),
        (
            &ada,
            vec!["request", "create", "customers.emial", "--reason", "r"],
            1,
            "HINT: Perhaps you meant public.customers.email.",
        ),
        (&ada, with(&["--duration", "9 days"]), 1, "error: "),
        (&ada, with(&["--rows", "id = "]), 1, "error: "),
        (&ada, with(&["--database", "none"]), 1, "HINT: \"pgwarrant whoami\" lists those"),
        (&ada, vec!["request", "show", "99"], 1, "HINT: \"pgwarrant request list\" lists them."),
        (&ada, vec!["grant", "revoke", "99"], 1, "error: "),
        (&ada, vec!["grant", "show", "99"], 1, "HINT: \"pgwarrant grant list\" lists them."),
        (&ada, vec!["session", "kill", "99"], 1, "HINT: \"pgwarrant session list\" lists them."),
        (&ada, vec!["connect", "none"], 1, "HINT: You may connect to shop."),
        // Could not run.
        (&ada, vec!["request", "create", "customers.email"], 2, "--reason"),
        (&ada, vec!["request", "create", "--reason", "r"], 2, "COLUMNS"),
        (&ada, vec!["request", "create", "a.b", "--profile", "p", "--reason", "r"], 2, "cannot be used with"),
        (&ada, with(&["--others", "show"]), 2, "mask, hide"),
        (&ada, with(&["--max-uses", "0"]), 2, "--max-uses"),
        (&ada, with(&["--timeout", "1 s"]), 2, "--wait"),
        (&ada, with(&["--wait", "--timeout", "soon"]), 2, "10 min"),
        (&ada, vec!["request", "approve", "one"], 2, "invalid digit"),
        (&ada, vec!["request", "list", "--state", "open"], 2, "pending"),
        (&ada, vec!["request", "list", "--limit", "0"], 2, "--limit"),
        (&ada, vec!["whoami", "--server", "http://pgwarrant.example.com"], 2, "must begin with https://"),
        (&ada, vec!["whoami", "--server", "127.0.0.1:6480"], 2, "HINT: Write an address such as"),
        (&ada, vec!["whoami", "--server", "https://a.example/v1"], 2, "HINT: Write \"https://a.example\"."),
        (
            &ada,
            vec!["whoami", "--server", "https://127.0.0.1:1", "--ca", "/nowhere.pem"],
            2,
            "HINT: Name a PEM file",
        ),
        (&ada, vec!["login", "--client-id", "x"], 2, "--issuer"),
        (&nobody, vec!["login", "--user", "ada"], 2, "the password is empty"),
        (&ada, vec!["man", "request", "crate"], 2, "there is no verb \"request crate\""),
        // Nobody has decided yet.
        (&ada, create.to_vec(), 3, ""),
        (&ada, with(&["--wait", "--timeout", "0 s"]), 3, "still waits"),
        // Not signed in.
        (&nobody, vec!["request", "list"], 4, "HINT: Run \"pgwarrant login\"."),
        (&nobody, vec!["connect"], 4, "HINT: Run \"pgwarrant login\"."),
        // No answer.
        (&nowhere, vec!["login", "--user", "ada"], 5, "HINT: Is pgwarrant running there"),
    ];
    for (desk, arguments, status, says) in cases {
        let input = if arguments[0] == "login" && status == 5 { "ada-demo\n" } else { "" };
        let ran = desk.run_with(&arguments, input);
        assert_eq!(ran.status, status, "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(says), "{arguments:?}: {says}: {ran:?}");
        if status != 0 && status != 3 {
            assert!(ran.stdout.is_empty(), "{arguments:?}: {ran:?}");
            assert!(
                ran.stderr.contains("HINT: ") || status == 2 || ran.stderr.contains("error: "),
                "{arguments:?}: {ran:?}"
            );
        }
    }
    let wrong = nobody.run_with(&["login", "--user", "ada"], "wrong\n");
    assert!(wrong.status == 4 && wrong.stderr.contains("password authentication failed"), "{wrong:?}");
    assert!(!nobody.run(&["whoami"]).stderr.contains("wrong"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_has_enough_is_no_error() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let ada = served.desk("ada");
    let mut child = ada.command(&["catalog"]).spawn().expect("it starts");
    drop(child.stdout.take());
    let ran = crate::finish(child, "");
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
}
