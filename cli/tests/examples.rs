//! The projects in `examples/`, built by tug as a user would and run. Their base images are made, also by tug, from
//! the machine's packages, so network in `RUN` is the real thing here.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tug_testdata::bases;
use tug_testdata::place::Place;
use tug_testdata::program::{Program, project};

#[test]
#[ignore = "needs busybox"]
fn the_static_site_is_built_and_served_needs_busybox() {
    let tug = tug(Place::Here);
    tug.import(&bases::busybox(), "busybox");
    build(&tug, "static-site", &["BASE=busybox"]);

    let port = free_port();
    let mut server =
        tug.start(&["run", "--rm", "--network", "host", "-e", &format!("PORT={port}"), "static-site"]);
    let page = get(port, "/index.html");
    // busybox has no handler for SIGTERM, and a first process without one does not end on it.
    server.kill().and_then(|()| server.wait()).expect("it is our child");
    assert!(page.contains("<h1>Welcome</h1>") && page.contains("<title>Welcome</title>"), "{page}");
}

#[test]
#[ignore = "needs users, busybox"]
fn the_static_site_is_built_by_ordinary_users_needs_users_needs_busybox() {
    for place in [Place::UserWithManyIds, Place::UserWithOneId] {
        let tug = tug(place);
        tug.import(&bases::busybox(), "busybox");
        build(&tug, "static-site", &["BASE=busybox"]);
        let page = tug.must(&["run", "--rm", "--network", "none", "static-site", "cat", "/www/about.html"]);
        assert!(page.contains("moves ships"), "{place:?}: {page}");
    }
}

#[test]
#[ignore = "needs root, debian, registry"]
fn the_python_app_installs_its_packages_and_answers_needs_root_needs_debian_needs_registry() {
    let tug = tug_with_debian();
    build_base(&tug, "python");
    build(&tug, "python-web", &["BASE=python"]);
    let words = ["run", "--rm", "--network", "none", "python-web", "python", "app.py", "--check"];
    assert!(tug.must(&words).contains("harbours: all is well"));
}

#[test]
#[ignore = "needs root, debian, registry"]
fn the_node_app_installs_its_packages_and_answers_needs_root_needs_debian_needs_registry() {
    let tug = tug_with_debian();
    build_base(&tug, "node");
    build(&tug, "node-web", &["BASE=node"]);
    let words = ["run", "--rm", "--network", "none", "node-web", "node", "src/check.js"];
    assert!(tug.must(&words).contains("tides: all is well"));
}

#[test]
#[ignore = "needs root, debian, registry"]
fn the_rust_service_is_compiled_in_one_stage_and_runs_in_another_needs_root_needs_debian_needs_registry() {
    let tug = tug_with_debian();
    build_base(&tug, "rust");
    build(&tug, "rust-service", &["BUILDER=rust", "BASE=debian"]);
    let answer = tug.must(&["run", "--rm", "--network", "none", "rust-service", "--check"]);
    assert_eq!(answer.trim(), "waves: 2.50 m");
    let no_compiler = tug.run(&["run", "--rm", "--network", "none", "--entrypoint", "cargo", "rust-service"]);
    assert_eq!(no_compiler.status.code(), Some(127));
}

#[test]
#[ignore = "needs root, debian, registry"]
fn the_debian_service_installs_with_apt_and_serves_needs_root_needs_debian_needs_registry() {
    let tug = tug_with_debian();
    build(&tug, "debian-service", &["BASE=debian"]);

    let port = free_port();
    let words = ["run", "--rm", "--network", "host", "-e", &format!("PORT={port}"), "debian-service"];
    let mut server = tug.start(&words);
    let page = get(port, "/");
    terminate(&mut server);
    assert!(page.contains("built on Debian"), "{page}");
}

#[test]
#[ignore = "needs users, debian, registry"]
fn apt_installs_for_a_user_with_many_ids_needs_users_needs_debian_needs_registry() {
    apt_installs(Place::UserWithManyIds);
}

#[test]
#[ignore = "needs users, debian, registry"]
fn apt_installs_for_a_user_with_one_id_needs_users_needs_debian_needs_registry() {
    apt_installs(Place::UserWithOneId);
}

/// A package whose set-up makes folders for other users, installed by somebody who is none of them.
fn apt_installs(place: Place) {
    let tug = tug(place);
    tug.import(&bases::debian(), "debian");
    build(&tug, "debian-service", &["BASE=debian"]);
    let status = tug.must(&[
        "run",
        "--rm",
        "--network",
        "none",
        "--entrypoint",
        "dpkg",
        "debian-service",
        "-s",
        "nginx-light",
    ]);
    assert!(status.contains("Status: install ok installed"), "{status}");
    let tree = tug.tree("debian-service").lines();
    assert!(tree.contains("\nvar/log/nginx dir 755 0:4 "), "the folder of the logs belongs to root and adm");
}

fn tug(place: Place) -> Program {
    Program::new(env!("CARGO_BIN_EXE_tug"), place)
}

fn tug_with_debian() -> Program {
    let tug = tug(Place::Here);
    tug.import(&bases::debian(), "debian");
    tug
}

/// Makes what the usual image of a language holds out of Debian's packages.
fn build_base(tug: &Program, name: &str) {
    let file = project().join(format!("testdata/example-bases/{name}.Dockerfile"));
    let empty = tug.path("empty");
    fs::create_dir_all(&empty).expect("the home is ours");
    tug.must(&["build", "--tag", name, "--file", &file.to_string_lossy(), &empty.to_string_lossy()]);
}

fn build(tug: &Program, example: &str, arguments: &[&str]) {
    let words: Vec<_> = arguments.iter().flat_map(|argument| ["--build-arg", argument]).collect();
    tug.build_project_folder(&format!("examples/{example}"), example, &words);
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("loopback works")
        .port()
}

/// Asks until somebody answers, for ten seconds at most.
fn get(port: u16, path: &str) -> String {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
            let mut answer = String::new();
            let asked = write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
            if asked.and_then(|()| stream.read_to_string(&mut answer)).is_ok() && !answer.is_empty() {
                return answer;
            }
        }
        assert!(Instant::now() < until, "nobody answers on port {port}");
        sleep(Duration::from_millis(50));
    }
}

/// Ends a container as a user would and sees that it goes.
fn terminate(server: &mut Child) {
    let killed = Command::new("kill").arg(server.id().to_string()).status();
    assert!(killed.is_ok_and(|status| status.success()));
    let until = Instant::now() + Duration::from_secs(10);
    while server.try_wait().expect("it is our child").is_none() {
        if Instant::now() >= until {
            let _ = server.kill();
            panic!("the container does not end on SIGTERM");
        }
        sleep(Duration::from_millis(20));
    }
}
