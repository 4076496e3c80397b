//! The copy of a repository that is kept: bare, shallow, and only of the commits that were asked for.
//!
//! A commit that has come whole is named `refs/tug/<commit>`. Processes that fetch from one repository wait for each
//! other; the lock is that of a file, which ends with its process.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FlockOperation;
use tug_oci::Digest;

use super::program::{Failure, Program, REMOTE};
use super::{Commit, GitUrl};
use crate::error::Error;
use crate::stop::Stop;

/// What servers say to who asks for a commit by its name and may not, or not so.
const NOT_BY_COMMIT: [&str; 5] = [
    "not our ref",
    "unadvertised object",
    "couldn't find remote ref",
    "does not allow request",
    "shallow capabilities",
];

/// A repository and where its copy is.
#[derive(Clone, Debug)]
pub(super) struct Repository {
    pub folder: PathBuf,
    pub url: GitUrl,
    pub program: Program,
}

impl Repository {
    pub(super) fn new(folder: &Path, url: &GitUrl, program: &Program) -> Self {
        let folder = folder.join(Digest::of(url.repository().as_bytes()).hex());
        let program = program.with("GIT_DIR", &folder.to_string_lossy());
        Self { folder, url: url.clone(), program }
    }

    /// Runs git on the copy and hands back what it wrote.
    pub(super) fn git(&self, arguments: &[&str], stop: &Stop) -> Result<Vec<u8>, Failure> {
        self.program.output(&self.folder, arguments, stop)
    }

    /// Makes the folder, so that git has a place to run in.
    pub(super) fn make_folder(&self) -> Result<(), Error> {
        fs::create_dir_all(&self.folder).map_err(self.failed("make"))
    }

    /// Whether the commit and its files are here.
    pub(super) fn has(&self, sha: &str, stop: &Stop) -> Result<bool, Error> {
        if !self.folder.join("HEAD").is_file() {
            return Ok(false);
        }
        match self.git(&["rev-parse", "--quiet", "--verify", &name_of(sha)], stop) {
            Ok(_) => Ok(true),
            Err(Failure::Git { .. }) => Ok(false),
            Err(failure) => Err(self.program.error(failure)),
        }
    }

    /// Fetches the commit, unless it is here.
    pub(super) fn fetch(&self, commit: &Commit, stop: &Stop) -> Result<(), Error> {
        let sha = &commit.sha;
        self.make_folder()?;
        let _lock = self.lock(stop)?;
        if self.has(sha, stop)? {
            return Ok(());
        }
        self.initialise(sha, stop)?;
        let error = |failure| self.program.error(failure);
        if let Some(reference) = &commit.reference {
            match self.fetch_one(reference, sha, &["--depth=1"], stop) {
                Ok(()) if self.is_at(sha, stop)? => return Ok(()),
                Ok(()) => {}
                Err(failure) if failure.says(&NOT_BY_COMMIT) => {}
                Err(failure) => return Err(error(failure)),
            }
        }
        match self.fetch_one(sha, sha, &["--depth=1"], stop) {
            Ok(()) if self.is_at(sha, stop)? => return Ok(()),
            Ok(()) => {}
            Err(failure) if failure.says(&NOT_BY_COMMIT) => {}
            Err(failure) => return Err(error(failure)),
        }
        self.fetch_all(sha, stop)
    }

    fn fetch_one(&self, what: &str, sha: &str, more: &[&str], stop: &Stop) -> Result<(), Failure> {
        let spec = format!("+{what}:{}", name_of(sha));
        let mut arguments =
            vec!["fetch", "--progress", "--no-tags", "--no-write-fetch-head", "--update-shallow"];
        arguments.extend(more);
        arguments.extend([REMOTE, spec.as_str()]);
        self.git(&arguments, stop).map(drop)
    }

    /// For servers that give no commit by its name: everything that has a name, in the hope that it is among it.
    fn fetch_all(&self, sha: &str, stop: &Stop) -> Result<(), Error> {
        let error = |failure| self.program.error(failure);
        let mut arguments = vec!["fetch", "--progress", "--no-tags", "--no-write-fetch-head"];
        if self.folder.join("shallow").is_file() {
            arguments.push("--unshallow");
        }
        arguments.extend([REMOTE, "+refs/heads/*:refs/all/heads/*", "+refs/tags/*:refs/all/tags/*"]);
        self.git(&arguments, stop).map_err(error)?;
        let named = format!("{sha}^{{commit}}");
        match self.git(&["update-ref", &name_of(sha), &named], stop) {
            Ok(_) => Ok(()),
            Err(Failure::Git { .. }) => {
                Err(Error::NoReference { url: self.program.shown().to_owned(), reference: sha.to_owned() })
            }
            Err(failure) => Err(error(failure)),
        }
    }

    /// Whether what was fetched is the commit. If not, it loses its name.
    fn is_at(&self, sha: &str, stop: &Stop) -> Result<bool, Error> {
        let error = |failure| self.program.error(failure);
        let name = name_of(sha);
        let found =
            self.git(&["rev-parse", "--verify", &format!("{name}^{{commit}}")], stop).map_err(error)?;
        if String::from_utf8_lossy(&found).trim() == sha {
            return Ok(true);
        }
        self.git(&["update-ref", "-d", &name], stop).map_err(error)?;
        Ok(false)
    }

    fn initialise(&self, sha: &str, stop: &Stop) -> Result<(), Error> {
        if self.folder.join("HEAD").is_file() {
            return Ok(());
        }
        let format = if sha.len() == 64 { "--object-format=sha256" } else { "--object-format=sha1" };
        let made = self.git(&["init", "--quiet", "--bare", "--template=", format], stop);
        made.map_err(|failure| self.program.error(failure))?;
        // Files come as they are, and all of them: these attributes are for making releases.
        let info = self.folder.join("info");
        fs::create_dir_all(&info).map_err(self.failed("make"))?;
        fs::write(info.join("attributes"), "* -export-ignore -export-subst\n").map_err(self.failed("write"))
    }

    fn lock(&self, stop: &Stop) -> Result<File, Error> {
        let path = self.folder.join("tug.lock");
        let opened = File::options().create(true).append(true).open(&path).map_err(self.failed("open"))?;
        loop {
            match rustix::fs::flock(&opened, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(opened),
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
                Err(error) => return Err(self.failed("lock")(error.into())),
            }
            if stop.is_stopped() {
                return Err(Error::Stopped);
            }
            stop.sleep(Duration::from_millis(20));
        }
    }

    fn failed(&self, action: &'static str) -> impl Fn(io::Error) -> Error {
        move |source| Error::Io { action, path: self.folder.clone(), source }
    }
}

fn name_of(sha: &str) -> String {
    format!("refs/tug/{sha}")
}
