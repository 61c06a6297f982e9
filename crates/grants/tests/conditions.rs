//! Nothing that depends on an outside condition is live before the condition has allowed it, at the
//! moment that counts.

mod support;

use std::sync::Arc;

use pgwarrant_grants::store::Failure;
use pgwarrant_grants::{
    Answer, Ask, Ceiling, Event, Kind, Live, Outcome, Principal, Request, RequestState, Ruling, Said,
    Settings, Who,
};
use support::*;

/// The ruling, on conditions.
fn on(names: &[&str], ruling: Ruling) -> Ruling {
    let conditions = Ceiling { max_duration: None, conditions: texts(names) };
    match ruling {
        Ruling::Approve { why, .. } => Ruling::Approve { why, limits: conditions },
        Ruling::BreakGlass { why, reviewers, .. } => {
            Ruling::BreakGlass { why, limits: conditions, reviewers }
        }
        Ruling::Ask { why, panels, lapses_after, escalation, .. } => {
            Ruling::Ask { why, limits: conditions, panels, lapses_after, escalation }
        }
        refusal @ Ruling::Refuse { .. } => refusal,
    }
}

fn answer(name: &str, said: Said, reason: Option<&str>) -> Answer {
    Answer::new(name, START, said, reason).expect("an answer")
}

/// Answers what is due of a request with the same for each of its conditions.
fn say(live: &Live, id: u64, said: Said, reason: Option<&str>) -> Option<Outcome> {
    let due = live.checks_due().into_iter().find(|request| request.id == id).expect("it is due");
    let conditions = due.conditions.as_ref().expect("it has conditions");
    let answers: Vec<Answer> = conditions.names.iter().map(|name| answer(name, said, reason)).collect();
    live.answer_conditions(id, conditions.round, &answers).expect("stored")
}

fn find(live: &Live, id: u64) -> Arc<Request> {
    live.requests().into_iter().find(|request| request.id == id).expect("it is known")
}

fn privacy() -> Ruling {
    panels(&[(&["privacy"], 1, false)])
}

#[test]
fn what_a_rule_approves_waits_for_its_condition() {
    let shop = Shop::ruled(|_| on(&["ticket"], approve()));
    let mut events = shop.live.subscribe();
    let outcome = shop.ask(&ann(), ask("customers.email"));
    assert!(outcome.grant.is_none() && shop.access(&ann()).is_empty());
    assert_eq!(
        outcome.request.summary(),
        "request 1 for public.customers.email (1 h) waits for condition ticket until 2026-03-02 12:00:00+00"
    );
    assert_eq!(outcome.request.missing().as_deref(), Some("condition ticket"));
    let given = say(&shop.live, 1, Said::Allows, Some("it is open")).expect("it was pending");
    let grant = given.grant.expect("live");
    assert_eq!(shop.access(&ann()), [grant.id]);
    assert_eq!(find(&shop.live, 1).summary(), "request 1 was approved by rule: grant 1");
    assert_eq!(names(&mut events), ["requested", "checked", "decided", "started"]);
    let kept = find(&shop.reopened(), 1).conditions.clone().expect("conditions");
    assert_eq!(kept.answers, [answer("ticket", Said::Allows, Some("it is open"))]);
}

#[test]
fn the_time_counts_from_the_answer() {
    let shop = Shop::ruled(|_| on(&["ticket"], approve()));
    let id = shop.request(&ann(), Ask { duration: Some("10 min".to_owned()), ..ask("customers.email") });
    shop.pass(30);
    let grant = say(&shop.live, id, Said::Allows, None).and_then(|outcome| outcome.grant).expect("live");
    assert_eq!(grant.until, START + 40 * MINUTE as i64);
}

#[test]
fn a_no_and_no_answer_deny_what_nobody_else_decides() {
    for (said, reason, told) in [
        (
            Said::Denies,
            Some("the ticket is closed"),
            "request 1 was denied by condition ticket: the ticket is closed",
        ),
        (Said::Denies, None, "request 1 was denied by condition ticket"),
        (
            Said::Nothing,
            Some("it did not answer in time"),
            "request 1 was denied by condition ticket: it did not answer in time",
        ),
    ] {
        for ruling in [approve(), break_glass(&["privacy"])] {
            let shop = Shop::ruled(move |_| on(&["ticket"], ruling.clone()));
            let wanted = Ask { urgency: Some("break-glass".to_owned()), ..ask("customers.email") };
            let id = shop.request(&ann(), wanted);
            let outcome = say(&shop.live, id, said, reason).expect("it was pending");
            assert!(outcome.grant.is_none() && shop.access(&ann()).is_empty());
            assert_eq!(find(&shop.live, id).summary(), told);
            assert!(shop.live.checks_due().is_empty());
            assert_eq!(find(&shop.reopened(), id).state, RequestState::Denied);
        }
    }
}

#[test]
fn nobody_can_approve_what_waits_for_a_condition_alone_and_whoever_may_can_deny_it() {
    let shop = Shop::ruled(|_| on(&["ticket"], approve()));
    let id = shop.request(&ann(), ask("customers.email"));
    assert!(!shop.live.may_decide(&petra(), &find(&shop.live, id)));
    let error = shop.live.approve(&petra(), id, None, &here()).unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (Kind::State, "request 1 waits for condition ticket, not for approval")
    );
    assert!(shop.access(&ann()).is_empty());
    let round = find(&shop.live, id).conditions.as_ref().map_or(0, |conditions| conditions.round);
    shop.live.deny(&petra(), id, None, &here()).expect("denied");
    let late = shop.live.answer_conditions(id, round, &[answer("ticket", Said::Allows, None)]);
    assert!(late.expect("no error").is_none());
    assert!(shop.access(&ann()).is_empty());
}

#[test]
fn all_conditions_must_allow() {
    for (answers, told) in [
        (vec![answer("quota", Said::Allows, None), answer("ticket", Said::Allows, None)], None),
        (vec![answer("ticket", Said::Allows, None)], Some("condition quota")),
        (vec![], Some("conditions quota and ticket")),
        (
            vec![answer("ticket", Said::Allows, None), answer("other", Said::Allows, None)],
            Some("condition quota"),
        ),
        (
            vec![answer("quota", Said::Denies, None), answer("ticket", Said::Nothing, None)],
            Some("condition quota"),
        ),
        (
            vec![
                answer("quota", Said::Denies, Some("3 already")),
                answer("ticket", Said::Denies, Some("closed")),
            ],
            Some("conditions quota and ticket: quota: 3 already; ticket: closed"),
        ),
    ] {
        let shop = Shop::ruled(|_| on(&["quota", "ticket"], approve()));
        let id = shop.request(&ann(), ask("customers.email"));
        let outcome = shop.live.answer_conditions(id, 1, &answers).expect("stored").expect("pending");
        assert_eq!(outcome.grant.is_none(), told.is_some(), "{answers:?}");
        if let Some(told) = told {
            assert_eq!(find(&shop.live, id).summary(), format!("request 1 was denied by {told}"));
        }
    }
}

#[test]
fn what_people_approve_is_asked_before_and_after_them() {
    let shop = Shop::ruled(|_| on(&["ticket"], privacy()));
    let mut events = shop.live.subscribe();
    let id = shop.request(&ann(), ask("customers.email"));
    assert_eq!(find(&shop.live, id).missing().as_deref(), Some("group privacy, and then condition ticket"));
    say(&shop.live, id, Said::Allows, None);
    assert!(shop.live.checks_due().is_empty() && shop.live.may_decide(&petra(), &find(&shop.live, id)));
    let outcome = shop.live.approve(&petra(), id, Some("fine"), &here()).expect("approved");
    assert!(outcome.grant.is_none() && shop.access(&ann()).is_empty());
    assert_eq!(outcome.request.missing().as_deref(), Some("condition ticket"));
    let grant = say(&shop.live, id, Said::Allows, None).and_then(|outcome| outcome.grant).expect("live");
    assert_eq!(shop.access(&ann()), [grant.id]);
    assert_eq!(grant.approvals[0].by, "petra");
    assert_eq!(find(&shop.live, id).summary(), "request 1 was approved by petra: grant 1");
    let told = ["requested", "checked", "partly approved", "checked", "decided", "started"];
    assert_eq!(names(&mut events), told);
}

#[test]
fn the_first_no_ends_it_and_the_first_silence_does_not() {
    let shop = Shop::ruled(|_| on(&["ticket"], privacy()));
    let id = shop.request(&ann(), ask("customers.email"));
    say(&shop.live, id, Said::Denies, Some("closed"));
    assert_eq!(find(&shop.live, id).state, RequestState::Denied);

    let id = shop.request(&ann(), ask("customers.phone"));
    say(&shop.live, id, Said::Nothing, Some("it could not be reached"));
    assert_eq!(find(&shop.live, id).state, RequestState::Pending);
    shop.live.approve(&petra(), id, None, &here()).expect("approved");
    say(&shop.live, id, Said::Nothing, None);
    assert_eq!(find(&shop.live, id).state, RequestState::Denied);
    assert!(shop.access(&ann()).is_empty());
}

#[test]
fn a_no_after_a_person_approved_counts() {
    let shop = Shop::ruled(|_| on(&["ticket"], privacy()));
    let id = shop.request(&ann(), ask("customers.email"));
    say(&shop.live, id, Said::Allows, None);
    shop.live.approve(&petra(), id, None, &here()).expect("approved");
    say(&shop.live, id, Said::Denies, Some("closed meanwhile"));
    assert_eq!(find(&shop.live, id).summary(), "request 1 was denied by condition ticket: closed meanwhile");
    assert!(shop.access(&ann()).is_empty());
}

#[test]
fn an_answer_to_what_was_asked_before_the_approval_does_not_decide() {
    let shop = Shop::ruled(|_| on(&["ticket"], privacy()));
    let id = shop.request(&ann(), ask("customers.email"));
    let allows = [answer("ticket", Said::Allows, None)];
    // The first question is under way when the approval comes.
    shop.live.approve(&petra(), id, None, &here()).expect("approved");
    assert!(shop.live.answer_conditions(id, 1, &allows).expect("no error").is_none());
    assert!(shop.access(&ann()).is_empty());
    assert!(shop.live.answer_conditions(id, 2, &allows).expect("no error").is_some());
    assert_eq!(shop.access(&ann()), [1]);
}

#[test]
fn an_approver_who_is_removed_meanwhile_does_not_count() {
    let shop = Shop::ruled(|_| on(&["ticket"], privacy()));
    let id = shop.request(&ann(), ask("customers.email"));
    shop.live.approve(&petra(), id, None, &here()).expect("approved");
    shop.live.end_for(&Who::User("petra".to_owned()), "left").expect("ended");
    let allows = [answer("ticket", Said::Allows, None)];
    assert!(shop.live.answer_conditions(id, 2, &allows).expect("no error").is_none());
    assert!(shop.access(&ann()).is_empty() && shop.live.checks_due().is_empty());
    shop.live.approve(&paul(), id, None, &here()).expect("approved");
    say(&shop.live, id, Said::Allows, None);
    assert_eq!(shop.access(&ann()), [1]);
}

#[test]
fn what_was_to_be_asked_is_asked_again_after_a_restart() {
    let shop = Shop::ruled(|_| on(&["ticket"], approve()));
    let id = shop.request(&ann(), ask("customers.email"));
    let live = shop.reopened();
    assert!(access(&live, &ann(), &shop.catalogue).is_empty());
    assert_eq!(live.checks_due().len(), 1);
    say(&live, id, Said::Allows, None);
    assert_eq!(access(&live, &ann(), &shop.catalogue), [1]);
}

#[test]
fn what_cannot_be_stored_is_not_given_and_still_due() {
    let shop = Shop::ruled(|_| on(&["ticket"], approve()));
    let id = shop.request(&ann(), ask("customers.email"));
    let allows = [answer("ticket", Said::Allows, None)];
    shop.store.fail(Some(Failure::BeforeWrite));
    let error = shop.live.answer_conditions(id, 1, &allows).unwrap_err();
    assert_eq!(error.kind, Kind::Store);
    assert!(shop.access(&ann()).is_empty());
    shop.store.fail(None);
    assert_eq!(shop.live.checks_due().len(), 1);
    assert!(say(&shop.live, id, Said::Allows, None).is_some_and(|outcome| outcome.grant.is_some()));
}

#[test]
fn what_there_is_no_room_for_is_denied_and_not_asked_for_ever() {
    let settings = Settings { max_live_per_holder: 1, ..settings() };
    let shop = Shop::ruled_with(settings, |_| on(&["ticket"], approve()));
    for id in [1, 2] {
        assert_eq!(shop.request(&ann(), ask("customers.email")), id);
    }
    say(&shop.live, 1, Said::Allows, None);
    let outcome = say(&shop.live, 2, Said::Allows, None).expect("it was pending");
    assert!(outcome.grant.is_none());
    assert_eq!(
        outcome.request.decision.as_ref().and_then(|it| it.reason.as_deref()),
        Some("ann has too many live grants")
    );
    assert!(shop.live.checks_due().is_empty());
}

#[test]
fn break_glass_is_reviewed_all_the_same() {
    let shop = Shop::ruled(|_| on(&["ticket"], break_glass(&["privacy"])));
    let mut events = shop.live.subscribe();
    let id = shop.request(&ann(), Ask { urgency: Some("break-glass".to_owned()), ..ask("customers.email") });
    let grant = say(&shop.live, id, Said::Allows, None).and_then(|outcome| outcome.grant).expect("live");
    assert!(grant.is_unreviewed());
    assert_eq!(names(&mut events), ["requested", "checked", "decided", "break-glass", "started"]);
}

#[test]
fn more_of_a_grant_waits_too() {
    let shop = Shop::ruled(|facts| match facts.extends {
        None => approve(),
        Some(_) => on(&["ticket"], approve()),
    });
    let grant = shop.ask(&ann(), ask("customers.email")).grant.expect("live");
    let outcome =
        shop.live.extend(&ann(), grant.id, &shop.catalogue, more("30 min"), &here()).expect("asked");
    assert_eq!(shop.find(grant.id).until, grant.until);
    say(&shop.live, outcome.request.id, Said::Allows, None);
    assert_eq!(shop.find(grant.id).until, grant.until + 30 * MINUTE as i64);
}

#[test]
fn reasons_are_bounded_and_plain() {
    let long = "x".repeat(1_000);
    let kept = answer("ticket", Said::Denies, Some(&long)).reason.expect("a reason");
    assert_eq!(kept.len(), 200);
    assert_eq!(answer("ticket", Said::Denies, Some("a\n  b")).reason.as_deref(), Some("a b"));
    assert!(Answer::new("ticket", START, Said::Allows, Some("\u{1b}[2J")).is_err());
    assert!(Answer::new("ticket", START, Said::Allows, Some("\u{202e}nepo")).is_err());

    // The largest answers that there are leave a record that can be kept.
    let names: Vec<String> = (0..4).map(|n| format!("{n}{}", "n".repeat(62))).collect();
    let ruled = names.clone();
    let shop = Shop::ruled(move |_| {
        let names: Vec<&str> = ruled.iter().map(String::as_str).collect();
        on(&names, privacy())
    });
    let id = shop.request(&ann(), ask("customers.email"));
    shop.live.approve(&petra(), id, Some(&"y".repeat(500)), &here()).expect("approved");
    let quotes = "\"".repeat(200);
    let answers: Vec<Answer> = names.iter().map(|name| answer(name, Said::Allows, Some(&quotes))).collect();
    assert!(shop.live.answer_conditions(id, 2, &answers).expect("stored").is_some());
    assert!(serde_json::to_vec(&*find(&shop.live, id)).is_ok_and(|record| record.len() < 8 * 1024));
}

#[test]
fn who_follows_is_told_what_was_said() {
    let shop = Shop::ruled(|_| on(&["ticket"], approve()));
    let mut events = shop.live.subscribe();
    let id = shop.request(&ann(), ask("customers.email"));
    say(&shop.live, id, Said::Denies, Some("closed"));
    let told = std::iter::from_fn(|| events.try_recv().ok()).find_map(|event| match event {
        Event::Checked { answers, .. } => Some(answers.iter().map(Answer::text).collect::<Vec<_>>()),
        _ => None,
    });
    assert_eq!(told, Some(texts(&["condition ticket denies it: closed"])));
}

#[tokio::test]
async fn who_asks_is_told_that_there_is_something_to_ask() {
    let shop = Shop::ruled(|_| on(&["ticket"], privacy()));
    let id = shop.request(&ann(), ask("customers.email"));
    shop.live.check_wanted().await;
    say(&shop.live, id, Said::Allows, None);
    let (live, by): (Live, Principal) = (shop.live.clone(), petra());
    live.approve(&by, id, None, &here()).expect("approved");
    shop.live.check_wanted().await;
    assert_eq!(shop.live.checks_due().len(), 1);
}
