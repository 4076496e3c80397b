//! The command line: which commands there are, and what holds for all of them.

pub(crate) mod env_file;
pub(crate) mod moment;
pub(crate) mod sandbox;
mod usage;
pub(crate) mod values;
pub(crate) mod words;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches, Parser};

use crate::commands::Command;
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{ColorChoice, Output};

/// Build container images and run them, without a daemon and without root
#[derive(Debug, Parser)]
#[command(
    name = "tug",
    version,
    max_term_width = 110,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = EXAMPLES,
)]
pub(crate) struct Arguments {
    /// What holds for all commands.
    #[command(flatten)]
    pub(crate) global: GlobalArguments,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  tug build -t app .               Build the Dockerfile in this folder
  tug run --rm -it app sh          Look around in the result
  tug save app -o app.tar          Write it to a file that docker can load
  tug doctor                       See what this machine can do";

/// What holds for all commands.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct GlobalArguments {
    /// Keep images, layers and the build cache in this folder
    ///
    /// Without it: the variable `TUG_STORE`; else `/var/lib/tug` for root, `$XDG_DATA_HOME/tug` or
    /// `~/.local/share/tug` for everybody else.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Find images, layers and the build cache in this store, too, without ever writing to it (can be repeated)
    ///
    /// The variable `TUG_EXTRA_STORES` names more of them, with `:` between.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) add_store: Vec<PathBuf>,
    /// Use colours [default: auto]
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_default_value = true)]
    #[arg(hide_possible_values = true)]
    pub(crate) color: ColorChoice,
}

/// What the command line asks for.
pub(crate) enum Asked {
    /// To do something.
    Command(Box<Arguments>),
    /// To be told how; this was already done.
    Help(Exit),
}

/// Parses the words of the command line, the name of the program first.
pub(crate) fn parse(words: &[OsString], environment: &Environment) -> Result<Asked, CommandError> {
    let color = color_choice(words);
    let styled = Output::of_process(color, environment);
    let choice = if styled.stdout.color { clap::ColorChoice::Always } else { clap::ColorChoice::Never };
    let command = Arguments::command().color(choice);
    let parsed =
        command.try_get_matches_from(words).and_then(|matches| Arguments::from_arg_matches(&matches));
    match parsed {
        Ok(arguments) => Ok(Asked::Command(Box::new(arguments))),
        Err(error) => usage::explain(&error, words, &styled).map(Asked::Help),
    }
}

/// The value of `--color`, for messages about a command line that cannot be parsed.
fn color_choice(words: &[OsString]) -> ColorChoice {
    let words: Vec<&str> =
        words.iter().filter_map(|word| word.to_str()).take_while(|word| *word != "--").collect();
    let value = words.iter().enumerate().find_map(|(at, word)| match word.strip_prefix("--color") {
        Some("") => words.get(at + 1).copied(),
        Some(value) => value.strip_prefix('='),
        None => None,
    });
    value.and_then(|value| <ColorChoice as clap::ValueEnum>::from_str(value, false).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_flag_and_command_says_what_it_is_for() {
        fn check(command: &clap::Command) {
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(!help.is_empty(), "{} {}", command.get_name(), argument.get_id());
                assert!(!help.ends_with('.'), "{} {}: `{help}`", command.get_name(), argument.get_id());
            }
            for subcommand in command.get_subcommands() {
                assert!(subcommand.get_about().is_some(), "{}", subcommand.get_name());
                check(subcommand);
            }
        }
        check(&Arguments::command());
    }

    #[test]
    fn colours_of_usage_errors_follow_the_flag() {
        let choice = |words: &[&str]| color_choice(&words.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(choice(&["tug", "--color=never", "x"]), ColorChoice::Never);
        assert_eq!(choice(&["tug", "x", "--color", "always"]), ColorChoice::Always);
        assert_eq!(choice(&["tug", "--color", "pink"]), ColorChoice::Auto);
        assert_eq!(choice(&["tug", "run", "--", "--color=never"]), ColorChoice::Auto);
    }
}
