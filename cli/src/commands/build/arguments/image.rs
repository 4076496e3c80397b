//! What is changed about the image from outside of its Dockerfile: buildah's and podman's flags.

use crate::arguments::values::Assignment;

/// What is changed about the image.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What the image says")]
pub(crate) struct ImageArguments {
    /// Start the first stage from this image, whatever the Dockerfile names
    #[arg(long, value_name = "IMAGE", hide_short_help = true)]
    pub(crate) from: Option<String>,
    /// Set a variable in the image; without `=VALUE` it is taken from the environment (can be repeated)
    #[arg(long, value_name = "NAME[=VALUE]", hide_short_help = true)]
    pub(crate) env: Vec<Assignment>,
    /// Leave a variable out of the image (can be repeated)
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub(crate) unsetenv: Vec<String>,
    /// Do not take a label over from the base image (can be repeated)
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub(crate) unsetlabel: Vec<String>,
    /// Take labels over from the base image [default: true]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_short_help = true)]
    #[arg(value_name = "BOOL")]
    pub(crate) inherit_labels: Option<bool>,
    /// Do not tell in the image how it was made
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_short_help = true)]
    #[arg(value_name = "BOOL")]
    pub(crate) omit_history: Option<bool>,
}
