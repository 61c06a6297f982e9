//! A person or a group that is gone, and requests that are taken back.

mod support;

use pgwarrant_grants::store::Failure;
use pgwarrant_grants::{Ask, EndReason, Facts, GrantState, Kind, RequestState, Ruling, Who};
use support::*;

fn two_of_privacy(facts: &Facts) -> Ruling {
    if facts.duration.as_secs() < 3600 { approve() } else { panels(&[(&["privacy"], 2, false)]) }
}
fn short(columns: &str) -> Ask {
    Ask { duration: Some("10 min".to_owned()), ..ask(columns) }
}

#[test]
fn who_is_gone_holds_nothing_and_asks_for_nothing() {
    let shop = Shop::ruled(two_of_privacy);
    let anns = shop.ask(&ann(), short("customers.email")).grant.unwrap().id;
    let later = Ask { starts_at: Some("in 1 h".to_owned()), ..short("customers.ssn") };
    let later = shop.ask(&ann(), later).grant.unwrap().id;
    let bobs = shop.ask(&bob(), short("customers.email")).grant.unwrap().id;
    let groups = shop.ask(&ann(), Ask { group: Some("support".to_owned()), ..short("customers.phone") });
    let groups = groups.grant.unwrap().id;
    let pending = shop.request(&ann(), ask("customers.email"));
    let others = shop.request(&bob(), ask("customers.email"));

    let mut events = shop.live.subscribe();
    let removed = shop.live.end_for(&Who::User("ann".to_owned()), "left the company").unwrap();
    let mut ended: Vec<u64> = removed.grants.iter().map(|grant| grant.id).collect();
    ended.sort_unstable();
    assert_eq!(ended, [anns, later]);
    assert_eq!(removed.requests.iter().map(|request| request.id).collect::<Vec<_>>(), [pending]);
    assert_eq!(names(&mut events), ["ended", "cut off", "ended", "cut off", "decided"]);
    for live in [shop.live.clone(), shop.reopened()] {
        assert_eq!(access(&live, &ann(), &shop.catalogue), [groups], "the group still has its own");
        assert_eq!(access(&live, &bob(), &shop.catalogue), [bobs, groups]);
        let grant = live.find(anns).unwrap();
        assert!(matches!(&grant.state, GrantState::Ended(end) if end.why == EndReason::Removed));
        let state = |id| live.requests().iter().find(|request| request.id == id).unwrap().state;
        assert_eq!((state(pending), state(others)), (RequestState::Withdrawn, RequestState::Pending));
    }
    assert_eq!(shop.live.end_for(&Who::User("ann".to_owned()), "again").unwrap(), Default::default());
}

#[test]
fn a_group_that_is_gone_gives_nothing() {
    let shop = Shop::ruled(two_of_privacy);
    let own = shop.ask(&ann(), short("customers.email")).grant.unwrap().id;
    shop.ask(&ann(), Ask { group: Some("support".to_owned()), ..short("customers.phone") });
    shop.request(&bob(), Ask { group: Some("support".to_owned()), ..ask("customers.phone") });
    let removed = shop.live.end_for(&Who::Group("support".to_owned()), "dissolved").unwrap();
    assert_eq!((removed.grants.len(), removed.requests.len()), (1, 1));
    assert_eq!(shop.access(&ann()), [own]);
    assert!(shop.access(&bob()).is_empty());
}

#[test]
fn an_approval_of_who_is_gone_does_not_count() {
    let shop = Shop::ruled(two_of_privacy);
    let id = shop.request(&ann(), ask("customers.email"));
    shop.live.approve(&paul(), id, None, &here()).unwrap();
    shop.live.end_for(&Who::User("paul".to_owned()), "his password was stolen").unwrap();
    assert!(shop.live.approve(&person("peter", &["privacy"]), id, None, &here()).unwrap().grant.is_none());
    assert_eq!(shop.reopened().requests()[0].approvals.len(), 1);
    assert!(shop.live.approve(&person("piet", &["privacy"]), id, None, &here()).unwrap().grant.is_some());
}

#[test]
fn a_removal_bites_even_if_the_store_fails() {
    let shop = Shop::ruled(two_of_privacy);
    shop.ask(&ann(), short("customers.email"));
    shop.request(&ann(), ask("customers.email"));
    shop.store.fail(Some(Failure::BeforeWrite));
    let who = Who::User("ann".to_owned());
    assert_eq!(shop.live.end_for(&who, "left").unwrap_err().kind, Kind::Store);
    assert!(shop.access(&ann()).is_empty());
    shop.store.fail(None);
    shop.live.tick().unwrap();
    assert!(access(&shop.reopened(), &ann(), &shop.catalogue).is_empty());
    assert_eq!(shop.live.end_for(&who, "left").unwrap().requests.len(), 1, "called again it does the rest");
}

#[test]
fn who_asked_takes_it_back_and_nobody_else_does() {
    let shop = Shop::open();
    let id = shop.request(&ann(), ask("customers.email"));
    let denied = |by| shop.live.withdraw(&by, id, None, &here()).unwrap_err();
    assert_eq!(denied(bob()).kind, Kind::NotAllowed);
    assert_eq!(denied(petra()), {
        let unknown = shop.live.withdraw(&petra(), 99, None, &here()).unwrap_err();
        pgwarrant_grants::Error { message: unknown.message.replace("99", "1"), ..unknown }
    });
    let second = person("ann2", &[]).of_person("ann");
    let withdrawn = shop.live.withdraw(&second, id, Some("a mistake"), &here()).unwrap();
    assert_eq!(withdrawn.summary(), "request 1 was withdrawn by ann2");
    assert_eq!(shop.reopened().requests()[0].state, RequestState::Withdrawn);
    assert_eq!(shop.live.withdraw(&ann(), id, None, &here()).unwrap_err().kind, Kind::State);
}

#[test]
fn what_a_lost_group_gave_ends_at_the_next_sign_in() {
    let by_group = |facts: &Facts| match facts.by.groups.iter().any(|group| group == "support") {
        true if facts.duration.as_secs() < 3600 => approve(),
        true => panels(&[(&["privacy"], 2, false)]),
        false => refuse(),
    };
    let shop = Shop::ruled(by_group);
    let both = person("ann", &["support", "visitors"]);
    let grant = shop.ask(&both, short("customers.email")).grant.unwrap().id;
    let pending = shop.request(&both, ask("customers.email"));
    let bobs = shop.ask(&bob(), short("customers.email")).grant.unwrap().id;

    for (groups, lost) in [
        (&["support", "visitors"][..], false),
        (&["support"], false),
        (&["support", "privacy"], false),
        (&["visitors"], true),
    ] {
        let removed = shop.live.end_lost(&person("ann", groups), "lost a group").unwrap();
        let ended: Vec<u64> = removed.grants.iter().map(|grant| grant.id).collect();
        let withdrawn: Vec<u64> = removed.requests.iter().map(|request| request.id).collect();
        assert_eq!((ended, withdrawn), if lost { (vec![grant], vec![pending]) } else { Default::default() });
    }
    assert!(access(&shop.reopened(), &both, &shop.catalogue).is_empty());
    assert_eq!(shop.access(&bob()), [bobs], "another's stays");
}

#[test]
fn an_account_that_belongs_to_somebody_else_now_has_nothing_of_the_one_before() {
    let shop = Shop::ruled(|_| approve());
    let before = ann().of_person("login#1");
    shop.ask(&before, short("customers.email"));
    assert_eq!(shop.live.end_lost(&before, "the same").unwrap(), Default::default());
    let removed = shop.live.end_lost(&ann().of_person("login#2"), "another person").unwrap();
    assert_eq!(removed.grants.len(), 1);
    assert!(shop.access(&before).is_empty());
}
