//! What the mounts of a RUN show: found before its key is made, since it is in the key.

use std::sync::Arc;

use tug_layer_store::Mountable;
use tug_oci::DiffId;

use super::{Execution, Inputs as Below};
use crate::copy::{CopyError, Mounted};
use crate::error::Error;
use crate::files::{Files, Layered};
use crate::key::Inputs;
use crate::plan::{CopyFrom, FilesId, MountKind, MountSource, RunAction, RunMount, State, Step};

/// What one mount shows.
pub(crate) struct Found {
    pub mounted: Mounted,
    /// The layers that it is in, unless it is of a context.
    pub layers: Option<Arc<Vec<DiffId>>>,
}

impl Execution<'_> {
    /// Finds what each mount of `action` shows; `None` for those that show no files of anybody.
    pub(super) fn mounted(
        &self,
        step: &Step,
        action: &RunAction,
        below: &Below,
    ) -> Result<Vec<Option<Found>>, Error> {
        let find = |mount: &RunMount| {
            let Some(source) = mount.source() else { return Ok(None) };
            self.found(mount, source, below).map(Some).map_err(|error| self.located(error, step))
        };
        action.mounts.iter().map(find).collect()
    }

    fn found(&self, mount: &RunMount, source: &MountSource, below: &Below) -> Result<Found, CopyError> {
        let place = match source.name.as_str() {
            "" => "the context".to_owned(),
            name => format!("`{name}`"),
        };
        let (files, layers): (Arc<dyn Files>, _) = match source.from {
            CopyFrom::Files(files) => (Arc::clone(&self.files[files.0]), None),
            CopyFrom::Layers(state) => {
                let chain = match state {
                    State::Scratch => Arc::default(),
                    State::After(id) => Arc::clone(&below.uses[&id]),
                };
                self.prepare(&chain, Mountable::Later)?;
                (Arc::new(Layered::new(self.store.view(&chain)?)), Some(chain))
            }
        };
        let is_context = layers.is_none();
        let mounted = Mounted::find(files, is_context, &source.path, &place, &mount.span, self.stop)?;
        Ok(Found { mounted, layers })
    }
}

/// The contexts that `mounts` show.
pub(super) fn contexts(mounts: &[RunMount]) -> impl Iterator<Item = FilesId> {
    mounts.iter().filter_map(RunMount::source).filter_map(|source| match source.from {
        CopyFrom::Files(files) => Some(files),
        CopyFrom::Layers(_) => None,
    })
}

/// Adds what a command can see of its mounts. Of caches, secrets and agents that is where and how, never what.
pub(super) fn add_inputs(mounts: &[RunMount], found: &[Option<Found>], inputs: &mut Inputs) {
    for (number, mount) in mounts.iter().enumerate() {
        inputs.value(format!("--mount {}", number + 1), described(mount));
        if let (Some(Some(found)), Some(source)) = (found.get(number), mount.source()) {
            found.mounted.add_inputs(&source.name, inputs);
        }
    }
}

/// A mount in one line, without what must not be in a key.
fn described(mount: &RunMount) -> String {
    let mut text = match &mount.kind {
        MountKind::Bind { source, writable } => {
            format!("type=bind,source={},readwrite={writable}", source.path)
        }
        MountKind::Cache { from, path, writable, owner, .. } => {
            let path = from.as_ref().map_or(path, |from| &from.path);
            format!("type=cache,source={path},readwrite={writable},{}", described_owner(owner))
        }
        MountKind::Tmpfs { size } => match size {
            Some(size) => format!("type=tmpfs,size={size}"),
            None => "type=tmpfs".to_owned(),
        },
        MountKind::Secret { id, env, owner, .. } => {
            let env = env.as_ref().map_or_else(String::new, |env| format!(",env={env}"));
            format!("type=secret,id={id}{env},{}", described_owner(owner))
        }
        MountKind::Ssh { id, owner, .. } => format!("type=ssh,id={id},{}", described_owner(owner)),
    };
    if let Some(target) = &mount.target {
        text += &format!(",target={target}");
    }
    if mount.own {
        text += ",U";
    }
    text
}

fn described_owner(owner: &crate::plan::Owner) -> String {
    format!("mode={:o},uid={},gid={}", owner.mode, owner.uid, owner.gid)
}

#[cfg(test)]
mod tests {
    use tug_dockerfile::Sharing;

    use super::*;
    use crate::plan::Owner;

    fn described_as(kind: MountKind) -> String {
        described(&RunMount { span: 0..0, target: Some("/t".to_owned()), own: false, kind })
    }

    fn cache(id: &str, sharing: Sharing, uid: u32) -> String {
        let owner = Owner { mode: 0o755, uid, gid: 0 };
        let (path, id) = ("/".to_owned(), id.to_owned());
        described_as(MountKind::Cache { id, from: None, path, writable: true, sharing, owner })
    }

    #[test]
    fn which_cache_it_is_does_not_count_but_whose_it_is() {
        assert_eq!(cache("a", Sharing::Shared, 0), cache("b", Sharing::Locked, 0));
        assert_ne!(cache("a", Sharing::Shared, 0), cache("a", Sharing::Shared, 1000));
    }

    #[test]
    fn which_secret_it_is_counts_but_not_whether_it_must_be_given() {
        let secret = |id: &str, required, env: Option<&str>| {
            let owner = Owner { mode: 0o400, uid: 0, gid: 0 };
            let (id, env) = (id.to_owned(), env.map(str::to_owned));
            described_as(MountKind::Secret { id, env, required, owner })
        };
        assert_eq!(secret("a", true, None), secret("a", false, None));
        assert_ne!(secret("a", true, None), secret("b", true, None));
        assert_ne!(secret("a", true, None), secret("a", true, Some("A")));
    }
}
