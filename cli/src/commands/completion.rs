//! `tug completion`: what a shell needs to complete our words.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::error::CommandError;
use crate::settings::Settings;

/// Arguments of `tug completion`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug completion bash > /etc/bash_completion.d/tug
  tug completion zsh > \"${fpath[1]}/_tug\"
  tug completion fish > ~/.config/fish/completions/tug.fish")]
pub(crate) struct CompletionArguments {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Writes the completions.
pub(super) fn run(arguments: &CompletionArguments, settings: &Settings) -> Result<(), CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "tug", &mut script);
    settings.output.data(&script)
}
