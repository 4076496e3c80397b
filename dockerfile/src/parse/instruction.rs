//! One instruction: its name, its flags, and what its arguments mean.

use super::flags::{self, Flags};
use super::lines::{Lines, LogicalLine, is_blank};
use super::suggest::closest;
use super::text::Slice;
use super::words::{split_blanks, split_quoted};
use super::{check_expandables, directives, from, healthcheck, heredoc, json, run, transfer};
use crate::{
    ArgDeclaration, Command, Comment, Escape, Heredoc, Instruction, InstructionKind, Keyword, Onbuild, Pair,
    Pairs, ParseError, ParseErrorKind, Span, Stage, Word,
};

/// Every instruction there is.
const NAMES: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// What a line turned out to be. A stage has no index yet.
pub(super) enum Parsed {
    Stage(Box<Stage>),
    Instruction(Box<Instruction>),
}

/// Reads the instruction on `line`, and its here-documents from the lines that follow.
pub(super) fn parse(
    lines: &mut Lines<'_>,
    line: &LogicalLine,
    comments: Vec<Comment>,
) -> Result<Parsed, ParseError> {
    let whole = line.trimmed();
    let head = Head::parse(whole)?;
    let check = directives::check_above(&comments);
    if head.name == "FROM" {
        let (flags, arguments) = flags::split(head.name, head.arguments);
        let (from, flags) = from::parse(flags, arguments, lines.escape())?;
        return Ok(Parsed::Stage(Box::new(Stage {
            index: 0,
            from,
            instructions: Vec::new(),
            keyword: head.keyword,
            text: whole.as_str().to_owned(),
            span: line.span,
            flags,
            comments,
            check,
        })));
    }
    let mut instruction = parse_head(lines, head, whole)?;
    instruction.comments = comments;
    instruction.check = check;
    check_expandables(&instruction, lines.escape())?;
    Ok(Parsed::Instruction(Box::new(instruction)))
}

/// An instruction where none may be a trigger.
pub(super) fn not_a_trigger(name: &str, span: Span) -> ParseError {
    let kind = ParseErrorKind::BadTrigger { instruction: name.to_owned() };
    ParseError::new(span, kind, "expected any instruction but `FROM`, `MAINTAINER` and `ONBUILD`")
}

/// Name and arguments of an instruction.
struct Head<'a> {
    name: &'static str,
    keyword: Keyword,
    arguments: Slice<'a>,
}

impl<'a> Head<'a> {
    fn parse(whole: Slice<'a>) -> Result<Self, ParseError> {
        let text = whole.as_str();
        let length = text.find(is_blank).unwrap_or(text.len());
        let keyword = Keyword { text: text[..length].to_owned(), span: whole.part(0..length).span() };
        match NAMES.into_iter().find(|name| name.eq_ignore_ascii_case(&keyword.text)) {
            Some(name) => Ok(Self { name, keyword, arguments: whole.after(length).trim() }),
            None => Err(unknown(&keyword, text)),
        }
    }
}

fn unknown(keyword: &Keyword, line: &str) -> ParseError {
    let meant = closest(&keyword.text, &NAMES);
    let odd_blank = keyword.text.find(char::is_whitespace);
    let kind = ParseErrorKind::UnknownInstruction { name: keyword.text.clone() };
    let error = ParseError::new(keyword.span, kind, "expected an instruction such as `RUN` or `COPY`");
    if odd_blank.is_some() {
        return error.with_help("it holds a blank that is no ordinary space; type that space anew");
    }
    if meant.is_none()
        && (line.starts_with("<<<<<<<") || line.starts_with("=======") || line.starts_with(">>>>>>>"))
    {
        return error.with_help("it looks like the mark of a merge conflict");
    }
    error.with_suggestion(meant)
}

fn parse_head(lines: &mut Lines<'_>, head: Head<'_>, whole: Slice<'_>) -> Result<Instruction, ParseError> {
    if head.name == "ONBUILD" {
        return onbuild(lines, head, whole);
    }
    let (flags, arguments) = flags::split(head.name, head.arguments);
    let markers = match head.name {
        "RUN" | "COPY" | "ADD" if json::array(arguments.as_str()) == json::Array::No => {
            heredoc::markers(arguments)
        }
        _ => Vec::new(),
    };
    // The texts belong to this instruction even if something else is wrong with it.
    let heredocs = heredoc::read(lines, whole, markers.clone())?;
    let request = Request { name: head.name, arguments, escape: lines.escape(), markers: &markers, heredocs };
    let end = request.heredocs.last().map_or(whole.span().end, |_| lines.last_line_end());
    let (kind, flags) = request.kind(flags)?;
    Ok(Instruction {
        kind,
        span: Span::new(whole.span().start, end),
        keyword: head.keyword,
        text: whole.as_str().to_owned(),
        flags,
        comments: Vec::new(),
        check: None,
    })
}

fn onbuild(lines: &mut Lines<'_>, head: Head<'_>, whole: Slice<'_>) -> Result<Instruction, ParseError> {
    let (flags, trigger) = flags::split(head.name, head.arguments);
    flags.check(&[])?;
    if trigger.is_empty() {
        return Err(missing(head.name, "an instruction", trigger));
    }
    let inner = Head::parse(trigger)?;
    if matches!(inner.name, "FROM" | "MAINTAINER" | "ONBUILD") {
        return Err(not_a_trigger(inner.name, inner.keyword.span));
    }
    let instruction = parse_head(lines, inner, trigger)?;
    let heredocs: &[Heredoc] = match &instruction.kind {
        InstructionKind::Run(run) => &run.heredocs,
        InstructionKind::Copy(crate::Copy { files, .. }) | InstructionKind::Add(crate::Add { files, .. }) => {
            &files.heredocs().cloned().collect::<Vec<_>>()
        }
        _ => &[],
    };
    let documents = heredocs.iter().map(|heredoc| format!("\n{}{}", heredoc.body, heredoc.name));
    let text = std::iter::once(trigger.as_str().to_owned()).chain(documents).collect();
    let span = Span::new(whole.span().start, instruction.span.end);
    Ok(Instruction {
        kind: InstructionKind::Onbuild(Onbuild { text, instruction: Box::new(instruction) }),
        span,
        keyword: head.keyword,
        text: whole.as_str().to_owned(),
        flags: Vec::new(),
        comments: Vec::new(),
        check: None,
    })
}

/// The arguments of an instruction and what is needed to read them.
pub(super) struct Request<'a> {
    pub(super) name: &'static str,
    pub(super) arguments: Slice<'a>,
    pub(super) escape: Escape,
    pub(super) markers: &'a [heredoc::Marker],
    pub(super) heredocs: Vec<Heredoc>,
}

impl Request<'_> {
    fn kind(self, flags: Flags) -> Result<(InstructionKind, Vec<crate::Flag>), ParseError> {
        match self.name {
            "RUN" => return run::parse(self, flags),
            "COPY" => return transfer::parse_copy(&self, flags),
            "ADD" => return transfer::parse_add(&self, flags),
            "HEALTHCHECK" => return healthcheck::parse(&self, flags),
            _ => {}
        }
        let flags = flags.check(&[])?;
        let kind = match self.name {
            "ARG" => InstructionKind::Arg(self.declarations()?),
            "ENV" => InstructionKind::Env(self.pairs()?),
            "LABEL" => InstructionKind::Label(self.pairs()?),
            "WORKDIR" => InstructionKind::Workdir(self.line("a path")?),
            "USER" => InstructionKind::User(self.line("a user")?),
            "STOPSIGNAL" => InstructionKind::StopSignal(self.line("a signal")?),
            "MAINTAINER" => InstructionKind::Maintainer(self.line("a name")?),
            "CMD" => InstructionKind::Cmd(self.command()?),
            "ENTRYPOINT" => InstructionKind::Entrypoint(self.command()?),
            "SHELL" => InstructionKind::Shell(self.shell()?),
            "EXPOSE" => InstructionKind::Expose(self.at_least_one(split_blanks(self.arguments), "a port")?),
            _ => InstructionKind::Volume(self.volumes()?),
        };
        Ok((kind, flags.as_written()))
    }

    fn line(&self, needed: &str) -> Result<Word, ParseError> {
        if self.arguments.is_empty() { Err(self.missing(needed)) } else { Ok(self.arguments.word()) }
    }

    fn at_least_one(&self, words: Vec<Slice<'_>>, needed: &str) -> Result<Vec<Word>, ParseError> {
        if words.is_empty() {
            Err(self.missing(needed))
        } else {
            Ok(words.into_iter().map(Slice::word).collect())
        }
    }

    fn volumes(&self) -> Result<Vec<Word>, ParseError> {
        let volumes = match self.json_array()? {
            Some(paths) if paths.is_empty() => return Err(self.missing("a path")),
            Some(paths) => paths.into_iter().map(|path| Word::new(path, self.arguments.span())).collect(),
            None => self.at_least_one(split_blanks(self.arguments), "a path")?,
        };
        match volumes.iter().find(|volume| volume.raw.trim().is_empty()) {
            Some(_) => Err(self.missing("a path that is not empty")),
            None => Ok(volumes),
        }
    }

    fn shell(&self) -> Result<Vec<String>, ParseError> {
        match self.json_array()? {
            Some(words) if !words.is_empty() => Ok(words),
            Some(_) => Err(self.missing("at least a program")),
            None => {
                let kind = ParseErrorKind::NotJson { instruction: self.name.to_owned() };
                let error = ParseError::new(
                    self.arguments.span(),
                    kind,
                    "expected an array such as `[\"/bin/bash\", \"-c\"]`",
                );
                Err(error.with_help("strings of an array stand between double quotes"))
            }
        }
    }

    /// `CMD`, `ENTRYPOINT`, and what follows `HEALTHCHECK CMD`.
    pub(super) fn command(&self) -> Result<Command, ParseError> {
        if self.arguments.is_empty() {
            let error = self.missing("a command");
            return Err(match self.name {
                "CMD" | "ENTRYPOINT" => error.with_help(format!("to have none, write `{} []`", self.name)),
                _ => error,
            });
        }
        Ok(match self.json_array()? {
            Some(words) => Command::Exec(words),
            None => Command::Shell(self.arguments.as_str().to_owned()),
        })
    }

    /// The arguments if they are a JSON array.
    pub(super) fn json_array(&self) -> Result<Option<Vec<String>>, ParseError> {
        match json::array(self.arguments.as_str()) {
            json::Array::Strings(strings) => Ok(Some(strings)),
            json::Array::No => Ok(None),
            json::Array::Mixed => {
                let kind = ParseErrorKind::NotOnlyStrings { instruction: self.name.to_owned() };
                let error = ParseError::new(self.arguments.span(), kind, "not every entry is a string");
                Err(error.with_help("put every entry between double quotes, numbers too"))
            }
        }
    }

    fn declarations(&self) -> Result<Vec<ArgDeclaration>, ParseError> {
        let words = split_quoted(self.arguments, self.escape);
        if words.is_empty() {
            return Err(self.missing("a name"));
        }
        let declarations = words.into_iter().map(|word| {
            let (name, default) = match word.as_str().find('=') {
                Some(equals) => (word.part(0..equals), Some(word.after(equals + 1).word())),
                None => (word, None),
            };
            self.not_empty(name)?;
            Ok(ArgDeclaration { name: name.word(), default })
        });
        declarations.collect()
    }

    fn pairs(&self) -> Result<Pairs, ParseError> {
        let words = split_quoted(self.arguments, self.escape);
        let Some(first) = words.first() else { return Err(self.missing("a name and a value")) };
        if !first.as_str().contains('=') {
            return self.legacy_pair();
        }
        let entries = words.into_iter().map(|word| {
            let Some(equals) = word.as_str().find('=') else {
                let kind = ParseErrorKind::NoEqualsSign { word: word.as_str().to_owned() };
                let error = ParseError::new(word.span(), kind, "expected `name=value`");
                return Err(error.with_help("a value with blanks in it needs quotes around it"));
            };
            self.not_empty(word.part(0..equals))?;
            Ok(Pair { key: word.part(0..equals).word(), value: word.after(equals + 1).word() })
        });
        Ok(Pairs { entries: entries.collect::<Result<_, _>>()?, legacy: false })
    }

    /// `ENV name the rest of the line`
    fn legacy_pair(&self) -> Result<Pairs, ParseError> {
        let text = self.arguments.as_str();
        let length = text.find(is_blank).unwrap_or(text.len());
        let value = self.arguments.after(length).trim();
        if value.is_empty() {
            return Err(missing(self.name, "a value", self.arguments)
                .with_help(format!("write `{} {text}=…`", self.name)));
        }
        let pair = Pair { key: self.arguments.part(0..length).word(), value: value.word() };
        Ok(Pairs { entries: vec![pair], legacy: true })
    }

    fn not_empty(&self, name: Slice<'_>) -> Result<(), ParseError> {
        if !name.is_empty() {
            return Ok(());
        }
        let kind = ParseErrorKind::EmptyName { instruction: self.name.to_owned() };
        Err(ParseError::new(name.span(), kind, "expected a name before `=`"))
    }

    /// Something is not there; the place is the end of the arguments.
    pub(super) fn missing(&self, needed: &str) -> ParseError {
        missing(self.name, needed, self.arguments)
    }
}

pub(super) fn missing(name: &str, needed: &str, arguments: Slice<'_>) -> ParseError {
    let kind = ParseErrorKind::MissingArgument { instruction: name.to_owned(), needed: needed.to_owned() };
    ParseError::new(arguments.end().span(), kind, format!("expected {needed}"))
}
