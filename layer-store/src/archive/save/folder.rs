//! Writes what was planned into an OCI image layout in a folder.

use std::io::Write;
use std::path::Path;

use super::plan::SavePlan;
use crate::archive::error::ArchiveError;
use crate::archive::source::blob_name;
use crate::error::{Result, failed};
use crate::file::{self, Durability};
use crate::refs::merge_index;
use crate::store::LAYOUT;

pub(super) fn write(plan: &SavePlan, path: &Path) -> Result<()> {
    let mark = path.join("oci-layout");
    if !mark.exists() && has_anything(path)? {
        return Err(ArchiveError::NotALayout { path: path.to_owned() }.into());
    }
    std::fs::create_dir_all(path).map_err(failed("create", path))?;
    for blob in &plan.blobs {
        let target = path.join(blob_name(&blob.digest));
        if std::fs::symlink_metadata(&target).is_ok_and(|there| there.is_file() && there.len() == blob.size) {
            continue;
        }
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder).map_err(failed("create", folder))?;
        }
        let (temporary, mut out) = file::create_unique(path, ".blob")?;
        let copied = plan.copy(blob, &mut |bytes| out.write_all(bytes).map_err(failed("write", &target)));
        let named =
            copied.and_then(|()| std::fs::rename(&temporary, &target).map_err(failed("write", &target)));
        if named.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        named?;
    }
    file::replace(&mark, path, LAYOUT, Durability::Deferred)?;
    let index = path.join("index.json");
    file::replace(&index, path, &merge_index(&index, &plan.index)?, Durability::Deferred)
}

fn has_anything(path: &Path) -> Result<bool> {
    match std::fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("list", path)(error)),
    }
}
