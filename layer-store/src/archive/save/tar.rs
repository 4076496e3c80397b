//! Writes a planned archive as a tar.

use std::collections::BTreeSet;
use std::io::Write;

use super::plan::SavePlan;
use super::unwritable;
use crate::archive::source::blob_name;
use crate::entry::NewEntry;
use crate::error::{Error, Result};
use crate::refs::index_bytes;
use crate::store::LAYOUT;
use crate::tar::{TarError, TarWriter};

pub(super) fn write(plan: &SavePlan, out: &mut dyn Write) -> Result<()> {
    let mut tar = TarWriter::new(out);
    write_small(&mut tar, "oci-layout", LAYOUT)?;
    write_small(&mut tar, "index.json", &index_bytes(&plan.index))?;
    if let Some(docker) = &plan.docker {
        let bytes = serde_json::to_vec(docker).expect("texts and lists of texts can always be written");
        write_small(&mut tar, "manifest.json", &bytes)?;
    }
    let algorithms: BTreeSet<&str> = plan.blobs.iter().map(|blob| blob.digest.algorithm().name()).collect();
    tar.header(&NewEntry::directory("blobs", 0o755)).map_err(in_tar)?;
    for algorithm in algorithms {
        tar.header(&NewEntry::directory(format!("blobs/{algorithm}"), 0o755)).map_err(in_tar)?;
    }
    for blob in &plan.blobs {
        tar.header(&NewEntry::file(blob_name(&blob.digest), 0o644, blob.size)).map_err(in_tar)?;
        plan.copy(blob, &mut |bytes| tar.content(bytes).map_err(in_tar))?;
        tar.pad().map_err(in_tar)?;
    }
    tar.finish().map(drop).map_err(in_tar)
}

fn write_small(tar: &mut TarWriter<&mut dyn Write>, name: &str, bytes: &[u8]) -> Result<()> {
    let entry = NewEntry::file(name, 0o644, bytes.len() as u64);
    tar.header(&entry).and_then(|()| tar.content(bytes)).and_then(|()| tar.pad()).map_err(in_tar)
}

fn in_tar(error: TarError) -> Error {
    match error {
        TarError::Write(source) => unwritable(source),
        other => crate::ArchiveError::Tar(other).into(),
    }
}
