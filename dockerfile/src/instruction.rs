//! One instruction and its values.

use std::time::Duration;

use crate::{Add, Check, Command, Copy, Heredoc, Run, Source, Span, Transfer, Word};

/// One instruction of a stage, a global `ARG`, or an `ONBUILD` trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What it says.
    pub kind: InstructionKind,
    /// Its name as it was written.
    pub keyword: Keyword,
    /// The whole instruction, here-documents included.
    pub span: Span,
    /// The instruction on one line: continuations joined, comments dropped, blanks around it trimmed. Bodies
    /// of here-documents are not part of it. This is what the history of an image shows.
    pub text: String,
    /// The flags as written, in order.
    pub flags: Vec<Flag>,
    /// The comment lines directly above; an empty line, or an empty comment, ends the block before it.
    pub comments: Vec<Comment>,
    /// A `# check=` among those comments: rules for this instruction only.
    pub check: Option<Check>,
}

/// The name of an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyword {
    /// As it was written: `RUN`, `run`, `Run`.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// `--name` or `--name=value` between the name of an instruction and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// Without the dashes.
    pub name: String,
    /// Without the quotes around it; `None` where there is no `=`.
    pub value: Option<Word>,
    /// The whole flag.
    pub span: Span,
}

/// A comment line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// What follows the `#`, trimmed. Bytes that are not UTF-8 are shown as `\u{fffd}`.
    pub text: String,
    /// From the `#` to the end of the line.
    pub span: Span,
}

/// What an instruction says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstructionKind {
    /// `ARG name[=default] ...`
    Arg(Vec<ArgDeclaration>),
    /// `ENV key=value ...`
    Env(Pairs),
    /// `LABEL key=value ...`
    Label(Pairs),
    /// `RUN`
    Run(Run),
    /// `COPY`
    Copy(Copy),
    /// `ADD`
    Add(Add),
    /// `WORKDIR path`
    Workdir(Word),
    /// `USER user[:group]`
    User(Word),
    /// `CMD`
    Cmd(Command),
    /// `ENTRYPOINT`
    Entrypoint(Command),
    /// `EXPOSE port ...`; each word may become several when it is expanded.
    Expose(Vec<Word>),
    /// `VOLUME path ...`
    Volume(Vec<Word>),
    /// `SHELL ["program", "argument"]`; at least one entry.
    Shell(Vec<String>),
    /// `STOPSIGNAL signal`
    StopSignal(Word),
    /// `HEALTHCHECK`
    Healthcheck(Healthcheck),
    /// `ONBUILD instruction`
    Onbuild(Onbuild),
    /// `MAINTAINER name`, long deprecated.
    Maintainer(Word),
}

impl InstructionKind {
    /// The name in capitals, as the reference writes it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Arg(_) => "ARG",
            Self::Env(_) => "ENV",
            Self::Label(_) => "LABEL",
            Self::Run(_) => "RUN",
            Self::Copy(_) => "COPY",
            Self::Add(_) => "ADD",
            Self::Workdir(_) => "WORKDIR",
            Self::User(_) => "USER",
            Self::Cmd(_) => "CMD",
            Self::Entrypoint(_) => "ENTRYPOINT",
            Self::Expose(_) => "EXPOSE",
            Self::Volume(_) => "VOLUME",
            Self::Shell(_) => "SHELL",
            Self::StopSignal(_) => "STOPSIGNAL",
            Self::Healthcheck(_) => "HEALTHCHECK",
            Self::Onbuild(_) => "ONBUILD",
            Self::Maintainer(_) => "MAINTAINER",
        }
    }
}

/// One name of an `ARG`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgDeclaration {
    /// The name; it is expanded too.
    pub name: Word,
    /// The value if the build is given none.
    pub default: Option<Word>,
}

/// The keys and values of `ENV` and `LABEL`, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairs {
    /// At least one; both sides are expanded.
    pub entries: Vec<Pair>,
    /// Written without `=`: `ENV key the rest of the line`.
    pub legacy: bool,
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Never empty.
    pub key: Word,
    /// May be empty.
    pub value: Word,
}

/// What `HEALTHCHECK` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Healthcheck {
    /// `HEALTHCHECK NONE`: none, even if the base image has one.
    Disabled,
    /// `HEALTHCHECK CMD`.
    Probe(Probe),
}

/// A health check and how often it is made. What is `None` is inherited from the base image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Never empty.
    pub command: Command,
    /// Time between two checks, at least a millisecond.
    pub interval: Option<Duration>,
    /// How long a check may take, at least a millisecond.
    pub timeout: Option<Duration>,
    /// How long the container may take to start, at least a millisecond.
    pub start_period: Option<Duration>,
    /// Time between two checks during that start, at least a millisecond.
    pub start_interval: Option<Duration>,
    /// How many failures in a row make it unhealthy, at least 1.
    pub retries: Option<u32>,
}

/// An instruction kept for the builds that start from this image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onbuild {
    /// What the image's config keeps: the trigger on one line, and the bodies of its here-documents below.
    /// [`parse_instruction`](crate::parse_instruction) reads it again.
    pub text: String,
    /// The trigger.
    pub instruction: Box<Instruction>,
}

/// A value that variables are replaced in, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expandable<'a> {
    /// With [`expand`](crate::expand()); stays one value.
    Word(&'a Word),
    /// With [`expand_words`](crate::expand_words); may become several values.
    Words(&'a Word),
    /// With [`expand_heredoc`](crate::expand_heredoc).
    Heredoc(&'a Heredoc),
}

impl Instruction {
    /// Every value of this instruction that is expanded when it is built, in the order of the text. All of
    /// them see the variables as they were before the instruction.
    ///
    /// The commands of `RUN`, `CMD`, `ENTRYPOINT` and `HEALTHCHECK`, `SHELL`, `MAINTAINER`, the trigger of
    /// `ONBUILD`, `COPY --from`, `--exclude` and `from=` of a mount are taken as written.
    pub fn expandables(&self) -> Vec<Expandable<'_>> {
        match &self.kind {
            InstructionKind::Arg(declarations) => declarations
                .iter()
                .flat_map(|declaration| std::iter::once(&declaration.name).chain(&declaration.default))
                .map(Expandable::Word)
                .collect(),
            InstructionKind::Env(pairs) | InstructionKind::Label(pairs) => {
                pairs.entries.iter().flat_map(|pair| [&pair.key, &pair.value]).map(Expandable::Word).collect()
            }
            InstructionKind::Run(run) => {
                let fields = run.mounts.iter().flat_map(|mount| &mount.fields);
                fields
                    .filter(|field| field.key != "from")
                    .filter_map(|field| field.value.as_ref())
                    .map(Expandable::Word)
                    .collect()
            }
            InstructionKind::Copy(copy) => transfer_expandables(&copy.files, None),
            InstructionKind::Add(add) => transfer_expandables(&add.files, add.checksum.as_ref()),
            InstructionKind::Workdir(word)
            | InstructionKind::User(word)
            | InstructionKind::StopSignal(word) => {
                vec![Expandable::Word(word)]
            }
            InstructionKind::Expose(words) => words.iter().map(Expandable::Words).collect(),
            InstructionKind::Volume(words) => words.iter().map(Expandable::Word).collect(),
            InstructionKind::Cmd(_)
            | InstructionKind::Entrypoint(_)
            | InstructionKind::Shell(_)
            | InstructionKind::Healthcheck(_)
            | InstructionKind::Onbuild(_)
            | InstructionKind::Maintainer(_) => Vec::new(),
        }
    }
}

fn transfer_expandables<'a>(files: &'a Transfer, checksum: Option<&'a Word>) -> Vec<Expandable<'a>> {
    let flags =
        [files.chown.as_ref(), files.chmod.as_ref(), checksum].into_iter().flatten().map(Expandable::Word);
    let sources = files.sources.iter().filter_map(|source| match source {
        Source::Path(word) => Some(Expandable::Word(word)),
        Source::Heredoc(heredoc) => heredoc.expand.then_some(Expandable::Heredoc(heredoc)),
    });
    flags.chain(sources).chain([Expandable::Word(&files.destination)]).collect()
}
