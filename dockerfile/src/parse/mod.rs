//! Reads a Dockerfile: lines, then words, then meaning.
//!
//! [`lines`] joins what a continuation splits and finds here-documents, [`instruction`] knows the
//! instructions, and this file puts stages together. A wrong instruction is reported and skipped, so that one
//! reading finds every error.

mod directives;
mod flags;
mod from;
mod healthcheck;
mod heredoc;
mod instruction;
pub(crate) mod json;
mod lines;
mod mount;
mod run;
mod scalar;
mod suggest;
mod text;
mod transfer;
mod words;

pub use directives::{Syntax, detect_syntax};
pub(crate) use mount::resolve as resolve_mount;
pub use suggest::closest;

use crate::{
    Dockerfile, Escape, ExpandErrorKind, Expandable, Instruction, InstructionKind, ParseError,
    ParseErrorKind, Span, Stage, Word,
};
use instruction::Parsed;
use lines::{Lines, LogicalLine};

/// A larger Dockerfile is refused.
pub const MAX_SOURCE_BYTES: usize = 16 << 20;

/// A longer line is refused, here-documents included: other builders cannot read it either.
pub const MAX_LINE_BYTES: usize = 65_535;

/// So many errors are reported; a file with more of them is probably no Dockerfile.
const MAX_ERRORS: usize = 20;

impl Dockerfile {
    /// Reads a whole Dockerfile.
    ///
    /// The text must be UTF-8 outside of comments, at most [`MAX_SOURCE_BYTES`] long, with lines of at most
    /// [`MAX_LINE_BYTES`]. The errors are in the order of the text, at least one and at most 20.
    ///
    /// ```
    /// use tug_dockerfile::Dockerfile;
    /// let dockerfile = Dockerfile::parse("FROM alpine AS base\nRUN echo hello\n").expect("it is correct");
    /// assert_eq!(dockerfile.stages[0].instructions.len(), 1);
    ///
    /// let errors = Dockerfile::parse("FORM alpine\n").expect_err("`FORM` is no instruction");
    /// assert_eq!(errors[0].help.as_deref(), Some("did you mean `FROM`?"));
    /// ```
    pub fn parse(source: impl AsRef<[u8]>) -> Result<Self, Vec<ParseError>> {
        match Self::parse_as_far_as_possible(source) {
            (dockerfile, errors) if errors.is_empty() => Ok(dockerfile),
            (_, errors) => Err(errors),
        }
    }

    /// Reads a whole Dockerfile as [`Dockerfile::parse`] does, and gives what could be understood as well: without the
    /// wrong instructions, and perhaps without any stage. This is for those who want to say more about the file than
    /// what is wrong with it.
    pub fn parse_as_far_as_possible(source: impl AsRef<[u8]>) -> (Self, Vec<ParseError>) {
        let source = source.as_ref();
        let mut parser = Parser::new(source);
        match lines::refuse_what_is_no_text(source) {
            Ok(()) => parser.run(),
            Err(error) => parser.errors.push(error),
        }
        parser.finish()
    }
}

/// Reads a single instruction, such as a trigger kept in the config of an image: the instruction on one line,
/// and the bodies of its here-documents below. The escape character is `\`.
pub fn parse_instruction(text: impl AsRef<[u8]>) -> Result<Instruction, ParseError> {
    let source = text.as_ref();
    lines::refuse_what_is_no_text(source)?;
    let mut lines = Lines::new(source);
    let mut found = Vec::new();
    while let Some(line) = lines.next_logical()? {
        let comments = std::mem::take(&mut lines.comments);
        found.push(instruction::parse(&mut lines, &line, comments)?);
    }
    let whole = Span::new(0, source.len());
    let (found, only) = (found.len(), found.pop());
    match only {
        Some(Parsed::Instruction(instruction)) if found == 1 => {
            if let InstructionKind::Onbuild(_) | InstructionKind::Maintainer(_) = instruction.kind {
                return Err(instruction::not_a_trigger(instruction.kind.name(), instruction.keyword.span));
            }
            Ok(*instruction)
        }
        Some(Parsed::Stage(stage)) if found == 1 => {
            Err(instruction::not_a_trigger("FROM", stage.keyword.span))
        }
        _ => Err(ParseError::new(
            whole,
            ParseErrorKind::NotOneInstruction { found },
            "expected one instruction",
        )),
    }
}

struct Parser<'a> {
    lines: Lines<'a>,
    /// Where the text ends, blanks and empty lines after it left out.
    end: usize,
    global_args: Vec<Instruction>,
    stages: Vec<Stage>,
    errors: Vec<ParseError>,
    /// The instruction before, on one line.
    previous: String,
    /// A `FROM` was seen, perhaps a wrong one.
    in_stage: bool,
    /// Instructions before the first `FROM` were reported.
    complained_about_from: bool,
}

impl<'a> Parser<'a> {
    fn new(source: &'a [u8]) -> Self {
        Self {
            lines: Lines::new(source),
            end: source.trim_ascii_end().len(),
            global_args: Vec::new(),
            stages: Vec::new(),
            errors: Vec::new(),
            previous: String::new(),
            in_stage: false,
            complained_about_from: false,
        }
    }

    fn run(&mut self) {
        while self.errors.len() < MAX_ERRORS {
            let line = match self.lines.next_logical() {
                Ok(Some(line)) => line,
                Ok(None) => return,
                Err(error) => {
                    self.errors.push(error);
                    return;
                }
            };
            let comments = std::mem::take(&mut self.lines.comments);
            let is_from = line.keyword().eq_ignore_ascii_case("FROM");
            let parsed = instruction::parse(&mut self.lines, &line, comments);
            self.errors.append(&mut self.lines.errors);
            match parsed {
                Ok(parsed) => self.add(parsed),
                Err(error) => {
                    let is_final = error.is_final();
                    self.errors.push(self.explain(error, &line));
                    if is_final {
                        return;
                    }
                }
            }
            self.in_stage |= is_from;
            self.previous = line.trimmed().as_str().to_owned();
        }
    }

    /// An unknown instruction is often a line that belongs to the instruction above.
    fn explain(&self, error: ParseError, line: &LogicalLine) -> ParseError {
        if error.help.is_some() || !matches!(error.kind, ParseErrorKind::UnknownInstruction { .. }) {
            return error;
        }
        let is_indented = self.lines.is_indented(line.span.start);
        let is_open = ["&&", "||", "|", ";", ","].iter().any(|end| self.previous.ends_with(end));
        if self.previous.contains("<<") && !self.previous.contains(" <<") {
            error.with_help("the instruction above starts no here-document; `<<` needs a blank before it")
        } else if !self.previous.is_empty() && (is_indented || is_open) {
            let escape = self.lines.escape().character();
            error.with_help(format!("if it belongs to the instruction above, end that line with `{escape}`"))
        } else {
            error
        }
    }

    fn add(&mut self, parsed: Parsed) {
        let instruction = match parsed {
            Parsed::Stage(mut stage) => {
                stage.index = self.stages.len();
                self.stages.push(*stage);
                return;
            }
            Parsed::Instruction(instruction) => *instruction,
        };
        match self.stages.last_mut() {
            Some(stage) => stage.instructions.push(instruction),
            None if matches!(instruction.kind, InstructionKind::Arg(_)) => self.global_args.push(instruction),
            None if self.in_stage || self.complained_about_from => {}
            None => {
                self.complained_about_from = true;
                let kind = ParseErrorKind::BeforeFrom { instruction: instruction.kind.name().to_owned() };
                let error = ParseError::new(instruction.keyword.span, kind, "only `ARG` may stand here");
                self.errors.push(
                    error.with_help("start with the image to build on, such as `FROM debian:stable-slim`"),
                );
            }
        }
    }

    fn finish(mut self) -> (Dockerfile, Vec<ParseError>) {
        self.errors.append(&mut self.lines.errors);
        if self.errors.is_empty() && self.stages.is_empty() {
            let kind =
                if self.global_args.is_empty() { ParseErrorKind::Empty } else { ParseErrorKind::NoStage };
            let end = Span::new(self.end, self.end);
            let error = ParseError::new(end, kind, "expected a `FROM`");
            self.errors
                .push(error.with_help("start with the image to build on, such as `FROM debian:stable-slim`"));
        }
        self.errors.sort_by_key(|error| error.span);
        self.errors.truncate(MAX_ERRORS);
        let dockerfile = Dockerfile {
            directives: self.lines.directives,
            global_args: self.global_args,
            stages: self.stages,
            empty_continuations: self.lines.empty_continuations,
        };
        (dockerfile, self.errors)
    }
}

/// Finds what is wrong with a value whatever its variables are.
fn check_word(word: &Word, escape: Escape) -> Result<(), ParseError> {
    crate::expand::check(&word.raw, escape).map_err(|error| error.at(word))
}

/// Every value that the instruction (or its trigger) expands is checked for what is wrong with any variables.
fn check_expandables(instruction: &Instruction, escape: Escape) -> Result<(), ParseError> {
    if let InstructionKind::Onbuild(onbuild) = &instruction.kind {
        return check_expandables(&onbuild.instruction, escape);
    }
    for expandable in instruction.expandables() {
        match expandable {
            Expandable::Word(word) | Expandable::Words(word) => {
                check_word(word, escape).map_err(|error| explain_quotes(error, &instruction.kind))?;
            }
            Expandable::Heredoc(heredoc) => {
                let text = heredoc.text();
                crate::expand::check_heredoc(&text)
                    .map_err(|error| error.within(text.len(), heredoc.body_span))?;
            }
        }
    }
    Ok(())
}

/// Instructions that take a list of words split it at every blank, quotes or not.
fn explain_quotes(error: ParseError, kind: &InstructionKind) -> ParseError {
    let is_list =
        matches!(kind, InstructionKind::Copy(_) | InstructionKind::Add(_) | InstructionKind::Volume(_));
    match error.kind {
        ParseErrorKind::Expansion(ExpandErrorKind::OpenQuote { .. }) if is_list => {
            let name = kind.name();
            error.with_help(format!("quotes do not keep blanks together here; write `{name} [\"a b\", …]`"))
        }
        _ => error,
    }
}
