//! What instructions change in the config of an image.

use std::time::Duration;

use tug_dockerfile::{Command, Healthcheck as Written};
use tug_oci::{Empty, Healthcheck, RunConfig};

use super::StageResult;
use super::scope::set_env;
use crate::changes::ImageChanges;

/// The shell of shell forms when SHELL was not given.
const DEFAULT_SHELL: [&str; 2] = ["/bin/sh", "-c"];

/// The shell that shell forms are given to.
pub(super) fn shell(config: &RunConfig) -> Vec<String> {
    match &config.shell {
        Some(shell) if !shell.is_empty() => shell.clone(),
        _ => DEFAULT_SHELL.map(str::to_owned).to_vec(),
    }
}

/// A command as arguments: the shell form goes to the shell.
pub(super) fn arguments(config: &RunConfig, command: &Command) -> Vec<String> {
    match command {
        Command::Exec(arguments) => arguments.clone(),
        Command::Shell(line) => shell(config).into_iter().chain([line.clone()]).collect(),
    }
}

/// HEALTHCHECK as the config has it.
pub(super) fn healthcheck(written: &Written) -> Healthcheck {
    let Written::Probe(probe) = written else {
        return Healthcheck { test: vec!["NONE".to_owned()], ..Healthcheck::default() };
    };
    let test = match &probe.command {
        Command::Exec(arguments) => {
            std::iter::once("CMD".to_owned()).chain(arguments.iter().cloned()).collect()
        }
        Command::Shell(line) => vec!["CMD-SHELL".to_owned(), line.clone()],
    };
    let nanos = |duration: Option<Duration>| {
        duration.map_or(0, |duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    };
    Healthcheck {
        test,
        interval: nanos(probe.interval),
        timeout: nanos(probe.timeout),
        start_period: nanos(probe.start_period),
        start_interval: nanos(probe.start_interval),
        retries: i64::from(probe.retries.unwrap_or(0)),
    }
}

/// Adds the ports of EXPOSE or the paths of VOLUME.
pub(super) fn add_keys(map: &mut std::collections::BTreeMap<String, Empty>, keys: &[String]) {
    map.extend(keys.iter().map(|key| (key.clone(), Empty {})));
}

/// Takes away the labels of a base image that are not wanted.
pub(super) fn drop_labels(config: &mut RunConfig, changes: &ImageChanges) {
    config.labels.retain(|name, _| !changes.no_inherited_labels && !changes.unset_labels.contains(name));
}

/// Sets and takes away variables of the image: after everything that the Dockerfile says.
pub(super) fn change_env(result: &mut StageResult, changes: &ImageChanges) {
    let env = &mut result.config.config.env;
    for (name, value) in &changes.env {
        set_env(env, name, value);
    }
    env.retain(|line| !changes.unset_env.iter().any(|name| line.split('=').next() == Some(name)));
}

/// `--label`: they come after everything that the Dockerfile says.
pub(super) fn add_labels(result: &mut StageResult, labels: &[(String, String)]) {
    result.config.config.labels.extend(labels.iter().cloned());
}
