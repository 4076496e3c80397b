//! Images between the store and a registry of the test's own.

use std::time::Duration;

use tug_layer_store::NewEntry;
use tug_layer_store::tar::TarWriter;
use tug_testdata::registry_peer::{Answer, Behaviour, Image, Peer, Rule, noise};

use crate::tug::Tug;

/// A plain layer of one file.
fn layer(length: usize, seed: u64) -> Vec<u8> {
    let mut tar = TarWriter::new(Vec::new());
    tar.header(&NewEntry::file("file", 0o644, length as u64)).expect("a header is written");
    tar.content(&noise(length, seed)).expect("content is written");
    tar.pad().expect("padding is written");
    tar.finish().expect("the end is written")
}

fn peer_with_app() -> (Peer, Image, String) {
    let peer = Peer::start(Behaviour::default());
    let image = peer.add_image("app", "1", &[layer(900_000, 1), layer(1000, 2)]);
    let name = format!("{}/app:1", peer.address());
    (peer, image, name)
}

/// The port is another one each time, and so are durations.
fn shown(text: &str, peers: &[&Peer]) -> String {
    let mut text = text.to_owned();
    for (number, peer) in peers.iter().enumerate() {
        text = text.replace(peer.address(), &format!("registry-{number}"));
    }
    let mut lines = String::new();
    for line in text.lines() {
        let end = line.rfind(" in ").filter(|_| line.contains('s') && !line.contains("error"));
        lines += end.map_or(line, |end| &line[..end]);
        lines.push('\n');
    }
    lines
}

#[test]
fn what_was_pulled_is_told_and_its_digest_is_the_data() {
    let tug = Tug::new();
    let (peer, image, name) = peer_with_app();
    let digest = format!("{}/app@{}\n", peer.address(), image.digest);
    let first = shown(&tug.run(&["pull", &name]), &[&peer]);
    assert!(
        first.starts_with(&format!("exit code 0\n--- stdout\nregistry-0/app@{}\n", image.digest)),
        "{first}"
    );
    assert!(first.contains("pulled registry-0/app:1: 2 layers, "), "{first}");
    assert!(shown(&tug.run(&["pull", &name]), &[&peer]).contains("registry-0/app:1 is up to date"));
    let quiet = tug.run(&["pull", "-q", &name]);
    assert_eq!(quiet, format!("exit code 0\n--- stdout\n{digest}"));
    let json = tug.run(&["pull", "--progress", "rawjson", &name]);
    let lines = json.split("--- stderr\n").nth(1).unwrap_or_default().lines();
    assert!(
        lines.clone().count() > 0 && lines.clone().all(|line| line.starts_with(r#"{"v":1,"event":"#)),
        "{json}"
    );
    let listed = tug.data(&["images"]);
    assert!(listed.contains(&format!("{}/app", peer.address())), "{listed}");

    let asked = peer.exchanges().len();
    assert_eq!(tug.data(&["pull", "--policy", "missing", &name]), digest);
    assert_eq!(tug.data(&["pull", "--policy", "never", &name]), digest);
    assert_eq!(peer.exchanges().len(), asked, "nobody was asked");
    drop(peer);
    assert_eq!(tug.data(&["pull", "--policy", "newer", &name]), digest);
}

#[test]
fn what_cannot_be_pulled_is_told_with_the_reason_and_the_exit_code() {
    let tug = Tug::new();
    let (peer, _, name) = peer_with_app();
    peer.add(Rule::on("GET", "/v2/secret/").answer(Answer::error(403, "DENIED", "not for you")));
    let gone = Peer::start(Behaviour::default());
    let nobody = gone.address().to_owned();
    drop(gone);
    let registry = peer.address().to_owned();
    let mut text = String::new();
    for words in [
        &["pull", &format!("{registry}/app:2")][..],
        &["pull", &format!("{registry}/secret:1")],
        &["pull", "--platform", "linux/s390x", "--policy", "never", "app"],
        &["pull", "--lazy", "--no-unpack", &name],
        &["pull", "UPPER"],
        &["push", "app"],
        &["copy", "docker-daemon:app", &name],
        &["copy", &name, &format!("{registry}/app@sha256:{}", "0".repeat(64))],
    ] {
        text += &format!("$ tug {}\n{}\n", words.join(" "), tug.run(words));
    }
    insta::assert_snapshot!(shown(&text, &[&peer]));
    let refused = tug.run(&["pull", &format!("{nobody}/app:1")]);
    assert!(refused.starts_with("exit code 3\n") && refused.contains("hint: "), "{refused}");
}

#[test]
fn a_pull_that_was_killed_goes_on_where_it_was() {
    let tug = Tug::new();
    let (peer, image, name) = peer_with_app();
    let blob = &image.layers[0].0;
    let size = image.layers[0].1.len() as u64;
    peer.add(Rule::on("GET", blob).trickle(30_000, Duration::from_millis(100)));
    let mut child = tug.command(&["pull", "-q", &name]).spawn().expect("tug can be started");
    let ingest = tug.path("store/ingest");
    let partial = ingest.join(format!("partial-{}", blob.replace(':', "-")));
    while std::fs::metadata(&partial).map_or(0, |partial| partial.len()) < 100_000 {
        assert!(
            child.try_wait().expect("it can be looked at").is_none(),
            "it ended before it could be killed"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("it can be killed");
    child.wait().expect("it can be waited for");
    assert!(partial.exists());
    assert!(tug.data(&["images", "-q"]).is_empty(), "half an image has no name");

    peer.clear_rules();
    let asked = peer.asked("GET", blob).len();
    tug.data(&["pull", "-q", &name]);
    let again: u64 = peer.asked("GET", blob)[asked..].iter().map(|exchange| exchange.sent).sum();
    assert!(again < size, "{again} of {size} bytes came again");
    assert!(!partial.exists());
    assert!(tug.data(&["images", "-q"]).starts_with(&image.config.0[7..19]));
}

#[test]
fn two_processes_that_pull_one_image_fetch_it_once() {
    let tug = Tug::new();
    let (peer, image, name) = peer_with_app();
    let blob = &image.layers[0].0;
    peer.add(Rule::on("GET", blob).trickle(60_000, Duration::from_millis(5)));
    let both = [(); 2].map(|()| tug.command(&["pull", "-q", &name]).spawn().expect("tug can be started"));
    for mut child in both {
        assert!(child.wait().expect("it can be waited for").success());
    }
    assert_eq!(peer.sent("GET", blob), image.layers[0].1.len() as u64);
}

/// Interrupts a command while it sends a blob.
fn leaves_no_session(tug: &Tug, peer: &Peer, words: &[&str]) {
    peer.add(Rule::on("PUT", "/blobs/uploads/").hold());
    let child = tug.command(words).spawn().expect("tug can be started");
    peer.wait_until("nothing was sent", |exchanges| {
        exchanges.iter().any(|exchange| exchange.is("PUT", "/blobs/uploads/"))
    });
    let pid = rustix::process::Pid::from_raw(child.id().cast_signed()).expect("it has an id");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it can be told");
    let output = child.wait_with_output().expect("it can be waited for");
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&output.status),
        Some(2),
        "{}",
        tug.shown(&output)
    );
    peer.release();
    peer.wait_until("the session stayed", |exchanges| {
        exchanges.iter().any(|exchange| exchange.is("DELETE", "/blobs/uploads/"))
    });
}

#[test]
fn an_interrupted_push_leaves_no_session_and_ends_by_the_signal() {
    let tug = Tug::new();
    let peer = Peer::start(Behaviour::default());
    tug.image(&["app"]);
    let name = format!("{}/app:1", peer.address());
    leaves_no_session(&tug, &peer, &["push", "-q", "app", &name]);
}

#[test]
fn an_interrupted_push_of_a_list_leaves_no_session_and_ends_by_the_signal() {
    let tug = Tug::new();
    let peer = Peer::start(Behaviour::default());
    tug.image(&["app"]);
    tug.data(&["manifest", "create", "list", "app"]);
    leaves_no_session(
        &tug,
        &peer,
        &["manifest", "push", "list", &format!("docker://{}/app:1", peer.address())],
    );
}

#[test]
fn an_interrupted_attach_leaves_no_session_and_ends_by_the_signal() {
    let tug = Tug::new();
    let (peer, _, name) = peer_with_app();
    std::fs::write(tug.path("notes.txt"), "notes").expect("a file can be written");
    leaves_no_session(&tug, &peer, &["attach", "--artifact-type", "a/b", &name, "notes.txt"]);
}

#[test]
fn a_push_and_a_copy_write_the_digest_and_nothing_else() {
    let tug = Tug::new();
    let (one, two) = (Peer::start(Behaviour::default()), Peer::start(Behaviour::default()));
    tug.image(&["app"]);
    let names = [format!("{}/app:1", one.address()), format!("{}/team/app:2", two.address())];
    let file = tug.path("digest");
    let words = ["push", "app", &names[0], &names[1], "--digestfile", &file.to_string_lossy()];
    let output = tug.data(&words);
    let lines: Vec<&str> = output.lines().collect();
    let digest = std::fs::read_to_string(&file).expect("the digest was written");
    assert_eq!(lines[0], format!("{}/app@{digest}", one.address()));
    assert_eq!(lines[1], format!("{}/team/app@{digest}", two.address()));
    let copied = tug.data(&["copy", "-q", &names[0], &format!("{}/other:1", two.address())]);
    assert_eq!(copied, format!("{}/other@{digest}\n", two.address()));
    let layout = tug.data(&["copy", "-q", &names[0], "oci:layout:app"]);
    assert_eq!(layout, format!("{digest}\n"));
    assert!(tug.path("layout/oci-layout").exists());
    let index = std::fs::read_to_string(tug.path("layout/index.json")).expect("there is an index");
    assert!(
        index.contains(r#""org.opencontainers.image.ref.name":"app""#),
        "as skopeo looks for it: {index}"
    );
}

#[test]
fn layers_that_were_left_behind_come_when_they_are_needed() {
    let tug = Tug::new();
    let (peer, image, name) = peer_with_app();
    tug.data(&["pull", "-q", "--lazy", &name]);
    let blob = &image.layers[0].0;
    assert!(peer.asked("GET", blob).is_empty());
    tug.data(&["save", &name, "-o", "app.tar"]);
    assert_eq!(peer.sent("GET", blob), image.layers[0].1.len() as u64);
    tug.data(&["export", &name, "-o", "files.tar"]);
    assert_eq!(peer.asked("GET", blob).len(), 1, "it is here now");

    let other = Tug::new();
    other.data(&["pull", "-q", "--lazy", &name]);
    drop(peer);
    let failed = other.run(&["export", &name, "-o", "files.tar"]);
    assert!(
        failed.starts_with("exit code 3\n") && failed.contains("could not fetch a layer from"),
        "{failed}"
    );
    assert!(!other.path("files.tar").exists());
}
