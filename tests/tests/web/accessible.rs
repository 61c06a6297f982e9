//! Every page with axe-core, in both colour schemes, on a phone and on a desk; and where the system's
//! own colours are forced.

use pgwarrant_tests::{Shop, workspace};
use serde_json::{Value, json};

use crate::pages::{PAGES, furnish};
use crate::{Site, assert_quiet};
use pgwarrant_tests::browser::{Browser, Screen};

const RUN: &str = "return axe.run(document, { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', \
                   'wcag21aa', 'wcag22aa', 'best-practice'] })";

/// What depends on colours alone.
const CONTRAST: &str = "return axe.run(document, { resultTypes: ['violations'], runOnly: { type: 'rule', values: ['color-contrast'] } })";

#[tokio::test(flavor = "multi_thread")]
async fn no_page_has_what_axe_core_objects_to() {
    let shop = Shop::new().await;
    let site = Site::start(&shop);
    let _sessions = furnish(&site).await;
    let axe = load_axe();
    let signed_out = Browser::open(Screen::Phone);
    signed_out.go(&site.page(""));
    signed_out.until_page("Sign in to pgwarrant");
    check(&signed_out, &axe, RUN, "sign-in");
    for screen in [Screen::Phone, Screen::Desk] {
        let petra = site.open("petra", screen);
        for (scheme, run) in [("light", RUN), ("dark", CONTRAST)] {
            let features = json!({ "features": [
                { "name": "prefers-color-scheme", "value": scheme },
                { "name": "prefers-reduced-motion", "value": "reduce" },
            ] });
            petra.devtools("Emulation.setEmulatedMedia", &features);
            for (path, heading, said) in PAGES {
                petra.go(&site.page(path));
                petra.until_page(heading);
                petra.until_said(said);
                check(&petra, &axe, run, &format!("{path}, {screen:?}, {scheme}"));
            }
        }
        assert_quiet(&petra);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dialogs_and_messages_have_nothing_that_axe_core_objects_to() {
    let shop = Shop::new().await;
    let site = Site::start(&shop);
    let _sessions = furnish(&site).await;
    let axe = load_axe();
    let petra = site.open("petra", Screen::Phone);
    petra.until_page("Inbox");
    petra.keys("?");
    petra.until("document.querySelector('dialog[open] kbd')");
    check(&petra, &axe, RUN, "the list of shortcuts");
    petra.keys(pgwarrant_tests::browser::ESCAPE);
    petra.go(&site.page("grants"));
    petra.until_said("may select");
    petra.tab_to("Revoke");
    petra.keys(crate::ENTER);
    petra.until("document.querySelector('dialog[open] input')");
    check(&petra, &axe, RUN, "the question before a revocation");
    petra.keys(pgwarrant_tests::browser::ESCAPE);
    petra.go(&site.page("ask"));
    petra.until("document.querySelector('form')");
    petra.tab_to("How long");
    petra.keys(crate::ENTER);
    petra.until("document.querySelector('form [role=alert]')");
    check(&petra, &axe, RUN, "a problem");
    petra.tab_to("More");
    petra.keys(crate::ENTER);
    petra.until("document.querySelector('details.options[open]')");
    check(&petra, &axe, RUN, "everything that can be asked for");
}

/// It is installed beside the drivers.
fn load_axe() -> String {
    let path = workspace().join("target/drivers/node/node_modules/axe-core/axe.min.js");
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}: run `tests/bin/install tests`", path.display()))
}

fn check(browser: &Browser, axe: &str, run: &str, what: &str) {
    browser.run(axe);
    let result = browser.run(run);
    let found: Vec<String> = result["violations"].as_array().into_iter().flatten().map(told).collect();
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
    assert_ne!(result["testEngine"]["name"], Value::Null, "axe-core ran");
}

fn told(violation: &Value) -> String {
    let nodes = violation["nodes"].as_array().into_iter().flatten();
    let nodes: Vec<String> =
        nodes.map(|node| format!("    {}\n    {}", node["html"], node["failureSummary"])).collect();
    format!("{}: {}\n{}", violation["id"], violation["help"], nodes.join("\n"))
}
