//! Decides how a test uses the binary as a user would: in a home and with a store of its own, in one of the places
//! where users are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::Listing;
use crate::place::{Home, Place};

/// The program under test.
#[derive(Debug)]
pub struct Program {
    place: Place,
    home: Home,
    program: PathBuf,
}

impl Program {
    /// Brings the binary, which cargo names to the tests of its crate, to a place.
    pub fn new(binary: &str, place: Place) -> Self {
        let home = place.home();
        let program = home.bring(Path::new(binary));
        Self { place, home, program }
    }

    /// Puts a root file system under a name into the store.
    pub fn import(&self, archive: &Path, name: &str) {
        let copy = self.path("imported.tar");
        fs::copy(archive, &copy).expect("a base can be copied");
        self.place.give(&copy);
        self.must(&["import", &copy.to_string_lossy(), name]);
        fs::remove_file(&copy).expect("the copy is ours");
    }

    /// Builds a folder of this project with further words before the context. It is copied first: the user of the place
    /// may not be able to read the project.
    pub fn build_project_folder(&self, folder: &str, tag: &str, words: &[&str]) {
        let copy = self.path(tag);
        let source = project().join(folder);
        let copied = Command::new("cp").arg("-r").arg(&source).arg(&copy).status();
        assert!(copied.is_ok_and(|status| status.success()), "could not copy `{}`", source.display());
        self.place.give(&copy);
        let context = copy.to_string_lossy();
        self.must(&[&["build", "--progress", "plain", "--tag", tag], words, &[&context]].concat());
    }

    /// The merged tree of an image, as `export` writes it.
    pub fn tree(&self, image: &str) -> Listing {
        let mut export = self
            .command(&["export", image])
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the program can be started");
        let listing = Listing::of_tar(export.stdout.take().expect("its output is a pipe"));
        let status = export.wait().expect("the program was started");
        assert!(status.success(), "`export {image}` failed");
        listing
    }

    /// Runs a command that must succeed, and gives what it wrote to stdout.
    pub fn must(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "`{}`: {}\n{told}", words.join(" "), output.status);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs a command and waits for it.
    pub fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("the program can be started")
    }

    /// Starts a command and does not wait for it.
    pub fn start(&self, words: &[&str]) -> Child {
        self.command(words).spawn().expect("the program can be started")
    }

    /// A command with these words, not started yet.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = self.place.command(&self.program);
        command.args(words).current_dir(self.home.path()).stdin(Stdio::null());
        command.env("HOME", self.home.path()).env("TUG_STORE", self.store()).env("TUG_OFFLINE", "1");
        command
    }

    /// Where its store is.
    pub fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// A path in its home.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Gives a folder to the user it runs as.
    pub fn give(&self, folder: &Path) {
        self.place.give(folder);
    }
}

/// The root of this project.
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
