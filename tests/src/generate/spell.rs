//! How a statement is written: case, quotes, escapes, space and comments, in every way that
//! PostgreSQL's lexer allows and some that it does not.

use super::dice::Dice;
use super::lexeme::Lexeme;

/// How far from a plain hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hand {
    /// Lower case, one blank between words.
    Plain,
    /// Anything that means the same.
    Odd,
    /// Anything.
    Wild,
}

/// Words that are no names without quotes.
const RESERVED: [&str; 12] =
    ["user", "order", "group", "table", "select", "from", "where", "all", "end", "case", "default", "offset"];

const BLANKS: [&str; 8] = [" ", "  ", "\n", "\t", "\r\n", "\x0c", " \n ", "\r"];

const COMMENTS: [&str; 14] = [
    "/**/",
    "/* c */",
    "/* ' */",
    "/* \" */",
    "/* ; */",
    "/* $$ */",
    "/* -- */",
    "/* a /* b */ c */",
    "/***/",
    "/*/**/*/",
    "-- c\n",
    "--\n",
    "-- ' /* \n",
    "/* FROM customers é */",
];

/// Text that means something to a lexer that does not expect it.
const NASTY: [&str; 30] = [
    "'",
    "\"",
    "''",
    "$$",
    "$a$",
    "/*",
    "*/",
    "--",
    ";",
    "\\",
    "E'",
    "U&'",
    "U&\"",
    "N'",
    "B'",
    "x'",
    "(",
    ")",
    "\x0b",
    "\u{a0}",
    "\u{feff}",
    "é",
    "0x",
    "1_",
    "$1a",
    "1a",
    "::",
    ":=",
    "UESCAPE '!'",
    "\u{1f600}",
];

/// The statement's text.
pub fn spell(lexemes: &[Lexeme], hand: Hand, dice: &mut Dice) -> String {
    let mut out = String::new();
    for lexeme in lexemes {
        let written = match hand {
            Hand::Plain => plainly(lexeme),
            _ => oddly(lexeme, dice),
        };
        gap(&mut out, &written, hand, dice);
        out.push_str(&written);
        if hand == Hand::Wild && dice.one_in(60) {
            let nasty = *dice.pick(&NASTY);
            out.push_str(nasty);
        }
    }
    out
}

fn plainly(lexeme: &Lexeme) -> String {
    match lexeme {
        Lexeme::Word(word) => word.to_ascii_lowercase(),
        Lexeme::Name(name) if is_plain(name) => name.clone(),
        Lexeme::Name(name) => quoted(name),
        Lexeme::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Lexeme::Number(text) | Lexeme::Operator(text) | Lexeme::Mark(text) | Lexeme::Parameter(text) => {
            text.clone()
        }
    }
}

fn oddly(lexeme: &Lexeme, dice: &mut Dice) -> String {
    match lexeme {
        Lexeme::Word(word) => cased(word, dice),
        Lexeme::Name(name) => odd_name(name, dice),
        Lexeme::Text(text) => odd_text(text, dice),
        Lexeme::Number(number) => odd_number(number, dice),
        _ => plainly(lexeme),
    }
}

fn is_plain(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
        && !RESERVED.contains(&name)
}

fn cased(word: &str, dice: &mut Dice) -> String {
    match dice.below(4) {
        0 => word.to_ascii_lowercase(),
        1 => word.to_ascii_uppercase(),
        _ => word
            .chars()
            .map(|letter| match dice.one_in(2) {
                true => letter.to_ascii_uppercase(),
                false => letter.to_ascii_lowercase(),
            })
            .collect(),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn odd_name(name: &str, dice: &mut Dice) -> String {
    match dice.below(8) {
        0..=3 if is_plain(name) => cased(name, dice),
        0..=5 => quoted(name),
        6 => format!("{}\"{}\"", dice.pick(&["U&", "u&"]), unicode_escaped(name, '\\', '"', dice)),
        _ => {
            let gap = blank(dice);
            let text = unicode_escaped(name, '!', '"', dice);
            format!("U&\"{text}\"{gap}{}{} '!'", cased("uescape", dice), blank(dice))
        }
    }
}

/// Some letters as `\0061` or `\+000061`.
fn unicode_escaped(text: &str, escape: char, quote: char, dice: &mut Dice) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        let code = letter as u32;
        match dice.below(4) {
            0 if code <= 0xFFFF => out.push_str(&format!("{escape}{code:04X}")),
            1 => out.push_str(&format!("{escape}+{code:06x}")),
            _ if letter == escape || letter == quote => out.extend([letter, letter]),
            _ => out.push(letter),
        }
    }
    out
}

fn odd_text(text: &str, dice: &mut Dice) -> String {
    match dice.below(12) {
        0..=3 => format!("'{}'", text.replace('\'', "''")),
        4 | 5 => format!("{}'{}'", dice.pick(&["E", "e"]), backslashed(text, dice)),
        6 => format!("U&'{}'", unicode_escaped(text, '\\', '\'', dice)),
        7 => {
            let escaped = unicode_escaped(text, '!', '\'', dice);
            format!("u&'{escaped}'{}UESCAPE{}'!'", blank(dice), blank(dice))
        }
        8 if !text.contains('$') => format!("$${text}$$"),
        8 | 9 if !text.contains("$q") => {
            let tag = dice.pick(&["q", "Q1", "_", "é", "function"]);
            format!("${tag}${text}${tag}$")
        }
        // A constant that goes on after a line's end.
        _ => {
            let (before, after) = halves(text, dice);
            let between = dice.pick(&["\n", "\r", " \n\t", "\n\n", "\x0c\n", " -- c\n", "\n -- '\n "]);
            let escaped = |part: &str| part.replace('\'', "''");
            match dice.one_in(3) {
                true => format!("E'{}'{between}'{}'", backslashed(before, dice), backslashed(after, dice)),
                false => format!("'{}'{between}'{}'", escaped(before), escaped(after)),
            }
        }
    }
}

fn backslashed(text: &str, dice: &mut Dice) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        let code = letter as u32;
        match dice.below(8) {
            0 if code < 128 => out.push_str(&format!("\\x{code:02x}")),
            1 if code < 128 => out.push_str(&format!("\\{code:03o}")),
            2 if code <= 0xFFFF => out.push_str(&format!("\\u{code:04x}")),
            3 => out.push_str(&format!("\\U{code:08X}")),
            4 if letter == '\'' => out.push_str("\\'"),
            _ if matches!(letter, '\'' | '\\') => out.extend([letter, letter]),
            _ => out.push(letter),
        }
    }
    out
}

fn halves<'t>(text: &'t str, dice: &mut Dice) -> (&'t str, &'t str) {
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    text.split_at(*dice.pick(&places))
}

fn odd_number(number: &str, dice: &mut Dice) -> String {
    let Ok(value) = number.parse::<u32>() else { return number.to_owned() };
    match dice.below(16) {
        0 => format!("{value:#x}"),
        1 => format!("0o{value:o}"),
        2 => format!("{}_{}", value / 10, value % 10),
        3 => format!("00{value}"),
        _ => number.to_owned(),
    }
}

fn blank(dice: &mut Dice) -> String {
    (*dice.pick(&BLANKS)).to_owned()
}

/// What stands between two tokens.
fn gap(out: &mut String, next: &str, hand: Hand, dice: &mut Dice) {
    let (Some(last), Some(first)) = (out.chars().next_back(), next.chars().next()) else { return };
    let needed = must_part(out, last, first);
    match hand {
        Hand::Plain
            if needed
                || !(matches!(last, '(' | '[' | '.' | ':')
                    || matches!(first, ',' | ')' | ']' | '.' | ';' | ':')) =>
        {
            out.push(' ');
        }
        Hand::Plain => {}
        // Glued together whatever comes of it.
        Hand::Wild if dice.one_in(40) => {}
        _ if needed || dice.one_in(2) => {
            if dice.one_in(4) {
                // `-` and a line comment, `/` and a star: another token.
                if matches!(last, '-' | '/' | '*') && hand == Hand::Odd {
                    out.push(' ');
                }
                let comment = *dice.pick(&COMMENTS);
                out.push_str(comment);
                if dice.one_in(3) {
                    out.push_str(&blank(dice));
                }
            } else if hand == Hand::Wild && dice.one_in(30) {
                out.push('\x0b');
            } else {
                out.push_str(&blank(dice));
            }
        }
        _ => {}
    }
}

/// Would they be other tokens without anything between them?
fn must_part(out: &str, last: char, first: char) -> bool {
    let in_word =
        |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '$') || !letter.is_ascii();
    let in_operator = |letter: char| "~!@#^&|`?+-*/%<>=:".contains(letter);
    // A word of one or two letters before a quote could be the quote's own.
    let short = out.chars().rev().take_while(|letter| in_word(*letter) || *letter == '&').count() <= 2;
    in_word(last) && (in_word(first) || short && matches!(first, '\'' | '"' | '&'))
        || in_operator(last) && in_operator(first)
        || last == '.' && first.is_ascii_digit()
        || last.is_ascii_digit() && first == '.'
        || matches!(last, '\'' | '"') && last == first
        || last == '&' && matches!(first, '\'' | '"')
}
