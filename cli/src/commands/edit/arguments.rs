//! The flags of `tug edit`, spelled as docker, podman and crane spell them.

use jiff::Timestamp;
use tug_oci::Platform;

use super::super::build::{Annotations, annotations};
use crate::arguments::values::Assignment;
use crate::arguments::words;
use crate::mutation::{MutationArguments, Start};

/// Arguments of `tug edit`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Layers stay as they are, and none is read. Without `-t` the image gets the name that IMAGE has now; an image that was named
by its digest or id gets none. Standard output gets the digest, or with `--push` NAME@DIGEST.

Examples:
  tug edit app -e LEVEL=debug --label-rm build-host -t app:debug
  tug edit app --entrypoint /bin/app --cmd '[\"serve\", \"--all\"]'
  tug edit app -c 'HEALTHCHECK --interval=10s CMD curl -f localhost' -c 'USER app'
  tug edit docker://debian:12 --annotation team=base -t registry.example/debian:12 --push")]
pub(crate) struct EditArguments {
    /// The image, by name or id, or `docker://NAME` for one on a registry
    #[arg(value_name = "IMAGE")]
    pub(super) image: Start,
    /// What is changed of the config.
    #[command(flatten)]
    pub(super) config: ConfigArguments,
    /// What is changed of the image around it.
    #[command(flatten)]
    pub(super) about: AboutArguments,
    #[command(flatten)]
    pub(super) mutation: MutationArguments,
}

/// What is changed of the config.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "How it runs")]
pub(super) struct ConfigArguments {
    /// Set a variable; without a value it takes that of this environment (can be repeated)
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(super) env: Vec<Assignment>,
    /// Take a variable away (can be repeated)
    #[arg(long, visible_alias = "unsetenv", value_name = "NAME")]
    pub(super) env_rm: Vec<String>,
    /// Set the entrypoint: words, or a JSON list; the command goes, unless it is given too
    #[arg(long, value_name = "COMMAND", value_parser = command)]
    pub(super) entrypoint: Option<Words>,
    /// Set the command: words, or a JSON list
    #[arg(long, value_name = "COMMAND", value_parser = command)]
    pub(super) cmd: Option<Words>,
    /// Run as this user
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub(super) user: Option<String>,
    /// Start in this folder
    #[arg(short, long, visible_alias = "workingdir", value_name = "PATH")]
    pub(super) workdir: Option<String>,
    /// Add a port (can be repeated)
    #[arg(long, visible_alias = "exposed-ports", value_name = "PORT[/PROTOCOL]", value_delimiter = ',')]
    pub(super) expose: Vec<String>,
    /// Take a port away (can be repeated)
    #[arg(long, value_name = "PORT[/PROTOCOL]", value_delimiter = ',')]
    pub(super) expose_rm: Vec<String>,
    /// Add a folder of data (can be repeated)
    #[arg(short, long, value_name = "PATH")]
    pub(super) volume: Vec<String>,
    /// Make an ordinary folder of a folder of data (can be repeated)
    #[arg(long, value_name = "PATH")]
    pub(super) volume_rm: Vec<String>,
    /// Set the signal that stops it
    #[arg(long, value_name = "SIGNAL")]
    pub(super) stop_signal: Option<String>,
    /// Set the command that tells whether it is well
    #[arg(long, visible_alias = "healthcheck", value_name = "COMMAND", conflicts_with = "no_healthcheck")]
    pub(super) health_cmd: Option<String>,
    /// Time between two checks, such as `30s`
    #[arg(
        long,
        visible_alias = "healthcheck-interval",
        value_name = "TIME",
        conflicts_with = "no_healthcheck"
    )]
    pub(super) health_interval: Option<String>,
    /// How long a check may take
    #[arg(
        long,
        visible_alias = "healthcheck-timeout",
        value_name = "TIME",
        conflicts_with = "no_healthcheck"
    )]
    pub(super) health_timeout: Option<String>,
    /// How long after the start failures do not count
    #[arg(
        long,
        visible_alias = "healthcheck-start-period",
        value_name = "TIME",
        conflicts_with = "no_healthcheck"
    )]
    pub(super) health_start_period: Option<String>,
    /// Time between two checks during the start
    #[arg(long, value_name = "TIME", conflicts_with = "no_healthcheck")]
    pub(super) health_start_interval: Option<String>,
    /// How many failures in a row it takes
    #[arg(
        long,
        visible_alias = "healthcheck-retries",
        value_name = "COUNT",
        conflicts_with = "no_healthcheck"
    )]
    pub(super) health_retries: Option<String>,
    /// Have no health check
    #[arg(long)]
    pub(super) no_healthcheck: bool,
    /// Set a label; without a value it is empty (can be repeated)
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(super) label: Vec<Assignment>,
    /// Take a label away (can be repeated)
    #[arg(long, visible_alias = "unsetlabel", value_name = "NAME")]
    pub(super) label_rm: Vec<String>,
    /// Apply an instruction of the Dockerfile language (can be repeated)
    #[arg(short, long = "change", value_name = "INSTRUCTION")]
    pub(super) changes: Vec<String>,
}

/// What is changed around the config.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What it says of itself")]
pub(super) struct AboutArguments {
    /// Set an annotation of the manifest, or with `index:` before it of the index (can be repeated)
    #[arg(short, long = "annotation", value_name = "[LEVEL:]KEY=VALUE", value_parser = annotations)]
    pub(super) annotations: Vec<Annotations>,
    /// Take an annotation away (can be repeated)
    #[arg(long, value_name = "[index:]KEY")]
    pub(super) annotation_rm: Vec<String>,
    /// Say that it is for this platform
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub(super) set_platform: Option<Platform>,
    /// Say who made it; empty for nobody
    #[arg(long, value_name = "TEXT")]
    pub(super) author: Option<String>,
    /// Say when it was made: a time such as `2024-05-06T07:08:09Z`, or seconds since 1970
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) created: Option<Timestamp>,
    /// Write this remark into the history
    #[arg(short, long, value_name = "TEXT", conflicts_with = "omit_history")]
    pub(super) message: Option<String>,
    /// Add nothing to the history
    #[arg(long)]
    pub(super) omit_history: bool,
}

/// A command, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words(pub(super) Vec<String>);

impl Words {
    /// As configs have it.
    pub(super) fn value(&self) -> Option<Vec<String>> {
        Some(self.0.clone()).filter(|words| !words.is_empty())
    }
}

fn command(text: &str) -> Result<Words, String> {
    words::command(text).map(Words)
}

fn time(text: &str) -> Result<Timestamp, String> {
    let seconds = text.strip_prefix('@').unwrap_or(text).parse().ok();
    let time = match seconds {
        Some(seconds) => Timestamp::from_second(seconds).ok(),
        None => text.parse().ok(),
    };
    time.ok_or_else(|| {
        format!("`{text}` is not a time: expected one such as `2024-05-06T07:08:09Z`, or seconds since 1970")
    })
}
