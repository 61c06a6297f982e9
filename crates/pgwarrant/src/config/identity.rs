//! `[identity]`: providers that verify passwords and tokens, and what they say means here.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use pgwarrant_identity::GroupNames;
use pgwarrant_identity::ldap::{self, Account, Find, GroupSearch};
use pgwarrant_identity::oidc::{self, Algorithm};
use pgwarrant_proxy::settings::{Provider, ProviderKind};

use super::people::{must_be_known, name};
use super::reader::{Item, Reader, Table};
use super::sections::existing;
use super::{Group, Identity, Listen, Plaintext, ProviderEntry, secret};

/// What `[identity] default` says where there are no users but those in `[[user]]`.
const LOCAL: &str = "scram";

impl Identity {
    /// The provider that knows the users who are not in `[[user]]`.
    pub fn default_provider(&self) -> Option<&Provider> {
        let name = self.default.as_ref()?;
        self.providers.iter().map(|entry| &entry.provider).find(|provider| provider.name == *name)
    }
}

pub(super) fn identity(
    reader: &mut Reader<'_>,
    root: &mut Table<'_>,
    groups: &[Item<Group>],
    listen: Option<&Listen>,
) -> Identity {
    let Some(mut table) = root.table(reader, "identity", "[identity]") else { return Identity::default() };
    let default = table.string(reader, "default");
    let mut names = HashMap::from([(LOCAL.to_owned(), table.line)]);
    let mut providers = Vec::new();
    for table in table.tables(reader, "oidc", "[[identity.oidc]]") {
        providers.extend(oidc(reader, table, &mut names, groups));
    }
    for table in table.tables(reader, "ldap", "[[identity.ldap]]") {
        providers.extend(ldap(reader, table, &mut names, groups));
    }
    table.finish(reader);
    warn_of_plaintext(reader, &providers, listen);
    let default = default.filter(|default| default.value != LOCAL).filter(|default| {
        let known = names.keys().map(String::as_str);
        must_be_known(reader, default, "provider", known, "[[identity.oidc]] or [[identity.ldap]]")
    });
    Identity { default: default.map(|item| item.value), providers }
}

/// Neither passwords nor tokens are asked for where others can read them.
fn warn_of_plaintext(reader: &mut Reader<'_>, providers: &[ProviderEntry], listen: Option<&Listen>) {
    let (Some(first), Some(listen)) = (providers.first(), listen) else { return };
    let elsewhere = listen.addresses.iter().any(|address| !address.ip().is_loopback());
    if elsewhere && listen.tls.is_none() && listen.plaintext == Plaintext::Always {
        reader.warning(
            first.line,
            "users of providers can sign in from this machine only",
            "Add [listen.tls]: passwords and tokens are not asked for over a connection without TLS.",
        );
    }
}

/// The lines of a table's keys, for what is found to be wrong when all of it has been read.
struct Lines {
    table: usize,
    keys: BTreeMap<&'static str, usize>,
}

impl Lines {
    fn of(table: &Table<'_>, keys: &[&'static str]) -> Self {
        let keys = keys.iter().filter_map(|key| Some((*key, table.has(key)?)));
        Self { table: table.line, keys: keys.collect() }
    }

    /// Reports a problem that begins with the name of its key.
    fn report(&self, reader: &mut Reader<'_>, problem: &str) {
        let line = problem.split_once(": ").and_then(|(key, _)| self.keys.get(key));
        reader.error(*line.unwrap_or(&self.table), problem, None);
    }
}

fn oidc(
    reader: &mut Reader<'_>,
    mut table: Table<'_>,
    names: &mut HashMap<String, usize>,
    groups: &[Item<Group>],
) -> Option<ProviderEntry> {
    const KEYS: [&str; 7] =
        ["issuer", "audiences", "jwks_uri", "ca", "algorithms", "clock_skew", "keys_grace"];
    let lines = Lines::of(&table, &KEYS);
    let name = name(reader, &mut table, names, "provider");
    let issuer = table.required(reader, "issuer");
    let audiences = required_list(reader, &mut table, "audiences");
    let mut settings = oidc::Settings::new(issuer.as_ref().map_or("", |item| &item.value), "");
    settings.audiences = audiences.clone().unwrap_or_default();
    settings.jwks_uri = table.string(reader, "jwks_uri").map(|item| item.value);
    settings.ca = existing(reader, &mut table, "ca").map(|item| item.value);
    if let Some(names) = table.strings(reader, "algorithms") {
        settings.algorithms = names.iter().filter_map(|name| algorithm(reader, name)).collect();
    }
    text(reader, &mut table, "user_claim", &mut settings.user_claim);
    text(reader, &mut table, "person_claim", &mut settings.person_claim);
    settings.realm = realm(reader, &mut table);
    if let Some(path) = table.strings(reader, "groups_claim") {
        settings.groups_claim = path.into_iter().map(|item| item.value).collect();
    }
    settings.groups = group_names(reader, &mut table, groups);
    settings.clock_skew = duration(reader, &mut table, "clock_skew", "0 s", "5 min", "60 s");
    settings.longest = duration(reader, &mut table, "max_lifetime", "1 min", "366 days", "24 h");
    settings.single_use = table.boolean(reader, "single_use").unwrap_or(false);
    settings.timeout = duration(reader, &mut table, "timeout", "100 ms", "1 min", "5 s");
    settings.keys_refresh = duration(reader, &mut table, "keys_refresh", "10 s", "7 d", "15 min");
    settings.keys_grace = duration(reader, &mut table, "keys_grace", "10 s", "30 d", "8 h");
    let scope = table.string(reader, "scope").map_or_else(|| "openid".to_owned(), |item| item.value);
    table.finish(reader);
    issuer?;
    audiences?;
    let provider =
        Provider { name: name?, kind: ProviderKind::Oidc { issuer: Box::new(settings.clone()), scope } };
    let problem = match oidc::Provider::new(settings) {
        Err(problem) => Some(problem.to_string()),
        Ok(_) => pgwarrant_proxy::Provider::new(&provider).err().map(|error| error.to_string()),
    };
    finished(reader, &lines, provider, problem)
}

fn ldap(
    reader: &mut Reader<'_>,
    mut table: Table<'_>,
    names: &mut HashMap<String, usize>,
    groups: &[Item<Group>],
) -> Option<ProviderEntry> {
    const KEYS: [&str; 9] = [
        "urls",
        "ca",
        "bind",
        "filter",
        "account",
        "user_attribute",
        "person_attribute",
        "realm",
        "group_filter",
    ];
    let lines = Lines::of(&table, &KEYS);
    let name = name(reader, &mut table, names, "provider");
    let urls = required_list(reader, &mut table, "urls");
    let find = find(reader, &mut table);
    let mut settings = ldap::Settings::new("", Find::Template(String::new()));
    settings.urls = urls.clone().unwrap_or_default();
    settings.starttls = table.boolean(reader, "starttls").unwrap_or(false);
    settings.ca = existing(reader, &mut table, "ca").map(|item| item.value);
    text(reader, &mut table, "user_attribute", &mut settings.user_attribute);
    text(reader, &mut table, "person_attribute", &mut settings.person_attribute);
    // Two directories number their people each in its own way, unless somebody says otherwise.
    settings.realm = realm(reader, &mut table).or_else(|| name.clone()).unwrap_or_default();
    settings.groups = group_search(reader, &mut table, groups);
    settings.timeout = duration(reader, &mut table, "timeout", "100 ms", "1 min", "5 s");
    let max_lifetime = duration(reader, &mut table, "max_lifetime", "1 min", "366 days", "24 h");
    table.finish(reader);
    urls?;
    settings.find = find?;
    let directory = Box::new(settings.clone());
    let provider = Provider { name: name?, kind: ProviderKind::Ldap { directory, max_lifetime } };
    let problem = ldap::Directory::new(settings).err().map(|problem| problem.to_string());
    finished(reader, &lines, provider, problem)
}

fn finished(
    reader: &mut Reader<'_>,
    lines: &Lines,
    provider: Provider,
    problem: Option<String>,
) -> Option<ProviderEntry> {
    if let Some(problem) = problem {
        lines.report(reader, &problem);
    }
    Some(ProviderEntry { provider, line: lines.table })
}

/// How a user's entry is found: `bind`, or `base` and `filter`.
fn find(reader: &mut Reader<'_>, table: &mut Table<'_>) -> Option<Find> {
    let bind = table.string(reader, "bind");
    let base = table.string(reader, "base");
    let filter = table.string(reader, "filter");
    let account = account(reader, table);
    match (bind, base, filter) {
        (Some(bind), None, None) if matches!(account, Ok(None)) => Some(Find::Template(bind.value)),
        (None, Some(base), Some(filter)) => {
            Some(Find::Search { account: account.ok()?, base: base.value, filter: filter.value })
        }
        (bind, ..) => {
            let line = bind.map_or(table.line, |item| item.line);
            let hint = "Write bind = \"uid={user},ou=people,dc=…\", or base and filter = \"(uid={user})\" for a search.";
            reader.error(
                line,
                "[[identity.ldap]] must say how an entry is found, in one way",
                Some(hint.into()),
            );
            None
        }
    }
}

/// Who searches; `Err`: that is not said well, and reported.
fn account(reader: &mut Reader<'_>, table: &mut Table<'_>) -> Result<Option<Account>, ()> {
    let wanted = table.has("password_file").or(table.has("password_env"));
    let dn = table.string(reader, "account");
    let password = secret::read(reader, table, &secret::PASSWORD);
    match (dn, password) {
        (None, None) if wanted.is_none() => Ok(None),
        (Some(dn), Some((password, _))) => {
            Ok(Some(Account { dn: dn.value, password: password.expose().to_owned() }))
        }
        (Some(dn), None) if wanted.is_none() => {
            let hint = "Put its password into a file of its own and name that in password_file.";
            reader.error(dn.line, "account has no password", Some(hint.into()));
            Err(())
        }
        (None, Some((_, line))) => {
            reader.error(
                line,
                "there is a password and no account",
                Some("Write account = \"cn=…\".".into()),
            );
            Err(())
        }
        _ => Err(()),
    }
}

fn group_search(
    reader: &mut Reader<'_>,
    table: &mut Table<'_>,
    groups: &[Item<Group>],
) -> Option<GroupSearch> {
    let line = table.has("groups");
    let base = table.string(reader, "group_base");
    let mut filter = "(&(objectClass=groupOfNames)(member={dn}))".to_owned();
    text(reader, table, "group_filter", &mut filter);
    let mut attribute = "cn".to_owned();
    text(reader, table, "group_attribute", &mut attribute);
    let names = group_names(reader, table, groups);
    match (base, line) {
        (Some(base), _) => Some(GroupSearch { base: base.value, filter, attribute, names }),
        (None, Some(line)) => {
            let hint = "Write group_base = \"ou=groups,dc=…\": below it a user's groups are looked for.";
            reader.error(line, "groups are named, and not where they are", Some(hint.into()));
            None
        }
        (None, None) => None,
    }
}

/// A provider's groups and ours: `groups = { "db-support" = "support" }`.
fn group_names(reader: &mut Reader<'_>, table: &mut Table<'_>, groups: &[Item<Group>]) -> GroupNames {
    let known = || groups.iter().map(|group| group.value.name.as_str());
    let mut names = GroupNames::new();
    for (theirs, ours) in table.texts(reader, "groups") {
        if must_be_known(reader, &ours, "group", known(), "[[group]]") {
            names.insert(theirs, ours.value);
        }
    }
    names
}

fn algorithm(reader: &mut Reader<'_>, name: &Item<String>) -> Option<Algorithm> {
    let found = Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name.value);
    if found.is_none() {
        let known: Vec<&str> = Algorithm::ALL.into_iter().map(Algorithm::name).collect();
        let hint = format!("It can hold {}.", known.join(", "));
        reader.error(name.line, format!("algorithms cannot hold \"{}\"", name.value), Some(hint));
    }
    found
}

/// A string or a list of strings that must be there.
fn required_list(reader: &mut Reader<'_>, table: &mut Table<'_>, key: &'static str) -> Option<Vec<String>> {
    let is_there = table.has(key).is_some();
    let items = table.strings(reader, key);
    if !is_there {
        reader.error(table.line, format!("{} has no {key}", table.place), None);
    }
    items.map(|items| items.into_iter().map(|item| item.value).collect())
}

/// Replaces a default by what is written, which must not be empty.
fn text(reader: &mut Reader<'_>, table: &mut Table<'_>, key: &'static str, value: &mut String) {
    let Some(item) = table.string(reader, key) else { return };
    if item.value.is_empty() {
        reader.error(item.line, format!("{key} is empty"), None);
    }
    *value = item.value;
}

fn realm(reader: &mut Reader<'_>, table: &mut Table<'_>) -> Option<String> {
    let item = table.string(reader, "realm")?;
    if item.value.is_empty() || item.value.contains('#') {
        let hint = "Give it a name: providers with the same realm mean the same person by the same value.";
        reader.error(item.line, "realm must be a name without #", Some(hint.into()));
        return None;
    }
    Some(item.value)
}

fn duration(
    reader: &mut Reader<'_>,
    table: &mut Table<'_>,
    key: &'static str,
    from: &str,
    to: &str,
    default: &str,
) -> Duration {
    table.duration(reader, key, from..=to, default).value
}
