//! What a login leaves, who may read it, and how it ends.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use pgwarrant_tests::Shop;

use crate::{Desk, Served, finish};

fn mode(desk: &Desk) -> u32 {
    fs::metadata(desk.credentials()).expect("credentials").permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_leaves_a_token_for_its_owner_alone_and_a_logout_ends_it() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let desk = served.desk("ada");
    let kept = fs::read_to_string(desk.credentials()).expect("credentials");
    assert_eq!(mode(&desk), 0o600);
    assert!(kept.contains("pgw_") && !kept.contains("ada-demo"), "{kept}");
    let listed = desk.run(&["token", "list", "--json"]).json();
    assert!(listed[0]["name"].as_str().is_some_and(|name| name.starts_with("login on ")), "{listed:?}");

    // The next takes the place of the one before; both are known by the server of the last login.
    let again = desk
        .run_with(&["login", "--user", "ada", "--scope", "read,request", "--lifetime", "2 h"], "ada-demo\n");
    assert!(again.stdout.starts_with(&format!("signed in at {} as ada until ", served.url())), "{again:?}");
    let listed = desk.run(&["token", "list", "--json"]).json();
    assert_eq!((listed.len(), &listed[0]["scopes"]), (1, &serde_json::json!(["read", "request"])));
    let default =
        finish(desk.command(&["whoami"]).env_remove("PGWARRANT_SERVER").spawn().expect("it starts"), "");
    assert_eq!(default.status, 0, "{default:?}");

    let stolen = fs::read_to_string(desk.credentials()).expect("credentials");
    let token = stolen.split('"').find(|text| text.starts_with("pgw_")).expect("a token").to_owned();
    let out = desk.run(&["logout"]);
    assert_eq!((out.status, out.stdout), (0, format!("signed out at {}\n", served.url())));
    assert!(!fs::read_to_string(desk.credentials()).expect("a file").contains("pgw_"));
    assert_eq!(desk.run(&["whoami"]).status, 4);
    let used =
        finish(desk.command(&["whoami"]).env("PGWARRANT_TOKEN", &token).spawn().expect("it starts"), "");
    assert!(used.status == 4 && !used.stderr.contains(&token), "{used:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_others_could_read_is_not_used() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let desk = served.desk("ada");
    for open in [0o644, 0o640, 0o606, 0o620] {
        fs::set_permissions(desk.credentials(), fs::Permissions::from_mode(open)).expect("a mode");
        for arguments in [&["whoami"][..], &["login", "--user", "ada"], &["logout"], &["connect"]] {
            let ran = desk.run_with(arguments, "ada-demo\n");
            assert!(
                ran.status == 2 && ran.stderr.contains("HINT: Run \"chmod 600 "),
                "{open:o} {arguments:?}: {ran:?}"
            );
        }
        assert_eq!(mode(&desk), open, "it is the owner's to say so");
    }
    fs::set_permissions(desk.credentials(), fs::Permissions::from_mode(0o600)).expect("a mode");
    assert_eq!(desk.run(&["whoami"]).status, 0);
    fs::write(desk.credentials(), "default = [secret]").expect("written");
    let ran = desk.run(&["whoami"]);
    assert!(ran.status == 2 && !ran.stderr.contains("secret"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_has_ended_signs_nobody_in() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let (here, there) = (served.desk("ada"), served.desk("ada"));
    let listed = here.run(&["token", "list", "--json"]).json();
    assert_eq!(listed.len(), 2);
    for token in &listed {
        let id = token["id"].as_str().expect("an id");
        let ended = here.run_with(&["token", "revoke", id], "ada-demo\n");
        assert_eq!((ended.status, ended.stdout), (0, format!("token {id} has ended\n")));
    }
    for desk in [&here, &there] {
        let ran = desk.run(&["request", "list"]);
        assert!(
            ran.status == 4
                && ran.stderr.contains("error: the token is not good\nHINT: Run \"pgwarrant login\"."),
            "{ran:?}"
        );
    }
    let logout = here.run(&["logout"]);
    assert_eq!(logout.status, 0, "{logout:?}");

    let short = there.run_with(&["login", "--user", "ada", "--lifetime", "1 s"], "ada-demo\n");
    assert_eq!(short.status, 0, "{short:?}");
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let ran = there.run(&["whoami"]);
    assert!(
        ran.status == 4
            && ran.stderr.contains("the sign-in of \"ada\" at http://")
            && ran.stderr.contains("has expired"),
        "{ran:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_for_programs_take_the_password_and_are_told_once() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let desk = served.desk("ada");
    let made = desk.run_with(
        &["token", "create", "nightly report", "--scope", "read", "--lifetime", "7 d"],
        "ada-demo\n",
    );
    assert_eq!(made.status, 0, "{made:?}");
    assert!(made.stderr.contains("is good for read until ") && !made.stderr.contains("pgw_"), "{made:?}");
    let program = |token: &str, arguments: &[&str]| {
        let stranger = served.somebody();
        finish(stranger.command(arguments).env("PGWARRANT_TOKEN", token).spawn().expect("it starts"), "")
    };
    let token = made.stdout.trim_end();
    assert_eq!(program(token, &["whoami"]).status, 0);
    let asked = program(token, &["request", "create", "customers.email", "--reason", "r"]);
    assert!(
        asked.status == 1 && asked.stderr.contains("this token is not good for \"request\""),
        "{asked:?}"
    );
    let wrong = desk.run_with(&["token", "create", "another"], "guess\n");
    assert_eq!((wrong.status, wrong.stdout.as_str()), (4, ""), "{wrong:?}");
    let listed = desk.run(&["token", "list"]);
    assert!(listed.stdout.contains("nightly report") && !listed.stdout.contains("pgw_"), "{listed:?}");
}
