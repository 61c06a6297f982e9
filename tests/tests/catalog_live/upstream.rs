//! What the role that the proxy logs in with may do.

use pgwarrant_catalog::{SESSION_SETUP, upstream_findings, upstream_query};
use pgwarrant_masking::Method;

use crate::database::{Database, label, relation, unknown};

#[test]
fn column_rights_and_roles_are_known() {
    let role = format!("catalog_reader_{}", std::process::id());
    let database = Database::new(&format!(
        "CREATE TABLE t (id int, email text, note text); CREATE TABLE u (id int); CREATE ROLE {role}; \
         GRANT SELECT (id, note) ON t TO {role}; GRANT pg_read_all_stats TO {role}"
    ));
    let bound = database.bind(&[label(&["t.email"], Method::Redact)], &[], &unknown);
    let findings = {
        let rows = database.rows(&[SESSION_SETUP, &upstream_query(&[&role, "postgres"])]);
        upstream_findings(&rows, &bound.catalogue).unwrap()
    };
    let unreadable = relation(&bound, "public", "t").unreadable.clone();
    assert!(bound.catalogue.roles.contains(&role));
    database.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    assert_eq!(unreadable.get(&role), Some(&vec![2]));
    assert_eq!(unreadable.len(), 1);
    let messages: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
    assert!(
        messages.iter().any(|message| message.contains("postgres") && message.contains("superuser")),
        "{messages:?}"
    );
    assert!(
        messages.iter().any(|message| message.contains(&role) && message.contains("pg_read_all_stats")),
        "{messages:?}"
    );
    assert_eq!(messages.iter().filter(|message| message.contains(&role)).count(), 1, "{messages:?}");
}
