//! What the relations of the schema `pgwarrant` show, to each user what concerns them.

use pgwarrant_audit::{Filter, Kind, Phase, Record};
use pgwarrant_grants::{Grant, RequestState, Schedule, SignIn, format_duration, seen};
use pgwarrant_sql::{Reason, Refusal};

use super::acting::list;
use super::{Console, Row};
use crate::refuse;

/// Rows of the audit trail that `pgwarrant.audit` shows, the newest.
const AUDIT_ROWS: usize = 1000;

impl Console {
    /// The rows of a relation that needs no disk.
    pub fn rows(&self, name: &str) -> Vec<Row> {
        match name {
            "grants" => self.grants(),
            "requests" => self.requests(),
            "profiles" => self.profiles(),
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
                review(&grant),
                grant.profile.clone(),
                list(&grant.policies, ", "),
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
                    request.missing(),
                    (request.state == RequestState::Pending).then(|| time(request.lapses_at)),
                    request.starts_at.map(time),
                    Some(request.urgency.text().to_owned()),
                    request.extends.map(|grant| grant.to_string()),
                    request.profile.clone(),
                    request.purpose.clone(),
                    request.case.clone(),
                    list(&request.why.policies, ", "),
                    list(&request.why.reasons, " "),
                ]
            })
            .collect()
    }

    /// What this user can ask for by name, and until when it is to be had if that is now.
    fn profiles(&self) -> Vec<Row> {
        let settings = self.live.settings();
        let now = pgwarrant_audit::record::now() / 1000;
        let profiles = settings.profiles_for(self.who());
        profiles
            .map(|profile| {
                let schedule = profile.schedule.as_ref();
                vec![
                    Some(profile.name.clone()),
                    Some(profile.columns.clone()),
                    Some(profile.actions.clone()),
                    Some(profile.rows.text().to_owned()),
                    Some(format_duration(profile.max_duration)),
                    schedule.map(Schedule::text),
                    schedule.and_then(|schedule| schedule.ends(now, &settings.time_zone)).map(time),
                ]
            })
            .collect()
    }

    fn catalogue_rows(&self) -> Vec<Row> {
        let seen = seen(&self.catalogue, &self.access).into_iter();
        seen.map(|column| {
            vec![
                Some(column.relation),
                Some(column.column),
                Some(column.category),
                Some(column.mask),
                Some(column.ungranted.to_owned()),
                Some(column.access),
            ]
        })
        .collect()
    }

    fn whoami(&self) -> Row {
        let identity = &self.identity;
        vec![
            Some(identity.user.to_string()),
            Some(identity.groups.join(", ")),
            Some(identity.database.to_string()),
            Some(identity.role.clone()),
            Some(identity.tls.to_string()),
            Some((identity.sign_in == SignIn::Certificate).to_string()),
            Some(identity.address.to_string()),
            Some(self.live.settings().may_approve(self.who()).to_string()),
            Some(self.who().person().to_owned()),
            Some(identity.sign_in.text().to_owned()),
            Some(self.live.settings().may_request(self.who()).to_string()),
        ]
    }

    /// Auditors see everybody's statements, others their own.
    pub async fn audit(&self) -> Result<Vec<Row>, Refusal> {
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

/// Break-glass grants alone are reviewed: `open`, `justified (petra)`.
fn review(grant: &Grant) -> Option<String> {
    let review = grant.review.as_ref()?;
    Some(match &review.verdict {
        None => review.text().to_owned(),
        Some(verdict) => format!("{} ({})", review.text(), verdict.by),
    })
}

fn audit_row(record: &Record) -> Row {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let grants = record.grants.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let statement = match record.note.as_deref() {
        Some(note) if record.text.is_empty() || !matches!(record.kind, Kind::Statement | Kind::Call) => note,
        _ => &record.text,
    };
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
pub fn time(milliseconds: i64) -> String {
    pgwarrant_audit::record::rfc3339(milliseconds.saturating_mul(1000))
}
