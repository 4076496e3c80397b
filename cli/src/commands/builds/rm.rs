//! `tug builds rm`: takes records of builds away.

use tug_layer_store::RemovedBuild;

use crate::builds;
use crate::error::CommandError;
use crate::session;
use crate::settings::Settings;

/// Arguments of `tug builds rm`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug builds rm 20240506-070809-1a2b3c                Take one away
  tug builds rm --all                                 Take all away
  tug builds -q --filter status=failed | xargs tug builds rm")]
pub(super) struct RmArguments {
    /// The builds, each by its name, the beginning of it, or the name of its image
    #[arg(value_name = "BUILD", required_unless_present = "all")]
    builds: Vec<String>,
    /// All of them but those that run
    #[arg(short, long, conflicts_with = "builds")]
    all: bool,
}

/// Takes them away, and writes the names of those that are gone.
pub(super) fn run(arguments: &RmArguments, settings: &Settings) -> Result<(), CommandError> {
    let store = session::open_store(settings)?;
    let gone = |id: &str| settings.output.line(id);
    if arguments.all {
        for id in store.build_ids()? {
            if store.remove_build(&id)? == RemovedBuild::Gone {
                gone(&id)?;
            }
        }
        return Ok(());
    }
    let mut failures = Vec::new();
    for word in &arguments.builds {
        let removed = builds::find(&store, Some(word)).and_then(|build| {
            let id = build.record.id.clone();
            // Until it is dropped we are among those who use it.
            drop(build);
            match store.remove_build(&id)? {
                RemovedBuild::InUse => Err(CommandError::failed(format_args!("build `{id}` is in use"))
                    .hint("it runs, or another command reads it")),
                RemovedBuild::Gone | RemovedBuild::Missing => gone(&id),
            }
        });
        failures.extend(removed.err());
    }
    let Some(last) = failures.pop() else { return Ok(()) };
    for failure in failures {
        settings.output.talk(&failure.text(settings.output.stderr));
    }
    Err(last)
}
