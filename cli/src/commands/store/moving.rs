//! `tug store move`: the store in another folder.

use std::path::PathBuf;

use tug_layer_store::Moved;

use super::verify::Bar;
use crate::environment;
use crate::error::CommandError;
use crate::human;
use crate::session;
use crate::settings::Settings;

/// Arguments of `tug store move`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
On one disk this is one rename. To another disk everything is copied and the copy verified before the old store goes; when
that is interrupted, the same command goes on where it was.

Examples:
  tug store move /mnt/large/tug
  export TUG_STORE=/mnt/large/tug")]
pub(super) struct MoveArguments {
    /// The new folder; it must not exist yet, or be empty
    #[arg(value_name = "DEST")]
    target: PathBuf,
}

/// Moves the store, and says what has to be told where it is now.
pub(super) fn run(arguments: &MoveArguments, settings: &Settings) -> Result<(), CommandError> {
    let store = session::open_damaged(settings)?;
    let bar = Bar::new("verifying the copy", settings);
    let moved = store.relocate(&arguments.target, &|progress| bar.show(progress));
    bar.end();
    let how = match moved? {
        Moved::Copied { bytes } => format!("copied {}, and verified", human::size(bytes)),
        _ => "renamed".to_owned(),
    };
    let target = std::path::absolute(&arguments.target).unwrap_or_else(|_| arguments.target.clone());
    let shown = target.display();
    settings.output.line(shown.to_string())?;
    settings.output.note(format_args!("the store is in `{shown}` now ({how})"));
    settings.output.note(match settings.store_named_by() {
        Some(name) if name == environment::STORE => {
            format!(
                "the variable `{name}` still names the old folder: set it to `{shown}` wherever it is set"
            )
        }
        Some(_) => format!("give `--store {shown}` from now on"),
        None => format!("set the variable `{}` to `{shown}`, or give `--store {shown}`", environment::STORE),
    });
    Ok(())
}
