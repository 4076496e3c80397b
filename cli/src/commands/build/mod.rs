//! `tug build`: from a Dockerfile to an image in the store.

mod arguments;
mod cache;
mod entrusted;
mod github;
mod key_agent;
pub(super) mod outcome;
mod output;
mod platforms;
mod prepared;
mod registries;
mod reproducible;
mod sandbox;
mod sources;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tug_builder::{BuildOptions, Cancel, DockerfileSource, Error, Event, InspectOptions, Reporter};
use tug_layer_store::CompressAhead;
use tug_oci::Platform;

pub(crate) use arguments::{BuildArguments, Call, Format, Method};
pub(super) use cache::Caches;
use outcome::Outcome;
pub(super) use output::{Annotations, Put, annotations};
pub(super) use prepared::Prepared;
use registries::Compressed;
pub(super) use registries::Registries;
use reproducible::Report;
pub(crate) use sources::of as dockerfile_sources;

use crate::environment::{self, Environment};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::progress::{LogFile, Progress, ProgressMode, Watched};
use crate::session::{self, Session};
use crate::settings::Settings;
use crate::signals::Interrupts;

/// Builds the image.
pub(super) fn run(arguments: &BuildArguments, settings: &Settings) -> Result<Exit, CommandError> {
    let environment = &settings.environment;
    if let Some(call) = arguments.check.call() {
        return look(call, arguments, None, settings);
    }
    let quiet =
        arguments.tell.quiet || (arguments.tell.logfile.is_some() && arguments.tell.progress.is_none());
    let flag = if quiet { Some(ProgressMode::Quiet) } else { arguments.tell.progress };
    let mode = ProgressMode::chosen(flag, environment, &settings.output)?;
    outcome::check_files(arguments)?;
    let mut prepared = Prepared::new(arguments, settings)?;
    let reached = arguments.reached(environment)?;
    if arguments.outputs.check_reproducible.is_some() {
        refuse_what_is_read_once(arguments, &prepared)?;
    }
    let mut units = prepared.units(arguments, settings)?;

    let start = Instant::now();
    let session = Session::enter_if_possible(settings)?;
    // From here on there may be threads.
    session::tidy_in_background(&session.store);
    prepared.start_agents(arguments, &mut units, settings)?;
    let cancel = Cancel::default();
    let interrupts = {
        let cancel = cancel.clone();
        Interrupts::watch(move || cancel.cancel())?
    };
    let registries = Registries::start(reached, &cancel)?;
    let store = registries.behind(&session.store);
    let (destinations, compression) = prepared.destinations();
    let ahead = registries.ahead(&store, destinations, compression);
    let mut elsewhere = registries.elsewhere(arguments.how.pull, ahead.as_ref());
    let compressing = prepared.compression().map(|how| Arc::new(CompressAhead::start(&session.store, how)));
    if let Some(compressing) = &compressing {
        elsewhere.layers = Some(Arc::new(Compressed(Arc::clone(compressing))));
    }
    let caches = Caches::of([&arguments.cache]);
    caches.join(&mut elsewhere, &registries, &store, &units);
    units.iter_mut().for_each(|unit| unit.elsewhere = elsewhere.clone());
    let file = names_from(arguments).join(arguments.what.file().unwrap_or("Dockerfile".as_ref()));
    let mut progress = Progress::start(mode, &file.to_string_lossy(), &interrupts, settings);
    let log = LogFile::new(&progress, arguments.tell.logfile.as_deref())?;
    for message in &prepared.notes {
        log.report(Event::Warning { message: message.clone(), line: 0 });
    }
    let watched = Watched::new(&log);
    let stdout_is_taken = prepared.takes_stdout();
    let put = registries.telling(&watched, || {
        let built = tug_builder::build_all(&store, &session.runtime, units, &watched, &cancel);
        match (&ahead, &built) {
            (Some(ahead), Ok(_)) => ahead.finish(),
            (Some(ahead), Err(_)) => ahead.cancel(),
            (None, _) => {}
        }
        if let (Some(compressing), Ok(_)) = (&compressing, &built) {
            compressing.finish();
        }
        built.map(|built| {
            let put = prepared.put(&store, &built, registries.remote(), &watched, &cancel);
            let exported = caches.export(registries.remote(), &store, &watched);
            (built, put.and_then(|put| exported.map(|()| put)))
        })
    });
    let build = watched.into_build();
    log.finish();
    progress.finish();
    session::after_build(&session.store, settings);
    let took = start.elapsed();
    if let (true, Some(build)) = (arguments.tell.explain && mode != ProgressMode::RawJson, &build) {
        super::explain::after_build(&session.store, build, &settings.output)?;
    }
    match put {
        Ok((built, Ok(put))) => {
            let outcome = Outcome::new(&built, put, took);
            outcome::tell_github(&outcome, settings);
            let Some(format) = arguments.outputs.check_reproducible else {
                outcome::succeeded(arguments, &outcome, mode, stdout_is_taken, &settings.output)?;
                return Ok(Exit::Success);
            };
            // The report takes the place of the digest.
            outcome::succeeded(arguments, &outcome, mode, true, &settings.output)?;
            let again = prepared.units(arguments, settings)?.into_iter().map(|unit| BuildOptions {
                tags: Vec::new(),
                keep: false,
                no_cache: true,
                remember: false,
                jobs: 1,
                ..unit
            });
            let mut progress = Progress::start(mode, &file.to_string_lossy(), &interrupts, settings);
            let second =
                tug_builder::build_all(&store, &session.runtime, again.collect(), &progress, &cancel);
            progress.finish();
            let second = second.map_err(|error| failed(arguments, error, &interrupts, mode, settings))?;
            let report = Report::of(&store, prepared.platforms(), (&built, &second), prepared.has_epoch())?;
            settings.output.data(report.text(format).as_bytes())?;
            Ok(if report.is_same() { Exit::Success } else { Exit::Failed })
        }
        Ok((_, Err(error))) => Err(interrupts.behind(error)),
        Err(error) => Err(failed(arguments, error, &interrupts, mode, settings)),
    }
}

/// What `--check` and `--call` ask for: nothing is built.
pub(super) fn look(
    call: Call,
    arguments: &BuildArguments,
    text: Option<DockerfileSource>,
    settings: &Settings,
) -> Result<Exit, CommandError> {
    let environment = &settings.environment;
    let options = InspectOptions {
        target: arguments.what.target.clone(),
        build_args: arguments.what.build_args(environment)?,
        platform: asked_platform(arguments, environment)?,
    };
    let (context, dockerfile) = sources::find(arguments)?;
    let dockerfile = text.unwrap_or(dockerfile);
    super::check::call(call, context, dockerfile, &options, names_from(arguments), settings)
}

/// The first platform that is asked for; it need not be one that could be built for.
fn asked_platform(arguments: &BuildArguments, environment: &Environment) -> Result<Platform, CommandError> {
    let variable = environment::DOCKER_DEFAULT_PLATFORM;
    let (asked, _) = arguments.how.platforms();
    let asked = asked.first().map(String::as_str).or_else(|| environment.text(variable));
    match asked.and_then(|text| text.split(',').next()) {
        None | Some("" | "local") => Ok(Platform::host()),
        Some(text) => {
            text.parse().map_err(|error| CommandError::usage(format_args!("`--platform`: {error}")))
        }
    }
}

/// A second build needs everything once more.
fn refuse_what_is_read_once(arguments: &BuildArguments, prepared: &Prepared) -> Result<(), CommandError> {
    let is_stdin = |name: &std::ffi::OsStr| name == "-";
    if is_stdin(&arguments.what.context) || arguments.what.file().is_some_and(is_stdin) {
        return Err(CommandError::usage(
            "`--check-reproducible` builds twice, and standard input can be read only once",
        )
        .hint("put it into a folder or a file"));
    }
    match prepared.takes_stdout() {
        true => Err(CommandError::usage("the report of `--check-reproducible` goes to standard output")
            .hint("give the output a file: `dest=FILE`")),
        false => Ok(()),
    }
}

fn failed(
    arguments: &BuildArguments,
    error: Error,
    interrupts: &Interrupts,
    mode: ProgressMode,
    settings: &Settings,
) -> CommandError {
    let own_code = outcome::own_exit_code(&error);
    let record = outcome::record_failure(arguments, &error);
    if let Err(error) = record {
        settings.output.talk(&error.text(settings.output.stderr));
    }
    let own_code = own_code.filter(|_| arguments.tell.propagate_exit_code);
    failure(error, own_code, interrupts, (mode, names_from(arguments)), settings)
}

/// A build that failed, as the command's error. Annotations name files as seen from `folder`.
pub(super) fn failure(
    error: Error,
    own_code: Option<u8>,
    interrupts: &Interrupts,
    (mode, folder): (ProgressMode, &Path),
    settings: &Settings,
) -> CommandError {
    let look_around = outcome::look_around(&error, settings);
    let mut failure = match (&error, interrupts.signal()) {
        (Error::Cancelled, Some(signal)) => CommandError::new(Exit::Signal(signal), error),
        (_, Some(signal)) => CommandError::from(error).exiting(Exit::Signal(signal)),
        (_, None) => CommandError::from(error),
    };
    if let Some(code) = own_code {
        failure = failure.exiting(Exit::Command(code));
    }
    if let Some(hint) = look_around {
        failure = failure.also_hint(hint);
    }
    if mode == ProgressMode::RawJson {
        return failure.in_json();
    }
    if crate::progress::is_github(&settings.environment) && !matches!(failure.exit(), Exit::Signal(_)) {
        settings.output.talk(&failure.annotations(folder));
        return failure.in_github_log();
    }
    failure
}

/// The folder from which the name of the Dockerfile is seen in messages: the context, unless `-f` names it from here.
fn names_from(arguments: &BuildArguments) -> &Path {
    let context = Path::new(&arguments.what.context);
    if sources::address(&arguments.what.context).is_ok_and(|address| address.is_some()) {
        return Path::new("");
    }
    let is_here = arguments.what.file().is_some() || context == "-" || context == ".";
    if is_here { Path::new("") } else { context.strip_prefix("./").unwrap_or(context) }
}
