//! Proves: whatever happens to requests and grants is told to every receiver at least once, signed, and
//! in order for one request, whoever is killed meanwhile; and no receiver can harm the proxy. The
//! receiver is an HTTP server in Python that checks signatures by itself.

mod chats;
mod https;
mod life;
mod outages;
mod receiver;
mod unwell;

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use pgwarrant_tests::{Proxy, Settings, Shop};
use receiver::Receiver;
use serde_json::Value;
use tokio_postgres::Client;

/// As proxy.toml would have it: 32 bytes.
pub const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
pub const OTHER_SECRET: &str = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
/// Every event that there is.
pub const ALL: &str = "events = [\"requested\", \"partly_approved\", \"escalated\", \"decided\", \"scheduled\", \
                       \"break_glass\", \"started\", \"extended\", \"ended\", \"reviewed\"]";

/// `[[webhook]]` named `ops` for this receiver, with more lines in it; the secret is in the receiver's
/// directory.
pub fn section(receiver: &Receiver, lines: &str) -> String {
    let file = receiver.directory.path().join("secret");
    fs::write(&file, SECRET).expect("a secret");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("restricted");
    format!(
        "\n[[webhook]]\nname = \"ops\"\nurl = \"{}\"\nsecret_file = \"{}\"\n{lines}\n",
        receiver.url(),
        file.display()
    )
}

pub fn proxy(shop: &Shop, append: String) -> Proxy {
    Proxy::start_with(shop, &Settings { append, ..Settings::default() })
}

/// Calls a function of the console.
pub async fn act(client: &Client, call: &str) {
    let call = format!("SELECT * FROM pgwarrant.{call}");
    client.simple_query(&call).await.unwrap_or_else(|error| panic!("{call}: {error:?}"));
}

/// Waits until `is` is true of what came.
pub fn until(receiver: &Receiver, what: &str, is: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let came = receiver.came();
        if is(&came) {
            return came;
        }
        assert!(Instant::now() < deadline, "{what}: {came:#?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// `request 3 decided`, from its id.
pub fn name(message: &Value) -> String {
    let id = message["id"].as_str().unwrap_or_default();
    id.splitn(3, '_').nth(2).unwrap_or_default().replace('_', " ")
}

/// The names of what was accepted, each where it first came.
pub fn first_times(came: &[Value]) -> Vec<String> {
    let mut seen = HashSet::new();
    came.iter()
        .filter(|message| message["how"] == "ok")
        .map(name)
        .filter(|name| seen.insert(name.clone()))
        .collect()
}
