//! What people write is text: it runs nothing, loads nothing, turns nothing around, and breaks no page.

use pgwarrant_tests::Shop;

use crate::{Site, assert_quiet};
use pgwarrant_tests::browser::Screen;

/// Each with what the page has to show of it.
const TEXTS: &[(&str, &str)] = &[
    ("<img src=x onerror=\"window.ran = true\">", "<img src=x onerror=\"window.ran = true\">"),
    (
        "<script>window.ran = true</script> &amp; &lt;b&gt;",
        "<script>window.ran = true</script> &amp; &lt;b&gt;",
    ),
    ("</span></dd></dl><h1>Approved by the board</h1>", "</span></dd></dl><h1>Approved by the board</h1>"),
    ("javascript:window.ran=true", "javascript:window.ran=true"),
    ("مرحبا بالعالم, שלום עולם", "مرحبا بالعالم, שלום עולם"),
    ("👩🏽 🔥 é́́́́ Ω", "👩🏽 🔥"),
    // Neither is refused by the proxy: an Arabic letter mark, a soft hyphen.
    ("turned \u{61C} around, so\u{AD}ft", "U+061C"),
];

#[tokio::test(flavor = "multi_thread")]
async fn reasons_and_tickets_are_text_whatever_they_look_like() {
    let shop = Shop::new().await;
    let site = Site::start(&shop);
    let ada = site.proxy.connect("ada").await;
    let long = format!("{}{}", "x".repeat(700), " and so on".repeat(20));
    let texts = TEXTS.iter().copied().chain([(long.as_str(), "xxxxxxxx")]);
    for (count, (text, _)) in (1i64..).zip(texts.clone()) {
        let ticket: String = text.chars().take(60).collect();
        let asked = "SELECT request_id FROM pgwarrant.request('customers.email', rows => 'id = 42', reason => $1, \
                     ticket => $2)";
        let row =
            ada.query_one(asked, &[&text, &ticket]).await.unwrap_or_else(|error| panic!("{text}: {error:?}"));
        assert_eq!(row.get::<_, i64>(0), count);
    }
    for screen in [Screen::Phone, Screen::Desk] {
        let petra = site.open("petra", screen);
        for page in ["inbox", "requests?show=all", "audit"] {
            petra.go(&site.page(page));
            petra.until("document.querySelectorAll('#main li').length >= 8");
            assert_harmless(&petra, page);
        }
        for (number, (_, shown)) in (1..).zip(texts.clone()) {
            petra.go(&site.page(&format!("requests/{number}")));
            petra.until_page(&format!("Request {number}"));
            petra.until_said("How it is decided");
            petra.until_said(shown);
            assert_harmless(&petra, shown);
        }
        assert_quiet(&petra);
    }
}

fn assert_harmless(petra: &pgwarrant_tests::browser::Browser, what: &str) {
    assert_eq!(petra.run("return window.ran ?? null"), serde_json::Value::Null, "{what}: it ran");
    let foreign = "return document.querySelectorAll('#main :is(img, script, iframe, h1 ~ h1, b, a[href^=javascript])').length";
    assert_eq!(petra.run(foreign), 0, "{what}: it became an element");
    let wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert_eq!(petra.run(wide), 0, "{what}: the page scrolls sideways");
}
