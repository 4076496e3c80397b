//! What a header says word for word, for lists that other programs compare with the archive.

use crate::entry::Mtime;

/// The words of a header, with those of the records before it, before anything is cleaned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Raw {
    /// The name; that of a directory mostly ends in a slash.
    pub(crate) name: Vec<u8>,
    /// What a link leads to.
    pub(crate) link: Vec<u8>,
    /// All bits of the mode; some programs write the kind of the file into it.
    pub(crate) mode: i64,
    /// When it was read last.
    pub(crate) atime: Option<Mtime>,
    /// When its metadata changed.
    pub(crate) ctime: Option<Mtime>,
    /// Whether Go's reader gives the same entry: no global header stands before it, and its kind is one of POSIX.
    pub(crate) is_common: bool,
}
