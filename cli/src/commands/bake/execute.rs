//! Builds the targets of a plan as one graph.

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tug_bake::{Plan, Target};
use tug_builder::{BuildOptions, Built, Cancel, ContextSource, NamedContext};
use tug_layer_store::Store;
use tug_transfer::Remote;

use super::super::build::outcome::{self, Outcome};
use super::super::build::{self, BuildArguments, Caches, Prepared, Registries};
use super::{BakeArguments, words};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::progress::{Progress, ProgressMode};
use crate::session::{self, Session};
use crate::settings::Settings;
use crate::signals::Interrupts;

/// A target that is ready to be built.
struct Job<'a> {
    name: &'a str,
    target: &'a Target,
    arguments: BuildArguments,
    prepared: Prepared,
    /// Its units among those of all targets.
    units: Range<usize>,
}

/// Builds everything in `plan`.
pub(super) fn run(plan: &Plan, arguments: &BakeArguments, settings: &Settings) -> Result<Exit, CommandError> {
    let mode = ProgressMode::chosen(arguments.progress, &settings.environment, &settings.output)?;
    if let Some(file) = &arguments.metadata_file {
        outcome::check_file(file)?;
    }
    let (mut jobs, mut units) = prepare(plan, arguments, settings)?;
    let stdout_is_taken = jobs.iter().filter(|job| job.prepared.takes_stdout()).count();
    if stdout_is_taken > 1 {
        return Err(CommandError::failed("only one target can write to standard output"));
    }
    let reached = arguments.registry.options(&settings.environment, None)?;
    let start = Instant::now();
    let session = Session::enter_if_possible(settings)?;
    // From here on there may be threads.
    session::tidy_in_background(&session.store);
    for job in &mut jobs {
        job.prepared.start_agents(&job.arguments, &mut units[job.units.clone()], settings)?;
    }
    let cancel = Cancel::default();
    let interrupts = {
        let cancel = cancel.clone();
        Interrupts::watch(move || cancel.cancel())?
    };
    let reached = jobs.iter().all(|job| !job.arguments.is_offline(&settings.environment)).then_some(reached);
    let registries = Registries::start(reached, &cancel)?;
    let store = registries.behind(&session.store);
    let pull = jobs.iter().filter_map(|job| job.arguments.how.pull).next();
    let mut elsewhere = registries.elsewhere(pull, None);
    let caches = Caches::of(jobs.iter().map(|job| &job.arguments.cache));
    caches.join(&mut elsewhere, &registries, &store, &units);
    units.iter_mut().for_each(|unit| unit.elsewhere = elsewhere.clone());
    let mut progress = Progress::start(mode, "Dockerfile", &interrupts, settings);
    let done = registries.telling(&progress, || {
        let built = tug_builder::build_all(&store, &session.runtime, units, &progress, &cancel);
        built.map(|built| {
            let done = put(jobs, &built, &store, registries.remote(), &progress, &cancel);
            let exported = caches.export(registries.remote(), &store, &progress);
            done.and_then(|done| exported.map(|()| done))
        })
    });
    progress.finish();
    session::after_build(&session.store, settings);
    let took = start.elapsed();
    match done {
        Ok(Ok(done)) => {
            let outcomes: Vec<_> = done.into_iter().map(|done| done.outcome(took)).collect();
            succeeded(&outcomes, stdout_is_taken > 0, arguments, mode, settings)?;
            Ok(Exit::Success)
        }
        Ok(Err(error)) => Err(interrupts.behind(error)),
        Err(error) => Err(build::failure(error, None, &interrupts, (mode, Path::new("")), settings)),
    }
}

/// The targets, each behind those that it is linked to.
fn in_order(plan: &Plan) -> Vec<&str> {
    fn add<'a>(name: &'a str, plan: &'a Plan, order: &mut Vec<&'a str>) {
        if order.contains(&name) {
            return;
        }
        for (_, linked) in links(&plan.targets[name]) {
            add(linked, plan, order);
        }
        order.push(name);
    }
    let mut order = Vec::with_capacity(plan.targets.len());
    for name in plan.targets.keys() {
        add(name, plan, &mut order);
    }
    order
}

/// The contexts of a target that are other targets.
fn links(target: &Target) -> impl Iterator<Item = (&str, &str)> {
    let each = target.contexts.iter();
    each.filter_map(|(name, context)| Some((name.as_str(), context.strip_prefix("target:")?)))
}

/// The jobs, and the units of all of them.
fn prepare<'a>(
    plan: &'a Plan,
    arguments: &BakeArguments,
    settings: &Settings,
) -> Result<(Vec<Job<'a>>, Vec<BuildOptions>), CommandError> {
    let more: Vec<String> = arguments.jobs.iter().map(|jobs| format!("--jobs={jobs}")).collect();
    let names = in_order(plan);
    let mut jobs: Vec<Job<'_>> = Vec::with_capacity(names.len());
    let mut all: Vec<BuildOptions> = Vec::with_capacity(names.len());
    let mut left_out: Vec<&str> = Vec::new();
    let mut notes: Vec<String> = Vec::new();
    for name in &names {
        let target = &plan.targets[*name];
        let understood = words::understand(name, target, &more)?;
        left_out.extend(&understood.left_out);
        let prepared = Prepared::new(&understood.arguments, settings)?;
        let units = prepared.units(&understood.arguments, settings)?;
        notes.extend(prepared.notes.iter().cloned());
        let first = all.len();
        for mut unit in units {
            if let ContextSource::OfUnit(number) = &mut unit.context {
                *number += first;
            }
            if let Some(text) = words::inline_dockerfile(name, target) {
                unit.dockerfile = text;
            }
            if names.len() > 1 {
                unit.name = format!("{name} {}", unit.name).trim_end().to_owned();
            }
            // What only another target needs gets no name and is not kept.
            unit.keep &= !target.linked;
            for (context, linked) in links(target) {
                let number = linked_unit(linked, &unit, &jobs, &all);
                unit.named_contexts.push((context.to_owned(), NamedContext::Unit(number)));
            }
            all.push(unit);
        }
        jobs.push(Job { name, target, arguments: understood.arguments, prepared, units: first..all.len() });
    }
    notes.extend(left_out.into_iter().map(|attribute| format!("`{attribute}` has no effect yet")));
    notes.sort_unstable();
    notes.dedup();
    notes.iter().for_each(|note| settings.output.warning(note));
    Ok((jobs, all))
}

/// The unit of a linked target that `unit` gets: that of its platform, else the only one, else the first.
fn linked_unit(linked: &str, unit: &BuildOptions, jobs: &[Job<'_>], all: &[BuildOptions]) -> usize {
    let units = jobs.iter().find(|job| job.name == linked).map_or(0..0, |job| job.units.clone());
    let first = units.start;
    units.into_iter().find(|number| all[*number].platform == unit.platform).unwrap_or(first)
}

/// A target that was built, and what came of it.
struct Done<'a> {
    name: &'a str,
    linked: bool,
    put: build::Put,
    built: Vec<Built>,
}

impl<'a> Done<'a> {
    fn outcome(self, took: Duration) -> (&'a str, bool, Outcome) {
        (self.name, self.linked, Outcome::new(&self.built, self.put, took))
    }
}

/// Puts the results of all targets where they were asked for.
fn put<'a>(
    jobs: Vec<Job<'a>>,
    built: &[Built],
    store: &Store,
    remote: Option<&Remote>,
    progress: &Progress,
    cancel: &Cancel,
) -> Result<Vec<Done<'a>>, CommandError> {
    let mut all = Vec::with_capacity(jobs.len());
    for mut job in jobs {
        let own = built[job.units].to_vec();
        let put = match job.target.linked {
            true => build::Put::default(),
            false => job.prepared.put(store, &own, remote, progress, cancel)?,
        };
        all.push(Done { name: job.name, linked: job.target.linked, put, built: own });
    }
    Ok(all)
}

/// Writes what was asked for, and says what was built.
fn succeeded(
    outcomes: &[(&str, bool, Outcome)],
    stdout_is_taken: bool,
    arguments: &BakeArguments,
    mode: ProgressMode,
    settings: &Settings,
) -> Result<(), CommandError> {
    if let Some(file) = &arguments.metadata_file {
        let each = outcomes.iter().map(|(name, _, outcome)| ((*name).to_owned(), outcome::metadata(outcome)));
        outcome::write_json(file, &Value::Object(each.collect::<Map<_, _>>()))?;
    }
    let asked_for: Vec<_> = outcomes.iter().filter(|(_, linked, _)| !linked).collect();
    for (name, _, outcome) in &asked_for {
        outcome::say(outcome, name, mode, &settings.output);
    }
    let is_wanted =
        mode == ProgressMode::Quiet || (mode != ProgressMode::None && !settings.output.stdout.terminal);
    for (_, _, outcome) in asked_for.iter().filter(|_| is_wanted && !stdout_is_taken) {
        if let Some(image) = outcome.image() {
            settings.output.line(&image.digest)?;
        }
    }
    Ok(())
}
