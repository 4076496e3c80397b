//! `matrix` and `name`: one block becomes several targets.

use std::collections::BTreeSet;

use crate::error::{Problem, Result};
use crate::evaluate::Scope;
use crate::source::Place;
use crate::syntax::{Block, Label};
use crate::value::Value;
use crate::world::{Instance, World};

/// How many targets a matrix may make.
pub const MAX_MATRIX: usize = 4096;

/// The targets that a block stands for: one, or one for each combination of its matrix.
pub(crate) fn instances(world: &World<'_>, at: usize, block: &Block) -> Result<Vec<Instance>> {
    let label = label(block)?;
    check_name(&label.text, label.place)?;
    let (matrix, name) = (block.body.attribute("matrix"), block.body.attribute("name"));
    if block.kind == "group" {
        return Ok(vec![Instance { block: at, name: label.text.clone(), matrix: Vec::new() }]);
    }
    let Some(matrix) = matrix else {
        if let Some(name) = name {
            let problem = Problem::at(name.name_place, "`name` goes with a `matrix` only");
            return Err(problem.help(format!("the target is called `{}` already", label.text)));
        }
        return Ok(vec![Instance { block: at, name: label.text.clone(), matrix: Vec::new() }]);
    };
    let place = matrix.value.place;
    let axes = world.evaluate(&matrix.value, &Scope::default())?;
    let Value::Object(axes) = axes else {
        return Err(Problem::at(place, format!("a matrix is an object of lists, not {}", axes.kind())));
    };
    let mut combinations: Vec<Vec<(String, Value)>> = vec![Vec::new()];
    for (axis, values) in axes {
        let Value::List(values) = values else {
            return Err(Problem::at(place, format!("`{axis}` in a matrix is a list, not {}", values.kind())));
        };
        if combinations.len().saturating_mul(values.len()) > MAX_MATRIX {
            return Err(Problem::at(place, format!("the matrix makes more than {MAX_MATRIX} targets")));
        }
        let each = values.iter().flat_map(|value| {
            let axis = &axis;
            combinations.iter().map(move |before| {
                before.iter().cloned().chain([(axis.clone(), value.clone())]).collect::<Vec<_>>()
            })
        });
        combinations = each.collect();
    }
    let mut seen = BTreeSet::new();
    let mut instances = Vec::with_capacity(combinations.len());
    for matrix in combinations {
        let mut instance = Instance { block: at, name: label.text.clone(), matrix };
        if let Some(name) = name {
            let value = world.evaluate(&name.value, &instance.scope())?;
            instance.name = value.text().ok_or_else(|| {
                Problem::at(name.value.place, format!("a name must be text, not {}", value.kind()))
            })?;
            check_name(&instance.name, name.value.place)?;
        }
        if !seen.insert(instance.name.clone()) {
            let place = name.map_or(label.place, |name| name.value.place);
            let problem =
                Problem::at(place, format!("two targets of the matrix are called `{}`", instance.name));
            return Err(problem.help("give them different names: `name = \"app-${value}\"`"));
        }
        instances.push(instance);
    }
    Ok(instances)
}

/// The label of a block that has one; others were refused before.
pub(crate) fn label(block: &Block) -> Result<&Label> {
    block
        .labels
        .first()
        .ok_or_else(|| Problem::at(block.kind_place, format!("the {} has no name", block.kind)))
}

/// Letters, digits, `_` and `-` make a name.
pub(crate) fn check_name(name: &str, place: Place) -> Result<()> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    if !name.is_empty() && name.chars().all(allowed) {
        return Ok(());
    }
    let problem =
        Problem::at(place, format!("`{name}` cannot be a name")).label("letters, digits, `_` and `-` can");
    Err(problem.help("`sanitize(…)` makes a name of any text"))
}
