//! `tug build`: from a Dockerfile to an image in the store.

mod arguments;
mod outcome;
mod sources;

use std::path::Path;
use std::time::Instant;

use tug_builder::{BuildOptions, Cancel, Error, NetworkMode};
use tug_oci::Platform;

pub(crate) use arguments::BuildArguments;
use arguments::NetworkChoice;

use crate::arguments::values;
use crate::environment::{self, Environment};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::progress::{Progress, ProgressMode};
use crate::session::{self, Session};
use crate::settings::Settings;
use crate::signals::Interrupts;

/// Builds the image.
pub(super) fn run(arguments: &BuildArguments, settings: &Settings) -> Result<Exit, CommandError> {
    let environment = &settings.environment;
    let flag = if arguments.tell.quiet { Some(ProgressMode::Quiet) } else { arguments.tell.progress };
    let mode = ProgressMode::chosen(flag, environment, &settings.output)?;
    let platform = platform(arguments, environment)?;
    let source_date_epoch = source_date_epoch(arguments, settings)?;
    outcome::check_files(arguments)?;
    let (context, dockerfile) = sources::find(arguments)?;

    let start = Instant::now();
    let session = Session::enter(settings)?;
    // From here on there may be threads.
    session::tidy_in_background(&session.store);
    let cancel = Cancel::default();
    let interrupts = {
        let cancel = cancel.clone();
        Interrupts::watch(move || cancel.cancel())?
    };
    let file = names_from(arguments).join(arguments.what.file.as_deref().unwrap_or("Dockerfile".as_ref()));
    let mut progress = Progress::start(mode, &file.to_string_lossy(), &interrupts, settings);
    let options = BuildOptions {
        target: arguments.what.target.clone(),
        build_args: arguments.what.build_args(environment),
        labels: arguments.what.labels(),
        tags: arguments.what.tags.clone(),
        no_cache: arguments.how.no_cache,
        platform,
        network: match arguments.how.network {
            NetworkChoice::Host | NetworkChoice::Default => NetworkMode::Host,
            NetworkChoice::None => NetworkMode::None,
        },
        jobs: arguments.how.jobs.map_or_else(default_jobs, std::num::NonZero::get),
        source_date_epoch,
        proxy_environment: proxies(environment),
        ..BuildOptions::new(context, dockerfile)
    };
    let result = tug_builder::build(&session.store, &session.runtime, options, &progress, &cancel);
    progress.finish();
    let took = start.elapsed();
    match result {
        Ok(built) => {
            outcome::succeeded(arguments, &built, took, mode, &settings.output)?;
            Ok(Exit::Success)
        }
        Err(error) => Err(failed(arguments, error, &interrupts, mode, settings)),
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
    let mut failure = match (&error, interrupts.signal()) {
        (Error::Cancelled, Some(signal)) => CommandError::new(Exit::Signal(signal), error),
        (_, Some(signal)) => CommandError::from(error).exiting(Exit::Signal(signal)),
        (_, None) => CommandError::from(error),
    };
    if let (true, Some(code)) = (arguments.tell.propagate_exit_code, own_code) {
        failure = failure.exiting(Exit::Command(code));
    }
    if let Err(error) = record {
        settings.output.talk(&error.text(settings.output.stderr));
    }
    if mode == ProgressMode::RawJson {
        return failure.in_json();
    }
    if crate::progress::is_github(&settings.environment) && !matches!(failure.exit(), Exit::Signal(_)) {
        settings.output.talk(&failure.annotations(names_from(arguments)));
        return failure.in_github_log();
    }
    failure
}

/// The folder from which the name of the Dockerfile is seen in messages: the context, unless `-f` names it from here.
fn names_from(arguments: &BuildArguments) -> &Path {
    let context = Path::new(&arguments.what.context);
    let is_here = arguments.what.file.is_some() || context == "-" || context == ".";
    if is_here { Path::new("") } else { context.strip_prefix("./").unwrap_or(context) }
}

/// What the image is for. We can only build for the machine we are on.
fn platform(arguments: &BuildArguments, environment: &Environment) -> Result<Platform, CommandError> {
    let variable = environment::DOCKER_DEFAULT_PLATFORM;
    let (text, origin) = match (&arguments.how.platform, environment.text(variable)) {
        (Some(text), _) => (text.as_str(), "--platform"),
        (None, Some(text)) => (text, variable),
        (None, None) => return Ok(Platform::host()),
    };
    if text.contains(',') {
        return Err(CommandError::usage(format_args!("`{origin}`: tug builds for one platform at a time")));
    }
    let wanted: Platform =
        text.parse().map_err(|error| CommandError::usage(format_args!("`{origin}`: {error}")))?;
    let host = Platform::host();
    if !host.satisfies(&wanted) {
        return Err(CommandError::new(
            Exit::Host,
            format_args!("cannot build for `{wanted}` on a machine of `{host}`"),
        )
        .hint("tug does not emulate other processors yet: build on a machine of that kind"));
    }
    Ok(wanted)
}

/// The time of everything new: the flag, else the build argument as in buildx, else the environment.
fn source_date_epoch(arguments: &BuildArguments, settings: &Settings) -> Result<Option<i64>, CommandError> {
    if let Some(seconds) = arguments.how.timestamp {
        return Ok(Some(seconds));
    }
    let variable = environment::SOURCE_DATE_EPOCH;
    match arguments.what.build_args(&settings.environment).get(variable) {
        Some(text) if !text.is_empty() => values::seconds(text).map(Some).map_err(|error| {
            CommandError::usage(error).hint(format!("this is about `--build-arg {variable}={text}`"))
        }),
        _ => settings.source_date_epoch(),
    }
}

fn proxies(environment: &Environment) -> Vec<(String, String)> {
    environment::PROXIES
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), environment.text(name)?.to_owned())))
        .collect()
}

/// Steps mostly wait for disks and networks, so there may be some more of them than processors.
fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(4, |count| (count.get() * 2).max(4))
}
