//! Records that the first layout wrote are read as what they meant then.

mod support;

use pgwarrant_grants::{Live, Principal, SledStore, TestClock, Urgency};
use support::*;

const GRANTS: [(u64, &str); 2] = [
    (
        1,
        concat!(
            r#"{"id":1,"request":2,"who":{"user":"ann"},"asked_by":"ann","database":"shop","#,
            r#""scope":{"columns":[{"relation":{"schema":"public","relation":"customers","#,
            r#""oid":16400}}],"actions":{"select":true,"insert":false,"update":false,"delete":false,"#,
            r#""export":false},"rows":{"text":"id = 42","relation":16400,"columns":[1]},"#,
            r#""others":"mask"},"from":1772366400000,"until":1772368200000,"limits":{"uses":3,"#,
            r#""rows":null},"spent":{"uses":0,"rows":0},"reason":"ticket 4711","ticket":"T-1","#,
            r#""approvals":[{"by":"petra","at":1772366400000,"reason":"seen"}],"state":"live"}"#,
        ),
    ),
    (
        2,
        concat!(
            r#"{"id":2,"request":3,"who":{"group":"support"},"asked_by":"ann","database":"shop","#,
            r#""scope":{"columns":[{"category":"contact"},{"column":{"schema":"public","#,
            r#""relation":"orders","column":"address","id":{"relation":16401,"attnum":2}}}],"#,
            r#""actions":{"select":true,"insert":false,"update":false,"delete":false,"#,
            r#""export":false},"rows":null,"others":"mask"},"from":1772366400000,"#,
            r#""until":1772370000000,"limits":{"uses":null,"rows":null},"spent":{"uses":0,"rows":0},"#,
            r#""reason":"ticket 4711","ticket":null,"approvals":[{"by":"paul","at":1772366400000,"#,
            r#""reason":null}],"state":{"ended":{"why":"revoked","at":1772366400000,"by":"petra","#,
            r#""reason":"enough"}}}"#,
        ),
    ),
];

const REQUESTS: [(u64, &str); 4] = [
    (
        1,
        concat!(
            r#"{"id":1,"by":"ann","who":{"user":"ann"},"database":"shop","#,
            r#""scope":{"columns":[{"column":{"schema":"public","relation":"customers","#,
            r#""column":"email","id":{"relation":16400,"attnum":2}}}],"actions":{"select":true,"#,
            r#""insert":false,"update":false,"delete":false,"export":false},"rows":null,"#,
            r#""others":"mask"},"duration":{"secs":3600,"nanos":0},"limits":{"uses":null,"#,
            r#""rows":null},"reason":"ticket 4711","ticket":null,"requested_at":1772366400000,"#,
            r#""lapses_at":1772452800000,"state":"pending","decision":null,"grant":null}"#,
        ),
    ),
    (
        2,
        concat!(
            r#"{"id":2,"by":"ann","who":{"user":"ann"},"database":"shop","#,
            r#""scope":{"columns":[{"relation":{"schema":"public","relation":"customers","#,
            r#""oid":16400}}],"actions":{"select":true,"insert":false,"update":false,"delete":false,"#,
            r#""export":false},"rows":{"text":"id = 42","relation":16400,"columns":[1]},"#,
            r#""others":"mask"},"duration":{"secs":1800,"nanos":0},"limits":{"uses":3,"rows":null},"#,
            r#""reason":"ticket 4711","ticket":"T-1","requested_at":1772366400000,"#,
            r#""lapses_at":1772452800000,"state":"approved","decision":{"by":"petra","#,
            r#""at":1772366400000,"reason":"seen"},"grant":1}"#,
        ),
    ),
    (
        3,
        concat!(
            r#"{"id":3,"by":"ann","who":{"group":"support"},"database":"shop","#,
            r#""scope":{"columns":[{"category":"contact"},{"column":{"schema":"public","#,
            r#""relation":"orders","column":"address","id":{"relation":16401,"attnum":2}}}],"#,
            r#""actions":{"select":true,"insert":false,"update":false,"delete":false,"#,
            r#""export":false},"rows":null,"others":"mask"},"duration":{"secs":3600,"nanos":0},"#,
            r#""limits":{"uses":null,"rows":null},"reason":"ticket 4711","ticket":null,"#,
            r#""requested_at":1772366400000,"lapses_at":1772452800000,"state":"approved","#,
            r#""decision":{"by":"paul","at":1772366400000,"reason":null},"grant":2}"#,
        ),
    ),
    (
        4,
        concat!(
            r#"{"id":4,"by":"ann","who":{"user":"ann"},"database":"shop","scope":{"columns":["all"],"#,
            r#""actions":{"select":true,"insert":false,"update":false,"delete":false,"#,
            r#""export":false},"rows":null,"others":"mask"},"duration":{"secs":3600,"nanos":0},"#,
            r#""limits":{"uses":null,"rows":null},"reason":"ticket 4711","ticket":null,"#,
            r#""requested_at":1772366400000,"lapses_at":1772452800000,"state":"denied","#,
            r#""decision":{"by":"petra","at":1772366400000,"reason":null},"grant":null}"#,
        ),
    ),
];

const SPENT: &str = r#"{"uses":1,"rows":0}"#;

fn key(kind: u8, id: u64) -> Vec<u8> {
    [&[kind][..], &id.to_be_bytes()].concat()
}

/// A store as a process of that time left it.
fn old(directory: &std::path::Path) -> sled::Db {
    let db = sled::Config::new().path(directory).open().unwrap();
    let tree = db.open_tree("grants").unwrap();
    for (id, record) in GRANTS {
        tree.insert(key(b'g', id), record).unwrap();
    }
    for (id, record) in REQUESTS {
        tree.insert(key(b'r', id), record).unwrap();
    }
    for (mark, id) in [(b'o', 1), (b'p', 1)] {
        tree.insert(key(mark, id), b"").unwrap();
    }
    tree.insert(key(b's', 1), SPENT).unwrap();
    for (meta, value) in [("m/grant", "2"), ("m/request", "4"), ("m/seen", "1772366400000")] {
        tree.insert(meta, value).unwrap();
    }
    db
}

#[test]
fn an_old_store_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let open = |db: &sled::Db| {
        let store = SledStore::open(db, directory.path()).unwrap();
        Live::open(store, TestClock::new(START + 1), settings()).unwrap()
    };
    let db = old(directory.path());
    let live = open(&db);
    let states = |live: &Live| {
        let requests: Vec<&str> = live.requests().iter().map(|request| request.state.text()).collect();
        let grants: Vec<&str> = live.grants().iter().map(|grant| grant.state_text()).collect();
        (requests, grants)
    };
    let known = (vec!["denied", "approved", "approved", "pending"], vec!["revoked", "live"]);
    assert_eq!(states(&live), known);
    let grant = live.find(1).unwrap();
    assert_eq!(
        (grant.spent.uses, grant.urgency, grant.approvals[0].by.as_str()),
        (1, Urgency::Normal, "petra")
    );
    assert_eq!((grant.ticket.as_deref(), grant.scope.rows_text()), (Some("T-1"), Some("id = 42")));
    assert!(!grant.is_unreviewed() && live.grounds(1).unwrap().is_none());
    assert_eq!(access(&live, &ann(), &shop()), [1]);

    // What was not recorded then does not open a way around: no person is the user's own.
    let second = Principal::new("ann2", texts(&["privacy"])).of_person("ann");
    assert!(live.approve(&second, 1, None, &here()).is_err());
    assert_eq!(live.requests_for(&ann()).len(), 4);
    assert_eq!(live.replay(1, &shop(), None).unwrap().facts.by.person, "ann");
    let approved = live.approve(&petra(), 1, None, &here()).unwrap().grant.unwrap();
    assert_eq!(approved.id, 3, "numbers go on");
    drop((live, db));

    let db = sled::Config::new().path(directory.path()).open().unwrap();
    let again = open(&db);
    assert_eq!(states(&again).0, ["denied", "approved", "approved", "approved"]);
    assert_eq!(access(&again, &ann(), &shop()), [1, 3]);
}
