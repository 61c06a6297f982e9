//! A client that says what it is told to say, byte for byte, and shows what comes back.
//!
//! It knows as much of the protocol as it takes to sign in and to cut what it reads into frames.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

/// How long any answer may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// One message from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub tag: u8,
    pub body: Vec<u8>,
}

impl Frame {
    /// A field of an ErrorResponse or NoticeResponse: `b'C'` is the SQLSTATE, `b'M'` the message.
    pub fn field(&self, code: u8) -> String {
        let fields = self.body.split(|byte| *byte == 0);
        let found = fields.filter_map(|field| field.split_first()).find(|(name, _)| **name == code);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
    }

    /// What must be the same whether PostgreSQL or the proxy sent it: the type, and the SQLSTATE of
    /// an error, or all of the content of anything else that does not differ between two sessions.
    pub fn shape(&self) -> String {
        let tag = char::from(self.tag);
        match self.tag {
            b'E' | b'N' => format!("{tag} {} {}", self.field(b'V'), self.field(b'C')),
            b'K' | b'A' => tag.to_string(),
            _ if self.body.is_empty() => tag.to_string(),
            _ => format!("{tag} {}", self.body.escape_ascii()),
        }
    }
}

/// What there is to read next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Frame(Frame),
    /// The other end has closed the connection.
    Closed,
    /// Nothing more came in time.
    Silence,
}

/// A connection.
pub struct Raw {
    stream: TcpStream,
    input: Vec<u8>,
    /// So much of `input` has been read.
    start: usize,
    /// From BackendKeyData.
    pub process: u32,
    /// From BackendKeyData.
    pub key: Vec<u8>,
}

/// The start-up packet for a version of the protocol.
pub fn startup(major: u16, minor: u16, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = (u32::from(major) << 16 | u32::from(minor)).to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend(text(name));
        body.extend(text(value));
    }
    body.push(0);
    packet(&body)
}

/// A packet without a type byte.
pub fn packet(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 4).to_be_bytes(), body].concat()
}

/// A string as the protocol sends it.
pub fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}

/// A message of the given type.
pub fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag][..], &packet(body)].concat()
}

/// Query
pub fn query(statement: &str) -> Vec<u8> {
    message(b'Q', &text(statement))
}

/// Parse, with no parameter types.
pub fn parse(name: &str, statement: &str) -> Vec<u8> {
    message(b'P', &[text(name), text(statement), vec![0, 0]].concat())
}

/// Bind, with text parameters and the given result formats.
pub fn bind(portal: &str, statement: &str, values: &[Option<&[u8]>], result_formats: &[i16]) -> Vec<u8> {
    bind_with(portal, statement, &[], values, result_formats)
}

/// Bind
pub fn bind_with(
    portal: &str,
    statement: &str,
    formats: &[i16],
    values: &[Option<&[u8]>],
    result_formats: &[i16],
) -> Vec<u8> {
    let codes = |codes: &[i16]| {
        let mut out = (codes.len() as u16).to_be_bytes().to_vec();
        out.extend(codes.iter().flat_map(|code| code.to_be_bytes()));
        out
    };
    let mut body = [text(portal), text(statement), codes(formats)].concat();
    body.extend((values.len() as u16).to_be_bytes());
    for value in values {
        match value {
            Some(value) => {
                body.extend((value.len() as u32).to_be_bytes());
                body.extend(*value);
            }
            None => body.extend((-1i32).to_be_bytes()),
        }
    }
    body.extend(codes(result_formats));
    message(b'B', &body)
}

/// Describe of a statement (`b'S'`) or portal (`b'P'`).
pub fn describe(kind: u8, name: &str) -> Vec<u8> {
    message(b'D', &[vec![kind], text(name)].concat())
}

/// Close of a statement (`b'S'`) or portal (`b'P'`).
pub fn close(kind: u8, name: &str) -> Vec<u8> {
    message(b'C', &[vec![kind], text(name)].concat())
}

/// Execute; 0 rows: all of them.
pub fn execute(portal: &str, rows: u32) -> Vec<u8> {
    message(b'E', &[text(portal), rows.to_be_bytes().to_vec()].concat())
}

/// Sync
pub fn sync() -> Vec<u8> {
    message(b'S', &[])
}

/// Flush
pub fn flush() -> Vec<u8> {
    message(b'H', &[])
}

/// CopyData
pub fn copy_data(data: &[u8]) -> Vec<u8> {
    message(b'd', data)
}

/// CopyDone
pub fn copy_done() -> Vec<u8> {
    message(b'c', &[])
}

/// CopyFail
pub fn copy_fail(reason: &str) -> Vec<u8> {
    message(b'f', &text(reason))
}

impl Raw {
    /// Connects, and sends nothing yet.
    pub fn open(port: u16) -> Raw {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        Raw { stream, input: Vec::new(), start: 0, process: 0, key: Vec::new() }
    }

    /// Connects and signs in with protocol 3.`minor`.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn connect(
        port: u16,
        minor: u16,
        user: &str,
        password: &str,
        database: &str,
        more: &[(&str, &str)],
    ) -> Raw {
        let mut raw = Raw::open(port);
        raw.send(&startup(3, minor, &[&[("user", user), ("database", database)], more].concat()));
        let frames = raw.sign_in(password);
        assert_eq!(frames.last().map(|frame| frame.tag), Some(b'Z'), "{:?}", shapes(&frames));
        raw
    }

    /// Goes through authentication up to ReadyForQuery or an error; all frames that came.
    pub fn sign_in(&mut self, password: &str) -> Vec<Frame> {
        let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        let mut frames = Vec::new();
        while let Event::Frame(frame) = self.frame(PATIENCE) {
            frames.push(frame.clone());
            let kind =
                frame.body.get(..4).map(|kind| u32::from_be_bytes(kind.try_into().expect("four bytes")));
            let rest = frame.body.get(4..).unwrap_or_default();
            match (frame.tag, kind) {
                (b'R', Some(10)) => {
                    let first = scram.message().to_vec();
                    let length = (first.len() as u32).to_be_bytes();
                    self.send(&message(b'p', &[&text("SCRAM-SHA-256")[..], &length, &first].concat()));
                }
                (b'R', Some(11)) => {
                    scram.update(rest).expect("a challenge");
                    self.send(&message(b'p', scram.message()));
                }
                (b'R', Some(12)) => scram.finish(rest).expect("the server knows the password too"),
                (b'K', Some(process)) => (self.process, self.key) = (process, rest.to_vec()),
                (b'Z' | b'E', _) => break,
                _ => {}
            }
        }
        frames
    }

    /// Sends bytes. That the other end has closed already is seen when reading.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Sends bytes again and again, and reads nothing, until no more are taken or `most` are sent;
    /// how many were.
    pub fn send_until_blocked(&mut self, bytes: &[u8], most: usize) -> usize {
        self.stream.set_write_timeout(Some(Duration::from_millis(500))).expect("a time-out");
        let mut sent = 0;
        while sent < most {
            match self.stream.write(&bytes[sent % bytes.len()..]) {
                Ok(count) => sent += count,
                Err(_) => break,
            }
        }
        self.stream.set_write_timeout(None).expect("no time-out");
        sent
    }

    /// Sends nothing any more, as a client that went away would.
    pub fn end(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// The next byte, outside of frames; `None` when the connection is closed or silent.
    pub fn byte(&mut self) -> Option<u8> {
        self.fill(1, Instant::now() + PATIENCE).ok()?;
        self.take(1).first().copied()
    }

    /// The next frame.
    pub fn frame(&mut self, patience: Duration) -> Event {
        let deadline = Instant::now() + patience;
        if let Err(end) = self.fill(5, deadline) {
            return end;
        }
        let head = self.input[self.start..][..5].to_vec();
        let length = u32::from_be_bytes(head[1..].try_into().expect("four bytes")) as usize;
        assert!(length >= 4, "a frame of type {:?} has the length {length}", char::from(head[0]));
        if let Err(end) = self.fill(1 + length, deadline) {
            return end;
        }
        Event::Frame(Frame { tag: head[0], body: self.take(1 + length).split_off(5) })
    }

    /// The frames up to and including the `count`-th of type `tag`, or to the end of the connection.
    ///
    /// # Panics
    /// When they do not come in time.
    pub fn until(&mut self, tag: u8, count: usize) -> Vec<Frame> {
        let mut frames = Vec::new();
        let mut seen = 0;
        while seen < count {
            match self.frame(PATIENCE) {
                Event::Frame(frame) => {
                    seen += usize::from(frame.tag == tag);
                    frames.push(frame);
                }
                Event::Closed => break,
                Event::Silence => {
                    panic!("waiting for {:?} number {count}, got only {:?}", char::from(tag), shapes(&frames))
                }
            }
        }
        frames
    }

    /// All that comes until the connection is closed.
    ///
    /// # Panics
    /// When it is not closed in time.
    pub fn until_closed(&mut self) -> Vec<Frame> {
        let frames = self.until(0, 1);
        assert_eq!(self.frame(PATIENCE), Event::Closed);
        frames
    }

    /// All bytes that come until the connection is closed, whether they are frames or not.
    ///
    /// # Panics
    /// When it is not closed in time.
    pub fn bytes_until_closed(&mut self) -> Vec<u8> {
        match self.fill(usize::MAX, Instant::now() + PATIENCE) {
            Err(Event::Closed) => self.take(self.input.len() - self.start),
            other => panic!("the connection is still open: {other:?}, {:?}", self.input),
        }
    }

    /// Sends a Query message and reads up to ReadyForQuery.
    pub fn query(&mut self, statement: &str) -> Vec<Frame> {
        self.send(&query(statement));
        self.until(b'Z', 1)
    }

    /// The CancelRequest for this session.
    pub fn cancel_request(&self) -> Vec<u8> {
        cancel_request(self.process, &self.key)
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let taken = self.input[self.start..][..count].to_vec();
        self.start += count;
        taken
    }

    fn fill(&mut self, wanted: usize, deadline: Instant) -> Result<(), Event> {
        let mut buffer = [0; 64 * 1024];
        while self.input.len() - self.start < wanted {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Event::Silence);
            }
            self.stream.set_read_timeout(Some(left)).expect("a time-out");
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(Event::Closed),
                Ok(count) => {
                    self.input.drain(..std::mem::take(&mut self.start));
                    self.input.extend_from_slice(&buffer[..count]);
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Event::Closed),
            }
        }
        Ok(())
    }
}

/// A CancelRequest.
pub fn cancel_request(process: u32, key: &[u8]) -> Vec<u8> {
    packet(&[&80_877_102u32.to_be_bytes()[..], &process.to_be_bytes(), key].concat())
}

/// Sends a CancelRequest on a connection of its own, and waits until that is closed.
pub fn cancel(port: u16, process: u32, key: &[u8]) {
    let mut raw = Raw::open(port);
    raw.send(&cancel_request(process, key));
    assert_eq!(raw.frame(PATIENCE), Event::Closed);
}

/// The shape of each frame.
pub fn shapes(frames: &[Frame]) -> Vec<String> {
    frames.iter().map(Frame::shape).collect()
}

/// The type bytes alone.
pub fn tags(frames: &[Frame]) -> String {
    frames.iter().map(|frame| char::from(frame.tag)).collect()
}

/// The SQLSTATEs of the errors among them.
pub fn errors(frames: &[Frame]) -> Vec<String> {
    frames.iter().filter(|frame| frame.tag == b'E').map(|frame| frame.field(b'C')).collect()
}
