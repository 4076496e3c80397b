//! The store and our archives in the hands of other tools, and theirs in ours.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use tug_layer_store::{
    ArchiveCompression, ArchiveFormat, LayerWriterOptions, LoadOptions, NewEntry, Owners, SaveImage,
    SaveOptions, Store, StoreOptions,
};
use tug_oci::{Digest, History, ImageConfig, Platform, Reference};

const NAMES: [&str; 2] = ["debian:12", "ghcr.io/some/app:v1"];

struct Fixture {
    folder: tempfile::TempDir,
    store: Store,
    id: Digest,
}

impl Fixture {
    /// A store with one image of two layers, called `debian:12` and `ghcr.io/some/app:v1`.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions { owners: Owners::Real, in_user_namespace: false, indexed_layers: false };
        let store = Store::open(&folder.path().join("store"), &options).unwrap();
        let mut config = ImageConfig::empty(Platform::host());
        config.created = Some("2024-01-01T00:00:00Z".to_owned());
        config.config.env = vec!["PATH=/bin".to_owned()];
        config.config.cmd = Some(vec!["/bin/true".to_owned()]);
        for content in ["first", "second"] {
            let mut writer = store.layer_writer(&LayerWriterOptions::default()).unwrap();
            writer.add(&NewEntry::directory("etc", 0o755), None).unwrap();
            let entry = NewEntry::file("etc/motd", 0o644, content.len() as u64);
            writer.add(&entry, Some(&mut content.as_bytes())).unwrap();
            config.rootfs.diff_ids.push(writer.finish().unwrap().diff_id().clone());
            config
                .history
                .push(History { created_by: Some(format!("COPY {content}")), ..History::default() });
        }
        let image = store.write_image(config, Default::default()).unwrap();
        for name in NAMES {
            store.tag(&name.parse().unwrap(), &image.descriptor).unwrap();
        }
        Self { folder, store, id: image.id().clone() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn save(&self, format: ArchiveFormat, compression: ArchiveCompression, names: &[&str]) -> PathBuf {
        let path = self.path("saved.tar");
        let names: Vec<Reference> = names.iter().map(|name| name.parse().unwrap()).collect();
        let target = self.store.resolve(&names[0]).unwrap().unwrap();
        let images = [SaveImage { target, names, written: None }];
        let options = SaveOptions { format, compression, platform: Platform::host() };
        self.store.save(&images, &options, &mut File::create(&path).unwrap()).unwrap();
        path
    }

    /// Loads `archive` into a new store, and finds the image under `name` there, with the same id.
    fn is_found_in(&self, archive: &Path, name: &str) {
        let options = StoreOptions { owners: Owners::Real, in_user_namespace: false, indexed_layers: false };
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store"), &options).unwrap();
        store.load_path(archive, &LoadOptions::new(Platform::host())).unwrap();
        let image = store.find_image(name, &Platform::host()).unwrap().expect("it has this name");
        assert_eq!(image.id(), &self.id, "{}", archive.display());
        let ours = self.store.find_image("debian:12", &Platform::host()).unwrap().unwrap();
        assert_eq!(image.diff_ids(), ours.diff_ids());
    }
}

/// Runs a program and returns what it printed.
fn run(program: &str, arguments: &[&dyn AsRef<OsStr>]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{program}` failed: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn located(transport: &str, path: &Path, name: &str) -> String {
    format!("{transport}:{}:{name}", path.display())
}

/// Skopeo and podman of Debian 12 do not read compressed docker-archives, whoever wrote them.
const THEIR_FORMS: [(ArchiveFormat, ArchiveCompression); 3] = [
    (ArchiveFormat::Docker, ArchiveCompression::Plain),
    (ArchiveFormat::Oci, ArchiveCompression::Plain),
    (ArchiveFormat::Oci, ArchiveCompression::Gzip),
];

#[test]
#[ignore = "needs skopeo"]
fn the_store_is_read_and_written_in_place_needs_skopeo() {
    let fixture = Fixture::new();
    let root = fixture.store.root();
    for name in NAMES {
        let seen = run("skopeo", &[&"inspect", &located("oci", root, name)]);
        let ours = fixture.store.resolve(&name.parse().unwrap()).unwrap().unwrap();
        assert!(seen.contains(&ours.digest.to_string()), "{seen}");
    }
    run("skopeo", &[&"copy", &located("oci", root, "debian:12"), &located("oci", root, "copied:1")]);
    let copied = fixture.store.find_image("copied:1", &Platform::host()).unwrap().unwrap();
    assert_eq!(copied.id(), &fixture.id);
    assert_eq!(fixture.store.refs().unwrap().len(), 3);
    fixture.store.untag(&"copied:1".parse().unwrap()).unwrap();
    assert_eq!(fixture.store.refs().unwrap().len(), 2);
}

#[test]
#[ignore = "needs skopeo"]
fn archives_go_both_ways_needs_skopeo() {
    let fixture = Fixture::new();
    for (format, compression) in THEIR_FORMS {
        let saved = fixture.save(format, compression, &NAMES);
        let transport = if format == ArchiveFormat::Docker { "docker-archive" } else { "oci-archive" };
        for name in NAMES {
            let seen = run("skopeo", &[&"inspect", &"--config", &located(transport, &saved, name)]);
            assert!(seen.contains("COPY second"), "{seen}");
        }
    }
    let store = located("oci", fixture.store.root(), "debian:12");
    for transport in ["docker-archive", "oci-archive", "oci"] {
        let theirs = fixture.path(transport);
        run("skopeo", &[&"copy", &store, &located(transport, &theirs, "theirs:1")]);
        fixture.is_found_in(&theirs, "theirs:1");
    }
}

#[test]
#[ignore = "needs umoci"]
fn images_of_the_store_are_unpacked_needs_umoci() {
    let fixture = Fixture::new();
    let bundle = fixture.path("bundle");
    let image = format!("{}:debian:12", fixture.store.root().display());
    run("umoci", &[&"unpack", &"--rootless", &"--image", &image, &bundle]);
    assert_eq!(std::fs::read_to_string(bundle.join("rootfs/etc/motd")).unwrap(), "second");
}

#[test]
#[ignore = "needs podman"]
fn archives_go_both_ways_needs_podman_needs_root() {
    let fixture = Fixture::new();
    let (root, run_root) = (fixture.path("podman"), fixture.path("podman-run"));
    let podman = |arguments: &[&dyn AsRef<OsStr>]| {
        let place: [&dyn AsRef<OsStr>; 6] =
            [&"--root", &root, &"--runroot", &run_root, &"--storage-driver", &"vfs"];
        run("podman", &[&place[..], arguments].concat())
    };
    for (format, compression) in THEIR_FORMS {
        // Podman takes one name of an oci-archive, and calls short names of a docker-archive `localhost/…`.
        let names = if format == ArchiveFormat::Docker { &NAMES[..] } else { &NAMES[1..] };
        podman(&[&"load", &"--input", &fixture.save(format, compression, names)]);
        for name in names {
            let id = podman(&[&"inspect", &"--type=image", &"--format={{.Id}}", name]);
            assert_eq!(id.trim(), fixture.id.hex(), "{format:?}");
        }
        for format in ["docker-archive", "oci-archive"] {
            let theirs = fixture.path("theirs.tar");
            let _ = std::fs::remove_file(&theirs);
            podman(&[&"save", &"--format", &format, &"--output", &theirs, &NAMES[1]]);
            fixture.is_found_in(&theirs, NAMES[1]);
        }
        podman(&[&"rmi", &"--all", &"--force"]);
    }
}

#[test]
#[ignore = "needs docker"]
fn archives_go_both_ways_needs_docker() {
    let host = std::env::var("TUG_TEST_DOCKER_HOST").expect("`TUG_TEST_DOCKER_HOST` names an engine");
    let docker = |arguments: &[&dyn AsRef<OsStr>]| {
        let host: [&dyn AsRef<OsStr>; 2] = [&"--host", &host];
        run("docker", &[&host[..], arguments].concat())
    };
    let fixture = Fixture::new();
    for compression in [ArchiveCompression::Plain, ArchiveCompression::Gzip] {
        let saved = fixture.save(ArchiveFormat::Docker, compression, &NAMES);
        docker(&[&"load", &"--input", &saved]);
        for name in NAMES {
            let id = docker(&[&"inspect", &"--type=image", &"--format={{.Id}}", &name]);
            assert_eq!(id.trim(), fixture.id.to_string());
        }
        let theirs = fixture.path("theirs.tar");
        docker(&[&"save", &"--output", &theirs, &"debian:12", &"ghcr.io/some/app:v1"]);
        fixture.is_found_in(&theirs, "debian:12");
        fixture.is_found_in(&theirs, "ghcr.io/some/app:v1");
        docker(&[&"rmi", &"debian:12", &"ghcr.io/some/app:v1"]);
    }
}
