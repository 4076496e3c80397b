//! What is wrong in a store, and what can be done about it.

use std::fmt;
use std::path::PathBuf;

use tug_oci::{DiffId, Digest, Reference};

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where, below the folder of the store.
    pub path: PathBuf,
    /// What is wrong.
    pub fault: Fault,
    /// Whether it does harm.
    pub severity: Severity,
    /// What a repair does about it.
    pub remedy: Remedy,
    /// What became of it.
    pub outcome: Outcome,
    pub(super) target: Target,
}

/// Whether a finding does harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something is lost, or somebody will fail over it.
    Wrong,
    /// It takes room and nothing else: what killed processes and failed powers leave.
    Leftover,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The bytes of a blob are not those of its name.
    #[error("its content has the digest `{0}`")]
    Content(Digest),
    /// It is a folder, a link, or something else that is no file.
    #[error("it is not a file")]
    NotAFile,
    /// Its name is none that a blob or layer can have.
    #[error("its name is no digest")]
    Name,
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// The length is not the announced one.
    #[error("it has {actual} bytes, not {expected}")]
    Size {
        /// The announced length.
        expected: u64,
        /// The length found.
        actual: u64,
    },
    /// A blob is whole, but its layer is another one than everybody says.
    #[error("it holds the layer `{0}`, not the one that it is named for")]
    OtherLayer(DiffId),
    /// A blob is whole, but no layer.
    #[error("it is not a layer: {0}")]
    NotALayer(String),
    /// A file of the store cannot be understood.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// A field of a record is not as it is.
    #[error("it says that {field} is {recorded}, but it is {actual}")]
    Field {
        /// Which.
        field: &'static str,
        /// As recorded.
        recorded: String,
        /// As found.
        actual: String,
    },
    /// The table of contents is not that of the tar.
    #[error("it disagrees with the tar about `{path}`{}", and_more(*more))]
    Contents {
        /// The first path.
        path: String,
        /// How many more there are.
        more: usize,
    },
    /// The tree is not as the table of contents says.
    #[error("`{path}` {what}{}", and_more(*more))]
    Tree {
        /// The first path that is not right.
        path: String,
        /// What is not right about it.
        what: String,
        /// How many more there are.
        more: usize,
    },
    /// The index is not what this tug writes for the table of contents.
    #[error("it is not the index of the layer")]
    Index,
    /// The record speaks of a form of the layer that is not there.
    #[error("it is missing")]
    Missing,
    /// A name leads to nothing that is in the store.
    #[error("`{name}` leads to {what}, which is not in the store")]
    LeadsNowhere {
        /// The name, or the digest of what has none.
        name: String,
        /// What it leads to.
        what: String,
    },
    /// A result of a step whose layer is nowhere.
    #[error("its layer `{0}` is not in the store")]
    LayerGone(DiffId),
    /// Written on an earlier boot of the machine, and never known to be on the disk.
    #[error("the machine was started anew before it was known to be on the disk")]
    NotDurable,
    /// What nobody needs.
    #[error("{count} {what}")]
    LeftBehind {
        /// How many.
        count: usize,
        /// What they are.
        what: &'static str,
    },
}

/// What a repair does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// It is made again from something that is in the store: `the blob`, `the tree`.
    MakeAgain {
        /// From what.
        from: &'static str,
    },
    /// It is fetched from where it was seen.
    Fetch {
        /// The registry and repository.
        origin: String,
    },
    /// It is marked as good.
    Vouch,
    /// It is removed.
    Remove,
    /// The rest of it is kept.
    Salvage,
}

/// What became of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Nothing was tried.
    Found,
    /// It is as it should be.
    Mended,
    /// It could not be had again, and is gone.
    Removed,
    /// It was tried, and failed.
    Failed(String),
}

/// An image that has lost something for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostImage {
    /// Its name, if it has one.
    pub name: Option<Reference>,
    /// What the name led to.
    pub digest: Digest,
    /// What it has lost: `layer 3 of 5`.
    pub what: String,
}

/// What a finding is about, for whoever repairs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Blob(Digest),
    Layer(DiffId),
    Tree(DiffId),
    Index(DiffId),
    ChainIndex(PathBuf),
    Stray(PathBuf),
    Names,
    Name { name: Option<Reference>, digest: Digest },
    CacheRecord(PathBuf),
    LeftBehind,
    Implied(PathBuf),
    Durable(DiffId),
}

impl Finding {
    pub(super) fn wrong(path: impl Into<PathBuf>, fault: Fault, remedy: Remedy, target: Target) -> Self {
        let (path, severity, outcome) = (path.into(), Severity::Wrong, Outcome::Found);
        Self { path, fault, severity, remedy, outcome, target }
    }

    /// Nothing is made from what is bad itself.
    pub(super) fn doubt_remedy(&mut self, bad: &super::Bad) {
        let is_lost = match (&self.target, &self.remedy) {
            (Target::Blob(digest), Remedy::MakeAgain { from: "the tree" }) => bad.trees.contains(digest),
            _ => false,
        };
        if is_lost {
            self.remedy = Remedy::Remove;
        }
    }

    pub(super) fn leftover(path: impl Into<PathBuf>, fault: Fault, remedy: Remedy, target: Target) -> Self {
        Self { severity: Severity::Leftover, ..Self::wrong(path, fault, remedy, target) }
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MakeAgain { from } => write!(formatter, "make it again from {from}"),
            Self::Fetch { origin } => write!(formatter, "fetch it from `{origin}`"),
            Self::Vouch => formatter.write_str("note that it is there"),
            Self::Remove => formatter.write_str("remove it"),
            Self::Salvage => formatter.write_str("keep what can be read"),
        }
    }
}

fn and_more(more: usize) -> String {
    match more {
        0 => String::new(),
        _ => format!(" (and {more} more)"),
    }
}
