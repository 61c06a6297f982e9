//! A rough reading of SQL and PL/pgSQL source text: words, strings, operators.
//!
//! Exact where it must be, in what is a comment and where a string ends (`src/backend/parser/scan.l`
//! with `standard_conforming_strings` on); elsewhere it takes more for a word than PostgreSQL does.
//! The statements of clients are not its business.

/// Identifiers are cut after so many bytes (`NAMEDATALEN` - 1).
const MAX_IDENTIFIER: usize = 63;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// An identifier or keyword, folded to lower case.
    Word(String),
    /// A quoted identifier.
    Quoted(String),
    /// A string: its value, and whether it was written `'…'` with no escapes in it.
    Text {
        value: String,
        plain: bool,
    },
    /// A run of operator characters; PostgreSQL may see several operators in it.
    Operator(String),
    Punctuation(char),
    Number,
}

/// The text is not lexically complete: PostgreSQL would not read it either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

impl Token {
    pub fn is_word(&self, word: &str) -> bool {
        matches!(self, Token::Word(text) if text == word)
    }

    /// The name that an identifier stands for.
    pub fn name(&self) -> Option<&str> {
        match self {
            Token::Word(name) | Token::Quoted(name) => Some(name),
            _ => None,
        }
    }
}

pub(crate) fn lex(text: &str) -> Result<Vec<Token>, Unreadable> {
    let mut reader = Reader { rest: text };
    let mut tokens = Vec::new();
    while let Some(character) = reader.peek() {
        if character.is_ascii_whitespace() || character == '\u{b}' {
            reader.bump();
        } else if reader.skip_comment()? {
        } else if let Some(token) = reader.string()? {
            tokens.push(token);
        } else if is_identifier_start(character) {
            let word = reader.take_while(is_identifier);
            tokens.push(Token::Word(truncate(word.to_ascii_lowercase())));
        } else if character.is_ascii_digit() {
            reader.take_while(|c| c.is_ascii_digit());
            tokens.push(Token::Number);
        } else if is_operator(character) {
            tokens.push(Token::Operator(reader.operator()));
        } else {
            reader.bump();
            tokens.push(Token::Punctuation(character));
        }
    }
    Ok(tokens)
}

fn is_identifier_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

pub(crate) fn is_identifier(c: char) -> bool {
    is_identifier_start(c) || c.is_ascii_digit() || c == '$'
}

fn is_operator(c: char) -> bool {
    "~!@#^&|`?+-*/%<>=".contains(c)
}

pub(crate) fn truncate(mut name: String) -> String {
    if name.len() > MAX_IDENTIFIER {
        let end = (0..=MAX_IDENTIFIER).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
        name.truncate(end);
    }
    name
}

struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let character = characters.next();
        self.rest = characters.as_str();
        character
    }

    fn eat(&mut self, prefix: &str) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn skip_comment(&mut self) -> Result<bool, Unreadable> {
        if self.eat("--") {
            self.take_while(|c| c != '\n' && c != '\r');
            return Ok(true);
        }
        if !self.eat("/*") {
            return Ok(false);
        }
        let mut depth = 1u32;
        while depth > 0 {
            if self.eat("/*") {
                depth += 1;
            } else if self.eat("*/") {
                depth -= 1;
            } else if self.bump().is_none() {
                return Err(Unreadable);
            }
        }
        Ok(true)
    }

    /// Operator characters up to the next comment, which ends an operator anywhere in it.
    fn operator(&mut self) -> String {
        let mut operator = String::new();
        while let Some(character) = self.peek().filter(|c| is_operator(*c)) {
            if self.rest.starts_with("--") || self.rest.starts_with("/*") {
                break;
            }
            operator.push(character);
            self.bump();
        }
        operator
    }

    fn string(&mut self) -> Result<Option<Token>, Unreadable> {
        if self.eat("U&\"") || self.eat("u&\"") {
            return Ok(Some(Token::Quoted(truncate(unicode(&self.until_quote('"')?)?))));
        }
        if self.eat("U&'") || self.eat("u&'") {
            return Ok(Some(Token::Text { value: unicode(&self.until_quote('\'')?)?, plain: false }));
        }
        if self.eat("E'") || self.eat("e'") {
            return Ok(Some(Token::Text { value: self.escaped()?, plain: false }));
        }
        for letters in ["N'", "n'", "B'", "b'", "X'", "x'"] {
            if self.eat(letters) {
                return Ok(Some(Token::Text { value: self.until_quote('\'')?, plain: false }));
            }
        }
        if self.eat("\"") {
            return Ok(Some(Token::Quoted(truncate(self.until_quote('"')?))));
        }
        if self.eat("'") {
            return Ok(Some(Token::Text { value: self.until_quote('\'')?, plain: true }));
        }
        self.dollar_quoted()
    }

    /// What is before the closing quote; doubled ones are one.
    fn until_quote(&mut self, quote: char) -> Result<String, Unreadable> {
        let mut value = String::new();
        loop {
            match self.bump().ok_or(Unreadable)? {
                c if c != quote => value.push(c),
                _ if self.peek() == Some(quote) => {
                    self.bump();
                    value.push(quote);
                }
                _ => return Ok(value),
            }
        }
    }

    /// An E string after its opening quote. It goes on after its closing quote where a line break
    /// and another quote follow, still with escapes.
    fn escaped(&mut self) -> Result<String, Unreadable> {
        let mut value = String::new();
        loop {
            match self.bump().ok_or(Unreadable)? {
                '\\' => value.push(self.escape()?),
                '\'' if self.peek() == Some('\'') => {
                    self.bump();
                    value.push('\'');
                }
                '\'' if self.continues() => {}
                '\'' => return Ok(value),
                character => value.push(character),
            }
        }
    }

    /// White space with a line break in it, comments of that kind, then a quote: eaten.
    fn continues(&mut self) -> bool {
        let mut ahead = Reader { rest: self.rest };
        let mut broken = false;
        loop {
            match ahead.peek() {
                Some('\n' | '\r') => {
                    broken = true;
                    ahead.bump();
                }
                Some(c) if c.is_ascii_whitespace() || c == '\u{b}' => {
                    ahead.bump();
                }
                Some('-') if ahead.rest.starts_with("--") => {
                    ahead.take_while(|c| c != '\n' && c != '\r');
                }
                Some('\'') if broken => {
                    ahead.bump();
                    self.rest = ahead.rest;
                    return true;
                }
                _ => return false,
            }
        }
    }

    fn escape(&mut self) -> Result<char, Unreadable> {
        let character = self.bump().ok_or(Unreadable)?;
        let (digits, radix) = match character {
            'x' => (2, 16),
            'u' => (4, 16),
            'U' => (8, 16),
            '0'..='7' => (2, 8),
            'b' => return Ok('\u{8}'),
            'f' => return Ok('\u{c}'),
            'n' => return Ok('\n'),
            'r' => return Ok('\r'),
            't' => return Ok('\t'),
            other => return Ok(other),
        };
        let mut code = if radix == 8 { character.to_digit(8) } else { None };
        for _ in 0..digits {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(radix)) else { break };
            self.bump();
            code = Some(code.unwrap_or(0).wrapping_mul(radix).wrapping_add(digit));
        }
        Ok(code.and_then(char::from_u32).unwrap_or(character))
    }

    fn dollar_quoted(&mut self) -> Result<Option<Token>, Unreadable> {
        let Some(after) = self.rest.strip_prefix('$') else { return Ok(None) };
        let end =
            after.find(|c: char| !(is_identifier_start(c) || c.is_ascii_digit())).unwrap_or(after.len());
        let (tag, rest) = after.split_at(end);
        if tag.starts_with(|c: char| c.is_ascii_digit()) || !rest.starts_with('$') {
            return Ok(None);
        }
        let delimiter = format!("${tag}$");
        let body = rest.strip_prefix('$').unwrap_or(rest);
        let (value, rest) = body.split_once(delimiter.as_str()).ok_or(Unreadable)?;
        self.rest = rest;
        Ok(Some(Token::Text { value: value.to_owned(), plain: false }))
    }
}

/// `\XXXX`, `\+XXXXXX` and `\\` of a `U&` string or identifier, with the default escape character.
fn unicode(text: &str) -> Result<String, Unreadable> {
    let mut value = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        value.push_str(before);
        if let Some(after) = after.strip_prefix('\\') {
            value.push('\\');
            rest = after;
            continue;
        }
        let (digits, length) = match after.strip_prefix('+') {
            Some(after) => (after, 6),
            None => (after, 4),
        };
        let code = digits.get(..length).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        value.push(code.and_then(char::from_u32).ok_or(Unreadable)?);
        rest = digits.get(length..).unwrap_or_default();
    }
    value.push_str(rest);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Token {
        Token::Word(text.into())
    }

    fn string(value: &str, plain: bool) -> Token {
        Token::Text { value: value.into(), plain }
    }

    #[test]
    fn comments_and_strings_end_where_postgresql_says() {
        for (text, tokens) in [
            ("a -- b\nc", vec![word("a"), word("c")]),
            ("a /* b /* c */ d */ e", vec![word("a"), word("e")]),
            ("'it''s -- no comment' x", vec![string("it's -- no comment", true), word("x")]),
            ("'a\\' b", vec![string("a\\", true), word("b")]),
            (r"E'a\' b' c", vec![string("a' b", false), word("c")]),
            (r"E'cust\x6fm\145rs'", vec![string("customers", false)]),
            ("E'a'\n'\\'b' c", vec![string("a'b", false), word("c")]),
            ("E'a' 'b'", vec![string("a", false), string("b", true)]),
            ("$x$ a $y$ $x$ b", vec![string(" a $y$ ", false), word("b")]),
            ("$1 a", vec![Token::Punctuation('$'), Token::Number, word("a")]),
            (r#"U&"d\0061t\+000061" X"#, vec![Token::Quoted("data".into()), word("x")]),
            (r#""Mixed""Case""#, vec![Token::Quoted("Mixed\"Case".into())]),
            ("a<=/* ' */b", vec![word("a"), Token::Operator("<=".into()), word("b")]),
            ("a<--'\nb", vec![word("a"), Token::Operator("<".into()), word("b")]),
            ("tab$le", vec![word("tab$le")]),
            ("12e", vec![Token::Number, word("e")]),
        ] {
            assert_eq!(lex(text).unwrap(), tokens, "{text}");
        }
    }

    #[test]
    fn what_does_not_end_is_unreadable() {
        for text in ["'a", "\"a", "/* a", "/* /* */", "$$ a", r"E'a\'", r#"U&"\00g1""#] {
            assert_eq!(lex(text), Err(Unreadable), "{text}");
        }
    }

    #[test]
    fn identifiers_are_cut_as_postgresql_cuts_them() {
        assert_eq!(lex(&"a".repeat(70)).unwrap(), vec![word(&"a".repeat(63))]);
        assert_eq!(truncate("ü".repeat(40)).len(), 62);
    }
}
