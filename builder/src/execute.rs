//! Carries out a plan: every step whose inputs are ready runs, in as many threads as allowed.
//!
//! A step first asks the cache. What is known is not done again, and nothing is unpacked or mounted for it: only its
//! record is read. Steps of one build that have the same key are one step: the first does the work, the others wait.

mod blobs;
mod claims;
mod mounts;
mod quick;
mod results;
mod step;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use tug_layer_store::{BuildFolder, Store};
use tug_oci::DiffId;
use tug_runtime::Runtime;

use crate::cancel::Cancel;
use crate::elsewhere::Elsewhere;
use crate::error::{Error, Source};
use crate::event::{Event, Reporter, StepId};
use crate::files::Files;
use crate::plan::{Plan, State, Step};
use crate::remote::Remotes;
use crate::run::ContextTrees;
use crate::sandbox::Sandbox;
use crate::secret::{Secret, SshAgent};
pub(crate) use blobs::Blobs;
pub(crate) use claims::Claims;
pub(crate) use mounts::Found;
pub(crate) use results::Results;

/// Everything that steps have in common.
pub(crate) struct Execution<'a> {
    /// One that stops with `stop`.
    pub store: &'a Store,
    pub runtime: &'a Runtime,
    pub reporter: &'a dyn Reporter,
    pub plan: &'a Plan,
    /// What each unit of the plan has to itself.
    pub units: &'a [Unit],
    /// By [`crate::plan::FilesId`].
    pub files: &'a [Arc<dyn Files>],
    pub remotes: &'a Remotes,
    pub build: &'a BuildFolder,
    pub jobs: usize,
    /// Ends all steps: thrown by the user, or by a step that failed.
    pub stop: &'a Cancel,
    pub claims: Claims,
    /// What steps have made of contexts, to mount it.
    pub trees: ContextTrees,
    /// Where layers are that are not unpacked.
    pub blobs: Blobs,
    /// Who has made steps before us, and who is told of ours.
    pub elsewhere: &'a Elsewhere,
    /// What steps came to, for others.
    pub results: Results,
}

/// What the steps of one unit have in common.
pub(crate) struct Unit {
    /// Its Dockerfile.
    pub source: Source,
    pub no_cache: bool,
    /// Whether results are kept for later builds.
    pub remember: bool,
    /// `SOURCE_DATE_EPOCH`.
    pub epoch: Option<i64>,
    pub proxy_environment: Vec<(String, String)>,
    pub resolv_conf: Option<String>,
    pub sandbox: Sandbox,
    pub secrets: Vec<Secret>,
    pub ssh_agents: Vec<SshAgent>,
}

/// What a step came to.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    /// All layers after it, lowest first.
    pub chain: Arc<Vec<DiffId>>,
    /// When its layer was made; `None` for a base image.
    pub created: Option<String>,
    /// Whether it was known from an earlier build.
    pub cached: bool,
    /// Bytes of the plain tar of its own layer.
    pub size: u64,
}

/// The state of all steps.
struct Board {
    done: Vec<Option<Done>>,
    started: Vec<bool>,
    failure: Option<Error>,
}

/// Carries out all steps. On an error nothing new starts, what runs is killed, and finished layers stay.
pub(crate) fn execute(execution: &Execution<'_>) -> Result<Vec<Done>, Error> {
    let (steps, stop) = (&execution.plan.steps, execution.stop);
    let in_images = results::steps_of_images(execution.plan);
    let board =
        Mutex::new(Board { done: vec![None; steps.len()], started: vec![false; steps.len()], failure: None });
    let changed = Condvar::new();
    let work = || {
        let _bell = Bell { board: &board, changed: &changed, stop };
        while let Some((step, inputs)) = next(steps, &board, &changed, stop) {
            let begun = Instant::now();
            let source = &execution.units[step.unit].source;
            let result = execution.step(step, &inputs).map_err(|error| error.at(source, &step.span));
            if let Err(error) = &result {
                execution.tell_failure(step, error, begun.elapsed());
            }
            if let Ok(done) = &result
                && in_images[step.summary.id.0]
            {
                execution.tell_layers(step, done);
            }
            let mut board = board.lock().expect("nobody panics while holding it");
            match result {
                Ok(done) => board.done[step.summary.id.0] = Some(done),
                Err(error) => {
                    if matches!(board.failure, None | Some(Error::Cancelled)) {
                        board.failure = Some(error);
                    }
                    stop.cancel();
                }
            }
            drop(board);
            changed.notify_all();
        }
    };
    let threads = execution.jobs.clamp(1, steps.len().max(1));
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let board = board.into_inner().expect("nobody panics while holding it");
    match board.failure {
        Some(error) => Err(error),
        None if stop.is_cancelled() => Err(Error::Cancelled),
        None => Ok(board
            .done
            .into_iter()
            .map(|done| done.expect("without a failure all steps are done"))
            .collect()),
    }
}

/// Wakes those who wait for a step whose thread panicked: it will never be done.
struct Bell<'a> {
    board: &'a Mutex<Board>,
    changed: &'a Condvar,
    stop: &'a Cancel,
}

impl Drop for Bell<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.stop.cancel();
            // Whoever has seen that there is no stop yet waits by now.
            drop(self.board.lock());
            self.changed.notify_all();
        }
    }
}

/// What the steps that a step stands on came to.
pub(crate) struct Inputs {
    pub below: Arc<Vec<DiffId>>,
    pub uses: HashMap<StepId, Arc<Vec<DiffId>>>,
}

/// The next step whose inputs are ready, waiting for one if need be. `None` when there will be none.
fn next<'a>(
    steps: &'a [Step],
    board: &Mutex<Board>,
    changed: &Condvar,
    stop: &Cancel,
) -> Option<(&'a Step, Inputs)> {
    let mut board = board.lock().expect("nobody panics while holding it");
    loop {
        if stop.is_cancelled() || board.started.iter().all(|started| *started) {
            return None;
        }
        let open = steps.iter().filter(|step| !board.started[step.summary.id.0]);
        let ready = open.map(|step| Some((step, inputs(step, &board.done)?))).find_map(|ready| ready);
        if let Some((step, inputs)) = ready {
            board.started[step.summary.id.0] = true;
            return Some((step, inputs));
        }
        board = changed.wait(board).expect("nobody panics while holding it");
    }
}

fn inputs(step: &Step, done: &[Option<Done>]) -> Option<Inputs> {
    let chain = |id: StepId| done[id.0].as_ref().map(|done| Arc::clone(&done.chain));
    let below = match step.below {
        State::Scratch => Arc::default(),
        State::After(id) => chain(id)?,
    };
    let uses = step.uses.iter().map(|id| Some((*id, chain(*id)?))).collect::<Option<_>>()?;
    Some(Inputs { below, uses })
}

impl Execution<'_> {
    fn tell_failure(&self, step: &Step, error: &Error, duration: Duration) {
        let step = step.summary.id;
        self.reporter.report(match error {
            Error::Cancelled => Event::Cancelled { step },
            error => Event::Failed { step, duration, message: error.to_string() },
        });
    }
}
