//! What is harmless gives the same through the proxy as past it: rows, names, types, tags, errors.

use pgwarrant_tests::raw::Frame;

use crate::bench::{Bench, Salt};
use crate::entries::{Compare, Entry, read};
use crate::play::{Transcript, play};
use crate::search::cells;

/// Runs the entries of some files.
async fn run(files: &[&str]) {
    let entries: Vec<Entry> = files.iter().flat_map(|file| read(&format!("harmless/{file}.sql"))).collect();
    let bench = Bench::new(false, files.contains(&"events")).await;
    let only = std::env::var("CANARY_ONLY").unwrap_or_default();
    let mut wrong = Vec::new();
    for entry in entries.iter().filter(|entry| entry.name.contains(&only)) {
        let past = play(entry, |role| bench.beside(role, &entry.startup));
        let through = play(entry, |role| bench.through(Salt::First, role.user(), &entry.startup));
        let (expected, found) = (comparable(entry, &past), comparable(entry, &through));
        assert!(!past.hangs && !past.closed, "{} does not even run past the proxy", entry.name);
        match (expected == found, entry.known) {
            (true, false) | (false, true) => {}
            (true, true) => wrong.push(format!("{}\n  is the same: take its \"known\" out", entry.name)),
            (false, false) => {
                let place = expected.iter().zip(&found).position(|(a, b)| a != b);
                let place = place.unwrap_or(expected.len().min(found.len()));
                wrong.push(format!(
                    "{}\n  past:    {}\n  through: {}",
                    entry.name,
                    expected.get(place).map_or("nothing more", String::as_str),
                    found.get(place).map_or("nothing more", String::as_str)
                ));
            }
        }
    }
    let log = bench.proxy.log();
    assert!(!log.contains("panicked"), "{log}");
    assert_eq!(bench.incidents(), [""; 0]);
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), entries.len(), wrong.join("\n"));
}

/// What must be the same.
fn comparable(entry: &Entry, transcript: &Transcript) -> Vec<String> {
    let mut lines = Vec::new();
    for (place, answer) in transcript.answers.iter().enumerate().skip(1) {
        let message = entry.messages.get(place - 1);
        let ordered = message.is_some_and(|message| {
            String::from_utf8_lossy(&message.sql).to_ascii_lowercase().contains("order by")
        });
        let mut rows: Vec<String> = Vec::new();
        for frame in answer {
            if frame.tag == b'D' {
                rows.push(row(frame));
                continue;
            }
            flush(&mut rows, ordered, &mut lines);
            lines.push(line(frame, entry.compare));
        }
        flush(&mut rows, ordered, &mut lines);
    }
    lines
}

fn flush(rows: &mut Vec<String>, ordered: bool, lines: &mut Vec<String>) {
    if !ordered {
        rows.sort_unstable();
    }
    lines.append(rows);
}

fn row(frame: &Frame) -> String {
    let cells: Vec<String> = cells(frame)
        .iter()
        .map(|cell| cell.map_or("NULL".to_owned(), |cell| format!("'{}'", String::from_utf8_lossy(cell))))
        .collect();
    format!("row {}", cells.join(", "))
}

fn line(frame: &Frame, compare: Compare) -> String {
    let tag = char::from(frame.tag);
    match frame.tag {
        b'T' => format!("columns {}", columns(frame).join(", ")),
        b'E' | b'N' => {
            let codes: &[u8] = if compare == Compare::Sqlstate { b"VCP" } else { b"VCMDHPstcdn" };
            let fields: Vec<String> = codes.iter().map(|code| frame.field(*code)).collect();
            // Each session has a schema of its own for its temporary relations.
            let fields =
                fields.iter().map(|field| if field.starts_with("pg_temp_") { "pg_temp" } else { field });
            format!("{tag} {}", fields.collect::<Vec<_>>().join(" | "))
        }
        b'A' => format!("A {}", frame.body.get(4..).unwrap_or_default().escape_ascii()),
        _ => format!("{tag} {}", frame.body.escape_ascii()),
    }
}

/// Each column's name, type, length, modifier and format; not where it came from.
fn columns(description: &Frame) -> Vec<String> {
    let mut rest = description.body.get(2..).unwrap_or_default();
    let mut columns = Vec::new();
    while let Some(end) = rest.iter().position(|byte| *byte == 0) {
        let (name, after) = rest.split_at(end);
        let (numbers, next) = after[1..].split_at(18);
        let number = |range: std::ops::Range<usize>| {
            numbers[range].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
        };
        columns.push(format!(
            "{} {} {} {} {}",
            String::from_utf8_lossy(name),
            number(6..10),
            number(10..12) as i16,
            number(12..16) as i32,
            number(16..18)
        ));
        rest = next;
    }
    columns
}

macro_rules! subjects {
    ($($test:ident: $($file:literal),+;)+) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                run(&[$($file),+]).await;
            }
        )+
    };
}

subjects! {
    queries_run_as_past_the_proxy: "queries";
    tools_run_as_past_the_proxy: "tools";
    applications_run_as_past_the_proxy: "applications", "catalogues";
    other_definitions_run_beside_an_event_trigger: "events";
    statements_run_as_past_the_proxy: "statements", "writes";
}
