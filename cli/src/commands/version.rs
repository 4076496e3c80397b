//! `tug version`.

use serde_json::{Value, json};
use tug_oci::Platform;

use crate::error::CommandError;
use crate::format;
use crate::settings::Settings;
use crate::template::Template;

/// Arguments of `tug version`.
#[derive(Debug, clap::Args)]
pub(crate) struct VersionArguments {
    /// Write `json`, or what a template says, such as `{{.Version}}`
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,
}

/// Shows the version.
pub(super) fn run(arguments: &VersionArguments, settings: &Settings) -> Result<(), CommandError> {
    let version = env!("CARGO_PKG_VERSION");
    let platform = Platform::host().to_string();
    let value: Value = json!({"version": version, "platform": platform});
    match arguments.format.as_deref() {
        None => settings.output.line(format_args!("tug {version} ({platform})")),
        Some("json") => settings.output.line(format::pretty(&value)),
        Some(template) => settings.output.line(Template::parse(template)?.render(&value)?),
    }
}
