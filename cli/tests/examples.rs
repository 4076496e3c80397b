//! The projects in `examples/`, built by tug as a user would and run. Their base images are made, also by tug, from
//! the machine's packages, so network in `RUN` is the real thing here.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tug_testdata::bases;
use tug_testdata::place::{Home, Place};

#[test]
#[ignore = "needs busybox"]
fn the_static_site_is_built_and_served_needs_busybox() {
    let tug = Tug::new(Place::Here);
    tug.import(&bases::busybox(), "busybox");
    tug.build("static-site", &["BASE=busybox"]);

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
        let tug = Tug::new(place);
        tug.import(&bases::busybox(), "busybox");
        tug.build("static-site", &["BASE=busybox"]);
        let page = tug.must(&["run", "--rm", "--network", "none", "static-site", "cat", "/www/about.html"]);
        assert!(page.contains("moves ships"), "{place:?}: {page}");
    }
}

#[test]
#[ignore = "needs root, debian, registry"]
fn the_python_app_installs_its_packages_and_answers_needs_root_needs_debian_needs_registry() {
    let tug = Tug::with_debian();
    tug.build_base("python");
    tug.build("python-web", &["BASE=python"]);
    let words = ["run", "--rm", "--network", "none", "python-web", "python", "app.py", "--check"];
    assert!(tug.must(&words).contains("harbours: all is well"));
}

#[test]
#[ignore = "needs root, debian, registry"]
fn the_node_app_installs_its_packages_and_answers_needs_root_needs_debian_needs_registry() {
    let tug = Tug::with_debian();
    tug.build_base("node");
    tug.build("node-web", &["BASE=node"]);
    let words = ["run", "--rm", "--network", "none", "node-web", "node", "src/check.js"];
    assert!(tug.must(&words).contains("tides: all is well"));
}

#[test]
#[ignore = "needs root, debian, registry"]
fn the_rust_service_is_compiled_in_one_stage_and_runs_in_another_needs_root_needs_debian_needs_registry() {
    let tug = Tug::with_debian();
    tug.build_base("rust");
    tug.build("rust-service", &["BUILDER=rust", "BASE=debian"]);
    let answer = tug.must(&["run", "--rm", "--network", "none", "rust-service", "--check"]);
    assert_eq!(answer.trim(), "waves: 2.50 m");
    let no_compiler = tug.run(&["run", "--rm", "--network", "none", "--entrypoint", "cargo", "rust-service"]);
    assert_eq!(no_compiler.status.code(), Some(127));
}

#[test]
#[ignore = "needs root, debian, registry"]
fn the_debian_service_installs_with_apt_and_serves_needs_root_needs_debian_needs_registry() {
    let tug = Tug::with_debian();
    tug.build("debian-service", &["BASE=debian"]);

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
    let tug = Tug::new(Place::UserWithManyIds);
    tug.import(&bases::debian(), "debian");
    tug.build("debian-service", &["BASE=debian"]);
    let checked = tug.run(&["run", "--rm", "--network", "none", "debian-service", "nginx", "-t"]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
#[ignore = "needs users, debian, registry"]
fn apt_installs_for_a_user_with_one_id_needs_users_needs_debian_needs_registry() {
    let tug = Tug::new(Place::UserWithOneId);
    tug.import(&bases::debian(), "debian");
    tug.build("debian-service", &["BASE=debian"]);
    let owner = tug.must(&[
        "run",
        "--rm",
        "--network",
        "none",
        "debian-service",
        "stat",
        "-c",
        "%U",
        "/var/lib/nginx",
    ]);
    assert!(!owner.trim().is_empty());
}

/// The program under test, with a store of its own.
struct Tug {
    place: Place,
    home: Home,
    program: PathBuf,
}

impl Tug {
    fn new(place: Place) -> Self {
        let home = place.home();
        let program = home.bring(Path::new(env!("CARGO_BIN_EXE_tug")));
        Self { place, home, program }
    }

    fn with_debian() -> Self {
        let tug = Self::new(Place::Here);
        tug.import(&bases::debian(), "debian");
        tug
    }

    fn import(&self, archive: &Path, name: &str) {
        let copy = self.home.path().join("base.tar");
        std::fs::copy(archive, &copy).expect("a base can be copied");
        self.place.give(&copy);
        self.must(&["import", &copy.to_string_lossy(), name]);
        std::fs::remove_file(&copy).expect("the copy is ours");
    }

    /// Makes what the usual image of a language holds out of Debian's packages.
    fn build_base(&self, name: &str) {
        let file = project().join(format!("testdata/example-bases/{name}.Dockerfile"));
        let empty = self.home.path().join("empty");
        std::fs::create_dir_all(&empty).expect("the home is ours");
        self.must(&["build", "--tag", name, "--file", &file.to_string_lossy(), &empty.to_string_lossy()]);
    }

    /// Builds a copy of an example: its user may not be able to read the project's own folder.
    fn build(&self, example: &str, arguments: &[&str]) {
        let copy = self.home.path().join(example);
        let source = project().join("examples").join(example);
        let copied = Command::new("cp").arg("-r").arg(source).arg(&copy).status();
        assert!(copied.is_ok_and(|status| status.success()), "the example `{example}` can be copied");
        self.place.give(&copy);
        let folder = copy.to_string_lossy();
        let mut words = vec!["build", "--progress", "plain", "--tag", example];
        words.extend(arguments.iter().flat_map(|argument| ["--build-arg", argument]));
        words.push(&folder);
        self.must(&words);
    }

    fn must(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "`tug {}`: {}\n{told}", words.join(" "), output.status);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("tug can be started")
    }

    fn start(&self, words: &[&str]) -> Child {
        self.command(words).spawn().expect("tug can be started")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.place.command(&self.program);
        command.args(words).current_dir(self.home.path()).stdin(Stdio::null());
        command.env("HOME", self.home.path()).env("TUG_STORE", self.home.path().join("store"));
        command
    }
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
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
