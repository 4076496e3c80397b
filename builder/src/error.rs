//! What can go wrong in a build, as facts.
//!
//! Whatever has a place in the Dockerfile is a [`Problem`] with a span; the command line draws the caret.

use std::io;
use std::ops::Range;
use std::path::PathBuf;

use tug_dockerfile::Rule;
use tug_oci::{Digest, Platform};
use tug_runtime::Emulator;

use crate::event::StepSummary;

/// A Dockerfile as it was read: what spans point into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The name that errors show.
    pub name: String,
    /// The text.
    pub text: String,
}

/// Something wrong at a place in the Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Bytes of the text; empty at 0 when there is no place.
    pub span: Range<usize>,
    /// What happened.
    pub message: String,
    /// What is wrong with the very words under the caret.
    pub label: Option<String>,
    /// What the user can do.
    pub help: Option<String>,
}

impl Problem {
    /// A problem at `span`.
    pub fn new(span: impl Into<Range<usize>>, message: impl Into<String>) -> Self {
        Self { span: span.into(), message: message.into(), label: None, help: None }
    }

    /// Adds what is wrong with the marked words.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Adds what the user can do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// How the process of a RUN step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It ended by itself with this code.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// It used more memory than it was allowed.
    OutOfMemory,
}

/// A RUN step whose command failed.
#[derive(Clone, Debug)]
pub struct StepFailure {
    /// Which step.
    pub step: StepSummary,
    /// How many steps the build has.
    pub total: usize,
    /// How its process ended.
    pub ending: Ending,
    /// The text that `span` points into.
    pub source_text: Source,
    /// The instruction.
    pub span: Range<usize>,
    /// The file with its whole output.
    pub log: PathBuf,
    /// The last lines of its output.
    pub tail: Vec<String>,
    /// How many lines of output there were.
    pub lines: usize,
    /// The identity of the build.
    pub build: String,
}

impl StepFailure {
    /// The instruction, without the place in its stage that the name of the step begins with.
    pub fn instruction(&self) -> &str {
        self.step.name.split_once("] ").map_or(&self.step.name, |(_, instruction)| instruction)
    }
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The Dockerfile, or what it asks for, is wrong.
    #[error("{}", summary(problems))]
    Dockerfile {
        /// The text that the problems point into.
        source_text: Source,
        /// At least one.
        problems: Vec<Problem>,
    },
    /// The Dockerfile goes against rules whose violation is an error by its own word or that of a build argument. What was
    /// found has been told.
    #[error("lint violation found for rules: {}", names(rules))]
    Lint {
        /// The rules, at least one.
        rules: Vec<Rule>,
    },
    /// The command of a RUN step failed.
    #[error("step {}/{} failed: `{}` {}", .0.step.id.0 + 1, .0.total, .0.instruction(), ending_text(&.0.ending))]
    StepFailed(Box<StepFailure>),
    /// The user gave up.
    #[error("cancelled; finished layers are kept")]
    Cancelled,
    /// The Dockerfile could not be found.
    #[error("no Dockerfile in `{}`", folder.display())]
    NoDockerfile {
        /// Where it was looked for.
        folder: PathBuf,
        /// Its name, if one was asked for.
        name: Option<String>,
    },
    /// The context is not what it should be.
    #[error("{0}")]
    Context(String),
    /// A registry, or whoever else was asked for an image, did not give it.
    #[error("{0}")]
    Elsewhere(Box<dyn std::error::Error + Send + Sync>),
    /// What was built cannot be put out as it was asked for.
    #[error("{message}")]
    Output {
        /// What does not go.
        message: String,
        /// What the user can do.
        hint: String,
    },
    /// The tar that should be the context is none, or a bad one.
    #[error("the context could not be read from {place}")]
    ContextTar {
        /// What it comes from.
        place: String,
        /// Why.
        source: tug_layer_store::Error,
    },
    /// Something from elsewhere could not be fetched.
    #[error(transparent)]
    Fetch(tug_fetch::Error),
    /// What was fetched is not what was promised. Nothing of it is kept.
    #[error("`{url}` has the digest `{actual}`, not `{expected}`")]
    OtherContent {
        /// Where it came from.
        url: String,
        /// What was promised.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// A file of the context or the host could not be read.
    #[error("could not {action} `{}`", path.display())]
    Io {
        /// For example `read`.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of the context changed while it was read, again and again.
    #[error("`{}` changed while it was read", path.display())]
    Changed {
        /// Which file.
        path: PathBuf,
    },
    /// The store could not do what it was asked to.
    #[error(transparent)]
    Store(tug_layer_store::Error),
    /// The runtime could not start or watch a container.
    #[error("could not run `{step}`")]
    Runtime {
        /// The name of the step.
        step: String,
        /// Why.
        source: tug_runtime::Error,
    },
    /// The command of a RUN step is for another processor, and nothing emulates that one here.
    #[error("`{step}` is for `{platform}`, whose programs do not run on this machine")]
    Foreign {
        /// The name of the step.
        step: String,
        /// What the step is for.
        platform: Box<Platform>,
        /// What the kernel knows about such programs.
        emulator: Option<Box<Emulator>>,
    },
    /// Something went wrong while a step was carried out.
    #[error("{error}")]
    AtStep {
        /// The text that `span` points into.
        source_text: Source,
        /// The instruction.
        span: Range<usize>,
        /// What it was: never an error that has a place of its own.
        error: Box<Error>,
    },
}

impl Error {
    /// What the user can do about it, if we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoDockerfile { name: Some(_), .. } => Some("name another file with `-f PATH`".to_owned()),
            Self::NoDockerfile { name: None, .. } => {
                Some("make a file `Dockerfile` there, or name another one with `-f PATH`".to_owned())
            }
            Self::Lint { .. } => Some(
                "`check=error=true` makes errors of warnings; `# check=skip=RULE` leaves one out".to_owned(),
            ),
            Self::Changed { .. } => {
                Some("build again when nothing writes to it, or name it in `.dockerignore`".to_owned())
            }
            Self::Fetch(error) => error.hint(),
            Self::OtherContent { actual, .. } => {
                Some(format!("if the new content is what you want, write `--checksum={actual}`"))
            }
            Self::StepFailed(failure) => ending_hint(&failure.ending),
            Self::Output { hint, .. } => Some(hint.clone()),
            Self::Store(error) | Self::ContextTar { source: error, .. } => error.hint(),
            Self::Runtime { source, .. } => source.hint(),
            Self::Foreign { platform, emulator, .. } => Some(emulation_hint(platform, emulator.as_deref())),
            Self::AtStep { error, .. } => error.hint().or_else(|| error.hint_for_sources()),
            _ => None,
        }
    }
}

impl Error {
    /// Whether a layer is neither here nor can be fetched.
    pub(crate) fn is_about_a_lost_layer(&self) -> bool {
        use tug_layer_store::Error as Store;
        match self {
            Self::AtStep { error, .. } => error.is_about_a_lost_layer(),
            Self::Store(error) => {
                matches!(error, Store::Fetch(_) | Store::MissingBlob { .. } | Store::MissingLayer(_))
            }
            _ => false,
        }
    }

    /// The same error with the instruction that it came from, unless it has a place or needs none.
    pub(crate) fn at(self, source_text: &Source, span: &Range<usize>) -> Self {
        match self {
            Self::Context(_)
            | Self::Io { .. }
            | Self::Changed { .. }
            | Self::Elsewhere(_)
            | Self::Fetch(_)
            | Self::OtherContent { .. }
            | Self::Store(_)
            | Self::Runtime { .. }
            | Self::Foreign { .. } => {
                Self::AtStep { source_text: source_text.clone(), span: span.clone(), error: Box::new(self) }
            }
            other => other,
        }
    }

    fn hint_for_sources(&self) -> Option<String> {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("make it readable, or name it in `.dockerignore`".to_owned())
            }
            _ => None,
        }
    }
}

impl From<tug_fetch::Error> for Error {
    fn from(error: tug_fetch::Error) -> Self {
        match error {
            tug_fetch::Error::Stopped => Self::Cancelled,
            error => Self::Fetch(error),
        }
    }
}

impl From<tug_layer_store::Error> for Error {
    fn from(error: tug_layer_store::Error) -> Self {
        match error {
            tug_layer_store::Error::Stopped => Self::Cancelled,
            error => Self::Store(error),
        }
    }
}

fn names(rules: &[Rule]) -> String {
    rules.iter().map(|rule| rule.name()).collect::<Vec<_>>().join(", ")
}

fn summary(problems: &[Problem]) -> String {
    match problems {
        [] => "the Dockerfile is not valid".to_owned(),
        [only] => only.message.clone(),
        [first, rest @ ..] => format!("{} (and {} more)", first.message, rest.len()),
    }
}

fn ending_text(ending: &Ending) -> String {
    match ending {
        Ending::Code(code) => format!("exited with {code}"),
        Ending::Signal(signal) => format!("was ended by signal {signal}"),
        Ending::OutOfMemory => "was ended because it used more memory than allowed".to_owned(),
    }
}

/// How programs of another processor come to run.
fn emulation_hint(platform: &Platform, emulator: Option<&Emulator>) -> String {
    let own =
        "a stage that only compiles for it can start with `FROM --platform=$BUILDPLATFORM` and needs none";
    match emulator {
        None => format!(
            "let root install an emulator: the package `qemu-user-static` (Debian, Ubuntu, Fedora), or `docker run \
             --privileged --rm tonistiigi/binfmt --install {}`; {own}",
            platform.architecture
        ),
        Some(emulator) if !emulator.is_enabled => format!(
            "its emulator `{}` is registered but switched off: let root write 1 to its file in \
             `/proc/sys/fs/binfmt_misc`",
            emulator.interpreter.display()
        ),
        Some(emulator) => format!(
            "its emulator `{}` is registered without the flag `F`, so it would have to be in the image: let root \
             install the package `qemu-user-static`, which registers one that containers can use; {own}",
            emulator.interpreter.display()
        ),
    }
}

/// Exit codes that shells and kernels give a meaning.
fn ending_hint(ending: &Ending) -> Option<String> {
    let text = match ending {
        Ending::Code(126) => {
            "126 means that a command was found but could not be executed: look at its mode and its `#!` line"
        }
        Ending::Code(127) => {
            "127 means that a command was not found: is it installed in this stage and on `PATH`?"
        }
        Ending::Code(137) | Ending::Signal(9) => "it was killed, maybe because memory ran out",
        Ending::Code(139) | Ending::Signal(11) => "it crashed: a segmentation fault",
        Ending::Code(143) | Ending::Signal(15) => "it was asked to end by somebody",
        _ => return None,
    };
    Some(text.to_owned())
}
