//! Lists as sets. A set has each value once, and is sorted where its values are texts or numbers.

use super::arguments::{any, fail, list};
use super::collection::distinct;
use super::{Builtin, Failure, Outcome, Surroundings};
use crate::value::Value;

pub(super) const ALL: &[Builtin] = &[
    Builtin::new("sethaselement", 2, 2, |arguments, _| {
        Ok(list(arguments, 0)?.contains(&any(arguments, 1)).into())
    }),
    Builtin::many("setintersection", 1, |arguments, _| {
        let mut kept = distinct(list(arguments, 0)?);
        for at in 1..arguments.len() {
            let other = list(arguments, at)?;
            kept.retain(|value| other.contains(value));
        }
        Ok(sorted(kept))
    }),
    Builtin::many("setproduct", 1, setproduct),
    Builtin::new("setsubtract", 2, 2, |arguments, _| {
        let other = list(arguments, 1)?;
        let mut kept = distinct(list(arguments, 0)?);
        kept.retain(|value| !other.contains(value));
        Ok(sorted(kept))
    }),
    Builtin::many("setsymmetricdifference", 1, |arguments, _| {
        let mut result: Vec<Value> = Vec::new();
        for at in 0..arguments.len() {
            let other = distinct(list(arguments, at)?);
            let fresh: Vec<Value> = other.iter().filter(|value| !result.contains(value)).cloned().collect();
            result.retain(|value| !other.contains(value));
            result.extend(fresh);
        }
        Ok(sorted(result))
    }),
    Builtin::many("setunion", 1, |arguments, _| {
        let mut all = Vec::new();
        for at in 0..arguments.len() {
            all.extend_from_slice(list(arguments, at)?);
        }
        Ok(sorted(distinct(&all)))
    }),
];

fn sorted(mut values: Vec<Value>) -> Value {
    values.sort_by(|one, two| match (one, two) {
        (Value::String(one), Value::String(two)) => one.cmp(two),
        (Value::Number(one), Value::Number(two)) => one.partial_cmp(two).unwrap_or(std::cmp::Ordering::Equal),
        _ => std::cmp::Ordering::Equal,
    });
    Value::List(values)
}

/// Every combination of one value of each list.
fn setproduct(arguments: &[Value], _: &Surroundings) -> Outcome {
    const MOST: usize = 10_000;
    let lists = (0..arguments.len()).map(|at| list(arguments, at)).collect::<Result<Vec<_>, Failure>>()?;
    let count = lists.iter().try_fold(1usize, |count, list| count.checked_mul(list.len()));
    if count.is_none_or(|count| count > MOST) {
        return Err(fail(0, format!("there are more than {MOST} combinations")));
    }
    let mut all: Vec<Vec<Value>> = vec![Vec::new()];
    for list in lists {
        let longer = |start: &Vec<Value>| {
            let start = start.clone();
            list.iter()
                .map(move |value| start.iter().cloned().chain([value.clone()]).collect())
                .collect::<Vec<_>>()
        };
        all = all.iter().flat_map(longer).collect();
    }
    Ok(Value::List(all.into_iter().map(Value::List).collect()))
}
