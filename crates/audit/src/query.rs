//! Reading the trail: which records, newest first, block by block.

use serde::{Deserialize, Serialize};

use crate::chain::{Block, Head};
use crate::error::Error;
use crate::record::{Decision, Kind, Phase, Record};
use crate::store::BlockStore;

/// Which records; one must match everything that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    pub kind: Option<Kind>,
    pub phase: Option<Phase>,
    pub decision: Option<Decision>,
    pub user: Option<String>,
    pub database: Option<String>,
    /// A relation touched, or that of a column touched: `schema.relation`, or its last part.
    pub relation: Option<String>,
    /// A protected column touched, masked or raw: `schema.relation.column`, or its last parts.
    pub column: Option<String>,
    /// A protected column that passed raw, likewise.
    pub raw: Option<String>,
    /// Number of a grant.
    pub grant: Option<u64>,
    pub session: Option<u64>,
    /// Not before, µs.
    pub since: Option<i64>,
    /// Before, µs.
    pub until: Option<i64>,
    /// In the text, the error, the purpose, the ticket or the note; case does not matter.
    pub text: Option<String>,
    /// Only records after the one of this sequence number.
    pub after: Option<u64>,
    /// Only records before the one of this sequence number.
    pub before: Option<u64>,
}

impl Filter {
    pub fn matches(&self, record: &Record) -> bool {
        fn is<T: PartialEq>(wanted: &Option<T>, found: T) -> bool {
            wanted.as_ref().is_none_or(|wanted| *wanted == found)
        }
        fn any(wanted: &Option<String>, found: impl FnMut(&str) -> bool) -> bool {
            wanted.as_deref().is_none_or(found)
        }
        is(&self.kind, record.kind)
            && is(&self.phase, record.phase)
            && is(&self.decision, record.decision)
            && is(&self.session, record.session)
            && any(&self.user, |user| *record.user == *user)
            && any(&self.database, |database| *record.database == *database)
            && self.since.is_none_or(|since| record.at >= since)
            && self.until.is_none_or(|until| record.at < until)
            && self.after.is_none_or(|after| record.seq > after)
            && self.before.is_none_or(|before| record.seq < before)
            && self.grant.is_none_or(|grant| record.grants.contains(&grant))
            && any(&self.raw, |column| record.raw.iter().any(|name| names(name, column)))
            && any(&self.column, |column| {
                record.raw.iter().chain(&record.masked).any(|name| names(name, column))
            })
            && any(&self.relation, |relation| {
                let columns = record.raw.iter().chain(&record.masked);
                let of_columns =
                    columns.filter_map(|column| column.rsplit_once('.')).map(|(relation, _)| relation);
                record
                    .relations
                    .iter()
                    .map(String::as_str)
                    .chain(of_columns)
                    .any(|name| names(name, relation))
            })
            && any(&self.text, |text| {
                let text = text.to_lowercase();
                [&record.purpose, &record.ticket, &record.note]
                    .into_iter()
                    .flatten()
                    .map(String::as_str)
                    .chain(record.error.as_ref().map(|error| error.message.as_str()))
                    .chain([&*record.text])
                    .any(|found| found.to_lowercase().contains(&text))
            })
    }
}

/// Whether `wanted` is `name` or its last dotted parts.
fn names(name: &str, wanted: &str) -> bool {
    name.strip_suffix(wanted).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// The records that match, newest first, from the head that the store has now. After a damaged or
/// missing block, which is an error, the older ones follow.
pub fn newest<'a>(store: &'a dyn BlockStore, filter: &'a Filter) -> Newest<'a> {
    match last_block(store) {
        Ok(last) => newest_from(store, filter, last),
        Err(error) => Newest { first_error: Some(error), ..newest_from(store, filter, None) },
    }
}

/// The same from block `last` down; None gives nothing.
pub fn newest_from<'a>(store: &'a dyn BlockStore, filter: &'a Filter, last: Option<u64>) -> Newest<'a> {
    Newest { store, filter, next: last, records: Vec::new(), first_error: None }
}

/// See [`newest`].
pub struct Newest<'a> {
    store: &'a dyn BlockStore,
    filter: &'a Filter,
    /// The next block to read; None: there is no more.
    next: Option<u64>,
    /// Those of one block, oldest first.
    records: Vec<Record>,
    first_error: Option<Error>,
}

impl Iterator for Newest<'_> {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.first_error.take() {
            return Some(Err(error));
        }
        loop {
            if let Some(record) = self.records.pop() {
                if self.filter.matches(&record) {
                    return Some(Ok(record));
                }
                continue;
            }
            let number = self.next?;
            self.next = number.checked_sub(1);
            match read(self.store, number, self.filter) {
                Ok(Some(records)) => self.records = records,
                // No block before this one can have a match.
                Ok(None) => self.next = None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// The records of a block; None if neither it nor an earlier one can hold a match.
fn read(store: &dyn BlockStore, number: u64, filter: &Filter) -> Result<Option<Vec<Record>>, Error> {
    let bytes = store.block(number)?.ok_or_else(|| damaged(number, "it is gone"))?;
    let block = Block::read(&bytes).map_err(|damage| damaged(number, damage))?;
    let too_early = filter.since.is_some_and(|since| block.time < since)
        || filter.after.is_some_and(|after| block.last_seq() <= after);
    if too_early {
        return Ok(None);
    }
    block.records().map(Some).map_err(|damage| damaged(number, damage))
}

/// All records of one block, oldest first.
pub(crate) fn records(store: &dyn BlockStore, number: u64) -> Result<Vec<Record>, Error> {
    Ok(read(store, number, &Filter::default())?.unwrap_or_default())
}

/// The lowest block up to `last` in which a record after `seq` can be.
pub(crate) fn first_block_after(store: &dyn BlockStore, seq: u64, last: u64) -> Result<u64, Error> {
    let mut first = last.saturating_add(1);
    while let Some(number) = first.checked_sub(1) {
        // A damaged block says nothing of its records; the reader of it will be told.
        if let Some(bytes) = store.block(number)?
            && let Ok(block) = Block::read(&bytes)
            && block.last_seq() <= seq
        {
            break;
        }
        first = number;
    }
    Ok(first)
}

/// Number of the block that the head names.
pub(crate) fn last_block(store: &dyn BlockStore) -> Result<Option<u64>, Error> {
    // Not the store's last key: a block may be on its way in.
    match store.head()? {
        None => Ok(None),
        Some(head) => match Head::from_bytes(&head) {
            Some(head) => Ok(Some(head.block)),
            None => Err(Error::WrongHead("the head is unreadable".into())),
        },
    }
}

fn damaged(block: u64, damage: impl std::fmt::Display) -> Error {
    Error::Damaged { block, damage: damage.to_string().into() }
}
