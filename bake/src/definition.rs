//! From files to a definition: groups, targets, variables.

use std::collections::BTreeMap;

use crate::Inputs;
use crate::attributes;
use crate::compose;
use crate::error::{Problem, Result};
use crate::language::{Language, language};
use crate::matrix;
use crate::source::{File, Place};
use crate::syntax::{self, Body};
use crate::target::{Group, Target, once};
use crate::world::{self, Variable, World};

/// Everything that the files say.
#[derive(Clone, Debug, Default)]
pub struct Definition {
    /// Targets in the order in which they appear first.
    pub targets: Vec<(String, Target)>,
    /// Groups in the order in which they appear first.
    pub groups: Vec<(String, Group)>,
    /// Variables, sorted by name.
    pub variables: Vec<Variable>,
    /// What is probably not meant, such as a variable of a compose file that is not set.
    pub warnings: Vec<String>,
    /// Where each attribute of a target or group stands; the name itself is under the empty text.
    pub(crate) places: BTreeMap<(String, String), Place>,
    /// `SOURCE_DATE_EPOCH` of the environment.
    pub(crate) epoch: Option<String>,
}

/// Reads files, in their order: what comes later is merged into what was there.
///
/// # Errors
///
/// All that is wrong, as far as it can be told at once.
pub fn read(files: &[File], inputs: &Inputs) -> std::result::Result<Definition, Vec<Problem>> {
    let one = |problem: Box<Problem>| vec![*problem];
    let mut definition = Definition {
        epoch: inputs.environment.get("SOURCE_DATE_EPOCH").filter(|epoch| !epoch.is_empty()).cloned(),
        ..Definition::default()
    };
    let mut bodies: Vec<Body> = Vec::new();
    let mut services = Vec::new();
    for (index, file) in files.iter().enumerate() {
        match language(file, index).map_err(one)? {
            Language::Compose(root) => services.push((index, root)),
            Language::Json => bodies.push(syntax::parse_json(file, index).map_err(one)?),
            Language::Hcl => bodies.push(syntax::parse_hcl(file, index).map_err(one)?),
        }
    }
    if !services.is_empty() {
        compose::read(services, inputs, &mut definition).map_err(one)?;
    }
    if !bodies.is_empty() {
        let world = world::load(bodies, inputs).map_err(one)?;
        definition.fill(&world)?;
    }
    for (_, group) in &mut definition.groups {
        once(&mut group.targets);
    }
    Ok(definition)
}

impl Definition {
    /// The target of that name.
    pub fn target(&self, name: &str) -> Option<&Target> {
        self.targets.iter().find(|(known, _)| known == name).map(|(_, target)| target)
    }

    /// The group of that name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|(known, _)| known == name).map(|(_, group)| group)
    }

    /// Adds a target; one of the same name takes it in.
    pub(crate) fn add_target(&mut self, name: String, target: Target) {
        match self.targets.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => known.merge(target),
            None => self.targets.push((name, target)),
        }
    }

    /// Adds a group; it takes the place of one of the same name.
    pub(crate) fn add_group(&mut self, name: String, group: Group) {
        match self.groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = group,
            None => self.groups.push((name, group)),
        }
    }

    /// Where an attribute of a target or group stands, or at least its name.
    pub(crate) fn place(&self, name: &str, attribute: &str) -> Option<Place> {
        let place = |attribute: &str| self.places.get(&(name.to_owned(), attribute.to_owned()));
        place(attribute).or_else(|| place("")).copied()
    }

    /// A problem at that place; without one if the target comes from elsewhere.
    pub(crate) fn problem(&self, name: &str, attribute: &str, message: String) -> Box<Problem> {
        match self.place(name, attribute) {
            Some(place) => Problem::at(place, message),
            None => Problem::elsewhere(message),
        }
    }

    /// Evaluates the blocks of HCL and JSON files.
    fn fill(&mut self, world: &World<'_>) -> std::result::Result<(), Vec<Problem>> {
        let one = |problem: Box<Problem>| vec![*problem];
        self.variables = world.all_variables().map_err(one)?;
        let mut instances = Vec::new();
        let mut renamed: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (at, block) in world.blocks().iter().enumerate() {
            let of_block = matrix::instances(world, at, block).map_err(one)?;
            if block.kind == "target" {
                let names = of_block.iter().map(|instance| instance.name.clone());
                let label = matrix::label(block).map_err(one)?;
                renamed.entry(&label.text).or_default().extend(names);
            }
            instances.extend(of_block);
            if instances.len() > matrix::MAX_MATRIX {
                let message = format!("the definition has more than {} targets", matrix::MAX_MATRIX);
                return Err(one(Problem::at(block.kind_place, message)));
            }
        }
        world.name_blocks(instances.clone());
        let mut problems: Vec<Problem> = Vec::new();
        for instance in &instances {
            let block = &world.blocks()[instance.block];
            let added = match block.kind.as_str() {
                "target" => self.add_block(world, instance),
                _ => self.add_group_block(world, instance),
            };
            if let Err(problem) = added
                && !problems.contains(problem.as_ref())
            {
                problems.push(*problem);
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        for (label, mut names) in renamed {
            once(&mut names);
            if names.as_slice() != [label] && self.group(label).is_none() {
                self.groups.push((label.to_owned(), Group { description: None, targets: names }));
            }
        }
        Ok(())
    }

    fn add_block(&mut self, world: &World<'_>, instance: &world::Instance) -> Result<()> {
        let block = &world.blocks()[instance.block];
        let mut target = Target::default();
        if let Some(inner) = block.body.blocks.first() {
            return Err(no_blocks(inner));
        }
        self.remember(&instance.name, "", matrix::label(block)?.place);
        for attribute in &block.body.attributes {
            attributes::check_name("target", &attribute.name, attribute.name_place)?;
            if matches!(attribute.name.as_str(), "name" | "matrix") {
                continue;
            }
            let path = format!("target.{}.{}", instance.name, attribute.name);
            let _running = world.running.enter(&path, attribute.name_place)?;
            let value = world.evaluate(&attribute.value, &instance.scope())?;
            attributes::set(&mut target, &attribute.name, value, attribute.value.place)?;
            self.remember(&instance.name, &attribute.name, attribute.value.place);
        }
        self.add_target(instance.name.clone(), target);
        Ok(())
    }

    fn add_group_block(&mut self, world: &World<'_>, instance: &world::Instance) -> Result<()> {
        let block = &world.blocks()[instance.block];
        let mut group = Group::default();
        if let Some(inner) = block.body.blocks.first() {
            return Err(no_blocks(inner));
        }
        self.remember(&instance.name, "", matrix::label(block)?.place);
        for attribute in &block.body.attributes {
            let value = world.evaluate(&attribute.value, &instance.scope())?;
            attributes::set_group(&mut group, &attribute.name, value, attribute.value.place)?;
            self.remember(&instance.name, &attribute.name, attribute.value.place);
        }
        if block.body.attribute("targets").is_none() {
            let place = matrix::label(block)?.place;
            return Err(Problem::at(place, "the group has no `targets`").help("write `targets = [\"NAME\"]`"));
        }
        self.add_group(instance.name.clone(), group);
        Ok(())
    }

    pub(crate) fn remember(&mut self, name: &str, attribute: &str, place: Place) {
        self.places.insert((name.to_owned(), attribute.to_owned()), place);
    }
}

fn no_blocks(inner: &syntax::Block) -> Box<Problem> {
    let message = format!("`{}` is an attribute here, not a block", inner.kind);
    Problem::at(inner.kind_place, message).help(format!("write `{} = {{ … }}`", inner.kind))
}
