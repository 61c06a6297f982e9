//! Policies in the text of a file: where each begins and ends, and where in it something stands.
//!
//! Cedar's parser gives up on a whole file at its first syntax error. Cut apart, each policy tells
//! its own mistakes, and all of them are told at once.
//!
//! The tokens are Cedar's (its reference, "Grammar": comments are `//` to the end of the line,
//! strings have backslash escapes); nothing is decided by them but positions.

use crate::problem::Problem;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Word,
    /// A string, its quotes included.
    Text,
    Sign,
}

struct Token<'a> {
    kind: Kind,
    start: usize,
    text: &'a str,
}

/// One policy as it is written.
pub(crate) struct Snippet<'a> {
    pub file: &'a str,
    source: &'a str,
    /// Of its first token, in bytes of `source`.
    start: usize,
    /// Counted from 1.
    pub line: usize,
    pub text: &'a str,
    tokens: Vec<Token<'a>>,
}

impl<'a> Snippet<'a> {
    /// `offset` in bytes of the snippet's text.
    pub(crate) fn problem(&self, offset: usize, message: impl Into<String>, hint: Option<String>) -> Problem {
        let (line, column) = place(self.source, self.start.saturating_add(offset));
        Problem { file: self.file.to_owned(), line, column, message: message.into(), hint }
    }

    /// Where `@name` stands; the policy's beginning if nowhere.
    pub(crate) fn annotation(&self, name: &str) -> usize {
        self.find(|[at, word]| at.text == "@" && word.text == name)
    }

    /// Where `Kind::"id"` stands.
    pub(crate) fn entity(&self, kind: &str, id: &str) -> usize {
        self.find(|[word, _, _, text]: &[Token<'_>; 4]| word.text == kind && is_string(text, id))
    }

    /// Where the string `value` stands.
    pub(crate) fn string(&self, value: &str) -> usize {
        self.find(|[text]| is_string(text, value))
    }

    /// How deep brackets are nested in it, and how many operators and dots it has: together a bound
    /// on how deep its tree is.
    pub(crate) fn depth(&self) -> (usize, usize) {
        let (mut open, mut deepest, mut operators) = (0_usize, 0, 0);
        for token in self.tokens.iter().filter(|token| token.kind != Kind::Text) {
            match token.text {
                "(" | "[" | "{" => {
                    open += 1;
                    deepest = deepest.max(open);
                }
                ")" | "]" | "}" => open = open.saturating_sub(1),
                "," | ":" | ";" | "@" => {}
                "if" | "has" | "in" | "is" | "like" => operators += 1,
                _ if token.kind == Kind::Sign => operators += 1,
                _ => {}
            }
        }
        (deepest, operators)
    }

    fn find<const N: usize>(&self, matches: impl Fn(&[Token<'a>; N]) -> bool) -> usize {
        self.tokens
            .windows(N)
            .filter_map(|window| <&[Token<'a>; N]>::try_from(window).ok())
            .find(|window| matches(window))
            .and_then(|window| window.first())
            .map_or(0, |token| token.start.saturating_sub(self.start))
    }
}

/// Without escapes: whoever escapes what need not be gets the policy's first line.
fn is_string(token: &Token<'_>, value: &str) -> bool {
    token.kind == Kind::Text && token.text.get(1..token.text.len().saturating_sub(1)) == Some(value)
}

/// The policies of a file. A last one may lack its semicolon; Cedar's parser says so.
pub(crate) fn snippets<'a>(file: &'a str, source: &'a str) -> Vec<Snippet<'a>> {
    let mut snippets: Vec<Snippet<'a>> = Vec::new();
    let mut tokens: Vec<Token<'a>> = Vec::new();
    let (mut counted, mut line) = (0, 1);
    let mut policy = |tokens: Vec<Token<'a>>| {
        let (start, last) = (tokens.first()?.start, tokens.last()?);
        line += source.get(counted..start)?.matches('\n').count();
        counted = start;
        let text = source.get(start..last.start + last.text.len())?;
        Some(Snippet { file, source, start, line, text, tokens })
    };
    let all = Tokens { source, at: 0 };
    for token in all {
        let last = token.text == ";";
        tokens.push(token);
        if last {
            snippets.extend(policy(std::mem::take(&mut tokens)));
        }
    }
    snippets.extend(policy(tokens));
    snippets
}

struct Tokens<'a> {
    source: &'a str,
    at: usize,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let rest = self.source.get(self.at..)?;
            let first = rest.chars().next()?;
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let (kind, length) = match first {
                '"' => (Kind::Text, string_length(rest)),
                c if is_word(c) => (Kind::Word, rest.find(|c| !is_word(c)).unwrap_or(rest.len())),
                _ if rest.starts_with("//") => {
                    self.at += rest.find('\n').unwrap_or(rest.len());
                    continue;
                }
                c if c.is_whitespace() => {
                    self.at += c.len_utf8();
                    continue;
                }
                c => (Kind::Sign, c.len_utf8()),
            };
            let token = Token { kind, start: self.at, text: rest.get(..length)? };
            self.at += length;
            return Some(token);
        }
    }
}

/// Of the string that `rest` begins with; to the end where it is never closed.
fn string_length(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

/// Line and column, both counted from 1.
fn place(source: &str, offset: usize) -> (usize, usize) {
    let before = source.get(..offset).unwrap_or(source);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    (line, before.get(line_start..).map_or(0, |text| text.chars().count()) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_at_semicolons_of_the_policies_alone() {
        let source = "// a; b\npermit(1) when { \"x;\\\";\" }; // c;\n\nforbid(2);  tail";
        let texts: Vec<(usize, &str)> = snippets("f", source).iter().map(|s| (s.line, s.text)).collect();
        assert_eq!(texts, [(2, "permit(1) when { \"x;\\\";\" };"), (4, "forbid(2);"), (4, "tail")]);
    }

    #[test]
    fn finds_what_stands_where() {
        let source = "\n\n@é(\"ä\")\n  @id(\"x\") permit(Group::\"x\", \"never closed \\\"";
        let [policy] = &snippets("f", source)[..] else { panic!("one policy") };
        let at = |offset| {
            let problem = policy.problem(offset, "", None);
            (problem.line, problem.column)
        };
        assert_eq!(at(policy.annotation("id")), (4, 3));
        assert_eq!(at(policy.string("ä")), (3, 4));
        assert_eq!(at(policy.entity("Group", "x")), (4, 19));
        assert_eq!(at(policy.annotation("nowhere")), (3, 1));
    }
}
