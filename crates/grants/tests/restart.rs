//! What a restart finds, whatever happened to the process, the store or the clock.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pgwarrant_grants::store::{Change, Failure, Saved};
use pgwarrant_grants::{Ask, Grant, Grounds, Kind, Live, MemoryStore, Request, SledStore, Store, StoreError};
use support::*;

struct OnDisk {
    directory: tempfile::TempDir,
    clock: pgwarrant_grants::TestClock,
}

impl OnDisk {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), clock: pgwarrant_grants::TestClock::new(START) }
    }
    fn store(&self) -> (sled::Db, SledStore) {
        let config = sled::Config::new().path(self.directory.path());
        // What was open before lets go of its lock when sled's own threads have ended, which the
        // machine may take its time for.
        let deadline = Instant::now() + Duration::from_secs(30);
        let db = loop {
            match config.open() {
                Ok(db) => break db,
                Err(error) if error.to_string().contains("lock") && Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(error) => panic!("{error}"),
            }
        };
        let store = SledStore::open(&db, self.directory.path()).unwrap();
        (db, store)
    }
    /// A process from its start to its end, without a farewell.
    fn process<T>(&self, run: impl FnOnce(&Live) -> T) -> T {
        let live = Live::open(self.store().1, self.clock.clone(), settings()).unwrap();
        run(&live)
    }
}

fn request(live: &Live, columns: &str) -> u64 {
    live.request(&ann(), SHOP, &shop(), ask(columns), &here()).unwrap().request.id
}
fn grant(live: &Live, columns: &str) -> u64 {
    let request = request(live, columns);
    live.approve(&petra(), request, Some("seen the ticket"), &here()).unwrap().grant.unwrap().id
}

#[test]
fn sled_brings_back_every_state() {
    let disk = OnDisk::new();
    let before = disk.process(|live| {
        request(live, "customers.email");
        let denied = request(live, "customers.phone");
        live.deny(&petra(), denied, Some("no need"), &here()).unwrap();
        grant(live, "customers.email");
        let revoked = grant(live, "customers.*");
        live.revoke(&petra(), revoked, Some("enough")).unwrap();
        let released = grant(live, "category:contact");
        live.release(&ann(), released).unwrap();
        let rows = Ask { rows: Some("id = 42".to_owned()), ..ask("customers.ssn") };
        let rows = live.request(&ann(), SHOP, &shop(), rows, &here()).unwrap().request.id;
        live.approve(&petra(), rows, None, &here()).unwrap();
        (live.requests(), live.grants())
    });
    disk.process(|live| {
        assert_eq!((live.requests(), live.grants()), before);
        assert_eq!(access(live, &ann(), &shop()), [1, 4]);
        assert!(live.is_live(1) && !live.is_live(2) && !live.is_live(3) && live.is_live(4));
        assert_eq!(grant(live, "customers.email"), 5, "numbers go on");
        assert_eq!(live.requests()[0].id, 7);
    });
}

#[test]
fn a_window_that_closed_while_nobody_looked_is_closed() {
    let disk = OnDisk::new();
    disk.process(|live| {
        grant(live, "customers.email");
        request(live, "customers.phone");
    });
    disk.clock.advance(25 * 60 * MINUTE);
    for _ in 0..2 {
        disk.process(|live| {
            assert!(access(live, &ann(), &shop()).is_empty());
            assert_eq!(live.grants()[0].state_text(), "expired");
            live.tick().unwrap();
            assert_eq!(live.requests()[0].state.text(), "lapsed");
        });
    }
}

#[test]
fn history_is_trimmed_and_its_numbers_are_not_used_again() {
    let disk = OnDisk::new();
    let few = pgwarrant_grants::Settings { history: 2, history_stored: 3, ..settings() };
    let open = || Live::open(disk.store().1, disk.clock.clone(), few.clone()).unwrap();
    {
        let live = open();
        grant(&live, "customers.ssn"); // 1 stays live
        for _ in 0..5 {
            let id = grant(&live, "customers.email");
            live.revoke(&petra(), id, None).unwrap();
        }
        assert_eq!(live.grants().iter().map(|grant| grant.id).collect::<Vec<_>>(), [6, 5, 1]);
    }
    open().tick().unwrap();
    let (_db, store) = disk.store();
    let kept = (1..=6).filter(|id| store.grant(*id).unwrap().is_some());
    assert_eq!(kept.collect::<Vec<_>>(), [1, 4, 5, 6]);
    drop((_db, store));
    let live = open();
    assert_eq!(access(&live, &ann(), &shop()), [1]);
    assert_eq!(grant(&live, "customers.email"), 7);
}

#[test]
fn the_largest_records_stay_in_the_file_that_is_synced() {
    let disk = OnDisk::new();
    disk.process(|live| {
        let columns = vec!["customers.email"; 100].join(",");
        for _ in 0..40 {
            let large = Ask {
                columns: columns.clone(),
                rows: Some(format!("region IN ({})", vec!["'\"\"\"\"\"\"\"\"'"; 60].join(", "))),
                reason: Some(format!("a{}", "\"".repeat(999))),
                ticket: Some(format!("a{}", "\\".repeat(199))),
                case: Some(format!("a{}", "\"".repeat(99))),
                ..Ask::default()
            };
            let request = live.request(&ann(), SHOP, &shop(), large, &here()).unwrap().request.id;
            let note = format!("a{}", "\"".repeat(499));
            let grant = live.approve(&petra(), request, Some(&note), &here()).unwrap().grant.unwrap().id;
            live.revoke(&petra(), grant, Some(&note)).unwrap();
        }
    });
    let blobs = std::fs::read_dir(disk.directory.path().join("blobs")).unwrap().count();
    assert_eq!(blobs, 0);
}

// Crashes: (what fails, does what was written but not synced survive).
const CRASHES: [(Failure, bool); 3] =
    [(Failure::BeforeWrite, false), (Failure::BeforeFlush, false), (Failure::BeforeFlush, true)];

#[test]
fn what_the_store_did_not_take_was_never_given() {
    for (failure, survives) in CRASHES {
        let shop = Shop::open();
        let request = shop.request(&ann(), ask("customers.email"));
        shop.store.fail(Some(failure));
        let version = shop.live.version(&ann());
        let error = shop.live.approve(&petra(), request, None, &here()).unwrap_err();
        assert_eq!((error.kind, error.sqlstate()), (Kind::Store, "58030"));
        assert!(shop.access(&ann()).is_empty() && shop.live.grants().is_empty());
        assert_eq!(shop.live.version(&ann()), version);
        assert_eq!(shop.live.requests()[0].state.text(), "pending");

        let error =
            shop.live.request(&ann(), SHOP, &shop.catalogue, ask("customers.phone"), &here()).unwrap_err();
        assert_eq!(error.kind, Kind::Store);
        assert_eq!(shop.live.requests().len(), 1, "nor was the request filed");

        // Once the store works again it hears that none of it came to pass.
        shop.store.fail(None);
        shop.live.tick().unwrap();
        let again = Live::open(shop.store.after_crash(survives), shop.clock.clone(), settings()).unwrap();
        assert!(access(&again, &ann(), &shop.catalogue).is_empty(), "{failure:?}");
        let pending = again.requests().iter().filter(|request| request.state.text() == "pending").count();
        assert_eq!(pending, 1, "{failure:?}");
        let retried = shop.live.approve(&petra(), request, None, &here()).unwrap().grant.unwrap();
        assert_eq!(retried.id, 2, "a number that may be on disk is not used again");
    }
}

/// Urgency, ruling, start.
type Ruled = (&'static str, fn() -> pgwarrant_grants::Ruling, Option<&'static str>);

/// What a ruling gives at once, or writes down at once.
#[test]
fn what_was_ruled_and_not_recorded_is_as_if_it_had_not_been_asked() {
    let cases: [Ruled; 4] = [
        ("normal", approve, None),
        ("normal", approve, Some("in 1 h")),
        ("break-glass", || break_glass(&["privacy"]), None),
        ("normal", refuse, None),
    ];
    for ((urgency, ruling, starts_at), (failure, survives)) in
        cases.into_iter().flat_map(|case| CRASHES.map(|crash| (case, crash)))
    {
        let shop = Shop::ruled(move |_| ruling());
        let wanted = || Ask {
            urgency: Some(urgency.to_owned()),
            starts_at: starts_at.map(str::to_owned),
            ..ask("customers.email")
        };
        let mut events = shop.live.subscribe();
        shop.store.fail(Some(failure));
        let error = shop.live.request(&ann(), SHOP, &shop.catalogue, wanted(), &here()).unwrap_err();
        assert_eq!(error.kind, Kind::Store, "{urgency} {failure:?}");
        assert!(
            shop.access(&ann()).is_empty() && shop.live.grants().is_empty() && names(&mut events).is_empty()
        );
        shop.store.fail(None);
        shop.live.tick().unwrap();
        let again = Live::open(shop.store.after_crash(survives), shop.clock.clone(), settings()).unwrap();
        shop.clock.advance(61 * MINUTE);
        assert!(access(&again, &ann(), &shop.catalogue).is_empty(), "{urgency} {failure:?}");
        assert!(again.unreviewed_for(&petra()).is_empty(), "{urgency} {failure:?}");
        assert!(again.requests().iter().all(|request| request.grant.is_none()), "{urgency} {failure:?}");
    }
}

#[test]
fn an_approval_that_was_not_recorded_does_not_count() {
    for (failure, survives) in CRASHES {
        let shop = Shop::ruled(|_| panels(&[(&["privacy"], 2, false)]));
        let id = shop.request(&ann(), ask("customers.email"));
        shop.store.fail(Some(failure));
        assert_eq!(shop.live.approve(&paul(), id, None, &here()).unwrap_err().kind, Kind::Store);
        shop.store.fail(None);
        shop.live.tick().unwrap();
        let again = Live::open(shop.store.after_crash(survives), shop.clock.clone(), settings()).unwrap();
        for live in [&shop.live, &again] {
            assert!(live.requests()[0].approvals.is_empty(), "{failure:?}");
            assert!(live.approve(&petra(), id, None, &here()).unwrap().grant.is_none());
        }
    }
}

#[test]
fn sled_keeps_reviews_open_over_trimming_and_restarts() {
    let disk = OnDisk::new();
    let few = pgwarrant_grants::Settings { history: 2, history_stored: 3, ..settings() };
    let open = || {
        let rule = |facts: &pgwarrant_grants::Facts| match facts.urgency {
            pgwarrant_grants::Urgency::BreakGlass => break_glass(&["privacy"]),
            _ => approve(),
        };
        Live::open_with(disk.store().1, disk.clock.clone(), few.clone(), Arc::new(Says(rule))).unwrap()
    };
    let give = |live: &Live, urgency: &str| {
        let wanted = Ask { urgency: Some(urgency.to_owned()), ..ask("customers.email") };
        let id = live.request(&ann(), SHOP, &shop(), wanted, &here()).unwrap().grant.unwrap().id;
        live.release(&ann(), id).unwrap();
    };
    {
        let live = open();
        give(&live, "break-glass");
        (0..8).for_each(|_| give(&live, "normal"));
    }
    open().tick().unwrap();
    {
        let live = open();
        assert_eq!(live.unreviewed_for(&paul()).iter().map(|grant| grant.id).collect::<Vec<_>>(), [1]);
        assert!(
            live.grounds(9).unwrap().is_some() && live.grounds(2).unwrap().is_none(),
            "trimmed with its request"
        );
        live.review(&paul(), 1, true, "seen", &here()).unwrap();
    }
    let live = open();
    assert!(live.unreviewed_for(&paul()).is_empty());
    drop(live);
    open().tick().unwrap();
    let (_db, store) = disk.store();
    assert!(store.grant(1).unwrap().is_none(), "reviewed, it is history like others");
}

#[test]
fn a_revocation_bites_even_if_the_store_fails_and_is_written_later() {
    for (failure, _) in CRASHES {
        let shop = Shop::open();
        let id = shop.grant(ask("customers.email"));
        shop.store.fail(Some(failure));
        let error = shop.live.revoke(&petra(), id, None).unwrap_err();
        assert_eq!(error.message, "grant 1 has ended, but that could not be recorded");
        assert!(shop.access(&ann()).is_empty() && !shop.live.is_live(id));
        assert!(shop.live.revoke(&petra(), id, None).unwrap_err().message.contains("already ended"));
        shop.store.fail(None);
        shop.live.tick().unwrap();
        let again = Live::open(shop.store.after_crash(false), shop.clock.clone(), settings()).unwrap();
        assert!(access(&again, &ann(), &shop.catalogue).is_empty(), "{failure:?}");
    }
}

#[test]
fn a_crash_gives_no_use_and_no_row_back() {
    for (uses, rows) in [(1_u64, 1_u64), (5, 3), (100, 1000), (17, 33)] {
        let shop = Shop::open();
        let limited = Ask {
            max_uses: Some("200".to_owned()),
            max_rows: Some("2000".to_owned()),
            ..ask("customers.email")
        };
        let id = shop.grant(limited);
        for _ in 0..uses {
            shop.live.use_grants(&[id], 0).unwrap();
        }
        shop.live.spend_rows(&[id], rows).unwrap();
        let again = Live::open(shop.store.after_crash(false), shop.clock.clone(), settings()).unwrap();
        let grant = again.grants()[0].clone();
        assert!((uses..=uses + 13).contains(&grant.spent.uses), "{:?} after {uses}", grant.spent);
        assert!((rows..=rows + 125).contains(&grant.spent.rows), "{:?} after {rows}", grant.spent);
        assert!(shop.store.commits() <= 4 + 32, "{} waits for the disk", shop.store.commits());
        // A farewell records what was really spent.
        shop.live.close().unwrap();
        let again = Live::open(shop.store.after_crash(false), shop.clock.clone(), settings()).unwrap();
        assert_eq!((again.grants()[0].spent.uses, again.grants()[0].spent.rows), (uses, rows));
    }
}

/// A disk that hangs whenever the test wants it to.
#[derive(Clone, Default)]
struct Hanging {
    store: MemoryStore,
    hangs: Arc<Mutex<()>>,
    commits: Arc<AtomicUsize>,
}

impl Store for Hanging {
    fn load(&self, history: usize) -> Result<Saved, StoreError> {
        self.store.load(history)
    }
    fn trim(&self, keep: usize) -> Result<(), StoreError> {
        self.store.trim(keep)
    }
    fn commit(&self, changes: &[Change]) -> Result<(), StoreError> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        let _turn = self.hangs.lock().unwrap();
        self.store.commit(changes)
    }
    fn grant(&self, id: u64) -> Result<Option<Grant>, StoreError> {
        self.store.grant(id)
    }
    fn request(&self, id: u64) -> Result<Option<Request>, StoreError> {
        self.store.request(id)
    }
    fn grounds(&self, id: u64) -> Result<Option<Grounds>, StoreError> {
        self.store.grounds(id)
    }
}

#[test]
fn a_disk_that_hangs_keeps_no_grant_alive() {
    let (disk, clock) = (Hanging::default(), pgwarrant_grants::TestClock::new(START));
    let live = Live::open(disk.clone(), clock.clone(), settings()).unwrap();
    let limited = Ask { max_uses: Some("5".to_owned()), ..ask("customers.email") };
    let limited = live.request(&ann(), SHOP, &shop(), limited, &here()).unwrap().request.id;
    let limited = live.approve(&petra(), limited, None, &here()).unwrap().grant.unwrap().id;
    let revoked = grant(&live, "customers.phone");
    grant(&live, "customers.ssn");
    let hanging = disk.hangs.lock().unwrap();
    let commits = disk.commits.load(Ordering::SeqCst);
    std::thread::scope(|scope| {
        let spending = scope.spawn(|| live.use_grants(&[limited], 0));
        while disk.commits.load(Ordering::SeqCst) == commits {
            std::thread::yield_now();
        }
        let revoking = scope.spawn(|| live.revoke(&petra(), revoked, None).map(drop));
        let asking = scope.spawn(|| request(&live, "customers.email"));
        while live.is_live(revoked) || live.grants().iter().all(|grant| grant.state_text() != "revoked") {
            std::thread::yield_now();
        }
        while !access(&live, &ann(), &shop()).iter().eq(&[limited, limited + 2]) {
            std::thread::yield_now();
        }
        clock.advance(60 * MINUTE);
        live.version(&ann());
        assert!(access(&live, &ann(), &shop()).is_empty());
        assert!(live.requests().iter().all(|request| request.state.text() == "approved"));
        assert!(!spending.is_finished() && !revoking.is_finished() && !asking.is_finished());
        drop(hanging);
        let ended = spending.join().unwrap().unwrap_err();
        assert!(ended.to_error().message.contains("expired"), "it ended while its use was recorded");
        revoking.join().unwrap().unwrap();
        asking.join().unwrap();
    });
}

#[test]
fn what_ends_while_its_extension_is_on_its_way_to_a_broken_disk_stays_ended() {
    let (disk, clock) = (Hanging::default(), pgwarrant_grants::TestClock::new(START));
    let live = Live::open(disk.clone(), clock.clone(), settings()).unwrap();
    let id = grant(&live, "customers.email");
    let asked = live.extend(&ann(), id, &shop(), more("30 min"), &here()).unwrap().request.id;
    let hanging = disk.hangs.lock().unwrap();
    let commits = disk.commits.load(Ordering::SeqCst);
    std::thread::scope(|scope| {
        let extending = scope.spawn(|| live.approve(&petra(), asked, None, &here()).is_ok());
        while disk.commits.load(Ordering::SeqCst) == commits {
            std::thread::yield_now();
        }
        let mut events = live.subscribe();
        let revoking = scope.spawn(|| live.revoke(&petra(), id, None).is_ok());
        // Announced once it is queued.
        while events.try_recv().is_err() {
            std::thread::yield_now();
        }
        disk.store.fail(Some(Failure::BeforeWrite));
        drop(hanging);
        assert!(!extending.join().unwrap() && !revoking.join().unwrap());
    });
    disk.store.fail(None);
    live.tick().unwrap();
    let again = Live::open(disk.store.after_crash(false), clock, settings()).unwrap();
    assert!(!again.is_live(id) && !live.is_live(id));
    assert_eq!(again.grants()[0].state_text(), "revoked");
}

#[test]
fn a_use_that_cannot_be_recorded_is_refused_and_costs_nothing() {
    let shop = Shop::open();
    let id = shop.grant(Ask { max_uses: Some("1".to_owned()), ..ask("customers.email") });
    shop.store.fail(Some(Failure::BeforeFlush));
    let ended = shop.live.use_grants(&[id], 0).unwrap_err();
    assert_eq!(ended.to_error().message, "the use of grant 1 could not be recorded");
    shop.store.fail(None);
    shop.live.use_grants(&[id], 0).unwrap();
    assert!(shop.live.use_grants(&[id], 0).is_err());
}

#[test]
fn a_jump_of_the_wall_clock_changes_nothing_while_the_process_runs() {
    for jump in [-365 * 24 * 60, -60, -1, 1, 60, 365 * 24 * 60_i64] {
        let shop = Shop::open();
        let id = shop.grant(ask("customers.email"));
        shop.clock.jump(jump * MINUTE as i64);
        shop.clock.advance(59 * MINUTE);
        assert_eq!(shop.access(&ann()), [id], "{jump}");
        shop.clock.advance(MINUTE);
        assert!(shop.access(&ann()).is_empty() && !shop.live.is_live(id), "{jump}");
    }
}

/// Granted for 60 minutes; minutes that the process ran on, a jump of the wall clock (in minutes),
/// minutes until the restart; minutes left then.
const AFTER_RESTART: [(u64, i64, u64, u64); 8] = [
    (10, 0, 0, 50),
    (10, 0, 20, 30),
    (0, 0, 60, 0),
    // Set forward: at the restart the wall clock is believed.
    (10, 20, 0, 30),
    (10, 60, 0, 0),
    // Set back: what was seen to have passed has passed.
    (10, -5, 0, 50),
    (10, -600, 0, 50),
    (40, -600, 0, 20),
];

#[test]
fn a_restart_computes_what_is_left_from_wall_time_and_never_adds_to_it() {
    for (ran, jump, down, left) in AFTER_RESTART {
        let shop = Shop::open();
        let id = shop.grant(ask("customers.email"));
        shop.clock.advance(ran * MINUTE);
        shop.live.tick().unwrap();
        shop.clock.jump(jump * MINUTE as i64);
        shop.clock.advance(down * MINUTE);
        let mut store = shop.store.after_crash(false);
        // A second restart must not shift anything again.
        for _ in 0..2 {
            let again = Live::open(store.clone(), shop.clock.clone(), settings()).unwrap();
            assert_eq!(again.is_live(id), left > 0, "{ran} {jump} {down}");
            store = store.after_crash(false);
        }
        let again = Live::open(store, shop.clock.clone(), settings()).unwrap();
        shop.clock.advance((left * MINUTE).saturating_sub(1));
        assert_eq!(again.is_live(id), left > 0, "{ran} {jump} {down}");
        shop.clock.advance(1);
        assert!(!again.is_live(id), "{ran} {jump} {down}");
    }
}

#[test]
fn a_damaged_record_stops_the_start_instead_of_being_skipped() {
    let disk = OnDisk::new();
    disk.process(|live| grant(live, "customers.email"));
    let (db, store) = disk.store();
    let tree = db.open_tree("grants").unwrap();
    let key = tree.scan_prefix(b"g").keys().next().unwrap().unwrap();
    tree.insert(key, b"{\"id\":1").unwrap();
    let error = Live::open(store, disk.clock.clone(), settings()).unwrap_err();
    assert_eq!(error.kind, Kind::Store);
}
