//! The files of a commit as tars, one for the repository and one for each submodule.

use std::io::{self, Read};

use super::program::Failure;
use super::repository::Repository;
use crate::error::Error;
use crate::stop::Stop;

/// The files of a commit. They lie over each other: each part after the first is inside of what is before it.
#[derive(Debug)]
pub struct GitTrees {
    parts: Vec<Part>,
    time: i64,
}

/// The files of one repository.
#[derive(Debug)]
pub struct Part {
    repository: Repository,
    /// Where it lies, without slashes around; empty for the first.
    path: String,
    sha: String,
}

impl Part {
    pub(super) fn new(repository: &Repository, path: &str, sha: &str) -> Self {
        Self { repository: repository.clone(), path: path.to_owned(), sha: sha.to_owned() }
    }

    /// Hands the files to `read`, as a plain tar. Names start with the path of the part; all belong to root, modes are
    /// 644 and 755, times are those of the commit.
    pub fn tar(&self, stop: &Stop, read: impl FnOnce(&mut dyn Read) -> io::Result<()>) -> Result<(), Error> {
        let prefix = format!("--prefix={}/", self.path);
        let mut arguments = vec!["archive", "--format=tar"];
        if !self.path.is_empty() {
            arguments.push(&prefix);
        }
        arguments.push(&self.sha);
        let program = &self.repository.program;
        match program.stream(&self.repository.folder, &arguments, stop, read) {
            Ok(()) => Ok(()),
            // Whoever reads has kept what went wrong.
            Err(Failure::Reading(_)) => Err(Error::Stopped),
            Err(failure) => Err(program.error(failure)),
        }
    }
}

impl GitTrees {
    pub(super) fn new(parts: Vec<Part>, stop: &Stop) -> Result<Self, Error> {
        let first = &parts[0];
        let program = &first.repository.program;
        let time = first.repository.git(&["log", "-1", "--format=%ct", &first.sha], stop);
        let time = time.map_err(|failure| program.error(failure))?;
        let time = String::from_utf8_lossy(&time).trim().parse::<i64>();
        let time = time.map_err(|_| program.failed("the commit has no time", None))?;
        Ok(Self { parts, time })
    }

    /// The parts, the repository first.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// When the commit was made, in seconds since 1970.
    pub fn time(&self) -> i64 {
        self.time
    }
}
