//! `[[webhook]]`: who is told of what happens to requests and grants.

use std::collections::HashMap;

use pgwarrant_http::{Client, Url};
use pgwarrant_webhooks::{Format, Kind, MAX_WEBHOOKS, Secret, Webhook};

use super::people::{must_be_known, name};
use super::problem::nearest;
use super::reader::{Reader, Table};
use super::sections::existing;
use super::{Database, secret};

/// Some receivers believe whoever knows their URL, which then is a secret.
const URL: secret::Keys = secret::Keys { inline: None, file: "url_file", variable: "url_env" };
const SECRET: secret::Keys =
    secret::Keys { inline: Some("secret"), file: "secret_file", variable: "secret_env" };
/// Good as well, while receivers learn the new one.
const PREVIOUS: secret::Keys = secret::Keys {
    inline: Some("previous_secret"),
    file: "previous_secret_file",
    variable: "previous_secret_env",
};

/// Those that are right; what is wrong is among the reader's problems.
pub(super) fn webhooks(
    reader: &mut Reader<'_>,
    root: &mut Table<'_>,
    databases: &[Database],
) -> Vec<Webhook> {
    let mut names = HashMap::new();
    let tables = root.tables(reader, "webhook", "[[webhook]]");
    if let Some(table) = tables.get(MAX_WEBHOOKS) {
        let hint = "Have one receiver pass messages on to the others.".to_owned();
        reader.error(table.line, format!("there are more than {MAX_WEBHOOKS} webhooks"), Some(hint));
    }
    tables.into_iter().filter_map(|table| webhook(reader, table, &mut names, databases)).collect()
}

fn webhook(
    reader: &mut Reader<'_>,
    mut table: Table<'_>,
    names: &mut HashMap<String, usize>,
    databases: &[Database],
) -> Option<Webhook> {
    const FORMATS: [(&str, Format); 3] =
        [("json", Format::Json), ("slack", Format::Slack), ("teams", Format::Teams)];
    let line = table.line;
    let name = name(reader, &mut table, names, "webhook");
    let url = url(reader, &mut table);
    let format = table.choice(reader, "format", &FORMATS).map_or(Format::Json, |item| item.value);
    let secrets = secrets(reader, &mut table, format);
    let events = events(reader, &mut table);
    let mut only = Vec::new();
    for item in table.strings(reader, "databases").unwrap_or_default() {
        let known = databases.iter().map(|database| database.name.as_str());
        if must_be_known(reader, &item, "database", known, "[[database]]") {
            only.push(item.value);
        }
    }
    let ca = existing(reader, &mut table, "ca");
    let timeout = table.duration(reader, "timeout", "1 s"..="60 s", "10 s").value;
    table.finish(reader);
    let client = match Client::new(ca.as_ref().map(|item| item.value.as_path()), timeout) {
        Ok(client) => Some(client),
        Err(error) => {
            let line = ca.map_or(line, |item| item.line);
            reader.error(line, error.to_string(), Some("Name a PEM file of the authority in ca.".to_owned()));
            None
        }
    };
    Some(Webhook {
        name: name?,
        url: url?,
        secrets: secrets?,
        format,
        events,
        databases: only,
        client: client?,
    })
}

fn url(reader: &mut Reader<'_>, table: &mut Table<'_>) -> Option<Url> {
    let wanted = ["url", "url_file", "url_env"].iter().any(|key| table.has(key).is_some());
    let inline = table.string(reader, "url");
    let named = secret::read(reader, table, &URL);
    match (inline, named) {
        (Some(_), Some((_, line))) => {
            reader.error(line, "url is given twice", Some("Remove one of the two.".to_owned()));
            None
        }
        (Some(item), None) => Url::parse(&item.value)
            .map_err(|error| {
                let hint = "Write https:// and a host; http:// only with 127.0.0.1 or [::1].".to_owned();
                reader.error(item.line, error.to_string(), Some(hint));
            })
            .ok(),
        // Not what the problem is: that would show it.
        (None, Some((secret, line))) => Url::parse(secret.expose())
            .map_err(|_| {
                let hint = "It begins with https://, or with http:// and 127.0.0.1 or [::1].".to_owned();
                reader.error(line, "what should be the url is none that can be called", Some(hint));
            })
            .ok(),
        (None, None) => {
            if !wanted {
                let hint = "Write url = \"https://…\", or name a file that holds it in url_file.".to_owned();
                reader.error(table.line, "[[webhook]] has no url", Some(hint));
            }
            None
        }
    }
}

fn secrets(reader: &mut Reader<'_>, table: &mut Table<'_>, format: Format) -> Option<Vec<Secret>> {
    let mut all_right = true;
    let mut secrets = Vec::new();
    for keys in [&SECRET, &PREVIOUS] {
        let names = [keys.inline.unwrap_or_default(), keys.file, keys.variable];
        let wanted = names.iter().any(|key| table.has(key).is_some());
        let named = secret::read(reader, table, keys);
        all_right &= named.is_some() || !wanted;
        let Some((text, line)) = named else { continue };
        match Secret::parse(text.expose()) {
            Ok(secret) => secrets.push(secret),
            Err(error) => {
                all_right = false;
                let named = keys.inline.unwrap_or_default();
                reader.error(line, format!("{named} cannot be used: {error}"), Some(MAKE_ONE.to_owned()));
            }
        }
    }
    if secrets.is_empty() && all_right && format == Format::Json {
        reader.error(table.line, "[[webhook]] has no secret", Some(MAKE_ONE.to_owned()));
        return None;
    }
    all_right.then_some(secrets)
}

const MAKE_ONE: &str =
    "Name a file in secret_file; make one with: echo \"whsec_$(openssl rand -base64 32)\".";

fn events(reader: &mut Reader<'_>, table: &mut Table<'_>) -> Vec<Kind> {
    let Some(items) = table.strings(reader, "events") else { return Kind::USUAL.to_vec() };
    let mut events = Vec::new();
    for item in items {
        match Kind::ALL.into_iter().find(|kind| kind.name() == item.value) {
            Some(kind) => events.push(kind),
            None => {
                let names = || Kind::ALL.into_iter().map(Kind::name);
                let hint = match nearest(&item.value, names()) {
                    Some(near) => format!("Did you mean \"{near}\"?"),
                    None => format!("There are: {}.", names().collect::<Vec<_>>().join(", ")),
                };
                reader.error(item.line, format!("there is no event \"{}\"", item.value), Some(hint));
            }
        }
    }
    events
}
