//! A request as Cedar is asked about it: who, which action, which column, in which context.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use cedar_policy::{Context, Entities, Entity, EntityUid, Request, RestrictedExpression};
use pgwarrant_grants::Who;
use pgwarrant_grants::ruling::{Action, AskedColumn, Facts};

use crate::conjuncts::{Parts, Values};
use crate::load::Policies;
use crate::looks::{Seen, column_id};
use crate::model::{Model, entity};
use crate::refusal::Refusal;

/// Bytes of any one text of a request.
pub const MAX_TEXT: usize = 64 * 1024;
const MAX_GROUPS: usize = 1_000;
/// Different actions and columns, where columns that no policy tells apart count as one.
pub const MAX_ASKED: usize = 2_000;

pub(crate) struct Question<'f> {
    pub facts: &'f Facts,
    pub entities: Entities,
    pub asked: Vec<Asked<'f>>,
    /// Of the policies' conditions.
    pub parts: &'f Parts,
    /// Of `parts`, as far as they are known.
    pub values: Values,
}

/// One action on one column, and on all those that no policy tells from it.
pub(crate) struct Asked<'f> {
    pub action: Action,
    pub columns: Vec<&'f AskedColumn>,
    pub column: &'f AskedColumn,
    pub request: Request,
}

impl<'f> Question<'f> {
    pub(crate) fn new(policies: &'f Policies, facts: &'f Facts) -> Result<Self, Refusal> {
        bounded(facts)?;
        let model = policies.model;
        let alike = alike(policies, facts)?;
        let context = context(facts).map_err(|error| Refusal::unreadable(&error))?;
        let principal = entity(&model.user, &facts.by.user);
        let mut asked = Vec::with_capacity(alike.len());
        for (action, columns) in alike {
            let Some(column) = columns.first().copied() else { continue };
            let request = Request::new(
                principal.clone(),
                entity(&model.action, action.text()),
                entity(&model.column, &column_id(column)),
                context.clone(),
                None,
            )
            .map_err(|error| Refusal::unreadable(&error.to_string()))?;
            asked.push(Asked { action, columns, column, request });
        }
        let entities =
            entities(model, facts, principal, &asked).map_err(|error| Refusal::unreadable(&error))?;
        Ok(Self { facts, entities, asked, parts: &policies.parts, values: policies.parts.no_values() })
    }
}

fn bounded(facts: &Facts) -> Result<(), Refusal> {
    let Facts { by, database, reason, rows, purpose, ticket, case, profile, .. } = facts;
    let texts = [
        ("user name", Some(&by.user)),
        ("person", Some(&by.person)),
        ("database", Some(database)),
        ("reason", Some(reason)),
        ("rows", rows.as_ref()),
        ("purpose", purpose.as_ref()),
        ("ticket", ticket.as_ref()),
        ("case", case.as_ref()),
        ("profile", profile.as_ref()),
    ];
    for (name, text) in texts {
        if text.is_some_and(|text| text.len() > MAX_TEXT) {
            let why = format!("The request's {name} is longer than {MAX_TEXT} bytes.");
            return Err(Refusal::new(why, "Write less."));
        }
    }
    if by.groups.len() > MAX_GROUPS {
        let why = format!("{} is in more than {MAX_GROUPS} groups.", by.user);
        return Err(Refusal::new(why, "Take them out of some."));
    }
    if facts.actions.is_empty() || facts.columns.is_empty() {
        return Err(Refusal::new("The request asks for nothing.", "Name an action and a column."));
    }
    if facts.more_columns > 0 {
        let why = format!("{} of the request's columns were not kept.", facts.more_columns);
        return Err(Refusal::new(why, "Ask for fewer columns at once."));
    }
    Ok(())
}

/// The columns of each action, together where no policy tells them apart, in the request's order.
fn alike<'f>(policies: &Policies, facts: &'f Facts) -> Result<Vec<(Action, Vec<&'f AskedColumn>)>, Refusal> {
    let mut places: HashMap<Seen<'f>, usize> = HashMap::new();
    let mut classes: Vec<Vec<&'f AskedColumn>> = Vec::new();
    for column in &facts.columns {
        let place = *places.entry(policies.looks.seen(column)).or_insert(classes.len());
        match classes.get_mut(place) {
            Some(class) => class.push(column),
            None => classes.push(vec![column]),
        }
    }
    let actions: Vec<Action> =
        Action::ALL.into_iter().filter(|action| facts.actions.contains(action)).collect();
    if classes.len().saturating_mul(actions.len()) > MAX_ASKED {
        let why = format!("The request is for more than {MAX_ASKED} different actions and columns.");
        return Err(Refusal::new(why, "Ask for fewer columns at once."));
    }
    Ok(actions
        .into_iter()
        .flat_map(|action| classes.iter().map(move |class| (action, class.clone())))
        .collect())
}

fn entities(
    model: &Model,
    facts: &Facts,
    principal: EntityUid,
    asked: &[Asked<'_>],
) -> Result<Entities, String> {
    let groups: HashSet<EntityUid> =
        facts.by.groups.iter().map(|group| entity(&model.group, group)).collect();
    let person = HashMap::from([("person".to_owned(), text(&facts.by.person))]);
    let user = Entity::new(principal, person, groups).map_err(|error| error.to_string())?;
    let database = entity(&model.database, &facts.database);
    let mut all = vec![user];
    let mut relations = HashSet::new();
    let mut columns = HashSet::new();
    for Asked { column, .. } in asked {
        if relations.insert(column.relation.as_str()) {
            let uid = entity(&model.relation, &column.relation);
            all.push(Entity::new_no_attrs(uid, HashSet::from([database.clone()])));
        }
        if columns.insert((column.relation.as_str(), column.column.as_str())) {
            all.push(column_entity(model, column, &database)?);
        }
    }
    model.actions.clone().add_entities(all, None).map_err(|error| error.to_string())
}

fn column_entity(model: &Model, column: &AskedColumn, database: &EntityUid) -> Result<Entity, String> {
    let attributes = HashMap::from([
        ("relation".to_owned(), text(&column.relation)),
        ("name".to_owned(), text(&column.column)),
        ("category".to_owned(), text(&column.category)),
        ("sensitivity".to_owned(), text(column.sensitivity.text())),
    ]);
    let parents = HashSet::from([
        entity(&model.relation, &column.relation),
        entity(&model.category, &column.category),
        database.clone(),
    ]);
    Entity::new(entity(&model.column, &column_id(column)), attributes, parents)
        .map_err(|error| error.to_string())
}

fn context(facts: &Facts) -> Result<Context, String> {
    let categories: HashSet<&str> = facts.columns.iter().map(|column| column.category.as_str()).collect();
    let always = [
        ("duration", long(minutes(facts.duration))),
        ("starts_in", long(minutes(facts.starts_in))),
        ("all_rows", flag(facts.rows.is_none())),
        ("columns", long(u64::try_from(facts.columns.len()).unwrap_or(u64::MAX))),
        ("categories", RestrictedExpression::new_set(categories.into_iter().map(text))),
        ("reason", text(&facts.reason)),
        ("urgency", text(facts.urgency.text())),
        ("extends", flag(facts.extends.is_some())),
        ("minute_of_day", long(facts.local.minute_of_day.into())),
        ("hour", long((facts.local.minute_of_day / 60).into())),
        ("weekday", long(facts.local.weekday.into())),
        ("tls", flag(facts.source.tls)),
        ("sign_in", text(facts.by.sign_in.text())),
        ("recent_grants", long(facts.recent_grants.into())),
        ("live_grants", long(facts.live_grants.into())),
    ];
    let for_group = match &facts.holder {
        Who::Group(group) => Some(group.as_str()),
        Who::User(_) => None,
    };
    // A client of a dual-stack socket is 10.0.0.5 to policies, not ::ffff:10.0.0.5.
    let address = facts.source.address.map(|address| address.to_canonical().to_string());
    let sometimes = [
        ("rows", facts.rows.as_deref().map(text)),
        ("estimated_rows", facts.estimated_rows.map(long)),
        ("uses", facts.uses.map(long)),
        ("rows_limit", facts.rows_limit.map(long)),
        ("purpose", facts.purpose.as_deref().map(text)),
        ("ticket", facts.ticket.as_deref().map(text)),
        ("case", facts.case.as_deref().map(text)),
        ("profile", facts.profile.as_deref().map(text)),
        ("for_group", for_group.map(text)),
        ("source", address.map(RestrictedExpression::new_ip)),
        ("second_factor_age", facts.second_factor_age.map(minutes).map(long)),
    ];
    let present = sometimes.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let pairs = always.into_iter().chain(present).map(|(name, value)| (name.to_owned(), value));
    Context::from_pairs(pairs).map_err(|error| error.to_string())
}

fn text(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn flag(flag: bool) -> RestrictedExpression {
    RestrictedExpression::new_bool(flag)
}

fn long(number: u64) -> RestrictedExpression {
    RestrictedExpression::new_long(i64::try_from(number).unwrap_or(i64::MAX))
}

/// Rounded up: 15 minutes and a second are not `<= 15`.
fn minutes(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(60_000_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
