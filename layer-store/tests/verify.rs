//! Stores that were damaged: what is found, what is mended, and what is lost.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tug_layer_store::{
    LayerWriterOptions, Lower, NewEntry, NewEntryKind, Outcome, Owners, Severity, Store, StoreOptions,
    Verified, VerifyOptions,
};
use tug_oci::{DiffId, Digest, ImageConfig, Platform, Reference};

/// A store with an image of two layers, one of which has a tree.
struct Sample {
    folder: tempfile::TempDir,
    layers: Vec<DiffId>,
}

impl Sample {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut sample = Self { folder, layers: Vec::new() };
        let store = sample.store();
        let lower = layer(&store, &[("base", "base")]);
        let upper = sample.upper(&store);
        sample.layers = vec![lower, upper];
        let mut config = ImageConfig::empty(Platform::linux("amd64"));
        config.rootfs.diff_ids = sample.layers.clone();
        let image = store.write_image(config, Default::default()).unwrap();
        store.tag(&"app:1".parse::<Reference>().unwrap(), &image.descriptor).unwrap();
        let record = format!(r#"{{"layer":"{}"}}"#, sample.layers[1].digest());
        store.put_cache_record(&Digest::of(b"key"), record.as_bytes()).unwrap();
        store.lower(&sample.layers[1..]).unwrap();
        sample
    }

    fn upper(&self, store: &Store) -> DiffId {
        let mut writer = store.layer_writer(&LayerWriterOptions::default()).unwrap();
        writer.add(&NewEntry::whiteout("base"), None).unwrap();
        let mut directory = NewEntry::directory("d", 0o750);
        directory.xattrs.insert(b"user.note".to_vec(), b"x".to_vec());
        writer.add(&directory, None).unwrap();
        let mut file = NewEntry::file("d/file", 0o644, 5);
        file.mtime.seconds = 1_700_000_000;
        writer.add(&file, Some(&mut &b"hello"[..])).unwrap();
        let link = NewEntryKind::HardLink { target: b"d/file".to_vec() };
        writer.add(&NewEntry::new(b"d/link".to_vec(), link, 0o644), None).unwrap();
        writer.add(&NewEntry::symlink("d/symlink", "file"), None).unwrap();
        writer.add(&NewEntry::new(b"pipe".to_vec(), NewEntryKind::Fifo, 0o600), None).unwrap();
        writer.finish().unwrap().diff_id().clone()
    }

    fn store(&self) -> Store {
        let options =
            StoreOptions { owners: Owners::Recorded, in_user_namespace: true, indexed_layers: false };
        Store::open_damaged(&self.folder.path().join("store"), &options).unwrap()
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join("store").join(below)
    }

    fn tree(&self, below: &str) -> PathBuf {
        self.path("layers").join(self.layers[1].hex()).join("tree").join(below)
    }

    fn blob(&self, layer: usize) -> PathBuf {
        self.path("blobs/sha256").join(self.layers[layer].hex())
    }

    fn verify(&self) -> Verified {
        self.store().verify(&VerifyOptions::default(), &|_| ()).unwrap()
    }

    fn repair(&self) -> Verified {
        let options = VerifyOptions { repair: true, ..VerifyOptions::default() };
        self.store().verify(&options, &|_| ()).unwrap()
    }

    /// What is found, with the names of layers and blobs cut short; and that nothing is wrong after a repair.
    fn found_and_mended(&self) -> String {
        let found = lines(&self.verify());
        let mended = self.repair();
        assert_eq!(mended.wrong(), 0, "{mended:?}");
        let after = self.verify();
        assert_eq!((after.wrong(), after.lost.len()), (0, 0), "{after:?}");
        found
    }
}

fn layer(store: &Store, files: &[(&str, &str)]) -> DiffId {
    let mut writer = store.layer_writer(&LayerWriterOptions::default()).unwrap();
    for (path, text) in files {
        let entry = NewEntry::file(*path, 0o644, text.len() as u64);
        writer.add(&entry, Some(&mut text.as_bytes())).unwrap();
    }
    writer.finish().unwrap().diff_id().clone()
}

fn lines(verified: &Verified) -> String {
    let mut text = String::new();
    for finding in &verified.findings {
        let mark = if finding.severity == Severity::Wrong { "!" } else { "-" };
        text += &format!("{mark} {}: {} => {}\n", finding.path.display(), finding.fault, finding.remedy);
    }
    for lost in &verified.lost {
        text += &format!(
            "lost {}: {}\n",
            lost.name.as_ref().map_or_else(String::new, Reference::familiar),
            lost.what
        );
    }
    short(&text)
}

/// Digests by their first four digits.
fn short(text: &str) -> String {
    let mut out = String::new();
    let mut digits = String::new();
    for letter in text.chars().chain(['\0']) {
        if letter.is_ascii_hexdigit() && !letter.is_ascii_uppercase() {
            digits.push(letter);
            continue;
        }
        out += if digits.len() == 64 { "…" } else { &digits };
        digits.clear();
        out.push(letter);
    }
    out.trim_end_matches('\0').to_owned()
}

fn spoil(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_store_that_is_whole_has_nothing_wrong() {
    let sample = Sample::new();
    let verified = sample.verify();
    assert_eq!(lines(&verified), "");
    assert_eq!((verified.images, verified.layers, verified.blobs), (1, 2, 4));
    assert!(verified.bytes > 0);
}

#[test]
fn whatever_is_not_right_in_a_tree_is_found_and_the_tree_made_again() {
    type Spoil = fn(&Sample);
    let cases: [(&str, Spoil); 10] = [
        ("`d/file` has 9 bytes, not 5", |sample| fs::write(sample.tree("d/file"), "hello you").unwrap()),
        ("`d/symlink` is missing", |sample| fs::remove_file(sample.tree("d/symlink")).unwrap()),
        ("`pipe` is missing", |sample| fs::remove_file(sample.tree("pipe")).unwrap()),
        ("`d/more` is not in the layer", |sample| fs::write(sample.tree("d/more"), "").unwrap()),
        ("`base` is missing", |sample| fs::remove_file(sample.tree("base")).unwrap()),
        ("`d` has the mode 700, not 750", |sample| {
            fs::set_permissions(sample.tree("d"), fs::Permissions::from_mode(0o700)).unwrap();
        }),
        ("`d/file` has the time 5, not 1700000000", |sample| {
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(5);
            fs::File::open(sample.tree("d/file")).unwrap().set_modified(time).unwrap();
        }),
        ("`d` has another attribute `user.note`", |sample| {
            rustix::fs::removexattr(sample.tree("d"), "user.note").unwrap();
        }),
        ("`d/link` is no longer the same file as `d/file`", |sample| {
            fs::copy(sample.tree("d/file"), sample.tree("copy")).unwrap();
            fs::rename(sample.tree("copy"), sample.tree("d/link")).unwrap();
        }),
        ("`d/file` has another content", |sample| {
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
            let file = fs::File::options().write(true).open(sample.tree("d/file")).unwrap();
            std::os::unix::fs::FileExt::write_all_at(&file, b"HELLO", 0).unwrap();
            file.set_modified(time).unwrap();
        }),
    ];
    for (expected, spoil) in cases {
        let sample = Sample::new();
        spoil(&sample);
        let found = sample.verify();
        assert!(
            found.findings.iter().any(|finding| finding.fault.to_string().contains(&expected[1..])
                || finding.fault.to_string().starts_with("`d` has the time")),
            "{expected}: {}",
            lines(&found)
        );
        assert_eq!(found.wrong(), 1, "{expected}");
        let found = sample.found_and_mended();
        assert!(found.contains("/tree: ") && found.contains("=> make it again from the blob"), "{found}");
        assert_eq!(fs::read_to_string(sample.tree("d/link")).unwrap(), "hello", "{expected}");
    }
}

#[test]
fn a_tree_that_somebody_removed_is_made_again() {
    let sample = Sample::new();
    fs::remove_dir_all(sample.tree("")).unwrap();
    assert_eq!(sample.found_and_mended(), "! layers/…/tree: it is missing => make it again from the blob\n");
    assert!(sample.tree("d/file").exists());
}

#[test]
fn the_tar_of_a_layer_is_written_again_from_its_tree() {
    let sample = Sample::new();
    let before = fs::read(sample.blob(1)).unwrap();
    spoil(&sample.blob(1), 600);
    let found = sample.found_and_mended();
    assert!(
        found.contains("its content has the digest `sha256:…` => make it again from the tree"),
        "{found}"
    );
    assert!(fs::read(sample.blob(1)).unwrap() == before);
    fs::remove_file(sample.blob(1)).unwrap();
    assert_eq!(sample.found_and_mended(), "! blobs/sha256/…: it is missing => make it again from the tree\n");
    assert!(fs::read(sample.blob(1)).unwrap() == before);
}

#[test]
fn record_and_table_of_contents_are_made_again_from_the_tar() {
    let sample = Sample::new();
    let folder = sample.path("layers").join(sample.layers[0].hex());
    let other = sample.path("layers").join(sample.layers[1].hex());
    let spoils: [(&str, &dyn Fn()); 5] = [
        ("toc: it is damaged: it is no table of contents, or a damaged one", &|| {
            fs::write(folder.join("toc"), "junk").unwrap();
        }),
        ("toc: it is missing", &|| fs::remove_file(folder.join("toc")).unwrap()),
        ("toc: it disagrees with the tar about `base` (and 5 more)", &|| {
            fs::copy(other.join("toc"), folder.join("toc")).unwrap();
        }),
        ("record.json: it says that the length of the tar is 1, but it is 2048", &|| {
            let text = fs::read_to_string(folder.join("record.json")).unwrap();
            fs::write(folder.join("record.json"), text.replace("2048", "1")).unwrap();
        }),
        ("record.json: it is damaged: it is no record of a layer", &|| {
            fs::write(folder.join("record.json"), "{}").unwrap();
        }),
    ];
    for (expected, spoil) in spoils {
        spoil();
        let found = sample.found_and_mended();
        assert_eq!(found, format!("! layers/…/{expected} => make it again from its blob\n"));
    }
}

#[test]
fn what_cannot_be_had_again_is_removed_and_told() {
    let sample = Sample::new();
    spoil(&sample.blob(0), 600);
    insta::assert_snapshot!(lines(&sample.verify()), @"
    ! blobs/sha256/…: its content has the digest `sha256:…` => remove it
    ! index.json: `app:1` leads to layer 1 of 2, `sha256:…`, which is not in the store => remove it
    lost app:1: layer 1 of 2, `sha256:…`
    ");
    let mended = sample.repair();
    assert!(mended.findings.iter().all(|finding| finding.outcome == Outcome::Removed), "{mended:?}");
    assert_eq!((mended.wrong(), mended.lost.len()), (0, 1));
    assert!(sample.store().refs().unwrap().is_empty());
    // The other layer was good, so it and the result of its step are still there.
    assert!(sample.store().cache_record(&Digest::of(b"key")).unwrap().is_some());
    assert!(sample.store().layer(&sample.layers[1]).unwrap().is_some());
    assert_eq!(sample.verify().wrong(), 0);
}

#[test]
fn results_of_steps_go_with_the_layer() {
    let sample = Sample::new();
    fs::remove_file(sample.blob(1)).unwrap();
    fs::remove_dir_all(sample.path("layers").join(sample.layers[1].hex())).unwrap();
    let found = lines(&sample.verify());
    assert!(found.contains("- cache/"), "{found}");
    sample.repair();
    assert_eq!(sample.store().cache_record(&Digest::of(b"key")).unwrap(), None);
}

#[test]
fn names_that_can_be_read_are_kept_and_images_are_found_again() {
    let sample = Sample::new();
    let index = sample.path("index.json");
    let text = fs::read_to_string(&index).unwrap();
    fs::write(&index, &text[..text.len() - 2]).unwrap();
    let found = lines(&sample.verify());
    assert!(found.starts_with("! index.json: it is damaged: "), "{found}");
    sample.repair();
    assert_eq!(sample.store().refs().unwrap().len(), 1, "the name was whole");
    assert!(sample.path("index.json.damaged").exists());
    fs::remove_file(&index).unwrap();
    let store = sample.store();
    assert!(Store::open(store.root(), store.options()).is_err(), "everything would look like garbage");
    drop(store);
    sample.repair();
    assert_eq!(sample.store().refs().unwrap().len(), 0);
    assert_eq!(sample.store().images(&Platform::linux("amd64")).unwrap().len(), 1);
}

#[test]
fn a_quick_look_reads_no_content_but_sees_lengths() {
    let sample = Sample::new();
    let quick = || {
        let options = VerifyOptions { quick: true, ..VerifyOptions::default() };
        sample.store().verify(&options, &|_| ()).unwrap()
    };
    spoil(&sample.blob(0), 600);
    assert_eq!((quick().wrong(), quick().bytes), (0, 0));
    fs::write(sample.blob(0), "short").unwrap();
    assert_eq!(
        lines(&quick()).lines().next().unwrap(),
        "! blobs/sha256/…: it has 5 bytes, not 2048 => remove it"
    );
}

#[test]
fn only_what_an_image_needs_is_looked_at() {
    let sample = Sample::new();
    let store = sample.store();
    let other = store.write_blob(b"other").unwrap();
    spoil(&sample.path("blobs/sha256").join(other.hex()), 0);
    let images = vec![store.resolve(&"app:1".parse().unwrap()).unwrap().unwrap()];
    let options = VerifyOptions { images, ..VerifyOptions::default() };
    let verified = store.verify(&options, &|_| ()).unwrap();
    assert_eq!((lines(&verified).as_str(), verified.blobs, verified.layers), ("", 4, 2));
    drop(store);
    assert_eq!(sample.verify().wrong(), 1);
}

#[test]
fn nothing_is_mended_while_somebody_else_works_in_the_store() {
    let sample = Sample::new();
    fs::remove_dir_all(sample.tree("")).unwrap();
    let other = sample.store();
    let verified = sample.repair();
    assert!(verified.is_in_use);
    assert_eq!((verified.wrong(), &verified.findings[0].outcome), (1, &Outcome::Found));
    drop(other);
    assert!(!sample.repair().is_in_use);
}

#[test]
fn beside_those_who_make_layers_nothing_is_wrong() {
    let sample = Sample::new();
    let store = sample.store();
    let is_done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..60 {
                let text = number.to_string();
                let made = layer(&store, &[("a", &text), ("b", &text)]);
                let Lower::Tree(_) = store.lower(&[made]).unwrap().remove(0) else { panic!("no tree") };
            }
            is_done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        while !is_done.load(std::sync::atomic::Ordering::Relaxed) {
            let verified = sample.verify();
            assert_eq!(lines(&verified), "");
        }
    });
}

#[test]
fn layers_of_an_earlier_boot_are_vouched_for_once_they_were_read() {
    let sample = Sample::new();
    let record = sample.path("layers").join(sample.layers[0].hex()).join("record.json");
    let text = fs::read_to_string(&record).unwrap();
    let boot = sample.store().boot_id().to_owned();
    fs::write(&record, text.replace(&boot, "another")).unwrap();
    let verified = sample.verify();
    assert_eq!(verified.wrong(), 0);
    assert!(lines(&verified).contains("- layers/…: the machine was started anew"), "{}", lines(&verified));
    sample.repair();
    assert_eq!(lines(&sample.verify()), "");
    assert!(fs::read_to_string(&record).unwrap().contains(r#""durable":true"#));
}
