//! Hostile layers by every way in, as root and as ordinary users: each is refused or contained, and nothing outside of the
//! place of the test changes. `testdata/ATTACKS.md` names the attacks.
//!
//! Each layer goes in by one of the ways, in turn; with `TUG_HOSTILE=all`, by all of them.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::json;
use tug_oci::Digest;
use tug_testdata::hostile::{self, Hostile, Verdict};
use tug_testdata::place::Place;
use tug_testdata::program::Program;
use tug_testdata::registry_peer::{Behaviour, Peer};
use tug_testdata::{Detail, Listing, bases};

/// How a layer gets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// `tug import`, alone.
    Import,
    /// `tug load` of a docker-archive, above a shell.
    DockerArchive,
    /// `tug load` of an OCI layout with gzip, above a shell.
    Layout,
    /// `tug pull`.
    Pull,
    /// `FROM oci:…` and a RUN.
    From,
    /// `ADD layer.tar /`: it is unpacked by other rules, in an image with folders and links of its own.
    Add,
}

const WAYS: [Way; 6] = [Way::Import, Way::DockerArchive, Way::Layout, Way::Pull, Way::From, Way::Add];

#[test]
#[ignore = "needs root, busybox"]
fn hostile_layers_are_refused_or_contained_as_root_needs_root_needs_busybox() {
    Ground::new(Place::Here).try_all(0);
}

#[test]
#[ignore = "needs users, busybox"]
fn hostile_layers_are_refused_or_contained_with_many_ids_needs_users_needs_busybox() {
    Ground::new(Place::UserWithManyIds).try_all(1);
}

#[test]
#[ignore = "needs users, busybox"]
fn hostile_layers_are_refused_or_contained_with_one_id_needs_users_needs_busybox() {
    Ground::new(Place::UserWithOneId).try_all(2);
}

#[test]
#[ignore = "needs root, busybox"]
fn no_program_of_the_host_or_of_an_image_unpacks_anything_needs_root_needs_busybox() {
    let ground = Ground::new(Place::Here);
    let (tools, called) = (ground.tug.path("tools"), ground.tug.path("called"));
    fs::create_dir(&tools).unwrap();
    for tool in ["gzip", "gunzip", "unpigz", "pigz", "xz", "unxz", "bzip2", "zstd", "tar", "newuidmap"] {
        let trojan = tools.join(tool);
        fs::write(&trojan, format!("#!/bin/sh\necho $0 >> {}\nexit 1\n", called.display())).unwrap();
        fs::set_permissions(&trojan, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let plain = tug_testdata::raw_tar::archive(&[tug_testdata::raw_tar::Raw::file("f", "x")]);
    for program in ["gzip", "xz", "bzip2", "zstd"] {
        let compressed = ground.compressed(program, &plain);
        let output =
            ground.tug.command(&["import", &compressed, program]).env("PATH", &tools).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        ground.tug.must(&["export", "-o", "exported.tar", program]);
    }
    assert!(!called.exists(), "{}", fs::read_to_string(&called).unwrap());
}

struct Ground {
    tug: Program,
    outside: PathBuf,
    before: String,
    peer: Peer,
}

impl Ground {
    fn new(place: Place) -> Self {
        let tug = Program::new(env!("CARGO_BIN_EXE_tug"), place);
        let outside = tug.path("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("marker"), "still here").unwrap();
        tug.give(&outside);
        let peer = Peer::start(Behaviour::default());
        let mut ground = Self { tug, outside, before: String::new(), peer };
        ground.before = ground.seen_outside();
        ground
    }

    fn try_all(&self, shift: usize) {
        let all_ways = std::env::var_os("TUG_HOSTILE").is_some_and(|value| value == "all");
        let layers = hostile::layers(&self.outside.to_string_lossy());
        for (number, layer) in layers.iter().enumerate() {
            for (at, way) in WAYS.iter().enumerate() {
                if all_ways || at == (number + shift) % WAYS.len() {
                    self.try_one(number, layer, *way);
                }
            }
        }
    }

    fn try_one(&self, number: usize, layer: &Hostile, way: Way) {
        let name = format!("hostile:{number}-{}", format!("{way:?}").to_lowercase());
        let output = self.bring_in(layer, way, &name);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let what = format!("{} by {way:?}: {}\n{told}", layer.name, output.status);
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 1 | 4)), "{what}");
        assert!(code == Some(0) || told.contains("error: "), "{what}");
        assert!(told.len() < 4_000 && !told.contains('\u{1b}'), "{what}");
        match (layer.verdict, way) {
            // Archives of ADD are unpacked by other rules, and a RUN needs a container.
            (_, Way::Add) | (Verdict::ContainedWithoutContainers, Way::From) => {}
            // These keep a layer as it comes. Whoever needs what is in it is refused.
            (Verdict::Refused, Way::DockerArchive | Way::Layout) => {}
            (Verdict::Refused, _) => assert_ne!(code, Some(0), "{what}"),
            (Verdict::Contained | Verdict::ContainedWithoutContainers, _) => {
                assert_eq!(code, Some(0), "{what}");
            }
        }
        if code == Some(0) {
            self.use_it(layer, way, &name);
        }
        assert_eq!(self.seen_outside(), self.before, "{what}");
    }

    /// What is done with images: looked at, written out, run, removed.
    fn use_it(&self, layer: &Hostile, way: Way, name: &str) {
        let exported = self.tug.run(&["export", "-o", "exported.tar", name]);
        let is_good = layer.verdict != Verdict::Refused || way == Way::Add;
        let told = String::from_utf8_lossy(&exported.stderr);
        assert_eq!(exported.status.success(), is_good, "{}, by {way:?}: {told}", layer.name);
        if way != Way::Import && way != Way::Add {
            let script = "echo new > /l/new; echo changed > /l/marker; rm -rf /c /h /m /d; true";
            let ran = self.tug.run(&["run", "--rm", "--network", "none", name, "sh", "-c", script]);
            let told = String::from_utf8_lossy(&ran.stderr);
            match layer.verdict {
                Verdict::Contained => assert!(ran.status.success(), "{}: {}\n{told}", layer.name, ran.status),
                Verdict::Refused => assert_eq!(ran.status.code(), Some(125), "{}: {told}", layer.name),
                Verdict::ContainedWithoutContainers => {}
            }
        }
        self.tug.must(&["rmi", name]);
    }

    fn bring_in(&self, layer: &Hostile, way: Way, name: &str) -> Output {
        let base = fs::read(bases::busybox()).unwrap();
        let layers = [base, layer.tar.clone()];
        match way {
            Way::Import => {
                fs::write(self.tug.path("layer.tar"), &layer.tar).unwrap();
                self.tug.run(&["import", "layer.tar", name])
            }
            Way::DockerArchive => {
                self.write("image.tar", &docker_archive(name, &layers));
                self.tug.run(&["load", "-i", "image.tar"])
            }
            Way::Layout => {
                self.write_layout(name, &layers);
                self.tug.run(&["load", "-i", "layout"])
            }
            Way::Pull => {
                let repository = name.replace(':', "-");
                self.peer.add_image(&repository, "1", &layers);
                let remote = format!("{}/{repository}:1", self.peer.address());
                let mut pull = self.tug.command(&["pull", "-q", &remote]);
                // Credentials of this machine are nobody's business.
                let pulled = pull
                    .env_remove("TUG_OFFLINE")
                    .env("XDG_RUNTIME_DIR", self.tug.path(""))
                    .output()
                    .unwrap();
                if pulled.status.success() {
                    self.tug.must(&["tag", &remote, name]);
                    self.tug.must(&["rmi", &remote]);
                }
                pulled
            }
            Way::From => {
                self.write_layout(name, &layers);
                let dockerfile = "FROM oci:layout\nENV PATH=/bin\nRUN echo x > /made\n";
                self.build(dockerfile, &[("layer.tar", &layer.tar)], name)
            }
            Way::Add => {
                let links =
                    format!("FROM scratch\nADD base.tar /\nADD layer.tar /\nADD layer.tar {}\n", "/l/");
                self.build(&links, &[("layer.tar", &layer.tar), ("base.tar", &layers[0])], name)
            }
        }
    }

    fn build(&self, dockerfile: &str, files: &[(&str, &[u8])], name: &str) -> Output {
        let context = self.tug.path("context");
        let _ = fs::remove_dir_all(&context);
        fs::create_dir(&context).unwrap();
        fs::write(context.join("Dockerfile"), dockerfile).unwrap();
        for (file, bytes) in files {
            fs::write(context.join(file), bytes).unwrap();
        }
        self.tug.give(&context);
        self.tug.run(&["build", "-q", "--network=none", "-t", name, "context"])
    }

    fn write(&self, file: &str, bytes: &[u8]) {
        fs::write(self.tug.path(file), bytes).unwrap();
    }

    /// A layout whose layers are compressed.
    fn write_layout(&self, name: &str, layers: &[Vec<u8>]) {
        let layout = self.tug.path("layout");
        let _ = fs::remove_dir_all(&layout);
        fs::create_dir_all(layout.join("blobs/sha256")).unwrap();
        let blob = |kind: &str, bytes: &[u8]| {
            let digest = Digest::of(bytes);
            fs::write(layout.join("blobs/sha256").join(digest.hex()), bytes).unwrap();
            let kind = format!("application/vnd.oci.image.{kind}");
            json!({"mediaType": kind, "digest": digest.to_string(), "size": bytes.len()})
        };
        let packed: Vec<_> = layers
            .iter()
            .map(|layer| {
                let compressed = fs::read(self.tug.path(&self.compressed("gzip", layer))).unwrap();
                blob("layer.v1.tar+gzip", &compressed)
            })
            .collect();
        let config = blob("config.v1+json", &config(layers));
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": packed});
        let mut target = blob("manifest.v1+json", &serde_json::to_vec(&manifest).unwrap());
        target["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        let index = json!({"schemaVersion": 2, "manifests": [target]});
        fs::write(layout.join("index.json"), serde_json::to_vec(&index).unwrap()).unwrap();
        fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        self.tug.give(&layout);
    }

    /// The name of a file with `bytes`, compressed.
    fn compressed(&self, program: &str, bytes: &[u8]) -> String {
        let plain = self.tug.path("plain");
        fs::write(&plain, bytes).unwrap();
        let output = std::process::Command::new(program).arg("-c").arg(&plain).output().unwrap();
        assert!(output.status.success());
        fs::write(self.tug.path("compressed"), output.stdout).unwrap();
        "compressed".to_owned()
    }

    fn seen_outside(&self) -> String {
        assert!(!Path::new("/etc/passwd2").exists());
        Listing::of_folder(&self.outside).without(Detail::Owners).lines()
    }
}

fn config(layers: &[Vec<u8>]) -> Vec<u8> {
    let diff_ids: Vec<String> = layers.iter().map(|layer| Digest::of(layer).to_string()).collect();
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let config = json!({
        "architecture": architecture, "os": "linux", "config": {"Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    serde_json::to_vec(&config).unwrap()
}

fn docker_archive(name: &str, layers: &[Vec<u8>]) -> Vec<u8> {
    use tug_testdata::raw_tar::{Raw, archive};
    let names: Vec<String> = (0..layers.len()).map(|number| format!("{number}.tar")).collect();
    let manifest = json!([{"Config": "config.json", "RepoTags": [name], "Layers": names}]);
    let mut entries = vec![
        Raw::file("manifest.json", serde_json::to_vec(&manifest).unwrap()),
        Raw::file("config.json", config(layers)),
    ];
    entries.extend(names.iter().zip(layers).map(|(name, layer)| Raw::file(name, layer)));
    archive(&entries)
}
