//! What is wrong with a tar archive.

use std::io;

/// Why an archive cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TarError {
    /// The archive ends in the middle of an entry.
    #[error("the archive ends in the middle of an entry, after {position} bytes")]
    Truncated {
        /// Bytes that were there.
        position: u64,
    },
    /// A header does not have the sum it says: this is no tar, or it is damaged.
    #[error("no tar header at byte {position}: its checksum is wrong")]
    Checksum {
        /// Where the header begins.
        position: u64,
    },
    /// A number of a header is no number, or is out of range.
    #[error("the {field} of `{path}` is not a number that can be used")]
    Number {
        /// The entry.
        path: String,
        /// Which number.
        field: &'static str,
    },
    /// A header that extends the next one is malformed.
    #[error("the extended header at byte {position} is malformed: {reason}")]
    Extension {
        /// Where the header begins.
        position: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The entry means different things to different programs.
    #[error("`{path}` could be read in more than one way: {reason}")]
    Ambiguous {
        /// The entry.
        path: String,
        /// Why.
        reason: &'static str,
    },
    /// The name cannot be a path below the root.
    #[error("`{name}` cannot be a name in an archive: {reason}")]
    Name {
        /// The name.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// The entry is of a kind that no file has.
    #[error("`{path}` is of the unknown kind `{kind}`")]
    Kind {
        /// The entry.
        path: String,
        /// The type flag.
        kind: char,
    },
    /// The map of a sparse file is malformed.
    #[error("the map of the sparse file `{path}` is malformed")]
    Sparse {
        /// The entry.
        path: String,
    },
    /// The archive is larger, in some way, than allowed.
    #[error("the archive has {what} than the limit of {limit}")]
    Limit {
        /// What there is too much of: `more entries`.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The name of an extended attribute cannot be written: PAX has no way to say `=` in it.
    #[error("the extended attribute `{name}` of `{path}` cannot be kept: its name has a `=`")]
    XattrName {
        /// The entry.
        path: String,
        /// The attribute.
        name: String,
    },
    /// The stream itself failed.
    #[error("the archive cannot be read")]
    Read(#[source] io::Error),
    /// The archive cannot be written.
    #[error("the archive cannot be written")]
    Write(#[source] io::Error),
}

impl TarError {
    /// What the user can do about it, if we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Truncated { .. } => {
                Some("it was not copied or downloaded whole; fetch it again".to_owned())
            }
            Self::Checksum { position: 0 } => Some("is it a tar archive?".to_owned()),
            Self::Ambiguous { .. } => Some(
                "archives like this can hide files from scanners; write it anew with a common tool"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}
