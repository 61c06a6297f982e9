//! References to the schema `pgwarrant`.

use std::ops::Range;

use super::account::Role;
use super::refuse;
use super::source::Source;
use super::text;
use super::walk::{Frame, Walk, Walked};
use crate::console::{self, ConsoleFunction};
use crate::{ConsoleArgument, ConsoleCall, Piece, Refusal, Splice, TokenKind};

fn relations() -> String {
    let names: Vec<&str> = console::RELATIONS.iter().map(|relation| relation.name).collect();
    format!("Its relations are {}.", names.join(", "))
}

fn functions() -> String {
    let names: Vec<&str> = console::FUNCTIONS.iter().map(|function| function.name).collect();
    format!("Its functions are {}.", names.join(", "))
}

/// A relation in FROM, named by the tokens `name`; `alias` where the user gave none.
pub(crate) fn relation(walk: &mut Walk<'_>, name: Range<usize>, alias: Option<&str>) -> Walked {
    let last = name.end.saturating_sub(1);
    let called = walk.source.name(last).unwrap_or_default().into_owned();
    if console::relation(&called).is_none() {
        let hint = match console::function(&called) {
            Some(function) => usage(function),
            None => relations(),
        };
        let refusal = refuse::console(
            format!("relation \"pgwarrant.{called}\" does not exist"),
            hint,
            walk.source.byte(last),
        );
        return Err(refusal.state("42P01"));
    }
    let call = ConsoleCall {
        name: called,
        arguments: None,
        alias: alias.map(|alias| format!(" AS {}", text::name(alias))).unwrap_or_default(),
        in_from: true,
    };
    put(walk, name, call);
    Ok(())
}

/// A call of a function: from the token `first` (a schema's name) on, its own name at `token`.
/// In FROM the caller adds the alias.
pub(crate) fn call(walk: &mut Walk<'_>, first: usize, token: usize, in_from: bool) -> Walked {
    let call = read(walk, token, in_from)?;
    let close = walk.source.closing(token + 1).unwrap_or(token);
    put(walk, first..close + 1, call);
    Ok(())
}

/// Gives the call the alias that its place in FROM needs.
pub(crate) fn name_call(walk: &mut Walk<'_>, token: usize, alias: &str) {
    let place = walk.splices.iter_mut().find(|splice| splice.tokens.contains(&token));
    if let Some(Splice { with, .. }) = place
        && let [Piece::Console(call)] = with.as_mut_slice()
    {
        call.alias = format!(" AS {}", text::name(alias));
    }
}

fn put(walk: &mut Walk<'_>, tokens: Range<usize>, call: ConsoleCall) {
    for token in tokens.clone() {
        walk.account.set(token, Role::Console);
    }
    walk.literals_decide = true;
    walk.splices.push(Splice { tokens, with: vec![Piece::Console(call)] });
}

fn read(walk: &mut Walk<'_>, token: usize, in_from: bool) -> Result<ConsoleCall, Refusal> {
    let source = walk.source;
    let byte = source.byte(token);
    let name = source.name(token).unwrap_or_default().into_owned();
    let Some(function) = console::function(&name) else {
        return Err(refuse::console(format!("function pgwarrant.{name} does not exist"), functions(), byte));
    };
    if walk.frame != Frame::Plain || walk.depth != 1 {
        return Err(refuse::console(
            format!("pgwarrant.{name} must stand in a plain SELECT at top level"),
            usage(function),
            byte,
        )
        .state("0A000"));
    }
    if walk.acts {
        let hint = "Send one statement for each.";
        return Err(
            refuse::console("one console function can be called in a statement", hint, byte).state("0A000")
        );
    }
    walk.acts = true;
    let arguments = arguments(source, token + 1, function)?;
    Ok(ConsoleCall { name, arguments: Some(arguments), alias: String::new(), in_from })
}

fn usage(function: &ConsoleFunction) -> String {
    let arguments: Vec<String> = function
        .arguments
        .iter()
        .map(|argument| match *argument {
            "columns" => "'customers.email'".to_owned(),
            "request" | "grant_id" => "7".to_owned(),
            "rows" => "rows => 'id = 42'".to_owned(),
            "duration" => "duration => '30 min'".to_owned(),
            "reason" => "reason => '…'".to_owned(),
            "verdict" => "'justified'".to_owned(),
            "code" => "'123456'".to_owned(),
            "person" => "'ada'".to_owned(),
            _ => String::new(),
        })
        .filter(|argument| !argument.is_empty())
        .collect();
    format!("Write it so: SELECT * FROM pgwarrant.{}({});", function.name, arguments.join(", "))
}

type Argument = (Option<String>, ConsoleArgument);

/// The arguments in parentheses, each under its name, in the function's order.
fn arguments(source: &Source<'_>, open: usize, function: &ConsoleFunction) -> Result<Vec<Argument>, Refusal> {
    let wrong = |message: String, token: usize| refuse::console(message, usage(function), source.byte(token));
    let close = source
        .closing(open)
        .filter(|_| source.punct(open, "("))
        .ok_or_else(|| wrong(format!("pgwarrant.{} is a function", function.name), open))?;
    let mut given: Vec<(&'static str, ConsoleArgument)> = Vec::new();
    let mut index = open + 1;
    let mut named = false;
    while index < close {
        let is_named = source.punct(index + 1, "=>") || source.punct(index + 1, ":=");
        let name = if is_named {
            named = true;
            let written = source.name(index).unwrap_or_default().into_owned();
            let known = function.arguments.iter().find(|argument| **argument == written);
            known.copied().ok_or_else(|| {
                wrong(
                    format!("function pgwarrant.{} has no argument named \"{written}\"", function.name),
                    index,
                )
            })?
        } else {
            let next = function.arguments.get(given.len()).filter(|_| !named).copied();
            next.ok_or_else(|| wrong(format!("too many arguments for pgwarrant.{}", function.name), index))?
        };
        if given.iter().any(|(other, _)| *other == name) {
            return Err(wrong(format!("argument \"{name}\" is given twice"), index));
        }
        let from = if is_named { index + 2 } else { index };
        let (value, next) = value(source, from)
            .filter(|(_, next)| *next == close || source.punct(*next, ","))
            .ok_or_else(|| wrong(format!("argument \"{name}\" must be a literal or a parameter"), from))?;
        given.push((name, value));
        index = if next < close { next + 1 } else { next };
    }
    let missing = function.required.iter().find(|name| !given.iter().any(|(given, _)| given == *name));
    if let Some(missing) = missing {
        return Err(wrong(format!("argument \"{missing}\" of pgwarrant.{} is missing", function.name), open));
    }
    let order = |name: &str| function.arguments.iter().position(|argument| *argument == name);
    given.sort_by_key(|(name, _)| order(name));
    Ok(given.into_iter().map(|(name, value)| (Some(name.to_owned()), value)).collect())
}

/// A constant, NULL, a parameter, or a cast of one: with the index after it.
fn value(source: &Source<'_>, index: usize) -> Option<(ConsoleArgument, usize)> {
    let mut next = index;
    if source.keyword(index, "cast") && source.punct(index + 1, "(") {
        let (inner, after) = value(source, index + 2)?;
        let close = source.closing(index + 1)?;
        let cast = source.keyword(after, "as") && is_type(source, after + 1..close);
        return cast.then_some((inner, close + 1));
    }
    // interval '30 min', text 'x'
    if source.string(index).is_none()
        && let Some((_, after)) = source.dotted(index)
        && source.string(after).is_some()
    {
        next = after;
    }
    let minus = source.operator(next, "-");
    if minus {
        next += 1;
    }
    let token = source.token(next)?;
    let argument = match token.kind {
        TokenKind::Integer | TokenKind::Float => {
            ConsoleArgument::Literal(format!("{}{}", if minus { "-" } else { "" }, source.raw(next)))
        }
        _ if minus => return None,
        TokenKind::Parameter => ConsoleArgument::Parameter(source.raw(next).get(1..)?.parse().ok()?),
        TokenKind::Identifier if source.keyword(next, "null") => ConsoleArgument::Null,
        TokenKind::Identifier if source.one_of(next, &["true", "false"]) => {
            ConsoleArgument::Literal(source.name(next)?.into_owned())
        }
        _ => ConsoleArgument::Literal(source.string(next)?),
    };
    next += 1;
    while source.punct(next, "::") {
        let end = (next + 1..source.range.end)
            .find(|end| source.punct(*end, ",") || source.punct(*end, ")") || source.punct(*end, "::"))
            .unwrap_or(source.range.end);
        if !is_type(source, next + 1..end) {
            return None;
        }
        next = end;
    }
    Some((argument, next))
}

/// Words and points only: `text`, `pg_catalog.int8`, `character varying`.
fn is_type(source: &Source<'_>, tokens: Range<usize>) -> bool {
    !tokens.is_empty()
        && tokens.into_iter().all(|token| source.name(token).is_some() || source.punct(token, "."))
}
