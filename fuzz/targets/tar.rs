//! Reads any bytes as a tar, plain or compressed: nothing panics, content is as long as its header says, whatever the
//! buffer, and an archive that was read can be written and read again with the same entries.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tug_layer_store::tar::{Limits, TarReader, TarWriter};
use tug_layer_store::{Decompressed, DecompressionLimits, NewEntry, NewEntryKind};

/// Enough for anything that a fuzzer thinks of, and little enough to be quick: a sparse file may be of any size.
const MOST: u64 = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let limits = DecompressionLimits { bytes: MOST, ratio: 200 };
    if let Ok(plain) = Decompressed::new(bytes, limits) {
        let _ = entries(plain, 4096);
    }
    let Some(read) = entries(bytes, 4096) else { return };
    assert_eq!(Some(&read), entries(bytes, 7).as_ref(), "the size of the buffer must not matter");
    let mut writer = TarWriter::new(Vec::new());
    let mut kept = Vec::new();
    for (entry, content) in read {
        // Some of what archives may say cannot be written in a layer.
        if writer.header(&entry).is_err() {
            return;
        }
        writer.content(&content).expect("a vector takes everything");
        writer.pad().expect("a vector takes everything");
        kept.push((entry, content));
    }
    let written = writer.finish().expect("a vector takes everything");
    let again = entries(written.as_slice(), 4096).expect("what was written can be read");
    assert_eq!(again, kept);
});

/// Everything in an archive; `None` if it is refused or too large for us.
fn entries(source: impl std::io::Read, buffer: usize) -> Option<Vec<(NewEntry, Vec<u8>)>> {
    let mut limits = Limits::default();
    (limits.plain_size, limits.content_size, limits.entries) = (MOST, MOST, 1000);
    let mut reader = TarReader::new(source, limits);
    let mut entries = Vec::new();
    let mut buffer = vec![0; buffer];
    while let Some(entry) = reader.next_entry().ok()? {
        let mut content = Vec::new();
        loop {
            match reader.read_content(&mut buffer).ok()? {
                0 => break,
                count => content.extend_from_slice(&buffer[..count]),
            }
        }
        if let NewEntryKind::File { size } = entry.kind {
            assert_eq!(content.len() as u64, size, "the content of {:?}", entry.path);
        } else {
            assert!(content.is_empty(), "only files have content");
        }
        entries.push((entry, content));
    }
    reader.finish().ok()?;
    Some(entries)
}
