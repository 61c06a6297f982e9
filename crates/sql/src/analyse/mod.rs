//! Analyse and splice: what each statement of a message may be sent as.
//!
//! A statement's way: the [`crate::screen`] looks for risky tokens; `utility` and its neighbours
//! take statements apart that are no queries; queries and writes become the parser's tokens
//! (`normalise`), a tree (`parse`) and are walked (`walk` and what extends it), which makes the
//! splices and accounts for every risky token.

mod account;
mod block;
mod body;
mod call_forms;
mod columns;
mod console_calls;
mod copy;
mod cover;
mod ddl;
mod ddl_names;
mod dialect;
mod export;
pub(crate) mod expr;
mod expr_forms;
mod from;
mod from_forms;
mod functions;
mod grammar_words;
mod group_by;
mod judge;
pub(crate) mod keywords;
mod names;
pub(crate) mod normalise;
pub(crate) mod parse;
mod probe;
mod query;
mod refuse;
mod rows;
mod session;
mod settings;
pub(crate) mod source;
mod target;
mod text;
pub(crate) mod tree;
mod utility;
mod view;
mod walk;
mod write;

use std::borrow::Cow;
use std::ops::Range;

use self::names::State;
use self::source::Source;
use self::walk::Frame;
use crate::{
    Class, Context, LexError, LexErrorKind, Limits, Reason, Refusal, Statement, Token, TokenKind, Touched,
    Verdict, lexer,
};

/// A message's tokens and statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Analysis {
    pub tokens: Vec<Token>,
    pub statements: Vec<Statement>,
}

/// Analyses every statement of a message.
///
/// # Errors
/// The whole message is refused: PostgreSQL's lexer would not take it, or it is too large.
pub fn analyse(text: &str, context: &Context<'_>) -> Result<Analysis, Refusal> {
    let tokens = lexer::lex(text, context.limits).map_err(not_lexed)?;
    let statements = statements(text, &tokens, &lexer::split(text, &tokens), context);
    Ok(Analysis { tokens, statements })
}

pub(crate) fn statements(
    text: &str,
    tokens: &[Token],
    ranges: &[Range<usize>],
    context: &Context<'_>,
) -> Vec<Statement> {
    let mut state = State { session: Cow::Borrowed(context.session), unknown: None };
    let keywords = keywords::of_tokens(text, tokens);
    let each = ranges.iter().map(|range| {
        let source = Source { text, tokens, keywords: &keywords, range: range.clone() };
        statement(&source, context, &mut state)
    });
    each.collect()
}

fn statement(source: &Source<'_>, context: &Context<'_>, state: &mut State<'_>) -> Statement {
    let class = utility::class(source);
    let outcome = nesting(source, context.limits)
        .and_then(|()| utility::statement(source, context, state, Frame::Plain));
    let (verdict, touched, effects, literals_decide) = match outcome {
        Ok(mut done) => {
            done.effects.dedup();
            let verdict =
                if done.splices.is_empty() { Verdict::AsWritten } else { Verdict::Spliced(done.splices) };
            (verdict, done.touched, done.effects, done.literals_decide)
        }
        Err(mut refusal) => {
            let alone =
                matches!(class, Class::Select | Class::Insert | Class::Update | Class::Delete | Class::Merge);
            if alone && refusal.reason == Reason::NotUnderstood && refusal.sqlstate == "42601" {
                refusal.reason = Reason::UnknownForm;
            }
            (Verdict::Refused(refusal), Touched::default(), Vec::new(), false)
        }
    };
    session::follow(source, &effects, context, state);
    Statement {
        text: source.bytes(source.range.clone()),
        tokens: source.range.clone(),
        class,
        verdict,
        touched,
        effects,
        literals_decide,
    }
}

fn not_lexed(error: LexError) -> Refusal {
    match error.kind {
        LexErrorKind::Syntax => Refusal::new(Reason::Lexical, error.message)
            .state("42601")
            .hint("Correct the statement; nothing of the message was run.")
            .at(error.position),
        LexErrorKind::TooLarge => too_large(error.message).at(error.position),
    }
}

fn too_large(message: impl Into<String>) -> Refusal {
    Refusal::new(Reason::TooLarge, message)
        .state("54000")
        .hint("Split the statement, or send values as parameters or by COPY.")
}

/// Refuses what is nested too deeply: parentheses, CASE, and operators before operands.
fn nesting(source: &Source<'_>, limits: &Limits) -> Result<(), Refusal> {
    match depth(source) > limits.nesting {
        true => Err(too_large("statement is nested too deeply").at(source.byte(source.range.start))),
        false => Ok(()),
    }
}

/// How deeply a statement is nested. A join that waits for its condition (`a JOIN b JOIN c ON … ON …`)
/// is a level too.
fn depth(source: &Source<'_>) -> usize {
    let (mut open, mut prefixes, mut joins, mut deepest) = (0_usize, 0_usize, 0_usize, 0_usize);
    let mut plain_join = true;
    for index in source.range.clone() {
        let word = match source.token(index).map(|token| token.kind) {
            Some(TokenKind::Identifier) => source.any_keyword(index).unwrap_or_default(),
            Some(TokenKind::Punctuation) => source.raw(index),
            _ => "",
        };
        prefixes = if source.is_operator(index) || word == "not" { prefixes + 1 } else { 0 };
        match word {
            "(" | "[" | "case" => open += 1,
            ")" | "]" | "end" => open = open.saturating_sub(1),
            "join" if plain_join => joins += 1,
            "on" | "using" => joins = joins.saturating_sub(1),
            _ => {}
        }
        plain_join = !matches!(word, "cross" | "natural");
        deepest = deepest.max(open + prefixes + joins);
    }
    deepest
}

/// Runs `analysis` with the stack that a statement needs: the parser's and the walk's frames for
/// each level, and what drops a tree that is as deep as a chain of operators is long.
pub(crate) fn with_room<T>(source: &Source<'_>, analysis: impl FnOnce() -> T) -> T {
    // Without optimisation frames are several times as large.
    let level = if cfg!(debug_assertions) { 256 << 10 } else { 48 << 10 };
    let room = (256 << 10) + depth(source) * level + source.range.len() * (2 << 10);
    stacker::maybe_grow(room, room, analysis)
}
