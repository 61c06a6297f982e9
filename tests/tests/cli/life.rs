//! The life of a request from the command line, with its effect in psql.

use std::process::Command;
use std::time::Duration;

use pgwarrant_tests::Shop;

use crate::{Served, finish};

fn email(served: &Served) -> String {
    served.proxy.psql("ada", "SELECT email FROM customers WHERE id = 42;").stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_and_approved_is_seen_until_it_is_revoked() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let (ada, petra) = (served.desk("ada"), served.desk("petra"));
    let asked = ada.run(&[
        "request",
        "create",
        "customers.email",
        "--rows",
        "id = 42",
        "-r",
        "ticket 4711",
        "--duration",
        "10 min",
    ]);
    assert_eq!(asked.status, 3, "{asked:?}");
    assert!(
        asked.stdout.starts_with("request 1 for public.customers.email (10 min) waits for approval until "),
        "{asked:?}"
    );

    let waiting = petra.run(&["request", "list", "--waiting-for-me"]);
    let lines: Vec<&str> = waiting.stdout.lines().collect();
    assert!(lines[0].starts_with("ID  STATE    WHO  COLUMNS                 ROWS     FOR"), "{waiting:?}");
    assert!(
        lines[1].starts_with("1   pending  ada  public.customers.email  id = 42  10 min  normal"),
        "{waiting:?}"
    );
    assert_eq!((lines.len(), waiting.status), (2, 0));
    let shown = petra.run(&["request", "show", "1"]);
    for line in ["rows            id = 42", "reason          ticket 4711", "you may         approve, deny"] {
        assert!(shown.stdout.lines().any(|found| found == line), "{line}: {shown:?}");
    }

    let approved = petra.run(&["request", "approve", "1", "--reason", "fine"]);
    assert_eq!(approved.status, 0, "{approved:?}");
    assert!(approved.stdout.starts_with("grant 1 gives ada public.customers.email until "), "{approved:?}");
    assert!(email(&served).contains("@example"));
    let listed = ada.run(&["grant", "list", "--mine", "--json"]).json();
    assert_eq!((&listed[0]["state"], &listed[0]["approvals"][0]["reason"]), (&"live".into(), &"fine".into()));

    let more = ada.run(&["grant", "extend", "1", "--duration", "5 min", "--reason", "not done"]);
    assert_eq!(more.status, 3, "{more:?}");
    assert_eq!(petra.run(&["request", "approve", "2"]).status, 0);
    let revoked = petra.run(&["grant", "revoke", "1", "--reason", "enough", "--json"]);
    assert_eq!((revoked.status, &revoked.json()[0]["grant"]["end_reason"]), (0, &"enough".into()));
    assert!(!email(&served).contains("@example"));
    let shown = ada.run(&["grant", "show", "1"]);
    assert!(
        shown
            .stdout
            .lines()
            .any(|line| line == "because      enough"
                || line.starts_with("because") && line.ends_with("enough")),
        "{shown:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_with_the_decision_the_time_or_ctrl_c() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let (ada, petra) = (served.desk("ada"), served.desk("petra"));
    let wait = ["request", "create", "customers.email", "--rows", "id = 42", "--reason", "r", "--wait"];
    for (id, verb, status, says) in
        [("1", "approve", 0, "grant 1 gives ada"), ("2", "deny", 1, "was denied by petra")]
    {
        let waiting = ada.command(&wait).spawn().expect("it starts");
        until_pending(&petra, id);
        assert_eq!(petra.run(&["request", verb, id]).status, 0);
        let ran = finish(waiting, "");
        assert!(ran.status == status && ran.stdout.contains(says), "{ran:?}");
        assert!(ran.stderr.contains("waits for approval"), "{ran:?}");
    }
    let in_time =
        ada.run(&["request", "create", "customers.email", "--reason", "r", "--wait", "--timeout", "1 s"]);
    assert_eq!((in_time.status, in_time.stdout.as_str()), (3, ""), "{in_time:?}");
    assert!(in_time.stderr.contains("\"pgwarrant request show 3 --wait\" goes on waiting"), "{in_time:?}");

    // Ctrl-C leaves the request; one can wait for it again.
    let waiting = ada.command(&["request", "show", "3", "--wait", "--json"]).spawn().expect("it starts");
    std::thread::sleep(Duration::from_millis(1_500));
    let killed = Command::new("kill").args(["-INT", &waiting.id().to_string()]).status();
    assert!(killed.expect("kill runs").success());
    let ran = finish(waiting, "");
    assert!(ran.status == 130 && ran.stderr.contains("request 3 still waits"), "{ran:?}");
    let cancelled = ada.run(&["request", "cancel", "3", "--reason", "not needed"]);
    assert_eq!(cancelled.status, 0, "{cancelled:?}");
    let shown = ada.run(&["request", "show", "3", "--wait", "--json"]);
    assert_eq!((shown.status, &shown.json()[0]["state"]), (1, &"withdrawn".into()), "{shown:?}");
}

fn until_pending(desk: &crate::Desk, id: &str) {
    let seen = std::iter::repeat_with(|| {
        std::thread::sleep(Duration::from_millis(50));
        desk.run(&["request", "show", id]).status
    });
    assert!(seen.take(200).any(|status| status == 0), "request {id} is not there");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_profiles_columns_and_oneself_are_shown() {
    let shop = Shop::new().await;
    let profile = "\n[[profile]]\nname = \"lookup\"\ncolumns = [\"customers.email\"]\nactions = [\"select\"]\nrows = \"some\"\nmax_duration = \"30 min\"\ngroups = [\"engineering\"]\n";
    let served = Served::start_with(&shop, profile);
    let ada = served.desk("ada");
    let session = served.proxy.connect("ada").await;
    let listed = ada.run(&["session", "list", "--json"]).json();
    let number = listed[0]["number"].to_string();
    assert_eq!((listed.len(), &listed[0]["user"]), (1, &"ada".into()));
    let killed = ada.run(&["session", "kill", &number]);
    assert_eq!((killed.status, killed.stdout), (0, format!("session {number} ends\n")));
    session.query("SELECT 1", &[]).await.expect_err("the session has ended");

    let who = ada.run(&["whoami"]);
    for line in [
        "user          ada",
        "databases     shop",
        "you may       ask",
        "signed in by  token",
        "good for      read, request, approve",
    ] {
        assert!(who.stdout.lines().any(|found| found == line), "{line}: {who:?}");
    }
    assert_eq!(ada.run(&["whoami", "--json"]).json()[0]["user"], "ada");
    let profiles = ada.run(&["profile", "list"]);
    assert!(
        profiles.stdout.lines().any(|line| line.starts_with("lookup   public.customers.email")
            || line.starts_with("lookup   customers.email")),
        "{profiles:?}"
    );
    let asked = ada.run(&["request", "create", "--profile", "lookup", "--rows", "id = 42", "--reason", "r"]);
    assert_eq!(asked.status, 3, "{asked:?}");
    let columns = ada.run(&["catalog", "--relation", "customers", "--category", "contact", "--json"]).json();
    let names: Vec<&str> = columns.iter().filter_map(|column| column["column"].as_str()).collect();
    assert_eq!(names, ["email", "phone"]);
    assert_eq!(columns[0]["sensitivity"], "medium");

    // Pages are followed as far as is asked for.
    let all = ada.run(&["catalog", "--limit", "3"]);
    assert!(all.stdout.lines().count() == 4 && all.stderr.contains("there are more"), "{all:?}");
}
