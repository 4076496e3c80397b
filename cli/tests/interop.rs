//! Other programs as judges: what tug saves must load and run in docker and podman and stand up to skopeo and umoci, and
//! what they save must load and run in tug.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tug_testdata::place::Place;
use tug_testdata::program::{Program, project};
use tug_testdata::{Listing, bases};

/// Names the socket of the docker engine that the tests may use.
const DOCKER_HOST_VARIABLE: &str = "TUG_TEST_DOCKER_HOST";

#[test]
#[ignore = "needs root, busybox, docker"]
fn what_tug_saves_runs_in_docker_needs_root_needs_busybox_needs_docker() {
    let tug = tug_with_site();
    let archive = tug.path("site.tar");
    tug.must(&["save", "--output", &archive.to_string_lossy(), "site"]);

    must(docker().args(["load", "--input"]).arg(&archive));
    let in_docker =
        must(docker().args(["run", "--rm", "--network", "none", "site", "cat", "/www/index.html"]));
    assert_eq!(in_docker, tug.must(&["run", "--rm", "--network", "none", "site", "cat", "/www/index.html"]));
    let inspected = must(docker().args(["image", "inspect", "site"]));
    assert_eq!(essence_of_config(&inspected), essence_of_config(&tug.must(&["inspect", "site"])));
}

#[test]
#[ignore = "needs root, busybox, docker"]
fn what_docker_saves_runs_in_tug_needs_root_needs_busybox_needs_docker() {
    let tug = Program::new(env!("CARGO_BIN_EXE_tug"), Place::Here);
    must(docker().arg("import").arg(bases::busybox()).arg("from-docker-base"));
    let example = project().join("examples/static-site");
    let build = ["build", "--quiet", "--network", "none", "--build-arg", "BASE=from-docker-base"];
    // The classic builder is in every engine, and asks no plugin of the client.
    must(docker().env("DOCKER_BUILDKIT", "0").args(build).args(["--tag", "from-docker"]).arg(example));
    let archive = tug.path("from-docker.tar");
    must(docker().args(["save", "--output"]).arg(&archive).arg("from-docker"));

    tug.must(&["load", "--input", &archive.to_string_lossy()]);
    let page = tug.must(&["run", "--rm", "--network", "none", "from-docker", "cat", "/www/index.html"]);
    assert!(page.contains("<h1>Welcome</h1>"), "{page}");
    let inspected = must(docker().args(["image", "inspect", "from-docker"]));
    assert_eq!(essence_of_config(&tug.must(&["inspect", "from-docker"])), essence_of_config(&inspected));
}

#[test]
#[ignore = "needs root, busybox, podman"]
fn what_tug_saves_runs_in_podman_and_back_needs_root_needs_busybox_needs_podman() {
    let tug = tug_with_site();
    let podman = Podman { folder: tempfile::tempdir().expect("a temporary folder can be made") };
    let archive = tug.path("site.tar");
    tug.must(&["save", "--format", "oci-archive", "--output", &archive.to_string_lossy(), "site"]);

    must(podman.command().args(["load", "--quiet", "--input"]).arg(&archive));
    let page = must(podman.run().args(["site", "cat", "/www/index.html"]));
    assert!(page.contains("<h1>Welcome</h1>"), "{page}");

    for format in ["docker-archive", "oci-archive"] {
        let back = tug.path(format);
        must(
            podman.command().args(["save", "--quiet", "--format", format, "--output"]).arg(&back).arg("site"),
        );
        let other = Program::new(env!("CARGO_BIN_EXE_tug"), Place::Here);
        other.must(&["load", "--input", &back.to_string_lossy()]);
        assert_eq!(other.tree("site").lines(), tug.tree("site").lines(), "{format}");
        let again = other.must(&["run", "--rm", "--network", "none", "site", "cat", "/www/index.html"]);
        assert_eq!(again, page, "{format}");
    }
}

#[test]
#[ignore = "needs busybox, skopeo"]
fn skopeo_reads_the_archives_that_tug_saves_needs_busybox_needs_skopeo() {
    let tug = tug_with_site();
    for format in ["docker-archive", "oci-archive"] {
        let archive = tug.path(format);
        tug.must(&["save", "--format", format, "--output", &archive.to_string_lossy(), "site"]);
        let source = format!("{format}:{}", archive.display());
        let seen = must(Command::new("skopeo").args(["inspect", "--config", &source]));
        let seen: Value = serde_json::from_str(&seen).expect("skopeo writes JSON");
        assert_eq!(seen["config"]["User"], "nobody", "{format}");
        // A copy checks every digest on its way.
        let copy = format!("dir:{}", tug.path(&format!("{format}-copy")).display());
        must(Command::new("skopeo").args(["--insecure-policy", "copy", "--quiet", &source, &copy]));
    }
}

#[test]
#[ignore = "needs skopeo"]
fn skopeo_reads_every_form_that_a_build_writes_needs_skopeo() {
    let tug = Program::new(env!("CARGO_BIN_EXE_tug"), Place::Here);
    let context = tempfile::tempdir().expect("a temporary folder can be made");
    let dockerfile = "FROM scratch\nCOPY Dockerfile /one\nCOPY Dockerfile /two\nUSER nobody\n";
    std::fs::write(context.path().join("Dockerfile"), dockerfile).expect("a file can be written");
    let context = context.path().to_string_lossy().into_owned();
    let platforms = ["--platform", "linux/amd64,linux/arm64"];
    for (number, (keys, extra)) in [
        ("type=oci", &[][..]),
        ("type=oci,compression=gzip", &[]),
        ("type=oci,compression=zstd,compression-level=9", &[]),
        ("type=oci,oci-mediatypes=false,compression=gzip", &[]),
        ("type=oci,compression=zstd", &platforms),
        ("type=docker", &[]),
        ("type=docker,compression=zstd", &["--squash"]),
    ]
    .into_iter()
    .enumerate()
    {
        let file = tug.path(&format!("{number}.tar"));
        let output = format!("{keys},dest={}", file.display());
        let words = ["build", "-q", "-t", "app", "-o", &output, &context];
        tug.must(&[&words[..], extra].concat());
        let kind = if keys.starts_with("type=oci") { "oci-archive" } else { "docker-archive" };
        let source = format!("{kind}:{}", file.display());
        let seen = must(Command::new("skopeo").args(["inspect", "--config", &source]));
        let seen: Value = serde_json::from_str(&seen).expect("skopeo writes JSON");
        assert_eq!(seen["config"]["User"], "nobody", "{keys}");
        // A copy checks every digest on its way.
        let copy = format!("dir:{}", tug.path(&format!("{number}-copy")).display());
        must(Command::new("skopeo").args(["--insecure-policy", "copy", "--all", "--quiet", &source, &copy]));
    }
}

#[test]
#[ignore = "needs root, busybox, docker"]
fn what_a_build_writes_for_docker_runs_there_needs_root_needs_busybox_needs_docker() {
    let tug = tug_with_site();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let dockerfile = "FROM site\nCOPY Dockerfile /www/index.html\nCOPY Dockerfile /www/other.html\n";
    std::fs::write(folder.path().join("Dockerfile"), dockerfile).expect("a file can be written");
    for (number, keys) in ["", ",compression=gzip", ",compression=zstd"].into_iter().enumerate() {
        let archive = tug.path(&format!("{number}.tar"));
        let output = format!("type=docker{keys},dest={}", archive.display());
        let context = folder.path().to_string_lossy();
        tug.must(&["build", "-q", "--squash", "-t", "from-build", "-o", &output, &context]);
        must(docker().args(["load", "--input"]).arg(&archive));
        let cat = ["run", "--rm", "--network", "none", "from-build", "cat", "/www/other.html"];
        assert_eq!(must(docker().args(cat)), dockerfile, "{keys}");
    }
}

#[test]
#[ignore = "needs root, busybox, umoci, skopeo"]
fn umoci_unpacks_the_tree_that_tug_exports_needs_root_needs_busybox_needs_umoci_needs_skopeo() {
    let tug = tug_with_site();
    let (archive, layout, bundle) = (tug.path("site.tar"), tug.path("layout"), tug.path("bundle"));
    tug.must(&["save", "--format", "oci-archive", "--output", &archive.to_string_lossy(), "site"]);
    let (from, to) = (format!("oci-archive:{}", archive.display()), format!("oci:{}:site", layout.display()));
    must(Command::new("skopeo").args(["--insecure-policy", "copy", "--quiet", &from, &to]));
    must(
        Command::new("umoci").args(["unpack", "--image", &format!("{}:site", layout.display())]).arg(&bundle),
    );
    let unpacked = Listing::of_folder(&bundle.join("rootfs")).without_root();
    assert_eq!(unpacked.lines(), tug.tree("site").without_root().lines());
}

#[test]
#[ignore = "needs root, busybox, buildah"]
fn buildah_builds_on_what_tug_saves_needs_root_needs_busybox_needs_buildah() {
    let tug = tug_with_site();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let archive = tug.path("site.tar");
    tug.must(&["save", "--format", "oci-archive", "--output", &archive.to_string_lossy(), "site"]);
    let buildah = || {
        let mut command = Command::new("buildah");
        command.arg("--root").arg(folder.path().join("root")).arg("--runroot").arg(folder.path().join("run"));
        command
    };
    let pulled = must(buildah().args(["pull", "--quiet", &format!("oci-archive:{}", archive.display())]));
    let container = must(buildah().args(["from", pulled.trim()]));
    let mounted = must(buildah().args(["mount", container.trim()]));
    let page = std::fs::read_to_string(Path::new(mounted.trim()).join("www/about.html"));
    must(buildah().args(["umount", container.trim()]));
    assert!(page.is_ok_and(|page| page.contains("moves ships")));
}

fn tug_with_site() -> Program {
    let tug = Program::new(env!("CARGO_BIN_EXE_tug"), Place::Here);
    tug.import(&bases::busybox(), "busybox");
    tug.build_project_folder("examples/static-site", "site", &["--build-arg", "BASE=busybox"]);
    tug
}

/// What of an inspected image a container depends on.
fn essence_of_config(inspected: &str) -> Vec<String> {
    let inspected: Value = serde_json::from_str(inspected).expect("inspect writes JSON");
    ["Env", "Cmd", "Entrypoint", "WorkingDir", "User", "ExposedPorts", "Labels"]
        .map(|field| {
            let value = &inspected[0]["Config"][field];
            let empty = value.is_null() || value == "" || value.as_array().is_some_and(Vec::is_empty);
            if empty { format!("{field}: none") } else { format!("{field}: {value}") }
        })
        .to_vec()
}

fn docker() -> Command {
    let host = std::env::var(DOCKER_HOST_VARIABLE).expect("`./test` starts an engine and says where");
    let mut command = Command::new("docker");
    command.env("DOCKER_HOST", host);
    command
}

/// Podman with a storage of its own.
struct Podman {
    folder: tempfile::TempDir,
}

impl Podman {
    fn command(&self) -> Command {
        let mut command = Command::new("podman");
        command.arg("--root").arg(self.folder.path().join("root"));
        command.arg("--runroot").arg(self.folder.path().join("run")).args(["--runtime", "runc"]);
        command
    }

    /// With limits that need no right to raise them.
    fn run(&self) -> Command {
        let mut command = self.command();
        command.args(["run", "--rm", "--network", "none", "--ulimit", "nofile=1024:1024"]);
        command.args(["--ulimit", "nproc=1000:1000"]);
        command
    }
}

fn must(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("could not start {command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
