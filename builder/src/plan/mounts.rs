//! `RUN --mount`, evaluated: what is mounted where, and from what.
//!
//! | type   | where, when `target` is absent       | from                                                    |
//! | ------ | ------------------------------------ | ------------------------------------------------------- |
//! | bind   | the working directory                | the context, a named context, a stage or an image       |
//! | cache  | the working directory                | a directory that outlives the build                     |
//! | tmpfs  | the working directory                | nothing                                                 |
//! | secret | `/run/secrets/ID`, or a variable only | what the caller gave under this id                     |
//! | ssh    | `/run/buildkit/ssh_agent.N`          | the agent that the caller gave under this id            |
//!
//! Mounts are made from the outside in, whatever their order in the text: one inside of another is seen either way.
//! Source: BuildKit's `dispatchRunMounts` and its documentation of `RUN --mount`.

use std::ops::Range;

use tug_dockerfile::{
    BindMount, CacheMount, ExpandError, Mount, MountSpec, Run, SecretMount, Sharing, SshMount, Stage, expand,
};

use super::evaluate::{StageState, absolute, problem_of};
use super::stages::Planner;
use super::{CopyFrom, State};
use crate::error::{Error, Problem};
use crate::event::StepId;

/// The build argument that comes before the ids of all caches of a build.
const CACHE_NAMESPACE: &str = "BUILDKIT_CACHE_MOUNT_NS";
/// The variable through which programs find an ssh agent.
const SSH_VARIABLE: &str = "SSH_AUTH_SOCK";

/// One mount of a RUN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunMount {
    /// Where it stands in the Dockerfile.
    pub span: Range<usize>,
    /// The absolute path that it is seen at; `None` for a secret that is only a variable.
    pub target: Option<String>,
    /// Whether what is shown is given to the user of the step first: podman's `U`.
    pub own: bool,
    pub kind: MountKind,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MountKind {
    Bind {
        source: MountSource,
        /// What is written is lost.
        writable: bool,
    },
    Cache {
        /// With the namespace before it.
        id: String,
        /// What a new cache begins with.
        from: Option<MountSource>,
        /// The path within the cache that is seen.
        path: String,
        writable: bool,
        sharing: Sharing,
        /// Of a new cache.
        owner: Owner,
    },
    Tmpfs {
        /// In bytes.
        size: Option<u64>,
    },
    Secret {
        id: String,
        /// The variable that it is given in.
        env: Option<String>,
        required: bool,
        owner: Owner,
    },
    Ssh {
        id: String,
        required: bool,
        owner: Owner,
    },
}

/// Files that are mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MountSource {
    pub from: CopyFrom,
    /// What it is called in the Dockerfile; empty for the context.
    pub name: String,
    /// The path within.
    pub path: String,
}

/// Mode and owner of something that is made for a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
}

impl RunMount {
    /// The files that it shows, or begins with.
    pub(crate) fn source(&self) -> Option<&MountSource> {
        match &self.kind {
            MountKind::Bind { source, .. } => Some(source),
            MountKind::Cache { from, .. } => from.as_ref(),
            _ => None,
        }
    }
}

/// The steps whose layers `mounts` show.
pub(super) fn uses(mounts: &[RunMount]) -> Vec<StepId> {
    let sources = mounts.iter().filter_map(RunMount::source);
    let mut steps: Vec<StepId> = sources
        .filter_map(|source| match source.from {
            CopyFrom::Layers(State::After(step)) => Some(step),
            _ => None,
        })
        .collect();
    steps.sort_unstable();
    steps.dedup();
    steps
}

/// The names in `from=` of a RUN, as far as the text shows them.
pub(super) fn names(run: &Run) -> impl Iterator<Item = &str> {
    let fields = run.mounts.iter().flat_map(|mount| &mount.fields).filter(|field| field.key == "from");
    fields.filter_map(|field| field.value.as_ref()).map(|value| value.raw.as_str())
}

impl StageState {
    /// The mounts of a RUN, the outer ones first; `None` when there are problems.
    pub(super) fn mounts(
        &mut self,
        planner: &mut Planner<'_>,
        run: &Run,
        stage: &Stage,
    ) -> Result<Option<Vec<RunMount>>, Error> {
        let before = planner.problems.len();
        let mut mounts = Vec::new();
        let mut agents = 0;
        for spec in &run.mounts {
            let span = self.place_of(spec.span.range());
            let escape = planner.dockerfile.directives.escape;
            let lookup = |name: &str| self.evaluated.scope.lookup(name);
            let expanded =
                |value: &str| -> Result<String, ExpandError> { Ok(expand(value, escape, &lookup)?.text) };
            let mount = match spec.resolve(&expanded) {
                Ok(mount) => mount,
                Err(error) => {
                    planner.problems.push(problem_of(error));
                    continue;
                }
            };
            mounts.extend(self.mount(planner, mount, spec, span, stage, &mut agents)?);
        }
        if planner.problems.len() > before {
            return Ok(None);
        }
        // Where two have the same target, the later one is on top.
        mounts.sort_by_key(depth);
        Ok(Some(mounts))
    }

    fn mount(
        &mut self,
        planner: &mut Planner<'_>,
        mount: Mount,
        spec: &MountSpec,
        span: Range<usize>,
        stage: &Stage,
        agents: &mut usize,
    ) -> Result<Option<RunMount>, Error> {
        let here = self.working_directory().to_owned();
        let place = |target: Option<String>| absolute(&here, target.as_deref().unwrap_or(""));
        let chown = match &mount {
            Mount::Bind(BindMount { chown, .. }) | Mount::Cache(CacheMount { chown, .. }) => *chown,
            _ => false,
        };
        let (target, kind) = match mount {
            Mount::Bind(BindMount { target, from, source, writable, .. }) => {
                let Some(source) = self.mount_source(planner, spec, from, source.as_deref(), stage)? else {
                    return Ok(None);
                };
                (Some(place(target)), MountKind::Bind { source, writable })
            }
            Mount::Cache(CacheMount {
                id, target, writable, sharing, from, source, mode, uid, gid, ..
            }) => {
                let id = cache_id(planner, id, target.as_deref());
                let target = place(target);
                let owner = Owner { mode, uid, gid };
                let (from, path) = match from {
                    None => (None, inside(source.as_deref())),
                    // What a new cache begins with is all that there is of it.
                    Some(from) => {
                        match self.mount_source(planner, spec, Some(from), source.as_deref(), stage)? {
                            Some(source) => (Some(source), "/".to_owned()),
                            None => return Ok(None),
                        }
                    }
                };
                (Some(target), MountKind::Cache { id, from, path, writable, sharing, owner })
            }
            Mount::Tmpfs(tmpfs) => (Some(place(tmpfs.target)), MountKind::Tmpfs { size: tmpfs.size }),
            Mount::Secret(SecretMount { id, target, env, required, mode, uid, gid }) => {
                let target = target.map(|target| place(Some(target)));
                (target, MountKind::Secret { id, env, required, owner: Owner { mode, uid, gid } })
            }
            Mount::Ssh(SshMount { id, target, required, mode, uid, gid }) => {
                let target = target.unwrap_or_else(|| format!("/run/buildkit/ssh_agent.{agents}"));
                *agents += 1;
                let kind = MountKind::Ssh { id, required, owner: Owner { mode, uid, gid } };
                (Some(place(Some(target))), kind)
            }
        };
        if target.as_deref() == Some("/") {
            let problem = Problem::new(span, "a mount cannot be at `/`: it would hide the whole image");
            planner.problems.push(problem.help("give it a `target` below the root"));
            return Ok(None);
        }
        let is_written = match &kind {
            MountKind::Bind { writable, .. } | MountKind::Cache { writable, .. } => *writable,
            _ => false,
        };
        if chown && !is_written {
            let message = "`U` has no effect on a mount that cannot be written to";
            planner.warnings.push(Problem::new(span.clone(), message));
        }
        Ok(Some(RunMount { span, target, own: chown && is_written, kind }))
    }

    fn mount_source(
        &mut self,
        planner: &mut Planner<'_>,
        spec: &MountSpec,
        from: Option<String>,
        source: Option<&str>,
        stage: &Stage,
    ) -> Result<Option<MountSource>, Error> {
        let path = inside(source);
        let Some(name) = from else {
            let from = CopyFrom::Files(planner.options.context);
            return Ok(Some(MountSource { from, name: String::new(), path }));
        };
        let field = spec.fields.iter().rev().find(|field| field.key == "from");
        let span = field.and_then(|field| field.value.as_ref()).map_or(spec.span, |value| value.span);
        let origin = planner.origin(&name, self.place_of(span.range()), stage)?;
        Ok(origin.map(|origin| MountSource { from: origin.into(), name, path }))
    }

    /// The variable that says where the first agent is, unless the Dockerfile has set it.
    pub(super) fn add_ssh_variable(&self, mounts: &[RunMount], env: &mut Vec<(String, String)>) {
        let mut agents: Vec<&RunMount> =
            mounts.iter().filter(|mount| matches!(mount.kind, MountKind::Ssh { .. })).collect();
        agents.sort_by_key(|mount| mount.span.start);
        let is_set = env.iter().any(|(name, _)| name == SSH_VARIABLE);
        if let Some(target) = agents.first().and_then(|mount| mount.target.clone()).filter(|_| !is_set) {
            env.push((SSH_VARIABLE.to_owned(), target));
        }
    }
}

/// The id of a cache, with the namespace of the build before it. Without an id it is the target as it was written.
fn cache_id(planner: &Planner<'_>, id: Option<String>, target: Option<&str>) -> String {
    let id = id.unwrap_or_else(|| {
        let target = target.unwrap_or(".");
        let cleaned = inside(Some(target));
        let relative = if target.starts_with('/') { &cleaned } else { &cleaned[1..] };
        if relative.is_empty() { ".".to_owned() } else { relative.to_owned() }
    });
    match planner.options.build_args.get(CACHE_NAMESPACE).filter(|namespace| !namespace.is_empty()) {
        Some(namespace) => format!("{namespace}/{id}"),
        None => id,
    }
}

/// A path within a source: absolute, without dots.
fn inside(path: Option<&str>) -> String {
    absolute("/", path.unwrap_or(""))
}

/// Outer mounts come first.
fn depth(mount: &RunMount) -> usize {
    mount.target.as_ref().map_or(0, |target| target.split('/').filter(|part| !part.is_empty()).count())
}

#[cfg(test)]
mod tests;
