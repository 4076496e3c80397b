//! Reads the secrets and finds the ssh agents that RUN steps are entrusted with.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use tug_builder::{Secret, SshAgent};

use super::arguments::{EntrustArguments, SecretArgument, SecretOrigin, SshArgument};
use super::key_agent::KeyAgent;
use crate::environment::{self, Environment};
use crate::error::CommandError;
use crate::settings::Settings;

/// As in BuildKit. What is larger is no secret but a file, and would be shown wherever commands do not hide it.
const LARGEST_SECRET: u64 = 500 * 1024;

/// The values of all secrets: better an error now than in the middle of a build.
pub(super) fn secrets(
    arguments: &EntrustArguments,
    settings: &Settings,
) -> Result<Vec<Secret>, CommandError> {
    arguments.secrets.iter().map(|secret| value(secret, settings)).collect()
}

fn value(secret: &SecretArgument, settings: &Settings) -> Result<Secret, CommandError> {
    let id = secret.id.as_str();
    let environment = &settings.environment;
    let value = match &secret.origin {
        SecretOrigin::Variable(name) => match environment.named(name) {
            Some(value) => value.as_bytes().to_vec(),
            None => {
                // As in docker, it is given nevertheless: a step may do without.
                let message =
                    format_args!("the variable `{name}` of the secret `{id}` is not set: it is empty");
                settings.output.note(format_args!("warning: {message}"));
                Vec::new()
            }
        },
        SecretOrigin::Either => match environment.named(id) {
            Some(value) => value.as_bytes().to_vec(),
            None => from_file(id, Path::new(id)).map_err(|error| {
                error.hint(format!(
                    "there is no variable `{id}` either: say where it is with `src=FILE` or `env=VARIABLE`"
                ))
            })?,
        },
        SecretOrigin::File(path) => from_file(id, Path::new(path))?,
    };
    if value.len() as u64 > LARGEST_SECRET {
        let limit = LARGEST_SECRET / 1024;
        return Err(CommandError::failed(format_args!("the secret `{id}` is larger than {limit} KiB"))
            .hint("bind a file of the context instead if it is no secret"));
    }
    Ok(Secret::new(id, value))
}

fn from_file(id: &str, path: &Path) -> Result<Vec<u8>, CommandError> {
    let failed = |error: io::Error| {
        CommandError::failed(format_args!("cannot read the secret `{id}` from `{}`", path.display()))
            .because(&error)
    };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    let mut value = Vec::new();
    file.take(LARGEST_SECRET + 1).read_to_end(&mut value).map_err(failed)?;
    Ok(value)
}

/// The agents, and those of them that were started for this build.
pub(super) fn agents(
    arguments: &EntrustArguments,
    environment: &Environment,
) -> Result<(Vec<SshAgent>, Vec<KeyAgent>), CommandError> {
    let (mut agents, mut started) = (Vec::new(), Vec::new());
    for ssh in &arguments.ssh {
        let socket = match socket(ssh, environment)? {
            Some(socket) => socket,
            None => {
                let agent = KeyAgent::start(&ssh.id, &ssh.paths, environment)?;
                let socket = agent.socket();
                started.push(agent);
                socket
            }
        };
        agents.push(SshAgent { id: ssh.id.clone(), socket });
    }
    Ok((agents, started))
}

/// The socket of an agent that runs; `None` when there are keys instead.
fn socket(ssh: &SshArgument, environment: &Environment) -> Result<Option<PathBuf>, CommandError> {
    let variable = environment::SSH_AUTH_SOCK;
    let id = &ssh.id;
    if ssh.paths.is_empty() {
        let Some(path) = environment.path(variable) else {
            let message = format_args!("`--ssh {id}` needs an ssh agent, and `{variable}` is not set");
            return Err(CommandError::failed(message)
                .hint(format!("start one with `eval $(ssh-agent)`, or name a key: `--ssh {id}=KEY`")));
        };
        return check_socket(id, &path).map(|()| Some(path));
    }
    let mut sockets = 0;
    for path in &ssh.paths {
        let found = fs::metadata(path).map_err(|error| {
            CommandError::failed(format_args!("cannot use `{path}` for `--ssh {id}`")).because(&error)
        })?;
        sockets += usize::from(found.file_type().is_socket());
    }
    match (sockets, ssh.paths.as_slice()) {
        (0, _) => Ok(None),
        (1, [only]) => Ok(Some(PathBuf::from(only))),
        _ => Err(CommandError::usage(format_args!("`--ssh {id}` takes one socket, or keys, but not both"))),
    }
}

fn check_socket(id: &str, path: &Path) -> Result<(), CommandError> {
    let failed = |error: io::Error| {
        CommandError::failed(format_args!("`--ssh {id}`: there is no ssh agent at `{}`", path.display()))
            .because(&error)
            .hint(format!("`{}` says so", environment::SSH_AUTH_SOCK))
    };
    match fs::metadata(path) {
        Ok(found) if found.file_type().is_socket() => Ok(()),
        Ok(_) => Err(failed(io::Error::other("it is no socket"))),
        Err(error) => Err(failed(error)),
    }
}
