//! The pages, with something on each; what every one of them has in common.

use pgwarrant_tests::Shop;

use crate::{Site, assert_quiet};
use pgwarrant_tests::browser::Screen;

/// Address, heading, and what it says once its data has come.
pub const PAGES: &[(&str, &str, &str)] = &[
    ("inbox", "Inbox", "contact ("),
    ("requests", "Requests", "You have not asked"),
    ("requests?show=all", "Requests", "a test"),
    ("requests/1", "Request 1", "How it is decided"),
    ("requests/4", "Request 4", "What was done under it"),
    ("requests/99", "Request 99", "there is no request 99"),
    ("ask", "Ask for access", "Why"),
    ("ask?columns=public.customers.email&rows=id = 42", "Ask for access", "Chosen: public.customers.email"),
    ("grants", "Grants", "may select"),
    ("grants?show=ended", "Grants", "released"),
    ("grants/1", "Grant 1", "may select"),
    ("reviews", "Break-glass reviews", "What you found"),
    ("audit", "Audit", "SELECT"),
    ("audit?user=nobody", "Audit", "No record matches"),
    ("catalog", "Catalogue", "protected columns"),
    ("sessions", "Sessions", "on shop"),
    ("nowhere", "There is no such page", "Nothing is here"),
];

/// Requests that wait, grants that live and have ended, one by break-glass, and the sessions of it.
pub async fn furnish(site: &Site) -> Vec<tokio_postgres::Client> {
    let ask = |columns: &str, more: &str| {
        format!("SELECT request_id FROM pgwarrant.request('{columns}', reason => 'a test'{more})")
    };
    assert_eq!(site.call("ada", &ask("customers.email, customers.name", ", rows => 'id = 42'")).await, 1);
    assert_eq!(
        site.call("ben", &ask("hr.employees.*", ", urgency => 'urgent', actions => 'select, export'")).await,
        2
    );
    assert_eq!(site.call("ada", &ask("payments.iban", ", rows => 'order_id = 8', max_rows => 10")).await, 3);
    for (request, columns) in [(4, "customers.email"), (5, "customers.phone")] {
        assert_eq!(
            site.call("ada", &ask(columns, ", rows => 'id = 42', duration => '20 min'")).await,
            request
        );
        site.call("petra", &format!("SELECT request_id FROM pgwarrant.approve({request}, reason => 'fine')"))
            .await;
    }
    site.call("ada", "SELECT grant_id FROM pgwarrant.release(2)").await;
    assert_eq!(
        site.call("olga", &ask("customers.email", ", urgency => 'break-glass', duration => '10 min'")).await,
        6
    );
    let ada = site.proxy.connect("ada").await;
    ada.query("SELECT email FROM customers WHERE id = 42", &[]).await.expect("a row");
    vec![ada]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_has_one_heading_that_gets_the_focus_a_title_and_fits_a_phone() {
    let shop = Shop::new().await;
    let site = Site::start(&shop);
    let _sessions = furnish(&site).await;
    let petra = site.open("petra", Screen::Phone);
    petra.until_page("Inbox");
    for (path, heading, said) in PAGES {
        petra.go(&site.page(path));
        petra.until_page(heading);
        petra.until_said(said);
        assert_eq!(petra.run("return document.querySelectorAll('h1').length"), 1, "{path}");
        assert!(petra.run("return document.title").to_string().contains(heading), "{path}");
        petra.until("document.activeElement === document.querySelector('h1')");
        let wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(petra.run(wide), 0, "{path} scrolls sideways");
        // A time says what it is in UTC, too.
        let vague = "return [...document.querySelectorAll('#main time')].filter((time) => !time.title.includes('UTC')).length";
        assert_eq!(petra.run(vague), 0, "{path}");
    }
    assert_quiet(&petra);
}

/// An approver decides on a phone: all that matters, and both buttons, are in sight at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_and_its_buttons_fit_the_screen_of_a_phone() {
    let shop = Shop::new().await;
    let site = Site::start(&shop);
    let ask = "SELECT request_id FROM pgwarrant.request('customers.name, customers.email', rows => 'id = 42', reason => \
               'ticket 4711: parcel came back', ticket => 'DSR-17', duration => '30 min')";
    assert_eq!(site.call("ada", ask).await, 1);
    let petra = site.open("petra", Screen::Phone);
    petra.until_said("contact (");
    let hidden = "const nav = document.getElementById('pages').getBoundingClientRect().top;
         return [...document.querySelectorAll('.card h2, .card dd, .card button')]
           .map((it) => [it.innerText, it.getBoundingClientRect()])
           .filter(([, box]) => box.top < 0 || box.bottom > nav || box.right > innerWidth).map(([text]) => text)";
    assert_eq!(petra.run(hidden), serde_json::json!([]));
    let small = "return [...document.querySelectorAll('.card button, #pages a, #top button')]
        .filter((it) => it.checkVisibility() && it.getBoundingClientRect().height < 43.9).map((it) => it.innerText)";
    assert_eq!(petra.run(small), serde_json::json!([]), "too small for a finger");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_survives_the_sign_in_and_the_end_of_a_session_leads_to_it() {
    let shop = Shop::new().await;
    let site = Site::start(&shop);
    let _sessions = furnish(&site).await;
    let petra = crate::Browser::open(Screen::Desk);
    petra.go(&site.page("requests/1"));
    petra.until_page("Sign in to pgwarrant");
    petra.until("document.activeElement?.name === 'user'");
    petra.keys(&format!("petra{}wrong{}", crate::TAB, crate::ENTER));
    petra.until("document.querySelector('[role=alert]')");
    petra.run("document.querySelector('[name=password]').value = ''");
    petra.keys(&format!("petra-demo{}", crate::ENTER));
    petra.until_page("Request 1");
    // Signed out elsewhere: the page is told.
    petra.run("return fetch('/v1/session', { method: 'DELETE', headers: { 'X-Pgwarrant-CSRF': '1' } }).then(() => null)");
    petra.until_page("Sign in to pgwarrant");
    assert_eq!(petra.run("return document.querySelectorAll('.card').length"), 0, "nothing is left to see");

    petra.keys(&format!("petra{}petra-demo{}", crate::TAB, crate::ENTER));
    petra.until_page("Request 1");
    petra.run("document.getElementById('help').focus()");
    petra.tab_to("Sign out");
    petra.keys(crate::ENTER);
    petra.until_page("Sign in to pgwarrant");
    petra.run("return fetch('/v1/whoami').then((answer) => { document.title = answer.status })");
    assert_eq!(petra.run("return document.title"), "401", "the cookie is worth nothing any more");
    assert_quiet(&petra);
}
