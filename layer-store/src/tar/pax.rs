//! PAX records: what does not fit into a header stands before it as `length key=value\n`.

use super::error::TarError;
use super::sparse::{Segment, SparseRecords};
use crate::entry::{Mtime, Xattrs};

/// Keys of extended attributes begin with this; the value is the raw bytes.
pub(super) const XATTR: &[u8] = b"SCHILY.xattr.";
/// Keys of sparse files begin with this.
const SPARSE: &[u8] = b"GNU.sparse.";

/// What the records before an entry say about it.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) mtime: Option<Mtime>,
    pub(super) atime: Option<Mtime>,
    pub(super) ctime: Option<Mtime>,
    pub(super) xattrs: Xattrs,
    pub(super) sparse: SparseRecords,
}

impl Records {
    /// Reads the content of an extended header that begins at `position` of the archive.
    pub(super) fn parse(bytes: &[u8], position: u64) -> Result<Self, TarError> {
        let bad = |reason| TarError::Extension { position, reason };
        let mut records = Self::default();
        for record in split(bytes) {
            let (key, value) = record.map_err(bad)?;
            records.take(key, value).map_err(bad)?;
        }
        Ok(records)
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        if let Some(name) = key.strip_prefix(XATTR) {
            if name.is_empty() || name.contains(&0) {
                return Err("an extended attribute has no proper name");
            }
            self.xattrs.insert(name.to_vec(), value.to_vec());
            return Ok(());
        }
        if let Some(key) = key.strip_prefix(SPARSE) {
            return self.sparse.take(key, value);
        }
        match key {
            b"path" => once(&mut self.path, whole_text(value)?),
            b"linkpath" => once(&mut self.link, whole_text(value)?),
            b"size" => once(&mut self.size, decimal(value).ok_or("the size is not a number")?),
            b"uid" => once(&mut self.uid, decimal(value).ok_or("the owner is not a number")?),
            b"gid" => once(&mut self.gid, decimal(value).ok_or("the group is not a number")?),
            b"mtime" => once(&mut self.mtime, time(value).ok_or("the time is not a number")?),
            // Nobody acts on these two; whatever they are, they do no harm.
            b"atime" => {
                self.atime = time(value);
                Ok(())
            }
            b"ctime" => {
                self.ctime = time(value);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Whether a global header says something that programs which ignore it, as we do, would get wrong.
pub(super) fn global_is_harmless(bytes: &[u8]) -> Result<bool, &'static str> {
    for record in split(bytes) {
        let (key, _) = record?;
        if matches!(key, b"path" | b"linkpath" | b"size") || key.starts_with(SPARSE) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Appends one record, whose length counts itself.
pub(super) fn append(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + rest.to_string().len();
    if rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    out.extend_from_slice(length.to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(key);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// A number without sign; nothing but digits.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, &digit| match digit {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

/// `offset,length,offset,length,…`
pub(super) fn segments(text: &[u8]) -> Option<Vec<Segment>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let numbers: Option<Vec<u64>> = text.split(|&byte| byte == b',').map(decimal).collect();
    let numbers = numbers?;
    let (pairs, rest) = numbers.as_chunks::<2>();
    let segments = pairs.iter().map(|&[offset, length]| Segment { offset, length }).collect();
    rest.is_empty().then_some(segments)
}

/// The records one after the other. The length of each is believed, not its newline: values hold any byte.
fn split(mut bytes: &[u8]) -> impl Iterator<Item = Result<(&[u8], &[u8]), &'static str>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        match split_one(bytes) {
            Some((key, value, rest)) => {
                bytes = rest;
                Some(Ok((key, value)))
            }
            None => {
                bytes = b"";
                Some(Err("a record does not have the length it says"))
            }
        }
    })
}

fn split_one(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let digits = bytes.iter().take(20).position(|&byte| byte == b' ')?;
    let length = usize::try_from(decimal(&bytes[..digits])?).ok()?;
    if length > bytes.len() || length < digits + 2 {
        return None;
    }
    let (record, rest) = bytes.split_at(length);
    let content = record[digits + 1..].strip_suffix(b"\n")?;
    let equals = content.iter().position(|&byte| byte == b'=')?;
    let (key, value) = (&content[..equals], &content[equals + 1..]);
    (!key.is_empty()).then_some((key, value, rest))
}

/// Says a fact for the first time, or the same one again.
pub(super) fn once<T: PartialEq>(slot: &mut Option<T>, value: T) -> Result<(), &'static str> {
    match slot {
        Some(said) if *said != value => Err("it says the same thing twice, in different ways"),
        _ => {
            *slot = Some(value);
            Ok(())
        }
    }
}

pub(super) fn whole_text(value: &[u8]) -> Result<Vec<u8>, &'static str> {
    if value.is_empty() {
        return Err("a name in it is empty");
    }
    if value.contains(&0) {
        return Err("a name in it holds a NUL");
    }
    Ok(value.to_vec())
}

/// Seconds since 1970, with a sign and a fraction where there are; digits behind the ninth are cut off.
fn time(text: &[u8]) -> Option<Mtime> {
    let (is_negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = match text.iter().position(|&byte| byte == b'.') {
        Some(dot) => (&text[..dot], &text[dot + 1..]),
        None => (text, b"" as &[u8]),
    };
    let seconds = i64::try_from(decimal(whole)?).ok()?;
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = (0..9).map(|place| fraction.get(place).copied().unwrap_or(b'0'));
    let nanos = digits.fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
    Some(match (is_negative, nanos) {
        (false, _) => Mtime { seconds, nanos },
        (true, 0) => Mtime { seconds: -seconds, nanos: 0 },
        (true, _) => Mtime { seconds: -seconds - 1, nanos: 1_000_000_000 - nanos },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_the_digits_of_its_own_length() {
        for (value, record) in [("1", "6 a=1\n"), ("1234", "9 a=1234\n"), ("12345", "11 a=12345\n")] {
            let mut out = Vec::new();
            append(&mut out, b"a", value.as_bytes());
            assert_eq!(out, record.as_bytes());
        }
        for length in 0..1100 {
            let mut out = Vec::new();
            append(&mut out, b"key", &vec![b'v'; length]);
            let (key, value, rest) = split_one(&out).unwrap();
            assert_eq!((key, value.len(), rest.len()), (b"key" as &[u8], length, 0));
        }
    }

    #[test]
    fn values_hold_newlines_nul_and_equals() {
        let mut bytes = Vec::new();
        append(&mut bytes, b"SCHILY.xattr.user.x", b"1\n9 path=x\n\0=\n");
        append(&mut bytes, b"path", b"real");
        let records = Records::parse(&bytes, 0).unwrap();
        assert_eq!(records.path.unwrap(), b"real");
        assert_eq!(records.xattrs[b"user.x" as &[u8]], b"1\n9 path=x\n\0=\n");
    }

    #[test]
    fn records_that_do_not_have_their_length_are_refused() {
        for bytes in [
            "7 a=1\n",
            "4 a=1\n",
            "a=1\n",
            "99999999999999999999999 a=1\n",
            "6 a=1 ",
            "5 =1\n",
            "4 a\n",
            "-6 a=1\n",
        ] {
            assert!(Records::parse(bytes.as_bytes(), 0).is_err(), "{bytes}");
        }
    }

    #[test]
    fn facts_that_are_empty_or_said_twice_in_different_ways_are_refused() {
        for bytes in [
            "8 path=\n",
            "8 size=\n",
            "11 size=-1\n",
            "9 size=1\n9 size=2\n",
            "11 path=a\0\n",
            "11 mtime=x\n",
        ] {
            assert!(Records::parse(bytes.as_bytes(), 0).is_err(), "{bytes}");
        }
        assert_eq!(Records::parse(b"9 size=1\n9 size=1\n", 0).unwrap().size, Some(1));
    }

    #[test]
    fn times_have_signs_and_fractions() {
        for (text, seconds, nanos) in [
            ("0", 0, 0),
            ("1700000000.123456789987", 1_700_000_000, 123_456_789),
            ("-1", -1, 0),
            ("-1.25", -2, 750_000_000),
            ("5.", 5, 0),
        ] {
            assert_eq!(time(text.as_bytes()), Some(Mtime { seconds, nanos }), "{text}");
        }
        for text in ["", "-", ".5", "1.x", "1e9", "9223372036854775808", "+1"] {
            assert_eq!(time(text.as_bytes()), None, "{text}");
        }
    }
}
