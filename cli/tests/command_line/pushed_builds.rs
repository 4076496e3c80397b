//! Builds whose bases are at a registry, and that push what they make.

use tug_testdata::registry_peer::{Behaviour, Peer, noise};

use crate::tug::Tug;

/// A context with two files.
fn tug() -> Tug {
    let tug = Tug::new();
    std::fs::write(tug.path("one"), noise(300_000, 1)).expect("the file is written");
    std::fs::write(tug.path("two"), "two\n").expect("the file is written");
    tug
}

fn build(tug: &Tug, dockerfile: &str, words: &[&str]) -> (i32, String, String) {
    std::fs::write(tug.path("Dockerfile"), dockerfile).expect("the file is written");
    let mut command = tug.command(&[&["build", "."], words].concat());
    let output = command.env_remove("TUG_OFFLINE").output().expect("tug starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

const TWO_LAYERS: &str = "FROM scratch\nCOPY one /\nCOPY two /\n";

#[test]
fn a_build_is_pushed_and_its_name_means_the_same_here_and_there() {
    let (tug, peer) = (tug(), Peer::start(Behaviour::default()));
    let name = format!("{}/app:1", peer.address());
    let (code, digest, talk) = build(&tug, TWO_LAYERS, &["--push", "-t", &name]);
    assert_eq!(code, 0, "{talk}");
    let there = peer.contents(|contents| contents.repository("app").tags["1"].clone());
    assert_eq!(digest.trim(), there, "{talk}");
    let local = tug.run(&["inspect", "--format", "{{.Digest}}", &name]);
    assert!(local.contains(&there), "{local}");
    let received =
        || ["PATCH", "PUT"].map(|method| peer.received(method, "/blobs/uploads/")).iter().sum::<u64>();
    let sent = received();
    assert!(sent > 300_000, "{:#?}", peer.lines());
    // The same again: the registry is asked, and nothing is sent.
    let (code, again, talk) = build(&tug, TWO_LAYERS, &["--push", "-t", &name]);
    assert_eq!((code, again), (0, digest), "{talk}");
    assert_eq!(received(), sent);
    assert_eq!(peer.contents(|contents| contents.open_sessions()), 0);
}

#[test]
fn a_build_that_fails_pushes_no_image_and_leaves_no_upload_behind() {
    let (tug, peer) = (tug(), Peer::start(Behaviour::default()));
    let name = format!("{}/app:1", peer.address());
    let dockerfile = "FROM scratch\nCOPY one /\nCOPY missing /\n";
    let (code, stdout, talk) = build(&tug, dockerfile, &["--push", "-t", &name]);
    assert_eq!((code, stdout.as_str()), (1, ""), "{talk}");
    assert!(talk.contains("missing"), "{talk}");
    assert!(peer.asked("PUT", "/manifests/").is_empty());
    assert_eq!(peer.contents(|contents| contents.open_sessions()), 0, "{:#?}", peer.lines());
}

#[test]
fn a_base_comes_by_its_documents_and_its_layers_when_they_are_read() {
    let (tug, peer) = (tug(), Peer::start(Behaviour::default()));
    let base = format!("{}/base:1", peer.address());
    let (code, _, talk) = build(&tug, TWO_LAYERS, &["--push", "-t", &base]);
    assert_eq!(code, 0, "{talk}");
    let other = Tug::new();
    let (code, _, talk) = build(&other, &format!("FROM {base}\nENV A=b\n"), &["-t", "changed"]);
    assert_eq!(code, 0, "{talk}");
    let layers = || peer.sent("GET", "/blobs/");
    let config_only = layers();
    assert!(config_only < 10_000, "{:#?}", peer.lines());
    let dockerfile = format!("FROM scratch\nCOPY --from={base} /two /\n");
    let (code, _, talk) = build(&other, &dockerfile, &["-o", "out"]);
    assert_eq!(code, 0, "{talk}");
    assert_eq!(std::fs::read_to_string(other.path("out/two")).expect("it was written"), "two\n");
    assert!(layers() > 300_000);
    // What was pulled has a name here, so nobody is asked again unless that is wished.
    let asked = peer.exchanges().len();
    let (code, _, talk) = build(&other, &format!("FROM {base}\nENV A=c\n"), &["--offline"]);
    assert_eq!(code, 0, "{talk}");
    assert_eq!(peer.exchanges().len(), asked);
    let (code, _, talk) = build(&other, &format!("FROM {base}\nENV A=c\n"), &["--pull"]);
    assert_eq!(code, 0, "{talk}");
    assert!(peer.exchanges().len() > asked);
}

#[test]
fn a_base_that_cannot_be_had_is_told_at_its_place() {
    let (tug, peer) = (tug(), Peer::start(Behaviour::default()));
    let name = format!("{}/nothing:1", peer.address());
    let (code, _, talk) = build(&tug, &format!("FROM {name}\n"), &[]);
    assert_eq!(code, 1, "{talk}");
    assert!(
        talk.contains("is neither in the store nor at its registry") && talk.contains("Dockerfile:1:6"),
        "{talk}"
    );
    let (code, _, talk) = build(&tug, &format!("FROM {name}\n"), &["--offline"]);
    assert_eq!(code, 1, "{talk}");
    assert!(talk.contains("in the store"), "{talk}");
    let address = peer.address().to_owned();
    drop(peer);
    let (code, _, talk) = build(&tug, &format!("FROM {address}/nothing:1\n"), &[]);
    assert_eq!(code, 3, "{talk}");
    assert!(talk.contains("the connection was refused") && talk.contains("Dockerfile:1:6"), "{talk}");
}

#[test]
fn a_push_needs_a_name_and_registries() {
    let tug = tug();
    for (words, expected) in [
        (&["--push"][..], "a push needs a name"),
        (&["--push", "--offline", "-t", "a"], "nothing can be pushed without registries"),
        (&["-o", "type=oci,push=true"], "`push` is for `type=image`"),
    ] {
        let (code, _, talk) = build(&tug, TWO_LAYERS, words);
        assert_eq!(code, 2, "{words:?}: {talk}");
        assert!(talk.contains(expected), "{words:?}: {talk}");
    }
}
