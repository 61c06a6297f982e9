//! Conditions taken apart: `a && b` is not met as soon as `a` is false.
//!
//! Most policies that are about a request do not match it because of one such part, and many have
//! parts in common: `context.duration <= 60`. Cedar is asked about each part by itself, in the
//! order in which it would come to them, and about a common one once a request.

use std::cell::Cell;
use std::collections::HashMap;

use cedar_policy::pst::{BinaryOp, Clause, Expr, Policy as Tree, UnaryOp};
use cedar_policy::{Entities, EvalResult, Expression, Policy, Request, eval_expression};

use crate::looks::Looks;

/// The parts of all policies' conditions, each once.
pub(crate) struct Parts(Vec<Part>);

struct Part {
    expression: Expression,
    /// It may come out differently for another column or action of the same request.
    depends_on_asked: bool,
}

/// What one policy needs to be true and to be false, in its order.
pub(crate) struct Conjuncts(Vec<Conjunct>);

struct Conjunct {
    part: usize,
    value: bool,
}

/// What parts came out as in one request, once they have been asked for. None within: to no yes or no,
/// which is for the whole policy to explain.
pub(crate) struct Values(Vec<Cell<Option<Option<bool>>>>);

impl Conjuncts {
    /// Is one of them not met, and none before it in error? The policy is then not satisfied, whatever
    /// its scope is. False says nothing.
    pub(crate) fn unmet(
        &self,
        parts: &Parts,
        values: &Values,
        request: &Request,
        entities: &Entities,
    ) -> bool {
        for conjunct in &self.0 {
            match parts.value(conjunct.part, values, request, entities) {
                Some(value) if value == conjunct.value => {}
                Some(_) => return true,
                None => return false,
            }
        }
        false
    }
}

impl Parts {
    /// None are known of a new request.
    pub(crate) fn no_values(&self) -> Values {
        Values(vec![Cell::default(); self.0.len()])
    }

    fn value(&self, part: usize, values: &Values, request: &Request, entities: &Entities) -> Option<bool> {
        let Part { expression, depends_on_asked } = self.0.get(part)?;
        let memory = values.0.get(part).filter(|_| !depends_on_asked);
        if let Some(known) = memory.and_then(Cell::get) {
            return known;
        }
        let value = match eval_expression(request, entities, expression) {
            Ok(EvalResult::Bool(value)) => Some(value),
            _ => None,
        };
        if let Some(memory) = memory {
            memory.set(Some(value));
        }
        value
    }
}

/// Takes conditions apart, and finds the parts that are there already.
#[derive(Default)]
pub(crate) struct Collector {
    parts: Vec<Part>,
    /// By their texts.
    known: HashMap<String, Vec<(Expr, usize)>>,
}

impl Collector {
    pub(crate) fn add(&mut self, clauses: &[Clause], looks: &mut Looks) -> Conjuncts {
        let mut apart = Vec::new();
        for clause in clauses {
            match clause {
                Clause::When(expression) => take_apart(expression, true, &mut apart),
                Clause::Unless(expression) => take_apart(expression, false, &mut apart),
            }
        }
        let conjunct = |(expression, value)| Conjunct { part: self.place(expression, looks), value };
        Conjuncts(apart.into_iter().map(conjunct).collect())
    }

    fn place(&mut self, expression: &Expr, looks: &mut Looks) -> usize {
        let alike = self.known.entry(expression.to_string()).or_default();
        if let Some((_, place)) = alike.iter().find(|(known, _)| known == expression) {
            return *place;
        }
        let place = self.parts.len();
        alike.push((expression.clone(), place));
        let depends_on_asked = looks.expression(expression);
        self.parts.push(Part { expression: evaluable(expression.clone()), depends_on_asked });
        place
    }

    pub(crate) fn parts(self) -> Parts {
        Parts(self.parts)
    }
}

/// Into what must be `value`, for `expression` to be.
fn take_apart<'e>(expression: &'e Expr, value: bool, into: &mut Vec<(&'e Expr, bool)>) {
    match (expression, value) {
        (Expr::BinaryOp { op: BinaryOp::And, left, right }, true)
        | (Expr::BinaryOp { op: BinaryOp::Or, left, right }, false) => {
            take_apart(left, value, into);
            take_apart(right, value, into);
        }
        (Expr::UnaryOp { op: UnaryOp::Not, expr }, _) => take_apart(expr, !value, into),
        _ => into.push((expression, value)),
    }
}

/// As Cedar evaluates it. The form between the two is Cedar's own and has no name outside of it.
fn evaluable(expression: Expr) -> Expression {
    fn of_this_type<T>(_: &T, value: T) -> T {
        value
    }
    Expression::from(of_this_type(Expression::new_bool(true).as_ref(), expression.into()))
}

/// None: of a kind of policy that files cannot have.
pub(crate) fn clauses(policy: &Policy) -> Option<Vec<Clause>> {
    match policy.to_pst().ok()? {
        Tree::Static(policy) => Some(policy.body().clauses().clone()),
        Tree::Linked(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apart(text: &str) -> Vec<String> {
        let policy = Policy::parse(None, format!("permit (principal, action, resource) {text};"));
        let clauses = clauses(&policy.expect(text)).expect(text);
        let mut collector = Collector::default();
        let conjuncts = collector.add(&clauses, &mut Looks::default());
        let texts: HashMap<usize, String> =
            collector.known.values().flatten().map(|(known, place)| (*place, known.to_string())).collect();
        let told = |conjunct: &Conjunct| match conjunct.value {
            true => texts[&conjunct.part].clone(),
            false => format!("not {}", texts[&conjunct.part]),
        };
        conjuncts.0.iter().map(told).collect()
    }

    #[test]
    fn a_condition_is_taken_apart_in_the_order_of_its_evaluation() {
        for (text, expected) in [
            ("", &[][..]),
            ("when { context.tls }", &["context.tls"]),
            (
                "when { context.tls && context.extends && context.all_rows }",
                &["context.tls", "context.extends", "context.all_rows"],
            ),
            (
                "when { context.tls && (context.extends && context.all_rows) }",
                &["context.tls", "context.extends", "context.all_rows"],
            ),
            ("when { context.tls || context.extends }", &["context.tls || context.extends"]),
            (
                "when { !(context.tls || context.extends) && context.tls }",
                &["not context.tls", "not context.extends", "context.tls"],
            ),
            ("when { !(context.tls && context.extends) }", &["not context.tls && context.extends"]),
            ("unless { context.tls || !context.extends }", &["not context.tls", "context.extends"]),
            ("unless { context.tls && context.extends }", &["not context.tls && context.extends"]),
        ] {
            assert_eq!(apart(text), expected, "{text}");
        }
    }

    #[test]
    fn what_policies_have_in_common_is_kept_once() {
        let mut collector = Collector::default();
        for text in [
            "when { context.tls && context.reason like \"a*\" }",
            "unless { context.reason like \"a*\" } when { context.tls }",
            "when { context.reason like \"a\\*\" }",
            "when { !context.tls }",
        ] {
            let policy = Policy::parse(None, format!("permit (principal, action, resource) {text};"));
            let clauses = clauses(&policy.expect(text)).expect(text);
            collector.add(&clauses, &mut Looks::default());
        }
        assert_eq!(collector.parts().0.len(), 3);
    }
}
