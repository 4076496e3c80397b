//! The command line of tug.
//!
//! | module        | what it decides                                                       |
//! | ------------- | --------------------------------------------------------------------- |
//! | `arguments`   | which words are understood                                            |
//! | `builds`      | which past build, and which of its steps, a word means                |
//! | `environment` | which variables are read                                              |
//! | `settings`    | what holds: flag, else variable, else default                         |
//! | `registry_settings` | the same for registries: flags, variables and files             |
//! | `session`     | how the store is opened, and when we become root in a namespace       |
//! | `commands`    | one file for each command: thin                                       |
//! | `changes`     | which instructions `--change` takes                                   |
//! | `mutation`    | what commands have in common that make an image of another one       |
//! | `progress`    | how a build looks while it runs                                       |
//! | `output`      | what goes where, in which colour                                      |
//! | `error`       | what the user reads when something fails                              |
//! | `exit`        | what scripts see                                                      |
//!
//! This is the only crate that prints, reads the environment or exits.

mod arguments;
mod builds;
mod changes;
mod commands;
mod crash;
mod diagnostic;
mod download;
mod environment;
mod error;
mod exit;
mod file_output;
mod format;
mod human;
mod images;
mod inside;
mod library_errors;
mod mutation;
mod on_demand;
mod output;
mod progress;
mod registry_settings;
mod remote;
mod session;
mod settings;
mod signals;
mod suggest;
mod template;
mod transfers;

use std::panic::{AssertUnwindSafe, catch_unwind};

use arguments::Asked;
use environment::Environment;
use error::CommandError;
use exit::Exit;
use output::{ColorChoice, Output};
use settings::Settings;

fn main() {
    tug_runtime::run_init_if_asked();
    let environment = Environment::of_process();
    crash::install(&environment);
    let exit = catch_unwind(AssertUnwindSafe(|| run(&environment))).unwrap_or(Exit::Bug);
    if crash::happened() { Exit::Bug.leave() } else { exit.leave() }
}

fn run(environment: &Environment) -> Exit {
    let words: Vec<_> = std::env::args_os().collect();
    let arguments = match arguments::parse(&words, environment) {
        Ok(Asked::Command(arguments)) => arguments,
        Ok(Asked::Help(exit)) => return exit,
        Err(error) => return fail(&error, &Output::of_process(ColorChoice::Auto, environment)),
    };
    let settings = Settings::new(&arguments.global, environment.clone());
    match arguments.command.run(&settings) {
        Ok(exit) => exit,
        Err(error) => fail(&error, &settings.output),
    }
}

fn fail(error: &CommandError, output: &Output) -> Exit {
    if error.exit() != Exit::Success {
        output.talk(&error.text(output.stderr));
    }
    error.exit()
}
