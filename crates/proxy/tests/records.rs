//! Raw rows come after their record, whatever happens between the two, and every intent has an outcome.

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use pgwarrant_audit::{BlockStore, Error, Head, MemoryStore};
use support::Fixture;

/// A disk whose syncs can be made to hang, and to fail.
#[derive(Default)]
struct Disk {
    blocks: MemoryStore,
    hanging: Mutex<bool>,
    released: Condvar,
    broken: AtomicBool,
}

impl Disk {
    fn hang(&self) {
        *self.hanging.lock().expect("not poisoned") = true;
    }

    fn release(&self) {
        *self.hanging.lock().expect("not poisoned") = false;
        self.released.notify_all();
    }
}

impl BlockStore for Disk {
    fn put(&self, blocks: &[(u64, Vec<u8>)], head: &Head) -> Result<(), Error> {
        self.blocks.put(blocks, head)
    }

    fn sync(&self) -> Result<(), Error> {
        let mut hanging = self.hanging.lock().expect("not poisoned");
        while *hanging {
            hanging = self.released.wait(hanging).expect("not poisoned");
        }
        if self.broken.load(Ordering::SeqCst) {
            return Err(Error::Io { what: "sync the audit trail", cause: "input/output error".into() });
        }
        self.blocks.sync()
    }

    fn block(&self, number: u64) -> Result<Option<Vec<u8>>, Error> {
        self.blocks.block(number)
    }

    fn next(&self, from: u64) -> Result<Option<u64>, Error> {
        self.blocks.next(from)
    }

    fn last(&self) -> Result<Option<u64>, Error> {
        self.blocks.last()
    }

    fn head(&self) -> Result<Option<Vec<u8>>, Error> {
        self.blocks.head()
    }
}

async fn fixture(name: &str) -> (Fixture, Arc<Disk>) {
    let disk = Arc::<Disk>::default();
    (Fixture::start_on(name, Arc::clone(&disk)).await, disk)
}

/// Has the server begun with a statement that holds these words? (It is not over for the proxy.)
async fn is_at_the_server(fixture: &Fixture, words: &str, active: bool) -> bool {
    let state = if active { "active" } else { "%" };
    let question = format!(
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() \
         AND state LIKE '{state}' AND query LIKE '%{words}%' AND pid <> pg_backend_pid()"
    );
    fixture.direct().await.run(&question).await.contains(&"D t".to_owned())
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn until_at_the_server(fixture: &Fixture, words: &str) {
    until("it is sent", async || is_at_the_server(fixture, words, false).await).await;
}

/// Does the server run one of the statements that do not end?
async fn runs(fixture: &Fixture) -> bool {
    is_at_the_server(fixture, "endless", true).await
}

async fn until_it_runs(fixture: &Fixture) {
    until("it is sent", async || runs(fixture).await).await;
    // A server forgets a cancel that comes while it parses, which it is said to run as well.
    tokio::time::sleep(Duration::from_millis(100)).await;
}

/// Every intent has an outcome, as soon as the sessions that are over have said so.
async fn no_intent_is_open(fixture: &Fixture, at_least: u64) {
    until("every intent has an outcome", async || {
        let report = fixture.trail.verify(None).await.expect("the trail can be read");
        assert!(report.is_intact(), "{:?}", report.problems);
        report.open_intents_total == 0
    })
    .await;
    let records = fixture.trail.recent(10_000, Default::default()).await.expect("the trail can be read");
    let intents = records.iter().filter(|record| record.phase == pgwarrant_audit::Phase::Intent).count();
    assert!(intents as u64 >= at_least, "{intents} intents");
}

fn holds_an_answer(seen: &[String]) -> bool {
    seen.iter().any(|message| matches!(message.get(..1), Some("T" | "D" | "C" | "E" | "d" | "H" | "s")))
}

/// What is done before, what is sent while the disk hangs, and whether the server gets it meanwhile.
/// `{}` is a query with a raw column and a mark of its own.
const STATEMENTS: &[(&str, &str, &str, bool)] = &[
    ("a query", "", "Q {}", true),
    ("two queries of one message", "", "Q {}; {}", true),
    ("a query with a CTE", "", "Q WITH x AS ({}) TABLE x", true),
    ("extended", "", "P - {} | B - - | E - | S", true),
    ("a Flush and no Sync", "", "P - {} | B - - | E - | H", true),
    ("in parts", "", "P - {} | B - - | E - 1 | H", true),
    ("a prepared statement", "P a {} | S | W Z", "B - a | E - | S", true),
    ("EXECUTE", "Q PREPARE a AS {} | W Z", "Q /* mark */ EXECUTE a", true),
    ("FETCH", "Q BEGIN | Q DECLARE c CURSOR FOR {} | W Z | W Z", "Q /* mark */ FETCH ALL FROM c", true),
    ("COPY", "", "Q COPY ({}) TO STDOUT", false),
    ("a COPY, extended", "", "P - COPY ({}) TO STDOUT | B - - | E - | S", false),
    ("locks", "", "Q {} FOR UPDATE", false),
    ("a sequence", "Q CREATE SEQUENCE one | W Z", "Q SELECT nextval('one'), mark.* FROM ({}) AS mark", false),
    ("a lock by number", "", "Q SELECT pg_advisory_lock(1), mark.* FROM ({}) AS mark", false),
    ("a function that writes", "", "Q SELECT note(1), mark.* FROM ({}) AS mark", false),
    (
        "a prepared statement that locks",
        "Q PREPARE a AS {} FOR UPDATE | W Z",
        "Q /* mark */ EXECUTE a",
        false,
    ),
    ("what writes in the same message", "", "Q {}; INSERT INTO plain VALUES (0)", false),
    ("EXPLAIN", "", "Q EXPLAIN (ANALYZE, VERBOSE) {}", false),
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_an_answer_passes_before_the_record_is_durable() {
    let (fixture, disk) = fixture("before").await;
    let note =
        "CREATE FUNCTION note(a int) RETURNS int LANGUAGE sql AS 'INSERT INTO plain VALUES (a) RETURNING a'";
    fixture.direct().await.run(note).await;
    fixture.grant_with(", actions => 'select, export'").await;
    for (number, (name, before, during, overlaps)) in STATEMENTS.iter().enumerate() {
        let mark = format!("mark_{number}_");
        let query = format!("SELECT email AS {mark} FROM customers WHERE id = 17");
        let fill =
            |script: &str| script.replace("{}", &query).replace("/* mark */", &format!("/* {mark} */"));
        let mut ada = fixture.ada().await;
        // What is prepared is the server's last query no more when the disk hangs.
        let before = fill(&format!("{before} | Q SELECT 0 | W C | W Z"));
        let prepared = ada.script(&before).await;
        assert!(!prepared.iter().any(|message| message.starts_with('E')), "{name}: {prepared:?}");
        disk.hang();
        ada.script(&fill(during)).await;
        if *overlaps {
            until_at_the_server(&fixture, &mark).await;
        }
        let mut seen = ada.so_far().await;
        assert!(!holds_an_answer(&seen), "{name}: {seen:?}");
        let parsed = during.starts_with("P ");
        if !overlaps && !parsed {
            assert!(!is_at_the_server(&fixture, &mark, false).await, "{name}: it does more than read");
        }
        disk.release();
        seen.extend(ada.script_to_end("S").await);
        let raw = seen.iter().any(|message| message.contains("secret17@example.com"));
        let shown = *name == "EXPLAIN" && seen.iter().any(|message| message.contains("customers"));
        assert!(raw || shown, "{name}: {seen:?}");
    }
    no_intent_is_open(&fixture, STATEMENTS.len() as u64).await;
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_harmless_goes_its_way_in_order_while_a_record_is_awaited() {
    let (fixture, disk) = fixture("mixed").await;
    fixture.grant(None, None).await;
    let mut ada = fixture.ada().await;
    let one = |text: &str| format!("P - {text} | B - - | E - | ");
    let raw = |id: u32| one(&format!("SELECT email FROM customers WHERE id = {id}"));
    let script = [one("SELECT 1"), raw(1), one("SELECT 2"), raw(2), one("SELECT 3")].concat();
    disk.hang();
    ada.script(&format!("{script}S")).await;
    let first = ["1 ", "2 ", "D 1", "C SELECT 1"];
    let mut seen = ada.so_far().await;
    assert_eq!(seen.get(..first.len()), Some(&first.map(str::to_owned)[..]), "{seen:?}");
    assert!(!holds_an_answer(&seen[first.len()..]), "{seen:?}");
    disk.release();
    seen.extend(ada.script("W Z").await);
    let rows: Vec<_> = seen.iter().filter(|message| message.starts_with('D')).collect();
    assert_eq!(rows, ["D 1", "D secret1@example.com", "D 2", "D secret2@example.com", "D 3"], "{seen:?}");
    no_intent_is_open(&fixture, 2).await;
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_lets_no_row_pass_and_ends_the_session() {
    for (number, script) in ["Q {}", "P - {} | B - - | E - | S", "Q {} FOR UPDATE"].iter().enumerate() {
        let (fixture, disk) = fixture(&format!("fails_{number}")).await;
        fixture.grant(None, None).await;
        let mut ada = fixture.ada().await;
        disk.hang();
        ada.script(&script.replace("{}", "SELECT email AS mark_ FROM customers")).await;
        if !script.contains("UPDATE") {
            until_at_the_server(&fixture, "mark_").await;
        }
        disk.broken.store(true, Ordering::SeqCst);
        disk.release();
        let mut seen = Vec::new();
        while let Some(message) = ada.message().await {
            seen.push(message);
        }
        assert!(!seen.iter().any(|message| message.starts_with('D')), "{script}: {seen:?}");
        assert!(
            seen.last()
                .is_some_and(|last| last.starts_with("E FATAL · 58030 · the audit trail cannot be written")),
            "{script}: {seen:?}"
        );
        fixture.end().await;
    }
}

/// Has its one row after hours.
const ENDLESS: &str =
    "SELECT max(c.email || p.a) AS endless FROM customers AS c, plain AS p, plain AS q, plain AS r";
/// Has more rows than any buffer takes, all at once.
const FLOOD: &str = "SELECT c.email AS endless FROM customers AS c, plain AS p, plain AS q, plain AS r";

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_ends_while_the_record_is_awaited_lets_no_row_pass() {
    let (fixture, disk) = fixture("revoked").await;
    let extended = |text: &str| format!("P - {text} | B - - | E - | S");
    for (script, flood) in [
        (format!("Q {ENDLESS}"), false),
        (extended(ENDLESS), false),
        (format!("Q {FLOOD}"), true),
        (extended(FLOOD), true),
    ] {
        let grant = fixture.grant(None, None).await;
        let mut ada = fixture.ada().await;
        // So that the server has all it needs to parse it quickly.
        ada.script(&format!("P - {ENDLESS} | S | W Z")).await;
        disk.hang();
        ada.script(&script).await;
        until_it_runs(&fixture).await;
        fixture.revoke(grant).await;
        // (A server that cannot write looks at no cancel.)
        if !flood {
            until("it is cancelled", async || !runs(&fixture).await).await;
        }
        let early = ada.so_far().await;
        assert!(!holds_an_answer(&early), "{early:?}");
        disk.release();
        let seen = ada.script("W Z").await;
        assert!(!seen.iter().any(|message| message.starts_with('D')), "{seen:?}");
        let error = format!("grant {grant} was revoked while the statement was running");
        assert!(seen.iter().any(|message| message.contains(&error)), "{seen:?}");
        assert!(ada.run("SELECT 1").await.contains(&"D 1".to_owned()), "the session goes on");
    }
    assert!(!runs(&fixture).await);
    no_intent_is_open(&fixture, 4).await;
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_while_the_record_is_awaited_cancels_that_statement() {
    let (fixture, disk) = fixture("cancelled").await;
    fixture.grant(None, None).await;
    for (script, sent) in
        [("Q {}", true), ("P - {} | B - - | E - | S", true), ("Q {flood} FOR UPDATE OF c", false)]
    {
        let mut ada = fixture.ada().await;
        disk.hang();
        ada.script(&script.replace("{}", ENDLESS).replace("{flood}", FLOOD)).await;
        if sent {
            until_it_runs(&fixture).await;
        } else {
            // Nothing shows from outside that it has been read.
            assert_eq!(ada.so_far().await, [""; 0]);
        }
        ada.cancel().await;
        if sent {
            let again = async || {
                ada.cancel().await;
                !runs(&fixture).await
            };
            until("it is cancelled", again).await;
            let early = ada.so_far().await;
            assert!(!holds_an_answer(&early), "{early:?}");
            disk.release();
        }
        let seen = ada.script("W Z").await;
        disk.release();
        assert!(seen.iter().any(|message| message.starts_with("E ERROR · 57014")), "{script}: {seen:?}");
        assert!(ada.run("SELECT 1").await.contains(&"D 1".to_owned()), "the session goes on");
    }
    no_intent_is_open(&fixture, 3).await;
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_while_the_record_is_awaited_leaves_no_intent_open() {
    let (fixture, disk) = fixture("gone").await;
    fixture.grant(None, None).await;
    for (script, sent) in [
        ("Q {}", true),
        ("Q {}; {}", true),
        ("P - {flood} | B - - | E - | S", true),
        ("Q {flood} FOR UPDATE OF c", false),
    ] {
        let mut ada = fixture.ada().await;
        disk.hang();
        ada.script(&script.replace("{}", ENDLESS).replace("{flood}", FLOOD)).await;
        if sent {
            until_it_runs(&fixture).await;
        } else {
            assert_eq!(ada.so_far().await, [""; 0]);
        }
        drop(ada);
        until("it is cancelled", async || !runs(&fixture).await).await;
        disk.release();
    }
    no_intent_is_open(&fixture, 5).await;
    fixture.end().await;
}

/// Statements whose intents are there and which are then not run.
const FAILING: &[&str] = &[
    "Q SELECT 1/0; {}",
    "Q {}; SELECT 1/0; {}",
    "Q {}; DO $$BEGIN END$$; {}",
    "P a {} | P b SELECT 1/0 | B - b | E - | B - a | E - | B - a | E - | S",
    "P a {} | B p a | B q a | E nope | E p | E q | S",
    "P a {} | S | B p a | E p 1 | B - nope | E p | S",
    "Q BEGIN; SELECT 1/0 | Q {} | Q ROLLBACK",
    "Q {}; {}",
    "Q {}; COMMIT; SELECT 1/0; {}",
];

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_are_not_run_have_an_outcome() {
    let (fixture, _disk) = fixture("skipped").await;
    fixture.grant(None, None).await;
    for script in FAILING {
        let script = script.replace("{}", "SELECT email FROM customers WHERE id <= 2");
        fixture.ada().await.script_to_end(&script).await;
    }
    no_intent_is_open(&fixture, 15).await;
    fixture.end().await;
}
