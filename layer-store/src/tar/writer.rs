//! Writes a tar in the one way that all our layers have.
//!
//! The bytes equal what Go's `archive/tar` writes with `FormatPAX` and times cut to seconds, which is what containerd
//! and BuildKit do, so that the same tree gets the same digest from them and from us:
//!
//! | what                                              | where                                                   |
//! | ------------------------------------------------- | ------------------------------------------------------- |
//! | everything that fits                              | a ustar header; names of owners empty, device numbers 0  |
//! | name of 101 to 256 bytes, ASCII, nothing below    | split between the `prefix` and `name` fields             |
//! | any other long or not-ASCII name or target        | PAX `path`, `linkpath`; what fits of it in the header    |
//! | size from 8 GiB, owner above 2 097 151, time < 0  | PAX `size`, `uid`, `gid`, `mtime`; 0 in the header       |
//! | extended attributes                               | PAX `SCHILY.xattr.<name>`, raw bytes                     |
//! | PAX header of `a/b`                               | named `a/PaxHeaders.0/b`; records sorted by key          |
//! | directory                                         | its name ends in `/`                                     |
//! | hard link                                         | mode, owner, time and attributes of the file; size 0     |
//! | whiteout of `a/b`                                 | an empty file `a/.wh.b`, mode, owner and time 0          |
//! | the end                                           | two blocks of zeros, no more                             |

use std::io::Write;

use super::error::TarError;
use super::{BLOCK, padding, pax};
use crate::entry::{NewEntry, NewEntryKind, join, shown, split};

/// A tar that is being written.
pub struct TarWriter<W> {
    out: W,
    position: u64,
    buffer: Vec<u8>,
}

impl<W: Write> TarWriter<W> {
    /// Begins a tar.
    pub fn new(out: W) -> Self {
        Self { out, position: 0, buffer: Vec::with_capacity(4 * BLOCK) }
    }

    /// Writes the header of an entry. The content of a file must follow, and then [`Self::pad`].
    pub fn header(&mut self, entry: &NewEntry) -> Result<(), TarError> {
        self.buffer.clear();
        append_header(&mut self.buffer, entry)?;
        self.position += self.buffer.len() as u64;
        self.out.write_all(&self.buffer).map_err(TarError::Write)
    }

    /// Writes a piece of content.
    pub fn content(&mut self, bytes: &[u8]) -> Result<(), TarError> {
        self.position += bytes.len() as u64;
        self.out.write_all(bytes).map_err(TarError::Write)
    }

    /// Fills up the last block of content.
    pub fn pad(&mut self) -> Result<(), TarError> {
        let zeros = [0; BLOCK];
        self.content(&zeros[..padding(self.position)])
    }

    /// How many bytes were written.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Where the bytes go.
    pub fn out_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// Says that `count` bytes of content went to [`Self::out_mut`] on another way.
    pub(crate) fn has_written(&mut self, count: u64) {
        self.position += count;
    }

    /// Writes the end mark, and gives back where the bytes went.
    pub fn finish(mut self) -> Result<W, TarError> {
        self.content(&[0; 2 * BLOCK])?;
        Ok(self.out)
    }
}

/// What one header says.
struct Fields<'a> {
    name: Vec<u8>,
    link: &'a [u8],
    type_flag: u8,
    mode: u64,
    uid: u64,
    gid: u64,
    size: u64,
    mtime: i64,
    device: (u32, u32),
}

fn append_header(out: &mut Vec<u8>, entry: &NewEntry) -> Result<(), TarError> {
    let fields = Fields::of(entry);
    let mut records = fields.records();
    let fits_ustar = records.iter().all(|(key, _)| key == b"path") && split_name(&fields.name).is_some();
    if entry.kind != NewEntryKind::Whiteout {
        for (name, value) in &entry.xattrs {
            if name.contains(&b'=') {
                let (path, name) = (shown(&entry.path), shown(name));
                return Err(TarError::XattrName { path, name });
            }
            records.push(([pax::XATTR, name].concat(), value.clone()));
        }
    }
    if records.is_empty() || fits_ustar && records.len() == 1 {
        let (prefix, name) = split_name(&fields.name).unwrap_or((b"", &fields.name));
        fields.append_block(out, name, prefix);
        return Ok(());
    }
    records.sort();
    let mut content = Vec::new();
    for (key, value) in &records {
        pax::append(&mut content, key, value);
    }
    append_extension(out, &fields.name, &content);
    fields.append_block(out, &ascii(&fields.name), b"");
    Ok(())
}

impl<'a> Fields<'a> {
    fn of(entry: &'a NewEntry) -> Self {
        let none: &[u8] = b"";
        let (type_flag, link, size, device) = match &entry.kind {
            NewEntryKind::Directory => (b'5', none, 0, (0, 0)),
            NewEntryKind::File { size } => (b'0', none, *size, (0, 0)),
            NewEntryKind::Symlink { target } => (b'2', target.as_slice(), 0, (0, 0)),
            NewEntryKind::HardLink { target } => (b'1', target.as_slice(), 0, (0, 0)),
            NewEntryKind::CharDevice { major, minor } => (b'3', none, 0, (*major, *minor)),
            NewEntryKind::BlockDevice { major, minor } => (b'4', none, 0, (*major, *minor)),
            NewEntryKind::Fifo => (b'6', none, 0, (0, 0)),
            NewEntryKind::Whiteout => return Self::of_whiteout(&entry.path),
        };
        let mut name = entry.path.clone();
        if entry.kind == NewEntryKind::Directory {
            name.push(b'/');
        }
        let (mode, mtime) = (u64::from(entry.mode & 0o7777), entry.mtime.seconds);
        Self {
            name,
            link,
            type_flag,
            mode,
            uid: entry.uid.into(),
            gid: entry.gid.into(),
            size,
            mtime,
            device,
        }
    }

    fn of_whiteout(path: &[u8]) -> Self {
        let (directory, name) = split(path);
        let name = join(directory, &[b".wh.", name].concat());
        Self { name, link: b"", type_flag: b'0', mode: 0, uid: 0, gid: 0, size: 0, mtime: 0, device: (0, 0) }
    }

    /// The PAX records for what does not fit.
    fn records(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut records = Vec::new();
        let mut add = |key: &[u8], value: Vec<u8>| records.push((key.to_vec(), value));
        if self.name.len() > 100 || !self.name.is_ascii() {
            add(b"path", self.name.clone());
        }
        if self.link.len() > 100 || !self.link.is_ascii() {
            add(b"linkpath", self.link.to_vec());
        }
        for (key, number, digits) in
            [(b"uid" as &[u8], self.uid, 7), (b"gid", self.gid, 7), (b"size", self.size, 11)]
        {
            if !fits(number, digits) {
                add(key, number.to_string().into_bytes());
            }
        }
        if !u64::try_from(self.mtime).is_ok_and(|mtime| fits(mtime, 11)) {
            add(b"mtime", self.mtime.to_string().into_bytes());
        }
        records
    }

    fn append_block(&self, out: &mut Vec<u8>, name: &[u8], prefix: &[u8]) {
        let mut block = [0; BLOCK];
        put_text(&mut block[..100], name);
        put_number(&mut block[100..108], self.mode);
        put_number(&mut block[108..116], self.uid);
        put_number(&mut block[116..124], self.gid);
        put_number(&mut block[124..136], self.size);
        put_number(&mut block[136..148], u64::try_from(self.mtime).unwrap_or(0));
        block[156] = self.type_flag;
        put_text(&mut block[157..257], &ascii(self.link));
        put_number(&mut block[329..337], self.device.0.into());
        put_number(&mut block[337..345], self.device.1.into());
        put_text(&mut block[345..500], prefix);
        seal(out, block);
    }
}

/// The header and content that stand before the header of `name`.
fn append_extension(out: &mut Vec<u8>, name: &[u8], content: &[u8]) {
    let (directory, file) = match name.iter().rposition(|&byte| byte == b'/') {
        Some(at) => (&name[..at], &name[at + 1..]),
        None => (b"" as &[u8], name),
    };
    let mut name = join(directory, b"PaxHeaders.0");
    if !file.is_empty() {
        name = join(&name, file);
    }
    let mut name = ascii(&name);
    name.truncate(100);
    let name = name.trim_suffix_slashes();
    let mut block = [0; BLOCK];
    put_text(&mut block[..100], name);
    for field in [100..108, 108..116, 116..124, 136..148] {
        put_number(&mut block[field], 0);
    }
    put_number(&mut block[124..136], content.len() as u64);
    block[156] = b'x';
    seal(out, block);
    out.extend_from_slice(content);
    out.resize(out.len() + padding(content.len() as u64), 0);
}

/// Writes the mark of the format and the checksum, and the block is done.
fn seal(out: &mut Vec<u8>, mut block: [u8; BLOCK]) {
    block[257..265].copy_from_slice(b"ustar\x0000");
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
    put_number(&mut block[148..155], sum);
    out.extend_from_slice(&block);
}

/// Splits a long name at a slash so that both halves fit their fields.
fn split_name(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= 100 || !name.is_ascii() {
        return None;
    }
    let searched = if name.len() > 156 {
        156
    } else if name.ends_with(b"/") {
        name.len() - 1
    } else {
        name.len()
    };
    let at = name[..searched].iter().rposition(|&byte| byte == b'/')?;
    let rest = name.len() - at - 1;
    (at > 0 && at <= 155 && rest > 0 && rest <= 100).then(|| (&name[..at], &name[at + 1..]))
}

/// As much of the text as fits. A cut may not leave a slash at the end: that would make the entry a directory.
fn put_text(field: &mut [u8], text: &[u8]) {
    let length = text.len().min(field.len());
    field[..length].copy_from_slice(&text[..length]);
    if text.len() > field.len() && field.ends_with(b"/") {
        let kept = field.trim_suffix_slashes().len();
        field[kept] = 0;
    }
}

/// Octal digits with zeros in front and a NUL behind; zero when it does not fit.
fn put_number(field: &mut [u8], number: u64) {
    let digits = field.len() - 1;
    let number = if fits(number, digits) { number } else { 0 };
    for (place, digit) in field[..digits].iter_mut().rev().enumerate() {
        *digit = b'0' + ((number >> (3 * place)) & 7) as u8;
    }
    field[digits] = 0;
}

fn fits(number: u64, octal_digits: usize) -> bool {
    number >> (3 * octal_digits) == 0
}

/// Only the bytes that are ASCII.
fn ascii(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(u8::is_ascii).collect()
}

trait TrimSlashes {
    fn trim_suffix_slashes(&self) -> &[u8];
}

impl TrimSlashes for [u8] {
    fn trim_suffix_slashes(&self) -> &[u8] {
        let kept = self.iter().rposition(|&byte| byte != b'/').map_or(0, |at| at + 1);
        &self[..kept]
    }
}
