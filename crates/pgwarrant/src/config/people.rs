//! `[[group]]` and `[[user]]`: who may sign in, and what they may do about grants.

use std::collections::{HashMap, HashSet};

use super::inbound::Systems;
use super::problem::nearest;
use super::reader::{Item, Reader, Table};
use super::{Group, Identity, Listen, User, secret};

pub(super) fn groups(reader: &mut Reader<'_>, root: &mut Table<'_>) -> Vec<Item<Group>> {
    let mut groups = Vec::new();
    let mut names = HashMap::new();
    for mut table in root.tables(reader, "group", "[[group]]") {
        let name = name(reader, &mut table, &mut names, "group");
        let may_request = table.boolean(reader, "may_request").unwrap_or(false);
        let may_approve = table.boolean(reader, "may_approve").unwrap_or(false);
        let may_audit = table.boolean(reader, "may_audit").unwrap_or(false);
        let may_administer = table.boolean(reader, "may_administer").unwrap_or(false);
        let limited = table.has("max_duration").is_some();
        let max_duration = table.duration(reader, "max_duration", "1 s"..="366 days", "60 min").value;
        let max_duration = limited.then_some(max_duration);
        let line = table.line;
        table.finish(reader);
        if let Some(name) = name {
            let value = Group { name, may_request, may_approve, may_audit, may_administer, max_duration };
            groups.push(Item { value, line });
        }
    }
    let asks = groups.iter().find(|group| group.value.may_request);
    if let Some(asks) = asks
        && !groups.iter().any(|group| group.value.may_approve)
    {
        let message = "nobody can approve what this group may request";
        reader.warning(
            asks.line,
            message,
            "Give another group may_approve = true; nobody approves their own request.",
        );
    }
    groups
}

pub(super) fn users(
    reader: &mut Reader<'_>,
    root: &mut Table<'_>,
    groups: &[Item<Group>],
    identity: &Identity,
    listen: Option<&Listen>,
    systems: &Systems,
) -> Vec<User> {
    let acted_as = systems.users();
    let mut users: Vec<User> = Vec::new();
    let mut names = HashMap::new();
    let mut certificates = HashSet::new();
    let tables = root.tables(reader, "user", "[[user]]");
    if tables.is_empty() && root.was_absent("user") && identity.default.is_none() {
        reader.error(0, "there is no [[user]]: nobody could sign in", Some(NO_USER.into()));
    }
    for mut table in tables {
        let name = name(reader, &mut table, &mut names, "user");
        let wants_scram = ["scram", "scram_file", "scram_env"].iter().any(|key| table.has(key).is_some());
        let scram = verifier(reader, &mut table);
        let certificate = table.string(reader, "certificate");
        let person = table.string(reader, "person");
        let provider = table.string(reader, "provider");
        let member_of =
            members(reader, &mut table, "groups", groups.iter().map(|group| group.value.name.as_str()));
        if let Some(line) = table.discard("password") {
            let hint = "Write scram = \"…\", as `pgwarrant user hash` prints it.".to_owned();
            reader.error(line, "password may not be in the configuration file", Some(hint));
        } else if !wants_scram
            && certificate.is_none()
            && provider.is_none()
            && !name.as_deref().is_some_and(|name| acted_as.contains(name))
        {
            let message = "[[user]] has neither scram nor certificate nor provider";
            reader.error(table.line, message, Some(NO_USER.into()));
        }
        if let Some(provider) = &provider {
            let names = identity.providers.iter().map(|entry| entry.provider.name.as_str());
            must_be_known(reader, provider, "provider", names, "[[identity.oidc]] or [[identity.ldap]]");
            if person.is_none() && (wants_scram || certificate.is_some()) {
                let message = "a user with a provider and a way of our own must say which person it is";
                let hint =
                    "Write person = \"…\" as pgwarrant.whoami shows it to who signs in by the provider.";
                reader.error(provider.line, message, Some(hint.into()));
            }
        }
        if let Some(person) = &person
            && provider.is_some()
            && let Some(default) = identity.default_provider()
            && !default.numbers(&person.value)
        {
            reader.warning(
                person.line,
                format!("provider \"{}\" does not know its users by persons such as this", default.name),
                "Who signs in as a user of its own, outside [[user]], counts as another person: write person as pgwarrant.whoami shows it to them.",
            );
        }
        if let Some(certificate) = &certificate {
            let has_ca =
                listen.is_none_or(|listen| listen.tls.as_ref().is_none_or(|tls| tls.client_ca.is_some()));
            let has_tls = listen.is_none_or(|listen| listen.tls.is_some());
            if !has_ca || !has_tls {
                let hint = "Name the authority of client certificates in [listen.tls] client_ca.".to_owned();
                reader.error(certificate.line, "no client certificate could be accepted", Some(hint));
            }
            if !certificates.insert(certificate.value.clone()) {
                let message = format!("two users have the certificate \"{}\"", certificate.value);
                reader.error(certificate.line, message, Some("A common name signs in one user.".into()));
            }
        }
        table.finish(reader);
        if let Some(name) = name {
            users.push(User {
                name,
                person: person.map(|item| item.value),
                provider: provider.map(|item| item.value),
                scram,
                certificate: certificate.map(|item| item.value),
                groups: member_of,
            });
        }
    }
    users
}

const NO_USER: &str = "Add [[user]] with name and scram; `pgwarrant user hash` makes the value of scram.";

/// A list of names that must be among `known`.
pub(super) fn members<'k>(
    reader: &mut Reader<'_>,
    table: &mut Table<'_>,
    key: &'static str,
    known: impl Iterator<Item = &'k str> + Clone,
) -> Vec<String> {
    let mut members: Vec<String> = Vec::new();
    for item in table.strings(reader, key).unwrap_or_default() {
        let singular = key.trim_end_matches('s');
        if must_be_known(reader, &item, singular, known.clone(), &format!("[[{singular}]]"))
            && !members.contains(&item.value)
        {
            members.push(item.value);
        }
    }
    members
}

/// Is it one of these? Otherwise it is reported, with the nearest of them or `section` to add.
pub(super) fn must_be_known<'k>(
    reader: &mut Reader<'_>,
    item: &Item<String>,
    what: &str,
    known: impl Iterator<Item = &'k str> + Clone,
    section: &str,
) -> bool {
    if known.clone().any(|name| name == item.value) {
        return true;
    }
    let hint = match nearest(&item.value, known) {
        Some(near) => format!("Did you mean \"{near}\"?"),
        None => format!("Add {section} with name = \"{}\".", item.value),
    };
    reader.error(item.line, format!("there is no {what} \"{}\"", item.value), Some(hint));
    false
}

/// A name that no other of its kind has, fit to be an identifier of PostgreSQL
/// (`NAMEDATALEN`: 63 bytes).
pub(super) fn name(
    reader: &mut Reader<'_>,
    table: &mut Table<'_>,
    taken: &mut HashMap<String, usize>,
    what: &str,
) -> Option<String> {
    let name = table.required(reader, "name")?;
    if name.value.len() > 63 || name.value.contains(char::is_control) {
        let hint = "PostgreSQL's names have 63 bytes at most.".to_owned();
        reader.error(name.line, format!("\"{}\" cannot be the name of a {what}", name.value), Some(hint));
        return None;
    }
    if let Some(line) = taken.insert(name.value.clone(), name.line) {
        let hint = format!("The other is on line {line}.");
        reader.error(name.line, format!("{what} \"{}\" is there twice", name.value), Some(hint));
        return None;
    }
    Some(name.value)
}

fn verifier(reader: &mut Reader<'_>, table: &mut Table<'_>) -> Option<String> {
    // A verifier may be written into the file itself, unlike a password.
    const KEYS: secret::Keys = secret::Keys { inline: None, file: "scram_file", variable: "scram_env" };
    let inline = table.string(reader, "scram");
    let named = secret::read(reader, table, &KEYS)
        .map(|(secret, line)| Item { value: secret.expose().to_owned(), line });
    let verifier = match (inline, named) {
        (Some(_), Some(named)) => {
            reader.error(named.line, "scram is given twice", Some("Remove one of the two.".into()));
            return None;
        }
        (inline, named) => inline.or(named)?,
    };
    if is_verifier(&verifier.value) {
        return Some(verifier.value);
    }
    let message = if verifier.value.starts_with("md5") {
        "scram is an MD5 hash, which is not accepted"
    } else {
        "scram is not a SCRAM-SHA-256 verifier"
    };
    let hint = "Use what `pgwarrant user hash` prints, or rolpassword of pg_authid: SCRAM-SHA-256$4096:…."
        .to_owned();
    reader.error(verifier.line, message, Some(hint));
    None
}

/// `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>` (PostgreSQL's `pg_authid`, RFC 5803).
fn is_verifier(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("SCRAM-SHA-256$") else { return false };
    let Some(((iterations, salt), (stored, server))) = rest
        .split_once('$')
        .and_then(|(first, second)| Some((first.split_once(':')?, second.split_once(':')?)))
    else {
        return false;
    };
    let base64 = |text: &str| {
        let letters = text.trim_end_matches('=');
        !letters.is_empty()
            && text.len().is_multiple_of(4)
            && text.len() - letters.len() <= 2
            && letters.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
    };
    // 32 bytes are 43 letters and a filler.
    let digest = |text: &str| text.len() == 44 && base64(text) && text.trim_end_matches('=').len() == 43;
    let iterations_ok = iterations.parse::<u32>().is_ok_and(|count| (1..=10_000_000).contains(&count));
    iterations_ok && base64(salt) && salt.len() <= 1024 && digest(stored) && digest(server)
}
