//! One pass over a text's bytes; the rules are scan.l's, named where they are not obvious.

use super::{LexError, LexErrorKind, NAME_BYTES, Token, TokenKind, literal};
use crate::Limits;

/// Tokens of `text`, in order. Every byte that is in none is white space or in a comment.
///
/// Errors: what PostgreSQL's lexer refuses, a character that begins no token of its grammar (also
/// NUL), and texts past `limits.statement_bytes` or `limits.statement_tokens`.
pub fn lex(text: &str, limits: &Limits) -> Result<Vec<Token>, LexError> {
    // About five bytes a token in ordinary SQL.
    let mut tokens = Vec::with_capacity((text.len() / 5 + 4).min(limits.statement_tokens));
    lex_into(text, limits, &mut tokens)?;
    Ok(tokens)
}

/// As [`lex`], into a list that is used again: what was in it is gone, after an error too.
pub fn lex_into(text: &str, limits: &Limits, tokens: &mut Vec<Token>) -> Result<(), LexError> {
    tokens.clear();
    if text.len() > limits.statement_bytes || u32::try_from(text.len()).is_err() {
        let message =
            format!("statement of {} bytes is longer than {} bytes", text.len(), limits.statement_bytes);
        return Err(LexError { kind: LexErrorKind::TooLarge, message, position: 0 });
    }
    if let Some(position) = text.find('\0') {
        return Err(syntax("invalid byte sequence for encoding \"UTF8\": 0x00", position));
    }
    let mut scanner = Scanner { text, bytes: text.as_bytes(), position: 0, signs_end: 0 };
    while scanner.skip_space()? {
        if tokens.len() >= limits.statement_tokens {
            let message = format!("statement has more than {} tokens", limits.statement_tokens);
            return Err(LexError { kind: LexErrorKind::TooLarge, message, position: scanner.position });
        }
        let start = scanner.position;
        let kind = scanner.token()?;
        tokens.push(Token { kind, start: start as u32, end: scanner.position as u32 });
    }
    Ok(())
}

pub(super) fn syntax(message: &str, position: usize) -> LexError {
    LexError { kind: LexErrorKind::Syntax, message: message.to_owned(), position }
}

/// What a byte can begin or go on with; scan.l's character classes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Byte {
    Other,
    Space,
    /// `ident_start`
    Name,
    Digit,
    /// `op_chars`
    Operator,
    /// `, ; ( ) [ ]`, which stand for themselves whatever follows
    Single,
}

const CLASSES: [Byte; 256] = {
    let mut classes = [Byte::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => Byte::Space,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80..=0xff => Byte::Name,
            b'0'..=b'9' => Byte::Digit,
            b'~' | b'!' | b'@' | b'#' | b'^' | b'&' | b'|' | b'`' | b'?' => Byte::Operator,
            b'+' | b'-' | b'*' | b'/' | b'%' | b'<' | b'>' | b'=' => Byte::Operator,
            b',' | b';' | b'(' | b')' | b'[' | b']' => Byte::Single,
            _ => Byte::Other,
        };
        byte += 1;
    }
    classes
};

fn class(byte: u8) -> Byte {
    CLASSES[usize::from(byte)]
}

/// `ident_cont`
fn continues_name(byte: u8) -> bool {
    matches!(class(byte), Byte::Name | Byte::Digit) || byte == b'$'
}

/// What goes on inside a quoted constant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoted {
    /// `''` is a quote (xq, xus)
    Doubled,
    /// `''` is a quote and backslashes escape (xe)
    Escapes,
    /// `'` ends it, always (xb, xh)
    Plain,
}

struct Scanner<'t> {
    text: &'t str,
    bytes: &'t [u8],
    position: usize,
    /// Up to here there are only signs, each of them a token.
    signs_end: usize,
}

impl<'t> Scanner<'t> {
    /// The byte at an offset from here; 0, which is in no text, past the end.
    fn peek(&self, offset: usize) -> u8 {
        self.at(self.position + offset)
    }

    fn at(&self, position: usize) -> u8 {
        self.bytes.get(position).copied().unwrap_or(0)
    }

    fn rest(&self) -> &'t [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    /// To the next token. False at the end of the text.
    fn skip_space(&mut self) -> Result<bool, LexError> {
        loop {
            match self.peek(0) {
                0 => return Ok(false),
                b'-' if self.peek(1) == b'-' => self.skip_line(),
                b'/' if self.peek(1) == b'*' => self.skip_block()?,
                byte if class(byte) == Byte::Space => self.position += 1,
                _ => return Ok(true),
            }
        }
    }

    /// Over a `--` comment, not its newline.
    fn skip_line(&mut self) {
        let rest = self.rest();
        self.position += rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
    }

    /// Over a block comment and those inside it.
    fn skip_block(&mut self) -> Result<(), LexError> {
        let start = self.position;
        let mut depth = 0_usize;
        loop {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => {
                    depth += 1;
                    self.position += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.position += 2;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                (0, _) => return Err(syntax("unterminated /* comment", start)),
                _ => self.position += 1,
            }
        }
    }

    /// Over the token that begins here.
    fn token(&mut self) -> Result<TokenKind, LexError> {
        let byte = self.peek(0);
        match class(byte) {
            Byte::Name => self.name(byte),
            Byte::Digit => self.number(),
            Byte::Operator => self.operator(),
            Byte::Single => self.punctuation(1),
            Byte::Space | Byte::Other => match (byte, self.peek(1)) {
                (b'\'', _) => self.quoted(TokenKind::String, 1, Quoted::Doubled),
                (b'"', _) => self.quoted_name(1),
                (b'$', next) if next.is_ascii_digit() => self.parameter(),
                (b'$', _) => self.dollar_string(),
                (b'.', next) if next.is_ascii_digit() => self.number(),
                (b'.', b'.') | (b':', b':' | b'=') => self.punctuation(2),
                (b'.' | b':', _) => self.punctuation(1),
                _ => Err(syntax("syntax error", self.position)),
            },
        }
    }

    fn punctuation(&mut self, length: usize) -> Result<TokenKind, LexError> {
        self.position += length;
        Ok(TokenKind::Punctuation)
    }

    /// An identifier, or a constant that begins with a letter.
    fn name(&mut self, first: u8) -> Result<TokenKind, LexError> {
        match (first, self.peek(1), self.peek(2)) {
            (b'b' | b'B', b'\'', _) => return self.quoted(TokenKind::BitString, 2, Quoted::Plain),
            (b'x' | b'X', b'\'', _) => return self.quoted(TokenKind::HexString, 2, Quoted::Plain),
            (b'n' | b'N', b'\'', _) => return self.quoted(TokenKind::NationalString, 2, Quoted::Doubled),
            (b'e' | b'E', b'\'', _) => {
                let start = self.position;
                let kind = self.quoted(TokenKind::EscapeString, 2, Quoted::Escapes)?;
                return self.checked(kind, start);
            }
            (b'u' | b'U', b'&', b'\'') => {
                let start = self.position;
                let kind = self.quoted(TokenKind::UnicodeString, 3, Quoted::Doubled)?;
                self.uescape()?;
                return self.checked(kind, start);
            }
            (b'u' | b'U', b'&', b'"') => {
                let start = self.position;
                let kind = self.quoted_name(3)?;
                self.uescape()?;
                return self.checked(kind, start);
            }
            _ => {}
        }
        let rest = self.rest();
        self.position += rest.iter().position(|byte| !continues_name(*byte)).unwrap_or(rest.len());
        Ok(TokenKind::Identifier)
    }

    /// Escapes are part of the lexical syntax: one without a value is an error here.
    fn checked(&self, kind: TokenKind, start: usize) -> Result<TokenKind, LexError> {
        let raw = self.text.get(start..self.position).unwrap_or_default();
        let value = match kind {
            TokenKind::EscapeString if !raw.contains('\\') => return Ok(kind),
            TokenKind::QuotedIdentifier => literal::unicode_identifier(raw),
            _ => literal::string_value(kind, raw),
        };
        value.map_or_else(|problem| Err(syntax(problem, start)), |_| Ok(kind))
    }

    /// A quoted constant with its continuations: further constants in plain quotes, with only
    /// white space and `--` comments between, at least one newline among it (`quotecontinue`).
    /// They are read in the state of the first.
    fn quoted(&mut self, kind: TokenKind, prefix: usize, inside: Quoted) -> Result<TokenKind, LexError> {
        let start = self.position;
        self.position += prefix;
        loop {
            match self.peek(0) {
                0 => return Err(syntax(unterminated(kind), start)),
                b'\'' if inside != Quoted::Plain && self.peek(1) == b'\'' => self.position += 2,
                b'\'' => {
                    self.position += 1;
                    match continuation(self.rest()) {
                        Some(length) => self.position += length,
                        None => return Ok(kind),
                    }
                }
                // Over one byte, whatever it is; the rest of a longer character follows as itself.
                b'\\' if inside == Quoted::Escapes && self.peek(1) != 0 => self.position += 2,
                _ => self.position += 1,
            }
        }
    }

    fn quoted_name(&mut self, prefix: usize) -> Result<TokenKind, LexError> {
        let start = self.position;
        self.position += prefix;
        let inside = self.position;
        loop {
            match (self.peek(0), self.peek(1)) {
                (0, _) => return Err(syntax("unterminated quoted identifier", start)),
                (b'"', b'"') => self.position += 2,
                (b'"', _) if self.position == inside => {
                    return Err(syntax("zero-length delimited identifier", start));
                }
                (b'"', _) => {
                    self.position += 1;
                    return Ok(TokenKind::QuotedIdentifier);
                }
                _ => self.position += 1,
            }
        }
    }

    /// The clause that may follow `U&'…'` and `U&"…"`: `UESCAPE` and a one-character constant,
    /// which `base_yylex` in parser.c folds into the token.
    fn uescape(&mut self) -> Result<(), LexError> {
        let end = self.position;
        if !(self.skip_space()? && self.bytes_are("uescape") && !continues_name(self.peek("uescape".len()))) {
            self.position = end;
            return Ok(());
        }
        self.position += "uescape".len();
        let found = self.skip_space()?;
        let start = self.position;
        let plain = found && self.token()?.is_plain_string();
        let raw = self.text.get(start..self.position).unwrap_or_default();
        if !plain {
            return Err(syntax("UESCAPE must be followed by a simple string literal", start));
        }
        literal::escape_character(raw).map(drop).map_err(|problem| syntax(problem, start))
    }

    /// Is this word (given in lower case) here, in any case?
    fn bytes_are(&self, word: &str) -> bool {
        self.rest().get(..word.len()).is_some_and(|bytes| bytes.eq_ignore_ascii_case(word.as_bytes()))
    }

    fn dollar_string(&mut self) -> Result<TokenKind, LexError> {
        let start = self.position;
        let mut end = start + 1;
        if class(self.at(end)) == Byte::Name {
            while matches!(class(self.at(end)), Byte::Name | Byte::Digit) {
                end += 1;
            }
        }
        if self.at(end) != b'$' {
            return Err(syntax("syntax error", start));
        }
        // Both ends are at a `$`, so at character boundaries.
        let delimiter = self.text.get(start..=end).unwrap_or_default();
        let body = self.text.get(end + 1..).unwrap_or_default();
        let length =
            body.find(delimiter).ok_or_else(|| syntax("unterminated dollar-quoted string", start))?;
        self.position = end + 1 + length + delimiter.len();
        Ok(TokenKind::DollarString)
    }

    fn parameter(&mut self) -> Result<TokenKind, LexError> {
        let start = self.position;
        self.position += 1;
        while self.peek(0).is_ascii_digit() {
            self.position += 1;
        }
        if class(self.peek(0)) == Byte::Name {
            return Err(syntax("trailing junk after parameter", start));
        }
        let number = self.text.get(start + 1..self.position).unwrap_or_default();
        number.parse::<i32>().map_err(|_| syntax("parameter number too large", start))?;
        Ok(TokenKind::Parameter)
    }

    fn number(&mut self) -> Result<TokenKind, LexError> {
        const JUNK: &str = "trailing junk after numeric literal";
        let start = self.position;
        let mut kind = TokenKind::Integer;
        let radix = match (self.peek(0), self.peek(1)) {
            (b'0', b'x' | b'X') => Some((16, "invalid hexadecimal integer")),
            (b'0', b'o' | b'O') => Some((8, "invalid octal integer")),
            (b'0', b'b' | b'B') => Some((2, "invalid binary integer")),
            _ => None,
        };
        if let Some((radix, problem)) = radix {
            self.position += 2;
            if !self.digits(radix) {
                return Err(syntax(problem, start));
            }
            if continues_name(self.peek(0)) {
                return Err(syntax(JUNK, start));
            }
            return Ok(kind);
        }
        self.digits(10);
        // `1..2` is a range (`numericfail`).
        if self.peek(0) == b'.' && (self.position == start || self.peek(1) != b'.') {
            kind = TokenKind::Float;
            self.position += 1;
            if self.peek(0) != b'_' {
                self.digits(10);
            }
        }
        if matches!(self.peek(0), b'e' | b'E') {
            let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
            if !self.peek(1 + sign).is_ascii_digit() {
                return Err(syntax(JUNK, start));
            }
            kind = TokenKind::Float;
            self.position += 1 + sign;
            self.digits(10);
        }
        if class(self.peek(0)) == Byte::Name || (self.peek(0) == b'$' && self.ends_as_name(start)) {
            return Err(syntax(JUNK, start));
        }
        Ok(kind)
    }

    /// Could the end of the number that began at `start` begin a name? Then, since 16, a name that
    /// a `$` goes on with makes the longer match: `1e5$`, `1_0$` (`integer_junk` and the like).
    fn ends_as_name(&self, start: usize) -> bool {
        let number = self.bytes.get(start..self.position).unwrap_or_default();
        number.iter().rev().take_while(|byte| continues_name(**byte)).any(|byte| class(*byte) == Byte::Name)
    }

    /// Over `(_?digit)*`. Was there one?
    fn digits(&mut self, radix: u32) -> bool {
        let start = self.position;
        let is_digit = |byte: u8| char::from(byte).is_digit(radix);
        loop {
            if is_digit(self.peek(0)) {
                self.position += 1;
            } else if self.peek(0) == b'_' && is_digit(self.peek(1)) {
                self.position += 2;
            } else {
                return self.position > start;
            }
        }
    }

    fn operator(&mut self) -> Result<TokenKind, LexError> {
        let start = self.position;
        if start < self.signs_end {
            self.position += 1;
            return Ok(TokenKind::Operator);
        }
        let mut length = 1;
        while class(self.peek(length)) == Byte::Operator {
            // Comments begin anywhere in a run of operator characters. (Not at its first: that is
            // how this place would not have been reached.)
            if matches!((self.peek(length), self.peek(length + 1)), (b'-', b'-') | (b'/', b'*')) {
                break;
            }
            length += 1;
        }
        // A sign does not end an operator of more than one character unless that holds one which
        // no SQL operator has: `=-1` compares, `?-` is an operator.
        let run = self.rest().get(..length).unwrap_or_default();
        let special = |byte: &u8| b"~!@#^&|`?%".contains(byte);
        if matches!(run.last(), Some(b'+' | b'-')) && !run.iter().any(special) {
            self.signs_end = start + length;
            length = run.iter().rposition(|byte| !matches!(byte, b'+' | b'-')).map_or(1, |last| last + 1);
        }
        if length > NAME_BYTES {
            return Err(syntax("operator too long", start));
        }
        self.position += length;
        let arrow = self.bytes.get(start..self.position) == Some(b"=>");
        Ok(if arrow { TokenKind::Punctuation } else { TokenKind::Operator })
    }
}

impl TokenKind {
    /// SCONST as the lexer gives it out, before `U&'…'` has become one.
    fn is_plain_string(self) -> bool {
        self.is_string() && self != Self::UnicodeString
    }
}

fn unterminated(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::BitString => "unterminated bit string literal",
        TokenKind::HexString => "unterminated hexadecimal string literal",
        _ => "unterminated quoted string",
    }
}

/// `rest` without its leading `UESCAPE` and the space and comments around it.
pub(super) fn after_uescape(rest: &str) -> &str {
    let mut scanner = Scanner { text: rest, bytes: rest.as_bytes(), position: 0, signs_end: 0 };
    // Errors: the token has been scanned before.
    let _ = scanner.skip_space();
    scanner.position += "uescape".len();
    let _ = scanner.skip_space();
    rest.get(scanner.position..).unwrap_or_default()
}

/// After a closing quote: the length of `quotecontinue`, the quote that opens again included.
pub(super) fn continuation(rest: &[u8]) -> Option<usize> {
    let at = |position: usize| rest.get(position).copied().unwrap_or(0);
    let (mut position, mut newline) = (0, false);
    loop {
        match at(position) {
            b'\n' | b'\r' => {
                newline = true;
                position += 1;
            }
            b'-' if at(position + 1) == b'-' => {
                while !matches!(at(position), 0 | b'\n' | b'\r') {
                    position += 1;
                }
            }
            b'\'' => return newline.then_some(position + 1),
            byte if class(byte) == Byte::Space => position += 1,
            _ => return None,
        }
    }
}
