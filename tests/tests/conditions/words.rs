//! What `pgwarrant check` and `pgwarrant policy test` say of conditions.

use pgwarrant_tests::Shop;

use crate::service::Service;
use crate::{ask, decided, proxy};

#[tokio::test]
async fn names_are_checked_both_ways_and_a_trial_says_what_would_be_needed() {
    let (shop, service) = (Shop::new().await, Service::start());
    let proxy = proxy(&shop, &service);
    let ada = proxy.connect("ada").await;
    service.body("/ticket", r#"{"allow": true}"#);
    let request = ask(&ada, "customers.email").await;
    decided(&ada, request).await;
    let count = service.asked().len();

    let config = proxy.config();
    let config = config.to_str().expect("a path");
    let draft = proxy.directory.path().join("draft.cedar");
    let policy = |condition: &str| {
        format!(
            "@id(\"d\") @decision(\"approve\") @condition({condition:?}) @max_duration(\"30 min\")\n\
             permit (principal, action, resource);\n"
        )
    };
    std::fs::write(&draft, policy("duty")).expect("a draft");
    let draft = draft.to_str().expect("a path");
    let tried = proxy.pgwarrant(&["policy", "test", "--config", config, "--draft", draft]);
    let wanted = "approve, if condition ticket allows  ->  approve, at most 30 min, if condition duty allows";
    assert!(tried.stdout.contains(wanted), "{tried:?}");
    assert_eq!(service.asked().len(), count, "a trial asks nobody");

    std::fs::write(draft, policy("tikcet")).expect("a draft");
    let tried = proxy.pgwarrant(&["policy", "test", "--config", config, "--draft", draft]);
    assert!(tried.stderr.contains("condition \"tikcet\" is not configured"), "{tried:?}");
    assert!(tried.stderr.contains("Perhaps you meant \"ticket\"."), "{tried:?}");

    let checked = proxy.pgwarrant(&["check", "--offline", "--config", config]);
    assert!(checked.success && checked.stdout.contains("0 errors, 0 warnings"), "{checked:?}");
    let text = std::fs::read_to_string(config).expect("the configuration");
    std::fs::write(config, text.replace("name = \"gone\"", "name = \"unused\"")).expect("written");
    let checked = proxy.pgwarrant(&["check", "--offline", "--config", config]);
    assert!(checked.stdout.contains("condition \"gone\" is not configured"), "{checked:?}");
    let secret = text.lines().find(|line| line.starts_with("secret_file = ")).expect("a secret");
    let idle = format!("\n[[condition]]\nname = \"idle\"\nurl = \"https://t.example/\"\n{secret}\n");
    std::fs::write(config, format!("{text}{idle}")).expect("written");
    let checked = proxy.pgwarrant(&["check", "--offline", "--config", config]);
    assert!(
        checked.success && checked.stdout.contains("no policy names the condition \"idle\""),
        "{checked:?}"
    );
}
