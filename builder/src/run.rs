//! RUN: a process in a container over the layers below; what it changed becomes a layer.

mod mask;
mod mounts;
mod output;

use std::error::Error as _;
use std::ffi::OsString;

use tug_dockerfile::LineIndex;
use tug_layer_store::{BuildFolder, CommitOptions, Layer, OwnerLookup, Store};
use tug_oci::{DiffId, Platform};
use tug_runtime::{
    Container, Emulator, Network, Process, ResolvConf, Root, Runtime, Status, Stdio, SystemFiles,
};

use crate::builds;
use crate::cancel::Cancel;
use crate::error::{Ending, Error, Problem, Source};
use crate::event::{Event, Reporter};
use crate::execute::Found;
use crate::lower::lower_of;
use crate::options::NetworkMode;
use crate::plan::{RunAction, Step};
use crate::sandbox::Sandbox;
use crate::secret::{Secret, SshAgent};
use mask::Mask;
pub(crate) use mounts::ContextTrees;
use mounts::Mounts;
use output::Output;

/// What a RUN came to.
pub(crate) enum Ran {
    /// Its layer.
    Layer(Layer),
    /// It failed.
    Failed {
        ending: Ending,
        /// The last lines of its output.
        tail: Vec<String>,
        /// How many lines there were.
        lines: usize,
    },
}

/// Everything that RUN steps of one build have in common.
#[derive(Clone, Copy)]
pub(crate) struct RunContext<'a> {
    pub store: &'a Store,
    pub runtime: &'a Runtime,
    pub reporter: &'a dyn Reporter,
    pub cancel: &'a Cancel,
    pub proxy_environment: &'a [(String, String)],
    pub resolv_conf: Option<&'a str>,
    pub sandbox: &'a Sandbox,
    pub clamp: Option<i64>,
    /// The Dockerfile.
    pub source: &'a Source,
    pub secrets: &'a [Secret],
    pub agents: &'a [SshAgent],
    /// What the steps of the build have made of contexts.
    pub trees: &'a ContextTrees,
}

impl RunContext<'_> {
    /// A problem of the Dockerfile.
    fn problem(&self, problem: Problem) -> Error {
        Error::Dockerfile { source_text: self.source.clone(), problems: vec![problem] }
    }

    /// The line of a place in the Dockerfile, from 1.
    fn line_of(&self, at: usize) -> usize {
        LineIndex::new(&self.source.text).location(at).line
    }
}

/// Runs `action` over the layers `below` and commits what it changed. `found` is what its mounts show. The whole output
/// goes to its log in the folder of the `build` too; when it fails, what it ran and what it left stay there.
pub(crate) fn run(
    context: RunContext<'_>,
    step: &Step,
    action: &RunAction,
    found: &[Option<Found>],
    below: &[DiffId],
    build: &BuildFolder,
) -> Result<Ran, Error> {
    let failed = |source| Error::Runtime { step: step.summary.name.clone(), source };
    let scratch = context.store.scratch("run")?;
    let mounts = Mounts::prepare(context, step, action, found)?;
    let mut container = container(
        context,
        action,
        Root {
            lower: lower_of(context.store, below)?,
            upper: Some(scratch.upper()?),
            work: Some(scratch.work()?),
            read_only: false,
        },
    );
    // What the container writes to folders that keep nothing is gone with this.
    let _discarded = context.sandbox.furnish(&mut container, &action.privileges, context.store)?;
    mounts.furnish(&mut container);
    let output = Output::open(
        &builds::log(build.path(), step.summary.id),
        Mask::new(context.secrets.iter().map(Secret::value)),
    )?;
    let exited = std::thread::scope(|scope| {
        let serving = mounts.serve(scope);
        let mut running = match container.start(context.runtime) {
            Ok(running) => running,
            Err(error) if error.may_be_of_another_processor() && is_foreign(&step.platform) => {
                return Err(Error::Foreign {
                    step: step.summary.name.clone(),
                    platform: Box::new(step.platform.clone()),
                    emulator: emulator_for(&step.platform).map(Box::new),
                });
            }
            Err(error) => return not_started(error, &output).map(Err).map_err(failed),
        };
        let killer = running.killer();
        let guard = context.cancel.on_cancel(move || killer.kill());
        output.pump(running.take_stdout(), step.summary.id, context.reporter);
        let exited = running.wait();
        drop((guard, serving));
        exited.map(Ok).map_err(failed)
    });
    let exited = match exited? {
        Ok(exited) => exited,
        Err(ran) => return Ok(ran),
    };
    // The caches are free for others while the layer is made.
    drop(mounts);
    if context.cancel.is_cancelled() {
        return Err(Error::Cancelled);
    }
    for warning in &exited.warnings {
        context.reporter.report(Event::Warning { message: warning.to_string(), line: step.summary.line });
    }
    let ending = match exited.status {
        Status::Code(0) => {
            let owners: OwnerLookup = exited
                .owners
                .records
                .iter()
                .map(|record| ((record.inode, record.birth), (record.uid, record.gid)))
                .collect();
            let options = CommitOptions { owners, clamp_mtime: context.clamp };
            return Ok(Ran::Layer(context.store.commit_upper(&scratch.upper()?, below, &options)?));
        }
        _ if exited.out_of_memory => Ending::OutOfMemory,
        Status::Code(code) => Ending::Code(code),
        Status::Signal(signal) => Ending::Signal(signal),
    };
    builds::keep_failed(build, step.summary.id, bare(action), &container, &scratch.upper()?);
    let (tail, lines) = output.into_tail();
    Ok(Ran::Failed { ending, tail, lines })
}

fn is_foreign(platform: &Platform) -> bool {
    !tug_runtime::runs_natively(&platform.architecture)
}

fn emulator_for(platform: &Platform) -> Option<Emulator> {
    tug_runtime::emulators().into_iter().find(|emulator| emulator.architecture == platform.architecture)
}

/// A command that is not there or not a program failed like one that a shell did not find.
fn not_started(error: tug_runtime::Error, output: &Output) -> Result<Ran, tug_runtime::Error> {
    let code = match error {
        tug_runtime::Error::CommandNotFound { .. } => 127,
        tug_runtime::Error::NotExecutable { .. } => 126,
        other => return Err(other),
    };
    let mut tail = vec![match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }];
    tail.extend(error.hint());
    for line in &tail {
        output.note(line);
    }
    Ok(Ran::Failed { ending: Ending::Code(code), lines: tail.len(), tail })
}

fn container(context: RunContext<'_>, action: &RunAction, root: Root) -> Container {
    let declared = |name: &String| action.env.iter().any(|(own, _)| own == name);
    let proxies = context.proxy_environment.iter().filter(|(name, _)| !declared(name));
    let mut container = bare(action);
    container.root = root;
    container.process.env.extend(proxies.map(|(name, value)| (name.into(), value.into())));
    container.files = SystemFiles {
        resolv_conf: match context.resolv_conf {
            Some(text) => ResolvConf::Text(text.to_owned()),
            None => ResolvConf::Host,
        },
        ..SystemFiles::default()
    };
    container.stdio = Stdio::CAPTURE_IN_ORDER;
    container
}

/// What the Dockerfile alone says of a RUN: a container without a root.
pub(crate) fn bare(action: &RunAction) -> Container {
    let process = Process {
        args: action.args.iter().map(OsString::from).collect(),
        env: action.env.iter().map(|(name, value)| (name.into(), value.into())).collect(),
        working_directory: action.working_directory.clone().into(),
        create_working_directory: true,
        user: action.user.clone(),
        terminal: false,
    };
    let mut container = Container::new(Root::default(), process);
    container.hostname.clone_from(&action.hostname);
    container.network = match action.network {
        NetworkMode::Host => Network::Host,
        NetworkMode::None => Network::None,
    };
    if let Some(script) = &action.script {
        container.mounts.push(tug_runtime::Mount::File {
            target: script.path.clone().into(),
            contents: script.text.clone().into_bytes(),
            mode: 0o755,
            owner: (0, 0),
            read_only: true,
        });
    }
    container
}
