//! Which relations' columns are protected: by their labels, parents, children, and through views.

use std::collections::BTreeSet;

use pgwarrant_catalog::{Bound, FindingKind, Relation, RelationKind};
use pgwarrant_masking::Method;

use crate::database::{Database, column, label, protected, relation, unknown};

#[test]
fn partitions_children_and_namesakes_are_protected_by_oid_and_attribute_number() {
    let database = Database::new(
        "CREATE TABLE visits (gone text, at date NOT NULL, ip inet) PARTITION BY RANGE (at); \
         ALTER TABLE visits DROP COLUMN gone; \
         CREATE TABLE visits_26 (ip inet, padding int, at date NOT NULL) PARTITION BY RANGE (at); \
         ALTER TABLE visits_26 DROP COLUMN padding; \
         CREATE TABLE visits_26_1 PARTITION OF visits_26 FOR VALUES FROM ('2026-01-01') TO ('2026-02-01'); \
         ALTER TABLE visits ATTACH PARTITION visits_26 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01'); \
         CREATE SCHEMA archive; CREATE TABLE archive.visits (ip inet); \
         CREATE TABLE people (id int, note text); CREATE TABLE staff (salary int) INHERITS (people); \
         CREATE TABLE \"People\" (\"Note\" text); \
         CREATE TABLE moved (a int, secret text); ALTER TABLE moved RENAME COLUMN secret TO hidden; \
         ALTER TABLE moved RENAME TO renamed",
    );
    let labels = [
        label(&["visits.ip"], Method::Null),
        label(&["staff.note"], Method::Redact),
        label(&["\"People\".\"Note\""], Method::Redact),
        label(&["moved.secret", "renamed.hidden", "people.nope"], Method::Redact),
    ];
    let bound = database.bind(&labels, &[], &unknown);
    assert_eq!(bound.errors, []);
    for (schema, name) in
        [("public", "visits"), ("public", "visits_26"), ("public", "visits_26_1"), ("archive", "visits")]
    {
        assert_eq!(protected(relation(&bound, schema, name)), ["ip"], "{schema}.{name}");
    }
    let root = relation(&bound, "public", "visits");
    let leaf = relation(&bound, "public", "visits_26_1");
    assert_eq!(leaf.ancestors.last(), Some(&root.oid));
    assert_eq!(leaf.ancestors.len(), 2);
    assert_eq!(
        root.by_attnum(3).map(|column| column.name.as_str()),
        Some("ip"),
        "the dropped column keeps its number"
    );
    // A grant on the root's column uncovers the leaf's; one on the leaf's does not uncover the root's.
    let ip = |relation: &Relation| pgwarrant_catalog::ColumnId {
        relation: relation.oid,
        attnum: relation.column("ip").unwrap().attnum,
    };
    let protection = |relation: &Relation| relation.column("ip").unwrap().protection.clone().unwrap();
    assert!(protection(leaf).is_uncovered(|granted| granted == ip(root)));
    assert!(!protection(root).is_uncovered(|granted| granted == ip(leaf)));
    assert!(protection(leaf).sources.contains(&ip(root)));

    // What only a child has is read through its parent too; not through the parent's other names.
    assert_eq!(protected(relation(&bound, "public", "people")), ["note"]);
    assert_eq!(protected(relation(&bound, "public", "staff")), ["note"]);
    assert_eq!(protected(relation(&bound, "public", "People")), ["Note"]);
    assert_eq!(protected(relation(&bound, "public", "renamed")), ["hidden"]);
    let unbound: Vec<_> = bound
        .warnings
        .iter()
        .filter(|finding| finding.kind == FindingKind::Unbound)
        .filter_map(|finding| finding.pattern.as_deref())
        .collect();
    assert_eq!(unbound, ["moved.secret", "people.nope"]);
    assert!(bound.catalogue.unprotected.contains(&("pg_catalog".into(), "pg_class".into())));
    assert!(bound.catalogue.schemas.contains("pg_toast"));
}

#[test]
fn views_carry_what_they_show() {
    let database = Database::new(
        "CREATE TABLE customers (id int PRIMARY KEY, email text, card text, city text); \
         CREATE TABLE orders (id int, customer int); \
         CREATE VIEW directory AS SELECT c.id, c.email AS mail, reverse(c.card) AS card FROM customers c; \
         CREATE VIEW over_directory AS SELECT d.mail, d.id FROM directory d; \
         CREATE MATERIALIZED VIEW kept AS SELECT o.mail FROM over_directory o; \
         CREATE VIEW cities AS SELECT customers.city FROM customers WHERE customers.email IS NOT NULL; \
         CREATE VIEW opaque AS SELECT row_to_json(c.*) AS j, 1 AS one FROM customers c; \
         CREATE VIEW disguised AS SELECT s.email FROM (SELECT reverse(customers.email) AS email FROM customers) s; \
         CREATE VIEW passwords AS SELECT a.rolname, a.rolpassword FROM pg_authid a; \
         CREATE VIEW activity AS SELECT s.query FROM pg_stat_activity s; \
         CREATE VIEW files AS SELECT pg_read_file(o.id::text) AS f FROM orders o; \
         CREATE VIEW settings AS SELECT current_setting(o.id::text) AS s FROM orders o; \
         CREATE VIEW tenant AS SELECT o.id FROM orders o WHERE current_setting('app.tenant', true) = '1'; \
         CREATE VIEW harmless AS SELECT o.id FROM orders o; \
         CREATE TABLE generated (email text, lower_email text GENERATED ALWAYS AS (lower(email)) STORED)",
    );
    let column_of =
        |relation: &str, column: &str| ("public".to_owned(), relation.to_owned(), column.to_owned());
    let lineage = |definition: &str| {
        let outputs = |columns: &[(&str, &str)]| {
            Some(columns.iter().map(|(relation, name)| vec![column_of(relation, name)]).collect())
        };
        if definition.contains("AS mail") {
            outputs(&[("customers", "id"), ("customers", "email"), ("customers", "card")])
        } else if definition.contains("public.directory") {
            outputs(&[("directory", "mail"), ("directory", "id")])
        } else if definition.contains("public.over_directory") {
            outputs(&[("over_directory", "mail")])
        } else if definition.contains("IS NOT NULL") {
            outputs(&[("customers", "city")])
        } else if definition.contains("AS email") {
            outputs(&[("customers", "email")])
        } else {
            None
        }
    };
    let labels = [
        label(&["customers.email", "customers.card"], Method::Card),
        label(&["generated.email"], Method::Card),
    ];
    let bound = database.bind(&labels, &[], &lineage);
    let base = |name: &str| pgwarrant_catalog::ColumnId {
        relation: relation(&bound, "public", "customers").oid,
        attnum: relation(&bound, "public", "customers").column(name).unwrap().attnum,
    };
    let method =
        |view: &str, name: &str| column(&bound, "public", view, name).protection.clone().unwrap().method;
    assert_eq!(protected(relation(&bound, "public", "directory")), ["mail", "card"]);
    assert_eq!(method("directory", "mail"), "card", "a plain copy keeps its mask");
    assert_eq!(method("directory", "card"), "null", "a computed column shows nothing");
    assert_eq!(method("over_directory", "mail"), "card");
    assert_eq!(method("kept", "mail"), "card");
    assert_eq!(method("disguised", "email"), "null", "a copy of a computed column is computed");
    assert_eq!(protected(relation(&bound, "public", "over_directory")), ["mail"]);
    let kept = column(&bound, "public", "kept", "mail").protection.clone().unwrap();
    assert!(kept.is_uncovered(|granted| granted == base("email")));
    assert!(!kept.is_uncovered(|granted| granted == base("card")));
    assert_eq!(kept.sources, [base("email")]);
    let cities = relation(&bound, "public", "cities");
    assert_eq!(protected(cities), Vec::<&str>::new(), "a filter shows no value");
    assert_eq!((&cities.read_risk, &cities.write_risk), (&None, &None));
    assert_eq!(
        protected(relation(&bound, "public", "opaque")),
        ["j", "one"],
        "not shown to be harmless: protected"
    );
    // pg_depend knows nothing of what initdb made.
    assert_eq!(protected(relation(&bound, "public", "passwords")), ["rolname", "rolpassword"]);
    assert!(column(&bound, "public", "passwords", "rolpassword").protection.clone().unwrap().built_in);
    assert_eq!(protected(relation(&bound, "public", "activity")), ["query"]);
    let risk = relation(&bound, "public", "files").read_risk.clone().unwrap();
    assert!(risk.contains("function pg_catalog.pg_read_file, which reads files"), "{risk}");
    assert!(relation(&bound, "public", "settings").read_risk.is_some());
    assert_eq!(bound.catalogue.relation("public", "tenant"), None);
    assert_eq!(bound.catalogue.relation("public", "harmless"), None);
    assert_eq!(protected(relation(&bound, "public", "generated")), ["email", "lower_email"]);
    assert_eq!(method("generated", "lower_email"), "null");
}

#[test]
fn every_kind_of_relation_is_known_as_protected_or_not() {
    let database = Database::new(
        "CREATE TABLE plain (id serial PRIMARY KEY, secret text, filler text); \
         CREATE TABLE split (id int, secret text) PARTITION BY RANGE (id); \
         CREATE TABLE split_1 PARTITION OF split FOR VALUES FROM (0) TO (10); \
         CREATE VIEW seen AS SELECT p.secret FROM plain p; CREATE MATERIALIZED VIEW kept AS SELECT p.id FROM plain p; \
         CREATE TYPE pair AS (secret text); CREATE UNLOGGED TABLE unlogged (secret text); \
         CREATE TABLE open (id int); CREATE INDEX ON split (id)",
    );
    let labels = [label(&["plain.secret", "split.secret", "unlogged.secret"], Method::Redact)];
    let bound = database.bind(&labels, &[], &unknown);
    let rows = database.rows(&[
        "SELECT n.nspname, c.relname, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace",
    ]);
    let mut kinds = BTreeSet::new();
    for row in rows {
        let [Some(schema), Some(name), Some(kind)] = row.as_slice() else { panic!("{row:?}") };
        kinds.insert(kind.clone());
        let key = (schema.clone(), name.clone());
        let known = (bound.catalogue.by_name.contains_key(&key), bound.catalogue.unprotected.contains(&key));
        match kind.as_str() {
            "i" | "I" | "t" | "c" => assert_eq!(known, (false, false), "{key:?} is no relation to read"),
            _ => assert!(known.0 != known.1, "{key:?} {kind}: {known:?}"),
        }
    }
    for kind in ["r", "p", "v", "m", "S", "i", "I", "t", "c"] {
        assert!(kinds.contains(kind), "no relation of kind {kind}");
    }
    let kind = |name: &str| relation(&bound, "public", name).kind;
    assert_eq!(kind("plain"), RelationKind::Table);
    assert_eq!(kind("split"), RelationKind::PartitionedTable);
    assert_eq!(protected(relation(&bound, "public", "split_1")), ["secret"]);
    assert_eq!(protected(relation(&bound, "public", "unlogged")), ["secret"]);
    // Not shown where they come from: every column.
    assert_eq!(protected(relation(&bound, "public", "seen")), ["secret"]);
    assert_eq!(protected(relation(&bound, "public", "kept")), ["id"]);
}

#[test]
fn labels_follow_the_schema_as_it_changes() {
    let database = Database::new(
        "CREATE TABLE people (id int, note text); CREATE TABLE payroll (id int, note text, iban text); \
         CREATE TABLE staff () INHERITS (people, payroll); CREATE TABLE interns (stipend int) INHERITS (staff); \
         CREATE TABLE visits (id int, ip text) PARTITION BY LIST (id); CREATE TABLE visits_1 (id int, ip text); \
         CREATE TABLE bank (iban text)",
    );
    let labels = [label(&["payroll.note", "payroll.iban", "visits.ip", "bank.iban"], Method::Redact)];
    let bound = || database.bind(&labels, &[], &unknown);
    let columns = |bound: &Bound, name: &str| match bound.catalogue.relation("public", name) {
        Some(relation) => protected(relation).join(" "),
        None => String::new(),
    };
    // Of two parents, one is enough; and reading the other reads the child's rows.
    let first = bound();
    assert_eq!(columns(&first, "staff"), "note iban");
    assert_eq!(columns(&first, "interns"), "note iban");
    assert_eq!(columns(&first, "people"), "note");
    assert_eq!(columns(&first, "visits_1"), "");

    database.run(
        "ALTER TABLE staff NO INHERIT payroll; \
         ALTER TABLE visits ATTACH PARTITION visits_1 FOR VALUES IN (1); \
         ALTER TABLE bank RENAME TO archive; CREATE TABLE bank (iban text)",
    );
    let second = bound();
    assert_eq!((columns(&second, "staff"), columns(&second, "people")), (String::new(), String::new()));
    assert_eq!(columns(&second, "visits_1"), "ip");
    // Another relation under the old name, and the old one under another.
    assert_eq!((columns(&second, "bank"), columns(&second, "archive")), ("iban".into(), String::new()));
    assert_ne!(relation(&second, "public", "bank").oid, relation(&first, "public", "bank").oid);

    database
        .run("ALTER TABLE visits DETACH PARTITION visits_1; ALTER TABLE bank RENAME COLUMN iban TO account");
    let third = bound();
    assert_eq!((columns(&third, "visits_1"), columns(&third, "bank")), (String::new(), String::new()));
    assert!(third.warnings.iter().any(|finding| finding.pattern.as_deref() == Some("bank.iban")));
}

#[test]
fn views_of_every_kind_carry_what_they_show() {
    let database = Database::new(
        "CREATE TABLE customers (id int PRIMARY KEY, email text); \
         CREATE VIEW barrier WITH (security_barrier) AS SELECT c.id, c.email FROM customers c; \
         CREATE VIEW checked AS SELECT c.id, c.email FROM customers c WHERE c.id > 3 WITH CASCADED CHECK OPTION; \
         CREATE VIEW over AS SELECT b.email FROM barrier b WHERE b.id IN (SELECT k.id FROM checked k); \
         CREATE RECURSIVE VIEW chain (n, email) AS SELECT 1, c.email FROM customers c \
             UNION ALL SELECT n + 1, email FROM chain WHERE n < 3; \
         CREATE MATERIALIZED VIEW stale AS SELECT o.email FROM over o; \
         CREATE VIEW over_stale AS SELECT s.email AS e FROM stale s; \
         CREATE VIEW ruled AS SELECT 1 AS x; \
         CREATE RULE r AS ON INSERT TO ruled DO INSTEAD INSERT INTO customers VALUES (NEW.x, 'x')",
    );
    let modern = database.value(&["SHOW server_version_num"]).parse::<u32>().unwrap() >= 150_000;
    let option = if modern { "WITH (security_invoker)" } else { "" };
    database.run(&format!("CREATE VIEW invoker {option} AS SELECT c.email FROM customers c"));
    let bound = database.bind(&[label(&["customers.email"], Method::Redact)], &[], &unknown);
    for view in ["barrier", "checked", "over", "chain", "stale", "over_stale", "invoker"] {
        let protected = protected(relation(&bound, "public", view));
        assert!(protected.contains(&"email") || protected.contains(&"e"), "{view}: {protected:?}");
    }
    let risk = relation(&bound, "public", "ruled").write_risk.clone().unwrap();
    assert!(risk.contains("has a rule that reads the protected relation public.customers"), "{risk}");
}

#[test]
fn what_computes_with_protected_columns_is_known_though_it_shows_none() {
    let database = Database::new(
        "CREATE TABLE customers (id int PRIMARY KEY, email text, phone text); \
         CREATE VIEW callable AS SELECT c.id FROM customers c WHERE c.phone::bigint > 0; \
         CREATE VIEW over_callable AS SELECT c.id FROM callable c; \
         CREATE VIEW ids AS SELECT c.id FROM customers c; \
         CREATE TABLE orders (id int, customer int); ALTER TABLE orders ENABLE ROW LEVEL SECURITY; \
         CREATE POLICY own ON orders USING (customer IN (SELECT c.id FROM customers c WHERE c.email = current_user)); \
         CREATE TABLE products (id int)",
    );
    let lineage = |definition: &str| {
        let relation = if definition.contains("public.callable") { "callable" } else { "customers" };
        Some(vec![vec![("public".to_owned(), relation.to_owned(), "id".to_owned())]])
    };
    let labels = [label(&["customers.email", "customers.phone"], Method::Redact)];
    let bound = database.bind(&labels, &[], &lineage);
    for name in ["callable", "over_callable", "orders"] {
        let found = relation(&bound, "public", name);
        assert_eq!((protected(found).len(), &found.read_risk), (0, &None), "{name}");
    }
    // It is there because writing it writes customers.
    assert_eq!(protected(relation(&bound, "public", "ids")).len(), 0);
    assert_eq!(bound.catalogue.relation("public", "products"), None);
}

#[test]
fn what_a_write_goes_through_to_is_known() {
    let database = Database::new(
        "CREATE TABLE customers (id int PRIMARY KEY, code int UNIQUE, email text, \
                                 twice int GENERATED ALWAYS AS (id * 2) STORED); \
         CREATE VIEW shown AS SELECT c.code AS c, c.id, upper(c.email) AS u FROM customers c WHERE c.id > 0; \
         CREATE VIEW over_shown AS SELECT s.id FROM shown s; \
         CREATE VIEW joined AS SELECT a.id FROM customers a JOIN customers b ON a.email = b.email; \
         CREATE TABLE countries (id int PRIMARY KEY); \
         CREATE TABLE cities (id int PRIMARY KEY, \
                              country int REFERENCES countries ON DELETE CASCADE ON UPDATE CASCADE); \
         CREATE TABLE people (id int, city int REFERENCES cities ON DELETE SET NULL, ssn text); \
         CREATE TABLE notes (id int, city int REFERENCES cities)",
    );
    let labels = [label(&["customers.email", "people.ssn"], Method::Redact)];
    let bound = database.bind(&labels, &[], &unknown);
    let oid = |name: &str| relation(&bound, "public", name).oid;
    let base = bound.catalogue.bases.get(&oid("shown")).unwrap();
    assert_eq!((base.relation, base.columns.as_slice()), (oid("customers"), &[(1, 2), (2, 1)][..]));
    let base = bound.catalogue.bases.get(&oid("over_shown")).unwrap();
    assert_eq!((base.relation, base.columns.as_slice()), (oid("shown"), &[(1, 2)][..]));
    assert_eq!(bound.catalogue.bases.get(&oid("joined")), None);
    let generated = pgwarrant_catalog::ColumnId { relation: oid("customers"), attnum: 4 };
    assert_eq!(bound.catalogue.generated.iter().collect::<Vec<_>>(), [&generated]);

    // Deleting a country deletes cities, which changes people; changing its key does not.
    let [cascade] = bound.catalogue.cascades(oid("countries")) else { panic!("not one cascade") };
    assert_eq!((cascade.relation, cascade.deletes, cascade.updates), (oid("people"), true, false));
    assert_eq!((cascade.key.as_slice(), cascade.columns.as_slice()), (&[1][..], &[2][..]));
    assert_eq!(bound.catalogue.cascades(oid("cities")).len(), 1);
    assert_eq!(bound.catalogue.relation("public", "notes"), None);
}

#[test]
fn masks_that_a_unique_index_would_not_take_are_reported() {
    let database = Database::new(
        "CREATE TABLE t (id int PRIMARY KEY, redacted text UNIQUE, tokened text UNIQUE, drawn text UNIQUE, \
                         nulled text UNIQUE, required text NOT NULL UNIQUE, with_key text, partly text, folded text); \
         CREATE UNIQUE INDEX ON t (id, with_key); CREATE UNIQUE INDEX ON t (partly) WHERE id > 0; \
         CREATE UNIQUE INDEX t_folded ON t (lower(folded)); CREATE INDEX ON t (partly)",
    );
    let labels = [
        label(&["t.redacted", "t.with_key", "t.partly", "t.folded"], Method::Redact),
        label(&["t.tokened"], Method::Token),
        label(&["t.drawn"], Method::Random),
        label(&["t.nulled", "t.required"], Method::Null),
    ];
    let bound = database.bind(&labels, &[], &unknown);
    let mut found: Vec<String> = bound
        .warnings
        .iter()
        .filter(|finding| finding.kind == FindingKind::Unrestorable)
        .map(|finding| finding.message.clone())
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            "mask null makes equal what unique index \"t_required_key\" keeps apart",
            "mask redact makes equal what unique index \"t_folded\" keeps apart",
            "mask redact makes equal what unique index \"t_redacted_key\" keeps apart",
        ]
    );
}

#[test]
fn what_carries_values_of_two_categories_has_the_category_of_neither() {
    let database = Database::new(
        "CREATE TABLE t (id int PRIMARY KEY, a text, b text, c text GENERATED ALWAYS AS (a || b) STORED, \
                         d text GENERATED ALWAYS AS (upper(a)) STORED); \
         CREATE VIEW v AS SELECT t.a || t.b AS c, t.c AS again FROM t; \
         CREATE TABLE parent (x text); CREATE TABLE one () INHERITS (parent); CREATE TABLE two () INHERITS (parent)",
    );
    let category = |name: &str, columns: &[&str]| pgwarrant_catalog::Label {
        category: name.into(),
        ..label(columns, Method::Redact)
    };
    let labels = [category("identity", &["t.a", "one.x"]), category("contact", &["t.b", "two.x"])];
    let bound = database.bind(&labels, &[], &unknown);
    let category = |relation: &str, name: &str| {
        column(&bound, "public", relation, name).protection.clone().unwrap().category
    };
    assert_eq!((category("t", "a"), category("t", "d")), ("identity".into(), "identity".into()));
    for (relation, name) in [("t", "c"), ("v", "c"), ("v", "again"), ("parent", "x")] {
        assert_eq!(category(relation, name), "contact+identity", "{relation}.{name}");
    }
    assert_eq!(category("one", "x"), "identity");
}
