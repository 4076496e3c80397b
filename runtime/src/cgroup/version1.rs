//! Version 1: a group below our own, in the tree of its controller.

use std::path::{Path, PathBuf};

use super::find::Hierarchy;
use super::limits::Limit;
use super::{make_directory, name, write, write_all};

pub(super) fn make_group(hierarchy: &Hierarchy, limit: &Limit) -> Result<PathBuf, String> {
    for group in hierarchy.way() {
        if hierarchy.chosen && !group.exists() {
            make(group, limit)?;
        }
    }
    let directory = hierarchy.own.join(name());
    make(&directory, limit)?;
    write_all(&directory, &limit.version1).inspect_err(|_| {
        let _ = std::fs::remove_dir(&directory);
    })?;
    Ok(directory)
}

/// A new set of processors is empty, and takes no process until it has some: at first those of the group above.
fn make(directory: &Path, limit: &Limit) -> Result<(), String> {
    make_directory(directory)?;
    if limit.controller != "cpuset" {
        return Ok(());
    }
    let above = directory.parent().unwrap_or(directory);
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let all = std::fs::read_to_string(above.join(file)).unwrap_or_default();
        write(&directory.join(file), all.trim_end())?;
    }
    Ok(())
}
