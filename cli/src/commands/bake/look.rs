//! Targets that are looked at instead of built: `call = "check"`, `--check`, `--call`.

use tug_bake::Plan;

use super::super::build;
use super::words;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::settings::Settings;

/// Looks at the targets that say so. Returns how that ended, if there were any, and the plan without them.
pub(super) fn at_some(mut plan: Plan, settings: &Settings) -> Result<(Option<Exit>, Plan), CommandError> {
    let mut exit = None;
    let mut looked = Vec::new();
    let several = plan.targets.values().filter(|target| !target.linked).count() > 1;
    for (name, target) in plan.targets.iter().filter(|(_, target)| !target.linked) {
        let understood = words::understand(name, target, &[])?;
        let Some(call) = understood.arguments.check.call() else { continue };
        if several && call.format == build::Format::Text {
            settings.output.note(format_args!("{name}:"));
        }
        let text = words::inline_dockerfile(name, target);
        let ended = build::look(call, &understood.arguments, text, settings)?;
        let failed = exit.is_some_and(|exit| !matches!(exit, Exit::Success));
        exit = if failed { exit } else { Some(ended) };
        looked.push(name.clone());
    }
    plan.targets.retain(|name, _| !looked.contains(name));
    if plan.targets.values().all(|target| target.linked) {
        plan.targets.clear();
    }
    Ok((exit, plan))
}
