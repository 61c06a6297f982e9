//! `[[label]]`: what is personal data.

use std::collections::HashMap;

use pgwarrant_catalog::pattern::Pattern;
use pgwarrant_catalog::{Label, Sensitivity, Ungranted};
use pgwarrant_masking::Method;

use super::LabelEntry;
use super::reader::{Reader, Table};

pub(super) fn labels(reader: &mut Reader<'_>, root: &mut Table<'_>) -> Vec<LabelEntry> {
    let tables = root.tables(reader, "label", "[[label]]");
    if tables.is_empty() && root.was_absent("label") {
        let hint = "Add [[label]] with columns, category and mask.";
        reader.warning(0, "there is no [[label]]: nothing is protected", hint);
    }
    let mut seen: HashMap<String, usize> = HashMap::new();
    tables.into_iter().filter_map(|table| label(reader, table, &mut seen)).collect()
}

fn label(
    reader: &mut Reader<'_>,
    mut table: Table<'_>,
    seen: &mut HashMap<String, usize>,
) -> Option<LabelEntry> {
    let line = table.line;
    let columns = table.strings(reader, "columns");
    let category = table.required(reader, "category");
    let missing_mask = table.has("mask").is_none();
    let mask = table.deserialize::<Method>(reader, "mask");
    let ungranted =
        table.choice(reader, "ungranted", &[("mask", Ungranted::Mask), ("block", Ungranted::Block)]);
    let levels =
        [Sensitivity::Low, Sensitivity::Medium, Sensitivity::High].map(|level| (level.text(), level));
    let sensitivity = table.choice(reader, "sensitivity", &levels);
    let nulls_show = table.boolean(reader, "nulls_show");
    table.finish(reader);

    if columns.as_ref().is_none_or(Vec::is_empty) {
        let hint = "Write columns = [\"customers.email\"], or a pattern such as \"*.email\".".to_owned();
        reader.error(line, "[[label]] has no columns", Some(hint));
    }
    let columns = columns.unwrap_or_default();
    for column in &columns {
        if let Err(error) = Pattern::parse(&column.value) {
            let problem = format!("columns cannot hold \"{}\": {}", error.pattern, error.problem);
            reader.error(column.line, problem, Some(error.hint));
        } else if let Some(other) = seen.insert(column.value.clone(), column.line) {
            let hint = format!("The other is on line {other}; a column has one label.");
            reader.error(column.line, format!("\"{}\" is labelled twice", column.value), Some(hint));
        }
    }
    if let Some(category) = &category
        && !is_category(&category.value)
    {
        let hint =
            "Use lower-case letters, digits, _ and -: people write category:contact in a request.".to_owned();
        reader.error(category.line, format!("category cannot be \"{}\"", category.value), Some(hint));
    }
    // Redact is the default: it fits nearly every type and tells nothing.
    let mask = if missing_mask { Method::Redact } else { mask?.value };
    let nulls_show = nulls_show.unwrap_or_else(|| mask.shows_nulls());
    let label = Label {
        columns: columns.into_iter().map(|item| item.value).collect(),
        category: category?.value,
        mask,
        ungranted: ungranted.map(|item| item.value).unwrap_or_default(),
        sensitivity: sensitivity.map(|item| item.value).unwrap_or_default(),
        nulls_show,
    };
    Some(LabelEntry { label, line })
}

fn is_category(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    text.len() <= 63 && text.bytes().all(plain)
}
