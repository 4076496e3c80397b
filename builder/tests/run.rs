//! RUN: what is known the next time and why not, what runs at once, and what remains when a step fails or is given up.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

mod common;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::Place;
use serde_json::{Value, json};
use tug_layer_store::ImportLayer;
use tug_oci::{Descriptor, ImageConfig, Platform, media_type};
use tug_testdata::{Tree, bases};

/// A store with the image `base`, and a context.
struct Scene {
    place: Place,
    context: tempfile::TempDir,
}

/// What happened in a build.
#[derive(Debug)]
struct Outcome {
    events: Vec<Value>,
    outcome: Value,
}

impl Scene {
    fn new(context: &Tree) -> Self {
        let place = Place::new();
        let mut tar = File::open(bases::busybox()).unwrap();
        let layer = place.store.import_layer(&mut tar, &ImportLayer::default()).unwrap();
        let mut config = ImageConfig::empty(Platform::host());
        config.rootfs.diff_ids.push(layer.diff_id().clone());
        let image = place.store.write_image(config, BTreeMap::new()).unwrap();
        place.store.tag(&"base".parse().unwrap(), &image.descriptor).unwrap();
        Self { place, context: context.in_a_temporary_folder() }
    }

    fn build(&self, dockerfile: &str) -> Outcome {
        self.build_with(dockerfile, &json!({}))
    }

    /// Builds with some more fields for the example program.
    fn build_with(&self, dockerfile: &str, more: &Value) -> Outcome {
        Outcome::of(self.start(dockerfile, more))
    }

    fn start(&self, dockerfile: &str, more: &Value) -> Child {
        let mut asked = json!({
            "store": self.place.store.root(),
            "context": self.context.path(),
            "dockerfile": dockerfile,
        });
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut child = Command::new(program()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
        child
    }

    /// A file of the image that was built.
    fn text(&self, built: &Outcome, path: &str) -> String {
        let size = built.outcome["size"].as_u64().unwrap();
        let digest = built.outcome["manifest"].as_str().unwrap_or_else(|| panic!("{:#}", built.outcome));
        let descriptor = Descriptor::new(media_type::OCI_MANIFEST, digest.parse().unwrap(), size);
        let image = self.place.store.image(&descriptor, &Platform::host()).unwrap();
        let view = self.place.store.view(image.diff_ids()).unwrap();
        let mut text = String::new();
        let node = view.lookup(path.as_bytes()).unwrap_or_else(|| panic!("there is no `{path}`"));
        view.open(&node).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    fn log(&self, built: &Outcome, step: usize) -> String {
        let build = built.events[0]["build"].as_str().unwrap();
        let path = self.place.store.root().join("builds").join(build).join(format!("{}.log", step + 1));
        fs::read_to_string(path).unwrap()
    }
}

impl Outcome {
    fn of(child: Child) -> Self {
        let output = child.wait_with_output().unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        let mut events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let outcome = events.pop().unwrap_or_else(|| panic!("{:?}", output.status));
        Self { events, outcome }
    }

    fn error(&self) -> &str {
        self.outcome["error"].as_str().unwrap_or_else(|| panic!("built: {:#}", self.outcome))
    }

    /// The numbers of the steps that something happened to, in order.
    fn steps(&self, event: &str) -> Vec<u64> {
        let events = self.events.iter().filter(|it| it["event"] == event);
        events.map(|it| it["step"].as_u64().unwrap()).collect()
    }

    fn reasons(&self) -> Vec<&str> {
        let missed = self.events.iter().filter(|it| it["event"] == "missed");
        missed.map(|it| it["reason"].as_str().unwrap()).collect()
    }

    /// Everything that a step wrote.
    fn output(&self, step: u64) -> String {
        let events = self.events.iter().filter(|it| it["event"] == "output" && it["step"] == step);
        events.map(|it| it["text"].as_str().unwrap()).collect()
    }
}

/// The example program, which cargo builds together with the tests.
fn program() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.join("examples/build_here")
}

/// A port of this machine that nobody listens on.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
#[ignore = "needs root, busybox"]
fn a_miss_names_the_variable_or_file_that_changed_needs_root_needs_busybox() {
    let scene = Scene::new(&Tree::default().file("main.c", "1"));
    let text = |env: &str| format!("FROM base\nARG VERSION=1\nENV MODE={env}\nRUN echo $VERSION $MODE\n");
    assert!(scene.build(&text("a")).reasons().is_empty());
    assert_eq!(scene.build(&text("a")).steps("cached"), [0, 1]);
    assert_eq!(scene.build(&text("b")).reasons(), ["ENV MODE `a` → `b`"]);
    let given = json!({ "build_args": { "VERSION": "2" } });
    assert_eq!(scene.build_with(&text("b"), &given).reasons(), ["ARG VERSION `1` → `2`"]);

    let text = "FROM base\nCOPY main.c /\nRUN cat main.c\n";
    scene.build(text);
    fs::write(scene.context.path().join("main.c"), "2").unwrap();
    assert_eq!(scene.build(text).reasons(), ["main.c changed", "the result of an earlier step changed"]);
}

#[test]
#[ignore = "needs root, busybox"]
fn a_step_that_comes_to_the_same_bytes_does_not_disturb_what_follows_needs_root_needs_busybox() {
    let scene = Scene::new(&Tree::default().file("seed", "1"));
    let text = "FROM base AS made\nCOPY seed /\nRUN cat seed > /dev/null; echo same > /out; touch -d @1 /out\n\
                FROM base\nCOPY --from=made /out /\nRUN echo long work\n";
    scene.build(text);
    fs::write(scene.context.path().join("seed"), "2").unwrap();
    let again = scene.build(text);
    assert_eq!(again.steps("missed"), [1, 2], "only the stage that the file is in");
    let other = text.replace("cat seed", "wc seed");
    assert_eq!(scene.build(&other).steps("missed"), [2]);
}

#[test]
#[ignore = "needs root, busybox"]
fn stages_that_do_not_need_each_other_run_at_once_needs_root_needs_busybox() {
    let scene = Scene::new(&Tree::default());
    let port = free_port();
    // Neither can end without the other; both stay on the line until the other has surely spoken.
    let text = format!(
        "FROM base AS a\nRUN (echo hello; sleep 1) | nc -l -p {port} > /a\n\
         FROM base AS b\nRUN until (echo world; sleep 1) | nc 127.0.0.1 {port} > /b; do sleep 0.1; done\n\
         FROM base\nCOPY --from=a /a /\nCOPY --from=b /b /\n"
    );
    let built = scene.build(&text);
    assert_eq!(
        (scene.text(&built, "a"), scene.text(&built, "b")),
        ("world\n".to_owned(), "hello\n".to_owned())
    );
}

#[test]
#[ignore = "needs root, busybox"]
fn a_failing_step_ends_the_others_and_keeps_what_is_finished_needs_root_needs_busybox() {
    let scene = Scene::new(&Tree::default());
    let port = free_port();
    let text = format!(
        "FROM base AS a\nRUN echo first > /first\nRUN nc -l -p {port}; exec sleep 4322\n\
         FROM base AS b\nRUN until nc 127.0.0.1 {port} < /dev/null 2> /dev/null; do sleep 0.1; done; echo oh; exit 3\n\
         FROM base\nCOPY --from=a /first /\nCOPY --from=b /first /b\n"
    );
    let failed = scene.build(&text);
    assert!(failed.error().ends_with("exited with 3"), "{}", failed.error());
    assert_eq!(failed.outcome["tail"], json!(["oh"]));
    assert_eq!((failed.steps("failed"), failed.steps("cancelled")), (vec![4], vec![2]));
    assert!(!failed.steps("started").contains(&6), "nothing new begins");
    let again = scene.build("FROM base AS a\nRUN echo first > /first\n");
    assert_eq!(again.steps("cached"), [0, 1]);
    assert!(!is_running("sleep 4322"));
}

#[test]
#[ignore = "needs root, busybox"]
fn the_log_of_a_step_is_whole_needs_root_needs_busybox() {
    let scene = Scene::new(&Tree::default());
    let built = scene.build("FROM base\nRUN seq 100000; exit 4\n");
    let whole: String = (1..=100_000).map(|line| format!("{line}\n")).collect();
    assert_eq!(scene.log(&built, 1), whole);
    assert_eq!(built.output(1), whole);
    assert_eq!(built.outcome["lines"], 100_000);
    assert_eq!(built.outcome["tail"].as_array().unwrap().last().unwrap(), "100000");
    assert_eq!(fs::read_to_string(built.outcome["log"].as_str().unwrap()).unwrap(), whole);
}

#[test]
#[ignore = "needs root, busybox"]
fn giving_up_kills_what_runs_needs_root_needs_busybox() {
    let scene = Scene::new(&Tree::default());
    let text =
        "FROM base\nRUN echo kept > /kept\nRUN trap '' INT TERM; echo started; sleep 4323 & sleep 4323\n";
    let cancelled = scene.build_with(text, &json!({ "cancel_at": "started" }));
    assert_eq!(cancelled.error(), "cancelled; finished layers are kept");
    assert_eq!(cancelled.steps("cancelled"), [2]);
    assert!(!is_running("sleep 4323"));
    assert_eq!(scene.build("FROM base\nRUN echo kept > /kept\n").steps("cached"), [0, 1]);
}

#[test]
#[ignore = "needs root, busybox"]
fn the_same_image_comes_out_of_another_store_when_the_time_is_given_needs_root_needs_busybox() {
    let make = || {
        let scene = Scene::new(&Tree::default().dir("d").file("d/f", "f"));
        let text = "FROM base\nWORKDIR /w\nCOPY d d\nRUN mkdir -p a/b && echo x > a/b/c && ln a/b/c a/l && \
                    rm /etc/group && touch /etc/new && chmod 700 /var\nLABEL a=b\n";
        let built = scene.build_with(text, &json!({ "source_date_epoch": 1_600_000_000 }));
        built.outcome["manifest"].clone()
    };
    let first = make();
    assert!(first.is_string(), "{first}");
    // A file that is made a second later has another time, which must not show.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(first, make());
}

#[test]
#[ignore = "needs root, busybox"]
fn proxies_reach_a_step_and_leave_no_trace_needs_root_needs_busybox() {
    let scene = Scene::new(&Tree::default());
    let text = "FROM base\nRUN echo $HTTP_PROXY $http_proxy\nRUN echo done > /done\n";
    let given = |value: &str| json!({ "build_args": { "HTTP_PROXY": value } });
    let built = scene.build_with(text, &given("http://user:word@one"));
    assert_eq!(built.output(1), "http://user:word@one\n");
    assert_eq!(scene.build_with(text, &given("http://two")).steps("cached"), [0, 1, 2]);
    for file in files_below(&scene.place.store.root().join("blobs")) {
        let bytes = fs::read(file).unwrap();
        assert!(!bytes.windows(9).any(|part| part == b"user:word"));
    }
    let own = "FROM base\nENV HTTP_PROXY=http://own\nRUN echo $HTTP_PROXY\n";
    assert_eq!(scene.build_with(own, &given("http://two")).output(1), "http://own\n");
}

#[test]
#[ignore = "needs root, busybox"]
fn a_step_sees_links_of_archives_and_of_contexts_needs_root_needs_busybox() {
    let inner = Tree::default().file("z", "text").hard_link("a", "z").in_a_temporary_folder();
    let context =
        Tree::default().dir("d").file("d/one", "1").hard_link("d/two", "d/one").dir("e").file("e/one", "2");
    let scene = Scene::new(&context);
    let packed = Command::new("tar")
        .args(["--create", "--file"])
        .arg(scene.context.path().join("x.tar"))
        .arg("--directory")
        .arg(inner.path())
        .args(["z", "a"])
        .status();
    assert!(packed.unwrap().success());
    let text = "FROM base\nADD x.tar /x/\nCOPY d e /d/\n\
                RUN cat /x/a /x/z /d/one /d/two; test /x/a -ef /x/z && echo linked\n";
    assert_eq!(scene.build(text).output(3), "texttext21linked\n");
}

#[test]
#[ignore = "needs root, busybox"]
fn two_builds_of_one_store_do_not_disturb_each_other_needs_root_needs_busybox() {
    let scene = Scene::new(&Tree::default().file("a", "a"));
    let text = "FROM base\nCOPY a /\nRUN cat /a > /b\nRUN cat /b > /c\n";
    let builds: Vec<Child> = (0..4).map(|_| scene.start(text, &json!({}))).collect();
    for build in builds {
        let built = Outcome::of(build);
        assert_eq!(scene.text(&built, "c"), "a");
    }
    assert!(scene.build(text).steps("missed").is_empty());
}

fn is_running(command: &str) -> bool {
    let found = Command::new("pgrep").args(["-f", command]).output().unwrap();
    !found.stdout.is_empty()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[test]
#[ignore = "needs root, busybox"]
fn a_device_brings_its_nodes_files_and_variables_needs_root_needs_busybox() {
    let scene = Scene::new(&Tree::default().file("lib.so", "library"));
    let described = json!({
        "cdiVersion": "1.0.0",
        "kind": "example.com/unit",
        "devices": [{
            "name": "one",
            "containerEdits": {
                "env": ["UNIT=1"],
                "deviceNodes": [{ "path": "/dev/unit", "hostPath": "/dev/zero" }],
                "mounts": [{
                    "hostPath": scene.context.path().join("lib.so"),
                    "containerPath": "/usr/lib/unit.so",
                    "options": ["ro", "bind"],
                }],
                "hooks": [{ "hookName": "createContainer", "path": "/usr/bin/hook" }],
                "additionalGids": [4242],
            },
        }],
    });
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("unit.json"), described.to_string()).unwrap();
    let more = json!({ "device_folders": [folder.path()] });
    let see = "echo $UNIT; head -c 4 /dev/unit | od -An -t x1; cat /usr/lib/unit.so; \
               touch /usr/lib/unit.so 2> /dev/null || echo protected; id -G";
    let text = format!(
        "FROM base\nRUN --device=example.com/unit=one ({see}) > /seen\nRUN ls /usr/lib/unit.so; true\n"
    );
    let built = scene.build_with(&text, &more);
    let seen = scene.text(&built, "seen");
    assert_eq!(seen, "1\n 00 00 00 00\nlibraryprotected\n0 4242\n");
    assert!(built.output(2).contains("No such file"), "the next step has no device");
    let warned = built.events.iter().find(|event| event["event"] == "warning").unwrap();
    let warned = warned["message"].as_str().unwrap();
    assert_eq!(warned, "of `example.com/unit=one` tug leaves out the hook `/usr/bin/hook`");
    assert_eq!(scene.build_with(&text, &more).steps("missed"), [0_u64; 0]);
}
