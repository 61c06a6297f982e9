//! What an expression is made of, variant by variant.
//!
//! Exhaustive on purpose: a variant that PostgreSQL has no syntax for, or that was not looked at,
//! is not understood, and so is one that a later version of the parser adds.

use sqlparser::ast::{
    AccessExpr, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments, Ident, ListAggOnOverflow, ObjectName, OrderByExpr, OrderBySort, Query, Subscript,
    Value, WindowFrameBound, WindowSpec, WindowType,
};

/// A part of an expression.
#[derive(Clone, Copy)]
pub(crate) enum Part<'e> {
    Expr(&'e Expr),
    Query(&'e Query),
    Type(&'e DataType),
    /// A name that is a column's, of this or an outer query, or a relation's for its whole row.
    Name(&'e Ident),
    /// A name after a point on something that is not a name.
    Field(&'e Ident),
    /// A name that the statement gives, or that stands for one it gave.
    Alias(&'e Ident),
    /// The name of a collation.
    Collation(&'e ObjectName),
    /// `t.*` as an argument.
    WholeRow(&'e ObjectName),
}

/// The parts of an expression in the order of the text; None where it is not understood.
///
/// Names with points ([`Expr::CompoundIdentifier`], and the first names of a
/// [`Expr::CompoundFieldAccess`]) and calls are for the caller, who asks [`compound`] and
/// [`arguments`].
pub(crate) fn parts(expr: &Expr) -> Option<Vec<Part<'_>>> {
    use Part::Expr as E;
    Some(match expr {
        Expr::Identifier(ident) => vec![Part::Name(ident)],
        Expr::Value(_) => vec![],
        // The parser takes a quoted name for the constant, too.
        Expr::TypedString(typed)
            if !typed.uses_odbc_syntax && matches!(typed.value.value, Value::SingleQuotedString(_)) =>
        {
            vec![Part::Type(&typed.data_type)]
        }
        Expr::IsFalse(inner)
        | Expr::IsNotFalse(inner)
        | Expr::IsTrue(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsNull(inner)
        | Expr::IsNotNull(inner)
        | Expr::IsUnknown(inner)
        | Expr::IsNotUnknown(inner)
        | Expr::Nested(inner)
        | Expr::UnaryOp { expr: inner, .. }
        | Expr::IsJson { expr: inner, .. }
        | Expr::IsNormalized { expr: inner, .. } => vec![E(inner)],
        Expr::IsDistinctFrom(left, right)
        | Expr::IsNotDistinctFrom(left, right)
        | Expr::BinaryOp { left, right, .. }
        | Expr::AnyOp { left, right, .. }
        | Expr::AllOp { left, right, .. }
        | Expr::AtTimeZone { timestamp: left, time_zone: right }
        | Expr::Position { expr: left, r#in: right } => vec![E(left), E(right)],
        Expr::InList { expr, list, .. } => std::iter::once(E(expr)).chain(list.iter().map(E)).collect(),
        Expr::InSubquery { expr, subquery, .. } => vec![E(expr), Part::Query(subquery)],
        Expr::Between { expr, low, high, .. } => vec![E(expr), E(low), E(high)],
        Expr::Like { expr, pattern, escape_char, .. }
        | Expr::ILike { expr, pattern, escape_char, .. }
        | Expr::SimilarTo { expr, pattern, escape_char, .. } => {
            let mut parts = vec![E(expr), E(pattern)];
            parts.extend(escape_char.as_deref().map(E));
            parts
        }
        Expr::Cast { expr, data_type, format: None, .. } => vec![E(expr), Part::Type(data_type)],
        Expr::Extract { expr, .. } | Expr::Ceil { expr, .. } | Expr::Floor { expr, .. } => vec![E(expr)],
        Expr::Substring { expr, substring_from, substring_for, .. } => {
            let mut parts = vec![E(expr)];
            parts.extend(substring_from.as_deref().map(E));
            parts.extend(substring_for.as_deref().map(E));
            parts
        }
        Expr::Trim { trim_what, expr, trim_characters, .. } => {
            let mut parts: Vec<Part<'_>> = trim_what.as_deref().map(E).into_iter().collect();
            parts.push(E(expr));
            parts.extend(trim_characters.iter().flatten().map(E));
            parts
        }
        Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
            let mut parts = vec![E(expr), E(overlay_what), E(overlay_from)];
            parts.extend(overlay_for.as_deref().map(E));
            parts
        }
        Expr::Collate { expr, collation } => vec![E(expr), Part::Collation(collation)],
        Expr::Case { operand, conditions, else_result, .. } => {
            let mut parts: Vec<Part<'_>> = operand.as_deref().map(E).into_iter().collect();
            parts.extend(conditions.iter().flat_map(|when| [E(&when.condition), E(&when.result)]));
            parts.extend(else_result.as_deref().map(E));
            parts
        }
        Expr::Exists { subquery, .. } | Expr::Subquery(subquery) => vec![Part::Query(subquery)],
        Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => {
            sets.iter().flatten().map(E).collect()
        }
        Expr::Tuple(items) => items.iter().map(E).collect(),
        Expr::Array(array) => array.elem.iter().map(E).collect(),
        Expr::Interval(interval) => vec![E(&interval.value)],
        Expr::Named { expr, name } => vec![E(expr), Part::Alias(name)],
        Expr::CompoundFieldAccess { root, access_chain } => {
            let mut parts = vec![E(root)];
            for access in access_chain {
                access_parts(access, &mut parts)?;
            }
            parts
        }
        Expr::CompoundIdentifier(_) | Expr::Function(_) => return None,
        Expr::JsonAccess { .. }
        | Expr::InUnnest { .. }
        | Expr::RLike { .. }
        | Expr::Convert { .. }
        | Expr::Cast { .. }
        | Expr::TypedString(_)
        | Expr::Prefixed { .. }
        | Expr::Struct { .. }
        | Expr::Dictionary(_)
        | Expr::Map(_)
        | Expr::MatchAgainst { .. }
        | Expr::Wildcard(_)
        | Expr::QualifiedWildcard(..)
        | Expr::OuterJoin(_)
        | Expr::Prior(_)
        | Expr::Lambda(_)
        | Expr::MemberOf(_) => return None,
    })
}

/// Down the left side of an expression: its leftmost operand that is a name, a call or a constant,
/// and the other parts, last first. In a loop, because chains of operators and casts are as deep as
/// they are long. None where a part is not understood.
pub(crate) fn leftmost(expr: &Expr) -> Option<(Option<&Expr>, Vec<Part<'_>>)> {
    let mut rest = Vec::new();
    let mut expr = expr;
    loop {
        if matches!(expr, Expr::Function(_)) || compound(expr).is_some() {
            return Some((Some(expr), rest));
        }
        let parts = parts(expr)?;
        match parts.split_first() {
            Some((Part::Expr(first), more)) => {
                rest.extend(more.iter().rev().copied());
                expr = first;
            }
            _ => {
                rest.extend(parts.into_iter().rev());
                return Some((None, rest));
            }
        }
    }
}

fn access_parts<'e>(access: &'e AccessExpr, parts: &mut Vec<Part<'e>>) -> Option<()> {
    match access {
        AccessExpr::Dot(Expr::Identifier(ident)) => parts.push(Part::Field(ident)),
        AccessExpr::Dot(_) => return None,
        AccessExpr::Subscript(Subscript::Index { index }) => parts.push(Part::Expr(index)),
        AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride: None }) => {
            parts.extend([lower_bound, upper_bound].into_iter().flatten().map(Part::Expr));
        }
        AccessExpr::Subscript(Subscript::Slice { .. }) => return None,
    }
    Some(())
}

/// A name with points, and what follows it: `c.tags[1].x` is the name `c.tags`, then the index and
/// the field.
pub(crate) fn compound(expr: &Expr) -> Option<(Vec<&Ident>, &[AccessExpr])> {
    match expr {
        Expr::CompoundIdentifier(idents) => Some((idents.iter().collect(), &[])),
        Expr::CompoundFieldAccess { root, access_chain } => {
            let mut names: Vec<&Ident> = match root.as_ref() {
                Expr::Identifier(ident) => vec![ident],
                Expr::CompoundIdentifier(idents) => idents.iter().collect(),
                _ => return None,
            };
            let mut rest = access_chain.as_slice();
            while let [AccessExpr::Dot(Expr::Identifier(ident)), more @ ..] = rest {
                names.push(ident);
                rest = more;
            }
            Some((names, rest))
        }
        _ => None,
    }
}

/// The parts of what follows a name.
pub(crate) fn chain(rest: &[AccessExpr]) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    for access in rest {
        access_parts(access, &mut parts)?;
    }
    Some(parts)
}

/// The parts of a call, its name aside.
pub(crate) fn arguments(function: &Function) -> Option<Vec<Part<'_>>> {
    let Function {
        name: _,
        uses_odbc_syntax,
        parameters,
        args,
        within_group,
        filter,
        null_treatment: _,
        over,
    } = function;
    if *uses_odbc_syntax || !matches!(parameters, FunctionArguments::None) {
        return None;
    }
    let mut parts = Vec::new();
    match args {
        FunctionArguments::None => {}
        FunctionArguments::Subquery(query) => parts.push(Part::Query(query)),
        FunctionArguments::List(list) => {
            for argument in &list.args {
                argument_parts(argument, &mut parts)?;
            }
            for clause in &list.clauses {
                match clause {
                    FunctionArgumentClause::OrderBy(order) => ordering(order, &mut parts)?,
                    FunctionArgumentClause::IgnoreOrRespectNulls(_)
                    | FunctionArgumentClause::JsonNullClause(_) => {}
                    FunctionArgumentClause::JsonReturningClause(returning) => {
                        parts.push(Part::Type(&returning.data_type));
                    }
                    FunctionArgumentClause::OnOverflow(ListAggOnOverflow::Error) => {}
                    FunctionArgumentClause::OnOverflow(_)
                    | FunctionArgumentClause::Where(_)
                    | FunctionArgumentClause::Limit(_)
                    | FunctionArgumentClause::Having(_)
                    | FunctionArgumentClause::Separator(_) => return None,
                }
            }
        }
    }
    ordering(within_group, &mut parts)?;
    parts.extend(filter.as_deref().map(Part::Expr));
    match over {
        None => {}
        Some(WindowType::NamedWindow(ident)) => parts.push(Part::Alias(ident)),
        Some(WindowType::WindowSpec(window)) => window_parts(window, &mut parts)?,
    }
    Some(parts)
}

/// How many arguments a call has; those of WITHIN GROUP are arguments too.
pub(crate) fn argument_count(function: &Function) -> usize {
    let direct = match &function.args {
        FunctionArguments::None => 0,
        FunctionArguments::Subquery(_) => 1,
        FunctionArguments::List(list) => list
            .args
            .iter()
            .filter(|argument| !matches!(argument, FunctionArg::Unnamed(FunctionArgExpr::Wildcard)))
            .count(),
    };
    direct + function.within_group.len()
}

pub(crate) fn argument_parts<'e>(argument: &'e FunctionArg, parts: &mut Vec<Part<'e>>) -> Option<()> {
    let value = match argument {
        FunctionArg::Named { name, arg, .. } => {
            parts.push(Part::Alias(name));
            arg
        }
        FunctionArg::ExprNamed { name, arg, .. } => {
            parts.push(Part::Expr(name));
            arg
        }
        FunctionArg::Unnamed(arg) => arg,
    };
    match value {
        FunctionArgExpr::Expr(expr) => parts.push(Part::Expr(expr)),
        FunctionArgExpr::QualifiedWildcard(name) => parts.push(Part::WholeRow(name)),
        FunctionArgExpr::Wildcard => {}
        FunctionArgExpr::WildcardWithOptions(_) => return None,
    }
    Some(())
}

pub(crate) fn ordering<'e>(order: &'e [OrderByExpr], parts: &mut Vec<Part<'e>>) -> Option<()> {
    for item in order {
        let uses_operator = matches!(item.options.sort, Some(OrderBySort::Using(_)));
        if item.with_fill.is_some() || uses_operator {
            return None;
        }
        parts.push(Part::Expr(&item.expr));
    }
    Some(())
}

pub(crate) fn window_parts<'e>(window: &'e WindowSpec, parts: &mut Vec<Part<'e>>) -> Option<()> {
    parts.extend(window.window_name.iter().map(Part::Alias));
    parts.extend(window.partition_by.iter().map(Part::Expr));
    ordering(&window.order_by, parts)?;
    if let Some(frame) = &window.window_frame {
        for bound in std::iter::once(&frame.start_bound).chain(&frame.end_bound) {
            match bound {
                WindowFrameBound::CurrentRow => {}
                WindowFrameBound::Preceding(expr) | WindowFrameBound::Following(expr) => {
                    parts.extend(expr.as_deref().map(Part::Expr));
                }
            }
        }
    }
    Some(())
}
