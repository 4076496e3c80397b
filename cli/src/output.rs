//! The two streams: data goes to standard output, everything else to standard error.
//!
//! Colour is decided for each stream by itself. A reader of standard output that has gone away is no error: the
//! command ends as if it were done.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use crate::environment::{self, Environment};
use crate::error::CommandError;

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal that can show them
    #[default]
    Auto,
    /// Everywhere
    Always,
    /// Nowhere
    Never,
}

/// What one stream can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stream {
    /// Whether a person looks at it.
    pub(crate) terminal: bool,
    /// Whether it gets colours.
    pub(crate) color: bool,
    /// Whether lines can be drawn anew.
    pub(crate) redraws: bool,
}

impl Stream {
    /// What a stream can do, given who reads it.
    pub(crate) fn new(terminal: bool, choice: ColorChoice, environment: &Environment) -> Self {
        let dumb = environment.text(environment::TERM) == Some("dumb");
        let forced = [environment::FORCE_COLOR, environment::CLICOLOR_FORCE]
            .iter()
            .any(|name| environment.text(name).is_some_and(|value| value != "0"));
        let color = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto if environment.text(environment::NO_COLOR).is_some() => false,
            ColorChoice::Auto => forced || (terminal && !dumb),
        };
        Self { terminal, color, redraws: terminal && !dumb }
    }
}

/// Where a command writes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Output {
    /// For data.
    pub(crate) stdout: Stream,
    /// For talk.
    pub(crate) stderr: Stream,
}

impl Output {
    /// The streams of this process.
    pub(crate) fn of_process(choice: ColorChoice, environment: &Environment) -> Self {
        Self {
            stdout: Stream::new(io::stdout().is_terminal(), choice, environment),
            stderr: Stream::new(io::stderr().is_terminal(), choice, environment),
        }
    }

    /// Writes data as it is.
    pub(crate) fn data(&self, data: &[u8]) -> Result<(), CommandError> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(data).and_then(|()| stdout.flush()).map_err(|error| CommandError::stdout(&error))
    }

    /// Writes one line of data.
    pub(crate) fn line(&self, line: impl Display) -> Result<(), CommandError> {
        self.data(format!("{line}\n").as_bytes())
    }

    /// Tells the user something, in one line.
    pub(crate) fn note(&self, text: impl Display) {
        self.talk(&format!("{text}\n"));
    }

    /// Tells the user something that can be changed.
    pub(crate) fn warning(&self, text: impl Display) {
        let word = self.stderr.paint(Paint::Yellow, "warning:");
        self.note(format_args!("{word} {text}"));
    }

    /// Writes to standard error. There is nobody left to tell when that fails.
    pub(crate) fn talk(&self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

/// A colour, by what it is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Paint {
    /// Errors.
    Red,
    /// Warnings.
    Yellow,
    /// What is good.
    Green,
    /// What is done, and hints.
    Cyan,
    /// What matters less.
    Dim,
    /// What matters most.
    Bold,
}

impl Stream {
    /// `text` in a colour, if this stream has colours.
    pub(crate) fn paint(self, paint: Paint, text: &str) -> String {
        let code = match paint {
            _ if !self.color => return text.to_owned(),
            Paint::Red => "1;31",
            Paint::Yellow => "1;33",
            Paint::Green => "1;32",
            Paint::Cyan => "36",
            Paint::Dim => "2",
            Paint::Bold => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_follows_the_flag_then_the_environment_then_the_terminal() {
        let colored = |terminal, choice, environment| Stream::new(terminal, choice, &environment).color;
        for (terminal, choice, environment, expected) in [
            (true, ColorChoice::Auto, Environment::default(), true),
            (false, ColorChoice::Auto, Environment::default(), false),
            (true, ColorChoice::Auto, [("NO_COLOR", "1")].into(), false),
            (true, ColorChoice::Auto, [("NO_COLOR", "")].into(), true),
            (true, ColorChoice::Auto, [("TERM", "dumb")].into(), false),
            (false, ColorChoice::Auto, [("FORCE_COLOR", "1")].into(), true),
            (false, ColorChoice::Auto, [("FORCE_COLOR", "0")].into(), false),
            (false, ColorChoice::Auto, [("CLICOLOR_FORCE", "1")].into(), true),
            (true, ColorChoice::Never, [("FORCE_COLOR", "1")].into(), false),
            (false, ColorChoice::Always, [("NO_COLOR", "1")].into(), true),
        ] {
            assert_eq!(colored(terminal, choice, environment.clone()), expected, "{environment:?}");
        }
        assert!(!Stream::new(true, ColorChoice::Always, &[("TERM", "dumb")].into()).redraws);
    }
}
