//! Reads the bake files, and what else a definition sees.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use tug_oci::Platform;

use super::BakeArguments;
use crate::environment::{self, Environment};
use crate::error::CommandError;

/// The files of the definition.
pub(super) fn read(
    arguments: &BakeArguments,
    environment: &Environment,
) -> Result<Vec<tug_bake::File>, CommandError> {
    let named =
        if arguments.files.is_empty() { from_environment(environment) } else { arguments.files.clone() };
    if !named.is_empty() {
        return named.iter().map(|name| read_one(name)).collect();
    }
    let mut files = Vec::new();
    for name in tug_bake::DEFAULT_FILES {
        if Path::new(name).exists() {
            files.push(read_one(Path::new(name))?);
        }
    }
    if files.is_empty() {
        return Err(CommandError::failed("there is no bake file in this folder")
            .hint("write `docker-bake.hcl` or `compose.yaml`, or name a file with `-f`"));
    }
    Ok(files)
}

/// The files that `BUILDX_BAKE_FILE` names.
fn from_environment(environment: &Environment) -> Vec<PathBuf> {
    let separator = environment.text(environment::BUILDX_BAKE_PATH_SEPARATOR).unwrap_or(":");
    let names = environment.text(environment::BUILDX_BAKE_FILE).unwrap_or_default();
    names.split(separator).map(str::trim).filter(|name| !name.is_empty()).map(PathBuf::from).collect()
}

fn read_one(name: &Path) -> Result<tug_bake::File, CommandError> {
    let name = name.strip_prefix("cwd://").unwrap_or(name);
    let shown = name.display().to_string();
    let failed =
        |error: &io::Error| CommandError::failed(format_args!("cannot read `{shown}`")).because(error);
    let mut bytes = Vec::new();
    // One byte more than is allowed, so that too much is noticed.
    let most = tug_bake::MAX_FILE_BYTES as u64 + 1;
    let read = if shown == "-" {
        if io::stdin().is_terminal() {
            return Err(CommandError::usage(
                "a bake file is expected on standard input, which is a terminal",
            )
            .hint("use a pipe or a redirection: `tug bake -f - < docker-bake.hcl`"));
        }
        io::stdin().take(most).read_to_end(&mut bytes)
    } else {
        File::open(name).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    read.map_err(|error| failed(&error))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| CommandError::failed(format_args!("`{shown}` is not UTF-8, so it is no bake file")))?;
    Ok(tug_bake::File { name: shown, text })
}

/// Variables, and what is always there.
pub(super) fn inputs(
    arguments: &BakeArguments,
    environment: &Environment,
) -> Result<tug_bake::Inputs, CommandError> {
    let mut variables = BTreeMap::new();
    for variable in &arguments.variables {
        let Some(value) = &variable.value else {
            return Err(CommandError::usage(format_args!("`--var {}` has no value", variable.name))
                .hint("write `--var NAME=VALUE`"));
        };
        variables.insert(variable.name.clone(), value.clone());
    }
    let is_closed = environment
        .text(environment::BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP)
        .is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "1" | "t" | "true"));
    let platform = Platform::host().to_string();
    let builtins = [("BAKE_CMD_CONTEXT", "cwd://"), ("BAKE_LOCAL_PLATFORM", platform.as_str())];
    let now = jiff::Timestamp::now();
    Ok(tug_bake::Inputs {
        variables,
        environment: if is_closed { BTreeMap::new() } else { environment.texts() },
        dot_env: dot_env()?,
        builtins: builtins.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        now: now.as_second(),
        seed: u64::try_from(now.as_nanosecond()).unwrap_or_default()
            ^ u64::from(std::process::id()).rotate_left(40),
    })
}

/// The file `.env` of this folder, which compose files see.
fn dot_env() -> Result<Option<String>, CommandError> {
    match std::fs::read_to_string(".env") {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => {
            Ok(None)
        }
        Err(error) => Err(CommandError::failed("cannot read `.env`").because(&error)),
    }
}
