//! What can go wrong, said in terms of the container and not of the system call that noticed.
//!
//! The exit codes are those of `docker run`: 127 when there is no such command, 126 when it cannot be executed, 125
//! for everything that is trouble of the runtime's own.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::wire;

/// How many lower directories an overlay may have: `OVL_MAX_STACK` of the kernel.
const MOST_LAYERS: usize = 500;

/// Why a container could not run.
#[derive(Clone, Debug, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Error {
    /// There is no such program in the container.
    #[error("no command `{command}` in the container")]
    CommandNotFound {
        /// As it was asked for.
        command: String,
        /// The `PATH` that was searched, when the command has no `/`.
        searched: Option<String>,
    },

    /// The program is there, but the kernel does not execute it.
    #[error("cannot execute `{command}`")]
    NotExecutable {
        /// As it was asked for.
        command: String,
        /// What the kernel said.
        #[source]
        cause: Cause,
    },

    /// No command was given.
    #[error("no command to run")]
    NoCommand,

    /// The working directory cannot be entered.
    #[error("cannot use working directory `{}`", path.display())]
    WorkingDirectory {
        /// As it was asked for.
        #[serde(with = "wire::one")]
        path: PathBuf,
        /// What the kernel said.
        #[source]
        cause: Cause,
    },

    /// The user or group is not in the container's own files.
    #[error("no {kind} `{name}` in the container's `{file}`")]
    UnknownUser {
        /// `user` or `group`.
        kind: UserKind,
        /// The name that was looked for.
        name: String,
        /// The file that was read.
        file: String,
    },

    /// The text names no user.
    #[error("`{text}` is not a user: {reason}")]
    BadUser {
        /// As it was given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },

    /// The container's list of users or groups cannot be used.
    #[error("cannot use the container's `{file}`: {reason}")]
    UserFile {
        /// Which of them.
        file: String,
        /// What is wrong with it.
        reason: String,
    },

    /// The id exists in no range that we may use.
    #[error("{kind} id {id} does not exist here: this user may use ids below {limit} only")]
    UnmappedId {
        /// `user` or `group`.
        kind: UserKind,
        /// The id.
        id: u32,
        /// The first id that does not exist.
        limit: u32,
    },

    /// A mount could not be made.
    #[error("cannot mount on `{}`", target.display())]
    Mount {
        /// Where, inside the container.
        #[serde(with = "wire::one")]
        target: PathBuf,
        /// What went wrong.
        #[source]
        cause: MountCause,
    },

    /// The files of a mount could not be given to the user of the process.
    #[error("cannot give what is mounted on `{}` to the user of the container", path.display())]
    Owner {
        /// Where it is mounted.
        #[serde(with = "wire::one")]
        path: PathBuf,
        /// What the kernel said.
        #[source]
        cause: Cause,
    },

    /// The layers could not be merged.
    #[error("cannot merge {layers} layers into one file system")]
    Overlay {
        /// How many lower directories there are.
        layers: usize,
        /// What the kernel said.
        #[source]
        cause: Cause,
        /// What the kernel's log for this mount said, if anything.
        detail: Option<String>,
    },

    /// A layer that was not unpacked could not be mounted.
    #[error("cannot mount the layer `{}` without unpacking it", path.display())]
    Indexed {
        /// Its index.
        #[serde(with = "wire::one")]
        path: PathBuf,
        /// What the kernel said.
        #[source]
        cause: Cause,
    },

    /// A directory that the description names is not there.
    #[error("cannot open `{}`", path.display())]
    Source {
        /// The path on the host.
        #[serde(with = "wire::one")]
        path: PathBuf,
        /// What the kernel said.
        #[source]
        cause: Cause,
    },

    /// The host does not let us make the namespaces of a container.
    #[error("this host does not let us create {what}")]
    Namespaces {
        /// Which.
        what: String,
        /// What the kernel said.
        #[source]
        cause: Cause,
        /// What can be done about it.
        advice: Option<String>,
    },

    /// The mode that was asked for is not possible here.
    #[error("mode `{mode}` is not possible here: {reason}")]
    ModeUnavailable {
        /// The mode.
        mode: String,
        /// Why.
        reason: String,
    },

    /// Something that always works did not.
    #[error("cannot {action}")]
    System {
        /// What was being done.
        action: String,
        /// What the kernel said.
        #[source]
        cause: Cause,
    },

    /// The container's first process ended before it had started anything.
    #[error("the container's first process ended before it had started the command")]
    InitDied,
}

impl Error {
    pub(crate) fn system(action: impl Into<String>, cause: impl Into<Cause>) -> Self {
        Self::System { action: action.into(), cause: cause.into() }
    }

    /// The exit code that says this to a script.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::CommandNotFound { .. } => 127,
            Self::NotExecutable { .. } => 126,
            _ => 125,
        }
    }

    /// Whether a program for another processor fails like this, when the kernel knows no emulator for it or does not
    /// find the one that it knows.
    #[must_use]
    pub fn may_be_of_another_processor(&self) -> bool {
        matches!(self, Self::NotExecutable { cause, .. } if matches!(cause.0, libc::ENOEXEC | libc::ENOENT))
    }

    /// What the user can do about it, if we know.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::CommandNotFound { searched: Some(path), .. } => Some(format!("searched in `{path}`")),
            Self::CommandNotFound { command, searched: None } if command.contains(char::is_whitespace) => {
                Some(
                    "the whole text is taken as one command; write each argument as its own string"
                        .to_owned(),
                )
            }
            Self::NotExecutable { cause, .. } if cause.0 == libc::ENOEXEC => {
                Some("it is for another architecture, or a script without `#!` in its first line".to_owned())
            }
            Self::NotExecutable { cause, .. } if cause.0 == libc::E2BIG => Some(
                "its arguments or variables are longer than the kernel takes: 128 KiB for one of them"
                    .to_owned(),
            ),
            Self::NotExecutable { cause, .. } if cause.0 == libc::EACCES => {
                Some("is it a regular file with an execute bit, for this user?".to_owned())
            }
            Self::NotExecutable { cause, .. } if cause.0 == libc::ENOENT => {
                Some("its interpreter (`#!` line or dynamic loader) is missing in the container".to_owned())
            }
            Self::UnknownUser { kind, .. } => {
                Some(format!("add the {kind} in an earlier step, or use its numeric id"))
            }
            Self::UnmappedId { .. } => {
                Some("`tug doctor` shows which ids this user has and how to get more".to_owned())
            }
            Self::Overlay { layers, .. } if *layers > MOST_LAYERS => Some(format!(
                "Linux merges {MOST_LAYERS} layers at most: let one step do the work of several"
            )),
            Self::Indexed { .. } => Some(
                "`tug doctor` tries such a mount; with `TUG_LAYERS=trees` layers are unpacked instead"
                    .to_owned(),
            ),
            Self::Overlay { .. } => Some(
                "`tug doctor` tries overlay on the store's file system and says what is missing".to_owned(),
            ),
            Self::Namespaces { advice, .. } => {
                Some(advice.clone().unwrap_or_else(|| "`tug doctor` shows what this host allows".to_owned()))
            }
            _ => None,
        }
    }
}

/// Whether a name or id is of a user or of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UserKind {
    /// A user.
    User,
    /// A group.
    Group,
}

impl std::fmt::Display for UserKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::User => "user",
            Self::Group => "group",
        })
    }
}

/// Why a mount could not be made.
#[derive(Clone, Debug, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum MountCause {
    /// The target would be outside the root, or is reached through a link of `/proc`.
    #[error("its path leaves the root or leads through `/proc`")]
    Escapes,
    /// The target is one that the runtime needs for itself.
    #[error("the runtime needs that path for itself")]
    Reserved,
    /// Something on the way is not a directory, or the target itself has to be one and is not.
    #[error("it is not a directory")]
    NotADirectory,
    /// A file is to be mounted on a directory or the other way round.
    #[error("one of source and target is a directory, the other is not")]
    KindDiffers,
    /// The source is missing.
    #[error("there is no source `{}`", path.display())]
    NoSource {
        /// The source.
        #[serde(with = "wire::one")]
        path: PathBuf,
    },
    /// The target is missing, and the root is read-only.
    #[error("it does not exist, and the root is read-only")]
    ReadOnlyRoot,
    /// The kernel refused.
    #[error("could not {action}")]
    System {
        /// What was being done.
        action: String,
        /// What the kernel said.
        #[source]
        cause: Cause,
    },
}

/// What the kernel said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause(pub(crate) i32);

impl Cause {
    /// The number, as in `errno(3)`.
    #[must_use]
    pub fn errno(self) -> i32 {
        self.0
    }
}

impl From<rustix::io::Errno> for Cause {
    fn from(errno: rustix::io::Errno) -> Self {
        Self(errno.raw_os_error())
    }
}

impl From<std::io::Error> for Cause {
    fn from(error: std::io::Error) -> Self {
        Self(error.raw_os_error().unwrap_or(libc::EIO))
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = std::io::Error::from_raw_os_error(self.0).to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        let mut characters = text.chars();
        let first = characters.next().unwrap_or_default().to_ascii_lowercase();
        write!(formatter, "{first}{}", characters.as_str())
    }
}

impl std::error::Error for Cause {}

/// Something that was asked for and could not be had, although the container runs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Warning {
    /// A limit could not be set.
    #[error("the limit on {what} is not in force: {reason}")]
    NoLimit {
        /// What was to be limited.
        what: String,
        /// Why it is not.
        reason: String,
    },
    /// The container sees a `/proc` that is not its own.
    #[error("the container sees the processes of the host: a fresh `/proc` is not allowed here")]
    SharedProc,
    /// Something in the container's `/dev` or `/sys` is missing.
    #[error("`{path}` is missing in the container: {reason}")]
    Missing {
        /// The path in the container.
        path: String,
        /// Why.
        reason: String,
    },
    /// Capabilities were asked for that we do not have ourselves.
    #[error("without {names}: tug itself does not have what it cannot give")]
    NoCapabilities {
        /// Their names.
        names: String,
    },
    /// A limit on a process could not be set.
    #[error("the limit `{resource}` is not in force: {reason}")]
    Ulimit {
        /// Its name.
        resource: String,
        /// Why.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_reads_like_the_rest_of_the_message() {
        assert_eq!(Cause(libc::EACCES).to_string(), "permission denied");
        assert_eq!(Cause::from(rustix::io::Errno::NOENT).to_string(), "no such file or directory");
    }

    #[test]
    fn too_many_layers_are_told_from_other_trouble_with_overlay() {
        let hint = |layers| {
            let error = Error::Overlay { layers, cause: Cause(libc::EINVAL), detail: None };
            error.hint().unwrap_or_default()
        };
        assert!(hint(501).contains("500 layers at most") && hint(500).contains("tug doctor"));
    }

    #[test]
    fn exit_codes_are_those_of_docker_run() {
        let found = Error::CommandNotFound { command: "x".into(), searched: None };
        let executable = Error::NotExecutable { command: "x".into(), cause: Cause(libc::EACCES) };
        assert_eq!(
            (found.exit_code(), executable.exit_code(), Error::NoCommand.exit_code()),
            (127, 126, 125)
        );
    }
}
