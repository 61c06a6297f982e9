//! Each attack discloses past the proxy, and not through it.

use crate::bench::{Bench, GRANTED_USER, Salt};
use crate::entries::{Entry, Role, read};
use crate::play::{Transcript, play};
use crate::search::GRANTED_ROW;

/// Runs the attacks of some files.
async fn run(files: &[&str]) {
    let entries: Vec<Entry> = files.iter().flat_map(|file| read(&format!("attacks/{file}.sql"))).collect();
    let bench = Bench::new(entries.iter().any(|entry| entry.blind), files.contains(&"events")).await;
    let only = std::env::var("CANARY_ONLY").unwrap_or_default();
    let mut wrong = Vec::new();
    for entry in entries.iter().filter(|entry| entry.name.contains(&only)) {
        let problems = if entry.blind { blind(&bench, entry) } else { open(&bench, entry) };
        match (problems.is_empty(), entry.known) {
            (true, false) | (false, true) => {}
            (true, true) => wrong.push(format!("{}\n  passes: take its \"known\" out", entry.name)),
            (false, false) => wrong.push(format!("{}\n  {}", entry.name, problems.join("\n  "))),
        }
    }
    wrong.extend(bench.incidents().iter().map(|incident| format!("a last resort had to end {incident}")));
    let log = bench.proxy.log();
    assert!(!log.contains("panicked"), "{log}");
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), entries.len(), wrong.join("\n"));
}

/// An attack that shows a value.
fn open(bench: &Bench, entry: &Entry) -> Vec<String> {
    let mut problems = Vec::new();
    let past = play(entry, |role| bench.past(Salt::First, role, &entry.startup));
    if !entry.key && bench.canaries.disclosed(&past.frames(), &entry.text, |_| false).is_empty() {
        problems.push(format!("is blunt: past the proxy it discloses nothing: {}", summary(&past)));
    }
    let through = play(entry, |role| bench.through(Salt::First, role.user(), &entry.startup));
    let found = bench.canaries.disclosed(&through.frames(), &entry.text, |_| false);
    if !found.is_empty() {
        problems.push(format!("disclosed {}: {}", found.join(", "), summary(&through)));
    }
    if through.hangs {
        problems.push(format!("hangs: {}", summary(&through)));
    }
    if entry.role == Role::App {
        let granted = play(entry, |role| {
            let user = if role == Role::App { GRANTED_USER } else { role.user() };
            bench.through(Salt::First, user, &entry.startup)
        });
        let row = "public.people.";
        let end = format!(" of {GRANTED_ROW}");
        let allowed = |cell: &str| cell.starts_with(row) && cell.ends_with(&end);
        let found = bench.canaries.disclosed(&granted.frames(), &entry.text, allowed);
        if !found.is_empty() {
            problems.push(format!(
                "under a grant on one row disclosed {}: {}",
                found.join(", "),
                summary(&granted)
            ));
        }
    }
    problems
}

/// An attack that infers a value: the answers must not depend on it.
fn blind(bench: &Bench, entry: &Entry) -> Vec<String> {
    let mut problems = Vec::new();
    let [one, two] = [Salt::First, Salt::Second]
        .map(|salt| comparable(&play(entry, |role| bench.past(salt, role, &entry.startup))));
    if one == two {
        problems.push(format!("is blunt: past the proxy both answer {one:?}"));
    }
    let [one, two] = [Salt::First, Salt::Second]
        .map(|salt| comparable(&play(entry, |role| bench.through(salt, role.user(), &entry.startup))));
    if one != two {
        let differ = one.iter().zip(&two).find(|(one, two)| one != two);
        problems.push(format!("the answers differ: {differ:?}"));
    }
    problems
}

/// What came, but for what differs between any two sessions or databases.
fn comparable(transcript: &Transcript) -> Vec<String> {
    let mut lines = Vec::new();
    for frame in transcript.answers.iter().skip(1).flatten() {
        let line = match frame.tag {
            b'K' => continue,
            b'A' => format!("A {}", frame.body.get(4..).unwrap_or_default().escape_ascii()),
            b'T' => format!("T {}", frame.body.len()),
            b'E' | b'N' => format!(
                "{} {} {} {} {}",
                char::from(frame.tag),
                frame.field(b'C'),
                frame.field(b'M'),
                frame.field(b'D'),
                frame.field(b'P')
            ),
            tag => format!("{} {}", char::from(tag), frame.body.escape_ascii()),
        };
        lines.push(line);
    }
    lines
}

/// What came, in short.
fn summary(transcript: &Transcript) -> String {
    let mut text = String::new();
    for frame in transcript.answers.iter().skip(1).flatten() {
        match frame.tag {
            b'E' | b'N' => text.push_str(&format!(
                "[{} {} {} {}] ",
                char::from(frame.tag),
                frame.field(b'C'),
                frame.field(b'M'),
                frame.field(b'D')
            )),
            b'Z' => {}
            tag => text.push_str(&format!("[{} {}] ", char::from(tag), frame.body.escape_ascii())),
        }
    }
    text.chars().take(700).collect()
}

macro_rules! classes {
    ($($test:ident: $($file:literal),+;)+) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                run(&[$($file),+]).await;
            }
        )+
    };
}

classes! {
    wrapping_discloses_nothing: "wrapping";
    scope_and_state_disclose_nothing: "scope", "state";
    definitions_disclose_nothing: "ddl";
    keys_are_not_disclosed: "keys";
    event_triggers_disclose_nothing: "events";
    errors_disclose_nothing: "errors";
    code_discloses_nothing: "code";
    catalogs_and_carriage_disclose_nothing: "catalogs", "carriage";
    inference_finds_nothing: "blind";
}
