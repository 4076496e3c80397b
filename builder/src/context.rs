//! Opens what a build reads: the context, its ignore file, and the Dockerfile.
//!
//! The Dockerfile is read although an ignore rule may hide it from COPY. The rules are those of
//! `<Dockerfile>.dockerignore` beside the Dockerfile, else of `.dockerignore`, else of `.containerignore` in the root of
//! the context. A tar is taken as it is, without rules, as docker does, and so is what comes from elsewhere.

mod remote;

use std::collections::HashMap;
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
use crate::plan::FilesId;
use crate::remote::Remotes;

/// What a Dockerfile is called when nobody says otherwise, in this order.
pub(crate) const NAMES: [&str; 3] = ["Dockerfile", "dockerfile", "Containerfile"];
const IGNORE_NAMES: [&str; 2] = [".dockerignore", ".containerignore"];
const LARGEST_IGNORE_FILE: u64 = 16 * 1024 * 1024;

/// What a unit of a build reads.
pub(crate) struct Opened {
    /// The files of the context.
    pub files: FilesId,
    /// The name of the Dockerfile and its bytes.
    pub name: String,
    pub text: Vec<u8>,
    /// What tells this Dockerfile from others on the machine.
    pub identity: String,
}

/// Opens contexts. Units that read the same folder by the same rules get the same files, which are read once.
pub(crate) struct Contexts<'a> {
    store: &'a Store,
    remotes: &'a Remotes,
    files: Vec<Arc<dyn Files>>,
    /// What time files are of, in the same order.
    times: Vec<Time>,
    /// The contexts of the units so far.
    units: Vec<FilesId>,
    /// Folders by path and by the ignore file that holds for them.
    folders: HashMap<(PathBuf, Option<PathBuf>), (FilesId, Arc<Folder>)>,
}

/// What time the files of a context are of.
#[derive(Clone, Copy, Debug)]
enum Time {
    /// None: a folder.
    None,
    /// This, in seconds since 1970.
    At(i64),
    /// That of the newest of them.
    Newest,
}

impl<'a> Contexts<'a> {
    pub(crate) fn new(store: &'a Store, remotes: &'a Remotes) -> Self {
        let (files, times, units) = (Vec::new(), Vec::new(), Vec::new());
        Self { store, remotes, files, times, units, folders: HashMap::new() }
    }

    pub(crate) fn store(&self) -> &'a Store {
        self.store
    }

    /// Everything that was opened, by [`FilesId`].
    pub(crate) fn files(&self) -> &[Arc<dyn Files>] {
        &self.files
    }

    /// The rules that hide files of a context.
    pub(crate) fn ignore(&self, files: FilesId) -> Option<&Ignore> {
        self.folders.values().find(|(id, _)| *id == files).and_then(|(_, folder)| folder.ignore())
    }

    /// Writes down the digests of files that were learned meanwhile.
    pub(crate) fn remember(&self) {
        self.folders.values().for_each(|(_, folder)| folder.remember());
    }

    /// Opens the `context` of a unit and finds its Dockerfile. The rules of `ignore` hold in place of its own.
    pub(crate) fn open(
        &mut self,
        context: ContextSource,
        dockerfile: DockerfileSource,
        ignore: Option<&Path>,
    ) -> Result<Opened, Error> {
        if let (Some(ignore), false) = (ignore, matches!(context, ContextSource::Folder(_))) {
            let message =
                format!("the rules in `{}` hold for a context that is a folder only", ignore.display());
            return Err(Error::Context(message));
        }
        let opened = match context {
            ContextSource::Folder(path) => self.open_folder(&path, dockerfile, ignore),
            ContextSource::Tar(mut tar) => {
                let files = self.tar(&mut tar)?;
                self.with_dockerfile(files, dockerfile, "the tar")
            }
            ContextSource::Empty => {
                let files = self.add(Arc::new(Nothing), Time::None);
                self.with_dockerfile(files, dockerfile, "the empty context")
            }
            ContextSource::Remote(remote) => self.open_remote(&remote, dockerfile),
            ContextSource::OfUnit(unit) => {
                let files = self.of_unit(unit)?;
                self.with_dockerfile(files, dockerfile, "the context")
            }
        }?;
        self.units.push(opened.files);
        Ok(opened)
    }

    /// Opens a named context. A folder has rules of its own.
    pub(crate) fn open_named(&mut self, context: ContextSource) -> Result<FilesId, Error> {
        match context {
            ContextSource::Folder(path) => {
                let absolute = folder(&path)?;
                self.folder(absolute, None, None)
            }
            ContextSource::Tar(mut tar) => self.tar(&mut tar),
            ContextSource::Empty => Ok(self.add(Arc::new(Nothing), Time::None)),
            ContextSource::Remote(remote) => self.remote(&remote),
            ContextSource::OfUnit(unit) => self.of_unit(unit),
        }
    }

    /// What time the files are of, in seconds since 1970; `None` for those of a folder.
    pub(crate) fn time(&self, id: FilesId) -> Result<Option<i64>, Error> {
        match self.times[id.0] {
            Time::None => Ok(None),
            Time::At(time) => Ok(Some(time)),
            Time::Newest => newest(&*self.files[id.0], b""),
        }
    }

    fn of_unit(&self, unit: usize) -> Result<FilesId, Error> {
        let known = self.units.get(unit).copied();
        known.ok_or_else(|| Error::Context("a context is that of a build that comes later".to_owned()))
    }

    fn add(&mut self, files: Arc<dyn Files>, time: Time) -> FilesId {
        self.files.push(files);
        self.times.push(time);
        FilesId(self.files.len() - 1)
    }

    fn tar(&mut self, tar: &mut (impl Read + Send)) -> Result<FilesId, Error> {
        let options = ImportLayer { keep_plain_tar: true, ..ImportLayer::default() };
        let layer = self.store.import_layer(tar, &options).map_err(|error| bad_tar(error, "its tar"))?;
        let view = self.store.view(std::slice::from_ref(layer.diff_id()))?;
        Ok(self.add(Arc::new(Layered::new(view)), Time::Newest))
    }

    fn folder(
        &mut self,
        absolute: PathBuf,
        dockerfile: Option<&Path>,
        ignore: Option<&Path>,
    ) -> Result<FilesId, Error> {
        let (ignore_path, ignore) = match read_ignore(&absolute, dockerfile, ignore)? {
            Some((path, ignore)) => (Some(path), Some(ignore)),
            None => (None, None),
        };
        let key = (absolute, ignore_path);
        if let Some((known, _)) = self.folders.get(&key) {
            return Ok(*known);
        }
        let digests = self.store.file_digests(&key.0)?;
        let folder = Arc::new(Folder::open(&key.0, ignore, digests)?);
        let id = self.add(Arc::clone(&folder) as Arc<dyn Files>, Time::None);
        self.folders.insert(key, (id, folder));
        Ok(id)
    }

    fn open_folder(
        &mut self,
        path: &Path,
        dockerfile: DockerfileSource,
        ignore: Option<&Path>,
    ) -> Result<Opened, Error> {
        let absolute = folder(path)?;
        let (name, text, beside) = dockerfile_of(path, &absolute, dockerfile)?;
        let identity = format!("{}\n{name}", absolute.display());
        let files = self.folder(absolute, beside.as_deref(), ignore)?;
        Ok(Opened { files, name, text, identity })
    }

    fn with_dockerfile(
        &self,
        id: FilesId,
        dockerfile: DockerfileSource,
        place: &str,
    ) -> Result<Opened, Error> {
        let files = &*self.files[id.0];
        let (name, text) = match dockerfile {
            DockerfileSource::Text { name, text, .. } => (name, text),
            DockerfileSource::InContext(wanted) => {
                let candidates = wanted.as_deref().map_or_else(|| NAMES.to_vec(), |name| vec![name]);
                let mut found = None;
                for name in candidates {
                    let item = files.item(&resolve(files, &clean(name.as_bytes()))?)?;
                    if let Some(item) = item.filter(|item| matches!(item.kind, ItemKind::File { .. })) {
                        found = Some((name.to_owned(), item));
                        break;
                    }
                }
                let (name, item) = found.ok_or_else(|| Error::NoDockerfile {
                    folder: PathBuf::from(place),
                    name: wanted.clone(),
                })?;
                let mut text = Vec::new();
                let limit = tug_dockerfile::MAX_SOURCE_BYTES as u64 + 1;
                let read = files.open(&item)?.take(limit).read_to_end(&mut text);
                read.map_err(|source| Error::Io { action: "read", path: PathBuf::from(&name), source })?;
                (name, text)
            }
        };
        Ok(Opened { files: id, identity: format!("{place}\n{name}"), name, text })
    }
}

/// A Dockerfile that was found, and the rules that hide files from it.
pub(crate) struct Found {
    pub name: String,
    pub text: Vec<u8>,
    pub path: Option<PathBuf>,
    pub ignore: Option<Ignore>,
}

/// Reads the Dockerfile and the ignore file of a folder, and nothing else.
pub(crate) fn look_into_folder(path: &Path, dockerfile: DockerfileSource) -> Result<Found, Error> {
    let absolute = folder(path)?;
    let (name, text, beside) = dockerfile_of(path, &absolute, dockerfile)?;
    let ignore = read_ignore(&absolute, beside.as_deref(), None)?.map(|(_, ignore)| ignore.rules);
    Ok(Found { name, text, path: beside, ignore })
}

/// The Dockerfile of a folder: its name, its bytes and, if it is a file, where it lies.
fn dockerfile_of(
    path: &Path,
    absolute: &Path,
    dockerfile: DockerfileSource,
) -> Result<(String, Vec<u8>, Option<PathBuf>), Error> {
    let wanted = match dockerfile {
        DockerfileSource::Text { name, text, path } => return Ok((name, text, path)),
        DockerfileSource::InContext(wanted) => wanted,
    };
    let candidates = wanted.as_deref().map_or_else(|| NAMES.to_vec(), |name| vec![name]);
    let found = candidates.iter().map(|name| absolute.join(name)).find(|path| path.exists());
    let found = found.ok_or_else(|| Error::NoDockerfile { folder: path.to_owned(), name: wanted.clone() })?;
    let shown = found.strip_prefix(absolute).unwrap_or(&found).display().to_string();
    Ok((shown, read_file(&found, tug_dockerfile::MAX_SOURCE_BYTES as u64 + 1)?, Some(found)))
}

/// Says of an error whether the tar, which comes from `place`, is to blame.
fn bad_tar(error: StoreError, place: &str) -> Error {
    match error {
        StoreError::Layer(_) | StoreError::Stream { .. } if !error.is_disk_full() => {
            Error::ContextTar { place: place.to_owned(), source: error }
        }
        error => error.into(),
    }
}

/// The time of the newest file below `folder`.
fn newest(files: &dyn Files, folder: &[u8]) -> Result<Option<i64>, Error> {
    let mut latest = None;
    for item in files.children(folder)? {
        let below = if item.is_directory() { newest(files, &item.path)? } else { None };
        latest = latest.max(below).max(Some(item.mtime.seconds));
    }
    Ok(latest)
}

/// The absolute path of a folder.
fn folder(path: &Path) -> Result<PathBuf, Error> {
    let absolute =
        path.canonicalize().map_err(|source| Error::Io { action: "open", path: path.to_owned(), source })?;
    if !absolute.is_dir() {
        return Err(Error::Context(format!("the context `{}` is not a folder", path.display())));
    }
    Ok(absolute)
}

/// The rules that hide files of the context: those of `chosen`, which must be there, or of the first that is.
fn read_ignore(
    context: &Path,
    dockerfile: Option<&Path>,
    chosen: Option<&Path>,
) -> Result<Option<(PathBuf, IgnoreFile)>, Error> {
    let beside = dockerfile.map(|path| {
        let mut name = path.as_os_str().to_owned();
        name.push(".dockerignore");
        PathBuf::from(name)
    });
    let usual = beside.into_iter().chain(IGNORE_NAMES.iter().map(|name| context.join(name)));
    let candidates = chosen.map_or_else(|| usual.collect(), |path| vec![path.to_owned()]);
    for path in candidates {
        let text = match read_file(&path, LARGEST_IGNORE_FILE + 1) {
            Ok(text) if text.len() as u64 > LARGEST_IGNORE_FILE => {
                let limit = LARGEST_IGNORE_FILE >> 20;
                return Err(Error::Context(format!("`{}` is larger than {limit} MiB", path.display())));
            }
            Ok(text) => text,
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound && chosen.is_none() => {
                continue;
            }
            Err(error) => return Err(error),
        };
        let name = path.strip_prefix(context).unwrap_or(&path).display().to_string();
        let rules = Ignore::parse(&text)
            .map_err(|error| Error::Context(format!("`{name}` is not valid: {error}")))?;
        return Ok(Some((path, IgnoreFile { name, rules })));
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
