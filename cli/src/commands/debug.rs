//! `tug debug`: looks around in the state before or after a step of a build.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::Path;

use tug_builder::{Build, Event, StepId, StepState, StepSummary, When, lower_of};
use tug_layer_store::{Mountable, ScratchDir, Store};
use tug_runtime::{BindSource, Container, Lower, Mount, Process, Root, Stdio};

use crate::builds;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::human;
use crate::on_demand;
use crate::output::Paint;
use crate::session::Session;
use crate::settings::Settings;

/// The variable with the command of the step.
const COMMAND: &str = "TUG_COMMAND";
const SHELL: &str = "/bin/sh";

/// Arguments of `tug debug`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "tug debug [OPTIONS] [BUILD] [-- COMMAND [ARGUMENT]...]",
    after_help = "\
Examples:
  tug debug                               Before the step that failed in the newest build
  tug debug --after                       With what that step left
  tug debug --step 3                      After step 3, or before it if it failed
  tug debug app --step build/3 --before   Before the third step of the stage `build`
  tug debug -- ls -la /src                Only look, without a shell

The shell has the variables, folder, user, network and, of a step that failed, the mounts of the step, but neither its
secrets nor its ssh agents. `$TUG_COMMAND` is the command of the step: `eval \"$TUG_COMMAND\"` runs it again. What is
changed there is gone when the shell ends."
)]
pub(crate) struct DebugArguments {
    /// The build: its name, the beginning of it, or the name of an image [default: the newest]
    #[arg(value_name = "BUILD")]
    build: Option<String>,
    /// The step: its number, or the name of a stage and the number in it [default: the one that failed]
    #[arg(long, value_name = "STEP")]
    step: Option<String>,
    /// Look at what was there before the step
    #[arg(long, conflicts_with = "after")]
    before: bool,
    /// Look at what was there after the step, also if it failed
    #[arg(long)]
    after: bool,
    /// Run this instead of a shell
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Opens the shell; ends with its code.
pub(super) fn run(arguments: &DebugArguments, settings: &Settings) -> Result<Exit, CommandError> {
    let mut session = Session::enter(settings)?;
    session.store = on_demand::store(&session.store, settings);
    let (build, word) = match (arguments.build.as_deref(), arguments.step.as_deref()) {
        (Some(step), None) if builds::is_step(step) => (None, Some(step)),
        words => words,
    };
    let build = builds::find(&session.store, build)?;
    let steps = builds::steps(&build)?;
    let step = match (word, build.record.error.as_ref().and_then(|error| error.step)) {
        (Some(word), _) => builds::step(&build, &steps, word)?,
        (None, Some(failed)) => failed,
        (None, None) => steps.last().map(|step| step.id).ok_or_else(|| without_steps(&build))?,
    };
    let when = match (arguments.before, arguments.after) {
        (true, _) => When::Before,
        (_, true) => When::After,
        _ if is_done(&build, step)? => When::After,
        _ => When::Before,
    };
    let summary = steps.get(step.0).ok_or_else(|| without_steps(&build))?;
    let state = build.state(step, when)?.ok_or_else(|| never_there(&build, summary, when))?;
    let scratch = session.store.scratch("debug")?;
    let container = container(arguments, &state, &session.store, &scratch)
        .map_err(|error| error.also_hint("what is no longer there is made again by another `tug build`"))?;
    if container.process.terminal {
        introduce(&build, summary, when, state.container.is_some(), settings);
    }
    let interactive = io::stdin().is_terminal();
    super::run::in_foreground(&container, &session, interactive, settings).map_err(|error| {
        match error.exit() {
            Exit::Command(127) if arguments.command.is_empty() => error.also_hint(
                "this state has no shell: name a command that it has, as in `tug debug -- COMMAND`",
            ),
            _ => error,
        }
    })
}

/// Whether a step has a result.
fn is_done(build: &Build, step: StepId) -> Result<bool, CommandError> {
    let mut replay = build.replay()?;
    while let Some((_, event)) = replay.next_event()? {
        if matches!(event, Event::Cached { step: of, .. } | Event::Finished { step: of, .. } if of == step) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The container of the step, with a shell instead of its command.
fn container(
    arguments: &DebugArguments,
    state: &StepState,
    store: &Store,
    scratch: &ScratchDir,
) -> Result<Container, CommandError> {
    store.ensure_layers(state.blobs.iter().map(|(diff_id, blob)| (diff_id, blob)), Mountable::Now)?;
    let leftover = state.leftover.iter().cloned().map(Lower::from);
    let lower = leftover.chain(lower_of(store, &state.layers)?).collect();
    let root = Root { lower, upper: Some(scratch.upper()?), work: Some(scratch.work()?), read_only: false };
    let mut container = match &state.container {
        Some(known) => Container { root, ..known.clone() },
        None => Container::new(root, Process { working_directory: "/".into(), ..Process::default() }),
    };
    // What was mounted for the build alone is gone with it.
    container.mounts.retain(|mount| match mount {
        Mount::Bind { source: BindSource::Path(path), .. } => path.exists(),
        Mount::Bind { source: BindSource::Beneath { root, .. }, .. } => root.exists(),
        Mount::Foreign { root, .. } => root.root.lower.iter().all(Lower::exists),
        _ => true,
    });
    let process = &mut container.process;
    let args = std::mem::take(&mut process.args);
    if let Some(command) = command_of(&args) {
        process.env.push((COMMAND.into(), command));
    }
    process.args = match arguments.command.as_slice() {
        [] => vec![shell_of(&args)],
        words => words.to_vec(),
    };
    process.terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    if process.terminal && !process.env.iter().any(|(name, _)| name == "TERM") {
        process.env.push(("TERM".into(), "xterm".into()));
    }
    container.stdio = Stdio::INHERIT;
    Ok(container)
}

/// What a shell would be told to run the command of a step again.
fn command_of(args: &[OsString]) -> Option<OsString> {
    match args {
        [] => None,
        [shell, .., line] if is_shell(shell) => Some(line.clone()),
        words => {
            let words: Vec<String> = words.iter().map(|word| quoted(&word.to_string_lossy())).collect();
            Some(words.join(" ").into())
        }
    }
}

/// The shell that the step used, or the usual one.
fn shell_of(args: &[OsString]) -> OsString {
    match args {
        [shell, _, ..] if is_shell(shell) => shell.clone(),
        _ => SHELL.into(),
    }
}

fn is_shell(program: &OsString) -> bool {
    let name = Path::new(program).file_name().unwrap_or_default().to_string_lossy();
    ["sh", "bash", "ash", "dash", "zsh", "ksh"].contains(&&*name)
}

/// A word as a shell takes it back.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    match !word.is_empty() && word.bytes().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

fn introduce(build: &Build, step: &StepSummary, when: When, has_command: bool, settings: &Settings) {
    let when = if when == When::Before { "before" } else { "after" };
    let name = settings.output.stderr.paint(Paint::Bold, &human::one_line(&step.name));
    let output = &settings.output;
    output.note(format_args!("The state {when} step {} of build {}: {name}", step.id.0 + 1, build.record.id));
    if has_command {
        output.note(format_args!(
            "`eval \"${COMMAND}\"` runs the command again; what you change is gone when you leave"
        ));
    } else {
        output.note("What you change is gone when you leave");
    }
}

fn without_steps(build: &Build) -> CommandError {
    CommandError::failed(format_args!("build `{}` has no steps to look into", build.record.id))
        .hint("`tug builds` lists the builds that are recorded")
}

fn never_there(build: &Build, step: &StepSummary, when: When) -> CommandError {
    let number = step.id.0 + 1;
    let word = if when == When::Before { "before" } else { "after" };
    CommandError::failed(format_args!("the state {word} step {number} of build `{}` is not there", build.record.id))
        .hint(match when {
            When::After => format!(
                "it did not end well, and what it left is kept of the newest failed builds only: try `--before`; or it never began: `tug log {} {number}`",
                build.record.id
            ),
            When::Before => "a step below it never ended: name an earlier one with `--step`".to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_of_a_step_can_be_given_to_a_shell() {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        for (args, command, shell) in [
            (&["/bin/bash", "-o", "pipefail", "-c", "make | tee log"][..], "make | tee log", "/bin/bash"),
            (&["/bin/sh", "-c", "make"], "make", "/bin/sh"),
            (&["make", "-j", "a b", "it's"], r"make -j 'a b' 'it'\''s'", "/bin/sh"),
            (&["/dev/pipes/script"], "/dev/pipes/script", "/bin/sh"),
        ] {
            assert_eq!(command_of(&words(args)).unwrap(), command);
            assert_eq!(shell_of(&words(args)), shell);
        }
        assert_eq!(command_of(&[]), None);
    }
}
