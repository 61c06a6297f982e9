//! The accounting rule: what each token of a statement was proven to be.

use std::ops::Range;

/// What an identifier token is, as far as the walk over the tree has proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A reference to a relation that the walk has judged.
    Relation,
    /// A common table expression, where it is made or referred to.
    Cte,
    Column,
    /// After a point on something that is no relation: a field, or a function in disguise
    /// (`(x).f` is `f(x)`).
    Field,
    /// What stands before a column's point.
    Qualifier,
    /// A name that the statement itself gives.
    Alias,
    Type,
    /// A function whose call the walk has judged.
    Function,
    Schema,
    Cursor,
    /// Part of a reference to the schema `pgwarrant`.
    Console,
}

/// The roles of one statement's tokens.
#[derive(Debug)]
pub(crate) struct Account {
    first: usize,
    roles: Vec<Option<Role>>,
}

impl Account {
    pub(crate) fn new(statement: Range<usize>) -> Self {
        Self { first: statement.start, roles: vec![None; statement.len()] }
    }

    pub(crate) fn set(&mut self, token: usize, role: Role) {
        if let Some(place) = token.checked_sub(self.first).and_then(|offset| self.roles.get_mut(offset)) {
            *place = Some(role);
        }
    }

    pub(crate) fn role(&self, token: usize) -> Option<Role> {
        token.checked_sub(self.first).and_then(|offset| self.roles.get(offset)).copied().flatten()
    }
}
