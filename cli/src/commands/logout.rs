//! `tug logout`: takes away what `tug login` keeps.

use tug_registry_client::credentials::{Credentials, Removed};

use super::login;
use crate::error::CommandError;
use crate::registry_settings::ConnectionArguments;
use crate::settings::Settings;

/// Arguments of `tug logout`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug logout                Docker Hub
  tug logout ghcr.io
  tug logout quay.io/team   Only what was kept for that name
  tug logout --all          Everything, in every file that counts")]
pub(crate) struct LogoutArguments {
    /// The registry: a host, or a path on it [default: docker.io]
    #[arg(value_name = "REGISTRY", conflicts_with = "all")]
    registry: Option<String>,
    /// Take away the credentials of all registries
    #[arg(short, long)]
    all: bool,
    /// Look only into this file
    #[arg(long, value_name = "FILE", alias = "registry-config")]
    authfile: Option<std::path::PathBuf>,
}

/// Takes them away.
pub(super) fn run(arguments: &LogoutArguments, settings: &Settings) -> Result<(), CommandError> {
    let places =
        ConnectionArguments { authfile: arguments.authfile.clone(), ..ConnectionArguments::default() };
    let credentials = Credentials::new(places.credentials(&settings.environment));
    let output = &settings.output;
    if arguments.all {
        let removed = credentials.remove_all()?;
        if removed.is_empty() {
            output.note("not logged in to any registry");
        }
        tell(&removed, settings);
        return Ok(());
    }
    let server = login::server(arguments.registry.as_deref())?;
    let removed = credentials.remove(&server)?;
    if removed.is_empty() {
        output.note(format_args!("not logged in to `{server}`"));
    }
    tell(&removed, settings);
    // A file that was named need not be there: then there is nothing in it either.
    if let Ok(Some(found)) = credentials.for_repository(&server) {
        output.warning(format_args!("{} still has credentials that count for `{server}`", found.source));
    }
    Ok(())
}

fn tell(removed: &[Removed], settings: &Settings) {
    for Removed { source } in removed {
        settings.output.note(format_args!("removed from {source}"));
    }
}
