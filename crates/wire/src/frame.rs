//! Frames: where one message ends and the next begins.
//!
//! A frame is a type byte, a length of four bytes that counts itself but not the type byte, and the
//! body (PostgreSQL documentation, "Overview of Messaging"). The start-up packets that come before,
//! which have no type byte, are the business of [`crate::accept`].

use crate::error::{ClientError, Report};

/// Bytes of a frame's header.
pub const HEADER: usize = 5;

/// What PostgreSQL itself sends and takes at most in one message (`PQ_LARGE_MESSAGE_LIMIT`), and so
/// the limit for what comes from a server.
pub const MAX_BACKEND: usize = 0x3fff_ffff;

/// What a client may send in one message before it is authenticated (`PQ_SMALL_MESSAGE_LIMIT`).
pub const MAX_BEFORE_AUTHENTICATION: usize = 10_000;

/// What a client may send in one message that holds a password or a token
/// (`PG_MAX_AUTH_TOKEN_LENGTH`, and the header).
pub const MAX_CREDENTIAL: usize = 65_535 + HEADER;

/// A reasonable limit for what a client may send in one message afterwards.
pub const MAX_FRONTEND: usize = 64 << 20;

/// A frame whose header has been read; its body need not be there yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub tag: u8,
    /// The whole frame, header included; at least [`HEADER`].
    pub len: usize,
}

impl Frame {
    /// The body of this frame, which starts at the front of `buffer`; what is not there yet is
    /// missing at the end. Frames found by [`next`] are there whole.
    pub fn body<'b>(&self, buffer: &'b [u8]) -> &'b [u8] {
        let end = self.len.min(buffer.len());
        buffer.get(HEADER..end).unwrap_or_default()
    }

    /// How many bytes of this frame, which starts at the front of `buffer`, are yet to come.
    pub fn missing(&self, buffer: &[u8]) -> usize {
        self.len.saturating_sub(buffer.len())
    }
}

/// A length that no message has: the stream cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("invalid length of message of type {:?}", char::from(*.tag))]
    TooShort { tag: u8 },
    #[error("message of type {:?} is too long", char::from(*.tag))]
    TooLong { tag: u8, len: usize, max: usize },
}

impl ClientError for FrameError {
    fn report(&self) -> Report {
        let report = Report::fatal("08P01", self.to_string());
        match self {
            Self::TooShort { .. } => report,
            Self::TooLong { len, max, .. } => Report { sqlstate: "54000".into(), ..report }
                .detail(format!("It has {len} bytes; the limit is {max} bytes."))
                .hint("Send less in one message, or have the limit raised."),
        }
    }
}

/// The header at the front of `buffer`; `None`: it has fewer than [`HEADER`] bytes.
///
/// # Errors
/// The length is below four, or the frame is larger than `max` bytes.
pub fn header(buffer: &[u8], max: usize) -> Result<Option<Frame>, FrameError> {
    let [tag, a, b, c, d, ..] = *buffer else { return Ok(None) };
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    if length < 4 {
        return Err(FrameError::TooShort { tag });
    }
    let len = length.saturating_add(1);
    if len > max {
        return Err(FrameError::TooLong { tag, len, max });
    }
    Ok(Some(Frame { tag, len }))
}

/// The frame at the front of `buffer`, if all of it is there.
///
/// ```
/// # use pgwarrant_wire::frame;
/// let buffer = b"Q\0\0\0\x0dSELECT 1\0X\0\0\0\x04";
/// let frame = frame::next(buffer, frame::MAX_FRONTEND)?.expect("it is complete");
/// assert_eq!((frame.tag, frame.body(buffer)), (b'Q', &b"SELECT 1\0"[..]));
/// assert_eq!(frame::next(&buffer[frame.len..], frame::MAX_FRONTEND)?.map(|frame| frame.tag), Some(b'X'));
/// # Ok::<(), frame::FrameError>(())
/// ```
///
/// # Errors
/// As [`header`], as soon as the header is there.
pub fn next(buffer: &[u8], max: usize) -> Result<Option<Frame>, FrameError> {
    Ok(header(buffer, max)?.filter(|frame| frame.len <= buffer.len()))
}

/// Frames of one type at the front of a buffer, to be passed on without being read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Complete frames.
    pub frames: u64,
    /// Bytes of the complete frames.
    pub len: usize,
    /// The next frame is of the same type too, but the buffer ends in it: the part at
    /// `buffer[len..]` may be passed on now, and so many bytes after it as they come. Zero: there
    /// is no such frame.
    pub missing: usize,
}

/// The run of frames of type `tag` at the front of `buffer`: [`crate::backend::tag::DATA_ROW`],
/// [`crate::backend::tag::COPY_DATA`] or [`crate::frontend::tag::COPY_DATA`].
///
/// # Errors
/// As [`header`], for the first frame only: an invalid header after others ends the run, and is
/// found when the next one is looked for.
pub fn run(buffer: &[u8], tag: u8, max: usize) -> Result<Run, FrameError> {
    let mut run = Run::default();
    loop {
        let rest = buffer.get(run.len..).unwrap_or_default();
        if rest.first() != Some(&tag) {
            return Ok(run);
        }
        match header(rest, max) {
            Ok(Some(frame)) if frame.len <= rest.len() => {
                run.frames += 1;
                run.len += frame.len;
            }
            Ok(Some(frame)) => {
                run.missing = frame.missing(rest);
                return Ok(run);
            }
            Ok(None) => return Ok(run),
            Err(_) if run.frames > 0 => return Ok(run),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(tag: u8, body: usize) -> Vec<u8> {
        let mut bytes = vec![tag];
        bytes.extend_from_slice(&(4 + body as u32).to_be_bytes());
        bytes.resize(HEADER + body, b'x');
        bytes
    }

    #[test]
    fn a_length_below_four_is_refused() {
        for length in 0..4u8 {
            assert_eq!(header(&[b'Q', 0, 0, 0, length], 100), Err(FrameError::TooShort { tag: b'Q' }));
        }
        assert_eq!(header(&[b'S', 0, 0, 0, 4], 100), Ok(Some(Frame { tag: b'S', len: 5 })));
    }

    #[test]
    fn the_limit_counts_before_the_body_is_there() {
        let whole = frame(b'Q', 95);
        assert_eq!(next(&whole[..5], 100), Ok(None));
        assert_eq!(next(&whole[..5], 99), Err(FrameError::TooLong { tag: b'Q', len: 100, max: 99 }));
        assert!(header(&[b'Q', 0xff, 0xff, 0xff, 0xff], MAX_BACKEND).is_err());
    }

    #[test]
    fn a_run_ends_at_another_type_and_counts_whole_frames() {
        let bytes = [frame(b'D', 3), frame(b'D', 0), frame(b'C', 2), frame(b'D', 1)].concat();
        assert_eq!(run(&bytes, b'D', MAX_BACKEND), Ok(Run { frames: 2, len: 13, missing: 0 }));
        assert_eq!(run(&bytes, b'C', MAX_BACKEND), Ok(Run::default()));
    }

    #[test]
    fn a_frame_larger_than_the_buffer_can_be_streamed() {
        let bytes = [frame(b'D', 3), frame(b'D', 1000)].concat();
        assert_eq!(run(&bytes[..20], b'D', MAX_BACKEND), Ok(Run { frames: 1, len: 8, missing: 993 }));
        assert_eq!(run(&bytes[..10], b'D', MAX_BACKEND), Ok(Run { frames: 1, len: 8, missing: 0 }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_scanned_within_their_bounds(bytes in proptest::collection::vec(any::<u8>(), 0..64), max in 0usize..80) {
            if let Ok(Some(frame)) = next(&bytes, max) {
                prop_assert!(frame.len <= bytes.len() && frame.len <= max);
                prop_assert_eq!(frame.body(&bytes).len(), frame.len - HEADER);
            }
            for tag in [b'D', b'd', bytes.first().copied().unwrap_or(0)] {
                if let Ok(run) = run(&bytes, tag, max) {
                    prop_assert!(run.len <= bytes.len());
                }
            }
        }
    }
}
