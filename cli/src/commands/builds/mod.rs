//! `tug builds`: what was built, the newest first.

mod rm;

use jiff::Timestamp;
use serde_json::json;
use tug_builder::{Build, BuildStatus};

use crate::commands::prune;
use crate::error::CommandError;
use crate::format::{self, Row, Table};
use crate::human;
use crate::session;
use crate::settings::Settings;

/// Arguments of `tug builds`.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  tug builds                                      The table
  tug builds --filter status=failed               Only those that failed
  tug builds --filter name=app -n 5               The last five of one image
  tug builds -q --filter status=running           Only the names of those that run
  tug builds --format '{{.ID}} {{.Error}}'        One line for each
  tug builds --format json                        For programs
  tug builds rm --all                             Take all records away
  tug builds prune --keep 20                      All but the newest 20

`tug log`, `tug explain` and `tug debug` look into one build. The records of old builds are taken away by
themselves: the last 200 are kept, and of their logs 512 MB."
)]
pub(crate) struct BuildsArguments {
    #[command(subcommand)]
    command: Option<BuildsCommand>,
    /// Show only builds with this `status` (done, failed, running, cancelled, killed) or `name` (can be repeated)
    #[arg(short, long = "filter", value_name = "KEY=VALUE")]
    filters: Vec<Filter>,
    /// Show only so many, the newest ones
    #[arg(short = 'n', long = "last", value_name = "N")]
    last: Option<usize>,
    /// Show only the names of the builds
    #[arg(short, long)]
    quiet: bool,
    /// Write `json`, or what a template says, such as `{{.ID}}`
    #[arg(long, value_name = "FORMAT", conflicts_with = "quiet")]
    format: Option<String>,
}

/// What can be done with records of builds.
#[derive(Debug, clap::Subcommand)]
enum BuildsCommand {
    /// Take records of builds away: events and logs, not the images
    Rm(rm::RmArguments),
    /// Take records of old builds away
    Prune(prune::builds::BuildsPruneArguments),
}

/// Which builds are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Filter {
    Status(String),
    Name(String),
}

impl std::str::FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const STATES: [BuildStatus; 5] = [
            BuildStatus::Done,
            BuildStatus::Failed,
            BuildStatus::Running,
            BuildStatus::Cancelled,
            BuildStatus::Killed,
        ];
        match text.split_once('=') {
            Some(("status", status)) if STATES.iter().any(|known| known.name() == status) => {
                Ok(Self::Status(status.to_owned()))
            }
            // As buildx calls them.
            Some(("status", "completed")) => Ok(Self::Status("done".to_owned())),
            Some(("status", "error")) => Ok(Self::Status("failed".to_owned())),
            Some(("status", "canceled")) => Ok(Self::Status("cancelled".to_owned())),
            Some(("status", status)) => {
                let names = STATES.map(BuildStatus::name).join("`, `");
                Err(format!("a build is never `{status}`: expected one of `{names}`"))
            }
            Some(("name", name)) => Ok(Self::Name(name.to_owned())),
            Some((key, _)) => Err(format!("builds have no `{key}`: expected `status=…` or `name=…`")),
            None => Err("expected `status=…` or `name=…`".to_owned()),
        }
    }
}

const TABLE: Table = Table {
    template: "{{.ID}}\t{{.Status}}\t{{.CreatedSince}}\t{{.Duration}}\t{{.Cached}}\t{{.Name}}",
    heads: &[
        ("ID", "BUILD"),
        ("Status", "STATUS"),
        ("CreatedSince", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("Duration", "DURATION"),
        ("Steps", "STEPS"),
        ("Cached", "CACHED"),
        ("New", "NEW"),
        ("Warnings", "WARNINGS"),
        ("Name", "NAME"),
        ("Context", "CONTEXT"),
        ("Dockerfile", "DOCKERFILE"),
        ("Target", "TARGET"),
        ("Digest", "DIGEST"),
        ("Error", "ERROR"),
    ],
};

/// Lists the builds, or takes some away.
pub(super) fn run(arguments: &BuildsArguments, settings: &Settings) -> Result<(), CommandError> {
    match &arguments.command {
        Some(BuildsCommand::Rm(arguments)) => return rm::run(arguments, settings),
        Some(BuildsCommand::Prune(arguments)) => return prune::builds::run(arguments, settings),
        None => {}
    }
    let store = session::open_store(settings)?;
    let mut builds = Build::all(&store)?;
    builds.retain(|build| arguments.filters.iter().all(|filter| filter.fits(build)));
    builds.truncate(arguments.last.unwrap_or(usize::MAX));
    if arguments.quiet {
        let ids: String = builds.iter().map(|build| format!("{}\n", build.record.id)).collect();
        return settings.output.data(ids.as_bytes());
    }
    let now = Timestamp::now();
    let rows: Vec<Row> = builds.iter().map(|build| row(build, now)).collect();
    format::list(arguments.format.as_deref(), &TABLE, &rows, &settings.output)
}

impl Filter {
    fn fits(&self, build: &Build) -> bool {
        match self {
            Self::Status(status) => build.record.status.name() == status,
            Self::Name(name) => {
                let mut tags = build.record.units.iter().flat_map(|unit| &unit.tags);
                tags.any(|tag| tag == name || tag.rsplit_once(':').is_some_and(|(bare, _)| bare == name))
            }
        }
    }
}

fn row(build: &Build, now: Timestamp) -> Row {
    let record = &build.record;
    let joined = |part: fn(&tug_builder::UnitRecord) -> String| {
        let mut parts: Vec<String> = record.units.iter().map(part).filter(|part| !part.is_empty()).collect();
        parts.dedup();
        human::one_line(&parts.join(", "))
    };
    let names = joined(|unit| unit.tags.join(", "));
    let duration = match (record.seconds, record.status) {
        (Some(seconds), _) => format!("{seconds:.1}s"),
        (None, BuildStatus::Running) => running_for(&record.started, now),
        (None, _) => "N/A".to_owned(),
    };
    let mut data = serde_json::to_value(record).unwrap_or_default();
    if let Some(fields) = data.as_object_mut() {
        fields.remove("v");
    }
    // Steps are counted from 1 wherever people name them: `tug log BUILD 9`.
    if let Some(step) = record.error.as_ref().and_then(|error| error.step) {
        data["error"]["step"] = json!(step.0 + 1);
    }
    Row {
        data,
        shown: json!({
            "ID": record.id,
            "Status": record.status.name(),
            "CreatedSince": human::since(&record.started, now).unwrap_or_else(|| "N/A".to_owned()),
            "CreatedAt": human::one_line(&record.started),
            "Duration": duration,
            "Steps": record.steps,
            "Cached": format!("{}/{}", record.cached, record.steps),
            "New": human::short_size(record.new_bytes),
            "Warnings": record.warnings,
            "Name": if names.is_empty() { "<none>".to_owned() } else { names },
            "Context": joined(|unit| unit.context.clone()),
            "Dockerfile": joined(|unit| unit.dockerfile.clone()),
            "Target": joined(|unit| unit.target.clone().unwrap_or_default()),
            "Digest": joined(|unit| unit.manifest.as_ref().map(ToString::to_string).unwrap_or_default()),
            "Error": human::one_line(record.error.as_ref().map_or("", |error| &error.message)),
        }),
    }
}

fn running_for(started: &str, now: Timestamp) -> String {
    match started.parse::<Timestamp>() {
        Ok(started) => format!("{:.1}s", now.duration_since(started).as_secs_f64().max(0.0)),
        Err(_) => "N/A".to_owned(),
    }
}
