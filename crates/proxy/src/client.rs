//! Messages from the client.

use pgwarrant_sql::Reason;
use pgwarrant_wire::error::Violation;
use pgwarrant_wire::frame::{self, Frame};
use pgwarrant_wire::frontend::{self, Message, tag};

use crate::error::{End, Fatal};
use crate::ledger::Kind;
use crate::refuse;
use crate::session::{Session, Step};
use crate::state;
use crate::work::Work;

/// A CopyData frame that is larger than this is passed on in pieces.
const PIECES: usize = 64 * 1024;

/// Past so many statements and messages that the server has not answered, a client waits. It need
/// not read what it is answered, and what we remember of a message is larger than the message.
const IN_FLIGHT: u64 = 4096;

impl Session {
    /// Handles the message at the front of the input, if it can be.
    pub fn client_message(&mut self, input: &[u8]) -> Result<Step, End> {
        if self.client_data > 0 {
            let piece = input.get(..self.client_data).unwrap_or(input);
            self.upstream.output.push(piece);
            self.client_data -= piece.len();
            return Ok(Step::Consumed(piece.len()));
        }
        let copy = input.first() == Some(&tag::COPY_DATA);
        let most = if copy { frame::MAX_BACKEND } else { self.shared.settings.limits.message };
        let Some(header) = frame::header(input, most).map_err(Fatal::from)? else {
            return Ok(Step::Incomplete);
        };
        if copy {
            return Ok(self.copy_data(header, input, most));
        }
        if self.ledger.in_flight() >= IN_FLIGHT {
            match header.tag {
                // A COPY in flight may be waiting for it.
                tag::COPY_DONE | tag::COPY_FAIL if self.ledger.in_flight() < 2 * IN_FLIGHT => {}
                tag::COPY_DONE | tag::COPY_FAIL => {
                    return Err(Fatal::new("54000", "too many messages that end a COPY").into());
                }
                _ => return Ok(self.drain()),
            }
        }
        let Some(frame) = input.get(..header.len) else { return Ok(Step::Incomplete) };
        let message = match frontend::parse(header.tag, header.body(frame)) {
            Ok(message) => message,
            Err(violation) => return self.malformed(header.tag, violation, frame.len()),
        };
        self.handle(message, frame)
    }

    /// A message of the right length whose content cannot be read: an error, as in PostgreSQL, after
    /// which the session goes on, in the extended protocol at the next Sync.
    fn malformed(&mut self, tag: u8, violation: Violation, length: usize) -> Result<Step, End> {
        if self.ledger.copying() {
            return Err(Fatal::from(violation).into());
        }
        let skipping = self.ledger.skipping();
        match tag {
            tag::TERMINATE => Err(End::Client),
            tag::QUERY | tag::FUNCTION_CALL if skipping => Ok(Step::Consumed(length)),
            tag::QUERY | tag::FUNCTION_CALL => self.refuse_query("", unreadable(violation), length),
            // It is no Sync, so it may not end a pipeline that has failed.
            tag::SYNC if !skipping => self.refuse_query("", unreadable(violation), length),
            _ if is_extended(tag) && skipping => Ok(Step::Consumed(length)),
            _ if is_extended(tag) => self.refuse_message(unreadable(violation), length),
            // What is left over from a COPY that has failed.
            tag::COPY_DONE | tag::COPY_FAIL if self.ledger.is_empty() => Ok(Step::Consumed(length)),
            _ => Err(Fatal::from(violation).into()),
        }
    }

    fn handle(&mut self, message: Message<'_>, frame: &[u8]) -> Result<Step, End> {
        let skipped = self.ledger.skipping() && !matches!(message, Message::Sync | Message::Terminate);
        if skipped {
            // The server would ignore it.
            return Ok(Step::Consumed(frame.len()));
        }
        match message {
            Message::Query(_) if self.front.cancelled => self.refuse_query("", cancelled(), frame.len()),
            Message::Parse(_) | Message::Bind(_) | Message::Execute(_) if self.front.cancelled => {
                self.refuse_message(cancelled(), frame.len())
            }
            Message::Query(text) => self.query(text, frame),
            Message::Parse(parse) => self.parse(&parse, frame.len()),
            Message::Bind(bind) => self.bind(&bind, frame),
            Message::Describe(name) => self.describe(name, frame),
            Message::Execute(execute) => self.execute(&execute, frame),
            Message::Close(name) => self.close_name(name, frame),
            Message::Sync => self.sync(frame),
            Message::Flush => {
                self.upstream.output.push(frame);
                self.unflushed = false;
                Ok(Step::Consumed(frame.len()))
            }
            Message::CopyData(_) => Ok(Step::Consumed(frame.len())),
            Message::CopyDone | Message::CopyFail(_) => {
                self.upstream.output.push(frame);
                self.ledger.sent(Kind::CopyEnd, false, Work::Nothing)?;
                Ok(Step::Consumed(frame.len()))
            }
            Message::FunctionCall(_) => self.refuse_query("", function_call(), frame.len()),
            Message::Terminate => Err(End::Client),
        }
    }

    /// CopyData frames go on as they are: their content is data, whatever it is.
    fn copy_data(&mut self, header: Frame, input: &[u8], most: usize) -> Step {
        let run = frame::run(input, header.tag, most).unwrap_or_default();
        if run.len > 0 {
            self.upstream.output.push(input.get(..run.len).unwrap_or_default());
            return Step::Consumed(run.len);
        }
        if header.len <= PIECES {
            return Step::Incomplete;
        }
        self.upstream.output.push(input);
        self.client_data = header.missing(input);
        Step::Consumed(input.len())
    }

    /// Asks the server for the session's state, with names of our own, unseen by the client.
    pub fn ask_state(&mut self) {
        let out = self.upstream.output.building();
        let (statement, portal) =
            (frontend::Name::Statement(state::PROBE_NAME), frontend::Name::Portal(state::PROBE_NAME));
        frontend::build::close(out, statement);
        frontend::build::parse(out, state::PROBE_NAME, state::PROBE, std::iter::empty());
        frontend::build::bind(out, state::PROBE_NAME, state::PROBE_NAME, &[], &[], &[]);
        frontend::build::execute(out, state::PROBE_NAME, 0);
        frontend::build::close(out, portal);
        frontend::build::close(out, statement);
        // A Sync would end the transaction that the client's pipeline has begun.
        let within_pipeline = self.scope != self.ledger.upcoming();
        let kinds = [Kind::Close, Kind::Parse, Kind::Bind, Kind::Execute, Kind::Close, Kind::Close];
        for kind in kinds {
            let work = if kind == Kind::Execute { Work::Probe } else { Work::Nothing };
            // Nothing is in flight, so no COPY is either.
            let _ = self.ledger.sent(kind, true, work);
        }
        let out = self.upstream.output.building();
        if within_pipeline {
            frontend::build::flush(out);
        } else {
            frontend::build::sync(out);
            let _ = self.ledger.sent(Kind::Sync, true, Work::Sync);
            self.scope = self.ledger.upcoming();
        }
        self.unflushed = false;
        self.state.asked();
    }
}

fn is_extended(message: u8) -> bool {
    matches!(message, tag::PARSE | tag::BIND | tag::DESCRIBE | tag::EXECUTE | tag::CLOSE | tag::FLUSH)
}

fn unreadable(violation: Violation) -> pgwarrant_sql::Refusal {
    let hint = match violation.sqlstate {
        "22021" => "Send text in UTF-8.",
        _ => "Have the driver's developers look at what it sends.",
    };
    refuse::refusal(Reason::Lexical, violation.sqlstate, violation.message, None, Some(hint))
}

fn cancelled() -> pgwarrant_sql::Refusal {
    refuse::refusal(Reason::Unresolved, "57014", "canceling statement due to user request", None, None)
}

fn function_call() -> pgwarrant_sql::Refusal {
    refuse::refusal(
        Reason::Code,
        "42501",
        "the function call protocol is not available through pgwarrant",
        None,
        Some("Call the function in a SELECT; let pg_dump leave large objects out with --no-blobs."),
    )
}

impl From<pgwarrant_wire::frame::FrameError> for Fatal {
    fn from(error: pgwarrant_wire::frame::FrameError) -> Self {
        Self::from(pgwarrant_wire::error::ClientError::report(&error))
    }
}

impl From<Violation> for Fatal {
    fn from(error: Violation) -> Self {
        Self::from(pgwarrant_wire::error::ClientError::report(&error))
    }
}

impl From<pgwarrant_wire::error::Report> for Fatal {
    fn from(report: pgwarrant_wire::error::Report) -> Self {
        Self {
            sqlstate: report.sqlstate,
            message: report.message,
            detail: report.detail.map(Into::into),
            hint: report.hint,
            incident: None,
        }
    }
}
