//! Dumps of people who have grants: raw with `export`, refused without.

use std::fs;

use pgwarrant_tests::psql;

use crate::{Bench, lines, pg_dump};

impl Bench {
    /// ada asks, petra approves; the grant's number.
    pub fn grant(&self, columns: &str, rows: Option<&str>, actions: &str) -> String {
        let rows = rows.map(|rows| format!("rows => '{rows}', ")).unwrap_or_default();
        let ask = format!(
            "SELECT request_id FROM pgwarrant.request('{columns}', {rows}reason => 'ticket 1: a dump', \
             duration => '10 min', actions => '{actions}')"
        );
        let request = lines(&self.proxy.conninfo("ada"), &ask).concat();
        lines(&self.proxy.conninfo("petra"), &format!("SELECT state FROM pgwarrant.approve({request})"));
        let grant = format!("SELECT grant_id FROM pgwarrant.requests WHERE id = {request}");
        lines(&self.proxy.conninfo("ada"), &grant).concat()
    }
}

#[tokio::test]
async fn with_export_on_all_rows_a_dump_is_what_a_direct_one_is() {
    let bench = Bench::new().await;
    bench.grant("customers.*", None, "select, export");
    let directory = tempfile::tempdir().expect("a directory");
    let (here, there) = (directory.path().join("here"), directory.path().join("there"));
    for format in ["-Fp", "--inserts"] {
        let arguments = ["-t", "customers", "--data-only", format];
        let dumped = bench.dump(&arguments, &here);
        assert!(dumped.success, "{}", dumped.stderr);
        assert!(pg_dump(&bench.direct(), &arguments, &there).success);
        let [dumped, direct] = [&here, &there].map(|file| {
            let text = fs::read_to_string(file).expect("a dump");
            let mut rows: Vec<String> =
                text.lines().filter(|line| line.contains("@example")).map(str::to_owned).collect();
            rows.sort_unstable();
            rows
        });
        assert_eq!(direct.len(), 500);
        assert!(dumped == direct, "{format}");
    }
    // Other tables stay masked.
    let payments = bench.dump(&["-t", "payments", "--data-only"], &here);
    assert!(payments.success, "{}", payments.stderr);
    assert!(!fs::read_to_string(&here).expect("a dump").contains("4000-0012-"));
}

#[tokio::test]
async fn with_export_on_some_rows_the_others_are_masked() {
    let bench = Bench::new().await;
    bench.grant("customers.email", Some("id = 42"), "select, export");
    let directory = tempfile::tempdir().expect("a directory");
    let to = directory.path().join("dump");
    let dumped = bench.dump(&["-t", "customers", "--data-only"], &to);
    assert!(dumped.success, "{}", dumped.stderr);
    let text = fs::read_to_string(&to).expect("a dump");
    let raw: Vec<&str> = text.lines().filter(|line| line.contains("@example")).collect();
    assert!(matches!(raw.as_slice(), [only] if only.starts_with("42\t")), "{raw:?}");
}

#[tokio::test]
async fn without_export_a_dump_of_granted_columns_is_refused_and_says_what_to_ask_for() {
    let bench = Bench::new().await;
    let grant = bench.grant("customers.email", None, "select");
    let directory = tempfile::tempdir().expect("a directory");
    let to = directory.path().join("dump");
    for format in ["-Fp", "--inserts"] {
        let dumped = bench.dump(&["-t", "customers", format], &to);
        assert!(!dumped.success, "{format}");
        for text in
            ["permission denied to store raw values of customers.email", "actions => 'select, export'"]
        {
            assert!(dumped.stderr.contains(text), "{}", dumped.stderr);
        }
        assert!(!fs::read_to_string(&to).is_ok_and(|dump| dump.contains("@example")), "{format}");
    }
    // What she has no grant on can be dumped, and everything once the grant is given back.
    assert!(bench.dump(&["-t", "payments"], &to).success);
    let released =
        psql(&bench.proxy.conninfo("ada"), &[], &format!("SELECT * FROM pgwarrant.release({grant})"));
    assert!(released.success, "{}", released.stderr);
    let dumped = bench.dump(&["-t", "customers"], &to);
    assert!(dumped.success, "{}", dumped.stderr);
}
