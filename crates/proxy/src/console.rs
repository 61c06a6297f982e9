//! The schema `pgwarrant`: its relations filled with live state, its functions acted out.
//!
//! What acts does so once, before the statement is sent, when nothing is in flight that could
//! still fail; in a transaction that has failed nothing acts, and the server says why.

use std::collections::VecDeque;
use std::sync::Arc;

use pgwarrant_audit::{Filter, Phase, Record, Trail};
use pgwarrant_catalog::{Catalogue, Ungranted};
use pgwarrant_grants::{Ask, Error, Live, Principal, format_duration};
use pgwarrant_sql::console::fill;
use pgwarrant_sql::{Access, Class, ConsoleArgument, ConsoleCall, Piece, Reason, Refusal, Rows, Verdict};
use pgwarrant_wire::frontend;

use crate::cache::Analysed;
use crate::identity::Identity;
use crate::plan::Planned;
use crate::refuse;
use crate::session::{Session, Step, Waited};

/// Rows of the audit trail that `pgwarrant.audit` shows, the newest.
const AUDIT_ROWS: usize = 1000;

type Row = Vec<Option<String>>;

/// The text for a call before its arguments are known: its columns, and no rows.
pub fn empty(call: &ConsoleCall) -> String {
    fill(call, &[])
}

/// The console calls of a statement, in the order of the text.
pub fn calls(analysed: &Analysed, index: usize) -> impl Iterator<Item = &ConsoleCall> {
    let splices = match analysed.statements().get(index).map(|statement| &statement.verdict) {
        Some(Verdict::Spliced(splices)) => splices.as_slice(),
        _ => &[],
    };
    splices.iter().flat_map(|splice| &splice.with).filter_map(|piece| match piece {
        Piece::Console(call) => Some(call),
        Piece::Text(_) | Piece::Tokens(_) => None,
    })
}

impl Session {
    /// Acts out the console calls of a message, if any of them acts or takes time. Some: held.
    pub fn act(
        &mut self,
        analysed: &Analysed,
        planned: &[Planned],
        parameters: &[Option<String>],
    ) -> Option<Step> {
        if self.front.acted.is_some() {
            return None;
        }
        let mut steps = Vec::new();
        for (index, planned) in planned.iter().enumerate() {
            let class = analysed.statements().get(index).map_or(Class::Empty, |statement| statement.class);
            for call in calls(analysed, index) {
                let todo = if planned.refusal.is_some() {
                    // It will not be sent, and `assemble` asks for no text.
                    continue;
                } else if call.arguments.is_some() && class != Class::Select {
                    Todo::Refuse(only_in_select(call))
                } else {
                    resolve(call, parameters)
                };
                steps.push((call.clone(), todo));
            }
        }
        if !steps.iter().any(|(call, _)| call.arguments.is_some() || call.name == "audit") {
            return None;
        }
        if !self.ledger.is_empty() {
            return Some(self.drain());
        }
        let failed = self.state.status == b'E';
        let console = self.console();
        Some(self.wait_to_the_end(Box::pin(async move {
            let mut answers = VecDeque::with_capacity(steps.len());
            for (call, todo) in steps {
                let answer = match todo {
                    _ if failed => Ok(Vec::new()),
                    Todo::Refuse(refusal) => Err(refusal),
                    Todo::Look => console.look(&call).await,
                    Todo::Call(arguments) => console.clone().call(&call.name, arguments).await,
                };
                answers.push_back(answer.map(|rows| fill(&call, &rows)));
            }
            Waited::Acted(answers)
        })))
    }

    /// The text for a relation that live state in memory fills.
    pub fn look(&self, call: &ConsoleCall) -> Result<String, Refusal> {
        Ok(fill(call, &self.console().rows(&call.name)))
    }

    fn console(&self) -> Console {
        Console {
            live: self.shared.live.clone(),
            trail: self.shared.trail.clone(),
            identity: self.identity.clone(),
            catalogue: self.basis.catalogue.clone(),
            access: self.basis.access.clone(),
        }
    }
}

/// What a call asks for.
enum Todo {
    Look,
    /// With the arguments' names.
    Call(Vec<(String, Option<String>)>),
    Refuse(Refusal),
}

fn resolve(call: &ConsoleCall, parameters: &[Option<String>]) -> Todo {
    let Some(arguments) = &call.arguments else { return Todo::Look };
    let mut resolved = Vec::with_capacity(arguments.len());
    for (name, argument) in arguments {
        let value = match argument {
            ConsoleArgument::Null => None,
            ConsoleArgument::Literal(text) => Some(text.clone()),
            ConsoleArgument::Parameter(number) => {
                match number.checked_sub(1).and_then(|index| parameters.get(index)) {
                    Some(value) => value.clone(),
                    None => return Todo::Refuse(no_parameter(*number)),
                }
            }
        };
        resolved.push((name.clone().unwrap_or_default(), value));
    }
    Todo::Call(resolved)
}

/// What the console shows and does, for one user.
#[derive(Clone)]
struct Console {
    live: Live,
    trail: Trail,
    identity: Arc<Identity>,
    catalogue: Arc<Catalogue>,
    access: Arc<Access>,
}

impl Console {
    fn who(&self) -> &Principal {
        &self.identity.principal
    }

    async fn look(&self, call: &ConsoleCall) -> Result<Vec<Row>, Refusal> {
        if call.name == "audit" { self.audit().await } else { Ok(self.rows(&call.name)) }
    }

    /// Acts. Giving waits for the disk.
    async fn call(self, name: &str, arguments: Vec<(String, Option<String>)>) -> Result<Vec<Row>, Refusal> {
        let name = name.to_owned();
        tokio::task::spawn_blocking(move || self.call_blocking(&name, &Arguments(arguments)))
            .await
            .unwrap_or_else(|error| {
                tracing::error!(%error, "a console call panicked");
                Err(refuse::refusal(Reason::Console, "XX000", "the call failed", None, Some("Try again.")))
            })
    }

    fn call_blocking(&self, name: &str, arguments: &Arguments) -> Result<Vec<Row>, Refusal> {
        let (live, who) = (&self.live, self.who());
        let reason = arguments.text("reason");
        let row = match name {
            "request" => {
                let request = live.request(who, &self.identity.database, &self.catalogue, arguments.ask());
                let request = request.map_err(refused)?;
                vec![
                    Some(request.id.to_string()),
                    Some(request.state.text().to_owned()),
                    request.grant.map(|grant| grant.to_string()),
                    Some(request.summary()),
                ]
            }
            "approve" => {
                let approved =
                    live.approve(who, arguments.number("request")?, reason.as_deref()).map_err(refused)?;
                let state = approved.request.state.text().to_owned();
                vec![Some(approved.request.id.to_string()), Some(state), Some(approved.grant.summary())]
            }
            "deny" => {
                let request =
                    live.deny(who, arguments.number("request")?, reason.as_deref()).map_err(refused)?;
                let state = request.state.text().to_owned();
                vec![Some(request.id.to_string()), Some(state), Some(request.summary())]
            }
            "revoke" | "release" => {
                let id = arguments.number("grant_id")?;
                let ended = if name == "revoke" {
                    live.revoke(who, id, reason.as_deref())
                } else {
                    live.release(who, id)
                };
                let grant = ended.map_err(refused)?;
                vec![Some(grant.id.to_string()), Some(grant.state_text().to_owned()), Some(grant.summary())]
            }
            _ => return Err(unknown(name)),
        };
        Ok(vec![row])
    }

    /// The rows of a relation that needs no disk.
    fn rows(&self, name: &str) -> Vec<Row> {
        match name {
            "grants" => self.grants(),
            "requests" => self.requests(),
            "catalog" => self.catalogue_rows(),
            "whoami" => vec![self.whoami()],
            _ => Vec::new(),
        }
    }

    fn grants(&self) -> Vec<Row> {
        let here = self
            .live
            .grants_for(self.who())
            .into_iter()
            .filter(|grant| grant.database == *self.identity.database);
        here.map(|grant| {
            let approved_by =
                grant.approvals.iter().map(|approval| approval.by.as_str()).collect::<Vec<_>>().join(", ");
            vec![
                Some(grant.id.to_string()),
                Some(grant.who.to_string()),
                Some(grant.scope.columns_text()),
                Some(grant.scope.actions_text()),
                grant.scope.rows_text().map(str::to_owned),
                grant.scope.rows_text().map(|_| grant.scope.others_text().to_owned()),
                Some(grant.reason.clone()),
                grant.ticket.clone(),
                Some(approved_by),
                Some(time(grant.from)),
                Some(time(grant.until)),
                grant.uses_left().map(|left| left.to_string()),
                grant.rows_left().map(|left| left.to_string()),
                Some(grant.state_text().to_owned()),
            ]
        })
        .collect()
    }

    fn requests(&self) -> Vec<Row> {
        let all = self.live.requests_for(self.who()).into_iter();
        all.filter(|request| request.database == *self.identity.database)
            .map(|request| {
                vec![
                    Some(request.id.to_string()),
                    Some(request.who.to_string()),
                    Some(request.scope.columns_text()),
                    Some(request.scope.actions_text()),
                    request.scope.rows_text().map(str::to_owned),
                    request.scope.rows_text().map(|_| request.scope.others_text().to_owned()),
                    Some(format_duration(request.duration)),
                    Some(request.reason.clone()),
                    request.ticket.clone(),
                    Some(request.state.text().to_owned()),
                    Some(time(request.requested_at)),
                    request.decision.as_ref().and_then(|decision| decision.by.clone()),
                    request.decision.as_ref().map(|decision| time(decision.at)),
                    request.grant.map(|grant| grant.to_string()),
                ]
            })
            .collect()
    }

    fn catalogue_rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::new();
        for relation in self.catalogue.relations.values() {
            for column in &relation.columns {
                let Some(protection) = column.protection.as_ref().filter(|protection| !protection.built_in)
                else {
                    continue;
                };
                let ungranted = match protection.ungranted {
                    Ungranted::Mask => "mask",
                    Ungranted::Block => "block",
                };
                rows.push(vec![
                    Some(format!("{}.{}", relation.schema, relation.name)),
                    Some(column.name.clone()),
                    Some(protection.category.clone()),
                    Some(protection.method.clone()),
                    Some(ungranted.to_owned()),
                    Some(self.access_to(relation.oid, column.attnum, protection)),
                ]);
            }
        }
        rows.sort();
        rows
    }

    /// What this user sees of a protected column.
    fn access_to(&self, oid: u32, attnum: i16, protection: &pgwarrant_catalog::Protection) -> String {
        let all = |column: pgwarrant_catalog::ColumnId| {
            self.access.scopes.iter().any(|scope| {
                scope.actions.select && scope.rows == Rows::All && scope.columns.contains(&column)
            })
        };
        if protection.is_uncovered(all) {
            return "raw".to_owned();
        }
        let column = pgwarrant_catalog::ColumnId { relation: oid, attnum };
        let rows: Vec<String> = self
            .access
            .scopes
            .iter()
            .filter(|scope| scope.actions.select && scope.columns.contains(&column))
            .filter_map(|scope| match &scope.rows {
                Rows::All => None,
                Rows::Where(predicate) => Some(predicate.canonical()),
            })
            .collect();
        match (rows.as_slice(), protection.ungranted) {
            ([], Ungranted::Mask) => "masked".to_owned(),
            ([], Ungranted::Block) => "blocked".to_owned(),
            (rows, _) => format!("raw for rows {}", rows.join(" OR ")),
        }
    }

    fn whoami(&self) -> Row {
        let identity = &self.identity;
        vec![
            Some(identity.user.to_string()),
            Some(identity.groups.join(", ")),
            Some(identity.database.to_string()),
            Some(identity.role.clone()),
            Some(identity.tls.to_string()),
            Some(identity.certificate.to_string()),
            Some(identity.address.to_string()),
            Some(self.live.settings().may_approve(self.who()).to_string()),
        ]
    }

    /// Auditors see everybody's statements, others their own.
    async fn audit(&self) -> Result<Vec<Row>, Refusal> {
        let user = (!self.live.settings().may_audit(self.who())).then(|| self.identity.user.to_string());
        let filter = Filter { user, phase: Some(Phase::Outcome), ..Filter::default() };
        let records = self.trail.recent(AUDIT_ROWS, filter).await.map_err(|error| {
            tracing::error!(%error, "the audit trail could not be read");
            refuse::refusal(
                Reason::Console,
                "58030",
                "the audit trail cannot be read",
                None,
                Some("Try again."),
            )
        })?;
        Ok(records.iter().rev().map(audit_row).collect())
    }
}

fn audit_row(record: &Record) -> Row {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let grants = record.grants.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let statement =
        if record.text.is_empty() { record.note.as_deref().unwrap_or_default() } else { &record.text };
    vec![
        Some(record.seq.to_string()),
        Some(pgwarrant_audit::record::rfc3339(record.at)),
        Some(record.kind.name().to_owned()),
        text(&record.user),
        text(&record.database),
        text(statement),
        Some(record.decision.name().to_owned()),
        text(&record.relations.join(", ")),
        text(&record.masked.join(", ")),
        text(&record.raw.join(", ")),
        text(&grants),
        Some(record.rows.to_string()),
        Some(record.bytes.to_string()),
        Some(format!("{:.3}", record.duration_us as f64 / 1000.0)),
        record.error.as_ref().map(|error| format!("{} {}", error.sqlstate, error.message)),
    ]
}

/// Milliseconds since 1970 as PostgreSQL reads them.
fn time(milliseconds: i64) -> String {
    pgwarrant_audit::record::rfc3339(milliseconds.saturating_mul(1000))
}

struct Arguments(Vec<(String, Option<String>)>);

impl Arguments {
    fn text(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(found, _)| found == name).and_then(|(_, value)| value.clone())
    }

    fn number(&self, name: &str) -> Result<u64, Refusal> {
        let given = self.text(name);
        given.as_deref().and_then(|text| text.trim().parse().ok()).ok_or_else(|| {
            let message = match given {
                Some(given) => format!("invalid {name}: \"{given}\""),
                None => format!("{name} must be given"),
            };
            refuse::refusal(
                Reason::Console,
                "22023",
                message,
                None,
                Some("Give the number, as pgwarrant.requests and pgwarrant.grants show it."),
            )
        })
    }

    fn ask(&self) -> Ask {
        Ask {
            columns: self.text("columns").unwrap_or_default(),
            rows: self.text("rows"),
            reason: self.text("reason"),
            duration: self.text("duration"),
            actions: self.text("actions"),
            others: self.text("others"),
            ticket: self.text("ticket"),
            max_uses: self.text("max_uses"),
            max_rows: self.text("max_rows"),
            group: self.text("group"),
        }
    }
}

fn refused(error: Error) -> Refusal {
    Refusal {
        reason: Reason::Console,
        sqlstate: error.sqlstate(),
        message: error.message,
        detail: error.detail,
        hint: error.hint,
        position: None,
    }
}

fn unknown(name: &str) -> Refusal {
    refuse::refusal(Reason::Console, "42883", format!("function pgwarrant.{name} does not exist"), None, None)
}

fn only_in_select(call: &ConsoleCall) -> Refusal {
    refuse::refusal(
        Reason::Console,
        "0A000",
        format!("pgwarrant.{} can only be called in a SELECT", call.name),
        None,
        Some("Send the call as a statement of its own."),
    )
}

fn no_parameter(number: usize) -> Refusal {
    refuse::refusal(Reason::Console, "42P02", format!("there is no parameter ${number}"), None, None)
}

/// The parameters of a Bind as text, as far as console calls use them.
pub fn parameters(
    message: &frontend::Bind<'_>,
    types: &[u32],
    analysed: &Analysed,
) -> Result<Vec<Option<String>>, Refusal> {
    let mut used = std::collections::HashSet::new();
    for call in calls(analysed, 0) {
        for (_, argument) in call.arguments.iter().flatten() {
            if let ConsoleArgument::Parameter(number) = argument {
                used.insert(*number);
            }
        }
    }
    message
        .values
        .iter()
        .enumerate()
        .map(|(index, value)| {
            let Some(bytes) = value.filter(|_| used.contains(&(index + 1))) else { return Ok(None) };
            let binary = message.parameter_formats.of(index) == 1;
            as_text(bytes, binary, types.get(index).copied().unwrap_or(0))
                .map(Some)
                .ok_or_else(|| unreadable(index + 1))
        })
        .collect()
}

/// `pg_type.oid`s: int8 20, int2 21, int4 23, bool 16; what else is text in binary, too.
fn as_text(bytes: &[u8], binary: bool, of: u32) -> Option<String> {
    match of {
        20 if binary => Some(i64::from_be_bytes(bytes.try_into().ok()?).to_string()),
        23 if binary => Some(i32::from_be_bytes(bytes.try_into().ok()?).to_string()),
        21 if binary => Some(i16::from_be_bytes(bytes.try_into().ok()?).to_string()),
        16 if binary => Some(matches!(bytes, [1]).to_string()),
        // text, varchar, bpchar, name, unknown
        0 | 25 | 1043 | 1042 | 19 | 705 => String::from_utf8(bytes.to_vec()).ok(),
        _ if binary => None,
        _ => String::from_utf8(bytes.to_vec()).ok(),
    }
}

fn unreadable(number: usize) -> Refusal {
    refuse::refusal(
        Reason::Console,
        "0A000",
        format!("parameter ${number} has a type that a pgwarrant function does not take"),
        None,
        Some("Pass it as text."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_in_both_formats() {
        assert_eq!(as_text(&42i64.to_be_bytes(), true, 20).as_deref(), Some("42"));
        assert_eq!(as_text(&42i32.to_be_bytes(), true, 23).as_deref(), Some("42"));
        assert_eq!(as_text(b"42", false, 23).as_deref(), Some("42"));
        assert_eq!(as_text("é".as_bytes(), true, 25).as_deref(), Some("é"));
        assert_eq!(as_text(&[0xff], true, 25), None);
        assert_eq!(as_text(&[0, 1], true, 20), None);
        assert_eq!(as_text(b"x", true, 600), None);
    }
}
