//! How tug ends: what each exit code means. Public, documented in the README, and tested.

/// Why the process ends, as the number that scripts see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done. A reader that closed its end of the pipe early counts as done, too.
    Success,
    /// The build or request failed for a reason in the user's input: a step failed, an image was not found.
    Failed,
    /// The command line is wrong.
    Usage,
    /// The network, or what is behind it: refused, unreachable, in trouble.
    Network,
    /// This host cannot do it: no user namespaces, no overlay, the disk is full.
    Host,
    /// A bug in tug.
    Bug,
    /// `tug run` only: the code of the command; 125 when tug could not start it, 126 when it cannot be executed, 127
    /// when it was not found.
    Command(u8),
    /// The user or the system asked us to end; the signal is raised again, so that shells see 130 or 143.
    Signal(i32),
}

impl Exit {
    /// The exit code, or what a shell shows for the signal.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Network => 3,
            Self::Host => 4,
            Self::Bug => 70,
            Self::Command(code) => code,
            Self::Signal(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        }
    }

    /// Ends this process. This is the one place where tug ends.
    pub(crate) fn leave(self) -> ! {
        if let Self::Signal(signal) = self {
            // Returns only when the signal does not end a process by default; the code below says the same.
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
        std::process::exit(i32::from(self.code()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_the_readme() {
        let readme = include_str!("../README.md");
        for (exit, meaning) in [
            (Exit::Success, "done"),
            (Exit::Failed, "the build or request failed"),
            (Exit::Usage, "the command line is wrong"),
            (Exit::Host, "this host cannot do it"),
            (Exit::Bug, "a bug in tug"),
            (Exit::Command(125), "`tug run`: the container could not be started"),
            (Exit::Command(126), "`tug run`: the command cannot be executed"),
            (Exit::Command(127), "`tug run`: the command was not found"),
            (Exit::Signal(2), "interrupted"),
            (Exit::Signal(15), "terminated"),
        ] {
            let row = format!("| {} | {meaning}", exit.code());
            assert!(readme.contains(&row), "the README has no row `{row}`");
        }
    }
}
