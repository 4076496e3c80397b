//! What goes into a build, and which image comes out of it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use tug_oci::Reference;

use crate::arguments::env_file::read_env_file;
use crate::arguments::values::{self, Assignment};
use crate::environment::Environment;
use crate::error::CommandError;

/// What goes in, and which image comes out.
#[derive(Debug, clap::Args)]
pub(crate) struct WhatArguments {
    /// The folder with the files of the build, the address of a repository or a tar, or `-` for a tar or a Dockerfile on
    /// standard input
    #[arg(value_name = "PATH", default_value = ".")]
    pub(crate) context: OsString,
    /// Give this name to the image (can be repeated)
    #[arg(short = 't', long = "tag", value_name = "NAME[:TAG]", value_parser = values::new_name)]
    pub(crate) tags: Vec<Reference>,
    /// Read this Dockerfile, or `-` for standard input [default: `Dockerfile` in PATH]
    ///
    /// Several are read as one, in this order.
    #[arg(short, long = "file", value_name = "FILE")]
    pub(crate) files: Vec<OsString>,
    /// Build up to this stage [default: the last one]
    #[arg(long, value_name = "STAGE")]
    pub(crate) target: Option<String>,
    /// Give an ARG its value; without `=VALUE` it is taken from the environment (can be repeated)
    #[arg(long = "build-arg", value_name = "NAME[=VALUE]")]
    build_args: Vec<Assignment>,
    /// Take such values from this file, one a line (can be repeated); `--build-arg` wins
    #[arg(long = "build-arg-file", value_name = "FILE", hide_short_help = true)]
    build_arg_files: Vec<PathBuf>,
    /// Read what to leave out of the context from this file
    #[arg(long = "ignorefile", value_name = "FILE", alias = "ignore-file", hide_short_help = true)]
    pub(crate) ignore_file: Option<PathBuf>,
    /// Add a label to the image (can be repeated)
    #[arg(long = "label", value_name = "NAME=VALUE")]
    labels: Vec<Assignment>,
}

impl WhatArguments {
    /// The Dockerfile, or the first of several.
    pub(crate) fn file(&self) -> Option<&OsStr> {
        self.files.first().map(OsString::as_os_str)
    }

    /// The values of ARG. A name without a value that is not in the environment either is left out.
    pub(crate) fn build_args(
        &self,
        environment: &Environment,
    ) -> Result<BTreeMap<String, String>, CommandError> {
        let mut all = Vec::new();
        for file in &self.build_arg_files {
            all.extend(read_env_file(file)?);
        }
        let all = all.iter().chain(&self.build_args);
        Ok(all.filter_map(|found| Some((found.name.clone(), value(found, environment)?))).collect())
    }

    /// The labels. As in docker, one without a value is empty.
    pub(crate) fn labels(&self) -> Vec<(String, String)> {
        self.labels
            .iter()
            .map(|label| (label.name.clone(), label.value.clone().unwrap_or_default()))
            .collect()
    }
}

/// The value of an assignment: its own, or that of the environment.
pub(crate) fn value(assignment: &Assignment, environment: &Environment) -> Option<String> {
    match &assignment.value {
        Some(value) => Some(value.clone()),
        None => environment.named(&assignment.name).map(|value| value.to_string_lossy().into_owned()),
    }
}
