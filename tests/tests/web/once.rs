//! A decision is made once, whatever the network does and however often the button is pressed; and
//! what comes in moves nothing that is being read.

use pgwarrant_tests::Shop;

use crate::{Site, assert_quiet};
use pgwarrant_tests::browser::{ENTER, ESCAPE, Screen};

const ASK: &str =
    "SELECT request_id FROM pgwarrant.request('customers.email', rows => 'id = 42', reason => 'a test')";
const DECISIONS: &str = "SELECT count(*) FROM pgwarrant.audit WHERE kind = 'decision'";

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_is_asked_for_again_and_the_decision_made_once() {
    let shop = Shop::new().await;
    let site = Site::start(&shop);
    assert_eq!(site.call("ada", ASK).await, 1);
    let petra = site.open("petra", Screen::Phone);
    petra.until_said("a test");
    // The proxy gets it, and the page never hears of it.
    petra.run(
        "const real = window.fetch; window.keys = []; window.fetch = async (path, options) => {
           const answer = await real(path, options);
           if (!path.endsWith('/approve')) return answer;
           window.keys.push(options.headers['Idempotency-Key']);
           if (window.keys.length === 1) throw new TypeError('lost');
           return answer;
         }",
    );
    petra.tab_to("Approve");
    petra.keys(ENTER);
    petra.until_said("grant 1 gives ada");
    let keys = petra.run("return [window.keys.length, new Set(window.keys).size]");
    assert_eq!(keys, serde_json::json!([2, 1]), "it was made again, with the same key");
    assert_eq!(site.call("petra", DECISIONS).await, 1);
    assert_eq!(site.call("petra", "SELECT count(*) FROM pgwarrant.grants").await, 1);
    assert_quiet(&petra);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_that_is_pressed_again_and_again_decides_once() {
    let shop = Shop::new().await;
    let site = Site::start(&shop);
    assert_eq!(site.call("ada", ASK).await, 1);
    let petra = site.open("petra", Screen::Desk);
    petra.until_said("a test");
    petra.run(
        "window.calls = 0; const real = window.fetch;
         window.fetch = (path, options) => { if (path.endsWith('/approve')) window.calls++; return real(path, options); };
         const button = document.querySelector('[data-key=approve]'); for (let i = 0; i < 5; i++) button.click();",
    );
    petra.until_said("grant 1 gives ada");
    assert_eq!(petra.run("return window.calls"), 1);
    assert_eq!(site.call("petra", DECISIONS).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_second_factor_nothing_is_decided() {
    let shop = Shop::new().await;
    let site = Site::start(&shop);
    let ask = "SELECT request_id FROM pgwarrant.request('payments.iban', rows => 'order_id = 8', reason => 'a test')";
    assert_eq!(site.call("ada", ask).await, 1);
    let petra = site.open("petra", Screen::Phone);
    petra.until_said("with a second factor");
    petra.tab_to("Approve");
    petra.keys(ENTER);
    petra.until("document.activeElement.name === 'code'");
    petra.keys(&format!("000000{ENTER}"));
    petra.until("document.querySelector('dialog [role=alert]')");
    petra.keys(ESCAPE);
    petra.until("!document.querySelector('dialog')");
    assert_eq!(petra.focused(), "Approve");
    let approved = "SELECT count(*) FROM pgwarrant.requests WHERE state = 'approved'";
    assert_eq!(site.call("petra", approved).await, 0);
    assert_quiet(&petra);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_in_moves_nothing_and_takes_no_comment_away() {
    let shop = Shop::new().await;
    let site = Site::start(&shop);
    assert_eq!(site.call("ada", ASK).await, 1);
    let petra = site.open("petra", Screen::Phone);
    petra.until_said("contact (");
    petra.tab_to("Comment on request 1");
    petra.keys("half a thou");
    petra.run(
        "window.moved = 0; new PerformanceObserver((list) => {
           for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.moved += entry.value;
         }).observe({ type: 'layout-shift', buffered: false })",
    );
    let top = "return document.querySelector('.card').getBoundingClientRect().top";
    let before = petra.run(top);
    assert_eq!(site.call("ben", ASK).await, 2);
    petra.until("document.querySelectorAll('.card').length === 2");
    petra.until("document.querySelectorAll('.card')[1].innerText.includes('ben')");
    petra.keys("ght");
    assert_eq!(petra.run(top), before);
    assert_eq!(petra.run("return window.moved"), 0);
    assert_eq!(petra.run("return document.querySelector('.card input').value"), "half a thought");
    assert_quiet(&petra);
}
