//! Why a command ended without its result: what the user reads and what scripts see.
//!
//! Libraries give errors as facts. Here they become text, in one shape for all:
//!
//! ```text
//! error: could not read `x.tar`
//!   caused by: no such file or directory
//!
//! hint: …
//! ```

use std::error::Error;
use std::fmt::Display;
use std::io;
use std::path::Path;

use crate::diagnostic::{self, Picture};
use crate::exit::Exit;
use crate::human;
use crate::output::{Paint, Stream};

/// `EIO`, for which there is no [`io::ErrorKind`].
const INPUT_OUTPUT_ERROR: i32 = rustix::io::Errno::IO.raw_os_error();

/// Why a command ended without its result.
#[derive(Debug)]
pub(crate) struct CommandError(Box<Failure>);

#[derive(Debug)]
struct Failure {
    exit: Exit,
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
    picture: Option<Picture>,
    shape: Shape,
}

/// How an error is written.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Shape {
    /// For people.
    #[default]
    Text,
    /// For people, in a log whose lines GitHub Actions obeys when they start with `::`.
    GithubLog,
    /// For programs, as one line of JSON.
    Json,
}

impl CommandError {
    /// The request cannot be done for a reason in the user's input.
    pub(crate) fn failed(message: impl Display) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// The command line is wrong.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Any other way to end.
    pub(crate) fn new(exit: Exit, message: impl Display) -> Self {
        Self(Box::new(Failure {
            exit,
            message: message.to_string(),
            causes: Vec::new(),
            hint: None,
            picture: None,
            shape: Shape::Text,
        }))
    }

    /// An error of a library, with all that caused it.
    pub(crate) fn from_error(exit: Exit, error: &(dyn Error + 'static), hint: Option<String>) -> Self {
        let mut made = Self::new(exit, error);
        made.0.hint = hint;
        match error.source() {
            Some(source) => made.because(source),
            None => made.look_at(error),
        }
    }

    /// Writing to standard output failed. A reader that went away is not worth a word.
    pub(crate) fn stdout(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Exit::Success, ""),
            _ => Self::failed("could not write to standard output").because(error),
        }
    }

    /// Adds a cause and all that caused it in turn.
    #[must_use]
    pub(crate) fn because(mut self, cause: &(dyn Error + 'static)) -> Self {
        let mut next = Some(cause);
        while let Some(cause) = next {
            let text = match cause.downcast_ref::<io::Error>() {
                Some(error) => io_text(error),
                None => cause.to_string(),
            };
            if self.0.causes.last() != Some(&text) {
                self.0.causes.push(text);
            }
            self = self.look_at(cause);
            next = cause.source();
        }
        self
    }

    /// Adds advice.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds advice to what there may be.
    #[must_use]
    pub(crate) fn also_hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        self.0.hint = Some(match self.0.hint.take() {
            Some(first) => format!("{first}\n{hint}"),
            None => hint,
        });
        self
    }

    /// Adds the lines of the Dockerfile that it is about.
    #[must_use]
    pub(crate) fn picture(mut self, picture: Picture) -> Self {
        self.0.picture = Some(picture);
        self
    }

    /// What the user is advised to do.
    pub(crate) fn advice(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The same error with another exit code.
    #[must_use]
    pub(crate) fn exiting(mut self, exit: Exit) -> Self {
        self.0.exit = exit;
        self
    }

    /// Lets it be written as one line of JSON, for `--progress rawjson`.
    #[must_use]
    pub(crate) fn in_json(mut self) -> Self {
        self.0.shape = Shape::Json;
        self
    }

    /// Lets it be written so that the output of a step that it shows cannot give orders to GitHub Actions.
    #[must_use]
    pub(crate) fn in_github_log(mut self) -> Self {
        self.0.shape = Shape::GithubLog;
        self
    }

    /// How the process ends.
    pub(crate) fn exit(&self) -> Exit {
        self.0.exit
    }

    /// The error as it is written to standard error.
    pub(crate) fn text(&self, stream: Stream) -> String {
        match self.0.shape {
            Shape::Text => self.plain_text(stream),
            Shape::Json => format!("{}\n", self.json()),
            Shape::GithubLog => {
                // Whoever wrote the output cannot know the word that ends the silence.
                let seed = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
                format!("::stop-commands::tug-{seed:016x}\n{}::tug-{seed:016x}::\n", self.plain_text(stream))
            }
        }
    }

    fn plain_text(&self, stream: Stream) -> String {
        let Failure { message, causes, hint, picture, .. } = &*self.0;
        let mut text = match picture {
            Some(picture) => diagnostic::draw(message, picture, stream),
            None => format!("{} {}\n", stream.paint(Paint::Red, "error:"), clean(message)),
        };
        for cause in causes {
            text += &format!("  caused by: {}\n", clean(cause));
        }
        if let Some(hint) = hint {
            text.push('\n');
            for line in clean(hint).lines() {
                text += &format!("{} {line}\n", stream.paint(Paint::Cyan, "hint:"));
            }
        }
        text
    }

    fn json(&self) -> serde_json::Value {
        let Failure { exit, message, causes, hint, picture, .. } = &*self.0;
        serde_json::json!({
            "v": 1,
            "event": "error",
            "message": message,
            "causes": causes,
            "hint": hint,
            "problems": picture.as_ref().map(Picture::json),
            "exitCode": exit.code(),
        })
    }

    /// The error as annotations of GitHub Actions, one a line. The name of the Dockerfile is seen from `folder`.
    pub(crate) fn annotations(&self, folder: &Path) -> String {
        match &self.0.picture {
            Some(picture) => picture.annotations(&self.0.message, folder),
            None => format!("::error::{}\n", diagnostic::escape_command(&self.0.message)),
        }
    }

    /// A disk that is full, or broken, is a matter of the host, whoever noticed it.
    fn look_at(mut self, cause: &(dyn Error + 'static)) -> Self {
        const FULL: &str = "free some space on that disk";
        const READ_ONLY: &str = "choose a place that can be written to";
        use tug_layer_store::Error as Store;
        let advice = match (cause.downcast_ref::<io::Error>(), cause.downcast_ref::<Store>()) {
            (_, Some(Store::DiskFull { .. })) => FULL,
            (_, Some(Store::ReadOnly { .. })) => READ_ONLY,
            (Some(error), _) => match (error.kind(), error.get_ref()) {
                // Streams carry errors of others inside of their own.
                (_, Some(inner)) => return self.look_at(inner),
                (io::ErrorKind::StorageFull, _) => FULL,
                (io::ErrorKind::QuotaExceeded, _) => "your quota on that disk is used up",
                (io::ErrorKind::ReadOnlyFilesystem, _) => READ_ONLY,
                _ if error.raw_os_error() == Some(INPUT_OUTPUT_ERROR) => {
                    "the disk could not do it, or what it is connected by: the log of the kernel (`dmesg`) says more"
                }
                _ => return self,
            },
            _ => return self,
        };
        if !matches!(self.0.exit, Exit::Command(_)) {
            self.0.exit = Exit::Host;
        }
        self.0.hint.get_or_insert_with(|| advice.to_owned());
        self
    }
}

/// What the system said, without Rust's `(os error 2)` and in lower case.
pub(crate) fn io_text(error: &io::Error) -> String {
    let text = error.to_string();
    let plain = match text.rfind(" (os error ") {
        Some(at) if text.ends_with(')') => &text[..at],
        _ => &text,
    };
    let mut letters = plain.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => text,
    }
}

/// Names of files and images are not ours: nothing in them may steer the terminal. Line breaks stay.
fn clean(text: &str) -> String {
    text.chars().filter(|letter| *letter == '\n' || !human::is_dangerous(*letter)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(error: &CommandError) -> String {
        error.text(Stream::default())
    }

    #[test]
    fn an_error_says_what_then_why_then_what_to_do() {
        let error = CommandError::failed("could not read `x.tar`")
            .because(&io::Error::from_raw_os_error(2))
            .hint("name another file with `-i`");
        insta::assert_snapshot!(plain(&error), @"
        error: could not read `x.tar`
          caused by: no such file or directory

        hint: name another file with `-i`
        ");
        assert_eq!(error.exit(), Exit::Failed);
    }

    #[test]
    fn a_full_disk_is_a_matter_of_the_host() {
        let error = CommandError::failed("could not write").because(&io::Error::from_raw_os_error(28));
        assert_eq!(error.exit(), Exit::Host);
        assert!(plain(&error).contains("hint: free some space"));
    }

    #[test]
    fn a_full_disk_is_found_inside_of_a_stream() {
        let full = tug_layer_store::Error::DiskFull { action: "create", path: "x".into() };
        let error = CommandError::failed("could not push").because(&io::Error::other(full));
        assert_eq!(error.exit(), Exit::Host);
        let broken = io::Error::other(io::Error::from_raw_os_error(5));
        assert_eq!(CommandError::failed("could not push").because(&broken).exit(), Exit::Host);
    }

    #[test]
    fn a_broken_disk_is_a_matter_of_the_host() {
        let error = CommandError::failed("could not write").because(&io::Error::from_raw_os_error(5));
        assert_eq!(error.exit(), Exit::Host);
        insta::assert_snapshot!(plain(&error), @"
        error: could not write
          caused by: input/output error

        hint: the disk could not do it, or what it is connected by: the log of the kernel (`dmesg`) says more
        ");
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(plain(&CommandError::failed("no `\x1b[2Ja\u{202e}`")), "error: no `[2Ja`\n");
    }

    #[test]
    fn a_reader_that_went_away_is_success() {
        assert_eq!(CommandError::stdout(&io::ErrorKind::BrokenPipe.into()).exit(), Exit::Success);
    }
}
