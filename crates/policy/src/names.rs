//! The names in a policy that Cedar's validator takes as they are: a misspelt group or urgency
//! would be a policy that never matches, and for a `forbid` a hole.

use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal, Var};
use pgwarrant_grants::ruling::{Sensitivity, SignIn, Urgency};

use crate::problem::{Problem, meant};
use crate::snippet::Snippet;
use crate::terms::unknown;

pub(crate) struct Known {
    pub groups: BTreeSet<String>,
    pub categories: BTreeSet<String>,
    /// Outside conditions.
    pub conditions: BTreeSet<String>,
}

impl Known {
    pub(crate) fn check(
        &self,
        policy: &cedar_policy::Policy,
        clauses: &[Clause],
        snippet: &Snippet<'_>,
        problems: &mut Vec<Problem>,
    ) {
        let mut entities: Vec<(String, String)> = policy
            .entity_literals()
            .iter()
            .map(|uid| (uid.type_name().to_string(), uid.id().unescaped().to_owned()))
            .collect();
        entities.sort();
        entities.dedup();
        for (kind, id) in &entities {
            if let Some((message, hint)) = self.wrong_entity(kind, id) {
                problems.push(snippet.problem(snippet.entity(kind, id), message, Some(hint)));
            }
        }
        let (mut values, mut strangers) = (Vec::new(), Vec::new());
        for clause in clauses {
            let (Clause::When(expression) | Clause::Unless(expression)) = clause;
            compared(expression, &mut values);
            looked_into(expression, &mut strangers);
        }
        for (kind, id) in strangers {
            let message = format!("attributes of {kind}::{id:?} are not known");
            let hint = "Only principal and resource have attributes here.".to_owned();
            problems.push(snippet.problem(snippet.entity(&kind, &id), message, Some(hint)));
        }
        values.sort();
        values.dedup();
        for (attribute, value) in &values {
            if let Some((message, hint)) = self.wrong_value(attribute, value) {
                problems.push(snippet.problem(snippet.string(value), message, Some(hint)));
            }
        }
    }

    fn wrong_entity(&self, kind: &str, id: &str) -> Option<(String, String)> {
        let parts =
            |wanted: usize| id.split('.').count() == wanted && id.split('.').all(|part| !part.is_empty());
        match kind {
            "Group" if !self.groups.contains(id) => Some(unknown("group", id, &self.groups)),
            "Category" if !self.categories.contains(id) => Some(unknown("category", id, &self.categories)),
            "Relation" if !parts(2) => Some((
                format!("{id:?} does not name a relation with its schema"),
                r#"Write Relation::"public.customers"."#.to_owned(),
            )),
            "Column" if !parts(3) => Some((
                format!("{id:?} does not name a column with its relation and schema"),
                r#"Write Column::"public.customers.email"."#.to_owned(),
            )),
            _ => None,
        }
    }

    fn wrong_value(&self, attribute: &str, value: &str) -> Option<(String, String)> {
        let words: Vec<&str> = match attribute {
            "category" | "categories" => {
                return (!self.categories.contains(value))
                    .then(|| unknown("category", value, &self.categories));
            }
            "for_group" => {
                return (!self.groups.contains(value)).then(|| unknown("group", value, &self.groups));
            }
            "urgency" => [Urgency::Normal, Urgency::Urgent, Urgency::BreakGlass].map(Urgency::text).to_vec(),
            "sensitivity" => {
                [Sensitivity::Low, Sensitivity::Medium, Sensitivity::High].map(Sensitivity::text).to_vec()
            }
            "sign_in" => [
                SignIn::Scram,
                SignIn::Certificate,
                SignIn::Oidc,
                SignIn::Ldap,
                SignIn::Token,
                SignIn::Webhook,
            ]
            .map(SignIn::text)
            .to_vec(),
            _ => return None,
        };
        (!words.contains(&value)).then(|| {
            let hint = meant(value, words.iter().copied(), "");
            (format!("{attribute} is never {value:?}"), hint)
        })
    }
}

/// The strings that attributes are compared with: (attribute, string).
fn compared(expression: &Expr, found: &mut Vec<(String, String)>) {
    if let Expr::BinaryOp { op, left, right } = expression {
        let equality = matches!(
            op,
            BinaryOp::Eq
                | BinaryOp::NotEq
                | BinaryOp::Contains
                | BinaryOp::ContainsAll
                | BinaryOp::ContainsAny
        );
        for (one, other) in [(left, right), (right, left)] {
            if let Some(attribute) = attribute(one).filter(|_| equality) {
                let strings = strings(other).into_iter().map(|value| (attribute.to_owned(), value));
                found.extend(strings);
            }
        }
    }
    for part in parts(expression) {
        compared(part, found);
    }
}

/// Entities whose attributes are looked at, though they are not in the request. Written in a
/// roundabout way it is an error when the policy is evaluated, and refuses.
fn looked_into(expression: &Expr, found: &mut Vec<(String, String)>) {
    if let Expr::GetAttr { expr, .. } | Expr::HasAttr { expr, .. } = expression
        && let Expr::Literal(Literal::EntityUID(uid)) = &**expr
    {
        found.push((uid.ty.to_string(), uid.eid.to_string()));
    }
    for part in parts(expression) {
        looked_into(part, found);
    }
}

fn attribute(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::GetAttr { expr, attr } if matches!(**expr, Expr::Var(Var::Context | Var::Resource)) => {
            Some(attr)
        }
        _ => None,
    }
}

fn strings(expression: &Expr) -> Vec<String> {
    match expression {
        Expr::Literal(Literal::String(text)) => vec![text.to_string()],
        Expr::Set(items) => items.iter().flat_map(|item| strings(item)).collect(),
        _ => Vec::new(),
    }
}

/// What an expression is directly made of. Of kinds that Cedar may get later, nothing.
pub(crate) fn parts(expression: &Expr) -> Vec<&Expr> {
    let parts: Vec<&Arc<Expr>> = match expression {
        Expr::UnaryOp { expr, .. } | Expr::GetAttr { expr, .. } | Expr::HasAttr { expr, .. } => vec![expr],
        Expr::Like { expr, .. } => vec![expr],
        Expr::BinaryOp { left, right, .. } => vec![left, right],
        Expr::Is { expr, in_expr, .. } => std::iter::once(expr).chain(in_expr).collect(),
        Expr::IfThenElse { cond, then_expr, else_expr } => vec![cond, then_expr, else_expr],
        Expr::Set(items) => items.iter().collect(),
        Expr::Record(fields) => fields.values().collect(),
        _ => Vec::new(),
    };
    parts.into_iter().map(Arc::as_ref).collect()
}
