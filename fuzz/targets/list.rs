//! Reads any text as the list that a layer carries along: it is refused, or leads to what is there.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    if let Err(finding) = tug_layer_store::read_list(text, 1 << 20) {
        panic!("{finding}");
    }
});
