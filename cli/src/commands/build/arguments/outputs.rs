//! What is made of the result of a build.

use super::super::output::{Annotations, OutputSpec, annotations};
use super::super::reproducible::ReportFormat;

/// What is made of the result.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What to make of it")]
pub(crate) struct OutputArguments {
    /// Put the result there: a folder, `FILE.tar`, `-`, or `type=TYPE,KEY=VALUE` (can be repeated)
    ///
    /// The types: `image` (the image in the store, the default), `registry` (pushed), `docker` (with `dest` a tar that docker loads), `oci` (a
    /// tar of an image layout, a folder with `tar=false`), `local` (the files, in a folder), `tar` (the files, in a tar),
    /// `cacheonly` (nothing).
    ///
    /// Keys of `local`: `dest`, `mode=copy|delete`, `platform-split`. Of images: `dest`, `name`,
    /// `compression=uncompressed|gzip|zstd`, `compression-level`, `force-compression`, `oci-mediatypes`,
    /// `annotation.NAME`, `annotation-index.NAME` and so on, `store`, `unpack`, `push`, `push-by-digest`.
    #[arg(short, long = "output", value_name = "OUTPUT")]
    pub(crate) outputs: Vec<OutputSpec>,
    /// Put the image into the store as well, when there are other outputs
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false")]
    #[arg(hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub(crate) load: bool,
    /// Push the image to where its names lead; layers go while later steps still run
    #[arg(long, hide_default_value = true, hide_possible_values = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(default_value = "false", value_name = "BOOL")]
    pub(crate) push: bool,
    /// Add an annotation: `[LEVEL:]KEY=VALUE` (can be repeated)
    ///
    /// LEVEL says which document carries it: `manifest` (the default), `index`, `manifest-descriptor`,
    /// `index-descriptor`, or several of them with commas; `manifest[linux/arm64]` is for one platform.
    #[arg(long = "annotation", value_name = "ANNOTATION", value_parser = annotations)]
    pub(crate) annotations: Vec<Annotations>,
    /// Make one layer of all the new ones
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false")]
    #[arg(hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub(crate) squash: bool,
    /// Make one layer of all, those of the base image too
    #[arg(long, conflicts_with = "squash")]
    pub(crate) squash_all: bool,
    /// Build twice and say what differs: each layer's first file and byte; ends with 1 if anything does
    ///
    /// The second build uses no cache and leaves the cache as it is. The report goes to standard output, as `text` or
    /// `json`.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "text", value_name = "FORMAT")]
    #[arg(hide_possible_values = true)]
    pub(crate) check_reproducible: Option<ReportFormat>,
}
