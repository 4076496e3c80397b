//! Lists and objects.

use std::collections::BTreeMap;

use super::arguments::{any, fail, list, number, object, text, texts};
use super::{Builtin, Failure, Outcome, Surroundings};
use crate::value::{Number, Value};

pub(super) const ALL: &[Builtin] = &[
    Builtin::new("chunklist", 2, 2, chunklist),
    Builtin::many("coalesce", 1, |arguments, _| {
        let found = arguments.iter().find(|value| **value != Value::Null);
        found.cloned().ok_or_else(|| fail(0, "all arguments are null"))
    }),
    Builtin::many("coalescelist", 1, coalescelist),
    Builtin::new("compact", 1, 1, |arguments, _| {
        let texts = texts(arguments, 0)?.into_iter();
        Ok(Value::List(texts.filter(|text| !text.is_empty()).map(Value::from).collect()))
    }),
    Builtin::many("concat", 1, |arguments, _| {
        let mut all = Vec::new();
        for at in 0..arguments.len() {
            all.extend_from_slice(list(arguments, at)?);
        }
        Ok(all.into())
    }),
    Builtin::new("contains", 2, 2, |arguments, _| {
        Ok(list(arguments, 0)?.contains(&any(arguments, 1)).into())
    }),
    Builtin::new("distinct", 1, 1, |arguments, _| Ok(distinct(list(arguments, 0)?).into())),
    Builtin::new("element", 2, 2, element),
    Builtin::new("flatten", 1, 1, |arguments, _| {
        let mut flat = Vec::new();
        flatten(list(arguments, 0)?, &mut flat);
        Ok(flat.into())
    }),
    Builtin::new("hasindex", 2, 2, |arguments, _| Ok(find(arguments)?.is_some().into())),
    Builtin::new("index", 2, 2, |arguments, _| {
        find(arguments)?.cloned().ok_or_else(|| fail(1, "there is no such element"))
    }),
    Builtin::new("indexof", 2, 2, |arguments, _| {
        let wanted = any(arguments, 1);
        let found = list(arguments, 0)?.iter().position(|value| *value == wanted);
        found.map(Value::from).ok_or_else(|| fail(1, "the list does not have it"))
    }),
    Builtin::new("keys", 1, 1, |arguments, _| {
        Ok(Value::List(object(arguments, 0)?.keys().map(|name| name.as_str().into()).collect()))
    }),
    Builtin::new("length", 1, 1, |arguments, _| match &arguments[0] {
        Value::List(values) => Ok(values.len().into()),
        Value::Object(fields) => Ok(fields.len().into()),
        other => {
            Err(fail(0, format!("a list or an object is needed, not {}; `strlen` is for text", other.kind())))
        }
    }),
    Builtin::new("lookup", 2, 3, |arguments, _| {
        let found = object(arguments, 0)?.get(&text(arguments, 1)?);
        let found = found.or_else(|| arguments.get(2));
        found.cloned().ok_or_else(|| fail(1, "the object does not have it"))
    }),
    Builtin::many("merge", 0, |arguments, _| {
        let mut all = BTreeMap::new();
        for at in (0..arguments.len()).filter(|at| arguments[*at] != Value::Null) {
            all.extend(object(arguments, at)?.clone());
        }
        Ok(Value::Object(all))
    }),
    Builtin::new("range", 1, 3, range),
    Builtin::new("reverselist", 1, 1, |arguments, _| {
        Ok(Value::List(list(arguments, 0)?.iter().rev().cloned().collect()))
    }),
    Builtin::new("slice", 3, 3, slice),
    Builtin::new("sort", 1, 1, |arguments, _| {
        let mut texts = texts(arguments, 0)?;
        texts.sort();
        Ok(Value::List(texts.into_iter().map(Value::from).collect()))
    }),
    Builtin::new("values", 1, 1, |arguments, _| {
        Ok(Value::List(object(arguments, 0)?.values().cloned().collect()))
    }),
    Builtin::new("zipmap", 2, 2, |arguments, _| {
        let (names, values) = (texts(arguments, 0)?, list(arguments, 1)?);
        if names.len() != values.len() {
            return Err(fail(1, format!("{} names and {} values", names.len(), values.len())));
        }
        Ok(Value::Object(names.into_iter().zip(values.iter().cloned()).collect()))
    }),
];

/// Each value once, where it stands first.
pub(super) fn distinct(values: &[Value]) -> Vec<Value> {
    let mut once: Vec<Value> = Vec::new();
    for value in values {
        if !once.contains(value) {
            once.push(value.clone());
        }
    }
    once
}

fn flatten(values: &[Value], flat: &mut Vec<Value>) {
    for value in values {
        match value {
            Value::List(inner) => flatten(inner, flat),
            other => flat.push(other.clone()),
        }
    }
}

fn chunklist(arguments: &[Value], _: &Surroundings) -> Outcome {
    let values = list(arguments, 0)?;
    match number(arguments, 1)?.index() {
        Some(0) => Ok(Value::List(vec![Value::List(values.to_vec())])),
        Some(size) => Ok(Value::List(values.chunks(size).map(|chunk| chunk.to_vec().into()).collect())),
        None => Err(fail(1, "a size is needed")),
    }
}

fn coalescelist(arguments: &[Value], _: &Surroundings) -> Outcome {
    for at in 0..arguments.len() {
        if arguments[at] != Value::Null && !list(arguments, at)?.is_empty() {
            return Ok(arguments[at].clone());
        }
    }
    Err(fail(0, "all lists are empty"))
}

/// The index goes around: behind the last element comes the first.
fn element(arguments: &[Value], _: &Surroundings) -> Outcome {
    let values = list(arguments, 0)?;
    let index = number(arguments, 1)?.whole().filter(|_| !values.is_empty());
    let index = index.ok_or_else(|| fail(0, "the list is empty, or the index no whole number"))?;
    let at = index.rem_euclid(values.len() as i128);
    Ok(values[usize::try_from(at).unwrap_or_default()].clone())
}

fn find(arguments: &[Value]) -> Result<Option<&Value>, Failure> {
    match &arguments[0] {
        Value::List(values) => {
            Ok(arguments[1].number().and_then(Number::index).and_then(|at| values.get(at)))
        }
        Value::Object(fields) => Ok(arguments[1].text().and_then(|name| fields.get(&name))),
        other => Err(fail(0, format!("a list or an object is needed, not {}", other.kind()))),
    }
}

fn range(arguments: &[Value], _: &Surroundings) -> Outcome {
    const MOST: usize = 10_000;
    let zero = Number::Whole(0);
    let (start, end) = match arguments.len() {
        1 => (zero, number(arguments, 0)?),
        _ => (number(arguments, 0)?, number(arguments, 1)?),
    };
    let step = match arguments.len() {
        3 => number(arguments, 2)?,
        _ => Number::Whole(if end < start { -1 } else { 1 }),
    };
    if step == zero || (step > zero) != (end > start) && start != end {
        return Err(fail(arguments.len() - 1, "the steps do not lead to the end"));
    }
    let mut values = Vec::new();
    let mut at = start;
    while if step > zero { at < end } else { at > end } {
        if values.len() >= MOST {
            return Err(fail(0, format!("a range has at most {MOST} numbers")));
        }
        values.push(at.into());
        match at.add(step) {
            Some(next) if next != at => at = next,
            _ => break,
        }
    }
    Ok(Value::List(values))
}

fn slice(arguments: &[Value], _: &Surroundings) -> Outcome {
    let values = list(arguments, 0)?;
    let start = number(arguments, 1)?.index().ok_or_else(|| fail(1, "an index is needed"))?;
    let end = number(arguments, 2)?.index().ok_or_else(|| fail(2, "an index is needed"))?;
    let found = values.get(start..end);
    found
        .map(|values| values.to_vec().into())
        .ok_or_else(|| fail(2, format!("the list has {} elements, not {start} to {end}", values.len())))
}
