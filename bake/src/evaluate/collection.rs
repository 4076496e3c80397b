//! Steps into lists and objects, splats, and `for`.

use std::collections::BTreeMap;

use super::Scope;
use crate::error::{Problem, Result};
use crate::source::Place;
use crate::suggest;
use crate::syntax::{Expression, For, Kind, Step};
use crate::value::Value;
use crate::world::World;

impl World<'_> {
    pub(super) fn traverse(&self, root: &Expression, steps: &[Step], scope: &Scope<'_>) -> Result<Value> {
        if let (Kind::Variable(kind), None) = (&root.kind, self.local(root, scope))
            && World::has_blocks(kind)
        {
            let (value, used) = self.block_attribute(kind, root.place, steps, scope)?;
            return self.walk(value, &steps[used..], scope);
        }
        let value = self.evaluate(root, scope)?;
        self.walk(value, steps, scope)
    }

    fn local<'a>(&self, root: &Expression, scope: &'a Scope<'_>) -> Option<&'a Value> {
        match &root.kind {
            Kind::Variable(name) => scope.find(name),
            _ => None,
        }
    }

    fn walk(&self, mut value: Value, steps: &[Step], scope: &Scope<'_>) -> Result<Value> {
        for (at, step) in steps.iter().enumerate() {
            value = match step {
                Step::Name(name, place) => field(&value, name, *place)?,
                Step::Index(index) => self.index(&value, index, scope)?,
                Step::Splat { full, place } => {
                    let rest = &steps[at + 1..];
                    let names = rest.iter().take_while(|step| matches!(step, Step::Name(..))).count();
                    let used = if *full { rest.len() } else { names };
                    let each = match value {
                        Value::Null => Vec::new(),
                        Value::List(values) => values,
                        other => vec![other],
                    };
                    let mut values = Vec::with_capacity(each.len());
                    for value in each {
                        let _level = self.budget.enter(*place)?;
                        values.push(self.walk(value, &rest[..used], scope)?);
                    }
                    return self.walk(Value::List(values), &rest[used..], scope);
                }
            };
        }
        Ok(value)
    }

    fn index(&self, value: &Value, index: &Expression, scope: &Scope<'_>) -> Result<Value> {
        let key = self.evaluate(index, scope)?;
        let wrong = |message: String| Problem::at(index.place, message);
        match value {
            Value::List(values) => {
                let number = key.number().ok_or_else(|| wrong(format!("a list has no element {key}")))?;
                let found = number.index().and_then(|at| values.get(at));
                found.cloned().ok_or_else(|| {
                    wrong(format!("the list has no element {number}"))
                        .label(format!("it has {}", values.len()))
                })
            }
            Value::Object(fields) => {
                let name = key.text().ok_or_else(|| wrong(format!("{} is no name", key.kind())))?;
                let closest = suggest::closest(&name, fields.keys().map(String::as_str));
                let found = fields.get(&name).cloned();
                found.ok_or_else(|| wrong(format!("the object has no `{name}`")).meant(closest))
            }
            other => Err(wrong(format!("{} has no elements", other.kind()))),
        }
    }

    pub(super) fn each(&self, each: &For, place: Place, scope: &Scope<'_>) -> Result<Value> {
        let all = self.evaluate(&each.collection, scope)?;
        let mut list = Vec::new();
        let mut fields: BTreeMap<String, Value> = BTreeMap::new();
        for (key, value) in elements(&all, each.collection.place)? {
            let mut names = vec![(each.value_name.as_str(), value)];
            names.extend(each.key_name.as_deref().map(|name| (name, key)));
            let inner = scope.with(names);
            if let Some(condition) = &each.condition {
                let chosen = self.evaluate(condition, &inner)?;
                let Some(chosen) = chosen.truth() else {
                    let message = format!("a condition must be true or false, not {}", chosen.kind());
                    return Err(Problem::at(condition.place, message));
                };
                if !chosen {
                    continue;
                }
            }
            let made = self.evaluate(&each.value, &inner)?;
            self.budget.spend(made.size(), place)?;
            let Some(key) = &each.key else {
                list.push(made);
                continue;
            };
            let name = self.evaluate(key, &inner)?;
            let Some(name) = name.text() else {
                return Err(Problem::at(key.place, format!("a name must be text, not {}", name.kind())));
            };
            match (each.grouping, fields.get_mut(&name)) {
                (true, Some(Value::List(group))) => group.push(made),
                (true, _) => drop(fields.insert(name, Value::List(vec![made]))),
                (false, Some(_)) => {
                    let message = format!("two elements have the name `{name}`");
                    return Err(
                        Problem::at(key.place, message).help("with `…` behind the value they are grouped")
                    );
                }
                (false, None) => drop(fields.insert(name, made)),
            }
        }
        Ok(if each.key.is_some() { Value::Object(fields) } else { Value::List(list) })
    }
}

/// What `for` goes through: index or name, and value.
pub(super) fn elements(value: &Value, place: Place) -> Result<Vec<(Value, Value)>> {
    match value {
        Value::List(values) => {
            Ok(values.iter().enumerate().map(|(at, value)| (Value::from(at), value.clone())).collect())
        }
        Value::Object(fields) => {
            Ok(fields.iter().map(|(name, value)| (Value::from(name.as_str()), value.clone())).collect())
        }
        other => {
            Err(Problem::at(place, format!("`for` goes through lists and objects, not {}", other.kind())))
        }
    }
}

fn field(value: &Value, name: &str, place: Place) -> Result<Value> {
    let Value::Object(fields) = value else {
        return Err(Problem::at(place, format!("{} has no `{name}`", value.kind())));
    };
    let closest = suggest::closest(name, fields.keys().map(String::as_str));
    let found = fields.get(name).cloned();
    found.ok_or_else(|| Problem::at(place, format!("the object has no `{name}`")).meant(closest))
}
