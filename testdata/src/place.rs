//! Decides in which surroundings a test runs a program: with all rights, as an ordinary user with or without a
//! range of ids, or already inside such a user's namespace.
//!
//! The users `tug-many` and `tug-one` are made by `./test`. Everything here starts as root.
//! A test that wants to run *itself* elsewhere starts its own executable with its own name:
//!
//! ```no_run
//! use tug_testdata::place::Place;
//!
//! let status = Place::NamespaceWithManyIds.rerun_test("a_removed_file_becomes_a_whiteout_here");
//! assert!(status.success());
//! ```

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use tempfile::TempDir;

/// Where a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// As whoever runs the test.
    Here,
    /// As an ordinary user who may map 65536 ids.
    UserWithManyIds,
    /// As an ordinary user who may map none but his own.
    UserWithOneId,
    /// As root of a user namespace and a mount namespace with a full range of ids.
    NamespaceWithManyIds,
    /// As root of a user namespace and a mount namespace in which there is no other id.
    NamespaceWithOneId,
}

/// A folder that a user of a [`Place`] owns and all may enter.
#[derive(Debug)]
pub struct Home {
    folder: TempDir,
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Here,
        Self::UserWithManyIds,
        Self::UserWithOneId,
        Self::NamespaceWithManyIds,
        Self::NamespaceWithOneId,
    ];

    /// A command that starts `program` there. The program must lie where the user can reach it; see [`Home::bring`].
    pub fn command(self, program: &Path) -> Command {
        let mut words: Vec<&str> = Vec::new();
        if let Some(user) = self.user() {
            words.extend(["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--"]);
        }
        match self {
            Self::NamespaceWithManyIds => {
                words.extend(["unshare", "--user", "--mount", "--map-root-user", "--map-auto", "--"]);
            }
            Self::NamespaceWithOneId => {
                words.extend(["unshare", "--user", "--mount", "--map-root-user", "--"]);
            }
            _ => {}
        }
        let Some((first, rest)) = words.split_first() else {
            return Command::new(program);
        };
        let mut command = Command::new(first);
        command.args(rest).arg(program);
        if let Some(user) = self.user() {
            command.env("HOME", format!("/home/{user}")).env("USER", user).env("LOGNAME", user);
            for name in
                ["XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"]
            {
                command.env_remove(name);
            }
        }
        command
    }

    /// An empty folder for the user of this place.
    pub fn home(self) -> Home {
        let folder = tempfile::Builder::new()
            .prefix("tug-home-")
            .permissions(Permissions::from_mode(0o755))
            .tempdir()
            .expect("a temporary folder can be made");
        if let Some(user) = self.user() {
            let (uid, gid) = ids_of(user);
            chown(folder.path(), Some(uid), Some(gid)).expect("root may give folders away");
        }
        Home { folder }
    }

    /// Gives a folder and all in it to the user of this place. Modes stay: a new owner alone would clear set-uid bits.
    pub fn give(self, folder: &Path) {
        let Some(user) = self.user() else { return };
        give_to(folder, ids_of(user));
    }

    /// Runs one test of the running test executable there, ignored or not, with its output shown.
    pub fn rerun_test(self, name: &str) -> ExitStatus {
        let home = self.home();
        let program = home.bring(&std::env::current_exe().expect("a running program has a path"));
        self.command(&program)
            .args(["--exact", name, "--include-ignored", "--nocapture"])
            .env("TMPDIR", home.path())
            .current_dir(home.path())
            .status()
            .expect("setpriv and unshare are there")
    }

    fn user(self) -> Option<&'static str> {
        match self {
            Self::Here => None,
            Self::UserWithManyIds | Self::NamespaceWithManyIds => Some("tug-many"),
            Self::UserWithOneId | Self::NamespaceWithOneId => Some("tug-one"),
        }
    }
}

impl Home {
    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Copies a program into it, so that the user can start it wherever it lay before.
    pub fn bring(&self, program: &Path) -> PathBuf {
        let copy = self.folder.path().join(program.file_name().expect("a program has a name"));
        fs::copy(program, &copy)
            .unwrap_or_else(|error| panic!("could not copy `{}`: {error}", program.display()));
        fs::set_permissions(&copy, Permissions::from_mode(0o755)).expect("the copy is ours");
        copy
    }
}

fn ids_of(user: &str) -> (u32, u32) {
    let passwd = fs::read_to_string("/etc/passwd").expect("there is a list of users");
    passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields[0] == user)
        .and_then(|fields| Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?)))
        .unwrap_or_else(|| panic!("there is no user `{user}`: run `./test`"))
}

fn give_to(path: &Path, (uid, gid): (u32, u32)) {
    let status = path.symlink_metadata().expect("a file of a case can be looked at");
    std::os::unix::fs::lchown(path, Some(uid), Some(gid)).expect("root may give files away");
    if status.is_symlink() {
        return;
    }
    fs::set_permissions(path, status.permissions()).expect("root may set modes");
    if status.is_dir() {
        for entry in path.read_dir().expect("root may read folders") {
            give_to(&entry.expect("root may read folders").path(), (uid, gid));
        }
    }
}
