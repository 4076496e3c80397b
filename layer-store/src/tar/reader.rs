//! Reads a tar as a stream: one entry after the other, each with its content. See the module above for the rules.

use std::io::{self, BufRead, BufReader, Read};

use super::content::{Content, Wanted};
use super::error::TarError;
use super::facts::Facts;
use super::header::{Format, Header, text};
use super::limits::Limits;
use super::pax::{self, Records};
use super::raw::Raw;
use super::sparse::{Map, Segment, SparseMap};
use super::{BLOCK, header, name, padding};
use crate::entry::{NewEntry, NewEntryKind, shown};

const BUFFER: usize = 128 * 1024;

/// A tar that is being read.
///
/// [`Self::next_entry`] gives the entries; after one for a file, reading from the reader gives its content, holes
/// included. What is not read is skipped.
pub struct TarReader<R> {
    source: BufReader<R>,
    limits: Limits,
    position: u64,
    entries: u64,
    content_size: u64,
    content: Content,
    raw: Raw,
    /// Global headers before the current entry that there were.
    globals: u64,
    has_ended: bool,
}

/// Headers that extend the next one.
#[derive(Default)]
struct Pending {
    records: Option<Records>,
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl<R: Read> TarReader<R> {
    /// Begins to read `source`, which must be plain: not compressed.
    pub fn new(source: R, limits: Limits) -> Self {
        Self {
            source: BufReader::with_capacity(BUFFER, source),
            limits,
            position: 0,
            entries: 0,
            content_size: 0,
            content: Content::default(),
            raw: Raw::default(),
            globals: 0,
            has_ended: false,
        }
    }

    /// The next entry; `None` after the last.
    ///
    /// Fails when the archive is damaged, ambiguous, or larger than the limits. What has been read until then may
    /// have been wrong as well: nothing of a refused archive is to be used.
    pub fn next_entry(&mut self) -> Result<Option<NewEntry>, TarError> {
        self.skip_content()?;
        let mut pending = Pending::default();
        while let Some((position, header)) = self.next_header()? {
            let size = |what| {
                let size = header.size().and_then(|size| u64::try_from(size).ok());
                size.ok_or(TarError::Extension { position, reason: what })
            };
            match header.type_flag() {
                b'x' => {
                    let bytes = self.extension(position, size("its size is no number")?)?;
                    once(&mut pending.records, Records::parse(&bytes, position)?, position)?;
                }
                b'L' => {
                    let bytes = self.extension(position, size("its size is no number")?)?;
                    pending.refuse_early_size(position)?;
                    once(&mut pending.name, gnu_name(&bytes, position)?, position)?;
                }
                b'K' => {
                    let bytes = self.extension(position, size("its size is no number")?)?;
                    pending.refuse_early_size(position)?;
                    once(&mut pending.link, gnu_name(&bytes, position)?, position)?;
                }
                b'g' => {
                    let bytes = self.extension(position, size("its size is no number")?)?;
                    pending.refuse_global(&bytes, position)?;
                    self.globals += 1;
                }
                _ => return self.entry(&header, pending).map(Some),
            }
        }
        match pending.is_empty() {
            true => Ok(None),
            false => Err(TarError::Extension { position: self.position, reason: "no entry follows it" }),
        }
    }

    /// How far the archive was read: after [`Self::next_entry`], to the end of the header.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// What the header of the current entry says, word for word.
    pub(crate) fn raw(&self) -> &Raw {
        &self.raw
    }

    /// Where the stored content of the current entry begins in the archive.
    pub fn content_offset(&self) -> u64 {
        self.content.offset
    }

    /// For a sparse file: the pieces that the archive holds, one after the other.
    pub(crate) fn segments(&self) -> Option<&[Segment]> {
        self.content.map.as_ref().map(|map| map.segments.as_slice())
    }

    /// Reads content of the current entry into `buffer`; 0 at its end.
    pub fn read_content(&mut self, buffer: &mut [u8]) -> Result<usize, TarError> {
        let wanted = self.content.wanted(buffer.len());
        match wanted {
            Wanted::Nothing => Ok(0),
            Wanted::Zeros(count) => {
                buffer[..count].fill(0);
                self.content.done += count as u64;
                Ok(count)
            }
            Wanted::Data(count) => {
                let count = self.source.read(&mut buffer[..count]).map_err(TarError::Read)?;
                if count == 0 {
                    return Err(TarError::Truncated { position: self.position });
                }
                self.advance(count)?;
                self.content.done += count as u64;
                self.content.stored -= count as u64;
                Ok(count)
            }
        }
    }

    /// Reads what is behind the end mark, so that the source has been read whole, and tells how long it was.
    pub fn finish(mut self) -> Result<u64, TarError> {
        while self.next_entry()?.is_some() {}
        loop {
            let count = self.source.fill_buf().map_err(TarError::Read)?.len();
            if count == 0 {
                return Ok(self.position);
            }
            self.source.consume(count);
            self.advance(count)?;
        }
    }

    /// The next header that is not the end mark.
    fn next_header(&mut self) -> Result<Option<(u64, Header)>, TarError> {
        if self.has_ended {
            return Ok(None);
        }
        let position = self.position;
        let Some(header) = self.header_block()? else {
            self.has_ended = true;
            return Ok(None);
        };
        if header.is_zero() {
            self.has_ended = true;
            return match self.header_block()? {
                Some(second) if !second.is_zero() => Err(TarError::Extension {
                    position,
                    reason: "one block of zeros, which is half an end mark, and more behind it",
                }),
                _ => Ok(None),
            };
        }
        if !header.is_intact() {
            return Err(TarError::Checksum { position });
        }
        Ok(Some((position, header)))
    }

    /// One block, or `None` where the archive ends.
    fn header_block(&mut self) -> Result<Option<Header>, TarError> {
        if self.source.fill_buf().map_err(TarError::Read)?.is_empty() {
            return Ok(None);
        }
        let mut block = [0; BLOCK];
        self.read_exact(&mut block)?;
        Ok(Some(Header::new(block)))
    }

    /// The content of a header that extends the next one.
    fn extension(&mut self, position: u64, size: u64) -> Result<Vec<u8>, TarError> {
        if size > self.limits.extension {
            return Err(TarError::Limit { what: "longer extended headers", limit: self.limits.extension });
        }
        if size == 0 {
            return Err(TarError::Extension { position, reason: "it is empty" });
        }
        let mut bytes = vec![0; size as usize];
        self.read_exact(&mut bytes)?;
        self.skip(padding(size) as u64)?;
        Ok(bytes)
    }

    fn entry(&mut self, header: &Header, pending: Pending) -> Result<NewEntry, TarError> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(TarError::Limit { what: "more entries", limit: self.limits.entries });
        }
        let mut records = pending.records.unwrap_or_default();
        let map = records
            .sparse
            .map()
            .map_err(|reason| TarError::Extension { position: self.position - BLOCK as u64, reason })?;
        let raw_name = agreed(records.path.take(), pending.name)?.unwrap_or_else(|| header.name());
        let raw_name = records.sparse.name.take().unwrap_or(raw_name);
        let raw_link = agreed(records.link.take(), pending.link)?.unwrap_or_else(|| header.link().to_vec());
        let facts = Facts { header, records: &records, path: name::clean(&raw_name, &self.limits)? };

        let stored = facts.size()?;
        let (kind, content) = match header.type_flag() {
            b'0' | b'\0' | b'7' if raw_name.ends_with(b"/") => {
                facts.refuse(stored != 0 || map != Map::None, "a directory with content")?;
                (NewEntryKind::Directory, Content::default())
            }
            b'0' | b'\0' | b'7' => {
                let content = self.file_content(&facts, map, stored)?;
                (NewEntryKind::File { size: content.size }, content)
            }
            b'S' if header.format() == Format::Gnu && map == Map::None => {
                let content = self.old_sparse_content(&facts, stored)?;
                (NewEntryKind::File { size: content.size }, content)
            }
            _ => {
                let kind = facts.without_content(&raw_link, &self.limits)?;
                facts.refuse(stored != 0 || map != Map::None, "a size on what has no content")?;
                (kind, Content::default())
            }
        };
        if facts.path.is_empty() && kind != NewEntryKind::Directory {
            return Err(TarError::Name {
                name: shown(&raw_name),
                reason: "the root can only be a directory",
            });
        }
        self.content_size = self.content_size.saturating_add(content.size);
        if self.content_size > self.limits.content_size {
            return Err(TarError::Limit { what: "more bytes in its files", limit: self.limits.content_size });
        }
        self.content = content;
        self.raw = Raw {
            mode: header.mode().unwrap_or_default(),
            is_common: self.globals == 0 && header.type_flag() != b'7',
            atime: records.atime.or_else(|| header.atime()),
            ctime: records.ctime.or_else(|| header.ctime()),
            name: raw_name,
            link: raw_link,
        };
        let (mode, uid, gid, mtime) = (facts.mode()?, facts.uid()?, facts.gid()?, facts.mtime()?);
        let path = facts.path;
        Ok(NewEntry { path, kind, mode, uid, gid, mtime, xattrs: records.xattrs })
    }

    fn file_content(&mut self, facts: &Facts<'_>, map: Map, stored: u64) -> Result<Content, TarError> {
        let broken = || TarError::Sparse { path: shown(&facts.path) };
        let size = facts.records.sparse.real_size.unwrap_or(stored);
        let (segments, data) = match map {
            Map::None => return Ok(Content::plain(self.position, stored)),
            Map::Known(segments) => (segments, stored),
            Map::BeforeData => {
                let (segments, used) = self.map_before_data(stored, &broken)?;
                (segments, stored - used)
            }
        };
        let map = SparseMap::new(segments, size, data).ok_or_else(broken)?;
        Ok(Content::sparse(self.position, map, data))
    }

    /// The map of PAX version 1.0: decimal numbers, each with a newline, filled up to a whole number of blocks.
    fn map_before_data(
        &mut self,
        stored: u64,
        broken: &dyn Fn() -> TarError,
    ) -> Result<(Vec<Segment>, u64), TarError> {
        let limit = self.limits.extension.min(stored);
        let mut used = 0;
        let mut number = || -> Result<u64, TarError> {
            let mut digits = Vec::new();
            loop {
                if used == limit || digits.len() > 20 {
                    return Err(broken());
                }
                let mut byte = [0];
                self.read_exact(&mut byte)?;
                used += 1;
                match byte[0] {
                    b'\n' => return pax::decimal(&digits).ok_or_else(broken),
                    byte => digits.push(byte),
                }
            }
        };
        let count = number()?;
        let mut segments = Vec::new();
        for _ in 0..count {
            segments.push(Segment { offset: number()?, length: number()? });
        }
        let rest = padding(used) as u64;
        if used + rest > stored {
            return Err(broken());
        }
        self.skip(rest)?;
        Ok((segments, used + rest))
    }

    /// The map of an old GNU header: four pieces in the header, 21 in each block that follows.
    fn old_sparse_content(&mut self, facts: &Facts<'_>, stored: u64) -> Result<Content, TarError> {
        let broken = || TarError::Sparse { path: shown(&facts.path) };
        let (pieces, mut goes_on, size) = facts.header.gnu_sparse();
        let size = size.and_then(|size| u64::try_from(size).ok()).ok_or_else(broken)?;
        let mut segments = Vec::new();
        gnu_pieces(pieces, &mut segments).ok_or_else(broken)?;
        while goes_on {
            if (segments.len() * 24) as u64 > self.limits.extension {
                return Err(TarError::Limit {
                    what: "longer extended headers",
                    limit: self.limits.extension,
                });
            }
            let mut block = [0; BLOCK];
            self.read_exact(&mut block)?;
            gnu_pieces(&block[..504], &mut segments).ok_or_else(broken)?;
            goes_on = block[504] != 0;
        }
        let map = SparseMap::new(segments, size, stored).ok_or_else(broken)?;
        Ok(Content::sparse(self.position, map, stored))
    }

    fn skip_content(&mut self) -> Result<(), TarError> {
        let content = std::mem::take(&mut self.content);
        self.skip(content.stored)?;
        self.skip(content.padding as u64)
    }

    fn skip(&mut self, mut count: u64) -> Result<(), TarError> {
        while count > 0 {
            let there = self.source.fill_buf().map_err(TarError::Read)?.len();
            if there == 0 {
                return Err(TarError::Truncated { position: self.position });
            }
            let step = there.min(usize::try_from(count).unwrap_or(usize::MAX));
            self.source.consume(step);
            self.advance(step)?;
            count -= step as u64;
        }
        Ok(())
    }

    fn read_exact(&mut self, bytes: &mut [u8]) -> Result<(), TarError> {
        self.source.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => TarError::Truncated { position: self.position },
            _ => TarError::Read(error),
        })?;
        self.advance(bytes.len())
    }

    fn advance(&mut self, count: usize) -> Result<(), TarError> {
        self.position += count as u64;
        match self.position > self.limits.plain_size {
            true => Err(TarError::Limit { what: "more bytes", limit: self.limits.plain_size }),
            false => Ok(()),
        }
    }
}

impl<R: Read> Read for TarReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_content(buffer).map_err(|error| match error {
            TarError::Read(error) => error,
            other => io::Error::other(other),
        })
    }
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.records.is_none() && self.name.is_none() && self.link.is_none()
    }

    /// A size before a GNU name: some programs apply it to the name.
    fn refuse_early_size(&self, position: u64) -> Result<(), TarError> {
        match self.records.as_ref().and_then(|records| records.size) {
            Some(_) => Err(TarError::Extension { position, reason: "a size stands before it" }),
            None => Ok(()),
        }
    }

    fn refuse_global(&self, bytes: &[u8], position: u64) -> Result<(), TarError> {
        let reason = match pax::global_is_harmless(bytes) {
            Err(reason) => reason,
            Ok(false) => "it renames or resizes every entry behind it",
            Ok(true) if !self.is_empty() => "it stands between an entry and what extends it",
            Ok(true) => return Ok(()),
        };
        Err(TarError::Extension { position, reason })
    }
}

fn once<T>(slot: &mut Option<T>, value: T, position: u64) -> Result<(), TarError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => {
            Err(TarError::Extension { position, reason: "there is another one before the same entry" })
        }
    }
}

/// The name as PAX and as GNU say it: one may be silent, but they may not contradict each other.
fn agreed(pax: Option<Vec<u8>>, gnu: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, TarError> {
    match (pax, gnu) {
        (Some(pax), Some(gnu)) if pax != gnu => {
            Err(TarError::Ambiguous { path: shown(&pax), reason: "it has a second name" })
        }
        (pax, gnu) => Ok(pax.or(gnu)),
    }
}

/// A name ends with a NUL, and nothing hides behind it.
fn gnu_name(bytes: &[u8], position: u64) -> Result<Vec<u8>, TarError> {
    let name = text(bytes);
    if name.is_empty() || bytes[name.len()..].iter().any(|&byte| byte != 0) {
        return Err(TarError::Extension { position, reason: "a name in it is empty or holds a NUL" });
    }
    Ok(name.to_vec())
}

/// Pieces of an old GNU map; unused places are zero.
fn gnu_pieces(bytes: &[u8], segments: &mut Vec<Segment>) -> Option<()> {
    for piece in bytes.as_chunks::<24>().0 {
        if piece.iter().all(|&byte| byte == 0) {
            continue;
        }
        let number = |field| header::number(field).and_then(|number| u64::try_from(number).ok());
        segments.push(Segment { offset: number(&piece[..12])?, length: number(&piece[12..])? });
    }
    Some(())
}
