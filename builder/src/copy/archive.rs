//! ADD of an archive: a tar, plain or compressed, is unpacked into the destination.
//!
//! Whether a file is one is decided by its content, as docker does. What is in it is spread out into one spool file in
//! a single pass, because a layer wants its entries in another order than the archive has them.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use tug_layer_store::tar::{Limits, TarReader};
use tug_layer_store::{Decompressed, DecompressionLimits, NewEntry, NewEntryKind, ScratchDir, Store};

use super::target::{Content, Ownership, Planned, Target, TargetError};
use crate::error::Error;
use crate::files::{Files, Item, ItemKind, join, name_of, parent_of};

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

/// Opens `item` as an archive; `None` when it is not one. An archive that is damaged further on is an error.
pub(crate) fn open(store: &Store, files: &dyn Files, item: &Item) -> Result<Option<Archive>, Error> {
    if !matches!(item.kind, ItemKind::File { size } if size > 0) {
        return Ok(None);
    }
    let Ok(plain) = Decompressed::new(files.open(item)?, DecompressionLimits::default()) else {
        return Ok(None);
    };
    let mut reader = TarReader::new(BufReader::new(plain), Limits::default());
    let Ok(Some(first)) = reader.next_entry() else { return Ok(None) };
    let scratch = store.scratch("add")?;
    let spool = scratch.path().join("content");
    let failed = |source| Error::Io { action: "write", path: spool.clone(), source };
    let damaged = |error: &dyn std::fmt::Display| {
        Error::Context(format!("the archive `{}` is damaged: {error}", String::from_utf8_lossy(&item.path)))
    };
    let mut out = BufWriter::new(File::create(&spool).map_err(failed)?);
    let (mut entries, mut offset) = (Vec::new(), 0);
    let mut buffer = vec![0; 64 * 1024];
    let mut next = Some(first);
    while let Some(entry) = next {
        let member = match entry.kind {
            NewEntryKind::File { size } => Some(Member { offset, size }),
            _ => None,
        };
        if member.is_some() {
            loop {
                let count = reader.read_content(&mut buffer).map_err(|error| damaged(&error))?;
                if count == 0 {
                    break;
                }
                out.write_all(&buffer[..count]).map_err(failed)?;
                offset += count as u64;
            }
        }
        entries.push((entry, member));
        next = reader.next_entry().map_err(|error| damaged(&error))?;
    }
    out.flush().map_err(failed)?;
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
        target.make_directories(&parent, ownership.owner_of_new())?;
        entry.path = join(&parent, name_of(&path));
        if let NewEntryKind::HardLink { target: first } = &mut entry.kind {
            let path = join(destination, first);
            *first = join(&target.resolve(parent_of(&path))?, name_of(&path));
        }
        let content = member.clone().map_or(Content::None, |member| Content::Member(archive.clone(), member));
        target.put(Planned { entry, content });
    }
    Ok(())
}
