//! Contexts that are elsewhere.
//!
//! | address                        | context                                  | Dockerfile                                   |
//! | ------------------------------ | ---------------------------------------- | -------------------------------------------- |
//! | a repository, `#ref:subdir`    | the files of the commit, from `subdir` on | in there, `-f` names another one             |
//! | a file that is a tar           | what is in it                            | in there, `-f` names another one             |
//! | any other file                 | no files                                 | the file                                     |

use std::io::Read;
use std::sync::Arc;

use tug_fetch::{GitUrl, HttpUrl, Remote};
use tug_layer_store::ImportLayer;
use tug_oci::{DiffId, Digest};

use super::{Contexts, Nothing, Opened, Time};
use crate::archive_kind::is_archive;
use crate::error::Error;
use crate::files::Layered;
use crate::options::DockerfileSource;
use crate::plan::FilesId;
use crate::remote::RemoteFile;

/// Enough to tell a tar from a Dockerfile.
const HEAD: u64 = 512;

impl Contexts<'_> {
    /// Fetches a context and finds the Dockerfile.
    pub(super) fn open_remote(
        &mut self,
        remote: &Remote,
        dockerfile: DockerfileSource,
    ) -> Result<Opened, Error> {
        let place = remote.to_string();
        if let Remote::Http(url) = remote {
            let file = self.remotes.file(url, None)?;
            if !self.is_archive(&file)? {
                return self.open_dockerfile(url, &file, &dockerfile);
            }
            let files = self.archive(url, &file)?;
            return self.with_dockerfile(files, dockerfile, &place);
        }
        let files = self.remote(remote)?;
        self.with_dockerfile(files, dockerfile, &place)
    }

    /// Fetches the files of a context.
    pub(super) fn remote(&mut self, remote: &Remote) -> Result<FilesId, Error> {
        match remote {
            Remote::Git(url) => self.repository(url),
            Remote::Http(url) => {
                let file = self.remotes.file(url, None)?;
                match self.is_archive(&file)? {
                    true => self.archive(url, &file),
                    false => {
                        Err(Error::Context(format!("`{url}` is not a tar, so there are no files in it")))
                    }
                }
            }
        }
    }

    fn repository(&mut self, url: &GitUrl) -> Result<FilesId, Error> {
        let commit = self.remotes.commit(url)?;
        let keep_git_dir = url.wanted().keep_git_dir == Some(true);
        let tree = self.remotes.tree(url, &commit, keep_git_dir)?;
        Ok(self.add(tree.files, Time::At(tree.time)))
    }

    fn is_archive(&self, file: &RemoteFile) -> Result<bool, Error> {
        let mut head = Vec::new();
        let read = self.blob(file)?.take(HEAD).read_to_end(&mut head);
        read.map_err(|_| Error::Context(format!("`{}` cannot be read from the store", file.digest)))?;
        Ok(is_archive(&head))
    }

    /// The layer of an archive, which is made once.
    fn archive(&mut self, url: &HttpUrl, file: &RemoteFile) -> Result<FilesId, Error> {
        let key = Digest::of(format!("tug context 1\n{}", file.digest).as_bytes());
        let known = self.store.cache_record(&key)?;
        let known = known.and_then(|bytes| serde_json::from_slice::<DiffId>(&bytes).ok());
        let layer = match known {
            Some(layer) if self.store.layer(&layer)?.is_some() => layer,
            _ => {
                let options = ImportLayer { keep_plain_tar: true, ..ImportLayer::default() };
                let made = self.store.import_layer(&mut self.blob(file)?, &options);
                let layer = made.map_err(|error| super::bad_tar(error, &url.to_string()))?.diff_id().clone();
                let bytes = serde_json::to_vec(&layer).expect("a digest is a text");
                self.store.put_cache_record(&key, &bytes)?;
                layer
            }
        };
        let view = self.store.view(&[layer])?;
        let time = file.modified.map_or(Time::Newest, Time::At);
        Ok(self.add(Arc::new(Layered::new(view)), time))
    }

    fn open_dockerfile(
        &mut self,
        url: &HttpUrl,
        file: &RemoteFile,
        dockerfile: &DockerfileSource,
    ) -> Result<Opened, Error> {
        if !matches!(dockerfile, DockerfileSource::InContext(None)) {
            return Err(Error::Context(format!(
                "`{url}` is not a tar, so it is taken for a Dockerfile, and there cannot be another one"
            )));
        }
        let limit = tug_dockerfile::MAX_SOURCE_BYTES as u64 + 1;
        let mut text = Vec::new();
        let read = self.blob(file)?.take(limit).read_to_end(&mut text);
        read.map_err(|_| Error::Context(format!("`{}` cannot be read from the store", file.digest)))?;
        let time = file.modified.map_or(Time::None, Time::At);
        let files = self.add(Arc::new(Nothing), time);
        Ok(Opened { files, identity: url.identity(), name: url.to_string(), text })
    }

    fn blob(&self, file: &RemoteFile) -> Result<std::fs::File, Error> {
        let gone = || Error::Context(format!("`{}` is not in the store any more", file.digest));
        self.store.open_blob(&file.digest)?.ok_or_else(gone)
    }
}
