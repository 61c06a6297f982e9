//! The clients of the soak, busy and idle.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage, Statement};

use super::Shared;
use crate::dial::Endpoint;
use crate::figure::Outcome;
use crate::people::PEOPLE;
use crate::settings::{ASKER, BENCH, password};

const BY_KEY_OPEN: &str = "SELECT name, email FROM people_open WHERE id = $1";
const BY_KEY: &str = "SELECT name, email FROM people WHERE id = $1";
/// Long enough to be cut off on the way.
const MANY: &str = "SELECT name, email FROM people WHERE id <= 5000";

/// What a busy client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    SimpleOpen,
    PreparedOpen,
    SimpleMasked,
    PreparedMasked,
    /// As a user for whom grants come and go.
    Granted,
}

impl Kind {
    fn of(number: u32) -> Kind {
        match number % 10 {
            0..3 => Kind::SimpleOpen,
            3..5 => Kind::PreparedOpen,
            5..7 => Kind::SimpleMasked,
            7..9 => Kind::PreparedMasked,
            _ => Kind::Granted,
        }
    }

    fn user(self) -> &'static str {
        if self == Kind::Granted { ASKER } else { BENCH }
    }

    fn prepared(self) -> Option<&'static str> {
        match self {
            Kind::SimpleOpen | Kind::SimpleMasked => None,
            Kind::PreparedOpen => Some(BY_KEY_OPEN),
            Kind::PreparedMasked | Kind::Granted => Some(BY_KEY),
        }
    }
}

/// Signs in, runs one statement, and is handed back to wait.
pub async fn idle(shared: Shared, number: u32) -> Option<Client> {
    let signed_in = async {
        let client = sign_in(&shared, BENCH).await?;
        if *shared.stop.borrow() {
            return Ok(client);
        }
        client.simple_query(&with_id(BY_KEY, 1 + number % PEOPLE)).await?;
        Ok::<_, tokio_postgres::Error>(client)
    };
    match signed_in.await {
        Ok(client) => Some(client),
        Err(error) => {
            shared.tally.error(format!("an idle client signs in: {}", text(&error)));
            None
        }
    }
}

/// Sends statement after statement until it is told to stop.
pub async fn busy(shared: Shared, number: u32, pause: Duration) {
    let kind = Kind::of(number);
    if let Err(error) = work(&shared, kind, number, pause).await {
        shared.tally.error(format!("{kind:?}: {error}"));
    }
}

async fn work(shared: &Shared, kind: Kind, number: u32, pause: Duration) -> Outcome<()> {
    let client = sign_in(shared, kind.user()).await.map_err(|error| text(&error))?;
    let statement = match kind.prepared() {
        Some(sql) => Some(client.prepare(sql).await.map_err(|error| text(&error))?),
        None => None,
    };
    let mut dice = Dice(u64::from(number));
    while !*shared.stop.borrow() {
        tokio::time::sleep(pause.mul_f64(2.0 * dice.part())).await;
        let many = kind == Kind::Granted && dice.below(10) == 0;
        let id = 1 + dice.below(PEOPLE);
        let started = Instant::now();
        let rows =
            if many { simple(&client, MANY).await } else { one(&client, statement.as_ref(), kind, id).await };
        shared.tally.transaction(started.elapsed());
        match rows {
            Ok(rows) => look(shared, kind, many, &rows)?,
            Err(error) if kind == Kind::Granted && ended_with_its_grant(&error) => {
                shared.tally.cut_off.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) if client.is_closed() => return Err(text(&error).into()),
            Err(error) => shared.tally.error(format!("{kind:?}: {}", text(&error))),
        }
    }
    Ok(())
}

/// The e-mail addresses that a statement shows.
type Emails = Vec<String>;

async fn one(
    client: &Client,
    statement: Option<&Statement>,
    kind: Kind,
    id: u32,
) -> Result<Emails, tokio_postgres::Error> {
    match statement {
        Some(statement) => {
            let rows = client.query(statement, &[&i64::from(id)]).await?;
            rows.iter().map(|row| row.try_get(1)).collect()
        }
        None if kind == Kind::SimpleOpen => simple(client, &with_id(BY_KEY_OPEN, id)).await,
        None => simple(client, &with_id(BY_KEY, id)).await,
    }
}

async fn simple(client: &Client, sql: &str) -> Result<Emails, tokio_postgres::Error> {
    let messages = client.simple_query(sql).await?;
    let emails = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(1).unwrap_or_default().to_owned()),
        _ => None,
    });
    Ok(emails.collect())
}

/// Are these the rows that were asked for, shown as they may be?
fn look(shared: &Shared, kind: Kind, many: bool, emails: &Emails) -> Outcome<()> {
    let wanted = if many { 5000 } else { 1 };
    if emails.len() != wanted {
        shared.tally.error(format!("{kind:?}: {} rows instead of {wanted}", emails.len()));
    }
    let raw = emails.iter().filter(|email| email.contains('@')).count();
    let masked = emails.iter().filter(|email| email.starts_with("tok_")).count();
    let expected = match kind {
        Kind::SimpleOpen | Kind::PreparedOpen => raw == emails.len(),
        Kind::SimpleMasked | Kind::PreparedMasked => masked == emails.len(),
        // All rows of one statement are shown the same way.
        Kind::Granted => raw == emails.len() || masked == emails.len(),
    };
    if kind == Kind::Granted {
        shared.tally.raw_rows.fetch_add(raw as u64, Ordering::Relaxed);
    }
    if expected { Ok(()) } else { Err(format!("{raw} raw and {masked} masked rows").into()) }
}

/// The statement with its parameter written out.
fn with_id(sql: &str, id: u32) -> String {
    sql.replace("$1", &id.to_string())
}

/// A grant that ends takes the statements with it that use it; that is no error here.
fn ended_with_its_grant(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|error| {
        // On its way, between its Bind and its Execute, or just before.
        let ends = ["while the statement was running", "is no longer covered by a live grant", "has ended: "];
        error.code().code() == "42501" && ends.iter().any(|end| error.message().contains(end))
    })
}

/// Waits for its turn first.
async fn sign_in(shared: &Shared, user: &str) -> Result<Client, tokio_postgres::Error> {
    // It is never closed; without a turn the sign-in goes on all the same.
    let _turn = shared.sign_ins.acquire().await;
    connect(&shared.place.endpoint.with_user(user, &password(user))).await
}

/// A connection, driven in the background.
pub async fn connect(endpoint: &Endpoint) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = Config::new()
        .host("127.0.0.1")
        .port(endpoint.port)
        .user(&endpoint.user)
        .password(&endpoint.password)
        .dbname(&endpoint.database)
        .application_name(&endpoint.application)
        .connect(NoTls)
        .await?;
    // What goes wrong with it is seen by the statement that waits.
    tokio::spawn(connection);
    Ok(client)
}

/// What went wrong, in one line without what differs from time to time.
pub fn text(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => format!("{}: {}", error.code().code(), error.message()),
        None => error.to_string(),
    }
}

/// Numbers that are different for each client, and the same in each run.
pub struct Dice(pub u64);

impl Dice {
    /// From 0 to 1.
    pub fn part(&mut self) -> f64 {
        f64::from(self.next()) / f64::from(u32::MAX)
    }

    /// From 0 to `limit`, which it does not reach.
    pub fn below(&mut self, limit: u32) -> u32 {
        self.next() % limit.max(1)
    }

    /// SplitMix64.
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed >> 32) as u32
    }
}
