//! The flags of `tug build`: those of docker and buildx, and buildah's where docker has none.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::num::NonZero;
use std::path::PathBuf;

use tug_oci::Reference;

use crate::arguments::values::{self, Assignment};
use crate::environment::Environment;
use crate::progress::ProgressMode;

/// Arguments of `tug build`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug build -t app .                                 Build the Dockerfile in this folder
  tug build -t app -f deploy/Dockerfile .            Use another Dockerfile
  tug build --target test --build-arg VERSION=2 .    One stage only, with a value for ARG VERSION
  tug build -q . | xargs tug run --rm                Only the digest on standard output
  tar c . | tug build -t app -                       The context as a tar on standard input
  tug build -t app - < Dockerfile                    A Dockerfile without any context

FROM and COPY --from take the name or id of an image in the store, and images in files:
  oci:PATH[:NAME]              in an OCI layout, a folder
  oci-archive:PATH[:NAME]      in a tar of such a layout
  docker-archive:PATH[:NAME]   in what `docker save` has written")]
pub(crate) struct BuildArguments {
    /// The folder with the files of the build, or `-` for a tar or a Dockerfile on standard input
    #[arg(value_name = "PATH", default_value = ".")]
    pub(super) context: OsString,
    /// Give this name to the image (can be repeated)
    #[arg(short = 't', long = "tag", value_name = "NAME[:TAG]", value_parser = values::new_name)]
    pub(super) tags: Vec<Reference>,
    /// Read this Dockerfile, or `-` for standard input [default: `Dockerfile` in PATH]
    #[arg(short, long, value_name = "FILE")]
    pub(super) file: Option<OsString>,
    /// Build up to this stage [default: the last one]
    #[arg(long, value_name = "STAGE")]
    pub(super) target: Option<String>,
    /// Give an ARG its value; without `=VALUE` it is taken from the environment (can be repeated)
    #[arg(long = "build-arg", value_name = "NAME[=VALUE]")]
    build_args: Vec<Assignment>,
    /// Add a label to the image (can be repeated)
    #[arg(long = "label", value_name = "NAME=VALUE")]
    labels: Vec<Assignment>,

    /// Run every step again
    #[arg(long, help_heading = "How to build")]
    pub(super) no_cache: bool,
    /// Build for this platform; only that of this machine is possible
    #[arg(long, value_name = "OS/ARCH", help_heading = "How to build")]
    pub(super) platform: Option<String>,
    /// The network that RUN steps see
    #[arg(long, value_name = "MODE", default_value = "default", hide_default_value = true)]
    #[arg(help_heading = "How to build")]
    pub(super) network: NetworkChoice,
    /// Run at most so many steps at once
    #[arg(short, long, value_name = "N", help_heading = "How to build")]
    pub(super) jobs: Option<NonZero<usize>>,
    /// Give everything new this time, in seconds since 1970, so that the digest is the same each time
    ///
    /// The variable and the build argument `SOURCE_DATE_EPOCH` do the same.
    #[arg(long, value_name = "SECONDS", alias = "source-date-epoch", allow_negative_numbers = true)]
    #[arg(value_parser = values::seconds)]
    #[arg(help_heading = "How to build")]
    pub(super) timestamp: Option<i64>,

    /// Show nothing but errors, and write the digest to standard output
    #[arg(short, long, help_heading = "What to tell", conflicts_with = "progress")]
    pub(super) quiet: bool,
    /// How to show progress [default: auto]
    ///
    /// The variable `BUILDKIT_PROGRESS` sets another default.
    #[arg(long, value_name = "KIND", help_heading = "What to tell")]
    pub(super) progress: Option<ProgressMode>,
    /// Write the image id to this file
    #[arg(long, value_name = "FILE", help_heading = "What to tell")]
    pub(super) iidfile: Option<PathBuf>,
    /// Write what there is to know about the build to this file, as JSON
    #[arg(long, value_name = "FILE", help_heading = "What to tell")]
    pub(super) metadata_file: Option<PathBuf>,
    /// When a RUN step fails, end with the exit code of its command instead of 1
    #[arg(long, help_heading = "What to tell")]
    pub(super) propagate_exit_code: bool,

    /// Images always go into the store
    #[arg(long, hide = true)]
    load: bool,
    /// There are no containers to be left over
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, value_name = "BOOL")]
    rm: Option<Option<bool>>,
    /// There are no containers to be left over
    #[arg(long, hide = true)]
    force_rm: bool,
}

/// `--network`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum NetworkChoice {
    /// The host's
    Default,
    /// The host's
    Host,
    /// None but loopback
    None,
}

impl BuildArguments {
    /// The values of ARG. A name without a value that is not in the environment either is left out.
    pub(super) fn build_args(&self, environment: &Environment) -> BTreeMap<String, String> {
        self.build_args
            .iter()
            .filter_map(|assignment| Some((assignment.name.clone(), value(assignment, environment)?)))
            .collect()
    }

    /// The labels. As in docker, one without a value is empty.
    pub(super) fn labels(&self) -> Vec<(String, String)> {
        self.labels
            .iter()
            .map(|label| (label.name.clone(), label.value.clone().unwrap_or_default()))
            .collect()
    }
}

fn value(assignment: &Assignment, environment: &Environment) -> Option<String> {
    match &assignment.value {
        Some(value) => Some(value.clone()),
        None => environment.named(&assignment.name).map(|value| value.to_string_lossy().into_owned()),
    }
}
