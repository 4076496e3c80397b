//! Sources of ADD from elsewhere.
//!
//! A file is fetched to know what goes into the key: its content. Of a repository the commit is enough, and its files only
//! come when the step is really carried out.

use std::sync::Arc;

use tug_dockerfile::Ignore;
use tug_fetch::{Commit, GitUrl, Remote as Address};
use tug_layer_store::{Mtime, NewEntry, NewEntryKind};

use super::select::{self, Selected};
use super::{CopyContext, CopyError, select_error};
use crate::files::{Files, SingleFile};
use crate::plan::{CopyAction, RemoteSource};
use crate::remote::{RemoteFile, Remotes};

/// The mode of a file that was fetched: it may be anything.
const MODE: u32 = 0o600;

/// The name of a file whose address gives none.
const UNNAMED: &str = "__unnamed__";

/// A source that was looked at.
pub(super) struct Remote {
    source: RemoteSource,
    found: Found,
}

enum Found {
    File { file: RemoteFile, name: String },
    Commit { url: GitUrl, commit: Commit },
}

/// Files that came.
pub(super) struct Fetched {
    pub files: Arc<dyn Files>,
    pub selected: Vec<Selected>,
    pub unpack: bool,
}

impl Remote {
    /// Looks what is there now.
    pub(super) fn look(source: &RemoteSource, remotes: &Remotes) -> Result<Self, CopyError> {
        let found = match &source.remote {
            Address::Http(url) => {
                let file = remotes.file(url, source.checksum.as_ref())?;
                Found::File { file, name: url.file_name().unwrap_or_else(|| UNNAMED.to_owned()) }
            }
            Address::Git(url) => Found::Commit { url: url.clone(), commit: remotes.commit(url)? },
        };
        Ok(Self { source: source.clone(), found })
    }

    /// What names it in explanations.
    pub(super) fn name(&self) -> &str {
        &self.source.written
    }

    /// What decides what comes of it.
    pub(super) fn facts(&self) -> String {
        let unpack = self.source.unpack;
        match &self.found {
            Found::File { file, name } => {
                let time = file.modified.unwrap_or(0);
                format!("file {} {}\nname {name:?}\ntime {time}\nunpack {unpack}", file.size, file.digest)
            }
            Found::Commit { url, commit } => {
                let wanted = url.wanted();
                let folder = wanted.subdirectory.as_deref().unwrap_or_default();
                let times = wanted.checkout_times == Some(true);
                let mut facts = format!(
                    "commit {}\nfolder {folder:?}\nsubmodules {}\ntimes of checkout {times}",
                    commit.sha, wanted.submodules
                );
                if self.source.keep_git_dir {
                    let reference = commit.reference.as_deref().unwrap_or_default();
                    facts += &format!("\n.git of {:?} at {reference:?}", url.repository());
                }
                facts
            }
        }
    }

    /// Brings the files.
    pub(super) fn fetch(&self, context: &CopyContext<'_>, action: &CopyAction) -> Result<Fetched, CopyError> {
        match &self.found {
            Found::File { file, name } => {
                let mut entry = NewEntry::file(name.as_bytes(), MODE, file.size);
                entry.kind = NewEntryKind::File { size: file.size };
                entry.mtime = Mtime { seconds: file.modified.unwrap_or(0), nanos: 0 };
                let files = SingleFile::new(context.store, &entry, &file.digest);
                let item = files.only();
                let selected = vec![Selected { name: name.clone().into_bytes(), item, below: Vec::new() }];
                Ok(Fetched { files: Arc::new(files), selected, unpack: self.source.unpack })
            }
            Found::Commit { url, commit } => {
                let tree = context.remotes.tree(url, commit, self.source.keep_git_dir)?;
                let files = match url.wanted().checkout_times {
                    Some(true) => tree.dated(context.now()),
                    _ => tree.files,
                };
                let excludes = Ignore::from_patterns(&action.exclude).unwrap_or_default();
                let selected = select::select(&*files, ".", &excludes)
                    .map_err(|error| select_error(error, &context.span, "the repository"))?;
                select::hash(&*files, &selected, context.cancel)?;
                Ok(Fetched { files, selected, unpack: false })
            }
        }
    }
}
