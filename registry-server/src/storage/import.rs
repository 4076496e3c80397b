//! Takes in what a registry of distribution (docker's `registry` image, Debian's docker-registry) has on its disk.
//!
//! Its tree is `docker/registry/v2` with `blobs/sha256/AB/ABC…/data`, and for each repository links: small files that hold
//! a digest. Source: distribution `registry/storage/paths.go`. The tree is only read. Every blob is copied and checked;
//! what is there already is not copied again, so that an import that was interrupted goes on.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use tug_oci::{Digest, Hasher};

use super::document::Document;
use super::error::{At, Error, if_there};
use super::manifests::{Children, Condition, NewManifest};
use super::{Storage, files};
use crate::names::{RepositoryName, Tag};

/// How much of a blob is in memory.
const PIECE: usize = 256 << 10;

/// What an import has brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// How many repositories there were.
    pub repositories: u64,
    /// How many manifests are there now.
    pub manifests: u64,
    /// How many tags are there now.
    pub tags: u64,
    /// How many blobs were copied.
    pub blobs: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// What could not be taken, as sentences.
    pub problems: Vec<String>,
}

/// Takes the repositories of the tree in `from` into `root`. `tell` hears the name of each repository when its turn
/// comes.
///
/// What is damaged in the tree is left out and named in [`Imported::problems`]; an error is what keeps all from going on.
pub fn import(root: &Path, from: &Path, tell: &mut dyn FnMut(&RepositoryName)) -> Result<Imported, Error> {
    let tree = find_tree(from)?;
    let storage = Storage::open(root, true)?;
    let _lock = storage.lock_for_server()?;
    let mut import = Import { storage: &storage, tree, imported: Imported::default() };
    for repository in import.repositories()? {
        tell(&repository);
        import.repository(&repository)?;
    }
    storage.write_stale_indexes()?;
    Ok(import.imported)
}

struct Import<'a> {
    storage: &'a Storage,
    tree: PathBuf,
    imported: Imported,
}

/// A manifest of the tree that is not kept yet.
struct Waiting {
    digest: Digest,
    bytes: Vec<u8>,
    document: Document,
    tags: Vec<Tag>,
}

impl Import<'_> {
    /// The repositories of the tree, sorted by name.
    fn repositories(&mut self) -> Result<Vec<RepositoryName>, Error> {
        let mut found = Vec::new();
        let mut folders = vec![(self.tree.join("repositories"), String::new())];
        while let Some((folder, name)) = folders.pop() {
            let names = files::names(&folder)?;
            if names.iter().any(|name| name == "_manifests" || name == "_layers") {
                match name.parse::<RepositoryName>() {
                    Ok(name) => found.push(name),
                    Err(error) => self.problem(error.to_string()),
                }
            }
            for part in names.into_iter().filter(|part| !part.starts_with('_') && folder.join(part).is_dir())
            {
                let path = folder.join(&part);
                folders.push((path, if name.is_empty() { part } else { format!("{name}/{part}") }));
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    fn repository(&mut self, repository: &RepositoryName) -> Result<(), Error> {
        self.imported.repositories += 1;
        let folder = self.tree.join("repositories").join(repository.as_str());
        for digest in self.links(&folder.join("_layers"))? {
            self.blob(repository, &digest)?;
        }
        let mut waiting = Vec::new();
        let mut tags = self.tags(&folder)?;
        for digest in self.links(&folder.join("_manifests/revisions"))? {
            let own = tags.extract_if(.., |(_, named)| *named == digest).map(|(tag, _)| tag).collect();
            waiting.extend(self.manifest(repository, digest, own)?);
        }
        for (tag, digest) in tags {
            self.problem(format!(
                "the tag `{repository}:{tag}` leads to {digest}, which the repository does not have"
            ));
        }
        self.keep(repository, waiting)
    }

    /// Keeps manifests, those that others list before these others. One that names what the tree does not have is kept as
    /// it is, and named.
    fn keep(&mut self, repository: &RepositoryName, mut waiting: Vec<Waiting>) -> Result<(), Error> {
        let mut children = Children::Required;
        while !waiting.is_empty() {
            let before = waiting.len();
            let mut still_waiting = Vec::new();
            for manifest in waiting {
                match self.keep_one(repository, &manifest, children) {
                    Ok(()) => {}
                    Err(Error::Missing(missing)) => still_waiting.push((manifest, missing)),
                    Err(error) => return Err(error),
                }
            }
            if still_waiting.len() == before {
                for (manifest, missing) in &still_waiting {
                    let error = Error::Missing(missing.clone());
                    self.problem(format!("`{repository}@{}`: {error}", manifest.digest));
                }
                children = Children::Optional;
            }
            waiting = still_waiting.into_iter().map(|(manifest, _)| manifest).collect();
        }
        Ok(())
    }

    fn keep_one(
        &mut self,
        repository: &RepositoryName,
        manifest: &Waiting,
        children: Children,
    ) -> Result<(), Error> {
        let Some(media_type) = manifest.document.own_media_type() else {
            self.problem(format!("`{repository}@{}` does not say what it is", manifest.digest));
            return Ok(());
        };
        let new = NewManifest {
            digest: &manifest.digest,
            media_type,
            bytes: &manifest.bytes,
            document: &manifest.document,
            tags: &manifest.tags,
            condition: &Condition::None,
            children,
            is_fixed: &|_| false,
        };
        self.storage.put_manifest(repository, &new)?;
        self.imported.manifests += 1;
        self.imported.tags += manifest.tags.len() as u64;
        Ok(())
    }

    /// Reads a manifest of the tree; `None` when it cannot be taken.
    fn manifest(
        &mut self,
        repository: &RepositoryName,
        digest: Digest,
        tags: Vec<Tag>,
    ) -> Result<Option<Waiting>, Error> {
        let path = self.data(&digest);
        let Some(bytes) = files::read(&path)? else {
            self.problem(format!("the manifest `{repository}@{digest}` is not in the tree"));
            return Ok(None);
        };
        let mut hasher = Hasher::new(digest.algorithm());
        hasher.update(&bytes);
        if hasher.finish() != digest {
            self.problem(format!("`{}` is damaged: its content has another digest", path.display()));
            return Ok(None);
        }
        match Document::parse(&bytes) {
            Ok(document) => Ok(Some(Waiting { digest, bytes, document, tags })),
            Err(why) => {
                self.problem(format!("the manifest `{repository}@{digest}` cannot be taken: {why}"));
                Ok(None)
            }
        }
    }

    fn blob(&mut self, repository: &RepositoryName, digest: &Digest) -> Result<(), Error> {
        if self.storage.adopt_shared(digest, repository)? {
            return Ok(());
        }
        let path = self.data(digest);
        let Some(file) = if_there(File::open(&path)).at("open", &path)? else {
            self.problem(format!("the blob {digest} of `{repository}` is not in the tree"));
            return Ok(());
        };
        let temporary = self.storage.new_path()?;
        let copied = self.copy(file, &path, &temporary, digest);
        match copied {
            Ok(Some(size)) => {
                self.storage.adopt(&temporary, digest, repository)?;
                self.imported.blobs += 1;
                self.imported.bytes += size;
                Ok(())
            }
            other => {
                let _ = fs::remove_file(&temporary);
                if other?.is_none() {
                    self.problem(format!("`{}` is damaged: its content has another digest", path.display()));
                }
                Ok(())
            }
        }
    }

    /// Copies a file while it is hashed; its size, or `None` when it is not `digest`.
    fn copy(
        &self,
        mut source: File,
        source_path: &Path,
        target_path: &Path,
        digest: &Digest,
    ) -> Result<Option<u64>, Error> {
        let mut target = files::create(target_path).at("make", target_path)?;
        let mut hasher = Hasher::new(digest.algorithm());
        let mut piece = vec![0; PIECE];
        let mut size = 0;
        loop {
            let length = source.read(&mut piece).at("read", source_path)?;
            if length == 0 {
                break;
            }
            hasher.update(&piece[..length]);
            target.write_all(&piece[..length]).at("write", target_path)?;
            size += length as u64;
        }
        if hasher.finish() != *digest {
            return Ok(None);
        }
        self.storage.sync_file(&target).at("write", target_path)?;
        Ok(Some(size))
    }

    /// The digests that the links in `folder/ALGORITHM/HEX/` hold. A folder without a link is what deletion leaves.
    fn links(&mut self, folder: &Path) -> Result<Vec<Digest>, Error> {
        let mut digests = Vec::new();
        for algorithm in files::names(folder)? {
            for hex in files::names(&folder.join(&algorithm))? {
                let path = folder.join(&algorithm).join(&hex).join("link");
                digests.extend(self.link(&path)?);
            }
        }
        Ok(digests)
    }

    fn tags(&mut self, repository: &Path) -> Result<Vec<(Tag, Digest)>, Error> {
        let folder = repository.join("_manifests/tags");
        let mut tags = Vec::new();
        for name in files::names(&folder)? {
            let digest = self.link(&folder.join(&name).join("current/link"))?;
            match (name.parse::<Tag>(), digest) {
                (Ok(tag), Some(digest)) => tags.push((tag, digest)),
                (Err(error), _) => self.problem(error.to_string()),
                (Ok(_), None) => {}
            }
        }
        Ok(tags)
    }

    fn link(&mut self, path: &Path) -> Result<Option<Digest>, Error> {
        let Some(bytes) = files::read(path)? else { return Ok(None) };
        let digest = String::from_utf8_lossy(&bytes).trim().parse().ok();
        if digest.is_none() {
            self.problem(format!("`{}` is damaged: it holds no digest", path.display()));
        }
        Ok(digest)
    }

    fn data(&self, digest: &Digest) -> PathBuf {
        let folder = self.tree.join("blobs").join(digest.algorithm().name());
        folder.join(&digest.hex()[..2]).join(digest.hex()).join("data")
    }

    fn problem(&mut self, what: impl Into<String>) {
        self.imported.problems.push(what.into());
    }
}

/// The folder with `blobs` and `repositories`: the one that was named, or where distribution puts it.
fn find_tree(from: &Path) -> Result<PathBuf, Error> {
    let places =
        [from.join("docker/registry/v2"), from.join("registry/v2"), from.join("v2"), from.to_owned()];
    let found = places.into_iter().find(|place| place.join("repositories").is_dir());
    found.ok_or_else(|| {
        let why = "there is no `docker/registry/v2/repositories` in it".to_owned();
        Error::NotATree { path: from.to_owned(), why }
    })
}
