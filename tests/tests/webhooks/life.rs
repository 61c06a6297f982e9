//! What is told of a request and a grant, from first to last.

use std::collections::BTreeSet;

use pgwarrant_tests::{Shop, ask, free_port, server_port};
use serde_json::Value;

use crate::receiver::Receiver;
use crate::{ALL, OTHER_SECRET, act, first_times, name, proxy, section, until};

#[tokio::test(flavor = "multi_thread")]
async fn every_step_is_told_once_signed_and_in_order() {
    let (shop, receiver) = (Shop::new().await, Receiver::start());
    let port = free_port();
    let api = format!("\n[api]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"https://warrant.example\"\n");
    let proxy = proxy(&shop, format!("{}{api}", section(&receiver, ALL)));
    let (ada, petra) = (proxy.connect("ada").await, proxy.connect("petra").await);
    let request = ask(&ada, "customers.email", Some("id = 42"), "10 min").await;
    act(&petra, &format!("approve({request}, reason => 'fine')")).await;
    act(&petra, "revoke(1, reason => 'done')").await;
    let refused = ask(&ada, "customers.phone", None, "5 min").await;
    act(&petra, &format!("deny({refused}, reason => 'no')")).await;

    let wanted = [
        "request 1 requested",
        "request 1 decided",
        "grant 1 started",
        "grant 1 ended",
        "request 2 requested",
        "request 2 decided",
    ];
    let came = until(&receiver, "six messages", |came| came.len() >= wanted.len());
    let mut names = first_times(&came);
    // Of different requests, any may come first.
    names.sort_by_key(|name| wanted.iter().position(|wanted| wanted == name));
    assert_eq!(names, wanted);
    assert_eq!(came.len(), wanted.len(), "where nobody fails, nothing comes twice: {came:#?}");
    let place = |wanted: &str| came.iter().position(|message| name(message) == wanted).expect("it came");
    assert!(wanted[..4].is_sorted_by_key(|name| place(name)) && place(wanted[4]) < place(wanted[5]));

    for message in &came {
        assert_eq!(
            (&message["signed"], &message["type"]),
            (&true.into(), &"application/json".into()),
            "{message}"
        );
        let body = &message["body"];
        assert_eq!(body["id"], message["id"]);
        assert!(body["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{body}");
        assert_eq!(body["type"].as_str(), name(message).rsplit(' ').next());
        assert!(body["request"].get("may").is_none() && body["grant"].get("may").is_none(), "{body}");
    }
    let requested = &came[place("request 1 requested")]["body"];
    assert_eq!(requested["url"], "https://warrant.example/#/requests/1");
    for (member, value) in [
        ("id", Value::from(1)),
        ("state", "pending".into()),
        ("by", "ada".into()),
        ("columns", "public.customers.email".into()),
        ("rows", "id = 42".into()),
        ("reason", "ticket 1: a test".into()),
        ("duration", "10 min".into()),
    ] {
        assert_eq!(requested["request"][member], value, "{requested}");
    }
    let ended = &came[place("grant 1 ended")]["body"];
    assert_eq!((&ended["grant"]["state"], &ended["grant"]["ended_by"]), (&"revoked".into(), &"petra".into()));
    assert_eq!(ended["url"], "https://warrant.example/#/requests/1");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_told_later_is_told_what_happens_from_then_on() {
    let (shop, receiver) = (Shop::new().await, Receiver::start());
    let mut proxy = proxy(&shop, String::new());
    let ada = proxy.connect("ada").await;
    ask(&ada, "customers.email", Some("id = 1"), "10 min").await;
    let before = std::fs::read_to_string(proxy.config()).expect("the configuration");
    let with = format!("{before}{}", section(&receiver, "events = \"requested\""));
    std::fs::write(proxy.config(), &with).expect("written");
    proxy.crash_and_restart();
    ask(&proxy.connect("ada").await, "customers.email", Some("id = 2"), "10 min").await;
    until(&receiver, "the second request", |came| first_times(came) == ["request 2 requested"]);

    std::fs::write(proxy.config(), before).expect("written");
    proxy.crash_and_restart();
    ask(&proxy.connect("ada").await, "customers.email", Some("id = 3"), "10 min").await;
    std::fs::write(proxy.config(), with).expect("written");
    proxy.crash_and_restart();
    ask(&proxy.connect("ada").await, "customers.email", Some("id = 4"), "10 min").await;
    let came = until(&receiver, "the fourth request", |came| came.len() > 1);
    assert_eq!(first_times(&came), ["request 2 requested", "request 4 requested"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_are_told_what_they_asked_for() {
    let (shop, receiver) = (Shop::new().await, Receiver::start());
    let usual = section(&receiver, "");
    let few =
        section(&receiver, "events = [\"ended\"]").replace("\"ops\"", "\"few\"").replace("/hook", "/few");
    // Another database: this one's events are not for it.
    let elsewhere = format!(
        "\n[[database]]\nname = \"empty\"\nupstream = \"postgres://127.0.0.1:{}/{}\"\n\
         role = [{{ name = \"shop_app\" }}]\n",
        server_port(),
        shop.database
    );
    let none = section(&receiver, "databases = [\"empty\"]")
        .replace("\"ops\"", "\"none\"")
        .replace("/hook", "/none");
    let rotated = format!(
        "{}previous_secret_file = \"{}\"\n",
        section(&receiver, "events = [\"requested\"]")
            .replace("\"ops\"", "\"both\"")
            .replace("/hook", "/both"),
        receiver.directory.path().join("other").display()
    );
    std::fs::write(receiver.directory.path().join("other"), OTHER_SECRET).expect("a secret");
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(receiver.directory.path().join("other"), private).expect("restricted");
    let proxy = proxy(&shop, format!("{usual}{few}{none}{rotated}{elsewhere}"));
    let (ada, petra) = (proxy.connect("ada").await, proxy.connect("petra").await);
    let request = ask(&ada, "customers.email", Some("id = 42"), "10 min").await;
    act(&petra, &format!("approve({request})")).await;
    act(&petra, "revoke(1)").await;
    let came = until(&receiver, "five messages", |came| came.len() >= 5);
    let mut told: Vec<(String, String)> = came
        .iter()
        .map(|message| (message["path"].as_str().unwrap_or_default().to_owned(), name(message)))
        .collect();
    told.sort();
    let wanted = [
        ("/both", "request 1 requested"),
        ("/few", "grant 1 ended"),
        ("/hook", "grant 1 ended"),
        ("/hook", "request 1 decided"),
        ("/hook", "request 1 requested"),
    ];
    assert_eq!(told, wanted.map(|(path, name)| (path.to_owned(), name.to_owned())));
    for message in &came {
        let signatures = if message["path"] == "/both" { 2 } else { 1 };
        assert_eq!(
            (&message["signatures"], &message["signed"]),
            (&signatures.into(), &true.into()),
            "{message}"
        );
    }
}

const POLICIES: &str = r#"
@id("two") @decision("ask") @approvers("privacy, oncall") @count("2")
permit (principal, action, resource in Category::"payment");

@id("one") @decision("ask") @approvers("privacy")
permit (principal, action, resource) unless { resource in Category::"payment" };

@id("on-call") @decision("break_glass") @reviewers("privacy")
permit (principal in Group::"oncall", action == Action::"select", resource);
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_rarer_steps_are_told_too() {
    let (shop, receiver) = (Shop::new().await, Receiver::start());
    let file = receiver.directory.path().join("requests.cedar");
    std::fs::write(&file, POLICIES).expect("policies");
    let policy = format!("\n[policy]\nfiles = [\"{}\"]\n", file.display());
    let proxy = proxy(&shop, format!("{policy}{}", section(&receiver, ALL)));
    let (ada, petra, olga) =
        (proxy.connect("ada").await, proxy.connect("petra").await, proxy.connect("olga").await);

    let request = ask(&ada, "category:payment", None, "10 min").await;
    act(&olga, &format!("approve({request})")).await;
    act(&petra, &format!("approve({request})")).await;
    act(&ada, "extend(1, '5 min', reason => 'not done yet')").await;
    act(&petra, "approve(2)").await;
    act(&olga, "approve(2)").await;
    act(&ada, "release(1)").await;
    act(&ada, "request('customers.email', reason => 'later', starts_at => 'in 1 s', duration => '1 s')")
        .await;
    act(&petra, "approve(3)").await;
    act(&olga, "request('customers.email', reason => 'the shop is down', urgency => 'break-glass')").await;
    act(&olga, "release(3)").await;
    act(&petra, "review(3, 'not justified', reason => 'it was not')").await;

    let lives = [
        &["request 1 requested", "request 1 partly approved 1", "request 1 decided", "grant 1 started"][..],
        &["request 2 requested", "request 2 partly approved 1", "request 2 decided", "request 2 extended"],
        &["request 2 extended", "grant 1 ended"],
        &[
            "request 3 requested",
            "request 3 decided",
            "grant 2 scheduled",
            "grant 2 started",
            "grant 2 ended",
        ],
        &["request 4 requested", "request 4 decided", "grant 3 break glass", "grant 3 started"],
        &["grant 3 started", "grant 3 ended", "grant 3 reviewed"],
    ];
    let wanted: BTreeSet<&str> = lives.iter().flat_map(|life| life.iter().copied()).collect();
    let came = until(&receiver, "all steps", |came| came.len() >= wanted.len());
    let names = first_times(&came);
    assert_eq!(names.iter().map(String::as_str).collect::<BTreeSet<_>>(), wanted);
    for life in lives {
        let place = |wanted: &&str| names.iter().position(|name| name == wanted);
        assert!(life.is_sorted_by_key(place), "{names:#?}");
    }
    let of = |wanted: &str| &came.iter().find(|message| name(message) == wanted).expect("it came")["body"];
    let taken = of("grant 3 break glass");
    assert_eq!((&taken["request"]["id"], &taken["grant"]["review"]["state"]), (&4.into(), &"open".into()));
    let extended = of("request 2 extended");
    assert_eq!((&extended["request"]["extends"], &extended["grant"]["id"]), (&1.into(), &1.into()));
    assert_eq!(of("grant 3 reviewed")["grant"]["review"]["state"], "not justified");
}
