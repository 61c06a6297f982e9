//! What an arbiter says is what happens, and stays on record.

mod support;

use std::time::Duration;

use pgwarrant_grants::{
    Action, Ask, AskedColumn, Ceiling, Context, Error, Escalation, Event, Facts, Kind, Live, LocalTime,
    MAX_APPROVERS, MemoryStore, Principal, Profile, ProfileRows, RequestState, Ruling, Sensitivity, Settings,
    SignIn, Source, TestClock, Urgency, Who,
};
use support::*;

fn urgent(columns: &str) -> Ask {
    Ask { urgency: Some("break-glass".to_owned()), ..ask(columns) }
}

fn refused(shop: &Shop, wanted: Ask) -> Error {
    shop.live.request(&ann(), SHOP, &shop.catalogue, wanted, &here()).unwrap_err()
}

#[test]
fn a_refusal_says_why_and_is_on_record() {
    let shop = Shop::ruled(|_| refuse());
    let mut events = shop.live.subscribe();
    let error = refused(&shop, ask("customers.email"));
    assert_eq!((error.kind, error.sqlstate()), (Kind::NotAllowed, "42501"));
    assert_eq!(error.message, "request 1 of user \"ann\" is refused");
    assert_eq!(error.detail.as_deref(), Some("no says so."));
    assert_eq!(error.hint.as_deref(), Some("Ask for less."));
    assert_eq!(names(&mut events), ["requested", "decided"]);
    for live in [shop.live.clone(), shop.reopened()] {
        let request = live.requests()[0].clone();
        assert_eq!(
            (request.state, request.why.policies.as_slice()),
            (RequestState::Refused, &texts(&["no"])[..])
        );
        let grounds = live.grounds(1).unwrap().unwrap();
        assert_eq!((grounds.ruling.text(), grounds.facts.reason.as_str()), ("refuse", "ticket 4711"));
        assert!(live.grants().is_empty());
    }
    let late = shop.live.approve(&petra(), 1, None, &here()).unwrap_err();
    assert_eq!(late.message, "request 1 has already been decided: refused at 2026-03-01 12:00:00+00");
}

#[test]
fn what_a_rule_approves_is_live_at_once_and_costs_one_commit() {
    let shop = Shop::ruled(|_| approve());
    let mut events = shop.live.subscribe();
    let commits = shop.store.commits();
    let outcome = shop.ask(&ann(), ask("customers.email"));
    assert_eq!(shop.store.commits(), commits + 1);
    let grant = outcome.grant.unwrap();
    assert_eq!(shop.access(&ann()), [grant.id]);
    assert_eq!((grant.policies.as_slice(), grant.approvals.len()), (&texts(&["routine"])[..], 0));
    assert_eq!(outcome.request.summary(), "request 1 was approved by rule: grant 1");
    assert_eq!(names(&mut events), ["requested", "decided", "started"]);
    assert_eq!(access(&shop.reopened(), &ann(), &shop.catalogue), [grant.id]);
}

#[test]
fn a_ceiling_is_told_and_a_request_within_it_passes() {
    let limits = || Ceiling { max_duration: Some(Duration::from_secs(15 * 60)), conditions: Vec::new() };
    for ruling in [
        Ruling::Approve { why: why("short"), limits: limits() },
        Ruling::BreakGlass { why: why("short"), limits: limits(), reviewers: Vec::new() },
        Ruling::Ask {
            why: why("short"),
            limits: limits(),
            panels: Vec::new(),
            lapses_after: None,
            escalation: None,
        },
    ] {
        let shop = Shop::ruled(move |_| ruling.clone());
        let error = refused(&shop, Ask { duration: Some("16 min".to_owned()), ..urgent("customers.email") });
        assert_eq!(error.detail.as_deref(), Some("short says so. It may last 15 min at most."));
        assert_eq!(error.hint.as_deref(), Some("Ask with duration => '15 min' or less."));
        assert_eq!(shop.live.requests()[0].state, RequestState::Refused);
        shop.ask(&ann(), Ask { duration: Some("15 min".to_owned()), ..urgent("customers.email") });
    }
}

#[test]
fn a_group_has_its_own_longest_duration() {
    let mut settings = settings();
    settings.max_duration = Duration::from_secs(60 * 60);
    settings.groups[0].max_duration = Some(Duration::from_secs(10 * 60));
    let shop = Shop::with(settings.clone());
    let error = refused(&shop, Ask { duration: Some("11 min".to_owned()), ..ask("customers.email") });
    assert_eq!(error.hint.as_deref(), Some("Ask for 10 min or less."));
    assert_eq!(shop.ask(&ann(), ask("customers.email")).request.duration, Duration::from_secs(600));
    // The most generous of the groups that let them ask.
    settings.groups[2].may_request = true;
    let both = person("ann", &["support", "visitors"]);
    let shop = Shop::with(settings);
    shop.ask(&both, Ask { duration: Some("60 min".to_owned()), ..ask("customers.email") });
}

/// Approvers (user, groups, minutes since a second factor), and what each is told: "" for an
/// approval that counts, "live" for the one that decides.
type Panels<'a> = (&'a [(&'a [&'a str], u32, bool)], &'a [(&'a str, &'a [&'a str], Option<u64>, &'a str)]);

#[test]
fn panels_are_satisfied_by_different_persons_in_any_order() {
    let not_decided = "It is not among what your groups decide.";
    let factor = "It needs approvers who have shown a second factor lately.";
    let cases: &[Panels<'_>] = &[
        (&[(&["privacy"], 1, false)], &[("paul", &["privacy"], None, "live")]),
        (
            &[(&["privacy"], 2, false)],
            &[
                ("paul", &["privacy"], None, ""),
                ("paul", &["privacy"], None, "It waits for group privacy."),
                ("PAUL", &["privacy"], None, "It waits for group privacy."),
                ("peter", &["privacy"], None, "live"),
            ],
        ),
        (
            &[(&["privacy"], 1, false), (&["oncall"], 1, false)],
            &[("both", &["privacy", "oncall"], None, ""), ("paul", &["privacy"], None, "live")],
        ),
        (
            &[(&["privacy"], 1, false), (&["oncall"], 1, false)],
            &[
                ("paul", &["privacy"], None, ""),
                ("peter", &["privacy"], None, "It waits for group oncall."),
                ("both", &["privacy", "oncall"], None, "live"),
            ],
        ),
        (
            &[(&["oncall", "lead"], 1, false)],
            &[("petra", &["privacy"], None, not_decided), ("lea", &["lead"], None, "live")],
        ),
        (
            &[(&["privacy"], 1, true)],
            &[
                ("paul", &["privacy"], None, factor),
                ("paul", &["privacy"], Some(16), factor),
                ("paul", &["privacy"], Some(15), "live"),
            ],
        ),
        (
            &[(&["privacy"], 1, false), (&["oncall"], 1, true)],
            &[
                ("both", &["privacy", "oncall"], None, ""),
                ("tony", &["oncall"], None, factor),
                ("tony", &["oncall"], Some(0), "live"),
            ],
        ),
    ];
    for (wanted, approvers) in cases {
        let ruling = panels(wanted);
        let mut settings = settings();
        // That a group may approve in general does not put it on a panel.
        settings.groups[1].may_approve = true;
        let shop = Shop::ruled_with(settings, move |_| ruling.clone());
        let id = shop.request(&ann(), ask("customers.email"));
        for (user, groups, factor, told) in *approvers {
            let context = factor.map_or_else(here, with_factor);
            match shop.live.approve(&person(user, groups), id, None, &context) {
                Ok(outcome) => {
                    let expected = if outcome.grant.is_some() { "live" } else { "" };
                    assert_eq!(expected, *told, "{wanted:?} {user}");
                    assert_eq!(outcome.request.missing().is_some(), outcome.grant.is_none());
                    let approval = outcome.request.approvals.last().unwrap();
                    assert_eq!((approval.by.as_str(), approval.from), (*user, Some(context)));
                }
                Err(error) => {
                    assert_eq!(error.detail.as_deref(), Some(*told), "{wanted:?} {user}: {error:?}");
                    assert!(error.hint.is_some());
                }
            }
        }
        assert_eq!(shop.access(&ann()).len(), 1, "{wanted:?}");
        let live = shop.find(1);
        assert_eq!(live.approvals, shop.live.requests()[0].approvals, "who approved stays with the grant");
    }
}

#[test]
fn approvals_survive_a_restart() {
    let ruling = panels(&[(&["privacy"], 2, false)]);
    let shop = Shop::ruled(move |_| ruling.clone());
    let id = shop.request(&ann(), ask("customers.email"));
    let mut events = shop.live.subscribe();
    shop.live.approve(&paul(), id, Some("seen"), &here()).unwrap();
    assert_eq!(names(&mut events), ["partly approved"]);
    let again = shop.reopened();
    assert_eq!(again.requests(), shop.live.requests());
    assert!(again.approve(&paul(), id, None, &here()).is_err());
    assert!(again.approve(&person("peter", &["privacy"]), id, None, &here()).unwrap().grant.is_some());
}

#[test]
fn who_could_approve_sees_denies_and_revokes_and_nobody_else_does() {
    let ruling = panels(&[(&["oncall"], 1, false)]);
    let shop = Shop::ruled(move |_| ruling.clone());
    let tony = person("tony", &["oncall"]);
    let stranger = person("lea", &["lead"]);
    let (first, second) =
        (shop.request(&ann(), ask("customers.email")), shop.request(&ann(), ask("customers.ssn")));
    assert_eq!((shop.live.requests_for(&tony).len(), shop.live.requests_for(&stranger).len()), (2, 0));
    assert_eq!(shop.live.deny(&stranger, first, None, &here()).unwrap_err().kind, Kind::NotAllowed);
    assert_eq!(shop.live.deny(&tony, first, None, &here()).unwrap().state, RequestState::Denied);
    let grant = shop.live.approve(&tony, second, None, &here()).unwrap().grant.unwrap();
    assert_eq!(shop.live.revoke(&stranger, grant.id, None).unwrap_err().kind, Kind::NotAllowed);
    shop.live.revoke(&tony, grant.id, None).unwrap();
}

#[test]
fn a_policy_that_asks_for_too_many_is_no_way_in() {
    for wanted in [&[(&["privacy"][..], MAX_APPROVERS + 1, false)][..], &[(&["privacy"], u32::MAX, false)]] {
        let ruling = panels(wanted);
        let shop = Shop::ruled(move |_| ruling.clone());
        assert_eq!(refused(&shop, ask("customers.email")).kind, Kind::Limit);
        assert!(shop.live.requests().is_empty());
    }
}

#[test]
fn a_request_escalates_and_lapses_on_time() {
    let ruling = |_: &Facts| Ruling::Ask {
        why: why("careful"),
        limits: Ceiling::default(),
        panels: match panels(&[(&["privacy"], 1, false)]) {
            Ruling::Ask { panels, .. } => panels,
            _ => Vec::new(),
        },
        lapses_after: Some(Duration::from_secs(60 * 60)),
        escalation: Some(Escalation { after: Duration::from_secs(30 * 60), groups: texts(&["oncall"]) }),
    };
    let tony = person("tony", &["oncall"]);
    for (minutes, escalated, state) in
        [(29, false, "pending"), (30, true, "pending"), (59, true, "pending"), (60, false, "lapsed")]
    {
        let shop = Shop::ruled(ruling);
        let id = shop.request(&ann(), ask("customers.email"));
        let mut events = shop.live.subscribe();
        shop.pass(minutes);
        shop.live.tick().unwrap();
        let told = names(&mut events);
        assert_eq!(told.contains(&"escalated"), escalated, "{minutes}: {told:?}");
        assert!(told.len() <= 1, "{told:?}");
        for live in [shop.reopened(), shop.live.clone()] {
            assert_eq!(live.requests()[0].state.text(), state, "{minutes}");
            assert_eq!(live.approve(&tony, id, None, &here()).is_ok(), escalated, "{minutes}");
        }
    }
}

#[test]
fn break_glass_is_live_at_once_and_stays_listed_until_somebody_else_has_reviewed_it() {
    let shop = Shop::ruled(|_| break_glass(&["privacy"]));
    let mut events = shop.live.subscribe();
    let id = shop.ask(&ann(), urgent("customers.email")).grant.unwrap().id;
    assert_eq!(shop.access(&ann()), [id]);
    assert_eq!(names(&mut events), ["requested", "decided", "break-glass", "started"]);
    shop.pass(60);
    assert_eq!(shop.find(id).state_text(), "expired");
    assert_eq!(names(&mut events), ["ended", "cut off"]);

    let again = shop.reopened();
    for live in [&shop.live, &again] {
        assert_eq!(live.unreviewed_for(&petra()).len(), 1);
        assert_eq!(live.unreviewed_for(&guest()).len(), 0);
        assert_eq!(live.review(&guest(), id, true, "fine", &here()).unwrap_err().kind, Kind::NotAllowed);
        assert_eq!(live.review(&paul(), id, true, " ", &here()).unwrap_err().kind, Kind::Invalid);
        let reviewed = live.review(&paul(), id, false, "no incident", &with_factor(1)).unwrap();
        let verdict = reviewed.review.as_ref().unwrap().verdict.as_ref().unwrap();
        assert_eq!((verdict.by.as_str(), verdict.justified, verdict.from), ("paul", false, with_factor(1)));
        let twice = live.review(&petra(), id, true, "fine", &here()).unwrap_err();
        assert_eq!(twice.message, "grant 1 has already been reviewed by paul");
        assert!(live.unreviewed_for(&petra()).is_empty());
    }
    assert_eq!(names(&mut events), ["reviewed"]);
    let third = shop.reopened();
    assert!(third.unreviewed_for(&petra()).is_empty());
    assert_eq!(third.grants()[0].review, shop.find(id).review);
}

#[test]
fn a_review_of_a_live_grant_stays_with_it_to_its_end() {
    let shop = Shop::ruled(|_| break_glass(&[]));
    let id = shop.ask(&ann(), urgent("customers.email")).grant.unwrap().id;
    shop.live.review(&petra(), id, true, "seen the alarm", &here()).unwrap();
    assert!(shop.live.is_live(id));
    shop.live.revoke(&petra(), id, None).unwrap();
    for live in [shop.live.clone(), shop.reopened()] {
        let grant = live.grants()[0].clone();
        assert!(grant.review.is_some() && !grant.is_unreviewed() && grant.state_text() == "revoked");
    }
    assert_eq!(shop.live.review(&petra(), 99, true, "seen", &here()).unwrap_err().kind, Kind::Unknown);
}

#[test]
fn unreviewed_grants_outlast_history_and_have_a_limit() {
    let few = pgwarrant_grants::Settings { history: 1, history_stored: 1, max_unreviewed: 2, ..settings() };
    let rule = |facts: &Facts| match facts.urgency {
        Urgency::BreakGlass => break_glass(&[]),
        _ => approve(),
    };
    let shop = Shop::ruled_with(few, rule);
    for _ in 0..2 {
        let id = shop.ask(&ann(), urgent("customers.email")).grant.unwrap().id;
        shop.live.release(&ann(), id).unwrap();
    }
    let error = refused(&shop, urgent("customers.email"));
    assert_eq!(
        (error.kind, error.message.as_str()),
        (Kind::Limit, "too many break-glass grants wait for their review")
    );
    for _ in 0..3 {
        let id = shop.ask(&ann(), ask("customers.email")).grant.unwrap().id;
        shop.live.release(&ann(), id).unwrap();
    }
    for live in [shop.live.clone(), shop.reopened()] {
        let open: Vec<u64> = live.unreviewed_for(&petra()).iter().map(|grant| grant.id).collect();
        assert_eq!(open, [2, 1]);
    }
    shop.live.review(&petra(), 1, true, "seen", &here()).unwrap();
    shop.ask(&ann(), urgent("customers.email"));
}

#[test]
fn what_was_not_asked_for_as_break_glass_is_not_given_so() {
    let shop = Shop::ruled(|_| break_glass(&[]));
    let error = refused(&shop, ask("customers.email"));
    assert_eq!(error.kind, Kind::NotAllowed);
    assert!(shop.access(&ann()).is_empty());
}

#[test]
fn an_arbiter_sees_what_there_is_to_see() {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(None));
    let into = seen.clone();
    let shop = Shop::ruled(move |facts| {
        *into.lock().unwrap() = Some(facts.clone());
        approve()
    });
    let context = Context {
        source: Source { address: Some("10.1.2.3".parse().unwrap()), tls: true },
        sign_in: SignIn::Oidc,
        second_factor_age: Some(Duration::from_secs(7)),
        estimated_rows: Some(12),
    };
    let some = |text: &str| Some(text.to_owned());
    let wanted = Ask {
        rows: some("id = 42"),
        duration: some("20 min"),
        actions: some("select, export"),
        ticket: some("T-1"),
        case: some("C-9"),
        purpose: some("a refund"),
        urgency: some("urgent"),
        max_uses: some("3"),
        max_rows: some("50"),
        group: some("support"),
        starts_at: some("in 2 h"),
        ..ask("customers.*")
    };
    let ann2 = ann().of_person("Ann Smith");
    shop.ask(&ann2, ask("category:contact"));
    shop.ask(&ann2, ask("public.orders.address"));
    let ended = shop.ask(&ann2, ask("customers.email")).grant.unwrap().id;
    shop.live.release(&ann2, ended).unwrap();
    shop.live.request(&ann2, SHOP, &shop.catalogue, wanted, &context).unwrap();
    let facts = seen.lock().unwrap().clone().unwrap();
    let column = |name: &str, category: &str| AskedColumn {
        relation: "public.customers".to_owned(),
        column: name.to_owned(),
        category: category.to_owned(),
        sensitivity: if category == "identity" { Sensitivity::High } else { Sensitivity::Medium },
    };
    assert_eq!(facts.by.person, "Ann Smith");
    assert_eq!(facts.holder, Who::Group("support".to_owned()));
    assert_eq!(facts.actions, [Action::Select, Action::Export]);
    assert_eq!(
        facts.columns,
        [column("email", "contact"), column("phone", "contact"), column("ssn", "identity")]
    );
    assert_eq!(facts.rows.as_deref(), Some("id = 42"));
    assert_eq!((facts.duration, facts.starts_in), (Duration::from_secs(1200), Duration::from_secs(7200)));
    assert_eq!((facts.uses, facts.rows_limit, facts.estimated_rows), (Some(3), Some(50), Some(12)));
    assert_eq!(
        [&facts.ticket, &facts.case, &facts.purpose].map(|text| text.as_deref().unwrap()),
        ["T-1", "C-9", "a refund"]
    );
    assert_eq!(
        (facts.urgency, facts.by.sign_in, facts.source),
        (Urgency::Urgent, SignIn::Oidc, context.source)
    );
    assert_eq!(facts.second_factor_age, context.second_factor_age);
    // 2026-03-01 is a Sunday.
    assert_eq!((facts.at, facts.local), (START, LocalTime { minute_of_day: 720, weekday: 7 }));
    assert_eq!(
        (facts.recent_grants, facts.live_grants),
        (2, 2),
        "not the one on another relation; not the ended one"
    );
    let kept = shop.live.grounds(4).unwrap().unwrap();
    assert_eq!((kept.facts, kept.ruling), (facts, approve()));
}

#[test]
fn grants_of_other_accounts_and_databases_are_told_apart() {
    let shop = Shop::ruled(|facts| {
        let why = why(&format!("{} recent, {} live", facts.recent_grants, facts.live_grants));
        Ruling::Approve { why, limits: Ceiling::default() }
    });
    let ask_as = |by: &Principal, database: &str| {
        let outcome =
            shop.live.request(by, database, &shop.catalogue, ask("customers.email"), &here()).unwrap();
        outcome.request.why.policies[0].clone()
    };
    let (first, second) = (ann().of_person("Ann"), person("ann2", &["support"]).of_person("Ann"));
    assert_eq!(ask_as(&first, SHOP), "0 recent, 0 live");
    assert_eq!(ask_as(&second, SHOP), "1 recent, 1 live");
    assert_eq!(ask_as(&bob(), SHOP), "0 recent, 0 live");
    assert_eq!(ask_as(&second, "other"), "0 recent, 2 live");
    shop.pass(30 * 24 * 60);
    assert_eq!(ask_as(&second, SHOP), "0 recent, 0 live");
}

#[test]
fn what_is_kept_has_a_bound_and_says_what_it_lacks() {
    let names: Vec<String> = (0..2_000).map(|i| format!("a_column_with_a_long_name_{i}")).collect();
    let columns: Vec<_> = (1_i16..)
        .zip(&names)
        .map(|(attnum, name)| (attnum, name.as_str(), pgwarrant_masking::BaseType::Text, Some("contact")))
        .collect();
    let wide = catalogue_of(1, vec![relation(CUSTOMERS, "public", "customers", &columns)]);
    let shop = Shop::ruled(|facts| if facts.columns.len() == 2_000 { approve() } else { refuse() });
    shop.live.request(&ann(), SHOP, &wide, ask("*"), &here()).unwrap();
    let grounds = shop.live.grounds(1).unwrap().unwrap();
    assert!(serde_json::to_vec(&grounds).unwrap().len() <= 7 * 1024);
    assert!(grounds.facts.columns.len() > 20);
    assert_eq!(grounds.facts.columns.len() + grounds.facts.more_columns as usize, 2_000);
}

#[test]
fn a_request_of_the_past_is_asked_again_with_the_same_facts() {
    let strict = Says(|facts: &Facts| if facts.local.minute_of_day == 720 { refuse() } else { approve() });
    let shop = Shop::ruled(|_| approve());
    let id = shop.ask(&ann(), ask("customers.email")).request.id;
    shop.pass(7);
    for live in [shop.live.clone(), shop.reopened()] {
        let replay = live.replay(id, &shop.catalogue, Some(&strict)).unwrap();
        assert_eq!((replay.now, replay.then.unwrap().ruling), (refuse(), approve()));
        assert_eq!(live.requests().len(), 1, "nothing comes of it");
    }
    assert_eq!(shop.live.replay(id, &shop.catalogue, None).unwrap().now, approve());
    assert_eq!(shop.live.replay(99, &shop.catalogue, None).unwrap_err().kind, Kind::Unknown);
}

#[tokio::test]
async fn a_session_waits_until_its_request_is_decided() {
    let shop = Shop::open();
    let (first, second) =
        (shop.request(&ann(), ask("customers.email")), shop.request(&ann(), ask("customers.ssn")));
    let mut waiting = std::pin::pin!(shop.live.wait_for(first));
    let twice = shop.live.wait_for(first);
    drop(shop.live.wait_for(second));
    assert!(futures_poll(waiting.as_mut()).is_none());
    shop.live.approve(&petra(), first, None, &here()).unwrap();
    let decided = waiting.await.unwrap();
    assert_eq!((decided.state, decided.grant), (RequestState::Approved, Some(1)));
    assert!(shop.live.is_live(1), "its grant is there by then");
    assert_eq!(twice.await.unwrap().state, RequestState::Approved, "who looks late is told too");
    let lapsing = tokio::spawn(shop.live.wait_for(second));
    tokio::task::yield_now().await;
    shop.pass(24 * 60);
    assert_eq!(lapsing.await.unwrap().unwrap().state, RequestState::Lapsed);
    assert!(shop.live.wait_for(99).await.is_none());
}

/// One look.
fn futures_poll<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

#[test]
fn events_carry_what_the_trail_needs() {
    let shop = Shop::ruled(|_| break_glass(&["privacy"]));
    let mut events = shop.live.subscribe();
    shop.ask(&ann(), urgent("customers.email"));
    while let Ok(event) = events.try_recv() {
        match event {
            Event::Requested { grounds, .. } => assert_eq!(grounds.facts.by.user, "ann"),
            Event::BreakGlass { request, grant } => {
                assert_eq!((request.grant, request.urgency), (Some(grant.id), Urgency::BreakGlass));
            }
            _ => {}
        }
    }
}

#[test]
fn a_profile_is_for_its_groups_whether_or_not_they_may_ask_for_anything_else() {
    let profile = Profile {
        name: "lookup".to_owned(),
        columns: "customers.email".to_owned(),
        actions: "select".to_owned(),
        rows: ProfileRows::Some,
        max_duration: Duration::from_secs(600),
        schedule: None,
        groups: vec!["desk".to_owned()],
    };
    let settings = Settings { profiles: vec![profile], ..settings() };
    let live = Live::open(MemoryStore::default(), TestClock::new(START), settings).unwrap();
    let wanted = |rows: Option<&str>| Ask {
        profile: Some("lookup".to_owned()),
        rows: rows.map(str::to_owned),
        reason: Some("r".to_owned()),
        ..Ask::default()
    };
    let (desk, catalogue) = (person("dan", &["desk"]), shop());
    let asked = live.request(&desk, SHOP, &catalogue, wanted(Some("id = 42")), &Context::default()).unwrap();
    assert_eq!(asked.request.state, RequestState::Pending);
    assert_eq!(asked.request.duration, Duration::from_secs(600));
    for (who, ask) in [
        (&desk, wanted(None)),
        (&desk, Ask { profile: None, columns: "customers.email".to_owned(), ..wanted(Some("id = 42")) }),
        (&ann(), wanted(Some("id = 42"))),
    ] {
        assert!(live.request(who, SHOP, &catalogue, ask, &Context::default()).is_err());
    }
}
