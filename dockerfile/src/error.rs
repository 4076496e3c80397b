//! What can be wrong with a Dockerfile, and where.

use crate::{BadPort, BadSignal, ExpandErrorKind, Span};

/// Something in the text that the language does not allow.
///
/// Its message (`Display`) says what happened, [`label`](Self::label) what was expected at the marked place,
/// [`hint`](Self::hint) what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", printable(&kind.to_string()))]
pub struct ParseError {
    /// The text it is about.
    pub span: Span,
    /// What happened.
    pub kind: ParseErrorKind,
    /// What was expected there; may be empty.
    pub label: String,
    /// Advice, such as the name that was probably meant.
    pub help: Option<String>,
}

impl ParseError {
    pub(crate) fn new(span: Span, kind: ParseErrorKind, label: impl Into<String>) -> Self {
        Self { span, kind, label: printable(&label.into()), help: None }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(printable(&help.into()));
        self
    }

    pub(crate) fn with_suggestion(mut self, meant: Option<&str>) -> Self {
        self.help = meant.map(|meant| format!("did you mean `{meant}`?")).or(self.help);
        self
    }

    /// What happened, in one line.
    pub fn message(&self) -> String {
        self.to_string().chars().map(harmless).collect()
    }

    /// What the user can do about it, if we know.
    pub fn hint(&self) -> Option<String> {
        self.help.clone()
    }

    /// Is the rest of the file not worth reading?
    pub(crate) fn is_final(&self) -> bool {
        matches!(
            self.kind,
            ParseErrorKind::NotUtf8
                | ParseErrorKind::LineTooLong { .. }
                | ParseErrorKind::UnterminatedHeredoc { .. }
        )
    }
}

/// A terminal must not obey what stands in a file.
fn harmless(character: char) -> char {
    if character.is_control() { char::REPLACEMENT_CHARACTER } else { character }
}

/// A message may quote the file: what a terminal would obey becomes `\u{fffd}`, and the middle of what is too
/// long `…`.
fn printable(message: &str) -> String {
    const START: usize = 150;
    const END: usize = 40;
    let length = message.chars().count();
    if length <= START + END {
        return message.chars().map(harmless).collect();
    }
    let start = message.chars().take(START);
    let end = message.chars().skip(length - END);
    start.chain(['…']).chain(end).map(harmless).collect()
}

/// The ways in which a Dockerfile can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// Larger than [`MAX_SOURCE_BYTES`](crate::MAX_SOURCE_BYTES).
    #[error("the Dockerfile has more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// It holds a zero byte.
    #[error("the Dockerfile is a binary file")]
    Binary,
    /// It starts with the byte order mark of UTF-16.
    #[error("the Dockerfile is written in UTF-16")]
    Utf16,
    /// A line outside of comments is not UTF-8.
    #[error("the Dockerfile is not UTF-8")]
    NotUtf8,
    /// A line is longer than [`MAX_LINE_BYTES`](crate::MAX_LINE_BYTES).
    #[error("a line has more than {limit} bytes")]
    LineTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// No instruction at all.
    #[error("the Dockerfile has no instructions")]
    Empty,
    /// No `FROM`.
    #[error("the Dockerfile has no `FROM`")]
    NoStage,
    /// An instruction other than `ARG` before the first `FROM`.
    #[error("`{instruction}` stands before the first `FROM`")]
    BeforeFrom {
        /// Its name.
        instruction: String,
    },
    /// No instruction has that name.
    #[error("unknown instruction `{name}`")]
    UnknownInstruction {
        /// As it was written.
        name: String,
    },
    /// A directive at the top is there twice.
    #[error("the directive `{name}` is given twice")]
    DuplicateDirective {
        /// Its name.
        name: String,
    },
    /// A directive at the top has a value it cannot have.
    #[error("the directive `{name}` cannot be `{value}`")]
    BadDirective {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// The instruction has no such flag.
    #[error("`{instruction}` has no flag `--{flag}`")]
    UnknownFlag {
        /// The instruction.
        instruction: String,
        /// The flag.
        flag: String,
    },
    /// A flag that counts once is there twice.
    #[error("the flag `--{flag}` is given twice")]
    DuplicateFlag {
        /// The flag.
        flag: String,
    },
    /// A flag without `=value`.
    #[error("the flag `--{flag}` needs a value")]
    FlagWithoutValue {
        /// The flag.
        flag: String,
    },
    /// A flag with a value it cannot have.
    #[error("the flag `--{flag}` cannot be `{value}`")]
    BadFlagValue {
        /// The flag.
        flag: String,
        /// Its value.
        value: String,
    },
    /// Too few arguments.
    #[error("`{instruction}` needs {needed}")]
    MissingArgument {
        /// The instruction.
        instruction: String,
        /// What is missing.
        needed: String,
    },
    /// Too many arguments.
    #[error("`{instruction}` takes {allowed}")]
    TooManyArguments {
        /// The instruction.
        instruction: String,
        /// What it takes.
        allowed: String,
    },
    /// The name after `AS` cannot name a stage.
    #[error("`{name}` is not a stage name")]
    BadStageName {
        /// As it was written.
        name: String,
    },
    /// A word of `ENV` or `LABEL` without `=`.
    #[error("`{word}` has no `=`")]
    NoEqualsSign {
        /// The word.
        word: String,
    },
    /// Nothing before the `=`.
    #[error("a name of `{instruction}` is empty")]
    EmptyName {
        /// The instruction.
        instruction: String,
    },
    /// A JSON array with something else than strings in it.
    #[error("`{instruction}` takes a JSON array of strings only")]
    NotOnlyStrings {
        /// The instruction.
        instruction: String,
    },
    /// `SHELL` without a JSON array.
    #[error("`{instruction}` takes a JSON array")]
    NotJson {
        /// The instruction.
        instruction: String,
    },
    /// No line ends a here-document.
    #[error("the here-document `{name}` does not end")]
    UnterminatedHeredoc {
        /// Its name.
        name: String,
    },
    /// A here-document where a destination is needed.
    #[error("a here-document cannot be the destination of `{instruction}`")]
    HeredocAsDestination {
        /// The instruction.
        instruction: String,
    },
    /// Not a field of a `--mount`.
    #[error("`{key}` is not a field of a mount")]
    UnknownMountField {
        /// As it was written.
        key: String,
    },
    /// A field of a `--mount` has a value it cannot have.
    #[error("the mount field `{key}` cannot be `{value}`")]
    BadMountValue {
        /// The field.
        key: String,
        /// Its value.
        value: String,
    },
    /// A field of a `--mount` without `=value`.
    #[error("the mount field `{key}` needs a value")]
    MountFieldWithoutValue {
        /// The field.
        key: String,
    },
    /// The field belongs to another type of mount.
    #[error("a mount of type `{mount_type}` has no field `{key}`")]
    ForeignMountField {
        /// The type.
        mount_type: String,
        /// The field.
        key: String,
    },
    /// Two fields of a `--mount` that cannot stand together, or one that is missing.
    #[error("{problem}")]
    BadMount {
        /// What is wrong, as a sentence.
        problem: String,
    },
    /// `HEALTHCHECK` without `CMD` or `NONE`.
    #[error("`HEALTHCHECK` has no form `{form}`")]
    BadHealthcheck {
        /// The word in that place.
        form: String,
    },
    /// An instruction that cannot be a trigger.
    #[error("`{instruction}` cannot be an `ONBUILD` trigger")]
    BadTrigger {
        /// The instruction.
        instruction: String,
    },
    /// The text holds more or less than the one instruction that was asked for.
    #[error("the text holds {found} instructions instead of one")]
    NotOneInstruction {
        /// How many.
        found: usize,
    },
    /// A value of `EXPOSE` is no port.
    #[error("{0}")]
    BadPort(BadPort),
    /// The value of `STOPSIGNAL` is no signal.
    #[error("{0}")]
    BadSignal(BadSignal),
    /// A variable is used in a way the language does not know.
    #[error("{0}")]
    Expansion(ExpandErrorKind),
}
