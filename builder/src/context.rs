//! Opens what a build reads: the context, its ignore file, and the Dockerfile.
//!
//! The Dockerfile is read although an ignore rule may hide it from COPY. The rules are those of
//! `<Dockerfile>.dockerignore` beside the Dockerfile, else of `.dockerignore`, else of `.containerignore` in the root of
//! the context. A tar is taken as it is, without rules, as docker does.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use tug_dockerfile::Ignore;
use tug_layer_store::{Error as StoreError, ImportLayer, Store};
use tug_oci::Digest;

use crate::cancel::Cancel;
use crate::error::Error;
use crate::files::{Files, Folder, IgnoreFile, Item, ItemKind, Layered, clean, resolve};
use crate::options::{ContextSource, DockerfileSource};

const NAMES: [&str; 3] = ["Dockerfile", "dockerfile", "Containerfile"];
const IGNORE_NAMES: [&str; 2] = [".dockerignore", ".containerignore"];
const LARGEST_IGNORE_FILE: u64 = 16 * 1024 * 1024;

/// What a build reads.
pub(crate) struct Opened {
    /// The files of the context.
    pub files: Arc<dyn Files>,
    /// The same, when it is a folder: to remember digests at the end.
    pub folder: Option<Arc<Folder>>,
    /// The name of the Dockerfile and its bytes.
    pub name: String,
    pub text: Vec<u8>,
    /// What tells this Dockerfile from others on the machine.
    pub identity: String,
}

/// Opens `context` and finds the Dockerfile.
pub(crate) fn open(
    store: &Store,
    context: ContextSource,
    dockerfile: DockerfileSource,
) -> Result<Opened, Error> {
    match context {
        ContextSource::Folder(path) => open_folder(store, &path, dockerfile),
        ContextSource::Tar(mut tar) => {
            let options = ImportLayer { keep_plain_tar: true, ..ImportLayer::default() };
            let layer = store.import_layer(&mut tar, &options).map_err(|error| match error {
                StoreError::Layer(_) | StoreError::Stream { .. } if !error.is_disk_full() => {
                    Error::ContextTar { source: error }
                }
                error => error.into(),
            })?;
            let view = store.view(std::slice::from_ref(layer.diff_id()))?;
            open_files(Arc::new(Layered::new(view)), dockerfile, "the tar")
        }
        ContextSource::Empty => open_files(Arc::new(Nothing), dockerfile, "the empty context"),
    }
}

fn open_folder(store: &Store, path: &Path, dockerfile: DockerfileSource) -> Result<Opened, Error> {
    let absolute =
        path.canonicalize().map_err(|source| Error::Io { action: "open", path: path.to_owned(), source })?;
    if !absolute.is_dir() {
        return Err(Error::Context(format!("the context `{}` is not a folder", path.display())));
    }
    let (name, text, beside) = match dockerfile {
        DockerfileSource::Text { name, text, path } => (name, text, path),
        DockerfileSource::InContext(wanted) => {
            let candidates = wanted.as_deref().map_or_else(|| NAMES.to_vec(), |name| vec![name]);
            let found = candidates.iter().map(|name| absolute.join(name)).find(|path| path.exists());
            let found =
                found.ok_or_else(|| Error::NoDockerfile { folder: path.to_owned(), name: wanted.clone() })?;
            let shown = found.strip_prefix(&absolute).unwrap_or(&found).display().to_string();
            (shown, read_file(&found, tug_dockerfile::MAX_SOURCE_BYTES as u64 + 1)?, Some(found))
        }
    };
    let ignore = read_ignore(&absolute, beside.as_deref())?;
    let digests = store.file_digests(&absolute)?;
    let folder = Arc::new(Folder::open(&absolute, ignore, digests)?);
    let identity = format!("{}\n{name}", absolute.display());
    Ok(Opened { files: Arc::clone(&folder) as Arc<dyn Files>, folder: Some(folder), name, text, identity })
}

fn open_files(files: Arc<dyn Files>, dockerfile: DockerfileSource, place: &str) -> Result<Opened, Error> {
    let (name, text) = match dockerfile {
        DockerfileSource::Text { name, text, .. } => (name, text),
        DockerfileSource::InContext(wanted) => {
            let candidates = wanted.as_deref().map_or_else(|| NAMES.to_vec(), |name| vec![name]);
            let mut found = None;
            for name in candidates {
                let item = files.item(&resolve(&*files, &clean(name.as_bytes()))?)?;
                if let Some(item) = item.filter(|item| matches!(item.kind, ItemKind::File { .. })) {
                    found = Some((name.to_owned(), item));
                    break;
                }
            }
            let (name, item) = found
                .ok_or_else(|| Error::NoDockerfile { folder: PathBuf::from(place), name: wanted.clone() })?;
            let mut text = Vec::new();
            let limit = tug_dockerfile::MAX_SOURCE_BYTES as u64 + 1;
            let read = files.open(&item)?.take(limit).read_to_end(&mut text);
            read.map_err(|source| Error::Io { action: "read", path: PathBuf::from(&name), source })?;
            (name, text)
        }
    };
    Ok(Opened { files, folder: None, identity: format!("{place}\n{name}"), name, text })
}

/// The rules that hide files of the context.
fn read_ignore(context: &Path, dockerfile: Option<&Path>) -> Result<Option<IgnoreFile>, Error> {
    let beside = dockerfile.map(|path| {
        let mut name = path.as_os_str().to_owned();
        name.push(".dockerignore");
        PathBuf::from(name)
    });
    let candidates = beside.into_iter().chain(IGNORE_NAMES.iter().map(|name| context.join(name)));
    for path in candidates {
        let text = match read_file(&path, LARGEST_IGNORE_FILE + 1) {
            Ok(text) if text.len() as u64 > LARGEST_IGNORE_FILE => {
                let limit = LARGEST_IGNORE_FILE >> 20;
                return Err(Error::Context(format!("`{}` is larger than {limit} MiB", path.display())));
            }
            Ok(text) => text,
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let name = path.strip_prefix(context).unwrap_or(&path).display().to_string();
        let rules = Ignore::parse(&text)
            .map_err(|error| Error::Context(format!("`{name}` is not valid: {error}")))?;
        return Ok(Some(IgnoreFile { name, rules }));
    }
    Ok(None)
}

/// Reads a file. Nothing else is one, least of all a pipe that nobody writes to.
fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Io { action: "read", path: path.to_owned(), source };
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| failed(error.into()))?;
    let opened = File::from(opened);
    let metadata = opened.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    if !metadata.is_file() {
        return Err(Error::Context(format!("`{}` is not a file", path.display())));
    }
    let mut bytes = Vec::new();
    opened.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// A context without files.
struct Nothing;

impl Files for Nothing {
    fn item(&self, _path: &[u8]) -> Result<Option<Item>, Error> {
        Ok(None)
    }

    fn children(&self, _path: &[u8]) -> Result<Vec<Arc<Item>>, Error> {
        Ok(Vec::new())
    }

    fn digest(&self, _item: &Item, _cancel: &Cancel) -> Result<Digest, Error> {
        Ok(Digest::of(b""))
    }

    fn open(&self, _item: &Item) -> Result<Box<dyn Read + Send>, Error> {
        Ok(Box::new(io::empty()))
    }
}
