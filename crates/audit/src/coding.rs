//! Numbers and texts as bytes: what records in a block are made of.
//!
//! A number is little-endian in groups of seven bits, the high bit set on all but the last; a signed
//! one is folded first (0, -1, 1, -2 … become 0, 1, 2, 3 …). A text is its length and its bytes.

/// The longest number, in bytes.
const NUMBER_BYTES: u32 = 10;

/// What replaces the rest of a text that is cut.
const MARK: &str = "…";

pub(crate) fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

pub(crate) fn put_signed(bytes: &mut Vec<u8>, number: i64) {
    put_number(bytes, (number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned());
}

/// A text of at most `limit` bytes; one that is longer is cut, and ends in "…".
pub(crate) fn put_text(bytes: &mut Vec<u8>, text: &str, limit: usize) {
    let (kept, mark) = cut(text, limit);
    put_number(bytes, (kept.len() + mark.len()) as u64);
    bytes.extend_from_slice(kept.as_bytes());
    bytes.extend_from_slice(mark.as_bytes());
}

/// The same of a text that may be missing.
pub(crate) fn put_optional_text(bytes: &mut Vec<u8>, text: Option<&str>, limit: usize) {
    let Some(text) = text else { return put_number(bytes, 0) };
    let (kept, mark) = cut(text, limit);
    put_number(bytes, (kept.len() + mark.len()) as u64 + 1);
    bytes.extend_from_slice(kept.as_bytes());
    bytes.extend_from_slice(mark.as_bytes());
}

/// The front of a text that is too long, and the mark that follows it.
fn cut(text: &str, limit: usize) -> (&str, &'static str) {
    if text.len() <= limit {
        return (text, "");
    }
    let mut end = limit.saturating_sub(MARK.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (text.get(..end).unwrap_or_default(), MARK)
}

/// Why bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Wrong {
    #[error("it is cut off")]
    CutOff,
    #[error("a number in it is too large")]
    Number,
    #[error("a text in it is not UTF-8")]
    Text,
    #[error("{0} in it is unknown")]
    Unknown(&'static str),
}

/// What is left to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'b>(pub &'b [u8]);

impl<'b> Reader<'b> {
    pub(crate) fn byte(&mut self) -> Result<u8, Wrong> {
        let (byte, rest) = self.0.split_first().ok_or(Wrong::CutOff)?;
        self.0 = rest;
        Ok(*byte)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Wrong> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Wrong::CutOff)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn number(&mut self) -> Result<u64, Wrong> {
        let mut number = 0u64;
        for place in 0..NUMBER_BYTES {
            let byte = self.byte()?;
            let group = u64::from(byte & 0x7f);
            let shifted = group << (7 * place);
            if shifted >> (7 * place) != group {
                return Err(Wrong::Number);
            }
            number |= shifted;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Wrong::Number)
    }

    pub(crate) fn signed(&mut self) -> Result<i64, Wrong> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    pub(crate) fn text(&mut self) -> Result<&'b str, Wrong> {
        let length = self.number()?;
        self.text_of(length)
    }

    /// A text that may be missing.
    pub(crate) fn optional_text(&mut self) -> Result<Option<&'b str>, Wrong> {
        match self.number()?.checked_sub(1) {
            Some(length) => self.text_of(length).map(Some),
            None => Ok(None),
        }
    }

    fn text_of(&mut self, length: u64) -> Result<&'b str, Wrong> {
        let length = usize::try_from(length).map_err(|_| Wrong::CutOff)?;
        let (text, rest) = self.0.split_at_checked(length).ok_or(Wrong::CutOff)?;
        self.0 = rest;
        std::str::from_utf8(text).map_err(|_| Wrong::Text)
    }

    /// How many of something follow, each of which takes a byte at least.
    pub(crate) fn count(&mut self) -> Result<usize, Wrong> {
        let count = self.number()?;
        usize::try_from(count).ok().filter(|count| *count <= self.0.len()).ok_or(Wrong::CutOff)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(number: u64, signed: i64) {
            let mut bytes = Vec::new();
            put_number(&mut bytes, number);
            put_signed(&mut bytes, signed);
            let mut reader = Reader(&bytes);
            prop_assert_eq!(reader.number(), Ok(number));
            prop_assert_eq!(reader.signed(), Ok(signed));
            prop_assert!(reader.0.is_empty());
        }

        #[test]
        fn a_cut_text_is_within_its_limit(text in any::<String>(), limit in 3usize..40) {
            let mut bytes = Vec::new();
            put_text(&mut bytes, &text, limit);
            let read = Reader(&bytes).text().expect("a text");
            prop_assert!(read.len() <= limit);
            prop_assert!(read == text || read.strip_suffix('…').is_some_and(|front| text.starts_with(front)));
        }
    }

    #[test]
    fn numbers_at_the_ends_come_back_and_longer_ones_are_refused() {
        for number in [0, 0x7f, 0x80, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            put_number(&mut bytes, number);
            assert_eq!(Reader(&bytes).number(), Ok(number));
        }
        for signed in [i64::MIN, -1, 0, 1, i64::MAX] {
            let mut bytes = Vec::new();
            put_signed(&mut bytes, signed);
            assert_eq!(Reader(&bytes).signed(), Ok(signed));
        }
        let too_large = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert_eq!(Reader(&too_large).number(), Err(Wrong::Number));
        assert_eq!(Reader(&[0x80; 11]).number(), Err(Wrong::Number));
        assert_eq!(Reader(&[0x80]).number(), Err(Wrong::CutOff));
    }
}
