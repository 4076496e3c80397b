//! What can go wrong with layers, said in terms of what happened.

use tug_oci::DiffId;

use crate::tar::TarError;

/// Why a layer cannot be made, read or laid over others.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayerError {
    /// The tar of the layer is damaged, ambiguous or too large.
    #[error(transparent)]
    Tar(#[from] TarError),
    /// Entries of a new layer must come in canonical order, each once.
    #[error("`{path}` came after `{after}`: entries must be in canonical order, each once")]
    OutOfOrder {
        /// The entry.
        path: String,
        /// The entry before it.
        after: String,
    },
    /// Entries of a new layer need the directory that they are in.
    #[error("`{path}` came without the directory that it is in")]
    ParentMissing {
        /// The entry.
        path: String,
    },
    /// The path is no path of a layer: empty, absolute, or with `.` or `..` in it.
    #[error("`{path}` is not a path that a layer can have")]
    Path {
        /// The entry.
        path: String,
    },
    /// The content of a file is shorter or longer than announced: it was changed while it was read.
    #[error("`{path}` has not {expected} bytes any more: it was changed while it was read")]
    ContentLength {
        /// The file.
        path: String,
        /// The announced length.
        expected: u64,
    },
    /// In layers, names that begin with `.wh.` mean removals.
    #[error("`{path}` cannot be in a layer: names that begin with `.wh.` mean that a file is removed")]
    WhiteoutName {
        /// The entry.
        path: String,
    },
    /// In trees, the character device 0:0 means a removal.
    #[error("`{path}` cannot be in a layer: the character device 0:0 means that a file is removed")]
    WhiteoutDevice {
        /// The entry.
        path: String,
    },
    /// A hard link to nothing.
    #[error("`{path}` is a link to `{target}`, which the layer does not have")]
    LinkTarget {
        /// The link.
        path: String,
        /// What it should have linked to.
        target: String,
    },
    /// The kernel does not let us give a file to that owner.
    #[error("`{path}` belongs to {uid}:{gid}, which cannot own files here")]
    Owner {
        /// The entry.
        path: String,
        /// The owner.
        uid: u32,
        /// The group.
        gid: u32,
    },
    /// The overlay was mounted with options under which its upper directory does not hold everything.
    #[error("`{path}` was written through an overlay with `redirect_dir` or `metacopy`")]
    Redirected {
        /// The entry.
        path: String,
    },
    /// Something was to be added to a layer that had failed before.
    #[error("the layer was given up after an error")]
    GivenUp,
    /// Only files have content.
    #[error("`{path}` is not a regular file")]
    NotAFile {
        /// The path.
        path: String,
    },
    /// The bytes are those of another layer.
    #[error("layer `{expected}` arrived as `{actual}`")]
    Mismatch {
        /// What was promised.
        expected: DiffId,
        /// What arrived.
        actual: DiffId,
    },
}

impl LayerError {
    /// What the user can do about it, if we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Tar(error) => error.hint(),
            Self::ContentLength { .. } => Some("try again when nothing writes to it".to_owned()),
            Self::Owner { .. } => Some(
                "give your user more ids: a line in /etc/subuid and /etc/subgid, see `tug doctor`".to_owned(),
            ),
            _ => None,
        }
    }
}
