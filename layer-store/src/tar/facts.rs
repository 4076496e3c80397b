//! What a header, and the records before it, say together about one entry.

use super::error::TarError;
use super::header::Header;
use super::limits::Limits;
use super::name;
use super::pax::Records;
use crate::entry::{Mtime, NewEntryKind, shown};

/// Linux has no longer targets.
const LONGEST_SYMLINK: usize = 4095;

/// What header and records say together about one entry.
pub(super) struct Facts<'a> {
    pub(super) header: &'a Header,
    pub(super) records: &'a Records,
    pub(super) path: Vec<u8>,
}

impl Facts<'_> {
    pub(super) fn without_content(&self, link: &[u8], limits: &Limits) -> Result<NewEntryKind, TarError> {
        match self.header.type_flag() {
            b'1' => {
                let target = name::clean(link, limits)?;
                self.refuse(target.is_empty() || target == self.path, "a link to itself or to the root")?;
                Ok(NewEntryKind::HardLink { target })
            }
            b'2' => {
                let target = link.to_vec();
                let reason = "the target of a link is empty, too long, or holds a NUL";
                self.refuse(
                    target.is_empty() || target.len() > LONGEST_SYMLINK || target.contains(&0),
                    reason,
                )?;
                Ok(NewEntryKind::Symlink { target })
            }
            b'3' => self.device().map(|(major, minor)| NewEntryKind::CharDevice { major, minor }),
            b'4' => self.device().map(|(major, minor)| NewEntryKind::BlockDevice { major, minor }),
            b'5' => Ok(NewEntryKind::Directory),
            b'6' => Ok(NewEntryKind::Fifo),
            other => Err(TarError::Kind { path: shown(&self.path), kind: char::from(other) }),
        }
    }

    pub(super) fn size(&self) -> Result<u64, TarError> {
        let in_header = || self.header.size().and_then(|size| u64::try_from(size).ok());
        self.records.size.or_else(in_header).ok_or_else(|| self.no_number("size"))
    }

    pub(super) fn mode(&self) -> Result<u32, TarError> {
        let mode = self.header.mode().and_then(|mode| u64::try_from(mode).ok());
        mode.map(|mode| (mode & 0o7777) as u32).ok_or_else(|| self.no_number("mode"))
    }

    pub(super) fn uid(&self) -> Result<u32, TarError> {
        self.id(self.records.uid, self.header.uid()).ok_or_else(|| self.no_number("owner"))
    }

    pub(super) fn gid(&self) -> Result<u32, TarError> {
        self.id(self.records.gid, self.header.gid()).ok_or_else(|| self.no_number("group"))
    }

    /// The highest number means "leave as it is" to the kernel, so it is no owner.
    fn id(&self, in_records: Option<u64>, in_header: Option<i64>) -> Option<u32> {
        let id = in_records.or_else(|| u64::try_from(in_header?).ok())?;
        u32::try_from(id).ok().filter(|&id| id != u32::MAX)
    }

    pub(super) fn mtime(&self) -> Result<Mtime, TarError> {
        let in_header = || self.header.mtime().map(Mtime::from_seconds);
        self.records.mtime.or_else(in_header).ok_or_else(|| self.no_number("time"))
    }

    /// Linux has 12 bits for the major and 20 for the minor number.
    fn device(&self) -> Result<(u32, u32), TarError> {
        match self.header.device() {
            Some((major @ 0..=0xfff, minor @ 0..=0xf_ffff)) => Ok((major as u32, minor as u32)),
            _ => Err(self.no_number("device number")),
        }
    }

    pub(super) fn refuse(&self, condition: bool, reason: &'static str) -> Result<(), TarError> {
        match condition {
            true => Err(TarError::Ambiguous { path: shown(&self.path), reason }),
            false => Ok(()),
        }
    }

    fn no_number(&self, field: &'static str) -> TarError {
        TarError::Number { path: shown(&self.path), field }
    }
}
