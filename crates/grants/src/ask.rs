//! What a call of `pgwarrant.request(…)` gives: texts as typed, and what they mean.

use std::fmt;
use std::time::Duration;

use pgwarrant_sql::{Actions, OtherRows};

use crate::duration::{format_duration, parse_duration};
use crate::nearest::nearest;
use crate::text::{MAX_REASON, MAX_TICKET, bounded, optional, printable, required};
use crate::{Error, Limits, Settings, Urgency, WallMs};

pub(crate) const MAX_COLUMNS_TEXT: usize = 4_096;
pub(crate) const MAX_PATTERNS: usize = 64;
pub(crate) const MAX_ROWS_TEXT: usize = 1_024;
/// `NAMEDATALEN` - 1; PostgreSQL cuts longer names, and a cut name is nobody's intent here.
const MAX_NAME: usize = 63;
const MAX_SHORT: usize = 100;
/// Limits of a grant are below this, so that they fit PostgreSQL's int8.
const MAX_COUNT: u64 = i64::MAX as u64;

/// The arguments as typed; None where the call leaves one out or says NULL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// `customers.email, customers.phone`, `public.customers.*`, `category:contact`, `*`
    pub columns: String,
    /// A predicate over the one relation that `columns` names.
    pub rows: Option<String>,
    pub reason: Option<String>,
    pub duration: Option<String>,
    /// `select`, `select, update`
    pub actions: Option<String>,
    /// `mask` or `hide`
    pub others: Option<String>,
    pub ticket: Option<String>,
    pub max_uses: Option<String>,
    pub max_rows: Option<String>,
    /// Ask for a group that the caller is a member of, instead of for the caller.
    pub group: Option<String>,
    /// `2026-03-02 09:00`, `2026-03-02T09:00:00Z`, `in 2 h`
    pub starts_at: Option<String>,
    /// What the data is for, where `reason` says why now.
    pub purpose: Option<String>,
    /// The number of a case of its own system, as `ticket` is of the tracker.
    pub case: Option<String>,
    /// The name of the bundle that these arguments come from.
    pub profile: Option<String>,
    /// `normal`, `urgent`, `break-glass`
    pub urgency: Option<String>,
    /// The bundle's, not the caller's: the grant's window never goes past it.
    pub not_after: Option<WallMs>,
}

/// The arguments of a call that asks to prolong a grant, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AskMore {
    /// Added to the end of the grant's window.
    pub duration: Option<String>,
    pub reason: Option<String>,
    /// `normal`, `urgent`
    pub urgency: Option<String>,
}

/// What an [`Ask`] means, as far as that can be said without the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub columns: Vec<AskedColumns>,
    pub rows: Option<String>,
    pub reason: String,
    pub duration: Duration,
    pub actions: Actions,
    pub others: OtherRows,
    pub ticket: Option<String>,
    pub purpose: Option<String>,
    pub case: Option<String>,
    pub profile: Option<String>,
    pub urgency: Urgency,
    /// Later than now.
    pub starts_at: Option<WallMs>,
    /// Later than now, and than `starts_at`.
    pub not_after: Option<WallMs>,
    pub limits: Limits,
}

/// What a call that asks to prolong a grant means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MoreMeaning {
    pub duration: Duration,
    pub reason: String,
    pub urgency: Urgency,
}

pub(crate) fn understand_more(
    ask: &AskMore,
    settings: &Settings,
    longest: Duration,
) -> Result<MoreMeaning, Error> {
    let urgency = parse_urgency(ask.urgency.as_deref())?;
    if urgency == Urgency::BreakGlass {
        return Err(Error::invalid("a grant cannot be extended by break-glass")
            .hint("Ask for a new grant with urgency => 'break-glass'."));
    }
    Ok(MoreMeaning {
        duration: duration(ask.duration.as_deref(), settings, longest)?,
        reason: required("reason", ask.reason.as_deref().unwrap_or(""), MAX_REASON)?,
        urgency,
    })
}

/// `longest`: that the caller may ask for.
pub(crate) fn understand(
    ask: &Ask,
    settings: &Settings,
    longest: Duration,
    now: WallMs,
) -> Result<Meaning, Error> {
    let columns = parse_columns(&ask.columns)?;
    let rows = ask.rows.as_deref().map(str::trim).filter(|rows| !rows.is_empty());
    if let Some(rows) = rows {
        printable("rows", rows, MAX_ROWS_TEXT)?;
    }
    let others = parse_others(ask.others.as_deref())?;
    if rows.is_none() && others == OtherRows::Hide {
        return Err(Error::invalid("others => 'hide' needs rows")
            .hint("Say in rows => '…' which rows you need, or leave others out."));
    }
    let urgency = parse_urgency(ask.urgency.as_deref())?;
    let starts_at = parse_start(ask.starts_at.as_deref(), settings, now)?;
    if urgency == Urgency::BreakGlass && starts_at.is_some() {
        return Err(Error::invalid("break-glass access cannot start later")
            .hint("Leave starts_at out, or ask with urgency => 'normal'."));
    }
    if ask.not_after.is_some_and(|end| end <= starts_at.unwrap_or(now)) {
        return Err(Error::invalid("the grant would end before it starts")
            .hint("Ask for a start within the profile's hours."));
    }
    Ok(Meaning {
        columns,
        rows: rows.map(str::to_owned),
        reason: required("reason", ask.reason.as_deref().unwrap_or(""), MAX_REASON)?,
        duration: duration(ask.duration.as_deref(), settings, longest)?,
        actions: parse_actions(ask.actions.as_deref())?,
        others,
        ticket: optional("ticket", ask.ticket.as_deref(), MAX_TICKET)?,
        purpose: optional("purpose", ask.purpose.as_deref(), MAX_TICKET)?,
        case: optional("case", ask.case.as_deref(), MAX_TICKET)?,
        profile: optional("profile", ask.profile.as_deref(), MAX_SHORT)?,
        urgency,
        starts_at,
        not_after: ask.not_after,
        limits: Limits {
            uses: count("max_uses", ask.max_uses.as_deref())?,
            rows: count("max_rows", ask.max_rows.as_deref())?,
        },
    })
}

fn duration(text: Option<&str>, settings: &Settings, longest: Duration) -> Result<Duration, Error> {
    let Some(text) = text else { return Ok(settings.default_duration.min(longest)) };
    let duration = parse_duration(text)?;
    if duration <= longest {
        return Ok(duration);
    }
    let max = format_duration(longest);
    Err(Error::invalid(format!("duration '{}' is longer than allowed", text.trim()))
        .detail(format!("A grant that you ask for lasts {max} at most."))
        .hint(format!("Ask for {max} or less.")))
}

/// `normal`, `urgent` or `break-glass`; None: normal.
pub fn parse_urgency(text: Option<&str>) -> Result<Urgency, Error> {
    let Some(text) = text else { return Ok(Urgency::Normal) };
    bounded("urgency", text, MAX_SHORT)?;
    match text.trim().to_ascii_lowercase().as_str() {
        "normal" => Ok(Urgency::Normal),
        "urgent" => Ok(Urgency::Urgent),
        "break-glass" | "break_glass" | "break glass" => Ok(Urgency::BreakGlass),
        other => Err(Error::invalid(format!("urgency '{}' is not known", other.escape_debug()))
            .hint("Write 'normal', 'urgent' or 'break-glass'.")),
    }
}

/// None also for a time that is not later than now.
fn parse_start(text: Option<&str>, settings: &Settings, now: WallMs) -> Result<Option<WallMs>, Error> {
    let Some(text) = text else { return Ok(None) };
    bounded("starts_at", text, MAX_SHORT)?;
    let at = point_in_time(text.trim(), &settings.time_zone, now).ok_or_else(|| {
        Error::invalid(format!("starts_at '{}' is not understood", text.trim().escape_debug())).hint(
            "Write a time, '2026-03-02 09:00' or '2026-03-02T09:00:00Z', or how long from now: 'in 2 h'.",
        )
    })?;
    let ahead = u64::try_from(at.saturating_sub(now)).unwrap_or(0);
    if Duration::from_millis(ahead) > settings.max_ahead {
        let max = format_duration(settings.max_ahead);
        return Err(Error::invalid(format!("starts_at '{}' is too far ahead", text.trim().escape_debug()))
            .hint(format!("A grant can start {max} from now at the latest; ask again nearer the time.")));
    }
    Ok((ahead > 0).then_some(at))
}

/// With an offset from UTC, or what clocks on the wall show in `zone`.
fn point_in_time(text: &str, zone: &jiff::tz::TimeZone, now: WallMs) -> Option<WallMs> {
    if let Some(ahead) = text.strip_prefix("in ") {
        return now.checked_add(i64::try_from(parse_duration(ahead).ok()?.as_millis()).ok()?);
    }
    if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
        return Some(timestamp.as_millisecond());
    }
    let local: jiff::civil::DateTime = text.parse().ok()?;
    // Where clocks are set back and show it twice, the later one; where they skip it, after the gap.
    zone.to_ambiguous_timestamp(local).later().ok().map(|timestamp| timestamp.as_millisecond())
}

/// `select, update`; None: select.
pub fn parse_actions(text: Option<&str>) -> Result<Actions, Error> {
    const NAMES: [&str; 5] = ["select", "insert", "update", "delete", "export"];
    let Some(text) = text else { return Ok(Actions { select: true, ..Actions::default() }) };
    bounded("actions", text, MAX_SHORT)?;
    let mut actions = Actions::default();
    for word in text.split(',') {
        match word.trim().to_ascii_lowercase().as_str() {
            "select" => actions.select = true,
            "insert" => actions.insert = true,
            "update" => actions.update = true,
            "delete" => actions.delete = true,
            "export" => actions.export = true,
            other => {
                let error = Error::invalid(format!("action '{}' is not known", other.escape_debug()));
                return Err(error.hint(match nearest(other, NAMES.into_iter()) {
                    Some(meant) => format!("Perhaps you meant '{meant}'."),
                    None => "Actions are select, insert, update, delete and export.".to_owned(),
                }));
            }
        }
    }
    Ok(actions)
}

/// `mask` or `hide`; None: mask.
pub fn parse_others(text: Option<&str>) -> Result<OtherRows, Error> {
    let Some(text) = text else { return Ok(OtherRows::Mask) };
    bounded("others", text, MAX_SHORT)?;
    match text.trim().to_ascii_lowercase().as_str() {
        "mask" => Ok(OtherRows::Mask),
        "hide" => Ok(OtherRows::Hide),
        other => Err(Error::invalid(format!("others '{}' is not known", other.escape_debug()))
            .hint("Write 'mask' or 'hide': what becomes of the rows that the grant does not cover.")),
    }
}

fn count(name: &str, text: Option<&str>) -> Result<Option<u64>, Error> {
    let Some(text) = text else { return Ok(None) };
    bounded(name, text, MAX_SHORT)?;
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<u64>() {
        Ok(count) if digits && (1..=MAX_COUNT).contains(&count) => Ok(Some(count)),
        _ => Err(Error::invalid(format!("{name} '{}' is out of range", text.escape_debug()))
            .hint(format!("Write a whole number from 1, or leave {name} out for no limit."))),
    }
}

/// One entry of a columns list, not yet looked up in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AskedColumns {
    Column {
        schema: Option<String>,
        relation: String,
        column: String,
    },
    /// `relation.*`: its protected columns.
    Relation {
        schema: Option<String>,
        relation: String,
    },
    /// `category:name`: every column that a label puts in it.
    Category(String),
    /// `*`: every protected column of the database.
    All,
}

impl fmt::Display for AskedColumns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = |schema: &Option<String>| schema.as_ref().map(|s| quote(s) + ".").unwrap_or_default();
        match self {
            AskedColumns::Column { schema, relation, column } => {
                write!(f, "{}{}.{}", prefix(schema), quote(relation), quote(column))
            }
            AskedColumns::Relation { schema, relation } => {
                write!(f, "{}{}.*", prefix(schema), quote(relation))
            }
            AskedColumns::Category(name) => write!(f, "category:{}", quote_category(name)),
            AskedColumns::All => f.write_str("*"),
        }
    }
}

/// The name as [`parse_columns`] and PostgreSQL read it back; quoted unless it is plainly a name.
pub(crate) fn quote(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

fn quote_category(name: &str) -> String {
    let plain = !name.is_empty() && name.chars().all(category_char);
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

fn category_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/')
}

/// A comma separated list. Names follow PostgreSQL's rules: folded to lower case unless in double
/// quotes. An entry that is there twice counts once.
pub fn parse_columns(text: &str) -> Result<Vec<AskedColumns>, Error> {
    bounded("columns", text, MAX_COLUMNS_TEXT)?;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(Error::invalid("columns are required").hint(HOW_COLUMNS));
    }
    let mut entries: Vec<AskedColumns> = Vec::new();
    loop {
        let (entry, after) = entry(rest).ok_or_else(|| not_understood(rest))?;
        if !entries.contains(&entry) {
            entries.push(entry);
        }
        let after = after.trim_start();
        if after.is_empty() {
            break;
        }
        rest = after.strip_prefix(',').ok_or_else(|| not_understood(rest))?.trim_start();
    }
    if entries.len() > MAX_PATTERNS {
        return Err(Error::invalid(format!("{} columns are too many for one request", entries.len()))
            .hint(format!("Name {MAX_PATTERNS} at most, or whole relations: 'customers.*'.")));
    }
    Ok(entries)
}

const HOW_COLUMNS: &str = "Write 'relation.column', 'schema.relation.column', 'relation.*', 'category:name' or \
                           '*', separated by commas.";

fn not_understood(entry: &str) -> Error {
    let shown: String = entry.split(',').next().unwrap_or(entry).trim().chars().take(MAX_NAME).collect();
    let error = Error::invalid(format!("columns entry '{}' is not understood", shown.escape_debug()));
    match name(&shown) {
        Some((relation, "")) => error.hint(format!(
            "Write 'relation.column': '{0}.*' for all columns of a relation {0}.",
            quote(&relation)
        )),
        _ => error.hint(HOW_COLUMNS),
    }
}

/// The first entry of the list, and what follows it.
fn entry(text: &str) -> Option<(AskedColumns, &str)> {
    if let Some(rest) = text.strip_prefix('*') {
        return Some((AskedColumns::All, rest));
    }
    let (first, rest) = name(text)?;
    let bare = !text.starts_with('"');
    if let Some(rest) = rest.trim_start().strip_prefix(':') {
        return (bare && first == "category").then(|| category(rest.trim_start())).flatten();
    }
    let (second, rest) = match after_dot(rest)? {
        (None, rest) => return Some((AskedColumns::Relation { schema: None, relation: first }, rest)),
        (Some(second), rest) => (second, rest),
    };
    if !rest.trim_start().starts_with('.') {
        return Some((AskedColumns::Column { schema: None, relation: first, column: second }, rest));
    }
    let schema = Some(first);
    match after_dot(rest)? {
        (None, rest) => Some((AskedColumns::Relation { schema, relation: second }, rest)),
        (Some(column), rest) => Some((AskedColumns::Column { schema, relation: second, column }, rest)),
    }
}

/// `.name` or `.*` (None).
fn after_dot(text: &str) -> Option<(Option<String>, &str)> {
    let rest = text.trim_start().strip_prefix('.')?.trim_start();
    match rest.strip_prefix('*') {
        Some(rest) => Some((None, rest)),
        None => name(rest).map(|(name, rest)| (Some(name), rest)),
    }
}

fn category(text: &str) -> Option<(AskedColumns, &str)> {
    let (name, rest) = if text.starts_with('"') {
        quoted(text)?
    } else {
        let end = text.find(|c: char| !category_char(c)).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        (name.to_owned(), rest)
    };
    (!name.is_empty() && name.len() <= MAX_NAME * 2).then_some((AskedColumns::Category(name), rest))
}

/// An identifier as in PostgreSQL's 4.1.1, unquoted or in double quotes.
fn name(text: &str) -> Option<(String, &str)> {
    let (name, rest) = if text.starts_with('"') {
        quoted(text)?
    } else {
        let start = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
        if !text.starts_with(start) {
            return None;
        }
        let part = |c: char| start(c) || c.is_ascii_digit() || c == '$';
        let end = text.find(|c| !part(c)).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        (name.to_ascii_lowercase(), rest)
    };
    (!name.is_empty() && name.len() <= MAX_NAME && !name.contains('\0')).then_some((name, rest))
}

/// `"a ""quoted"" name"`
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('"')?;
    let mut value = String::new();
    loop {
        let (part, after) = rest.split_once('"')?;
        value.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                value.push('"');
                rest = more;
            }
            None => return Some((value, after)),
        }
    }
}
