//! Version 1: a group below our own, in the tree of its controller.

use std::path::PathBuf;

use super::find::Hierarchy;
use super::{Limit, make_directory, name, write_all};

pub(super) fn make(hierarchy: &Hierarchy, limit: &Limit) -> Result<PathBuf, String> {
    let directory = hierarchy.own.join(name());
    make_directory(&directory)?;
    write_all(&directory, &limit.version1).inspect_err(|_| {
        let _ = std::fs::remove_dir(&directory);
    })?;
    Ok(directory)
}
