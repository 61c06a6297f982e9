//! FROM clauses.

use sqlparser::ast::{
    FunctionArg, JoinConstraint, JoinOperator, ObjectName, TableAlias, TableFactor, TableWithJoins,
    XmlTableColumnOption,
};

use super::{Follower, Item, Sources, renamed};
use crate::analyse::expr::idents;
use crate::analyse::tree;

impl Follower<'_> {
    pub(super) fn joined(
        &mut self,
        from: &TableWithJoins,
        conditions: &mut Sources,
        merges: &mut bool,
    ) -> Option<()> {
        self.factor(&from.relation, conditions, merges)?;
        for join in &from.joins {
            self.factor(&join.relation, conditions, merges)?;
            let constraint = match &join.join_operator {
                JoinOperator::Join(constraint)
                | JoinOperator::Inner(constraint)
                | JoinOperator::Left(constraint)
                | JoinOperator::LeftOuter(constraint)
                | JoinOperator::Right(constraint)
                | JoinOperator::RightOuter(constraint)
                | JoinOperator::FullOuter(constraint)
                | JoinOperator::CrossJoin(constraint) => constraint,
                _ => return None,
            };
            match constraint {
                JoinConstraint::On(expr) => conditions.extend(self.expr(expr)?),
                JoinConstraint::Using(columns) => {
                    *merges = true;
                    for column in columns {
                        conditions.extend(self.column(idents(column)?.last()?)?);
                    }
                }
                JoinConstraint::Natural => return None,
                JoinConstraint::None => {}
            }
        }
        Some(())
    }

    fn add(&mut self, mut item: Item, alias: Option<&TableAlias>) -> Option<()> {
        if let Some(alias) = alias {
            let names: Vec<&str> = alias.columns.iter().map(|column| column.name.value.as_str()).collect();
            item.columns = renamed(item.columns, &names);
            item.alias = Some(alias.name.value.clone());
        }
        self.scopes.last_mut()?.push(item);
        Some(())
    }

    fn factor(&mut self, factor: &TableFactor, conditions: &mut Sources, merges: &mut bool) -> Option<()> {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                version: None,
                json_path: None,
                sample: None,
                ..
            } => {
                let item = self.relation(name)?;
                self.add(item, alias.as_ref())
            }
            TableFactor::Table { name, alias, args: Some(args), .. } => {
                self.function(name, &args.args, alias.as_ref())
            }
            TableFactor::Function { name, args, alias, .. } => self.function(name, args, alias.as_ref()),
            TableFactor::Derived { lateral, subquery, alias, sample: None } => {
                // Without LATERAL it does not see its neighbours, whose names may hide outer ones.
                let scope = self.scopes.last_mut()?;
                let neighbours = if *lateral { Vec::new() } else { std::mem::take(scope) };
                let columns = self.query(subquery)?.outputs;
                self.scopes.last_mut()?.splice(0..0, neighbours);
                self.add(Item { columns, ..Item::default() }, alias.as_ref())
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                let first = self.scopes.last()?.len();
                self.joined(table_with_joins, conditions, merges)?;
                if alias.is_some() {
                    // Its columns have an order and names of their own: any could be any.
                    let inner: Vec<Item> = self.scopes.last_mut()?.drain(first..).collect();
                    let all = inner.iter().flat_map(Item::row).collect();
                    self.add(Item { others: Some(all), ..Item::default() }, alias.as_ref())?;
                }
                Some(())
            }
            TableFactor::XmlTable { namespaces, row_expression, passing, columns, alias } => {
                let mut sources = self.expr(row_expression)?;
                for expr in namespaces.iter().map(|namespace| &namespace.uri) {
                    sources.extend(self.expr(expr)?);
                }
                for argument in &passing.arguments {
                    sources.extend(self.expr(&argument.expr)?);
                }
                for column in columns {
                    if let XmlTableColumnOption::NamedInfo { path, default, .. } = &column.option {
                        for expr in path.iter().chain(default) {
                            sources.extend(self.expr(expr)?);
                        }
                    }
                }
                self.add(Item { others: Some(sources), ..Item::default() }, alias.as_ref())
            }
            TableFactor::JsonTable { json_expr, alias, .. } => {
                let sources = self.expr(json_expr)?;
                self.add(Item { others: Some(sources), ..Item::default() }, alias.as_ref())
            }
            _ => None,
        }
    }

    fn relation(&self, name: &ObjectName) -> Option<Item> {
        let parts = idents(name)?;
        let (schema, last) = match parts.as_slice() {
            [last] => {
                let cte = self.ctes.iter().rev().find_map(|ctes| ctes.get(&last.value));
                if let Some(columns) = cte {
                    return Some(Item {
                        alias: Some(last.value.clone()),
                        columns: columns.clone(),
                        others: None,
                    });
                }
                ("pg_catalog", last)
            }
            [schema, last] => (schema.value.as_str(), last),
            _ => return None,
        };
        let columns = (self.resolve)(schema, &last.value)?;
        let columns = columns
            .into_iter()
            .map(|column| {
                let source = (schema.to_owned(), last.value.clone(), column.clone());
                (column, Sources::from([source]))
            })
            .collect();
        Some(Item { alias: Some(last.value.clone()), columns, others: None })
    }

    fn function(
        &mut self,
        name: &ObjectName,
        args: &[FunctionArg],
        alias: Option<&TableAlias>,
    ) -> Option<()> {
        let mut parts = Vec::new();
        for argument in args {
            tree::argument_parts(argument, &mut parts)?;
        }
        let sources = self.parts(parts)?;
        let own = idents(name)?.last()?.value.clone();
        self.add(Item { alias: Some(own), columns: Vec::new(), others: Some(sources) }, alias)
    }
}
