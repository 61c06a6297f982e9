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
    /// It is a dump's.
    pub dumps: bool,
    /// A word that makes the tokens a statement, where they are the middle of one.
    pub verb: Option<&'static str>,
}

impl Body {
    pub(crate) fn new(frame: Frame) -> Self {
        Self { frame, stores: false, dumps: false, verb: None }
    }

    pub(crate) fn storing(self) -> Self {
        Self { stores: true, ..self }
    }

    pub(crate) fn dumping(self) -> Self {
        Self { stores: true, dumps: true, ..self }
    }

    pub(crate) fn after(verb: &'static str) -> Self {
        Self { verb: Some(verb), ..Self::new(Frame::Inner) }
    }
}

/// Analyses the tokens of a query or write.
pub(crate) fn analyse(
    source: &Source<'_>,
    context: &Context<'_>,
    state: &State<'_>,
    body: Body,
) -> Result<Finished, Refusal> {
    let findings = screen(source, context.catalogue);
    if findings.is_empty() {
        // SELECT INTO makes a relation, which may be a temporary one.
        let into = source.one_of(source.range.start, &["select", "with"])
            && source.range.clone().any(|token| source.keyword(token, "into"));
        if let (true, Some(culprit)) = (into, context.catalogue.defining("SELECT INTO")) {
            return Err(refuse::unsafe_call("SELECT INTO", culprit, source.byte(source.range.start)));
        }
        let effects = if into { vec![Effect::Ddl, Effect::SessionState] } else { Vec::new() };
        return Ok(Finished { effects, ..Finished::default() });
    }
    with_room(source, || {
        let (tokens, facts) = normalise(source, body.verb);
        let tree = parse(tokens, context.limits.nesting)
            .map_err(|error| not_parsed(source, context, &findings, error))?;
        let mut walk = Walk::new(source, context, state, body.frame, facts);
        walk.stores = body.stores;
        walk.dumps = body.dumps;
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
    if error.token.is_none() && is_cut_short(source) {
        return Refusal::new(Reason::Lexical, "syntax error at end of input")
            .state("42601")
            .at(source.text.len());
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

/// Does the message end with a word that no statement of PostgreSQL's ends with? Reserved ones, which
/// cannot be a name without AS before them either.
fn is_cut_short(source: &Source<'_>) -> bool {
    const NEED_MORE: [&str; 13] = [
        "except",
        "for",
        "from",
        "group",
        "having",
        "intersect",
        "into",
        "limit",
        "offset",
        "order",
        "returning",
        "union",
        "where",
    ];
    let Some(last) = source.range.end.checked_sub(1) else { return false };
    let label =
        last.checked_sub(1).is_some_and(|before| source.keyword(before, "as") || source.punct(before, "."));
    source.range.end == source.tokens.len() && source.one_of(last, &NEED_MORE) && !label
}
