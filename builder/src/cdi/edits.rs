//! What a device changes in a container.

use std::path::PathBuf;

use tug_runtime::{BindSource, Container, Mount};

/// Changes to a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edits {
    pub env: Vec<(String, String)>,
    /// Device nodes and files of this machine: where they are here, where they are shown, whether they can only be
    /// read.
    pub mounts: Vec<(PathBuf, PathBuf, bool)>,
    pub groups: Vec<u32>,
    /// What is described but not done, in words.
    pub left_out: Vec<String>,
}

impl Edits {
    /// These and then those of `other`.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.env.extend(other.env);
        self.mounts.extend(other.mounts);
        self.groups.extend(other.groups);
        self.left_out.extend(other.left_out);
        self
    }

    /// Makes the changes. What is there already stays as it is.
    pub(crate) fn apply(&self, container: &mut Container) {
        for (name, value) in &self.env {
            let env = &mut container.process.env;
            env.retain(|(known, _)| known.to_str() != Some(name));
            env.push((name.into(), value.into()));
        }
        for (source, target, read_only) in &self.mounts {
            if container.mounts.iter().any(|mount| mount.target() == target) {
                continue;
            }
            container.mounts.push(Mount::Bind {
                source: BindSource::Path(source.clone()),
                target: target.clone(),
                read_only: *read_only,
                recursive: true,
            });
        }
        container.groups.extend(&self.groups);
    }
}
