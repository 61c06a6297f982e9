//! What masks cost the database: the statement as pgwarrant sends it, against the same statement on
//! a view that somebody wrote by hand with the same masks. Both run directly in PostgreSQL, so the
//! difference is the form alone.

use std::fs;

use pgwarrant_throwaway::SUPERUSER;

use crate::dial::{Client, Endpoint};
use crate::figure::Outcome;
use crate::report::{Bound, DIRECT, Line, PGWARRANT, Report};
use crate::sent::sent_for;
use crate::world::World;

/// The view's figure in the table.
const BY_HAND: &str = "view by hand";

/// The masks as an administrator would write them.
const VIEW: &str = "
CREATE TEMPORARY VIEW people_by_hand AS
SELECT id,
       CASE WHEN name IS NULL THEN NULL
            WHEN char_length(name) >= 4 THEN left(name, 1) || '***'
            ELSE '***' END AS name,
       'tok_' || left(encode(sha256(
           convert_to('pgwarrant outer ' || current_setting('pgwarrant.key'), 'UTF8')
           || sha256(convert_to('pgwarrant inner 7:contact:' || current_setting('pgwarrant.key') || email, 'UTF8'))
       ), 'hex'), 16) AS email,
       CAST(CASE WHEN phone IS NULL THEN NULL
                 WHEN char_length(phone) >= 7 AND translate(right(phone, 2), '0123456789', '') = ''
                 THEN '***' || right(phone, 2)
                 ELSE '***' END AS varchar(32)) AS phone,
       CASE WHEN ssn IS NULL THEN NULL
            WHEN char_length(ssn) >= 8 THEN '***' || right(ssn, 4)
            ELSE '***' END AS ssn,
       date '1900-01-01' AS birth_date,
       city,
       joined_at
FROM people";

pub fn run(world: &mut World, report: &mut Report) -> Outcome<()> {
    let proxy = world.pgwarrant()?.with_application("bench view");
    let direct = world.endpoint(world.contender(DIRECT)?).with_user(SUPERUSER, "");
    let rounds = if world.effort.quick { 3 } else { 21 };
    for case in CASES {
        let line = Line::new(&format!("masked, {}", case.name), "ms");
        report.line(match case.must {
            Some(must) => line.bound(Bound::ratio_at_most(PGWARRANT, BY_HAND, must).aim(1.0)),
            None => line.bound(Bound::ratio(PGWARRANT, BY_HAND)).note(
                "PostgreSQL parses the masks with each such statement, with a prepared one once, with a view never",
            ),
        });
        let mut pair = Pair::open(&proxy, &direct, case)?;
        pair.round(0)?;
        for round in 0..rounds {
            let (masked, by_hand) = pair.round(round)?;
            report.sample(&format!("masked, {}", case.name), PGWARRANT, masked);
            report.sample(&format!("masked, {}", case.name), BY_HAND, by_hand);
        }
    }
    Ok(())
}

/// A statement, and how often it is run in a round.
#[derive(Clone, Copy, Debug)]
struct Case {
    name: &'static str,
    /// The relation is written `$`.
    sql: &'static str,
    prepared: bool,
    times: u32,
    /// The most that pgwarrant's form may cost, as a multiple of the view's.
    must: Option<f64>,
}

/// What is compared.
const CASES: [Case; 3] = [
    Case {
        name: "60,000 rows",
        sql: "SELECT count(*), sum(length(name)), sum(length(email)), sum(length(phone)), sum(length(ssn)), \
              max(birth_date) FROM $ AS p WHERE id <= 60000",
        prepared: false,
        times: 1,
        must: Some(1.02),
    },
    Case { name: "one row, prepared", sql: BY_KEY, prepared: true, times: 1000, must: Some(1.02) },
    Case { name: "one row, parsed anew", sql: BY_KEY, prepared: false, times: 500, must: None },
];

const BY_KEY: &str = "SELECT id, name, email, phone, ssn, birth_date, city FROM $ AS p WHERE id = 42";

/// Both forms of a case, each prepared in a session of its own in the database.
struct Pair {
    masked: Form,
    by_hand: Form,
}

struct Form {
    client: Client,
    backend: u32,
    sql: String,
    case: Case,
}

impl Pair {
    /// Learns what `proxy` sends for a case, makes the view, and sees that both show the same.
    ///
    /// `direct` is a superuser, signed in to PostgreSQL itself.
    fn open(proxy: &Endpoint, direct: &Endpoint, case: Case) -> Outcome<Pair> {
        let sent = sent_for(proxy, direct, &case.sql.replace('$', "people"))?;
        let mut pair = Pair {
            masked: Form::open(direct, sent, case)?,
            by_hand: Form::open(direct, case.sql.replace('$', "people_by_hand"), case)?,
        };
        let (masked, by_hand) =
            (pair.masked.client.rows(&pair.masked.sql)?, pair.by_hand.client.rows(&pair.by_hand.sql)?);
        if masked != by_hand || masked.is_empty() {
            return Err(format!("pgwarrant's masks and the view's differ: {masked:?}, {by_hand:?}").into());
        }
        Ok(pair)
    }

    /// Milliseconds of the database's processor for a statement in each form: pgwarrant's, and on
    /// the view. They take turns in going first.
    fn round(&mut self, number: u32) -> Outcome<(f64, f64)> {
        if number.is_multiple_of(2) {
            let masked = self.masked.round()?;
            Ok((masked, self.by_hand.round()?))
        } else {
            let by_hand = self.by_hand.round()?;
            Ok((self.masked.round()?, by_hand))
        }
    }
}

impl Form {
    fn open(direct: &Endpoint, sql: String, case: Case) -> Outcome<Form> {
        let mut client = Client::connect(direct)?;
        client.run(VIEW)?;
        client.run("SET pgwarrant.key = 'a key for the benchmark, forty bytes long'")?;
        // A parallel scan's other processes would have to be counted too.
        client.run("SET max_parallel_workers_per_gather = 0")?;
        client.run("SET plan_cache_mode = force_generic_plan")?;
        let backend = client.value("SELECT pg_backend_pid()")?.parse()?;
        if case.prepared {
            client.run(&format!("PREPARE read AS {sql}"))?;
        }
        Ok(Form { client, backend, sql, case })
    }

    fn round(&mut self) -> Outcome<f64> {
        let sql = if self.case.prepared { "EXECUTE read" } else { &self.sql };
        let before = nanoseconds(self.backend)?;
        for _ in 0..self.case.times {
            self.client.run(sql)?;
        }
        let used = nanoseconds(self.backend)?.saturating_sub(before);
        Ok(used as f64 / 1e6 / f64::from(self.case.times))
    }
}

/// Processor time of a process with one thread.
fn nanoseconds(pid: u32) -> Outcome<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat"))?;
    let used = text.split_whitespace().next().ok_or("an empty /proc/PID/schedstat")?;
    Ok(used.parse()?)
}
