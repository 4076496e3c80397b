//! Real registries and foreign clients: tug with Debian's docker-registry, with and without nginx before it, and others
//! with `tug serve`.

#[path = "interop_registries/accounts.rs"]
mod accounts;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tug_layer_store::NewEntry;
use tug_layer_store::tar::TarWriter;
use tug_testdata::distribution::Distribution;
use tug_testdata::nginx::Nginx;
use tug_testdata::place::Place;
use tug_testdata::program::Program;
use tug_testdata::registry_peer::{Authority, Behaviour, Peer, Validity, noise};

/// tug with the image `NAME` in its store: two layers, one of them of some megabytes.
fn tug_with(names: &[&str]) -> Program {
    let tug = Program::new(env!("CARGO_BIN_EXE_tug"), Place::Here);
    let peer = Peer::start(Behaviour::default());
    let name = format!("{}/app:1", peer.address());
    peer.add_image("app", "1", &[layer("large", 5_000_000, 1), layer("small", 10, 2)]);
    tug.must(&["pull", "-q", &name]);
    for other in names {
        tug.must(&["tag", &name, other]);
    }
    tug
}

fn layer(path: &str, length: usize, seed: u64) -> Vec<u8> {
    let mut tar = TarWriter::new(Vec::new());
    tar.header(&NewEntry::file(path, 0o644, length as u64)).expect("a header is written");
    tar.content(&noise(length, seed)).expect("content is written");
    tar.pad().expect("padding is written");
    tar.finish().expect("the end is written")
}

/// Puts the authority's certificate where docker and podman look for that of a registry, in the home of the test.
fn trust(tug: &Program, registry: &str, authority: &Authority) {
    let folder = tug.path(".config/containers/certs.d").join(registry);
    fs::create_dir_all(&folder).expect("folders can be made");
    fs::write(folder.join("ca.crt"), authority.pem()).expect("a file can be written");
}

/// What `tug pull` of the name gives in another store: the digest.
fn pulled_afresh(from: &Program, words: &[&str]) -> String {
    let store = from.path("another-store");
    let _ = fs::remove_dir_all(&store);
    let output = from.command(words).env("TUG_STORE", &store).output().expect("tug can be started");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{}`: {told}", words.join(" "));
    String::from_utf8_lossy(&output.stdout).trim().rsplit('@').next().unwrap_or_default().to_owned()
}

#[test]
#[ignore = "needs distribution"]
fn a_registry_with_a_password_and_its_own_authority_needs_distribution() {
    let authority = Authority::new();
    let certificate = authority.certificate(&["127.0.0.1"], Validity::Now);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let account = ("me".to_owned(), "pass:word".to_owned());
    let registry = Distribution::start_secured(folder.path(), &account, &certificate);
    let name = format!("{}/team/app:1", registry.address());
    let tug = tug_with(&[&name]);

    let output = tug.run(&["push", &name]);
    assert_eq!(output.status.code(), Some(3));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("signed by somebody who is not trusted here"), "{told}");
    trust(&tug, registry.address(), &authority);
    let output = tug.run(&["push", &name]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(3) && told.contains("401 Unauthorized"), "{told}");
    let wrong = tug.run(&["push", "--creds", "me:wr0ng", &name]);
    let told = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(wrong.status.code() == Some(3) && !told.contains("wr0ng"), "{told}");

    let creds = ["--creds", "me:pass:word"];
    let pushed = tug.must(&[&["push", "-q"][..], &creds, &[&name]].concat());
    let digest = pulled_afresh(&tug, &[&["pull", "-q"][..], &creds, &[&name]].concat());
    assert!(pushed.contains(&digest), "{pushed} {digest}");
    let copy = format!("{}/other/app:1", registry.address());
    tug.must(&[&["copy", "-q"][..], &creds, &[&name, &copy]].concat());
    assert_eq!(pulled_afresh(&tug, &[&["pull", "-q"][..], &creds, &[&copy]].concat()), digest);
}

#[test]
#[ignore = "needs distribution, nginx"]
fn a_registry_behind_nginx_needs_distribution_needs_nginx() {
    let authority = Authority::new();
    let certificate = authority.certificate(&["127.0.0.1"], Validity::Now);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let registry = Distribution::start(folder.path(), "");
    for buffers in [false, true] {
        let proxy = Nginx::start(registry.address(), &certificate, "0", buffers);
        let name = format!("{}/app-{buffers}:1", proxy.address());
        let tug = tug_with(&[&name]);
        trust(&tug, proxy.address(), &authority);
        let pushed = tug.must(&["push", "-q", &name]);
        let digest = pulled_afresh(&tug, &["pull", "-q", &name]);
        assert!(pushed.contains(&digest), "{pushed} {digest}");
    }
    let small = Nginx::start(registry.address(), &certificate, "1m", true);
    let name = format!("{}/large:1", small.address());
    let tug = tug_with(&[&name]);
    trust(&tug, small.address(), &authority);
    let output = tug.run(&["push", &name]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("413") && told.contains("hint: "), "the limit of the proxy is the reason: {told}");
}

/// `tug serve` on a free port, until it is dropped.
struct Serve {
    process: Child,
    address: String,
    _root: tempfile::TempDir,
}

impl Serve {
    fn start(tug: &Program) -> Self {
        Self::start_with(tug, &[])
    }

    fn start_with(tug: &Program, flags: &[&str]) -> Self {
        let root = tempfile::tempdir().expect("a temporary folder can be made");
        let path = root.path().join("root");
        let words = ["serve", "--addr", "127.0.0.1:0", "--root", &path.to_string_lossy()];
        let mut command = tug.command(&[&words, flags].concat());
        let mut process = command.stdout(Stdio::piped()).spawn().expect("tug can be started");
        let mut lines = BufReader::new(process.stdout.take().expect("it is a pipe")).lines();
        let address = lines.next().expect("it says where it listens").expect("it is text");
        Self { process, address, _root: root }
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn must(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {told}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn skopeo(from: &str, to: &str) {
    let flags = ["--insecure-policy", "copy", "--src-tls-verify=false", "--dest-tls-verify=false"];
    must(Command::new("skopeo").args(flags).args([from, to]));
}

#[test]
#[ignore = "needs skopeo"]
fn skopeo_takes_from_tug_serve_and_brings_back_needs_skopeo() {
    let tug = Program::new(env!("CARGO_BIN_EXE_tug"), Place::Here);
    let serve = Serve::start(&tug);
    let name = format!("{}/app:1", serve.address);
    let with = tug_with(&[&name]);
    let pushed = with.must(&["push", "-q", &name]);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let layout = format!("oci:{}:1", folder.path().display());
    skopeo(&format!("docker://{name}"), &layout);
    let back = format!("{}/back/app:2", serve.address);
    skopeo(&layout, &format!("docker://{back}"));
    let digest = pulled_afresh(&with, &["pull", "-q", &back]);
    assert!(pushed.contains(&digest), "what skopeo brought is what it took: {pushed} {digest}");
}

#[test]
#[ignore = "needs root, buildah"]
fn buildah_takes_from_tug_serve_and_brings_back_needs_root_needs_buildah() {
    with_containers_tool("buildah");
}

#[test]
#[ignore = "needs root, podman"]
fn podman_takes_from_tug_serve_and_brings_back_needs_root_needs_podman() {
    with_containers_tool("podman");
}

#[test]
#[ignore = "needs docker"]
fn docker_takes_from_tug_serve_and_brings_back_needs_docker() {
    let tug = Program::new(env!("CARGO_BIN_EXE_tug"), Place::Here);
    let serve = Serve::start(&tug);
    let name = format!("{}/app:1", serve.address);
    let back = format!("{}/back/app:2", serve.address);
    let with = tug_with(&[&name]);
    let pushed = with.must(&["push", "-q", &name]);
    let host = std::env::var("TUG_TEST_DOCKER_HOST").expect("TUG_TEST_DOCKER_HOST names the engine");
    let docker = |words: &[&str]| must(Command::new("docker").args(["--host", &host]).args(words));
    let digest = docker(&["pull", "--quiet", &name]);
    assert!(digest.contains("app:1"), "{digest}");
    let digests = docker(&["image", "inspect", "--format", "{{.RepoDigests}}", &name]);
    assert!(digests.contains(pushed.trim().rsplit('@').next().unwrap_or("none")), "{digests} {pushed}");
    docker(&["tag", &name, &back]);
    docker(&["push", "--quiet", &back]);
    pulled_afresh(&with, &["pull", "-q", &back]);
    docker(&["rmi", "--force", &name, &back]);
}

/// Pulls from `tug serve` with a program of the containers family, and pushes back under another name.
fn with_containers_tool(program: &str) {
    let tug = Program::new(env!("CARGO_BIN_EXE_tug"), Place::Here);
    let serve = Serve::start(&tug);
    let name = format!("{}/app:1", serve.address);
    let back = format!("{}/back/app:2", serve.address);
    let with = tug_with(&[&name]);
    with.must(&["push", "-q", &name]);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let run = |words: &[&str]| must(tool(program, folder.path()).args(words));
    run(&["pull", "--quiet", "--tls-verify=false", &name]);
    run(&["push", "--quiet", "--tls-verify=false", &name, &format!("docker://{back}")]);
    // It compresses again, so the digest is its own; what is in the image is the same.
    pulled_afresh(&with, &["pull", "-q", &back]);
}

fn tool(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    let (root, run) = (folder.join("root"), folder.join("run"));
    command.arg("--root").arg(root).arg("--runroot").arg(run).args(["--storage-driver", "vfs"]);
    command
}
