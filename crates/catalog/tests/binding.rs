//! Binding over snapshots made by hand.

use std::time::Instant;

use pgwarrant_catalog::snapshot::{
    ColumnRow, FunctionRow, PrivilegeRow, Reference, RelationRow, Snapshot, Source, Target, TypeRow,
};
use pgwarrant_catalog::{
    BindOptions, Bound, ColumnId, FindingKind, FunctionSafety, Label, Oid, Protection, RelationKind,
    Sensitivity, Ungranted, bind,
};
use pgwarrant_masking::{Method, Partial};

const TEXT: Oid = 25;
const INT4: Oid = 23;

/// A snapshot that grows by one object a call.
struct Maker {
    snapshot: Snapshot,
    next: Oid,
}

impl Maker {
    fn new() -> Self {
        let mut snapshot = Snapshot::default();
        for (oid, name) in [(TEXT, "text"), (INT4, "int4")] {
            snapshot.types.insert(
                oid,
                TypeRow {
                    schema: "pg_catalog".into(),
                    name: name.into(),
                    kind: 'b',
                    base: None,
                    element: None,
                    relation: None,
                    range_of: None,
                    enum_labels: Vec::new(),
                },
            );
        }
        Self { snapshot, next: 20_000 }
    }

    fn oid(&mut self) -> Oid {
        self.next += 1;
        self.next
    }

    fn relation(&mut self, schema: &str, name: &str, kind: RelationKind, columns: &[(&str, Oid)]) -> Oid {
        let oid = self.oid();
        let columns = columns.iter().zip(1..).map(|((name, type_oid), attnum)| ColumnRow {
            attnum,
            name: (*name).to_owned(),
            type_oid: *type_oid,
            typmod: -1,
            generated: false,
            not_null: false,
            collation: None,
        });
        let row = RelationRow {
            oid,
            schema: schema.into(),
            name: name.into(),
            kind: Some(kind),
            unknown_kind: false,
            columns: columns.collect(),
            primary_key: vec![1],
            parents: Vec::new(),
        };
        self.snapshot.by_name.entry(schema.into()).or_default().insert(name.into(), oid);
        self.snapshot.relations.insert(oid, row);
        oid
    }

    fn table(&mut self, schema: &str, name: &str, columns: &[&str]) -> Oid {
        let columns: Vec<(&str, Oid)> = columns.iter().map(|name| (*name, TEXT)).collect();
        self.relation(schema, name, RelationKind::Table, &columns)
    }

    /// A view whose definition is "relation.column, …"; its lineage is read from that.
    fn view(&mut self, name: &str, columns: &[&str], definition: &str, reads: &[Oid]) -> Oid {
        let columns: Vec<(&str, Oid)> = columns.iter().map(|name| (*name, TEXT)).collect();
        let oid = self.relation("public", name, RelationKind::View, &columns);
        self.snapshot.views.insert(oid, definition.into());
        for relation in reads {
            self.refer(Source::View(oid), Target::Relation(*relation, 0));
        }
        oid
    }

    fn function(&mut self, name: &str, language: &str, body: &str) -> Oid {
        let oid = self.oid();
        self.snapshot.functions.insert(
            oid,
            FunctionRow {
                schema: "public".into(),
                name: name.into(),
                language: language.into(),
                immutable: false,
                kind: 'f',
                extension: None,
                body: body.into(),
                types: vec![TEXT],
                arguments: 0..=u16::MAX,
                settings: Vec::new(),
            },
        );
        oid
    }

    fn refer(&mut self, from: Source, to: Target) {
        self.snapshot.references.push(Reference { from, to });
    }

    fn bind(&self, labels: &[Label]) -> Bound {
        bind(&self.snapshot, labels, &BindOptions { version: 7, ..BindOptions::default() }, &lineage)
    }
}

/// `SELECT public.a.x, public.b.y FROM …`: one base column for each item that is not a number.
fn lineage(definition: &str) -> Option<Vec<Vec<(String, String, String)>>> {
    let list = definition.strip_prefix("SELECT ")?.split(" FROM ").next()?;
    list.split(", ")
        .map(|item| {
            let inner = item.trim_start_matches("f(").trim_end_matches(')');
            if inner.parse::<u32>().is_ok() {
                return Some(Vec::new());
            }
            inner
                .split(" + ")
                .map(|column| {
                    let mut parts = column.split('.').rev();
                    let (column, relation) = (parts.next()?, parts.next()?);
                    Some((parts.next().unwrap_or("public").into(), relation.into(), column.into()))
                })
                .collect()
        })
        .collect()
}

fn label(columns: &[&str], category: &str, mask: Method) -> Label {
    Label {
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        category: category.into(),
        mask,
        ungranted: Ungranted::Mask,
        sensitivity: Default::default(),
        nulls_show: false,
    }
}

fn protection(bound: &Bound, schema: &str, relation: &str, column: &str) -> Option<Protection> {
    bound.catalogue.relation(schema, relation)?.column(column)?.protection.clone()
}

fn category(bound: &Bound, schema: &str, relation: &str, column: &str) -> String {
    protection(bound, schema, relation, column).map(|protection| protection.category).unwrap_or_default()
}

#[test]
fn the_most_specific_label_holds_and_a_draw_goes_to_the_first() {
    let mut maker = Maker::new();
    maker.table("public", "customers", &["id", "email", "addr_city", "addr_zip"]);
    maker.table("crm", "customers", &["email"]);
    let labels = [
        label(&["*.email"], "any", Method::Redact),
        label(&["customers.*"], "broad", Method::Redact),
        label(&["customers.addr_*"], "address", Method::Redact),
        label(&["customers.addr_city"], "city", Method::Redact),
        label(&["crm.customers.email"], "crm", Method::Redact),
        label(&["customers.addr_city"], "late", Method::Redact),
    ];
    let bound = maker.bind(&labels);
    assert_eq!(category(&bound, "public", "customers", "id"), "broad");
    assert_eq!(category(&bound, "public", "customers", "email"), "any");
    assert_eq!(category(&bound, "public", "customers", "addr_zip"), "address");
    assert_eq!(category(&bound, "public", "customers", "addr_city"), "city");
    assert_eq!(category(&bound, "crm", "customers", "email"), "crm");
    let conflicts: Vec<_> =
        bound.warnings.iter().filter(|finding| finding.kind == FindingKind::Conflict).collect();
    let messages: Vec<&str> = conflicts.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "\"*.email\" and \"customers.*\" label the same column differently",
            "\"customers.addr_city\" and \"customers.addr_city\" label the same column differently",
        ]
    );
    assert_eq!(
        conflicts[0].detail.as_deref(),
        Some("The first in the file holds for public.customers.email.")
    );
    assert_eq!(bound.catalogue.version, 7);
}

#[test]
fn labels_that_say_the_same_do_not_conflict() {
    let mut maker = Maker::new();
    maker.table("public", "customers", &["email"]);
    let same = label(&["customers.email", "*.email", "customers.*"], "contact", Method::Redact);
    assert_eq!(maker.bind(&[same.clone(), same]).warnings, []);
}

#[test]
fn what_binds_to_nothing_says_what_was_probably_meant() {
    let mut maker = Maker::new();
    maker.table("public", "customers", &["email"]);
    let bound = maker.bind(&[label(
        &[
            "customers.emial",
            "custmers.email",
            "\"Customers\".email",
            "zzz.yyy",
            "customers.telephone",
            "x y.z",
        ],
        "contact",
        Method::Redact,
    )]);
    let hints: Vec<(&str, &str)> = bound
        .warnings
        .iter()
        .map(|finding| (finding.pattern.as_deref().unwrap(), finding.hint.as_deref().unwrap()))
        .map(|(pattern, hint)| (pattern, hint.split('?').next().unwrap()))
        .collect();
    assert_eq!(hints[0], ("customers.emial", "Did you mean \"email\""));
    assert_eq!(hints[1], ("custmers.email", "Did you mean \"customers\""));
    assert_eq!(hints[2], ("\"Customers\".email", "Did you mean \"customers\""));
    assert!(hints[3].1.starts_with("Correct the name"));
    assert_eq!(bound.errors.len(), 1);
    assert_eq!(bound.errors[0].kind, FindingKind::Pattern);
    assert_eq!((bound.errors[0].label, bound.errors[0].pattern.as_deref()), (Some(0), Some("x y.z")));
}

#[test]
fn a_mask_that_does_not_fit_is_an_error_and_hides_everything_meanwhile() {
    let mut maker = Maker::new();
    maker.relation("public", "t", RelationKind::Table, &[("n", INT4), ("x", TEXT)]);
    let bound = maker.bind(&[label(&["t.*"], "c", Method::Email)]);
    assert_eq!(bound.errors.len(), 1);
    assert_eq!(bound.errors[0].kind, FindingKind::Mask);
    assert!(bound.errors[0].detail.as_deref().unwrap().contains("public.t.n"));
    let masked = protection(&bound, "public", "t", "n").unwrap();
    assert_eq!((masked.method.as_str(), masked.mask.render("r.n").contains("r.n")), ("null", false));
    assert_eq!(protection(&bound, "public", "t", "x").unwrap().method, "email");
}

#[test]
fn a_block_and_a_sensitivity_reach_children_parents_and_views() {
    let mut maker = Maker::new();
    let parent = maker.table("public", "people", &["id", "note"]);
    let child = maker.table("public", "staff", &["note", "id"]);
    maker.snapshot.relations.get_mut(&child).unwrap().parents = vec![parent];
    maker.view("shown", &["note"], "SELECT public.people.note FROM public.people", &[parent]);
    let mut blocked = label(&["staff.note"], "c", Method::Redact);
    blocked.ungranted = Ungranted::Block;
    blocked.sensitivity = Sensitivity::High;
    let bound = maker.bind(&[blocked, label(&["people.note"], "c", Method::Redact)]);
    for relation in ["people", "staff", "shown"] {
        let note = protection(&bound, "public", relation, "note").unwrap();
        assert_eq!((note.ungranted, note.sensitivity), (Ungranted::Block, Sensitivity::High), "{relation}");
    }
    let staff = bound.catalogue.relation("public", "staff").unwrap();
    assert_eq!(staff.ancestors, [parent]);
    assert_eq!(protection(&bound, "public", "staff", "id"), None);
}

#[test]
fn two_children_with_different_labels_leave_their_parent_nothing_to_show() {
    let mut maker = Maker::new();
    let parent = maker.table("public", "p", &["a"]);
    for name in ["c1", "c2"] {
        let child = maker.table("public", name, &["a"]);
        maker.snapshot.relations.get_mut(&child).unwrap().parents = vec![parent];
    }
    let bound = maker.bind(&[label(&["c1.a"], "x", Method::Email), label(&["c2.a"], "y", Method::Redact)]);
    assert_eq!(protection(&bound, "public", "p", "a").unwrap().method, "null");
    assert_eq!(protection(&bound, "public", "p", "a").unwrap().sources.len(), 3);
    assert_eq!(protection(&bound, "public", "c1", "a").unwrap().method, "email");
}

#[test]
fn a_view_column_is_uncovered_by_itself_or_by_all_that_it_derives_from() {
    let mut maker = Maker::new();
    let a = maker.table("public", "a", &["x", "y"]);
    let b = maker.table("public", "b", &["z"]);
    let partial = Method::Partial(Partial { first: 1, last: 0, fill: '*', width: None });
    let view = maker.view(
        "v",
        &["both", "plain", "wrapped", "one"],
        "SELECT a.x + b.z, a.y, f(a.y), 1 FROM public.a, public.b",
        &[a, b],
    );
    maker.view("w", &["again"], "SELECT v.both FROM public.v", &[view]);
    let bound = maker.bind(&[label(&["a.*", "b.*", "v.one"], "c", partial)]);
    let granted = |columns: &[(Oid, i16)]| {
        let columns: Vec<ColumnId> = columns
            .iter()
            .map(|(relation, attnum)| ColumnId { relation: *relation, attnum: *attnum })
            .collect();
        move |column: ColumnId| columns.contains(&column)
    };
    let both = protection(&bound, "public", "v", "both").unwrap();
    assert!(both.is_uncovered(granted(&[(a, 1), (b, 1)])));
    assert!(both.is_uncovered(granted(&[(view, 1)])));
    assert!(!both.is_uncovered(granted(&[(a, 1)])));
    assert!(!both.is_uncovered(granted(&[])));
    let again = protection(&bound, "public", "w", "again").unwrap();
    assert!(again.is_uncovered(granted(&[(a, 1), (b, 1)])));
    assert!(again.is_uncovered(granted(&[(view, 1)])));
    assert_eq!(again.sources, both.sources);
    assert_eq!(both.method, "null");
    assert_eq!(protection(&bound, "public", "v", "plain").unwrap().method, "partial");
    assert_eq!(protection(&bound, "public", "v", "wrapped").unwrap().method, "null");
    assert_eq!(protection(&bound, "public", "v", "one").unwrap().method, "partial", "a label of its own");
}

#[test]
fn a_wildcard_label_cannot_soften_a_computed_view_column_but_the_operator_can() {
    let mut maker = Maker::new();
    let cards = maker.table("public", "cards", &["number"]);
    maker.view("v", &["email"], "SELECT f(public.cards.number) FROM public.cards", &[cards]);
    let secret = label(&["cards.number"], "card", Method::Null);
    let soft = |pattern: &str| label(&[pattern], "contact", Method::Email);
    let method = |soft: Label| {
        let bound = maker.bind(&[secret.clone(), soft]);
        protection(&bound, "public", "v", "email").unwrap().method
    };
    assert_eq!(method(soft("*.email")), "null");
    assert_eq!(method(soft("v.email")), "null", "anybody can make a view of that name in another schema");
    assert_eq!(method(soft("public.v.email")), "email");
}

#[test]
fn lineage_that_does_not_fit_the_view_protects_every_column() {
    for definition in [
        "SELECT public.a.x FROM public.a",
        "SELECT public.a.x, public.gone.y FROM public.a",
        "SELECT public.a.x, public.a.gone FROM public.a",
        "no lineage at all",
    ] {
        let mut maker = Maker::new();
        let a = maker.table("public", "a", &["x", "id"]);
        maker.view("v", &["one", "two"], definition, &[a]);
        let bound = maker.bind(&[label(&["a.x"], "c", Method::Redact)]);
        for column in ["one", "two"] {
            assert_eq!(protection(&bound, "public", "v", column).unwrap().method, "null", "{definition}");
        }
    }
}

#[test]
fn deeply_nested_views_and_cycles_end() {
    let mut maker = Maker::new();
    let mut below = maker.table("public", "t", &["x"]);
    let mut name = "t".to_owned();
    for depth in 0..3000 {
        let definition = format!("SELECT public.{name}.x FROM public.{name}");
        name = format!("v{depth}");
        below = maker.view(&name, &["x"], &definition, &[below]);
    }
    let labels = [label(&["t.x"], "c", Method::Redact)];
    assert!(protection(&maker.bind(&labels), "public", "v2999", "x").is_some());
    // PostgreSQL does not allow this one.
    let first = maker.snapshot.by_name["public"]["v0"];
    maker.refer(Source::View(first), Target::Relation(below, 0));
    maker.bind(&labels);
}

#[test]
fn risk_spreads_through_every_kind_of_reference_and_stops_where_it_is_vouched_for() {
    let mut maker = Maker::new();
    let orders = maker.table("public", "orders", &["id"]);
    maker.table("public", "customers", &["email"]);
    let leak = maker.function("leak", "plpgsql", "BEGIN RETURN (SELECT email FROM customers); END");
    maker.function("python", "plpython3u", "");
    maker.function("c", "c", "");
    maker.function("fine", "sql", "SELECT 1 /* customers */");
    maker.function("caller", "sql", "SELECT \"leak\"()");
    maker.function("word", "sql", "SELECT leak FROM other");
    maker.refer(Source::Trigger(orders), Target::Function(leak));
    let bound = maker.bind(&[label(&["customers.email"], "c", Method::Redact)]);
    for (name, safe) in
        [("leak", false), ("python", false), ("c", false), ("fine", true), ("caller", false), ("word", true)]
    {
        assert_eq!(bound.catalogue.function(name) == FunctionSafety::Safe, safe, "{name}");
    }
    let orders = bound.catalogue.relation("public", "orders").unwrap();
    assert_eq!(
        orders.write_risk.as_deref(),
        Some(
            "relation public.orders, which has a trigger that uses function public.leak, which names the protected \
             relation public.customers"
        )
    );
    assert!(bound.warnings.iter().any(|finding| {
        finding.kind == FindingKind::Risk
            && finding.message == "writing public.orders could reach protected data and is refused"
    }));
    let trusted = BindOptions { trusted_functions: vec!["public.leak".into()], version: 1 };
    let bound =
        bind(&maker.snapshot, &[label(&["customers.email"], "c", Method::Redact)], &trusted, &lineage);
    assert_eq!(bound.catalogue.function("caller"), FunctionSafety::Safe);
    assert_eq!(bound.catalogue.relation("public", "orders"), None);
}

#[test]
fn the_same_schema_binds_to_the_same_catalogue() {
    let mut maker = Maker::new();
    let orders = maker.table("public", "orders", &["id"]);
    let customers = maker.table("public", "customers", &["email", "name"]);
    maker.view("v", &["e"], "SELECT customers.email + customers.name FROM public.customers", &[customers]);
    for name in ["a", "b", "c", "d", "e"] {
        let leak = maker.function(name, "sql", "SELECT email FROM customers");
        maker.refer(Source::Trigger(orders), Target::Function(leak));
        maker.function(&format!("calls_{name}"), "sql", "SELECT a(), b(), c(), d(), e()");
    }
    let labels = [label(&["customers.*"], "c", Method::Redact)];
    let first = maker.bind(&labels);
    for round in 0..10 {
        maker.snapshot = maker.snapshot.clone();
        maker.snapshot.references.reverse();
        let mut again = maker.bind(&labels);
        again.catalogue.version = round;
        assert!(first.catalogue.says_the_same(&again.catalogue));
        assert_eq!(first.warnings, again.warnings);
    }
    maker.table("public", "new", &["email"]);
    assert!(!first.catalogue.says_the_same(&maker.bind(&labels).catalogue));
}

#[test]
fn columns_that_a_role_may_not_read_are_kept_for_protected_relations_only() {
    let mut maker = Maker::new();
    for name in ["customers", "orders"] {
        let relation = maker.table("public", name, &["id", "email"]);
        let row = PrivilegeRow { relation, role: "clerk".into(), unreadable: vec![2] };
        maker.snapshot.privileges.push(row);
    }
    let bound = maker.bind(&[label(&["customers.email"], "c", Method::Redact)]);
    let customers = bound.catalogue.relation("public", "customers").unwrap();
    assert_eq!(customers.unreadable["clerk"], [2]);
    assert_eq!(bound.catalogue.relations.len(), 1);
    assert!(bound.catalogue.unprotected.contains(&("public".into(), "orders".into())));
}

#[test]
fn a_column_of_rows_of_a_protected_relation_is_reported() {
    let mut maker = Maker::new();
    let customers = maker.table("public", "customers", &["email"]);
    let row_type = maker.oid();
    let mut row = maker.snapshot.types[&TEXT].clone();
    row.relation = Some(customers);
    maker.snapshot.types.insert(row_type, row);
    maker.relation("public", "archive", RelationKind::Table, &[("old", row_type)]);
    let bound = maker.bind(&[label(&["customers.email"], "c", Method::Redact)]);
    let found: Vec<_> =
        bound.warnings.iter().filter(|finding| finding.kind == FindingKind::Unlabelled).collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message, "public.archive.old is not labelled");
}

#[test]
fn five_thousand_relations_bind_well_within_a_refresh() {
    let mut maker = Maker::new();
    let columns: Vec<String> = (0..20).map(|place| format!("column_{place}")).collect();
    let mut columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    columns.push("email");
    let mut tables = Vec::new();
    for place in 0..4000 {
        tables.push(maker.table(&format!("schema_{}", place % 20), &format!("table_{place}"), &columns));
    }
    for (place, table) in tables.iter().enumerate().take(1000) {
        let definition = format!("SELECT schema_{}.table_{place}.email, 1 FROM schema.x", place % 20);
        maker.view(&format!("view_{place}"), &["a", "b"], &definition, &[*table]);
        let body = format!(
            "BEGIN RETURN (SELECT column_1 FROM table_{place} WHERE x = 'a' || b); END; -- {definition}"
        );
        maker.function(&format!("function_{place}"), "plpgsql", &body.repeat(5));
    }
    let labels: Vec<Label> = (0..50)
        .map(|place| {
            label(&[&format!("table_{place}.email"), &format!("*.column_{place}_*")], "c", Method::Redact)
        })
        .chain([label(&["schema_3.*.email", "*.ssn"], "c", Method::Redact)])
        .collect();
    let start = Instant::now();
    let bound = maker.bind(&labels);
    let took = start.elapsed();
    assert!(bound.catalogue.relations.len() > 200);
    assert!(bound.catalogue.unprotected.len() > 4000);
    // In a debug build on a busy machine; an optimised one takes a fiftieth.
    assert!(took.as_secs_f64() < 30.0, "{took:?}");
}
