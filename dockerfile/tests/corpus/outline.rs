//! Shows a parsed Dockerfile as text: an instruction a line, with its place, and its parts below it.

use std::fmt::Debug;

use tug_dockerfile::{
    Check, Command, Comment, Dockerfile, Escape, Expandable, Flag, Healthcheck, Heredoc, Instruction,
    InstructionKind, LineIndex, Mount, Pairs, Program, Rules, Source, Span, Stage, Transfer, Word, expand,
};

pub(crate) fn outline(dockerfile: &Dockerfile, source: &[u8]) -> String {
    let mut outline = Outline { index: LineIndex::new(source), text: String::new() };
    outline.dockerfile(dockerfile);
    outline.text
}

struct Outline<'a> {
    index: LineIndex<'a>,
    text: String,
}

impl Outline<'_> {
    fn dockerfile(&mut self, dockerfile: &Dockerfile) {
        let directives = &dockerfile.directives;
        if let Some(syntax) = &directives.syntax {
            self.line(0, syntax.span, &format!("# syntax {:?}", syntax.raw));
        }
        if directives.escape == Escape::Backtick {
            self.text.push_str("# escape `\n");
        }
        if let Some(check) = &directives.check {
            self.check(0, check);
        }
        for span in &dockerfile.empty_continuations {
            self.line(0, *span, "# empty continuation");
        }
        for instruction in &dockerfile.global_args {
            self.instruction(0, instruction);
        }
        for (index, stage) in dockerfile.stages.iter().enumerate() {
            assert_eq!(stage.index, index);
            self.stage(stage);
        }
    }

    fn stage(&mut self, stage: &Stage) {
        let from = &stage.from;
        let mut line = format!("FROM {:?}", from.image.raw);
        if let Some(platform) = &from.platform {
            line.push_str(&format!(" platform={:?}", platform.raw));
        }
        if let Some(name) = &from.name {
            line.push_str(&format!(" as {name}"));
        }
        self.line(0, stage.span, &line);
        self.around(1, &stage.keyword.text, "FROM", &stage.text, &stage.comments, stage.check.as_ref());
        for instruction in &stage.instructions {
            self.instruction(1, instruction);
        }
    }

    fn instruction(&mut self, depth: usize, instruction: &Instruction) {
        let name = instruction.kind.name();
        let line = match &instruction.kind {
            InstructionKind::Arg(declarations) => words(declarations.iter().map(|declaration| {
                let default = declaration.default.as_ref().map(|default| format!("={:?}", default.raw));
                format!("{:?}{}", declaration.name.raw, default.unwrap_or_default())
            })),
            InstructionKind::Env(pairs) | InstructionKind::Label(pairs) => pairs_line(pairs),
            InstructionKind::Run(run) => command(&run.command),
            InstructionKind::Copy(copy) => transfer(&copy.files),
            InstructionKind::Add(add) => transfer(&add.files),
            InstructionKind::Workdir(word)
            | InstructionKind::User(word)
            | InstructionKind::StopSignal(word)
            | InstructionKind::Maintainer(word) => format!("{:?}", word.raw),
            InstructionKind::Cmd(line) | InstructionKind::Entrypoint(line) => command(line),
            InstructionKind::Expose(list) | InstructionKind::Volume(list) => raw(list),
            InstructionKind::Shell(list) => format!("{list:?}"),
            InstructionKind::Healthcheck(Healthcheck::Disabled) => "none".to_owned(),
            InstructionKind::Healthcheck(Healthcheck::Probe(probe)) => command(&probe.command),
            InstructionKind::Onbuild(onbuild) => format!("{:?}", onbuild.text),
        };
        self.line(depth, instruction.span, &format!("{name} {line}"));
        let Instruction { keyword, text, comments, check, flags, .. } = instruction;
        self.around(depth + 1, &keyword.text, name, text, comments, check.as_ref());
        self.flags(depth + 1, flags);
        self.parts(depth + 1, instruction);
    }

    fn parts(&mut self, depth: usize, instruction: &Instruction) {
        match &instruction.kind {
            InstructionKind::Run(run) => {
                for mount in &run.mounts {
                    let unset = |value: &str| Ok(expand(value, Escape::Backslash, &|_| None)?.text);
                    let shown = match mount.resolve(&unset) {
                        Ok(mount) => show_mount(&mount),
                        Err(error) => format!("unresolved: {error}"),
                    };
                    self.line(depth, mount.span, &format!("mount {shown}"));
                }
                for (name, value) in [("network", debug(&run.network)), ("security", debug(&run.security))] {
                    if let Some(value) = value {
                        self.indented(depth, &format!("{name} {value}"));
                    }
                }
                for device in &run.devices {
                    let required = if device.required { " required" } else { "" };
                    self.line(depth, device.name.span, &format!("device {:?}{required}", device.name.raw));
                }
                run.heredocs.iter().for_each(|heredoc| self.heredoc(depth, heredoc));
                match run.program() {
                    Program::Shell(script) if !run.heredocs.is_empty() => {
                        self.indented(depth, &format!("shell gets {script:?}"));
                    }
                    Program::Script { name, text } => {
                        self.indented(depth, &format!("script {name:?} {text:?}"));
                    }
                    _ => {}
                }
            }
            InstructionKind::Copy(copy) => {
                self.optional(depth, "from", copy.from.as_ref());
                if copy.parents {
                    self.indented(depth, "parents");
                }
                self.transfer(depth, &copy.files);
            }
            InstructionKind::Add(add) => {
                self.optional(depth, "checksum", add.checksum.as_ref());
                for (name, value) in [("keep-git-dir", add.keep_git_dir), ("unpack", add.unpack)] {
                    if let Some(value) = value {
                        self.indented(depth, &format!("{name} {value}"));
                    }
                }
                self.transfer(depth, &add.files);
            }
            InstructionKind::Healthcheck(Healthcheck::Probe(probe)) => {
                for (name, duration) in [
                    ("interval", probe.interval),
                    ("timeout", probe.timeout),
                    ("start-period", probe.start_period),
                    ("start-interval", probe.start_interval),
                ] {
                    if let Some(duration) = duration {
                        self.indented(depth, &format!("{name} {duration:?}"));
                    }
                }
                if let Some(retries) = probe.retries {
                    self.indented(depth, &format!("retries {retries}"));
                }
            }
            InstructionKind::Onbuild(onbuild) => self.instruction(depth, &onbuild.instruction),
            _ => {}
        }
        // Where the places of values are easy to get wrong, they are shown.
        for expandable in instruction.expandables() {
            if let Expandable::Word(word) | Expandable::Words(word) = expandable
                && word.raw.contains('$')
            {
                self.line(depth, word.span, &format!("expands {:?}", word.raw));
            }
        }
    }

    fn transfer(&mut self, depth: usize, files: &Transfer) {
        self.optional(depth, "chown", files.chown.as_ref());
        self.optional(depth, "chmod", files.chmod.as_ref());
        if files.link {
            self.indented(depth, "link");
        }
        for exclude in &files.exclude {
            self.optional(depth, "exclude", Some(exclude));
        }
        files.heredocs().for_each(|heredoc| self.heredoc(depth, heredoc));
    }

    fn heredoc(&mut self, depth: usize, heredoc: &Heredoc) {
        let number = heredoc.file_descriptor.map(|number| format!(" as {number}")).unwrap_or_default();
        let expand = if heredoc.expand { "" } else { " quoted" };
        let line = format!("heredoc {:?}{number}{expand} {:?}", heredoc.name, heredoc.text());
        self.line(depth, heredoc.span.to(heredoc.body_span), &line);
    }

    fn optional(&mut self, depth: usize, name: &str, word: Option<&Word>) {
        if let Some(word) = word {
            self.line(depth, word.span, &format!("{name} {:?}", word.raw));
        }
    }

    /// What is only worth a line if it is unusual.
    fn around(
        &mut self,
        depth: usize,
        keyword: &str,
        name: &str,
        text: &str,
        comments: &[Comment],
        check: Option<&Check>,
    ) {
        if keyword != name {
            self.indented(depth, &format!("written {keyword:?}"));
        }
        if text.contains("  ") || text.contains('\t') {
            self.indented(depth, &format!("text {text:?}"));
        }
        for comment in comments {
            self.line(depth, comment.span, &format!("comment {:?}", comment.text));
        }
        if let Some(check) = check {
            self.check(depth, check);
        }
    }

    fn flags(&mut self, depth: usize, flags: &[Flag]) {
        if !flags.is_empty() {
            let shown = flags.iter().map(|flag| {
                let value = flag.value.as_ref().map(|value| format!("={:?}", value.raw)).unwrap_or_default();
                format!("--{}{value}", flag.name)
            });
            self.indented(depth, &format!("flags {}", words(shown)));
        }
    }

    fn check(&mut self, depth: usize, check: &Check) {
        let rules = |rules: &Rules| match rules {
            Rules::All => "all".to_owned(),
            Rules::Named(names) => format!("{names:?}"),
        };
        let (skip, experimental) = (rules(&check.skip), rules(&check.experimental));
        self.line(
            depth,
            check.span,
            &format!("# check skip={skip} experimental={experimental} error={}", check.error),
        );
    }

    fn line(&mut self, depth: usize, span: Span, text: &str) {
        let (start, end) = (self.index.location(span.start), self.index.location(span.end));
        let place = match start.line == end.line {
            true => format!("{}:{}-{}", start.line, start.column, end.column),
            false => format!("{}:{}-{}:{}", start.line, start.column, end.line, end.column),
        };
        self.indented(depth, &format!("{text} @ {place}"));
    }

    fn indented(&mut self, depth: usize, text: &str) {
        self.text.push_str(&format!("{}{text}\n", "  ".repeat(depth)));
    }
}

fn words(list: impl Iterator<Item = String>) -> String {
    list.collect::<Vec<_>>().join(" ")
}

fn raw(list: &[Word]) -> String {
    words(list.iter().map(|word| format!("{:?}", word.raw)))
}

fn debug<T: Debug>(value: &Option<T>) -> Option<String> {
    value.as_ref().map(|value| format!("{value:?}").to_lowercase())
}

fn pairs_line(pairs: &Pairs) -> String {
    let legacy = if pairs.legacy { "legacy " } else { "" };
    let entries = pairs.entries.iter().map(|pair| format!("{:?}={:?}", pair.key.raw, pair.value.raw));
    format!("{legacy}{}", words(entries))
}

fn command(command: &Command) -> String {
    match command {
        Command::Shell(line) => format!("shell {line:?}"),
        Command::Exec(list) => format!("exec {list:?}"),
    }
}

fn transfer(files: &Transfer) -> String {
    let sources = files.sources.iter().map(|source| match source {
        Source::Path(path) => format!("{:?}", path.raw),
        Source::Heredoc(heredoc) => format!("<<{}", heredoc.name),
    });
    format!("{} -> {:?}", words(sources), files.destination.raw)
}

/// The fields of a mount that are set.
fn show_mount(mount: &Mount) -> String {
    let shown = format!("{mount:?}");
    let inner = shown.split_once('(').map_or(shown.as_str(), |(_, inner)| inner.trim_end_matches(')'));
    let (kind, fields) = inner.split_once(" { ").unwrap_or((inner, ""));
    let fields = fields.trim_end_matches([' ', '}']).split(", ");
    let set = fields
        .filter(|field| !field.ends_with(": None"))
        .map(|field| field.replace("Some(", "").replace(')', ""));
    format!("{} {}", kind.trim_end_matches("Mount").to_lowercase(), set.collect::<Vec<_>>().join(" "))
}
