//! Loads archives of images that are put together of any files: what is loaded is whole, can be saved and loaded again, and
//! what is refused leaves nothing.
//!
//! The input is files with a byte 0x1e between: the name in the first line, the content behind it. `->NAME` alone is a
//! link. `{N}` stands for the digest of the content of file N, in hexadecimal, which nothing finds by chance, and `{N#}` for
//! its length. What begins with a zero byte is taken for the archive itself.

#![no_main]

mod support;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;
use tug_layer_store::tar::TarWriter;
use tug_layer_store::{
    ArchiveCompression, ArchiveFormat, Fault, LoadOptions, NewEntry, SaveImage, SaveOptions, Store,
    VerifyOptions,
};
use tug_oci::{Digest, Platform};

fn stores() -> &'static (TempDir, Store, Store) {
    static STORES: OnceLock<(TempDir, Store, Store)> = OnceLock::new();
    STORES.get_or_init(|| {
        let folder = support::folder();
        let (first, second) = (folder.path().join("first"), folder.path().join("second"));
        let stores = (support::store(&first, true), support::store(&second, true));
        (folder, stores.0, stores.1)
    })
}

fuzz_target!(|bytes: &[u8]| {
    let (_, store, other) = stores();
    let archive = match bytes.split_first() {
        Some((0, raw)) => support::with_checksums(raw),
        _ => put_together(bytes),
    };
    let options = LoadOptions::new(Platform::linux("amd64"));
    let outcome = store.load(&mut archive.as_slice(), &options);
    assert!(!outcome.as_ref().is_ok_and(Vec::is_empty), "nothing is not a success");
    let loaded = outcome.unwrap_or_default();
    if !loaded.is_empty() {
        let targets: BTreeSet<String> = loaded.iter().map(|image| image.target.digest.to_string()).collect();
        let verified = store.verify(&VerifyOptions::default(), &|_| ()).expect("it can be read");
        // Layers stay packed until somebody needs them, and he is told when one is none.
        let is_odd = verified.findings.iter().any(|finding| matches!(finding.fault, Fault::NotALayer(_)));
        assert!(is_odd || verified.wrong() == 0, "{:?}", verified.findings);
        let images: Vec<SaveImage> = loaded
            .iter()
            .map(|image| SaveImage {
                target: image.target.clone(),
                names: image.names.clone(),
                written: None,
            })
            .collect();
        let mut saved = Vec::new();
        let save = SaveOptions {
            format: ArchiveFormat::Oci,
            compression: ArchiveCompression::Plain,
            platform: Platform::linux("amd64"),
        };
        // An image of which an archive lacks the parts for other platforms cannot be saved whole.
        if store.save(&images, &save, &mut saved).is_ok() {
            let again = other.load(&mut saved.as_slice(), &options).expect("what was saved can be loaded");
            let found: BTreeSet<String> = again.iter().map(|image| image.target.digest.to_string()).collect();
            assert_eq!(found, targets, "it came back as something else");
        }
    }
    for store in [store, other] {
        for image in &loaded {
            store.forget(&image.target.digest).expect("the names can be changed");
        }
        store.remove_unreferenced().expect("it is ours").expect("nobody else is there");
        for folder in ["layers", "ingest", "trash", "blobs/sha256"] {
            let left = std::fs::read_dir(store.root().join(folder)).expect("it is there").count();
            assert_eq!(left, 0, "something is left in {folder}");
        }
    }
});

/// The archive that an input describes.
fn put_together(bytes: &[u8]) -> Vec<u8> {
    let mut writer = TarWriter::new(Vec::new());
    let mut known: Vec<(String, usize)> = Vec::new();
    for file in bytes.split(|byte| *byte == 0x1e) {
        let (name, content) = match file.iter().position(|byte| *byte == b'\n') {
            Some(end) => (&file[..end], &file[end + 1..]),
            None => (file, &[][..]),
        };
        let (name, content) = (filled(name, &known), filled(content, &known));
        known.push((Digest::of(&content).hex().to_owned(), content.len()));
        let entry = match content.strip_prefix(b"->") {
            Some(target) => NewEntry::symlink(name, target),
            None => NewEntry::file(name, 0o644, content.len() as u64),
        };
        let is_link = content.starts_with(b"->");
        if writer.header(&entry).is_err() || is_link {
            continue;
        }
        writer.content(&content).expect("a vector takes everything");
        writer.pad().expect("a vector takes everything");
    }
    writer.finish().expect("a vector takes everything")
}

/// `text` with the digests and lengths that it asks for.
fn filled(text: &[u8], known: &[(String, usize)]) -> Vec<u8> {
    let mut filled = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, behind)) = rest.split_first() {
        let length = if behind.get(1) == Some(&b'#') { 3 } else { 2 };
        let asked = (*byte == b'{' && behind.get(length - 1) == Some(&b'}'))
            .then(|| behind[0].wrapping_sub(b'0'))
            .and_then(|number| known.get(usize::from(number)));
        match asked {
            Some((digest, size)) => {
                match length {
                    3 => filled.extend(size.to_string().bytes()),
                    _ => filled.extend(digest.bytes()),
                }
                rest = &behind[length..];
            }
            None => {
                filled.push(*byte);
                rest = behind;
            }
        }
    }
    filled
}
