//! `tug diff`: what differs between two images, or between an image and its base: files, config, packages, layers.

mod config;
mod files;
mod packages;

pub(super) use config::fields;
use serde_json::{Map, Value, json};
use tug_layer_store::View;

use super::images::id;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::format;
use crate::human;
use crate::inside::{self, ImagePlace, Opened, PlaceArguments};
use crate::settings::Settings;

/// Arguments of `tug diff`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A line begins with + for what is only in the second image, - for what is only in the first, ~ for what is not the same.
Times do not count unless they are asked for.

Examples:
  tug diff app:1 app:2
  tug diff app                            Against its base image
  tug diff --packages debian:11 debian:12
  tug diff --exit-code --config store:app docker://registry.example/app
  tug diff --format json app:1 app:2      For programs")]
pub(crate) struct DiffArguments {
    /// The image that counts as before; the base, if there is only one
    #[arg(value_name = "IMAGE", value_parser = inside::image)]
    first: ImagePlace,
    /// The image that counts as after
    #[arg(value_name = "OTHER", value_parser = inside::image)]
    second: Option<ImagePlace>,
    /// Show files (can be joined with the other two; without any, all three are shown)
    #[arg(long)]
    files: bool,
    /// Show the config: environment, command, labels and so on
    #[arg(long)]
    config: bool,
    /// Show packages: deb, apk, Python, npm, gem
    #[arg(long)]
    packages: bool,
    /// Let times of files count
    #[arg(long)]
    times: bool,
    /// Show every file of folders that came or went as a whole
    #[arg(short, long)]
    all: bool,
    /// End with 1 when anything differs
    #[arg(long)]
    exit_code: bool,
    /// Write `table`, `json`, or what a template says, such as `{{len .files}}`
    #[arg(long, value_name = "FORMAT", default_value = "table", hide_default_value = true)]
    format: String,
    #[command(flatten)]
    place: PlaceArguments,
}

/// What differs in one respect.
struct Section {
    /// The name in JSON.
    name: &'static str,
    data: Value,
    /// The lines of the table, without a heading.
    text: String,
    /// How many things differ.
    count: usize,
}

/// Shows what differs.
pub(super) fn run(arguments: &DiffArguments, settings: &Settings) -> Result<Exit, CommandError> {
    let (before, after) = images(arguments, settings)?;
    let sections = sections(arguments, &before, &after)?;
    let count: usize = sections.iter().map(|section| section.count).sum();
    match arguments.format.as_str() {
        "table" => settings.output.data(text(&before, &after, &sections).as_bytes())?,
        format => format::value(format, &data(&before, &after, &sections), &settings.output)?,
    }
    before.finish()?;
    after.finish()?;
    Ok(if arguments.exit_code && count > 0 { Exit::Failed } else { Exit::Success })
}

fn images(arguments: &DiffArguments, settings: &Settings) -> Result<(Opened, Opened), CommandError> {
    let first = arguments.place.open(&arguments.first, settings)?;
    match &arguments.second {
        Some(second) => Ok((first, arguments.place.open(second, settings)?)),
        None => Ok((base_of(&first, arguments, settings)?, first)),
    }
}

fn base_of(image: &Opened, arguments: &DiffArguments, settings: &Settings) -> Result<Opened, CommandError> {
    let (_, base) = image.steps()?;
    let unknown = || {
        CommandError::failed(format_args!("it is not known what `{}` is based on", image.name))
            .hint("name the other image: `tug diff BASE IMAGE`")
    };
    let base = base.ok_or_else(unknown)?;
    if let Some(found) = base.image {
        let name = base.name.unwrap_or_else(|| format!("the base of {}", image.name));
        return Ok(image.other(found, name));
    }
    let name = base.name.ok_or_else(unknown)?;
    let place = inside::image(&name).map_err(|_| unknown())?;
    arguments.place.open(&place, settings)
}

fn sections(
    arguments: &DiffArguments,
    before: &Opened,
    after: &Opened,
) -> Result<Vec<Section>, CommandError> {
    let DiffArguments { files, config, packages, .. } = *arguments;
    let all = !(files || config || packages);
    let mut sections = Vec::new();
    if all || config {
        sections.push(config::section(&before.image, &after.image));
    }
    if !(all || files || packages) {
        return Ok(sections);
    }
    let views: Option<(View, View)> = match before.image.diff_ids() == after.image.diff_ids() {
        // Equal layers have equal files.
        true => None,
        false => Some((before.view()?, after.view()?)),
    };
    if all || packages {
        sections.push(packages::section(views.as_ref())?);
    }
    if all || files {
        sections.push(files::section(views.as_ref(), arguments.times, arguments.all));
    }
    Ok(sections)
}

/// How many layers both have from the bottom on, and how many each has beyond them.
fn layers(before: &Opened, after: &Opened) -> (usize, usize, usize) {
    let (one, other) = (before.image.diff_ids(), after.image.diff_ids());
    let shared = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    (shared, one.len() - shared, other.len() - shared)
}

fn data(before: &Opened, after: &Opened, sections: &[Section]) -> Value {
    let (shared, gone, new) = layers(before, after);
    let about = |opened: &Opened| {
        json!({
            "name": opened.name,
            "id": opened.image.id(),
            "digest": opened.image.descriptor.digest,
            "size": opened.image.size(),
            "platform": opened.image.config.platform.to_string(),
        })
    };
    let mut data = Map::new();
    data.insert("before".to_owned(), about(before));
    data.insert("after".to_owned(), about(after));
    let ids = |opened: &Opened| opened.image.diff_ids()[shared..].to_vec();
    data.insert(
        "layers".to_owned(),
        json!({
            "shared": shared,
            "onlyBefore": ids(before),
            "onlyAfter": ids(after),
        }),
    );
    debug_assert_eq!((ids(before).len(), ids(after).len()), (gone, new));
    for section in sections {
        data.insert(section.name.to_owned(), section.data.clone());
    }
    Value::Object(data)
}

fn text(before: &Opened, after: &Opened, sections: &[Section]) -> String {
    let line = |sign: &str, opened: &Opened| {
        let name = human::one_line(&opened.name);
        let platform = human::one_line(&opened.image.config.platform.to_string());
        let size = human::size(opened.image.size());
        format!("{sign} {name}\t{}\t{platform}\t{size} stored", id(opened.image.id(), false))
    };
    let mut text = format::aligned(&[line("-", before), line("+", after)]);
    let (shared, gone, new) = layers(before, after);
    text += &format!("{} the same, -{gone} +{new}\n", human::counted(shared, "layer"));
    for section in sections {
        text += &format!("\n{}\n", section.name.to_uppercase());
        text += if section.text.is_empty() { "  the same\n" } else { &section.text };
    }
    text
}
