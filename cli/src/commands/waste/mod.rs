//! `tug waste`: bytes of an image that nobody needs, who put them there, and whether that is too much.

mod rules;
mod table;

use std::path::PathBuf;

use serde_json::{Value, json};
use tug_builder::LayerOrigin;
use tug_layer_store::{HiddenBy, Waste};

use crate::error::CommandError;
use crate::exit::Exit;
use crate::format;
use crate::human;
use crate::inside::{self, ImagePlace, Opened, PlaceArguments};
use crate::settings::Settings;
use rules::{Limit, Outcome, Rules, fraction, limit};

/// Arguments of `tug waste`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Efficiency, wasted bytes and user wasted percent are those of dive, so that limits carry over. Hidden are the files that
a later layer removes or replaces: they are sent and kept, and nobody can reach them.

Examples:
  tug waste app                          What is wasted, by which lines of the Dockerfile, and what to do
  tug waste --fail-over 20MB app         Exit code 1 when more than 20 MB are hidden; also `5%`
  tug waste --lowest-efficiency 0.95 app
  tug waste --ci app                     With the rules of the file `.dive-ci`
  tug waste --format '{{.efficiency}}' app")]
pub(crate) struct WasteArguments {
    /// The image, by name or id
    #[arg(value_name = "IMAGE", value_parser = inside::image)]
    image: ImagePlace,
    /// Fail when more is hidden: a size, or a share of all files such as `5%`
    #[arg(long, value_name = "SIZE|PERCENT", value_parser = limit)]
    fail_over: Option<Limit>,
    /// Fail when the efficiency is lower, from 0 to 1
    #[arg(long, value_name = "NUMBER", visible_alias = "lowestEfficiency", value_parser = fraction)]
    lowest_efficiency: Option<f64>,
    /// Fail when more bytes are wasted, as dive counts them
    #[arg(long, value_name = "SIZE", visible_alias = "highestWastedBytes", value_parser = rules::size)]
    highest_wasted_bytes: Option<u64>,
    /// Fail when more of all layers but the lowest is wasted, from 0 to 1, as dive counts it
    #[arg(long, value_name = "NUMBER", visible_alias = "highestUserWastedPercent", value_parser = fraction)]
    highest_user_wasted_percent: Option<f64>,
    /// Fail by the rules of `.dive-ci`, or by those that dive has without one
    #[arg(long)]
    ci: bool,
    /// The file with the rules [default: .dive-ci]
    #[arg(long, value_name = "FILE", requires = "ci")]
    ci_config: Option<PathBuf>,
    /// Show so many of each kind
    #[arg(short = 'n', long, value_name = "N", default_value_t = 15)]
    top: usize,
    /// Write `json`, or what a template says, such as `{{.efficiency}}`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    #[command(flatten)]
    place: PlaceArguments,
}

/// What is wasted in an image, and who put it there.
pub(super) struct Found {
    pub(super) waste: Waste,
    /// Of each layer, lowest first.
    pub(super) origins: Vec<Option<LayerOrigin>>,
}

/// Looks for waste.
pub(super) fn find(opened: &Opened) -> Result<Found, CommandError> {
    let waste = opened.view()?.waste();
    Ok(Found { waste, origins: opened.origins()? })
}

/// Tells it, and whether it is too much.
pub(super) fn run(arguments: &WasteArguments, settings: &Settings) -> Result<Exit, CommandError> {
    // A mistake in the rules is told before anything is fetched.
    let rules = rules(arguments)?;
    let opened = arguments.place.open(&arguments.image, settings)?;
    let found = find(&opened)?;
    let outcomes = rules.outcomes(&found.waste);
    match &arguments.format {
        Some(format) => format::value(format, &data(&opened, &found, &outcomes), &settings.output)?,
        None => {
            let text = table::text(&opened, &found, &outcomes, arguments.top);
            settings.output.data(text.as_bytes())?;
        }
    }
    opened.finish()?;
    let failed: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.passed).collect();
    for outcome in &failed {
        let word = settings.output.stderr.paint(crate::output::Paint::Red, "too much waste:");
        settings.output.note(format_args!("{word} {outcome}"));
    }
    Ok(if failed.is_empty() { Exit::Success } else { Exit::Failed })
}

fn rules(arguments: &WasteArguments) -> Result<Rules, CommandError> {
    let mut rules = match arguments.ci {
        true => Rules::of_file(arguments.ci_config.as_deref())?,
        false => Rules::default(),
    };
    // What is on the command line counts before the file.
    rules.fail_over = arguments.fail_over;
    rules.lowest_efficiency = arguments.lowest_efficiency.or(rules.lowest_efficiency);
    rules.highest_wasted_bytes = arguments.highest_wasted_bytes.or(rules.highest_wasted_bytes);
    rules.highest_user_wasted_percent =
        arguments.highest_user_wasted_percent.or(rules.highest_user_wasted_percent);
    Ok(rules)
}

/// What to do about files that are hidden.
pub(super) fn advice(how: HiddenBy) -> &'static str {
    match how {
        HiddenBy::Removal => {
            "remove files in the RUN that makes them: a later `rm` hides them and makes no image smaller; or build in \
             a stage of its own, and copy what is needed"
        }
        HiddenBy::Replacement => {
            "write a file once: join the steps that change it, or copy the final one last"
        }
        HiddenBy::SameContent => {
            "a `chmod`, `chown` or `touch` in a later step writes the whole file again: use `COPY --chmod=… --chown=…`, \
             or do it in the RUN that makes the file"
        }
    }
}

/// The word for how files are hidden.
pub(super) fn word(how: HiddenBy) -> &'static str {
    match how {
        HiddenBy::Removal => "removed",
        HiddenBy::Replacement => "replaced",
        HiddenBy::SameContent => "rewritten",
    }
}

fn data(opened: &Opened, found: &Found, outcomes: &[Outcome]) -> Value {
    let Found { waste, origins } = found;
    let path = |path: &[u8]| format!("/{}", String::from_utf8_lossy(path));
    let origin = |layer: usize| origins.get(layer).and_then(Option::as_ref);
    let hidden = waste.hidden.iter().map(|hidden| {
        json!({
            "path": path(&hidden.path),
            "bytes": hidden.bytes,
            "files": hidden.files,
            "how": word(hidden.how),
            "layer": hidden.layer + 1,
            "origin": origin(hidden.layer),
            "hiddenByLayer": hidden.by + 1,
            "hiddenByOrigin": origin(hidden.by),
            "advice": advice(hidden.how),
        })
    });
    let duplicates = waste.duplicates.iter().map(|duplicate| {
        let places =
            duplicate.places.iter().map(|(place, layer)| json!({"path": path(place), "layer": layer + 1}));
        json!({
            "digest": duplicate.digest,
            "size": duplicate.size,
            "bytes": duplicate.bytes(),
            "places": places.collect::<Vec<_>>(),
        })
    });
    let leftovers = waste.leftovers.iter().map(|leftover| {
        json!({
            "what": leftover.kind.name,
            "path": path(&leftover.path),
            "bytes": leftover.bytes,
            "files": leftover.files,
            "layer": leftover.layer + 1,
            "origin": origin(leftover.layer),
            "advice": leftover.kind.advice,
        })
    });
    json!({
        "image": opened.name,
        "id": opened.image.id(),
        "layers": opened.image.diff_ids().len(),
        "contentSize": waste.content_size,
        "efficiency": waste.score.efficiency,
        "wastedBytes": waste.score.wasted_bytes,
        "userWastedPercent": waste.score.user_wasted_percent,
        "hiddenBytes": waste.hidden_bytes(),
        "duplicateBytes": waste.duplicate_bytes(),
        "leftoverBytes": waste.leftover_bytes(),
        "hidden": hidden.collect::<Vec<_>>(),
        "duplicates": duplicates.collect::<Vec<_>>(),
        "leftovers": leftovers.collect::<Vec<_>>(),
        "rules": outcomes.iter().map(Outcome::data).collect::<Vec<_>>(),
    })
}

/// `2 (Dockerfile:3)`, the layer as people count it.
pub(super) fn layer(number: usize, origins: &[Option<LayerOrigin>]) -> String {
    match origins.get(number).and_then(Option::as_ref) {
        Some(origin) => format!("{} ({})", number + 1, human::one_line(&origin.place())),
        None => (number + 1).to_string(),
    }
}
