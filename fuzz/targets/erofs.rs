//! Takes any bytes for a table of contents, behind its first bytes, which are always the same: where an index can hold
//! what it says, the index, read back, says exactly that; where not, that is found before anything is written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tug_layer_store::{Toc, index_round_trip};

const MAGIC: &[u8] = b"tug-toc\x01";

fuzz_target!(|bytes: &[u8]| {
    let Ok(toc) = Toc::from_bytes([MAGIC, bytes].concat()) else { return };
    if let Err(difference) = index_round_trip(&toc, 1 << 30) {
        panic!("{difference}");
    }
});
