//! Grants that begin later.

mod support;

use pgwarrant_catalog::ColumnId;
use pgwarrant_grants::{Ask, Event, Live, Settings};
use support::*;

fn in_an_hour(columns: &str) -> Ask {
    Ask { starts_at: Some("in 1 h".to_owned()), duration: Some("30 min".to_owned()), ..ask(columns) }
}

/// Minutes until the approval, minutes from then, the state of the grant, does it give access.
const LIFE: [(u64, u64, &str, bool); 9] = [
    (0, 0, "scheduled", false),
    (0, 59, "scheduled", false),
    (0, 60, "live", true),
    (0, 89, "live", true),
    (0, 90, "expired", false),
    (0, 600, "expired", false),
    // Who is approved after the wished start has the whole duration nevertheless.
    (75, 0, "live", true),
    (75, 29, "live", true),
    (75, 30, "expired", false),
];

#[test]
fn a_grant_begins_and_ends_on_time_without_any_task() {
    for (until_approval, then, state, gives_access) in LIFE {
        let shop = Shop::open();
        let id = shop.request(&ann(), in_an_hour("customers.email"));
        shop.clock.advance(until_approval * MINUTE);
        let grant = shop.live.approve(&petra(), id, None, &here()).unwrap().grant.unwrap();
        let watch = shop.live.watch(&ann());
        let before = watch.version();
        shop.clock.advance(then * MINUTE);
        assert_eq!(watch.version() != before, grant.state_text() != state, "{then}");
        assert_eq!(shop.find(1).state_text(), state, "{until_approval} {then}");
        assert_eq!(!shop.access(&ann()).is_empty(), gives_access, "{until_approval} {then}");
        assert_eq!(shop.live.is_live(1), gives_access, "{until_approval} {then}");
        assert_eq!(shop.live.use_grants(&[1], 0).is_ok(), gives_access);
        assert_eq!(shop.live.grants().len(), 1);
    }
}

#[test]
fn it_is_the_same_after_a_restart_however_long_the_process_was_down() {
    for (until_approval, then, state, gives_access) in LIFE {
        // All the time up, all the time down, and down after it looked.
        for (up, down) in [(then, 0), (0, then), (then / 2, then - then / 2)] {
            let shop = Shop::open();
            let id = shop.request(&ann(), in_an_hour("customers.email"));
            shop.clock.advance(until_approval * MINUTE);
            shop.live.approve(&petra(), id, None, &here()).unwrap();
            shop.pass(up);
            shop.clock.advance(down * MINUTE);
            let mut live = shop.reopened();
            for _ in 0..2 {
                assert_eq!(live.grants()[0].state_text(), state, "{until_approval} {up} {down}");
                assert_eq!(!access(&live, &ann(), &shop.catalogue).is_empty(), gives_access);
                live = Live::open(shop.store.after_crash(false), shop.clock.clone(), settings()).unwrap();
            }
        }
    }
}

/// Minutes that the process ran, a jump of the wall clock; minutes until it gives access (None: it
/// does), and until that is over.
const JUMPS: [(u64, i64, Option<u64>, u64); 7] = [
    (10, 0, Some(50), 30),
    // Times to come are the calendar's.
    (10, 20, Some(30), 30),
    (10, -10, Some(60), 30),
    (10, 60, None, 20),
    // What was seen to have begun goes on, and no longer than it would have.
    (70, 0, None, 20),
    (70, -70, None, 20),
    (70, -600, None, 20),
];

#[test]
fn a_jump_of_the_wall_clock_matters_at_a_restart_only_and_never_prolongs() {
    for (ran, jump, starts, lasts) in JUMPS {
        let shop = Shop::open();
        let id = shop.grant(in_an_hour("customers.email"));
        shop.pass(ran);
        shop.clock.jump(jump * MINUTE as i64);
        assert_eq!(shop.access(&ann()).is_empty(), ran < 60, "a running process takes no notice");
        let again = shop.reopened();
        let live = |live: &Live| live.is_live(id);
        if let Some(minutes) = starts {
            shop.clock.advance(minutes * MINUTE - 1);
            assert!(!live(&again), "{ran} {jump}");
            shop.clock.advance(1);
        }
        assert!(live(&again), "{ran} {jump}");
        shop.clock.advance(lasts * MINUTE - 1);
        assert!(live(&again), "{ran} {jump}");
        shop.clock.advance(1);
        assert!(!live(&again), "{ran} {jump}");
    }
}

#[test]
fn it_can_be_taken_back_before_it_begins() {
    for released in [false, true] {
        let shop = Shop::open();
        let id = shop.grant(in_an_hour("customers.email"));
        let mut events = shop.live.subscribe();
        let ended = match released {
            true => shop.live.release(&ann(), id),
            false => shop.live.revoke(&petra(), id, Some("not needed")),
        };
        assert_eq!(ended.unwrap().state_text(), if released { "released" } else { "revoked" });
        assert_eq!(names(&mut events), ["ended", "cut off"]);
        assert!(shop.live.revoke(&petra(), id, None).unwrap_err().message.contains("already ended"));
        let again = shop.reopened();
        shop.pass(61);
        for live in [&shop.live, &again] {
            assert!(access(live, &ann(), &shop.catalogue).is_empty() && live.grants().len() == 1);
        }
        assert_eq!(names(&mut events), [""; 0]);
    }
}

#[test]
fn listeners_hear_of_both_moments() {
    let shop = Shop::open();
    let mut events = shop.live.subscribe();
    shop.grant(in_an_hour("customers.email"));
    assert_eq!(names(&mut events), ["requested", "decided", "scheduled"]);
    // All of it at once, as after a night of sleep.
    shop.pass(600);
    assert_eq!(names(&mut events), ["started", "ended", "cut off"]);
}

#[tokio::test]
async fn the_task_begins_what_nobody_looks_at() {
    let shop = Shop::open();
    let mut events = shop.live.subscribe();
    let task = tokio::spawn(shop.live.clone().run_expiry());
    shop.grant(in_an_hour("customers.email"));
    shop.clock.advance(60 * MINUTE);
    while !matches!(events.recv().await.unwrap(), Event::Started { .. }) {}
    task.abort();
}

#[test]
fn the_columns_that_decide_count_before_it_begins() {
    let shop = Shop::open();
    let id = shop.grant(Ask { rows: Some("id = 42".to_owned()), ..in_an_hour("customers.email") });
    let decides =
        || shop.live.access(&bob(), SHOP, &shop.catalogue).deciding.iter().copied().collect::<Vec<_>>();
    let key = ColumnId { relation: CUSTOMERS, attnum: 1 };
    assert_eq!(decides(), [key]);
    shop.pass(60);
    assert_eq!(decides(), [key]);
    shop.pass(30);
    assert_eq!(decides(), []);
    let second = shop.grant(Ask { rows: Some("id = 42".to_owned()), ..in_an_hour("customers.email") });
    assert!(second > id && decides() == [key]);
    shop.live.revoke(&petra(), second, None).unwrap();
    assert_eq!(decides(), []);
}

#[test]
fn it_counts_towards_the_limits() {
    let shop = Shop::with(Settings { max_live_per_holder: 1, ..settings() });
    shop.grant(in_an_hour("customers.email"));
    let second = shop.request(&ann(), ask("customers.ssn"));
    assert_eq!(shop.live.approve(&petra(), second, None, &here()).unwrap_err().sqlstate(), "54000");
}

/// `starts_at` as typed, in a time zone east of UTC by so many hours; the minutes until the start, or
/// the error.
const TEXTS: [(&str, i8, Result<u64, &str>); 12] = [
    ("in 1 h", 0, Ok(60)),
    ("2026-03-01T14:00:00Z", 5, Ok(120)),
    ("2026-03-01 14:00+01", 0, Ok(60)),
    ("2026-03-01 14:00", 0, Ok(120)),
    ("2026-03-01 14:00", 1, Ok(60)),
    (" 2026-03-01T14:00:00 ", 0, Ok(120)),
    ("2026-03-01 11:00", 0, Ok(0)),
    ("2026-03-31 12:00", 0, Ok(30 * 24 * 60)),
    ("2026-03-31 12:01", 0, Err("starts_at '2026-03-31 12:01' is too far ahead")),
    ("in 31 days", 0, Err("starts_at 'in 31 days' is too far ahead")),
    ("tomorrow", 0, Err("starts_at 'tomorrow' is not understood")),
    ("9999-99-99", 0, Err("starts_at '9999-99-99' is not understood")),
];

#[test]
fn a_start_is_read_as_people_write_it() {
    for (text, east, outcome) in TEXTS {
        let time_zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(east));
        let shop = Shop::with(Settings { time_zone, ..settings() });
        let wanted = Ask { starts_at: Some(text.to_owned()), ..ask("customers.email") };
        match (shop.live.request(&ann(), SHOP, &shop.catalogue, wanted, &here()), outcome) {
            (Ok(asked), Ok(minutes)) => {
                let starts = asked.request.starts_at.unwrap_or(START);
                assert_eq!(starts - START, (minutes * MINUTE) as i64, "{text}");
            }
            (Err(error), Err(message)) => assert_eq!(error.message, message),
            (outcome, _) => panic!("{text}: {outcome:?}"),
        }
    }
}

#[test]
fn no_window_goes_past_the_hours_of_a_profile() {
    let until = |minutes: u64| START + (minutes * MINUTE) as i64;
    let within = |minutes: u64| Ask { not_after: Some(until(minutes)), ..ask("customers.email") };
    let shop = Shop::open();
    let id = shop.request(&ann(), within(90));
    shop.pass(45);
    let grant = shop.live.approve(&petra(), id, None, &here()).unwrap().grant.unwrap();
    assert_eq!(grant.until, until(90), "approved late: cut");
    let more = shop.live.extend(&ann(), grant.id, &shop.catalogue, more("10 min"), &here()).unwrap_err();
    assert_eq!(more.message, "grant 1 cannot last longer");
    let lapsing = shop.request(&ann(), within(90));
    shop.pass(45);
    assert!(shop.live.approve(&petra(), lapsing, None, &here()).is_err());
    assert_eq!(shop.live.requests()[0].state.text(), "lapsed");
    let over = shop.live.request(&ann(), SHOP, &shop.catalogue, within(90), &here()).unwrap_err();
    assert_eq!(over.message, "the grant would end before it starts");
    let long = shop.grant(within(200));
    let asked = shop.live.extend(&ann(), long, &shop.catalogue, self::more("10 h"), &here()).unwrap();
    let extended = shop.live.approve(&petra(), asked.request.id, None, &here()).unwrap().grant.unwrap();
    assert_eq!(extended.until, until(200));
}
