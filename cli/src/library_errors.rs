//! Which exit code the errors of each library lead to, and what is shown of them.

use std::fmt::Display;

use crate::diagnostic::Picture;
use crate::error::CommandError;
use crate::exit::Exit;

impl From<tug_layer_store::Error> for CommandError {
    fn from(error: tug_layer_store::Error) -> Self {
        use tug_layer_store::Error as Store;
        let exit = match &error {
            Store::DiskFull { .. }
            | Store::ReadOnly { .. }
            | Store::NotAllowed { .. }
            | Store::OtherOwner { .. } => Exit::Host,
            Store::NoReflinks { .. } | Store::Unfit { .. } => Exit::Host,
            Store::MoveInside { .. } => Exit::Usage,
            _ if error.is_disk_full() => Exit::Host,
            Store::Fetch(source) => match source.downcast_ref::<tug_transfer::Error>() {
                Some(source) => transfer_exit(source),
                None => Exit::Network,
            },
            _ => Exit::Failed,
        };
        let hint = match &error {
            Store::Fetch(source) => source.downcast_ref().and_then(tug_transfer::Error::hint),
            _ => error.hint(),
        };
        Self::from_error(exit, &error, hint)
    }
}

impl From<tug_registry_client::Error> for CommandError {
    fn from(error: tug_registry_client::Error) -> Self {
        Self::from_error(registry_exit(&error), &error, error.hint().map(str::to_owned))
    }
}

impl From<tug_registry_client::ConfigError> for CommandError {
    fn from(error: tug_registry_client::ConfigError) -> Self {
        use tug_registry_client::{ConfigError as Config, Origin};
        let exit = match &error {
            Config::Address { origin: None | Some(Origin::Flag(_) | Origin::Variable(_)), .. }
            | Config::NoSuchFile { .. } => Exit::Usage,
            _ => Exit::Failed,
        };
        Self::from_error(exit, &error, error.hint())
    }
}

impl From<tug_transfer::Error> for CommandError {
    fn from(error: tug_transfer::Error) -> Self {
        match error {
            tug_transfer::Error::Store(error) => error.into(),
            error => Self::from_error(transfer_exit(&error), &error, error.hint()),
        }
    }
}

impl CommandError {
    /// What could not be done, because of this: `could not list the tags of …`.
    pub(crate) fn of_registry(what: impl Display, error: &tug_registry_client::Error) -> Self {
        let made = Self::new(registry_exit(error), what).because(error);
        match error.hint() {
            Some(hint) => made.hint(hint),
            None => made,
        }
    }
}

/// What a registry does not have is the user's matter, what it does not do is the registry's.
pub(crate) fn registry_exit(error: &tug_registry_client::Error) -> Exit {
    use tug_registry_client::Kind;
    match error.kind() {
        Kind::NotFound | Kind::Digest | Kind::Blocked | Kind::Config | Kind::File | Kind::Cancelled => {
            Exit::Failed
        }
        // An image in a form of the past. With a status, it is the registry that cannot do something.
        Kind::Unsupported if error.status().is_none() => Exit::Failed,
        _ => Exit::Network,
    }
}

fn transfer_exit(error: &tug_transfer::Error) -> Exit {
    use tug_transfer::Error as Transfer;
    match error {
        Transfer::Registry { source, .. } => registry_exit(source),
        Transfer::Host { .. } => Exit::Host,
        Transfer::Place(_) | Transfer::PinnedDestination(_) => Exit::Usage,
        _ => Exit::Failed,
    }
}

impl From<tug_runtime::Error> for CommandError {
    fn from(error: tug_runtime::Error) -> Self {
        use tug_runtime::Error as Runtime;
        let exit = match &error {
            Runtime::Namespaces { .. }
            | Runtime::ModeUnavailable { .. }
            | Runtime::Overlay { .. }
            | Runtime::Mount { .. }
            | Runtime::System { .. }
            | Runtime::InitDied => Exit::Host,
            _ => Exit::Failed,
        };
        let hint = match (error.hint(), exit) {
            (None, Exit::Host) => Some("`tug doctor` shows what this host allows".to_owned()),
            (hint, _) => hint,
        };
        Self::from_error(exit, &error, hint)
    }
}

impl From<tug_builder::Error> for CommandError {
    fn from(error: tug_builder::Error) -> Self {
        use tug_builder::Error as Builder;
        let hint = error.hint();
        match error {
            Builder::Store(error) => error.into(),
            Builder::Runtime { ref source, .. } => {
                let exit = Self::from(source.clone()).exit();
                Self::from_error(exit, &error, hint)
            }
            Builder::Foreign { .. } => Self::from_error(Exit::Host, &error, hint),
            Builder::Fetch(ref source) => {
                let exit = match source {
                    tug_fetch::Error::NoGit { .. } => Exit::Host,
                    source if source.is_network() => Exit::Network,
                    _ => Exit::Failed,
                };
                Self::from_error(exit, &error, hint)
            }
            Builder::Dockerfile { ref source_text, ref problems } => {
                let picture = Picture::Problems { source: source_text.clone(), problems: problems.clone() };
                Self::from_error(Exit::Failed, &error, hint).picture(picture)
            }
            Builder::StepFailed(ref failure) => {
                let picture = Picture::Step {
                    source: failure.source_text.clone(),
                    span: failure.span.clone(),
                    tail: failure.tail.clone(),
                    lines: failure.lines,
                    log: failure.log.clone(),
                };
                Self::from_error(Exit::Failed, &error, hint).picture(picture)
            }
            Builder::AtStep { source_text, span, error } => {
                let picture = Picture::Instruction { source: source_text, span };
                let made = Self::from(*error).picture(picture);
                match hint {
                    Some(hint) => made.hint(hint),
                    None => made,
                }
            }
            Builder::Elsewhere(error) => match error.downcast::<tug_transfer::Error>() {
                Ok(error) => (*error).into(),
                Err(error) => Self::failed(error),
            },
            other => Self::from_error(Exit::Failed, &other, hint),
        }
    }
}

impl From<tug_registry_server::StartError> for CommandError {
    fn from(error: tug_registry_server::StartError) -> Self {
        use tug_registry_server::StartError as Start;
        match error {
            Start::Storage(error) => error.into(),
            Start::Listen { ref source, .. } => {
                let hint = match source.kind() {
                    std::io::ErrorKind::AddrInUse => {
                        Some("something else listens there; choose with `--addr`")
                    }
                    std::io::ErrorKind::PermissionDenied => Some("ports below 1024 belong to root"),
                    _ => None,
                };
                Self::from_error(Exit::Host, &error, hint.map(str::to_owned))
            }
            Start::Access(_) => Self::from_error(Exit::Failed, &error, None),
            _ => Self::from_error(Exit::Host, &error, None),
        }
    }
}

impl From<tug_registry_server::StorageError> for CommandError {
    fn from(error: tug_registry_server::StorageError) -> Self {
        use tug_registry_server::StorageError as Storage;
        let (exit, hint) = match &error {
            Storage::NotARoot { .. } => (Exit::Failed, Some("name another folder with `--root DIR`")),
            Storage::NotATree { .. } => {
                (Exit::Failed, Some("name the folder that the registry has as its `rootdirectory`"))
            }
            Storage::InUse(_) => {
                (Exit::Failed, Some("`tug serve gc` can work beside it; a second server cannot"))
            }
            Storage::Damaged { .. } => {
                (Exit::Failed, Some("nothing was taken away; remove or mend the file"))
            }
            _ => (Exit::Host, None),
        };
        Self::from_error(exit, &error, hint.map(str::to_owned))
    }
}
