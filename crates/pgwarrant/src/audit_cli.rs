//! `pgwarrant audit`: reading and verifying the audit trail.
//!
//! A running proxy is asked over the socket in its store; where none runs, the store is opened.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use pgwarrant_audit::control::{self, Client, Reply, Request};
use pgwarrant_audit::record::{self, rfc3339};
use pgwarrant_audit::{Decision, Filter, Hash, Kind, Phase, Record, Report};
use pgwarrant_client::text::printable;

mod reading;

use reading::from_proxy;
pub(crate) use reading::{Failure, replies};

/// How often `tail -f` looks whether a proxy has come back.
const RECONNECT: Duration = Duration::from_millis(300);
/// The longest statement shown without `--json`, in characters.
const SHOWN_TEXT: usize = 160;
/// Open intents shown without `--json`.
const SHOWN_INTENTS: usize = 20;

/// What to do with the audit trail.
#[derive(Clone, Debug, Subcommand)]
pub enum AuditCommand {
    /// Show the newest records, and with -f each one that follows
    ///
    /// With -f, it waits for a proxy that is not running, and goes on where it was when one is
    /// restarted. Exit status: 0, 1 if part of the trail is damaged, 2 could not run.
    Tail {
        /// Go on showing records as they come
        #[arg(short, long)]
        follow: bool,
        /// How many to start with
        #[arg(short = 'n', long = "lines", value_name = "N", default_value_t = 10)]
        lines: usize,
        #[command(flatten)]
        filter: FilterFlags,
        /// Print each record as one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Find records, newest first
    ///
    /// A record must match every filter that is given. Exit status: 0, 1 if part of the trail is
    /// damaged, 2 could not run.
    Query {
        #[command(flatten)]
        filter: FilterFlags,
        /// Stop after so many records
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u64,
        /// Print each record as one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Prove that no record was changed, removed, added or moved
    ///
    /// Prints the head of the chain. Keep it somewhere else, and give it with --expect-head next
    /// time: without it, removing the newest records together with the stored head cannot be
    /// noticed. Exit status: 0 intact, 1 broken, 2 could not run.
    Verify {
        /// A head printed earlier, which must still be part of the chain
        #[arg(long, value_name = "HEX")]
        expect_head: Option<Hash>,
        /// Print the report as one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// Which records.
#[derive(Clone, Debug, Default, Args)]
pub struct FilterFlags {
    /// Of this user
    #[arg(long)]
    user: Option<String>,
    /// Of this database, by the name clients ask for
    #[arg(long)]
    database: Option<String>,
    #[arg(long, value_parser = PossibleValuesParser::new(Kind::NAMES).try_map(|name| name.parse::<Kind>()))]
    kind: Option<Kind>,
    #[arg(long, value_parser = PossibleValuesParser::new(Decision::NAMES).try_map(|name| name.parse::<Decision>()))]
    decision: Option<Decision>,
    /// A statement that may pass raw data has an intent, written before it is sent, and an outcome
    #[arg(long, value_parser = PossibleValuesParser::new(Phase::NAMES).try_map(|name| name.parse::<Phase>()))]
    phase: Option<Phase>,
    /// That touched this relation: customers, or public.customers
    #[arg(long)]
    relation: Option<String>,
    /// That touched this protected column, masked or raw: email, customers.email, …
    #[arg(long)]
    column: Option<String>,
    /// That passed this protected column raw
    #[arg(long, value_name = "COLUMN")]
    raw: Option<String>,
    /// That used the grant of this number
    #[arg(long, value_name = "NUMBER")]
    grant: Option<u64>,
    /// Of the session of this number
    #[arg(long, value_name = "NUMBER")]
    session: Option<u64>,
    /// From then on: 2026-03-01, "2026-03-01 14:00", an RFC 3339 time, or how long ago: 2h, 7d (UTC)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<i64>,
    /// Before then
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<i64>,
    /// With this in the statement, error, purpose, ticket or note
    #[arg(long)]
    text: Option<String>,
}

impl FilterFlags {
    fn filter(&self) -> Filter {
        let flags = self.clone();
        Filter {
            kind: flags.kind,
            phase: flags.phase,
            decision: flags.decision,
            user: flags.user,
            database: flags.database,
            relation: flags.relation,
            column: flags.column,
            raw: flags.raw,
            grant: flags.grant,
            session: flags.session,
            since: flags.since,
            until: flags.until,
            text: flags.text,
            after: None,
            before: None,
        }
    }
}

/// A time as one types it, in µs since 1970.
pub(crate) fn moment(text: &str) -> Result<i64, String> {
    let text = text.trim();
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(time.as_microsecond());
    }
    if let Ok(time) = text.parse::<jiff::civil::DateTime>() {
        let time = time.to_zoned(jiff::tz::TimeZone::UTC).map_err(|error| error.to_string())?;
        return Ok(time.timestamp().as_microsecond());
    }
    let ago = text
        .parse::<jiff::Span>()
        .and_then(|span| span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()))
        .map_err(|_| {
            "neither a time such as 2026-03-01T14:00:00Z nor a duration such as 2h or 7d".to_owned()
        })?;
    let ago = i64::try_from(ago.abs().as_micros()).map_err(|_| "that is too long ago".to_owned())?;
    Ok(record::now().saturating_sub(ago))
}

/// Runs the command on the store in a directory, prints to standard output, and gives the exit
/// status of the program.
pub fn run(store: &Path, command: &AuditCommand) -> ExitCode {
    let stdout = io::stdout();
    let colour = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut out = BufWriter::new(stdout.lock());
    ExitCode::from(execute(store, command, &mut out, &mut io::stderr(), colour))
}

/// The same with the output given: results go to `out`, what went wrong to `problems`.
pub fn execute(
    store: &Path,
    command: &AuditCommand,
    out: &mut dyn Write,
    problems: &mut dyn Write,
    colour: bool,
) -> u8 {
    let mut printer = Printer { out, problems, json: false, colour, header: false, damaged: false };
    let result = match command {
        AuditCommand::Tail { follow, lines, filter, json } => {
            printer.json = *json;
            tail(store, filter.filter(), *lines, *follow, &mut printer)
        }
        AuditCommand::Query { filter, limit, json } => {
            printer.json = *json;
            query(store, filter.filter(), *limit, &mut printer)
        }
        AuditCommand::Verify { expect_head, json } => {
            printer.json = *json;
            verify(store, *expect_head, &mut printer)
        }
    };
    let result = result.and_then(|status| printer.out.flush().map(|()| status).map_err(Failure::Output));
    match result {
        Ok(status) => status,
        // `pgwarrant audit query | head`
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(Failure::Output(error)) => {
            let _ = writeln!(printer.problems, "error: could not write the output: {error}");
            2
        }
        Err(Failure::Trail(error)) => {
            let _ = writeln!(printer.problems, "error: {error}\nHINT: {}", error.hint());
            2
        }
    }
}

const INTACT: u8 = 0;
const BROKEN: u8 = 1;

fn query(store: &Path, filter: Filter, limit: u64, printer: &mut Printer<'_>) -> Result<u8, Failure> {
    ask(store, &Request::Query { filter, limit }, printer, |_| {})?;
    Ok(printer.status())
}

fn verify(store: &Path, expect_head: Option<Hash>, printer: &mut Printer<'_>) -> Result<u8, Failure> {
    ask(store, &Request::Verify { expect_head }, printer, |_| {})?;
    Ok(printer.status())
}

fn tail(
    store: &Path,
    mut filter: Filter,
    lines: usize,
    follow: bool,
    printer: &mut Printer<'_>,
) -> Result<u8, Failure> {
    let mut last = None;
    ask(store, &Request::Tail { filter: filter.clone(), last: lines, follow }, printer, |seq| {
        last = Some(seq)
    })?;
    if !follow {
        return Ok(printer.status());
    }
    loop {
        // Opening the store would keep a proxy from starting.
        std::thread::sleep(RECONNECT);
        filter.after = last;
        let lines = if last.is_none() { control::TAIL_RECORDS } else { lines };
        let request = Request::Tail { filter: filter.clone(), last: lines, follow };
        if let Some(client) = Client::ask(store, &request)? {
            take(client, &request, printer, &mut |seq| last = Some(seq))?;
        }
    }
}

/// Prints the answer; tells the sequence numbers.
fn ask(
    directory: &Path,
    request: &Request,
    printer: &mut Printer<'_>,
    mut seen: impl FnMut(u64),
) -> Result<(), Failure> {
    let follow = matches!(request, Request::Tail { follow: true, .. });
    replies(directory, request, &mut |reply| {
        printer.print(&reply, &mut seen)?;
        if follow { printer.out.flush() } else { Ok(()) }
    })
}

/// Prints what the proxy answers.
fn take(
    client: Client,
    request: &Request,
    printer: &mut Printer<'_>,
    seen: &mut dyn FnMut(u64),
) -> Result<(), Failure> {
    let follow = matches!(request, Request::Tail { follow: true, .. });
    from_proxy(client, follow, &mut |reply| {
        printer.print(&reply, seen)?;
        if follow { printer.out.flush() } else { Ok(()) }
    })
}

/// Where and how replies are printed.
struct Printer<'a> {
    out: &'a mut dyn Write,
    problems: &'a mut dyn Write,
    json: bool,
    colour: bool,
    /// The table's header has been printed.
    header: bool,
    /// Something that was printed says that the trail is broken.
    damaged: bool,
}

impl Printer<'_> {
    fn status(&self) -> u8 {
        if self.damaged { BROKEN } else { INTACT }
    }

    fn print(&mut self, reply: &Reply, seen: &mut dyn FnMut(u64)) -> io::Result<()> {
        match reply {
            Reply::Record(record) => {
                seen(record.seq);
                match self.json {
                    true => json_line(self.out, record),
                    false => self.record(record),
                }
            }
            Reply::Report(report) => {
                self.damaged |= !report.is_intact();
                match self.json {
                    true => json_line(
                        self.out,
                        &serde_json::json!({ "intact": report.is_intact(), "report": report }),
                    ),
                    false => self.report(report),
                }
            }
            Reply::Damage(damage) => {
                self.damaged = true;
                self.out.flush()?;
                writeln!(self.problems, "warning: {damage}\nHINT: Run \"pgwarrant audit verify\".")
            }
            Reply::Error(_) | Reply::End => Ok(()),
        }
    }

    fn record(&mut self, record: &Record) -> io::Result<()> {
        if !self.header {
            self.header = true;
            let header =
                format!("{:>8}  {:24}  {:12}  {:22}  {:>9}  WHAT", "SEQ", "TIME", "USER", "EVENT", "ROWS");
            writeln!(self.out, "{}", self.paint("1", &header))?;
        }
        let mut event = match record.kind {
            Kind::Statement => record.decision.to_string(),
            kind => format!("{kind} {}", record.decision),
        };
        if record.phase == Phase::Intent {
            event.push_str(" (intent)");
        }
        let event = self.paint(colour_of(record), &format!("{event:22}"));
        let rows = if record.rows > 0 { record.rows.to_string() } else { String::new() };
        let what = match (&*record.text, &record.note) {
            ("", Some(note)) => note,
            ("", None) => &*record.address,
            (text, _) => text,
        };
        let (seq, time, user) = (record.seq, milliseconds(record.at), printable(&record.user));
        let what = printable(what);
        writeln!(self.out, "{seq:>8}  {time}  {user:12}  {event}  {rows:>9}  {}", shortened(&what))?;
        let details = details(record);
        if details.is_empty() {
            return Ok(());
        }
        writeln!(self.out, "{:8}  {}", "", self.paint("2", &printable(&details)))
    }

    fn report(&mut self, report: &Report) -> io::Result<()> {
        let verdict = match report.is_intact() {
            true => self.paint("32", "the audit trail is intact"),
            false => self.paint("1;31", "the audit trail is broken"),
        };
        writeln!(self.out, "{verdict}")?;
        writeln!(self.out, "  blocks   {}", report.blocks)?;
        writeln!(self.out, "  records  {}", report.records)?;
        if let (Some(first), Some(last)) = (report.first_time, report.last_time) {
            writeln!(self.out, "  from     {}\n  to       {}", milliseconds(first), milliseconds(last))?;
        }
        if let Some(head) = &report.head {
            writeln!(self.out, "  head     {} (block {}, record {})", head.hash, head.block, head.seq)?;
        }
        for (index, problem) in report.problems.iter().enumerate() {
            let name = if index == 0 { "first broken" } else { "also broken" };
            writeln!(self.out, "  {name}: {}", printable(&problem.to_string()))?;
        }
        let unlisted = report.problems_total.saturating_sub(report.problems.len() as u64);
        if unlisted > 0 {
            writeln!(self.out, "  and {unlisted} more")?;
        }
        if report.open_intents_total > 0 {
            writeln!(
                self.out,
                "  {} without an outcome: under way, or cut short by a crash; raw data may have passed",
                counted(report.open_intents_total, "intent")
            )?;
        }
        for intent in report.open_intents.iter().take(SHOWN_INTENTS) {
            let (time, raw) = (milliseconds(intent.at), intent.raw.join(", "));
            let line = format!("    {:>8}  {time}  {}  {raw}", intent.seq, intent.user);
            writeln!(self.out, "{}", printable(&line))?;
        }
        let unlisted = report.open_intents_total.saturating_sub(SHOWN_INTENTS as u64);
        if unlisted > 0 {
            writeln!(self.out, "    and {unlisted} more, see --json")?;
        }
        Ok(())
    }

    fn paint(&self, code: &str, text: &str) -> String {
        match self.colour && !code.is_empty() {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

fn json_line(out: &mut dyn Write, value: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

fn colour_of(record: &Record) -> &'static str {
    match (record.phase, record.decision) {
        (Phase::Intent, _) => "2",
        (_, Decision::Raw) => "33",
        (_, Decision::Masked | Decision::Approved) => "32",
        (_, Decision::Refused | Decision::Failed | Decision::Denied) => "31",
        (_, Decision::CutOff | Decision::Incident) => "1;31",
        (_, Decision::AsWritten | Decision::Allowed) => "",
    }
}

/// The second line of a record: what it has beside the statement.
fn details(record: &Record) -> String {
    let mut details = String::new();
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() {
            let separator = if details.is_empty() { "" } else { "; " };
            // Writing to a String does not fail.
            let _ = write!(details, "{separator}{name} {value}");
        }
    };
    add("raw", &record.raw.join(", "));
    add("masked", &record.masked.join(", "));
    let grants: Vec<String> = record.grants.iter().map(u64::to_string).collect();
    add("grant", &grants.join(", "));
    add("purpose", record.purpose.as_deref().unwrap_or_default());
    add("ticket", record.ticket.as_deref().unwrap_or_default());
    if let Some(error) = &record.error {
        add("error", &format!("{}: {}", error.sqlstate, error.message));
    }
    if !record.text.is_empty() {
        add("note", record.note.as_deref().unwrap_or_default());
    }
    details
}

fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// RFC 3339 in UTC, to the millisecond.
fn milliseconds(micros: i64) -> String {
    match jiff::Timestamp::from_microsecond(micros) {
        Ok(time) => format!("{time:.3}"),
        Err(_) => rfc3339(micros),
    }
}

fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN_TEXT) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or(text))),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests;
