//! The program under test.

use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use tug_layer_store::{Owners, Store, StoreOptions};
use tug_oci::{History, ImageConfig, Platform};
use tug_testdata::bases;

/// tug, with an empty home and a store of its own.
pub(crate) struct Tug {
    home: TempDir,
    variables: Vec<(String, String)>,
}

impl Tug {
    /// In an empty home; the store is not made yet.
    pub(crate) fn new() -> Self {
        let home =
            tempfile::Builder::new().prefix("tug-cli-").tempdir().expect("a temporary folder can be made");
        Self { home, variables: Vec::new() }
    }

    /// With another variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A path in its home.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Writes a file into its home.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("folders can be made");
        fs::write(&path, text).expect("files can be written");
        path
    }

    /// The store as a library sees it.
    pub(crate) fn store(&self) -> Store {
        let options = StoreOptions { owners: Owners::Real, in_user_namespace: false, indexed_layers: false };
        Store::open(&self.path("store"), &options).expect("the store can be opened")
    }

    /// Puts an image without layers under `names` into the store; the same each time.
    pub(crate) fn image(&self, names: &[&str]) {
        let mut config = ImageConfig::empty(Platform::linux("amd64"));
        config.created = Some("2024-05-06T07:08:09Z".to_owned());
        config.config.env = vec!["PATH=/bin".to_owned(), format!("NAME={}", names[0])];
        config.config.cmd = Some(vec!["sh".to_owned()]);
        config.config.labels.insert("version".to_owned(), "1.2".to_owned());
        config.history = vec![
            History {
                created: config.created.clone(),
                created_by: Some("ENV NAME=… # a long line that a table shortens at some point".to_owned()),
                empty_layer: true,
                ..History::default()
            },
            History {
                created: config.created.clone(),
                created_by: Some("CMD [\"sh\"]".to_owned()),
                comment: Some("by\thand\x1b[31m".to_owned()),
                empty_layer: true,
                ..History::default()
            },
        ];
        let store = self.store();
        let image = store.write_image(config, Default::default()).expect("an image can be written");
        for name in names {
            let name = name.parse().expect("the test names images");
            store.tag(&name, &image.descriptor).expect("an image can be named");
        }
    }

    /// Puts an image called `base` with a shell into the store.
    pub(crate) fn base(&self) {
        let file = bases::busybox().to_string_lossy().into_owned();
        self.data(&["import", "-c", "CMD [\"sh\"]", "-c", "ENV PATH=/bin FROM_IMAGE=1", &file, "base"]);
    }

    /// The program with `words`, nothing to read.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tug"));
        command.args(words).env_clear().current_dir(self.home.path()).stdin(Stdio::null());
        command
            .env("HOME", self.home.path())
            .env("TUG_STORE", self.path("store"))
            // Tests about registries take it away.
            .env("TUG_OFFLINE", "1")
            .env("PATH", "/usr/bin:/bin");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// What comes out of `tug WORDS`.
    pub(crate) fn run(&self, words: &[&str]) -> String {
        let output = self.command(words).output().expect("tug can be started");
        self.shown(&output)
    }

    /// What comes out of `tug WORDS` that reads `input`.
    pub(crate) fn run_with_input(&self, words: &[&str], input: &[u8]) -> String {
        let mut command = self.command(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("tug can be started");
        // It may leave without having read everything.
        let _ = child.stdin.take().expect("it is a pipe").write_all(input);
        self.shown(&child.wait_with_output().expect("tug can be waited for"))
    }

    /// The standard output of `tug WORDS`, which must succeed.
    pub(crate) fn data(&self, words: &[&str]) -> String {
        let output = self.command(words).output().expect("tug can be started");
        assert!(output.status.success(), "{}", self.shown(&output));
        String::from_utf8(output.stdout).expect("the output is text")
    }

    /// Exit code, standard output and standard error, the same on every machine.
    pub(crate) fn shown(&self, output: &Output) -> String {
        let end = match (output.status.code(), output.status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "no end".to_owned(),
        };
        let mut shown = end;
        for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            if !bytes.is_empty() {
                shown += &format!("\n--- {name}\n{}", self.without_home(&String::from_utf8_lossy(bytes)));
            }
        }
        shown
    }

    /// What comes out of `tug WORDS`, with durations and the names of builds replaced.
    pub(crate) fn run_timeless(&self, words: &[&str]) -> String {
        timeless(&self.run(words))
    }

    /// `text` with the home of this test replaced.
    pub(crate) fn without_home(&self, text: &str) -> String {
        let home: &Path = self.home.path();
        text.replace(&*home.to_string_lossy(), "[HOME]")
    }
}

/// `text` with every duration, and everything in the identity of a build, replaced.
pub(crate) fn timeless(text: &str) -> String {
    let is_time = |word: &str| {
        word.strip_suffix('s').is_some_and(|number| number.contains('.') && number.parse::<f64>().is_ok())
    };
    let is_build =
        |word: &str| word.len() == 22 && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let mut shown = String::new();
    for piece in text.split_inclusive(|letter: char| !(letter.is_alphanumeric() || ".-".contains(letter))) {
        let end = piece.len()
            - piece.chars().last().filter(|last| !last.is_alphanumeric()).map_or(0, char::len_utf8);
        match &piece[..end] {
            word if is_time(word) => shown += "N.Ns",
            word if is_build(word) => shown += "[BUILD]",
            word => shown += word,
        }
        shown += &piece[end..];
    }
    shown
}
