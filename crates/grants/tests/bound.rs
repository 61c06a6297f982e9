//! What a set of grants amounts to is kept as long as it may be asked for again.

mod support;

use std::sync::{Arc, Weak};

use pgwarrant_grants::{Grant, Principal, Settings};
use pgwarrant_sql::Access;
use support::{SHOP, Shop, ann, ask, bob, settings};

/// A proxy that has seen a million grants come and go holds as much as one that has seen a hundred.
#[test]
fn what_was_bound_for_grants_that_have_gone_is_let_go_of() {
    let shop = Shop::open();
    let access = |who: &Principal| shop.live.access(who, SHOP, &shop.catalogue);
    let without = Arc::downgrade(&access(&bob()));
    let mut bound: Vec<Weak<Access>> = Vec::new();
    for _ in 0..500 {
        let grant = shop.grant(ask("customers.email"));
        bound.push(Arc::downgrade(&access(&ann())));
        shop.live.release(&ann(), grant).unwrap();
        access(&ann());
    }
    let kept = bound.iter().filter(|access| access.strong_count() > 0).count();
    assert!(kept < 150, "{kept} of {} accesses are still there", bound.len());
    assert!(without.strong_count() > 0);

    // Nor is it forgotten while somebody has it.
    shop.grant(ask("customers.email"));
    let (version, other) = (access(&ann()).version, ann());
    for _ in 0..200 {
        let grant = shop.grant(ask("customers.phone"));
        shop.live.release(&other, grant).unwrap();
    }
    assert_eq!(access(&other).version, version);
}

/// Nor does one grow without end in which nobody gives grants back.
#[test]
fn what_was_bound_on_the_way_to_many_grants_is_let_go_of() {
    let shop = Shop::open();
    let mut bound: Vec<(usize, Weak<Access>)> = Vec::new();
    for _ in 0..400 {
        shop.grant(ask("*"));
        let access = shop.live.access(&ann(), SHOP, &shop.catalogue);
        bound.push((access.scopes.len(), Arc::downgrade(&access)));
    }
    let all: usize = bound.iter().map(|(scopes, _)| scopes).sum();
    let kept: usize =
        bound.iter().filter(|(_, access)| access.strong_count() > 0).map(|(scopes, _)| scopes).sum();
    assert!(all > 200_000 && kept < 110_000, "{kept} of {all} scopes are still there");
    let (last, _) = bound.last().unwrap();
    assert_eq!(shop.live.access(&ann(), SHOP, &shop.catalogue).scopes.len(), *last);
}

/// What somebody got lately is counted for thirty days, without the grants themselves.
#[test]
fn ended_grants_are_let_go_of_once_the_history_is_full() {
    let shop = Shop::with(Settings { history: 10, ..settings() });
    let mut grants: Vec<Weak<Grant>> = Vec::new();
    for _ in 0..40 {
        let id = shop.grant(ask("customers.email"));
        grants.push(Arc::downgrade(&shop.find(id)));
        shop.live.release(&ann(), id).unwrap();
    }
    let kept = grants.iter().filter(|grant| grant.strong_count() > 0).count();
    assert!(kept <= 10, "{kept} of {} grants are still there", grants.len());
}
