//! What goes into a build, and which image comes out of it.

use std::collections::BTreeMap;
use std::ffi::OsString;

use tug_oci::Reference;

use crate::arguments::values::{self, Assignment};
use crate::environment::Environment;

/// What goes in, and which image comes out.
#[derive(Debug, clap::Args)]
pub(crate) struct WhatArguments {
    /// The folder with the files of the build, or `-` for a tar or a Dockerfile on standard input
    #[arg(value_name = "PATH", default_value = ".")]
    pub(crate) context: OsString,
    /// Give this name to the image (can be repeated)
    #[arg(short = 't', long = "tag", value_name = "NAME[:TAG]", value_parser = values::new_name)]
    pub(crate) tags: Vec<Reference>,
    /// Read this Dockerfile, or `-` for standard input [default: `Dockerfile` in PATH]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<OsString>,
    /// Build up to this stage [default: the last one]
    #[arg(long, value_name = "STAGE")]
    pub(crate) target: Option<String>,
    /// Give an ARG its value; without `=VALUE` it is taken from the environment (can be repeated)
    #[arg(long = "build-arg", value_name = "NAME[=VALUE]")]
    build_args: Vec<Assignment>,
    /// Add a label to the image (can be repeated)
    #[arg(long = "label", value_name = "NAME=VALUE")]
    labels: Vec<Assignment>,
}

impl WhatArguments {
    /// The values of ARG. A name without a value that is not in the environment either is left out.
    pub(crate) fn build_args(&self, environment: &Environment) -> BTreeMap<String, String> {
        self.build_args
            .iter()
            .filter_map(|assignment| Some((assignment.name.clone(), value(assignment, environment)?)))
            .collect()
    }

    /// The labels. As in docker, one without a value is empty.
    pub(crate) fn labels(&self) -> Vec<(String, String)> {
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
