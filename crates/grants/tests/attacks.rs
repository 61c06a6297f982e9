//! What somebody would try who wants more than they were given.

mod support;

use pgwarrant_grants::{Ask, Kind, Principal, Settings};
use pgwarrant_sql::Rows;
use support::*;

/// Who asks, for which group, who approves, with which groups, is that allowed.
type Approval<'a> = (&'a str, Option<&'a str>, &'a str, &'a [&'a str], bool);

#[test]
fn nobody_approves_what_they_gain_from() {
    let everything = ["support", "privacy"];
    let cases: &[Approval<'_>] = &[
        ("petra", None, "petra", &everything, false),
        ("petra", None, "PETRA", &everything, false),
        ("petra", None, " Petra ", &everything, false),
        ("petra", None, "paul", &everything, true),
        ("petra", Some("support"), "petra", &["privacy"], false),
        ("petra", Some("support"), "paul", &["privacy", "support"], false),
        ("petra", Some("support"), "paul", &["privacy", "Support"], false),
        ("petra", Some("support"), "paul", &["privacy"], true),
        ("ÉMILE", None, "émile", &everything, false),
    ];
    for (asks, group, approves, groups, allowed) in cases {
        let shop = Shop::open();
        let wanted = Ask { group: group.map(str::to_owned), ..ask("customers.email") };
        let id = shop.request(&person(asks, &everything), wanted);
        let outcome = shop.live.approve(&person(approves, groups), id, None, &here());
        assert_eq!(outcome.is_ok(), *allowed, "{asks} {group:?} {approves} {groups:?}");
        if let Err(error) = outcome {
            assert_eq!((error.kind, error.sqlstate()), (Kind::NotAllowed, "42501"));
            assert!(error.detail.is_some() && error.hint.is_some());
        }
    }
}

/// An account: user, person ("" for the user's name), groups.
type Account<'a> = (&'a str, &'a str, &'a [&'a str]);

fn account((user, person, groups): Account<'_>) -> Principal {
    self::person(user, groups).of_person(person)
}

/// Who asks, for which group, who decides, which other account of theirs is known; may they?
type Oneself<'a> = (Account<'a>, Option<&'a str>, Account<'a>, Option<Account<'a>>, bool);

const ONESELF: &[Oneself<'_>] = &[
    // A second account of one person, under any spelling.
    (("ann", "Ann", &["support"]), None, ("ann.admin", "Ann", &["privacy"]), None, false),
    (("ann", "Ann", &["support"]), None, ("ann.admin", " ANN ", &["privacy"]), None, false),
    (("ann", "Ann", &["support"]), None, ("ann.admin", "Bea", &["privacy"]), None, true),
    // One account says whose it is, the other is named so.
    (("ann", "", &["support"]), None, ("ann.admin", "ann", &["privacy"]), None, false),
    (("ann.admin", "ann", &["support"]), None, ("ann", "", &["privacy"]), None, false),
    (("ann", "Ann", &["support"]), None, ("Ann", "somebody", &["privacy"]), None, false),
    // The same user under another person's name.
    (("ann", "Ann", &["support"]), None, ("ann", "Bea", &["privacy"]), None, false),
    // A group's grant that includes them, or another account of theirs.
    (("bob", "", &["support"]), Some("support"), ("paul", "", &["privacy", "support"]), None, false),
    (("bob", "", &["support"]), Some("support"), ("paul", "", &["privacy", "SUPPORT "]), None, false),
    (
        ("bob", "", &["support"]),
        Some("support"),
        ("paul", "", &["privacy"]),
        Some(("paul2", "paul", &["support"])),
        false,
    ),
    (
        ("bob", "", &["support"]),
        Some("support"),
        ("paul", "", &["privacy"]),
        Some(("peter", "", &["support"])),
        true,
    ),
    (
        ("bob", "", &["support"]),
        None,
        ("paul", "", &["privacy"]),
        Some(("paul2", "paul", &["support"])),
        true,
    ),
];

#[test]
fn nobody_approves_for_or_reviews_their_own_person() {
    for (asks, group, decides, other, allowed) in ONESELF {
        for (configured, break_glass) in [(true, false), (false, false), (true, true), (false, true)] {
            let mut settings = settings();
            if configured {
                settings.accounts = other.iter().map(|other| account(*other)).collect();
            }
            let shop = Shop::ruled_with(settings, move |_| match break_glass {
                true => support::break_glass(&["privacy"]),
                false => panels(&[(&["privacy"], 1, false)]),
            });
            if let (false, Some(other)) = (configured, other) {
                // They have signed in.
                shop.live.version(&account(*other));
            }
            let urgency = break_glass.then(|| "break-glass".to_owned());
            let wanted = Ask { group: group.map(str::to_owned), urgency, ..ask("customers.email") };
            shop.ask(&account(*asks), wanted);
            let by = account(*decides);
            let outcome = match break_glass {
                true => shop.live.review(&by, 1, true, "fine", &here()).map(drop),
                false => shop.live.approve(&by, 1, None, &here()).map(drop),
            };
            assert_eq!(outcome.is_ok(), *allowed, "{asks:?} {group:?} {decides:?} {other:?} {break_glass}");
            if let Err(error) = outcome {
                assert_eq!(error.kind, Kind::NotAllowed);
                assert!(error.detail.is_some() && error.hint.is_some());
                assert_eq!(shop.live.unreviewed_for(&paul()).len(), usize::from(break_glass));
            }
        }
    }
}

#[test]
fn two_accounts_of_one_person_are_one_approver() {
    let accounts = [("pa", "Paula"), ("pb", "Paula"), ("pb", "paula "), ("paula", ""), ("pc", "pa")];
    for (user, person) in accounts {
        let shop = Shop::ruled(|_| panels(&[(&["privacy"], 2, false)]));
        let id = shop.request(&ann(), ask("customers.email"));
        shop.live.approve(&account(("pa", "Paula", &["privacy"])), id, None, &here()).unwrap();
        let error = shop.live.approve(&account((user, person, &["privacy"])), id, None, &here()).unwrap_err();
        assert_eq!(error.kind, Kind::State, "{user} {person}");
        assert!(shop.access(&ann()).is_empty());
    }
}

#[test]
fn rights_come_from_exact_group_names() {
    let shop = Shop::open();
    let id = shop.request(&ann(), ask("customers.email"));
    let impostors = [
        person("eve", &[]),
        person("eve", &["Privacy"]),
        person("eve", &["privacy "]),
        person("privacy", &["support"]),
    ];
    for eve in impostors {
        assert_eq!(shop.live.approve(&eve, id, None, &here()).unwrap_err().kind, Kind::NotAllowed, "{eve:?}");
        assert_eq!(shop.live.deny(&eve, id, None, &here()).unwrap_err().kind, Kind::NotAllowed, "{eve:?}");
        assert_eq!(shop.live.revoke(&eve, id, None).unwrap_err().kind, Kind::NotAllowed, "{eve:?}");
        assert_eq!(shop.live.release(&eve, id).unwrap_err().kind, Kind::NotAllowed, "{eve:?}");
    }
    let refused =
        shop.live.request(&guest(), SHOP, &shop.catalogue, ask("customers.email"), &here()).unwrap_err();
    assert_eq!(refused.message, "user \"guest\" may not request grants");
    assert_eq!(refused.hint.as_deref(), Some("Members of group support may request."));
    let for_others = Ask { group: Some("privacy".to_owned()), ..ask("customers.email") };
    assert_eq!(
        shop.live.request(&ann(), SHOP, &shop.catalogue, for_others, &here()).unwrap_err().kind,
        Kind::NotAllowed
    );
    let nobody = Shop::with(Settings::default());
    assert_eq!(
        nobody.live.request(&ann(), SHOP, &nobody.catalogue, ask("*"), &here()).unwrap_err().kind,
        Kind::NotAllowed
    );
}

#[test]
fn who_may_not_decide_cannot_probe_for_requests_and_grants() {
    let shop = Shop::open();
    shop.grant(ask("customers.email"));
    let message = |result: Result<_, pgwarrant_grants::Error>| result.map(drop).unwrap_err();
    let denials = [1, 99].map(|id| message(shop.live.deny(&bob(), id, None, &here()).map(drop)));
    assert_eq!(denials[0], denials[1]);
    let releases = [1, 99].map(|id| message(shop.live.release(&bob(), id).map(drop)));
    assert_eq!(releases[0].message.replace('1', "99"), releases[1].message);
}

/// A call's arguments, and what the error says.
#[test]
fn arguments_are_refused_with_a_reason_and_a_hint() {
    let long = "x".repeat(5_000);
    let base = || ask("customers.email");
    let some = |text: &str| Some(text.to_owned());
    let cases: Vec<(Ask, &str, &str)> = vec![
        (Ask { reason: None, ..base() }, "22023", "a reason is required"),
        (Ask { reason: some(""), ..base() }, "22023", "a reason is required"),
        (Ask { reason: some(" \t\n"), ..base() }, "22023", "a reason is required"),
        (Ask { reason: some("...--!"), ..base() }, "22023", "a reason is required"),
        (Ask { reason: some("\u{200B}"), ..base() }, "22023", "reason holds the character U+200B"),
        (Ask { reason: some("ok\u{1b}[2Jok"), ..base() }, "22023", "reason holds the character U+001B"),
        (Ask { reason: some("\u{202E}evil"), ..base() }, "22023", "reason holds the character U+202E"),
        (Ask { reason: some(&long), ..base() }, "22023", "reason is too long"),
        (Ask { ticket: some(&long), ..base() }, "22023", "ticket is too long"),
        (Ask { columns: long.clone(), ..base() }, "22023", "columns is too long"),
        (Ask { rows: some(&long), ..base() }, "22023", "rows is too long"),
        (Ask { rows: some("region = '\u{1b}]0;x'"), ..base() }, "22023", "rows holds the character U+001B"),
        (Ask { duration: some(&long), ..base() }, "22023", "duration is too long"),
        (Ask { actions: some(&long), ..base() }, "22023", "actions is too long"),
        (Ask { others: some(&long), ..base() }, "22023", "others is too long"),
        (Ask { max_uses: some(&long), ..base() }, "22023", "max_uses is too long"),
        (Ask { duration: some("25 h"), ..base() }, "22023", "duration '25 h' is longer than allowed"),
        (Ask { duration: some("60"), ..base() }, "22023", "duration '60' is not understood"),
        (Ask { duration: some("0 s"), ..base() }, "22023", "duration '0 s' is out of range"),
        (Ask { actions: some(""), ..base() }, "22023", "action '' is not known"),
        (Ask { actions: some("select,"), ..base() }, "22023", "action '' is not known"),
        (Ask { actions: some("selct"), ..base() }, "22023", "action 'selct' is not known"),
        (Ask { others: some("show"), ..base() }, "22023", "others 'show' is not known"),
        (Ask { others: some("hide"), ..base() }, "22023", "others => 'hide' needs rows"),
        (Ask { max_uses: some("0"), ..base() }, "22023", "max_uses '0' is out of range"),
        (Ask { max_uses: some("-1"), ..base() }, "22023", "max_uses '-1' is out of range"),
        (Ask { max_uses: some("+1"), ..base() }, "22023", "max_uses '+1' is out of range"),
        (Ask { max_uses: some("1.5"), ..base() }, "22023", "max_uses '1.5' is out of range"),
        (Ask { max_rows: some("0"), ..base() }, "22023", "max_rows '0' is out of range"),
        (
            Ask { max_rows: some("18446744073709551616"), ..base() },
            "22023",
            "max_rows '18446744073709551616' is out of range",
        ),
        (
            Ask { max_rows: some("9223372036854775808"), ..base() },
            "22023",
            "max_rows '9223372036854775808' is out of range",
        ),
    ];
    let shop = Shop::open();
    for (wanted, sqlstate, message) in cases {
        let error = shop.live.request(&ann(), SHOP, &shop.catalogue, wanted, &here()).unwrap_err();
        assert_eq!((error.sqlstate(), error.message.as_str()), (sqlstate, message));
        assert!(error.hint.is_some_and(|hint| hint.ends_with('.')), "{message}: a hint is a sentence");
    }
    assert!(shop.live.requests().is_empty());
}

#[test]
fn a_row_predicate_speaks_of_the_one_relation_that_is_asked_for() {
    let shop = Shop::open();
    for (columns, rows) in [
        ("customers.email", "orders.id = 1"),
        ("customers.email", "address = 'x'"),
        ("customers.email", "id = 1 OR (SELECT true)"),
        ("customers.email", "id = 1; DELETE FROM customers"),
        ("customers.email", "id = 1 /*"),
        ("customers.email", "pg_sleep(1) IS NULL"),
        ("customers.email", "true"),
        ("customers.email", "id = region"),
        ("customers.email, public.orders.address", "id = 1"),
        ("category:contact", "id = 1"),
        ("*", "id = 1"),
        ("customers.email, category:contact", "id = 1"),
    ] {
        let wanted = Ask { rows: Some(rows.to_owned()), ..ask(columns) };
        let error = shop.live.request(&ann(), SHOP, &shop.catalogue, wanted, &here()).unwrap_err();
        assert_eq!(error.sqlstate(), "22023", "{columns} {rows}");
        assert!(error.hint.is_some(), "{columns} {rows}");
    }
}

#[test]
fn a_note_with_a_decision_is_bounded_too() {
    let shop = Shop::open();
    let id = shop.request(&ann(), ask("customers.email"));
    let long = "x".repeat(501);
    assert_eq!(
        shop.live.approve(&petra(), id, Some(&long), &here()).unwrap_err().message,
        "reason is too long"
    );
    assert_eq!(shop.live.deny(&petra(), id, Some("\u{7}"), &here()).unwrap_err().kind, Kind::Invalid);
    let grant = shop.live.approve(&petra(), id, Some(""), &here()).unwrap().grant.unwrap();
    assert_eq!(shop.live.revoke(&petra(), grant.id, Some(&long)).unwrap_err().message, "reason is too long");
    assert!(shop.live.is_live(grant.id));
}

#[test]
fn a_schema_change_never_widens_a_grant() {
    let shop = Shop::open();
    let with_rows = Ask { rows: Some("region = 'EU'".to_owned()), ..ask("customers.email") };
    let (plain, scoped) = (shop.grant(ask("customers.email")), shop.grant(with_rows));
    let held = |ids: &[u64], relation: pgwarrant_catalog::Relation, what: &str| {
        static VERSION: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(2);
        let version = VERSION.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let now = catalogue_of(version, vec![relation]);
        assert_eq!(access(&shop.live, &ann(), &now), ids, "{what}");
        shop.live.access(&ann(), SHOP, &now)
    };
    held(&[plain, scoped], customers(), "nothing changed");

    let mut renamed = customers();
    renamed.name = "people".to_owned();
    renamed.columns[1].name = "mail".to_owned();
    held(&[plain, scoped], renamed, "the same table and column under other names");

    let mut swapped = customers();
    swapped.columns[1].name = "ssn".to_owned();
    swapped.columns[3].name = "email".to_owned();
    let access = held(&[plain, scoped], swapped, "names swapped");
    let covered: Vec<i16> =
        access.scopes.iter().flat_map(|scope| &scope.columns).map(|id| id.attnum).collect();
    assert_eq!(covered, [2, 2], "the column that was asked for, not the one that took its name");

    let mut anew = relation(99_999, "public", "customers", &[]);
    anew.columns = customers().columns;
    held(&[], anew, "another table under the old name");

    let mut deciding = customers();
    deciding.columns[4].name = "country".to_owned();
    deciding.columns[0].name = "region".to_owned();
    held(&[plain], deciding, "the predicate's column is another one now");

    let mut dropped = customers();
    dropped.columns.remove(4);
    held(&[plain], dropped, "the predicate's column is gone");

    let mut unlabelled = customers();
    unlabelled.columns[1].protection = None;
    held(&[], unlabelled, "the column is not protected any more");
}

#[test]
fn a_renamed_user_or_group_inherits_nothing() {
    let shop = Shop::open();
    shop.grant(ask("customers.email"));
    let strangers: [Principal; 4] =
        [person("Ann", &["support"]), person("ann ", &[]), person("bob", &["ann"]), person("", &["ann"])];
    for stranger in strangers {
        assert!(shop.access(&stranger).is_empty(), "{stranger:?}");
    }
    assert_eq!(shop.access(&person("ann", &[])).len(), 1, "the grant is the user's, whatever the groups");
}

#[test]
fn a_row_scoped_grant_never_binds_to_all_rows() {
    let shop = Shop::open();
    let wanted = Ask {
        rows: Some("id = 42".to_owned()),
        others: Some("hide".to_owned()),
        ..ask("customers.email, customers.ssn")
    };
    shop.grant(wanted);
    let access = shop.live.access(&ann(), SHOP, &shop.catalogue);
    assert_eq!(access.scopes.len(), 1);
    assert!(matches!(&access.scopes[0].rows, Rows::Where(predicate) if predicate.columns() == [1]));
    assert_eq!(access.scopes[0].relation, CUSTOMERS);
}
