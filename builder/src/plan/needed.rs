//! What the target needs: which stages, and which layers as folders.

use std::collections::BTreeSet;

use tug_dockerfile::{Dockerfile, InstructionKind, Stage, closest, expand};

use super::scope::Globals;
use super::stages::{PlanError, stage_label, stage_names};
use super::{Action, State, Step};
use crate::error::Problem;
use crate::event::StepId;

/// The stage that `name` means; the last one by default.
pub(super) fn target(dockerfile: &Dockerfile, name: Option<&str>) -> Result<usize, PlanError> {
    find_target(dockerfile, name).map_err(PlanError::Problems)
}

/// The same for those who do not plan.
pub(crate) fn find_target(dockerfile: &Dockerfile, name: Option<&str>) -> Result<usize, Vec<Problem>> {
    let stages = &dockerfile.stages;
    let Some(name) = name else { return Ok(stages.len() - 1) };
    if let Some(found) = named_or_numbered(stages, name) {
        return Ok(found);
    }
    let names = stage_names(dockerfile);
    let help = match closest(name, &names) {
        Some(similar) => format!("did you mean `{similar}`?"),
        None if names.is_empty() => {
            format!("stages have no names here; numbers go from 0 to {}", stages.len() - 1)
        }
        None => format!("the stages are: `{}`", names.join("`, `")),
    };
    let problem = Problem::new(0..0, format!("no stage named `{name}`")).help(help);
    Err(vec![problem])
}

/// The stage that `name` means, if there is one.
pub(crate) fn target_number(dockerfile: &Dockerfile, name: Option<&str>) -> Option<usize> {
    if dockerfile.stages.is_empty() { None } else { find_target(dockerfile, name).ok() }
}

/// The labels of the stages that are named here, by name or number.
pub(super) fn labels(dockerfile: &Dockerfile, names: &[String]) -> Result<BTreeSet<String>, PlanError> {
    let mut labels = BTreeSet::new();
    for name in names {
        // Several stages may have one name.
        let lower = name.to_lowercase();
        let called = |stage: &&Stage| stage.from.name.as_ref().is_some_and(|own| own.as_str() == lower);
        let found: Vec<&Stage> = dockerfile.stages.iter().filter(called).collect();
        let found = match found.is_empty() {
            true => vec![&dockerfile.stages[target(dockerfile, Some(name))?]],
            false => found,
        };
        labels.extend(found.into_iter().map(|stage| stage_label(dockerfile, stage)));
    }
    Ok(labels)
}

/// The last of `stages` that is called `name`. Case does not count.
pub(super) fn named(stages: &[Stage], name: &str) -> Option<usize> {
    let lower = name.to_lowercase();
    stages.iter().rposition(|stage| stage.from.name.as_ref().is_some_and(|own| own.as_str() == lower))
}

/// As [`named`], or the stage with that number: no stage has a number for its name.
pub(super) fn named_or_numbered(stages: &[Stage], name: &str) -> Option<usize> {
    named(stages, name).or_else(|| name.parse::<usize>().ok().filter(|number| *number < stages.len()))
}

/// The stages that `target` reads from, as far as the text shows it, lowest first, itself included.
/// `is_named` tells names that stand for something else than a stage.
pub(super) fn stages(
    dockerfile: &Dockerfile,
    globals: &Globals,
    target: usize,
    is_named: &dyn Fn(&str) -> bool,
) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut open = vec![target];
    while let Some(index) = open.pop() {
        if !found.insert(index) {
            continue;
        }
        let stage = &dockerfile.stages[index];
        if stage.from.name.as_ref().is_some_and(|name| is_named(name.as_str())) {
            continue;
        }
        let base = expand(&stage.from.image.raw, dockerfile.directives.escape, &|name| globals.lookup(name));
        let base = base.map(|expanded| expanded.text).unwrap_or_default();
        let read = stage.instructions.iter().flat_map(|instruction| match &instruction.kind {
            InstructionKind::Copy(copy) => copy.from.iter().map(|word| word.raw.as_str()).collect(),
            InstructionKind::Run(run) => super::mounts::names(run).collect(),
            _ => Vec::new(),
        });
        let before = &dockerfile.stages[..index];
        let read = read.filter(|name| !is_named(name)).filter_map(|name| named_or_numbered(before, name));
        // A number is no stage for FROM.
        open.extend(read.chain(named(before, &base).filter(|_| !is_named(&base))));
    }
    found
}

/// A layer must be a folder when a RUN has it below itself or mounts it.
pub(super) fn mark_materialised(steps: &mut [Step]) {
    let mut wanted: BTreeSet<StepId> = BTreeSet::new();
    for step in steps.iter_mut().rev() {
        step.materialise = wanted.contains(&step.summary.id);
        if let State::After(below) = step.below
            && (step.materialise || matches!(step.action, Action::Run(_)))
        {
            wanted.insert(below);
        }
        if let Action::Run(run) = &step.action {
            wanted.extend(super::mounts::uses(&run.mounts));
        }
    }
}
