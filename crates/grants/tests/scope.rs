//! Columns lists: what is read, what they name, what they bind to.

mod support;

use pgwarrant_grants::ask::{AskedColumns, parse_columns};
use pgwarrant_grants::{Ask, Error};
use proptest::prelude::*;
use support::*;

/// A columns list; what it is resolved to, or the error and its hint.
#[test]
fn columns_resolve_or_say_what_was_probably_meant() {
    let cases = [
        ("customers.email", Ok("public.customers.email")),
        ("Customers.EMAIL", Ok("public.customers.email")),
        ("\"customers\".\"email\"", Ok("public.customers.email")),
        ("public.customers.email", Ok("public.customers.email")),
        (" customers . email , customers.phone ", Ok("public.customers.email, public.customers.phone")),
        ("customers.email,customers.email", Ok("public.customers.email")),
        ("customers.*", Ok("public.customers.*")),
        ("archive.orders.*", Ok("archive.orders.*")),
        ("category:contact", Ok("category:contact")),
        ("Category : contact", Ok("category:contact")),
        ("*", Ok("*")),
        ("*, customers.email", Ok("*, public.customers.email")),
        ("", Err(("22023", "columns are required", "Write 'relation.column'"))),
        ("email", Err(("22023", "columns entry 'email' is not understood", "email.*"))),
        ("customers", Err(("22023", "columns entry 'customers' is not understood", "'customers.*'"))),
        ("customers.", Err(("22023", "columns entry 'customers.' is not understood", "Write"))),
        ("customers.email,", Err(("22023", "columns entry '' is not understood", "Write"))),
        ("a.b.c.d", Err(("22023", "columns entry 'a.b.c.d' is not understood", "Write"))),
        (
            "customers.email phone",
            Err(("22023", "columns entry 'customers.email phone' is not understood", "Write")),
        ),
        (
            "customers.email;drop",
            Err(("22023", "columns entry 'customers.email;drop' is not understood", "Write")),
        ),
        (
            "\"customers.email",
            Err(("22023", "columns entry '\\\"customers.email' is not understood", "Write")),
        ),
        ("email:contact", Err(("22023", "columns entry 'email:contact' is not understood", "Write"))),
        ("category:", Err(("22023", "columns entry 'category:' is not understood", "Write"))),
        ("**", Err(("22023", "columns entry '**' is not understood", "Write"))),
        ("custmers.email", Err(("42704", "relation \"custmers\" does not exist", "public.customers"))),
        ("\"Customers\".email", Err(("42704", "relation \"Customers\" does not exist", "public.customers"))),
        (
            "publik.customers.email",
            Err(("42704", "relation \"publik.customers\" does not exist", "public.customers")),
        ),
        ("payments.iban", Err(("42704", "relation \"payments\" does not exist", "pgwarrant.catalog"))),
        ("archive.orders", Err(("42704", "relation \"archive\" does not exist", "archive.orders.*"))),
        (
            "customers.emial",
            Err((
                "42704",
                "column \"emial\" of relation public.customers does not exist",
                "public.customers.email",
            )),
        ),
        (
            "customers.zzz",
            Err(("42704", "column \"zzz\" of relation public.customers does not exist", "pgwarrant.catalog")),
        ),
        (
            "customers.id",
            Err(("22023", "column public.customers.id is not protected and needs no grant", "Query it")),
        ),
        (
            "products.name",
            Err(("22023", "relation public.products is not protected and needs no grant", "Query it")),
        ),
        (
            "public.products.*",
            Err(("22023", "relation public.products is not protected and needs no grant", "Query it")),
        ),
        ("orders.address", Err(("22023", "relation name \"orders\" is ambiguous", "schema"))),
        ("category:contakt", Err(("42704", "category \"contakt\" does not exist", "category:contact"))),
        ("category:built-in", Err(("42704", "category \"built-in\" does not exist", "pgwarrant.catalog"))),
        (
            "pg_stat_activity.query",
            Err((
                "42501",
                "column pg_catalog.pg_stat_activity.query is protected by pgwarrant itself",
                "Leave",
            )),
        ),
        (
            "pg_stat_activity.*",
            Err(("42501", "relation pg_catalog.pg_stat_activity is protected by pgwarrant itself", "Leave")),
        ),
    ];
    let shop = Shop::open();
    for (columns, wanted) in cases {
        let outcome =
            shop.live.request(&ann(), SHOP, &shop.catalogue, ask(columns), &here()).map(|it| it.request);
        match (outcome, wanted) {
            (Ok(request), Ok(text)) => {
                assert_eq!(request.scope.columns_text(), text, "{columns}");
                shop.live.deny(&ann(), request.id, None, &here()).unwrap();
            }
            (Err(error), Err((sqlstate, message, hint))) => {
                assert_eq!((error.sqlstate(), error.message.as_str()), (sqlstate, message), "{columns}");
                let given = error.hint.unwrap_or_default();
                assert!(given.contains(hint) && given.ends_with('.'), "{columns}: {given}");
            }
            (outcome, _) => panic!("{columns}: {outcome:?}"),
        }
    }
}

/// A columns list and the columns it binds to now, by relation.
type Binding<'a> = (&'a str, &'a [(u32, &'a [i16])]);

#[test]
fn scopes_bind_to_protected_columns_only() {
    let cases: [Binding<'_>; 6] = [
        ("customers.email", &[(CUSTOMERS, &[2])]),
        ("customers.*", &[(CUSTOMERS, &[2, 3, 4])]),
        ("customers.ssn, archive.orders.address", &[(CUSTOMERS, &[4]), (ARCHIVED_ORDERS, &[2])]),
        ("category:identity", &[(CUSTOMERS, &[4])]),
        ("category:contact", &[(CUSTOMERS, &[2, 3]), (ORDERS, &[2]), (ARCHIVED_ORDERS, &[2])]),
        // Everything but what is protected out of the box.
        ("*", &[(CUSTOMERS, &[2, 3, 4]), (ORDERS, &[2]), (ARCHIVED_ORDERS, &[2])]),
    ];
    for (columns, bound) in cases {
        let shop = Shop::open();
        shop.grant(ask(columns));
        let access = shop.live.access(&ann(), SHOP, &shop.catalogue);
        let found: Vec<(u32, Vec<i16>)> = access
            .scopes
            .iter()
            .map(|scope| {
                let mut columns: Vec<i16> = scope.columns.iter().map(|id| id.attnum).collect();
                columns.sort_unstable();
                (scope.relation, columns)
            })
            .collect();
        let bound: Vec<(u32, Vec<i16>)> =
            bound.iter().map(|(oid, columns)| (*oid, columns.to_vec())).collect();
        assert_eq!(found, bound, "{columns}");
    }
}

#[test]
fn a_category_means_what_the_labels_say_now() {
    let shop = Shop::open();
    shop.grant(ask("category:identity"));
    shop.grant(ask("customers.ssn"));
    let mut relabelled = customers();
    relabelled.columns[1].protection.as_mut().unwrap().category = "identity".to_owned();
    let now = catalogue_of(2, vec![relabelled]);
    let access = shop.live.access(&ann(), SHOP, &now);
    assert_eq!(access.scopes.iter().map(|scope| scope.columns.len()).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn texts_of_a_scope_read_back_as_the_same_scope() {
    let shop = Shop::open();
    let wanted = Ask {
        rows: Some("region in ('EU','UK') and not id = 7".to_owned()),
        actions: Some(" Update,select , export".to_owned()),
        others: Some("HIDE".to_owned()),
        ..ask("customers.email, customers.*")
    };
    let first = shop.live.request(&ann(), SHOP, &shop.catalogue, wanted, &here()).unwrap().request;
    assert_eq!(first.scope.actions_text(), "select, update, export");
    assert_eq!(first.scope.others_text(), "hide");
    let again = Ask {
        rows: first.scope.rows_text().map(str::to_owned),
        actions: Some(first.scope.actions_text()),
        others: Some(first.scope.others_text().to_owned()),
        ..ask(&first.scope.columns_text())
    };
    let second = shop.live.request(&ann(), SHOP, &shop.catalogue, again, &here()).unwrap().request;
    assert_eq!(first.scope, second.scope);
}

#[test]
fn numbers_of_columns_are_bounded() {
    let list = |n: usize| (0..n).map(|i| format!("t.c{i}")).collect::<Vec<_>>().join(",");
    assert_eq!(parse_columns(&list(64)).unwrap().len(), 64);
    let error = parse_columns(&list(65)).unwrap_err();
    assert_eq!(error.message, "65 columns are too many for one request");
    assert!(parse_columns(&format!("{}.b", "x".repeat(64))).is_err(), "longer than any name");
    // What fits in the call but not in the store.
    let shop = Shop::open();
    let name = |i: usize| format!("{}{i:02}", "c".repeat(60));
    let names: Vec<String> = (0..60).map(name).collect();
    let columns: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(i, name)| (i as i16 + 1, name.as_str(), pgwarrant_masking::BaseType::Text, Some("contact")))
        .collect();
    let wide = catalogue_of(2, vec![relation(1, "public", "t", &columns)]);
    let all = names.iter().map(|name| format!("t.{name}")).collect::<Vec<_>>().join(",");
    let error: Error = shop.live.request(&ann(), SHOP, &wide, ask(&all), &here()).unwrap_err();
    assert_eq!((error.message.as_str(), error.sqlstate()), ("the request is too large", "54000"));
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z_][a-z0-9_]{0,20}", "[^\\x00]{1,15}"]
}

fn any_entry() -> impl Strategy<Value = AskedColumns> {
    let schema = || proptest::option::of(any_name());
    prop_oneof![
        (schema(), any_name(), any_name()).prop_map(|(schema, relation, column)| AskedColumns::Column {
            schema,
            relation,
            column
        }),
        (schema(), any_name()).prop_map(|(schema, relation)| AskedColumns::Relation { schema, relation }),
        any_name().prop_map(AskedColumns::Category),
        Just(AskedColumns::All),
    ]
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(entries in proptest::collection::vec(any_entry(), 1..8)) {
        let text = entries.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let mut once: Vec<AskedColumns> = Vec::new();
        for entry in entries {
            if !once.contains(&entry) {
                once.push(entry);
            }
        }
        prop_assert_eq!(parse_columns(&text).map_err(|error| error.message), Ok(once));
    }

    #[test]
    fn any_text_is_read_or_refused_and_what_is_read_prints_as_itself(text in "[a-z\"*.,: \\PC]{0,60}") {
        if let Ok(entries) = parse_columns(&text) {
            let printed = entries.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            prop_assert_eq!(parse_columns(&printed).map_err(|error| error.message), Ok(entries));
        }
    }
}
