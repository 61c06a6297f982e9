//! `/v1/audit`: what the trail holds; everybody their own, auditors all.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use pgwarrant_audit::{Filter as Wanted, Phase, Record};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{Json, Records};
use crate::api::Api;
use crate::caller::{By, Caller, Read};
use crate::input::Query;
use crate::page::{self, Page};
use crate::problem::{Problem, What};

/// How long a query waits for its turn.
const TURN: Duration = Duration::from_secs(5);
/// Of a text that is searched for, in bytes.
const MAX_TEXT: usize = 1_024;

/// Which records; one must match everything that is given.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// `statement`, `request`, `decision`, `grant_started`, `grant_ended`, `call`, …
    kind: Option<String>,
    /// `outcome` (where nothing else is said) or `intent`.
    phase: Option<String>,
    /// `raw`, `masked`, `refused`, …
    decision: Option<String>,
    user: Option<String>,
    database: Option<String>,
    /// A relation touched: `public.customers`, or its last part.
    relation: Option<String>,
    /// A protected column touched: `public.customers.email`, or its last parts.
    column: Option<String>,
    /// A protected column that passed raw, likewise.
    raw: Option<String>,
    /// Number of a grant.
    grant: Option<u64>,
    /// Number of a session.
    session: Option<u64>,
    /// Not before this time.
    since: Option<String>,
    /// Before this time.
    until: Option<String>,
    /// In the text, the error, the purpose, the ticket or the note.
    text: Option<String>,
    /// How many at once.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
    /// `next` of the page before.
    after: Option<String>,
}

impl Filter {
    /// As far as the caller may see; Err where somebody else's records are asked for.
    pub fn wanted(&self, api: &Api, caller: &Caller) -> Result<Wanted, Problem> {
        let texts = [&self.user, &self.database, &self.relation, &self.column, &self.raw, &self.text];
        if texts.into_iter().flatten().any(|text| text.len() > MAX_TEXT) {
            return Err(Problem::new(What::Invalid, "a parameter of the query is too long")
                .hint(format!("Give {MAX_TEXT} bytes at most.")));
        }
        let user = match api.live.settings().may_audit(&caller.who) {
            true => self.user.clone(),
            false if self.user.as_ref().is_none_or(|user| *user == caller.who.user) => {
                Some(caller.who.user.clone())
            }
            false => {
                let message = format!("user \"{}\" may not read the records of others", caller.who.user);
                return Err(Problem::new(What::NotAllowed, message)
                    .hint("Have somebody do it whose group has may_audit."));
            }
        };
        Ok(Wanted {
            kind: named("kind", self.kind.as_deref())?,
            phase: Some(named("phase", self.phase.as_deref())?.unwrap_or(Phase::Outcome)),
            decision: named("decision", self.decision.as_deref())?,
            user,
            database: self.database.clone(),
            relation: self.relation.clone(),
            column: self.column.clone(),
            raw: self.raw.clone(),
            grant: self.grant,
            session: self.session,
            since: moment("since", self.since.as_deref())?,
            until: moment("until", self.until.as_deref())?,
            text: self.text.clone(),
            after: None,
            before: None,
        })
    }

    /// A stream has no pages.
    pub fn has_pages(&self) -> bool {
        self.limit.is_some() || self.after.is_some()
    }
}

fn named<T: FromStr<Err = String>>(name: &str, given: Option<&str>) -> Result<Option<T>, Problem> {
    let given = given.map(|text| text.chars().take(64).collect::<String>());
    given
        .map(|text| {
            text.parse().map_err(|error: String| {
                Problem::new(What::Invalid, format!("{name} is not known"))
                    .detail(format!("The value {}.", error.escape_debug()))
                    .hint("Give one of these names, or leave it out.")
            })
        })
        .transpose()
}

/// RFC 3339, in µs since 1970.
fn moment(name: &str, given: Option<&str>) -> Result<Option<i64>, Problem> {
    let read = |text: &str| text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_microsecond);
    given.map(read).transpose().map_err(|_| {
        Problem::new(What::Invalid, format!("{name} is no time"))
            .hint("Write it as \"2026-03-02T09:00:00Z\" (RFC 3339).")
    })
}

/// Records of the audit trail, the newest first
pub async fn list(
    State(api): State<Arc<Api>>,
    by: By<Read>,
    Query(filter): Query<Filter>,
) -> Result<Json<Page<Records>>, Problem> {
    let limit = page::limit(filter.limit)?;
    let mut wanted = filter.wanted(&api, &by)?;
    wanted.before = page::number(filter.after.as_deref())?;
    let mut records = recent(&api, limit + 1, wanted).await?;
    records.reverse();
    let shape = |record: Record| Records(serde_json::to_value(record).unwrap_or_default());
    let cursor = |record: &Record| std::cmp::Reverse(record.seq);
    Ok(Json(Page::cut(records, limit, None, cursor, |seq| seq.0.to_string(), shape)))
}

/// The newest records that match, oldest first.
pub async fn recent(api: &Api, limit: usize, wanted: Wanted) -> Result<Vec<Record>, Problem> {
    let turn = tokio::time::timeout(TURN, api.queries.acquire()).await;
    let Ok(Ok(_turn)) = turn else {
        return Err(Problem::new(What::Unavailable, "too many queries of the audit trail at once")
            .sqlstate("53300")
            .hint("Try again."));
    };
    api.trail.recent(limit, wanted).await.map_err(|error| {
        tracing::error!(%error, "the audit trail could not be read");
        Problem::new(What::Unavailable, "the audit trail cannot be read").hint("Try again.")
    })
}
