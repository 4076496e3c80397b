//! `tug build`: from a Dockerfile to an image in the store.

mod arguments;
mod entrusted;
mod key_agent;
mod outcome;
mod output;
mod platforms;
mod reproducible;
mod sandbox;
mod sources;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use tug_builder::{
    BuildOptions, Cancel, ContextSource, DockerfileSource, Error, Event, ImageChanges, InspectOptions,
    NetworkMode, Product, Reporter,
};
use tug_oci::{Descriptor, Platform};

pub(crate) use arguments::{BuildArguments, Call, Format, Method};
use arguments::{NetworkChoice, PullChoice, note, value};
use outcome::Outcome;
use output::{Outputs, Put};
use platforms::Platforms;
use reproducible::Report;
pub(crate) use sources::of as dockerfile_sources;

use crate::arguments::values;
use crate::environment::{self, Environment};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::progress::{LogFile, Progress, ProgressMode};
use crate::session::{self, Session};
use crate::settings::Settings;
use crate::signals::Interrupts;

/// Builds the image.
pub(super) fn run(arguments: &BuildArguments, settings: &Settings) -> Result<Exit, CommandError> {
    let environment = &settings.environment;
    if let Some(call) = arguments.check.call() {
        return look(call, arguments, settings);
    }
    let quiet =
        arguments.tell.quiet || (arguments.tell.logfile.is_some() && arguments.tell.progress.is_none());
    let flag = if quiet { Some(ProgressMode::Quiet) } else { arguments.tell.progress };
    let mode = ProgressMode::chosen(flag, environment, &settings.output)?;
    let platforms = Platforms::wanted(arguments, environment)?;
    let build_args = arguments.what.build_args(environment)?;
    let (source_date_epoch, epoch_of_context) = match is_epoch_of_context(arguments, &build_args, environment)
    {
        true => (None, true),
        false => (source_date_epoch(arguments, &build_args, settings)?, false),
    };
    let mut notes = arguments.habits.judge()?;
    let steps = sandbox::steps(&arguments.steps)?;
    notes.extend(steps.notes);
    if let Some(PullChoice::Always | PullChoice::Newer) = arguments.how.pull {
        notes.push(note(
            &["`--pull`".to_owned()],
            "base images come from the store, and `tug load` brings newer ones",
        ));
    }
    outcome::check_files(arguments)?;
    let outputs = Outputs::open(arguments, settings)?;
    if arguments.outputs.check_reproducible.is_some() {
        refuse_what_is_read_once(arguments, &outputs)?;
    }
    let secrets = entrusted::secrets(&arguments.entrust, settings)?;
    let (context, dockerfile) = sources::find(arguments)?;
    arguments.contexts.check(|_| None)?;

    let start = Instant::now();
    let session = Session::enter(settings)?;
    // From here on there may be threads.
    session::tidy_in_background(&session.store);
    let (ssh_agents, _key_agents) = entrusted::agents(&arguments.entrust, environment)?;
    let cancel = Cancel::default();
    let interrupts = {
        let cancel = cancel.clone();
        Interrupts::watch(move || cancel.cancel())?
    };
    let file = names_from(arguments).join(arguments.what.file().unwrap_or("Dockerfile".as_ref()));
    let mut progress = Progress::start(mode, &file.to_string_lossy(), &interrupts, settings);
    let log = LogFile::new(&progress, arguments.tell.logfile.as_deref())?;
    for message in notes {
        log.report(Event::Warning { message, line: 0 });
    }
    let mut build_args = build_args;
    if let Some(seconds) = source_date_epoch {
        // As buildx does with the variable, so that `ARG SOURCE_DATE_EPOCH` has it.
        build_args.entry(environment::SOURCE_DATE_EPOCH.to_owned()).or_insert(seconds.to_string());
    }
    // The usual case: the image of one platform, in the store.
    let is_plain = outputs.is_default() && !platforms.is_index;
    let options = |context: ContextSource, dockerfile: DockerfileSource, platform: &Platform| BuildOptions {
        name: if platforms.all.len() > 1 { platform.to_string() } else { String::new() },
        target: arguments.what.target.clone(),
        build_args: build_args.clone(),
        labels: arguments.what.labels(),
        tags: if is_plain { arguments.what.tags.clone() } else { Vec::new() },
        keep: is_plain,
        squash: output::squash(&arguments.outputs),
        no_cache: arguments.how.no_cache,
        no_cache_stages: arguments.how.no_cache_filter.clone(),
        platform: platform.clone(),
        strict_platform: platforms.are_asked_for,
        network: match arguments.how.network {
            NetworkChoice::Host | NetworkChoice::Default => NetworkMode::Host,
            NetworkChoice::None => NetworkMode::None,
        },
        jobs: arguments.how.jobs.map_or_else(default_jobs, std::num::NonZero::get),
        source_date_epoch,
        epoch_of_context,
        named_contexts: arguments.contexts.named(|_| None),
        remote: crate::remote::options(environment),
        proxy_environment: if arguments.steps.http_proxy == Some(false) {
            Vec::new()
        } else {
            proxies(environment)
        },
        resolv_conf: steps.resolv_conf.clone(),
        sandbox: steps.sandbox.clone(),
        changes: changes(arguments, environment),
        ignore_file: arguments.what.ignore_file.clone(),
        secrets: secrets.clone(),
        ssh_agents: ssh_agents.clone(),
        ..BuildOptions::new(context, dockerfile)
    };
    // All platforms share the files of the first one.
    let units = |context: ContextSource, dockerfile: DockerfileSource| {
        let (first, others) = platforms.all.split_first().expect("there is always one platform");
        let others = others.iter().map(|other| options(ContextSource::OfUnit(0), dockerfile.clone(), other));
        let others: Vec<BuildOptions> = others.collect();
        let mut units = vec![options(context, dockerfile, first)];
        units.extend(others);
        units
    };

    let all = units(context, dockerfile);
    let built = tug_builder::build_all(&session.store, &session.runtime, all, &log, &cancel);
    let stdout_is_taken = outputs.take_stdout();
    let put = built.map(|built| {
        let put = if is_plain {
            let image = built.first().map(|built| built.descriptor.clone());
            Ok(Put { image, names: arguments.what.tags.clone(), notes: Vec::new() })
        } else {
            let stop = cancel.clone();
            let store = session.store.stopping_when(move || stop.is_cancelled());
            let images: Vec<(Descriptor, Platform)> = platforms
                .all
                .iter()
                .zip(&built)
                .map(|(platform, built)| (built.descriptor.clone(), platform.clone()))
                .collect();
            let product = Product::new(&store, &images, platforms.is_index).map_err(CommandError::from);
            product.and_then(|product| outputs.write(&store, &product, &log))
        };
        (built, put)
    });
    log.finish();
    progress.finish();
    let took = start.elapsed();
    match put {
        Ok((built, Ok(put))) => {
            let outcome = Outcome::new(&built, put, took);
            let Some(format) = arguments.outputs.check_reproducible else {
                outcome::succeeded(arguments, &outcome, mode, stdout_is_taken, &settings.output)?;
                return Ok(Exit::Success);
            };
            // The report takes the place of the digest.
            outcome::succeeded(arguments, &outcome, mode, true, &settings.output)?;
            let (context, dockerfile) = sources::find(arguments)?;
            let again = units(context, dockerfile).into_iter().map(|unit| BuildOptions {
                tags: Vec::new(),
                keep: false,
                no_cache: true,
                remember: false,
                jobs: 1,
                ..unit
            });
            let mut progress = Progress::start(mode, &file.to_string_lossy(), &interrupts, settings);
            let second =
                tug_builder::build_all(&session.store, &session.runtime, again.collect(), &progress, &cancel);
            progress.finish();
            let second = second.map_err(|error| failed(arguments, error, &interrupts, mode, settings))?;
            let has_epoch = source_date_epoch.is_some() || epoch_of_context;
            let report = Report::of(&session.store, &platforms.all, (&built, &second), has_epoch)?;
            settings.output.data(report.text(format).as_bytes())?;
            Ok(if report.is_same() { Exit::Success } else { Exit::Failed })
        }
        Ok((_, Err(error))) => Err(match interrupts.signal() {
            Some(signal) => error.exiting(Exit::Signal(signal)),
            None => error,
        }),
        Err(error) => Err(failed(arguments, error, &interrupts, mode, settings)),
    }
}

/// What `--check` and `--call` ask for: nothing is built.
fn look(call: Call, arguments: &BuildArguments, settings: &Settings) -> Result<Exit, CommandError> {
    let environment = &settings.environment;
    let options = InspectOptions {
        target: arguments.what.target.clone(),
        build_args: arguments.what.build_args(environment)?,
        platform: asked_platform(arguments, environment)?,
    };
    let (context, dockerfile) = sources::find(arguments)?;
    super::check::call(call, context, dockerfile, &options, names_from(arguments), settings)
}

/// The first platform that is asked for; it need not be one that could be built for.
fn asked_platform(arguments: &BuildArguments, environment: &Environment) -> Result<Platform, CommandError> {
    let variable = environment::DOCKER_DEFAULT_PLATFORM;
    let asked = arguments.how.platforms.first().map(String::as_str).or_else(|| environment.text(variable));
    match asked.and_then(|text| text.split(',').next()) {
        None | Some("" | "local") => Ok(Platform::host()),
        Some(text) => {
            text.parse().map_err(|error| CommandError::usage(format_args!("`--platform`: {error}")))
        }
    }
}

/// A second build needs everything once more.
fn refuse_what_is_read_once(arguments: &BuildArguments, outputs: &Outputs) -> Result<(), CommandError> {
    let is_stdin = |name: &std::ffi::OsStr| name == "-";
    if is_stdin(&arguments.what.context) || arguments.what.file().is_some_and(is_stdin) {
        return Err(CommandError::usage(
            "`--check-reproducible` builds twice, and standard input can be read only once",
        )
        .hint("put it into a folder or a file"));
    }
    match outputs.take_stdout() {
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
    if sources::address(&arguments.what.context).is_ok_and(|address| address.is_some()) {
        return Path::new("");
    }
    let is_here = arguments.what.file().is_some() || context == "-" || context == ".";
    if is_here { Path::new("") } else { context.strip_prefix("./").unwrap_or(context) }
}

/// Whether the time of everything new is that of the context: what `context` means instead of a number.
fn is_epoch_of_context(
    arguments: &BuildArguments,
    build_args: &BTreeMap<String, String>,
    environment: &Environment,
) -> bool {
    let variable = environment::SOURCE_DATE_EPOCH;
    let given = build_args.get(variable).map(String::as_str).filter(|text| !text.is_empty());
    arguments.how.timestamp.is_none() && given.or(environment.text(variable)) == Some("context")
}

/// The time of everything new: the flag, else the build argument as in buildx, else the environment.
fn source_date_epoch(
    arguments: &BuildArguments,
    build_args: &BTreeMap<String, String>,
    settings: &Settings,
) -> Result<Option<i64>, CommandError> {
    if let Some(seconds) = arguments.how.timestamp {
        return Ok(Some(seconds));
    }
    let variable = environment::SOURCE_DATE_EPOCH;
    match build_args.get(variable) {
        Some(text) if !text.is_empty() => values::seconds(text).map(Some).map_err(|error| {
            CommandError::usage(error).hint(format!("this is about `--build-arg {variable}={text}`"))
        }),
        _ => settings.source_date_epoch(),
    }
}

/// What is changed about the image from outside of the Dockerfile.
fn changes(arguments: &BuildArguments, environment: &Environment) -> ImageChanges {
    let image = &arguments.image;
    let env = image.env.iter();
    ImageChanges {
        first_base: image.from.clone(),
        env: env.filter_map(|found| Some((found.name.clone(), value(found, environment)?))).collect(),
        unset_env: image.unsetenv.clone(),
        unset_labels: image.unsetlabel.clone(),
        no_inherited_labels: image.inherit_labels == Some(false),
        no_history: image.omit_history == Some(true),
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
