//! Real registries on both sides: `tug serve`, and Debian's docker-registry; and skopeo as a judge.

use std::path::Path;
use std::process::Command;

use tug_oci::{Digest, Reference};
use tug_registry_server::{Options, Running, Server};
use tug_testdata::distribution::Distribution;
use tug_transfer::{CopyOptions, Event, Place, PullOptions, PushOptions, Status};

use crate::push::built;
use crate::support::{World, open, platform, remote, world};

fn serve(world: &World, name: &str) -> Running {
    Server::start(Options::new(world.folder.path().join(name))).unwrap()
}

fn reference(address: &str, name: &str) -> Reference {
    format!("{address}/{name}").parse().unwrap()
}

/// What was built here goes to the first registry, from there to the second, and comes back.
fn there_and_back(world: &World, first: &str, second: &str) -> Digest {
    let image = built(&world.store, &[("one", 3_000_000), ("two", 10)]);
    let (there, beside) = (reference(first, "team/app:1"), reference(first, "other/app:1"));
    let options = PushOptions::new(platform());
    let to = [there.clone(), beside];
    let pushed = world.remote.push(&world.store, "app", &image.descriptor, &to, &options).unwrap();
    assert_eq!(pushed[0].target.digest, pushed[1].target.digest);
    let mounted = world.seen.count(|event| matches!(event, Event::Mounted { .. }));
    assert_eq!(mounted, 3, "two layers and the config");

    let away = reference(second, "app:2");
    let (from, to) = (Place::Registry(there), Place::Registry(away.clone()));
    let copied = world.remote.copy(&world.store, &from, &to, &CopyOptions::new(platform())).unwrap();
    assert_eq!(copied.target.digest, pushed[0].target.digest);

    let (other, (remote, _)) = (open(&world.folder.path().join("other")), remote());
    let pulled = remote.pull(&other, &away, &PullOptions::new(platform())).unwrap();
    assert_eq!((pulled.status, &pulled.target.digest), (Status::New, &copied.target.digest));
    assert_eq!(pulled.image.unwrap().diff_ids(), image.diff_ids());
    assert_eq!(other.lower(image.diff_ids()).unwrap().len(), 2);
    let again = remote.pull(&other, &away, &PullOptions::new(platform())).unwrap();
    assert_eq!(again.status, Status::UpToDate);
    copied.target.digest
}

#[test]
fn images_go_through_tug_serve_and_come_back() {
    let world = world();
    let (one, two) = (serve(&world, "one"), serve(&world, "two"));
    there_and_back(&world, &one.address().to_string(), &two.address().to_string());
}

#[test]
#[ignore = "needs distribution"]
fn images_go_through_docker_registry_and_tug_serve_needs_distribution() {
    let world = world();
    let folder = world.folder.path().join("distribution");
    std::fs::create_dir(&folder).unwrap();
    let (theirs, ours) = (Distribution::start(&folder, ""), serve(&world, "ours"));
    there_and_back(&world, theirs.address(), &ours.address().to_string());
}

#[test]
#[ignore = "needs distribution, skopeo"]
fn skopeo_and_tug_read_what_the_other_has_pushed_needs_distribution_needs_skopeo() {
    let world = world();
    let folder = world.folder.path().join("distribution");
    std::fs::create_dir(&folder).unwrap();
    let (theirs, ours) = (Distribution::start(&folder, ""), serve(&world, "ours"));
    let digest = there_and_back(&world, theirs.address(), &ours.address().to_string());

    let pushed = format!("docker://{}", reference(theirs.address(), "team/app:1"));
    let moved = format!("docker://{}", reference(theirs.address(), "by-skopeo:1"));
    skopeo(
        &["copy", "--src-tls-verify=false", "--dest-tls-verify=false", &pushed, &moved],
        world.folder.path(),
    );
    let inspected = skopeo(&["inspect", "--tls-verify=false", &moved], world.folder.path());
    assert!(inspected.contains(&digest.to_string()), "{inspected}");
    let by_skopeo = reference(theirs.address(), "by-skopeo:1");
    let other = open(&world.folder.path().join("third"));
    let pulled = world.remote.pull(&other, &by_skopeo, &PullOptions::new(platform())).unwrap();
    assert_eq!(pulled.target.digest, digest);

    let layout = world.folder.path().join("layout");
    let place: Place = format!("oci:{}:app:1", layout.display()).parse().unwrap();
    let from = Place::Registry(by_skopeo);
    world.remote.copy(&world.store, &from, &place, &CopyOptions::new(platform())).unwrap();
    let inspected = skopeo(&["inspect", &place.to_string()], world.folder.path());
    assert!(inspected.contains(&digest.to_string()), "{inspected}");
}

/// What skopeo writes to standard output; it must succeed.
fn skopeo(words: &[&str], home: &Path) -> String {
    let mut command = Command::new("skopeo");
    command.arg("--insecure-policy").args(words).env("HOME", home).env_remove("XDG_RUNTIME_DIR");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
