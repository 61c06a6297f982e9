//! An ungranted user's dump: nothing raw in its bytes, and whole when restored.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use aho_corasick::AhoCorasick;
use pgwarrant_tests::psql;

use crate::copies::Copy;
use crate::{Bench, answers, lines, pg_dump};

/// A table, its columns, and which of them are protected or generated.
struct Table {
    name: String,
    columns: Vec<String>,
    protected: BTreeSet<String>,
    /// PostgreSQL computes them anew when a dump is restored.
    generated: BTreeSet<String>,
}

impl Table {
    fn select(&self, wanted: impl Fn(&str) -> bool) -> String {
        let columns: Vec<&str> =
            self.columns.iter().map(String::as_str).filter(|column| wanted(column)).collect();
        format!("SELECT {} FROM ONLY {}", columns.join(", "), self.name)
    }
}

/// Refused without a grant; a dump has its type's blank.
const BLOCKED: &str = "blood";

fn tables(bench: &Bench) -> Vec<Table> {
    let protected: BTreeSet<String> =
        lines(&bench.proxy.conninfo("ada"), "SELECT relation || '.' || column_name FROM pgwarrant.catalog")
            .into_iter()
            .collect();
    let columns = "SELECT a.attrelid::regclass || '|' || a.attname || '|' || a.attgenerated::text \
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
         WHERE c.relkind = 'r' AND c.oid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped \
         AND c.relnamespace::regnamespace::text IN ('public', 'hr', 'crm')";
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for line in lines(&bench.direct(), columns) {
        let fields: Vec<&str> = line.split('|').collect();
        let [table, column, generated] = fields.as_slice() else { panic!("{line}") };
        let qualified = if table.contains('.') { (*table).to_owned() } else { format!("public.{table}") };
        let entry = tables.entry(qualified.clone()).or_insert_with(|| Table {
            name: qualified.clone(),
            columns: Vec::new(),
            protected: BTreeSet::new(),
            generated: BTreeSet::new(),
        });
        entry.columns.push((*column).to_owned());
        if protected.contains(&format!("{qualified}.{column}")) {
            entry.protected.insert((*column).to_owned());
        }
        if !generated.is_empty() {
            entry.generated.insert((*column).to_owned());
        }
    }
    tables.into_values().collect()
}

/// Every raw value of a protected column that is long enough not to be in a dump by chance.
fn raw_values(bench: &Bench, tables: &[Table]) -> Vec<String> {
    let mut queries = Vec::new();
    for table in tables {
        for column in &table.protected {
            // An address is shown without its mask where that says nothing.
            let value = format!("regexp_replace({column}::text, '/32$', '')");
            queries
                .push(format!("SELECT DISTINCT {value} FROM ONLY {} WHERE length({value}) >= 6", table.name));
        }
    }
    let mut values: BTreeSet<String> = answers(&bench.direct(), &queries).into_iter().flatten().collect();
    // The shop's employees have this one, as has the mask of an enum.
    values.remove("unknown");
    values.into_iter().collect()
}

/// All bytes of a dump, which may be a directory.
fn bytes(dump: &Path) -> Vec<u8> {
    if !dump.is_dir() {
        return fs::read(dump).expect("a dump");
    }
    let mut bytes = Vec::new();
    for file in fs::read_dir(dump).expect("a directory") {
        bytes.extend(fs::read(file.expect("a file").path()).expect("a file"));
        bytes.push(b'\n');
    }
    bytes
}

/// Format, and whether it is a script.
type Format = (&'static [&'static str], bool);

const FORMATS: [Format; 3] = [
    (&["-Fp"], true),
    (&["-Fd", "-Z0", "-j2"], false),
    (&["--column-inserts", "--rows-per-insert=100"], true),
];

/// Those that share nearly all of their way with one above: with `PGWARRANT_TEST_LONG` set.
const MORE_FORMATS: [Format; 2] = [(&["-Fc", "-Z0"], false), (&["--inserts"], true)];

fn formats() -> Vec<Format> {
    let more = std::env::var_os("PGWARRANT_TEST_LONG").map(|_| MORE_FORMATS);
    FORMATS.into_iter().chain(more.into_iter().flatten()).collect()
}

#[tokio::test]
async fn a_dump_has_nothing_raw_in_it_and_restores_in_every_format() {
    let bench = Bench::new().await;
    let ada = bench.proxy.conninfo("ada");
    let tables = tables(&bench);
    assert!(tables.len() >= 13, "{} tables", tables.len());
    let values = raw_values(&bench, &tables);
    let finder = AhoCorasick::new(&values).expect("an automaton");
    let directory = tempfile::tempdir().expect("a directory");

    let all = directory.path().join("direct");
    let direct = pg_dump(&bench.direct(), &[], &all);
    assert!(direct.success, "{}", direct.stderr);
    let found: BTreeSet<usize> =
        finder.find_overlapping_iter(&bytes(&all)).map(|found| found.pattern().as_usize()).collect();
    assert_eq!(found.len(), values.len(), "a direct dump has every value that is looked for");

    let (mut queries, mut expected) = (Vec::new(), Vec::new());
    for table in &tables {
        queries.push(table.select(|column| column != BLOCKED && !table.generated.contains(column)));
    }
    expected.extend(answers(&ada, &queries));
    let mut unmasked: Vec<String> =
        tables.iter().map(|table| table.select(|column| !table.protected.contains(column))).collect();
    unmasked.extend(BEYOND_ROWS.map(str::to_owned));
    expected.extend(answers(&bench.direct(), &unmasked));
    queries.extend(unmasked);

    for (number, (format, script)) in formats().into_iter().enumerate() {
        let dump = directory.path().join(number.to_string());
        let run = bench.dump(format, &dump);
        assert!(run.success, "{format:?}: {}", run.stderr);
        let found = finder.find(&bytes(&dump)).map(|found| &values[found.pattern().as_usize()]);
        assert_eq!(found, None, "{format:?}");
        let copy = Copy::new();
        let restored = copy.restore(&dump, script);
        assert!(restored.success, "{format:?}: {}", restored.stderr);
        for (query, (found, expected)) in
            queries.iter().zip(answers(&copy.conninfo(), &queries).iter().zip(&expected))
        {
            assert_eq!(found, expected, "{format:?}: {query}");
        }
        assert_eq!(lines(&copy.conninfo(), "SELECT DISTINCT blood FROM hr.employees"), ["unknown"]);
    }
}

/// What a restored database must have beyond the rows of its tables, as the original has it.
const BEYOND_ROWS: [&str; 16] = [
    "SELECT count(*) FROM crm.letters JOIN crm.members ON email = member",
    "SELECT count(*) FROM orders JOIN customers ON customers.id = customer_id",
    "SELECT count(DISTINCT email) FROM customers",
    "SELECT sum(members) FROM crm.by_provider",
    "SELECT count(*) FROM crm.leads",
    "SELECT last_value FROM crm.tickets",
    "SELECT last_value FROM customers_id_seq",
    "SELECT obj_description('crm.members'::regclass), col_description('crm.members'::regclass, 2)",
    "SELECT polname, pg_get_expr(polqual, polrelid) FROM pg_policy",
    "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid >= 16384",
    "SELECT indexrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid >= 16384 \
         AND indrelid::regclass::text NOT LIKE 'pg_toast%'",
    "SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal",
    "SELECT extname, extversion FROM pg_extension",
    "SELECT stxname FROM pg_statistic_ext",
    "SELECT attrelid::regclass, attname, attidentity, attgenerated FROM pg_attribute \
         WHERE attrelid >= 16384 AND (attidentity <> '' OR attgenerated <> '')",
    "SELECT folded = lower(email), twice FROM crm.members",
];

#[tokio::test]
async fn parts_of_a_database_are_dumped_as_well() {
    let bench = Bench::new().await;
    let directory = tempfile::tempdir().expect("a directory");
    let to = directory.path().join("dump");
    let dumped = |arguments: &[&str]| {
        let run = bench.dump(arguments, &to);
        assert!(run.success, "{arguments:?}: {}", run.stderr);
        fs::read_to_string(&to).expect("a dump")
    };

    let schema = dumped(&["--schema-only"]);
    let direct = pg_dump(&bench.direct(), &["--schema-only"], &to);
    assert!(direct.success, "{}", direct.stderr);
    assert_eq!(without_key(&schema), without_key(&fs::read_to_string(&to).expect("a dump")));

    let copy = Copy::new();
    for section in ["pre-data", "data", "post-data"] {
        let script = dumped(&["--section", section]);
        assert_eq!(script.contains("COPY public.customers ("), section == "data", "{section}");
        let restored = copy.restore(&to, true);
        assert!(restored.success, "{section}: {}", restored.stderr);
    }
    let data = dumped(&["--data-only"]);
    assert!(data.contains("COPY public.customers (") && !data.contains("CREATE TABLE"), "{data:.400}");

    let one = dumped(&["-t", "hr.employees"]);
    assert!(one.contains("CREATE TABLE hr.employees") && !one.contains("customers"), "{one:.400}");
    let excluded = dumped(&["--exclude-table-data=customers", "-n", "public"]);
    assert!(
        excluded.contains("CREATE TABLE public.customers") && !excluded.contains("COPY public.customers")
    );
}

/// Each script has its own key for psql's \restrict.
fn without_key(script: &str) -> String {
    let lines = script.lines().filter(|line| !line.contains("restrict "));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn large_objects_are_refused_and_can_be_left_out() {
    let bench = Bench::new().await;
    let direct = &bench.shop.direct;
    direct
        .batch_execute(
            "SELECT lo_from_bytea(777001, 'canary'); GRANT SELECT ON LARGE OBJECT 777001 TO shop_app",
        )
        .await
        .expect("a large object");
    let directory = tempfile::tempdir().expect("a directory");
    let to = directory.path().join("dump");
    let whole = bench.dump(&[], &to);
    assert!(!whole.success);
    assert!(whole.stderr.contains("could not open large object"), "{}", whole.stderr);
    let without = bench.dump(&["--no-blobs"], &to);
    assert!(without.success, "{}", without.stderr);
    let dump = fs::read_to_string(&to).expect("a dump");
    assert!(!dump.contains("777001") && !dump.contains(&hex("canary")), "{dump:.400}");
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn copy_of_a_table_does_what_postgresql_s_does() {
    let bench = Bench::new().await;
    let ada = bench.proxy.conninfo("ada");
    let run = |statement: &str| psql(&ada, &["-A", "-t"], statement);
    let columns = |statement: &str| {
        let run = run(statement);
        assert!(run.success, "{statement}: {}", run.stderr);
        run.stdout.lines().next().map(|line| line.split('\t').count())
    };
    // All columns but the generated ones, as PostgreSQL's COPY.
    assert_eq!(columns("COPY crm.members TO STDOUT"), Some(6));
    assert_eq!(columns("COPY crm.members (nick) TO STDOUT"), Some(1));
    assert_eq!(columns("COPY customers (email, id, phone) TO STDOUT"), Some(3));
    assert_eq!(run("COPY hr.employees (blood) TO STDOUT").stdout.lines().collect::<BTreeSet<_>>().len(), 1);
    // Where a person names it, it is refused as ever.
    for refused in ["SELECT blood FROM hr.employees", "COPY (SELECT blood FROM hr.employees) TO STDOUT"] {
        let run = run(refused);
        assert!(run.stderr.contains("permission denied for column hr.employees.blood"), "{}", run.stderr);
    }
}
