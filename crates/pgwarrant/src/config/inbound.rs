//! `[[inbound]]`: other systems that act for people by signed messages.

use std::collections::{HashMap, HashSet};

use pgwarrant_api::settings::Inbound;

use super::conditions::{HOW_SECRET, plain_name, webhook_secret};
use super::people::must_be_known;
use super::reader::{Item, Reader, Table};
use super::{User, secret};

const SECRET: secret::Keys =
    secret::Keys { inline: Some("secret"), file: "secret_file", variable: "secret_env" };
const FORMER: secret::Keys =
    secret::Keys { inline: None, file: "former_secret_file", variable: "former_secret_env" };

/// Read before `[[user]]`, whose users need no way to sign in if a system acts as them.
pub(super) struct Systems {
    systems: Vec<Inbound>,
    acts_as: Vec<Item<String>>,
    line: Option<usize>,
}

impl Systems {
    pub(super) fn read(reader: &mut Reader<'_>, root: &mut Table<'_>) -> Self {
        let mut names = HashMap::new();
        let tables = root.tables(reader, "inbound", "[[inbound]]");
        let mut all = Self { systems: Vec::new(), acts_as: Vec::new(), line: None };
        for table in tables {
            all.line.get_or_insert(table.line);
            all.system(reader, table, &mut names);
        }
        all
    }

    fn system(&mut self, reader: &mut Reader<'_>, mut table: Table<'_>, names: &mut HashMap<String, usize>) {
        let line = table.line;
        let name = plain_name(reader, &mut table, names, "system");
        let secret = webhook_secret(reader, &mut table, &SECRET);
        if secret.is_none() && table.was_absent(SECRET.file) && table.was_absent(SECRET.variable) {
            reader.error(line, "[[inbound]] has no secret_file", Some(HOW_SECRET.to_owned()));
        }
        let wants_former = table.has(FORMER.file).or(table.has(FORMER.variable)).is_some();
        let former = webhook_secret(reader, &mut table, &FORMER);
        let acts_as = table.required(reader, "acts_as");
        table.finish(reader);
        self.acts_as.extend(acts_as.clone());
        let (Some(name), Some(secret), Some(acts_as)) = (name, secret, acts_as) else { return };
        if wants_former && former.is_none() {
            return;
        }
        let secrets = std::iter::once(secret).chain(former).collect();
        self.systems.push(Inbound { name, secrets, acts_as: acts_as.value });
    }

    /// Names of the users that systems act as.
    pub(super) fn users(&self) -> HashSet<&str> {
        self.acts_as.iter().map(|item| item.value.as_str()).collect()
    }

    /// Those that are right; for an API that is there.
    pub(super) fn finish(self, reader: &mut Reader<'_>, users: &[User], has_api: bool) -> Vec<Inbound> {
        for acts_as in &self.acts_as {
            let known = users.iter().map(|user| user.name.as_str());
            must_be_known(reader, acts_as, "user", known, "[[user]]");
        }
        if let Some(line) = self.line.filter(|_| !has_api) {
            let hint = "Add [api], where messages are taken, or remove [[inbound]].".to_owned();
            reader.error(line, "there is no [api] to take messages", Some(hint));
        }
        self.systems
    }
}
