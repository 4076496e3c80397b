//! Types of variables: `string`, `list(number)`, `object({name = string})`, …

use std::collections::BTreeMap;
use std::fmt;

use crate::csv;
use crate::error::{Problem, Result};
use crate::suggest;
use crate::syntax::{Expression, Kind};
use crate::value::Value;

/// What a value must be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Type {
    Any,
    Bool,
    Number,
    String,
    List(Box<Type>),
    Set(Box<Type>),
    Map(Box<Type>),
    Tuple(Vec<Type>),
    /// Fields by name; those that may be missing are marked.
    Object(BTreeMap<String, (Type, bool)>),
}

const NAMES: [&str; 9] = ["any", "bool", "number", "string", "list", "set", "map", "tuple", "object"];

impl Type {
    /// The type that an expression names.
    pub(crate) fn of(expression: &Expression) -> Result<Self> {
        let unknown = |name: &str| {
            Problem::at(expression.place, format!("`{name}` is not a type"))
                .label("such as `string`, `list(number)` or `map(string)`")
                .meant(suggest::closest(name, NAMES))
        };
        match &expression.kind {
            // In JSON a type is written in a string.
            Kind::Literal(Value::String(text)) => {
                Self::of(&crate::syntax::parse_expression(text, expression.place)?)
            }
            Kind::Variable(name) => match name.as_str() {
                "any" => Ok(Self::Any),
                "bool" => Ok(Self::Bool),
                "number" => Ok(Self::Number),
                "string" => Ok(Self::String),
                "list" | "set" | "map" | "tuple" | "object" => {
                    let message = format!("`{name}` needs to know of what");
                    let example = match name.as_str() {
                        "tuple" => "tuple([string, number])".to_owned(),
                        "object" => "object({name = string})".to_owned(),
                        other => format!("{other}(string)"),
                    };
                    Err(Problem::at(expression.place, message).help(format!("such as `{example}`")))
                }
                other => Err(unknown(other)),
            },
            Kind::Call(call) => match (call.name.as_str(), call.arguments.as_slice()) {
                ("list", [of]) => Ok(Self::List(Box::new(Self::of(of)?))),
                ("set", [of]) => Ok(Self::Set(Box::new(Self::of(of)?))),
                ("map", [of]) => Ok(Self::Map(Box::new(Self::of(of)?))),
                ("tuple", [Expression { kind: Kind::List(of), .. }]) => {
                    Ok(Self::Tuple(of.iter().map(Self::of).collect::<Result<_>>()?))
                }
                ("object", [Expression { kind: Kind::Object(items), .. }]) => {
                    let fields = items.iter().map(|item| {
                        let name = match &item.key.kind {
                            Kind::Literal(name) => name.to_string(),
                            Kind::Variable(name) => name.clone(),
                            _ => return Err(Problem::at(item.key.place, "a name is needed here")),
                        };
                        match &item.value.kind {
                            Kind::Call(call) if call.name == "optional" && !call.arguments.is_empty() => {
                                Ok((name, (Self::of(&call.arguments[0])?, true)))
                            }
                            _ => Ok((name, (Self::of(&item.value)?, false))),
                        }
                    });
                    Ok(Self::Object(fields.collect::<Result<_>>()?))
                }
                (name, _) => Err(unknown(name)),
            },
            _ => Err(Problem::at(expression.place, "this is not a type")),
        }
    }

    /// The value as one of this type, or why it cannot be.
    pub(crate) fn convert(&self, value: Value) -> std::result::Result<Value, String> {
        if value == Value::Null {
            return Ok(value);
        }
        let wrong = |value: &Value| format!("{} is needed, not {}", self.noun(), value.kind());
        match (self, value) {
            (Self::Any, value) => Ok(value),
            (Self::Bool, value) => value.truth().map(Value::Bool).ok_or_else(|| wrong(&value)),
            (Self::Number, value) => value.number().map(Value::Number).ok_or_else(|| wrong(&value)),
            (Self::String, value) => value.text().map(Value::String).ok_or_else(|| wrong(&value)),
            (Self::List(of), Value::List(values)) => values
                .into_iter()
                .map(|value| of.convert(value))
                .collect::<std::result::Result<_, _>>()
                .map(Value::List),
            (Self::Set(of), Value::List(values)) => {
                let mut set: Vec<Value> = Vec::new();
                for value in values {
                    let value = of.convert(value)?;
                    if !set.contains(&value) {
                        set.push(value);
                    }
                }
                Ok(Value::List(set))
            }
            (Self::Tuple(of), Value::List(values)) => {
                if of.len() != values.len() {
                    return Err(format!("{} values are needed, not {}", of.len(), values.len()));
                }
                let each = of.iter().zip(values).map(|(of, value)| of.convert(value));
                each.collect::<std::result::Result<_, _>>().map(Value::List)
            }
            (Self::Map(of), Value::Object(fields)) => {
                let each = fields.into_iter().map(|(name, value)| Ok((name, of.convert(value)?)));
                each.collect::<std::result::Result<_, _>>().map(Value::Object)
            }
            (Self::Object(of), Value::Object(mut fields)) => {
                let each = of.iter().map(|(name, (of, optional))| match fields.remove(name) {
                    Some(value) => {
                        let value = of.convert(value).map_err(|error| format!("`{name}`: {error}"))?;
                        Ok((name.clone(), value))
                    }
                    None if *optional => Ok((name.clone(), Value::Null)),
                    None => Err(format!("the object needs a `{name}`")),
                });
                each.collect::<std::result::Result<_, _>>().map(Value::Object)
            }
            (_, value) => Err(wrong(&value)),
        }
    }

    /// The value that a variable of the environment gives: as it is, or as comma-separated values.
    pub(crate) fn read(&self, text: &str) -> std::result::Result<Value, String> {
        match self {
            Self::Any | Self::Bool | Self::Number | Self::String => self.convert(text.into()),
            Self::List(_) | Self::Set(_) | Self::Tuple(_) if self.is_flat() => {
                let fields = if text.is_empty() { Vec::new() } else { csv::fields(text)? };
                self.convert(Value::List(fields.into_iter().map(Value::String).collect()))
            }
            Self::Map(_) if self.is_flat() => {
                let fields = if text.is_empty() { Vec::new() } else { csv::fields(text)? };
                let pairs = fields.into_iter().map(|field| match field.split_once('=') {
                    Some((name, value)) => Ok((name.to_owned(), value.into())),
                    None => Err(format!("`{field}` is not `name=value`")),
                });
                self.convert(Value::Object(pairs.collect::<std::result::Result<_, _>>()?))
            }
            _ => Err(format!("`{self}` cannot be written as comma-separated values")),
        }
    }

    /// Whether its elements are simple values.
    fn is_flat(&self) -> bool {
        let simple = |of: &Type| matches!(of, Self::Any | Self::Bool | Self::Number | Self::String);
        match self {
            Self::List(of) | Self::Set(of) | Self::Map(of) => simple(of),
            Self::Tuple(of) => of.iter().all(simple),
            _ => true,
        }
    }

    fn noun(&self) -> &'static str {
        match self {
            Self::Any => "a value",
            Self::Bool => "true or false",
            Self::Number => "a number",
            Self::String => "a string",
            Self::List(_) | Self::Set(_) | Self::Tuple(_) => "a list",
            Self::Map(_) | Self::Object(_) => "an object",
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |types: &[Type]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Self::Any => formatter.write_str("any"),
            Self::Bool => formatter.write_str("bool"),
            Self::Number => formatter.write_str("number"),
            Self::String => formatter.write_str("string"),
            Self::List(of) => write!(formatter, "list({of})"),
            Self::Set(of) => write!(formatter, "set({of})"),
            Self::Map(of) => write!(formatter, "map({of})"),
            Self::Tuple(of) => write!(formatter, "tuple([{}])", joined(of)),
            Self::Object(of) => {
                let fields = of.iter().map(|(name, (of, optional))| match optional {
                    true => format!("{name}=optional({of})"),
                    false => format!("{name}={of}"),
                });
                write!(formatter, "object({{{}}})", fields.collect::<Vec<_>>().join(","))
            }
        }
    }
}
