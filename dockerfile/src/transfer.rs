//! `COPY` and `ADD`: what goes where, and how.

use crate::{Heredoc, Word};

/// What `COPY` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// `--from`: a stage by name or number, a named context or an image. Not expanded.
    pub from: Option<Word>,
    /// `--parents`: keep the directories above each source, from `/./` on.
    pub parents: bool,
    /// What it shares with `ADD`.
    pub files: Transfer,
}

/// What `ADD` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Add {
    /// `--checksum`: `sha256:…` of a download, or the commit of a git source.
    pub checksum: Option<Word>,
    /// `--keep-git-dir`; `None` if it is not written.
    pub keep_git_dir: Option<bool>,
    /// `--unpack`; `None` if it is not written: then local archives are unpacked, and downloads are not.
    pub unpack: Option<bool>,
    /// What it shares with `COPY`.
    pub files: Transfer,
}

/// Sources, destination, and the flags that `COPY` and `ADD` share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// At least one, in order.
    pub sources: Vec<Source>,
    /// Never empty.
    pub destination: Word,
    /// `--chown=user[:group]`
    pub chown: Option<Word>,
    /// `--chmod`; once expanded, [`Mode::parse`](crate::Mode::parse) reads it.
    pub chmod: Option<Word>,
    /// `--link`: independent of the layers below.
    pub link: bool,
    /// `--exclude`: patterns of what is left out. Not expanded;
    /// [`Ignore::from_patterns`](crate::Ignore::from_patterns) reads them.
    pub exclude: Vec<Word>,
}

/// One source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A path, a pattern, or (for `ADD`) a URL.
    Path(Word),
    /// A file written in the Dockerfile itself.
    Heredoc(Heredoc),
}

impl Transfer {
    /// The here-documents among the sources.
    pub fn heredocs(&self) -> impl Iterator<Item = &Heredoc> {
        self.sources.iter().filter_map(|source| match source {
            Source::Heredoc(heredoc) => Some(heredoc),
            Source::Path(_) => None,
        })
    }
}
