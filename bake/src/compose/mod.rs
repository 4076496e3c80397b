//! Compose files: what stands under `build` of their services.
//!
//! Everything else in them is left alone; a compose file is not judged by what tug does not build.

mod build;
mod dot_env;
mod interpolate;
mod merge;
mod node;
mod scalar;
mod yaml;

pub(crate) use node::Node;
pub(crate) use yaml::parse;

use std::collections::BTreeMap;

use crate::Inputs;
use crate::definition::Definition;
use crate::error::{Problem, Result};
use crate::matrix;
use crate::target::Group;
use interpolate::Variables;

/// Adds the services of compose files, which are merged in their order, as targets.
pub(crate) fn read(files: Vec<(usize, Node)>, inputs: &Inputs, definition: &mut Definition) -> Result<()> {
    let mut variables: BTreeMap<String, String> = match &inputs.dot_env {
        Some(text) => dot_env::parse(text, &inputs.environment)?,
        None => BTreeMap::new(),
    };
    variables.extend(inputs.environment.clone());
    variables.extend(inputs.variables.clone());
    let variables = Variables::new(&variables);
    let mut whole: Option<Node> = None;
    for (_, mut root) in files {
        variables.interpolate(&mut root)?;
        match &mut whole {
            None => whole = Some(root),
            Some(whole) => merge::merge(whole, root),
        }
    }
    let Some(whole) = whole else { return Ok(()) };
    let nothing = Node::empty(whole.place);
    let secrets = whole.field("secrets").unwrap_or(&nothing);
    let services = merge::extended(whole.field("services").unwrap_or(&nothing))?;
    let mut group = Group::default();
    for (name, service) in &services {
        let Some(build) = service.field("build").filter(|build| !build.is_null()) else { continue };
        let target_name = name.text.replace('.', "_");
        matrix::check_name(&target_name, name.place)?;
        let target = build::target(service, build, secrets, &variables)?;
        definition.remember(&target_name, "", name.place);
        definition.remember(&target_name, "contexts", build.place);
        definition.add_target(target_name.clone(), target);
        group.targets.push(target_name);
    }
    definition.warnings.extend(variables.warnings());
    if !services.is_empty() {
        definition.add_group("default".to_owned(), group);
    }
    Ok(())
}

/// An error about a place in a compose file.
fn wrong(node: &Node, message: impl Into<String>) -> Box<Problem> {
    Problem::at(node.place, message)
}
