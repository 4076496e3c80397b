//! Copies images from any place to any other, without unpacking them.
//!
//! | from → to            | how                                                                                        |
//! | -------------------- | ------------------------------------------------------------------------------------------ |
//! | registry → registry  | what the other side cannot take over by itself is sent while it arrives; bytes unchanged    |
//! | registry → elsewhere | blobs come into the store as they are, and from there into the archive                      |
//! | elsewhere → registry | an archive is read into the store without names, and pushed from there                      |
//!
//! Manifests keep their bytes, and so their digests, on the way between registries and OCI layouts. An archive of docker's,
//! and an image that was built here, has plain layers: they are compressed on their way to a registry, unless digests are to
//! be kept.

mod convert;
mod place;
mod referrers;

use std::fs::{File, OpenOptions};
use std::path::Path;

use tug_layer_store::{
    ArchiveCompression, ArchiveFormat, LayerCompression, LoadOptions, Loaded, Names, SaveImage, SaveOptions,
    Store,
};
use tug_oci::{Descriptor, Platform, Reference, media_type};
use tug_registry_client::{Repository, Target};

pub use convert::{ConvertOptions, Images};
pub use place::{ArchiveKind, Place, PlaceError};

use crate::error::{Error, Result};
use crate::event::Event;
use crate::pull::{Layers, PullOptions};
use crate::push::{Outgoing, PushOptions, Sending};
use crate::remote::{Remote, blocking};

/// How to copy.
#[derive(Clone, Debug)]
pub struct CopyOptions {
    /// All images of an index, and the index itself.
    pub all: bool,
    /// Which image of an index, when not all are copied.
    pub platform: Platform,
    /// What refers to the image goes along: SBOMs, signatures, attestations.
    pub referrers: bool,
    /// Signatures that cosign has put under tags of their own go along.
    pub signatures: bool,
    /// Nothing is compressed on the way.
    pub preserves_digests: bool,
    /// What plain layers are compressed with otherwise.
    pub compression: LayerCompression,
}

impl CopyOptions {
    /// One image, with nothing beside it.
    pub fn new(platform: Platform) -> Self {
        Self {
            all: false,
            platform,
            referrers: false,
            signatures: false,
            preserves_digests: false,
            compression: LayerCompression::Gzip(6),
        }
    }
}

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The manifest or index at the other place.
    pub target: Descriptor,
    /// How many other documents went along.
    pub along: usize,
}

impl Remote {
    /// Copies an image.
    pub fn copy(&self, store: &Store, from: &Place, to: &Place, options: &CopyOptions) -> Result<Copied> {
        let store = &self.stopping(store);
        match (from, to) {
            (Place::Registry(from), Place::Registry(to)) => {
                self.block_on(self.relay(store, from, to, options))
            }
            (from, Place::Registry(to)) => {
                let (target, name) = self.bring_in(store, from, options)?;
                let is_as_it_was = options.preserves_digests
                    || matches!(
                        from,
                        Place::Archive { kind: ArchiveKind::OciFolder | ArchiveKind::OciTar, .. }
                    );
                let compression = if is_as_it_was { LayerCompression::Plain } else { options.compression };
                let only = (!options.all).then(|| options.platform.clone());
                let push = PushOptions {
                    compression,
                    all: options.all,
                    only: only.filter(|_| media_type::is_index(&target.media_type)),
                    ..PushOptions::new(options.platform.clone())
                };
                let pushed = self.push(store, &name, &target, std::slice::from_ref(to), &push)?;
                let target = pushed.into_iter().next().map_or(target, |pushed| pushed.target);
                Ok(Copied { target, along: 0 })
            }
            (from, to) => {
                let (target, name) = self.bring_in(store, from, options)?;
                let target = self.one_or_all(store, target, options)?;
                self.take_out(store, &target, &name, to, options)?;
                Ok(Copied { target, along: 0 })
            }
        }
    }

    /// Brings what is to be copied into the store, packed and without a name. Returns it, and what it is called.
    fn bring_in(&self, store: &Store, from: &Place, options: &CopyOptions) -> Result<(Descriptor, String)> {
        match from {
            Place::Registry(name) => {
                let pull = PullOptions {
                    all_platforms: options.all,
                    layers: Layers::Packed,
                    gives_name: false,
                    ..PullOptions::new(options.platform.clone())
                };
                let pulled = self.pull(store, name, &pull)?;
                Ok((pulled.target, name.familiar()))
            }
            Place::Store(name) => {
                let reference = name.parse::<Reference>().ok();
                let named = reference.map(|name| store.resolve(&name)).transpose()?.flatten();
                let found = match named {
                    Some(target) => Some(target),
                    None => store.find_image(name, &options.platform)?.map(|image| image.descriptor),
                };
                found.map(|target| (target, name.clone())).ok_or_else(|| Error::NoSuchImage(name.clone()))
            }
            Place::Archive { path, name, .. } => {
                let load = LoadOptions {
                    platform: options.platform.clone(),
                    only: name.clone(),
                    names: Names::Leave,
                    unpacked: None,
                };
                let loaded = store.load_path(path, &load)?;
                let called = name.clone().unwrap_or_else(|| path.display().to_string());
                match <[Loaded; 1]>::try_from(loaded) {
                    Ok([one]) => Ok((one.target, called)),
                    Err(_) => Err(Error::Several(from.to_string())),
                }
            }
        }
    }

    /// Of an index the one image, unless all are wanted.
    fn one_or_all(&self, store: &Store, target: Descriptor, options: &CopyOptions) -> Result<Descriptor> {
        if options.all || !media_type::is_index(&target.media_type) {
            return Ok(target);
        }
        Ok(store.image(&target, &options.platform)?.descriptor)
    }

    fn take_out(
        &self,
        store: &Store,
        target: &Descriptor,
        called: &str,
        to: &Place,
        options: &CopyOptions,
    ) -> Result<()> {
        let (kind, path, name) = match to {
            Place::Registry(_) => return Ok(()),
            Place::Store(name) => {
                let name: Reference =
                    name.parse().map_err(|source| PlaceError::Name { text: name.clone(), source })?;
                return Ok(store.tag(&name, target)?);
            }
            Place::Archive { kind, path, name } => (kind, path, name),
        };
        let parsed = name.as_deref().unwrap_or(called).parse::<Reference>().ok();
        let image = SaveImage {
            target: target.clone(),
            names: parsed.into_iter().filter(|name| name.digest().is_none()).collect(),
            written: name.clone(),
        };
        if *kind == ArchiveKind::OciFolder {
            return Ok(store.save_layout(&[image], &options.platform, path)?);
        }
        let format = match kind {
            ArchiveKind::DockerTar => ArchiveFormat::Docker,
            _ => ArchiveFormat::Oci,
        };
        let compression = ArchiveCompression::Plain;
        let save = SaveOptions { format, compression, platform: options.platform.clone() };
        write_whole(path, |out| Ok(store.save(&[image], &save, out)?))
    }

    /// From registry to registry.
    async fn relay(
        &self,
        store: &Store,
        from: &Reference,
        to: &Reference,
        options: &CopyOptions,
    ) -> Result<Copied> {
        let mut source = self.source(store, from, "copy");
        source.keeps = false;
        let mut target = source.top(&Target::from(from)).await?;
        if media_type::is_index(&target.media_type) && !options.all {
            source.keeps = true;
            let resolved = source.image(&target, &options.platform).await?;
            let platform = resolved.image.config.platform.clone();
            self.tell(Event::OnlyOne { platform, of: resolved.images });
            target = resolved.image.descriptor;
        }
        if to.digest().is_some_and(|digest| *digest != target.digest) {
            return Err(Error::OtherDigest { name: to.familiar(), actual: target.digest });
        }
        let sending = Sending {
            remote: self,
            store,
            to: Repository::from(to),
            name: to.familiar(),
            action: "copy to",
            skips_known: true,
        };
        let tree = source.tree(&target).await?;
        let outgoing = self.outgoing(store, &source.repository, tree.blobs()).await?;
        sending.send(&tree, outgoing, &Target::from(to)).await?;
        let along = self.along(&source, &sending, &tree, options).await?;
        Ok(Copied { target, along })
    }

    /// Blobs of a repository, from the store where they happen to be there.
    async fn outgoing(
        &self,
        store: &Store,
        from: &Repository,
        blobs: Vec<Descriptor>,
    ) -> Result<Vec<Outgoing>> {
        let (remote, store, from) = (self.clone(), store.clone(), from.clone());
        blocking(move || {
            let source = |blob: &Descriptor| -> Result<Outgoing> {
                let repositories = vec![from.clone()];
                match store.has_blob(&blob.digest)? {
                    true => Outgoing::stored(&remote, &store, blob, repositories),
                    false => Ok(Outgoing::elsewhere(&remote, &store, blob, repositories, false)),
                }
            };
            blobs.iter().map(source).collect()
        })
        .await
    }
}

/// Writes a file that has its name only when it is whole. A pipe or a device is written as it is.
fn write_whole(path: &Path, write: impl FnOnce(&mut dyn std::io::Write) -> Result<()>) -> Result<()> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    if path.exists() && !path.is_file() {
        let mut out = OpenOptions::new().write(true).open(path).map_err(failed)?;
        return write(&mut out);
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".tug-{}", std::process::id()));
    let temporary = Path::new(&temporary);
    let mut out = File::create_new(temporary).map_err(failed)?;
    let written = write(&mut out)
        .and_then(|()| out.sync_data().and_then(|()| std::fs::rename(temporary, path)).map_err(failed));
    if written.is_err() {
        let _ = std::fs::remove_file(temporary);
    }
    written
}
