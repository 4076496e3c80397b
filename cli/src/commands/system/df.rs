//! `tug system df`: one row for each kind of thing in the store.

use serde_json::json;
use tug_builder::result_kind;
use tug_layer_store::{DiskSize, Survey};

use super::details;
use crate::error::CommandError;
use crate::format::{self, Row, Table};
use crate::human;
use crate::session;
use crate::settings::Settings;

/// Arguments of `tug system df`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug system df                                   The table
  tug system df -v                                Every image, result, cache mount, build, git copy and download
  tug system df --format '{{.Type}}\\t{{.Size}}'    What a template says
  tug system df --format json                     For programs: sizes in bytes

Sizes are the room on the disk, and what several things share is counted once: under images, if one has it. The total
is what `du` says. What a row can reclaim is free once all of that row is removed and nothing else. Files that share their
room since `tug store dedup` are counted for each layer that has them; how much that saves is said below the table.")]
pub(crate) struct DfArguments {
    /// Show every single thing
    #[arg(short, long)]
    verbose: bool,
    /// Write `json`, or what a template says, such as `{{.Type}}`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
}

const TABLE: Table = Table {
    template: "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
    heads: &[
        ("Type", "TYPE"),
        ("TotalCount", "TOTAL"),
        ("Active", "ACTIVE"),
        ("Size", "SIZE"),
        ("ApparentSize", "APPARENT SIZE"),
        ("Reclaimable", "RECLAIMABLE"),
        ("Saved", "SAVED"),
    ],
};

/// Shows it.
pub(crate) fn run(arguments: &DfArguments, settings: &Settings) -> Result<(), CommandError> {
    // Trees of layers may have owners whose folders only root of a user namespace can enter.
    let store = session::open_whole_store(settings)?;
    let survey = store.survey(&result_kind)?;
    if arguments.verbose {
        return details::write(arguments.format.as_deref(), &store, &survey, settings);
    }
    let saved = store.shared_bytes()?;
    let rows: Vec<Row> = kinds(&survey, saved).into_iter().map(Kind::row).collect();
    format::list(arguments.format.as_deref(), &TABLE, &rows, &settings.output)?;
    if saved > 0 {
        let saved = human::size(saved);
        settings.output.note(format_args!("{saved} less than that: equal files of layers share their room"));
    }
    Ok(())
}

/// All things of one kind.
struct Kind {
    name: &'static str,
    total: usize,
    /// How many are used right now.
    active: usize,
    size: DiskSize,
    /// What would be free without them; `None` for what is never removed.
    reclaimable: Option<u64>,
    /// How much of the size is shared with others of them.
    saved: u64,
}

fn kinds(survey: &Survey, saved: u64) -> Vec<Kind> {
    let sum =
        |sizes: &mut dyn Iterator<Item = DiskSize>| sizes.fold(DiskSize::default(), |sum, size| sum + size);
    let mounts = sum(&mut survey.mounts.iter().map(|mount| mount.size));
    let busy_mounts = sum(&mut survey.mounts.iter().filter(|mount| mount.in_use).map(|mount| mount.size));
    let builds = sum(&mut survey.builds.iter().map(|build| build.size));
    let busy_builds = sum(&mut survey.builds.iter().filter(|build| build.in_use).map(|build| build.size));
    let downloads = sum(&mut survey.downloads.iter().map(|download| download.size));
    let busy_downloads =
        sum(&mut survey.downloads.iter().filter(|download| download.in_use).map(|download| download.size));
    let working = sum(&mut survey.working.iter().copied());
    let repositories = sum(&mut survey.repositories.iter().map(|repository| repository.size));
    let unreferenced = survey.unreferenced + survey.left_behind;
    let kind =
        |name, total, active, size, reclaimable| Kind { name, total, active, size, reclaimable, saved: 0 };
    let free = |size: DiskSize| Some(size.allocated);
    let without = |size: DiskSize, busy: DiskSize| Some(size.allocated - busy.allocated);
    vec![
        Kind {
            saved,
            ..kind("Images", survey.images.len(), 0, survey.images_size(), free(survey.images_reclaimable()))
        },
        kind("Containers", survey.working.len(), survey.working.len(), working, Some(0)),
        kind("Build Cache", survey.results.len(), 0, survey.results_size(), free(survey.results_size())),
        kind(
            "Cache Mounts",
            survey.mounts.len(),
            survey.mounts.iter().filter(|mount| mount.in_use).count(),
            mounts,
            without(mounts, busy_mounts),
        ),
        kind("Git Repositories", survey.repositories.len(), 0, repositories, free(repositories)),
        kind(
            "Build Records",
            survey.builds.len(),
            survey.builds.iter().filter(|build| build.in_use).count(),
            builds,
            without(builds, busy_builds),
        ),
        kind(
            "Downloads",
            survey.downloads.len(),
            survey.downloads.iter().filter(|download| download.in_use).count(),
            downloads,
            without(downloads, busy_downloads),
        ),
        kind(
            "Unreferenced",
            survey.unreferenced_count + survey.left_behind_count,
            0,
            unreferenced,
            free(unreferenced),
        ),
        kind("Store", 1, 1, survey.rest, None),
    ]
}

impl Kind {
    fn row(self) -> Row {
        let reclaimable = self.reclaimable.unwrap_or(0);
        let shown = match self.reclaimable {
            // As docker: no percentage of nothing.
            _ if self.size.allocated == 0 => human::short_size(reclaimable),
            Some(bytes) => format!("{} ({}%)", human::short_size(bytes), percent(bytes, self.size.allocated)),
            None => human::short_size(0),
        };
        Row {
            data: json!({
                "type": self.name,
                "total": self.total,
                "active": self.active,
                "size": self.size.allocated,
                "apparentSize": self.size.apparent,
                "reclaimable": reclaimable,
                "saved": self.saved,
            }),
            shown: json!({
                "Type": self.name,
                "TotalCount": self.total,
                "Active": self.active,
                "Size": human::short_size(self.size.allocated),
                "ApparentSize": human::short_size(self.size.apparent),
                "Reclaimable": shown,
                "Saved": human::short_size(self.saved),
            }),
        }
    }
}

fn percent(part: u64, whole: u64) -> u64 {
    u64::try_from(u128::from(part) * 100 / u128::from(whole.max(1))).unwrap_or(100)
}
