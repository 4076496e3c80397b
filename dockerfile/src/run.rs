//! `RUN`: its command and its flags.

use crate::{Command, Heredoc, MountSpec, Word};

/// What `RUN` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The command; here-documents are still marked `<<NAME` in it. See [`Run::program`].
    pub command: Command,
    /// The here-documents of the command, in order.
    pub heredocs: Vec<Heredoc>,
    /// The command is a single here-document and nothing else.
    pub is_nothing_but_a_heredoc: bool,
    /// `--mount`, in order.
    pub mounts: Vec<MountSpec>,
    /// `--network`
    pub network: Option<Network>,
    /// `--security`
    pub security: Option<Security>,
    /// `--device`, in order.
    pub devices: Vec<Device>,
}

/// The network a command gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Network {
    /// What the build gives to every command.
    Default,
    /// None at all.
    None,
    /// That of the host.
    Host,
}

/// How tightly a command is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Security {
    /// As every command.
    Sandbox,
    /// With every privilege.
    Insecure,
}

/// `--device=name[,required]`: a device as the Container Device Interface names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// `vendor/class`, `vendor/class=name`, or the class alone. Never empty.
    pub name: Word,
    /// The build fails if it is not there.
    pub required: bool,
}

/// What is to be started for a `RUN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// Program and arguments, without a shell.
    Exec(Vec<String>),
    /// One line, or a whole script, for the shell that `SHELL` names.
    Shell(String),
    /// The only here-document starts with `#!`: write `text` to an executable file `/dev/pipes/<name>` and
    /// start that.
    Script {
        /// Name of the file.
        name: String,
        /// What it holds.
        text: String,
    },
}

impl Run {
    /// Puts command and here-documents together.
    ///
    /// A command that is nothing but one here-document is the text of that document; any other command is
    /// given to the shell together with its documents, and the shell reads (and expands) them.
    pub fn program(&self) -> Program {
        let line = match &self.command {
            Command::Exec(arguments) => return Program::Exec(arguments.clone()),
            Command::Shell(line) => line,
        };
        match self.heredocs.as_slice() {
            [] => Program::Shell(line.clone()),
            [only] if self.is_nothing_but_a_heredoc => {
                let text = only.text().into_owned();
                if only.body.starts_with("#!") {
                    Program::Script { name: only.name.clone(), text }
                } else {
                    Program::Shell(text)
                }
            }
            several => {
                let documents = several.iter().map(|heredoc| format!("\n{}{}", heredoc.body, heredoc.name));
                Program::Shell(std::iter::once(line.clone()).chain(documents).collect())
            }
        }
    }
}
