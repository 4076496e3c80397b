//! `compression` and `compression-level`, as `--output` and `--cache-to` have them.

use tug_layer_store::LayerCompression;

/// As fast as the disks of servers, and small enough for what is kept. Caches and pushes have the same, so that images and
/// caches share their blobs.
const GZIP_LEVEL: i32 = 6;
const ZSTD_LEVEL: i32 = 3;

/// What is pushed when nothing is asked for.
pub(in super::super) const USUAL: LayerCompression = LayerCompression::Gzip(GZIP_LEVEL);

/// The value of `compression-level`.
pub(in super::super) fn level(text: &str) -> Result<i32, String> {
    text.parse().map_err(|_| format!("`compression-level={text}` is no number: expected for example `6`"))
}

/// What the value of `compression` means, at this level; `None` when it is no kind that there is.
pub(in super::super) fn of(kind: &str, level: Option<i32>) -> Result<Option<LayerCompression>, String> {
    let between = |default: i32, most: i32| match level {
        None => Ok(default),
        Some(level) if (1..=most).contains(&level) => Ok(level),
        Some(level) => Err(format!("`compression-level={level}` is not between 1 and {most}")),
    };
    Ok(Some(match kind {
        "uncompressed" => LayerCompression::Plain,
        "gzip" => LayerCompression::Gzip(between(GZIP_LEVEL, 12)?),
        // The levels of buildx go to 22; those above 19 need gigabytes to be read again.
        "zstd" => LayerCompression::Zstd(between(ZSTD_LEVEL, 22)?.min(19)),
        _ => return Ok(None),
    }))
}
