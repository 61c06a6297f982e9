//! Buffers and the sockets at their ends.
//!
//! A session is one task with two sockets, polled by hand: so a small transaction costs two reads,
//! two writes and nothing else. A buffer is taken from the thread's pool when its socket is about
//! to be read and given back when there was nothing, so that an idle session holds none.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use pgwarrant_wire::stream::Stream;
use tokio::io::{AsyncReadExt, AsyncWrite};

/// What a read takes at least, and what a buffer of the pool holds.
const CHUNK: usize = 16 * 1024;
/// What a read takes at most, once reads have filled their buffers.
const LARGE_CHUNK: usize = 128 * 1024;
/// Nothing is read from one side while more than this waits to be written to the other.
pub const HIGH_WATER: usize = 256 * 1024;
/// Buffers that a thread keeps for reuse.
const POOLED: usize = 64;

thread_local! {
    static POOL: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

fn take() -> BytesMut {
    POOL.with_borrow_mut(Vec::pop).unwrap_or_else(|| BytesMut::with_capacity(CHUNK))
}

fn give_back(mut buffer: BytesMut) {
    buffer.clear();
    if (CHUNK..=2 * CHUNK).contains(&buffer.capacity()) {
        POOL.with_borrow_mut(|pool| {
            if pool.len() < POOLED {
                pool.push(buffer);
            }
        });
    }
}

/// A run of whole row frames in an output buffer that may still be taken back: from where to where,
/// counted in bytes since the start of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    start: u64,
    end: u64,
}

/// What waits to be written to one side.
#[derive(Debug, Default)]
pub struct Output {
    buffer: BytesMut,
    /// Bytes handed to the socket since the start of the session.
    written: u64,
    /// Rows that may be taken back, in order.
    runs: VecDeque<Run>,
}

impl Output {
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Is there so much waiting that no more should be read for this side?
    pub fn is_full(&self) -> bool {
        self.buffer.len() >= HIGH_WATER
    }

    pub fn push(&mut self, bytes: &[u8]) {
        if self.buffer.capacity() == 0 {
            self.buffer = take();
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The buffer, to build a message at its end.
    pub fn building(&mut self) -> &mut BytesMut {
        if self.buffer.capacity() == 0 {
            self.buffer = take();
        }
        &mut self.buffer
    }

    /// Whole row frames (the last may be incomplete) that [`Self::take_back`] can still drop until
    /// they are written.
    pub fn push_rows(&mut self, frames: &[u8]) {
        let start = self.end();
        self.push(frames);
        let end = self.end();
        match self.runs.back_mut() {
            Some(last) if last.end == start => last.end = end,
            _ => self.runs.push_back(Run { start, end }),
        }
    }

    /// More of the incomplete frame at the end of the last run.
    pub fn push_rest(&mut self, bytes: &[u8]) {
        let start = self.end();
        self.push(bytes);
        let end = self.end();
        if let Some(last) = self.runs.back_mut()
            && last.end == start
        {
            last.end = end;
        }
    }

    /// Rows pushed so far can no longer be taken back: their statement is over.
    pub fn settle(&mut self) {
        self.runs.clear();
    }

    fn end(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Drops the rows that are not yet written, up to a frame boundary; a frame of which a part is
    /// written stays. Returns how many row frames were dropped, and whether the last, incomplete
    /// frame is among them (then its rest must be dropped too).
    pub fn take_back(&mut self) -> (u64, bool) {
        let mut frames = 0;
        let mut incomplete = false;
        while let Some(run) = self.runs.pop_back() {
            let from = (run.start.saturating_sub(self.written)) as usize;
            let to = (run.end.saturating_sub(self.written)) as usize;
            if run.start < self.written || from >= to {
                continue;
            }
            let Some(rows) = self.buffer.get(from..to) else { continue };
            let mut at = 0;
            while let Some(length) = frame_length(rows.get(at..).unwrap_or_default()) {
                frames += 1;
                at += length;
            }
            incomplete |= at != rows.len();
            let tail = self.buffer.split_off(to);
            self.buffer.truncate(from);
            self.buffer.extend_from_slice(&tail);
        }
        (frames, incomplete)
    }

    /// Notes that `count` bytes at the front were written.
    fn wrote(&mut self, count: usize) {
        let written = self.written + count as u64;
        while let Some(run) = self.runs.front_mut() {
            // The boundary of the first frame of which nothing is written; it is found before the
            // headers that lead there are gone.
            while run.start < written && run.start < run.end {
                let at = (run.start.saturating_sub(self.written)) as usize;
                match frame_length(self.buffer.get(at..).unwrap_or_default()) {
                    Some(length) => run.start += length as u64,
                    None => run.start = run.end,
                }
            }
            if run.start < run.end {
                break;
            }
            self.runs.pop_front();
        }
        self.buffer.advance(count);
        self.written = written;
    }

    fn give_back(&mut self) {
        if self.buffer.is_empty() && self.buffer.capacity() > 0 {
            give_back(std::mem::take(&mut self.buffer));
        }
    }
}

/// The length of the frame at the start of `bytes`, type byte included; None: not even a header.
fn frame_length(bytes: &[u8]) -> Option<usize> {
    let header = bytes.get(1..5)?;
    let length = u32::from_be_bytes(header.try_into().ok()?);
    Some(1 + (length as usize).max(4))
}

/// One socket with what was read from it and what waits to be written to it.
#[derive(Debug)]
pub struct Side {
    stream: Stream,
    pub input: BytesMut,
    pub output: Output,
    /// Something was written that the layer below (TLS) may still hold.
    unflushed: bool,
    /// How much the next read takes at most.
    chunk: usize,
    /// The other end has closed its half.
    pub ended: bool,
}

impl Side {
    pub fn new(stream: Stream, input: BytesMut) -> Self {
        Self { stream, input, output: Output::default(), unflushed: false, chunk: CHUNK, ended: false }
    }

    /// Reads once. `Ready(Ok(0))`: the other end is done.
    pub fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.input.capacity() == 0 {
            self.input = take();
        }
        if self.input.capacity() - self.input.len() < self.chunk / 2 {
            self.input.reserve(self.chunk);
        }
        let room = self.input.capacity() - self.input.len();
        let result = pin!(self.stream.read_buf(&mut self.input)).poll(context);
        match &result {
            Poll::Ready(Ok(0)) => self.ended = true,
            Poll::Ready(Ok(read)) => {
                self.chunk =
                    if *read >= room { (self.chunk * 2).min(LARGE_CHUNK) } else { CHUNK.max(self.chunk / 2) };
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.rest(),
        }
        result
    }

    /// Gives the input buffer back if nothing is in it.
    fn rest(&mut self) {
        if self.input.is_empty() {
            give_back(std::mem::take(&mut self.input));
        }
    }

    /// Writes what waits; Ready when all of it has been handed to the system.
    pub fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(context, &self.output.buffer))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.wrote(count);
            self.unflushed = true;
        }
        self.output.give_back();
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads and forgets what the other end still sends, until it closes.
    pub async fn drain(&mut self) {
        while let Ok(1..) = poll_fn(|context| self.poll_read(context)).await {
            self.input.clear();
        }
    }

    pub fn wants_write(&self) -> bool {
        self.unflushed || !self.output.is_empty()
    }

    pub fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(body: &str) -> Vec<u8> {
        let mut frame = vec![b'D'];
        frame.extend_from_slice(&(4 + body.len() as u32).to_be_bytes());
        frame.extend_from_slice(body.as_bytes());
        frame
    }

    /// Rows `aa`, `bb`, `cc` after four bytes of something else; `written` of them have gone out.
    fn take_back_after(written: usize) -> (u64, bool, usize) {
        let mut output = Output::default();
        output.push(b"head");
        output.push_rows(&[row("aa"), row("bb")].concat());
        output.push_rows(&row("cc"));
        output.wrote(written);
        let (frames, incomplete) = output.take_back();
        (frames, incomplete, written + output.len())
    }

    #[test]
    fn rows_are_taken_back_at_a_frame_boundary() {
        for (written, expected) in [
            (0, (3, false, 4)),
            (3, (3, false, 4)),
            (4, (3, false, 4)),
            (5, (2, false, 11)),
            (11, (2, false, 11)),
            (12, (1, false, 18)),
            (25, (0, false, 25)),
        ] {
            assert_eq!(take_back_after(written), expected, "{written} bytes written");
        }
    }

    #[test]
    fn what_lies_between_rows_stays() {
        let mut output = Output::default();
        output.push_rows(&row("aa"));
        output.push(b"notice");
        output.push_rows(&row("bb"));
        assert_eq!(output.take_back(), (2, false));
        assert_eq!(&output.buffer[..], b"notice");
    }

    #[test]
    fn an_incomplete_frame_is_taken_back_unless_a_part_of_it_is_written() {
        for (written, expected, left) in [(0, (1, true), 0), (3, (0, false), 7)] {
            let mut output = Output::default();
            let long = row("0123456789");
            output.push_rows(&long[..8]);
            output.push_rest(&long[8..10]);
            output.wrote(written);
            assert_eq!(output.take_back(), expected);
            assert_eq!(output.len(), left);
        }
    }

    #[test]
    fn settled_rows_stay() {
        let mut output = Output::default();
        output.push_rows(&row("aa"));
        output.settle();
        assert_eq!(output.take_back(), (0, false));
        assert_eq!(output.len(), 7);
    }
}
