//! A small tar reader: what GNU tar, Go and this project write, no more.
//!
//! It knows ustar prefixes, GNU long names and base-256 numbers, and pax records. It looks at nothing twice and
//! refuses what it does not know (sparse formats, multi-volume parts), so a listing is never a guess.

use std::collections::BTreeMap;
use std::io::{self, Read};

/// One entry as its headers describe it. Names are as they stand in the archive.
#[derive(Debug, Default)]
pub(crate) struct Header {
    pub(crate) path: Vec<u8>,
    pub(crate) kind: u8,
    pub(crate) mode: u32,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    pub(crate) size: u64,
    pub(crate) mtime: i64,
    pub(crate) link: Vec<u8>,
    pub(crate) device: (u32, u32),
    pub(crate) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Calls `see` for each entry with its content, which it may leave unread.
pub(crate) fn for_each(
    mut archive: impl Read,
    mut see: impl FnMut(Header, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let mut pending = Pending::default();
    let mut block = [0; 512];
    loop {
        match archive.read_exact(&mut block) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            other => other?,
        }
        if block.iter().all(|byte| *byte == 0) {
            // A reader that is a pipe must see the end, or its writer dies of a broken one.
            io::copy(&mut archive, &mut io::sink())?;
            return Ok(());
        }
        let mut header = Header::parse(&block)?;
        match header.kind {
            b'L' | b'K' | b'x' | b'g' => {
                pending.remember(header.kind, &read_small(&mut archive, header.size)?)?;
            }
            _ => {
                std::mem::take(&mut pending).apply(&mut header)?;
                let stored = if matches!(header.kind, b'0' | b'7') { header.size } else { 0 };
                let mut content = (&mut archive).take(stored);
                see(header, &mut content)?;
                io::copy(&mut content, &mut io::sink())?;
                if content.limit() > 0 {
                    return Err(bad("the archive ends in the middle of a file"));
                }
                skip_padding(&mut archive, stored)?;
            }
        }
    }
}

/// What extra headers say about the entry that follows them.
#[derive(Default)]
struct Pending {
    records: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Pending {
    fn remember(&mut self, kind: u8, data: &[u8]) -> io::Result<()> {
        match kind {
            b'L' => drop(self.records.insert(b"path".to_vec(), until_zero(data).to_vec())),
            b'K' => drop(self.records.insert(b"linkpath".to_vec(), until_zero(data).to_vec())),
            b'x' => self.records.extend(pax_records(data)?),
            _ => {}
        }
        Ok(())
    }

    fn apply(self, header: &mut Header) -> io::Result<()> {
        for (key, value) in self.records {
            match key.as_slice() {
                b"path" => header.path = value,
                b"linkpath" => header.link = value,
                b"size" => header.size = decimal(&value)?,
                b"uid" => header.uid = decimal(&value)?,
                b"gid" => header.gid = decimal(&value)?,
                b"mtime" => header.mtime = whole_seconds(&value)?,
                _ if key.starts_with(b"GNU.sparse") => return Err(bad("sparse formats are not known here")),
                _ => {
                    if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                        header.xattrs.insert(name.to_vec(), value);
                    }
                }
            }
        }
        Ok(())
    }
}

impl Header {
    fn parse(block: &[u8; 512]) -> io::Result<Self> {
        let sum: u64 = block[..148].iter().chain(&block[156..]).map(|byte| u64::from(*byte)).sum();
        if sum + 8 * u64::from(b' ') != number(&block[148..156])? as u64 {
            return Err(bad("a header's checksum does not agree"));
        }
        let mut path = until_zero(&block[..100]).to_vec();
        let prefix = until_zero(&block[345..500]);
        if &block[257..263] == b"ustar\0" && !prefix.is_empty() {
            path = [prefix, b"/", &path].concat();
        }
        let kind = if block[156] == 0 { b'0' } else { block[156] };
        if !matches!(kind, b'0'..=b'7' | b'L' | b'K' | b'x' | b'g') {
            return Err(bad("an entry of a kind that is not known here"));
        }
        Ok(Self {
            path,
            kind,
            mode: number(&block[100..108])? as u32 & 0o7777,
            uid: number(&block[108..116])? as u64,
            gid: number(&block[116..124])? as u64,
            size: number(&block[124..136])? as u64,
            mtime: number(&block[136..148])?,
            link: until_zero(&block[157..257]).to_vec(),
            device: (number(&block[329..337])? as u32, number(&block[337..345])? as u32),
            xattrs: BTreeMap::new(),
        })
    }
}

/// An octal number, or a base-256 one when the first bit is set.
fn number(field: &[u8]) -> io::Result<i64> {
    if field[0] & 0x80 != 0 {
        let negative = field[0] & 0x40 != 0;
        let start = if negative { -1_i64 } else { 0 };
        let first = if negative { field[0] } else { field[0] & 0x7f };
        return Ok(field[1..].iter().fold(
            if negative { (start << 8) | i64::from(first) } else { i64::from(first) },
            |value, byte| (value << 8) | i64::from(*byte),
        ));
    }
    let text = until_zero(field).trim_ascii();
    if text.is_empty() {
        return Ok(0);
    }
    let text = std::str::from_utf8(text).map_err(|_| bad("a number is not a number"))?;
    i64::from_str_radix(text, 8).map_err(|_| bad("a number is not a number"))
}

fn pax_records(mut data: &[u8]) -> io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut records = BTreeMap::new();
    while !data.is_empty() {
        let space =
            data.iter().position(|byte| *byte == b' ').ok_or_else(|| bad("a pax record has no length"))?;
        let length = decimal(&data[..space])? as usize;
        if length <= space + 1 || length > data.len() {
            return Err(bad("a pax record's length is wrong"));
        }
        let record = &data[space + 1..length - 1];
        let equals =
            record.iter().position(|byte| *byte == b'=').ok_or_else(|| bad("a pax record has no value"))?;
        records.insert(record[..equals].to_vec(), record[equals + 1..].to_vec());
        data = &data[length..];
    }
    Ok(records)
}

/// Seconds rounded down, also before 1970.
fn whole_seconds(text: &[u8]) -> io::Result<i64> {
    let text = std::str::from_utf8(text).map_err(|_| bad("a time is not a number"))?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().map_err(|_| bad("a time is not a number"))?;
    let beyond = text.starts_with('-') && fraction.bytes().any(|digit| digit != b'0');
    Ok(seconds - i64::from(beyond))
}

fn decimal(text: &[u8]) -> io::Result<u64> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| bad("a number is not a number"))
}

fn read_small(archive: &mut impl Read, size: u64) -> io::Result<Vec<u8>> {
    if size > 16 << 20 {
        return Err(bad("an extra header of more than 16 MB"));
    }
    let mut data = vec![0; size as usize];
    archive.read_exact(&mut data)?;
    skip_padding(archive, size)?;
    Ok(data)
}

fn skip_padding(archive: &mut impl Read, size: u64) -> io::Result<()> {
    io::copy(&mut archive.take(size.next_multiple_of(512) - size), &mut io::sink()).map(drop)
}

fn until_zero(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
