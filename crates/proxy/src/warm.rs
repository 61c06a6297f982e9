//! Connections to the database server that are kept ready, so that a login waits neither for the
//! server's new process nor for its authentication.
//!
//! A *spare* was opened with exactly the start-up packet that a login needs, and has carried no
//! byte of any client: it is a new connection, only opened earlier, and there is nothing to reset.
//! It is handed over once, and ends with its session. Which packets have spares follows from how
//! often they were asked for lately; who makes up packets takes the spares from others, and gains
//! nothing but that.
//!
//! What the server decides at a login (passwords, `pg_hba.conf`, ALTER ROLE … SET) was decided for
//! a spare when it was opened. So none is kept for longer than `age`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pgwarrant_wire::frontend::build;
use pgwarrant_wire::stream::Parked;
use pgwarrant_wire::upstream::Address;
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::database::Database;
use crate::settings::{Secret, Warm as Settings};
use crate::upstream_login::{self, Introduction, Packet, TOO_MANY};

/// Packets of which it is known how often they were asked for.
const PACKETS: usize = 64;
/// One that was asked for less often has no spare: it would hardly be used before it is too old.
const LEAST: u32 = 2;
/// After so many times a spare's age what was asked for before counts half.
const MEMORY: u32 = 10;
/// How often spares are looked at, for those that the server has closed.
const LOOK: Duration = Duration::from_secs(5);
/// How long no spares are opened after they had to give way.
const PAUSE: Duration = Duration::from_secs(60);
/// How long the server's processes of spares that have made room may take to end.
const LEAVING: Duration = Duration::from_secs(1);
/// How long saying goodbye to spares may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// The spares of one database.
#[derive(Debug)]
pub struct Warm {
    settings: Settings,
    pool: Mutex<Pool>,
    /// A spare was taken, or should be there.
    changed: Notify,
}

#[derive(Debug)]
struct Pool {
    /// The one that was opened first comes first.
    spares: Vec<Spare>,
    /// The one that was asked for last comes last.
    packets: Vec<Asked>,
    halved: Instant,
    /// No spares are opened before this.
    paused: Option<Instant>,
    /// When spares were last closed so that others can connect.
    gave_way: Option<Instant>,
    /// The proxy is about to end.
    closed: bool,
}

/// How often a packet was asked for, lately.
#[derive(Debug)]
struct Asked {
    packet: Arc<Packet>,
    times: u32,
}

#[derive(Debug)]
pub struct Spare {
    packet: Arc<Packet>,
    opened: Instant,
    parked: Parked,
    introduction: Introduction,
}

/// What is to be done about the spares.
struct Due {
    leaving: Vec<Spare>,
    wanted: Vec<Arc<Packet>>,
    /// When to look again; None: once something has changed.
    next: Option<Instant>,
}

impl Warm {
    pub fn new(settings: Settings) -> Self {
        let pool = Pool {
            spares: Vec::new(),
            packets: Vec::new(),
            halved: Instant::now(),
            paused: None,
            gave_way: None,
            closed: settings.spares == 0,
        };
        Self { settings, pool: Mutex::new(pool), changed: Notify::new() }
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A spare for this packet: open, quiet and not too old when it was looked at.
    pub fn take(&self, packet: &Packet) -> Option<(Parked, Introduction)> {
        loop {
            let (now, age) = (Instant::now(), self.settings.age);
            let mut pool = self.pool();
            let place = pool.spares.iter().position(|spare| *spare.packet == *packet)?;
            let spare = pool.spares.remove(place);
            self.changed.notify_one();
            if spare.is_fit(now, age) {
                pool.asked(packet, now, age);
                return Some((spare.parked, spare.introduction));
            }
        }
    }

    /// Notes that there was no spare for this packet, and that the server takes it.
    pub fn missed(&self, packet: Packet) {
        let mut pool = self.pool();
        if pool.closed {
            return;
        }
        if pool.asked(&packet, Instant::now(), self.settings.age) >= LEAST {
            self.changed.notify_one();
        }
    }

    /// Takes all spares out, to be closed; none is opened for a while.
    #[must_use]
    pub fn give_way(&self) -> Vec<Spare> {
        let now = Instant::now();
        let mut pool = self.pool();
        pool.paused = Some(now + PAUSE);
        if !pool.spares.is_empty() {
            pool.gave_way = Some(now);
        }
        std::mem::take(&mut pool.spares)
    }

    /// Closes all spares for good.
    pub async fn close(&self) {
        let spares = {
            let mut pool = self.pool();
            pool.closed = true;
            std::mem::take(&mut pool.spares)
        };
        dismiss(spares).await;
    }

    /// Puts a spare in; back it comes if there is no place for it any more.
    fn put(&self, spare: Spare) -> Option<Spare> {
        let mut pool = self.pool();
        if pool.closed || pool.paused.is_some() || pool.spares.len() >= self.settings.spares {
            return Some(spare);
        }
        pool.spares.push(spare);
        None
    }

    /// Notes that the server does not take this packet: it must be asked for anew, with success.
    fn refused(&self, packet: &Arc<Packet>) {
        self.pool().packets.retain(|asked| !Arc::ptr_eq(&asked.packet, packet));
    }

    fn due(&self, now: Instant) -> Due {
        self.pool().due(now, &self.settings)
    }
}

impl Spare {
    fn is_fit(&self, now: Instant, age: Duration) -> bool {
        now.saturating_duration_since(self.opened) < age && self.parked.is_quiet()
    }
}

impl Pool {
    /// Counts; how often it was asked for now.
    fn asked(&mut self, packet: &Packet, now: Instant, age: Duration) -> u32 {
        self.forget(now, age);
        let place = self.packets.iter().position(|asked| *asked.packet == *packet);
        let mut asked = match place {
            Some(place) => self.packets.remove(place),
            None => Asked { packet: Arc::new(packet.clone()), times: 0 },
        };
        if self.packets.len() >= PACKETS {
            let rarest = self.packets.iter().enumerate().min_by_key(|(_, asked)| asked.times);
            if let Some((place, _)) = rarest {
                self.packets.remove(place);
            }
        }
        asked.times = asked.times.saturating_add(1);
        let times = asked.times;
        self.packets.push(asked);
        times
    }

    fn forget(&mut self, now: Instant, age: Duration) {
        let passed = now.saturating_duration_since(self.halved).as_nanos();
        let halvings = passed.checked_div((age * MEMORY).as_nanos()).unwrap_or_default();
        if halvings == 0 {
            return;
        }
        self.halved = now;
        for asked in &mut self.packets {
            asked.times = asked.times.checked_shr(u32::try_from(halvings).unwrap_or(u32::MAX)).unwrap_or(0);
        }
        self.packets.retain(|asked| asked.times > 0);
    }

    fn due(&mut self, now: Instant, settings: &Settings) -> Due {
        if self.paused.is_some_and(|paused| paused <= now) {
            self.paused = None;
        }
        self.forget(now, settings.age);
        let times: Vec<u32> = self.packets.iter().map(|asked| asked.times).collect();
        let mut places = allot(&times, if self.closed { 0 } else { settings.spares });
        let mut kept = Vec::new();
        let mut leaving = Vec::new();
        // Those that will last longest stay.
        for spare in self.spares.drain(..).rev() {
            let packet = self.packets.iter().position(|asked| asked.packet == spare.packet);
            let place = packet.and_then(|packet| places.get_mut(packet)).filter(|free| **free > 0);
            match place {
                Some(free) if spare.is_fit(now, settings.age) => {
                    *free -= 1;
                    kept.push(spare);
                }
                _ => leaving.push(spare),
            }
        }
        kept.reverse();
        self.spares = kept;
        let mut wanted = Vec::new();
        if self.paused.is_none() {
            for (asked, free) in self.packets.iter().zip(places) {
                wanted.extend(std::iter::repeat_n(asked.packet.clone(), free));
            }
        }
        let oldest = self.spares.first().map(|spare| (spare.opened + settings.age).min(now + LOOK));
        Due { leaving, wanted, next: oldest.into_iter().chain(self.paused).min() }
    }
}

/// Shares `spares` out by how often each packet was asked for, as seats are by votes (D'Hondt):
/// whoever asks ten times as often has ten times as many.
fn allot(times: &[u32], spares: usize) -> Vec<usize> {
    let mut places = vec![0; times.len()];
    for _ in 0..spares {
        let shares = times.iter().zip(&places).map(|(times, places)| *times as usize / (places + 1));
        let largest = shares.enumerate().max_by_key(|(_, share)| *share);
        let place = largest.filter(|(_, share)| *share >= LEAST as usize).map(|(place, _)| place);
        match place.and_then(|place| places.get_mut(place)) {
            Some(places) => *places += 1,
            None => break,
        }
    }
    places
}

/// Keeps the spares of a database as they should be, for ever.
pub async fn keep(database: Arc<Database>, key: Secret) {
    let warm = &database.warm;
    loop {
        let due = warm.due(Instant::now());
        dismiss(due.leaving).await;
        if due.wanted.is_empty() {
            match due.next {
                None => warm.changed.notified().await,
                Some(next) => {
                    let _ = tokio::time::timeout_at(next.into(), warm.changed.notified()).await;
                }
            }
            continue;
        }
        let mut opening: JoinSet<_> =
            due.wanted.into_iter().map(|packet| open(database.clone(), packet, key.clone())).collect();
        while let Some(opened) = opening.join_next().await {
            match opened {
                Ok(Ok(spare)) => dismiss(warm.put(spare)).await,
                Ok(Err(Refused { full: false, packet })) => warm.refused(&packet),
                // Others need the places more. (Or it has panicked, and would again.)
                Ok(Err(Refused { full: true, .. })) | Err(_) => dismiss(warm.give_way()).await,
            }
        }
    }
}

/// A spare could not be opened.
struct Refused {
    packet: Arc<Packet>,
    /// For want of room in the server.
    full: bool,
}

async fn open(database: Arc<Database>, packet: Arc<Packet>, key: Secret) -> Result<Spare, Refused> {
    let opened = Instant::now();
    let ready = match upstream_login::open(&database.settings, &packet, &key).await {
        Ok(ready) if ready.input.is_empty() => ready,
        Ok(_) => return Err(Refused { packet, full: false }),
        Err(report) => return Err(Refused { packet, full: report.sqlstate == TOO_MANY }),
    };
    match ready.stream.park() {
        Ok(parked) => Ok(Spare { packet, opened, parked, introduction: ready.introduction }),
        Err(_) => Err(Refused { packet, full: false }),
    }
}

/// Closes the spares of every database on this server, so that a login finds a place. False: there
/// was none to close, now or a moment ago.
pub async fn make_room(databases: impl Iterator<Item = &Arc<Database>>, server: &Address) -> bool {
    let mut room = false;
    for database in databases.filter(|database| database.settings.upstream.address == *server) {
        dismiss(database.warm.give_way()).await;
        let gave_way = database.warm.pool().gave_way;
        room |= gave_way.is_some_and(|at| at.elapsed() < LEAVING);
    }
    room
}

/// Says goodbye to the server, as far as it listens.
pub async fn dismiss(spares: impl IntoIterator<Item = Spare>) {
    let mut terminate = bytes::BytesMut::new();
    build::terminate(&mut terminate);
    let goodbye = async {
        for spare in spares {
            if let Ok(mut stream) = spare.parked.wake() {
                let _ = stream.write_all(&terminate).await;
                let _ = stream.shutdown().await;
            }
        }
    };
    let _ = tokio::time::timeout(GOODBYE, goodbye).await;
}

#[cfg(test)]
mod tests;
