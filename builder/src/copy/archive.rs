//! ADD of an archive: a tar, plain or compressed, is unpacked into the destination.
//!
//! Whether a file is one is decided by its content, as docker does: by the checksum of its first header. What is in it is
//! spread out into one spool file in a single pass, because a layer wants its entries in another order than the archive
//! has them.

use std::error::Error as _;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use tug_layer_store::tar::{Limits, TarError, TarReader};
use tug_layer_store::{Decompressed, DecompressionLimits, NewEntry, NewEntryKind, ScratchDir, Store};
use tug_oci::{Digest, Hasher};

use super::target::{Content, Ownership, Planned, Target, TargetError};
use crate::cancel::Cancel;
use crate::error::Error;
use crate::files::{Files, Item, changed, join, name_of, parent_of};

const BUFFER: usize = 128 * 1024;

/// An archive, spread out.
pub(crate) struct Archive {
    entries: Vec<(NewEntry, Option<Member>)>,
    spool: PathBuf,
    _scratch: ScratchDir,
}

/// Where the content of one file lies in the spool.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    offset: u64,
    size: u64,
}

impl Archive {
    /// The content of a member.
    pub(crate) fn open(&self, member: &Member) -> Result<Box<dyn Read + Send>, Error> {
        let failed = |source| Error::Io { action: "read", path: self.spool.clone(), source };
        let mut file = File::open(&self.spool).map_err(failed)?;
        file.seek(SeekFrom::Start(member.offset)).map_err(failed)?;
        Ok(Box::new(file.take(member.size)))
    }
}

/// Opens `item` as an archive; `None` when it is not one. An archive that is damaged further on is an error, and so is
/// one that cannot be trusted.
pub(crate) fn open(
    store: &Store,
    files: &dyn Files,
    item: &Item,
    cancel: &Cancel,
) -> Result<Option<Archive>, Error> {
    if item.size() == 0 {
        return Ok(None);
    }
    let mut source = Hashed { reader: files.open(item)?, hasher: Hasher::sha256() };
    let limits = Limits::default();
    let as_for_layers = DecompressionLimits { bytes: limits.plain_size, ratio: limits.ratio };
    let Ok(plain) = Decompressed::new(&mut source, as_for_layers) else { return Ok(None) };
    let mut reader = TarReader::new(plain, limits);
    let name = String::from_utf8_lossy(&item.path);
    let damaged = |error: TarError| {
        let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        Error::Context(format!("the archive `{name}` cannot be unpacked: {reason}"))
    };
    let first = match reader.next_entry() {
        Ok(Some(first)) => first,
        Ok(None) | Err(TarError::Read(_) | TarError::Truncated { .. } | TarError::Checksum { .. }) => {
            return Ok(None);
        }
        Err(error) => return Err(damaged(error)),
    };
    let scratch = store.scratch("add")?;
    let spool = scratch.path().join("content");
    let failed = |source| Error::Io { action: "write", path: spool.clone(), source };
    let mut out = BufWriter::new(File::create(&spool).map_err(failed)?);
    let (mut entries, mut offset) = (Vec::new(), 0);
    let mut buffer = vec![0; BUFFER];
    let mut next = Some(first);
    while let Some(entry) = next {
        let member = match entry.kind {
            NewEntryKind::File { size } => Some(Member { offset, size }),
            _ => None,
        };
        while member.is_some() {
            if cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let count = reader.read_content(&mut buffer).map_err(damaged)?;
            if count == 0 {
                break;
            }
            match buffer[..count].iter().all(|byte| *byte == 0) {
                // A sparse file in the archive may be larger than the disk.
                true => drop(out.seek(SeekFrom::Current(count as i64)).map_err(failed)?),
                false => out.write_all(&buffer[..count]).map_err(failed)?,
            }
            offset += count as u64;
        }
        entries.push((entry, member));
        next = reader.next_entry().map_err(damaged)?;
    }
    // The checksum of a compressed archive stands at its very end.
    reader.finish().map_err(damaged)?;
    out.flush().and_then(|()| out.get_ref().set_len(offset)).map_err(failed)?;
    if Some(&source.digest().map_err(damaged)?) != item.digest.get() {
        return Err(changed(files, item));
    }
    Ok(Some(Archive { entries, spool: spool.clone(), _scratch: scratch }))
}

/// Puts everything in `archive` below `destination`, which is a directory. Owners are those of the archive unless
/// `--chown` says otherwise; links above an entry are followed inside the root.
pub(crate) fn unpack(
    archive: &std::sync::Arc<Archive>,
    target: &mut Target,
    destination: &[u8],
    ownership: &Ownership,
) -> Result<(), TargetError> {
    for (entry, member) in &archive.entries {
        let mut entry = entry.clone();
        if let Some(owner) = ownership.chown {
            (entry.uid, entry.gid) = owner;
        }
        // What the archive says of its own root is not about the destination; docker skips it too.
        if entry.path.is_empty() {
            continue;
        }
        let path = join(destination, &entry.path);
        if name_of(&path).starts_with(b".wh.") || entry.kind == NewEntryKind::Whiteout {
            return Err(TargetError::Reserved(String::from_utf8_lossy(&path).into_owned()));
        }
        let parent = target.resolve(parent_of(&path))?;
        target.make_directories(&parent, ownership.of_archive())?;
        entry.path = join(&parent, name_of(&path));
        if let NewEntryKind::HardLink { target: first } = &entry.kind {
            let first = join(destination, first);
            let first = join(&target.resolve(parent_of(&first))?, name_of(&first));
            target.link(&entry.path, &first)?;
            continue;
        }
        let content = member.clone().map_or(Content::None, |member| Content::Member(archive.clone(), member));
        target.put(Planned { entry, content });
    }
    Ok(())
}

/// Hashes what is read, to see whether it is what the key was made of.
struct Hashed {
    reader: Box<dyn Read + Send>,
    hasher: Hasher,
}

impl Hashed {
    /// The digest of all there is, read or not.
    fn digest(mut self) -> Result<Digest, TarError> {
        std::io::copy(&mut self, &mut std::io::sink()).map_err(TarError::Read)?;
        Ok(self.hasher.finish())
    }
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}
