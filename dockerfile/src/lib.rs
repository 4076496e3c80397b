//! The Dockerfile language: text to instructions with their places, expansion of variables, ignore rules,
//! lint rules.
//!
//! Pure functions over text: nothing here reads a file, the environment or the network. What a Dockerfile
//! says is taken from the public reference of the language and from what BuildKit does where that is silent.
//!
//! - [`Dockerfile::parse`] reads a file, [`parse_instruction`] a single instruction; errors are
//!   [`ParseError`]s.
//! - [`expand()`] replaces variables in a value.
//! - [`Ignore`] and [`Pattern`] match paths, [`Mode`] changes file modes.
//! - [`lint()`] finds what is allowed and yet probably not meant.
//! - [`Span`] and [`LineIndex`] lead back to the text.

mod arguments;
mod check;
mod command;
mod dockerfile;
mod error;
mod expand;
mod fix;
mod ignore;
mod instruction;
mod lint;
mod mode;
mod mount;
mod near;
mod outline;
mod parse;
mod path;
mod pattern;
mod port;
mod render;
mod run;
mod scope;
mod signal;
mod span;
mod transfer;
mod word;

pub use arguments::Arguments;
pub use check::{Check, Rules};
pub use command::{Command, Heredoc};
pub use dockerfile::{BadStageName, Directives, Dockerfile, Escape, From, Stage, StageName};
pub use error::{ParseError, ParseErrorKind};
pub use expand::{
    ExpandError, ExpandErrorKind, Expanded, ExpandedWords, MAX_EXPANDED_BYTES, expand, expand_heredoc,
    expand_words,
};
pub use fix::{Fix, Mended, fix};
pub use ignore::{Above, Decision, Ignore, IgnoreError, IgnoreErrorKind};
pub use instruction::{
    ArgDeclaration, Comment, Expandable, Flag, Healthcheck, Instruction, InstructionKind, Keyword, Onbuild,
    Pair, Pairs, Probe,
};
pub use lint::{BaseImage, BaseImages, Lint, LintOptions, Rule, lint};
pub use mode::{BadMode, Mode};
pub use mount::{
    BindMount, CacheMount, Mount, MountField, MountSpec, SecretMount, Sharing, SshMount, TmpfsMount,
};
pub use outline::{Outline, OutlineArgument, OutlineRequest, Target, needed_stages, outline, targets};
pub use parse::{MAX_LINE_BYTES, MAX_SOURCE_BYTES, Syntax, closest, detect_syntax, parse_instruction};
pub use pattern::{Pattern, PatternError};
pub use port::{BadPort, ExposedPorts};
pub use run::{Device, Network, Program, Run, Security};
pub use signal::{BadSignal, StopSignal};
pub use span::{LineIndex, Location, Span};
pub use transfer::{Add, Copy, Source, Transfer};
pub use word::Word;
