//! `tug catalog`: the repositories of a registry, as far as it tells.

use serde_json::json;

use super::Registry;
use super::names;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::format::{self, Row, Table};
use crate::human;
use crate::registry_settings::RegistryArguments;
use crate::settings::Settings;

/// Arguments of `tug catalog`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug catalog localhost:5000
  tug catalog registry.example.com --format json

Many public registries give no such list; Docker Hub is searched with `tug search`.")]
pub(crate) struct CatalogArguments {
    /// The registry
    #[arg(value_name = "REGISTRY", value_parser = names::registry)]
    registry: String,
    /// Show at most so many
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,
    /// Write `json`, or what a template says, such as `{{.Name}}`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    #[command(flatten)]
    how: RegistryArguments,
}

const TABLE: Table =
    Table { template: "{{.Repository}}", heads: &[("Repository", "REPOSITORY"), ("Name", "NAME")] };

/// Lists them, one a line and nothing else.
pub(crate) fn run(arguments: &CatalogArguments, settings: &Settings) -> Result<(), CommandError> {
    let host = &arguments.registry;
    if host == "docker.io" {
        return Err(CommandError::new(Exit::Network, "Docker Hub gives no list of its repositories")
            .hint("`tug search TERM` searches it"));
    }
    let registry = Registry::connect(&arguments.how, Some(host), settings)?;
    let what = format!("could not list the repositories of `{host}`");
    let names = match arguments.limit {
        Some(0) => Vec::new(),
        limit => registry.run(what, registry.client().catalog(host, limit))?,
    };
    let rows: Vec<Row> = names
        .iter()
        .map(|name| {
            let (short, full) = (human::one_line(name), human::one_line(&format!("{host}/{name}")));
            Row {
                data: json!({"repository": short, "name": full}),
                shown: json!({"Repository": short, "Name": full}),
            }
        })
        .collect();
    let format = arguments.format.as_deref().unwrap_or("{{.Repository}}");
    format::list(Some(format), &TABLE, &rows, &settings.output)
}
