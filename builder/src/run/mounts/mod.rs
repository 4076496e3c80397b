//! What is mounted into a RUN, from the plan to the runtime, and what must live as long as the command runs.

mod agent;
mod cache;
mod trees;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use tug_dockerfile::closest;
use tug_layer_store::{CacheMount, ScratchDir};
use tug_runtime::{BindSource, Container, ForeignRoot, Mount, Root};

use super::RunContext;
use crate::error::{Error, Problem};
use crate::event::Event;
use crate::execute::Found;
use crate::files::name_of;
use crate::lower::lower_of;
use crate::plan::{MountKind, RunAction, RunMount, Step};
use crate::secret::Secret;
use agent::Forwarded;
use trees::ContextTree;
pub(crate) use trees::ContextTrees;

/// The mounts of one step.
#[derive(Default)]
pub(super) struct Mounts {
    /// For the runtime.
    mounts: Vec<Mount>,
    /// Those whose files are given to the user of the step first.
    owned: Vec<PathBuf>,
    /// Variables that secrets are given in.
    env: Vec<(OsString, OsString)>,
    caches: Vec<CacheMount>,
    scratches: Vec<ScratchDir>,
    trees: Vec<ContextTree>,
    agents: Vec<Forwarded>,
}

impl Mounts {
    /// Makes everything ready that `action` mounts. Waits for caches that others have.
    pub(super) fn prepare(
        context: RunContext<'_>,
        step: &Step,
        action: &RunAction,
        found: &[Option<Found>],
    ) -> Result<Self, Error> {
        let mut mounts = Self::default();
        // What is missing is told before anything is waited for.
        for mount in &action.mounts {
            check(context, mount)?;
        }
        let caches = cache::take(context, step, &action.mounts, found)?;
        for (number, (mount, found)) in action.mounts.iter().zip(found).enumerate() {
            mounts.add(context, mount, found.as_ref(), caches.of(number))?;
        }
        mounts.caches = caches.into_held();
        Ok(mounts)
    }

    /// Puts everything into the container.
    pub(super) fn furnish(&self, container: &mut Container) {
        container.mounts.extend(self.mounts.iter().cloned());
        container.owned.extend(self.owned.iter().cloned());
        let is_ours = |name: &OsString| self.env.iter().any(|(own, _)| own == name);
        container.process.env.retain(|(name, _)| !is_ours(name));
        container.process.env.extend(self.env.iter().cloned());
    }

    /// Begins what works beside the command, and ends it when the answer is dropped.
    pub(super) fn serve<'scope, 'env>(
        &'env self,
        scope: &'scope std::thread::Scope<'scope, 'env>,
    ) -> Vec<agent::Serving<'env>> {
        self.agents.iter().map(|agent| agent.serve(scope)).collect()
    }

    fn add(
        &mut self,
        context: RunContext<'_>,
        mount: &RunMount,
        found: Option<&Found>,
        cache: Option<&CacheMount>,
    ) -> Result<(), Error> {
        if let Some(target) = mount.target.as_ref().filter(|_| mount.own) {
            self.owned.push(target.into());
        }
        let target = || PathBuf::from(mount.target.as_deref().unwrap_or("/"));
        match &mount.kind {
            MountKind::Bind { writable, .. } => {
                let Some(found) = found else { return Ok(()) };
                let bound = self.bind(context, found, *writable, target())?;
                self.mounts.push(bound);
            }
            MountKind::Cache { path, writable, owner, .. } => {
                let Some(cache) = cache else { return Ok(()) };
                let root = cache::directory(context, mount, cache, found, *owner)?;
                cache::check_path(context, mount, &root, path, *owner)?;
                self.mounts.push(Mount::Bind {
                    source: BindSource::Beneath { root, path: path.into() },
                    target: target(),
                    read_only: !writable,
                    recursive: false,
                });
            }
            MountKind::Tmpfs { size } => {
                self.mounts.push(Mount::Tmpfs { target: target(), size: *size, mode: None });
            }
            MountKind::Secret { id, env, owner, .. } => {
                let Some(secret) = find(context.secrets, id) else { return Ok(()) };
                if let Some(name) = env {
                    self.env.push((name.into(), OsString::from_vec(secret.value().to_vec())));
                }
                if mount.target.is_some() {
                    self.mounts.push(Mount::File {
                        target: target(),
                        contents: secret.value().to_vec(),
                        mode: owner.mode,
                        owner: (owner.uid, owner.gid),
                        read_only: true,
                    });
                }
            }
            MountKind::Ssh { id, owner, .. } => {
                let Some(agent) = context.agents.iter().rfind(|agent| agent.id == *id) else {
                    return Ok(());
                };
                let forwarded = Forwarded::listen(context.store, &agent.socket, *owner)?;
                self.mounts.push(Mount::Bind {
                    source: BindSource::Path(forwarded.socket()),
                    target: target(),
                    read_only: false,
                    recursive: false,
                });
                self.agents.push(forwarded);
            }
        }
        Ok(())
    }

    /// Files of a context, a stage or an image. What is written to them is thrown away.
    fn bind(
        &mut self,
        context: RunContext<'_>,
        found: &Found,
        writable: bool,
        target: PathBuf,
    ) -> Result<Mount, Error> {
        let (lower, path) = match &found.layers {
            Some(layers) => {
                let item = &found.mounted.selected.item;
                let path = OsString::from_vec([b"/", item.path.as_slice()].concat());
                (lower_of(context.store, layers)?, PathBuf::from(path))
            }
            None => {
                let tree = context.trees.of(context.store, &found.mounted, context.cancel)?;
                let folder = tree.path();
                let item = &found.mounted.selected.item;
                let name = if item.is_directory() { &b""[..] } else { name_of(&item.path) };
                let path = OsString::from_vec([b"/", name].concat());
                self.trees.push(tree);
                if !writable {
                    let source = BindSource::Beneath { root: folder, path: path.into() };
                    return Ok(Mount::Bind { source, target, read_only: true, recursive: false });
                }
                (vec![folder.into()], path.into())
            }
        };
        let mut root = Root { lower, upper: None, work: None, read_only: !writable };
        if writable {
            let scratch = context.store.scratch("mount")?;
            (root.upper, root.work) = (Some(scratch.upper()?), Some(scratch.work()?));
            self.scratches.push(scratch);
        }
        Ok(Mount::Foreign { root: ForeignRoot { root, path }, target })
    }
}

/// Whether what must be given was given.
fn check(context: RunContext<'_>, mount: &RunMount) -> Result<(), Error> {
    let (what, id, required, known, help): (_, _, _, Vec<&str>, _) = match &mount.kind {
        MountKind::Secret { id, required, .. } => (
            "secret",
            id,
            *required,
            context.secrets.iter().map(Secret::id).collect(),
            format!("give it with `--secret id={id},src=FILE` or `--secret id={id},env=VARIABLE`"),
        ),
        MountKind::Ssh { id, required, .. } => (
            "ssh agent",
            id,
            *required,
            context.agents.iter().map(|agent| agent.id.as_str()).collect(),
            match id.as_str() {
                "default" => {
                    "give it with `--ssh default`, which takes the agent of `SSH_AUTH_SOCK`".to_owned()
                }
                id => format!("give it with `--ssh {id}=SOCKET` or `--ssh {id}=KEY`"),
            },
        ),
        _ => return Ok(()),
    };
    if known.contains(&id.as_str()) {
        return Ok(());
    }
    let similar = closest(id, &known);
    if !required {
        if let Some(similar) = similar {
            let message = format!("the {what} `{id}` was not given, only a {what} `{similar}`");
            context.reporter.report(Event::Warning { message, line: context.line_of(mount.span.start) });
        }
        return Ok(());
    }
    let help = similar.map_or(help, |similar| format!("a {what} `{similar}` was given: is it the same?"));
    let problem =
        Problem::new(mount.span.clone(), format!("the {what} `{id}` is required, and was not given"));
    Err(context.problem(problem.help(help)))
}

/// Of several with one id the last one counts.
fn find<'a>(secrets: &'a [Secret], id: &str) -> Option<&'a Secret> {
    secrets.iter().rfind(|secret| secret.id() == id)
}
