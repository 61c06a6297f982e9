//! Columns by which grants and requests say which rows they cover are known to everybody's access.

mod support;

use pgwarrant_catalog::ColumnId;
use support::{CUSTOMERS, MINUTE, SHOP, Shop, ann, ask, bob, guest, here, petra};

fn decides(shop: &Shop, who: &pgwarrant_grants::Principal, database: &str) -> Vec<ColumnId> {
    let mut columns: Vec<ColumnId> =
        shop.live.access(who, database, &shop.catalogue).deciding.iter().copied().collect();
    columns.sort_unstable();
    columns
}

const KEY: ColumnId = ColumnId { relation: CUSTOMERS, attnum: 1 };

/// So what was analysed while nobody held a grant for rows is found again when nobody does.
#[test]
fn a_set_that_comes_back_is_the_access_that_it_was() {
    let shop = Shop::open();
    let access = || shop.live.access(&bob(), SHOP, &shop.catalogue).version;
    let with_rows = || {
        let mut wanted = ask("customers.email");
        wanted.rows = Some("id = 42".to_owned());
        let request = shop.request(&ann(), wanted);
        let version = access();
        shop.live.deny(&petra(), request, None, &here()).unwrap();
        version
    };
    let without = access();
    let with = with_rows();
    assert_ne!(with, without);
    assert_eq!(access(), without);
    assert_eq!(with_rows(), with);
}

#[test]
fn an_open_request_and_the_grant_that_it_becomes_count_for_others_until_they_end() {
    let shop = Shop::open();
    let watch = shop.live.watch(&guest());
    let before = watch.version();
    let mut wanted = ask("customers.email");
    wanted.rows = Some("id = 42".to_owned());
    let request = shop.request(&ann(), wanted);
    assert_ne!(watch.version(), before, "what was analysed before does not hold any more");
    for who in [ann(), bob(), guest()] {
        assert_eq!(decides(&shop, &who, SHOP), [KEY]);
    }
    assert_eq!(decides(&shop, &bob(), "other"), [], "another database has other relations");

    let open = watch.version();
    shop.live.approve(&petra(), request, None, &here()).unwrap();
    assert_eq!(decides(&shop, &bob(), SHOP), [KEY]);
    assert_eq!(watch.version(), open, "the same columns decide");

    shop.clock.advance(60 * MINUTE);
    assert_ne!(watch.version(), open);
    assert_eq!(decides(&shop, &bob(), SHOP), []);
}

#[test]
fn a_request_that_is_taken_back_decides_nothing() {
    let shop = Shop::open();
    let mut wanted = ask("customers.email");
    wanted.rows = Some("id = 42".to_owned());
    let request = shop.request(&ann(), wanted);
    shop.live.deny(&ann(), request, None, &here()).unwrap();
    assert_eq!(decides(&shop, &ann(), SHOP), []);
    shop.request(&ann(), ask("customers.email"));
    assert_eq!(decides(&shop, &bob(), SHOP), [], "all rows: no column decides");
}
