//! Asks on the terminal. The password is read without showing it.

use std::io::{self, BufRead, IsTerminal, Read};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::SIGINT;
use tug_registry_client::Secret;

use crate::error::CommandError;
use crate::exit::Exit;
use crate::settings::Settings;

/// More than anybody types.
const LONGEST: u64 = 64 << 10;

/// The user. What is offered is taken when nothing is typed.
pub(super) fn user(offered: Option<&str>, settings: &Settings) -> Result<String, CommandError> {
    must_be_terminal("user")?;
    match offered {
        Some(user) => settings.output.talk(&format!("User [{user}]: ")),
        None => settings.output.talk("User: "),
    }
    let mut line = String::new();
    let read = io::stdin().lock().take(LONGEST).read_line(&mut line);
    read.map_err(|error| CommandError::failed("cannot read the user from the terminal").because(&error))?;
    match line.trim() {
        "" => Ok(offered.unwrap_or_default().to_owned()),
        typed => Ok(typed.to_owned()),
    }
}

/// The password.
pub(super) fn password(settings: &Settings) -> Result<Secret, CommandError> {
    must_be_terminal("password")?;
    let typed = {
        // Before the question: who sees it may type at once.
        let _quiet = Quiet::enter();
        settings.output.talk("Password: ");
        typed(&mut io::stdin().lock())
    };
    settings.output.talk("\n");
    match typed {
        Ok(Typed::Line(bytes)) => match String::from_utf8(bytes) {
            Ok(password) => Ok(Secret::new(password)),
            Err(_) => Err(CommandError::failed("the password is not text in UTF-8")),
        },
        Ok(Typed::Interrupt) => {
            Err(CommandError::new(Exit::Signal(SIGINT), "interrupted: nothing was saved"))
        }
        Err(error) => Err(CommandError::failed("cannot read the password from the terminal").because(&error)),
    }
}

fn must_be_terminal(what: &str) -> Result<(), CommandError> {
    match io::stdin().is_terminal() {
        true => Ok(()),
        false => {
            Err(CommandError::usage(format_args!("there is no terminal on which the {what} could be asked"))
                .hint("write `--username USER --password-stdin`, and send the password to standard input"))
        }
    }
}

/// The terminal while a password is typed: keys come as they are and are not shown. Dropped, it is as before. Ctrl-C
/// would end us in that state, so it is a key as well.
struct Quiet(Option<Termios>);

impl Quiet {
    fn enter() -> Self {
        let stdin = io::stdin();
        let Ok(before) = tcgetattr(&stdin) else { return Self(None) };
        let mut quiet = before.clone();
        quiet.local_modes &= !(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        match tcsetattr(&stdin, OptionalActions::Now, &quiet) {
            Ok(()) => Self(Some(before)),
            Err(_) => Self(None),
        }
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(io::stdin(), OptionalActions::Drain, before);
        }
    }
}

/// What was typed.
#[derive(Debug, PartialEq)]
enum Typed {
    Line(Vec<u8>),
    Interrupt,
}

/// A line of keys.
fn typed(keys: &mut impl BufRead) -> io::Result<Typed> {
    let mut line = Vec::new();
    for key in keys.take(LONGEST).bytes() {
        match key? {
            b'\n' | b'\r' | 0x04 => break,
            0x03 | 0x1c => return Ok(Typed::Interrupt),
            0x15 => line.clear(),
            0x08 | 0x7f => {
                // A letter may have several bytes.
                while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            key => line.push(key),
        }
    }
    Ok(Typed::Line(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_make_a_line_that_can_be_mended() {
        for (keys, expected) in [
            ("hunter2\n", "hunter2"),
            ("hunter2\r", "hunter2"),
            ("hunter2", "hunter2"),
            ("hunter2\nmore", "hunter2"),
            ("hunter3\x7f2\n", "hunter2"),
            ("hunté\x082\n", "hunt2"),
            ("\x7f\x7fa\n", "a"),
            ("wrong\x15right\n", "right"),
            ("a b\n", "a b"),
            ("\x04", ""),
        ] {
            let line = Typed::Line(expected.as_bytes().to_vec());
            assert_eq!(typed(&mut keys.as_bytes()).unwrap(), line, "{keys:?}");
        }
        assert_eq!(typed(&mut "hunt\x03".as_bytes()).unwrap(), Typed::Interrupt);
    }
}
