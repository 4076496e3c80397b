//! `tug check`, and what `tug build --check` and `--call` do: look at Dockerfiles without building them.
//!
//! | module    | what it does                                                    |
//! | --------- | --------------------------------------------------------------- |
//! | `report`  | what was found, for people and as annotations                   |
//! | `json`    | the same with the members that buildx writes                    |
//! | `sarif`   | the same as SARIF 2.1.0                                         |
//! | `outline` | what targets there are, and what one of them takes              |
//! | `mend`    | `--fix`: changes files                                          |
//!
//! No base image needs to be there, and nothing that a container needs. If the store has a base image, the rules see its
//! variables.

mod json;
mod mend;
mod outline;
mod report;
mod sarif;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use tug_builder::{ContextSource, DockerfileSource, Error, Findings, InspectOptions, Inspected};
use tug_layer_store::Store;
use tug_oci::Platform;

use super::build::{Call, Format, Method, dockerfile_sources};
use crate::arguments::values::Assignment;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::session;
use crate::settings::Settings;
pub(super) use json::metadata_warnings;
use report::Checked;

/// Arguments of `tug check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug check                                       Check the Dockerfile in this folder
  tug check -f web/Dockerfile -f db/Dockerfile    Check several at once
  tug check - < Dockerfile                        Check what comes on standard input
  tug check --fix --dry-run                       Show how the file would be mended
  tug check --fix                                 Mend it
  tug check --format sarif > found.sarif          For code scanning

Ends with 1 when something was found. `# check=skip=RULE` above an instruction, or at the top of the file, leaves a
rule out; docs/checks.md says what each rule is for.")]
pub(crate) struct CheckCommandArguments {
    /// The folder with the Dockerfile, the Dockerfile itself, or `-` for one or a tar on standard input
    #[arg(value_name = "PATH", default_value = ".")]
    context: OsString,
    /// Check this Dockerfile, or `-` for standard input (can be repeated) [default: `Dockerfile` in PATH]
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<OsString>,
    /// Check only what this stage needs [default: all stages]
    #[arg(long, value_name = "STAGE")]
    target: Option<String>,
    /// Give an ARG its value; without `=VALUE` it is taken from the environment (can be repeated)
    #[arg(long = "build-arg", value_name = "NAME[=VALUE]")]
    build_args: Vec<Assignment>,
    /// Check as for an image of this platform
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
    /// How to tell what was found
    #[arg(long, value_name = "FORMAT", default_value = "text", hide_default_value = true)]
    format: Format,
    /// Mend what can be mended without changing what is built
    #[arg(long)]
    fix: bool,
    /// With --fix: show what would be changed, and change nothing
    #[arg(long, visible_alias = "diff", requires = "fix")]
    dry_run: bool,
}

/// `tug check`.
pub(super) fn run(arguments: &CheckCommandArguments, settings: &Settings) -> Result<Exit, CommandError> {
    let environment = &settings.environment;
    let build_args: BTreeMap<String, String> =
        arguments.build_args.iter().filter_map(|assignment| assignment.pair(environment)).collect();
    let platform = match &arguments.platform {
        Some(text) => {
            text.parse().map_err(|error| CommandError::usage(format_args!("`--platform`: {error}")))?
        }
        None => Platform::host(),
    };
    let options = InspectOptions { target: arguments.target.clone(), build_args, platform };
    // `tug check Dockerfile.web` can only mean one thing.
    let is_file = arguments.files.is_empty() && Path::new(&arguments.context).is_file();
    let here = OsString::from(".");
    let context = if is_file { &here } else { &arguments.context };
    let files: Vec<Option<&OsString>> = match arguments.files.as_slice() {
        [] if is_file => vec![Some(&arguments.context)],
        [] => vec![None],
        files => files.iter().map(Some).collect(),
    };
    if files.iter().flatten().filter(|file| **file == "-").count() > 1 {
        return Err(CommandError::usage("standard input can only be one of the Dockerfiles"));
    }
    let mut read = Vec::new();
    for file in files {
        let (context, dockerfile) = dockerfile_sources(context, file.map(OsString::as_os_str))?;
        read.push(inspect(context, dockerfile, &options)?);
    }
    let folder = seen_from(context, is_file || !arguments.files.is_empty());
    if arguments.fix {
        return mend::run(&read, &options, store(settings).as_ref(), arguments.dry_run, folder, settings);
    }
    let call = Call { format: arguments.format, ..Call::check() };
    check(&read, &options, call, folder, settings)
}

/// What `tug build --call` asks for, of one Dockerfile. Names of files are seen from `folder`.
pub(super) fn call(
    call: Call,
    context: ContextSource,
    dockerfile: DockerfileSource,
    options: &InspectOptions,
    folder: &Path,
    settings: &Settings,
) -> Result<Exit, CommandError> {
    let inspected = inspect(context, dockerfile, options)?;
    match call.method {
        Method::Outline => outline::print_outline(&inspected, &inspected.outline(options)?, call, settings)?,
        Method::Targets => outline::print_targets(&inspected, &inspected.targets()?, call, settings)?,
        Method::Check | Method::Build => return check(&[inspected], options, call, folder, settings),
    }
    Ok(Exit::Success)
}

fn check(
    read: &[Inspected],
    options: &InspectOptions,
    call: Call,
    folder: &Path,
    settings: &Settings,
) -> Result<Exit, CommandError> {
    let store = store(settings);
    let mut checked = Vec::new();
    for inspected in read {
        let findings = match inspected.lint(options, store.as_ref()) {
            Ok(findings) => findings,
            // Without any stage there is only what is wrong with the file.
            Err(Error::Dockerfile { .. }) if !inspected.problems.is_empty() => Findings::default(),
            Err(error) => return Err(error.into()),
        };
        checked.push(Checked { inspected, findings });
    }
    let is_clean = checked.iter().all(Checked::is_clean);
    match call.format {
        Format::Text => return report::text(&checked, call, folder, settings),
        Format::Json => settings.output.line(format_args!("{:#}", json::results(&checked)))?,
        Format::Sarif => settings.output.line(format_args!("{:#}", sarif::log(&checked, folder)))?,
        Format::Github => settings.output.data(report::annotations(&checked, folder).as_bytes())?,
    }
    Ok(if is_clean || call.ignore_status { Exit::Success } else { Exit::Failed })
}

fn inspect(
    context: ContextSource,
    dockerfile: DockerfileSource,
    options: &InspectOptions,
) -> Result<Inspected, CommandError> {
    Ok(Inspected::read(context, dockerfile, &options.build_args)?)
}

/// The store, if there is one: looking must not make any.
fn store(settings: &Settings) -> Option<Store> {
    let root = settings.store().ok()?;
    root.join("oci-layout").exists().then(|| session::open_store(settings).ok()).flatten()
}

/// The folder from which names of Dockerfiles are seen: the context, unless they are named from here.
fn seen_from(context: &OsString, named: bool) -> &Path {
    let context = Path::new(context);
    let is_here = named || context == "-" || context == ".";
    if is_here { Path::new("") } else { context.strip_prefix("./").unwrap_or(context) }
}
