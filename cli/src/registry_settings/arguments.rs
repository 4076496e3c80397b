//! The flags about registries. They are spelled as podman, skopeo and crane spell them.

use std::path::PathBuf;

use tug_registry_client::Secret;

/// How registries are reached, and as whom.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Registries")]
pub(crate) struct RegistryArguments {
    /// How they are reached.
    #[command(flatten)]
    pub(crate) connection: ConnectionArguments,
    /// Log in to the registry as this user, for this run
    ///
    /// Others on this machine can see it in the list of processes; `tug login` keeps it from them.
    #[arg(long, value_name = "USER:PASSWORD", value_parser = secret, conflicts_with = "no_creds")]
    pub(crate) creds: Option<Secret>,
    /// Ask as nobody, whatever credentials there are
    #[arg(long, alias = "anonymous")]
    pub(crate) no_creds: bool,
    /// Ask this mirror before Docker Hub (can be repeated)
    #[arg(long = "registry-mirror", value_name = "URL")]
    pub(crate) registry_mirrors: Vec<String>,
}

/// How registries are reached.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Registries")]
pub(crate) struct ConnectionArguments {
    /// Use only this file for credentials
    ///
    /// In the form of docker's `config.json` or podman's `auth.json`. Without it: `DOCKER_AUTH_CONFIG`, the file that
    /// `REGISTRY_AUTH_FILE` names, else those of podman and docker. `tug login --show HOST` tells which one counts.
    #[arg(long, value_name = "FILE", alias = "registry-config")]
    pub(crate) authfile: Option<PathBuf>,
    /// Take certificates from this folder, for every registry
    ///
    /// `*.crt` are certificates of CAs, `X.cert` with `X.key` is a certificate to show. Without it they come from the
    /// folder of the registry in `certs.d`.
    #[arg(long, value_name = "DIR")]
    pub(crate) cert_dir: Option<PathBuf>,
    /// Check certificates, and speak nothing but https; `false` for neither
    ///
    /// Without it: as `registries.conf` says, and plain http only on this machine.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_parser = boolean)]
    pub(crate) tls_verify: Option<bool>,
    /// The same as `--tls-verify=false`
    #[arg(long, aliases = ["plain-http", "tls-skip-verify"], conflicts_with = "tls_verify")]
    pub(crate) insecure: bool,
}

/// Anything, hidden.
pub(crate) fn secret(text: &str) -> Result<Secret, String> {
    Ok(Secret::new(text))
}

/// As the tools spell it whose flag it is.
fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("expected `true` or `false`".to_owned()),
    }
}
