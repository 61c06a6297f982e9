//! What people do, without a mouse: ask, approve, revoke, look at what was done; and all else that
//! ends a request or a grant.

use pgwarrant_tests::Shop;

use crate::{Site, assert_quiet};
use pgwarrant_tests::browser::{Browser, ENTER, ESCAPE, Screen};

/// The e-mail address of customer 42, as this session sees it.
async fn email(client: &tokio_postgres::Client) -> String {
    client.query_one("SELECT email FROM customers WHERE id = 42", &[]).await.expect("a customer").get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_asks_another_approves_and_revokes_and_both_pages_say_so_by_themselves() {
    let shop = Shop::new().await;
    let site = Site::start(&shop);
    let psql = site.proxy.connect("ada").await;
    let petra = site.open("petra", Screen::Phone);
    petra.until_page("Inbox");
    petra.until_said("Nothing waits for you");
    let ada = site.open("ada", Screen::Desk);
    ada.until_page("Requests");
    ada.until_said("You have not asked for anything");
    assert_eq!(ada.focused(), "Requests", "after a change of page the focus is on its heading");

    ada.tab_to("Ask for access");
    ada.keys(ENTER);
    ada.until_page("Ask for access");
    ada.until("document.querySelector('form')");
    ada.tab_to("Filter columns");
    ada.keys("customers email");
    ada.tab_to("email");
    ada.keys(" ");
    ada.tab_to("Rows");
    ada.keys("id = 42");
    ada.tab_to("Why");
    ada.keys("parcel came back");
    ada.tab_to("Ticket");
    ada.keys("DSR-17");
    ada.tab_to("How long");
    ada.keys("10 min");
    ada.keys(ENTER);
    ada.until("location.hash === '#/requests/1'");
    ada.until_said("pending");
    ada.until_said("Waits for group privacy");

    // It is there without a reload, read out, and in the title.
    petra.until_said("parcel came back");
    petra.until("document.title.startsWith('(1) Inbox')");
    petra.until("document.getElementById('said').textContent.includes('request 1 of ada waits for you')");
    let card = petra.text(".card");
    for said in ["ada asks to select", "public.customers", "email", "id = 42", "DSR-17", "10 min", "contact"]
    {
        assert!(card.contains(said), "{said:?} is missing in\n{card}");
    }
    petra.until_said("nothing like it in 30 days");
    petra.tab_to("Comment on request 1");
    // Of two ways to go on, Enter takes neither.
    petra.keys(&format!("fine{ENTER}"));
    petra.tab_to("Approve");
    petra.keys(ENTER);
    petra.until_said("grant 1 gives ada public.customers.email until");
    petra.until("document.activeElement.matches('.message')");
    petra.until("!document.title.startsWith('(')");
    ada.until_said("approved by petra");
    ada.until_said("ada may select");
    assert!(email(&psql).await.contains("@example"));

    petra.tab_to("Revoke grant 1");
    petra.keys(ENTER);
    petra.until("document.activeElement.name === 'reason'");
    petra.keys(ESCAPE);
    assert_eq!(petra.focused(), "Revoke grant 1", "a dialog gives the focus back");
    petra.keys(ENTER);
    petra.until("document.activeElement.name === 'reason'");
    petra.keys(&format!("wrong customer{ENTER}"));
    petra.until_said("revoked by petra");
    ada.until_said("wrong customer");
    assert!(!email(&psql).await.contains("@example"));

    // What was done under it is a key away.
    petra.keys("ga");
    petra.until_page("Audit");
    petra.until(
        "[...document.querySelectorAll('summary.record')].some((line) => line.innerText.includes('raw'))",
    );
    to_record(&petra, "raw");
    petra.keys(ENTER);
    petra.until(
        "document.querySelector('details[open] .whole')?.innerText.includes('public.customers.email')",
    );
    for browser in [&ada, &petra] {
        assert_quiet(browser);
    }
}

/// Goes down the list of records with a key until one says so.
fn to_record(browser: &Browser, says: &str) {
    for _ in 0..100 {
        browser.keys("j");
        if browser.focused().contains(says) || browser.text("summary:focus").contains(says) {
            return;
        }
    }
    panic!("no record says {says:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_denied_and_withdrawn_and_grants_are_prolonged_and_released() {
    let shop = Shop::new().await;
    let site = Site::start(&shop);
    let ask = "SELECT request_id FROM pgwarrant.request('customers.email', rows => 'id = 42', reason => 'a test', \
               duration => '10 min')";
    for expected in 1..=3 {
        assert_eq!(site.call("ada", ask).await, expected);
    }
    site.call("petra", "SELECT request_id FROM pgwarrant.approve(3)").await;

    let petra = site.open("petra", Screen::Desk);
    petra.until("document.querySelectorAll('.card').length === 2");
    // The first of the list, commented and denied with single keys.
    petra.keys("j");
    petra.keys("c");
    petra.keys(&format!("not without a ticket{ESCAPE}"));
    petra.keys("d");
    petra.until_said("request 1 was denied by petra");
    petra.until_said("request 2");

    let ada = site.open("ada", Screen::Phone);
    ada.go(&site.page("requests/1"));
    ada.until_said("not without a ticket");
    ada.go(&site.page("requests/2"));
    ada.until_page("Request 2");
    ada.until_said("Withdraw");
    ada.tab_to("Withdraw");
    ada.keys(ENTER);
    ada.tab_to("Withdraw");
    ada.keys(ENTER);
    ada.until_said("withdrawn");
    petra.until_said("withdrawn");

    ada.go(&site.page("grants?show=mine"));
    ada.until_said("ada may select");
    ada.tab_to("Ask for more time");
    ada.keys(ENTER);
    ada.until("document.activeElement.name === 'duration'");
    ada.tab_to("Why");
    ada.keys("not done yet");
    ada.tab_to("Ask");
    ada.keys(ENTER);
    ada.until_said("waits for");
    petra.until_said("more time of grant 1");
    ada.tab_to("Release");
    ada.keys(ENTER);
    ada.tab_to("Release");
    ada.keys(ENTER);
    ada.until_said("released");
    for browser in [&ada, &petra] {
        assert_quiet(browser);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn break_glass_is_told_of_and_reviewed_and_a_session_is_ended() {
    let shop = Shop::new().await;
    let site = Site::start(&shop);
    let petra = site.open("petra", Screen::Desk);
    petra.keys("gb");
    petra.until_page("Break-glass reviews");
    petra.until_said("Nothing is to be reviewed");
    let olga = site.proxy.connect("olga").await;
    let taken = "SELECT grant_id FROM pgwarrant.request('customers.email', reason => 'the shop is down', urgency => \
                 'break-glass', duration => '10 min')";
    let taken: i64 = olga.query_one(taken, &[]).await.expect("a grant").get(0);
    assert_eq!(taken, 1);
    petra.until_said("the shop is down");
    petra.until("document.getElementById('count-reviews').textContent.startsWith('1')");
    petra.tab_to("What you found");
    petra.keys("incident 12");
    petra.tab_to("Justified");
    petra.keys(ENTER);
    petra.until_said("justified by petra");
    petra.until("document.getElementById('count-reviews').textContent === ''");
    let review = "SELECT count(*) FROM pgwarrant.grants WHERE review = 'justified (petra)'";
    assert_eq!(site.call("petra", review).await, 1);

    petra.keys("gs");
    petra.until_page("Sessions");
    petra.until_said("olga on shop");
    petra.tab_to_where(|name| name.starts_with("End session") && name.ends_with(" of olga"));
    petra.keys(ENTER);
    petra.tab_to("End it");
    petra.keys(ENTER);
    petra.until("!document.getElementById('main').textContent.includes('olga on shop')");
    assert!(olga.query_one("SELECT 1", &[]).await.is_err(), "the session has ended");
    assert_quiet(&petra);
}
