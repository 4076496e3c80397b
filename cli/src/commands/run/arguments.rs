//! The flags of `tug run`: those of docker, for a container in the foreground.

use std::ffi::OsString;
use std::path::PathBuf;

use super::super::pull::Policy;
use crate::arguments::values::{self, Assignment};
use crate::registry_settings::RegistryArguments;

/// Arguments of `tug run`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "tug run [OPTIONS] IMAGE [COMMAND] [ARGUMENT]...",
    after_help = "\
Examples:
  tug run --rm app                                   What the image is for
  tug run --rm -it app sh                            Look around in it
  tug run --rm -v \"$PWD\":/src -w /src app make       With files of the host
  tug run --rm --network none --read-only app check  With as little as possible

Ends with the exit code of the command; with 125 when the container could not be started,
126 when the command cannot be executed, 127 when it was not found."
)]
pub(crate) struct RunArguments {
    /// The image, and the command to run instead of the image's own
    #[arg(required = true, trailing_var_arg = true, value_name = "IMAGE")]
    pub(super) words: Vec<OsString>,

    /// When to ask a registry for the image [default: missing]
    #[arg(long, value_name = "WHEN")]
    pub(super) pull: Option<Policy>,
    /// Let the command read standard input
    #[arg(short, long)]
    pub(super) interactive: bool,
    /// Give the command a terminal
    #[arg(short, long)]
    pub(super) tty: bool,
    /// Take the container away when it has ended; this is always so
    #[arg(long)]
    rm: bool,

    /// How registries are reached.
    #[command(flatten)]
    pub(super) registry: RegistryArguments,

    /// Set a variable; without `=VALUE` it is taken from the environment (can be repeated)
    #[arg(short, long = "env", value_name = "NAME[=VALUE]", help_heading = "The process")]
    pub(super) env: Vec<Assignment>,
    /// Set the variables in this file, one a line (can be repeated)
    #[arg(long, value_name = "FILE", help_heading = "The process")]
    pub(super) env_file: Vec<PathBuf>,
    /// Start in this folder
    #[arg(short, long, value_name = "PATH", help_heading = "The process")]
    pub(super) workdir: Option<PathBuf>,
    /// Run as this user
    #[arg(short, long, value_name = "USER[:GROUP]", help_heading = "The process")]
    pub(super) user: Option<String>,
    /// Run this instead of the image's entrypoint; the image's command is dropped, too
    #[arg(long, value_name = "COMMAND", help_heading = "The process")]
    pub(super) entrypoint: Option<String>,

    /// Show a file or folder of the host in the container (can be repeated); options: ro, z, Z, U, O
    #[arg(short, long = "volume", value_name = "SOURCE:TARGET[:OPTIONS]", help_heading = "The file system")]
    pub(super) volumes: Vec<String>,
    /// Mount an empty file system in memory (can be repeated)
    #[arg(long, value_name = "TARGET[:size=64m,mode=1777]", help_heading = "The file system")]
    pub(super) tmpfs: Vec<String>,
    /// Let the container write nowhere but to what is mounted
    #[arg(long, help_heading = "The file system")]
    pub(super) read_only: bool,
    /// Size of `/dev/shm`
    #[arg(long, value_name = "SIZE", value_parser = values::bytes, help_heading = "The file system")]
    pub(super) shm_size: Option<u64>,

    /// Which network the container sees
    #[arg(long, alias = "net", value_name = "MODE", default_value = "host", help_heading = "The rest")]
    pub(super) network: NetworkChoice,
    /// The name of the machine that the container sees
    #[arg(long, value_name = "NAME", help_heading = "The rest")]
    pub(super) hostname: Option<String>,
    /// At most so much memory, such as `512m`
    #[arg(short, long, value_name = "SIZE", value_parser = values::memory, help_heading = "The rest")]
    pub(super) memory: Option<u64>,
    /// At most so many processors, such as `1.5`
    #[arg(long, value_name = "NUMBER", value_parser = values::processors, help_heading = "The rest")]
    pub(super) cpus: Option<f64>,
    /// At most so many processes
    #[arg(long, value_name = "NUMBER", value_parser = values::processes, help_heading = "The rest")]
    #[arg(allow_hyphen_values = true)]
    pub(super) pids_limit: Option<u64>,
    /// There is always a first process that reaps orphans
    #[arg(long, hide = true)]
    init: bool,
}

/// `--network`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum NetworkChoice {
    /// The host's
    #[default]
    Host,
    /// None but its own loopback
    None,
}
