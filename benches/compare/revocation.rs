//! How long raw rows still arrive after their grant was revoked.
//!
//! Clients read long raw results as fast as they come; somewhere in them an approver revokes the
//! grant. Two clocks run to the arrival of the last raw byte: from the moment the approver's client
//! writes the statement that revokes, and from the moment it reads that it is done.
//!
//! What a client's machine has received cannot be taken back, and here readers, servers and proxy
//! share a core. So the same is done without a proxy, with PostgreSQL's own pg_cancel_backend: that
//! is as soon as rows can stop on this machine.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use pgwarrant_throwaway::SUPERUSER;

use crate::dial::{Client, Endpoint, told};
use crate::figure::{Outcome, quantile};
use crate::grants::Office;
use crate::report::{Bound, DIRECT, Line, PGWARRANT, Report};
use crate::settings::{APPROVER, ASKER, password};
use crate::world::World;

/// More rows than any client reads before it is cut off.
const LONG: &str = "SELECT p.id, p.email, n FROM people p, generate_series(1, 10000) AS n";

/// The result is well under way when so many rows have come.
const UNDER_WAY: u64 = 20_000;

/// Longer than any cut-off takes; rows that still come then are covered by another grant too.
const PATIENCE: Duration = Duration::from_secs(10);

/// Results that run at once under one grant.
const RESULTS: [usize; 2] = [1, 8];
/// Trials of a full run, however long they take.
const LEAST: u32 = 10;
/// After this time there are no more of them.
const ENOUGH: Duration = Duration::from_secs(40);
/// Their statements in the audit trail.
const APPLICATION: &str = "bench revocation";

pub fn run(world: &mut World, report: &mut Report) -> Outcome<()> {
    let (least, most) = if world.effort.quick { (6, 6) } else { (LEAST, 150) };
    let asker = world.pgwarrant()?.with_user(ASKER, &password(ASKER));
    let approver = world.pgwarrant()?.with_user(APPROVER, &password(APPROVER));
    let mut office = Office::open(&asker, &approver)?;
    let reader = asker.with_application(APPLICATION);
    let direct = world.endpoint(world.contender(DIRECT)?);
    let mut server = Client::connect(&direct.with_user(SUPERUSER, ""))?;
    let direct = direct.with_application(APPLICATION);
    for results in RESULTS {
        let (mut granted, mut plain) = (Readers::open(&reader, results)?, Readers::open(&direct, results)?);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let started = Instant::now();
        let mut count = 0;
        while count < most && (count < least || started.elapsed() < ENOUGH) {
            let grant = office.grant("people.email")?;
            ours.push(granted.trial(count, "42501", || office.revoke(&grant))?);
            granted.see_masks()?;
            theirs.push(plain.trial(count, "57014", || server.run(CANCEL).map(|_| ()))?);
            count += 1;
        }
        world.sent.add(APPLICATION, "people", u64::from(2 * count) * results as u64);
        let quantile = |trials: &[Trial], of: fn(&Trial) -> f64, part| {
            quantile(&trials.iter().map(of).collect::<Vec<f64>>(), part)
        };
        let name = format!("revoke → last raw byte of {results}, p99");
        let line = Line::new(&name, "ms").note(format!(
            "{count} times, from the sending of the revocation; p50 {:.2}; p99 from its answer {:.2}; direct: pg_cancel_backend, p50 {:.2}",
            quantile(&ours, |trial| trial.after_sent, 0.5),
            quantile(&ours, |trial| trial.after_answered, 0.99),
            quantile(&theirs, |trial| trial.after_sent, 0.5),
        ));
        report.line(match results {
            1 => line.bound(Bound::at_most(PGWARRANT, 20.0).aim(5.0)),
            _ => line.bound(Bound::ratio(PGWARRANT, DIRECT)),
        });
        report.sample(&name, PGWARRANT, quantile(&ours, |trial| trial.after_sent, 0.99));
        report.sample(&name, DIRECT, quantile(&theirs, |trial| trial.after_sent, 0.99));
    }
    Ok(())
}

/// Ends what all clients run that read without a proxy.
const CANCEL: &str = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity \
                      WHERE application_name = 'bench revocation' AND usename = 'bench' AND state = 'active'";

/// How long raw bytes went on, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// After the statement that revokes was sent.
    pub after_sent: f64,
    /// After it was answered; 0 where the last raw byte was there before.
    after_answered: f64,
}

/// Clients that each run a result of their own.
pub struct Readers(Vec<Client>);

impl Readers {
    pub fn open(endpoint: &Endpoint, count: usize) -> Outcome<Readers> {
        (0..count).map(|_| Client::connect(endpoint)).collect::<Outcome<_>>().map(Readers)
    }

    /// Has all of them read, does what ends their results with an error of class `sqlstate`, and
    /// waits for the last byte of all of them.
    pub fn trial(
        &mut self,
        number: u32,
        sqlstate: &'static str,
        end: impl FnOnce() -> Outcome<()>,
    ) -> Outcome<Trial> {
        let (under_way, started) = mpsc::channel();
        let count = self.0.len();
        let (sent, answered, last) = thread::scope(|scope| {
            let read = |client| {
                let under_way = under_way.clone();
                scope.spawn(move || last_row(client, sqlstate, under_way))
            };
            let readers: Vec<_> = self.0.iter_mut().map(read).collect();
            drop(under_way);
            for _ in 0..count {
                started.recv().map_err(|_| "a result did not get under way")?;
            }
            // Not always at the same distance from whatever ticks.
            thread::sleep(Duration::from_micros(u64::from(number) * 617 % 10_000));
            let sent = Instant::now();
            end()?;
            let answered = Instant::now();
            let mut last = None;
            for reader in readers {
                last = last.max(Some(reader.join().map_err(|_| "a reader panicked")??));
            }
            Outcome::Ok((sent, answered, last.unwrap_or(sent)))
        })?;
        let after = |start: Instant| last.saturating_duration_since(start).as_secs_f64() * 1000.0;
        Ok(Trial { after_sent: after(sent), after_answered: after(answered) })
    }

    /// The grant is over for good.
    pub fn see_masks(&mut self) -> Outcome<()> {
        for client in &mut self.0 {
            if client.value("SELECT email FROM people WHERE id = 42")?.contains('@') {
                return Err("a raw value after the grant was revoked".into());
            }
        }
        Ok(())
    }
}

/// Reads until the statement is cut off; when its last row came in.
fn last_row(client: &mut Client, sqlstate: &str, under_way: mpsc::Sender<()>) -> Outcome<Instant> {
    client.send_query(LONG)?;
    let mut rows = 0u64;
    let started = Instant::now();
    let mut last = started;
    let mut end = None;
    loop {
        let frame = client.frame()?;
        match frame.tag {
            b'D' => {
                last = client.read_at();
                rows += 1;
                if rows == 1 && !frame.body.contains(&b'@') {
                    return Err("the rows are not raw".into());
                }
                if rows == UNDER_WAY {
                    let _ = under_way.send(());
                }
                if last.saturating_duration_since(started) > PATIENCE {
                    return Err("rows still come long after the grant was revoked".into());
                }
            }
            b'E' => end = Some(told(&frame.body)),
            b'Z' => break,
            _ => {}
        }
    }
    match end {
        Some(error) if error.starts_with(sqlstate) => Ok(last),
        Some(error) => Err(error.into()),
        None => Err(format!("the result was not cut off, all {rows} rows came").into()),
    }
}
