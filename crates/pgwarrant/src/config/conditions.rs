//! `[[condition]]`: other systems that are asked before a request becomes a grant.

use std::collections::HashMap;

use pgwarrant_conditions::Settings;
use pgwarrant_http::Url;
use pgwarrant_webhooks::Secret;

use super::people::name;
use super::reader::{Reader, Table};
use super::sections::existing;
use super::{ConditionEntry, secret};

const SECRET: secret::Keys =
    secret::Keys { inline: Some("secret"), file: "secret_file", variable: "secret_env" };

pub(super) fn conditions(reader: &mut Reader<'_>, root: &mut Table<'_>) -> Vec<ConditionEntry> {
    let mut names = HashMap::new();
    let tables = root.tables(reader, "condition", "[[condition]]");
    tables.into_iter().filter_map(|table| condition(reader, table, &mut names)).collect()
}

fn condition(
    reader: &mut Reader<'_>,
    mut table: Table<'_>,
    names: &mut HashMap<String, usize>,
) -> Option<ConditionEntry> {
    let line = table.line;
    let name = plain_name(reader, &mut table, names, "condition");
    let url = url(reader, &mut table);
    let secret = webhook_secret(reader, &mut table, &SECRET);
    if secret.is_none() && table.was_absent(SECRET.file) && table.was_absent(SECRET.variable) {
        reader.error(line, "[[condition]] has no secret_file", Some(HOW_SECRET.to_owned()));
    }
    let wants_ca = table.has("ca").is_some();
    let ca = existing(reader, &mut table, "ca").map(|item| item.value);
    let timeout = table.duration(reader, "timeout", "100 ms"..="10 s", "5 s").value;
    let signed_answers = table.boolean(reader, "signed_answers").unwrap_or(false);
    table.finish(reader);
    if wants_ca && ca.is_none() {
        return None;
    }
    let condition = Settings { name: name?, url: url?, secret: secret?, ca, timeout, signed_answers };
    Some(ConditionEntry { condition, line })
}

fn url(reader: &mut Reader<'_>, table: &mut Table<'_>) -> Option<Url> {
    let item = table.required(reader, "url")?;
    match Url::parse(&item.value) {
        Ok(url) => Some(url),
        Err(error) => {
            let hint = "Write what takes the question: \"https://tickets.example.com/pgwarrant\".";
            reader.error(item.line, format!("url: {error}"), Some(hint.to_owned()));
            None
        }
    }
}

/// A name that can be part of a list, of a path and of a message's id.
pub(super) fn plain_name(
    reader: &mut Reader<'_>,
    table: &mut Table<'_>,
    names: &mut HashMap<String, usize>,
    what: &str,
) -> Option<String> {
    let line = table.has("name").unwrap_or(table.line);
    let name = name(reader, table, names, what)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if name.bytes().all(plain) {
        return Some(name);
    }
    let hint = "Use letters, digits, \"_\" and \"-\".".to_owned();
    reader.error(line, format!("\"{name}\" cannot be the name of a {what}"), Some(hint));
    None
}

pub(super) const HOW_SECRET: &str =
    "Make one with: echo \"whsec_$(openssl rand -base64 32)\", and name its file in secret_file.";

/// A secret of Standard Webhooks. None also where none is named.
pub(super) fn webhook_secret(
    reader: &mut Reader<'_>,
    table: &mut Table<'_>,
    keys: &secret::Keys,
) -> Option<Secret> {
    let (secret, line) = secret::read(reader, table, keys)?;
    match Secret::parse(secret.expose()) {
        Ok(secret) => Some(secret),
        Err(error) => {
            let message = format!("the secret of {} is none: {error}", table.place);
            reader.error(line, message, Some(HOW_SECRET.to_owned()));
            None
        }
    }
}
