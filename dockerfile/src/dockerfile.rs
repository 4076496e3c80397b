//! The whole file: directives, global arguments, stages.

use std::fmt;
use std::str::FromStr;

use crate::{Check, Comment, Flag, Instruction, Keyword, Span, Word};

/// A Dockerfile, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dockerfile {
    /// What the comments at the top ask of the parser.
    pub directives: Directives,
    /// The `ARG` instructions before the first `FROM`. Every kind is
    /// [`InstructionKind::Arg`](crate::InstructionKind::Arg).
    pub global_args: Vec<Instruction>,
    /// The stages in order; at least one.
    pub stages: Vec<Stage>,
    /// Empty lines inside a continued instruction. They are skipped, but one day they may be errors.
    pub empty_continuations: Vec<Span>,
}

/// The directives at the top of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// `# syntax=`: the image of the frontend that should read this file. Only text up to the first blank.
    pub syntax: Option<Word>,
    /// `# escape=`: what continues a line and escapes a character.
    pub escape: Escape,
    /// `# check=`: which lint rules apply to the whole file.
    pub check: Option<Check>,
}

/// The character that continues a line and takes the meaning from the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Escape {
    /// `\`, unless the file says otherwise.
    #[default]
    Backslash,
    /// `` ` ``, for paths of Windows.
    Backtick,
}

impl Escape {
    /// The character itself.
    pub fn character(self) -> char {
        match self {
            Self::Backslash => '\\',
            Self::Backtick => '`',
        }
    }
}

/// One build stage: a `FROM` and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Position among the stages, from 0.
    pub index: usize,
    /// The `FROM` that opens it.
    pub from: From,
    /// Everything up to the next `FROM`.
    pub instructions: Vec<Instruction>,
    /// `FROM` as it was written.
    pub keyword: Keyword,
    /// The `FROM` instruction on one line, continuations joined.
    pub text: String,
    /// Where the `FROM` instruction stands.
    pub span: Span,
    /// Flags of the `FROM` as written.
    pub flags: Vec<Flag>,
    /// The comment lines directly above.
    pub comments: Vec<Comment>,
    /// A `# check=` among those comments: rules for this instruction only.
    pub check: Option<Check>,
}

/// What a stage starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct From {
    /// An image, an earlier stage, or `scratch`. Expanded with the global arguments only.
    pub image: Word,
    /// `--platform`. Expanded with the global arguments only.
    pub platform: Option<Word>,
    /// The name after `AS`.
    pub name: Option<StageName>,
    /// `AS` and the name as they were written.
    pub name_as_written: Option<(Word, Word)>,
}

/// The name of a stage: lower-case, a letter first, then letters, digits, `-`, `_` and `.`.
///
/// ```
/// use tug_dockerfile::StageName;
/// assert_eq!("Build".parse::<StageName>()?.as_str(), "build");
/// assert!("1st".parse::<StageName>().is_err());
/// # Ok::<(), tug_dockerfile::BadStageName>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StageName(String);

impl StageName {
    /// The name in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for StageName {
    type Err = BadStageName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.to_lowercase();
        let starts_well = name.starts_with(|first: char| first.is_ascii_lowercase());
        let goes_on_well = name.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.')
        });
        if starts_well && goes_on_well { Ok(Self(name)) } else { Err(BadStageName { text: text.to_owned() }) }
    }
}

impl fmt::Display for StageName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A text that cannot name a stage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a stage name")]
pub struct BadStageName {
    text: String,
}
