//! Sorts what stands in the files: variables, functions, targets, groups, and attributes at the top.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::cycle::Running;
use super::{Function, Surroundings, Validation, VariableBlock, World};
use crate::Inputs;
use crate::error::{Problem, Result};
use crate::evaluate::Budget;
use crate::suggest;
use crate::syntax::{Attribute, Block, Body, Expression, Kind, Label};
use crate::value::Value;

const BLOCKS: [&str; 4] = ["target", "group", "variable", "function"];

/// Fills a world with the bodies of the files, in their order: what comes later wins.
pub(crate) fn load(bodies: Vec<Body>, inputs: &Inputs) -> Result<World<'_>> {
    let mut world = World {
        inputs,
        surroundings: Surroundings {
            now: inputs.now,
            home: inputs.environment.get("HOME").cloned().unwrap_or_default(),
            seed: inputs.seed,
            drawn: Cell::new(0),
        },
        budget: Budget::default(),
        running: Running::default(),
        variables: BTreeMap::new(),
        attributes: BTreeMap::new(),
        functions: BTreeMap::new(),
        blocks: Vec::new(),
        instances: RefCell::new(Vec::new()),
        values: RefCell::new(BTreeMap::new()),
    };
    for body in bodies {
        for attribute in body.attributes {
            if BLOCKS.contains(&attribute.name.as_str()) {
                let message = format!("`{}` is a block, not an attribute", attribute.name);
                let help = format!("write `{} \"NAME\" {{ … }}`", attribute.name);
                return Err(Problem::at(attribute.name_place, message).help(help));
            }
            world.attributes.insert(attribute.name.clone(), attribute);
        }
        for block in body.blocks {
            let label = label(&block)?;
            match block.kind.as_str() {
                "variable" => drop(world.variables.insert(label.text.clone(), variable(block, label)?)),
                "function" => drop(world.functions.insert(label.text, function(block)?)),
                _ => world.blocks.push(block),
            }
        }
    }
    Ok(world)
}

/// The one label of a block.
fn label(block: &Block) -> Result<Label> {
    if !BLOCKS.contains(&block.kind.as_str()) {
        let problem = Problem::at(block.kind_place, format!("there is no block `{}`", block.kind));
        return Err(problem
            .label("`target`, `group`, `variable` or `function`")
            .meant(suggest::closest(&block.kind, BLOCKS)));
    }
    match block.labels.as_slice() {
        [label] => Ok(label.clone()),
        [] => {
            let problem = Problem::at(block.kind_place, format!("the {} has no name", block.kind));
            Err(problem.help(format!("write `{} \"NAME\" {{ … }}`", block.kind)))
        }
        [_, second, ..] => Err(Problem::at(second.place, format!("a {} has one name only", block.kind))),
    }
}

fn variable(block: Block, label: Label) -> Result<VariableBlock> {
    const KNOWN: [&str; 3] = ["default", "type", "description"];
    let mut made =
        VariableBlock { label, default: None, kind: None, description: None, validations: Vec::new() };
    for attribute in block.body.attributes {
        match attribute.name.as_str() {
            "default" => made.default = Some(attribute.value),
            "type" => made.kind = Some(attribute.value),
            "description" => made.description = Some(attribute.value),
            _ => return Err(unknown("variable", &attribute, &KNOWN)),
        }
    }
    for inner in block.body.blocks {
        if inner.kind != "validation" {
            let problem = Problem::at(inner.kind_place, format!("a variable has no block `{}`", inner.kind));
            return Err(problem.meant(suggest::closest(&inner.kind, ["validation"])));
        }
        made.validations.push(validation(inner)?);
    }
    Ok(made)
}

fn validation(block: Block) -> Result<Validation> {
    const KNOWN: [&str; 2] = ["condition", "error_message"];
    let (mut condition, mut message) = (None, None);
    for attribute in block.body.attributes {
        match attribute.name.as_str() {
            "condition" => condition = Some(attribute.value),
            "error_message" => message = Some(attribute.value),
            _ => return Err(unknown("validation", &attribute, &KNOWN)),
        }
    }
    let place = block.kind_place;
    let condition = condition.ok_or_else(|| Problem::at(place, "the validation has no `condition`"))?;
    Ok(Validation { condition, message })
}

fn function(block: Block) -> Result<Function> {
    const KNOWN: [&str; 3] = ["params", "variadic_params", "result"];
    let (mut parameters, mut variadic, mut result) = (None, None, None);
    for attribute in block.body.attributes {
        match attribute.name.as_str() {
            "params" => parameters = Some(names(&attribute.value)?),
            "variadic_params" => variadic = Some(name(&attribute.value)?),
            "result" => result = Some(attribute.value),
            _ => return Err(unknown("function", &attribute, &KNOWN)),
        }
    }
    let missing = |name: &str| Problem::at(block.kind_place, format!("the function has no `{name}`"));
    Ok(Function {
        parameters: parameters.ok_or_else(|| missing("params"))?,
        variadic,
        result: result.ok_or_else(|| missing("result"))?,
    })
}

fn names(expression: &Expression) -> Result<Vec<String>> {
    match &expression.kind {
        Kind::List(values) => values.iter().map(name).collect(),
        _ => Err(Problem::at(expression.place, "a list of names is needed here")),
    }
}

/// A bare word; in JSON it stands in a string.
fn name(expression: &Expression) -> Result<String> {
    match &expression.kind {
        Kind::Variable(name) => Ok(name.clone()),
        Kind::Literal(Value::String(name)) => Ok(name.clone()),
        _ => Err(Problem::at(expression.place, "the name of a parameter is needed here")),
    }
}

fn unknown(what: &str, attribute: &Attribute, known: &[&str]) -> Box<Problem> {
    Problem::at(attribute.name_place, format!("a {what} has no attribute `{}`", attribute.name))
        .label(format!("it has {}", list(known)))
        .meant(suggest::closest(&attribute.name, known.iter().copied()))
}

fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
