//! A prune beside a build that goes on: garbage goes, and what the build uses stays.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::checker;
use crate::yard::Yard;

/// Long enough for a machine with many other things to do.
const BOUND: Duration = Duration::from_secs(90);

#[test]
#[ignore = "needs root, busybox"]
fn garbage_goes_beside_a_build_and_what_it_uses_stays_needs_root_needs_busybox() {
    let yard = Yard::new(true);
    let context = yard.path("waits");
    fs::create_dir(&context).unwrap();
    fs::write(context.join("file"), "before").unwrap();
    // The second stage begins with a result of the first one, and with what nothing but the build leads to.
    let dockerfile = "FROM base AS first\nCOPY file /before\nRUN echo made > /made\n\
                      FROM first\n\
                      RUN --mount=type=cache,id=door,target=/door touch /door/here; \
                      while [ ! -e /door/go ]; do sleep 0.05; done\n\
                      COPY --from=first /made /copied\nRUN cat /before /made /copied > /all\n";
    fs::write(context.join("Dockerfile"), dockerfile).unwrap();
    yard.must(&["build", "-q", "--network=none", "--build-arg", "ROUND=1", "-t", "garbage:1", "context-0"]);
    let names = checker::names(yard.store());
    let (base, garbage) = (&names["base:latest"], &names["garbage:1"]);
    let blob = |digest: &str| yard.store().join("blobs").join(digest.replace(':', "/"));

    let mut build = yard.command(&["build", "-q", "--network=none", "-t", "waits:1", "waits"]);
    let build = build.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let door = door(&yard);
    yard.must(&["rmi", "base", "garbage:1"]);
    let pruned = yard.run(&["system", "prune", "--all", "--force", "--wait", "0s"]);
    let told = String::from_utf8_lossy(&pruned.stderr).into_owned();
    let stood = (blob(base).exists(), blob(garbage).exists());
    fs::write(door.join("go"), "").unwrap();
    let built = build.wait_with_output().unwrap();

    assert!(pruned.status.success(), "{told}");
    assert!(told.contains("`tug build` (process "), "it does not say who uses what stays: {told}");
    assert_eq!(stood, (true, false), "the base image of the build, and what nobody uses");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    assert!(checker::names(yard.store()).contains_key("waits:1"));
    assert_eq!(checker::check(yard.store()), [""; 0]);
    assert_eq!(yard.must(&["cat", "waits:1:/all"]), "beforemade\nmade\n");
    yard.must(&["store", "verify"]);
}

/// The cache mount in which the build waits, once it is there.
fn door(yard: &Yard) -> PathBuf {
    let begin = Instant::now();
    loop {
        let mounts = checker::names_in(&yard.store().join("mounts"));
        let mut parts = mounts.iter().flat_map(|mount| checker::names_in(mount));
        if let Some(door) = parts.find(|part| part.join("here").exists()) {
            return door;
        }
        assert!(begin.elapsed() < BOUND, "the build does not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
}
