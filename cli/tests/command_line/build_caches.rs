//! Caches of builds between machines: in a registry, in a folder, in an image.

use std::fs;
use std::path::Path;

use tug_testdata::registry_peer::{Answer, Behaviour, Peer, Rule, noise};

use crate::tug::Tug;

const DOCKERFILE: &str = "FROM scratch AS build\nCOPY large /large\nCOPY small /small\n\
                          FROM scratch\nCOPY --from=build /small /app\nWORKDIR /work\n";
/// Steps that make a layer.
const STEPS: usize = 4;

/// A machine that has the sources and has built nothing.
fn machine() -> Tug {
    let tug = Tug::new();
    tug.write("app/Dockerfile", DOCKERFILE);
    tug.write("app/large", noise(300_000, 1));
    tug.write("app/small", noise(2_000, 2));
    tug
}

fn built(tug: &Tug, flags: &[&str]) -> String {
    let words = [&["build", "--progress", "plain"], flags, &["app"]].concat();
    let output = tug.command(&words).env_remove("TUG_OFFLINE").output().expect("tug can be started");
    tug.shown(&output)
}

fn known(text: &str) -> usize {
    text.matches("CACHED").count()
}

fn reference(peer: &Peer, name: &str) -> String {
    format!("{}/{name}", peer.address())
}

/// How many bytes of blobs the registry has sent.
fn fetched(peer: &Peer) -> u64 {
    peer.sent("GET", "/blobs/")
}

#[test]
fn what_another_machine_has_built_is_known_and_only_what_comes_out_is_fetched() {
    let peer = Peer::start(Behaviour::default());
    let cache = reference(&peer, "app:cache");
    let both = format!("type=registry,ref={cache},mode=max");
    let first = built(&machine(), &["--cache-from", &cache, "--cache-to", &both]);
    assert!(first.starts_with("exit code 0\n"), "{first}");
    assert!(first.contains("there is no cache") && first.contains("5 results, 5 new"), "{first}");
    assert_eq!(known(&first), 0, "{first}");

    // Nothing but the image is made: no layer is needed for that.
    let two = machine();
    let before = fetched(&peer);
    let second = built(&two, &["--cache-from", &cache, "--cache-to", &both, "-t", "app"]);
    assert!(second.starts_with("exit code 0\n") && known(&second) == STEPS, "{second}");
    assert!(second.contains("nothing to write"), "{second}");
    let index = fetched(&peer) - before;
    assert!(index < 20_000, "{index} bytes");

    // The files of the image: its own layers come, and the large one of the other stage does not.
    let three = machine();
    let before = fetched(&peer);
    let third = built(&three, &["--cache-from", &cache, "-o", "out"]);
    assert!(third.starts_with("exit code 0\n") && known(&third) == STEPS, "{third}");
    assert_eq!(fs::read(three.path("out/app")).unwrap(), noise(2_000, 2));
    let needed = fetched(&peer) - before;
    assert!((2_000..30_000).contains(&needed), "{needed} bytes");

    // What is new is built on top of what was found, and goes into the cache beside it.
    let four = machine();
    four.write("app/Dockerfile", format!("{DOCKERFILE}COPY small /more\n"));
    let fourth = built(&four, &["--cache-from", &cache, "--cache-to", &both]);
    assert!(known(&fourth) == STEPS && fourth.contains("6 results, 1 new"), "{fourth}");
}

#[test]
fn a_folder_carries_a_cache_and_needs_no_registry() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("a cache").display().to_string();
    let (from, to) = (format!("type=local,src={folder}"), format!("type=local,dest={folder},mode=max"));
    let first = built(&machine(), &["--offline", "--cache-to", &to]);
    assert!(first.contains("5 results, 5 new"), "{first}");
    for offline in [&["--offline"][..], &[]] {
        let tug = machine();
        let second = built(&tug, &[offline, &["--cache-from", &from, "-o", "out"]].concat());
        assert!(second.starts_with("exit code 0\n") && known(&second) == STEPS, "{second}");
        assert_eq!(fs::read(tug.path("out/app")).unwrap(), noise(2_000, 2));
    }
    assert!(Path::new(&folder).join("oci-layout").exists());
}

#[test]
fn an_image_that_was_pushed_is_a_cache_when_it_has_one_inside() {
    let peer = Peer::start(Behaviour::default());
    let image = reference(&peer, "app:1");
    for flags in [&["--cache-to", "type=inline"], &["--build-arg", "BUILDKIT_INLINE_CACHE=1"]] {
        let one = machine();
        let first = built(&one, &[&flags[..], &["-t", &image, "--push"]].concat());
        assert!(first.starts_with("exit code 0\n") && !first.contains("no effect"), "{first}");
        let second = built(&machine(), &["--cache-from", &image]);
        assert!(second.starts_with("exit code 0\n"), "{second}");
        assert_eq!(known(&second), 2, "those of the other stage are not in the image: {second}");
    }
    let plain = reference(&peer, "app:plain");
    built(&machine(), &["-t", &plain, "--push"]);
    let told = built(&machine(), &["--cache-from", &plain]);
    assert!(told.starts_with("exit code 0\n") && told.contains("without a cache inside"), "{told}");
}

#[test]
fn a_cache_never_fails_a_build_unless_that_is_asked_for() {
    let gone = {
        let peer = Peer::start(Behaviour::default());
        reference(&peer, "app:cache")
    };
    let peer = Peer::start(Behaviour::default());
    peer.add(Rule::on("POST", "/blobs/uploads/").answer(Answer::error(403, "DENIED", "only to look at")));
    let refused = reference(&peer, "app:cache");
    let flags = ["--cache-from", &gone, "--cache-to", &refused];
    let told = built(&machine(), &flags);
    assert!(told.starts_with("exit code 0\n"), "{told}");
    assert!(
        told.contains("could not read the cache") && told.contains("could not write the cache"),
        "{told}"
    );
    let strict = format!("type=registry,ref={refused},ignore-error=false");
    let told = built(&machine(), &["--cache-to", &strict]);
    assert!(told.starts_with("exit code 3\n") && told.contains("could not write the cache"), "{told}");
    let offline = built(&machine(), &["--offline", "--cache-from", &refused]);
    assert!(offline.starts_with("exit code 0\n") && offline.contains("`--offline`"), "{offline}");
}

#[test]
fn slips_in_the_flags_are_mended() {
    let tug = machine();
    let mut shown = String::new();
    for flags in [
        &["--cache-from", "type=regsitry,ref=x"],
        &["--cache-to", "type=gha,mode=max"],
        &["--cache-to", "type=local,dst=x"],
    ] {
        shown.push_str(&built(&tug, flags));
    }
    insta::assert_snapshot!(shown);
}
