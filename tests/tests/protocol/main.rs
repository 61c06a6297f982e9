//! Proves, with raw bytes: the proxy answers as PostgreSQL does where both should say the same, and
//! neither hangs nor panics where a client says what it should not.

mod cancel;
mod compare;
mod copy;
mod diagnostics;
mod hostile;
mod malformed;
mod notify;
mod pipelines;
mod prepared;
mod probing;
mod session;
mod simple;
mod start;

use pgwarrant_tests::raw::{Raw, errors};
use pgwarrant_tests::{Proxy, Settings, Shop};

/// The proxy, and the shop behind it.
struct Bench {
    proxy: Proxy,
    shop: Shop,
}

impl Bench {
    async fn new() -> Bench {
        Bench::with(&Settings::default()).await
    }

    async fn with(settings: &Settings) -> Bench {
        let shop = Shop::new().await;
        Bench { proxy: Proxy::start_with(&shop, settings), shop }
    }

    /// A session through the proxy, as ada, who has no grants.
    fn connect(&self) -> Raw {
        self.connect_as("ada", 0, &[])
    }

    fn connect_as(&self, user: &str, minor: u16, more: &[(&str, &str)]) -> Raw {
        Raw::connect(self.proxy.port, minor, user, &format!("{user}-demo"), "shop", more)
    }

    /// Whatever happened, the proxy serves others and has not panicked.
    fn is_well(&self) {
        let mut raw = self.connect();
        assert_eq!(errors(&raw.query("SELECT count(*) FROM products")), [""; 0]);
        let log = self.proxy.log();
        assert!(!log.contains("panicked"), "{log}");
    }
}
