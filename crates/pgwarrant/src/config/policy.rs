//! `[policy]` and `[[profile]]`: who may ask for what, and bundles that people ask for by name.

use std::collections::HashMap;

use super::people::{members, name};
use super::reader::{Item, Reader, Table};
use super::{Group, Policy, Profile, Rows, Schedule};

/// The actions of a grant, as requests name them.
const ACTIONS: [&str; 5] = ["select", "insert", "update", "delete", "export"];
/// As [`Schedule::days`] counts them.
const DAYS: [(&str, u8); 7] =
    [("mon", 1), ("tue", 2), ("wed", 3), ("thu", 4), ("fri", 5), ("sat", 6), ("sun", 7)];

pub(super) fn policy(reader: &mut Reader<'_>, root: &mut Table<'_>) -> Option<Policy> {
    let mut table = root.table(reader, "policy", "[policy]")?;
    let line = table.line;
    let files = table.paths(reader, "files");
    table.finish(reader);
    if files.is_empty() {
        let hint = "Write files = [\"policies/requests.cedar\"].".to_owned();
        reader.error(line, "[policy] names no files", Some(hint));
    }
    for file in &files {
        if let Err(error) = std::fs::File::open(&file.value) {
            let message = format!("could not read {}: {error}", file.value.display());
            let hint = "Name a file of Cedar policies; relative paths start at this file's directory.";
            reader.error(file.line, message, Some(hint.into()));
        }
    }
    Some(Policy { files: files.into_iter().map(|item| item.value).collect(), line })
}

pub(super) fn profiles(
    reader: &mut Reader<'_>,
    root: &mut Table<'_>,
    groups: &[Item<Group>],
) -> Vec<Profile> {
    let mut names = HashMap::new();
    let tables = root.tables(reader, "profile", "[[profile]]");
    tables.into_iter().filter_map(|table| profile(reader, table, &mut names, groups)).collect()
}

fn profile(
    reader: &mut Reader<'_>,
    mut table: Table<'_>,
    names: &mut HashMap<String, usize>,
    groups: &[Item<Group>],
) -> Option<Profile> {
    let line = table.line;
    let name = name(reader, &mut table, names, "profile");
    let columns = table.strings(reader, "columns").unwrap_or_default();
    let actions = actions(reader, &mut table);
    const ROWS: [(&str, Rows); 3] = [("some", Rows::Some), ("all", Rows::All), ("any", Rows::Any)];
    let rows = table.choice(reader, "rows", &ROWS);
    let max_duration = table.duration(reader, "max_duration", "1 s"..="366 days", "60 min").value;
    let schedule = table.table(reader, "schedule", "[profile.schedule]").map(|table| schedule(reader, table));
    let unasked = table.has("groups").is_none();
    let groups = members(reader, &mut table, "groups", groups.iter().map(|group| group.value.name.as_str()));
    table.finish(reader);
    if columns.is_empty() {
        let hint = "Write columns = [\"category:contact\"], or what people write in a request.".to_owned();
        reader.error(line, "[[profile]] has no columns", Some(hint));
    }
    if unasked {
        let hint = "Write groups = [\"…\"]: whose members may ask for it.".to_owned();
        reader.error(line, "nobody may ask for this profile", Some(hint));
    }
    Some(Profile {
        name: name?,
        columns: columns.into_iter().map(|item| item.value).collect(),
        actions,
        rows: rows.map_or(Rows::Any, |item| item.value),
        max_duration,
        // Asked for but wrong: reported, and not to be taken for no schedule.
        schedule: match schedule {
            None => None,
            Some(schedule) => Some(schedule?),
        },
        groups,
    })
}

fn actions(reader: &mut Reader<'_>, table: &mut Table<'_>) -> Vec<String> {
    let mut actions: Vec<String> = Vec::new();
    for item in table.strings(reader, "actions").unwrap_or_default() {
        if !ACTIONS.contains(&item.value.as_str()) {
            let hint = format!("It can hold {}.", ACTIONS.map(|action| format!("\"{action}\"")).join(", "));
            reader.error(item.line, format!("actions cannot hold \"{}\"", item.value), Some(hint));
        } else if !actions.contains(&item.value) {
            actions.push(item.value);
        }
    }
    if actions.is_empty() { vec!["select".to_owned()] } else { actions }
}

fn schedule(reader: &mut Reader<'_>, mut table: Table<'_>) -> Option<Schedule> {
    let line = table.line;
    let mut days = Vec::new();
    let mut known = true;
    for item in table.strings(reader, "days").unwrap_or_default() {
        match DAYS.iter().find(|(word, _)| *word == item.value) {
            Some((_, day)) if !days.contains(day) => days.push(*day),
            Some(_) => {}
            None => {
                known = false;
                let hint = format!("It can hold {}.", DAYS.map(|(word, _)| format!("\"{word}\"")).join(", "));
                reader.error(item.line, format!("days cannot hold \"{}\"", item.value), Some(hint));
            }
        }
    }
    if days.is_empty() {
        days = DAYS.map(|(_, day)| day).to_vec();
    }
    let from = minute(reader, &mut table, "from", 0);
    let to = minute(reader, &mut table, "to", 24 * 60);
    table.finish(reader);
    let (from, to) = (from?, to?);
    if from >= to {
        let hint = "A schedule lies within one day; write two profiles for a night.".to_owned();
        reader.error(line, "the schedule ends before it begins", Some(hint));
        return None;
    }
    known.then_some(Schedule { days, from, to })
}

/// A time of day such as `"08:30"`, in minutes since midnight; `"24:00"` is the end of the day.
fn minute(reader: &mut Reader<'_>, table: &mut Table<'_>, key: &'static str, default: u16) -> Option<u16> {
    if table.has(key).is_none() {
        table.string(reader, key);
        return Some(default);
    }
    let item = table.string(reader, key)?;
    let parsed = item.value.split_once(':').and_then(|(hour, minute)| {
        let two = |text: &str| {
            (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()))
                .then(|| text.parse::<u16>().ok())
        };
        let (hour, minute) = (two(hour)??, two(minute)??);
        let minutes = hour * 60 + minute;
        (minute < 60 && minutes <= 24 * 60).then_some(minutes)
    });
    if parsed.is_none() {
        let hint = "Write hours and minutes of a day: \"08:30\".".to_owned();
        reader.error(item.line, format!("{key} cannot be \"{}\"", item.value), Some(hint));
    }
    parsed
}
