//! In which way an image is made.

use tug_oci::Platform;

use crate::arguments::values;

/// In which way an image is made.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "How to build")]
pub(crate) struct HowArguments {
    /// Run every step again
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Run the steps of these stages again (can be repeated)
    #[arg(long, value_name = "STAGE", value_delimiter = ',', conflicts_with = "no_cache")]
    pub(crate) no_cache_filter: Vec<String>,
    /// When to ask registries for base images [default: missing]
    ///
    /// A base image comes with its manifest and config; its layers come when a step or an output reads them.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "always", value_name = "WHEN")]
    pub(crate) pull: Option<PullChoice>,
    /// Ask no registry: everything must be in the store
    ///
    /// The variable `TUG_OFFLINE` does the same.
    #[arg(long, conflicts_with = "pull")]
    pub(crate) offline: bool,
    /// Build for these platforms; several become an index of images [default: this machine]
    ///
    /// Programs of other processors run where the kernel knows an emulator for them: `tug doctor` shows which. Stages
    /// from `FROM --platform=$BUILDPLATFORM` and stages without RUN need none. The variable `DOCKER_DEFAULT_PLATFORM`
    /// sets another default.
    #[arg(long = "platform", value_name = "OS/ARCH[,...]")]
    pub(crate) platforms: Vec<String>,
    /// Build for this operating system, as part of a platform
    #[arg(long, value_name = "OS", conflicts_with = "platforms", hide_short_help = true)]
    os: Option<String>,
    /// Build for this processor, as part of a platform
    #[arg(long, value_name = "ARCH", conflicts_with = "platforms", hide_short_help = true)]
    arch: Option<String>,
    /// Build for this variant of the processor, as part of a platform
    #[arg(long, value_name = "VARIANT", requires = "arch", hide_short_help = true)]
    variant: Option<String>,
    /// The network that RUN steps see
    #[arg(long, value_name = "MODE", default_value = "default", hide_default_value = true)]
    pub(crate) network: NetworkChoice,
    /// Run at most so many steps at once; 0 for any number
    #[arg(short, long, value_name = "N", alias = "max-parallelism")]
    pub(crate) jobs: Option<usize>,
    /// Give everything new this time, in seconds since 1970, so that the digest is the same each time
    ///
    /// The variable and the build argument `SOURCE_DATE_EPOCH` do the same.
    #[arg(long, value_name = "SECONDS", alias = "source-date-epoch", allow_negative_numbers = true)]
    #[arg(value_parser = values::seconds)]
    pub(crate) timestamp: Option<i64>,
}

impl HowArguments {
    /// The platforms that were asked for, in one spelling or the other, and the flag.
    pub(crate) fn platforms(&self) -> (Vec<String>, &'static str) {
        let host = Platform::host();
        let os = self.os.as_deref().unwrap_or(&host.os);
        match (&self.arch, &self.os) {
            (Some(arch), _) => {
                let parts = [Some(os), Some(arch.as_str()), self.variant.as_deref()];
                (vec![parts.into_iter().flatten().collect::<Vec<_>>().join("/")], "--arch")
            }
            (None, Some(os)) => (vec![format!("{os}/{}", host.architecture)], "--os"),
            (None, None) => (self.platforms.clone(), "--platform"),
        }
    }
}

/// `--network`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum NetworkChoice {
    /// The host's
    Default,
    /// The host's
    Host,
    /// None but loopback
    None,
}

/// `--pull`, with the words of docker, buildah and podman.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum PullChoice {
    /// Each time
    #[value(alias = "true")]
    Always,
    /// When the store does not have them
    #[value(alias = "false", alias = "ifmissing")]
    Missing,
    /// Never
    Never,
    /// Each time; the one in the store will do when the registry cannot be asked
    #[value(alias = "ifnewer")]
    Newer,
}
