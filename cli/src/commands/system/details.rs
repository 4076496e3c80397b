//! `tug system df -v`: one row for each thing.

use std::time::SystemTime;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tug_builder::StepNames;
use tug_layer_store::{ImageUsage, ResultUsage, Store, Survey};
use tug_oci::Platform;

use crate::error::CommandError;
use crate::format::{self, Row, Table};
use crate::human;
use crate::settings::Settings;

/// A kind of things, each with a row.
struct Section {
    /// As in the short table.
    title: &'static str,
    /// In JSON and templates.
    field: (&'static str, &'static str),
    table: Table,
    rows: Vec<Row>,
}

/// Writes all of it: for people one table below the other, for programs one object.
pub(super) fn write(
    format: Option<&str>,
    store: &Store,
    survey: &Survey,
    settings: &Settings,
) -> Result<(), CommandError> {
    let sections = sections(store, survey);
    match format {
        None | Some("table") => {
            let mut text = String::new();
            for section in sections.iter().filter(|section| !section.rows.is_empty()) {
                text += &format!("{} space usage:\n\n", section.title);
                text += &format::listing(None, &section.table, &section.rows)?;
                text += "\n";
            }
            settings.output.data(text.as_bytes())
        }
        Some("json") => {
            let field = |section: Section| {
                let rows: Vec<Value> = section.rows.into_iter().map(|row| row.data).collect();
                (section.field.0.to_owned(), Value::from(rows))
            };
            let fields: Map<String, Value> = sections.into_iter().map(field).collect();
            settings.output.line(format::pretty(&fields.into()))
        }
        template => {
            let field = |section: Section| {
                let rows: Vec<Value> = section.rows.into_iter().map(|row| row.shown).collect();
                (section.field.1.to_owned(), Value::from(rows))
            };
            let fields: Map<String, Value> = sections.into_iter().map(field).collect();
            format::values(template, &[fields.into()], &settings.output)
        }
    }
}

fn sections(store: &Store, survey: &Survey) -> Vec<Section> {
    let now = Timestamp::now();
    let names = StepNames::read(store).unwrap_or_default();
    let used_rows = |things: Vec<Thing>| things.into_iter().map(|thing| thing.row(now)).collect();
    let things = |title, field, rows| Section { title, field, table: THINGS, rows };
    vec![
        Section {
            title: "Images",
            field: ("images", "Images"),
            table: IMAGES,
            rows: survey.images.iter().flat_map(|image| image_rows(store, image, now)).collect(),
        },
        Section {
            title: "Build cache",
            field: ("buildCache", "BuildCache"),
            table: RESULTS,
            rows: survey.results.iter().map(|result| result_row(result, &names, now)).collect(),
        },
        things(
            "Cache mounts",
            ("cacheMounts", "CacheMounts"),
            used_rows(
                survey
                    .mounts
                    .iter()
                    .map(|mount| Thing {
                        name: mount.id.id.clone(),
                        id: mount.id.name(),
                        size: mount.size.allocated,
                        used: mount.used,
                        in_use: mount.in_use,
                    })
                    .collect(),
            ),
        ),
        things(
            "Git repositories",
            ("gitRepositories", "GitRepositories"),
            used_rows(
                survey
                    .repositories
                    .iter()
                    .map(|repository| Thing {
                        name: repository.name.clone(),
                        id: repository.name.clone(),
                        size: repository.size.allocated,
                        used: repository.used,
                        in_use: false,
                    })
                    .collect(),
            ),
        ),
        things(
            "Build records",
            ("builds", "Builds"),
            used_rows(
                survey
                    .builds
                    .iter()
                    .map(|build| Thing {
                        name: build.id.clone(),
                        id: build.id.clone(),
                        size: build.size.allocated,
                        used: build.used,
                        in_use: build.in_use,
                    })
                    .collect(),
            ),
        ),
        things(
            "Downloads",
            ("downloads", "Downloads"),
            used_rows(
                survey
                    .downloads
                    .iter()
                    .map(|download| Thing {
                        name: download.digest.clone(),
                        id: download.digest.clone(),
                        size: download.size.allocated,
                        used: download.used,
                        in_use: download.in_use,
                    })
                    .collect(),
            ),
        ),
    ]
}

const IMAGES: Table = Table {
    template: "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Reclaimable}}",
    heads: &[
        ("Repository", "REPOSITORY"),
        ("Tag", "TAG"),
        ("ID", "IMAGE ID"),
        ("CreatedSince", "CREATED"),
        ("Size", "SIZE"),
        ("SharedSize", "SHARED SIZE"),
        ("UniqueSize", "UNIQUE SIZE"),
        ("Reclaimable", "RECLAIMABLE"),
    ],
};

/// One row for each name.
fn image_rows(store: &Store, image: &ImageUsage, now: Timestamp) -> Vec<Row> {
    let found = store.image(&image.target, &Platform::host()).ok();
    let id = found.as_ref().map_or(&image.target.digest, |image| image.id());
    let created = found.as_ref().and_then(|image| image.config.created.clone());
    let since = created.as_deref().and_then(|created| human::since(created, now));
    let (size, shared) = (image.size.allocated, image.shared.allocated);
    let row = |name: Option<&tug_oci::Reference>| {
        let repository = name.map(tug_oci::Reference::familiar_name);
        let tag = name.and_then(|name| name.tag().map(str::to_owned));
        let none = || "<none>".to_owned();
        Row {
            data: json!({
                "repository": repository,
                "tag": tag,
                "id": id,
                "digest": image.target.digest,
                "created": created,
                "size": size,
                "apparentSize": image.size.apparent,
                "sharedSize": shared,
                "uniqueSize": size - shared,
                "reclaimable": image.reclaimable.allocated,
            }),
            shown: json!({
                "Repository": repository.unwrap_or_else(none),
                "Tag": tag.unwrap_or_else(none),
                "ID": id.short(),
                "CreatedSince": since.clone().unwrap_or_else(|| "N/A".to_owned()),
                "Size": human::short_size(size),
                "SharedSize": human::short_size(shared),
                "UniqueSize": human::short_size(size - shared),
                "Reclaimable": human::short_size(image.reclaimable.allocated),
            }),
        }
    };
    if image.names.is_empty() {
        vec![row(None)]
    } else {
        image.names.iter().map(|name| row(Some(name))).collect()
    }
}

const RESULTS: Table = Table {
    template: "{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.Reclaimable}}\t{{.LastUsedSince}}\t{{.Shared}}\t{{.Description}}",
    heads: &[
        ("ID", "CACHE ID"),
        ("CacheType", "CACHE TYPE"),
        ("Size", "SIZE"),
        ("Reclaimable", "RECLAIMABLE"),
        ("LastUsedSince", "LAST USED"),
        ("Shared", "SHARED"),
        ("Description", "DESCRIPTION"),
    ],
};

fn result_row(result: &ResultUsage, names: &StepNames, now: Timestamp) -> Row {
    const LONGEST: usize = 60;
    let id = result.keys.first().map(tug_oci::Digest::short).unwrap_or_default();
    let kind = crate::commands::prune::kind_name(result.kind.into());
    let description = human::one_line(names.find(&result.keys).unwrap_or_default());
    let used = time(result.used);
    Row {
        data: json!({
            "id": result.keys.first(),
            "keys": result.keys,
            "type": kind,
            "size": result.size.allocated,
            "reclaimable": result.reclaimable.allocated,
            "used": used,
            "shared": result.shared,
            "description": description,
        }),
        shown: json!({
            "ID": id,
            "CacheType": kind,
            "Size": human::short_size(result.size.allocated),
            "Reclaimable": human::short_size(result.reclaimable.allocated),
            "LastUsedSince": human::since(&used, now).unwrap_or_default(),
            "Shared": result.shared,
            "Description": description.chars().take(LONGEST).collect::<String>(),
        }),
    }
}

const THINGS: Table = Table {
    template: "{{.Name}}\t{{.Size}}\t{{.LastUsedSince}}",
    heads: &[
        ("Name", "NAME"),
        ("ID", "ID"),
        ("Size", "SIZE"),
        ("LastUsedSince", "LAST USED"),
        ("InUse", "IN USE"),
    ],
};

/// Something with a name, a size and a time of use.
struct Thing {
    name: String,
    id: String,
    size: u64,
    used: SystemTime,
    in_use: bool,
}

impl Thing {
    fn row(self, now: Timestamp) -> Row {
        let used = time(self.used);
        let since = human::since(&used, now).unwrap_or_default();
        Row {
            data: json!({
                "name": self.name,
                "id": self.id,
                "size": self.size,
                "used": used,
                "inUse": self.in_use,
            }),
            shown: json!({
                "Name": human::one_line(&self.name),
                "ID": self.id,
                "Size": human::short_size(self.size),
                "LastUsedSince": if self.in_use { "now".to_owned() } else { since },
                "InUse": self.in_use,
            }),
        }
    }
}

fn time(moment: SystemTime) -> String {
    Timestamp::try_from(moment).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}
