//! Where the clauses of a write are, by its tokens: what is in no parentheses.

use std::ops::Range;

use crate::analyse::source::Source;

/// The tokens of a write from some place on to its end that stand in no parentheses.
pub(crate) struct Clauses<'a, 's> {
    source: &'s Source<'a>,
    /// Those of them in no CASE.
    tokens: Vec<usize>,
    /// The token after the write.
    pub end: usize,
}

impl<'a, 's> Clauses<'a, 's> {
    pub(crate) fn new(source: &'s Source<'a>, start: usize) -> Self {
        let mut tokens = Vec::new();
        let (mut depth, mut cases) = (0_usize, 0_usize);
        let mut end = source.range.end;
        for index in start..source.range.end {
            match source.raw(index) {
                "(" | "[" => depth += 1,
                ")" | "]" => match depth.checked_sub(1) {
                    Some(outside) => depth = outside,
                    None => {
                        end = index;
                        break;
                    }
                },
                _ if depth > 0 => continue,
                _ => {}
            }
            // After a point or AS every word is a name.
            let named = index > start && (source.punct(index - 1, ".") || source.keyword(index - 1, "as"));
            if !named && source.keyword(index, "case") {
                cases += 1;
            } else if !named && source.keyword(index, "end") {
                cases = cases.saturating_sub(1);
            } else if cases == 0 && depth == 0 {
                tokens.push(index);
            }
        }
        Self { source, tokens, end }
    }

    /// The first of these keywords from a token on.
    pub(crate) fn keyword(&self, from: usize, keywords: &[&str]) -> Option<usize> {
        self.tokens.iter().copied().filter(|token| *token >= from).find(|token| {
            let before = token.checked_sub(1);
            let is_name = before
                .is_some_and(|before| self.source.punct(before, ".") || self.source.keyword(before, "as"));
            // `a IS DISTINCT FROM b`
            let compares = before.is_some_and(|before| self.source.keyword(before, "distinct"));
            !is_name
                && self.source.one_of(*token, keywords)
                && !(compares && self.source.keyword(*token, "from"))
        })
    }

    /// Where the clause that a token is in ends: at the first of these keywords, or with the write.
    pub(crate) fn until(&self, from: usize, keywords: &[&str]) -> usize {
        self.keyword(from, keywords).unwrap_or(self.end)
    }

    /// Is there a `.*` among these tokens, in no parentheses?
    pub(crate) fn has_expansion(&self, within: Range<usize>) -> bool {
        let mut tokens = self.tokens.iter().filter(|token| within.contains(token));
        tokens.any(|token| expands(self.source, &(within.start..token + 1)))
    }

    /// The value in `… = value`, whose left side begins at a token.
    pub(crate) fn value(&self, target: usize) -> Option<Range<usize>> {
        let equals =
            self.tokens.iter().copied().find(|token| *token > target && self.source.operator(*token, "="))?;
        let clause = self.until(equals + 1, &["from", "where", "returning", "when"]);
        let comma =
            self.tokens.iter().copied().find(|token| *token > equals && self.source.punct(*token, ","));
        let end = comma.map_or(clause, |comma| comma.min(clause));
        (equals + 1 < end).then_some(equals + 1..end)
    }
}

/// Does it end in `.*`, and so stand for any number of values?
pub(crate) fn expands(source: &Source<'_>, value: &Range<usize>) -> bool {
    value.len() > 2 && source.punct(value.end - 2, ".") && source.operator(value.end - 1, "*")
}

/// The parts between commas in the parentheses that open at a token.
pub(crate) fn list(source: &Source<'_>, open: usize) -> Option<Vec<Range<usize>>> {
    let close = source.closing(open)?;
    let mut parts = Vec::new();
    let (mut depth, mut first) = (0_usize, open + 1);
    for index in open + 1..close {
        match source.raw(index) {
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "," if depth == 0 => {
                parts.push(first..index);
                first = index + 1;
            }
            _ => {}
        }
    }
    parts.push(first..close);
    Some(parts)
}
