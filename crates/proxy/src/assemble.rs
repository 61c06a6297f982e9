//! From an analysed message to the text that is sent in its place, and back from a position in it.

use std::ops::Range;
use std::sync::Arc;

use pgwarrant_sql::{ConsoleCall, PositionMap, Reason, Refusal, Verdict};

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
        match self.refusal.sqlstate {
            // What PostgreSQL finds before it asks whether the transaction has failed.
            "42601" | "08P01" | "22021" | "57014" => self.nonce.no_statement(),
            _ => self.nonce.statement(),
        }
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

/// What the server was sent for a text.
#[derive(Clone, Debug)]
pub enum Sent {
    /// What the analysis of an ordinary statement says, and nothing else: so it can be made again
    /// when an error's position is asked for, which is seldom.
    Ordinary(Analysed),
    As(Arc<Assembled>),
}

impl Sent {
    pub fn assembled(&self) -> Arc<Assembled> {
        match self {
            Self::Ordinary(analysed) => Arc::new(assemble_ordinary(analysed)),
            Self::As(assembled) => assembled.clone(),
        }
    }
}

/// An ordinary statement uses nothing of the schema `pgwarrant`, and the session refuses nothing of
/// it.
fn assemble_ordinary(analysed: &Analysed) -> Assembled {
    assemble(analysed, Vec::new(), &mut |call| Ok(crate::console::empty(call)))
}

/// A stretch of the sent text that stands for one statement; characters, counted from 0.
#[derive(Debug)]
struct Part {
    sent: Range<usize>,
    bytes: Range<usize>,
    user: Range<usize>,
    /// None: sent as written.
    map: Option<PositionMap>,
}

impl Assembled {
    /// Nothing of the text is sent.
    pub fn refused(refused: Refused) -> Self {
        Self { text: refused.text(), refused: vec![Some(refused)], parts: Vec::new() }
    }

    /// Where the statement of this index is in the text: bytes, characters.
    pub fn part(&self, index: usize) -> Option<(Range<usize>, Range<usize>)> {
        self.parts.get(index).map(|part| (part.bytes.clone(), part.sent.clone()))
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
                    None => part.user.start + (at - part.sent.start) + 1,
                    Some(map) => map.to_user(at - part.sent.start + 1),
                };
            }
            shift = part.user.end as isize - part.sent.end as isize;
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
                    analysed.tokens(),
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
        let (replacement, map) = match &refusal {
            Some(refused) => match unknown_form(refused, analysed, index, characters.user) {
                Some((unanalysable, map)) => (Some(unanalysable), Some(map)),
                None => (Some(refused.text()), None),
            },
            None => (replacement, map),
        };
        let out = replacement.as_deref().unwrap_or(own);
        let bytes = sent.len()..sent.len() + out.len();
        sent.push_str(out);
        parts.push(characters.statement(own, out, bytes, map));
        refused.push(refusal);
    }
    sent.push_str(text.get(upto..).unwrap_or_default());
    Assembled { text: sent, refused, parts }
}

/// What is sent in place of a statement that our parser does not know: PostgreSQL says whether it is
/// one.
fn unknown_form(
    refused: &Refused,
    analysed: &Analysed,
    index: usize,
    before: usize,
) -> Option<(String, PositionMap)> {
    if refused.refusal.reason != Reason::UnknownForm {
        return None;
    }
    let own = analysed.text.get(analysed.statement_bytes(index))?;
    let tokens = analysed.statement_tokens(index);
    let (text, mut map) =
        pgwarrant_sql::splice::unanalysable(own, tokens, &analysed.text, &refused.nonce.name())?;
    // It counts in the statement; so many characters stand before that.
    for (_, user, _) in &mut map.runs {
        *user += before;
    }
    Some((text, map))
}

/// One statement of a message by itself, of which the analysis has said that it may be sent, and
/// which uses nothing of the schema `pgwarrant`.
pub fn assemble_one(analysed: &Analysed, index: usize) -> Assembled {
    let text: &str = &analysed.text;
    let own = text.get(analysed.statement_bytes(index)).unwrap_or_default();
    let statement = analysed.statements().get(index);
    let sent = match statement.map(|statement| (&statement.verdict, statement.tokens.clone())) {
        Some((Verdict::Spliced(splices), tokens)) => {
            let console = &mut |call: &ConsoleCall| Ok(crate::console::empty(call));
            pgwarrant_sql::splice::apply(text, analysed.tokens(), tokens, splices, console)
                .map(|(spliced, _)| spliced)
        }
        Some((Verdict::Refused(refusal), _)) => Err(refusal.clone()),
        Some((Verdict::AsWritten, _)) | None => Ok(own.to_owned()),
    };
    match sent {
        Ok(text) => Assembled { text, refused: vec![None], parts: Vec::new() },
        Err(refusal) => Assembled::refused(Refused { nonce: Nonce::new(), refusal }),
    }
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

    fn statement(&mut self, own: &str, out: &str, bytes: Range<usize>, map: Option<PositionMap>) -> Part {
        let length = out.chars().count();
        let written = own.chars().count();
        let (sent, user) = (self.sent..self.sent + length, self.user..self.user + written);
        self.sent = sent.end;
        self.user = user.end;
        Part { sent, bytes, user, map }
    }
}
