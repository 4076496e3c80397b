//! A command line that cannot be parsed, in the shape of all our errors: what is wrong, and what was probably meant.

use std::ffi::OsString;
use std::num::ParseIntError;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::Arguments;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::Output;
use crate::suggest;

/// Flags of docker, buildx, buildah and podman that tug does not have yet. Everything else is a slip.
const NOT_YET: [(&str, &[&str]); 3] = [
    (
        "run",
        &[
            "-a",
            "--add-host",
            "--annotation",
            "--attach",
            "--blkio-weight",
            "-c",
            "--cap-add",
            "--cap-drop",
            "--cgroup-parent",
            "--cgroupns",
            "--cidfile",
            "--cpu-period",
            "--cpu-quota",
            "--cpu-shares",
            "--cpuset-cpus",
            "--cpuset-mems",
            "-d",
            "--detach",
            "--detach-keys",
            "--device",
            "--device-cgroup-rule",
            "--disable-content-trust",
            "--dns",
            "--dns-option",
            "--dns-search",
            "--domainname",
            "--env-host",
            "--expose",
            "--gpus",
            "--group-add",
            "--health-cmd",
            "--health-interval",
            "--health-retries",
            "--health-timeout",
            "--init-path",
            "--ip",
            "--ip6",
            "--ipc",
            "--isolation",
            "--kernel-memory",
            "-l",
            "--label",
            "--label-file",
            "--link",
            "--log-driver",
            "--log-opt",
            "--mac-address",
            "--memory-reservation",
            "--memory-swap",
            "--memory-swappiness",
            "--mount",
            "--name",
            "--network-alias",
            "--no-healthcheck",
            "--oom-kill-disable",
            "--oom-score-adj",
            "-P",
            "-p",
            "--pid",
            "--platform",
            "--pod",
            "--privileged",
            "--publish",
            "--publish-all",
            "-q",
            "--quiet",
            "--restart",
            "--runtime",
            "--security-opt",
            "--sig-proxy",
            "--stop-signal",
            "--stop-timeout",
            "--storage-opt",
            "--sysctl",
            "--ulimit",
            "--userns",
            "--uts",
            "--volume-driver",
            "--volumes-from",
        ],
    ),
    ("images", &["--sort", "--tree"]),
    ("save", &["--platform", "--quiet", "-q"]),
];

/// What to do instead of some of them.
const INSTEAD: [(&str, &str); 8] = [
    ("--detach", "it runs in the foreground: let a shell or a service manager put it into the background"),
    ("-d", "it runs in the foreground: let a shell or a service manager put it into the background"),
    ("--name", "a container needs no name: it ends with this command"),
    ("--publish", "a container sees the host's network, so its ports are open already"),
    ("-p", "a container sees the host's network, so its ports are open already"),
    ("--output", "`tug save` and `tug export` write the result to a file"),
    ("-o", "`tug save` and `tug export` write the result to a file"),
    ("--push", "`tug push` pushes an image of the store"),
];

/// Commands of docker, buildah, podman and crane that tug does not have yet.
const COMMANDS_NOT_YET: [&str; 10] =
    ["commit", "cp", "exec", "kill", "logs", "prune", "ps", "start", "stop", "system"];

/// Shows help if that was asked for; else says what is wrong with the command line.
pub(super) fn explain(
    error: &clap::Error,
    words: &[OsString],
    output: &Output,
) -> Result<Exit, CommandError> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let styled = error.render();
            let text = if output.stdout.color { styled.ansi().to_string() } else { styled.to_string() };
            output.data(text.as_bytes())?;
            Ok(Exit::Success)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            output.talk(&error.render().to_string());
            Ok(Exit::Usage)
        }
        _ => Err(describe(error, &subcommand(words))),
    }
}

/// The name of the subcommand in `words`, or nothing.
fn subcommand(words: &[OsString]) -> String {
    let commands = Arguments::command();
    let names: Vec<&str> = commands.get_subcommands().map(clap::Command::get_name).collect();
    words.iter().filter_map(|word| word.to_str()).find(|word| names.contains(word)).unwrap_or("").to_owned()
}

fn describe(error: &clap::Error, command: &str) -> CommandError {
    let program = if command.is_empty() { "tug".to_owned() } else { format!("tug {command}") };
    let text = |kind| context(error, kind);
    let argument = text(ContextKind::InvalidArg).unwrap_or_default();
    let see_help = format!("`{program} --help` lists what it takes");
    let (message, hint) = match error.kind() {
        ErrorKind::UnknownArgument if !argument.starts_with('-') => {
            (format!("`{program}` takes no `{argument}` here"), see_help)
        }
        ErrorKind::UnknownArgument => {
            let similar = text(ContextKind::SuggestedArg).filter(|similar| is_shown(command, similar));
            unknown_flag(&program, command, &argument, similar)
        }
        ErrorKind::InvalidSubcommand => {
            let name = text(ContextKind::InvalidSubcommand).unwrap_or_default();
            let first = |several: String| several.split(", ").next().map(str::to_owned);
            let similar =
                similar_command(&name).or_else(|| text(ContextKind::SuggestedSubcommand).and_then(first));
            match similar {
                _ if COMMANDS_NOT_YET.contains(&name.as_str()) => (
                    format!("tug does not have the command `{name}` yet"),
                    "`tug --help` lists the commands that it has".to_owned(),
                ),
                Some(similar) => (format!("no command `{name}`"), format!("did you mean `tug {similar}`?")),
                None => (format!("no command `{name}`"), "`tug --help` lists the commands".to_owned()),
            }
        }
        ErrorKind::MissingRequiredArgument => {
            let verb = if argument.contains(", ") { "are" } else { "is" };
            (format!("{} {verb} missing", code(&argument)), see_help)
        }
        ErrorKind::InvalidValue => {
            let value = text(ContextKind::InvalidValue).unwrap_or_default();
            let valid = text(ContextKind::ValidValue);
            match (value.is_empty(), text(ContextKind::SuggestedValue), valid) {
                (true, ..) => (format!("{} needs a value", code(&argument)), see_help),
                (_, Some(similar), _) => {
                    (not_a_value(&value, &argument), format!("did you mean `{similar}`?"))
                }
                (_, None, Some(valid)) => {
                    (not_a_value(&value, &argument), format!("use one of {}", code(&valid)))
                }
                (_, None, None) => (not_a_value(&value, &argument), see_help),
            }
        }
        ErrorKind::ValueValidation => {
            use std::error::Error as _;
            let value = text(ContextKind::InvalidValue).unwrap_or_default();
            match error.source() {
                // Our own parsers say more than that the value is wrong.
                Some(source) if !source.is::<ParseIntError>() => {
                    (source.to_string(), format!("this is about {}", code(&argument)))
                }
                _ => (not_a_value(&value, &argument), see_help),
            }
        }
        ErrorKind::ArgumentConflict => match text(ContextKind::PriorArg) {
            Some(other) if other == argument => (format!("{} may be given once", code(&argument)), see_help),
            Some(other) if argument.is_empty() => {
                (format!("{} does not go together with the command behind it", code(&other)), see_help)
            }
            Some(other) => {
                (format!("{} does not go together with {}", code(&argument), code(&other)), see_help)
            }
            None => (format!("{} may be given once", code(&argument)), see_help),
        },
        ErrorKind::MissingSubcommand => {
            ("a command is missing".to_owned(), "`tug --help` lists the commands".to_owned())
        }
        ErrorKind::InvalidUtf8 => ("the command line has a word that is not UTF-8".to_owned(), see_help),
        ErrorKind::TooManyValues
        | ErrorKind::TooFewValues
        | ErrorKind::WrongNumberOfValues
        | ErrorKind::NoEquals => (format!("{} has the wrong number of values", code(&argument)), see_help),
        _ => ("the command line cannot be understood".to_owned(), see_help),
    };
    let exit = if command == "run" { Exit::Command(125) } else { Exit::Usage };
    CommandError::new(exit, message).hint(hint)
}

fn unknown_flag(program: &str, command: &str, flag: &str, similar: Option<String>) -> (String, String) {
    let name = flag.split('=').next().unwrap_or(flag);
    let not_yet = NOT_YET.iter().any(|(known, flags)| *known == command && flags.contains(&name));
    match similar {
        _ if not_yet => {
            let instead =
                INSTEAD.iter().find(|(known, _)| *known == name).map(|(_, hint)| (*hint).to_owned());
            let hint = instead.unwrap_or_else(|| format!("`{program} --help` lists what it has"));
            (format!("`{program}` does not have `{name}` yet"), hint)
        }
        Some(similar) => {
            (format!("`{program}` has no flag `{name}`"), format!("did you mean {}?", code(&similar)))
        }
        None => (format!("`{program}` has no flag `{name}`"), format!("`{program} --help` lists its flags")),
    }
}

/// Whether the help shows a flag: others are only there for those who say them anyway.
fn is_shown(command: &str, flag: &str) -> bool {
    let name = flag.trim_start_matches('-');
    let commands = Arguments::command();
    let arguments = commands.find_subcommand(command).into_iter().flat_map(clap::Command::get_arguments);
    !arguments.filter(|argument| argument.is_hide_set()).any(|argument| argument.get_long() == Some(name))
}

fn similar_command(name: &str) -> Option<String> {
    let names: Vec<String> =
        Arguments::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    suggest::closest(name, &names).map(str::to_owned)
}

fn not_a_value(value: &str, argument: &str) -> String {
    format!("`{value}` is not a value for {}", code(argument))
}

/// `--flag <VALUE>, <IMAGE>...` becomes `` `--flag`, `IMAGE` ``.
fn code(names: &str) -> String {
    let bare = |name: &str| match name.starts_with('-') {
        true => name.split([' ', '=', '[']).next().unwrap_or(name).to_owned(),
        false => name.trim_matches(['<', '>', '[', ']', '.']).to_owned(),
    };
    names.split(", ").map(|name| format!("`{}`", bare(name))).collect::<Vec<_>>().join(", ")
}

fn context(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) if texts.is_empty() => None,
        ContextValue::Strings(texts) => Some(texts.join(", ")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_not_to_be_there_yet_is_not_there() {
        for (name, flags) in NOT_YET {
            let commands = Arguments::command();
            let command = commands.find_subcommand(name).expect("it is a command");
            let long = command.get_arguments().filter_map(clap::Arg::get_long_and_visible_aliases);
            let short = command.get_arguments().filter_map(clap::Arg::get_short);
            let there: Vec<String> = long
                .flatten()
                .map(|long| format!("--{long}"))
                .chain(short.map(|short| format!("-{short}")))
                .collect();
            for flag in flags {
                assert!(!there.iter().any(|known| known == flag), "{name} {flag}");
            }
        }
    }
}
