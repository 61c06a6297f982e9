//! Which masked columns a statement compares with values from the user, and with which.
//!
//! A mask that gives equal values equal masks answers `WHERE email = 'tok_…'` with yes or no. That
//! is by design; so that nobody tries thousands of values unseen, each use of such a column is noted,
//! and the constants and parameters that stand in one condition with it. Where that cannot be told
//! from the tokens, all of the statement's count.

use std::collections::BTreeSet;
use std::ops::Range;

use pgwarrant_catalog::ColumnId;

use super::keywords::Category;
use super::source::Source;
use crate::TokenKind;

/// Where a column is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a condition, a call, an order.
    #[default]
    Clause,
    /// By itself an item of what the statement gives.
    Output,
    /// In what a query gives to the one around it.
    Carried,
    /// Compared with a column of that name of what it is joined with.
    Joined,
}

/// Uses of columns that show masked, for some rows at least.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    uses: Vec<(ColumnId, usize)>,
    /// Items of select lists of queries within others.
    carried: BTreeSet<(ColumnId, usize)>,
    /// What those are called further out.
    names: BTreeSet<(String, ColumnId)>,
    columns: BTreeSet<ColumnId>,
    /// What is compared with what cannot be told.
    unclear: bool,
    /// A name of a column, or a row, stands for columns whose names are not known here.
    lost: bool,
    /// Tokens that name columns of relations that are looked at here: no values of the user's.
    known: BTreeSet<usize>,
    pub place: Place,
    /// What the item of the select list is called that we are in; empty: what its column is called.
    pub name: Option<String>,
}

/// What became of them: the columns, and the tokens of the values.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Probed {
    pub columns: Vec<ColumnId>,
    /// Tokens of the values; empty: all of the statement's.
    pub tokens: Vec<usize>,
    pub values: u32,
}

/// Uses whose conditions are looked at one by one.
const USES: usize = 128;
/// Names of columns that are remembered.
const KNOWN: usize = 4_096;

impl Probes {
    /// A column is named at a token.
    pub(crate) fn note(&mut self, column: ColumnId, token: Option<usize>, called: &str) {
        if self.place == Place::Output {
            return;
        }
        self.columns.insert(column);
        match (token, &self.name, self.place) {
            _ if self.uses.len() + self.carried.len() >= USES => self.unclear = true,
            (Some(token), Some(name), Place::Carried) => {
                let name = if name.is_empty() { called } else { name };
                self.carried.insert((column, token));
                self.names.insert((name.to_owned(), column));
            }
            (Some(token), _, Place::Clause) => self.uses.push((column, token)),
            _ => self.unclear = true,
        }
    }

    /// A token names a column of a relation that is looked at here.
    pub(crate) fn know(&mut self, token: Option<usize>) {
        if let Some(token) = token.filter(|_| self.known.len() < KNOWN) {
            self.known.insert(token);
        }
    }

    /// Columns get other names, or a row with columns in it is a value.
    pub(crate) fn lose_track(&mut self) {
        self.lost = true;
    }

    /// Ends the walk over `source`.
    pub(crate) fn finish(&self, source: &Source<'_>) -> Probed {
        let constants: Vec<usize> =
            source.range.clone().filter(|token| is_constant(source, *token)).collect();
        if self.columns.is_empty() || constants.is_empty() {
            return Probed::default();
        }
        let all = |columns: &BTreeSet<ColumnId>| Probed {
            columns: columns.iter().copied().collect(),
            tokens: Vec::new(),
            values: count(&constants),
        };
        if self.unclear || (self.lost && !self.names.is_empty()) {
            return all(&self.columns);
        }
        let direct: BTreeSet<usize> =
            self.uses.iter().copied().chain(self.carried.iter().copied()).map(|(_, token)| token).collect();
        let mut uses = self.uses.clone();
        if !self.names.is_empty() {
            for token in source.range.clone().filter(|token| !direct.contains(token)) {
                let Some(name) = source.name(token) else { continue };
                uses.extend(
                    self.names.iter().filter(|(own, _)| *own == name).map(|(_, column)| (*column, token)),
                );
                if uses.len() > USES * 2 {
                    return all(&self.columns);
                }
            }
        }
        let (mut columns, mut tokens, mut unclear) = (BTreeSet::new(), BTreeSet::new(), false);
        let conditions = Conditions::new(source);
        // What is carried: the parentheses of its query, in the condition that those are in.
        let carried = self.carried.iter().filter_map(|(column, token)| {
            let open = conditions.query(*token)?;
            Some((*column, open, open..source.closing(open)? + 1))
        });
        let uses = uses.into_iter().map(|(column, token)| (column, token, token..token + 1));
        for (column, token, own) in uses.chain(carried) {
            let condition = conditions.around(source, token);
            let others = || condition.clone().filter(|token| !own.contains(token));
            let found: Vec<usize> = others().filter(|token| is_constant(source, *token)).collect();
            let mut names = others().filter(|token| !self.known.contains(token));
            let compared = found.is_empty() && names.any(|token| is_column(source, token));
            unclear |= compared;
            if compared || !found.is_empty() {
                columns.insert(column);
            }
            tokens.extend(found);
        }
        match () {
            () if columns.is_empty() => Probed::default(),
            () if unclear => all(&columns),
            () => Probed {
                columns: columns.into_iter().collect(),
                values: u32::try_from(tokens.len()).unwrap_or(u32::MAX),
                tokens: tokens.into_iter().collect(),
            },
        }
    }
}

fn count(tokens: &[usize]) -> u32 {
    u32::try_from(tokens.len()).unwrap_or(u32::MAX)
}

fn is_constant(source: &Source<'_>, token: usize) -> bool {
    source.token(token).is_some_and(|token| token.kind.is_literal() || token.kind == TokenKind::Parameter)
}

/// Could the token name a column, which could carry values of the user's?
fn is_column(source: &Source<'_>, token: usize) -> bool {
    let Some(found) = source.token(token).filter(|found| found.identifier(source.text).is_some()) else {
        return false;
    };
    let name = source.name(token).unwrap_or_default();
    let before = |offset: usize| token.checked_sub(offset);
    let follows = |words: &[&str]| before(1).is_some_and(|before| source.one_of(before, words));
    let is_first = before(1).is_some_and(|open| source.punct(open, "("));
    if source.punct(token + 1, "(") || source.punct(token + 1, ".") {
        return false;
    }
    // A type, or the name of what is in parentheses.
    if before(1).is_some_and(|before| source.punct(before, "::") || source.punct(before, ")"))
        || follows(&["as"])
    {
        return false;
    }
    if found.kind == TokenKind::QuotedIdentifier || before(1).is_some_and(|before| source.punct(before, "."))
    {
        return true;
    }
    let category = source.known(token).map(|keyword| keyword.category);
    match &*name {
        "by" => !follows(&["order", "group", "partition"]),
        "partition" => !source.keyword(token + 1, "by"),
        "nulls" => !source.one_of(token + 1, &["first", "last"]),
        "first" | "last" => !follows(&["nulls"]),
        "at" => !source.one_of(token + 1, &["time", "local"]),
        "zone" => !follows(&["time"]),
        "escape" => !is_constant(source, token + 1),
        "within" => !source.keyword(token + 1, "group"),
        "year" | "month" | "day" | "hour" | "minute" | "second" => {
            !(is_first && before(2).is_some_and(|extract| source.keyword(extract, "extract")))
        }
        _ => !matches!(category, Some(Category::Reserved | Category::TypeFunction | Category::Column)),
    }
}

/// A statement's tokens, by the conditions that they stand in.
///
/// A condition goes as far as the next AND or OR, and in a query as far as the next comma or clause;
/// parentheses that hold one condition are part of the one around them. AND in CASE parts nothing,
/// because all of its branches are one answer.
struct Conditions {
    first: usize,
    /// The condition of each token.
    of: Vec<usize>,
    spans: Vec<Range<usize>>,
    /// For each condition, the parenthesis that it is in.
    within: Vec<Option<usize>>,
    /// Parentheses that a query is in.
    queries: BTreeSet<usize>,
}

/// Parentheses, while we are in them.
struct Open {
    at: Option<usize>,
    query: bool,
    condition: usize,
    betweens: usize,
    cases: usize,
}

impl Conditions {
    fn new(source: &Source<'_>) -> Self {
        let mut these = Self {
            first: source.range.start,
            of: Vec::with_capacity(source.range.len()),
            spans: Vec::new(),
            within: Vec::new(),
            queries: BTreeSet::new(),
        };
        let condition = these.begin(source.range.start, None);
        let mut open = vec![Open { at: None, query: true, condition, betweens: 0, cases: 0 }];
        for token in source.range.clone() {
            let raw = source.raw(token);
            if matches!(raw, ")" | "]")
                && open.len() > 1
                && let Some(inner) = open.pop()
            {
                these.end(inner.condition, token);
            }
            let Some(current) = open.last_mut() else { break };
            these.of.push(current.condition);
            if matches!(raw, "(" | "[") {
                let over = token.checked_sub(1).is_some_and(|before| source.keyword(before, "over"));
                let query = raw == "(" && (over || starts_query(source, token + 1));
                if query {
                    these.queries.insert(token);
                }
                let condition = these.begin(token + 1, Some(token));
                open.push(Open { at: Some(token), query, condition, betweens: 0, cases: 0 });
            } else if current.parts(source, token) {
                let (done, at) = (current.condition, current.at);
                these.end(done, token);
                current.condition = these.begin(token + 1, at);
            }
        }
        while let Some(last) = open.pop() {
            these.end(last.condition, source.range.end);
        }
        these
    }

    fn begin(&mut self, at: usize, within: Option<usize>) -> usize {
        self.spans.push(at..at);
        self.within.push(within);
        self.spans.len() - 1
    }

    fn end(&mut self, condition: usize, at: usize) {
        if let Some(span) = self.spans.get_mut(condition) {
            span.end = at.max(span.start);
        }
    }

    fn span(&self, token: usize) -> (Range<usize>, Option<usize>) {
        let condition = token.checked_sub(self.first).and_then(|offset| self.of.get(offset)).copied();
        let span =
            condition.and_then(|condition| self.spans.get(condition)).cloned().unwrap_or(token..token + 1);
        (span, condition.and_then(|condition| self.within.get(condition)).copied().flatten())
    }

    /// The condition that a token stands in.
    fn around(&self, source: &Source<'_>, token: usize) -> Range<usize> {
        let mut token = token;
        loop {
            let (span, open) = self.span(token);
            match open {
                Some(open)
                    if !self.queries.contains(&open)
                        && span.start == open + 1
                        && (source.punct(span.end, ")") || source.punct(span.end, "]")) =>
                {
                    token = open;
                }
                _ => return span,
            }
        }
    }

    /// The parenthesis of the query that a token is in.
    fn query(&self, token: usize) -> Option<usize> {
        let mut token = token;
        loop {
            let (_, open) = self.span(token);
            match open {
                Some(open) if self.queries.contains(&open) => return Some(open),
                Some(open) => token = open,
                None => return None,
            }
        }
    }
}

impl Open {
    /// Does a condition end at this token?
    fn parts(&mut self, source: &Source<'_>, token: usize) -> bool {
        if source.punct(token, ",") {
            return self.query;
        }
        let after_point = token.checked_sub(1).is_some_and(|before| source.punct(before, "."));
        let Some(word) = source.any_keyword(token).filter(|_| !after_point) else { return false };
        match word {
            "between" => self.betweens += 1,
            "case" => self.cases += 1,
            "end" => self.cases = self.cases.saturating_sub(1),
            "and" if self.betweens > 0 => self.betweens -= 1,
            "and" | "or" => return self.cases == 0,
            "from" => {
                let compares = token.checked_sub(1).is_some_and(|before| source.keyword(before, "distinct"));
                return self.query && !compares;
            }
            _ => return self.query && CLAUSES.contains(&word),
        }
        false
    }
}

/// Words that begin a clause of a query or write.
const CLAUSES: [&str; 21] = [
    "select",
    "where",
    "on",
    "having",
    "group",
    "order",
    "limit",
    "offset",
    "fetch",
    "window",
    "union",
    "intersect",
    "except",
    "returning",
    "set",
    "join",
    "using",
    "values",
    "with",
    "into",
    "as",
];

fn starts_query(source: &Source<'_>, index: usize) -> bool {
    let mut first = index;
    while source.punct(first, "(") {
        first += 1;
    }
    source.starts_query(first)
}
