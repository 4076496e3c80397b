//! `tug bake`: many images at once, as a bake file or a compose file describes them.
//!
//! Every target becomes the words of a `tug build`, which are parsed as if they had been typed; so each flag of `build`
//! means the same here. Then all targets are built as one graph, in which equal steps are done once.

mod allowed;
mod arguments;
mod execute;
mod files;
mod list;
mod look;
mod problems;
mod words;

pub(crate) use arguments::BakeArguments;

use tug_bake::Plan;

use crate::error::CommandError;
use crate::exit::Exit;
use crate::settings::Settings;

/// Prints, lists, or builds.
pub(super) fn run(arguments: &BakeArguments, settings: &Settings) -> Result<Exit, CommandError> {
    let environment = &settings.environment;
    arguments.refuse_addresses()?;
    let files = files::read(arguments, environment)?;
    let inputs = files::inputs(arguments, environment)?;
    let definition = tug_bake::read(&files, &inputs).map_err(|problems| problems::error(problems, &files))?;
    if let Some(list) = &arguments.list {
        return list::write(list, &definition, &settings.output).map(|()| Exit::Success);
    }
    let sets = arguments.sets();
    let plan: Plan = definition
        .plan(&arguments.targets, &sets, |name| inputs.environment.get(name).cloned())
        .map_err(|problem| problems::error(vec![problem], &files))?;
    for warning in &definition.warnings {
        settings.output.warning(warning);
    }
    if arguments.print {
        let json = serde_json::to_string_pretty(&plan.to_json()).unwrap_or_default();
        return settings.output.line(json).map(|()| Exit::Success);
    }
    if plan.targets.is_empty() {
        return Err(CommandError::failed("there is nothing to build")
            .hint("`tug bake --list targets` shows what there is"));
    }
    allowed::check(&plan, arguments, environment)?;
    let (looked, plan) = look::at_some(plan, settings)?;
    match looked {
        Some(exit) if plan.targets.is_empty() => Ok(exit),
        _ => execute::run(&plan, arguments, settings),
    }
}
