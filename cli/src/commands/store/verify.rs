//! `tug store verify`: whether everything in the store is as it should be.

use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use tug_layer_store::{Finding, LostImage, Outcome, Severity, Verified, VerifyOptions, VerifyProgress};
use tug_oci::Reference;

use crate::arguments::values::ImageName;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::format::{self, Row, Table};
use crate::human;
use crate::images;
use crate::on_demand;
use crate::session;
use crate::settings::Settings;

/// Arguments of `tug store verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every blob is read and compared with its digest, every layer with its diff id, every table of contents with the tar and
every tree with the table. Beside running builds it raises no false alarm; a repair waits for none, it needs the store
for itself.

Ends with 1 when something is wrong and was not mended. What only takes room is no reason.

Examples:
  tug store verify
  tug store verify --repair
  tug store verify --format '{{.Path}} {{.Problem}}'")]
pub(super) struct VerifyArguments {
    /// Look only at what these images need
    #[arg(value_name = "IMAGE")]
    images: Vec<ImageName>,
    /// Mend what is wrong: from what is there, from registries, or by removing it
    #[arg(long)]
    repair: bool,
    /// Read no content, only look at lengths, modes, owners and times
    #[arg(long)]
    quick: bool,
    /// Write `json`, or what a template says, such as `{{.Path}}`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
}

const TABLE: Table = Table {
    template: "{{.Path}}\t{{.Problem}}\t{{.Repair}}",
    heads: &[
        ("Path", "PATH"),
        ("Problem", "PROBLEM"),
        ("Repair", "REPAIR"),
        ("Severity", "SEVERITY"),
        ("Outcome", "OUTCOME"),
    ],
};

/// Looks at everything, and mends it if asked to.
pub(super) fn run(arguments: &VerifyArguments, settings: &Settings) -> Result<Exit, CommandError> {
    let store = on_demand::store(&session::open_damaged(settings)?, settings);
    let named = arguments.images.iter().map(|name| images::find_target(&store, name));
    let options = VerifyOptions {
        quick: arguments.quick,
        repair: arguments.repair,
        images: named.collect::<Result<_, _>>()?,
    };
    let bar = Bar::new("verifying", settings);
    let verified = store.verify(&options, &|progress| bar.show(progress));
    bar.end();
    let verified = verified?;
    let format = arguments.format.as_deref();
    let rows: Vec<Row> = verified.findings.iter().map(row).collect();
    if !rows.is_empty() || format.is_some() {
        format::list(format, &TABLE, &rows, &settings.output)?;
    }
    for lost in &verified.lost {
        settings.output.warning(lost_in_words(lost, arguments.repair && !verified.is_in_use));
    }
    settings.output.note(summary(&verified, arguments));
    Ok(if verified.wrong() == 0 { Exit::Success } else { Exit::Failed })
}

/// How far it has come, on a terminal.
pub(super) struct Bar {
    bar: Option<ProgressBar>,
    last: Mutex<u64>,
}

impl Bar {
    pub(super) fn new(what: &str, settings: &Settings) -> Self {
        let stream = settings.output.stderr;
        if !stream.terminal || !stream.redraws {
            return Self { bar: None, last: Mutex::new(0) };
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
        let style = ProgressStyle::with_template("{prefix}  {bytes} of {total_bytes}  {eta} left");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_prefix(what.to_owned());
        Self { bar: Some(bar), last: Mutex::new(0) }
    }

    pub(super) fn show(&self, progress: VerifyProgress) {
        const STEP: u64 = 1 << 22;
        let (Some(bar), Ok(mut last)) = (&self.bar, self.last.try_lock()) else { return };
        if progress.done >= *last + STEP {
            *last = progress.done;
            bar.set_length(progress.total);
            bar.set_position(progress.done);
        }
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn row(finding: &Finding) -> Row {
    let path = finding.path.to_string_lossy();
    let problem = human::one_line(&finding.fault.to_string());
    let severity = match finding.severity {
        Severity::Wrong => "wrong",
        Severity::Leftover => "leftover",
    };
    let (outcome, reason): (&str, Value) = match &finding.outcome {
        Outcome::Mended => ("mended", Value::Null),
        Outcome::Removed => ("removed", Value::Null),
        Outcome::Failed(reason) => ("failed", human::one_line(reason).into()),
        _ => ("found", Value::Null),
    };
    let remedy = finding.remedy.to_string();
    let shown = match (outcome, reason.as_str()) {
        ("found", _) => remedy.clone(),
        ("failed", Some(reason)) => format!("failed: {reason}"),
        _ => outcome.to_owned(),
    };
    Row {
        data: json!({
            "path": path,
            "problem": problem,
            "severity": severity,
            "repair": remedy,
            "outcome": outcome,
            "reason": reason,
        }),
        shown: json!({
            "Path": human::one_line(&path),
            "Problem": problem,
            "Severity": severity,
            "Repair": shown,
            "Outcome": outcome,
        }),
    }
}

fn lost_in_words(lost: &LostImage, is_removed: bool) -> String {
    let name = lost.name.as_ref().map_or_else(|| lost.digest.to_string(), Reference::familiar);
    let what = human::one_line(&lost.what);
    match is_removed {
        true => format!("the image `{name}` was removed: it has lost {what}; build or pull it again"),
        false => format!("the image `{name}` has lost {what}"),
    }
}

fn summary(verified: &Verified, arguments: &VerifyArguments) -> String {
    let Verified { images, layers, blobs, bytes, foreign_trees, .. } = *verified;
    let mut text = format!(
        "{}, {}, {}: ",
        human::counted(images, "image"),
        human::counted(layers, "layer"),
        human::counted(blobs, "blob")
    );
    text += &match (verified.wrong(), verified.findings.len()) {
        (0, 0) => "all is as it should be".to_owned(),
        (0, _) if arguments.repair => "all is as it should be now".to_owned(),
        (0, _) => "nothing is wrong; what is listed only takes room".to_owned(),
        (count, _) => format!("{} wrong", human::counted(count, "thing")),
    };
    if !arguments.quick {
        text += &format!(" ({} read)", human::size(bytes));
    }
    if foreign_trees > 0 {
        let trees = human::counted(foreign_trees, "tree");
        text += &format!("; {trees} made for another user or mode could not be looked at");
    }
    match (verified.is_in_use, verified.wrong()) {
        (true, _) => {
            text += "\nnothing was mended: another tug works in the store; try again when it has ended";
        }
        (false, 1..) if !arguments.repair => {
            text += "\n`tug store verify --repair` does what stands under REPAIR";
        }
        _ => {}
    }
    text
}
