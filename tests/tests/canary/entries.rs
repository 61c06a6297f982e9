//! The corpus' format: files of named entries, each some messages and what is expected of them.
//!
//! A file begins with comments (`--`). An entry begins with a line `=== name`, names are unique
//! within a file; the lines `-- directive[: value]` directly under it say:
//!
//! - `as: owner`, `as: super`: sign in as who maps to that role upstream; otherwise `app`
//! - `startup: name=value`: a parameter of the start-up message
//! - `blind`: an inference: discloses by answers that differ between two databases which differ in
//!   protected cells alone
//! - `key`: asks for the masks' key, which past the proxy is nowhere
//! - `compare: sqlstate`: of errors, the SQLSTATE and the position; the words are the proxy's own
//! - `undone`: played between BEGIN and ROLLBACK
//! - `known: defect`: discloses, or differs, until the defect is mended; nothing may say so for long
//!
//! `=== each name` begins a list: every line is an entry of its own, and its name too.
//!
//! Then come messages. A line that ends in `;` ends a message, which is sent without that semicolon
//! as one Query; a line in whose middle there are semicolons is one message of several statements.
//! `⟦00 ff⟧` stands for bytes. Lines that begin with a backslash speak of the message that follows:
//!
//! - `\bind text value | value`: sent as Parse, Bind, Describe, Execute and Sync; `\N` is NULL;
//!   `\bind binary …` asks for rows in binary
//! - `\named name` and `\again name text value | value`: Parse under a name; Bind and Execute of it
//! - `\pipeline`: each line of it by Parse, Bind, Describe and Execute, and one Sync after all
//! - `\session 2`: from here on a second session of the same user; `\session 2 owner`: of another
//! - `\data text`: what COPY FROM STDIN is told, with `\t` and `\n`

use std::fs;

use pgwarrant_tests::workspace;

/// The role upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    App,
    Owner,
    Super,
}

impl Role {
    fn parse(text: &str) -> Role {
        match text {
            "app" => Role::App,
            "owner" => Role::Owner,
            "super" => Role::Super,
            other => panic!("no role {other}"),
        }
    }

    /// As PostgreSQL knows it.
    pub fn upstream(self) -> &'static str {
        match self {
            Role::App => "canary_app",
            Role::Owner => "canary_owner",
            Role::Super => "canary_super",
        }
    }

    /// Who has it through the proxy, without a grant.
    pub fn user(self) -> &'static str {
        match self {
            Role::App => "ada",
            Role::Owner => "ben",
            Role::Super => "olga",
        }
    }
}

/// How a message is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    Query,
    Extended { binary: bool, values: Vec<Option<String>> },
    Parse { name: String },
    Again { name: String, binary: bool, values: Vec<Option<String>> },
    Pipeline,
}

/// Something that a client sends and awaits the answer of.
#[derive(Clone, Debug)]
pub struct Message {
    pub session: usize,
    pub how: How,
    pub sql: Vec<u8>,
    pub data: Vec<u8>,
}

/// What is compared of a harmless entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    Everything,
    Sqlstate,
}

#[derive(Clone, Debug)]
pub struct Entry {
    /// `file: name`
    pub name: String,
    pub role: Role,
    /// The roles of sessions 2, 3, …
    pub others: Vec<Role>,
    pub startup: Vec<(String, String)>,
    pub blind: bool,
    pub key: bool,
    pub compare: Compare,
    pub known: bool,
    pub undone: bool,
    pub messages: Vec<Message>,
    /// As written: what the client itself says.
    pub text: String,
}

/// The entries of a file under tests/data/canary.
pub fn read(file: &str) -> Vec<Entry> {
    let path = workspace().join("tests/data/canary").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut entries: Vec<Entry> = Vec::new();
    let mut parts = text.split("\n=== ");
    parts.next();
    for part in parts {
        let (name, body) = part.split_once('\n').unwrap_or((part, ""));
        let read = match name.strip_prefix("each ") {
            Some(name) => each(&format!("{file}: {}", name.trim()), body),
            None => vec![entry(format!("{file}: {}", name.trim()), body)],
        };
        for entry in read {
            assert!(
                entries.iter().all(|other| other.name != entry.name),
                "two entries are called {}",
                entry.name
            );
            entries.push(entry);
        }
    }
    assert!(!entries.is_empty(), "{file} has entries");
    entries
}

/// Every line on its own, under the directives of all.
fn each(name: &str, body: &str) -> Vec<Entry> {
    let (directives, lines): (Vec<&str>, Vec<&str>) =
        body.lines().filter(|line| !line.trim().is_empty()).partition(|line| line.starts_with("-- "));
    let directives: String = directives.iter().map(|line| format!("{line}\n")).collect();
    lines.iter().map(|line| entry(format!("{name}: {line}"), &format!("{directives}{line}"))).collect()
}

fn entry(name: String, body: &str) -> Entry {
    let mut entry = Entry {
        name,
        role: Role::App,
        others: Vec::new(),
        startup: Vec::new(),
        blind: false,
        key: false,
        compare: Compare::Everything,
        known: false,
        undone: false,
        messages: Vec::new(),
        text: body.to_owned(),
    };
    let mut lines = body.lines().peekable();
    while let Some(directive) = lines.peek().and_then(|line| line.strip_prefix("-- ")) {
        direct(&mut entry, directive);
        lines.next();
    }
    let mut session = 0;
    let mut how = None;
    let mut data = String::new();
    let mut sql = String::new();
    let mut finish = |sql: &mut String, how: &mut Option<How>, data: &mut String, session: usize| {
        let how = how.take().unwrap_or(How::Query);
        let data = std::mem::take(data).replace("\\t", "\t").replace("\\n", "\n").into_bytes();
        entry.messages.push(Message { session, how, sql: bytes(&std::mem::take(sql)), data });
    };
    for line in lines {
        if sql.is_empty()
            && let Some(command) = line.strip_prefix('\\')
        {
            let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
            match word {
                "session" => {
                    let (number, role) = rest.split_once(' ').unwrap_or((rest, ""));
                    session = number.parse::<usize>().expect("a session's number") - 1;
                    while entry.others.len() < session {
                        entry.others.push(if role.is_empty() { entry.role } else { Role::parse(role) });
                    }
                }
                "bind" => {
                    let (binary, values) = values(rest);
                    how = Some(How::Extended { binary, values });
                }
                "pipeline" => how = Some(How::Pipeline),
                "named" => how = Some(How::Parse { name: rest.to_owned() }),
                "again" => {
                    let (name, rest) = rest.split_once(' ').unwrap_or((rest, "text"));
                    let (binary, values) = values(rest);
                    how = Some(How::Again { name: name.to_owned(), binary, values });
                    finish(&mut sql, &mut how, &mut data, session);
                }
                "data" => data.push_str(rest),
                other => panic!("no command \\{other}"),
            }
            continue;
        }
        if line.trim().is_empty() && sql.is_empty() {
            continue;
        }
        if !sql.is_empty() {
            sql.push('\n');
        }
        match line.strip_suffix(';') {
            Some(line) => {
                sql.push_str(line);
                finish(&mut sql, &mut how, &mut data, session);
            }
            None => sql.push_str(line),
        }
    }
    let rest = sql.trim_end().to_owned();
    if !rest.is_empty() {
        sql = rest;
        finish(&mut sql, &mut how, &mut data, session);
    }
    assert!(!entry.messages.is_empty(), "{} says nothing", entry.name);
    if entry.undone {
        let plain = |sql: &str| Message { session: 0, how: How::Query, sql: sql.into(), data: Vec::new() };
        entry.messages.insert(0, plain("BEGIN"));
        entry.messages.push(plain("ROLLBACK"));
    }
    entry
}

fn direct(entry: &mut Entry, directive: &str) {
    let (word, value) = directive.split_once(": ").unwrap_or((directive, ""));
    match word {
        "as" => entry.role = Role::parse(value),
        "startup" => {
            let (name, value) = value.split_once('=').expect("name=value");
            entry.startup.push((name.to_owned(), value.to_owned()));
        }
        "blind" => entry.blind = true,
        "key" => entry.key = true,
        "known" => entry.known = true,
        "undone" => entry.undone = true,
        "compare" if value == "sqlstate" => entry.compare = Compare::Sqlstate,
        _ => panic!("{}: no directive {directive:?}", entry.name),
    }
}

/// `text a | b`, `binary`, `text`
fn values(text: &str) -> (bool, Vec<Option<String>>) {
    let (format, values) = text.split_once(' ').unwrap_or((text, ""));
    let values = match values.trim() {
        "" => Vec::new(),
        values => values
            .split(" | ")
            .map(|value| (value.trim() != "\\N").then(|| value.trim().to_owned()))
            .collect(),
    };
    assert!(matches!(format, "text" | "binary"), "a format, not {format:?}");
    (format == "binary", values)
}

/// With `⟦…⟧` as the bytes it stands for.
fn bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('⟦') {
        let (hex, after) = after.split_once('⟧').expect("⟦…⟧");
        out.extend(before.bytes());
        out.extend(hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).expect("a byte in hex")));
        rest = after;
    }
    out.extend(rest.bytes());
    out
}
