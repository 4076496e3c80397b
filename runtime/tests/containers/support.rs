//! A place with a small root file system, and who runs containers in it.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio as ChildStdio};

use serde_json::Value;
use tug_runtime::{Container, Process, Root, Stdio};

/// Who runs the containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Root,
    ManyIds,
    OneId,
}

impl Who {
    fn user(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::ManyIds => "tug-many",
            Self::OneId => "tug-one",
        }
    }

    fn mode(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::ManyIds => "many",
            Self::OneId => "single",
        }
    }

    /// User and group id on the host.
    pub(crate) fn ids(self) -> (u32, u32) {
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
        let start = format!("{}:", self.user());
        let line =
            passwd.lines().find(|line| line.starts_with(&start)).expect("the test set-up makes this user");
        let mut fields = line.split(':').skip(2).map(|field| field.parse().unwrap());
        (fields.next().unwrap(), fields.next().unwrap())
    }
}

/// Writes the same test three times.
macro_rules! in_every_mode {
    ($(#[$doc:meta])* fn $name:ident($place:ident) $body:block) => {
        #[allow(non_snake_case, reason = "it is a module named like a test")]
        mod $name {
            use super::*;

            #[test]
            #[ignore = "needs root and busybox"]
            fn needs_busybox_needs_root_as_root() {
                let $place = &Place::new(Who::Root);
                $body
            }

            #[test]
            #[ignore = "needs users and busybox"]
            fn needs_busybox_needs_root_needs_users_with_many_ids() {
                let $place = &Place::new(Who::ManyIds);
                $body
            }

            #[test]
            #[ignore = "needs users and busybox"]
            fn needs_busybox_needs_root_needs_users_with_one_id() {
                let $place = &Place::new(Who::OneId);
                $body
            }
        }
    };
}
pub(crate) use in_every_mode;

/// A temporary directory with `rootfs`, `upper` and `work`.
pub(crate) struct Place {
    directory: tempfile::TempDir,
    pub(crate) who: Who,
}

impl Place {
    pub(crate) fn new(who: Who) -> Self {
        Self::named(who, "tug-runtime")
    }

    /// In a directory whose name is part of every path.
    pub(crate) fn named(who: Who, name: &str) -> Self {
        let directory = tempfile::Builder::new().prefix(name).tempdir().unwrap();
        std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let place = Self { directory, who };
        for name in ["upper", "work", "rootfs/bin", "rootfs/etc", "rootfs/tmp"] {
            std::fs::create_dir_all(place.path(name)).unwrap();
        }
        std::fs::copy("/bin/busybox", place.path("rootfs/bin/busybox")).unwrap();
        let list = Command::new("/bin/busybox").arg("--list").output().unwrap();
        for applet in String::from_utf8(list.stdout).unwrap().lines().filter(|applet| *applet != "busybox") {
            symlink("busybox", place.path("rootfs/bin").join(applet)).unwrap();
        }
        std::fs::copy(contain(), place.path("contain")).unwrap();
        std::fs::set_permissions(place.path("rootfs/tmp"), PermissionsExt::from_mode(0o1777)).unwrap();
        place.write(
            "rootfs/etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1001::/home/node:/bin/sh\n",
        );
        place.write("rootfs/etc/group", "root:x:0:\nnode:x:1001:\nwww:x:33:node\nstaff:x:50:node\n");
        place.give(&place.path(""));
        place
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(below)
    }

    /// Writes a file that belongs to whoever runs the containers.
    pub(crate) fn write(&self, below: &str, contents: &str) {
        let path = self.path(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, contents).unwrap();
        let (uid, gid) = self.who.ids();
        for given in path.ancestors().take_while(|given| *given != self.directory.path()) {
            lchown(given, Some(uid), Some(gid)).unwrap();
        }
    }

    /// Gives everything below a path to whoever runs the containers.
    pub(crate) fn give(&self, path: &Path) {
        let (uid, gid) = self.who.ids();
        lchown(path, Some(uid), Some(gid)).unwrap();
        if path.is_dir() && !path.is_symlink() {
            for entry in std::fs::read_dir(path).unwrap() {
                self.give(&entry.unwrap().path());
            }
        }
    }

    pub(crate) fn root(&self) -> Root {
        Root {
            lower: vec![self.path("rootfs").into()],
            upper: Some(self.path("upper")),
            work: Some(self.path("work")),
            read_only: false,
        }
    }

    /// A container that runs these words.
    pub(crate) fn container(&self, words: &[&str]) -> Container {
        let process = Process { args: words.iter().map(OsString::from).collect(), ..Process::default() };
        let mut container = Container::new(self.root(), process);
        container.stdio = Stdio::CAPTURE;
        container
    }

    /// A container that runs a script.
    pub(crate) fn script(&self, script: &str) -> Container {
        self.container(&["sh", "-ec", script])
    }

    pub(crate) fn run(&self, container: &Container) -> Answer {
        self.run_all(std::slice::from_ref(container)).remove(0)
    }

    /// Runs them at the same time, in one process.
    pub(crate) fn run_all(&self, containers: &[Container]) -> Vec<Answer> {
        let child = self.start(containers);
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let answers: Vec<Value> = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{error}: `{text}` {:?}", output.status));
        answers.into_iter().map(Answer).collect()
    }

    /// Starts the process that runs them.
    pub(crate) fn start(&self, containers: &[Container]) -> Child {
        self.start_with(containers, &[])
    }

    /// Runs it and sends it a signal, or kills it, when it has written a line.
    pub(crate) fn run_and_send(&self, container: &Container, what: &str) -> Answer {
        let output = self.start_with(std::slice::from_ref(container), &[what]).wait_with_output().unwrap();
        Answer(serde_json::from_slice::<Vec<Value>>(&output.stdout).unwrap().remove(0))
    }

    /// Runs it from a shell that lets nobody have more than 64 files open, but for those who raise that.
    pub(crate) fn run_with_few_files(&self, container: &Container) -> Answer {
        let mut command = Command::new("/bin/busybox");
        command.args(["sh", "-c", "ulimit -Sn 64; exec \"$0\" \"$@\""]).arg(self.path("contain"));
        let child = self.start_command(command, std::slice::from_ref(container), &[]);
        let output = child.wait_with_output().unwrap();
        Answer(serde_json::from_slice::<Vec<Value>>(&output.stdout).unwrap().remove(0))
    }

    fn start_with(&self, containers: &[Container], more: &[&str]) -> Child {
        self.start_command(Command::new(self.path("contain")), containers, more)
    }

    fn start_command(&self, mut command: Command, containers: &[Container], more: &[&str]) -> Child {
        command
            .arg(self.who.mode())
            .args(more)
            .current_dir("/")
            .stdin(ChildStdio::piped())
            .stdout(ChildStdio::piped());
        if self.who != Who::Root {
            let (uid, gid) = self.who.ids();
            command.uid(uid).gid(gid);
        }
        let mut child = command.spawn().unwrap();
        let text = serde_json::to_vec(containers).unwrap();
        child.stdin.take().unwrap().write_all(&text).unwrap();
        child
    }

    /// Runs a script and gives its output; the script must succeed.
    pub(crate) fn output(&self, script: &str) -> String {
        self.run(&self.script(script)).good()
    }
}

/// How a container ended.
#[derive(Debug)]
pub(crate) struct Answer(Value);

impl Answer {
    /// Its output, if it ended well.
    #[track_caller]
    pub(crate) fn good(&self) -> String {
        assert!(self.0["exit_code"] == 0 && self.error().is_none(), "{:#}", self.0);
        self.stdout()
    }

    pub(crate) fn stdout(&self) -> String {
        self.0["stdout"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn stderr(&self) -> String {
        self.0["stderr"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn exit_code(&self) -> i64 {
        self.0["exit_code"].as_i64().expect("every answer has one")
    }

    pub(crate) fn signal(&self) -> Option<i64> {
        self.0["signal"].as_i64()
    }

    pub(crate) fn out_of_memory(&self) -> bool {
        self.0["out_of_memory"] == true
    }

    pub(crate) fn error(&self) -> Option<&str> {
        self.0["error"].as_str()
    }

    /// The error, what the kernel said, and the advice.
    pub(crate) fn story(&self) -> String {
        let part = |name: &str| self.0[name].as_str().unwrap_or("-").to_owned();
        format!("{}\ncaused by: {}\nhint: {}", part("error"), part("cause"), part("hint"))
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        let list = self.0["warnings"].as_array().cloned().unwrap_or_default();
        list.iter().filter_map(|warning| warning.as_str().map(str::to_owned)).collect()
    }

    /// Inode, user and group of what cannot carry its owner.
    pub(crate) fn owners(&self) -> Vec<(u64, u64, u64)> {
        serde_json::from_value(self.0["owners"].clone()).unwrap_or_default()
    }
}

/// The names in a directory, sorted.
pub(crate) fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The example program, which cargo builds together with the tests.
fn contain() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.join("examples/contain")
}
