//! Replacing runs of tokens in a statement's text, and finding the way back.

use std::ops::Range;

use crate::lexer::Token;
use crate::statement::{ConsoleCall, Reason, Refusal};

/// A part of a replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text of ours.
    Text(String),
    /// The statement's own tokens, as written (literals and all, so that a splice does not depend
    /// on them and can be reused for every statement of the same template).
    Tokens(Range<usize>),
    /// A relation or function of the schema `pgwarrant`, to be filled with live state.
    Console(ConsoleCall),
}

/// Replaces tokens (indexes into the statement's token list; an empty range inserts).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splice {
    pub tokens: Range<usize>,
    pub with: Vec<Piece>,
}

/// Maps positions in the text that was sent to positions in the text that the user wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PositionMap {
    /// (first character of a run in the sent text, the same in the user's, length); characters,
    /// counted from 0. What lies between runs is ours and maps to the start of what it replaced:
    /// a run of length 0 marks it.
    pub runs: Vec<(usize, usize, usize)>,
}

impl PositionMap {
    /// The user's character for one of the sent text; both counted from 1, as in the field P of
    /// ErrorResponse.
    pub fn to_user(&self, sent_character: usize) -> usize {
        let sent = sent_character.saturating_sub(1);
        let after = self.runs.partition_point(|(start, _, _)| *start <= sent);
        let run = after.checked_sub(1).and_then(|last| self.runs.get(last)).or_else(|| self.runs.first());
        run.map_or(sent_character, |(start, user, length)| {
            user + sent.saturating_sub(*start).min(*length) + 1
        })
    }

    /// Adds what was sent from the character `sent` (counted from 0) on, where several statements
    /// go in one message.
    pub fn append(&mut self, sent: usize, next: Self) {
        self.runs.extend(next.runs.into_iter().map(|(start, user, length)| (start + sent, user, length)));
    }
}

/// The statement's text with its splices done, from its first token to its last: without a
/// semicolon, without the comments around it. Comments inside stay.
///
/// `tokens` are the whole message's, `statement` the range of those that are the statement's;
/// `splices` in ascending order, within it, and not overlapping. Positions in the map are in
/// `text`, the whole message. `console` answers each call in the order of the text, so that calls
/// that act do so in the order that the user wrote.
///
/// Errors: what `console` refuses; splices that do not fit the statement.
pub fn apply(
    text: &str,
    tokens: &[Token],
    statement: Range<usize>,
    splices: &[Splice],
    console: &mut dyn FnMut(&ConsoleCall) -> Result<String, Refusal>,
) -> Result<(String, PositionMap), Refusal> {
    let mut out = String::with_capacity(text.len() + 256);
    let mut map = PositionMap::default();
    let mut sent = Sent::new(text, tokens, &mut out, Some(&mut map));
    splice(&mut sent, statement, splices, console)?;
    Ok((out, map))
}

/// As [`apply`], at the end of what is in `out`, without a map and for splices that ask the console
/// for nothing.
pub fn apply_into(
    text: &str,
    tokens: &[Token],
    statement: Range<usize>,
    splices: &[Splice],
    out: &mut String,
) -> Result<(), Refusal> {
    splice(&mut Sent::new(text, tokens, out, None), statement, splices, &mut |_| Err(misfit()))
}

fn splice(
    sent: &mut Sent<'_>,
    statement: Range<usize>,
    splices: &[Splice],
    console: &mut dyn FnMut(&ConsoleCall) -> Result<String, Refusal>,
) -> Result<(), Refusal> {
    let within = |range: &Range<usize>| statement.start <= range.start && range.end <= statement.end;
    let mut next = statement.start;
    for splice in splices {
        let Range { start, end } = splice.tokens;
        if start < next || end < start || end > statement.end {
            return Err(misfit());
        }
        sent.keep(next..start)?;
        if statement.start < start && start < statement.end {
            sent.gap(start)?;
        }
        let place = sent.place(start, &statement)?;
        for piece in &splice.with {
            match piece {
                Piece::Text(ours) => sent.write(ours, place),
                Piece::Console(call) => sent.write(&console(call)?, place),
                Piece::Tokens(range) if within(range) => sent.keep(range.clone())?,
                Piece::Tokens(_) => return Err(misfit()),
            }
        }
        if start < end && end < statement.end {
            sent.gap(end)?;
        }
        next = end;
    }
    sent.keep(next..statement.end)
}

/// A statement that PostgreSQL parses exactly where it parses `written`, a query or write, and never
/// analyses as far as that, because there is no relation of the name `missing`. An error of its
/// grammar is then PostgreSQL's own, which fails the whole message before anything of it runs; and
/// otherwise the statement fails alone, as one does that is refused.
///
/// None: the parentheses of `written` are not in pairs, so that it could end before its end.
pub fn unanalysable(
    written: &str,
    tokens: &[Token],
    text: &str,
    missing: &str,
) -> Option<(String, PositionMap)> {
    let mut depth = 0_usize;
    for token in tokens {
        match token.text(text) {
            "(" => depth += 1,
            ")" => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    if depth != 0 {
        return None;
    }
    let before = format!("SELECT 1 FROM \"{}\" AS q, (WITH q AS (", missing.replace('"', "\"\""));
    let start = count(&before);
    let runs = vec![(0, 0, 0), (start, 0, count(written)), (start + count(written), count(written), 0)];
    Some((format!("{before}{written}\n) SELECT 1) AS w"), PositionMap { runs }))
}

/// The text that is to be sent, as far as it is made.
struct Sent<'t> {
    text: &'t str,
    tokens: &'t [Token],
    /// The first character of each token; empty where characters are bytes, or nobody asks.
    characters: Vec<usize>,
    out: &'t mut String,
    /// Where `out` began.
    from: usize,
    /// Characters of `out` since then, if there is a map.
    length: usize,
    /// The last byte of the last token or text of ours, whatever space and comments came after it.
    tail: u8,
    /// The token before which the last gap was written.
    gaps: usize,
    map: Option<&'t mut PositionMap>,
}

impl<'t> Sent<'t> {
    fn new(
        text: &'t str,
        tokens: &'t [Token],
        out: &'t mut String,
        map: Option<&'t mut PositionMap>,
    ) -> Self {
        let mut characters = Vec::new();
        if map.is_some() && !text.is_ascii() {
            let (mut byte, mut character) = (0, 0);
            characters.extend(tokens.iter().map(|token| {
                let start = token.start as usize;
                character += text.get(byte..start).unwrap_or_default().chars().count();
                byte = start;
                character
            }));
        }
        let from = out.len();
        Self { text, tokens, characters, out, from, length: 0, tail: b' ', gaps: 0, map }
    }

    /// Tokens as written, with what is between them.
    fn keep(&mut self, range: Range<usize>) -> Result<(), Refusal> {
        if range.is_empty() {
            return if range.start == range.end { Ok(()) } else { Err(misfit()) };
        }
        let (first, last) =
            self.tokens.get(range.start).zip(self.tokens.get(range.end - 1)).ok_or_else(misfit)?;
        let kept = self.text.get(first.start as usize..last.end as usize).ok_or_else(misfit)?;
        let user = self.character(range.start, first);
        self.join(kept);
        if let Some(map) = &mut self.map {
            map.runs.push((self.length, user, count(kept)));
        }
        self.push(kept);
        Ok(())
    }

    /// Text of ours, in the place of the user's character `place`.
    fn write(&mut self, ours: &str, place: usize) {
        if !ours.is_empty() {
            self.join(ours);
            if let Some(map) = &mut self.map {
                map.runs.push((self.length, place, 0));
            }
            self.push(ours);
        }
    }

    fn push(&mut self, part: &str) {
        self.add(part);
        self.tail = part.trim_ascii_end().bytes().next_back().unwrap_or(self.tail);
    }

    /// White space and comments between the token at `index` and the one before it.
    fn gap(&mut self, index: usize) -> Result<(), Refusal> {
        // Once, also where one splice ends and the next begins.
        if std::mem::replace(&mut self.gaps, index) == index {
            return Ok(());
        }
        let before = index.checked_sub(1).and_then(|before| self.tokens.get(before));
        let (before, after) = before.zip(self.tokens.get(index)).ok_or_else(misfit)?;
        let gap = self.text.get(before.end as usize..after.start as usize).ok_or_else(misfit)?;
        // A comment after text of ours that ends as an operator does.
        if gap.starts_with(['-', '/']) && !self.out.ends_with(|last: char| last.is_ascii_whitespace()) {
            self.add(" ");
        }
        self.add(gap);
        Ok(())
    }

    /// Keeps the end of what is there and the start of what comes from becoming one token.
    fn join(&mut self, next: &str) {
        let Some(last) = self.out.as_bytes().get(self.from..).and_then(<[u8]>::last).copied() else { return };
        let Some(first) = next.bytes().next() else { return };
        let parts = |byte: u8| byte.is_ascii_whitespace() || b"(),;[]".contains(&byte);
        let between = match (self.tail, first) {
            // A newline among the space, and the second constant would continue the first.
            (b'\'', b'\'') => "/**/",
            _ if parts(last) || parts(first) => return,
            _ => " ",
        };
        self.add(between);
    }

    fn add(&mut self, part: &str) {
        self.out.push_str(part);
        if self.map.is_some() {
            self.length += count(part);
        }
    }

    /// The user's character that text of ours at the token `index` stands for.
    fn place(&self, index: usize, statement: &Range<usize>) -> Result<usize, Refusal> {
        if index < statement.end {
            let token = self.tokens.get(index).ok_or_else(misfit)?;
            return Ok(self.character(index, token));
        }
        let Some(last) = index.checked_sub(1).filter(|last| statement.contains(last)) else { return Ok(0) };
        let token = self.tokens.get(last).ok_or_else(misfit)?;
        Ok(self.character(last, token) + count(token.text(self.text)))
    }

    fn character(&self, index: usize, token: &Token) -> usize {
        self.characters.get(index).copied().unwrap_or(token.start as usize)
    }
}

/// Its characters.
fn count(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

fn misfit() -> Refusal {
    Refusal {
        reason: Reason::NotUnderstood,
        sqlstate: "42501",
        message: "statement could not be rewritten".to_owned(),
        detail: Some("A replacement does not fit the statement's text.".to_owned()),
        hint: Some("Write the statement in a simpler form.".to_owned()),
        position: None,
    }
}
