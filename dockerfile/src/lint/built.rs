//! Looks at the stages that are built, instruction by instruction, with the variables that each of them sees.

use super::instructions::{Facts, one};
use super::{BaseImage, Findings, LintOptions, Rule, earlier_stage};
use crate::arguments::{Globals, declarations};
use crate::near::{nearest, variable_in};
use crate::scope::Scope;
use crate::{
    Dockerfile, Escape, Expandable, Instruction, InstructionKind, Span, Stage, Word, expand_heredoc,
    parse_instruction,
};

pub(super) fn lint<'a>(dockerfile: &'a Dockerfile, options: &LintOptions<'_>, findings: &mut Findings<'a>) {
    let looker = Looker {
        escape: dockerfile.directives.escape,
        globals: Globals::new(dockerfile, &options.arguments),
        options,
    };
    let mut ends: Vec<StageState> = Vec::new();
    for stage in &dockerfile.stages {
        let mut state = StageState::default();
        if options.stages.as_ref().is_none_or(|built| built.contains(&stage.index)) {
            state = looker.start(dockerfile, stage, &ends, findings);
            for instruction in &stage.instructions {
                findings.at(instruction.check.as_ref(), instruction.span);
                looker.look(instruction, None, &mut state, findings);
            }
        }
        ends.push(state);
    }
}

/// What is known of a stage up to some instruction.
#[derive(Clone, Default)]
struct StageState {
    scope: Scope,
    facts: Facts,
    /// Instructions that fire in stages on top of this one.
    triggers: Vec<Instruction>,
}

struct Looker<'o, 'l> {
    escape: Escape,
    globals: Globals,
    options: &'o LintOptions<'l>,
}

impl Looker<'_, '_> {
    /// The state at the first instruction of a stage.
    fn start<'a>(
        &self,
        dockerfile: &'a Dockerfile,
        stage: &'a Stage,
        ends: &[StageState],
        findings: &mut Findings<'a>,
    ) -> StageState {
        findings.at(stage.check.as_ref(), stage.span);
        let expanded = self.globals.values.expand(&stage.from.image, self.escape);
        let image = expanded.map_or_else(|| stage.from.image.raw.clone(), |expanded| expanded.text);
        let mut state = match earlier_stage(dockerfile, stage.index, &image) {
            Some(parent) => ends[parent.index].clone(),
            None => self.on_base(stage, &image, findings),
        };
        state.facts.forget_what_counts_once();
        findings.at(None, stage.span);
        for trigger in std::mem::take(&mut state.triggers) {
            self.look(&trigger, Some(stage.from.image.span), &mut state, findings);
        }
        state
    }

    fn on_base(&self, stage: &Stage, image: &str, findings: &mut Findings<'_>) -> StageState {
        let mut state = StageState { scope: Scope::of_scratch(), ..StageState::default() };
        if image.eq_ignore_ascii_case("scratch") {
            return state;
        }
        let platform = stage.from.platform.as_ref();
        let platform = platform.and_then(|word| self.globals.values.expand(word, self.escape));
        let platform = platform.map(|expanded| expanded.text);
        let known = self.options.base.and_then(|base| base(stage, image, platform.as_deref()));
        let Some(BaseImage { environment, has_shell, triggers, other_platform }) = known else {
            state.scope.is_open = true;
            return state;
        };
        if let Some((expected, actual)) = other_platform {
            let message = format!(
                "Base image {image} was pulled with platform \"{actual}\", expected \"{expected}\" for current build"
            );
            findings.report(Rule::InvalidBaseImagePlatform, stage.from.image.span, message);
        }
        environment.iter().for_each(|(name, value)| state.scope.values.set(name, value));
        state.facts.has_shell = has_shell;
        state.triggers = triggers.iter().filter_map(|text| parse_instruction(text).ok()).collect();
        state
    }

    /// Looks at one instruction, and at what it changes. The places of a trigger are not of this file: what is found in
    /// it is shown at `elsewhere`.
    fn look(
        &self,
        instruction: &Instruction,
        elsewhere: Option<Span>,
        state: &mut StageState,
        findings: &mut Findings<'_>,
    ) {
        let here = |span: Span| elsewhere.unwrap_or(span);
        self.variables(instruction, &here, &mut state.scope.clone(), findings);
        one(instruction, self.escape, self.options.ignore, &state.scope, &here, &mut state.facts, findings);
        if let InstructionKind::Onbuild(onbuild) = &instruction.kind {
            state.triggers.push((*onbuild.instruction).clone());
        }
        state.scope.apply(instruction, self.escape, &self.globals, &self.options.arguments);
    }

    /// `UndefinedVar`.
    fn variables(
        &self,
        instruction: &Instruction,
        here: &dyn Fn(Span) -> Span,
        scope: &mut Scope,
        findings: &mut Findings<'_>,
    ) {
        if !declarations(instruction).is_empty() {
            // A default that is not used is not looked at, and each sees those before it.
            for declaration in declarations(instruction) {
                let is_given = self.options.arguments.build_args.contains_key(&declaration.name.raw);
                if let (false, Some(default)) = (is_given, &declaration.default) {
                    self.word(default, here, scope, findings);
                }
                let mut alone = instruction.clone();
                alone.kind = InstructionKind::Arg(vec![declaration.clone()]);
                scope.apply(&alone, self.escape, &self.globals, &self.options.arguments);
            }
            return;
        }
        for expandable in instruction.expandables() {
            match expandable {
                Expandable::Word(word) | Expandable::Words(word) => self.word(word, here, scope, findings),
                Expandable::Heredoc(heredoc) => {
                    let lookup = |name: &str| scope.values.get(name).map(str::to_owned);
                    let Ok(expanded) = expand_heredoc(&heredoc.text(), &lookup) else { continue };
                    for name in &expanded.unset {
                        undefined(name, here(heredoc.span), scope, findings);
                    }
                }
            }
        }
    }

    fn word(&self, word: &Word, here: &dyn Fn(Span) -> Span, scope: &Scope, findings: &mut Findings<'_>) {
        let Some(expanded) = scope.values.expand(word, self.escape) else { return };
        for name in &expanded.unset {
            undefined(name, here(variable_in(word, name)), scope, findings);
        }
    }
}

fn undefined(name: &str, span: Span, scope: &Scope, findings: &mut Findings<'_>) {
    if scope.declared.contains(name) {
        return;
    }
    // The base image may set a variable of any name. One that is nearly that of a known one is rather a slip.
    let names: Vec<&str> = scope.values.names().chain(scope.declared.iter().map(String::as_str)).collect();
    if scope.is_open && crate::closest(name, &names).is_none() {
        return;
    }
    let hint = match nearest(name, names.into_iter()) {
        Some(near) => format!(" (did you mean ${near}?)"),
        None => String::new(),
    };
    findings.report(Rule::UndefinedVar, span, format!("Usage of undefined variable '${name}'{hint}"));
}
