//! One block of a tar that is a header: where its fields are, and how its numbers are read.

use super::BLOCK;
use crate::entry::Mtime;

/// A header block, exactly as it stands in the archive.
pub(super) struct Header {
    block: [u8; BLOCK],
}

/// Which of the older formats a header follows. They differ in what stands behind the first 257 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Seventh edition Unix: nothing.
    V7,
    /// POSIX: a prefix for long names. PAX headers are in this format.
    Ustar,
    /// `star`: a shorter prefix, then two times.
    Star,
    /// GNU: no prefix; times and the map of sparse files.
    Gnu,
}

impl Header {
    pub(super) fn new(block: [u8; BLOCK]) -> Self {
        Self { block }
    }

    pub(super) fn is_zero(&self) -> bool {
        self.block.iter().all(|&byte| byte == 0)
    }

    /// Whether the checksum holds; old programs summed signed bytes.
    pub(super) fn is_intact(&self) -> bool {
        let Some(expected) = number(&self.block[148..156]) else {
            return false;
        };
        let outside = || self.block[..148].iter().chain(&self.block[156..]);
        let unsigned = 8 * 32 + outside().map(|&byte| i64::from(byte)).sum::<i64>();
        let signed = 8 * 32 + outside().map(|&byte| i64::from(byte as i8)).sum::<i64>();
        expected == unsigned || expected == signed
    }

    pub(super) fn format(&self) -> Format {
        match (&self.block[257..263], &self.block[263..265], &self.block[508..512]) {
            (b"ustar\0", _, b"tar\0") => Format::Star,
            (b"ustar\0", _, _) => Format::Ustar,
            (b"ustar ", b" \0", _) => Format::Gnu,
            _ => Format::V7,
        }
    }

    pub(super) fn type_flag(&self) -> u8 {
        self.block[156]
    }

    /// The name, with the prefix where the format has one.
    pub(super) fn name(&self) -> Vec<u8> {
        let name = text(&self.block[..100]);
        let prefix = match self.format() {
            Format::Ustar => text(&self.block[345..500]),
            Format::Star => text(&self.block[345..476]),
            Format::V7 | Format::Gnu => b"",
        };
        if prefix.is_empty() {
            return name.to_vec();
        }
        [prefix, b"/", name].concat()
    }

    pub(super) fn link(&self) -> &[u8] {
        text(&self.block[157..257])
    }

    pub(super) fn mode(&self) -> Option<i64> {
        number(&self.block[100..108])
    }

    pub(super) fn uid(&self) -> Option<i64> {
        number(&self.block[108..116])
    }

    pub(super) fn gid(&self) -> Option<i64> {
        number(&self.block[116..124])
    }

    pub(super) fn size(&self) -> Option<i64> {
        number(&self.block[124..136])
    }

    pub(super) fn mtime(&self) -> Option<i64> {
        number(&self.block[136..148])
    }

    /// When it was read last, where the format has a place for it and it is written there.
    pub(super) fn atime(&self) -> Option<Mtime> {
        match self.format() {
            Format::Gnu => self.time(345..357),
            Format::Star => self.time(476..488),
            Format::V7 | Format::Ustar => None,
        }
    }

    /// When its metadata changed, likewise.
    pub(super) fn ctime(&self) -> Option<Mtime> {
        match self.format() {
            Format::Gnu => self.time(357..369),
            Format::Star => self.time(488..500),
            Format::V7 | Format::Ustar => None,
        }
    }

    fn time(&self, field: std::ops::Range<usize>) -> Option<Mtime> {
        let field = &self.block[field];
        (field[0] != 0).then(|| number(field)).flatten().map(Mtime::from_seconds)
    }

    pub(super) fn device(&self) -> Option<(i64, i64)> {
        Some((number(&self.block[329..337])?, number(&self.block[337..345])?))
    }

    /// The first four pieces of an old GNU sparse file, whether a block with more follows, and the real size.
    pub(super) fn gnu_sparse(&self) -> (&[u8], bool, Option<i64>) {
        (&self.block[386..482], self.block[482] != 0, number(&self.block[483..495]))
    }
}

/// The bytes up to the first NUL.
pub(super) fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    &field[..end]
}

/// A number: base-256 when the highest bit is set, else octal digits between spaces and NULs; nothing at all is zero.
pub(super) fn number(field: &[u8]) -> Option<i64> {
    let (&first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        return base_256(first, rest);
    }
    let is_blank = |byte: &u8| *byte == b' ' || *byte == 0;
    let start = field.iter().position(|byte| !is_blank(byte)).unwrap_or(field.len());
    let digits = &field[start..];
    let length = digits.iter().position(is_blank).unwrap_or(digits.len());
    let (digits, tail) = digits.split_at(length);
    if !tail.iter().all(is_blank) {
        return None;
    }
    digits.iter().try_fold(0_i64, |number, &digit| match digit {
        b'0'..=b'7' => number.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

/// Big-endian two's complement; the highest bit of all only says that it is one.
fn base_256(first: u8, rest: &[u8]) -> Option<i64> {
    let is_negative = first & 0x40 != 0;
    let top = if is_negative { i64::from(first | 0x80) - 256 } else { i64::from(first & 0x7f) };
    rest.iter().try_fold(top, |number, &byte| number.checked_mul(256)?.checked_add(i64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_numbers_stand_between_blanks() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"   644 \0"), Some(0o644));
        assert_eq!(number(b"77777777"), Some(0o7777_7777));
        assert_eq!(number(b"\0\0\0\0\0\0\0\0"), Some(0));
        for bad in [b"0000648\0", b"64 4   \0", b"-644   \0", b"0x644  \0"] {
            assert_eq!(number(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn base_256_numbers_are_twos_complement() {
        assert_eq!(number(b"\x80\0\0\0\0\x20\0\0"), Some(0x20_0000));
        assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xfe"), Some(-2));
        assert_eq!(number(b"\x80\0\0\x01\x7f\xff\xff\xff\xff\xff\xff\xff"), None);
        assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), Some(-1));
    }
}
