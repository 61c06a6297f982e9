//! From an analysed message to the text that is sent in its place, and back from a position in it.

use std::ops::Range;

use pgwarrant_sql::{ConsoleCall, PositionMap, Refusal, Verdict};

use crate::cache::Analysed;
use crate::refuse::Nonce;

/// A refused statement on its way: what stands in its place is known by the nonce.
#[derive(Clone, Debug)]
pub struct Refused {
    pub nonce: Nonce,
    pub refusal: Refusal,
}

impl Refused {
    /// What is sent in place of the statement.
    pub fn text(&self) -> String {
        if self.refusal.sqlstate == "42601" { self.nonce.no_statement() } else { self.nonce.statement() }
    }
}

/// The text to send.
#[derive(Debug)]
pub struct Assembled {
    pub text: String,
    /// For each statement: was it refused, by the analysis, by the session or by the console?
    pub refused: Vec<Option<Refused>>,
    parts: Vec<Part>,
}

/// A stretch of the sent text that stands for one statement; characters, counted from 0.
#[derive(Debug)]
struct Part {
    sent: Range<usize>,
    user: usize,
    /// None: sent as written.
    map: Option<PositionMap>,
}

impl Assembled {
    /// Nothing of the text is sent.
    pub fn refused(refused: Refused) -> Self {
        Self { text: refused.text(), refused: vec![Some(refused)], parts: Vec::new() }
    }

    /// Was anything replaced?
    pub fn is_changed(&self) -> bool {
        self.parts.iter().any(|part| part.map.is_some()) || self.refused.iter().any(Option::is_some)
    }

    /// Maps field P of an error (characters counted from 1) to the user's text.
    pub fn position(&self, sent: usize) -> usize {
        let Some(at) = sent.checked_sub(1) else { return sent };
        let mut shift = 0isize;
        for part in &self.parts {
            if at < part.sent.start {
                break;
            }
            if part.sent.contains(&at) {
                return match &part.map {
                    None => part.user + (at - part.sent.start) + 1,
                    Some(map) => map.to_user(at - part.sent.start + 1),
                };
            }
            shift = part.user as isize - part.sent.start as isize;
        }
        sent.saturating_add_signed(shift)
    }
}

/// Puts the replacements into the text. `refuse` names the statements that the session refuses
/// though the analysis did not; `console` fills a reference to the schema `pgwarrant` in.
pub fn assemble(
    analysed: &Analysed,
    refuse: Vec<Option<Refusal>>,
    console: &mut dyn FnMut(&ConsoleCall) -> Result<String, Refusal>,
) -> Assembled {
    let text: &str = &analysed.text;
    let mut sent = String::with_capacity(text.len() + 256);
    let mut characters = Characters::default();
    let mut refused = Vec::with_capacity(analysed.statements().len());
    let mut parts = Vec::new();
    let mut upto = 0;
    let mut refuse = refuse.into_iter();
    for (index, statement) in analysed.statements().iter().enumerate() {
        let bytes = analysed.statement_bytes(index);
        let between = text.get(upto..bytes.start).unwrap_or_default();
        let own = text.get(bytes.clone()).unwrap_or_default();
        upto = bytes.end;
        sent.push_str(between);
        characters.between(between);
        let (replacement, map, refusal) = match (refuse.next().flatten(), &statement.verdict) {
            (Some(refusal), _) => (None, None, Some(refusal)),
            (None, Verdict::Refused(refusal)) => (None, None, Some(refusal.clone())),
            (None, Verdict::AsWritten) => (None, None, None),
            (None, Verdict::Spliced(splices)) => {
                match pgwarrant_sql::splice::apply(
                    text,
                    &analysed.tokens,
                    statement.tokens.clone(),
                    splices,
                    console,
                ) {
                    Ok((spliced, map)) => (Some(spliced), Some(map), None),
                    Err(refusal) => (None, None, Some(refusal)),
                }
            }
        };
        let refusal = refusal.map(|refusal| Refused { nonce: Nonce::new(), refusal });
        let replacement = match &refusal {
            Some(refused) => Some(refused.text()),
            None => replacement,
        };
        let out = replacement.as_deref().unwrap_or(own);
        sent.push_str(out);
        parts.push(characters.statement(own, out, map));
        refused.push(refusal);
    }
    sent.push_str(text.get(upto..).unwrap_or_default());
    Assembled { text: sent, refused, parts }
}

/// Counts characters of both texts.
#[derive(Default)]
struct Characters {
    user: usize,
    sent: usize,
}

impl Characters {
    fn between(&mut self, text: &str) {
        let count = text.chars().count();
        self.user += count;
        self.sent += count;
    }

    fn statement(&mut self, own: &str, out: &str, map: Option<PositionMap>) -> Part {
        let length = out.chars().count();
        let part = Part { sent: self.sent..self.sent + length, user: self.user, map };
        self.sent += length;
        self.user += own.chars().count();
        part
    }
}
