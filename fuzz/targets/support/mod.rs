//! What several targets need.

#![allow(dead_code, reason = "each target needs something else")]

use std::path::Path;

use tempfile::TempDir;
use tug_layer_store::{Owners, Store, StoreOptions};

/// Where stores are: in memory, if there is such a place.
pub(crate) fn folder() -> TempDir {
    let made = tempfile::Builder::new().prefix("tug-fuzz-").tempdir_in("/dev/shm");
    made.or_else(|_| tempfile::tempdir()).expect("there is a place for a store")
}

/// A store that needs no privilege. With `indexed_layers` it mounts layers without unpacking them.
pub(crate) fn store(folder: &Path, indexed_layers: bool) -> Store {
    let options = StoreOptions { owners: Owners::Recorded, in_user_namespace: true, indexed_layers };
    Store::open(folder, &options).expect("a store can be made")
}

/// The same bytes with the checksums that the headers of a tar must have: nothing finds those by chance.
pub(crate) fn with_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut tar = bytes.to_vec();
    let mut at = 0;
    while let Some(header) = tar.get_mut(at..at + 512) {
        at += 512;
        if header.iter().all(|byte| *byte == 0) {
            continue;
        }
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        let sum =
            sum - header[148..156].iter().map(|byte| u32::from(*byte)).sum::<u32>() + 8 * u32::from(b' ');
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let digits = header[124..136].iter().filter(|byte| matches!(byte, b'0'..=b'7'));
        let size = digits.fold(0_u64, |size, digit| size << 3 | u64::from(digit - b'0'));
        let has_content = !matches!(header[156], b'1'..=b'6');
        if has_content {
            at = at.saturating_add(usize::try_from(size).unwrap_or(usize::MAX)).saturating_add(511) / 512
                * 512;
        }
    }
    tar
}
