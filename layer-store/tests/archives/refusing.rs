//! What is wrong with an archive is named, and nothing of it is kept.

use std::io::Read;

use proptest::prelude::*;
use tug_layer_store::tar::TarWriter;
use tug_layer_store::{BlockWriter, NewEntry};
use tug_oci::{Digest, Manifest, Raw, media_type};

use crate::making::*;

fn a() -> String {
    "a".repeat(64)
}

fn named_a() -> String {
    format!("{{\"app\":{{\"1\":\"{}\"}}}}", a())
}

/// An archive of docker before 1.10 without any layer.
fn legacy(repositories: &str, configs: &[(&str, &str)]) -> Vec<u8> {
    let archive = Archive::new().file("repositories", repositories.as_bytes());
    let add = |archive: Archive, (id, config): &(&str, &str)| {
        archive.file(&format!("{id}/json"), config.as_bytes())
    };
    configs.iter().fold(archive, add).finish()
}

#[test]
fn an_archive_that_is_cut_anywhere_is_refused() {
    let plain = layer("layer");
    let config = config(&[&plain]);
    let archive = Archive::new()
        .file("l", &plain)
        .file("c.json", config.bytes())
        .file("manifest.json", &docker_manifest("c.json", &["l"]))
        .finish();
    let compressed = gzip(&archive);
    for length in (1..compressed.len()).step_by(compressed.len() / 12) {
        let text = refusal(&compressed[..length]);
        assert!(
            text.contains("cannot be read") || text.contains("not an archive"),
            "cut at {length}: {text}"
        );
    }
    for length in (1..archive.len() - 1024).step_by(512 + 100) {
        refusal(&archive[..length]);
    }
}

/// A docker-archive that is a layout too, with a compressed layer.
fn archive_of_both_forms() -> Vec<u8> {
    let plain = layer("layer");
    let compressed = gzip(&plain);
    let config = config(&[&plain]);
    let manifest = manifest_of(&config, vec![describe(media_type::OCI_LAYER_GZIP, &compressed)]);
    let blob = |content: &[u8]| format!("blobs/sha256/{}", Digest::of(content).hex());
    Archive::new()
        .file("index.json", &index(&describe(media_type::OCI_MANIFEST, manifest.bytes())))
        .file("manifest.json", &docker_manifest(&blob(config.bytes()), &[&blob(&compressed)]))
        .blob(config.bytes())
        .blob(manifest.bytes())
        .blob(&compressed)
        .finish()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_archive_is_refused_or_what_it_loads_is_whole(
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut archive = archive_of_both_forms();
        for (place, value) in places {
            let length = archive.len();
            archive[place.index(length)] = value;
        }
        let (_folder, store) = store();
        match load(&store, &archive) {
            Ok(loaded) => {
                for image in loaded {
                    let found = store.image(&image.target, &amd64()).unwrap();
                    for blob in &found.manifest.layers {
                        store.read_blob(&blob.digest, 1 << 20).unwrap();
                    }
                }
            }
            Err(_) => {
                prop_assert!(store.refs().unwrap().is_empty());
                prop_assert_eq!(std::fs::read_dir(store.root().join("blobs/sha256")).unwrap().count(), 0);
            }
        }
    }
}

#[test]
fn archives_that_lie_are_refused_by_name() {
    let plain = layer("layer");
    let config = config(&[&plain]);
    let manifest = |kind: &str, size: u64| {
        let mut blob = describe(kind, &plain);
        blob.size = size;
        manifest_of(&config, vec![blob])
    };
    let good = manifest(media_type::OCI_LAYER, plain.len() as u64);
    let oci = |manifest: &Raw<Manifest>| {
        let target = describe(media_type::OCI_MANIFEST, manifest.bytes());
        Archive::new().file("index.json", &index(&target)).blob(manifest.bytes()).blob(config.bytes())
    };
    let docker = |config_name: &str, layers: &[&str]| {
        Archive::new()
            .file("manifest.json", &docker_manifest(config_name, layers))
            .file("c.json", config.bytes())
    };
    let oci_of = |manifest: &[u8]| {
        let target = describe(media_type::OCI_MANIFEST, manifest);
        Archive::new().file("index.json", &index(&target)).blob(manifest)
    };
    let evil_digest = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{}","digest":"sha256:../../x","size":1}}]}}"#,
        media_type::OCI_MANIFEST
    );
    let both_at_once =
        String::from_utf8(good.bytes().to_vec()).unwrap().replacen('{', r#"{"manifests":[],"#, 1);
    let blob_name = format!("blobs/sha256/{}", Digest::of(&plain).hex());
    let wrong_config = format!("{}.json", Digest::of(b"other").hex());
    let two_layers = {
        let layers = vec![describe(media_type::OCI_LAYER, &plain); 2];
        manifest_of(&config, layers)
    };
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (Vec::new(), "not an archive of images"),
        (Archive::new().file("etc/passwd", b"").finish(), "not an archive of images"),
        (b"no tar at all, but text that is longer than a tar header".repeat(20), "cannot be read"),
        (Archive::new().file("repositories", b"{}").file("a/layer.tar", b"").finish(), "holds no images"),
        (Archive::new().file("repositories", b"[]").finish(), "`repositories` in the archive cannot be read"),
        (legacy("{\"app\":{\"1\":\"../x\"}}", &[]), "`../x` is no id"),
        (legacy(&named_a(), &[]), "the config of layer `aaaa"),
        (legacy(&named_a(), &[(&a(), "{}")]), "a layer, `aaaa"),
        (
            legacy(&named_a(), &[(&a(), &format!("{{\"parent\":\"{}\"}}", a()))]),
            "it is among its own parents",
        ),
        (legacy(&named_a(), &[(&a(), "{\"parent\":\"..\"}")]), "`..` is no id"),
        (legacy(&named_a(), &[(&a(), "[")]), "/json` in the archive cannot be read"),
        (Archive::new().file("manifest.json", b"[]").finish(), "holds no images"),
        (
            Archive::new().file("manifest.json", b"{").finish(),
            "`manifest.json` in the archive cannot be read",
        ),
        (Archive::new().file("index.json", b"[]").finish(), "`index.json` in the archive cannot be read"),
        (
            Archive::new().file("index.json", evil_digest.as_bytes()).finish(),
            "`index.json` in the archive cannot be read",
        ),
        (oci_of(both_at_once.as_bytes()).finish(), "both `layers` and `manifests`"),
        (oci(&good).finish(), "layer 1 of 1, `blobs/sha256/"),
        (oci(&good).file(&blob_name, b"other").finish(), "arrived as `sha256:"),
        (oci(&manifest(media_type::OCI_LAYER, 5)).blob(&plain).finish(), "but 5 were announced"),
        (oci(&two_layers).blob(&plain).finish(), "2 layers in its manifest, 1 in its config"),
        (docker("c.json", &["l"]).finish(), "layer 1 of 1, `l`, is missing from the archive"),
        (docker("c.json", &["l"]).file("l", &layer("other")).finish(), "layer `l` should unpack to `sha256:"),
        (docker("c.json", &[]).finish(), "0 layers in its manifest, 1 in its config"),
        (docker("/etc/passwd", &["l"]).finish(), "the config of image 1, `/etc/passwd`, is missing"),
        (docker("../c.json", &["l"]).finish(), "the config of image 1, `../c.json`, is missing"),
        (docker(&wrong_config, &["l"]).file(&wrong_config, config.bytes()).finish(), "arrived as `sha256:"),
        (
            docker("c.json", &["l"]).link("l", "../../etc/passwd").finish(),
            "the link `l` in the archive leads nowhere",
        ),
        (
            docker("c.json", &["l"]).link("l", "/etc/passwd").finish(),
            "the link `l` in the archive leads nowhere",
        ),
        (
            docker("c.json", &["l"]).link("l", "m").link("m", "l").finish(),
            "the link `l` in the archive leads nowhere",
        ),
        (docker("c.json", &["l"]).link("l", "nothing").finish(), "the link `l` in the archive leads nowhere"),
        (docker("c.json", &["l"]).file("l", &plain).file("l", b"x").finish(), "`l` is in the archive twice"),
        (docker("l", &["l"]).file("l", &plain).finish(), "`l` in the archive cannot be read"),
    ];
    for (archive, expected) in cases {
        let text = refusal(&archive);
        assert!(text.contains(expected), "expected `{expected}`, found `{text}`");
    }
}

#[test]
fn names_that_lead_out_are_refused_or_become_names_inside() {
    let plain = layer("layer");
    let config = config(&[&plain]);
    let archive = |name: &str| {
        let mut archive = Archive::new()
            .file("manifest.json", &docker_manifest("c.json", &["l"]))
            .file("c.json", config.bytes())
            .finish();
        archive.truncate(archive.len() - 1024);
        archive.extend_from_slice(&raw_entry(name, &plain));
        archive
    };
    for name in ["../l", "a/../../l", "a/.."] {
        let text = refusal(&archive(name));
        assert!(text.contains("cannot be a name in an archive"), "{text}");
    }
    for name in ["/l", "./l", "//l"] {
        let (folder, store) = store();
        load(&store, &archive(name)).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "something is beside the store");
    }
}

/// An entry with a name that no writer of ours would write.
fn raw_entry(name: &str, content: &[u8]) -> Vec<u8> {
    let mut entry = Archive::new().file("x", content).finish();
    entry[..name.len()].copy_from_slice(name.as_bytes());
    entry[148..156].fill(b' ');
    let sum: u32 = entry[..512].iter().map(|byte| u32::from(*byte)).sum();
    entry[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    entry
}

#[test]
fn huge_documents_and_bombs_are_refused_in_time() {
    let huge = vec![b' '; 17 << 20];
    let text = refusal(&Archive::new().file("manifest.json", &huge).finish());
    assert!(text.contains("is larger than 16777216 bytes"), "{text}");
    let text = refusal(&Archive::new().file("index.json", &huge).finish());
    assert!(text.contains("is larger than 16777216 bytes"), "{text}");

    let many = (0..20_001).fold(TarWriter::new(Vec::new()), |mut tar, number| {
        tar.header(&NewEntry::file(number.to_string(), 0o644, 0)).unwrap();
        tar
    });
    let text = refusal(&many.finish().unwrap());
    assert!(text.contains("more entries than the limit of 20000"), "{text}");

    // A layer of zeros without end, in a few kilobytes.
    let mut bomb = BlockWriter::zstd(Vec::new(), 1);
    std::io::copy(&mut std::io::repeat(0).take((1 << 30) + (1 << 26)), &mut bomb).unwrap();
    let bomb = bomb.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    let config = config(&[&[]]);
    let archive = Archive::new()
        .file("manifest.json", &docker_manifest("c.json", &["l"]))
        .file("c.json", config.bytes())
        .file("l", &bomb)
        .finish();
    let text = refusal(&archive);
    assert!(text.contains("decompression bomb"), "{text}");
}

#[test]
fn holes_that_stand_for_a_terabyte_are_not_filled() {
    let folder = tempfile::tempdir().unwrap();
    let hollow = std::fs::File::create(folder.path().join("layer.tar")).unwrap();
    hollow.set_len(1 << 40).unwrap();
    for format in ["gnu", "pax"] {
        let mut tar = std::process::Command::new("tar");
        tar.current_dir(&folder).args(["--sparse", "--format", format, "-cf", "-", "layer.tar"]);
        let text = refusal(&tar.output().unwrap().stdout);
        assert!(text.contains("`layer.tar` in the archive cannot be read: it is a sparse file"), "{text}");
    }
}

#[test]
fn a_layout_folder_cannot_lead_out_of_itself() {
    let plain = layer("layer");
    let config = config(&[&plain]);
    let manifest = manifest_of(&config, vec![describe(media_type::OCI_LAYER, &plain)]);
    let (folder, store) = store();
    let layout = folder.path().join("layout");
    std::fs::create_dir_all(layout.join("blobs/sha256")).unwrap();
    let blob = |content: &[u8]| layout.join("blobs/sha256").join(Digest::of(content).hex());
    std::fs::write(layout.join("index.json"), index(&describe(media_type::OCI_MANIFEST, manifest.bytes())))
        .unwrap();
    std::fs::write(blob(manifest.bytes()), manifest.bytes()).unwrap();
    std::fs::write(blob(config.bytes()), config.bytes()).unwrap();
    let outside = folder.path().join("outside");
    std::fs::write(&outside, &plain).unwrap();
    let load = || store.load_path(&layout, &options()).unwrap_err().to_string();

    assert!(load().contains("layer 1 of 1, `blobs/sha256/"));
    std::os::unix::fs::symlink(&outside, blob(&plain)).unwrap();
    assert!(load().contains("is not a file of its own"), "a link out of the folder was followed");
    std::fs::remove_file(blob(&plain)).unwrap();
    std::fs::create_dir(blob(&plain)).unwrap();
    assert!(load().contains("is not a file of its own"));
    std::fs::remove_dir(blob(&plain)).unwrap();
    std::fs::write(blob(&plain), b"other").unwrap();
    assert!(load().contains("arrived as `sha256:"));
    std::fs::write(blob(&plain), &plain).unwrap();
    store.load_path(&layout, &options()).unwrap();
    assert_eq!(diff_ids_of(&store, "app:1"), [Digest::of(&plain)]);
}
