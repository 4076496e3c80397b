//! Where results of steps come from and go to.

use super::super::cache::{CacheFrom, CacheTo};

/// Where results of steps come from and go to.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Caches of other machines")]
pub(crate) struct CacheArguments {
    /// Take results of steps from there: `REF`, `type=registry,ref=REF`, `type=local,src=DIR` (can be repeated)
    ///
    /// REF is a cache that `--cache-to` has written, or an image with a cache inside. It is asked about steps that this
    /// machine does not know; layers come when something reads them. Keys of `local`: `src`, `tag`, `digest`.
    #[arg(long, value_name = "CACHE")]
    pub(crate) cache_from: Vec<CacheFrom>,
    /// Put results of steps there: `REF`, `type=registry,ref=REF`, `type=local,dest=DIR`, `type=inline` (can be repeated)
    ///
    /// What others have put there stays. With `mode=min` the results whose layers are in the image are put there, with
    /// `mode=max` those of all steps. Other keys: `max-size` (10g), `max-age` (30d), `compression=gzip|zstd|uncompressed`,
    /// `compression-level`, `force-compression`; `ignore-error=false` makes the build fail when the cache cannot be
    /// written; `tag` of `local`. `type=inline` puts the cache into the image itself.
    #[arg(long, value_name = "CACHE")]
    pub(crate) cache_to: Vec<CacheTo>,
}
