//! A grant that has ended gives nothing any more, by whatever name and in whatever order.

mod support;

use support::Fixture;

const SELECT: &str = "SELECT email FROM customers WHERE id = 17";

/// What is done while the grant is live, and what is tried afterwards. `{}` is the query.
const ATTEMPTS: &[(&str, &str, &str)] = &[
    ("a prepared statement", "P a {} | S | W Z", "B - a | E - | S"),
    (
        "after a Parse that fails because the name is taken",
        "P a {} | S | W Z",
        "P a SELECT 1 | S | B - a | E - | S",
    ),
    ("after a Parse that fails", "P a {} | S | W Z", "P a SELECT nonexistent | S | B - a | DP - | E - | S"),
    ("after a Close that is skipped", "P a {} | S | W Z", "P - selec | CS a | S | B - a | E - | S"),
    ("the unnamed statement", "P - {} | S | W Z", "B - - | E - | S"),
    (
        "the unnamed statement after a Parse that is skipped",
        "P - {} | S | W Z",
        "P x selec | P - SELECT 1 | S | B - - | E - | S",
    ),
    ("a portal", "Q BEGIN | P - {} | B p - | S | W Z | W Z", "E p | S"),
    ("a portal by FETCH", "Q BEGIN | P - {} | B p - | S | W Z | W Z", "Q FETCH ALL FROM p"),
    (
        "a portal after a Close that is skipped",
        "Q BEGIN | P - {} | B p - | S | W Z | W Z",
        "P - selec | CP p | S | E p | S",
    ),
    ("a cursor", "Q BEGIN | Q DECLARE p CURSOR FOR {} | W Z | W Z", "Q FETCH ALL FROM p"),
    (
        "a cursor with hold",
        "Q BEGIN | Q DECLARE p CURSOR WITH HOLD FOR {} | Q COMMIT | W Z | W Z | W Z",
        "Q FETCH ALL FROM p",
    ),
    ("a cursor as a portal", "Q BEGIN | Q DECLARE p CURSOR FOR {} | W Z | W Z", "E p | S"),
    (
        "a cursor by a prepared FETCH",
        "Q BEGIN | Q DECLARE p CURSOR FOR {} | P f FETCH ALL FROM p | S | W Z | W Z | W Z",
        "B - f | E - | S",
    ),
    (
        "a cursor that moves back",
        "Q BEGIN | Q DECLARE p SCROLL CURSOR FOR {} | W Z | W Z",
        "Q MOVE LAST FROM p | Q FETCH FIRST FROM p",
    ),
    ("PREPARE and EXECUTE", "Q PREPARE a AS {} | W Z", "Q EXECUTE a"),
    ("PREPARE and Bind", "Q PREPARE a AS {} | W Z", "B - a | E - | S"),
    ("Parse and EXECUTE", "P a {} | S | W Z", "Q EXECUTE a"),
    ("a prepared EXECUTE", "P a {} | P b EXECUTE a | S | W Z", "B - b | E - | S"),
    ("EXECUTE of a prepared EXECUTE", "P b {} | P a EXECUTE b | S | W Z", "Q EXECUTE a"),
    (
        "FETCH of a bound EXECUTE",
        "Q BEGIN | P b {} | P a EXECUTE b | B pp a | S | W Z | W Z",
        "Q FETCH ALL FROM pp",
    ),
    ("EXPLAIN ANALYZE EXECUTE", "Q PREPARE a AS {} | W Z", "Q EXPLAIN (ANALYZE, VERBOSE) EXECUTE a"),
    ("CREATE TABLE AS EXECUTE", "Q PREPARE a AS {} | W Z", "Q CREATE TEMP TABLE t AS EXECUTE a | Q TABLE t"),
    (
        "after a PREPARE that fails",
        "Q PREPARE a AS {} | W Z",
        "Q PREPARE a AS SELECT 1; EXECUTE a | Q EXECUTE a",
    ),
    (
        "after a DEALLOCATE that is not reached",
        "Q PREPARE a AS {} | W Z",
        "Q SELECT 1/0; DEALLOCATE a | Q EXECUTE a",
    ),
    (
        "after a DEALLOCATE that is not reached, in a pipeline",
        "P a {} | S | W Z",
        "Q SELECT 1/0; DEALLOCATE a | B - a | E - | S",
    ),
    (
        "after a DISCARD that fails",
        "P a {} | S | W Z",
        "Q BEGIN | Q DISCARD ALL | Q ROLLBACK | B - a | E - | S",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_ended_gives_nothing_by_any_name() {
    let fixture = Fixture::start("ended").await;
    for rows in [None, Some("id = 17")] {
        for (name, before, after) in ATTEMPTS {
            let grant = fixture.grant(rows, None).await;
            let mut ada = fixture.ada().await;
            let prepared = ada.script(&before.replace("{}", SELECT)).await;
            assert!(!prepared.iter().any(|message| message.starts_with('E')), "{name}: {prepared:?}");
            fixture.revoke(grant).await;
            let seen = ada.script_to_end(after).await;
            assert!(
                !seen.iter().any(|message| message.contains("secret")),
                "{name}, rows {rows:?}: {seen:?}"
            );
        }
    }
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_statement_follows_the_grants() {
    let fixture = Fixture::start("follows").await;
    let mut ada = fixture.ada().await;
    ada.script(&format!("P a {SELECT} | DS a | S | W Z")).await;
    let use_it = "B - a | E - | S | W Z";
    assert_eq!(ada.script(use_it).await, ["2 ", "D ***", "C SELECT 1", "Z I"]);
    let grant = fixture.grant(None, None).await;
    // The notice of the approval may come first.
    let seen = ada.script(use_it).await;
    assert!(
        seen.ends_with(&["2 ", "D secret17@example.com", "C SELECT 1", "Z I"].map(str::to_owned)),
        "{seen:?}"
    );
    fixture.revoke(grant).await;
    assert_eq!(ada.script(use_it).await, ["2 ", "D ***", "C SELECT 1", "Z I"]);
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_statement_is_cut_off_and_what_was_sent_is_on_record() {
    let fixture = Fixture::start("cut").await;
    for extended in [false, true] {
        let grant = fixture.grant(None, None).await;
        let mut ada = fixture.ada().await;
        let endless = "SELECT c.email FROM customers AS c, plain AS p, plain AS q";
        let script = if extended {
            format!("P - {endless} | B - - | E - | S | W D")
        } else {
            format!("Q {endless} | W D")
        };
        ada.script(&script).await;
        fixture.revoke(grant).await;
        let mut rows = 1;
        let error = loop {
            let message = ada.message().await.expect("the session goes on");
            match message.get(..1) {
                Some("D") => rows += 1,
                Some("E") => break message,
                _ => {}
            }
        };
        assert!(
            error.contains(&format!("grant {grant} was revoked while the statement was running")),
            "{error}"
        );
        assert!(error.contains(&format!("{rows} rows had been sent")), "{rows} rows came: {error}");
        assert_eq!(ada.message().await.as_deref(), Some("Z I"));
        let seen = ada.run("SELECT 1").await;
        assert_eq!(
            seen,
            ["T ?column?:23", "D 1", "C SELECT 1", "Z I"],
            "the cancel must not hit what comes later"
        );
        let filter = pgwarrant_audit::Filter {
            decision: Some(pgwarrant_audit::Decision::CutOff),
            grant: Some(grant),
            ..Default::default()
        };
        let records = fixture.trail.recent(10, filter).await.expect("the trail can be read");
        assert_eq!(records.iter().map(|record| record.rows).collect::<Vec<_>>(), [rows]);
    }
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_rows_pass_than_a_grant_allows() {
    let fixture = Fixture::start("limit").await;
    fixture.grant(None, Some(3)).await;
    let seen = fixture.ada().await.run("SELECT email FROM customers ORDER BY id").await;
    let rows = seen.iter().filter(|message| message.starts_with('D')).count();
    assert_eq!(rows, 3, "{seen:?}");
    assert!(
        seen.iter().any(|message| message.contains("was used up while the statement was running")),
        "{seen:?}"
    );
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wire_guard_knows_what_a_prepared_fetch_may_return() {
    let fixture = Fixture::start("fetch").await;
    fixture.grant(None, None).await;
    let mut ada = fixture.ada().await;
    let script = format!(
        "Q BEGIN | Q DECLARE c CURSOR FOR {SELECT} | P f FETCH 1 FROM c | DS f | S | W Z | W Z | W Z"
    );
    ada.script(&script).await;
    let seen = ada.script("B - f | DP - | E - | S | W Z").await;
    assert!(seen.contains(&"D secret17@example.com".to_owned()), "{seen:?}");
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_rows_come_after_their_record() {
    let fixture = Fixture::start("record").await;
    let grant = fixture.grant(None, None).await;
    let seen = fixture.ada().await.run(SELECT).await;
    assert!(seen.contains(&"D secret17@example.com".to_owned()), "{seen:?}");
    let filter = pgwarrant_audit::Filter { grant: Some(grant), ..Default::default() };
    let records = fixture.trail.recent(10, filter).await.expect("the trail can be read");
    let phases: Vec<_> = records
        .iter()
        .filter(|record| record.kind == pgwarrant_audit::Kind::Statement)
        .map(|record| (record.phase, record.rows, record.intent_of))
        .collect();
    let intent =
        records.iter().find(|record| record.phase == pgwarrant_audit::Phase::Intent).map(|record| record.seq);
    assert_eq!(
        phases,
        [(pgwarrant_audit::Phase::Intent, 0, None), (pgwarrant_audit::Phase::Outcome, 1, intent)]
    );
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_ends_around_its_use_leaves_no_intent_open() {
    let fixture = Fixture::start("intents").await;
    let mut ada = fixture.ada().await;
    for _ in 0..40 {
        let grant = fixture.grant(None, None).await;
        let (_, ()) = tokio::join!(ada.run(SELECT), fixture.revoke(grant));
        let used = format!("P - {SELECT} | B - - | E - | S | W Z");
        let grant = fixture.grant(None, None).await;
        let (_, ()) = tokio::join!(ada.script(&used), fixture.revoke(grant));
    }
    let everything = pgwarrant_audit::Filter::default();
    let records = fixture.trail.recent(10_000, everything).await.expect("the trail can be read");
    let answered: Vec<u64> = records.iter().filter_map(|record| record.intent_of).collect();
    let intents = records.iter().filter(|record| record.phase == pgwarrant_audit::Phase::Intent);
    let open: Vec<u64> = intents.map(|record| record.seq).filter(|seq| !answered.contains(seq)).collect();
    assert!(open.is_empty(), "{open:?}");
    fixture.end().await;
}
