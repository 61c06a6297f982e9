//! Proves: the web inbox works in a real browser, with the keyboard alone and on a phone, for people
//! who see little or nothing, and shows what others wrote as text; through the real program and a real
//! PostgreSQL.

mod accessible;
mod hostile;
mod life;
mod once;
mod pages;

use pgwarrant_tests::browser::{Browser, ENTER, Screen, TAB};
use pgwarrant_tests::{Proxy, Settings, Shop, free_port};

/// Everything is asked of the privacy team; those on call may break the glass.
const POLICIES: &str = r#"
@id("ask-privacy")
@decision("ask")
@approvers("privacy")
permit (principal, action, resource)
unless { resource in Category::"payment" };

@id("payment-second-factor")
@decision("ask")
@approvers("privacy")
@second_factor("approver")
@reason("payment data needs an approver with a second factor")
permit (principal, action, resource in Category::"payment");

@id("on-call")
@decision("break_glass")
@reviewers("privacy")
@max_duration("15 min")
permit (principal in Group::"oncall", action == Action::"select", resource);
"#;

/// A proxy that serves its pages.
pub struct Site {
    pub proxy: Proxy,
    port: u16,
}

impl Site {
    pub fn start(shop: &Shop) -> Site {
        let directory = tempfile::tempdir().expect("a temporary directory").keep();
        let policies = directory.join("web.cedar");
        std::fs::write(&policies, POLICIES).expect("a file of policies");
        let port = free_port();
        let append = format!(
            "\n[api]\nlisten = \"127.0.0.1:{port}\"\n\n[policy]\nfiles = [\"{}\"]\n\n[[profile]]\nname = \"dsr-lookup\"\n\
             columns = [\"customers.email\", \"customers.name\"]\nrows = \"some\"\nmax_duration = \"20 min\"\n\
             groups = [\"engineering\"]\n",
            policies.display()
        );
        let proxy = Proxy::start_with(shop, &Settings { append, ..Settings::default() });
        Site { proxy, port }
    }

    /// The address of a page: `inbox`, `requests/7`.
    pub fn page(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/#/{path}", self.port)
    }

    /// A browser in which somebody has signed in, with the keyboard.
    pub fn open(&self, user: &str, screen: Screen) -> Browser {
        let browser = Browser::open(screen);
        browser.go(&self.page(""));
        browser.until_page("Sign in to pgwarrant");
        browser.until("document.activeElement?.name === 'user'");
        browser.keys(&format!("{user}{TAB}{user}-demo{ENTER}"));
        browser.until("document.getElementById('link').dataset.state === 'live'");
        browser
    }

    /// A statement of somebody's, through the proxy.
    pub async fn call(&self, user: &str, sql: &str) -> i64 {
        let client = self.proxy.connect(user).await;
        let row = client.query_one(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        row.get(0)
    }
}

/// The console of the page is clean.
pub fn assert_quiet(browser: &Browser) {
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
