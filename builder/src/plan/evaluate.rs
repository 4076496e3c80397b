//! One stage, instruction by instruction.
//!
//! All values of one instruction see the variables as they were before it, but those of an ARG also what stands before
//! them in it. Problems are collected, so that several
//! are told at once; the plan is given up at the end when there are any.

use std::collections::BTreeSet;
use std::ops::Range;

use tug_dockerfile::{
    ExposedPorts, Instruction, InstructionKind, Pairs, ParseError, Program, Run, Stage, StopSignal, Word,
    expand, expand_words, parse_instruction,
};

use super::config;
use super::history;
use super::scope::set_env;
use super::stages::{Evaluated, NewStep, Planner};
use super::{Action, PlannedHistory, RunAction, Script, State, WorkdirAction};
use crate::error::{Error, Problem};
use crate::event::StepId;

/// A stage in the making.
pub(super) struct StageState {
    pub(super) evaluated: Evaluated,
    pub(super) label: String,
    /// Whether this stage has a CMD of its own, which an ENTRYPOINT does not clear.
    has_command: bool,
    /// The steps of this stage, to number them.
    steps: Vec<StepId>,
    /// What stands for the place of everything in a trigger: its own places are not of this Dockerfile.
    trigger_place: Option<Range<usize>>,
}

impl StageState {
    pub(super) fn new(base: Evaluated, label: String) -> Self {
        Self { evaluated: base, label, has_command: false, steps: Vec::new(), trigger_place: None }
    }

    /// Evaluates the triggers of the base and the instructions of `stage`.
    pub(super) fn evaluate(mut self, planner: &mut Planner<'_>, stage: &Stage) -> Result<Evaluated, Error> {
        let first_own_step = planner.steps.last().filter(|step| {
            step.unit == planner.unit
                && step.summary.name.starts_with("FROM ")
                && step.summary.stage == self.label
                && self.evaluated.result.state == State::After(step.summary.id)
        });
        self.steps.extend(first_own_step.map(|step| step.summary.id));
        self.trigger_place = Some(stage.from.image.span.range());
        for text in std::mem::take(&mut self.evaluated.result.config.config.on_build) {
            self.trigger(planner, &text, stage)?;
        }
        self.trigger_place = None;
        for instruction in &stage.instructions {
            self.instruction(planner, instruction, stage)?;
        }
        self.name_steps(planner);
        Ok(self.evaluated)
    }

    /// Evaluates an ONBUILD instruction of the base. What is wrong in it is shown where the base is named.
    fn trigger(&mut self, planner: &mut Planner<'_>, text: &str, stage: &Stage) -> Result<(), Error> {
        let first = planner.problems.len();
        match parse_instruction(text) {
            Ok(mut instruction) => {
                instruction.span = stage.span;
                self.instruction(planner, &instruction, stage)?;
            }
            Err(error) => planner.problems.push(problem_of(error)),
        }
        for problem in planner.problems.iter_mut().skip(first) {
            problem.span = stage.from.image.span.range();
            problem.message = format!("in its ONBUILD trigger `{text}`: {}", problem.message);
        }
        Ok(())
    }

    /// The place of something in the Dockerfile.
    pub(super) fn place_of(&self, span: Range<usize>) -> Range<usize> {
        self.trigger_place.clone().unwrap_or(span)
    }

    fn instruction(
        &mut self,
        planner: &mut Planner<'_>,
        instruction: &Instruction,
        stage: &Stage,
    ) -> Result<(), Error> {
        let span = instruction.span.range();
        match &instruction.kind {
            InstructionKind::Arg(declarations) => {
                let mut words = Vec::new();
                for declaration in declarations {
                    let Some(name) = self.expand(planner, &declaration.name) else { return Ok(()) };
                    // A default that is not used may even be wrong.
                    let default = match &declaration.default {
                        Some(word) if !planner.globals.is_given(&name) => {
                            let Some(default) = self.expand(planner, word) else { return Ok(()) };
                            Some(default)
                        }
                        _ => None,
                    };
                    let value = planner.globals.argument(&name, default);
                    words.push(match &value {
                        Some(value) => format!("{name}={value}"),
                        None => name.clone(),
                    });
                    self.evaluated.scope.declare(&name, value.as_deref());
                }
                self.record(format!("ARG {}", words.join(" ")), None);
            }
            InstructionKind::Env(pairs) => {
                let Some(pairs) = self.pairs(planner, pairs) else { return Ok(()) };
                for (name, value) in &pairs {
                    self.evaluated.scope.set(name, value);
                    set_env(&mut self.evaluated.result.config.config.env, name, value);
                }
                self.record(format!("ENV {}", joined(&pairs)), None);
            }
            InstructionKind::Label(pairs) => {
                let Some(pairs) = self.pairs(planner, pairs) else { return Ok(()) };
                self.record(format!("LABEL {}", joined(&pairs)), None);
                self.evaluated.result.config.config.labels.extend(pairs);
            }
            InstructionKind::Run(run) => self.run(planner, instruction, run, stage)?,
            InstructionKind::Copy(copy) => self.copy(planner, instruction, copy, stage)?,
            InstructionKind::Add(add) => self.add(planner, instruction, add),
            InstructionKind::Workdir(word) => self.workdir(planner, word, span),
            InstructionKind::User(word) => {
                let Some(user) = self.expand(planner, word) else { return Ok(()) };
                self.record(format!("USER {user}"), None);
                self.evaluated.result.config.config.user = user;
            }
            InstructionKind::Cmd(command) => {
                let arguments = config::arguments(self.config(), command);
                self.record(history::command("CMD", &arguments), None);
                self.config_mut().cmd = Some(arguments);
                self.has_command = true;
            }
            InstructionKind::Entrypoint(command) => {
                let arguments = config::arguments(self.config(), command);
                self.record(history::command("ENTRYPOINT", &arguments), None);
                self.config_mut().entrypoint = Some(arguments);
                if !self.has_command {
                    self.config_mut().cmd = None;
                }
            }
            InstructionKind::Expose(words) => self.expose(planner, words),
            InstructionKind::Volume(words) => {
                let paths: Option<Vec<String>> =
                    words.iter().map(|word| self.expand(planner, word)).collect();
                let Some(paths) = paths else { return Ok(()) };
                if let Some(empty) = paths.iter().position(|path| path.trim().is_empty()) {
                    planner.problems.push(Problem::new(words[empty].span.range(), "a VOLUME has no path"));
                    return Ok(());
                }
                config::add_keys(&mut self.config_mut().volumes, &paths);
                self.record(history::bare_list("VOLUME", &paths), None);
            }
            InstructionKind::Shell(shell) => {
                self.config_mut().shell = Some(shell.clone());
                self.record(history::bare_list("SHELL", shell), None);
            }
            InstructionKind::StopSignal(word) => {
                let Some(signal) = self.expand(planner, word) else { return Ok(()) };
                if let Err(error) = StopSignal::parse(&signal) {
                    planner.problems.push(problem_of(error.at(word)));
                    return Ok(());
                }
                self.record(format!("STOPSIGNAL {signal}"), None);
                self.config_mut().stop_signal = Some(signal);
            }
            InstructionKind::Healthcheck(written) => {
                let check = config::healthcheck(written);
                self.record(history::healthcheck(&check), None);
                self.config_mut().healthcheck = Some(check);
            }
            InstructionKind::Onbuild(onbuild) => {
                self.config_mut().on_build.push(onbuild.text.clone());
            }
            InstructionKind::Maintainer(word) => {
                self.record(format!("MAINTAINER {}", word.raw), None);
                self.evaluated.result.config.author = Some(word.raw.clone());
            }
        }
        Ok(())
    }

    fn run(
        &mut self,
        planner: &mut Planner<'_>,
        instruction: &Instruction,
        run: &Run,
        stage: &Stage,
    ) -> Result<(), Error> {
        let network = self.network(planner, instruction, run);
        let Some(privileges) = self.privileges(planner, instruction, run) else { return Ok(()) };
        let in_shell = |line: String| config::shell(self.config()).into_iter().chain([line]).collect();
        let (args, script) = match run.program() {
            Program::Exec(args) => (args, None),
            Program::Shell(line) => (in_shell(line), None),
            Program::Script { name, text } => {
                let path = format!("/dev/pipes/{name}");
                (in_shell(path.clone()), Some(Script { path, text }))
            }
        };
        let created_by = history::run(&args, &self.evaluated.scope);
        let Some(mounts) = self.mounts(planner, run, stage)? else { return Ok(()) };
        let scope = &self.evaluated.scope;
        let mut env = scope.seen_by_steps();
        self.add_ssh_variable(&mounts, &mut env);
        let action = RunAction {
            args,
            env,
            arg_names: scope.arguments.clone(),
            working_directory: absolute("/", self.working_directory()),
            user: self.config().user.clone(),
            network,
            privileges,
            hostname: crate::built_in::hostname(planner.options.build_args).to_owned(),
            script,
            mounts,
        };
        let step = self.push(
            planner,
            instruction.text.clone(),
            instruction.span.range(),
            Action::Run(action),
            "RUN",
        );
        self.record(created_by, Some(step));
        Ok(())
    }

    fn workdir(&mut self, planner: &mut Planner<'_>, word: &Word, span: Range<usize>) {
        let Some(written) = self.expand(planner, word) else { return };
        if written.is_empty() {
            planner.problems.push(Problem::new(word.span.range(), "the WORKDIR is empty after expansion"));
            return;
        }
        let path = absolute(self.working_directory(), &written);
        // Docker leaves an absolute path as it was written, with a slash at its end for example.
        let shown = if written.starts_with('/') { written.clone() } else { path.clone() };
        let text = format!("WORKDIR {shown}");
        self.config_mut().working_dir = shown;
        if path == "/" {
            self.record(text, None);
            return;
        }
        let action = WorkdirAction { path, user: self.config().user.clone() };
        let step = self.push(planner, format!("WORKDIR {written}"), span, Action::Workdir(action), "WORKDIR");
        self.record(text, Some(step));
    }

    fn expose(&mut self, planner: &mut Planner<'_>, words: &[Word]) {
        let mut all = Vec::new();
        for word in words {
            let lookup = |name: &str| self.evaluated.scope.lookup(name);
            let expanded = match expand_words(&word.raw, planner.dockerfile.directives.escape, &lookup) {
                Ok(expanded) => expanded.words,
                Err(error) => {
                    planner.problems.push(problem_of(error.at(word)));
                    continue;
                }
            };
            for port in expanded {
                match ExposedPorts::parse(&port) {
                    Ok(ports) => all.extend(ports.entries()),
                    Err(error) => planner.problems.push(problem_of(error.at(word))),
                }
            }
        }
        config::add_keys(&mut self.config_mut().exposed_ports, &all);
        self.record(history::expose(&all), None);
    }

    fn pairs(&self, planner: &mut Planner<'_>, pairs: &Pairs) -> Option<Vec<(String, String)>> {
        let expanded: Vec<Option<(String, String)>> = pairs
            .entries
            .iter()
            .map(|pair| Some((self.expand(planner, &pair.key)?, self.expand(planner, &pair.value)?)))
            .collect();
        let expanded: Option<Vec<_>> = expanded.into_iter().collect();
        if let Some(empty) = expanded.iter().flatten().position(|(key, _)| key.is_empty()) {
            let span = pairs.entries[empty].key.span.range();
            planner.problems.push(Problem::new(span, "the name is empty after expansion"));
            return None;
        }
        expanded
    }

    /// Expands a value with the variables of this stage; `None` when that is a problem.
    pub(super) fn expand(&self, planner: &mut Planner<'_>, word: &Word) -> Option<String> {
        let lookup = |name: &str| self.evaluated.scope.lookup(name);
        match expand(&word.raw, planner.dockerfile.directives.escape, &lookup) {
            Ok(expanded) => Some(expanded.text),
            Err(error) => {
                planner.problems.push(problem_of(error.at(word)));
                None
            }
        }
    }

    /// Adds a step over what this stage has so far.
    pub(super) fn push(
        &mut self,
        planner: &mut Planner<'_>,
        text: String,
        span: Range<usize>,
        action: Action,
        keyword: &str,
    ) -> StepId {
        let place = format!("{keyword} {}", self.steps.len());
        let below = self.evaluated.result.state;
        let step = planner.push(NewStep {
            name: text,
            stage: self.label.clone(),
            span,
            below,
            action,
            place: &place,
            platform: &self.evaluated.result.config.platform,
        });
        self.evaluated.result.state = State::After(step);
        self.steps.push(step);
        step
    }

    /// Adds a line to the history.
    pub(super) fn record(&mut self, created_by: String, step: Option<StepId>) {
        self.evaluated.result.history.push(PlannedHistory::Own { created_by, step });
    }

    pub(super) fn working_directory(&self) -> &str {
        match self.config().working_dir.as_str() {
            "" => "/",
            path => path,
        }
    }

    fn config(&self) -> &tug_oci::RunConfig {
        &self.evaluated.result.config.config
    }

    fn config_mut(&mut self) -> &mut tug_oci::RunConfig {
        &mut self.evaluated.result.config.config
    }

    /// Puts `[stage 2/5]` in front of the names of the steps of this stage.
    fn name_steps(&self, planner: &mut Planner<'_>) {
        let parts = [planner.options.unit_name, &self.label].into_iter().filter(|part| !part.is_empty());
        let label: String = parts.map(|part| format!("{part} ")).collect();
        let own: BTreeSet<StepId> = self.steps.iter().copied().collect();
        let total = own.len();
        for (number, id) in own.into_iter().enumerate() {
            let name = &mut planner.steps[id.0].summary.name;
            *name = format!("[{label}{}/{total}] {name}", number + 1);
        }
    }
}

/// `path` as seen from `directory`, absolute and without dots.
pub(super) fn absolute(directory: &str, path: &str) -> String {
    let joined = if path.starts_with('/') { path.to_owned() } else { format!("{directory}/{path}") };
    format!("/{}", String::from_utf8_lossy(&crate::files::clean(joined.as_bytes())))
}

/// A problem that the parser's crate found.
pub(crate) fn problem_of(error: ParseError) -> Problem {
    Problem {
        span: error.span.range(),
        message: error.message(),
        label: Some(error.label).filter(|label| !label.is_empty()),
        help: error.help,
    }
}

fn joined(pairs: &[(String, String)]) -> String {
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}
