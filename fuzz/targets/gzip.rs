//! Reads gzip that is put together of members, of the ends of members, and of anything else.
//!
//! The input is parts with a byte 0x1e between. The first byte of each says what becomes of the rest.

#![no_main]

use std::io::Write;

use flate2::{Compression, GzBuilder};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut gzip = Vec::new();
    let mut trailer = Vec::new();
    for part in bytes.split(|byte| *byte == 0x1e) {
        let Some((kind, rest)) = part.split_first() else { continue };
        let made = match kind {
            b'm' => member(GzBuilder::new(), rest, Compression::fast()),
            b's' => member(GzBuilder::new(), rest, Compression::none()),
            b'n' => member(GzBuilder::new().filename("a"), rest, Compression::fast()),
            // As long as a short member can be, and longer.
            b'l' => member(GzBuilder::new(), &rest.repeat(40_000), Compression::none()),
            b't' => trailer.clone(),
            b'b' => vec![0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0],
            b'c' => {
                gzip.truncate(gzip.len().saturating_sub(rest.len()));
                continue;
            }
            _ => rest.to_vec(),
        };
        trailer = made[made.len().saturating_sub(8)..].to_vec();
        gzip.extend(made);
    }
    // Nothing is no gzip, and nobody takes it for that.
    if gzip.is_empty() {
        return;
    }
    if let Err(difference) = tug_layer_store::compare_members(&gzip) {
        panic!("{difference}");
    }
});

fn member(builder: GzBuilder, content: &[u8], level: Compression) -> Vec<u8> {
    let mut encoder = builder.write(Vec::new(), level);
    encoder.write_all(content).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}
