//! What pgwarrant makes of a statement: the text that reaches PostgreSQL.

use crate::dial::{Client, Endpoint};
use crate::figure::Outcome;

/// The text that reaches PostgreSQL when a client of the proxy sends `sql`.
pub fn sent_for(proxy: &Endpoint, direct: &Endpoint, sql: &str) -> Outcome<String> {
    let mut client = Client::connect(proxy)?;
    let marker = format!("/* {} */", std::process::id());
    let (first, rest) = sql.split_once(' ').ok_or("a statement of one word")?;
    client.run(&format!("{first} {marker} {rest}"))?;
    let activity = format!(
        "SELECT query FROM pg_stat_activity WHERE strpos(query, '{marker}') > 0 AND pid <> pg_backend_pid()"
    );
    let sent = Client::connect(direct)?.value(&activity)?.replace(&marker, "");
    if sent.contains("pg_catalog.sha256") {
        Ok(sent)
    } else {
        Err(format!("not masked, or cut short by track_activity_query_size: {sent}").into())
    }
}

/// The same text for a script of pgbench, which takes `:name` for a variable of its own, in literals
/// too: the colons of literals are written as escapes.
pub fn for_pgbench(sql: &str) -> String {
    let mut script = String::new();
    for (place, part) in sql.split('\'').enumerate() {
        if place % 2 == 0 {
            script.push_str(part);
        } else if part.contains(':') {
            script.push_str(&format!("E'{}'", part.replace('\\', "\\\\").replace(':', "\\x3a")));
        } else {
            script.push_str(&format!("'{part}'"));
        }
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pgbench_finds_no_variables_in_literals() {
        let sql = r"SELECT 'a:b' || x::text || 'c' || 'd\:' FROM t WHERE id = :id";
        let script = r"SELECT E'a\x3ab' || x::text || 'c' || E'd\\\x3a' FROM t WHERE id = :id";
        assert_eq!(for_pgbench(sql), script);
    }
}
