//! One step: its key, the cache, and the work if it is not known.
//!
//! A step whose files change while they are read begins anew: what it makes must be what its key says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tug_layer_store::{Layer, Mountable, StepLock};
use tug_oci::{DiffId, Digest};

use super::claims::Claimed;
use super::mounts::{self, Found};
use super::quick::digest_of;
use super::{Done, Execution, Inputs as Below, Unit};
use crate::copy::{self, CopyContext, CopyError, Sources};
use crate::error::{Error, StepFailure};
use crate::event::Event;
use crate::files::{Files, Layered};
use crate::key::Inputs;
use crate::plan::{Action, CopyAction, CopyFrom, RunAction, State, Step, WorkdirAction};
use crate::record::{self, Lookup, Miss, StepResult};
use crate::run::{self, Ran, RunContext};

/// How often a step is tried when its files change.
const ATTEMPTS: usize = 3;

/// How long to wait before looking again whether another build is done with a step.
const LOOK_AGAIN: Duration = Duration::from_millis(15);

/// Whose turn it is to do a step.
enum Turn {
    /// Ours, until the lock is dropped.
    Ours(StepLock),
    /// Somebody has done it.
    Done(Box<StepResult>),
}

impl Execution<'_> {
    /// Carries out one step, or finds its result.
    pub(super) fn step(&self, step: &Step, below: &Below) -> Result<Done, Error> {
        self.reporter.report(Event::Started { step: step.summary.id });
        let mut attempt = 1;
        loop {
            match self.attempt(step, below) {
                Err(Error::Changed { .. }) if attempt < ATTEMPTS => self.refresh(step),
                outcome => return outcome,
            }
            attempt += 1;
        }
    }

    /// Looks anew at the files that a step reads.
    fn refresh(&self, step: &Step) {
        match &step.action {
            Action::Copy(CopyAction { from: CopyFrom::Files(files), .. }) => self.files[files.0].refresh(),
            Action::Run(run) => mounts::contexts(&run.mounts).for_each(|files| self.files[files.0].refresh()),
            _ => {}
        }
    }

    pub(super) fn unit(&self, step: &Step) -> &Unit {
        &self.units[step.unit]
    }

    fn attempt(&self, step: &Step, below: &Below) -> Result<Done, Error> {
        let started = Instant::now();
        let id = step.summary.id;
        let anew = if self.unit(step).no_cache { Some("`--no-cache` was given") } else { step.anew };
        let quick = self.quick_key(step, below);
        if anew.is_none()
            && let Some(quick) = &quick
            && let Some(result) = self.known(quick)?
        {
            self.tell_hit(step, &result);
            self.hand_on(result.full_key.as_ref(), Some(quick), &result);
            return Ok(done(below, result, true));
        }
        let mut inputs = Inputs::default();
        let work: Work<'_> = match &step.action {
            Action::Base(image) => {
                self.reporter.report(Event::Cached { step: id, made_by: None, layer: None });
                let chain = Arc::new(image.diff_ids().to_vec());
                return Ok(Done { chain, created: None, cached: true, size: 0 });
            }
            Action::Run(action) => {
                self.add_common(step, Some(below), &mut inputs);
                run_inputs(action, &mut inputs);
                self.unit(step).sandbox.add_inputs(&mut inputs);
                let found = self.mounted(step, action, below)?;
                mounts::add_inputs(&action.mounts, &found, &mut inputs);
                Work::Run(action, found)
            }
            Action::Copy(action) => {
                self.add_common(step, copy::depends_on_below(action).then_some(below), &mut inputs);
                let sources = self.sources(step, action, below)?;
                for message in sources.warnings.clone() {
                    self.reporter.report(Event::Warning { message, line: step.summary.line });
                }
                copy::add_inputs(action, &sources, &mut inputs);
                Work::Copy(action, sources)
            }
            Action::Workdir(action) => {
                self.add_common(step, Some(below), &mut inputs);
                inputs.value("WORKDIR", action.path.clone());
                inputs.value("USER", action.user.clone());
                Work::Workdir(action)
            }
        };
        let key = inputs.key();
        // One that must run again does not take the result of one that need not.
        let claimed = if anew.is_some() { Digest::of(format!("anew {key}").as_bytes()) } else { key.clone() };
        let claim = match self.claims.claim(claimed) {
            Claimed::Ours(claim) => claim,
            Claimed::Known(result) => {
                self.tell_hit(step, &result);
                self.keep_quick(step, quick.as_ref(), &key, &result)?;
                self.hand_on(Some(&key), quick.as_ref(), &result);
                if self.unit(step).remember {
                    record::note(self.store, &step.slot, key, inputs, &result)?;
                }
                return Ok(done(below, *result, true));
            }
        };
        if let Some(reason) = anew {
            self.tell_miss(step, Miss { reason: reason.to_owned(), ..Miss::default() });
        } else {
            match record::look_up(self.store, &step.slot, &key, &inputs)? {
                Lookup::Hit(result) => {
                    self.tell_hit(step, &result);
                    self.keep_quick(step, quick.as_ref(), &key, &result)?;
                    self.hand_on(Some(&key), quick.as_ref(), &result);
                    self.locate(&result);
                    claim.fulfil(&result);
                    return Ok(done(below, *result, true));
                }
                Lookup::Miss(miss) => {
                    if let Some(result) = self.imported(&key)? {
                        self.tell_hit(step, &result);
                        self.keep_quick(step, quick.as_ref(), &key, &result)?;
                        self.hand_on(Some(&key), quick.as_ref(), &result);
                        claim.fulfil(&result);
                        return Ok(done(below, result, true));
                    }
                    if let Some(miss) = miss {
                        self.tell_miss(step, miss);
                    }
                }
            }
        }
        let _lock = match anew.is_none() && self.unit(step).remember {
            true => match self.turn(step, &key)? {
                Turn::Ours(lock) => Some(lock),
                Turn::Done(result) => {
                    self.tell_hit(step, &result);
                    self.keep_quick(step, quick.as_ref(), &key, &result)?;
                    self.hand_on(Some(&key), quick.as_ref(), &result);
                    claim.fulfil(&result);
                    return Ok(done(below, *result, true));
                }
            },
            false => None,
        };
        let layer = self.work(step, &work, below)?;
        let result = StepResult {
            layer: layer.diff_id().clone(),
            size: layer.tar_size(),
            created: time(self.unit(step).epoch),
            build: self.build.id().to_owned(),
            made: jiff::Timestamp::now().strftime("%FT%TZ").to_string(),
            seconds: started.elapsed().as_secs_f64(),
            blob: None,
            full_key: None,
        };
        self.keep_quick(step, quick.as_ref(), &key, &result)?;
        self.hand_on(Some(&key), quick.as_ref(), &result);
        if self.unit(step).remember {
            record::remember(self.store, &step.slot, key, inputs, &result)?;
        }
        self.reporter.report(Event::Finished {
            step: id,
            duration: started.elapsed(),
            layer: Some(result.layer.clone()),
            bytes: result.size,
        });
        claim.fulfil(&result);
        Ok(done(below, result, false))
    }

    /// Waits while another build does the very same step: what it makes is ours as well. Whoever waits holds no lock of a
    /// step that others could wait for in turn: those are held only by who is at work.
    fn turn(&self, step: &Step, key: &Digest) -> Result<Turn, Error> {
        let mut waited = false;
        loop {
            let lock = self.store.try_lock_step(key)?;
            // Between our last look and now somebody may have finished it.
            if let Some(result) = record::known(self.store, key)? {
                return Ok(Turn::Done(Box::new(result)));
            }
            if let Some(lock) = lock {
                return Ok(Turn::Ours(lock));
            }
            if self.stop.is_cancelled() {
                return Err(Error::Cancelled);
            }
            if !waited {
                let reason = "another build is doing this step; waiting for its result".to_owned();
                self.tell_miss(step, Miss { reason, ..Miss::default() });
                waited = true;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    fn tell_hit(&self, step: &Step, result: &StepResult) {
        let (made_by, layer) = (Some(result.made_by()), Some(result.layer.clone()));
        self.reporter.report(Event::Cached { step: step.summary.id, made_by, layer });
    }

    fn tell_miss(&self, step: &Step, miss: Miss) {
        let Miss { reason, changes, since, seconds } = miss;
        let last_duration = Duration::try_from_secs_f64(seconds).ok().filter(|last| !last.is_zero());
        self.reporter.report(Event::Missed { step: step.summary.id, reason, changes, since, last_duration });
    }

    fn work(&self, step: &Step, work: &Work<'_>, below: &Below) -> Result<Layer, Error> {
        if self.stop.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let trees = if matches!(work, Work::Run(..)) { Mountable::Now } else { Mountable::Later };
        if trees == Mountable::Now {
            // Nothing is made ready for a container that there cannot be.
            let failed = |source| Error::Runtime { step: step.summary.name.clone(), source };
            self.runtime.mode().map_err(failed)?;
        }
        self.prepare(&below.below, trees)?;
        match work {
            Work::Run(action, found) => {
                for layers in found.iter().flatten().filter_map(|found| found.layers.as_ref()) {
                    self.prepare(layers, trees)?;
                }
                self.run(step, action, found, below)
            }
            Work::Copy(action, sources) => {
                let context = self.copy_context(step, below)?;
                copy::copy(&context, action, sources).map_err(|error| self.located(error, step))
            }
            Work::Workdir(action) => {
                let context = self.copy_context(step, below)?;
                copy::make_directory(&context, &action.path, &action.user)
                    .map_err(|error| self.located(error, step))
            }
        }
    }

    fn run(
        &self,
        step: &Step,
        action: &RunAction,
        found: &[Option<Found>],
        below: &Below,
    ) -> Result<Layer, Error> {
        let unit = self.unit(step);
        let context = RunContext {
            store: self.store,
            runtime: self.runtime,
            reporter: self.reporter,
            cancel: self.stop,
            proxy_environment: &unit.proxy_environment,
            resolv_conf: unit.resolv_conf.as_deref(),
            sandbox: &self.unit(step).sandbox,
            clamp: unit.epoch,
            source: &unit.source,
            secrets: &unit.secrets,
            agents: &unit.ssh_agents,
            trees: &self.trees,
        };
        let log = crate::builds::log(self.build.path(), step.summary.id);
        match run::run(context, step, action, found, &below.below, self.build)? {
            Ran::Layer(layer) => Ok(layer),
            Ran::Failed { ending, tail, lines } => Err(Error::StepFailed(Box::new(StepFailure {
                step: step.summary.clone(),
                total: self.plan.steps.len(),
                ending,
                source_text: unit.source.clone(),
                span: step.span.clone(),
                log,
                tail,
                lines,
                build: self.build.id().to_owned(),
            }))),
        }
    }

    /// What goes into every key: see the table of [`crate::key`]. `below` if that counts.
    pub(super) fn add_common(&self, step: &Step, below: Option<&Below>, inputs: &mut Inputs) {
        if let Some(below) = below {
            inputs.content("the result of an earlier step", digest_of(&below.below));
        }
        inputs.value("platform", step.platform.to_string());
        let epoch = self.unit(step).epoch;
        inputs.value("SOURCE_DATE_EPOCH", epoch.map_or_else(String::new, |epoch| epoch.to_string()));
    }

    fn sources(&self, step: &Step, action: &CopyAction, below: &Below) -> Result<Sources, Error> {
        let (files, place): (Arc<dyn Files>, _) = match action.from {
            CopyFrom::Files(files) => (Arc::clone(&self.files[files.0]), "the context"),
            CopyFrom::Layers(State::Scratch) => (Arc::new(Layered::new(self.store.view(&[])?)), "the stage"),
            CopyFrom::Layers(State::After(id)) => {
                let chain = &below.uses[&id];
                self.prepare(chain, Mountable::Later)?;
                (Arc::new(Layered::new(self.store.view(chain)?)), "the files that `--from` names")
            }
        };
        copy::find(action, files, place, self.remotes, self.stop).map_err(|error| self.located(error, step))
    }

    fn copy_context(&self, step: &Step, below: &Below) -> Result<CopyContext<'_>, Error> {
        let epoch = self.unit(step).epoch;
        Ok(CopyContext {
            store: self.store,
            remotes: self.remotes,
            cancel: self.stop,
            below: self.store.view(&below.below)?,
            materialise: step.materialise,
            now: epoch.unwrap_or_else(|| jiff::Timestamp::now().as_second()),
            clamp: epoch,
            span: step.span.clone(),
        })
    }

    /// Makes sure that the layers are known that did not come of this build.
    pub(super) fn prepare(&self, chain: &[DiffId], trees: Mountable) -> Result<(), Error> {
        self.blobs.ensure(self.store, chain, trees)
    }

    /// The result under a key, from this store or from somebody else.
    fn known(&self, key: &Digest) -> Result<Option<StepResult>, Error> {
        match record::known(self.store, key)? {
            Some(result) => {
                self.locate(&result);
                Ok(Some(result))
            }
            None => self.imported(key),
        }
    }

    /// The result of somebody else. It is ours from now on.
    fn imported(&self, key: &Digest) -> Result<Option<StepResult>, Error> {
        let Some(result) = self.elsewhere.result(key).and_then(StepResult::found) else { return Ok(None) };
        record::keep(self.store, key, &result)?;
        self.locate(&result);
        Ok(Some(result))
    }

    /// Its layer may have to be fetched.
    fn locate(&self, result: &StepResult) {
        if let Some(blob) = &result.blob {
            self.blobs.add(&result.layer, blob);
        }
    }

    fn keep_quick(
        &self,
        step: &Step,
        quick: Option<&Digest>,
        key: &Digest,
        result: &StepResult,
    ) -> Result<(), Error> {
        match quick {
            Some(quick) if self.unit(step).remember => {
                record::keep(self.store, quick, &StepResult { full_key: Some(key.clone()), ..result.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Keeps the result for whoever exports it.
    fn hand_on(&self, key: Option<&Digest>, quick: Option<&Digest>, result: &StepResult) {
        if let Some(key) = key {
            self.results.add(key, &StepResult { full_key: None, ..result.clone() });
        }
        if let Some(quick) = quick {
            let full_key = key.cloned().or_else(|| result.full_key.clone());
            self.results.add(quick, &StepResult { full_key, ..result.clone() });
        }
    }

    /// A problem without a place is at that of the instruction.
    pub(super) fn located(&self, error: CopyError, step: &Step) -> Error {
        match error {
            CopyError::Failed(error) => error,
            CopyError::Problem(mut problem) => {
                if problem.span.is_empty() {
                    problem.span = step.span.clone();
                }
                Error::Dockerfile { source_text: self.unit(step).source.clone(), problems: vec![problem] }
            }
        }
    }
}

fn time(epoch: Option<i64>) -> String {
    match epoch.map(jiff::Timestamp::from_second) {
        Some(Ok(epoch)) => epoch.to_string(),
        _ => jiff::Timestamp::now().to_string(),
    }
}

enum Work<'a> {
    Run(&'a RunAction, Vec<Option<Found>>),
    Copy(&'a CopyAction, Sources),
    Workdir(&'a WorkdirAction),
}

fn done(below: &Below, result: StepResult, cached: bool) -> Done {
    let chain = below.below.iter().cloned().chain([result.layer]).collect();
    Done { chain: Arc::new(chain), created: Some(result.created), cached, size: result.size }
}

pub(super) fn run_inputs(action: &RunAction, inputs: &mut Inputs) {
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
    if action.privileges.insecure {
        inputs.value("security", "insecure");
    }
    for device in &action.privileges.devices {
        inputs.value("device", device.name.clone());
    }
    if action.hostname != crate::built_in::HOSTNAME {
        inputs.value("host name", action.hostname.clone());
    }
    if let Some(script) = &action.script {
        inputs.content("the script", Digest::of(script.text.as_bytes()).to_string());
    }
}
