//! Case files: a head, then cases of a title, an input and the expected outcome.
//!
//! ```text
//! # what the file is about
//! > policies starter.cedar          files of docs/policies that hold for all cases
//! permit (…) …                      and policies that do
//!
//! ## title
//! user = "ada"                      the request, in TOML, where it differs from the usual one
//! ---
//! permit (…) …                      policies of this case alone, if any
//! =>
//! expected
//! ```

#![allow(dead_code, reason = "each test target uses its part")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pgwarrant_grants::ruling::{
    Action, AskedColumn, Asker, Facts, LocalTime, Ruling, Sensitivity, SignIn, Source, Urgency,
};
use pgwarrant_grants::{Who, parse_duration};
use pgwarrant_policy::{Policies, Problem, outcome};
use serde::Deserialize;

/// As in the repository's proxy.toml.
pub const GROUPS: [&str; 4] = ["engineering", "oncall", "privacy", "audit"];
pub const CATEGORIES: [&str; 9] =
    ["identity", "contact", "address", "birth", "national_id", "online", "payment", "employment", "health"];

/// Of an imagined configuration.
pub const CONDITIONS: [&str; 2] = ["ticket", "on-duty"];

pub struct Case {
    pub title: String,
    pub input: String,
    pub expected: String,
}

pub struct CaseFile {
    pub path: PathBuf,
    pub head: String,
    pub cases: Vec<Case>,
}

pub fn read(name: &str) -> CaseFile {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(name);
    let text = std::fs::read_to_string(&path).expect("a case file");
    let (head, rest) = text.split_once("\n## ").expect("cases");
    let cases = rest.split("\n## ").map(|case| {
        let (title, case) = case.split_once('\n').expect("a title");
        let (input, expected) = case.split_once("=>\n").expect("an outcome");
        Case { title: title.to_owned(), input: input.to_owned(), expected: expected.trim_end().to_owned() }
    });
    CaseFile { path, head: head.to_owned(), cases: cases.collect() }
}

/// Compares, or under `UPDATE_EXPECT=1` writes the outcomes anew. How many cases there were.
pub fn check(file: &CaseFile, outcome: impl Fn(&Case) -> String) -> usize {
    let mut anew = file.head.clone();
    let mut wrong = String::new();
    for case in &file.cases {
        let outcome = outcome(case);
        if outcome != case.expected {
            let title = &case.title;
            let _ =
                writeln!(wrong, "{}: {title}\n{}\nis now\n{outcome}\n", file.path.display(), case.expected);
        }
        let _ = write!(anew, "\n## {}\n{}=>\n{outcome}\n", case.title, case.input);
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&file.path, anew).expect("a writable case file");
    } else {
        assert!(wrong.is_empty(), "{wrong}");
    }
    file.cases.len()
}

pub fn documented(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/policies").join(name);
    std::fs::read_to_string(path).expect("a starter policy")
}

pub fn load<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Policies, Vec<Problem>> {
    Policies::load(files, GROUPS, CATEGORIES, CONDITIONS)
}

pub fn told(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// The policies of the file's head and of the case.
pub fn policies(file: &CaseFile, case: &Case) -> Policies {
    let named =
        file.head.lines().filter_map(|line| line.strip_prefix("> policies ")).flat_map(str::split_whitespace);
    let mut files: Vec<(String, String)> = named.map(|name| (name.to_owned(), documented(name))).collect();
    let written = |line: &&str| !line.starts_with(['#', '>']);
    let head: Vec<&str> = file.head.lines().filter(written).collect();
    files.push(("head.cedar".to_owned(), head.join("\n")));
    if let Some((_, own)) = case.input.split_once("---\n") {
        files.push(("case.cedar".to_owned(), own.to_owned()));
    }
    load(files.iter().map(|(name, text)| (name.as_str(), text.as_str())))
        .unwrap_or_else(|problems| panic!("{}: {}", case.title, told(&problems)))
}

/// A ruling as the case files show it.
pub fn shown(ruling: &Ruling) -> String {
    let mut text = outcome(ruling);
    let why = ruling.why();
    if !why.policies.is_empty() {
        let _ = write!(text, "\n  by {}", why.policies.join(", "));
    }
    for reason in &why.reasons {
        let reason = if reason.len() > 500 { &format!("({} bytes)", reason.len()) } else { reason };
        let _ = write!(text, "\n  {reason}");
    }
    if let Ruling::Refuse { hint: Some(hint), .. } = ruling {
        let _ = write!(text, "\n  HINT: {hint}");
    }
    text
}

/// What a case may say of a request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Asks {
    user: String,
    person: Option<String>,
    groups: Vec<String>,
    sign_in: SignIn,
    for_group: Option<String>,
    database: String,
    actions: Vec<Action>,
    columns: Vec<String>,
    more_columns: u32,
    rows: String,
    all_rows: bool,
    estimated_rows: Option<u64>,
    duration: String,
    starts_in: Option<String>,
    uses: Option<u64>,
    rows_limit: Option<u64>,
    reason: String,
    /// The reason so often.
    repeated: usize,
    purpose: Option<String>,
    ticket: Option<String>,
    case: Option<String>,
    profile: Option<String>,
    urgency: Urgency,
    extends: bool,
    time: String,
    weekday: u8,
    address: Option<std::net::IpAddr>,
    tls: bool,
    second_factor_age: Option<String>,
    recent_grants: u32,
    live_grants: u32,
}

impl Default for Asks {
    fn default() -> Self {
        Self {
            user: "ada".to_owned(),
            person: None,
            groups: vec!["engineering".to_owned()],
            sign_in: SignIn::Scram,
            for_group: None,
            database: "shop".to_owned(),
            actions: vec![Action::Select],
            columns: vec!["customers.email".to_owned()],
            more_columns: 0,
            rows: "id = 42".to_owned(),
            all_rows: false,
            estimated_rows: Some(1),
            duration: "30 min".to_owned(),
            starts_in: None,
            uses: None,
            rows_limit: None,
            reason: "a customer called".to_owned(),
            repeated: 1,
            purpose: None,
            ticket: None,
            case: None,
            profile: None,
            urgency: Urgency::Normal,
            extends: false,
            time: "10:00".to_owned(),
            weekday: 3,
            address: None,
            tls: true,
            second_factor_age: None,
            recent_grants: 0,
            live_grants: 0,
        }
    }
}

/// Panics where a case is written wrong.
pub fn facts(input: &str) -> Facts {
    let input = input.split_once("---\n").map_or(input, |(request, _)| request);
    let asks: Asks = toml::from_str(input).unwrap_or_else(|error| panic!("{input}\n{error}"));
    let duration = |text: &str| if text == "0" { Duration::ZERO } else { parse_duration(text).expect(text) };
    let (hour, minute) = asks.time.split_once(':').expect("a time");
    Facts {
        by: Asker {
            person: asks.person.unwrap_or_else(|| asks.user.clone()),
            user: asks.user.clone(),
            groups: asks.groups,
            sign_in: asks.sign_in,
        },
        holder: asks.for_group.map_or(Who::User(asks.user), Who::Group),
        database: asks.database,
        actions: asks.actions,
        columns: asks.columns.iter().flat_map(|name| columns(name)).collect(),
        more_columns: asks.more_columns,
        rows: (!asks.all_rows).then_some(asks.rows),
        estimated_rows: asks.estimated_rows.filter(|rows| *rows > 0),
        duration: duration(&asks.duration),
        starts_in: asks.starts_in.as_deref().map_or(Duration::ZERO, duration),
        uses: asks.uses,
        rows_limit: asks.rows_limit,
        reason: asks.reason.repeat(asks.repeated),
        purpose: asks.purpose,
        ticket: asks.ticket,
        case: asks.case,
        profile: asks.profile,
        urgency: asks.urgency,
        extends: asks.extends.then_some(7),
        at: 1_772_366_400_000,
        local: LocalTime {
            minute_of_day: hour.parse::<u16>().expect("hours") * 60 + minute.parse::<u16>().expect("minutes"),
            weekday: asks.weekday,
        },
        source: Source { address: asks.address, tls: asks.tls },
        second_factor_age: asks.second_factor_age.as_deref().map(duration),
        recent_grants: asks.recent_grants,
        live_grants: asks.live_grants,
    }
}

/// A column of the sample shop, `relation.column category sensitivity` for any other, or
/// `many N`: so many of one category, each in a relation of its own.
fn columns(name: &str) -> Vec<AskedColumn> {
    let column = |relation: &str, column: &str, category: &str, sensitivity| AskedColumn {
        relation: relation.to_owned(),
        column: column.to_owned(),
        category: category.to_owned(),
        sensitivity,
    };
    if let Some(many) = name.strip_prefix("many ") {
        let many: usize = many.parse().expect("a number");
        let of = |n| column(&format!("public.t{n}"), "email", "contact", Sensitivity::Medium);
        return (0..many).map(of).collect();
    }
    if let [full, category, sensitivity] = name.split(' ').collect::<Vec<_>>()[..] {
        let (relation, name) = full.rsplit_once('.').expect("a relation and a column");
        let sensitivity = match sensitivity {
            "low" => Sensitivity::Low,
            "high" => Sensitivity::High,
            _ => Sensitivity::Medium,
        };
        return vec![column(relation, name, category, sensitivity)];
    }
    let (relation, name) = name.rsplit_once('.').expect("a relation and a column");
    let (category, sensitivity) = match name {
        "name" => ("identity", Sensitivity::Medium),
        "email" | "phone" => ("contact", Sensitivity::Medium),
        "address" | "postcode" => ("address", Sensitivity::Low),
        "ssn" => ("national_id", Sensitivity::High),
        "card_number" | "iban" => ("payment", Sensitivity::High),
        "salary" => ("employment", Sensitivity::Medium),
        "blood" => ("health", Sensitivity::High),
        other => panic!("no column {other}"),
    };
    let relation = if relation.contains('.') { relation.to_owned() } else { format!("public.{relation}") };
    vec![column(&relation, name, category, sensitivity)]
}
