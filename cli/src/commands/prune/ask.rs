//! Asks before anything is removed.

use std::io::{self, BufRead, IsTerminal, Read};

use crate::error::CommandError;
use crate::settings::Settings;

/// More than anybody types.
const LONGEST: u64 = 64 << 10;

/// Asks on the terminal, in docker's words. Without one nobody can answer: then it is an error.
pub(super) fn confirm(consequences: &[&str], settings: &Settings) -> Result<(), CommandError> {
    if !io::stdin().is_terminal() || !settings.output.stderr.terminal {
        return Err(CommandError::usage("nothing was removed: there is no terminal to ask on")
            .hint("`-f` removes without asking, `--dry-run` shows what would go"));
    }
    let listed: String = consequences.iter().map(|consequence| format!("  - {consequence}\n")).collect();
    let warning = settings.output.stderr.paint(crate::output::Paint::Yellow, "WARNING!");
    settings.output.talk(&format!("{warning} This will remove:\n{listed}\n"));
    settings.output.talk("Are you sure you want to continue? [y/N] ");
    let mut answer = String::new();
    let read = io::stdin().lock().take(LONGEST).read_line(&mut answer);
    read.map_err(|error| CommandError::failed("cannot read the answer from the terminal").because(&error))?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(CommandError::failed("nothing was removed")),
    }
}
