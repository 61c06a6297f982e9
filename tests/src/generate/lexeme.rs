//! The words of a statement before anybody has said how they are written.

/// A part of a statement that comments may stand before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lexeme {
    /// A keyword, or a type's or function's name that needs no quotes.
    Word(String),
    /// A name of a relation, column, …
    Name(String),
    /// A constant that is a string.
    Text(String),
    /// A constant that is a number.
    Number(String),
    Operator(String),
    /// One of `, ; ( ) [ ] . : :: := =>`
    Mark(String),
    /// `$1`
    Parameter(String),
}

const MARKS: [&str; 5] = ["::", ":=", "=>", ".", ":"];

/// The lexemes of a part of the grammar: words, marks, operators, numbers, parameters, and strings
/// without blanks in them.
pub fn lexemes(part: &str) -> Vec<Lexeme> {
    let mut found = Vec::new();
    for word in part.split_ascii_whitespace() {
        let mut rest = word;
        while !rest.is_empty() {
            let (length, lexeme) = first(rest);
            found.push(lexeme(rest[..length].to_owned()));
            rest = &rest[length..];
        }
    }
    found
}

/// The length of the first lexeme, and what it is.
fn first(rest: &str) -> (usize, fn(String) -> Lexeme) {
    let run = |of: &dyn Fn(char) -> bool| rest.find(|letter| !of(letter)).unwrap_or(rest.len());
    let after = |skipped: usize, of: &dyn Fn(char) -> bool| {
        rest[skipped..].find(|letter| !of(letter)).map_or(rest.len(), |length| skipped + length)
    };
    let in_number = |letter: char| letter.is_ascii_alphanumeric() || letter == '.';
    let letter = rest.chars().next().unwrap_or_default();
    match letter {
        'a'..='z' | 'A'..='Z' | '_' => {
            (run(&|letter| letter.is_ascii_alphanumeric() || letter == '_'), Lexeme::Word)
        }
        '.' | '0'..='9'
            if rest.trim_start_matches('.').starts_with(|letter: char| letter.is_ascii_digit()) =>
        {
            let length = run(&in_number);
            // The sign of an exponent.
            let length = match rest[..length].ends_with('e') && rest[length..].starts_with('-') {
                true => after(length + 1, &in_number),
                false => length,
            };
            (length, Lexeme::Number)
        }
        '$' => (after(1, &|letter| letter.is_ascii_digit()), Lexeme::Parameter),
        '\'' => {
            let length = rest[1..].find('\'').map_or(rest.len(), |end| end + 2);
            (length, |text| Lexeme::Text(text.trim_matches('\'').to_owned()))
        }
        ',' | ';' | '(' | ')' | '[' | ']' => (1, Lexeme::Mark),
        _ => match MARKS.iter().find(|mark| rest.starts_with(**mark)) {
            Some(mark) => (mark.len(), Lexeme::Mark),
            None => {
                (run(&|letter| "~!@#^&|`?+-*/%<>=".contains(letter)).max(letter.len_utf8()), Lexeme::Operator)
            }
        },
    }
}
