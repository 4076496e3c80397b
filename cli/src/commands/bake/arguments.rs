//! The flags of `tug bake`: those of `docker buildx bake`.

use std::path::PathBuf;

use crate::arguments::values::Assignment;
use crate::error::CommandError;
use crate::progress::ProgressMode;
use crate::registry_settings::RegistryArguments;

/// Arguments of `tug bake`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug bake                                   Build the target or group `default`
  tug bake app db                            Build these targets, and what they need
  tug bake --print 'app-*'                   Show what would be built, as JSON
  tug bake --list targets                    Show what there is to build
  tug bake --set '*.platform=linux/arm64' --set app.args.VERSION=2
  TAG=1.2 tug bake -f release.hcl            Variables come from the environment, or from `--var`

Without `-f` these are read, in this order, as far as they are there: compose.yaml, compose.yml, docker-compose.yml,
docker-compose.yaml, docker-bake.json, docker-bake.hcl, docker-bake.override.json, docker-bake.override.hcl.
Later files are merged into earlier ones.")]
pub(crate) struct BakeArguments {
    /// What to build: targets, groups, or patterns such as `app-*` [default: `default`]
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    /// Read this file, or `-` for standard input (can be repeated)
    ///
    /// The variable `BUILDX_BAKE_FILE` names files as well, with `:` between them.
    #[arg(short, long = "file", value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Set a value of the targets that match, as in `app-*.args.VERSION=2`; with `+=` it is added (can be repeated)
    #[arg(long = "set", value_name = "PATTERN.KEY=VALUE")]
    sets: Vec<String>,
    /// Set a variable of the file (can be repeated)
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub(super) variables: Vec<Assignment>,
    /// Show what would be built, as JSON, and build nothing
    #[arg(long, conflicts_with = "list")]
    pub(super) print: bool,
    /// Show the `targets` or the `variables` of the file; `type=targets,format=json` for programs
    #[arg(long, value_name = "WHAT")]
    pub(super) list: Option<String>,

    /// How registries are reached.
    #[command(flatten)]
    pub(super) registry: RegistryArguments,
    /// Run every step again, or with `=false` use the cache although the file says otherwise
    #[arg(long, num_args = 0..=1, require_equals = true, value_name = "BOOL", default_missing_value = "true")]
    #[arg(help_heading = "How to build", hide_possible_values = true)]
    no_cache: Option<bool>,
    /// Get bases anew although they are in the store
    #[arg(long, num_args = 0..=1, require_equals = true, value_name = "BOOL", default_missing_value = "true")]
    #[arg(help_heading = "How to build", hide_possible_values = true)]
    pull: Option<bool>,
    /// Put images into the store, as `--set '*.output=type=docker'` does
    #[arg(long, help_heading = "How to build")]
    load: bool,
    /// Push images to their registries, as `--set '*.output=type=registry'` does
    #[arg(long, help_heading = "How to build")]
    push: bool,
    /// Do something else than build, such as `check`
    #[arg(long, value_name = "METHOD", help_heading = "How to build", conflicts_with = "check")]
    call: Option<String>,
    /// Check the Dockerfiles and build nothing, as `--call check` does
    #[arg(long, help_heading = "How to build")]
    check: bool,
    /// Allow what a file cannot allow itself: `fs=DIR`, `fs.read=DIR`, `fs.write=DIR`, `ssh`, `security.insecure` (can be repeated)
    #[arg(long = "allow", value_name = "WHAT", help_heading = "How to build")]
    pub(super) allowed: Vec<String>,
    /// Attach a list of contents, as `--set '*.attest=type=sbom'` does
    #[arg(long, value_name = "SBOM", help_heading = "How to build")]
    sbom: Option<String>,
    /// Attach how the image was made, as `--set '*.attest=type=provenance'` does
    #[arg(long, value_name = "PROVENANCE", help_heading = "How to build")]
    provenance: Option<String>,
    /// Run at most so many steps at once
    #[arg(short, long, value_name = "N", help_heading = "How to build")]
    pub(super) jobs: Option<std::num::NonZero<usize>>,

    /// How to show progress [default: auto]
    ///
    /// The variable `BUILDKIT_PROGRESS` sets another default.
    #[arg(long, value_name = "KIND", help_heading = "What to tell")]
    pub(super) progress: Option<ProgressMode>,
    /// Write what there is to know about the images to this file: an object of JSON with a field for each target
    #[arg(long, value_name = "FILE", help_heading = "What to tell")]
    pub(super) metadata_file: Option<PathBuf>,

    /// There is no builder to choose
    #[arg(long, hide = true, value_name = "NAME")]
    builder: Option<String>,
}

impl BakeArguments {
    /// All overrides: those of `--set`, and those that flags stand for.
    pub(super) fn sets(&self) -> Vec<String> {
        let mut sets = self.sets.clone();
        let mut add = |key: &str, value: String| sets.push(format!("*.{key}={value}"));
        if self.push {
            add("push", "true".to_owned());
        }
        if self.load {
            add("load", "true".to_owned());
        }
        match (&self.call, self.check) {
            (Some(call), _) => add("call", call.clone()),
            (None, true) => add("call", "check".to_owned()),
            (None, false) => {}
        }
        if let Some(no_cache) = self.no_cache {
            add("no-cache", no_cache.to_string());
        }
        if let Some(pull) = self.pull {
            add("pull", pull.to_string());
        }
        for (kind, value) in [("sbom", &self.sbom), ("provenance", &self.provenance)] {
            match value.as_deref() {
                Some("true" | "1") => add("attest", format!("type={kind},disabled=false")),
                Some("false" | "0") => add("attest", format!("type={kind},disabled=true")),
                Some(value) => add("attest", format!("type={kind},{value}")),
                None => {}
            }
        }
        sets
    }

    /// Definitions and contexts at an address come as words before the targets.
    pub(super) fn refuse_addresses(&self) -> Result<(), CommandError> {
        match self.targets.first().filter(|target| tug_bake::is_remote(target)) {
            Some(address) => {
                Err(CommandError::failed(format_args!("cannot bake from `{address}`: only from files yet"))
                    .hint("clone it first, and name the file with `-f`"))
            }
            None => Ok(()),
        }
    }
}
