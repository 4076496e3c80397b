//! Decides what a build case is: a folder in `testdata/build-cases/`, compared between builders.
//!
//! | file                   | what it is                                                                          |
//! | ---------------------- | ----------------------------------------------------------------------------------- |
//! | `Dockerfile`           | starts from the image `base`, which is the busybox base, or from scratch            |
//! | `Dockerfile.dockerignore` | counts before the ignore file of the context; may be absent                      |
//! | `context/`             | the build context; may be absent                                                    |
//! | `prepare`              | a shell script run in a copy of the context: for what git cannot keep (modes, links, odd names, archives); may be absent |
//! | `secrets/`             | a file for each secret that the build is given, called like its id; may be absent   |
//! | `args`                 | further arguments for the builder, one a line; may be absent                        |
//! | `expected.tree`        | what the build changes in the tree of its base, as recorded from BuildKit           |
//! | `expected.config.json` | the config and history that it writes, as recorded from BuildKit                    |
//! | `differs`              | why tug deliberately does something else; then `tug.tree` or `tug.config.json` say what, and hold |
//! | `by-hand`              | why nothing can be recorded from the engine that records; then the expectations are written by hand |
//! | `expected.error`       | the build must fail, and say this, from `error:` on; nothing else is expected then  |
//!
//! A case is added by making a folder and running `testdata/record-cases NAME`. What cannot be recorded (`by-hand`,
//! `differs`, `expected.error`) is written by the test that builds the cases when `UPDATE_CASES=1` is set, from what tug
//! does: read it, line by line, before you keep it. `TUG_CASES=copy-` builds only those whose name starts so.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// One folder of the corpus.
#[derive(Clone, Debug)]
pub struct BuildCase {
    folder: PathBuf,
}

impl BuildCase {
    /// Every case there is, by name.
    pub fn all() -> Vec<Self> {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("build-cases");
        let entries = fs::read_dir(&corpus).expect("the corpus is part of this crate");
        let folders = entries.map(|entry| entry.expect("the corpus can be read").path());
        let mut folders: Vec<PathBuf> = folders.filter(|path| path.join("Dockerfile").is_file()).collect();
        folders.sort();
        folders.into_iter().map(|folder| Self { folder }).collect()
    }

    /// The folder's name, which says what the case is about.
    pub fn name(&self) -> &str {
        self.folder.file_name().and_then(|name| name.to_str()).expect("a case has a plain name")
    }

    /// The path of one of its files.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What to give the builder besides the Dockerfile and the context.
    pub fn arguments(&self) -> Vec<String> {
        let text = fs::read_to_string(self.file("args")).unwrap_or_default();
        text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// The secrets to give to the builder, by id.
    pub fn secrets(&self) -> Vec<(String, PathBuf)> {
        let entries = fs::read_dir(self.file("secrets")).into_iter().flatten().flatten();
        let mut secrets: Vec<_> =
            entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())).collect();
        secrets.sort();
        secrets
    }

    /// Makes the build context in a temporary folder, the same on every machine: modes are 644 and 755
    /// whatever the umask was when the project was checked out, then the script `prepare` runs in it.
    pub fn context(&self) -> TempDir {
        let copy = tempfile::tempdir().expect("a temporary folder can be made");
        fs::set_permissions(copy.path(), Permissions::from_mode(0o755)).expect("the folder is ours");
        if self.file("context").is_dir() {
            copy_folder(&self.file("context"), copy.path());
        }
        if self.file("prepare").is_file() {
            let command = "umask 022; exec sh -eu \"$0\"";
            let script = self.file("prepare");
            let status =
                Command::new("sh").arg("-c").arg(command).arg(script).current_dir(copy.path()).status();
            assert!(status.is_ok_and(|status| status.success()), "`prepare` of `{}` failed", self.name());
        }
        copy
    }

    /// The changes that the build must make, as lines of a listing.
    pub fn expected_tree(&self) -> String {
        self.expectation("tug.tree", "expected.tree")
    }

    /// The config that the build must write.
    pub fn expected_config(&self) -> Value {
        let text = self.expectation("tug.config.json", "expected.config.json");
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("`{}` has a bad config: {error}", self.name()))
    }

    /// Whether the build must fail.
    pub fn must_fail(&self) -> bool {
        self.file("expected.error").is_file()
    }

    /// What must be said of the failure.
    pub fn expected_error(&self) -> String {
        self.read(&self.file("expected.error"))
    }

    /// Writes `expected.error` anew.
    pub fn update_error(&self, text: &str) {
        fs::write(self.file("expected.error"), text).expect("the corpus can be written");
    }

    /// Writes the tree that is expected of tug alone anew, if there is one.
    pub fn update_tree(&self, text: &str) {
        self.update("tug.tree", "expected.tree", text);
    }

    /// Writes the config that is expected of tug alone anew, if there is one.
    pub fn update_config(&self, text: &str) {
        self.update("tug.config.json", "expected.config.json", text);
    }

    fn update(&self, own: &str, recorded: &str, text: &str) {
        let path = match self.file("by-hand").is_file() {
            true => self.file(recorded),
            false if self.file(own).is_file() => self.file(own),
            false => return,
        };
        fs::write(path, text).expect("the corpus can be written");
    }

    fn expectation(&self, own: &str, recorded: &str) -> String {
        let path = Some(self.file(own)).filter(|path| path.is_file()).unwrap_or_else(|| self.file(recorded));
        self.read(&path)
    }

    fn read(&self, path: &Path) -> String {
        fs::read_to_string(path).unwrap_or_else(|error| {
            panic!("could not read `{}` of `{}`: {error}", path.display(), self.name())
        })
    }
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a context can be read") {
        let entry = entry.expect("a context can be read");
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().expect("a context can be read");
        if kind.is_symlink() {
            symlink(fs::read_link(&source).expect("a link has a target"), &target).expect("the copy is new");
        } else if kind.is_dir() {
            fs::create_dir(&target).expect("the copy is new");
            fs::set_permissions(&target, Permissions::from_mode(0o755)).expect("the copy is ours");
            copy_folder(&source, &target);
        } else {
            fs::copy(&source, &target).expect("a context can be copied");
            let mode = entry.metadata().expect("a context can be read").permissions().mode();
            let mode = if mode & 0o111 == 0 { 0o644 } else { 0o755 };
            fs::set_permissions(&target, Permissions::from_mode(mode)).expect("the copy is ours");
        }
    }
}
