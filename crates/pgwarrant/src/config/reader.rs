//! Walking the document: typed keys, every problem kept, no key overlooked.

use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::nearest;
use super::{Problem, Severity, Surroundings, quantity};

/// Collects problems, and knows which line a byte of the text is on.
pub(super) struct Reader<'a> {
    text: &'a str,
    pub surroundings: &'a Surroundings<'a>,
    problems: Vec<Problem>,
}

/// A table while it is read. A key that nobody has asked for when it is [`finished`](Table::finish)
/// is unknown.
pub(super) struct Table<'a> {
    /// As it is written: `[listen]`, `[[user]]`.
    pub place: String,
    pub line: usize,
    entries: Vec<Entry<'a>>,
    asked: BTreeSet<&'static str>,
    absent: BTreeSet<&'static str>,
}

struct Entry<'a> {
    key: String,
    line: usize,
    value: DeValue<'a>,
    span: Range<usize>,
}

/// A value with its line.
#[derive(Clone, Debug)]
pub(super) struct Item<T> {
    pub value: T,
    pub line: usize,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str, surroundings: &'a Surroundings<'a>) -> Self {
        Self { text, surroundings, problems: Vec::new() }
    }

    /// The document's top level; `None` where it is not TOML.
    pub fn document(&mut self) -> Option<Table<'a>> {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let line = error.span().map_or(0, |span| self.line(span.start));
            self.error(line, error.message().to_lowercase().replace('\n', ", "), None);
        }
        errors.is_empty().then(|| self.open("the file", 0, document.into_inner()))
    }

    pub fn error(&mut self, line: usize, message: impl Into<String>, hint: Option<String>) {
        self.problems.push(Problem { severity: Severity::Error, line, message: message.into(), hint });
    }

    pub fn warning(&mut self, line: usize, message: impl Into<String>, hint: &str) {
        let hint = Some(hint.to_owned());
        self.problems.push(Problem { severity: Severity::Warning, line, message: message.into(), hint });
    }

    pub fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    fn line(&self, byte: usize) -> usize {
        1 + self.text.bytes().take(byte).filter(|byte| *byte == b'\n').count()
    }

    fn open<'t>(&self, place: &str, line: usize, table: DeTable<'t>) -> Table<'t> {
        let entries = table
            .into_iter()
            .map(|(key, value)| Entry {
                line: self.line(key.span().start),
                key: key.into_inner().into_owned(),
                span: value.span(),
                value: value.into_inner(),
            })
            .collect();
        Table { place: place.to_owned(), line, entries, asked: BTreeSet::new(), absent: BTreeSet::new() }
    }
}

impl<'a> Table<'a> {
    /// Reports the keys that nobody has asked for.
    pub fn finish(self, reader: &mut Reader<'_>) {
        for entry in &self.entries {
            let hint = match nearest(&entry.key, self.asked.iter().copied()) {
                Some(near) => format!("Did you mean \"{near}\"?"),
                None => format!("Known keys: {}.", self.asked.iter().copied().collect::<Vec<_>>().join(", ")),
            };
            reader.error(entry.line, format!("unknown key \"{}\" in {}", entry.key, self.place), Some(hint));
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Entry<'a>> {
        self.asked.insert(key);
        let Some(index) = self.entries.iter().position(|entry| entry.key == key) else {
            self.absent.insert(key);
            return None;
        };
        Some(self.entries.swap_remove(index))
    }

    /// A section that is not in the file.
    pub fn empty(place: &str) -> Self {
        Self {
            place: place.to_owned(),
            line: 0,
            entries: Vec::new(),
            asked: BTreeSet::new(),
            absent: BTreeSet::new(),
        }
    }

    /// Was a key that has been asked for not in the file, or an empty list of sections, as opposed
    /// to there but wrong?
    pub fn was_absent(&self, key: &str) -> bool {
        self.absent.contains(key)
    }

    /// The line of a key, if it is there, without reading it.
    pub fn has(&self, key: &str) -> Option<usize> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| entry.line)
    }

    /// Takes out a key that is not known but deserves a message of its own; its line.
    pub fn discard(&mut self, key: &str) -> Option<usize> {
        let index = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.swap_remove(index).line)
    }

    /// A value that serde reads.
    pub fn deserialize<T: serde::de::DeserializeOwned>(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
    ) -> Option<Item<T>> {
        let entry = self.take(key)?;
        let value = Spanned::new(entry.span, entry.value);
        match T::deserialize(toml::de::ValueDeserializer::from(value)) {
            Ok(value) => Some(Item { value, line: entry.line }),
            Err(error) => {
                let (message, hint) = match error.message().split_once("; ") {
                    Some((message, hint)) => (message.to_owned(), Some(format!("{}.", capitalised(hint)))),
                    None => (error.message().to_owned(), None),
                };
                reader.error(entry.line, message.replace('\n', ", "), hint);
                None
            }
        }
    }

    pub fn string(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Option<Item<String>> {
        let entry = self.take(key)?;
        match entry.value {
            DeValue::String(text) if text.contains('\0') => {
                reader.error(entry.line, format!("{key} holds a NUL character"), None);
                None
            }
            DeValue::String(text) => Some(Item { value: text.into_owned(), line: entry.line }),
            other => mismatch(reader, key, entry.line, "a string", &other),
        }
    }

    /// A string that must be there and not be empty.
    pub fn required(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Option<Item<String>> {
        let present = self.has(key).is_some();
        match self.string(reader, key) {
            Some(item) if item.value.is_empty() => {
                reader.error(item.line, format!("{key} is empty"), None);
                None
            }
            None if !present => {
                reader.error(self.line, format!("{} has no {key}", self.place), None);
                None
            }
            other => other,
        }
    }

    /// A string or a list of strings.
    pub fn strings(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Option<Vec<Item<String>>> {
        let entry = self.take(key)?;
        let array = match entry.value {
            DeValue::String(text) => return Some(vec![Item { value: text.into_owned(), line: entry.line }]),
            DeValue::Array(array) => array,
            other => return mismatch(reader, key, entry.line, "a string or a list of strings", &other),
        };
        let mut strings = Vec::new();
        for element in array {
            let line = reader.line(element.span().start);
            match element.into_inner() {
                DeValue::String(text) => strings.push(Item { value: text.into_owned(), line }),
                other => {
                    mismatch::<()>(reader, key, line, "a list of strings", &other);
                }
            }
        }
        Some(strings)
    }

    /// A table of strings: its keys with their values, each on the value's line.
    pub fn texts(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Vec<(String, Item<String>)> {
        let Some(entry) = self.take(key) else { return Vec::new() };
        let table = match entry.value {
            DeValue::Table(table) => table,
            other => {
                let wants = "a table such as { \"theirs\" = \"ours\" }";
                return mismatch(reader, key, entry.line, wants, &other).unwrap_or_default();
            }
        };
        let mut texts = Vec::new();
        for entry in reader.open(key, entry.line, table).entries {
            match entry.value {
                DeValue::String(text) => {
                    texts.push((entry.key, Item { value: text.into_owned(), line: entry.line }));
                }
                other => {
                    mismatch::<()>(reader, key, entry.line, "a table of strings", &other);
                }
            }
        }
        texts
    }

    pub fn boolean(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Option<bool> {
        let entry = self.take(key)?;
        match entry.value {
            DeValue::Boolean(value) => Some(value),
            other => mismatch(reader, key, entry.line, "true or false", &other),
        }
    }

    pub fn integer(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        range: RangeInclusive<usize>,
        default: usize,
    ) -> usize {
        let Some(entry) = self.take(key) else { return default };
        let number = match &entry.value {
            DeValue::Integer(number) => usize::from_str_radix(number.as_str(), number.radix()).ok(),
            other => return mismatch(reader, key, entry.line, "a whole number", other).unwrap_or(default),
        };
        match number.filter(|number| range.contains(number)) {
            Some(number) => number,
            None => {
                reader.error(entry.line, format!("{key} must be {} to {}", range.start(), range.end()), None);
                default
            }
        }
    }

    pub fn duration(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        range: RangeInclusive<&str>,
        default: &str,
    ) -> Item<Duration> {
        self.quantity(reader, key, range, default, quantity::duration)
    }

    /// In bytes; also a bare number.
    pub fn size(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        range: RangeInclusive<&str>,
        default: &str,
    ) -> usize {
        self.quantity(reader, key, range, default, quantity::size).value
    }

    fn quantity<T: Ord + Default>(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        range: RangeInclusive<&str>,
        default: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Item<T> {
        // The range and the default are this program's own; a test reads every one of them.
        let own = |text: &str| parse(text).unwrap_or_default();
        let line = self.has(key).unwrap_or(self.line);
        let value = match self.take(key) {
            None => Some(own(default)),
            Some(Entry { value: DeValue::String(text), .. }) => match parse(&text) {
                Ok(value) if value < own(range.start()) || value > own(range.end()) => {
                    reader.error(line, format!("{key} must be {} to {}", range.start(), range.end()), None);
                    None
                }
                Ok(value) => Some(value),
                Err(hint) => {
                    reader.error(line, format!("{key} cannot be \"{text}\""), Some(hint));
                    None
                }
            },
            Some(Entry { value, .. }) => {
                let wants = format!("a string with a unit, such as \"{default}\"");
                mismatch(reader, key, line, &wants, &value)
            }
        };
        Item { value: value.unwrap_or_else(|| own(default)), line }
    }

    /// One of a few words.
    pub fn choice<T: Copy>(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Option<Item<T>> {
        let item = self.string(reader, key)?;
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == item.value) {
            return Some(Item { value: *value, line: item.line });
        }
        let words: Vec<String> = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        let hint = match nearest(&item.value, choices.iter().map(|(word, _)| *word)) {
            Some(near) => format!("Did you mean \"{near}\"?"),
            None => format!("It can be {}.", words.join(", ")),
        };
        reader.error(item.line, format!("{key} cannot be \"{}\"", item.value), Some(hint));
        None
    }

    /// A path, from the file's own directory.
    pub fn path(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Option<Item<PathBuf>> {
        let item = self.string(reader, key)?;
        if item.value.is_empty() {
            reader.error(item.line, format!("{key} is empty"), None);
            return None;
        }
        Some(Item { value: reader.surroundings.directory.join(&item.value), line: item.line })
    }

    /// A path or a list of them, from the file's own directory.
    pub fn paths(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Vec<Item<PathBuf>> {
        let texts = self.strings(reader, key).unwrap_or_default();
        let path = |item: Item<String>| Item {
            value: reader.surroundings.directory.join(item.value),
            line: item.line,
        };
        texts.into_iter().map(path).collect()
    }

    /// `[key]` inside this table; `place` is how it is written.
    pub fn table(&mut self, reader: &mut Reader<'_>, key: &'static str, place: &str) -> Option<Table<'a>> {
        let entry = self.take(key)?;
        match entry.value {
            DeValue::Table(table) => Some(reader.open(place, entry.line, table)),
            DeValue::Array(_) => {
                reader.error(
                    entry.line,
                    format!("{place} can be there once only"),
                    Some(format!("Write {place}.")),
                );
                None
            }
            other => mismatch(reader, key, entry.line, &format!("a section {place}"), &other),
        }
    }

    /// `[[key]]` inside this table, once for each.
    pub fn tables(&mut self, reader: &mut Reader<'_>, key: &'static str, place: &str) -> Vec<Table<'a>> {
        let Some(entry) = self.take(key) else { return Vec::new() };
        let wants = format!("a section {place}");
        let array = match entry.value {
            DeValue::Array(array) => array,
            DeValue::Table(_) => {
                reader.error(
                    entry.line,
                    format!("{key} is a list"),
                    Some(format!("Write {place}, in two brackets.")),
                );
                return Vec::new();
            }
            other => {
                mismatch::<()>(reader, key, entry.line, &wants, &other);
                return Vec::new();
            }
        };
        if array.is_empty() {
            self.absent.insert(key);
        }
        let mut tables = Vec::new();
        for element in array {
            let line = reader.line(element.span().start);
            match element.into_inner() {
                DeValue::Table(table) => tables.push(reader.open(place, line, table)),
                other => {
                    mismatch::<()>(reader, key, line, &wants, &other);
                }
            }
        }
        tables
    }
}

fn mismatch<T>(
    reader: &mut Reader<'_>,
    key: &str,
    line: usize,
    wants: &str,
    found: &DeValue<'_>,
) -> Option<T> {
    let found = match found {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    reader.error(line, format!("{key} must be {wants}, not {found}"), None);
    None
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
