//! One step: its key, the cache, and the work if it is not known.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tug_layer_store::{Layer, View};
use tug_oci::{Descriptor, DiffId, Digest};

use super::{Done, Execution, Inputs as Below};
use crate::cancel::Cancel;
use crate::copy::{self, CopyContext, CopyError, Sources};
use crate::error::{Error, Problem, StepFailure};
use crate::event::Event;
use crate::files::{Files, Layered};
use crate::key::Inputs;
use crate::plan::{Action, CopyAction, CopyFrom, RunAction, State, Step, WorkdirAction};
use crate::record::{self, Lookup, StepResult};
use crate::run::{self, Ran, RunContext};

type Bases = HashMap<DiffId, Descriptor>;

impl Execution<'_> {
    /// Carries out one step, or finds its result.
    pub(super) fn step(
        &self,
        step: &Step,
        below: &Below,
        bases: &Bases,
        stop: &Cancel,
    ) -> Result<Done, Error> {
        let started = Instant::now();
        let id = step.summary.id;
        self.reporter.report(Event::Started { step: id });
        let mut inputs = self.common_inputs(below);
        let work: Work<'_> = match &step.action {
            Action::Base(image) => {
                self.reporter.report(Event::Cached { step: id });
                let chain = Arc::new(image.diff_ids().to_vec());
                return Ok(Done { chain, created: None, cached: true, size: 0 });
            }
            Action::Run(action) => {
                run_inputs(action, &mut inputs);
                Work::Run(action)
            }
            Action::Copy(action) => {
                let sources = self.sources(step, action, below, bases)?;
                copy::add_inputs(action, &sources, action.from == CopyFrom::Context, &mut inputs)?;
                Work::Copy(action, sources)
            }
            Action::Workdir(action) => {
                inputs.value("WORKDIR", action.path.clone());
                inputs.value("USER", action.user.clone());
                Work::Workdir(action)
            }
        };
        if self.no_cache {
            self.reporter.report(Event::Missed { step: id, reason: "`--no-cache` was given".to_owned() });
        } else {
            match record::look_up(self.store, &step.slot, &inputs)? {
                Lookup::Hit(result) => {
                    self.reporter.report(Event::Cached { step: id });
                    return Ok(done(below, result, true));
                }
                Lookup::Miss(None) => {}
                Lookup::Miss(Some(reason)) => self.reporter.report(Event::Missed { step: id, reason }),
            }
        }
        let layer = self.work(step, &work, below, bases, stop)?;
        let result = StepResult {
            layer: layer.diff_id().clone(),
            size: layer.tar_size(),
            created: self.time(),
            build: self.build.to_owned(),
        };
        record::remember(self.store, &step.slot, inputs, &result)?;
        self.reporter.report(Event::Finished {
            step: id,
            duration: started.elapsed(),
            layer: Some(result.layer.clone()),
            bytes: result.size,
        });
        Ok(done(below, result, false))
    }

    fn work(
        &self,
        step: &Step,
        work: &Work<'_>,
        below: &Below,
        bases: &Bases,
        stop: &Cancel,
    ) -> Result<Layer, Error> {
        if stop.is_cancelled() {
            return Err(Error::Cancelled);
        }
        self.prepare(&below.below, bases)?;
        match work {
            Work::Run(action) => self.run(step, action, below, stop),
            Work::Copy(action, sources) => {
                for pattern in &sources.empty {
                    let message = format!("`{pattern}` matches nothing, so nothing is copied");
                    self.reporter.report(Event::Warning { message, line: step.summary.line });
                }
                let context = self.copy_context(step, below, action.from == CopyFrom::Context, stop)?;
                copy::copy(&context, action, sources).map_err(|error| self.located(error))
            }
            Work::Workdir(action) => {
                let context = self.copy_context(step, below, true, stop)?;
                copy::make_directory(&context, &action.path, &action.user)
                    .map_err(|error| self.located(error))
            }
        }
    }

    fn run(&self, step: &Step, action: &RunAction, below: &Below, stop: &Cancel) -> Result<Layer, Error> {
        let context = RunContext {
            store: self.store,
            runtime: self.runtime,
            reporter: self.reporter,
            cancel: stop,
            proxy_environment: self.proxy_environment,
            resolv_conf: self.resolv_conf,
            clamp: self.epoch,
        };
        let log = self.store.build_dir(self.build)?.join(format!("{}.log", step.summary.id.0 + 1));
        match run::run(context, step, action, &below.below, &log)? {
            Ran::Layer(layer) => Ok(layer),
            Ran::Failed { ending, tail, lines } => Err(Error::StepFailed(Box::new(StepFailure {
                step: step.summary.clone(),
                total: self.plan.steps.len(),
                ending,
                source_text: self.source.clone(),
                span: step.span.clone(),
                log,
                tail,
                lines,
                build: self.build.to_owned(),
            }))),
        }
    }

    /// What goes into every key: see the table of [`crate::key`].
    fn common_inputs(&self, below: &Below) -> Inputs {
        let mut inputs = Inputs::default();
        let chain: Vec<String> = below.below.iter().map(ToString::to_string).collect();
        inputs.content("the result of an earlier step", Digest::of(chain.join(" ").as_bytes()).to_string());
        inputs.value("platform", self.platform.clone());
        inputs.value("SOURCE_DATE_EPOCH", self.epoch.map_or_else(String::new, |epoch| epoch.to_string()));
        inputs
    }

    fn sources(
        &self,
        step: &Step,
        action: &CopyAction,
        below: &Below,
        bases: &Bases,
    ) -> Result<Sources, Error> {
        let (files, place): (Arc<dyn Files>, _) = match action.from {
            CopyFrom::Context => (Arc::clone(&self.files), "the context"),
            CopyFrom::Layers(State::Scratch) => (Arc::new(Layered::new(self.store.view(&[])?)), "the stage"),
            CopyFrom::Layers(State::After(id)) => {
                let chain = &below.uses[&id];
                self.prepare(chain, bases)?;
                (Arc::new(Layered::new(self.store.view(chain)?)), "the files that `--from` names")
            }
        };
        copy::find(action, files, place).map_err(|error| self.located_at(error, step))
    }

    fn copy_context<'b>(
        &'b self,
        step: &Step,
        below: &Below,
        is_context: bool,
        stop: &'b Cancel,
    ) -> Result<CopyContext<'b>, Error> {
        let view: View = self.store.view(&below.below)?;
        let now = self.epoch.unwrap_or_else(|| jiff::Timestamp::now().as_second());
        Ok(CopyContext {
            store: self.store,
            cancel: stop,
            below: view,
            is_context,
            materialise: step.materialise,
            now,
            clamp: self.epoch,
            span: step.span.clone(),
        })
    }

    /// Makes sure that the layers of base images are known: they may have come as blobs only.
    fn prepare(&self, chain: &[DiffId], bases: &Bases) -> Result<(), Error> {
        let missing: Vec<(&DiffId, &Descriptor)> = chain
            .iter()
            .filter_map(|diff_id| bases.get(diff_id).map(|blob| (diff_id, blob)))
            .filter(|(diff_id, _)| !matches!(self.store.layer(diff_id), Ok(Some(_))))
            .collect();
        let results: Vec<Result<Layer, tug_layer_store::Error>> = std::thread::scope(|scope| {
            let workers: Vec<_> = missing
                .iter()
                .map(|(diff_id, blob)| scope.spawn(|| self.store.ensure_layer(diff_id, blob)))
                .collect();
            workers.into_iter().map(|worker| worker.join().expect("unpacking does not panic")).collect()
        });
        for result in results {
            result?;
        }
        Ok(())
    }

    fn located(&self, error: CopyError) -> Error {
        match error {
            CopyError::Failed(error) => error,
            CopyError::Problem(problem) => {
                Error::Dockerfile { source_text: self.source.clone(), problems: vec![problem] }
            }
        }
    }

    fn located_at(&self, error: CopyError, step: &Step) -> Error {
        let place = |problem: Problem| match problem.span.is_empty() {
            true => Problem { span: step.span.clone(), ..problem },
            false => problem,
        };
        self.located(match error {
            CopyError::Problem(problem) => CopyError::Problem(place(problem)),
            other => other,
        })
    }

    fn time(&self) -> String {
        match self.epoch.map(jiff::Timestamp::from_second) {
            Some(Ok(epoch)) => epoch.to_string(),
            _ => jiff::Timestamp::now().to_string(),
        }
    }
}

enum Work<'a> {
    Run(&'a RunAction),
    Copy(&'a CopyAction, Sources),
    Workdir(&'a WorkdirAction),
}

fn done(below: &Below, result: StepResult, cached: bool) -> Done {
    let chain = below.below.iter().cloned().chain([result.layer]).collect();
    Done { chain: Arc::new(chain), created: Some(result.created), cached, size: result.size }
}

fn run_inputs(action: &RunAction, inputs: &mut Inputs) {
    let (line, shell) =
        action.args.split_last().map_or(("", &[][..]), |(line, shell)| (line.as_str(), shell));
    inputs.value("RUN", line);
    inputs.value("shell", shell.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(" "));
    for (name, value) in &action.env {
        let kind = if action.arg_names.contains(name) { "ARG" } else { "ENV" };
        inputs.value(format!("{kind} {name}"), value.clone());
    }
    inputs.value("WORKDIR", action.working_directory.clone());
    inputs.value("USER", action.user.clone());
    inputs.value("network", format!("{:?}", action.network).to_lowercase());
    if let Some(script) = &action.script {
        inputs.content("the script", Digest::of(script.text.as_bytes()).to_string());
    }
}
