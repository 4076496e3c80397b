//! Repositories for tests, and a server of git's own on this machine that gives them away.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

/// A folder of repositories that can be fetched from until the test's process ends.
#[derive(Debug)]
pub struct GitServer {
    folder: tempfile::TempDir,
    address: String,
}

/// A repository with a working copy.
#[derive(Clone, Debug)]
pub struct Repository {
    folder: PathBuf,
}

impl GitServer {
    /// Starts `git daemon` for each connection.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("a listener has an address").to_string();
        let base = format!("--base-path={}", folder.path().display());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let input = OwnedFd::from(stream.try_clone().expect("a socket can be shared"));
                let mut daemon = git(Path::new("/"));
                daemon.args(["daemon", "--inetd", "--export-all", &base]);
                daemon.stdin(input).stdout(OwnedFd::from(stream)).stderr(Stdio::null());
                let mut daemon = daemon.spawn().expect("git is there");
                thread::spawn(move || daemon.wait());
            }
        });
        Self { folder, address }
    }

    /// The address of the repository called `name`, which ends in `.git`.
    pub fn url(&self, name: &str) -> String {
        format!("git://{}/{name}", self.address)
    }

    /// Makes a repository with the branch `main` and no commit.
    pub fn repository(&self, name: &str) -> Repository {
        let folder = self.folder.path().join(name);
        std::fs::create_dir(&folder).expect("each repository has another name");
        let made = Repository { folder };
        made.git(&["init", "--quiet", "--initial-branch=main", "."]);
        // What servers allow that are newer, and other sites.
        made.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
        made
    }
}

impl Repository {
    /// The working copy.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a file into the working copy.
    pub fn write(&self, path: &str, content: &str) {
        let path = self.folder.join(path);
        std::fs::create_dir_all(path.parent().expect("it is below a folder")).expect("folders can be made");
        std::fs::write(path, content).expect("files can be written");
    }

    /// Commits all there is, at a time in seconds since 1970, and gives the name of the commit.
    pub fn commit(&self, message: &str, time: i64) -> String {
        self.git(&["add", "--all"]);
        let mut commit = git(&self.folder);
        let date = format!("{time} +0000");
        commit.args(["commit", "--quiet", "--allow-empty", "-m", message]);
        commit.env("GIT_AUTHOR_DATE", &date).env("GIT_COMMITTER_DATE", &date);
        assert!(commit.status().expect("git is there").success(), "`{message}` could not be committed");
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs git in the working copy and gives what it wrote.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = git(&self.folder).args(arguments).output().expect("git is there");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {}: {told}", arguments.join(" "));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

/// Git without anybody's settings.
fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for role in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{role}_NAME"), "somebody")
            .env(format!("GIT_{role}_EMAIL"), "somebody@example.org");
    }
    command.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE");
    command
}
