//! Spending that was reserved ahead, so that nobody waits for the disk in the middle of something.

mod support;

use pgwarrant_grants::store::Failure;
use pgwarrant_grants::{Ask, Live};

use support::*;

fn limited(shop: &Shop) -> u64 {
    shop.grant(Ask {
        max_uses: Some("32".to_owned()),
        max_rows: Some("1600".to_owned()),
        ..ask("customers.email")
    })
}

fn reserve(live: &Live, ids: &[u64]) -> bool {
    reserve_rows(live, ids, 1)
}

fn reserve_rows(live: &Live, ids: &[u64], rows: u64) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    live.reserve(ids, rows).map(|reserved| runtime.block_on(reserved)).is_some()
}

#[test]
fn a_use_and_its_first_rows_that_are_reserved_do_not_ask_the_disk() {
    let shop = Shop::open();
    let (id, unlimited) = (limited(&shop), shop.grant(ask("customers.phone")));
    assert!(!reserve(&shop.live, &[unlimited]), "there is nothing to count");
    assert!(reserve(&shop.live, &[id, unlimited]));
    assert!(!reserve(&shop.live, &[id]), "a sixteenth is two uses");
    shop.store.fail(Some(Failure::BeforeWrite));
    shop.live.use_grants(&[id, unlimited], 0).unwrap();
    shop.live.use_grants(&[id], 0).unwrap();
    assert_eq!(shop.live.take_rows(&[id, unlimited], 100).unwrap(), 100);
    assert!(shop.live.use_grants(&[id], 0).is_err() && shop.live.take_rows(&[id], 1).is_err());
}

#[test]
fn a_reservation_that_fails_gives_nothing() {
    let shop = Shop::open();
    let id = limited(&shop);
    shop.store.fail(Some(Failure::BeforeFlush));
    assert!(reserve(&shop.live, &[id]));
    assert!(reserve(&shop.live, &[id]), "it is still to be made");
    let ended = shop.live.use_grants(&[id], 0).unwrap_err();
    assert_eq!(ended.to_error().message, format!("the use of grant {id} could not be recorded"));
}

#[test]
fn rows_are_reserved_anew_while_they_are_spent_and_a_crash_loses_a_sixteenth_at_most() {
    let shop = Shop::open();
    let id = limited(&shop);
    shop.live.use_grants(&[id], 0).unwrap();
    for spent in (20..=1600).step_by(20) {
        let commits = shop.store.commits();
        assert_eq!(shop.live.take_rows(&[id], 20).unwrap(), 20);
        assert!(spent == 20 || commits == shop.store.commits(), "it waited for the disk at {spent}");
        shop.live.tick().unwrap();
        let again = Live::open(shop.store.after_crash(false), shop.clock.clone(), settings()).unwrap();
        let known = again.grants()[0].spent.rows;
        assert!((spent..=spent + 100).contains(&known), "{known} after {spent}");
    }
    assert!(shop.live.take_rows(&[id], 1).is_err());
}

#[test]
fn a_large_batch_can_be_reserved_before_it_is_taken() {
    let shop = Shop::open();
    let id = limited(&shop);
    assert!(reserve_rows(&shop.live, &[id], 700));
    assert!(!reserve_rows(&shop.live, &[id], 700));
    shop.live.use_grants(&[id], 0).unwrap();
    let commits = shop.store.commits();
    assert_eq!(shop.live.take_rows(&[id], 700).unwrap(), 700);
    assert_eq!(shop.store.commits(), commits);
    assert!(reserve_rows(&shop.live, &[id], u64::MAX), "as much as is left");
    assert!(!reserve_rows(&shop.live, &[id], u64::MAX));
    let commits = shop.store.commits();
    assert_eq!(shop.live.take_rows(&[id], u64::MAX).unwrap(), 900);
    assert_eq!(shop.store.commits(), commits);
}
