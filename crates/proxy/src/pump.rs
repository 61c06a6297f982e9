//! Buffers and the sockets at their ends.
//!
//! A session is one task with two sockets, polled by hand: so a small transaction costs two reads,
//! two writes and nothing else. A buffer is taken from the thread's pool when its socket is about
//! to be read and given back when there was nothing, so that an idle session holds none.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use pgwarrant_wire::stream::Stream;
use tokio::io::{AsyncReadExt, AsyncWrite};

use crate::pool::{CHUNK, LARGE_CHUNK, give_back, take};

/// Nothing is read from one side while more than this waits to be written to the other.
pub const HIGH_WATER: usize = 256 * 1024;
/// Rows of so many bytes and more are passed on without being copied, if they can be.
const WORTH_MOVING: usize = 4 * 1024;
/// A queue that had to hold more than this is given back when it is empty.
const FEW: usize = 16;

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
    /// The other end took only a part of what was last written.
    blocked: bool,
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
        self.buffer.len() >= if self.blocked { CHUNK } else { HIGH_WATER }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.building().extend_from_slice(bytes);
    }

    /// The same with the first bytes of `input`, which is left with the rest. Many are not copied:
    /// the two buffers change places.
    pub fn push_front_of(&mut self, input: &mut BytesMut, count: usize) {
        let rest = input.len().saturating_sub(count);
        if count < WORTH_MOVING || rest > count || !self.is_empty() {
            self.push(input.get(..count).unwrap_or(input));
            input.advance(count.min(input.len()));
            return;
        }
        std::mem::swap(&mut self.buffer, input);
        if rest > 0 {
            if input.capacity() == 0 {
                *input = take(if rest > CHUNK { LARGE_CHUNK } else { CHUNK });
            }
            input.extend_from_slice(self.buffer.get(count..).unwrap_or_default());
            self.buffer.truncate(count);
        }
    }

    /// The buffer, to build a message at its end.
    pub fn building(&mut self) -> &mut BytesMut {
        if self.buffer.capacity() == 0 {
            self.buffer = take(CHUNK);
        }
        &mut self.buffer
    }

    /// Whole row frames (the last may be incomplete) at the front of `input`, which is left with the
    /// rest; [`Self::take_back`] can still drop them until they are written.
    pub fn push_rows(&mut self, input: &mut BytesMut, count: usize) {
        let start = self.end();
        self.push_front_of(input, count);
        let end = self.end();
        match self.runs.back_mut() {
            Some(last) if last.end == start => last.end = end,
            _ => self.runs.push_back(Run { start, end }),
        }
    }

    /// More of the incomplete frame at the end of the last run.
    pub fn push_rest(&mut self, input: &mut BytesMut, count: usize) {
        let start = self.end();
        self.push_front_of(input, count);
        let end = self.end();
        if let Some(last) = self.runs.back_mut()
            && last.end == start
        {
            last.end = end;
        }
    }

    /// Rows pushed so far can no longer be taken back: their statement is over.
    pub fn settle(&mut self) {
        if self.runs.capacity() > FEW {
            self.runs = VecDeque::new();
        }
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
        if count == self.buffer.len() {
            // No boundary need be looked for. (A frame of which the rest is yet to come is in no run
            // any more, so that rest will not be taken for a frame.)
            self.runs.clear();
        }
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
            // No buffer is taken for nothing.
            ready!(self.stream.poll_read_ready(context))?;
        }
        self.make_room();
        let room = self.input.capacity() - self.input.len();
        let result = pin!(self.stream.read_buf(&mut self.input)).poll(context);
        match &result {
            Poll::Ready(Ok(0)) => self.ended = true,
            Poll::Ready(Ok(read)) => {
                if *read >= room {
                    self.chunk = LARGE_CHUNK;
                } else if *read < CHUNK {
                    self.chunk = CHUNK;
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.rest(),
        }
        result
    }

    /// Sees to it that the next read can take half a chunk at least.
    fn make_room(&mut self) {
        let wanted = self.chunk / 2;
        if self.input.capacity() == 0 {
            self.input = take(self.chunk);
        } else if self.input.capacity() - self.input.len() < wanted && !self.input.try_reclaim(wanted) {
            if self.input.len() + wanted > LARGE_CHUNK {
                // Twice as much each time, so that a message of megabytes is not copied for each read.
                self.input.reserve(self.chunk);
            } else {
                let mut larger = take(if self.input.len() + wanted > CHUNK { LARGE_CHUNK } else { CHUNK });
                larger.extend_from_slice(&self.input);
                give_back(std::mem::replace(&mut self.input, larger));
            }
        }
    }

    /// Gives the input buffer back if nothing is in it.
    fn rest(&mut self) {
        if self.input.is_empty() && self.input.capacity() > 0 {
            give_back(std::mem::take(&mut self.input));
        }
    }

    /// Writes what waits; Ready when all of it has been handed to the system.
    pub fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let written = Pin::new(&mut self.stream).poll_write(context, &self.output.buffer);
            self.output.blocked = written.is_pending();
            let count = ready!(written)?;
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

    fn push_rows(output: &mut Output, frames: &[u8]) {
        output.push_rows(&mut BytesMut::from(frames), frames.len());
    }

    fn push_rest(output: &mut Output, bytes: &[u8]) {
        output.push_rest(&mut BytesMut::from(bytes), bytes.len());
    }

    /// Rows `aa`, `bb`, `cc` after four bytes of something else; `written` of them have gone out.
    fn take_back_after(written: usize) -> (u64, bool, usize) {
        let mut output = Output::default();
        output.push(b"head");
        push_rows(&mut output, &[row("aa"), row("bb")].concat());
        push_rows(&mut output, &row("cc"));
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
        push_rows(&mut output, &row("aa"));
        output.push(b"notice");
        push_rows(&mut output, &row("bb"));
        assert_eq!(output.take_back(), (2, false));
        assert_eq!(&output.buffer[..], b"notice");
    }

    #[test]
    fn an_incomplete_frame_is_taken_back_unless_a_part_of_it_is_written() {
        for (written, expected, left) in [(0, (1, true), 0), (3, (0, false), 7)] {
            let mut output = Output::default();
            let long = row("0123456789");
            push_rows(&mut output, &long[..8]);
            push_rest(&mut output, &long[8..10]);
            output.wrote(written);
            assert_eq!(output.take_back(), expected);
            assert_eq!(output.len(), left);
        }
    }

    #[test]
    fn settled_rows_stay() {
        let mut output = Output::default();
        push_rows(&mut output, &row("aa"));
        output.settle();
        assert_eq!(output.take_back(), (0, false));
        assert_eq!(output.len(), 7);
    }

    #[test]
    fn many_rows_change_places_with_an_empty_output_and_few_are_copied() {
        for (before, count, rest, moved) in [
            (0, WORTH_MOVING, 0, true),
            (0, WORTH_MOVING, 7, true),
            (0, WORTH_MOVING - 1, 0, false),
            (0, WORTH_MOVING, WORTH_MOVING + 1, false),
            (1, WORTH_MOVING, 0, false),
        ] {
            let mut output = Output::default();
            output.push(&vec![b'x'; before]);
            let bytes: Vec<u8> = (0..count + rest).map(|at| at as u8).collect();
            let mut input = BytesMut::from(&bytes[..]);
            let place = input.as_ptr();
            output.push_front_of(&mut input, count);
            assert_eq!(output.buffer[before..], bytes[..count]);
            assert_eq!(input[..], bytes[count..]);
            assert_eq!(output.buffer.as_ptr() == place, moved, "{before} {count} {rest}");
        }
    }

    #[test]
    fn rows_that_were_moved_are_taken_back_as_well() {
        let one = row(&"x".repeat(1000));
        let mut input = BytesMut::from(&[one.repeat(10), one[..20].to_vec()].concat()[..]);
        let mut output = Output::default();
        output.push_rows(&mut input, 10 * one.len());
        output.wrote(one.len() + 1);
        assert_eq!(output.take_back(), (8, false));
        assert_eq!((output.len(), &input[..]), (one.len() - 1, &one[..20]));
    }

    #[test]
    fn nothing_is_taken_back_of_a_frame_that_is_on_its_way_and_whole_rows_behind_it_are() {
        let long = row("0123456789");
        let mut output = Output::default();
        push_rows(&mut output, &long[..8]);
        output.wrote(8);
        push_rest(&mut output, &long[8..]);
        push_rows(&mut output, &row("aa"));
        assert_eq!(output.take_back(), (1, false));
        assert_eq!(output.len(), long.len() - 8);
    }

    /// A side, and what is at its other end.
    fn side() -> (Side, tokio::io::DuplexStream) {
        let (near, far) = tokio::io::duplex(1 << 20);
        let stream = Stream::Plain(pgwarrant_wire::stream::Socket::memory(near));
        (Side::new(stream, BytesMut::new()), far)
    }

    async fn read(side: &mut Side) -> Poll<usize> {
        poll_fn(|context| Poll::Ready(side.poll_read(context).map(|result| result.unwrap()))).await
    }

    #[tokio::test]
    async fn an_idle_side_holds_no_buffers() {
        use tokio::io::AsyncWriteExt;

        let (mut side, mut far) = side();
        for size in [10, CHUNK, 3 * LARGE_CHUNK] {
            far.write_all(&vec![b'x'; size]).await.unwrap();
            while read(&mut side).await.is_ready() {
                let count = side.input.len();
                side.output.push_front_of(&mut side.input, count);
                poll_fn(|context| side.poll_write(context)).await.unwrap();
            }
            assert_eq!((side.input.capacity(), side.output.buffer.capacity()), (0, 0), "{size}");
        }
    }

    #[tokio::test]
    async fn a_side_that_takes_nothing_more_is_full_long_before_the_limit() {
        let (near, mut far) = tokio::io::duplex(1000);
        let stream = Stream::Plain(pgwarrant_wire::stream::Socket::memory(near));
        let mut side = Side::new(stream, BytesMut::new());
        side.output.push(&vec![b'x'; 2 * CHUNK]);
        assert!(!side.output.is_full(), "nobody has tried to write it");
        let blocked = poll_fn(|context| Poll::Ready(side.poll_write(context).is_pending())).await;
        assert!(blocked);
        assert!(side.output.is_full());
        let mut sink = vec![0; 2 * CHUNK];
        let all = async { far.read_exact(&mut sink).await.unwrap() };
        tokio::join!(all, async { poll_fn(|context| side.poll_write(context)).await.unwrap() });
        assert!(!side.output.is_full() && side.output.is_empty());
    }
}
