//! What policies can name: the schema, and the entities of a request.

use std::str::FromStr;
use std::sync::LazyLock;

use cedar_policy::{Entities, EntityId, EntityTypeName, EntityUid, Schema};
use pgwarrant_grants::ruling::Action;

/// The schema that every policy is validated against, in Cedar's own syntax.
pub const SCHEMA: &str = include_str!("schema.cedarschema");

/// The schema, read.
pub(crate) struct Model {
    pub schema: Schema,
    /// `select` in `read`, and so on.
    pub actions: Entities,
    pub user: EntityTypeName,
    pub group: EntityTypeName,
    pub database: EntityTypeName,
    pub relation: EntityTypeName,
    pub category: EntityTypeName,
    pub column: EntityTypeName,
    pub action: EntityTypeName,
}

static MODEL: LazyLock<Result<Model, String>> = LazyLock::new(read);

/// An error is a defect of this crate, which its tests would show.
pub(crate) fn model() -> Result<&'static Model, String> {
    MODEL.as_ref().map_err(Clone::clone)
}

fn read() -> Result<Model, String> {
    let (schema, _warnings) = Schema::from_cedarschema_str(SCHEMA).map_err(|error| error.to_string())?;
    let actions = schema.action_entities().map_err(|error| error.to_string())?;
    let kind = |name: &str| EntityTypeName::from_str(name).map_err(|error| error.to_string());
    Ok(Model {
        schema,
        actions,
        user: kind("User")?,
        group: kind("Group")?,
        database: kind("Database")?,
        relation: kind("Relation")?,
        category: kind("Category")?,
        column: kind("Column")?,
        action: kind("Action")?,
    })
}

/// `Group::"privacy"`
pub(crate) fn entity(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

/// The actions that `Action::"name"` stands for.
pub(crate) fn actions_of(name: &str) -> Vec<Action> {
    match name {
        "read" => vec![Action::Select],
        "write" => vec![Action::Insert, Action::Update, Action::Delete],
        _ => Action::ALL.into_iter().filter(|action| action.text() == name).collect(),
    }
}
