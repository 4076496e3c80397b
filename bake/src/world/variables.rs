//! Variables and attributes at the top of a file.
//!
//! The value of `NAME` is, the first that is there: what the caller has set for the variable (`--var`), the environment,
//! the attribute `NAME = …` at the top of a file, the default. Only what a `variable` block declares can be set from
//! outside.

use super::{VariableBlock, World};
use crate::error::{Problem, Result};
use crate::evaluate::Scope;
use crate::source::Place;
use crate::suggest;
use crate::syntax::{Expression, Kind};
use crate::types::Type;
use crate::value::{Number, Value};

/// A variable of a definition, for people to look at.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its type, if it has one.
    pub kind: Option<String>,
    /// Its value now; `None` for null.
    pub value: Option<String>,
    /// What it is for.
    pub description: Option<String>,
}

impl World<'_> {
    /// The value of a name in an expression.
    pub(crate) fn variable(&self, name: &str, place: Place, scope: &Scope<'_>) -> Result<Value> {
        if let Some(value) = scope.find(name) {
            return Ok(value.clone());
        }
        if let Some(value) = self.inputs.builtins.get(name) {
            return Ok(value.as_str().into());
        }
        if let Some(value) = self.values.borrow().get(name) {
            return Ok(value.clone());
        }
        if Self::has_blocks(name) {
            return Err(Problem::at(place, format!("`{name}` is no value by itself"))
                .help(format!("write `{name}.NAME.ATTRIBUTE`")));
        }
        let (attribute, variable) = (self.attributes.get(name), self.variables.get(name));
        if attribute.is_none() && variable.is_none() {
            return Err(self.unknown_variable(name, place, scope));
        }
        let _running = self.running.enter(name, place)?;
        let default = attribute.map(|attribute| &attribute.value);
        let default = default.or_else(|| variable.and_then(|variable| variable.default.as_ref()));
        let value = match variable {
            Some(variable) => self.declared(name, variable, default)?,
            None => self.default_value(default, None)?,
        };
        self.budget.spend(value.size(), place)?;
        self.values.borrow_mut().insert(name.to_owned(), value.clone());
        Ok(value)
    }

    /// The value of a variable that can be set from outside.
    fn declared(&self, name: &str, block: &VariableBlock, default: Option<&Expression>) -> Result<Value> {
        let kind = block.kind.as_ref().map(Type::of).transpose()?;
        let wrong = |message: String, origin: &str| {
            Problem::at(block.label.place, format!("the variable `{name}` cannot be what {origin} says"))
                .label(message)
        };
        let given = self.inputs.given(name);
        if let Some(kind) = &kind {
            let json_name = format!("{name}_JSON");
            let json = self.inputs.given(&json_name).filter(|_| !self.variables.contains_key(&json_name));
            return match (given, json) {
                (Some((_, origin)), Some(_)) => {
                    let message = format!("both `{name}` and `{json_name}` are set");
                    Err(Problem::at(block.label.place, message).label(format!("{origin} has the other one")))
                }
                (None, Some((text, origin))) => {
                    let json: serde_json::Value = serde_json::from_str(text)
                        .map_err(|_| wrong(format!("`{json_name}` is not JSON"), origin))?;
                    kind.convert(Value::from_json(&json)).map_err(|error| wrong(error, origin))
                }
                (Some((text, origin)), None) => kind.read(text).map_err(|error| wrong(error, origin)),
                (None, None) => self.default_value(default, Some(kind)),
            };
        }
        let Some((text, origin)) = given else {
            return match default {
                Some(_) => self.default_value(default, None),
                None => Ok(Value::from("")),
            };
        };
        match self.default_value(default, None)? {
            Value::Null | Value::String(_) => Ok(text.into()),
            Value::Bool(_) => match text.to_ascii_lowercase().as_str() {
                "1" | "t" | "true" => Ok(Value::Bool(true)),
                "0" | "f" | "false" => Ok(Value::Bool(false)),
                _ => Err(wrong(format!("`{text}` is neither true nor false"), origin)),
            },
            Value::Number(_) => Number::parse(text)
                .map(Value::Number)
                .ok_or_else(|| wrong(format!("`{text}` is not a number"), origin)),
            value @ (Value::List(_) | Value::Object(_)) => {
                let message = format!("its default is {}", value.kind());
                Err(wrong(message, origin).help("give the variable a type, such as `type = list(string)`"))
            }
        }
    }

    fn default_value(&self, default: Option<&Expression>, kind: Option<&Type>) -> Result<Value> {
        let Some(default) = default else { return Ok(Value::Null) };
        let value = self.evaluate(default, &Scope::default())?;
        match kind {
            None => Ok(value),
            Some(kind) => kind.convert(value).map_err(|error| {
                Problem::at(default.place, format!("the default is not of the type `{kind}`")).label(error)
            }),
        }
    }

    fn unknown_variable(&self, name: &str, place: Place, scope: &Scope<'_>) -> Box<Problem> {
        let known = self.variables.keys().chain(self.attributes.keys()).chain(self.inputs.builtins.keys());
        let known = known.map(String::as_str).chain(scope.names());
        let problem = Problem::at(place, format!("there is no variable `{name}`"));
        match suggest::closest(name, known) {
            Some(meant) => problem.meant(Some(meant)),
            None => problem.help(format!("declare it: `variable \"{name}\" {{}}`")),
        }
    }

    /// All variables, with their values, sorted by name; their validations are checked.
    pub(crate) fn all_variables(&self) -> Result<Vec<Variable>> {
        let mut all = Vec::with_capacity(self.variables.len());
        for (name, block) in &self.variables {
            if self.inputs.builtins.contains_key(name) || Self::has_blocks(name) {
                continue;
            }
            let value = self.variable(name, block.label.place, &Scope::default())?;
            let kind = match &block.kind {
                Some(kind) => Some(Type::of(kind)?.to_string()),
                None => match value {
                    Value::Bool(_) => Some("bool".to_owned()),
                    Value::Number(_) => Some("number".to_owned()),
                    Value::String(_) => Some("string".to_owned()),
                    _ => None,
                },
            };
            let description = match &block.description {
                Some(Expression { kind: Kind::Literal(text), .. }) => text.text(),
                Some(text) => self.evaluate(text, &Scope::default())?.text(),
                None => None,
            };
            let value = if value == Value::Null { None } else { Some(value.to_string()) };
            all.push(Variable { name: name.clone(), kind, value, description });
        }
        self.validate()?;
        for attribute in self.attributes.values() {
            self.variable(&attribute.name, attribute.name_place, &Scope::default())?;
        }
        Ok(all)
    }

    fn validate(&self) -> Result<()> {
        let nothing = Scope::default();
        for (name, block) in &self.variables {
            for validation in &block.validations {
                let met = self.evaluate(&validation.condition, &nothing)?;
                let Some(met) = met.truth() else {
                    let message = format!("a condition must be true or false, not {}", met.kind());
                    return Err(Problem::at(validation.condition.place, message));
                };
                if met {
                    continue;
                }
                let text = match &validation.message {
                    Some(message) => self.evaluate(message, &nothing)?.to_string(),
                    None => String::new(),
                };
                let text =
                    if text.is_empty() { format!("the value of `{name}` is not allowed") } else { text };
                return Err(Problem::at(validation.condition.place, text)
                    .label(format!("not so for the value of `{name}`")));
            }
        }
        Ok(())
    }
}
