//! A statement without its constants: the key of the statement cache, the audit record's text and
//! its fingerprint.

use crate::lexer::{Token, TokenKind};

/// Bytes of a redacted text.
const REDACTED_BYTES: usize = 8 * 1024;
/// Ends a text that was cut.
const ELLIPSIS: &str = " …";

/// What a token leaves in a template. A tag, then for kept tokens their text and a NUL, which no
/// token's text holds: so a template can be read back in one way only, and two statements have
/// the same one only if they have the same tokens up to what is left out.
#[repr(u8)]
pub(crate) enum Tag {
    /// A statement of a message begins; its first token's place follows, in four bytes.
    Statement,
    Identifier,
    QuotedIdentifier,
    Parameter,
    Operator,
    Punctuation,
    /// A constant kept as written, whatever its kind.
    Literal,
    String,
    NationalString,
    BitString,
    HexString,
    /// By the type PostgreSQL gives it, which chooses among functions of one name: `int4`, `int8`,
    /// `numeric`.
    Int4,
    Int8,
    Numeric,
}

/// What statements that differ only in constants have in common: kind and text of every token, with
/// constants replaced by their kind; comments and white space are left out, and unquoted names are
/// folded.
///
/// Two texts with one template have their tokens, and so a splice its places, in common. They are
/// analysed the same unless a string constant names something to the function it is given to
/// ([`crate::Statement::literals_decide`]). Constants that mean something to the grammar stay:
/// - all of them in statements other than queries, DML, EXECUTE, PREPARE and DECLARE (`SET search_path
///   TO 'x'`, `COPY … TO '/file'`, `EXPLAIN (ANALYZE 'off')`, `FETCH 10`);
/// - integers in GROUP BY, ORDER BY, PARTITION BY and DISTINCT ON lists, which may be positions;
/// - type modifiers in casts.
///
/// `tokens` are one statement's, or one message's where it has a single statement.
pub fn template(text: &str, tokens: &[Token]) -> Vec<u8> {
    let mut key = Vec::with_capacity(text.len().min(tokens.len() * 12) + 16);
    write::<false>(text, tokens, &mut key);
    key
}

/// As [`template`], at the end of what is in `key`, with unquoted names as they are spelled and a
/// mark on tokens that stand apart from the one before. So two texts with one such key also have
/// one [`redact`]ed text.
pub(crate) fn spelled_into(text: &str, tokens: &[Token], key: &mut Vec<u8>) {
    write::<true>(text, tokens, key);
}

/// On the tag of a token that stands apart from the one before.
const APART: u8 = 0x80;

fn write<const SPELLED: bool>(text: &str, tokens: &[Token], key: &mut Vec<u8>) {
    key.reserve(text.len().min(tokens.len() * 12));
    let masks = takes_constants(text, tokens);
    let mut positions = Positions::default();
    let mut modifiers = Modifiers::default();
    let mut end = tokens.first().map_or(0, |first| first.start);
    for token in tokens {
        let raw = token.text(text);
        let apart = if SPELLED && token.start != end { APART } else { 0 };
        end = token.end;
        let positional = positions.follow(token.kind, raw);
        let modifier = modifiers.follow(token.kind, raw);
        let kept = match token.kind {
            TokenKind::Identifier => Tag::Identifier,
            TokenKind::QuotedIdentifier => Tag::QuotedIdentifier,
            TokenKind::Parameter => Tag::Parameter,
            TokenKind::Operator => Tag::Operator,
            TokenKind::Punctuation => Tag::Punctuation,
            TokenKind::Integer if positional || modifier => Tag::Literal,
            kind if masks => {
                key.push(masked(kind, raw) as u8 | apart);
                continue;
            }
            _ => Tag::Literal,
        };
        let folds = !SPELLED && matches!(kept, Tag::Identifier);
        key.push(kept as u8 | apart);
        let from = key.len();
        key.extend_from_slice(raw.as_bytes());
        if folds && let Some(name) = key.get_mut(from..) {
            name.make_ascii_lowercase();
        }
        key.push(0);
    }
}

/// A 64-bit FNV-1a hash: the same number for the same template in every version, to group audit
/// records by. Not a cache key: collisions can be made.
pub fn fingerprint(template: &[u8]) -> u64 {
    template
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The text with `?` for every constant, without comments, white space collapsed, at most 8 KiB:
/// for people to read, not to be run.
pub fn redact(text: &str, tokens: &[Token]) -> String {
    let mut redacted = String::with_capacity(text.len().min(REDACTED_BYTES));
    let mut before = None;
    for token in tokens {
        let apart = before.is_some_and(|end| end != token.start);
        before = Some(token.end);
        let raw = if token.kind.is_literal() { "?" } else { token.text(text) };
        if redacted.len() + raw.len() + ELLIPSIS.len() + 1 > REDACTED_BYTES {
            redacted.push_str(ELLIPSIS);
            break;
        }
        if apart {
            redacted.push(' ');
        }
        // Only quoted names hold control characters.
        redacted.extend(raw.chars().map(|character| if character.is_control() { ' ' } else { character }));
    }
    redacted
}

fn masked(kind: TokenKind, raw: &str) -> Tag {
    match kind {
        TokenKind::NationalString => Tag::NationalString,
        TokenKind::BitString => Tag::BitString,
        TokenKind::HexString => Tag::HexString,
        TokenKind::Integer => integer_type(raw),
        TokenKind::Float => Tag::Numeric,
        _ => Tag::String,
    }
}

/// `make_const` in parse_node.c
fn integer_type(raw: &str) -> Tag {
    /// Nine digits are less than 2^31.
    const SURELY_INT4: usize = 9;
    if raw.len() <= SURELY_INT4 && raw.bytes().all(|byte| byte.is_ascii_digit()) {
        return Tag::Int4;
    }
    let (radix, digits) = match raw.get(..2) {
        Some("0x" | "0X") => (16, raw.get(2..).unwrap_or_default()),
        Some("0o" | "0O") => (8, raw.get(2..).unwrap_or_default()),
        Some("0b" | "0B") => (2, raw.get(2..).unwrap_or_default()),
        _ => (10, raw),
    };
    let number = match digits.contains('_') {
        true => i64::from_str_radix(&digits.replace('_', ""), radix),
        false => i64::from_str_radix(digits, radix),
    };
    match number {
        Ok(number) if i32::try_from(number).is_ok() => Tag::Int4,
        Ok(_) => Tag::Int8,
        Err(_) => Tag::Numeric,
    }
}

/// Is it a statement in which constants are values and nothing else?
fn takes_constants(text: &str, tokens: &[Token]) -> bool {
    const KEYWORDS: [&str; 11] = [
        "select", "insert", "update", "delete", "with", "values", "merge", "table", "execute", "prepare",
        "declare",
    ];
    let first = tokens.iter().find(|token| !token.is_punct(text, "("));
    first.is_some_and(|token| token.kind == TokenKind::Identifier && is_any(token.text(text), &KEYWORDS))
}

/// Is it one of these keywords?
fn is_any(raw: &str, keywords: &[&str]) -> bool {
    keywords.iter().any(|keyword| raw.eq_ignore_ascii_case(keyword))
}

/// Follows the lists in which an integer may be a position in the select list.
#[derive(Default)]
struct Positions {
    depth: usize,
    /// The depth of each list that we are in.
    lists: Vec<usize>,
    before: Before,
}

/// What the token before was, as far as it matters.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Before {
    #[default]
    Other,
    Point,
    Distinct,
    DistinctOn,
}

impl Positions {
    /// Is the next token, this one, in such a list?
    fn follow(&mut self, kind: TokenKind, raw: &str) -> bool {
        const ENDS: [&str; 9] =
            ["limit", "offset", "fetch", "for", "having", "window", "union", "intersect", "except"];
        let before = std::mem::take(&mut self.before);
        match kind {
            TokenKind::Punctuation => match raw {
                "." => self.before = Before::Point,
                "(" => {
                    self.depth += 1;
                    if before == Before::DistinctOn {
                        self.lists.push(self.depth);
                    }
                }
                ")" => {
                    self.depth = self.depth.saturating_sub(1);
                    while self.lists.last().is_some_and(|depth| *depth > self.depth) {
                        self.lists.pop();
                    }
                }
                _ => {}
            },
            TokenKind::Identifier => {
                let in_list = self.lists.last() == Some(&self.depth);
                if raw.eq_ignore_ascii_case("distinct") {
                    self.before = Before::Distinct;
                } else if before == Before::Distinct && raw.eq_ignore_ascii_case("on") {
                    self.before = Before::DistinctOn;
                } else if !in_list && raw.eq_ignore_ascii_case("by") {
                    // GROUP BY, ORDER BY, PARTITION BY; whatever else it may be, integers stay.
                    self.lists.push(self.depth);
                } else if in_list && before != Before::Point && is_any(raw, &ENDS) {
                    // All of them reserved: a column's name only after a point.
                    self.lists.pop();
                }
            }
            _ => {}
        }
        !self.lists.is_empty()
    }
}

/// Follows type modifiers: the parentheses after a type's name in `::numeric(10,2)` and
/// `CAST(x AS varchar(10))`.
#[derive(Default, PartialEq, Eq)]
enum Modifiers {
    #[default]
    Elsewhere,
    /// After `::`, AS or a point in the name.
    Name,
    /// After a part of the name.
    Named,
    Inside,
}

impl Modifiers {
    /// Is the next token, this one, in such parentheses?
    fn follow(&mut self, kind: TokenKind, raw: &str) -> bool {
        const MORE: [&str; 5] = ["varying", "character", "char", "to", "second"];
        *self = match (&self, kind) {
            (Self::Inside, _) if raw != ")" => Self::Inside,
            // WITH x AS MATERIALIZED (…)
            (Self::Name, TokenKind::Identifier) if raw.eq_ignore_ascii_case("materialized") => {
                Self::Elsewhere
            }
            (Self::Name, TokenKind::Identifier | TokenKind::QuotedIdentifier) => Self::Named,
            (Self::Named, TokenKind::Identifier) if is_any(raw, &MORE) => Self::Named,
            (Self::Named, TokenKind::Punctuation) if raw == "." => Self::Name,
            (Self::Named, TokenKind::Punctuation) if raw == "(" => Self::Inside,
            (_, TokenKind::Identifier) if raw.eq_ignore_ascii_case("as") => Self::Name,
            (_, TokenKind::Punctuation) if raw == "::" => Self::Name,
            _ => Self::Elsewhere,
        };
        *self == Self::Inside
    }
}
