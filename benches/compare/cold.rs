//! What a statement costs the proxy the first time its template is seen, beyond what it costs when
//! it is known: many templates once each, against one template as many times.

use crate::dial::{Client, Endpoint};
use crate::figure::Outcome;
use crate::meter::Meter;
use crate::report::{Bound, Line, PGWARRANT, Report};
use crate::world::World;

/// Its statements in the audit trail.
const APPLICATION: &str = "bench cold";

pub fn run(world: &mut World, report: &mut Report) -> Outcome<()> {
    let endpoint = world.pgwarrant()?.with_application(APPLICATION);
    let share = if world.effort.quick { 0.2 } else { 1.0 };
    let mut cold = Cold { endpoint: &endpoint, client: Client::connect(&endpoint)?, next: 0, sent: 0 };
    for case in CASES {
        let name = format!("new template, {}", case.name);
        report.line(Line::new(&name, "µs more").bound(Bound::at_most(PGWARRANT, case.must).aim(case.aim)));
        for _ in 0..world.effort.rounds {
            report.sample(&name, PGWARRANT, cold.round(case, share)?);
        }
    }
    let sent = cold.sent;
    world.sent.add(APPLICATION, "people", sent);
    Ok(())
}

/// Known and new templates take turns so often in a round, as the machine has better and worse moments.
const CHUNKS: u32 = 10;

/// A statement; each `$` stands for an alias of eight characters that makes the template a new one.
#[derive(Clone, Copy, Debug)]
struct Case {
    name: &'static str,
    sql: &'static str,
    /// How many are sent in a round; longer statements cost more, so that fewer of them do.
    times: u32,
    must: f64,
    aim: f64,
}

/// What is measured.
const CASES: [Case; 3] = [
    Case {
        name: "small, unprotected",
        sql: "SELECT city AS $ FROM people_open WHERE id = 42",
        times: 8000,
        must: 25.0,
        aim: 15.0,
    },
    Case {
        name: "small, masked",
        sql: "SELECT email AS $ FROM people WHERE id = 42",
        times: 8000,
        must: 25.0,
        aim: 15.0,
    },
    Case { name: "20 joined lines", sql: JOINED, times: 1500, must: 250.0, aim: 150.0 },
];

const JOINED: &str = "SELECT o.id, c.name AS customer, c.email AS $,
       count(*) AS lines,
       sum(i.quantity * p.price) AS total,
       max(o.ordered_at) AS latest,
       CASE WHEN sum(i.quantity) > 10 THEN 'large'
            WHEN sum(i.quantity) > 3 THEN 'middling'
            ELSE 'small' END AS size
FROM orders o
JOIN people c ON c.id = o.person_id
JOIN order_items i ON i.order_id = o.id
JOIN products p ON p.id = i.product_id
LEFT JOIN people_open other ON other.id = c.id AND other.city = c.city
WHERE o.id = 42
  AND o.ordered_at >= '2026-01-01' AND o.ordered_at < '2027-01-01'
  AND o.status IN ('open', 'paid', 'shipped')
  AND (p.price > 1 OR p.name LIKE 'product%')
  AND EXISTS (SELECT 1 FROM order_items x WHERE x.order_id = o.id AND x.line = 1)
GROUP BY o.id, c.name, c.email
HAVING count(*) > 0
ORDER BY total DESC NULLS LAST, o.id LIMIT 50";

/// A connection that sends templates nobody has sent before.
struct Cold<'a> {
    endpoint: &'a Endpoint,
    client: Client,
    next: u32,
    /// Statements so far.
    sent: u64,
}

impl Cold<'_> {
    /// Microseconds of the endpoint's processor that a new template costs beyond a known one.
    /// `share` of the case's statements are sent.
    fn round(&mut self, case: Case, share: f64) -> Outcome<f64> {
        let times = (f64::from(case.times) * share) as u32;
        self.send(1, |_| case.sql.replace('$', "a0000000"))?;
        let chunk = times / CHUNKS;
        let mut more = 0.0;
        for _ in 0..CHUNKS {
            let known = self.send(chunk, |_| case.sql.replace('$', "a0000000"))?;
            let first = self.next;
            self.next += chunk;
            let new = self.send(chunk, |index| case.sql.replace('$', &format!("b{:07}", first + index)))?;
            more += new - known;
        }
        Ok(more / f64::from(CHUNKS))
    }

    fn send(&mut self, times: u32, sql: impl Fn(u32) -> String) -> Outcome<f64> {
        let meter = Meter::start(&self.endpoint.pids)?;
        for index in 0..times {
            self.client.run(&sql(index))?;
        }
        self.sent += u64::from(times);
        Ok(meter.stop()? * 1e6 / f64::from(times))
    }
}
