//! Calls of functions: built in ones, those of the definition, and the three that look at their arguments as
//! expressions.

use super::Scope;
use crate::error::{Problem, Result};
use crate::functions::{self, Builtin, Failure};
use crate::source::Place;
use crate::suggest;
use crate::syntax::{Call, Expression};
use crate::types::Type;
use crate::value::Value;
use crate::world::{Function, World};

/// Functions that are no ordinary ones: `try` and `can` want to see errors, the second argument of `convert` is a type.
const SPECIAL: [&str; 3] = ["can", "convert", "try"];

impl World<'_> {
    pub(super) fn call(&self, call: &Call, place: Place, scope: &Scope<'_>) -> Result<Value> {
        if SPECIAL.contains(&call.name.as_str()) {
            return self.special(call, place, scope);
        }
        if let Some(builtin) = functions::find(&call.name) {
            let arguments = self.arguments(call, scope)?;
            let value = self.builtin(builtin, call, &arguments, place)?;
            self.budget.spend(value.size(), place)?;
            return Ok(value);
        }
        let Some(function) = self.function(&call.name) else {
            let builtins: [&[&str]; 2] = [&SPECIAL, &functions::names().collect::<Vec<_>>()];
            let known = builtins.concat().into_iter().chain(self.function_names());
            let meant = suggest::closest(&call.name, known);
            let problem = Problem::at(call.name_place, format!("there is no function `{}`", call.name));
            return Err(match functions::missing(&call.name) {
                Some(reason) => problem.help(reason),
                None => problem.meant(meant),
            });
        };
        let arguments = self.arguments(call, scope)?;
        self.own(function, call, arguments)
    }

    fn arguments(&self, call: &Call, scope: &Scope<'_>) -> Result<Vec<Value>> {
        let mut values =
            call.arguments.iter().map(|value| self.evaluate(value, scope)).collect::<Result<Vec<_>>>()?;
        if call.spread {
            let last = values.pop().unwrap_or(Value::Null);
            let Value::List(rest) = last else {
                let place = call.arguments.last().map_or(call.name_place, |last| last.place);
                return Err(Problem::at(place, format!("`...` spreads a list, not {}", last.kind())));
            };
            values.extend(rest);
        }
        Ok(values)
    }

    fn builtin(&self, builtin: &Builtin, call: &Call, arguments: &[Value], place: Place) -> Result<Value> {
        let count = arguments.len();
        if count < builtin.least || builtin.most.is_some_and(|most| count > most) {
            let message = format!("`{}` takes {}, not {count}", call.name, builtin.takes());
            return Err(Problem::at(call.name_place, message));
        }
        (builtin.work)(arguments, &self.surroundings).map_err(|failure| {
            let Failure { argument, message } = failure;
            let at = argument.and_then(|argument| call.arguments.get(argument));
            let at = at.map_or(place, |argument: &Expression| argument.place);
            Problem::at(at, format!("`{}`: {message}", call.name))
        })
    }

    /// A function that the definition itself defines.
    fn own(&self, function: &Function, call: &Call, arguments: Vec<Value>) -> Result<Value> {
        let count = arguments.len();
        let wanted = function.parameters.len();
        if count < wanted || (count > wanted && function.variadic.is_none()) {
            let takes = if wanted == 1 { "1 argument".to_owned() } else { format!("{wanted} arguments") };
            let message = format!("`{}` takes {takes}, not {count}", call.name);
            return Err(Problem::at(call.name_place, message));
        }
        let _running = self.running.enter(&format!("{}()", call.name), call.name_place)?;
        let mut arguments = arguments.into_iter();
        let names = function.parameters.iter().map(String::as_str);
        let mut names: Vec<(&str, Value)> = names.zip(arguments.by_ref()).collect();
        if let Some(variadic) = &function.variadic {
            names.push((variadic, Value::List(arguments.collect())));
        }
        self.evaluate(&function.result, &Scope::of(names))
    }

    fn special(&self, call: &Call, place: Place, scope: &Scope<'_>) -> Result<Value> {
        let arguments = &call.arguments;
        let wrong = |takes: &str| {
            let message = format!("`{}` takes {takes}, not {}", call.name, arguments.len());
            Problem::at(call.name_place, message)
        };
        match (call.name.as_str(), arguments.as_slice()) {
            ("can", [only]) => Ok(Value::Bool(self.evaluate(only, scope).is_ok())),
            ("can", _) => Err(wrong("1 argument")),
            ("try", []) => Err(wrong("at least 1 argument")),
            ("try", [first, others @ ..]) => {
                let mut result = self.evaluate(first, scope);
                for other in others {
                    if result.is_ok() {
                        break;
                    }
                    result = self.evaluate(other, scope);
                }
                result
            }
            (_, [value, kind]) => {
                let kind = Type::of(kind)?;
                let value = self.evaluate(value, scope)?;
                kind.convert(value).map_err(|message| Problem::at(place, message))
            }
            _ => Err(wrong("2 arguments")),
        }
    }
}
