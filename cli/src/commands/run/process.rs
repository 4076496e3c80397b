//! What runs in a container: the image's own words, and those of the command line over them, as docker joins them.
//!
//! | `--entrypoint` | words behind the image | what runs                                    |
//! | -------------- | ---------------------- | -------------------------------------------- |
//! | absent         | none                   | the image's entrypoint and its command       |
//! | absent         | some                   | the image's entrypoint and the words         |
//! | given          | none                   | the given entrypoint; the command is dropped |
//! | given          | some                   | the given entrypoint and the words           |
//!
//! Variables come from the image, then from `--env-file`, then from `-e`; the later wins.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tug_oci::RunConfig;
use tug_runtime::Process;

use super::arguments::RunArguments;
use crate::arguments::env_file::read_env_file;
use crate::arguments::values::Assignment;
use crate::environment::Environment;
use crate::error::CommandError;

/// The process that `arguments` ask for in an image with `config`.
pub(super) fn process(
    arguments: &RunArguments,
    config: &RunConfig,
    environment: &Environment,
) -> Result<Process, CommandError> {
    let words = arguments.words.get(1..).unwrap_or_default();
    Ok(Process {
        args: command(arguments.entrypoint.as_deref(), words, config),
        env: variables(arguments, config, environment)?,
        working_directory: match &arguments.workdir {
            Some(path) if !path.is_absolute() => {
                return Err(CommandError::usage(format_args!(
                    "`-w {}`: the folder must be an absolute path in the container",
                    path.display()
                )));
            }
            Some(path) => path.clone(),
            None if config.working_dir.is_empty() => PathBuf::from("/"),
            None => Path::new("/").join(&config.working_dir),
        },
        create_working_directory: true,
        user: arguments.user.clone().unwrap_or_else(|| config.user.clone()),
        terminal: arguments.tty,
    })
}

fn command(entrypoint: Option<&str>, words: &[OsString], config: &RunConfig) -> Vec<OsString> {
    let own = |words: &Option<Vec<String>>| -> Vec<OsString> {
        words.iter().flatten().map(OsString::from).collect()
    };
    let (mut command, rest) = match entrypoint {
        Some("") => (Vec::new(), Vec::new()),
        Some(given) => (vec![OsString::from(given)], Vec::new()),
        None => (own(&config.entrypoint), own(&config.cmd)),
    };
    command.extend(if words.is_empty() { rest } else { words.to_vec() });
    command
}

fn variables(
    arguments: &RunArguments,
    config: &RunConfig,
    environment: &Environment,
) -> Result<Vec<(OsString, OsString)>, CommandError> {
    let mut variables: Vec<(OsString, OsString)> = Vec::new();
    if arguments.tty {
        set(&mut variables, "TERM", "xterm".into());
    }
    for entry in &config.env {
        let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
        set(&mut variables, name, value.into());
    }
    for file in &arguments.env_file {
        for assignment in read_env_file(file)? {
            apply(&mut variables, &assignment, environment);
        }
    }
    for assignment in &arguments.env {
        apply(&mut variables, assignment, environment);
    }
    Ok(variables)
}

/// A name without a value takes that of our environment; if there is none, the container has none either.
fn apply(variables: &mut Vec<(OsString, OsString)>, assignment: &Assignment, environment: &Environment) {
    let name = assignment.name.as_str();
    match (&assignment.value, environment.named(name)) {
        (Some(value), _) => set(variables, name, value.into()),
        (None, Some(value)) => set(variables, name, value.to_owned()),
        (None, None) => variables.retain(|(known, _)| known.as_os_str() != name),
    }
}

fn set(variables: &mut Vec<(OsString, OsString)>, name: &str, value: OsString) {
    match variables.iter_mut().find(|(known, _)| known.as_os_str() == name) {
        Some((_, old)) => *old = value,
        None => variables.push((name.into(), value)),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Wrapper {
        #[command(flatten)]
        arguments: RunArguments,
    }

    fn config() -> RunConfig {
        RunConfig {
            entrypoint: Some(vec!["/entry".to_owned()]),
            cmd: Some(vec!["serve".to_owned()]),
            env: vec!["PATH=/bin".to_owned(), "A=image".to_owned(), "B=image".to_owned()],
            working_dir: "/srv".to_owned(),
            user: "app".to_owned(),
            ..RunConfig::default()
        }
    }

    fn made(words: &[&str]) -> Process {
        let arguments = Wrapper::parse_from([&["run"], words].concat()).arguments;
        process(&arguments, &config(), &[("B", "host")].into()).unwrap()
    }

    fn args(words: &[&str]) -> String {
        made(words).args.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn entrypoint_and_command_are_joined_as_docker_does() {
        assert_eq!(args(&["app"]), "/entry serve");
        assert_eq!(args(&["app", "check", "-v", "--rm"]), "/entry check -v --rm");
        assert_eq!(args(&["--entrypoint", "sh", "app"]), "sh");
        assert_eq!(args(&["--entrypoint", "sh", "app", "-c", "x"]), "sh -c x");
        assert_eq!(args(&["--entrypoint", "", "app", "ls"]), "ls");
        assert_eq!(args(&["-it", "app", "--", "x"]), "/entry -- x");
    }

    #[test]
    fn the_later_variable_wins() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "# comment\n\nA=file\nC=\"quoted\"\nB\nNOWHERE\n").unwrap();
        let path = file.path().to_str().unwrap();
        let process = made(&["--env-file", path, "-e", "D=1", "-e", "A=flag", "-e", "PATH", "app"]);
        let shown: Vec<String> = process
            .env
            .iter()
            .map(|(name, value)| format!("{}={}", name.to_string_lossy(), value.to_string_lossy()))
            .collect();
        assert_eq!(shown, ["A=flag", "B=host", "C=\"quoted\"", "D=1"]);
        assert_eq!((process.user.as_str(), process.working_directory.to_str()), ("app", Some("/srv")));
    }

    #[test]
    fn a_terminal_has_a_type_that_can_be_changed() {
        let term = |words: &[&str]| made(words).env.into_iter().find(|(name, _)| name == "TERM");
        assert_eq!(term(&["-t", "app"]).unwrap().1, "xterm");
        assert_eq!(term(&["-t", "-e", "TERM=vt100", "app"]).unwrap().1, "vt100");
        assert_eq!(term(&["app"]), None);
    }
}
