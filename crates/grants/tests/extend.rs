//! More time for a grant that is live.

mod support;

use std::sync::Barrier;

use pgwarrant_grants::store::Failure;
use pgwarrant_grants::{Ask, AskMore, Error, Facts, GrantState, Kind, Outcome, Ruling, Who};
use support::*;

fn extend(shop: &Shop, id: u64) -> Result<Outcome, Error> {
    shop.live.extend(&ann(), id, &shop.catalogue, more("30 min"), &here())
}
fn hour() -> Ask {
    Ask { duration: Some("60 min".to_owned()), ..ask("customers.email") }
}
/// First requests are given, extensions asked about.
fn careful(facts: &Facts) -> Ruling {
    if facts.extends.is_some() { panels(&[(&["privacy"], 1, false)]) } else { approve() }
}

#[test]
fn an_approved_extension_prolongs_the_same_grant() {
    let shop = Shop::open();
    let id = shop.grant(hour());
    let held = shop.live.grant(id).unwrap();
    shop.pass(40);
    let mut events = shop.live.subscribe();
    let asked = extend(&shop, id).unwrap().request;
    assert_eq!(
        asked.summary(),
        "request 2 for 30 min more of grant 1 waits for approval until 2026-03-02 12:40:00+00"
    );
    let extended = shop.live.approve(&paul(), asked.id, Some("go on"), &here()).unwrap();
    assert_eq!(extended.request.summary(), "request 2 was approved by paul: more of grant 1");
    assert_eq!(names(&mut events), ["requested", "decided", "extended"]);
    let by: Vec<String> =
        extended.grant.unwrap().approvals.iter().map(|approval| approval.by.clone()).collect();
    assert_eq!(by, ["petra", "paul"], "its history is kept");
    let again = shop.reopened();
    shop.clock.advance(50 * MINUTE - 1);
    assert!(shop.live.is_live(id) && again.is_live(id) && !held.has_ended());
    shop.clock.advance(1);
    assert!(
        !shop.live.is_live(id) && !again.is_live(id) && held.has_ended(),
        "the one that a statement holds too"
    );
    assert_eq!(shop.live.grants().len(), 1);
    let mut events = shop.live.subscribe();
    shop.pass(60);
    assert_eq!(names(&mut events), [""; 0], "it ended once");
}

#[test]
fn an_extension_is_ruled_on_as_such() {
    let shop = Shop::ruled(|facts| if facts.extends == Some(1) { refuse() } else { approve() });
    shop.ask(&ann(), hour());
    assert_eq!(extend(&shop, 1).unwrap_err().detail.as_deref(), Some("no says so."));
    let shop = Shop::ruled(|_| approve());
    shop.ask(&ann(), hour());
    let commits = shop.store.commits();
    assert_eq!(extend(&shop, 1).unwrap().grant.unwrap().until - START, (90 * MINUTE) as i64);
    assert_eq!(shop.store.commits(), commits + 1);
    let shop = Shop::ruled(|_| break_glass(&[]));
    shop.ask(&ann(), Ask { urgency: Some("break-glass".to_owned()), ..hour() });
    assert_eq!(extend(&shop, 1).unwrap_err().kind, Kind::NotAllowed);
    let urgency = Some("break-glass".to_owned());
    let urgent = AskMore { urgency, ..more("30 min") };
    let error = shop.live.extend(&ann(), 1, &shop.catalogue, urgent, &here()).unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
}

#[test]
fn only_what_is_live_and_ones_own_is_extended_and_once_at_a_time() {
    let shop = Shop::ruled(careful);
    shop.ask(&ann(), hour());
    let not_own = |by| shop.live.extend(&by, 1, &shop.catalogue, more("30 min"), &here()).unwrap_err().kind;
    assert_eq!([not_own(bob()), not_own(petra()), not_own(guest())], [Kind::NotAllowed; 3]);
    assert_eq!(extend(&shop, 99).unwrap_err().kind, Kind::NotAllowed);
    extend(&shop, 1).unwrap();
    assert_eq!(extend(&shop, 1).unwrap_err().message, "request 2 asks for more of grant 1 already");
    shop.ask(&ann(), Ask { starts_at: Some("in 1 h".to_owned()), ..hour() });
    assert_eq!(extend(&shop, 2).unwrap_err().message, "grant 2 has not begun yet");
    shop.live.release(&ann(), 1).unwrap();
    assert!(extend(&shop, 1).unwrap_err().message.starts_with("grant 1 has already ended: released by ann"));
    let spent = Ask { max_uses: Some("1".to_owned()), ..hour() };
    let spent = shop.ask(&ann(), spent).grant.unwrap().id;
    shop.live.use_grants(&[spent], 0).unwrap();
    assert_eq!(extend(&shop, spent).unwrap_err().kind, Kind::State, "used up is used up");
}

/// How the grant ends while its extension waits.
#[test]
fn an_extension_of_what_has_ended_lapses() {
    for how in ["revoked", "expired", "released", "used up", "removed"] {
        let shop = Shop::ruled(careful);
        let id = shop.ask(&ann(), Ask { max_uses: Some("1".to_owned()), ..hour() }).grant.unwrap().id;
        let asked = extend(&shop, id).unwrap().request.id;
        match how {
            "revoked" => drop(shop.live.revoke(&petra(), id, None).unwrap()),
            "expired" => shop.clock.advance(60 * MINUTE),
            "released" => drop(shop.live.release(&ann(), id).unwrap()),
            "used up" => shop.live.use_grants(&[id], 0).unwrap(),
            _ => drop(shop.live.end_for(&Who::User("ann".to_owned()), "left").unwrap()),
        }
        let late = shop.live.approve(&petra(), asked, None, &here()).unwrap_err();
        assert_eq!(late.kind, Kind::State, "{how}");
        assert!(shop.access(&ann()).is_empty(), "{how}");
        let state = shop.live.requests()[0].state.text();
        assert_eq!(state, if how == "removed" { "withdrawn" } else { "lapsed" }, "{how}");
        shop.live.tick().unwrap();
        let again = shop.reopened();
        assert!(access(&again, &ann(), &shop.catalogue).is_empty(), "{how}");
        assert_eq!(again.requests()[0].state.text(), state, "{how}");
    }
}

#[test]
fn an_extension_that_the_store_did_not_take_was_not_given() {
    for (failure, survives) in
        [(Failure::BeforeWrite, false), (Failure::BeforeFlush, false), (Failure::BeforeFlush, true)]
    {
        let shop = Shop::ruled(careful);
        let id = shop.ask(&ann(), hour()).grant.unwrap().id;
        let asked = extend(&shop, id).unwrap().request.id;
        shop.store.fail(Some(failure));
        assert_eq!(shop.live.approve(&petra(), asked, None, &here()).unwrap_err().kind, Kind::Store);
        shop.store.fail(None);
        shop.live.tick().unwrap();
        let again =
            pgwarrant_grants::Live::open(shop.store.after_crash(survives), shop.clock.clone(), settings())
                .unwrap();
        shop.clock.advance(60 * MINUTE - 1);
        assert!(shop.live.is_live(id) && again.is_live(id));
        shop.live.approve(&petra(), asked, None, &here()).unwrap();
        shop.clock.advance(1);
        assert!(shop.live.is_live(id), "approved again, it counts");
        assert!(!again.is_live(id), "{failure:?}: what was taken back on disk does not count");
    }
}

#[test]
fn a_grant_that_ends_while_the_store_fails_does_not_come_back_by_its_extension() {
    for failure in [Failure::BeforeWrite, Failure::BeforeFlush] {
        let shop = Shop::ruled(careful);
        let id = shop.ask(&ann(), hour()).grant.unwrap().id;
        let asked = extend(&shop, id).unwrap().request.id;
        shop.store.fail(Some(failure));
        assert!(shop.live.approve(&petra(), asked, None, &here()).is_err());
        assert!(shop.live.revoke(&petra(), id, None).is_err());
        shop.store.fail(None);
        shop.live.tick().unwrap();
        for live in [shop.live.clone(), shop.reopened()] {
            assert!(access(&live, &ann(), &shop.catalogue).is_empty() && !live.is_live(id), "{failure:?}");
        }
    }
}

#[test]
fn of_an_extension_and_an_end_at_the_same_instant_both_tell_the_truth() {
    for round in 0..60 {
        let shop = Shop::ruled(careful);
        let id = shop.ask(&ann(), hour()).grant.unwrap().id;
        let asked = extend(&shop, id).unwrap().request.id;
        shop.clock.advance(60 * MINUTE - 1);
        let barrier = Barrier::new(2);
        let extended = std::thread::scope(|scope| {
            let ending = scope.spawn(|| {
                barrier.wait();
                if round % 2 == 0 {
                    shop.clock.advance(1);
                    shop.live.version(&ann());
                } else {
                    shop.live.revoke(&paul(), id, None).unwrap();
                }
            });
            barrier.wait();
            let extended = shop.live.approve(&petra(), asked, None, &here()).is_ok();
            ending.join().unwrap();
            extended
        });
        let live = shop.live.is_live(id);
        // Revoked after it was extended is possible; live without an extension is not.
        assert_eq!(live, extended && round % 2 == 0, "{round}");
        let state = shop.live.requests()[0].state.text();
        assert_eq!(state == "approved", extended, "{state}");
        shop.live.tick().unwrap();
        let again = shop.reopened();
        assert_eq!(again.is_live(id), live);
        assert_eq!(again.requests()[0].state.text() == "approved", extended);
        assert_eq!(shop.find(id).state == GrantState::Live, live);
    }
}

#[test]
fn endless_extension_meets_a_bound() {
    let shop = Shop::open();
    let id = shop.grant(hour());
    let note = format!("a{}", "\"".repeat(400));
    let refused = (0..50).find_map(|_| {
        let asked = extend(&shop, id).unwrap().request.id;
        shop.live.approve(&petra(), asked, Some(&note), &here()).err()
    });
    assert_eq!(refused.unwrap().message, "grant 1 has been extended too often");
    assert!(serde_json::to_vec(&*shop.find(id)).unwrap().len() < 7 * 1024);
}
