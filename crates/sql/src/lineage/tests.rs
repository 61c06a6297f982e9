use super::lineage;

fn resolve(schema: &str, name: &str) -> Option<Vec<String>> {
    let columns = match (schema, name) {
        ("public", "customers") => "id name email region",
        ("public", "orders") => "id customer_id total",
        ("pg_catalog", "pg_class") => "oid relname",
        _ => return None,
    };
    Some(columns.split(' ').map(str::to_owned).collect())
}

/// Each column's sources as `customers.email+orders.id`.
fn of(definition: &str) -> String {
    let Some(columns) = lineage(definition, &resolve) else { return "not provable".to_owned() };
    let column = |sources: Vec<super::BaseColumn>| {
        sources
            .iter()
            .map(|(_, relation, column)| format!("{relation}.{column}"))
            .collect::<Vec<_>>()
            .join("+")
    };
    columns.into_iter().map(column).collect::<Vec<_>>().join(", ")
}

#[test]
fn columns_and_expressions() {
    assert_eq!(
        of(
            " SELECT customers.id,\n    (customers.name || ' '::text) || lower(customers.email) AS label,\n    1 AS one\n   FROM public.customers;"
        ),
        "customers.id, customers.email+customers.name, "
    );
    assert_eq!(
        of("SELECT CASE WHEN c.email IS NULL THEN c.id ELSE 0 END FROM public.customers c"),
        "customers.email+customers.id"
    );
    assert_eq!(
        of("SELECT (c.*)::text AS t, c.tableoid FROM public.customers c"),
        format!("{all}, {all}", all = "customers.email+customers.id+customers.name+customers.region")
    );
}

#[test]
fn what_selects_rows_only_does_not_count() {
    assert_eq!(
        of(
            "SELECT o.id FROM public.orders o JOIN public.customers c ON c.id = o.customer_id WHERE c.email = 'x' GROUP BY o.id, c.region HAVING max(c.name) > 'a'"
        ),
        "orders.id"
    );
}

#[test]
fn everything_in_a_sub_select_counts() {
    assert_eq!(
        of(
            "SELECT o.id, (SELECT c.name FROM public.customers c WHERE c.region = 'EU' ORDER BY c.id LIMIT 1) AS n, EXISTS (SELECT 1 FROM public.customers c WHERE c.email = 'x') AS e FROM public.orders o"
        ),
        "orders.id, customers.id+customers.name+customers.region, customers.email"
    );
}

#[test]
fn a_sub_select_without_lateral_does_not_see_its_neighbours() {
    assert_eq!(
        of(
            "SELECT (SELECT x.v FROM public.orders c, (SELECT c.email AS v) x LIMIT 1) AS e FROM public.customers c"
        ),
        "customers.email"
    );
}

#[test]
fn a_function_in_from_may_have_any_column() {
    assert_eq!(
        of(
            "SELECT (SELECT email FROM unnest(ARRAY[o.total]) f LIMIT 1) AS e FROM public.customers c, public.orders o"
        ),
        "customers.email+orders.total"
    );
}

#[test]
fn sub_selects_ctes_and_set_operations_are_followed() {
    assert_eq!(
        of("SELECT x.b FROM (SELECT customers.id, customers.email FROM public.customers) x(a, b)"),
        "customers.email"
    );
    assert_eq!(
        of(
            "WITH t(a, b) AS (SELECT c.id, c.name FROM public.customers c), u AS (SELECT t.b FROM t) SELECT u.b FROM u"
        ),
        "customers.name"
    );
    assert_eq!(
        of(
            "SELECT c.id, c.email FROM public.customers c UNION ALL SELECT o.id, o.total::text FROM public.orders o"
        ),
        "customers.id+orders.id, customers.email+orders.total"
    );
    assert_eq!(
        of(
            "WITH RECURSIVE t(a, b) AS (SELECT c.id, 'x'::text FROM public.customers c UNION ALL SELECT t.a, t.b || d.email FROM t JOIN public.customers d ON d.id = t.a) SELECT t.b, t.a FROM t"
        ),
        "customers.email, customers.id"
    );
}

#[test]
fn functions_in_from_and_windows_count() {
    assert_eq!(
        of("SELECT u.e FROM public.customers c, LATERAL unnest(ARRAY[c.email, c.name]) u(e)"),
        "customers.email+customers.name"
    );
    assert_eq!(
        of(
            "SELECT rank() OVER w AS r FROM public.customers c WINDOW w AS (PARTITION BY c.region ORDER BY c.email)"
        ),
        "customers.email+customers.region"
    );
    assert_eq!(
        of("SELECT j.x FROM (public.customers c JOIN public.orders o ON true) j(x)"),
        "customers.email+customers.id+customers.name+customers.region+orders.customer_id+orders.id+orders.total"
    );
}

#[test]
fn merged_columns_have_both_sources() {
    assert_eq!(
        of("SELECT id FROM public.customers FULL JOIN public.orders USING (id)"),
        "customers.id+orders.id"
    );
}

#[test]
fn stars_are_written_out_where_that_is_exact() {
    assert_eq!(of("SELECT * FROM public.orders"), "orders.id, orders.customer_id, orders.total");
    assert_eq!(of("SELECT * FROM public.orders JOIN public.customers USING (id)"), "not provable");
    assert_eq!(of("SELECT * FROM generate_series(1, 2) g"), "not provable");
}

#[test]
fn what_is_not_understood_has_no_lineage() {
    for definition in [
        "SELECT x.a FROM public.unknown x",
        "SELECT nowhere.a FROM public.orders",
        "SELECT a FROM public.orders",
        "SELECT 1; SELECT 2",
        "DELETE FROM public.orders",
        "not sql",
        "SELECT 'x",
        "SELECT * FROM public.orders NATURAL JOIN public.customers",
    ] {
        assert_eq!(of(definition), "not provable", "{definition}");
    }
}

#[test]
fn a_relation_without_a_schema_is_a_catalog() {
    assert_eq!(of("SELECT c.relname FROM pg_class c"), "pg_class.relname");
    assert_eq!(of("SELECT c.email FROM customers c"), "not provable");
}
