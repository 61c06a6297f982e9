//! The walk over expressions.

use sqlparser::ast::{DataType, Expr, Function, Ident, ObjectName, ObjectNamePart};

use super::account::Role;
use super::parse::token_of;
use super::tree::{self, Part};
use super::walk::{Walk, Walked, What};
use super::{refuse, text};
use crate::Refusal;

/// The parts of a name; None for forms of other dialects.
pub(crate) fn idents(name: &ObjectName) -> Option<Vec<&Ident>> {
    name.0
        .iter()
        .map(|part| match part {
            ObjectNamePart::Identifier(ident) => Some(ident),
            ObjectNamePart::Function(_) => None,
        })
        .collect()
}

impl Walk<'_> {
    pub(crate) fn name_parts<'n>(&self, name: &'n ObjectName) -> Result<Vec<&'n Ident>, Refusal> {
        idents(name).filter(|parts| !parts.is_empty()).ok_or_else(|| self.unsupported("such a name", None))
    }

    pub(crate) fn expr(&mut self, expr: &Expr) -> Walked {
        let (first, rest) =
            tree::leftmost(expr).ok_or_else(|| self.unsupported("such an expression", None))?;
        match first {
            None => {}
            Some(Expr::Function(function)) => self.function(function)?,
            Some(name) => self.name(name)?,
        }
        rest.into_iter().rev().try_for_each(|part| self.part(part))
    }

    /// A name with points, and what follows it.
    fn name(&mut self, expr: &Expr) -> Walked {
        let Some((names, rest)) = tree::compound(expr) else {
            return Err(self.unsupported("such an expression", None));
        };
        match names.as_slice() {
            [only] => self.column(only)?,
            names => self.qualified_column(names)?,
        }
        let rest =
            tree::chain(rest).ok_or_else(|| self.unsupported("such a subscript", names.first().copied()))?;
        self.parts(rest)
    }

    pub(crate) fn parts(&mut self, parts: Vec<Part<'_>>) -> Walked {
        parts.into_iter().try_for_each(|part| self.part(part))
    }

    fn part(&mut self, part: Part<'_>) -> Walked {
        match part {
            Part::Expr(expr) => self.expr(expr),
            Part::Query(query) => self.query(query),
            Part::Type(of) => self.data_type(of),
            Part::Name(ident) => self.column(ident),
            Part::Field(ident) => self.role(ident, Role::Field),
            Part::Alias(ident) => self.role(ident, Role::Alias),
            Part::Collation(name) => {
                for ident in self.name_parts(name)? {
                    self.role(ident, Role::Alias)?;
                }
                Ok(())
            }
            Part::WholeRow(name) => {
                let parts = self.name_parts(name)?;
                let found = self.qualifier(&parts);
                self.qualified_by(&parts, found.as_ref().map(|(_, item)| item))?;
                match found {
                    Some((block, item)) => {
                        self.uses_row(block, &item, parts.last().copied().and_then(token_of))?;
                        match (&item.what, &item.alias, parts.first(), parts.last()) {
                            (What::Entry(entry), Some(alias), Some(first), Some(last)) => {
                                let tokens = self.token(first)?..self.token(last)? + 1;
                                self.refer_row(*entry, tokens, &text::name(alias))
                            }
                            _ => Ok(()),
                        }
                    }
                    None => match parts.last().filter(|_| self.sees_target()) {
                        Some(last) => Err(refuse::missing_from(&last.value, self.byte(last))),
                        None => Ok(()),
                    },
                }
            }
        }
    }

    fn function(&mut self, function: &Function) -> Walked {
        let name = self.name_parts(&function.name)?;
        if self.call(&name, tree::argument_count(function), false)? {
            // Replaced with its arguments and all.
            return Ok(());
        }
        let arguments =
            tree::arguments(function).ok_or_else(|| self.unsupported("such a call", name.last().copied()))?;
        if let Some(function) = name.last() {
            for part in &arguments {
                if let Part::Expr(Expr::Identifier(argument)) = part {
                    self.note_argument(function, argument);
                }
            }
        }
        let aggregates = name.last().is_some_and(|name| is_aggregate(&name.value)) && function.over.is_none();
        let block = self.blocks.len().checked_sub(1);
        self.within_aggregate(block.filter(|_| aggregates), 1);
        self.parts(arguments)?;
        self.within_aggregate(block.filter(|_| aggregates), -1);
        Ok(())
    }

    fn within_aggregate(&mut self, block: Option<usize>, step: isize) {
        if let Some(block) = block.and_then(|block| self.blocks.get_mut(block)) {
            block.aggregates = block.aggregates.saturating_add_signed(step);
        }
    }

    pub(crate) fn data_type(&mut self, of: &DataType) -> Walked {
        use sqlparser::ast::ArrayElemTypeDef as Elements;
        match of {
            DataType::Custom(name, _) => {
                let parts = self.name_parts(name)?;
                if let Some((last, schemas)) = parts.split_last() {
                    self.role(last, Role::Type)?;
                    schemas.iter().try_for_each(|schema| self.role(schema, Role::Schema))?;
                }
                Ok(())
            }
            DataType::Array(Elements::SquareBracket(element, _) | Elements::Qualified(element, _)) => {
                self.data_type(element)
            }
            DataType::Array(_)
            | DataType::Table(_)
            | DataType::NamedTable { .. }
            | DataType::Map(..)
            | DataType::Tuple(_)
            | DataType::Nested(_)
            | DataType::Enum(..)
            | DataType::Set(_)
            | DataType::Struct(..)
            | DataType::Union(_)
            | DataType::Nullable(_)
            | DataType::LowCardinality(_) => Err(self.unsupported("such a type", None)),
            // All others are keywords with numbers.
            _ => Ok(()),
        }
    }
}

/// The aggregates of PostgreSQL that ORMs and BI tools use. For one that is missing here, a column
/// too many is added to GROUP BY, which changes nothing where it depends on the key.
fn is_aggregate(name: &str) -> bool {
    const AGGREGATES: [&str; 33] = [
        "any_value",
        "array_agg",
        "avg",
        "bit_and",
        "bit_or",
        "bit_xor",
        "bool_and",
        "bool_or",
        "corr",
        "count",
        "covar_pop",
        "covar_samp",
        "every",
        "json_agg",
        "json_object_agg",
        "jsonb_agg",
        "jsonb_object_agg",
        "max",
        "min",
        "mode",
        "percentile_cont",
        "percentile_disc",
        "range_agg",
        "regr_count",
        "stddev",
        "stddev_pop",
        "stddev_samp",
        "string_agg",
        "sum",
        "var_pop",
        "var_samp",
        "variance",
        "xmlagg",
    ];
    AGGREGATES.contains(&name)
}
