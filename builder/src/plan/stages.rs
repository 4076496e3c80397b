//! What each stage starts from, and the plan that comes of all of them.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use tug_dockerfile::{Dockerfile, InstructionKind, LineIndex, Stage, StageName, Word, closest, expand};
use tug_layer_store::Image;
use tug_oci::{Digest, ImageConfig, Platform};

use super::evaluate::StageState;
use super::named::Named;
use super::needed;
use super::scope::{Globals, Scope, set_env};
use super::{
    Action, BaseImage, CopyFrom, FilesId, Plan, PlannedHistory, PlannedUnit, StageResult, State, Step,
};
use crate::cdi::{Device, Registry};
use crate::changes::ImageChanges;
use crate::error::{Error, Problem, Source};
use crate::event::{StepId, StepSummary};
use crate::options::NetworkMode;
use crate::sandbox::Sandbox;

/// The `PATH` of images that have none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What lies around the Dockerfiles of a build.
pub(crate) trait Surroundings {
    /// The image called `name` for `platform`, or what to tell about it not being there.
    fn image(&self, name: &str, platform: &Platform) -> Result<Image, NoImage>;

    /// Opens the files of the named context with this `number`.
    fn files(&self, number: usize) -> Result<FilesId, Error>;
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
    /// What tells this unit from the others in the names of steps; may be empty.
    pub unit_name: &'a str,
    /// The files of the context.
    pub context: FilesId,
    /// Named contexts.
    pub named: &'a [(String, Named)],
    /// What tells this Dockerfile from others on the machine.
    pub identity: &'a str,
    /// Stages whose steps run again.
    pub no_cache_stages: &'a [String],
    /// What RUN steps get and may take.
    pub sandbox: &'a Sandbox,
    /// What is changed from outside.
    pub changes: &'a ImageChanges,
    /// Whether a base image for another platform is an error.
    pub strict_platform: bool,
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

/// Evaluates what the target needs of `dockerfile`, as one more unit of `plan`. After an error the plan is of no use.
pub(crate) fn plan(
    plan: &mut Plan,
    dockerfile: &Dockerfile,
    text: &str,
    options: &PlanOptions<'_>,
    surroundings: &dyn Surroundings,
) -> Result<(), PlanError> {
    let target = needed::target(dockerfile, options.target)?;
    let target_name = dockerfile.stages[target].from.name.as_ref().map_or("default", |name| name.as_str());
    let mut planner = Planner {
        dockerfile,
        lines: LineIndex::new(text),
        options,
        surroundings,
        unit: plan.units.len(),
        units: &plan.units,
        globals: Globals::new(options.build_args.clone(), options.platform, target_name),
        results: dockerfile.stages.iter().map(|_| None).collect(),
        open: BTreeSet::new(),
        foreign: BTreeMap::new(),
        steps: std::mem::take(&mut plan.steps),
        problems: Vec::new(),
        warnings: Vec::new(),
        anew: needed::labels(dockerfile, options.no_cache_stages)?,
        devices: Vec::new(),
        registry: OnceCell::new(),
    };
    planner.find_devices();
    planner.declare_globals();
    let needed = needed::stages(dockerfile, &planner.globals, target, &|name| planner.named(name).is_some());
    for stage in needed {
        planner.stage(stage)?;
    }
    let result = planner.stage(target)?;
    for name in planner.globals.unconsumed() {
        planner.warnings.push(Problem::new(0..0, not_asked_for(name, dockerfile)));
    }
    if !planner.problems.is_empty() {
        return Err(PlanError::Problems(planner.problems));
    }
    let Some(mut result) = result.map(|state| state.result) else {
        return Err(PlanError::Problems(vec![Problem::new(0..0, "the target stage cannot be built")]));
    };
    super::config::change_env(&mut result, options.changes);
    if !options.labels.is_empty() {
        super::config::add_labels(&mut result, options.labels);
    }
    let env = result.config.config.env.iter().find_map(|line| line.strip_prefix("SOURCE_DATE_EPOCH="));
    let epoch = env.map(str::to_owned).or_else(|| planner.globals.lookup("SOURCE_DATE_EPOCH"));
    let warnings = planner.warnings;
    plan.steps = planner.steps;
    plan.units.push(PlannedUnit { result, warnings, epoch });
    needed::mark_materialised(&mut plan.steps);
    Ok(())
}

/// A build argument that nothing takes: one of this name is declared elsewhere, or one of a similar name.
fn not_asked_for(name: &str, dockerfile: &Dockerfile) -> String {
    let in_stages = dockerfile.stages.iter().flat_map(|stage| &stage.instructions);
    let mut declared: Vec<&str> = Vec::new();
    for instruction in dockerfile.global_args.iter().chain(in_stages) {
        let InstructionKind::Arg(declarations) = &instruction.kind else { continue };
        declared.extend(declarations.iter().map(|declaration| declaration.name.raw.as_str()));
    }
    let reason = match closest(name, &[declared.as_slice(), &crate::built_in::NAMES].concat()) {
        _ if declared.contains(&name) => format!("`ARG {name}` stands only in stages that are not built"),
        Some(near) => format!("no `ARG {name}` in what is built; did you mean `{near}`?"),
        None => format!("no `ARG {name}` in what is built"),
    };
    format!("`--build-arg {name}` has no effect: {reason}")
}

/// A stage that was evaluated.
#[derive(Clone)]
pub(super) struct Evaluated {
    pub result: StageResult,
    /// Its variables, which stages on top of it inherit.
    pub scope: Scope,
}

/// A step that is not in the plan yet.
pub(super) struct NewStep<'a> {
    pub name: String,
    /// The label of its stage.
    pub stage: String,
    pub span: Range<usize>,
    pub below: State,
    pub action: Action,
    /// Its place in its stage.
    pub place: &'a str,
    pub platform: &'a Platform,
}

pub(super) struct Planner<'a> {
    pub(super) dockerfile: &'a Dockerfile,
    pub(super) lines: LineIndex<'a>,
    pub(super) options: &'a PlanOptions<'a>,
    pub(super) surroundings: &'a dyn Surroundings,
    /// The number of the unit that is being planned.
    pub(super) unit: usize,
    /// Those that were planned before.
    pub(super) units: &'a [PlannedUnit],
    pub(super) globals: Globals,
    results: Vec<Option<Evaluated>>,
    /// Stages that are being evaluated, or failed.
    open: BTreeSet<usize>,
    /// Images that COPY reads from, by name.
    foreign: BTreeMap<String, StepId>,
    pub(super) steps: Vec<Step>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    /// Labels of the stages whose steps run again.
    anew: BTreeSet<String>,
    /// Devices that every RUN gets.
    pub(super) devices: Vec<Device>,
    pub(super) registry: OnceCell<Registry>,
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
        if let Some(name) = &stage.from.name
            && let Some(named) = self.named(name.as_str())
        {
            let Some(platform) = self.platform(stage)? else { return Ok(None) };
            let evaluated =
                self.base_of(&named, name.as_str(), stage.from.image.span.range(), stage, &platform)?;
            self.results[index].clone_from(&evaluated);
            return Ok(evaluated);
        }
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
        let step = self.push(NewStep {
            name: format!("FROM {name}"),
            stage: String::new(),
            span,
            below: State::Scratch,
            action: Action::Base(Box::new(image)),
            place: &format!("image {name}"),
            platform: &platform,
        });
        self.foreign.insert(name.to_owned(), step);
        Ok(Some(State::After(step)))
    }

    /// Adds a step to the plan.
    pub(super) fn push(&mut self, new: NewStep<'_>) -> StepId {
        let NewStep { name, stage, span, below, action, place, platform } = new;
        let id = StepId(self.steps.len());
        let line = self.lines.location(span.start).line;
        let slot = Digest::of(
            format!("{}\n{}\n{stage}\n{place}", self.options.identity, self.options.unit_name).as_bytes(),
        );
        let uses = match &action {
            Action::Copy(copy) => match copy.from {
                CopyFrom::Layers(State::After(step)) => vec![step],
                _ => Vec::new(),
            },
            Action::Run(run) => super::mounts::uses(&run.mounts),
            _ => Vec::new(),
        };
        let unit_name = self.options.unit_name.to_owned();
        let anew = self.anew.contains(&stage).then_some("`--no-cache-filter` names its stage");
        self.steps.push(Step {
            anew,
            summary: StepSummary { id, name, unit: unit_name, stage, line, needs: Vec::new() },
            unit: self.unit,
            platform: platform.clone(),
            span,
            below,
            uses,
            action,
            slot,
            materialise: false,
        });
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
        let replaced = self.options.changes.first_base.clone().filter(|_| stage.index == 0);
        let Some(name) = replaced.or_else(|| self.expand_global(word)) else { return Ok(None) };
        let span = word.span.range();
        if name.is_empty() {
            let mut problem =
                Problem::new(span, format!("base name `{}` is empty after expansion", word.raw));
            problem.help = Some("give the ARG a default, or a value with `--build-arg`".to_owned());
            self.problems.push(problem);
            return Ok(None);
        }
        let Some(platform) = self.platform(stage)? else { return Ok(None) };
        if let Some(named) = self.named(&name) {
            return self.base_of(&named, &name, span, stage, &platform);
        }
        if let Some(earlier) = needed::named(&self.dockerfile.stages[..stage.index], &name) {
            return self.stage(earlier);
        }
        if name == "scratch" {
            return Ok(Some(scratch(platform)));
        }
        self.image_base(&name, span, stage, &platform)
    }

    /// A stage that starts from the image called `name`.
    pub(super) fn image_base(
        &mut self,
        name: &str,
        span: Range<usize>,
        stage: &Stage,
        platform: &Platform,
    ) -> Result<Option<Evaluated>, Error> {
        let Some(image) = self.image(name, platform, &span)? else { return Ok(None) };
        let asked = stage.from.platform.as_ref().map(|asked| asked.span.range());
        let asked = asked.or_else(|| self.options.strict_platform.then(|| span.clone()));
        if let Some(asked) = asked
            && !image.config.platform.satisfies(platform)
        {
            let message = format!("image `{name}` is for `{}`, not for `{platform}`", image.config.platform);
            self.problems.push(Problem::new(asked, message));
            return Ok(None);
        }
        let label = stage_label(self.dockerfile, stage);
        let mut config = (*image.config).clone();
        let history = std::mem::take(&mut config.history).into_iter().map(PlannedHistory::Base).collect();
        config.rootfs.diff_ids.clear();
        super::config::drop_labels(&mut config.config, self.options.changes);
        if !config.config.env.iter().any(|line| line.starts_with("PATH=")) {
            set_env(&mut config.config.env, "PATH", DEFAULT_PATH);
        }
        let scope = scope_of(&config);
        let base =
            BaseImage { name: crate::images::followed_name(name), digest: image.descriptor.digest.clone() };
        let step = self.push(NewStep {
            name: format!("FROM {name}"),
            stage: label,
            span: stage.span.range(),
            below: State::Scratch,
            action: Action::Base(Box::new(image)),
            place: "from",
            platform: &config.platform,
        });
        let result = StageResult { state: State::After(step), config, history, base: Some(base) };
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
        match self.surroundings.image(name, platform) {
            Ok(image) => Ok(Some(image)),
            Err(NoImage::Failed(error)) => Err(error.at(&Source::default(), span)),
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
pub(super) fn stage_label(dockerfile: &Dockerfile, stage: &Stage) -> String {
    match &stage.from.name {
        Some(name) => name.as_str().to_owned(),
        None if dockerfile.stages.len() == 1 => String::new(),
        None => format!("stage-{}", stage.index),
    }
}

/// The variables that a stage inherits from an image.
pub(super) fn scope_of(config: &ImageConfig) -> Scope {
    let mut scope = Scope::default();
    for line in &config.config.env {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        scope.set(name, value);
    }
    scope
}

/// A stage with nothing in it.
pub(super) fn scratch(platform: Platform) -> Evaluated {
    let mut config = ImageConfig::empty(platform);
    set_env(&mut config.config.env, "PATH", DEFAULT_PATH);
    config.config.working_dir = "/".to_owned();
    let scope = scope_of(&config);
    Evaluated {
        result: StageResult { state: State::Scratch, config, history: Vec::new(), base: None },
        scope,
    }
}
