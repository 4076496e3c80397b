//! Saves images as archives and layouts.
//!
//! An archive begins with the small files that say what is in it and goes on with the blobs, in the order in which they
//! are referred to: manifest, config, layers, lowest first. Blobs that images share are written once. All files belong
//! to root, have mode 0644, and were changed in 1970, so the bytes depend on the images alone.
//!
//! Layers are written as they are kept: ours as plain tars, those that came compressed as they came, so that digests
//! stay what they are. A docker-archive has only layers that docker 20.10 reads, plain ones and gzip; others are
//! unpacked for it, and the manifest in it names them as such.

mod copy;
mod folder;
mod plan;
mod tar;

use std::io::{self, Write};
use std::path::Path;

use tug_oci::{Descriptor, Platform, Reference};

use self::plan::SavePlan;
use crate::compression::BlockWriter;
use crate::error::{Error, Result};
use crate::store::Store;

/// Small enough for archives that are kept, and faster than disks of servers.
const GZIP_LEVEL: i32 = 5;
const ZSTD_LEVEL: i32 = 3;

/// What kind of archive to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveFormat {
    /// What `docker load` reads, in every version; it is an OCI layout too.
    Docker,
    /// An OCI image layout as a tar.
    Oci,
}

/// What to compress an archive with, as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveCompression {
    /// Nothing.
    Plain,
    /// gzip, which everybody reads.
    Gzip,
    /// Zstandard, which is smaller and faster.
    Zstd,
}

impl ArchiveCompression {
    /// Lets `write` write to `out`, compressed.
    pub(crate) fn around(
        self,
        out: &mut dyn Write,
        write: &mut dyn FnMut(&mut dyn Write) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::Plain => write(&mut *out)?,
            Self::Gzip => {
                let mut blocks = BlockWriter::gzip(&mut *out, GZIP_LEVEL);
                write(&mut blocks)?;
                blocks.finish().map_err(unwritable)?;
            }
            Self::Zstd => {
                let mut blocks = BlockWriter::zstd(&mut *out, ZSTD_LEVEL);
                write(&mut blocks)?;
                blocks.finish().map_err(unwritable)?;
            }
        }
        out.flush().map_err(unwritable)
    }
}

/// How to save.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaveOptions {
    /// The kind of archive.
    pub format: ArchiveFormat,
    /// What to compress it with.
    pub compression: ArchiveCompression,
    /// The platform whose image goes into a docker-archive, and must be complete in the others.
    pub platform: Platform,
}

/// An image to save.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaveImage {
    /// The manifest or index.
    pub target: Descriptor,
    /// The names it shall have in the archive; none is fine.
    pub names: Vec<Reference>,
    /// How its only name was written, where somebody did so. In an image layout others look for just that: `app` is not
    /// `app:latest` for them.
    pub written: Option<String>,
}

impl Store {
    /// Writes images as an archive to `out`, front to back.
    ///
    /// Every blob is checked against its digest on the way; when one is damaged, `out` has got a part of the archive.
    pub fn save(&self, images: &[SaveImage], options: &SaveOptions, out: &mut dyn Write) -> Result<()> {
        let plan = SavePlan::new(self, images, options.format, &options.platform)?;
        options.compression.around(out, &mut |out| tar::write(&plan, out))
    }

    /// Writes images into an OCI image layout in the folder `path`, which is made when missing. What is there already
    /// stays; names that are there already point to the new images afterwards.
    pub fn save_layout(&self, images: &[SaveImage], platform: &Platform, path: &Path) -> Result<()> {
        let plan = SavePlan::new(self, images, ArchiveFormat::Oci, platform)?;
        folder::write(&plan, path)
    }
}

fn unwritable(source: io::Error) -> Error {
    Error::Stream { action: "write the archive", source }
}
