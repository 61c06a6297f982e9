//! Along which references a risk spreads.

use crate::Oid;
use crate::builtins::is_reviewed_view;
use crate::safety::{How, Judge, Node};
use crate::snapshot::{FIRST_NORMAL_OID, Source, Target};

impl Judge<'_> {
    fn edge(&mut self, from: Node, to: Node, how: How) {
        self.edges.entry(from).or_default().push((to, how));
    }

    pub fn connect(&mut self) {
        let snapshot = self.snapshot;
        for reference in &snapshot.references {
            let causes: &[Node] = match reference.to {
                Target::Function(oid) => &[Node::Function(oid)],
                Target::Operator(oid) => &[Node::Operator(oid)],
                Target::Type(oid) => &[Node::TypeName(oid)],
                Target::Relation(oid, _) => &[Node::Reading(oid), Node::Writing(oid)],
            };
            for cause in causes {
                self.connect_reference(*cause, reference.from);
            }
        }
        for (oid, row) in &snapshot.types {
            let parts = [row.base.map(|base| base.0), row.element, row.range_of];
            for part in parts.into_iter().flatten() {
                self.edge(Node::Type(part), Node::Type(*oid), "is made of");
                self.edge(Node::TypeName(part), Node::TypeName(*oid), "is made of");
            }
            self.edge(Node::Type(*oid), Node::TypeName(*oid), "is");
            let row_type = row.relation.and_then(|relation| snapshot.relations.get(&relation));
            if let Some(relation) = row_type {
                self.edge(Node::Type(*oid), Node::Reading(relation.oid), "has rows of");
            }
            for column in row_type.map(|relation| relation.columns.as_slice()).unwrap_or_default() {
                self.edge(Node::Type(column.type_oid), Node::Type(*oid), "has a column of");
            }
        }
        for relation in snapshot.relations.values() {
            for column in &relation.columns {
                // Built-in types are never a risk by their values.
                if column.type_oid >= FIRST_NORMAL_OID {
                    self.edge(Node::Type(column.type_oid), Node::Reading(relation.oid), "has a column of");
                    self.edge(Node::Type(column.type_oid), Node::Writing(relation.oid), "has a column of");
                }
            }
            for parent in &relation.parents {
                self.edge(Node::Reading(relation.oid), Node::Reading(*parent), "includes");
                self.edge(Node::Writing(relation.oid), Node::Writing(*parent), "includes");
            }
        }
        for (oid, function) in &snapshot.functions {
            for type_oid in function.types.iter().filter(|type_oid| **type_oid >= FIRST_NORMAL_OID) {
                self.edge(Node::Type(*type_oid), Node::Function(*oid), "takes or returns");
            }
        }
    }

    fn connect_reference(&mut self, cause: Node, from: Source) {
        let snapshot = self.snapshot;
        let relation = matches!(cause, Node::Reading(_) | Node::Writing(_));
        match from {
            Source::View(view) => match cause {
                Node::Reading(_) => self.edge(cause, Node::Reading(view), "reads"),
                // Writing a view writes what it shows.
                Node::Writing(_) => self.edge(cause, Node::Writing(view), "shows"),
                Node::Function(oid) if self.is_reviewed_view(view, oid) => {}
                _ => self.edge(cause, Node::Reading(view), "uses"),
            },
            Source::Rule(owner) if cause != Node::Reading(owner) && cause != Node::Writing(owner) => {
                self.edge(cause, Node::Writing(owner), "has a rule that uses");
            }
            Source::Rule(_) => {}
            Source::Default(owner, attnum) if !relation => {
                self.edge(cause, Node::Writing(owner), "has a default that uses");
                let generated = snapshot
                    .relations
                    .get(&owner)
                    .and_then(|owner| owner.by_attnum(attnum))
                    .is_some_and(|column| column.generated);
                if generated {
                    self.edge(cause, Node::Reading(owner), "has a generated column that uses");
                }
            }
            Source::Constraint(owner) if !relation => {
                self.edge(cause, Node::Writing(owner), "has a constraint that uses");
            }
            Source::Index(owner) if !relation => {
                self.edge(cause, Node::Writing(owner), "has an index that uses")
            }
            Source::Expression(owner) if !relation => {
                self.edge(cause, Node::Writing(owner), "has a partition key or statistics that use");
            }
            Source::OperatorClass(owner) => {
                self.edge(cause, Node::Reading(owner), "has an index or a partition key that uses");
                self.edge(cause, Node::Writing(owner), "has an index or a partition key that uses");
            }
            Source::EventTrigger(oid) => self.edge(cause, Node::EventTrigger(oid), "calls"),
            Source::Trigger(owner) if !relation => {
                self.edge(cause, Node::Writing(owner), "has a trigger that uses")
            }
            Source::Policy(owner) if !relation => {
                self.edge(cause, Node::Reading(owner), "has a policy that uses");
                self.edge(cause, Node::Writing(owner), "has a policy that uses");
            }
            Source::Default(..)
            | Source::Constraint(_)
            | Source::Index(_)
            | Source::Expression(_)
            | Source::Trigger(_)
            | Source::Policy(_) => {}
            Source::ForeignKey(owner) => {
                // Writing the referenced relation writes this one.
                if let Node::Writing(referenced) = cause
                    && referenced != owner
                {
                    self.edge(
                        Node::Writing(owner),
                        Node::Writing(referenced),
                        "is referenced with an action by",
                    );
                }
            }
            Source::Function(oid) => {
                self.edge(cause, Node::Function(oid), if relation { "reads" } else { "calls" })
            }
            Source::Operator(oid) => self.edge(cause, Node::Operator(oid), "calls"),
            Source::Type(oid) if oid >= FIRST_NORMAL_OID => self.edge(cause, Node::Type(oid), "uses"),
            Source::ImplicitCast(oid) if oid >= FIRST_NORMAL_OID => {
                self.edge(cause, Node::Type(oid), "has a cast that calls");
            }
            Source::Type(oid) | Source::ImplicitCast(oid) | Source::ExplicitCast(oid) => {
                self.edge(cause, Node::TypeName(oid), "has a cast that calls");
            }
        }
    }

    /// `pg_stat_statements` and its like, whose columns are protected one by one.
    fn is_reviewed_view(&self, view: Oid, function: Oid) -> bool {
        let Some(function) = self.snapshot.functions.get(&function) else { return false };
        let same_name = self.snapshot.relations.get(&view).is_some_and(|view| view.name == function.name);
        same_name
            && function.extension.as_deref() == Some("pg_stat_statements")
            && is_reviewed_view(&function.name)
    }
}
