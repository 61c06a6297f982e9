//! From the sending of a request that a rule approves to the answer that its grant is live: decided
//! by policies, durable in the store, recorded in the trail.

use std::thread;
use std::time::Instant;

use crate::dial::{Client, Endpoint};
use crate::figure::Outcome;
use crate::report::{Bound, Line, PGWARRANT, Report};
use crate::say;
use crate::settings::{APPROVER, ASKER, Rules, asker, password};
use crate::world::World;

const LINE: &str = "request → live grant, by rule";

/// All are evaluated for each request, and the last approves it.
const POLICIES: usize = 500;
/// Others who hold grants, as many each.
const HOLDERS: u32 = 100;
/// Who ask at once while the table is filled; their changes share a sync of the disk.
const AT_ONCE: u32 = 10;
/// Requests that are measured, one after the other.
const MEASURED: u32 = 200;

pub fn run(world: &mut World, report: &mut Report) -> Outcome<()> {
    let held: u32 = if world.effort.quick { 10 } else { 100 };
    let policies: String = (0..POLICIES).map(policy).collect();
    let rules = Rules { policies: &policies, askers: HOLDERS, ..Rules::default() };
    let contender = world.ruled("decided", rules)?;
    let endpoint = world.endpoint(&contender);
    say(&format!("  {} grants for others …", HOLDERS * held));
    let fillers: Vec<_> = (0..AT_ONCE)
        .map(|first| {
            let endpoint = endpoint.clone();
            thread::spawn(move || {
                (first..HOLDERS).step_by(AT_ONCE as usize).try_for_each(|holder| {
                    let mut client = sign_in(&endpoint, &asker(holder)).map_err(|error| error.to_string())?;
                    (0..held).try_for_each(|_| ask(&mut client).map_err(|error| error.to_string()))
                })
            })
        })
        .collect();
    for filler in fillers {
        filler.join().map_err(|_| "a client panicked")??;
    }
    let mut approver = Client::connect(&endpoint.with_user(APPROVER, &password(APPROVER)))?;
    let live = approver.value("SELECT count(*) FROM pgwarrant.grants WHERE state = 'live'")?;
    report.line(Line::new(LINE, "ms").bound(Bound::at_most(PGWARRANT, 5.0)).note(format!(
        "{MEASURED} times, with {POLICIES} policies and {live} live grants; durable before the answer"
    )));
    if live != (HOLDERS * held).to_string() {
        return Err(format!("{live} grants are live of {}", HOLDERS * held).into());
    }
    let mut client = sign_in(&endpoint, ASKER)?;
    for _ in 0..MEASURED {
        let started = Instant::now();
        ask(&mut client)?;
        report.sample(LINE, PGWARRANT, started.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(())
}

/// All but the last are about other tickets.
fn policy(number: usize) -> String {
    let ticket = if number + 1 == POLICIES { "DSR-*".to_owned() } else { format!("T{number}-*") };
    format!(
        "@id(\"rule-{number}\") @decision(\"approve\")
permit (principal in Group::\"{ASKER}\", action == Action::\"select\", resource in Category::\"contact\")
when {{ context has ticket && context.ticket like \"{ticket}\" && context.duration <= 60 }};\n"
    )
}

fn sign_in(endpoint: &Endpoint, user: &str) -> Outcome<Client> {
    // They share the asker's password.
    Client::connect(&endpoint.with_user(user, &password(ASKER)))
}

/// Asks, and looks whether it was approved.
fn ask(client: &mut Client) -> Outcome<()> {
    let sql = "SELECT state FROM pgwarrant.request('people.email, people.phone', ticket => 'DSR-17', \
               reason => 'a benchmark', duration => '30 min')";
    match client.value(sql)?.as_str() {
        "approved" => Ok(()),
        other => Err(format!("a request that a rule approves is {other}").into()),
    }
}
