//! What the audit trail is told of calls. What comes of requests and grants is in it anyway, as that
//! of calls from psql is; bodies and queries are not.

use pgwarrant_audit::{Decision, Kind, Record, RecordedError};

use crate::caller::{Caller, Ends, Via};
use crate::problem::Problem;

/// Of a User-Agent, in bytes.
const APPLICATION: usize = 64;

/// Of the connection, with nobody yet.
fn of(ends: Ends, kind: Kind, decision: Decision) -> Record {
    let mut record = Record::new(kind, decision, pgwarrant_audit::record::now());
    record.address = ends.peer.to_string().into();
    record.tls = ends.tls;
    record
}

/// Of somebody.
pub fn by(caller: &Caller, kind: Kind, decision: Decision) -> Record {
    let mut record = of(caller.ends, kind, decision);
    record.user = caller.who.user.as_str().into();
    record.groups = caller.who.groups.clone().into();
    let via = match &caller.via {
        Via::Token { id } if caller.approves_only.is_some() => format!("approval token {id}"),
        Via::Token { id } => format!("token {id}"),
        Via::Webhook { name } => format!("webhook {name}"),
        via => via.text().to_owned(),
    };
    record.note = Some(format!("api, {via}, {}", caller.context.sign_in.text()));
    record
}

/// `call`: method and path.
pub fn call(caller: &Caller, call: &str, application: &str, problem: Option<&Problem>) -> Record {
    let decision = match problem {
        None => Decision::Allowed,
        Some(problem) if problem.status >= 500 => Decision::Failed,
        Some(_) => Decision::Refused,
    };
    let mut record = by(caller, Kind::Call, decision);
    record.text = call.into();
    record.application = application.into();
    record.error = problem.map(error);
    let mut parts = call.split('/').skip_while(|part| *part != "grants").skip(1);
    record.grants = parts.next().and_then(|number| number.parse().ok()).into_iter().collect();
    record
}

/// `user`: whom they said they were, if they did.
pub fn failed_sign_in(ends: Ends, user: &str, problem: &Problem) -> Record {
    let mut record = of(ends, Kind::LoginFailed, Decision::Refused);
    record.user = user.into();
    record.note = Some("api".to_owned());
    record.error = Some(error(problem));
    record
}

fn error(problem: &Problem) -> RecordedError {
    RecordedError { sqlstate: problem.sqlstate.to_owned(), message: problem.message.clone() }
}

/// A User-Agent as far as it is kept.
pub fn application(text: &str) -> String {
    text.chars().filter(|letter| letter.is_ascii_graphic() || *letter == ' ').take(APPLICATION).collect()
}
