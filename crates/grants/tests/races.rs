//! Threads against each other: one outcome, and nothing after the end.

mod support;

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use pgwarrant_grants::{Ask, EndReason, Event};
use support::*;

/// Runs them all at the same moment.
fn together<T: Send>(count: usize, run: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(count);
    thread::scope(|scope| {
        let (barrier, run) = (&barrier, &run);
        let threads: Vec<_> = (0..count)
            .map(|i| {
                scope.spawn(move || {
                    barrier.wait();
                    run(i)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn of_deciders_at_the_same_instant_one_decides() {
    for _ in 0..50 {
        let shop = Shop::open();
        let id = shop.request(&ann(), ask("customers.email"));
        let outcomes = together(4, |i| match i {
            0 => shop.live.approve(&petra(), id, None, &here()).is_ok(),
            1 => shop.live.approve(&paul(), id, None, &here()).is_ok(),
            2 => shop.live.deny(&paul(), id, None, &here()).is_ok(),
            _ => shop.live.deny(&ann(), id, None, &here()).is_ok(),
        });
        assert_eq!(outcomes.iter().filter(|ok| **ok).count(), 1, "{outcomes:?}");
        let granted = shop.live.requests()[0].state.text() == "approved";
        assert_eq!(granted, outcomes[0] || outcomes[1]);
        assert_eq!(shop.access(&ann()).len(), usize::from(granted));
    }
}

#[test]
fn of_those_who_end_a_grant_at_the_same_instant_one_does() {
    for _ in 0..50 {
        let shop = Shop::open();
        let id = shop.grant(ask("customers.email"));
        let mut events = shop.live.subscribe();
        shop.clock.advance(60 * MINUTE - 1);
        let outcomes = together(4, |i| match i {
            0 => shop.live.revoke(&petra(), id, None).is_ok(),
            1 => shop.live.revoke(&paul(), id, None).is_ok(),
            2 => shop.live.release(&ann(), id).is_ok(),
            _ => {
                shop.clock.advance(1);
                shop.live.tick().unwrap();
                false
            }
        });
        let ended = std::iter::from_fn(|| events.try_recv().ok())
            .filter_map(|event| if let Event::Ended { why, .. } = event { Some(why) } else { None })
            .collect::<Vec<_>>();
        assert_eq!(ended.len(), 1, "{ended:?}");
        let by_hand = outcomes.iter().filter(|ok| **ok).count();
        assert_eq!(by_hand, usize::from(ended[0] != EndReason::Expired), "{outcomes:?} {ended:?}");
        assert_eq!(shop.live.grants().len(), 1);
    }
}

#[test]
fn once_revoke_has_returned_no_access_has_the_grant() {
    let shop = Shop::open();
    let newest = AtomicU64::new(0);
    let gone = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    let known = newest.load(Ordering::SeqCst);
                    let gone = gone.load(Ordering::SeqCst);
                    let seen = shop.access(&ann());
                    assert!(seen.iter().all(|id| *id > gone), "{seen:?} has one up to {gone}");
                    assert!(
                        known <= gone || seen.contains(&known) || self::ended(&shop, known),
                        "{seen:?} lacks {known}"
                    );
                    assert!(gone == 0 || !shop.live.is_live(gone));
                }
            });
        }
        for _ in 0..300 {
            let id = shop.grant(ask("customers.email"));
            newest.store(id, Ordering::SeqCst);
            shop.live.version(&ann());
            shop.live.revoke(&petra(), id, None).unwrap();
            gone.store(id, Ordering::SeqCst);
        }
        done.store(true, Ordering::SeqCst);
    });
}

fn ended(shop: &Shop, id: u64) -> bool {
    !shop.live.is_live(id)
}

#[test]
fn a_version_never_stays_the_same_over_a_change() {
    let shop = Shop::open();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                // What a session does: look at the version, and at the access only if it moved.
                let mut version = 0;
                let mut mine = Vec::new();
                while !done.load(Ordering::SeqCst) {
                    let now = shop.live.version(&ann());
                    if now != version {
                        (version, mine) = (now, shop.access(&ann()));
                    }
                }
                let now = shop.live.version(&ann());
                if now != version {
                    mine = shop.access(&ann());
                }
                assert!(mine.is_empty(), "{mine:?} is still believed to be live");
            });
        }
        for _ in 0..200 {
            let id = shop.grant(ask("customers.email"));
            shop.live.release(&ann(), id).unwrap();
        }
        done.store(true, Ordering::SeqCst);
    });
}

#[test]
fn no_more_uses_and_rows_than_the_limit_however_many_ask() {
    for (uses, rows) in [(1_u64, 1_u64), (7, 100), (64, 1_000)] {
        let shop = Shop::open();
        let limited = Ask {
            max_uses: Some(uses.to_string()),
            max_rows: Some(rows.to_string()),
            ..ask("customers.email")
        };
        let first = shop.grant(limited.clone());
        let second = shop.grant(limited);
        let outcomes = together(4, |i| {
            // In different orders: they must not wait for each other.
            let ids = if i % 2 == 0 { [first, second] } else { [second, first] };
            let used = (0..50).filter(|_| shop.live.use_grants(&ids, 0).is_ok()).count();
            let passed: u64 = std::iter::from_fn(|| shop.live.take_rows(&ids, 3).ok()).sum();
            (used as u64, passed)
        });
        let used: u64 = outcomes.iter().map(|(used, _)| used).sum();
        let passed: u64 = outcomes.iter().map(|(_, passed)| passed).sum();
        assert!(used <= uses && passed <= rows, "{used} of {uses}, {passed} of {rows}");
        assert_eq!(passed, rows);
        for grant in shop.live.grants() {
            assert!(grant.spent.uses <= uses && grant.spent.rows <= rows);
            assert_eq!(grant.state_text(), "used up");
        }
    }
}

#[test]
fn requests_from_many_sessions_respect_the_limit_and_have_numbers_of_their_own() {
    let shop = Shop::open();
    let results = together(4, |_| {
        (0..10)
            .filter_map(|_| {
                shop.live.request(&ann(), SHOP, &shop.catalogue, ask("customers.email"), &here()).ok()
            })
            .map(|outcome| outcome.request.id)
            .collect::<Vec<_>>()
    });
    let mut ids: Vec<u64> = results.into_iter().flatten().collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=20).collect::<Vec<_>>());
}

#[test]
fn of_the_last_approvers_at_the_same_instant_one_makes_the_grant() {
    for _ in 0..50 {
        let shop = Shop::ruled(|_| panels(&[(&["privacy"], 2, false)]));
        let id = shop.request(&ann(), ask("customers.email"));
        let outcomes = together(4, |i| {
            let by = person(&format!("p{i}"), &["privacy"]);
            shop.live.approve(&by, id, None, &here()).map(|outcome| outcome.grant.is_some()).ok()
        });
        let count = |wanted| outcomes.iter().filter(|outcome| **outcome == wanted).count();
        assert_eq!((count(Some(false)), count(Some(true)), count(None)), (1, 1, 2), "{outcomes:?}");
        assert_eq!((shop.access(&ann()).len(), shop.live.requests()[0].approvals.len()), (1, 2));
    }
}

#[test]
fn of_an_approval_a_withdrawal_and_a_lapse_at_the_same_instant_one_counts() {
    for _ in 0..50 {
        let shop = Shop::open();
        let id = shop.request(&ann(), ask("customers.email"));
        let mut events = shop.live.subscribe();
        shop.clock.advance(24 * 60 * MINUTE - 1);
        let outcomes = together(3, |i| match i {
            0 => shop.live.approve(&petra(), id, None, &here()).is_ok(),
            1 => shop.live.withdraw(&ann(), id, None, &here()).is_ok(),
            _ => {
                shop.clock.advance(1);
                shop.live.tick().unwrap();
                false
            }
        });
        let state = shop.live.requests()[0].state.text();
        let expected = match outcomes[..] {
            [true, false, _] => "approved",
            [false, true, _] => "withdrawn",
            _ => "lapsed",
        };
        assert_eq!(state, expected, "{outcomes:?}");
        let decided = names(&mut events).into_iter().filter(|name| *name == "decided").count();
        assert_eq!(decided, 1);
        assert_eq!(shop.reopened().requests()[0].state.text(), state);
    }
}

#[test]
fn of_reviewers_at_the_same_instant_one_has_the_word_also_while_the_grant_ends() {
    for _ in 0..50 {
        let shop = Shop::ruled(|_| break_glass(&["privacy"]));
        let urgent = Ask { urgency: Some("break-glass".to_owned()), ..ask("customers.email") };
        let id = shop.ask(&ann(), urgent).grant.unwrap().id;
        let outcomes = together(4, |i| match i {
            0 => shop.live.review(&petra(), id, true, "fine", &here()).is_ok(),
            1 => shop.live.review(&paul(), id, false, "no", &here()).is_ok(),
            2 => shop.live.revoke(&petra(), id, None).is_err(),
            _ => {
                shop.live.grants();
                false
            }
        });
        assert_eq!(outcomes.iter().filter(|ok| **ok).count(), 1, "{outcomes:?}");
        for live in [shop.live.clone(), shop.reopened()] {
            let grant = live.grants()[0].clone();
            let verdict = grant.review.as_ref().unwrap().verdict.as_ref().unwrap();
            assert_eq!(verdict.justified, outcomes[0]);
            assert_eq!(grant.state_text(), "revoked");
            assert!(live.unreviewed_for(&petra()).is_empty());
        }
    }
}

#[test]
fn of_a_start_and_a_revocation_at_the_same_instant_nothing_is_left_behind() {
    for _ in 0..50 {
        let shop = Shop::open();
        let id = shop.grant(Ask { starts_at: Some("in 1 h".to_owned()), ..ask("customers.email") });
        shop.clock.advance(60 * MINUTE - 1);
        together(3, |i| match i {
            0 => _ = shop.live.revoke(&petra(), id, None).unwrap(),
            1 => {
                shop.clock.advance(1);
                shop.live.version(&ann());
            }
            _ => assert_eq!(shop.live.grants().len(), 1, "at no moment in no list"),
        });
        shop.clock.advance(1);
        assert!(shop.access(&ann()).is_empty() && !shop.live.is_live(id));
        assert!(access(&shop.reopened(), &ann(), &shop.catalogue).is_empty());
    }
}

#[test]
fn who_is_removed_gets_nothing_from_a_decision_under_way() {
    for _ in 0..50 {
        let shop = Shop::open();
        let id = shop.request(&ann(), ask("customers.email"));
        together(2, |i| match i {
            0 => _ = shop.live.approve(&petra(), id, None, &here()),
            _ => _ = shop.live.end_for(&pgwarrant_grants::Who::User("ann".to_owned()), "left").unwrap(),
        });
        assert!(shop.access(&ann()).is_empty());
        assert!(access(&shop.reopened(), &ann(), &shop.catalogue).is_empty());
    }
}
