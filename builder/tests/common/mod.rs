//! One store, one context, and builds of it.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test may end at the first thing that fails")]

use std::io::Read;
use std::path::Path;

use tug_builder::{
    BuildOptions, Built, Cancel, ContextSource, DockerfileSource, Error, Event, Problem, Recording, build,
};
use tug_layer_store::{EntryKind, Mountable, Owners, Store, StoreOptions, View};
use tug_oci::Platform;
use tug_runtime::{Mode, Runtime};

/// A store of its own that goes away with it.
pub(crate) struct Place {
    _folder: tempfile::TempDir,
    pub(crate) store: Store,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions { owners: Owners::Real, in_user_namespace: false, indexed_layers: false };
        let store = Store::open(&folder.path().join("store"), &options).unwrap();
        Self { _folder: folder, store }
    }

    /// Builds `dockerfile` with the files of `context`.
    pub(crate) fn build(&self, context: &Path, dockerfile: &str) -> Result<Outcome, Error> {
        self.build_with(context, dockerfile, |_| {})
    }

    /// Builds, and reads nothing of what came out.
    pub(crate) fn build_quietly(
        &self,
        context: &Path,
        dockerfile: &str,
        change: impl FnOnce(&mut BuildOptions),
    ) -> Built {
        self.start(context, dockerfile, change).unwrap().0
    }

    pub(crate) fn build_with(
        &self,
        context: &Path,
        dockerfile: &str,
        change: impl FnOnce(&mut BuildOptions),
    ) -> Result<Outcome, Error> {
        let (built, events) = self.start(context, dockerfile, change)?;
        let image = self.store.image(&built.descriptor, &Platform::host()).unwrap();
        self.store.ensure_layers(image.layers(), Mountable::Later).unwrap();
        let view = self.store.view(image.diff_ids()).unwrap();
        let mut lines = Vec::new();
        list(&view, b"", &mut lines);
        Ok(Outcome { built, events, listing: lines.join("\n") })
    }

    fn start(
        &self,
        context: &Path,
        dockerfile: &str,
        change: impl FnOnce(&mut BuildOptions),
    ) -> Result<(Built, Vec<Event>), Error> {
        let dockerfile = DockerfileSource::Text {
            name: "Dockerfile".to_owned(),
            text: dockerfile.as_bytes().to_vec(),
            path: None,
        };
        let mut options = BuildOptions::new(ContextSource::Folder(context.to_owned()), dockerfile);
        change(&mut options);
        let recording = Recording::default();
        let built = build(&self.store, &Runtime::new(Mode::Root), options, &recording, &Cancel::default())?;
        Ok((built, recording.events()))
    }
}

/// What is wrong with a build of `dockerfile`, which has a place in it.
pub(crate) fn problem(context: &Path, dockerfile: &str) -> Problem {
    match Place::new().build(context, dockerfile) {
        Err(Error::Dockerfile { mut problems, .. }) => problems.remove(0),
        Err(Error::AtStep { span, error, .. }) => Problem::new(span, error.to_string()),
        Err(other) => panic!("without a place: {other}"),
        Ok(outcome) => panic!("built: {}", outcome.listing),
    }
}

/// An image, its files, and what happened on the way.
pub(crate) struct Outcome {
    pub(crate) built: Built,
    pub(crate) events: Vec<Event>,
    /// One line for each path: type, mode, owner, content.
    pub(crate) listing: String,
}

impl Outcome {
    /// Why steps were not known.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let reasons = self.events.iter().filter_map(|event| match event {
            Event::Missed { reason, .. } => Some(reason.clone()),
            _ => None,
        });
        reasons.collect()
    }

    /// The texts of all warnings.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let warnings = self.events.iter().filter_map(|event| match event {
            Event::Warning { message, .. } => Some(message.clone()),
            _ => None,
        });
        warnings.collect()
    }
}

fn list(view: &View, directory: &[u8], lines: &mut Vec<String>) {
    for node in view.children(directory) {
        let entry = node.entry();
        let path = entry.path.escape_ascii();
        let owner = format!("{:o} {}:{}", entry.mode, entry.uid, entry.gid);
        let shared = if node.link().is_some() { " shared" } else { "" };
        match &entry.kind {
            EntryKind::File { .. } => {
                let mut text = Vec::new();
                view.open(&node).unwrap().read_to_end(&mut text).unwrap();
                lines.push(format!("{path} {owner} \"{}\"{shared}", text.escape_ascii()));
            }
            EntryKind::Symlink { target } => lines.push(format!("{path} -> {}", target.escape_ascii())),
            EntryKind::Directory => {
                lines.push(format!("{path}/ {owner}"));
                list(view, &entry.path, lines);
            }
            other => lines.push(format!("{path} {owner} {other:?}")),
        }
    }
}
