//! The protected values of the sample shop, and the search for them.

use std::collections::HashSet;
use std::fs;

use aho_corasick::AhoCorasick;
use pgwarrant_tests::{Proxy, Shop};

/// Every protected value of the shop that is long enough not to occur by chance, and the key of the
/// keyed masks.
pub async fn secrets(shop: &Shop, proxy: &Proxy) -> AhoCorasick {
    let columns = [
        "SELECT name FROM customers",
        "SELECT email::text FROM customers",
        "SELECT split_part(email::text, '@', 1) FROM customers",
        "SELECT phone FROM customers",
        "SELECT ssn FROM customers",
        "SELECT birth_date::text FROM customers",
        "SELECT address FROM customers",
        "SELECT host(last_ip) FROM customers",
        "SELECT card_number FROM payments",
        "SELECT iban FROM payments",
        "SELECT iban FROM hr.employees",
        "SELECT work_email FROM hr.employees",
        "SELECT host(ip) FROM page_views",
        // What hashes and encodings of a raw value would print.
        "SELECT encode(email::text::bytea, 'hex') FROM customers",
        "SELECT md5(email::text) FROM customers",
        "SELECT reverse(email::text) FROM customers",
        "SELECT upper(name) FROM customers",
        "SELECT translate(email::text, '@', '#') FROM customers",
    ];
    let mut secrets = HashSet::new();
    for column in columns {
        for row in shop.direct.query(column, &[]).await.expect("the shop's own data") {
            if let Some(value) = row.get::<_, Option<String>>(0)
                && value.len() >= 8
            {
                secrets.insert(value);
            }
        }
    }
    let key = fs::read_to_string(proxy.store().join("masking.key")).expect("the key of the masks");
    secrets.insert(key.trim().to_owned());
    assert!(secrets.len() > 5000, "the shop holds personal data");
    AhoCorasick::new(&secrets).expect("a search over all of them")
}

/// The first protected value that an output holds and the statement itself did not.
pub fn disclosed(seen: &str, statement: &str, secrets: &AhoCorasick) -> Option<String> {
    let told: HashSet<&str> =
        secrets.find_overlapping_iter(statement).map(|found| &statement[found.range()]).collect();
    secrets
        .find_overlapping_iter(seen)
        .map(|found| &seen[found.range()])
        .find(|secret| !told.contains(secret))
        .map(str::to_owned)
}
