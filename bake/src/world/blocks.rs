//! Targets and groups as things that expressions can name: `target.app.args.VERSION`.

use super::World;
use crate::attributes;
use crate::error::{Problem, Result};
use crate::evaluate::Scope;
use crate::source::Place;
use crate::suggest;
use crate::syntax::{Block, Step};
use crate::value::Value;

/// A block after its matrix: the block, the name that came out, and the values of the matrix.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    /// Which block, from 0.
    pub(crate) block: usize,
    pub(crate) name: String,
    pub(crate) matrix: Vec<(String, Value)>,
}

impl Instance {
    /// The names that hold in the block.
    pub(crate) fn scope(&self) -> Scope<'_> {
        Scope::of(self.matrix.iter().map(|(name, value)| (name.as_str(), value.clone())).collect())
    }
}

impl World<'_> {
    /// Makes the blocks known by their final names.
    pub(crate) fn name_blocks(&self, instances: Vec<Instance>) {
        *self.instances.borrow_mut() = instances;
    }

    /// `kind.NAME.ATTRIBUTE`: its value, and how many steps behind `kind` that took.
    pub(crate) fn block_attribute(
        &self,
        kind: &str,
        root: Place,
        steps: &[Step],
        scope: &Scope<'_>,
    ) -> Result<(Value, usize)> {
        let (Some((name, name_place)), Some((attribute, place))) =
            (self.step_name(steps.first(), scope)?, self.step_name(steps.get(1), scope)?)
        else {
            return Err(Problem::at(root, format!("`{kind}` is no value by itself"))
                .help(format!("write `{kind}.NAME.ATTRIBUTE`")));
        };
        let instances = self.instances.borrow().clone();
        let of_kind = |instance: &&Instance| self.blocks[instance.block].kind == kind;
        let named: Vec<&Instance> =
            instances.iter().filter(of_kind).filter(|instance| instance.name == name).collect();
        if named.is_empty() {
            let known = instances.iter().filter(of_kind).map(|instance| instance.name.as_str());
            let problem = Problem::at(name_place, format!("there is no {kind} `{name}`"));
            return Err(problem.meant(suggest::closest(&name, known)));
        }
        if attribute == "name" {
            return Ok((name.into(), 2));
        }
        attributes::check_name(kind, &attribute, place)?;
        let path = format!("{kind}.{name}.{attribute}");
        if let Some(value) = self.values.borrow().get(&path) {
            return Ok((value.clone(), 2));
        }
        let _running = self.running.enter(&path, place)?;
        let mut value = Value::Null;
        for instance in named {
            let block: &Block = &self.blocks[instance.block];
            if let Some(found) = block.body.attribute(&attribute) {
                let own = self.evaluate(&found.value, &instance.scope())?;
                value = attributes::as_referred(&attribute, own);
            }
        }
        self.budget.spend(value.size(), place)?;
        self.values.borrow_mut().insert(path, value.clone());
        Ok((value, 2))
    }

    /// The name that a step takes, if it takes one.
    fn step_name(&self, step: Option<&Step>, scope: &Scope<'_>) -> Result<Option<(String, Place)>> {
        match step {
            Some(Step::Name(name, place)) => Ok(Some((name.clone(), *place))),
            Some(Step::Index(index)) => {
                let value = self.evaluate(index, scope)?;
                Ok(value.text().map(|name| (name, index.place)))
            }
            _ => Ok(None),
        }
    }
}
