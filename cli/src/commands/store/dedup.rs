//! `tug store dedup`: equal files of several layers share their room.

use serde_json::json;
use tug_layer_store::{DedupOptions, Deduplicated};

use crate::error::CommandError;
use crate::format;
use crate::human;
use crate::session::Session;
use crate::settings::Settings;
use crate::template::Template;

/// Arguments of `tug store dedup`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Layers are kept once, whatever images have them; this is about files that are in several layers with trees. They share
their blocks where the file system can do that (xfs, btrfs); what is written to one never shows in another.

Examples:
  tug store dedup --dry-run
  tug store dedup")]
pub(super) struct DedupArguments {
    /// Make hard links of files whose mode, owner, time and attributes are equal, too
    #[arg(long)]
    hard_links: bool,
    /// Only say what would be saved
    #[arg(long)]
    dry_run: bool,
    /// Write `json`, or what a template says, such as `{{.Bytes}}`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
}

/// Lets them share, and says how much that saves.
pub(super) fn run(arguments: &DedupArguments, settings: &Settings) -> Result<(), CommandError> {
    let store = Session::enter(settings)?.store;
    let options = DedupOptions { hard_links: arguments.hard_links, dry_run: arguments.dry_run };
    let done = store.deduplicate(options)?;
    let Deduplicated { files, bytes, trees, saved, .. } = done;
    match arguments.format.as_deref() {
        None => {
            let would = if arguments.dry_run { "would share" } else { "share" };
            settings.output.note(format_args!(
                "{} in {} {would} their room now: {} saved, {} in all",
                human::counted(files, "file"),
                human::counted(trees, "tree"),
                human::size(bytes),
                human::size(saved),
            ));
            Ok(())
        }
        Some("json") => settings
            .output
            .line(format::pretty(&json!({ "files": files, "trees": trees, "bytes": bytes, "saved": saved }))),
        Some(template) => {
            let value = json!({ "Files": files, "Trees": trees, "Bytes": bytes, "Saved": saved });
            settings.output.line(Template::parse(template)?.render(&value)?)
        }
    }
}
