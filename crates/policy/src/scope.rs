//! Whom, what and which action a policy is about: `permit (principal …, action …, resource …)`.
//!
//! Read out of the policy so that those about others are not evaluated at all, and so that a
//! requester can be told which part did not fit. What is found satisfied was evaluated by Cedar, its
//! scope included.

use cedar_policy::{ActionConstraint, EntityUid, Policy, PrincipalConstraint, ResourceConstraint};
use pgwarrant_grants::ruling::{Action, AskedColumn, Asker};

use crate::model::actions_of;

pub(crate) enum PrincipalScope {
    Any,
    User(String),
    Group(String),
}

enum ResourceScope {
    Any,
    Database(String),
    Relation(String),
    Category(String),
    /// `public.customers.email`
    Column(String),
}

pub(crate) struct Scope {
    pub principal: PrincipalScope,
    /// None: every action.
    actions: Option<Vec<Action>>,
    resource: ResourceScope,
}

/// The part of a scope that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Principal,
    Action,
    Resource,
}

impl Part {
    pub fn text(self) -> &'static str {
        match self {
            Part::Principal => "principal",
            Part::Action => "action",
            Part::Resource => "resource",
        }
    }
}

impl Scope {
    /// None: of a form that the schema does not allow, which the validator has reported.
    pub(crate) fn of(policy: &Policy) -> Option<Self> {
        let principal = match policy.principal_constraint() {
            PrincipalConstraint::Any | PrincipalConstraint::Is(_) => PrincipalScope::Any,
            PrincipalConstraint::Eq(uid)
            | PrincipalConstraint::In(uid)
            | PrincipalConstraint::IsIn(_, uid) => match named(&uid) {
                ("User", id) => PrincipalScope::User(id),
                ("Group", id) => PrincipalScope::Group(id),
                _ => return None,
            },
        };
        let actions = match policy.action_constraint() {
            ActionConstraint::Any => None,
            ActionConstraint::Eq(uid) => Some(actions_of(&named(&uid).1)),
            ActionConstraint::In(uids) => {
                Some(uids.iter().flat_map(|uid| actions_of(&named(uid).1)).collect())
            }
        };
        let resource = match policy.resource_constraint() {
            ResourceConstraint::Any | ResourceConstraint::Is(_) => ResourceScope::Any,
            ResourceConstraint::Eq(uid) | ResourceConstraint::In(uid) | ResourceConstraint::IsIn(_, uid) => {
                match named(&uid) {
                    ("Database", id) => ResourceScope::Database(id),
                    ("Relation", id) => ResourceScope::Relation(id),
                    ("Category", id) => ResourceScope::Category(id),
                    ("Column", id) => ResourceScope::Column(id),
                    _ => return None,
                }
            }
        };
        Some(Self { principal, actions, resource })
    }

    /// The first part that does not fit.
    pub(crate) fn misfit(
        &self,
        by: &Asker,
        action: Action,
        column: &AskedColumn,
        database: &str,
    ) -> Option<Part> {
        let principal = match &self.principal {
            PrincipalScope::Any => true,
            PrincipalScope::User(user) => *user == by.user,
            PrincipalScope::Group(group) => by.groups.contains(group),
        };
        let resource = match &self.resource {
            ResourceScope::Any => true,
            ResourceScope::Database(name) => name == database,
            ResourceScope::Relation(name) => *name == column.relation,
            ResourceScope::Category(name) => *name == column.category,
            ResourceScope::Column(name) => is_column(name, column),
        };
        let action = self.actions.as_ref().is_none_or(|actions| actions.contains(&action));
        match (principal, action, resource) {
            (false, ..) => Some(Part::Principal),
            (_, false, _) => Some(Part::Action),
            (.., false) => Some(Part::Resource),
            _ => None,
        }
    }
}

fn is_column(name: &str, column: &AskedColumn) -> bool {
    let of_relation = name.strip_prefix(column.relation.as_str()).and_then(|rest| rest.strip_prefix('.'));
    of_relation == Some(column.column.as_str())
}

fn named(uid: &EntityUid) -> (&'static str, String) {
    const KINDS: [&str; 6] = ["User", "Group", "Database", "Relation", "Category", "Column"];
    let kind = uid.type_name().basename();
    let kind = KINDS.into_iter().find(|known| *known == kind).unwrap_or("");
    (kind, uid.id().unescaped().to_owned())
}
