//! How long raw rows still arrive after their grant was revoked.
//!
//! Clients read long raw results as fast as they come; somewhere in them an approver revokes the
//! grant. Two clocks run to the arrival of the last raw byte: from the moment the approver's client
//! writes the statement that revokes, and from the moment it reads that it is done.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::dial::{Client, told};
use crate::figure::{Outcome, quantile};
use crate::grants::Office;
use crate::report::{Bound, Line, PGWARRANT, Report};
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
/// Trials, however long they take.
const LEAST: u32 = 10;
/// After this time there are no more of them.
const ENOUGH: Duration = Duration::from_secs(60);
/// Their statements in the audit trail.
const APPLICATION: &str = "bench revocation";

pub fn run(world: &mut World, report: &mut Report) -> Outcome<()> {
    let most = if world.effort.quick { 20 } else { 150 };
    let asker = world.pgwarrant()?.with_user(ASKER, &password(ASKER));
    let approver = world.pgwarrant()?.with_user(APPROVER, &password(APPROVER));
    let mut office = Office::open(&asker, &approver)?;
    let reader = asker.with_application(APPLICATION);
    for results in RESULTS {
        let connect = || Client::connect(&reader);
        let mut clients = (0..results).map(|_| connect()).collect::<Outcome<Vec<Client>>>()?;
        let mut after_sent = Vec::new();
        let mut after_answered = Vec::new();
        let started = Instant::now();
        let mut count = 0;
        while count < most && (count < LEAST || started.elapsed() < ENOUGH) {
            let trial = trial(&mut clients, &mut office, count)?;
            after_sent.push(trial.after_sent);
            after_answered.push(trial.after_answered);
            count += 1;
        }
        world.sent.add(APPLICATION, "people", u64::from(2 * count) * results as u64);
        let name = format!("revoke → last raw byte of {results}, p99");
        report.line(Line::new(&name, "ms").bound(Bound::at_most(PGWARRANT, 20.0).aim(5.0)).note(format!(
            "{count} times, from the sending of the revocation; p50 {:.2}; p99 from its answer {:.2}",
            quantile(&after_sent, 0.5),
            quantile(&after_answered, 0.99),
        )));
        report.sample(&name, PGWARRANT, quantile(&after_sent, 0.99));
    }
    Ok(())
}

/// How long raw bytes went on, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Trial {
    /// After the statement that revokes was sent.
    after_sent: f64,
    /// After it was answered; 0 where the last raw byte was there before.
    after_answered: f64,
}

/// Every client runs a result of its own; the last byte of all of them counts.
fn trial(clients: &mut [Client], office: &mut Office, number: u32) -> Outcome<Trial> {
    let grant = office.grant("people.email")?;
    let (under_way, started) = mpsc::channel();
    let count = clients.len();
    let (sent, answered, last) = thread::scope(|scope| {
        let readers: Vec<_> = clients
            .iter_mut()
            .map(|client| {
                let under_way = under_way.clone();
                scope.spawn(move || last_row(client, under_way))
            })
            .collect();
        drop(under_way);
        for _ in 0..count {
            started.recv().map_err(|_| "a result did not get under way")?;
        }
        // Not always at the same distance from whatever ticks.
        thread::sleep(Duration::from_micros(u64::from(number) * 617 % 10_000));
        let sent = Instant::now();
        office.revoke(&grant)?;
        let answered = Instant::now();
        let mut last = None;
        for reader in readers {
            last = last.max(Some(reader.join().map_err(|_| "a reader panicked")??));
        }
        Outcome::Ok((sent, answered, last.unwrap_or(sent)))
    })?;
    for client in clients {
        if client.value("SELECT email FROM people WHERE id = 42")?.contains('@') {
            return Err("a raw value after the grant was revoked".into());
        }
    }
    let after = |start: Instant| last.saturating_duration_since(start).as_secs_f64() * 1000.0;
    Ok(Trial { after_sent: after(sent), after_answered: after(answered) })
}

/// Reads until the statement is cut off; when its last row came in.
fn last_row(client: &mut Client, under_way: mpsc::Sender<()>) -> Outcome<Instant> {
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
        Some(error) if error.starts_with("42501") => Ok(last),
        Some(error) => Err(error.into()),
        None => Err(format!("the result was not cut off, all {rows} rows came").into()),
    }
}
