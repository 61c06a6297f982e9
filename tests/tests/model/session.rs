//! One statement on one connection, in each way that a client can send it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pgwarrant_tests::raw::{self, Frame, Raw};

use crate::kinds::Class;
use crate::maker::Parameter;

/// How a query is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Simple,
    /// Parse, Bind, Describe, Execute; the result in binary or text form.
    Extended {
        binary: bool,
    },
    /// PREPARE and EXECUTE.
    Prepared,
    /// DECLARE and FETCH.
    Cursor,
    /// COPY (…) TO STDOUT
    Copy,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub columns: Vec<Description>,
    /// DataRow or CopyData bodies.
    pub rows: Vec<Vec<u8>>,
    pub error: Option<Failure>,
}

/// A column as RowDescription has it, without the table it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    pub name: String,
    pub type_oid: u32,
    pub size: i16,
    pub typmod: i32,
    pub format: i16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub sqlstate: String,
    pub message: String,
}

/// Sends a query and reads all that comes.
///
/// # Panics
/// With the query, when no answer comes.
pub fn frames(raw: &mut Raw, query: &str, parameters: &[Parameter], way: Way) -> Vec<Frame> {
    let answer = catch_unwind(AssertUnwindSafe(|| exchange(raw, query, parameters, way)));
    answer.unwrap_or_else(|_| panic!("no answer to {way:?}\n{query}"))
}

fn exchange(raw: &mut Raw, query: &str, parameters: &[Parameter], way: Way) -> Vec<Frame> {
    match way {
        Way::Simple => raw.query(query),
        Way::Extended { binary } => {
            let (formats, values): (Vec<i16>, Vec<Vec<u8>>) = parameters.iter().map(value).unzip();
            let values: Vec<Option<&[u8]>> = values.iter().map(|value| Some(value.as_slice())).collect();
            raw.send(
                &[
                    raw::parse("", query),
                    raw::bind_with("", "", &formats, &values, &[i16::from(binary)]),
                    raw::describe(b'P', ""),
                    raw::execute("", 0),
                    raw::sync(),
                ]
                .concat(),
            );
            raw.until(b'Z', 1)
        }
        Way::Prepared => {
            // Parameters would need their types in parentheses; each has a cast in the query.
            let types: Vec<&str> = parameters.iter().map(|parameter| parameter.class.sql()).collect();
            let types = if types.is_empty() { String::new() } else { format!("({})", types.join(", ")) };
            let values: Vec<String> =
                parameters.iter().map(|parameter| crate::kinds::quoted(&parameter.value)).collect();
            let values = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
            let mut frames = raw.query(&format!("PREPARE one{types} AS {query}"));
            frames.extend(raw.query(&format!("EXECUTE one{values}")));
            raw.query("DEALLOCATE ALL");
            frames
        }
        Way::Cursor => {
            raw.query("BEGIN");
            let mut frames = raw.query(&format!("DECLARE one CURSOR FOR {query}"));
            frames.extend(raw.query("FETCH 2 FROM one"));
            frames.extend(raw.query("FETCH ALL FROM one"));
            raw.query("ROLLBACK");
            frames
        }
        Way::Copy => raw.query(&format!("COPY ({query}) TO STDOUT")),
    }
}

/// A parameter's format and value: binary where that is easily made.
fn value(parameter: &Parameter) -> (i16, Vec<u8>) {
    match (parameter.class, parameter.value.parse::<i32>()) {
        (Class::Int, Ok(number)) => (1, number.to_be_bytes().to_vec()),
        (Class::Bool, _) => (1, vec![u8::from(parameter.value == "true")]),
        (Class::Text, _) => (1, parameter.value.clone().into_bytes()),
        _ => (0, parameter.value.clone().into_bytes()),
    }
}

/// What the frames say.
pub fn outcome(frames: &[Frame]) -> Outcome {
    let mut outcome = Outcome::default();
    for frame in frames {
        match frame.tag {
            b'T' => outcome.columns = descriptions(&frame.body),
            b'D' | b'd' => outcome.rows.push(frame.body.clone()),
            b'E' if outcome.error.is_none() => {
                outcome.error = Some(Failure { sqlstate: frame.field(b'C'), message: frame.field(b'M') });
            }
            _ => {}
        }
    }
    outcome
}

fn descriptions(body: &[u8]) -> Vec<Description> {
    let mut columns = Vec::new();
    let mut rest = body.get(2..).unwrap_or_default();
    while let Some(end) = rest.iter().position(|byte| *byte == 0) {
        let name = String::from_utf8_lossy(&rest[..end]).into_owned();
        let Some(fields) = rest.get(end + 1..end + 19) else { break };
        let short = |at: usize| i16::from_be_bytes([fields[at], fields[at + 1]]);
        let long =
            |at: usize| i32::from_be_bytes([fields[at], fields[at + 1], fields[at + 2], fields[at + 3]]);
        columns.push(Description {
            name,
            type_oid: long(6) as u32,
            size: short(10),
            typmod: long(12),
            format: short(16),
        });
        rest = &rest[end + 19..];
    }
    columns
}
