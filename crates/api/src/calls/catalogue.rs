//! `/v1/catalog` and `/v1/profiles`

use std::sync::Arc;

use axum::extract::State;
use pgwarrant_grants::{Schedule, Seen, format_duration, seen};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer::Json;
use crate::api::{self, Api, time};
use crate::caller::{By, Read};
use crate::calls::requests::database;
use crate::input::Query;
use crate::page::{self, Page};
use crate::problem::{Problem, What};

/// Which protected columns.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// May be left out by who may connect to one alone.
    database: Option<String>,
    /// `public.customers`, or its last part.
    relation: Option<String>,
    category: Option<String>,
    /// How many at once.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
    /// `next` of the page before.
    after: Option<String>,
}

/// A protected column, and what the caller sees of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Column {
    pub database: String,
    pub relation: String,
    pub column: String,
    pub category: String,
    /// How much harm its values can do: `low`, `medium` or `high`.
    pub sensitivity: String,
    /// The method of its mask.
    pub mask: String,
    /// What becomes of it without a grant: `mask` or `block`.
    pub ungranted: String,
    /// `raw`, `masked`, `blocked` or `raw for rows …`.
    pub access: String,
}

/// Protected columns, and what the caller sees of them now
pub async fn columns(
    State(api): State<Arc<Api>>,
    by: By<Read>,
    Query(filter): Query<Filter>,
) -> Result<Json<Page<Column>>, Problem> {
    let limit = page::limit(filter.limit)?;
    let database = database(&by, filter.database.as_deref())?;
    let after = filter.after.as_deref().map(split_cursor).transpose()?;
    let catalogue = api.proxy.catalogue(&database).ok_or_else(|| {
        Problem::new(What::Unavailable, "the schema of the database is not known yet").hint("Try again.")
    })?;
    api.blocking(move |api| {
        let access = api.live.access(&by.who, &database, &catalogue);
        let wanted = |column: &Seen| {
            let relation = filter.relation.as_deref();
            relation.is_none_or(|relation| {
                let before = column.relation.strip_suffix(relation);
                before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
            }) && filter.category.as_ref().is_none_or(|category| column.category == *category)
        };
        let all = seen(&catalogue, &access).into_iter().filter(wanted);
        let shape = |column: Seen| Column {
            database: database.clone(),
            relation: column.relation,
            column: column.column,
            category: column.category,
            sensitivity: column.sensitivity.to_owned(),
            mask: column.mask,
            ungranted: column.ungranted.to_owned(),
            access: column.access,
        };
        let cursor = |column: &Seen| (column.relation.clone(), column.column.clone());
        let shown = |(relation, column): &(String, String)| format!("{relation}\u{1f}{column}");
        Ok(Json(Page::cut(all, limit, after, cursor, shown, shape)))
    })
    .await
}

fn split_cursor(text: &str) -> Result<(String, String), Problem> {
    let (relation, column) = text.split_once('\u{1f}').ok_or_else(page::unknown_cursor)?;
    Ok((relation.to_owned(), column.to_owned()))
}

/// What the caller can ask for by name.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Profile {
    pub profile: String,
    pub columns: String,
    pub actions: String,
    /// Which rows a request may be for: `some` (it must say which), `all` or `any`.
    pub rows: String,
    pub max_duration: String,
    /// None: at any time.
    pub schedule: Option<String>,
    /// Until when it is to be had, if that is now.
    pub open_until: Option<String>,
}

/// Which profiles.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Profiles {
    /// How many at once.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
    /// `next` of the page before.
    after: Option<String>,
}

/// What the caller can ask for by name
pub async fn profiles(
    State(api): State<Arc<Api>>,
    by: By<Read>,
    Query(filter): Query<Profiles>,
) -> Result<Json<Page<Profile>>, Problem> {
    let limit = page::limit(filter.limit)?;
    let (settings, now) = (api.live.settings(), api::now());
    let mut theirs: Vec<_> = settings.profiles_for(&by.who).collect();
    theirs.sort_by(|one, other| one.name.cmp(&other.name));
    let shape = |profile: &pgwarrant_grants::Profile| {
        let schedule = profile.schedule.as_ref();
        Profile {
            profile: profile.name.clone(),
            columns: profile.columns.clone(),
            actions: profile.actions.clone(),
            rows: profile.rows.text().to_owned(),
            max_duration: format_duration(profile.max_duration),
            schedule: schedule.map(Schedule::text),
            open_until: schedule.and_then(|schedule| schedule.ends(now, &settings.time_zone)).map(time),
        }
    };
    let cursor = |profile: &&pgwarrant_grants::Profile| profile.name.clone();
    Ok(Json(Page::cut(theirs, limit, filter.after, cursor, String::clone, shape)))
}
