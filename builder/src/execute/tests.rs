//! Steps whose surroundings misbehave: files that change, reporters that panic.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tug_dockerfile::Dockerfile;
use tug_layer_store::{FileIdentity, Image, Owners, Store, StoreOptions};
use tug_oci::{Digest, Platform};
use tug_runtime::{Mode, Runtime};

use super::step::run_inputs;
use super::{Blobs, Claims, Done, Execution, Results, Unit, execute};
use crate::cancel::Cancel;
use crate::changes::ImageChanges;
use crate::elsewhere::{Elsewhere, Pulls};
use crate::error::{Error, Source};
use crate::event::{Event, Recording, Reporter};
use crate::files::{Files, Item, ItemKind};
use crate::images;
use crate::key::Inputs;
use crate::options::NetworkMode;
use crate::options::RemoteOptions;
use crate::plan::{FilesId, NoImage, Plan, PlanOptions, Privileges, RunAction, Script, Surroundings, plan};
use crate::remote::Remotes;
use crate::run::ContextTrees;
use crate::sandbox::Sandbox;

/// A context with a file that is another one each time it is read, until it was looked at anew a few times.
struct Shifting {
    refreshed: AtomicUsize,
    settles_after: usize,
}

impl Shifting {
    fn files(settles_after: usize) -> Arc<dyn Files> {
        Arc::new(Self { refreshed: AtomicUsize::new(0), settles_after })
    }
}

impl Files for Shifting {
    fn item(&self, path: &[u8]) -> Result<Option<Item>, Error> {
        let identity = FileIdentity { device: 1, inode: 1, size: 3, modified: 0, changed: 0 };
        let item = Item { identity: Some(identity), ..Item::plain("log", ItemKind::File { size: 3 }) };
        Ok((path == b"log").then_some(item))
    }

    fn children(&self, _path: &[u8]) -> Result<Vec<Arc<Item>>, Error> {
        Ok(Vec::new())
    }

    fn digest(&self, _item: &Item, _cancel: &Cancel) -> Result<Digest, Error> {
        Ok(Digest::of(b"one"))
    }

    fn open(&self, _item: &Item) -> Result<Box<dyn Read + Send>, Error> {
        let is_settled = self.refreshed.load(Ordering::SeqCst) >= self.settles_after;
        let content: &[u8] = if is_settled { b"one" } else { b"two" };
        Ok(Box::new(content))
    }

    fn refresh(&self) {
        self.refreshed.fetch_add(1, Ordering::SeqCst);
    }
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions { owners: Owners::Real, in_user_namespace: false, indexed_layers: false };
    let store = Store::open(&folder.path().join("store"), &options).unwrap();
    (folder, store)
}

struct Around<'a>(&'a Store);

impl Surroundings for Around<'_> {
    fn image(&self, name: &str, platform: &Platform) -> Result<Image, NoImage> {
        images::find(self.0, name, platform, &Pulls::default())
    }

    fn files(&self, _number: usize) -> Result<FilesId, Error> {
        Err(Error::Context("there are no named contexts".to_owned()))
    }
}

fn planned(store: &Store, text: &str) -> Plan {
    let options = PlanOptions {
        target: None,
        build_args: &BTreeMap::new(),
        labels: &[],
        platform: &Platform::host(),
        network: NetworkMode::Host,
        identity: "test",
        unit_name: "",
        context: FilesId(0),
        named: &[],
        no_cache_stages: &[],
        sandbox: &Sandbox::default(),
        changes: &ImageChanges::default(),
        strict_platform: false,
    };
    let dockerfile = Dockerfile::parse(text.as_bytes()).unwrap();
    let mut planned = Plan::default();
    let added = plan(&mut planned, &dockerfile, text, &options, &Around(store));
    added.unwrap_or_else(|_| panic!("this can be planned: {text}"));
    planned
}

fn run(
    store: &Store,
    text: &str,
    files: Arc<dyn Files>,
    reporter: &dyn Reporter,
) -> Result<Vec<Done>, Error> {
    let stop = Cancel::default();
    static BUILDS: AtomicUsize = AtomicUsize::new(0);
    let number = BUILDS.fetch_add(1, Ordering::SeqCst);
    let (build, _events) = store.create_build(&number.to_string()).unwrap().unwrap();
    let execution = Execution {
        store,
        runtime: &Runtime::new(Mode::Root),
        reporter,
        plan: &planned(store, text),
        units: &[Unit {
            source: Source { name: "Dockerfile".to_owned(), text: text.to_owned() },
            no_cache: false,
            remember: true,
            epoch: Some(0),
            proxy_environment: Vec::new(),
            resolv_conf: None,
            sandbox: Sandbox::default(),
            secrets: Vec::new(),
            ssh_agents: Vec::new(),
        }],
        files: &[files],
        remotes: &Remotes::new(store, RemoteOptions::default(), &stop),
        build: &build,
        jobs: 4,
        stop: &stop,
        claims: Claims::default(),
        trees: ContextTrees::default(),
        blobs: Blobs::default(),
        elsewhere: &Elsewhere::default(),
        results: Results::default(),
    };
    execute(&execution)
}

#[test]
fn a_step_begins_anew_when_a_file_changed_while_it_was_read() {
    let (_folder, store) = store();
    let done = run(&store, "FROM scratch\nCOPY log /\n", Shifting::files(2), &Recording::default()).unwrap();
    let view = store.view(&done[0].chain).unwrap();
    let mut text = String::new();
    view.open(&view.lookup(b"log").unwrap()).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "one", "the layer has what its key says");
}

#[test]
fn a_file_that_never_comes_to_rest_is_named_and_nothing_is_remembered() {
    let (_folder, store) = store();
    let text = "FROM scratch\nCOPY log /\n";
    let Err(error) = run(&store, text, Shifting::files(usize::MAX), &Recording::default()) else {
        panic!("built")
    };
    assert_eq!(error.to_string(), "`/log` changed while it was read");
    assert!(error.hint().unwrap().contains(".dockerignore"));
    assert!(!run(&store, text, Shifting::files(0), &Recording::default()).unwrap()[0].cached);
}

/// Panics in the first step that begins.
struct Broken;

impl Reporter for Broken {
    fn report(&self, event: Event) {
        assert!(!matches!(event, Event::Started { step } if step.0 == 0), "the reporter is broken");
    }
}

#[test]
fn a_panic_in_one_thread_does_not_leave_the_others_waiting() {
    let (_folder, store) = store();
    let text = "FROM scratch AS a\nCOPY log /\nFROM scratch\nCOPY --from=a /log /\nCOPY --from=a /log /b\n";
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        run(&store, text, Shifting::files(0), &Broken)
    }));
    assert!(outcome.is_err());
}

#[test]
fn steps_with_the_same_key_are_done_once() {
    let (_folder, store) = store();
    let text = "FROM scratch AS a\nCOPY log /\nFROM scratch AS b\nCOPY log /\nFROM scratch\n\
                COPY --from=a /log /a\nCOPY --from=b /log /b\n";
    let recording = Recording::default();
    let done = run(&store, text, Shifting::files(0), &recording).unwrap();
    assert_eq!(done[0].chain, done[1].chain);
    assert_eq!(done[..2].iter().filter(|done| done.cached).count(), 1);
    let missed = recording.events().into_iter().filter(|event| matches!(event, Event::Missed { .. })).count();
    assert_eq!(missed, 0);
}

#[test]
fn builds_that_run_at_once_do_a_step_once() {
    let (_folder, store) = store();
    let anew = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for number in 0..6 {
            let (store, anew) = (&store, &anew);
            scope.spawn(move || {
                // Each is a build of its own, with other steps behind the one that all have.
                let text = format!("FROM scratch\nCOPY log /\nCOPY log /{number}\n");
                let done = run(store, &text, Shifting::files(0), &Recording::default()).unwrap();
                anew.fetch_add(usize::from(!done[0].cached), Ordering::SeqCst);
                assert!(!done[1].cached);
            });
        }
    });
    assert_eq!(anew.into_inner(), 1);
    let left = std::fs::read_dir(store.root().join("locks")).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with("step-")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn everything_that_a_command_sees_is_in_its_key() {
    let text = |text: &str| text.to_owned();
    let action = || RunAction {
        args: vec![text("/bin/sh"), text("-c"), text("make")],
        env: vec![(text("PATH"), text("/bin")), (text("V"), text("1"))],
        arg_names: vec![text("V")],
        working_directory: text("/"),
        user: text(""),
        hostname: "buildkitsandbox".to_owned(),
        network: NetworkMode::Host,
        privileges: Privileges::default(),
        script: None,
        mounts: Vec::new(),
    };
    let script = |text: &str| Script { path: "/dev/pipes/x".to_owned(), text: text.to_owned() };
    let changes: [fn(&mut RunAction); 10] = [
        |action| action.args[2].push('x'),
        |action| action.args[0] = "/bin/bash".to_owned(),
        |action| action.args = vec!["/bin/sh -c".to_owned(), "make".to_owned()],
        |action| action.env[1].1 = "2".to_owned(),
        |action| action.env.swap(0, 1),
        |action| drop(action.env.pop()),
        |action| action.working_directory.push('a'),
        |action| action.user = "7".to_owned(),
        |action| action.network = NetworkMode::None,
        |action| action.privileges.insecure = true,
    ];
    let mut actions = vec![action(), RunAction { script: Some(script("a")), ..action() }];
    actions.push(RunAction { script: Some(script("b")), ..action() });
    for change in changes {
        let mut changed = action();
        change(&mut changed);
        actions.push(changed);
    }
    let key = |action: &RunAction| {
        let mut inputs = Inputs::default();
        run_inputs(action, &mut inputs);
        inputs.key().to_string()
    };
    let keys: BTreeSet<String> = actions.iter().map(key).collect();
    assert_eq!(keys.len(), actions.len());
    assert_eq!(key(&action()), key(&action()));
}
