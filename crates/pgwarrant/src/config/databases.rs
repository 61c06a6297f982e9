//! `[[database]]`: where clients' connections go, and as whom.

use std::collections::HashMap;

use super::people::{members, name};
use super::reader::{Item, Reader, Table};
use super::secret::{self, PASSWORD};
use super::sections::existing;
use super::{Catalogue, Database, Group, Login, Role, TlsMode, Upstream, UpstreamTls, User, upstream};

pub(super) fn databases(
    reader: &mut Reader<'_>,
    root: &mut Table<'_>,
    users: &[User],
    groups: &[Item<Group>],
) -> Vec<Database> {
    let tables = root.tables(reader, "database", "[[database]]");
    if tables.is_empty() && root.was_absent("database") {
        let hint = "Add [[database]] with name and upstream = \"postgres://host:port/dbname\".".to_owned();
        reader.error(0, "there is no [[database]]", Some(hint));
    }
    let mut names = HashMap::new();
    tables.into_iter().filter_map(|table| database(reader, table, &mut names, users, groups)).collect()
}

fn database(
    reader: &mut Reader<'_>,
    mut table: Table<'_>,
    names: &mut HashMap<String, usize>,
    users: &[User],
    groups: &[Item<Group>],
) -> Option<Database> {
    let line = table.line;
    let name = name(reader, &mut table, names, "database");
    let upstream = table.required(reader, "upstream").and_then(|url| match upstream::parse(&url.value) {
        Ok(upstream) => Some(upstream),
        Err((message, hint)) => {
            reader.error(url.line, message, Some(hint));
            None
        }
    });
    let tls = tls(reader, &mut table, upstream.as_ref());
    let roles = roles(reader, &mut table, users, groups);
    let catalogue = catalogue(reader, &mut table, &roles);
    let warm = table.integer(reader, "warm", 0..=64, 4);
    let warm_age = table.duration(reader, "warm_age", "100 ms"..="1 h", "1 min").value;
    table.finish(reader);
    let (name, upstream, catalogue) = (name?, upstream?, catalogue?);
    Some(Database { name, upstream, tls, roles, catalogue, warm, warm_age, line })
}

fn tls(reader: &mut Reader<'_>, table: &mut Table<'_>, upstream: Option<&Upstream>) -> UpstreamTls {
    const MODES: [(&str, TlsMode); 4] = [
        ("disable", TlsMode::Disable),
        ("require", TlsMode::Require),
        ("verify-ca", TlsMode::VerifyCa),
        ("verify-full", TlsMode::VerifyFull),
    ];
    let mode = table.choice(reader, "tls", &MODES);
    let ca = existing(reader, table, "ca");
    let local = upstream.is_none_or(Upstream::is_local);
    match &mode {
        Some(Item { value: TlsMode::Disable, line }) if !local => {
            let hint =
                "Use tls = \"verify-full\", the default off loopback, with ca if the authority is your own.";
            reader.error(
                *line,
                "tls = \"disable\" is for loopback and Unix-domain sockets only",
                Some(hint.into()),
            );
        }
        Some(Item { value: TlsMode::Require, line }) if !local => {
            let hint = "Use tls = \"verify-full\", with ca if the authority is your own.";
            reader.warning(
                *line,
                "tls = \"require\" does not notice a server that is not the right one",
                hint,
            );
        }
        _ => {}
    }
    let default = if local { TlsMode::Disable } else { TlsMode::VerifyFull };
    UpstreamTls { mode: mode.map_or(default, |item| item.value), ca: ca.map(|item| item.value) }
}

fn roles(
    reader: &mut Reader<'_>,
    table: &mut Table<'_>,
    users: &[User],
    groups: &[Item<Group>],
) -> Vec<Role> {
    let tables = table.tables(reader, "role", "[[database.role]]");
    if tables.is_empty() && table.was_absent("role") {
        let hint =
            "Add [[database.role]] with name: the role of PostgreSQL that sessions sign in as.".to_owned();
        reader.error(table.line, "[[database]] has no role", Some(hint));
    }
    let mut roles: Vec<Role> = Vec::new();
    let mut default: Option<usize> = None;
    for mut table in tables {
        let name = table.required(reader, "name");
        let password = secret::read(reader, &mut table, &PASSWORD).map(|(secret, _)| secret);
        let for_all = table.has("users").is_none() && table.has("groups").is_none();
        let role_users = members(reader, &mut table, "users", users.iter().map(|user| user.name.as_str()));
        let role_groups =
            members(reader, &mut table, "groups", groups.iter().map(|group| group.value.name.as_str()));
        let line = table.line;
        table.finish(reader);
        if for_all {
            if let Some(other) = default {
                let hint = format!("The other is on line {other}; name users or groups in one of the two.");
                reader.error(line, "two roles are for everybody", Some(hint));
            }
            default = Some(line);
        } else if role_users.is_empty() && role_groups.is_empty() {
            // An empty list would read as "everybody": never by an omission.
            let hint = "Name users or groups, or leave both keys out for everybody.".to_owned();
            reader.error(line, "[[database.role]] is for nobody", Some(hint));
        }
        if let Some(name) = name {
            roles.push(Role {
                login: Login { role: name.value, password },
                users: role_users,
                groups: role_groups,
            });
        }
    }
    roles
}

/// Where there is no `[database.catalogue]`, the role that is for everybody reads the schema, or
/// else the first.
fn catalogue(reader: &mut Reader<'_>, table: &mut Table<'_>, roles: &[Role]) -> Option<Catalogue> {
    const PLACE: &str = "[database.catalogue]";
    let mut section = table.table(reader, "catalogue", PLACE).unwrap_or_else(|| Table::empty(PLACE));
    let poll = section.duration(reader, "poll", "100 ms"..="1 h", "1 s").value;
    let role = section.string(reader, "role");
    let password_line = section.has("password_file").or(section.has("password_env"));
    let password = secret::read(reader, &mut section, &PASSWORD).map(|(secret, _)| secret);
    section.finish(reader);
    if let (None, Some(line)) = (&role, password_line) {
        let hint = format!("Write role in {PLACE}.");
        reader.error(line, format!("{PLACE} has a password but no role"), Some(hint));
    }
    let default = || {
        let everybody = roles.iter().find(|role| role.users.is_empty() && role.groups.is_empty());
        everybody.or(roles.first()).map(|role| role.login.clone())
    };
    let login = match role {
        Some(role) => Some(Login { role: role.value, password }),
        None => default(),
    };
    Some(Catalogue { login: login?, poll })
}
