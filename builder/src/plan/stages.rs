//! What each stage starts from, and the plan that comes of all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use tug_dockerfile::{Dockerfile, InstructionKind, LineIndex, Stage, StageName, Word, closest, expand};
use tug_layer_store::Image;
use tug_oci::{Digest, ImageConfig, Platform};

use super::evaluate::StageState;
use super::needed;
use super::scope::{Globals, Scope, set_env};
use super::{Action, Plan, PlannedHistory, StageResult, State, Step};
use crate::error::{Error, Problem};
use crate::event::{StepId, StepSummary};
use crate::options::NetworkMode;

/// The `PATH` of images that have none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where images come from.
pub(crate) trait Images {
    /// The image called `name` for `platform`, or what to tell about it not being there.
    fn find(&self, name: &str, platform: &Platform) -> Result<Image, NoImage>;
}

/// Why there is no image of a name.
pub(crate) enum NoImage {
    /// The name is not one, or nothing has it.
    Problem {
        /// What happened.
        message: String,
        /// What the user can do.
        help: Option<String>,
    },
    /// Looking failed.
    Failed(Error),
}

/// What a plan depends on besides the Dockerfile and the images.
pub(crate) struct PlanOptions<'a> {
    pub target: Option<&'a str>,
    pub build_args: &'a BTreeMap<String, String>,
    pub labels: &'a [(String, String)],
    pub platform: &'a Platform,
    pub network: NetworkMode,
    /// What tells this Dockerfile from others on the machine.
    pub identity: &'a str,
}

/// Why there is no plan.
pub(crate) enum PlanError {
    /// Places in the Dockerfile.
    Problems(Vec<Problem>),
    /// Something else.
    Failed(Error),
}

impl From<Error> for PlanError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Evaluates what the target needs of `dockerfile`.
pub(crate) fn plan(
    dockerfile: &Dockerfile,
    text: &str,
    options: &PlanOptions<'_>,
    images: &dyn Images,
) -> Result<Plan, PlanError> {
    let target = needed::target(dockerfile, options.target)?;
    let target_name = dockerfile.stages[target].from.name.as_ref().map_or("default", |name| name.as_str());
    let mut planner = Planner {
        dockerfile,
        lines: LineIndex::new(text),
        options,
        images,
        globals: Globals::new(options.build_args.clone(), options.platform, target_name),
        results: dockerfile.stages.iter().map(|_| None).collect(),
        open: BTreeSet::new(),
        foreign: BTreeMap::new(),
        steps: Vec::new(),
        problems: Vec::new(),
        warnings: Vec::new(),
    };
    planner.declare_globals();
    for stage in needed::stages(dockerfile, &planner.globals, target) {
        planner.stage(stage)?;
    }
    let result = planner.stage(target)?;
    for name in planner.globals.unconsumed() {
        let message = format!("`--build-arg {name}` has no effect: no `ARG {name}` in what is built");
        planner.warnings.push(Problem::new(0..0, message));
    }
    if !planner.problems.is_empty() {
        return Err(PlanError::Problems(planner.problems));
    }
    let Some(mut result) = result.map(|state| state.result) else {
        return Err(PlanError::Problems(vec![Problem::new(0..0, "the target stage cannot be built")]));
    };
    if !options.labels.is_empty() {
        super::config::add_labels(&mut result, options.labels);
    }
    let (mut steps, warnings) = (planner.steps, planner.warnings);
    needed::mark_materialised(&mut steps);
    Ok(Plan { steps, result, warnings })
}

/// A stage that was evaluated.
#[derive(Clone)]
pub(super) struct Evaluated {
    pub result: StageResult,
    /// Its variables, which stages on top of it inherit.
    pub scope: Scope,
}

pub(super) struct Planner<'a> {
    pub(super) dockerfile: &'a Dockerfile,
    pub(super) lines: LineIndex<'a>,
    pub(super) options: &'a PlanOptions<'a>,
    pub(super) images: &'a dyn Images,
    pub(super) globals: Globals,
    results: Vec<Option<Evaluated>>,
    /// Stages that are being evaluated, or failed.
    open: BTreeSet<usize>,
    /// Images that COPY reads from, by name.
    foreign: BTreeMap<String, StepId>,
    pub(super) steps: Vec<Step>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl Planner<'_> {
    /// Evaluates a stage once. `None` when it has problems.
    pub(super) fn stage(&mut self, index: usize) -> Result<Option<Evaluated>, Error> {
        if let Some(known) = &self.results[index] {
            return Ok(Some(known.clone()));
        }
        if !self.open.insert(index) {
            return Ok(None);
        }
        let dockerfile = self.dockerfile;
        let stage = &dockerfile.stages[index];
        let Some(base) = self.base(stage)? else { return Ok(None) };
        let problems_before = self.problems.len();
        let evaluated = StageState::new(base, stage_label(dockerfile, stage)).evaluate(self, stage)?;
        if self.problems.len() > problems_before {
            return Ok(None);
        }
        self.results[index] = Some(evaluated.clone());
        Ok(Some(evaluated))
    }

    /// The layers of an image that COPY reads from.
    pub(super) fn foreign_image(&mut self, name: &str, span: Range<usize>) -> Result<Option<State>, Error> {
        if let Some(known) = self.foreign.get(name) {
            return Ok(Some(State::After(*known)));
        }
        let platform = self.options.platform.clone();
        let Some(image) = self.image(name, &platform, &span)? else { return Ok(None) };
        let step = self.push(
            format!("FROM {name}"),
            String::new(),
            span,
            State::Scratch,
            Action::Base(Box::new(image)),
            &format!("image {name}"),
        );
        self.foreign.insert(name.to_owned(), step);
        Ok(Some(State::After(step)))
    }

    /// Adds a step to the plan.
    pub(super) fn push(
        &mut self,
        name: String,
        stage: String,
        span: Range<usize>,
        below: State,
        action: Action,
        place: &str,
    ) -> StepId {
        let id = StepId(self.steps.len());
        let line = self.lines.location(span.start).line;
        let slot = Digest::of(format!("{}\n{stage}\n{place}", self.options.identity).as_bytes());
        let uses = match &action {
            Action::Copy(copy) => match copy.from {
                super::CopyFrom::Layers(State::After(step)) => vec![step],
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        let summary = StepSummary { id, name, stage, line };
        self.steps.push(Step { summary, span, below, uses, action, slot, materialise: false });
        id
    }

    /// Expands a word that only sees global ARGs.
    fn expand_global(&mut self, word: &Word) -> Option<String> {
        let expanded =
            expand(&word.raw, self.dockerfile.directives.escape, &|name| self.globals.lookup(name));
        match expanded {
            Ok(expanded) => Some(expanded.text),
            Err(error) => {
                self.problems.push(super::evaluate::problem_of(error.at(word)));
                None
            }
        }
    }

    fn declare_globals(&mut self) {
        for instruction in &self.dockerfile.global_args {
            let InstructionKind::Arg(declarations) = &instruction.kind else { continue };
            for declaration in declarations {
                let Some(name) = self.expand_global(&declaration.name) else { continue };
                let default = declaration.default.as_ref().map(|word| self.expand_global(word));
                self.globals.declare(&name, default.flatten());
            }
        }
    }

    /// What a stage starts from.
    fn base(&mut self, stage: &Stage) -> Result<Option<Evaluated>, Error> {
        let word = &stage.from.image;
        let Some(name) = self.expand_global(word) else { return Ok(None) };
        let span = word.span.range();
        if name.is_empty() {
            let mut problem =
                Problem::new(span, format!("base name `{}` is empty after expansion", word.raw));
            problem.help = Some("give the ARG a default, or a value with `--build-arg`".to_owned());
            self.problems.push(problem);
            return Ok(None);
        }
        let Some(platform) = self.platform(stage)? else { return Ok(None) };
        if let Some(earlier) = needed::named(&self.dockerfile.stages[..stage.index], &name) {
            return self.stage(earlier);
        }
        if name == "scratch" {
            return Ok(Some(scratch(platform)));
        }
        let Some(image) = self.image(&name, &platform, &span)? else { return Ok(None) };
        if let Some(asked) = &stage.from.platform
            && !image.config.platform.satisfies(&platform)
        {
            let message = format!("image `{name}` is for `{}`, not for `{platform}`", image.config.platform);
            self.problems.push(Problem::new(asked.span.range(), message));
            return Ok(None);
        }
        let label = stage_label(self.dockerfile, stage);
        let mut config = (*image.config).clone();
        let history = std::mem::take(&mut config.history).into_iter().map(PlannedHistory::Base).collect();
        config.rootfs.diff_ids.clear();
        let mut scope = Scope::default();
        if !config.config.env.iter().any(|line| line.starts_with("PATH=")) {
            set_env(&mut config.config.env, "PATH", DEFAULT_PATH);
        }
        for line in &config.config.env {
            let (name, value) = line.split_once('=').unwrap_or((line, ""));
            scope.set(name, value);
        }
        let text = format!("FROM {name}");
        let action = Action::Base(Box::new(image));
        let step = self.push(text, label, stage.span.range(), State::Scratch, action, "from");
        let result = StageResult { state: State::After(step), config, history };
        Ok(Some(Evaluated { result, scope }))
    }

    fn platform(&mut self, stage: &Stage) -> Result<Option<Platform>, Error> {
        let Some(word) = &stage.from.platform else { return Ok(Some(self.options.platform.clone())) };
        let Some(text) = self.expand_global(word) else { return Ok(None) };
        if text.is_empty() {
            return Ok(Some(self.options.platform.clone()));
        }
        match text.parse::<Platform>() {
            Ok(platform) => Ok(Some(platform)),
            Err(error) => {
                self.problems.push(Problem::new(word.span.range(), error.to_string()));
                Ok(None)
            }
        }
    }

    fn image(
        &mut self,
        name: &str,
        platform: &Platform,
        span: &Range<usize>,
    ) -> Result<Option<Image>, Error> {
        match self.images.find(name, platform) {
            Ok(image) => Ok(Some(image)),
            Err(NoImage::Failed(error)) => Err(error),
            Err(NoImage::Problem { message, help }) => {
                let similar = closest(name, &stage_names(self.dockerfile));
                let mut problem = Problem::new(span.clone(), message);
                problem.help = match similar {
                    Some(similar) => Some(format!("a stage with a similar name exists: `{similar}`")),
                    None => help,
                };
                self.problems.push(problem);
                Ok(None)
            }
        }
    }
}

/// The names of all stages that have one.
pub(super) fn stage_names(dockerfile: &Dockerfile) -> Vec<&str> {
    dockerfile.stages.iter().filter_map(|stage| stage.from.name.as_ref()).map(StageName::as_str).collect()
}

/// How a stage is called in the names of its steps: empty when it is the only one and has no name.
fn stage_label(dockerfile: &Dockerfile, stage: &Stage) -> String {
    match &stage.from.name {
        Some(name) => name.as_str().to_owned(),
        None if dockerfile.stages.len() == 1 => String::new(),
        None => format!("stage-{}", stage.index),
    }
}

fn scratch(platform: Platform) -> Evaluated {
    let mut config = ImageConfig::empty(platform);
    set_env(&mut config.config.env, "PATH", DEFAULT_PATH);
    config.config.working_dir = "/".to_owned();
    let mut scope = Scope::default();
    scope.set("PATH", DEFAULT_PATH);
    Evaluated { result: StageResult { state: State::Scratch, config, history: Vec::new() }, scope }
}
