//! The life of a request and its grant: what may happen in which state, and what comes of it.

mod support;

use pgwarrant_grants::{Error, Event, Live, Settings};
use support::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Approve,
    Deny,
    Withdraw,
    Revoke,
    Release,
    /// One statement under the grant.
    Use,
    Rows(u64),
    /// Minutes pass.
    Pass(u64),
}
use Step::*;

fn run(shop: &Shop, step: Step) -> Result<(), Error> {
    let live: &Live = &shop.live;
    match step {
        Approve => live.approve(&petra(), 1, None, &here()).map(drop),
        Deny => live.deny(&petra(), 1, Some("no"), &here()).map(drop),
        Withdraw => live.deny(&ann(), 1, None, &here()).map(drop),
        Revoke => live.revoke(&petra(), 1, None).map(drop),
        Release => live.release(&ann(), 1).map(drop),
        Use => live.use_grants(&[1], 0).map_err(|ended| ended.to_error()),
        Rows(rows) => live.spend_rows(&[1], rows).map_err(|ended| ended.to_error()),
        Pass(minutes) => {
            shop.clock.advance(minutes * MINUTE);
            live.tick()
        }
    }
}

/// Steps after `request(duration => '30 min', max_uses => 2, max_rows => 10)`; the last one's
/// error, or ""; then request state, grant state ("" for none), may rows pass, does it give access.
type Case = (&'static [Step], &'static str, &'static str, &'static str, bool, bool);

const LIFE: &[Case] = &[
    (&[], "", "pending", "", false, false),
    (&[Approve], "", "approved", "live", true, true),
    (&[Deny], "", "denied", "", false, false),
    (&[Withdraw], "", "withdrawn", "", false, false),
    (&[Pass(24 * 60 - 1)], "", "pending", "", false, false),
    (&[Pass(24 * 60)], "", "lapsed", "", false, false),
    (
        &[Pass(24 * 60), Approve],
        "request 1 has already been decided: lapsed at 2026-03-02 12:00:00+00",
        "lapsed",
        "",
        false,
        false,
    ),
    (
        &[Deny, Approve],
        "request 1 has already been decided: denied by petra at 2026-03-01 12:00:00+00",
        "denied",
        "",
        false,
        false,
    ),
    (
        &[Withdraw, Approve],
        "request 1 has already been decided: withdrawn by ann at 2026-03-01 12:00:00+00",
        "withdrawn",
        "",
        false,
        false,
    ),
    (
        &[Approve, Approve],
        "request 1 has already been decided: approved by petra at 2026-03-01 12:00:00+00",
        "approved",
        "live",
        true,
        true,
    ),
    (
        &[Approve, Deny],
        "request 1 has already been decided: approved by petra at 2026-03-01 12:00:00+00",
        "approved",
        "live",
        true,
        true,
    ),
    (
        &[Approve, Withdraw],
        "request 1 has already been decided: approved by petra at 2026-03-01 12:00:00+00",
        "approved",
        "live",
        true,
        true,
    ),
    (&[Approve, Pass(29)], "", "approved", "live", true, true),
    (&[Approve, Pass(30)], "", "approved", "expired", false, false),
    (&[Approve, Revoke], "", "approved", "revoked", false, false),
    (&[Approve, Release], "", "approved", "released", false, false),
    (
        &[Approve, Revoke, Revoke],
        "grant 1 has already ended: revoked by petra at 2026-03-01 12:00:00+00",
        "approved",
        "revoked",
        false,
        false,
    ),
    (
        &[Approve, Release, Revoke],
        "grant 1 has already ended: released by ann at 2026-03-01 12:00:00+00",
        "approved",
        "released",
        false,
        false,
    ),
    (
        &[Approve, Pass(31), Release],
        "grant 1 has already ended: expired at 2026-03-01 12:30:00+00",
        "approved",
        "expired",
        false,
        false,
    ),
    (&[Revoke], "grant 1 does not exist", "pending", "", false, false),
    (&[Release], "user \"ann\" may not release grant 1", "pending", "", false, false),
    (&[Approve, Use], "", "approved", "live", true, true),
    // Whoever takes the last use may finish, until the window closes; nobody else begins.
    (&[Approve, Use, Use], "", "approved", "used up", true, false),
    (&[Approve, Use, Use, Rows(5)], "", "approved", "used up", true, false),
    (
        &[Approve, Use, Use, Use],
        "grant 1 has ended: used up at 2026-03-01 12:00:00+00",
        "approved",
        "used up",
        true,
        false,
    ),
    (&[Approve, Use, Use, Pass(30)], "", "approved", "used up", false, false),
    (&[Approve, Use, Use, Revoke], "", "approved", "revoked", false, false),
    (&[Approve, Use, Rows(10)], "", "approved", "used up", true, false),
    (&[Approve, Use, Rows(11)], "grant 1 has ended: used up", "approved", "used up", false, false),
    (&[Approve, Use, Rows(10), Rows(1)], "grant 1 has ended: used up", "approved", "used up", false, false),
    (&[Approve, Rows(u64::MAX)], "grant 1 has ended: used up", "approved", "used up", false, false),
    (
        &[Approve, Revoke, Use],
        "grant 1 has ended: revoked by petra at 2026-03-01 12:00:00+00",
        "approved",
        "revoked",
        false,
        false,
    ),
    (
        &[Approve, Pass(30), Rows(1)],
        "grant 1 has ended: expired at 2026-03-01 12:30:00+00",
        "approved",
        "expired",
        false,
        false,
    ),
];

#[test]
fn every_step_in_every_state_has_one_outcome() {
    for (steps, error, request, grant, rows_pass, gives_access) in LIFE {
        let shop = Shop::open();
        let mut wanted = ask("customers.email");
        wanted.duration = Some("30 min".to_owned());
        wanted.max_uses = Some("2".to_owned());
        wanted.max_rows = Some("10".to_owned());
        assert_eq!(shop.request(&ann(), wanted), 1);
        let mut last = Ok(());
        for step in *steps {
            assert_eq!(last, Ok(()), "{steps:?}: only the last step may fail");
            last = run(&shop, *step);
        }
        let message = last.err().map(|error| error.message).unwrap_or_default();
        assert_eq!(message, *error, "{steps:?}");
        assert_eq!(shop.live.requests()[0].state.text(), *request, "{steps:?}");
        let grants = shop.live.grants();
        assert_eq!(grants.first().map_or("", |grant| grant.state_text()), *grant, "{steps:?}");
        assert_eq!(shop.live.is_live(1), *rows_pass, "{steps:?}");
        assert_eq!(!shop.access(&ann()).is_empty(), *gives_access, "{steps:?}");
        assert!(shop.access(&bob()).is_empty(), "{steps:?}: nobody else gains");
    }
}

#[test]
fn an_outcome_is_the_same_after_a_restart() {
    for (steps, _, request, grant, _, gives_access) in LIFE {
        let shop = Shop::open();
        let mut wanted = ask("customers.email");
        wanted.duration = Some("30 min".to_owned());
        wanted.max_uses = Some("2".to_owned());
        wanted.max_rows = Some("10".to_owned());
        shop.request(&ann(), wanted);
        for step in *steps {
            _ = run(&shop, *step);
        }
        let before = shop.live.requests();
        shop.live.close().unwrap();
        let again = Live::open(shop.store.after_crash(false), shop.clock.clone(), settings()).unwrap();
        assert_eq!(again.requests(), before, "{steps:?}");
        assert_eq!(again.requests()[0].state.text(), *request, "{steps:?}");
        assert_eq!(again.grants().first().map_or("", |grant| grant.state_text()), *grant, "{steps:?}");
        assert_eq!(!access(&again, &ann(), &shop.catalogue).is_empty(), *gives_access, "{steps:?}");
        assert_eq!(again.is_live(1), *gives_access, "{steps:?}: no statement is under way after a restart");
    }
}

#[test]
fn listeners_hear_of_everything_in_order() {
    let shop = Shop::open();
    let mut events = shop.live.subscribe();
    let mut wanted = ask("customers.email");
    wanted.max_uses = Some("1".to_owned());
    shop.grant(wanted);
    assert_eq!(names(&mut events), ["requested", "decided", "started"]);
    shop.live.use_grants(&[1], 0).unwrap();
    assert_eq!(names(&mut events), ["ended"]);
    shop.clock.advance(60 * MINUTE);
    shop.live.tick().unwrap();
    assert_eq!(names(&mut events), ["cut off"]);
    let second = shop.grant(ask("customers.email"));
    shop.live.revoke(&petra(), second, None).unwrap();
    assert_eq!(names(&mut events), ["requested", "decided", "started", "ended", "cut off"]);
}

#[tokio::test]
async fn the_task_ends_grants_that_nobody_looks_at() {
    let shop = Shop::open();
    let mut events = shop.live.subscribe();
    let task = tokio::spawn(shop.live.clone().run_expiry());
    let id = shop.grant(ask("customers.email"));
    let live = shop.live.grant(id).unwrap();
    assert!(!live.has_ended());
    shop.clock.advance(60 * MINUTE);
    while !matches!(events.recv().await.unwrap(), Event::CutOff { .. }) {}
    assert!(live.has_ended());
    task.abort();
}

#[test]
fn a_version_moves_exactly_with_the_set_of_live_grants() {
    let shop = Shop::open();
    let watch = shop.live.watch(&ann());
    let (anns, bobs) = (shop.live.version(&ann()), shop.live.version(&bob()));
    let request = shop.request(&ann(), ask("customers.email"));
    assert_eq!(shop.live.version(&ann()), anns, "a request gives nothing");
    shop.live.approve(&petra(), request, None, &here()).unwrap();
    let with = shop.live.version(&ann());
    assert_ne!(with, anns);
    assert_eq!((shop.live.version(&ann()), watch.version()), (with, with));
    assert_eq!(shop.live.version(&bob()), bobs, "others are left alone");
    shop.clock.advance(60 * MINUTE);
    assert_ne!(watch.version(), with, "expiry is seen on time without any task");
    assert_eq!(shop.live.version(&ann()), watch.version());
    assert_eq!(shop.live.version(&bob()), bobs);
}

#[test]
fn a_session_hears_of_changes_however_many_users_come_and_go() {
    let shop = Shop::open();
    let watch = shop.live.watch(&ann());
    for i in 0..70_000 {
        shop.live.version(&person(&format!("user{i}"), &[]));
    }
    let before = watch.version();
    shop.grant(ask("customers.email"));
    assert_ne!(watch.version(), before);
}

#[test]
fn a_groups_grant_reaches_its_members_and_nobody_else() {
    let shop = Shop::open();
    let bobs = shop.live.version(&bob());
    let mut wanted = ask("customers.email");
    wanted.group = Some("support".to_owned());
    let request = shop.request(&ann(), wanted);
    let id = shop.live.approve(&paul(), request, None, &here()).unwrap().grant.unwrap().id;
    assert_eq!(shop.access(&ann()), [id]);
    assert_eq!(shop.access(&bob()), [id]);
    assert_ne!(shop.live.version(&bob()), bobs);
    assert!(shop.access(&paul()).is_empty() && shop.access(&guest()).is_empty());
    assert!(shop.access(&person("ann", &["visitors"])).is_empty(), "no member any more");
    assert!(shop.live.release(&bob(), id).is_err(), "who did not ask does not end it for the others");
    shop.live.release(&ann(), id).unwrap();
    assert!(shop.access(&bob()).is_empty());
}

#[test]
fn access_is_shared_where_it_is_the_same_and_told_apart_where_not() {
    let shop = Shop::open();
    let nothing = shop.live.access(&ann(), SHOP, &shop.catalogue);
    assert_eq!(nothing.version, shop.live.access(&guest(), SHOP, &shop.catalogue).version);
    shop.grant(ask("customers.email"));
    let first = shop.live.access(&ann(), SHOP, &shop.catalogue);
    assert_ne!(first.version, nothing.version);
    assert!(std::sync::Arc::ptr_eq(&first, &shop.live.access(&ann(), SHOP, &shop.catalogue)));
    assert!(shop.live.access(&ann(), "other", &shop.catalogue).scopes.is_empty(), "one database's grant");
    let mut renewed = shop.catalogue.clone();
    renewed.version = 2;
    assert_ne!(shop.live.access(&ann(), SHOP, &renewed).version, first.version);
}

#[test]
fn limits_on_numbers_hold_and_say_so() {
    let shop = Shop::with(Settings {
        max_pending_per_user: 2,
        max_live_per_holder: 1,
        max_pending: 3,
        ..settings()
    });
    let refused = |result: Result<_, Error>| {
        let error = result.map(drop).unwrap_err();
        assert_eq!(error.sqlstate(), "54000");
        assert!(error.hint.is_some());
        error.message
    };
    let request = |by: &_| shop.live.request(by, SHOP, &shop.catalogue, ask("customers.email"), &here());
    let (first, second) = (request(&ann()).unwrap().request.id, request(&ann()).unwrap().request.id);
    assert_eq!(refused(request(&ann())), "user \"ann\" has too many pending requests");
    request(&bob()).unwrap();
    assert_eq!(refused(request(&petra())), "too many requests are pending");
    let grant = shop.live.approve(&petra(), first, None, &here()).unwrap().grant.unwrap();
    let error = shop.live.approve(&petra(), second, None, &here()).unwrap_err();
    assert_eq!((error.message.as_str(), error.sqlstate()), ("ann has too many live grants", "54000"));
    shop.live.revoke(&petra(), grant.id, None).unwrap();
    shop.live.approve(&petra(), second, None, &here()).unwrap();
}

#[test]
fn listings_show_people_what_concerns_them() {
    let shop = Shop::open();
    shop.grant(ask("customers.email"));
    shop.request(&bob(), ask("customers.phone"));
    let seen = |who| (shop.live.grants_for(&who).len(), shop.live.requests_for(&who).len());
    assert_eq!([seen(ann()), seen(bob()), seen(petra()), seen(guest())], [(1, 1), (0, 1), (1, 2), (0, 0)]);
}
