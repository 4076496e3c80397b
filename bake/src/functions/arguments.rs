//! Arguments as what a function needs them to be.

use std::collections::BTreeMap;

use super::Failure;
use crate::value::{Number, Value};

pub(super) fn fail(argument: usize, message: impl Into<String>) -> Failure {
    Failure { argument: Some(argument), message: message.into() }
}

fn wanted(arguments: &[Value], at: usize, what: &str) -> Failure {
    let kind = arguments.get(at).map_or("nothing", Value::kind);
    fail(at, format!("{what} is needed, not {kind}"))
}

pub(super) fn text(arguments: &[Value], at: usize) -> Result<String, Failure> {
    arguments.get(at).and_then(Value::text).ok_or_else(|| wanted(arguments, at, "text"))
}

pub(super) fn number(arguments: &[Value], at: usize) -> Result<Number, Failure> {
    arguments.get(at).and_then(Value::number).ok_or_else(|| wanted(arguments, at, "a number"))
}

pub(super) fn whole(arguments: &[Value], at: usize) -> Result<i128, Failure> {
    number(arguments, at)?.whole().ok_or_else(|| fail(at, "a whole number is needed"))
}

pub(super) fn truth(arguments: &[Value], at: usize) -> Result<bool, Failure> {
    arguments.get(at).and_then(Value::truth).ok_or_else(|| wanted(arguments, at, "true or false"))
}

pub(super) fn list(arguments: &[Value], at: usize) -> Result<&[Value], Failure> {
    match arguments.get(at) {
        Some(Value::List(values)) => Ok(values),
        _ => Err(wanted(arguments, at, "a list")),
    }
}

pub(super) fn texts(arguments: &[Value], at: usize) -> Result<Vec<String>, Failure> {
    let each = list(arguments, at)?.iter();
    each.map(|value| {
        value
            .text()
            .ok_or_else(|| fail(at, format!("a list of texts is needed, and {} is in it", value.kind())))
    })
    .collect()
}

pub(super) fn object(arguments: &[Value], at: usize) -> Result<&BTreeMap<String, Value>, Failure> {
    match arguments.get(at) {
        Some(Value::Object(fields)) => Ok(fields),
        _ => Err(wanted(arguments, at, "an object")),
    }
}

pub(super) fn any(arguments: &[Value], at: usize) -> Value {
    arguments.get(at).cloned().unwrap_or(Value::Null)
}
