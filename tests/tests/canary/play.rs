//! Runs an entry's messages, and keeps every byte that comes back.

use std::time::Duration;

use pgwarrant_tests::raw::{
    Event, Frame, Raw, bind, copy_data, copy_done, copy_fail, describe, execute, message, parse, sync,
};

use crate::entries::{Entry, How, Message, Role};

/// How long any answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came, message by message; what came at sign-in is before the first, late notices after the
/// last.
pub struct Transcript {
    pub answers: Vec<Vec<Frame>>,
    /// Something did not answer.
    pub hangs: bool,
    /// The connection was closed.
    pub closed: bool,
}

impl Transcript {
    pub fn frames(&self) -> Vec<Frame> {
        self.answers.concat()
    }
}

/// Plays an entry in sessions of its own.
pub fn play(entry: &Entry, mut open: impl FnMut(Role) -> (Raw, Vec<Frame>)) -> Transcript {
    let mut transcript = Transcript { answers: Vec::new(), hangs: false, closed: false };
    let mut sessions = Vec::new();
    let mut greetings = Vec::new();
    for role in std::iter::once(&entry.role).chain(&entry.others) {
        let (raw, frames) = open(*role);
        greetings.extend(frames);
        sessions.push(raw);
    }
    transcript.answers.push(greetings);
    for message in &entry.messages {
        let raw = sessions.get_mut(message.session).expect("a session");
        exchange(raw, message, &mut transcript);
        if transcript.hangs || transcript.closed {
            return transcript;
        }
    }
    // Notifications come when a session is asked for something.
    for raw in &mut sessions {
        let nothing = Message { session: 0, how: How::Query, sql: Vec::new(), data: Vec::new() };
        exchange(raw, &nothing, &mut transcript);
    }
    transcript
}

/// Sends one message and reads to the end of its answer.
pub fn exchange(raw: &mut Raw, sent: &Message, transcript: &mut Transcript) {
    raw.send(&encode(sent));
    let mut frames = Vec::new();
    loop {
        match raw.frame(PATIENCE) {
            Event::Frame(frame) => {
                let tag = frame.tag;
                frames.push(frame);
                match tag {
                    b'Z' => break,
                    b'G' if sent.data.is_empty() => raw.send(&copy_fail("no data")),
                    b'G' => raw.send(&[copy_data(&sent.data), copy_done()].concat()),
                    _ => {}
                }
            }
            Event::Closed => {
                transcript.closed = true;
                break;
            }
            Event::Silence => {
                transcript.hangs = true;
                break;
            }
        }
    }
    transcript.answers.push(frames);
}

fn encode(sent: &Message) -> Vec<u8> {
    let zero = |bytes: &[u8]| [bytes, &[0]].concat();
    let start = |statement: &str, binary: bool, values: &[Option<String>]| {
        let values: Vec<Option<&[u8]>> =
            values.iter().map(|value| value.as_ref().map(|value| value.as_bytes())).collect();
        let formats: &[i16] = if binary { &[1] } else { &[] };
        [bind("", statement, &values, formats), describe(b'P', ""), execute("", 0)].concat()
    };
    let run = |statement: &str, binary: bool, values: &[Option<String>]| {
        [start(statement, binary, values), sync()].concat()
    };
    let text = String::from_utf8_lossy(&sent.sql);
    match &sent.how {
        How::Query => message(b'Q', &zero(&sent.sql)),
        How::Extended { binary, values } => [parse("", &text), run("", *binary, values)].concat(),
        How::Parse { name } => [parse(name, &text), describe(b'S', name), sync()].concat(),
        How::Pipeline => {
            let mut bytes: Vec<u8> =
                text.lines().flat_map(|line| [parse("", line), start("", false, &[])].concat()).collect();
            bytes.extend(sync());
            bytes
        }
        How::Again { name, binary, values } => run(name, *binary, values),
    }
}
