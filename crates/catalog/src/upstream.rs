//! Where the role that the proxy logs in with is stronger than it need be.
//!
//! The privacy views protect whatever the role may do; each power that it does without is a second
//! wall, which stands even where the first has a hole.

use std::collections::BTreeMap;

use crate::finding::{Finding, FindingKind};
use crate::snapshot::SnapshotError;
use crate::{Catalogue, Oid};

/// Powers that a role has by its attributes or its memberships, and what they amount to.
const POWERS: [(&str, &str); 13] = [
    ("superuser", "It may read every file of the server and change the system catalogs."),
    ("bypassrls", "Row-level security does not bind it."),
    ("createrole", "It may give itself most other roles."),
    ("replication", "It may read everything from the write-ahead log."),
    ("pg_monitor", "It reads the statements and statistics of all other sessions."),
    ("pg_read_all_stats", "It reads the statements and statistics of all other sessions."),
    ("pg_read_all_data", "It may read every relation, also those added later."),
    ("pg_write_all_data", "It may write every relation, also those added later."),
    ("pg_read_server_files", "It may read every file that the server can."),
    ("pg_write_server_files", "It may write every file that the server can, and so run programs."),
    ("pg_execute_server_program", "It may run programs on the server."),
    ("pg_create_subscription", "It may connect the server to others."),
    ("pg_signal_backend", "It may end the sessions of others."),
];

/// The statement that reads what [`upstream_findings`] judges, for roles by their exact names. Run
/// it after [`crate::SESSION_SETUP`]; three columns.
pub fn upstream_query(roles: &[&str]) -> String {
    let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let list = |names: Vec<String>| if names.is_empty() { "NULL".to_owned() } else { names.join(", ") };
    let roles = list(roles.iter().map(|role| literal(role)).collect());
    let groups = list(
        POWERS.iter().filter(|(name, _)| name.starts_with("pg_")).map(|(name, _)| literal(name)).collect(),
    );
    format!(
        "WITH r AS (SELECT * FROM pg_catalog.pg_roles WHERE rolname IN ({roles})) \
         SELECT r.rolname, 'power', x.name FROM r, LATERAL (VALUES ('superuser', r.rolsuper), \
                ('bypassrls', r.rolbypassrls), ('createrole', r.rolcreaterole), ('replication', r.rolreplication)) \
                x (name, has) \
         WHERE x.has AND (x.name = 'superuser' OR NOT r.rolsuper) \
         UNION ALL SELECT r.rolname, 'power', g.rolname FROM r JOIN pg_catalog.pg_roles g ON g.rolname IN ({groups}) \
         WHERE NOT r.rolsuper AND pg_catalog.pg_has_role(r.oid, g.oid, 'MEMBER') \
         UNION ALL SELECT r.rolname, 'owner', c.oid::text FROM r JOIN pg_catalog.pg_class c \
                ON pg_catalog.pg_has_role(r.oid, c.relowner, 'MEMBER') \
         WHERE NOT r.rolsuper AND c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
    )
}

/// What the rows of [`upstream_query`] say about each role, next to what is protected.
///
/// # Errors
/// Where a row has another shape than asked for.
pub fn upstream_findings(
    rows: &[Vec<Option<String>>],
    catalogue: &Catalogue,
) -> Result<Vec<Finding>, SnapshotError> {
    let error = |problem: &str| SnapshotError { query: "upstream".into(), problem: problem.into() };
    let mut powers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut owned: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for row in rows {
        let [Some(role), Some(kind), Some(value)] = row.as_slice() else {
            return Err(error("a row does not have three columns, none null"));
        };
        match kind.as_str() {
            "power" => powers.entry(role).or_default().push(value),
            "owner" => {
                let oid: Oid = value.parse().map_err(|_| error("an owned relation has no oid"))?;
                if let Some(relation) =
                    catalogue.relations.get(&oid).filter(|relation| relation.is_protected())
                {
                    owned.entry(role).or_default().push(format!("{}.{}", relation.schema, relation.name));
                }
            }
            _ => return Err(error("a row is of an unknown kind")),
        }
    }

    let mut findings = Vec::new();
    for (role, found) in powers {
        for (power, meaning) in POWERS.iter().filter(|(power, _)| found.contains(power)) {
            // pg_monitor is a member of it.
            if *power == "pg_read_all_stats" && found.contains(&"pg_monitor") {
                continue;
            }
            let attribute = !power.starts_with("pg_");
            let message = match (attribute, *power) {
                (true, "superuser") => format!("upstream role \"{role}\" is a superuser"),
                (true, _) => format!("upstream role \"{role}\" has the attribute {}", power.to_uppercase()),
                (false, _) => format!("upstream role \"{role}\" is a member of {power}"),
            };
            let hint = if attribute {
                "Log in with a role without that attribute.".to_owned()
            } else {
                format!("Revoke {power} from it.")
            };
            findings.push(Finding::new(FindingKind::Upstream, message).detail(*meaning).hint(hint));
        }
    }
    for (role, mut relations) in owned {
        relations.sort_unstable();
        let count = relations.len();
        relations.truncate(5);
        findings.push(
            Finding::new(FindingKind::Upstream, format!("upstream role \"{role}\" owns protected relations"))
                .detail(format!("There are {count}, among them {}.", relations.join(", ")))
                .hint("Log in with a role that was only granted what the clients need."),
        );
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(role: &str, kind: &str, value: &str) -> Vec<Option<String>> {
        vec![Some(role.into()), Some(kind.into()), Some(value.into())]
    }

    #[test]
    fn a_role_name_cannot_leave_its_quotes() {
        assert!(upstream_query(&["o'brien"]).contains("IN ('o''brien')"));
        assert!(upstream_query(&[]).contains("IN (NULL)"));
    }

    #[test]
    fn every_power_is_one_finding_with_a_remedy() {
        let rows: Vec<_> = POWERS.iter().map(|(power, _)| row("app", "power", power)).collect();
        let findings = upstream_findings(&rows, &Catalogue::default()).unwrap();
        assert_eq!(findings.len(), POWERS.len() - 1, "pg_monitor includes pg_read_all_stats");
        assert!(findings.iter().all(|finding| finding.hint.is_some() && finding.detail.is_some()));
    }

    #[test]
    fn owning_what_is_not_protected_is_no_finding() {
        let rows = [row("app", "owner", "17000")];
        assert_eq!(upstream_findings(&rows, &Catalogue::default()).unwrap(), []);
    }

    #[test]
    fn other_rows_are_refused() {
        for row in [vec![], vec![None, None, None], row("app", "gossip", "x"), row("app", "owner", "x")] {
            assert!(upstream_findings(&[row], &Catalogue::default()).is_err());
        }
    }
}
