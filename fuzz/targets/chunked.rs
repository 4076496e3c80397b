//! Writes any tar as `zstd:chunked`: who decompresses it gets the tar, who takes single files gets the files, and who takes
//! the rest from tar-split gets the tar again.

#![no_main]

mod support;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(difference) = tug_layer_store::chunked_round_trip(&support::with_checksums(bytes)) {
        panic!("{difference}");
    }
});
