//! COPY and ADD, evaluated.

use std::ops::Range;

use tug_dockerfile::{
    Add, Copy, Instruction, InstructionKind, Mode, Source, Stage, Transfer, expand_heredoc,
};

use tug_fetch::Remote;

use super::evaluate::{StageState, absolute, problem_of};
use super::history;
use super::stages::Planner;
use super::{Action, CopyAction, CopyFrom, CopySource};
use crate::error::{Error, Problem};

impl StageState {
    pub(super) fn copy(
        &mut self,
        planner: &mut Planner<'_>,
        instruction: &Instruction,
        copy: &Copy,
        stage: &Stage,
    ) -> Result<(), Error> {
        let from = match &copy.from {
            None => Some(CopyFrom::Files(planner.options.context)),
            Some(word) => planner.origin(&word.raw, word.span.range(), stage)?.map(CopyFrom::from),
        };
        if let Some(from) = from {
            self.transfer(planner, instruction, &copy.files, from, false);
        }
        Ok(())
    }

    pub(super) fn add(&mut self, planner: &mut Planner<'_>, instruction: &Instruction, add: &Add) {
        let Some(()) = self.check_remote_flags(planner, instruction, add) else { return };
        let from = CopyFrom::Files(planner.options.context);
        self.transfer(planner, instruction, &add.files, from, add.unpack != Some(false));
    }

    fn transfer(
        &mut self,
        planner: &mut Planner<'_>,
        instruction: &Instruction,
        files: &Transfer,
        from: CopyFrom,
        unpack: bool,
    ) {
        let sources = self.sources(planner, instruction, files);
        let destination = self.expand(planner, &files.destination);
        let chown = files.chown.as_ref().map(|word| self.expand(planner, word));
        let chmod_text = files.chmod.as_ref().map(|word| self.expand(planner, word));
        let (Some(sources), Some(destination)) = (sources, destination) else { return };
        let chmod_text = chmod_text.flatten().filter(|text| !text.is_empty());
        let chmod = match chmod_text.as_deref().map(Mode::parse) {
            None => None,
            Some(Ok(mode)) => Some(mode),
            Some(Err(error)) => {
                let mut problem = Problem::new(flag_span(instruction, "chmod"), error.to_string());
                problem.help = error.hint();
                planner.problems.push(problem);
                return;
            }
        };
        let keyword = instruction.kind.name();
        let chown = chown.flatten().filter(|text| !text.is_empty());
        let parents = matches!(&instruction.kind, InstructionKind::Copy(copy) if copy.parents);
        let flags = [("chown", chown.as_deref()), ("chmod", chmod_text.as_deref())];
        let created_by = history_text(instruction, &sources, &destination, parents, &flags);
        let action = CopyAction {
            destination: destination_path(self.working_directory(), &destination),
            sources,
            from,
            chown,
            chown_span: self.place_of(flag_span(instruction, "chown")),
            chmod,
            chmod_text,
            exclude: files.exclude.iter().map(|word| word.raw.clone()).collect(),
            parents,
            link: files.link,
            unpack,
        };
        let step = self.push(
            planner,
            without_passwords(instruction, files),
            instruction.span.range(),
            Action::Copy(action),
            keyword,
        );
        self.record(created_by, Some(step));
    }

    fn sources(
        &mut self,
        planner: &mut Planner<'_>,
        instruction: &Instruction,
        files: &Transfer,
    ) -> Option<Vec<CopySource>> {
        let mut sources = Vec::new();
        for source in &files.sources {
            match source {
                Source::Heredoc(heredoc) => {
                    let text = heredoc.text();
                    let lookup = |name: &str| self.evaluated.scope.lookup(name);
                    let text = match heredoc.expand {
                        false => text.into_owned(),
                        true => match expand_heredoc(&text, &lookup) {
                            Ok(expanded) => expanded.text,
                            Err(error) => {
                                let length = heredoc.body.len();
                                planner.problems.push(problem_of(error.within(length, heredoc.body_span)));
                                return None;
                            }
                        },
                    };
                    sources.push(CopySource::Inline { name: heredoc.name.clone(), text });
                }
                Source::Path(word) => {
                    let path = self.expand(planner, word)?;
                    if let InstructionKind::Add(add) = &instruction.kind
                        && let Some(remote) = Remote::parse(&path, false)
                    {
                        let span = word.span.range();
                        let remote = self.remote(planner, instruction, add, &path, remote, span)?;
                        sources.push(CopySource::Remote(remote));
                        continue;
                    }
                    sources.push(CopySource::Path { path, span: self.place_of(word.span.range()) });
                }
            }
        }
        Some(sources)
    }
}

/// The instruction as it is shown: of an address only what is not secret.
fn without_passwords(instruction: &Instruction, files: &Transfer) -> String {
    files.sources.iter().fold(instruction.text.clone(), |text, source| match source {
        Source::Path(word) if word.raw.contains("://") => {
            text.replace(&word.raw, &tug_fetch::hide(&word.raw))
        }
        _ => text,
    })
}

/// Absolute; a slash at the end says that it is a directory.
fn destination_path(directory: &str, written: &str) -> String {
    let path = absolute(directory, written);
    let is_directory = written.ends_with('/') || written.ends_with("/.") || matches!(written, "." | "..");
    if is_directory && path != "/" { format!("{path}/") } else { path }
}

/// What BuildKit writes: `--parents`, the owner and the mode, the sources and the destination; other flags are left out.
fn history_text(
    instruction: &Instruction,
    sources: &[CopySource],
    destination: &str,
    parents: bool,
    flags: &[(&str, Option<&str>)],
) -> String {
    let flags = flags.iter().filter_map(|(name, value)| Some(format!("--{name}={}", (*value)?)));
    let sources = sources.iter().map(|source| match source {
        CopySource::Path { path, .. } => path.clone(),
        CopySource::Remote(remote) => remote.written.clone(),
        CopySource::Inline { name, .. } => format!("<<{name}"),
    });
    let keyword = std::iter::once(instruction.kind.name().to_owned());
    let parents = parents.then(|| "--parents".to_owned());
    let words: Vec<String> =
        keyword.chain(parents).chain(flags).chain(sources).chain([destination.to_owned()]).collect();
    history::marked(&words.join(" "))
}

pub(super) fn flag_span(instruction: &Instruction, name: &str) -> Range<usize> {
    let flag = instruction.flags.iter().find(|flag| flag.name == name);
    flag.map_or(instruction.span, |flag| flag.span).range()
}
