//! A query or write inside of a statement, or all of it.

use super::names::State;
use super::normalise::normalise;
use super::parse::parse;
use super::refuse;
use super::source::Source;
use super::walk::{Finished, Frame, Walk};
use super::{parse, with_room};
use crate::screen::screen;
use crate::{Context, Effect, Reason, Refusal};

/// How a query or write stands in its statement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body {
    pub frame: Frame,
    /// What it reads goes to a place that outlives it.
    pub stores: bool,
    /// A word that makes the tokens a statement, where they are the middle of one.
    pub verb: Option<&'static str>,
}

impl Body {
    pub(crate) fn new(frame: Frame) -> Self {
        Self { frame, stores: false, verb: None }
    }

    pub(crate) fn storing(self) -> Self {
        Self { stores: true, ..self }
    }

    pub(crate) fn after(verb: &'static str) -> Self {
        Self { frame: Frame::Inner, stores: false, verb: Some(verb) }
    }
}

/// Analyses the tokens of a query or write.
pub(crate) fn analyse(
    source: &Source<'_>,
    context: &Context<'_>,
    state: &State,
    body: Body,
) -> Result<Finished, Refusal> {
    let findings = screen(source.text, source.tokens, source.range.clone(), context.catalogue);
    if findings.is_empty() {
        // SELECT INTO makes a relation, which may be a temporary one.
        let into = source.one_of(source.range.start, &["select", "with"])
            && source.range.clone().any(|token| source.keyword(token, "into"));
        let effects = if into { vec![Effect::Ddl, Effect::SessionState] } else { Vec::new() };
        return Ok(Finished { effects, ..Finished::default() });
    }
    with_room(source, || {
        let (tokens, facts) = normalise(source, body.verb);
        let tree = parse(tokens, context.limits.nesting)
            .map_err(|error| not_parsed(source, context, &findings, error))?;
        let mut walk = Walk::new(source, context, state, body.frame, facts);
        walk.stores = body.stores;
        if !matches!(tree, sqlparser::ast::Statement::Query(_)) {
            walk.frame = Frame::Inner;
        }
        walk.write(&tree)?;
        walk.finish(&findings)
    })
}

fn not_parsed(
    source: &Source<'_>,
    context: &Context<'_>,
    findings: &[crate::screen::Finding],
    error: parse::NotParsed,
) -> Refusal {
    use crate::screen::Risk;
    let named = findings.iter().find(|finding| finding.risk == Risk::Relation).or_else(|| findings.first());
    let what = named.and_then(|finding| source.name(finding.token)).unwrap_or_default();
    let only_unknown = findings.iter().all(|finding| finding.risk == Risk::UnknownFunction);
    if let Some(finding) = named.filter(|_| only_unknown) {
        return refuse::unknown_function(&what, source.byte(finding.token));
    }
    let _ = context;
    let (near, byte) = match error.token.filter(|token| source.range.contains(token)) {
        Some(token) => (format!("at or near \"{}\"", source.raw(token)), source.byte(token)),
        None => ("at end of input".to_owned(), source.bytes(source.range.clone()).end),
    };
    Refusal::new(
        Reason::NotUnderstood,
        format!("syntax error, or a form that pgwarrant does not know, {near}"),
    )
    .state("42601")
    .detail(format!("The statement names \"{what}\", so it must be understood in full. {}", error.expected))
    .hint("Correct the statement, or write it in a simpler form.")
    .at(byte)
}
