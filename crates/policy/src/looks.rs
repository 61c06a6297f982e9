//! What policies look at of a column. Columns that no policy can tell apart are decided as one.

use std::collections::HashSet;

use cedar_policy::pst::{Clause, Expr, Var};
use pgwarrant_grants::ruling::AskedColumn;

use crate::names::parts;

/// What a set of policies looks at.
#[derive(Default)]
pub(crate) struct Looks {
    relation: bool,
    name: bool,
    category: bool,
    sensitivity: bool,
    /// Entities that a policy names: (`"Relation"`, `"public.customers"`).
    named: HashSet<(String, String)>,
}

/// What tells one asked column from another.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Seen<'f> {
    relation: Option<&'f str>,
    name: Option<&'f str>,
    whole: Option<(&'f str, &'f str)>,
    category: Option<&'f str>,
    sensitivity: Option<&'static str>,
}

impl Looks {
    /// Adds what one policy looks at. True if its conditions may come out differently for another
    /// column or action of the same request.
    pub(crate) fn add(&mut self, policy: &cedar_policy::Policy, clauses: &[Clause]) -> bool {
        for uid in policy.entity_literals() {
            self.named.insert((uid.type_name().to_string(), uid.id().unescaped().to_owned()));
        }
        let mut depends = false;
        for clause in clauses {
            let (Clause::When(expression) | Clause::Unless(expression)) = clause;
            depends |= self.expression(expression);
        }
        depends
    }

    /// The same of an expression.
    pub(crate) fn expression(&mut self, expression: &Expr) -> bool {
        let mut depends = false;
        match expression {
            Expr::Var(variable) => depends = matches!(variable, Var::Resource | Var::Action),
            Expr::GetAttr { attr, .. } => self.attribute(attr),
            Expr::Literal(_)
            | Expr::UnaryOp { .. }
            | Expr::BinaryOp { .. }
            // Each has all attributes that a column can have.
            | Expr::HasAttr { .. }
            | Expr::Like { .. }
            | Expr::Is { .. }
            | Expr::IfThenElse { .. }
            | Expr::Set(_)
            | Expr::Record(_) => {}
            // A kind that Cedar got later may look at anything.
            _ => {
                depends = true;
                for attribute in ["relation", "name", "category", "sensitivity"] {
                    self.attribute(attribute);
                }
            }
        }
        for part in parts(expression) {
            depends |= self.expression(part);
        }
        depends
    }

    /// Whosever it is: `{c: resource}.c.name` is one way to write `resource.name`.
    fn attribute(&mut self, attribute: &str) {
        match attribute {
            "relation" => self.relation = true,
            "name" => self.name = true,
            "category" => self.category = true,
            "sensitivity" => self.sensitivity = true,
            _ => {}
        }
    }

    fn names(&self, kind: &str, id: String) -> bool {
        !self.named.is_empty() && self.named.contains(&(kind.to_owned(), id))
    }

    pub(crate) fn seen<'f>(&self, column: &'f AskedColumn) -> Seen<'f> {
        let relation = self.relation || self.names("Relation", column.relation.clone());
        let category = self.category || self.names("Category", column.category.clone());
        let whole = self.names("Column", column_id(column));
        Seen {
            relation: relation.then_some(column.relation.as_str()),
            name: self.name.then_some(column.column.as_str()),
            whole: whole.then_some((column.relation.as_str(), column.column.as_str())),
            category: category.then_some(column.category.as_str()),
            sensitivity: self.sensitivity.then_some(column.sensitivity.text()),
        }
    }
}

/// `public.customers.email`
pub(crate) fn column_id(column: &AskedColumn) -> String {
    format!("{}.{}", column.relation, column.column)
}
